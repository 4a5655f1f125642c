# SPDX-License-Identifier: Apache-2.0
"""What an organisation could tell apart from all it was answered, as sets of cells.

No combination of answers may isolate a part that holds no whole block. It is decided from sets of
cells and blocks alone, never from rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from lingqu.gate.datasets import Blocks
from lingqu.gate.suppression import Cell


@dataclass(slots=True)
class _Atom:
    cells: set[Cell]
    whole: int


@dataclass(slots=True)
class Partition:
    """What an organisation could tell apart from all it was answered: atoms of cells.

    Everything together counts as known from the beginning, so a complement is an answer too.
    """

    blocks: Blocks
    _atoms: list[_Atom] = field(default_factory=list)
    _atom_of: dict[Cell, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cells = set(self.blocks.place)
        self._atoms = [_Atom(cells, len(self.blocks.blocks))]
        self._atom_of = dict.fromkeys(cells, 0)

    def copy(self) -> Partition:
        """This will give a partition that knows the same and can be tried on."""
        made = Partition(self.blocks)
        made._atoms = [_Atom(set(one.cells), one.whole) for one in self._atoms]
        made._atom_of = dict(self._atom_of)
        return made

    def admits(self, cells: frozenset[Cell]) -> bool:
        """Whether an answer about a set would leave every atom with a whole block."""
        return all(mine and rest for _, _, mine, rest in self._cuts(cells))

    def add(self, cells: frozenset[Cell]) -> None:
        """This will remember that a set was answered."""
        for at, part, mine, rest in self._cuts(cells):
            atom = self._atoms[at]
            atom.cells -= part
            atom.whole = rest
            self._atoms.append(_Atom(part, mine))
            self._atom_of.update(dict.fromkeys(part, len(self._atoms) - 1))

    def _cuts(self, cells: frozenset[Cell]) -> Iterable[tuple[int, set[Cell], int, int]]:
        """Atoms a set cuts, with the part inside and the whole blocks inside and outside."""
        parts: dict[int, set[Cell]] = {}
        for cell in cells:
            parts.setdefault(self._atom_of[cell], set()).add(cell)
        for at, part in parts.items():
            atom = self._atoms[at]
            if len(part) == len(atom.cells):
                continue
            rest = (
                self.blocks.count_whole(atom.cells - part)
                if self.blocks.split(part)
                else atom.whole - self.blocks.count_whole(part)
            )
            yield at, part, self.blocks.count_whole(part), rest
