# SPDX-License-Identifier: Apache-2.0
"""Which cells of a table are shown, merged or withheld, so that no known total completes one.

A cell that may not be shown alone is merged with others of its line along one dimension; whatever
cannot be merged is withheld, and larger cells are withheld with it (complementary suppression)
until in every line, and in the table as a whole, what is not shown is nothing or safe to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

Cell: TypeAlias = tuple[str | None, ...]
IsSafe: TypeAlias = Callable[[set[Cell]], bool]
"""Whether a sum over two or more cells may be known."""


def withhold(
    sizes: Mapping[Cell, int],
    small: Iterable[Cell],
    *,
    along: int,
    is_safe: IsSafe,
    may_merge: IsSafe | None = None,
) -> tuple[set[Cell], dict[Cell, set[Cell]]]:
    """This will give the cells that are not shown, and which of them are shown as one by line.

    `small` may not be shown alone; of several that would do, the cell of the least size is
    withheld beside them. Cells are merged where it is safe, and `may_merge` says so too.
    """
    withheld, dissolved = set(small), set[Cell]()
    if not withheld:
        return withheld, {}
    lines = [by_line(sizes, place) for place in range(len(next(iter(sizes), ())))]
    while True:
        _complete_lines(sizes, lines, withheld, is_safe)
        merged = {
            line: cells
            for line, cells in by_line(withheld, along).items()
            if line not in dissolved
            and _may_be_known(cells, is_safe)
            and (may_merge is None or may_merge(cells))
        }
        pool = withheld.difference(*merged.values())
        if not pool or _may_be_known(pool, is_safe):
            return withheld, merged
        if merged:
            dissolved.add(
                min(merged, key=lambda line: (sum(sizes[c] for c in merged[line]), order(line)))
            )
        elif shown := sizes.keys() - withheld:
            withheld.add(min(shown, key=lambda cell: (sizes[cell], order(cell))))
        else:
            return withheld, merged


def _complete_lines(
    sizes: Mapping[Cell, int],
    lines: list[dict[Cell, set[Cell]]],
    withheld: set[Cell],
    is_safe: IsSafe,
) -> None:
    """Withhold the smallest shown cell of every line that its total would complete."""
    changed = True
    while changed:
        changed = False
        for place, known in enumerate(lines):
            hidden = by_line(withheld, place)
            for line, mine in sorted(hidden.items(), key=lambda one: order(one[0])):
                shown = known[line] - withheld
                if shown and not _may_be_known(mine, is_safe):
                    withheld.add(min(shown, key=lambda cell: (sizes[cell], order(cell))))
                    changed = True


def by_line(cells: Iterable[Cell], along: int) -> dict[Cell, set[Cell]]:
    """This will sort cells into lines: those that differ only in one dimension stand in one."""
    lines: dict[Cell, set[Cell]] = {}
    for cell in cells:
        lines.setdefault((*cell[:along], *cell[along + 1 :]), set()).add(cell)
    return lines


def order(cell: Cell) -> list[tuple[bool, str]]:
    """This will give by what lines of an answer are ordered; a merged or empty cell comes last."""
    return [(one is None, one or "") for one in cell]


def in_order(cells: Iterable[Cell]) -> list[Cell]:
    """This will order cells; where no coordinate is empty they compare as they are."""
    found = list(cells)
    return sorted(found, key=order if any(None in cell for cell in found) else None)


def _may_be_known(cells: set[Cell], is_safe: IsSafe) -> bool:
    return len(cells) > 1 and is_safe(cells)
