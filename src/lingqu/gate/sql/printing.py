# SPDX-License-Identifier: Apache-2.0
"""From the one value of a query to fresh SQL: bound values, and names looked up in the policy.

A query is written as syntax first, and the syntax as text of a dialect; what was read can so be
compared with what is read of the printed text. Names that begin with `lingqu_` are ours.
"""

from __future__ import annotations

from decimal import Decimal

from lingqu.gate.governance import OWN_PREFIX, Function, GovernedColumn, Kind, QueryPolicy
from lingqu.gate.queries import (
    ALWAYS,
    Aggregate,
    All,
    AnyOf,
    Compared,
    Dimension,
    Joined,
    Like,
    Members,
    Predicate,
    Query,
    Ranges,
    Step,
)
from lingqu.gate.sql.canonical import governed
from lingqu.gate.sql.joining import key_columns
from lingqu.gate.sql.printed import band_case, clamped, value_of
from lingqu.gate.syntax import (
    Block,
    Both,
    Call,
    ColumnRef,
    Comparison,
    Conversion,
    Dialect,
    Either,
    IsMissing,
    Item,
    Name,
    Negated,
    Number,
    OneOf,
    Printed,
    Scan,
    Source,
    Text,
    Truth,
    Written,
    render,
    rewrite,
)


def print_query(query: Query, policy: QueryPolicy, *, dialect: Dialect) -> Printed:
    """This will print the base aggregates of a canonical query, before anything is released.

    The columns of the answer are the query's groups, then its aggregates.
    """
    return render(write_query(query, policy), dialect)


def write_query(query: Query, policy: QueryPolicy) -> Block:
    """This will write a canonical query as syntax."""
    return _Writer(query, policy).block()


class _Writer:
    def __init__(self, query: Query, policy: QueryPolicy) -> None:
        self._query, self._policy = query, policy
        self._alias = {scan: f"{OWN_PREFIX}s{place}" for place, scan in enumerate(query.scans)}

    def block(self) -> Block:
        query = self._query
        groups = [
            Item(self._dimension(one), f"{OWN_PREFIX}g{place}")
            for place, one in enumerate(query.groups)
        ]
        figures = [
            Item(self._aggregate(one), f"{OWN_PREFIX}a{place}")
            for place, one in enumerate(query.aggregates)
        ]
        return Block(
            items=(*groups, *figures),
            sources=self._sources(),
            condition=None if query.filter == ALWAYS else self._predicate(query.filter),
            groups=tuple(Name((one.alias,)) for one in groups),
        )

    def _sources(self) -> tuple[Source, ...]:
        """Each scan with the joins whose other side is there already."""
        left = list(self._query.scans)
        found: list[Source] = []
        known: set[Scan] = set()
        while left:
            scan = next(one for one in left if not known or self._joins_to(one, known))
            left.remove(scan)
            joins = self._joins_to(scan, known)
            known.add(scan)
            pairs = [pair for one in joins for pair in key_columns(one)]
            equal = tuple(
                Comparison("=", self._name(one), self._name(other)) for one, other in pairs
            )
            condition = None if not equal else equal[0] if len(equal) == 1 else Both(equal)
            found.append(Source(scan.table, None, self._alias[scan], condition=condition))
        return tuple(found)

    def _joins_to(self, scan: Scan, known: set[Scan]) -> list[Joined]:
        return [
            one
            for one in self._query.joins
            if scan in {one.left, one.right} and ({one.left, one.right} - {scan}) <= known
        ]

    def _governed(self, column: ColumnRef) -> GovernedColumn:
        return governed(self._policy, column)

    def _name(self, column: ColumnRef) -> Name:
        return Name((self._alias[column.scan], column.name))

    def _named(self, written: Written, column: ColumnRef) -> Written:
        """What was written of a column, with the column's printed name."""

        def change(part: Written) -> Written | None:
            return self._name(column) if part == column else None

        return rewrite(written, change)

    def _dimension(self, dimension: Dimension) -> Written:
        column = dimension.column
        match dimension.step:
            case Step.EXACT:
                return self._name(column)
            case Step.BAND:
                return self._named(band_case(column, self._governed(column)), column)
            case Step.YEAR:
                return Call("year", (self._name(column),))
        month = Call("date_trunc", (Text("month"), self._name(column)))
        return Conversion(month, "DATE", is_safe=False)

    def _aggregate(self, aggregate: Aggregate) -> Written:
        guard = None if aggregate.guard == ALWAYS else self._predicate(aggregate.guard)
        match aggregate.function:
            case Function.ENTITIES:
                arguments: tuple[Written, ...] = (self._name(aggregate.columns[0]),)
                return Call("count", arguments, is_distinct=True, guard=guard)
            case Function.COUNT:
                arguments = tuple(self._name(one) for one in aggregate.columns)
                return Call("count", arguments, guard=guard)
        factors = [self._named(clamped(one, self._governed(one)), one) for one in aggregate.columns]
        product = factors[0]
        for factor in factors[1:]:
            product = Call("*", (product, factor))
        return Call(aggregate.function.value, (product,), guard=guard)

    def _predicate(self, predicate: Predicate) -> Written:
        match predicate:
            case All(parts=()) | AnyOf(parts=()):
                return Truth(isinstance(predicate, All))
            case All(parts=parts):
                return Both(tuple(self._predicate(part) for part in parts))
            case AnyOf(parts=parts):
                return Either(tuple(self._predicate(part) for part in parts))
            case Like(column=column, pattern=pattern, inverted=inverted):
                like = Call("~~", (self._name(column), Text(pattern)))
                return Negated(like) if inverted else like
            case Compared(left=left, relation=relation, right=right):
                return Comparison(relation.value, self._name(left), self._name(right))
        name = self._name(predicate.column)
        if isinstance(predicate.values, Members):
            return _members(name, predicate.values, self._governed(predicate.column))
        return _ranges(name, predicate.values, self._governed(predicate.column))


def _members(name: Name, values: Members, column: GovernedColumn) -> Written:
    parts: list[Written] = []
    options: tuple[Written, ...] = tuple(
        Truth(text == "true") if column.kind is Kind.BOOLEAN else Text(text)
        for text in values.texts
    )
    if values.inverted:
        present = Negated(IsMissing(name))
        parts.append(Negated(OneOf(name, options)) if options else present)
        if values.nulls and not options:
            return Truth(value=True)
    elif options:
        parts.append(OneOf(name, options))
    if values.nulls:
        parts.append(IsMissing(name))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def _ranges(name: Name, values: Ranges, column: GovernedColumn) -> Written:
    single = [
        one.start for one in values.spans if one.start is not None and one.end == one.start + 1
    ]
    parts: list[Written] = []
    if single:
        parts.append(OneOf(name, tuple(_constant(column, unit) for unit in single)))
    for one in values.spans:
        if one.start is not None and one.start in single:
            continue
        bounds: list[Written] = []
        if one.start is not None:
            bounds.append(Comparison("<=", _constant(column, one.start), name))
        if one.end is not None:
            bounds.append(Comparison("<", name, _constant(column, one.end)))
        if not bounds:
            bounds.append(Negated(IsMissing(name)))
        parts.append(bounds[0] if len(bounds) == 1 else Both(tuple(bounds)))
    if values.nulls:
        parts.append(IsMissing(name))
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def _constant(column: GovernedColumn, unit: int) -> Written:
    value = value_of(column, unit)
    if isinstance(value, int | Decimal):
        return Number(Decimal(value))
    return Conversion(Text(value.isoformat()), "DATE", is_safe=False)
