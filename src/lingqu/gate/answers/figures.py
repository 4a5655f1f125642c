# SPDX-License-Identifier: Apache-2.0
"""Answers as they are sent: lines of released figures, rounded, named and ordered.

The figures of an ad hoc answer are rounded by a seed of the cells they are about; those of a cube
are exact. Averages and ratios are computed here, from what was released and nothing else.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from lingqu.gate.answers.releasing import RULE, round_to, seed_of, told_number
from lingqu.gate.answers.telling import Admitted, find_guards
from lingqu.gate.datasets import Number, Told, ToldLine, about_whom, shown
from lingqu.gate.governance import Function, GovernedTable, Mode, QueryPolicy
from lingqu.gate.queries import (
    EVERY_LINE,
    Aggregate,
    Every,
    Figure,
    GroupOf,
    Having,
    Linear,
    Query,
    Quotient,
    Relation,
    Scan,
    Some,
    write_node,
)
from lingqu.gate.suppression import Cell
from lingqu.kernel import errors

_Value: TypeAlias = Callable[[ToldLine], Any]
"""A figure of a released line; None where it is missing."""


class Extreme(errors.Rejected):
    """A least or a greatest value is one entity's own, and is told in no mode."""

    code = "gate.query.extreme"


def refuse_extremes(query: Query) -> None:
    """This will refuse a question for a least or greatest value. Raises Extreme."""
    for at, one in enumerate(query.aggregates):
        if one.function in {Function.MIN, Function.MAX}:
            raise Extreme(aggregate=at + 1)


def table_of(scan: Scan, policy: QueryPolicy) -> GovernedTable:
    """This will give the table a scan of a question is of."""
    table = policy.table(scan.table)
    assert table is not None, "the query was decided under this policy"
    return table


def find_proven(query: Query) -> tuple[int, ...]:
    """This will give the sums whose dominance is proven by whole blocks: those of one measure."""
    return tuple(
        at
        for at, one in enumerate(query.aggregates)
        if one.function is Function.SUM and len(one.columns) == 1
    )


def is_additive(query: Query) -> bool:
    """Whether the figures of several groups add up to those of all of them."""
    return all(one.function in {Function.SUM, Function.COUNT} for one in query.aggregates)


def bound_of(aggregate: Aggregate, policy: QueryPolicy) -> int:
    """This will give the most one row adds to an aggregate, without sign, in units."""
    most = 1
    if aggregate.function is Function.SUM:
        for one in aggregate.columns:
            table = policy.table(one.scan.table)
            column = table.column(one.name) if table is not None else None
            assert column is not None, "the query was decided under this policy"
            assert column.measure is not None, "only measures are added up"
            most *= max(abs(column.measure.lower), abs(column.measure.upper))
    return most


def unit_of(aggregate: Aggregate, policy: QueryPolicy) -> Fraction:
    """This will give what one unit of an aggregate is worth: measures are added up scaled."""
    worth = Fraction(1)
    if aggregate.function in {Function.COUNT, Function.ENTITIES}:
        return worth
    for one in aggregate.columns:
        table = policy.table(one.scan.table)
        column = table.column(one.name) if table is not None else None
        assert column is not None, "the query was decided under this policy"
        assert column.measure is not None, "only measures are computed with"
        worth /= 10**column.measure.scale
    return worth


def step_of(aggregate: Aggregate, policy: QueryPolicy) -> int:
    """This will give what a figure is rounded to: a sum to as many of its largest amounts.

    Different entities of overlapping parts do not add up, so their number is told in steps of the
    threshold: two of them never differ by the one who is in the second part alone.
    """
    if aggregate.function is Function.ENTITIES:
        (column,) = aggregate.columns
        whom = {one.column: one for one in about_whom(table_of(column.scan, policy))}
        return max(policy.rounding, whom[column.name].threshold)
    if policy.rounding == 1:
        return 1
    return policy.rounding * max(1, bound_of(aggregate, policy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """How the figures of one answer are rounded: under a key, of what was admitted."""

    key: bytes
    policy: QueryPolicy
    admitted: Admitted

    def rounded(self, query: Query, told: Told) -> Told:
        """This will round every figure by the cells it is about."""
        guards = find_guards(query)
        places = [guards.index(one.guard) for one in query.aggregates]
        steps = [step_of(one, self.policy) for one in query.aggregates]
        if all(step == 1 for step in steps):
            return told
        names = [
            write_node((query.scans, query.joins, one.function, one.columns))
            for one in query.aggregates
        ]
        lines = tuple(
            ToldLine(
                key=line.key,
                numbers=tuple(
                    self._rounded(steps[at], names[at], line, places[at], number)
                    for at, number in enumerate(line.numbers)
                ),
                merged=line.merged,
            )
            for line in told.lines
        )
        return Told(
            lines=lines,
            has_withheld=told.has_withheld,
            withheld_entities=told.withheld_entities,
        )

    def _cells(self, line: ToldLine, guard: int) -> frozenset[Cell]:
        groups = self.admitted.sets.groups[guard]
        keys = line.merged or (line.key,)
        return frozenset().union(*(groups[key].cells for key in keys if key in groups))

    def _rounded(
        self, step: int, figure: str, line: ToldLine, guard: int, number: Number
    ) -> Number:
        if number is None or step == 1:
            return number
        cells = self._cells(line, guard)
        seed = seed_of(self.key, version=str(self.admitted.whole), cells=cells, figure=figure)
        return round_to(number, step, seed)


def write_answer(
    query: Query, policy: QueryPolicy, mode: Mode, told: Told, **more: Any
) -> dict[str, Any]:
    """This will give an answer as plain data, as it is kept and sent.

    What a question does with whole lines (HAVING, DISTINCT, ORDER BY, OFFSET, LIMIT) is done with
    those that were released, as they were.
    """
    units = [unit_of(one, policy) for one in query.aggregates]
    lines: Sequence[ToldLine] = told.lines
    if query.having != EVERY_LINE:
        is_shown = _shows(query.having, units)
        lines = [line for line in lines if is_shown(line)]
    columns = [_column(query, one.figure, units, lines) for one in query.outputs]
    if query.distinct or query.order or query.offset or query.limit is not None:
        columns = _arranged(query, columns)
    return {
        "mode": mode.value,
        "columns": [one.name for one in query.outputs],
        "rows": _texts(query, columns),
        "has_withheld": told.has_withheld,
        "withheld_entities": told.withheld_entities,
        "rule": RULE,
        "thresholds": {one.name: one.threshold for one in policy.tables if one.entity is not None},
        "rounding": policy.rounding if mode is Mode.AD_HOC else 1,
        **more,
    }


def _arranged(query: Query, columns: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """What a question does with the rows of its answer once they are known."""
    rows = [*zip(*columns, strict=True)]
    if query.distinct:
        rows = [*dict.fromkeys(rows)]
    for one in reversed(query.order):
        rows.sort(key=_by(one.output, descending=one.descending))
    rows = rows[query.offset :]
    if query.limit is not None:
        rows = rows[: query.limit]
    return [*zip(*rows, strict=True)] if rows else [()] * len(columns)


def _column(
    query: Query, figure: Figure, units: Sequence[Fraction], lines: Sequence[ToldLine]
) -> Sequence[Any]:
    """One column of an answer: what it is of each released line."""
    if isinstance(figure, GroupOf):
        at, step = figure.group, query.groups[figure.group].step
        return [shown(step, line.key[at]) for line in lines]
    return [*map(_amount(figure, units), lines)]


def _amount(figure: Linear | Quotient, units: Sequence[Fraction]) -> _Value:
    """How a figure comes from those of a line, reckoned in whole numbers as far as it goes."""
    if isinstance(figure, Quotient):
        top, bottom = _amount(figure.top, units), _amount(figure.bottom, units)
        return lambda line: _share(top(line), bottom(line))
    weights = [(one.aggregate, one.factor * units[one.aggregate]) for one in figure.shares]
    parts = math.lcm(figure.constant.denominator, *(one.denominator for _, one in weights))
    terms = [(at, int(weight * parts)) for at, weight in weights]
    constant = int(figure.constant * parts)
    if parts == 1 and not constant and [weight for _, weight in terms] == [1]:
        place = terms[0][0]
        return lambda line: line.numbers[place]

    def amount(line: ToldLine) -> int | Fraction | None:
        found = constant
        for at, weight in terms:
            number = line.numbers[at]
            if number is None:
                return None
            found += weight * number
        return found if parts == 1 else Fraction(found, parts)

    return amount


def _share(top: Any, bottom: Any) -> Fraction | None:
    return None if top is None or not bottom else Fraction(top) / bottom


def _shows(having: Having, units: Sequence[Fraction]) -> Callable[[ToldLine], bool]:
    """Which of the released lines are shown."""
    if isinstance(having, Every | Some):
        joined = all if isinstance(having, Every) else any
        parts = [_shows(part, units) for part in having.parts]
        return lambda line: joined(part(line) for part in parts)
    left, right = _amount(having.left, units), _amount(having.right, units)
    relation = _RELATIONS[having.relation]

    def shows(line: ToldLine) -> bool:
        one, other = left(line), right(line)
        return one is not None and other is not None and relation(one, other)

    return shows


_RELATIONS: dict[Relation, Callable[[Any, Any], bool]] = {
    Relation.EQUAL: operator.eq,
    Relation.UNEQUAL: operator.ne,
    Relation.LESS: operator.lt,
    Relation.LESS_EQUAL: operator.le,
}


def _by(place: int, *, descending: bool) -> Callable[[Sequence[Any]], Any]:
    """The order of rows by one column; what is missing comes last either way."""

    def key(row: Sequence[Any]) -> tuple[bool, Any]:
        cell = row[place]
        if cell is None:
            return (True, 0)
        if isinstance(cell, Fraction | int):
            return (False, -cell if descending else cell)
        text = [ord(letter) for letter in str(cell)]
        return (False, [-one for one in text] + [1] if descending else text)

    return key


def _texts(query: Query, columns: Sequence[Sequence[Any]]) -> list[list[str | int | None]]:
    """Rows as they are sent: keys of groups as they are, figures as decimal text."""
    told = [
        column if isinstance(one.figure, GroupOf) else map(told_number, column)
        for one, column in zip(query.outputs, columns, strict=True)
    ]
    return [*map(list, zip(*told, strict=True))]
