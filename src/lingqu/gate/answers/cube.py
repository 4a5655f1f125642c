# SPDX-License-Identifier: Apache-2.0
"""The published cube of a dataset: blocks with their figures, and what may be asked of them.

A cube is made of a governed copy by the confined engine. Blocks are fixed once: a block's figures
change only where at least the threshold of entities entered or left it, and then its as-of does
too; a small change shows nowhere until enough of them came together. Whatever is a function of
blocks is answered exactly and without limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lingqu.gate.answers.cells import Amounts, Blocks, Contents, Protection, form_blocks
from lingqu.gate.answers.grid import compile_filter, compile_group, coordinate, print_cell
from lingqu.gate.answers.releasing import Number, Told, ToldLine
from lingqu.gate.answers.rows import BUCKET, UNITS
from lingqu.gate.governance import Function, GovernedTable
from lingqu.gate.queries import ALWAYS, Dimension, Predicate, Query, Step, write_node
from lingqu.gate.suppression import Cell, order
from lingqu.kernel import errors
from lingqu.runtime.engine import quoted

CELLS_MOST = 100_000
MEANINGS_MOST = 256
V = TypeVar("V")
Ask = Callable[[str, Mapping[str, int]], Iterator[tuple[Any, ...]]]
"""Asks the engine over copies: a question, and which version each table in it is."""


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
    there is none yet. `is_single` says that every row is about an entity of its own.
    """

    blocks: tuple[tuple[Cell, ...], ...]
    figures: tuple[Figures, ...]
    versions: tuple[int, ...]
    whole: int | None
    is_single: bool

    def to_plain(self) -> dict[str, Any]:
        """This will give the cube as plain data, to be kept."""
        return {
            "blocks": [[[*cell] for cell in block] for block in self.blocks],
            "figures": [[one.rows, [*one.sums], [*one.counts]] for one in self.figures],
            "versions": [*self.versions],
            "whole": self.whole,
            "is_single": self.is_single,
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
        is_single=plain["is_single"],
    )


def grid_text(table: GovernedTable, percent: int) -> str:
    """This will give what all products over a dataset must have alike: grid, entity, rules."""
    parts = sorted(
        write_node((one.name, one.type, one.grid, one.measure))
        for one in table.columns
        if one.grid is not None or one.measure is not None
    )
    return write_node((tuple(parts), table.entity, table.threshold, percent))


def protection_of(table: GovernedTable, percent: int) -> Protection:
    """This will give the rule of a table; nobody is protected where rows are about nobody."""
    if table.entity is None:
        return Protection(threshold=0)
    return Protection(threshold=table.threshold, percent=percent)


@dataclass(slots=True)
class _Found:
    """One grid cell as the engine counted it."""

    rows: int
    entities: int
    sums: Amounts
    counts: Amounts
    totals: Amounts
    first: Amounts
    second: Amounts

    def plus(self, other: _Found) -> _Found:
        """Two cells together; entities at least, contributions at most."""
        return _Found(
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

    def is_safe(self, rule: Protection) -> bool:
        return self.entities >= rule.threshold and not any(
            rule.is_dominated(total, first, second)
            for total, first, second in zip(self.totals, self.first, self.second, strict=True)
        )

    @property
    def figures(self) -> Figures:
        return Figures(rows=self.rows, sums=self.sums, counts=self.counts)


class CubeMaker:
    """Makes the next cube of one table out of its copies, by questions to the confined engine."""

    def __init__(self, table: GovernedTable, *, percent: int, ask: Ask) -> None:
        """Keep what the questions are printed from."""
        self._table, self._ask = table, ask
        self._rule = protection_of(table, percent)
        self._measures = [one.name for one in table.columns if one.measure is not None]
        self._width = len(print_cell(table))

    def make(self, version: int, before: Cube | None) -> Cube:
        """This will give the cube of a version, following the one before. Raises GridTooFine."""
        found = self._cells(version)
        small = self._small(version)
        rows, entities = sum(one.rows for one in found.values()), self._entities(version)
        is_single = self._table.entity is not None and rows == entities
        if before is None:
            return self._first(version, found, small, is_single=is_single)
        return self._next(version, before, found, small, is_single=is_single)

    def _first(
        self,
        version: int,
        found: dict[Cell, _Found],
        small: dict[Cell, Contents],
        *,
        is_single: bool,
    ) -> Cube:
        blocks, rest = form_blocks([one for one in found if one not in small], small, self._rule)
        blocks = self._absorb(list(blocks), rest, found)
        complete = sum(len(block) for block in blocks) == len(found)
        return Cube(
            blocks=blocks,
            figures=tuple(_together(block, found).figures for block in blocks),
            versions=(version,) * len(blocks),
            whole=version if complete else None,
            is_single=is_single,
        )

    def _absorb(
        self, blocks: list[tuple[Cell, ...]], rest: Sequence[Cell], found: dict[Cell, _Found]
    ) -> tuple[tuple[Cell, ...], ...]:
        """Take what is too small even together into the smallest block that stays safe."""
        if not rest:
            return tuple(blocks)
        by_size = sorted(range(len(blocks)), key=lambda at: (_together(blocks[at], found).rows, at))
        for at in by_size:
            wider = tuple(sorted((*blocks[at], *rest), key=order))
            if _together(wider, found).is_safe(self._rule):
                blocks[at] = wider
                break
        return tuple(blocks)

    def _next(
        self,
        version: int,
        before: Cube,
        found: dict[Cell, _Found],
        small: dict[Cell, Contents],
        *,
        is_single: bool,
    ) -> Cube:
        known = {cell for block in before.blocks for cell in block}
        moved = {one: self._moved(one, version) for one in sorted(set(before.versions))}
        blocks, figures, versions = list(before.blocks), list(before.figures), list(before.versions)
        held_back = False
        for at, block in enumerate(before.blocks):
            changes = [moved[versions[at]].get(cell) for cell in block]
            if not any(one is not None for one in changes):
                continue
            now = _together(block, found) if any(cell in found for cell in block) else None
            enough = max(one or 0 for one in changes) >= max(self._rule.threshold, 1)
            if enough and now is not None and now.is_safe(self._rule):
                figures[at], versions[at] = now.figures, version
            else:
                held_back = True
        fresh = {cell: contents for cell, contents in small.items() if cell not in known}
        large = [cell for cell in found if cell not in known and cell not in small]
        new, rest = form_blocks(large, fresh, self._rule)
        blocks += new
        figures += [_together(block, found).figures for block in new]
        versions += [version] * len(new)
        return Cube(
            blocks=tuple(blocks),
            figures=tuple(figures),
            versions=tuple(versions),
            whole=before.whole if held_back or rest else version,
            is_single=is_single and before.is_single,
        )

    def _inner(self, source: str) -> str:
        """Every cell and entity with what it adds."""
        cells = ", ".join(f"{bucket} AS d{at}" for at, bucket in enumerate(self._buckets()))
        entity = "NULL" if self._table.entity is None else quoted(self._table.entity)
        sums = "".join(
            f", sum({name}) AS s{at}, count({name}) AS c{at}, sum(abs({name})) AS t{at}"
            for at, name in enumerate(quoted(UNITS + one) for one in self._measures)
        )
        head = f"{cells}, {entity} AS e" if cells else f"{entity} AS e"
        return (
            f"SELECT {head}, count(*) AS n{sums} FROM {quoted(source)} GROUP BY {self._keys('e')}"  # noqa: S608  # quoted names
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

    def _cells(self, version: int) -> dict[Cell, _Found]:
        sums = "".join(
            f", sum(s{at}), sum(c{at}), sum(t{at}), max(t{at}, 2)[1], max(t{at}, 2)[2]"
            for at in range(len(self._measures))
        )
        keys = self._keys()
        head = f"{keys}, " if keys else ""
        tail = f" GROUP BY {keys}" if keys else ""
        sql = (
            f"SELECT {head}sum(n), count(e){sums} FROM ({self._inner('now')}){tail}"  # noqa: S608  # quoted names
            f" LIMIT {CELLS_MOST + 1}"
        )
        found: dict[Cell, _Found] = {}
        for row in self._ask(sql, {"now": version}):
            cell = tuple(map(coordinate, row[: self._width]))
            rest = [int(one or 0) for one in row[self._width :]]
            if not rest[0]:
                continue
            columns = [tuple(rest[2 + at :: 5]) for at in range(5)]
            found[cell] = _Found(rest[0], rest[1], *columns)
        if len(found) > CELLS_MOST:
            raise GridTooFine(most=CELLS_MOST)
        return found

    def _small(self, version: int) -> dict[Cell, Contents]:
        """Who is in each cell that may not be told alone, and what each adds."""
        if self._table.entity is None:
            return {}
        rule, keys = self._rule, self._keys()
        unsafe = [f"count(e) < {rule.threshold}"]
        unsafe += [
            f"(sum(t{at}) - max(t{at}, 2)[1] - coalesce(max(t{at}, 2)[2], 0)) * 100"
            f" < {rule.percent} * max(t{at}, 2)[1]"
            for at in range(len(self._measures))
        ]
        tail = f" GROUP BY {keys}" if keys else ""
        same = " AND ".join(f"i.d{at} IS NOT DISTINCT FROM g.d{at}" for at in range(self._width))
        sql = (
            f"WITH i AS ({self._inner('now')}), g AS (SELECT {keys or 'true'} FROM i{tail}"  # noqa: S608  # quoted names
            f" HAVING {' OR '.join(unsafe)}) SELECT i.* FROM i SEMI JOIN g ON {same or 'true'}"
        )
        found: dict[Cell, Contents] = {}
        for row in self._ask(sql, {"now": version}):
            cell = tuple(map(coordinate, row[: self._width]))
            who, rest = row[self._width], row[self._width + 2 :]
            amounts = tuple(int(one or 0) for one in rest[2::3])
            contents = found.setdefault(cell, Contents({}))
            if who is None:
                contents.add(Contents({}, amounts))
            else:
                contents.add(Contents({str(who): amounts}))
        return found

    def _entities(self, version: int) -> int:
        if self._table.entity is None:
            return 0
        sql = f"SELECT count(DISTINCT {quoted(self._table.entity)}) FROM now"  # noqa: S608  # a quoted name
        return int(next(iter(self._ask(sql, {"now": version})))[0])

    def _moved(self, old: int, new: int) -> dict[Cell, int]:
        """How many entities entered or left each cell, or add something else in it now."""
        if old == new:
            return {}
        keys = self._keys()
        every = [*self._keys("e", "n").split(", ")]
        every += [f"{name}{at}" for at in range(len(self._measures)) for name in "sct"]
        told, head = ", ".join(every), f"{keys}, " if keys else ""
        tail = f" GROUP BY {keys}" if keys else ""
        sql = (
            f"SELECT {head}count(DISTINCT e), count(*) FROM (SELECT {told} FROM"  # noqa: S608  # quoted names
            f" ({self._inner('before')} UNION ALL {self._inner('now')})"
            f" GROUP BY {told} HAVING count(*) = 1){tail}"
        )
        return {
            tuple(map(coordinate, row[: self._width])): int(row[-2])
            for row in self._ask(sql, {"before": old, "now": new})
            if row[-1]
        }


def _together(block: Sequence[Cell], found: Mapping[Cell, _Found]) -> _Found:
    parts = [found[cell] for cell in block if cell in found]
    whole = parts[0]
    for one in parts[1:]:
        whole = whole.plus(one)
    return whole


class OpenCube:
    """A published cube, ready to be asked. Threads may share it."""

    def __init__(self, cube: Cube, table: GovernedTable) -> None:
        """Keep where each measure stands."""
        self.cube, self.table = cube, table
        self.blocks = Blocks(cube.blocks)
        self.cells = tuple(self.blocks.place)
        names = [one.name for one in table.columns if one.measure is not None]
        self._measures = {name: at for at, name in enumerate(names)}
        self._rows = [one.rows for one in cube.figures]
        self._known: dict[object, Any] = {}

    @property
    def rows(self) -> int:
        """Rows of all blocks, as they are published."""
        return sum(self._rows)

    def groups(self, dimensions: tuple[Dimension, ...]) -> list[Cell]:
        """This will give the group of each cell. Raises NotOnGrid."""
        return self._once(
            dimensions, lambda: [*map(compile_group(dimensions, self.table), self.cells)]
        )

    def inside(self, predicate: Predicate) -> list[bool]:
        """This will say of each cell whether it lies inside a filter. Raises NotOnGrid."""
        return self._once(
            predicate, lambda: [*map(compile_filter(predicate, self.table), self.cells)]
        )

    def answer(self, query: Query) -> Told:
        """This will answer a question exactly from whole blocks. Raises NotInCube, NotOnGrid.

        A block that lies partly outside of a filter or in several groups is in no line, and the
        answer says that something was withheld.
        """
        columns = [self._column(query, at) for at in range(len(query.aggregates))]
        inside = self._by_block(query.filter, lambda: self.inside(query.filter))
        keys = self._by_block(query.groups, lambda: self.groups(query.groups))
        guards = [self._guard(one.guard) for one in query.aggregates]
        cuts = [one for one in {id(one): one for one in guards}.values() if one is not None]
        lines: dict[Cell, list[int]] = {}
        withheld = False
        for at, key in enumerate(keys):
            if inside[at] is False:
                continue
            if inside[at] is None or key is None or any(one[at] is None for one in cuts):
                withheld = True
                continue
            line = lines.get(key)
            if line is None:
                line = lines[key] = [0] * len(columns)
            for place, column in enumerate(columns):
                guard = guards[place]
                if guard is None or guard[at]:
                    line[place] += column[at]
        if not query.groups and not lines:
            lines[()] = [0] * len(columns)
        told = [
            ToldLine(key=key, numbers=tuple[Number, ...](lines[key]))
            for key in sorted(lines, key=order)
        ]
        return Told(lines=tuple(told), has_withheld=withheld, withheld_entities=None)

    def _once(self, name: object, make: Callable[[], V]) -> V:
        """Remember what cells mean under a filter or in a group: both are asked again and again."""
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

        return self._once(("block", name), make)

    def _guard(self, guard: Predicate) -> list[bool | None] | None:
        return None if guard == ALWAYS else self._by_block(guard, lambda: self.inside(guard))

    def _column(self, query: Query, at: int) -> list[int]:
        """The figure of each block that one aggregate adds up."""
        aggregate = query.aggregates[at]
        if aggregate.function is Function.COUNT and not aggregate.columns:
            return self._rows
        if aggregate.function is Function.ENTITIES and self.cube.is_single:
            return self._rows
        places = [self._measures.get(one.name) for one in aggregate.columns]
        if len(places) != 1 or (place := places[0]) is None:
            raise NotInCube(aggregate=at + 1)
        if aggregate.function is Function.SUM:
            return self._once(
                ("sum", place), lambda: [one.sums[place] for one in self.cube.figures]
            )
        if aggregate.function is Function.COUNT:
            return self._once(
                ("count", place), lambda: [one.counts[place] for one in self.cube.figures]
            )
        raise NotInCube(aggregate=at + 1)
