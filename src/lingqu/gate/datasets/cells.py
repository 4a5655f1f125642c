# SPDX-License-Identifier: Apache-2.0
"""Cells and blocks: how rows are cut into parts that may be told apart.

A grid cell is one combination of published buckets. A **block** is a cell, or several small ones
merged once, that holds at least the threshold of entities and in which nobody dominates.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lingqu.gate.suppression import Cell, order

Amounts: TypeAlias = tuple[int, ...]
"""What one entity adds to each measure, without sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """When a part may be told: so many entities, and so many percent beside the two largest.

    The p% rule: what the others add must be at least `percent` of the largest contribution; zero
    asks for nothing.
    """

    threshold: int
    percent: int = 0

    def is_dominated(self, total: int, first: int, second: int) -> bool:
        """Whether the largest contributor could be computed too closely by the second."""
        return self.percent > 0 and (total - first - second) * 100 < self.percent * first


@dataclass(slots=True)
class Contents:
    """Who is in a part and what each adds; entities are hashes. Only of parts that are small."""

    members: dict[str, Amounts]
    nobody: Amounts = ()

    def is_safe(self, rule: Protection) -> bool:
        """Whether the part may be told by itself."""
        if len(self.members) < rule.threshold:
            return False
        columns = list(zip(*self.members.values(), strict=True))
        for place, column in enumerate(columns):
            beside = self.nobody[place] if self.nobody else 0
            first, second = _two_largest((*column, beside))
            if rule.is_dominated(sum(column) + beside, first, second):
                return False
        return True

    def add(self, other: Contents) -> None:
        """This will take another part into this one; somebody in both adds to both."""
        for who, amounts in other.members.items():
            self.members[who] = _added(self.members.get(who, ()), amounts)
        self.nobody = _added(self.nobody, other.nobody)

    def copy(self) -> Contents:
        """This will give the same contents, to be added to."""
        return Contents(dict(self.members), self.nobody)


def _two_largest(values: Iterable[int]) -> tuple[int, int]:
    first = second = 0
    for one in values:
        if one > first:
            first, second = one, first
        elif one > second:
            second = one
    return first, second


def _added(some: Amounts, more: Amounts) -> Amounts:
    if not some or not more:
        return some or more
    return tuple(a + b for a, b in zip(some, more, strict=True))


def form_blocks(
    large: Collection[Cell],
    small: Mapping[Cell, Contents],
    rule: Protection,
    *,
    apart: int = 0,
) -> tuple[tuple[tuple[Cell, ...], ...], tuple[Cell, ...]]:
    """This will give the blocks, and the cells that no block may hold yet.

    `large` are cells that may be told alone. Small ones are merged with others that share the
    longest beginning, the first dimensions being kept longest, and `apart` of them always.
    """
    blocks: list[tuple[Cell, ...]] = [(cell,) for cell in large]
    left: list[tuple[tuple[Cell, ...], Contents]] = [
        ((cell,), contents.copy()) for cell, contents in small.items()
    ]
    width = len(next(iter(small), ()))
    for length in range(width - 1, apart - 1, -1):
        gathered: dict[Cell, tuple[list[Cell], Contents]] = {}
        for cells, contents in left:
            known = gathered.get(cells[0][:length])
            if known is None:
                gathered[cells[0][:length]] = ([*cells], contents)
                continue
            known[0].extend(cells)
            known[1].add(contents)
        left = []
        for mine, merged in gathered.values():
            cells = tuple(sorted(mine, key=order))
            if merged.is_safe(rule):
                blocks.append(cells)
            else:
                left.append((cells, merged))
    blocks.sort(key=lambda one: [order(cell) for cell in one])
    rest = sorted((cell for cells, _ in left for cell in cells), key=order)
    return tuple(blocks), tuple(rest)


class Blocks:
    """The blocks of a dataset as they are published, and which block a cell is in."""

    def __init__(self, blocks: Sequence[Sequence[Cell]]) -> None:
        """Keep them with their places."""
        self.blocks = tuple(tuple(one) for one in blocks)
        self.place = {cell: at for at, block in enumerate(self.blocks) for cell in block}
        self._several = [(at, one) for at, one in enumerate(self.blocks) if len(one) > 1]

    def known(self, cells: Iterable[Cell]) -> frozenset[Cell]:
        """This will leave out cells in which nothing is published."""
        return frozenset(cell for cell in cells if cell in self.place)

    def count_whole(self, cells: Collection[Cell]) -> int:
        """This will count the blocks that lie in a set as a whole."""
        return sum(
            count == len(self.blocks[place]) for place, count in self._touched(cells).items()
        )

    def split(self, cells: Collection[Cell]) -> frozenset[int]:
        """This will give the blocks of which a set holds a part only."""
        found = []
        for at, block in self._several:
            count = sum(cell in cells for cell in block)
            if 0 < count < len(block):
                found.append(at)
        return frozenset(found)

    def _touched(self, cells: Collection[Cell]) -> dict[int, int]:
        counts: dict[int, int] = {}
        for cell in cells:
            at = self.place[cell]
            counts[at] = counts.get(at, 0) + 1
        return counts
