# SPDX-License-Identifier: Apache-2.0
"""Whether a policy permits what a query does, in a mode: rules over query and policy alone.

Each rule gives its refusal or None, so that an explanation can show what every one says. None of
them looks at data, and none is more lenient under a stricter policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from lingqu.gate.governance import (
    Function,
    GovernedColumn,
    GridKind,
    Mode,
    QueryPolicy,
    Role,
    edges_of,
)
from lingqu.gate.queries import (
    Aggregate,
    All,
    AnyOf,
    Compared,
    Dimension,
    Like,
    Predicate,
    Query,
    Ranges,
    Step,
    Values,
    Within,
)
from lingqu.gate.sql.canonical import governed
from lingqu.kernel import errors

USAGE_CONTROL = "《广西加快数据要素市场化改革实施方案》任务7"
"""探索建立数据用途和用量控制制度，实现数据使用“可控可计量”."""


class ModeRefused(errors.Forbidden):
    """The policy does not answer queries in this mode."""

    code = "gate.query.mode_refused"
    article = USAGE_CONTROL


class ColumnRefused(errors.Forbidden):
    """The column may not be used so: its role, or the mode, does not permit it."""

    code = "gate.query.column"
    article = USAGE_CONTROL


class OffGrid(errors.Forbidden):
    """A filter or a group cuts through a step of the grid a dimension is published on."""

    code = "gate.query.off_grid"
    article = USAGE_CONTROL


class FunctionNotPermitted(errors.Forbidden):
    """The policy does not permit this aggregate of this column."""

    code = "gate.query.aggregate"
    article = USAGE_CONTROL


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query that is understood, the policy it was read under, and how it is to be answered."""

    query: Query
    policy: QueryPolicy
    mode: Mode


Use = Callable[[Asked], errors.LingquError | None]


def is_in_mode(asked: Asked) -> errors.LingquError | None:
    """The policy answers in this mode."""
    return None if asked.mode in asked.policy.modes else ModeRefused(mode=asked.mode.value)


def filters_permitted(asked: Asked) -> errors.LingquError | None:
    """Filters and guards are on the grid; under noise they are over any column but keys."""
    for predicate in _predicates(asked.query):
        for atom in _atoms_of(predicate):
            refusal = _judge_atom(atom, asked.policy, asked.mode)
            if refusal is not None:
                return refusal
    return None


def groups_on_grid(asked: Asked) -> errors.LingquError | None:
    """Groups are dimensions, and no finer than their grid."""
    for dimension in asked.query.groups:
        column = governed(asked.policy, dimension.column)
        if column.grid is None:
            return ColumnRefused(column=column.name, role=column.role.value, use="group")
        if not _is_step(column, dimension):
            return OffGrid(column=column.name)
    return None


def aggregates_permitted(asked: Asked) -> errors.LingquError | None:
    """Every base aggregate is one its measures permit; entities may always be counted."""
    for aggregate in asked.query.aggregates:
        refusal = _judge_aggregate(aggregate, asked.policy)
        if refusal is not None:
            return refusal
    return None


USES: tuple[Use, ...] = (is_in_mode, filters_permitted, groups_on_grid, aggregates_permitted)
"""Every rule about what a query does, in the order in which they are asked."""


def find_refusal(asked: Asked) -> errors.LingquError | None:
    """This will give the first refusal of what a query does in a mode; None where all pass."""
    for use in USES:
        refusal = use(asked)
        if refusal is not None:
            return refusal
    return None


def _predicates(query: Query) -> Iterator[Predicate]:
    yield query.filter
    for aggregate in query.aggregates:
        yield aggregate.guard


def _atoms_of(predicate: Predicate) -> Iterator[Within | Like | Compared]:
    if isinstance(predicate, All | AnyOf):
        for part in predicate.parts:
            yield from _atoms_of(part)
    else:
        yield predicate


def _judge_atom(
    atom: Within | Like | Compared, policy: QueryPolicy, mode: Mode
) -> errors.LingquError | None:
    columns = (atom.left, atom.right) if isinstance(atom, Compared) else (atom.column,)
    for one in columns:
        column = governed(policy, one)
        if column.role is Role.KEY:
            return _refused(column, "filter")
    if mode is Mode.DP:
        return None
    column = governed(policy, columns[0])
    if isinstance(atom, Like):
        return _refused(column, "pattern")
    if isinstance(atom, Compared):
        return _refused(column, "compare")
    if column.grid is None:
        return _refused(column, "filter")
    return None if _is_on_grid(column, atom.values) else OffGrid(column=column.name)


def _refused(column: GovernedColumn, use: str) -> ColumnRefused:
    return ColumnRefused(column=column.name, role=column.role.value, use=use)


def _is_on_grid(column: GovernedColumn, values: Values) -> bool:
    """Whether a set is made of whole steps; what lies outside all bands is one step with NULL."""
    assert column.grid is not None, "it is on the grid"
    kind = column.grid.kind
    if not isinstance(values, Ranges) or kind is GridKind.EXACT:
        return True
    bounds = {one for span in values.spans for one in (span.start, span.end) if one is not None}
    if kind is GridKind.MONTH:
        return all(date.fromordinal(one).day == 1 for one in bounds)
    if kind is GridKind.YEAR:
        days = (date.fromordinal(one) for one in bounds)
        return all((day.month, day.day) == (1, 1) for day in days)
    edges = edges_of(column)
    outside = {_holds(values, edges[0] - 1), _holds(values, edges[-1]), values.nulls}
    return bounds <= set(edges) and len(outside) == 1


def _holds(values: Ranges, unit: int) -> bool:
    return any(
        (span.start is None or span.start <= unit) and (span.end is None or unit < span.end)
        for span in values.spans
    )


_STEPS = {
    GridKind.EXACT: {Step.EXACT, Step.MONTH, Step.YEAR},
    GridKind.BANDS: {Step.BAND},
    GridKind.MONTH: {Step.MONTH, Step.YEAR},
    GridKind.YEAR: {Step.YEAR},
}


def _is_step(column: GovernedColumn, dimension: Dimension) -> bool:
    assert column.grid is not None, "it is on the grid"
    return dimension.step in _STEPS[column.grid.kind]


def _judge_aggregate(aggregate: Aggregate, policy: QueryPolicy) -> errors.LingquError | None:
    if aggregate.function is Function.ENTITIES:
        return None
    for one in aggregate.columns:
        column = governed(policy, one)
        if _counts_presence(aggregate, column):
            continue
        if column.measure is None:
            return _refused(column, aggregate.function.value)
        if aggregate.function not in column.measure.functions:
            return FunctionNotPermitted(column=column.name, function=aggregate.function.value)
    return None


def _counts_presence(aggregate: Aggregate, column: GovernedColumn) -> bool:
    """A dimension's missing value is a step of its grid, so rows that have one may be counted."""
    is_exact = column.grid is not None and column.grid.kind is GridKind.EXACT
    return aggregate.function is Function.COUNT and is_exact
