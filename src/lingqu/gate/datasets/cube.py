# SPDX-License-Identifier: Apache-2.0
"""The published cube of a dataset: blocks with their figures, and what may be asked of them.

A cube is made of a governed copy by the confined engine. Blocks are fixed once: a block's figures
change only where at least the threshold of entities entered or left it, and then its as-of does
too; a small change shows nowhere until enough of them came together. Whatever is a function of
blocks is answered exactly and without limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from lingqu.gate.datasets.cells import Amounts, Blocks, Contents, Protection, form_blocks
from lingqu.gate.datasets.grid import (
    compile_filter,
    compile_group,
    coordinate,
    grid_columns,
    print_cell,
)
from lingqu.gate.datasets.rows import BUCKET, UNITS
from lingqu.gate.datasets.told import Told, ToldLine
from lingqu.gate.datasets.wide import grid_of_joins
from lingqu.gate.governance import Function, GovernedTable
from lingqu.gate.queries import ALWAYS, Dimension, Predicate, Query, Step, write_node
from lingqu.gate.suppression import Cell, in_order, order
from lingqu.kernel import errors
from lingqu.runtime.engine import quoted

CELLS_MOST = 100_000
MEANINGS_MOST = 256
V = TypeVar("V")
ROWS_AT_ONCE = 1_000_000
"""So many rows are sorted by cell and entity at a time, in the memory one worker has."""
SUSPECTS_AT_ONCE = 20_000
"""So many values name cells in one question."""


class Ask(Protocol):
    """Asks the engine over copies: a question, which version each table in it is, its values."""

    def __call__(
        self, sql: str, versions: Mapping[str, int], values: Sequence[Any] = ()
    ) -> Iterator[tuple[Any, ...]]:
        """This will give the rows of the answer."""


class GridTooFine(errors.Rejected):
    """The dimensions make more cells than can be published."""

    code = "gate.cube.too_fine"


class NotInCube(errors.Rejected):
    """A figure is no function of what is published of cells."""

    code = "gate.query.not_in_cube"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is published of one block: rows, and of each measure the sum and how many have one."""

    rows: int
    sums: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """A dataset as it is published. `versions` says as of which version each block stands.

    `whole` is the newest version of which every row is in a block that stands as of it; None where
    there is none yet; it has the first `standing` blocks, or all. `has_left` says that
    rows were left out, which no answer knows of.
    """

    blocks: tuple[tuple[Cell, ...], ...]
    figures: tuple[Figures, ...]
    versions: tuple[int, ...]
    whole: int | None
    standing: int | None = None
    has_left: bool = False

    def to_plain(self) -> dict[str, Any]:
        """This will give the cube as plain data, to be kept."""
        return {
            "blocks": [[[*cell] for cell in block] for block in self.blocks],
            "figures": [[one.rows, [*one.sums], [*one.counts]] for one in self.figures],
            "versions": [*self.versions],
            "whole": self.whole,
            "standing": self.standing,
            "has_left": self.has_left,
        }


def read_cube(plain: Mapping[str, Any]) -> Cube:
    """This will read a cube as it was kept."""
    return Cube(
        blocks=tuple(tuple(tuple(cell) for cell in block) for block in plain["blocks"]),
        figures=tuple(
            Figures(rows=rows, sums=tuple(sums), counts=tuple(counts))
            for rows, sums, counts in plain["figures"]
        ),
        versions=tuple(plain["versions"]),
        whole=plain["whole"],
        standing=plain.get("standing"),
        has_left=plain.get("has_left", False),
    )


def grid_text(table: GovernedTable, percent: int, *, is_told: bool) -> str:
    """This will give what all products over a dataset must have alike: grid, entity, rules.

    The order of columns belongs to it: cells and sums are kept in that order. So does whether its
    blocks are told exactly: where they are, no other answer may cut one.
    """
    parts = tuple(
        write_node((one.name, one.type, one.grid, one.measure))
        for one in table.columns
        if one.grid is not None or one.measure is not None
    )
    joins = grid_of_joins(table)
    return write_node((parts, table.entity, table.threshold, percent, is_told, *joins))


def find_told(kept: str, table: GovernedTable, percent: int, *, tells: bool) -> bool | None:
    """This will say whether a dataset published on a grid has its blocks told exactly.

    None where the grid is another one, and where a product would tell them (`tells`) of a dataset
    whose other answers may have cut them.
    """
    if kept == grid_text(table, percent, is_told=True):
        return True
    return None if tells or kept != grid_text(table, percent, is_told=False) else False


def protection_of(table: GovernedTable, percent: int) -> Protection:
    """This will give the rule of a table; nobody is protected where rows are about nobody."""
    if table.entity is None:
        return Protection(threshold=0)
    return Protection(threshold=table.threshold, percent=percent)


@dataclass(slots=True)
class FoundCell:
    """One grid cell as the engine counted it, or several together."""

    rows: int
    entities: int
    sums: Amounts
    counts: Amounts
    totals: Amounts
    first: Amounts
    second: Amounts

    def plus(self, other: FoundCell) -> FoundCell:
        """Two cells together; entities at least, contributions at most."""
        return FoundCell(
            self.rows + other.rows,
            max(self.entities, other.entities),
            *(
                tuple(a + b for a, b in zip(mine, theirs, strict=True))
                for mine, theirs in (
                    (self.sums, other.sums),
                    (self.counts, other.counts),
                    (self.totals, other.totals),
                    (self.first, other.first),
                    (self.second, other.second),
                )
            ),
        )

    def beside(self, other: FoundCell) -> FoundCell:
        """One cell of which others were counted apart: nobody is in both."""
        pairs = [
            sorted(four, reverse=True)
            for four in zip(self.first, self.second, other.first, other.second, strict=True)
        ]
        return replace(
            self.plus(other),
            entities=self.entities + other.entities,
            first=tuple(one[0] for one in pairs),
            second=tuple(one[1] for one in pairs),
        )

    def is_safe(self, rule: Protection) -> bool:
        """Whether it may be told by itself."""
        return self.entities >= rule.threshold and not any(
            rule.is_dominated(total, first, second)
            for total, first, second in zip(self.totals, self.first, self.second, strict=True)
        )

    @property
    def figures(self) -> Figures:
        """What is published of it."""
        return Figures(rows=self.rows, sums=self.sums, counts=self.counts)


class CubeMaker:
    """Makes the next cube of one table out of its copies, by questions to the confined engine."""

    apart = 0
    """So many first dimensions no block is wider than."""

    def __init__(
        self, table: GovernedTable, *, percent: int, ask: Ask, at_once: int = ROWS_AT_ONCE
    ) -> None:
        """Keep what the questions are printed from; large copies are worked on entity by entity."""
        self._table, self._ask, self._at_once = table, ask, at_once
        self._rows: dict[int, int] = {}
        self._rule = protection_of(table, percent)
        self._measures = [one.name for one in table.columns if one.measure is not None]
        self._width = len(print_cell(table))

    def make(self, version: int, before: Cube | None) -> Cube:
        """This will give the cube of a version, following the one before. Raises GridTooFine."""
        found = self.count_cells(version)
        small = self._small(version, found)
        if before is None:
            return self._first(version, found, small)
        return self._next(version, before, found, small)

    def _first(
        self,
        version: int,
        found: Mapping[Cell, FoundCell],
        small: Mapping[Cell, Contents],
    ) -> Cube:
        large = [one for one in found if one not in small]
        blocks, rest = form_blocks(large, small, self._rule, apart=self.apart)
        blocks = self._absorb(list(blocks), rest, found)
        placed = {cell for block in blocks for cell in block}
        left = [cell for cell in rest if cell not in placed]
        return Cube(
            blocks=blocks,
            figures=tuple(_together(block, found).figures for block in blocks),
            versions=(version,) * len(blocks),
            whole=None if self._are_missing(left, blocks) else version,
            standing=len(blocks),
            has_left=bool(left),
        )

    def _are_missing(self, left: Sequence[Cell], _blocks: Sequence[Sequence[Cell]]) -> bool:
        """Whether cells that no block holds keep a version from being whole."""
        return bool(left)

    def _absorb(
        self, blocks: list[tuple[Cell, ...]], rest: Sequence[Cell], found: Mapping[Cell, FoundCell]
    ) -> tuple[tuple[Cell, ...], ...]:
        """Take what is too small even together into the smallest block that stays safe.

        Where none does, into the smallest ones together.
        """
        if not rest:
            return tuple(blocks)
        by_size = sorted(range(len(blocks)), key=lambda at: (_together(blocks[at], found).rows, at))
        for at in by_size:
            wider = tuple(sorted((*blocks[at], *rest), key=order))
            if _together(wider, found).is_safe(self._rule):
                blocks[at] = wider
                return tuple(blocks)
        wider, taken = tuple(rest), set[int]()
        for at in by_size:
            wider, taken = (*wider, *blocks[at]), taken | {at}
            if _together(wider, found).is_safe(self._rule):
                others = [block for place, block in enumerate(blocks) if place not in taken]
                return (*others, tuple(sorted(wider, key=order)))
        return tuple(blocks)

    def _next(
        self,
        version: int,
        before: Cube,
        found: Mapping[Cell, FoundCell],
        small: Mapping[Cell, Contents],
    ) -> Cube:
        known = {cell for block in before.blocks for cell in block}
        moved = {one: self.count_moved(one, version) for one in sorted(set(before.versions))}
        blocks, figures, versions = list(before.blocks), list(before.figures), list(before.versions)
        held_back = False
        for at, block in enumerate(before.blocks):
            changes = [moved[versions[at]].get(cell) for cell in block]
            if not any(one is not None for one in changes):
                continue
            now = _together(block, found) if any(cell in found for cell in block) else None
            enough = max(one or 0 for one in changes) >= self._rule.threshold
            if enough and now is not None and now.is_safe(self._rule):
                figures[at], versions[at] = now.figures, version
            else:
                held_back = True
        fresh = {cell: contents for cell, contents in small.items() if cell not in known}
        large = [cell for cell in found if cell not in known and cell not in small]
        new, rest = form_blocks(large, fresh, self._rule, apart=self.apart)
        blocks += new
        figures += [_together(block, found).figures for block in new]
        versions += [version] * len(new)
        is_whole = not held_back and not self._are_missing(rest, blocks)
        return Cube(
            blocks=tuple(blocks),
            figures=tuple(figures),
            versions=tuple(versions),
            whole=version if is_whole else before.whole,
            standing=len(blocks) if is_whole else before.standing,
            has_left=bool(rest) if is_whole else before.has_left,
        )

    def _parts(self, *versions: int) -> list[str]:
        """Conditions that take the rows of a share of the entities each, all of them together."""
        if self._table.entity is None:
            return [""]
        for one in versions:
            if one not in self._rows:
                self._rows[one] = int(next(self._ask(_COUNT, {"now": one}))[0])
        shares = -(-sum(self._rows[one] for one in versions) // self._at_once) or 1
        who = quoted(self._table.entity)
        return [
            f" WHERE coalesce({who}, 0) % {shares} = {at}" if shares > 1 else ""
            for at in range(shares)
        ]

    def _inner(self, source: str, part: str) -> str:
        """Every cell and entity with what it adds, of a part of the entities."""
        cells = ", ".join(f"{bucket} AS d{at}" for at, bucket in enumerate(self._buckets()))
        entity = "NULL" if self._table.entity is None else quoted(self._table.entity)
        sums = "".join(
            f", sum({name}) AS s{at}, count({name}) AS c{at}, sum(abs({name})) AS t{at}"
            for at, name in enumerate(quoted(UNITS + one) for one in self._measures)
        )
        head = f"{cells}, {entity} AS e" if cells else f"{entity} AS e"
        return (
            f"SELECT {head}, count(*) AS n{sums} FROM {quoted(source)}{part}"  # noqa: S608  # quoted names
            f" GROUP BY {self._keys('e')}"
        )

    def _buckets(self) -> list[str]:
        found = []
        for column in self._table.columns:
            if column.grid is not None:
                plain = column.grid.kind.value == Step.EXACT.value
                found.append(quoted(column.name if plain else BUCKET + column.name))
        return found

    def _keys(self, *more: str) -> str:
        return ", ".join([*(f"d{at}" for at in range(self._width)), *more])

    def count_cells(self, version: int) -> Mapping[Cell, FoundCell]:
        """This will count what every cell holds. Raises GridTooFine."""
        sums = "".join(
            f", sum(s{at}), sum(c{at}), sum(t{at}), max(t{at}, 2)[1], max(t{at}, 2)[2]"
            for at in range(len(self._measures))
        )
        keys = self._keys()
        head = f"{keys}, " if keys else ""
        tail = f" GROUP BY {keys}" if keys else ""
        found: dict[Cell, FoundCell] = {}
        for part in self._parts(version):
            sql = (
                f"SELECT {head}sum(n), count(e){sums} FROM ({self._inner('now', part)}){tail}"  # noqa: S608  # quoted names
                f" LIMIT {CELLS_MOST + 1}"
            )
            for row in self._ask(sql, {"now": version}):
                cell = tuple(map(coordinate, row[: self._width]))
                rest = [int(one or 0) for one in row[self._width :]]
                if not rest[0]:
                    continue
                columns = [tuple(rest[2 + at :: 5]) for at in range(5)]
                here = FoundCell(rest[0], rest[1], *columns)
                known = found.get(cell)
                found[cell] = here if known is None else known.beside(here)
            if len(found) > CELLS_MOST:
                raise GridTooFine(most=CELLS_MOST)
        return found

    def _small(self, version: int, found: Mapping[Cell, FoundCell]) -> Mapping[Cell, Contents]:
        """Who is in each cell that may not be told alone, and what each adds."""
        suspects = [cell for cell, one in found.items() if not one.is_safe(self._rule)]
        if self._table.entity is None or not suspects:
            return {}
        return self.open_cells(version, suspects)

    def open_cells(self, version: int, suspects: Sequence[Cell]) -> dict[Cell, Contents]:
        """This will say who is in cells, and what each adds."""
        step = max(1, SUSPECTS_AT_ONCE // max(1, self._width))
        small: dict[Cell, Contents] = {}
        for part in self._parts(version):
            for at in range(0, len(suspects), step):
                self._open(version, part, suspects[at : at + step], small)
        return small

    def _open(
        self, version: int, part: str, cells: Sequence[Cell], small: dict[Cell, Contents]
    ) -> None:
        columns = [f"CAST(? AS {one.type})" for one in grid_columns(self._table)]
        names = ", ".join(f"d{at}" for at in range(self._width))
        same = " AND ".join(f"i.d{at} IS NOT DISTINCT FROM g.d{at}" for at in range(self._width))
        rows = ", ".join(f"({', '.join(columns)})" for _ in cells)
        given = f" SEMI JOIN (VALUES {rows}) AS g({names}) ON {same}" if names else ""
        sql = f"SELECT i.* FROM ({self._inner('now', part)}) AS i{given}"  # noqa: S608  # quoted names, bound values
        for row in self._ask(sql, {"now": version}, [text for cell in cells for text in cell]):
            cell = tuple(map(coordinate, row[: self._width]))
            who, rest = row[self._width], row[self._width + 2 :]
            amounts = tuple(int(one or 0) for one in rest[2::3])
            contents = small.setdefault(cell, Contents({}))
            if who is None:
                contents.add(Contents({}, amounts))
            else:
                contents.add(Contents({str(who): amounts}))

    def count_moved(self, old: int, new: int) -> Mapping[Cell, int]:
        """This will count who entered or left each cell, or adds something else in it now."""
        if old == new:
            return {}
        keys = self._keys()
        every = [*self._keys("e", "n").split(", ")]
        every += [f"{name}{at}" for at in range(len(self._measures)) for name in "sct"]
        told, head = ", ".join(every), f"{keys}, " if keys else ""
        tail = f" GROUP BY {keys}" if keys else ""
        moved: dict[Cell, int] = {}
        for part in self._parts(old, new):
            sql = (
                f"SELECT {head}count(DISTINCT e), count(*) FROM (SELECT {told} FROM"  # noqa: S608  # quoted names
                f" ({self._inner('before', part)} UNION ALL {self._inner('now', part)})"
                f" GROUP BY {told} HAVING count(*) = 1){tail}"
            )
            for row in self._ask(sql, {"before": old, "now": new}):
                if row[-1]:
                    cell = tuple(map(coordinate, row[: self._width]))
                    moved[cell] = moved.get(cell, 0) + int(row[-2])
        return moved


_COUNT = "SELECT count(*) FROM now"


def _together(block: Sequence[Cell], found: Mapping[Cell, FoundCell]) -> FoundCell:
    parts = [found[cell] for cell in block if cell in found]
    whole = parts[0]
    for one in parts[1:]:
        whole = whole.plus(one)
    return whole


@dataclass(frozen=True, slots=True)
class _Layout:
    """The lines of a question by their keys, the blocks in each, and which of them guards count."""

    keys: tuple[Cell, ...]
    blocks: Sequence[Sequence[int]]
    guards: Sequence[Sequence[bool | None] | None]
    has_withheld: bool


class OpenCube:
    """A published cube, ready to be asked. Threads may share it.

    `is_told` says that products tell its blocks exactly, so that everybody may know each of them.
    `cells` are those of all blocks in their order, `block_of` the block of each.
    """

    def __init__(self, cube: Cube, table: GovernedTable, *, is_told: bool = False) -> None:
        """Keep where each measure stands."""
        self.cube, self.table, self.is_told = cube, table, is_told
        self.blocks = Blocks(cube.blocks)
        self.standing = Blocks(cube.blocks[: cube.standing])
        self.cells, self.block_of = tuple(self.blocks.place), tuple(self.blocks.place.values())
        self.position = {cell: at for at, cell in enumerate(self.cells)}
        self._everywhere = [True] * len(self.cells)
        self.has_merged = len(self.cells) > len(cube.blocks)
        names = [one.name for one in table.columns if one.measure is not None]
        self._measures = {name: at for at, name in enumerate(names)}
        self._rows = [one.rows for one in cube.figures]
        self._newest = max(cube.versions, default=0)
        self._known: dict[object, Any] = {}

    @property
    def rows(self) -> int:
        """Rows of all blocks, as they are published."""
        return sum(self._rows)

    def apart(self) -> OpenCube:
        """This will give the same cube with nothing remembered of what was asked of this one."""
        return OpenCube(self.cube, self.table, is_told=self.is_told)

    def groups(self, dimensions: tuple[Dimension, ...]) -> list[Cell]:
        """This will give the group of each cell. Raises NotOnGrid."""
        return self.once(
            dimensions, lambda: [*map(compile_group(dimensions, self.table), self.cells)]
        )

    def inside(self, predicate: Predicate) -> list[bool]:
        """This will say of each cell whether it lies inside a filter. Raises NotOnGrid."""
        if predicate == ALWAYS:
            return self._everywhere
        return self.once(
            predicate, lambda: [*map(compile_filter(predicate, self.table), self.cells)]
        )

    def answer(self, query: Query) -> Told:
        """This will answer a question exactly from whole blocks. Raises NotInCube, NotOnGrid.

        A block that lies partly outside of a filter or in several groups is in no line, and the
        answer says that something was withheld.
        """
        columns = [self._column(query, at) for at in range(len(query.aggregates))]
        guards = tuple(one.guard for one in query.aggregates)
        found = self.once(
            ("layout", query.filter, query.groups, guards), lambda: self._lay_out(query, guards)
        )
        figures = [
            [
                sum([column[at] for at in block if guard is None or guard[at]])
                for block in found.blocks
            ]
            for column, guard in zip(columns, found.guards, strict=True)
        ]
        numbers = zip(*figures, strict=True) if figures else ((),) * len(found.keys)
        told = tuple(map(ToldLine, found.keys, numbers))
        return Told(lines=told, has_withheld=found.has_withheld, withheld_entities=None)

    def _lay_out(self, query: Query, guards: Sequence[Predicate]) -> _Layout:
        """Say which whole blocks make which line of a question."""
        inside = self._by_block(query.filter, lambda: self.inside(query.filter))
        keys = self._by_block(query.groups, lambda: self.groups(query.groups))
        holds = [self._guard(one) for one in guards]
        cuts = [one for one in {id(one): one for one in holds}.values() if one is not None]
        lines: dict[Cell, list[int]] = {}
        withheld = self.cube.has_left
        for at, (is_inside, key) in enumerate(zip(inside, keys, strict=True)):
            if is_inside is False:
                continue
            if is_inside is None or key is None or (cuts and any(one[at] is None for one in cuts)):
                withheld = True
                continue
            lines.setdefault(key, []).append(at)
        if not query.groups:
            lines.setdefault((), [])
        ordered = tuple(in_order(lines))
        return _Layout(ordered, [lines[key] for key in ordered], holds, withheld)

    def stands_as_of(self, version: int) -> bool:
        """This will say whether every block's figures are those of a version."""
        return self._newest <= version

    def measure_of(self, name: str) -> int | None:
        """This will give at which place the figures of a measure stand."""
        return self._measures.get(name)

    def is_never_missing(self, measure: int) -> bool:
        """This will say whether every row has a value of a measure."""
        return self.once(
            ("missing", measure),
            lambda: all(one.counts[measure] == one.rows for one in self.cube.figures),
        )

    def once(self, name: object, make: Callable[[], V]) -> V:
        """This will remember what cells mean to a question: the same is asked again and again."""
        found: V | None = self._known.get(name)
        if found is None:
            if len(self._known) >= MEANINGS_MOST:
                self._known.clear()
            found = self._known[name] = make()
        return found

    def _by_block(self, name: object, by_cell: Callable[[], Sequence[V]]) -> list[V | None]:
        """What all cells of a block have alike; None where they differ."""

        def make() -> list[V | None]:
            told = iter(by_cell())
            found: list[V | None] = []
            for block in self.cube.blocks:
                mine = {next(told) for _ in block}
                found.append(mine.pop() if len(mine) == 1 else None)
            return found

        return self.once(("block", name), make)

    def _guard(self, guard: Predicate) -> list[bool | None] | None:
        return None if guard == ALWAYS else self._by_block(guard, lambda: self.inside(guard))

    def _column(self, query: Query, at: int) -> list[int]:
        """The figure of each block that one aggregate adds up."""
        aggregate = query.aggregates[at]
        if aggregate.function is Function.COUNT and not aggregate.columns:
            return self._rows
        places = [self._measures.get(one.name) for one in aggregate.columns]
        if len(places) != 1 or (place := places[0]) is None:
            raise NotInCube(aggregate=at + 1)
        if aggregate.function is Function.SUM:
            return self.once(("sum", place), lambda: [one.sums[place] for one in self.cube.figures])
        if aggregate.function is Function.COUNT:
            return self.once(
                ("count", place), lambda: [one.counts[place] for one in self.cube.figures]
            )
        raise NotInCube(aggregate=at + 1)
