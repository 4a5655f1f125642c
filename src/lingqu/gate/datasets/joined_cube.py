# SPDX-License-Identifier: Apache-2.0
"""The cube of a wide table: blocks that are safe for everybody whom its rows are about.

A row of a wide table may be about several: the person of a visit, the physician of its ward. A
block holds enough of each kind that it is about at all, and nobody of any kind dominates in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lingqu.gate.datasets.cells import Contents, Protection
from lingqu.gate.datasets.cube import Ask, CubeMaker, FoundCell
from lingqu.gate.datasets.grid import grid_columns
from lingqu.gate.datasets.wide import WideTable
from lingqu.gate.governance import GovernedTable
from lingqu.gate.suppression import Cell, order

_ANY = Protection(threshold=1)


@dataclass(slots=True)
class _SeveralFound(FoundCell):
    """A cell as it was counted for each kind of entities; None where it is about none of a kind."""

    kinds: tuple[FoundCell | None, ...]
    rules: tuple[Protection, ...]

    def plus(self, other: FoundCell) -> FoundCell:
        assert isinstance(other, _SeveralFound), "cells of one cube"
        both = FoundCell.plus(self, other)
        kinds = tuple(
            mine if theirs is None else theirs if mine is None else mine.plus(theirs)
            for mine, theirs in zip(self.kinds, other.kinds, strict=True)
        )
        return _several(both, kinds, self.rules)

    def is_safe(self, _rule: Protection) -> bool:
        return all(
            one is None or one.is_safe(rule)
            for one, rule in zip(self.kinds, self.rules, strict=True)
        )


def _several(
    one: FoundCell, kinds: tuple[FoundCell | None, ...], rules: tuple[Protection, ...]
) -> _SeveralFound:
    return _SeveralFound(
        one.rows, one.entities, one.sums, one.counts, one.totals, one.first, one.second,
        kinds, rules,
    )  # fmt: skip


@dataclass(slots=True)
class _SeveralContents(Contents):
    """Who of each kind is in a part; None where it is about none of a kind."""

    kinds: tuple[Contents | None, ...] = ()
    rules: tuple[Protection, ...] = ()

    def is_safe(self, _rule: Protection) -> bool:
        return all(
            one is None or one.is_safe(rule)
            for one, rule in zip(self.kinds, self.rules, strict=True)
        )

    def add(self, other: Contents) -> None:
        assert isinstance(other, _SeveralContents), "parts of one cube"
        self.kinds = tuple(map(_joined, self.kinds, other.kinds))

    def copy(self) -> Contents:
        kinds = tuple(None if one is None else one.copy() for one in self.kinds)
        return _SeveralContents({}, (), kinds, self.rules)


def _joined(mine: Contents | None, theirs: Contents | None) -> Contents | None:
    if mine is None or theirs is None:
        return theirs.copy() if mine is None and theirs is not None else mine
    mine.add(theirs)
    return mine


class JoinedCubeMaker(CubeMaker):
    """Makes the next cube of a wide table; see `CubeMaker`."""

    def __init__(self, table: WideTable, *, percent: int, ask: Ask) -> None:
        """Keep the rules of each kind of entities, and where a cell says that it is about them."""
        super().__init__(table, percent=percent, ask=ask)
        self._rule = _ANY
        self._kinds = [
            CubeMaker(
                replace(table, entity=one.column, threshold=one.threshold), percent=percent, ask=ask
            )
            for one in table.whom
        ]
        self._rules = tuple(
            Protection(threshold=one.threshold, percent=percent) for one in table.whom
        )
        self.apart = len(table.flags)
        names = [one.name for one in grid_columns(table)]
        self._places = [None if one.there is None else names.index(one.there) for one in table.whom]

    def _is_about(self, kind: int, cell: Cell) -> bool:
        place = self._places[kind]
        return place is None or cell[place] == "true"

    def count_cells(self, version: int) -> Mapping[Cell, FoundCell]:
        """This will count what every cell holds of each kind of entities."""
        counted = [one.count_cells(version) for one in self._kinds]
        return {
            cell: _several(
                found,
                tuple(
                    mine[cell] if self._is_about(kind, cell) else None
                    for kind, mine in enumerate(counted)
                ),
                self._rules,
            )
            for cell, found in counted[0].items()
        }

    def _small(self, version: int, found: Mapping[Cell, FoundCell]) -> Mapping[Cell, Contents]:
        """Who of every kind is in each cell that has too few of any."""
        suspects = [cell for cell, one in found.items() if not one.is_safe(self._rule)]
        if not suspects:
            return {}
        opened = [one.open_cells(version, suspects) for one in self._kinds]
        return {
            cell: _SeveralContents(
                {},
                (),
                tuple(
                    mine[cell] if self._is_about(kind, cell) else None
                    for kind, mine in enumerate(opened)
                ),
                self._rules,
            )
            for cell in suspects
        }

    def count_moved(self, old: int, new: int) -> Mapping[Cell, int]:
        """This will give 1 for a cell in which enough of every kind entered, left or changed."""
        moved = [one.count_moved(old, new) for one in self._kinds]
        cells = {cell for one in moved for cell in one}
        return {
            cell: int(
                all(
                    mine.get(cell, 0) >= rule.threshold
                    for kind, (mine, rule) in enumerate(zip(moved, self._rules, strict=True))
                    if self._is_about(kind, cell)
                )
            )
            for cell in cells
        }

    def _absorb(
        self, blocks: list[tuple[Cell, ...]], rest: Sequence[Cell], found: Mapping[Cell, FoundCell]
    ) -> tuple[tuple[Cell, ...], ...]:
        """Rows that meet the same branches are taken together, and never with others."""
        for flags in dict.fromkeys(cell[: self.apart] for cell in rest):
            mine = [cell for cell in rest if cell[: self.apart] == flags]
            alike = [one for one in blocks if one[0][: self.apart] == flags]
            others = [one for one in blocks if one[0][: self.apart] != flags]
            blocks = [*others, *super()._absorb(alike, mine, found)]
        return tuple(sorted(blocks, key=lambda one: [order(cell) for cell in one]))

    def _are_missing(self, left: Sequence[Cell], _blocks: Sequence[Sequence[Cell]]) -> bool:
        """Too few rows that meet the same branches are left out; a part of such is missing."""
        published = {block[0][: self.apart] for block in _blocks}
        return any(cell[: self.apart] in published for cell in left)


def cube_maker(table: GovernedTable, *, percent: int, ask: Ask) -> CubeMaker:
    """This will give what makes the cubes of a table, wide or not."""
    if isinstance(table, WideTable) and table.whom:
        return JoinedCubeMaker(table, percent=percent, ask=ask)
    return CubeMaker(table, percent=percent, ask=ask)
