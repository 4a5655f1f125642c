# SPDX-License-Identifier: Apache-2.0
"""The one statement that answers an ad hoc question with proof of its thresholds.

A first pass gives every group its figures, a mask of the entity bytes that occur, and sums by
bucket of bytes: as many bits, so many entities at least, and no entity adds more than its bucket.
That certifies threshold and dominance for nearly every group. A second pass counts exactly in the
groups that are left; it is always there, and costs nothing where none is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from lingqu.gate.answers.releasing import Crowd, Line, Part, Share
from lingqu.gate.datasets import MASK, Protection, Rows, Whom, about_whom, coordinate
from lingqu.gate.governance import Function, QueryPolicy
from lingqu.gate.queries import ALWAYS, Aggregate, Predicate, Query, Scan

BUCKETS = 8


@dataclass(slots=True)
class _Condition:
    """One part of a group: rows under a guard, where a counted column is missing or not."""

    guard: str | None
    sums: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Printed SQL with its values, and how its rows are read."""

    sql: str
    values: tuple[object, ...]
    groups: int
    conditions: tuple[tuple[int, ...], ...]
    entities: int
    aggregates: int

    def read(self, rows: Sequence[Sequence[object]]) -> tuple[Line, ...]:
        """This will read what the engine answered as lines."""
        return tuple(self._line(iter(row)) for row in rows)

    def _line(self, cells: Iterator[object]) -> Line:
        key = tuple(coordinate(next(cells)) for _ in range(self.groups))
        parts = []
        for sums in self.conditions:
            rows = _whole(next(cells)) or 0
            crowds = []
            for _ in range(self.entities):
                mask, exact = _whole(next(cells)) or 0, _whole(next(cells))
                crowds.append(Crowd(mask=mask, exact=exact))
            shares = tuple(
                Share(
                    total=_whole(next(cells)) or 0,
                    first=_whole(next(cells)) or 0,
                    second=_whole(next(cells)) or 0,
                )
                for _ in range(len(sums) * self.entities)
            )
            parts.append(Part(rows=rows, crowds=tuple(crowds), shares=shares))
        numbers = tuple(_whole(next(cells)) for _ in range(self.aggregates))
        return Line(key=key, parts=tuple(parts), numbers=numbers)


def _whole(cell: object) -> int | None:
    return None if cell is None else int(str(cell))


def print_certified(
    query: Query,
    policy: QueryPolicy,
    rules: Sequence[Protection],
    *,
    proven: Collection[int] = (),
    complete: Collection[str] = (),
    masked: bool = False,
) -> Statement:
    """This will print the statement of a question; `rules` are those of `find_crowds`.

    `proven` are the sums of which it is known beforehand that nobody dominates them: where whole
    blocks are added up, the rule holds because it holds in each of them. `complete` are measures
    that every row has, as it is published; `masked` says that the copies hold bits beside bytes.
    """
    return _Printer(query, policy, rules, proven, complete, masked=masked).statement()


def find_crowds(query: Query, policy: QueryPolicy) -> tuple[tuple[Scan, Whom], ...]:
    """This will give whom the rows of a question are about, each with the scan that says so."""
    found = []
    for scan in query.scans:
        table = policy.table(scan.table)
        assert table is not None, "the query was decided under this policy"
        found += [(scan, who) for who in about_whom(table)]
    return tuple(found)


def protections(query: Query, policy: QueryPolicy) -> tuple[Protection, ...]:
    """This will give the rule of each of `find_crowds`."""
    return tuple(
        Protection(threshold=who.threshold, percent=policy.dominance)
        for _, who in find_crowds(query, policy)
    )


class _Printer:
    """Prints one statement; d groups, g guards, x amounts, e entities, b their bytes, y bits."""

    def __init__(
        self,
        query: Query,
        policy: QueryPolicy,
        rules: Sequence[Protection],
        proven: Collection[int],
        complete: Collection[str],
        *,
        masked: bool,
    ) -> None:
        self._query, self._rules, self._proven = query, rules, proven
        self._complete, self._masked = complete, masked
        self._rows = Rows(query, policy)
        self._crowds = find_crowds(query, policy)
        self._keys = [f"d{at}" for at in range(len(query.groups))]
        self._cells: list[str] = []
        self._conditions: list[_Condition] = []
        self._guards: dict[Predicate, int] = {}
        self._negative: set[int] = set()

    def statement(self) -> Statement:
        """Print it; the order of bound values is that of the text."""
        source = self._source()
        exact = [self._exact(at) for at in range(len(self._crowds))]
        sql = ", ".join([source, self._first(), self._whole(), self._need(), *exact])
        return Statement(
            sql=f"WITH {sql} {self._last()}",
            values=tuple(self._rows.values),
            groups=len(self._query.groups),
            conditions=tuple(tuple(one.sums) for one in self._conditions),
            entities=len(self._crowds),
            aggregates=len(self._query.aggregates),
        )

    def _source(self) -> str:
        rows, query = self._rows, self._query
        for at, one in enumerate(query.groups):
            self._cells.append(f"{rows.bucket(one)} AS d{at}")
        for at, aggregate in enumerate(query.aggregates):
            self._take(at, aggregate)
        if not self._conditions:
            self._conditions.append(_Condition(None))
        for at, (scan, who) in enumerate(self._crowds):
            self._cells.append(f"{rows.plain(scan, who.column)} AS e{at}")
            byte = rows.plain(scan, who.byte)
            bit = rows.plain(scan, who.byte + MASK) if self._masked else f"1::BIGINT << {byte}"
            self._cells += [f"{byte} AS b{at}", f"{bit} AS y{at}"]
        # Where nobody is protected and rows are only counted, nothing of them is read.
        cells, source = ", ".join(self._cells) or "true AS here", rows.source()
        where = f" WHERE {rows.predicate(query.filter)}" if query.filter != ALWAYS else ""
        return f"src AS NOT MATERIALIZED (SELECT {cells} FROM {source}{where})"  # noqa: S608  # printed from the closed query

    def _take(self, at: int, aggregate: Aggregate) -> None:
        """Print what an aggregate needs of a row, and find the parts it tells of."""
        rows, guard = self._rows, aggregate.guard
        if guard not in self._guards:
            self._guards[guard] = len(self._conditions)
            name = None
            if guard != ALWAYS:
                name = f"g{len(self._conditions)}"
                self._cells.append(f"{rows.predicate(guard)} AS {name}")
            self._conditions.append(_Condition(name))
        condition = self._conditions[self._guards[guard]]
        if aggregate.function is Function.ENTITIES:
            self._cells.append(f"{rows.reference(aggregate.columns[0])} AS x{at}")
            return
        if aggregate.function is Function.COUNT and not aggregate.columns:
            return
        amount, is_signed = rows.amount(aggregate)
        self._cells.append(f"{amount} AS x{at}")
        if aggregate.function is Function.SUM:
            if at not in self._proven:
                condition.sums.append(at)
                if is_signed:
                    self._negative.add(at)
        elif aggregate.columns[0].name not in self._complete:
            beside = "" if condition.guard is None else f"{condition.guard} AND "
            self._conditions.append(_Condition(f"{beside}x{at} IS NOT NULL"))
            self._conditions.append(_Condition(f"{beside}x{at} IS NULL"))

    def _first(self) -> str:
        cells = ", ".join([*self._keys, *self._counted()])
        sums = any(one.sums for one in self._conditions)
        buckets = [f"b{at} % {BUCKETS}" for at in range(len(self._crowds))] if sums else []
        if len(buckets) < 2:
            by = _by([*self._keys, *buckets])
            return f"first AS MATERIALIZED (SELECT 0 AS w, {cells} FROM src{by})"  # noqa: S608  # names of ours
        names = [f"k{at}" for at in range(len(buckets))]
        named = ", ".join(f"{one} AS {name}" for one, name in zip(buckets, names, strict=True))
        sets = ", ".join(f"({', '.join([*self._keys, name])})" for name in names)
        return (
            f"first AS MATERIALIZED (SELECT GROUPING({', '.join(names)}) AS w, {cells}"  # noqa: S608  # names of ours
            f" FROM (SELECT *, {named} FROM src) GROUP BY GROUPING SETS ({sets}))"
        )

    def _counted(self) -> list[str]:
        """Figures of the first pass: rows and masks of each part, values of each aggregate."""
        cells = []
        for number, one in enumerate(self._conditions):
            cells.append(f"count(*){_kept(one.guard)} AS r{number}")
            cells += [
                f"bit_or(y{at}){_kept(one.guard)} AS m{number}_{at}"
                for at in range(len(self._crowds))
            ]
        for at, aggregate in enumerate(self._query.aggregates):
            if not aggregate.columns:
                continue
            kept = _kept(self._conditions[self._guards[aggregate.guard]].guard)
            call = _CALLS[aggregate.function].format(f"x{at}")
            cells.append(f"{call}{kept} AS v{at}")
            if at in self._negative:
                cells.append(f"sum(abs(x{at})){kept} AS t{at}")
        return cells

    def _unsigned(self, at: int) -> str:
        return f"t{at}" if at in self._negative else f"v{at}"

    def _of(self, scan: int) -> str:
        """The lines of the first pass that are by the buckets of one scan."""
        count = len(self._crowds)
        if count < 2 or not any(one.sums for one in self._conditions):
            return ""
        return f" FILTER (WHERE w = {(1 << count) - 1 - (1 << (count - 1 - scan))})"

    def _whole(self) -> str:
        cells = [*self._keys]
        for number, one in enumerate(self._conditions):
            cells.append(f"sum(r{number}){self._of(0)} AS r{number}")
            cells += [
                f"bit_or(m{number}_{at}) AS m{number}_{at}" for at in range(len(self._crowds))
            ]
            for at in one.sums:
                told = self._unsigned(at)
                for scan in range(len(self._crowds)):
                    of = self._of(scan)
                    cells.append(f"sum({told}){of} AS t{at}_{scan}")
                    cells.append(f"max({told}, 2){of} AS f{at}_{scan}")
        for at, aggregate in enumerate(self._query.aggregates):
            if not aggregate.columns:
                continue
            scan = 0
            if aggregate.function is Function.ENTITIES and self._crowds:
                scan = self._crowd_of(aggregate)
            again = "min" if aggregate.function is Function.MIN else "sum"
            again = "max" if aggregate.function is Function.MAX else again
            cells.append(f"{again}(v{at}){self._of(scan)} AS v{at}")
        return (
            f"whole AS MATERIALIZED (SELECT {', '.join(cells)} FROM first"  # noqa: S608  # names of ours
            f"{_by(self._keys)})"
        )

    def _crowd_of(self, aggregate: Aggregate) -> int:
        (column,) = aggregate.columns
        names = [(scan, who.column) for scan, who in self._crowds]
        return names.index((column.scan, column.name))

    def _need(self) -> str:
        """Groups that may be large enough and were not certified."""
        open_ = []
        for number, one in enumerate(self._conditions):
            proofs, large = [], [f"r{number} > 0"]
            for at, rule in enumerate(self._rules):
                large.append(f"r{number} >= {rule.threshold}")
                proofs.append(f"bit_count(m{number}_{at}) >= {rule.threshold}")
                if rule.percent:
                    proofs += [
                        f"(t{s}_{at} - f{s}_{at}[1] - coalesce(f{s}_{at}[2], 0)) * 100"
                        f" >= {rule.percent} * f{s}_{at}[1]"
                        for s in one.sums
                    ]
            proof = " AND ".join(f"coalesce({each}, false)" for each in proofs) or "true"
            open_.append(f"({' AND '.join(large)} AND NOT ({proof}))")
        keys = ", ".join(["true AS here", *self._keys])
        return f"need AS MATERIALIZED (SELECT {keys} FROM whole WHERE {' OR '.join(open_)})"  # noqa: S608  # names of ours

    def _exact(self, scan: int) -> str:
        """Entities and the two largest contributions, counted one by one."""
        inner, outer = [*self._keys, f"e{scan} AS e"], ["true AS here", *self._keys]
        for number, one in enumerate(self._conditions):
            inner.append(f"count(*){_kept(one.guard)} AS n{number}")
            outer.append(f"count(*) FILTER (WHERE n{number} > 0 AND e IS NOT NULL) AS c{number}")
            for at in one.sums:
                inner.append(f"sum(abs(x{at})){_kept(one.guard)} AS t{at}")
                outer.append(f"max(t{at}, 2) AS f{at}")
        return (
            f"exact{scan} AS MATERIALIZED (SELECT {', '.join(outer)} FROM (SELECT"  # noqa: S608  # names of ours
            f" {', '.join(inner)} FROM src SEMI JOIN need ON {self._same('src', 'need')}"
            f"{_by([*self._keys, f'e{scan}'])}){_by(self._keys)}"
            " HAVING count(*) > 0)"
        )

    def _same(self, left: str, right: str) -> str:
        same = (f"{left}.{key} IS NOT DISTINCT FROM {right}.{key}" for key in self._keys)
        return " AND ".join(same) or "true"

    def _last(self) -> str:
        cells = [f"whole.{key}" for key in self._keys]
        for number, one in enumerate(self._conditions):
            cells.append(f"r{number}")
            for at in range(len(self._crowds)):
                cells += [f"m{number}_{at}", f"exact{at}.c{number}"]
            for s in one.sums:
                for at in range(len(self._crowds)):
                    bound, counted = f"whole.f{s}_{at}", f"exact{at}.f{s}"
                    told = f"CASE WHEN exact{at}.here IS NULL THEN {bound} ELSE {counted} END"
                    cells += [f"t{s}_{at}", f"({told})[1]", f"({told})[2]"]
        for at, aggregate in enumerate(self._query.aggregates):
            told = f"v{at}" if aggregate.columns else f"r{self._guards[aggregate.guard]}"
            # Of no rows there is nothing to add up: that is 0, and never makes a figure missing.
            cells.append(f"coalesce({told}, 0)" if aggregate.function is Function.SUM else told)
        joins = "".join(
            f" LEFT JOIN exact{at} ON {self._same('whole', f'exact{at}')}"
            for at in range(len(self._crowds))
        )
        return f"SELECT {', '.join(cells)} FROM whole{joins}"  # noqa: S608  # names of ours


_CALLS = {
    Function.SUM: "sum({})",
    Function.COUNT: "count({})",
    Function.ENTITIES: "count(DISTINCT {})",
    Function.MIN: "min({})",
    Function.MAX: "max({})",
}


def _kept(guard: str | None) -> str:
    return "" if guard is None else f" FILTER (WHERE {guard})"


def _by(keys: Sequence[str]) -> str:
    return f" GROUP BY {', '.join(keys)}" if keys else ""
