# SPDX-License-Identifier: Apache-2.0
"""The one form of a query: conditions as diagrams write them, all that has no order sorted.

Where a table is named in several places, the numbers of its scans are those that give the smallest
text, so that it makes no difference which place was written first.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from lingqu.gate.governance import GovernedColumn, Kind, QueryPolicy
from lingqu.gate.queries import (
    ALWAYS,
    Aggregate,
    All,
    AnyOf,
    Compared,
    Dimension,
    Figure,
    GroupOf,
    Having,
    Joined,
    Linear,
    Output,
    Predicate,
    Query,
    Quotient,
    Share,
    Weighed,
    write_node,
)
from lingqu.gate.sql.conditions import finite_of
from lingqu.gate.sql.diagrams import Diagrams, TooComplex
from lingqu.gate.syntax import ColumnRef, Scan

NUMBERINGS_MOST = 24


def canonical(query: Query, policy: QueryPolicy) -> Query:
    """This will give the one form of a query over a policy's tables. Raises TooComplex."""
    query = _needed(query)
    forms = [_form(_renumbered(query, change), policy) for change in _numberings(query.scans)]
    return min(forms, key=write_node) if len(forms) > 1 else forms[0]


def governed(policy: QueryPolicy, column: ColumnRef) -> GovernedColumn:
    """This will give how a policy governs a column of a query."""
    table = policy.table(column.scan.table)
    found = None if table is None else table.column(column.name)
    assert found is not None, "a query names governed columns only"
    return found


def diagrams_of(policy: QueryPolicy) -> Diagrams:
    """This will begin the diagrams of a query over a policy's tables."""
    ordered = {Kind.INTEGER, Kind.DECIMAL, Kind.DATE}
    known: dict[ColumnRef, GovernedColumn] = {}

    def find(column: ColumnRef) -> GovernedColumn:
        found = known.get(column)
        if found is None:
            found = known[column] = governed(policy, column)
        return found

    return Diagrams(
        finite=lambda column: finite_of(find(column)),
        is_ordered=lambda column: find(column).kind in ordered,
    )


def _needed(query: Query) -> Query:
    """Leave out what no output shows: a factor of nothing, an aggregate nobody takes."""
    outputs = [Output(one.name, _shown(one.figure)) for one in query.outputs]
    having = _changed(query.having, _shown)
    figures = [*(one.figure for one in outputs), *_figures(having)]
    taken = sorted({share.aggregate for one in figures for share in _shares(one)})
    places = {place: number for number, place in enumerate(taken)}
    return replace(
        query,
        aggregates=tuple(query.aggregates[place] for place in taken),
        outputs=tuple([Output(one.name, _placed(one.figure, places)) for one in outputs]),
        having=_changed(having, lambda one: _placed(one, places)),
    )


def _figures(having: Having) -> Iterator[Figure]:
    if isinstance(having, Weighed):
        yield from (having.left, having.right)
    else:
        for part in having.parts:
            yield from _figures(part)


def _changed(having: Having, change: Callable[[Figure], Figure]) -> Having:
    """What lines are shown, with every figure changed."""
    if not isinstance(having, Weighed):
        return type(having)(tuple(_changed(part, change) for part in having.parts))
    left, right = change(having.left), change(having.right)
    assert not isinstance(left, GroupOf), "a figure stays one"
    assert not isinstance(right, GroupOf), "a figure stays one"
    return Weighed(left, having.relation, right)


def _shown(figure: Figure) -> Figure:
    match figure:
        case Linear(shares=shares, constant=constant):
            return Linear(tuple(one for one in shares if one.factor), constant)
        case Quotient(top=top, bottom=bottom):
            return _reduced(Quotient(_linear(_shown(top)), _linear(_shown(bottom))))
    return figure


def _linear(figure: Figure) -> Linear:
    assert isinstance(figure, Linear), "the parts of a quotient are linear"
    return figure


def _reduced(quotient: Quotient) -> Quotient:
    """One factor above and below makes no difference: the first one below becomes 1."""
    bottom = quotient.bottom
    first = bottom.shares[0].factor if bottom.shares else bottom.constant
    if not first:
        return quotient
    return Quotient(_divided(quotient.top, first), _divided(bottom, first))


def _divided(linear: Linear, by: Fraction) -> Linear:
    shares = tuple(Share(one.aggregate, one.factor / by) for one in linear.shares)
    return Linear(shares, linear.constant / by)


def _shares(figure: Figure) -> tuple[Share, ...]:
    match figure:
        case Linear(shares=shares):
            return shares
        case Quotient(top=top, bottom=bottom):
            return (*top.shares, *bottom.shares)
    return ()


def _placed(figure: Figure, aggregates: Mapping[int, int]) -> Figure:
    """A figure with its aggregates at other places."""
    match figure:
        case Linear(shares=shares, constant=constant):
            moved = (Share(aggregates[one.aggregate], one.factor) for one in shares)
            return Linear(tuple(sorted(moved, key=lambda one: one.aggregate)), constant)
        case Quotient(top=top, bottom=bottom):
            moved_top, moved_bottom = _placed(top, aggregates), _placed(bottom, aggregates)
            return _reduced(Quotient(_linear(moved_top), _linear(moved_bottom)))
    return figure


def _numberings(scans: tuple[Scan, ...]) -> Iterator[Mapping[Scan, Scan]]:
    places: dict[str, list[Scan]] = defaultdict(list)
    for scan in sorted(scans):
        places[scan.table].append(scan)
    total = 1
    for same in places.values():
        for factor in range(2, len(same) + 1):
            total *= factor
    if total > NUMBERINGS_MOST:
        raise TooComplex(numberings=NUMBERINGS_MOST)
    orders = [itertools.permutations(same) for same in places.values()]
    for chosen in itertools.product(*orders):
        yield {
            scan: Scan(scan.table, number) for same in chosen for number, scan in enumerate(same)
        }


def _renumbered(query: Query, change: Mapping[Scan, Scan]) -> Query:
    if all(scan == to for scan, to in change.items()):
        ordered = (
            Aggregate(one.function, tuple(sorted(one.columns)), one.guard)
            for one in query.aggregates
        )
        return replace(query, aggregates=tuple(ordered))

    def column(one: ColumnRef) -> ColumnRef:
        return ColumnRef(change[one.scan], one.name)

    return replace(
        query,
        scans=tuple(change[scan] for scan in query.scans),
        joins=tuple(Joined(change[one.left], change[one.right], one.keys) for one in query.joins),
        filter=_moved(query.filter, column),
        groups=tuple(Dimension(column(one.column), one.step) for one in query.groups),
        aggregates=tuple(
            Aggregate(
                one.function,
                tuple(sorted(column(each) for each in one.columns)),
                _moved(one.guard, column),
            )
            for one in query.aggregates
        ),
    )


def _moved(predicate: Predicate, column: Callable[[ColumnRef], ColumnRef]) -> Predicate:
    match predicate:
        case All(parts=parts) | AnyOf(parts=parts):
            return type(predicate)(tuple(_moved(part, column) for part in parts))
        case Compared(left=left, relation=relation, right=right):
            return Compared(column(left), relation, column(right))
    return replace(predicate, column=column(predicate.column))


def _form(query: Query, policy: QueryPolicy) -> Query:
    diagrams = diagrams_of(policy)
    where = diagrams.read(query.filter)
    filter_ = diagrams.write(where)

    def guarded(aggregate: Aggregate) -> Aggregate:
        rows = diagrams.both(where, diagrams.read(aggregate.guard))
        guard = ALWAYS if rows == where else diagrams.write(rows)
        return Aggregate(aggregate.function, aggregate.columns, guard)

    asked = [guarded(one) for one in query.aggregates]
    aggregates = sorted(set(asked), key=write_node)
    groups = sorted(query.groups, key=write_node)
    aggregate_places = {place: aggregates.index(one) for place, one in enumerate(asked)}
    outputs = []
    for output in query.outputs:
        figure = output.figure
        if isinstance(figure, GroupOf):
            figure = GroupOf(groups.index(query.groups[figure.group]))
        outputs.append(Output(output.name, _placed(figure, aggregate_places)))
    having = _changed(query.having, lambda one: _placed(one, aggregate_places))
    return replace(
        query,
        scans=tuple(sorted(query.scans)),
        joins=tuple(sorted(query.joins)),
        filter=filter_,
        groups=tuple(groups),
        aggregates=tuple(aggregates),
        outputs=tuple(outputs),
        having=having,
    )
