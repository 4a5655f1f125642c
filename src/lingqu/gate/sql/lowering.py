# SPDX-License-Identifier: Apache-2.0
"""From syntax to the closed value: joins found, sums split into products, figures built on them.

Every figure is taken apart into base aggregates: a sum of an expression into sums of products of
measures, a case into guards, an average into a sum over a count. What does not come apart so is
refused by its construct.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from lingqu.gate.governance import Function, GovernedColumn, GridKind, Kind, QueryPolicy
from lingqu.gate.queries import (
    ALWAYS,
    EVERY_LINE,
    Aggregate,
    Dimension,
    Every,
    Figure,
    GroupOf,
    Having,
    Linear,
    Order,
    Output,
    Query,
    Quotient,
    Relation,
    Share,
    Some,
    Step,
    Weighed,
)
from lingqu.gate.sql.canonical import diagrams_of, governed
from lingqu.gate.sql.conditions import (
    Conditions,
    TypeRefused,
    constant_of,
    year_of,
)
from lingqu.gate.sql.diagrams import TooComplex
from lingqu.gate.sql.joining import find_joins
from lingqu.gate.sql.printed import band_of, clamped_of
from lingqu.gate.sql.scopes import (
    AGGREGATES,
    Flat,
    NameAmbiguous,
    NameUnknown,
    Resolver,
    has_aggregate,
)
from lingqu.gate.syntax import (
    Block,
    Both,
    Bound,
    Call,
    Choice,
    ColumnRef,
    Comparison,
    ConstructRefused,
    Conversion,
    Either,
    Item,
    Missing,
    Name,
    Negated,
    Number,
    OneOf,
    Text,
    Truth,
    Written,
    rewrite,
)
from lingqu.kernel import errors

FACTORS_MOST = 4
TERMS_MOST = 64
OUTPUTS_MOST = 64
ROWS_DIGITS = 12
"""Digits of the most rows a policy lets a query read."""
WIDEST = 38
Product: TypeAlias = tuple[ColumnRef, ...]
Terms: TypeAlias = dict[Product, int]
"""An expression as factors of products of measures, each factor a diagram over the row."""


class RowsRefused(errors.Forbidden):
    """The query shows something of single rows: it is neither grouped by nor computed of many."""

    code = "gate.query.rows"


class TooWide(errors.Rejected):
    """A product of measures can become a number no engine adds up exactly."""

    code = "gate.query.too_wide"


class Reader(enum.Enum):
    """For whom a text is read: only we write bands and clamped measures out."""

    BUYER = "buyer"
    OURSELVES = "ourselves"


def lower(block: Block, policy: QueryPolicy, values: Sequence[Bound], reader: Reader) -> Query:
    """This will give what a block means, not yet in its one form.

    Raises what names, joins, conditions and figures are refused for.
    """
    inner, shown = _unwrap(block, policy)
    query = _Lowering(policy, values, inner, reader).read()
    return query if shown is None else _show(query, shown, block)


def _unwrap(block: Block, policy: QueryPolicy) -> tuple[Block, tuple[tuple[str, str], ...] | None]:
    """A block that only shows columns of one aggregated block is that block, renamed."""
    if len(block.sources) != 1 or block.condition is not None or block.groups or block.groups_all:
        return block, None
    if block.having is not None:
        return block, None
    source = block.sources[0]
    parts = {part.name: part for part in block.parts}
    inner, columns = source.block, source.columns
    rest = block.parts
    if inner is None and source.name in parts and policy.table(source.name) is None:
        part = parts[source.name]
        if columns:
            return block, None
        inner, columns = part.block, part.columns
        rest = tuple(one for one in block.parts if one.name != source.name)
    if inner is None or not _aggregates(inner) or columns:
        return block, None
    if inner.limit is not None or inner.sortings or (rest and inner.parts):
        return block, None
    if inner.offset is not None or inner.distinct:
        return block, None
    shown = []
    alias = source.alias or source.name
    for item in block.items:
        if not isinstance(item.value, Name) or item.value.parts[:-1] not in {(), (alias,)}:
            return block, None
        shown.append((item.value.parts[-1], item.alias or item.value.parts[-1]))
    merged = Block(
        items=inner.items,
        sources=inner.sources,
        parts=inner.parts or rest,
        condition=inner.condition,
        groups=inner.groups,
        groups_all=inner.groups_all,
        sortings=block.sortings,
        limit=block.limit,
        offset=block.offset,
        having=inner.having,
        distinct=block.distinct,
    )
    return merged, tuple(shown)


def _aggregates(block: Block) -> bool:
    return bool(block.groups) or any(has_aggregate(item.value) for item in block.items)


def _show(query: Query, shown: tuple[tuple[str, str], ...], block: Block) -> Query:
    """Keep the chosen outputs under their new names; the order must be by one of them."""
    by_name = {output.name: place for place, output in enumerate(query.outputs)}
    places = []
    for name, _ in shown:
        if name not in by_name:
            raise NameUnknown(kind="column", name=name)
        places.append(by_name[name])
    outputs = tuple(
        Output(alias, query.outputs[place].figure)
        for place, (_, alias) in zip(places, shown, strict=True)
    )
    orders = []
    for order in query.order:
        if order.output not in places:
            raise NameUnknown(kind="column", name=query.outputs[order.output].name)
        orders.append(Order(places.index(order.output), order.descending))
    if block.sortings and len({name for _, name in shown}) != len(shown):
        raise NameAmbiguous(name=shown[0][1])
    return replace(query, outputs=outputs, order=tuple(orders))


class _Lowering:
    """Reads one block without blocks around it."""

    def __init__(
        self, policy: QueryPolicy, values: Sequence[Bound], block: Block, reader: Reader
    ) -> None:
        self.policy = policy
        self.is_ours = reader is Reader.OURSELVES
        self.block = block
        self.resolver = Resolver(policy, values)
        self.flat: Flat = self.resolver.flatten(block, {})
        self.diagrams = diagrams_of(policy)
        self.conditions = Conditions(self.diagrams, self.column_of)
        self.aggregates: dict[Aggregate, int] = {}
        self.groups: list[Dimension] = []
        self.where = self.diagrams.true

    def column_of(self, column: ColumnRef) -> GovernedColumn:
        return governed(self.policy, column)

    def read(self) -> Query:
        for condition in self.flat.conditions:
            self.where = self.diagrams.both(self.where, self.conditions.read(condition))
        joins, self.where = find_joins(
            self.diagrams, self.where, scans=tuple(self.flat.scans), policy=self.policy
        )
        if not 0 < len(self.block.items) <= OUTPUTS_MOST:
            raise TooComplex(outputs=OUTPUTS_MOST)
        self.groups = self._groups()
        outputs = tuple(self._output(item) for item in self.block.items)
        having = EVERY_LINE if self.block.having is None else self._having()
        if not self.groups and not self.aggregates:
            raise RowsRefused
        outputs = _distinct(self.block.items, outputs)
        names = [output.name for output in outputs]
        if len(set(names)) != len(names):
            raise NameAmbiguous(name=next(one for one in names if names.count(one) > 1))
        return Query(
            scans=tuple(self.flat.scans),
            joins=joins,
            filter=self.diagrams.write(self.where),
            groups=tuple(self.groups),
            aggregates=tuple(self.aggregates),
            outputs=outputs,
            order=self._order(outputs),
            limit=_count_of(self.block.limit),
            offset=_count_of(self.block.offset) or 0,
            having=having,
            distinct=self.block.distinct,
        )

    def _groups(self) -> list[Dimension]:
        if self.block.groups_all or self._lists_groups():
            chosen = [one.value for one in self.block.items if not has_aggregate(one.value)]
        else:
            chosen = [self._named(one) for one in self.block.groups]
        found = [self._dimension(self.resolver.resolve(one, self.flat)) for one in chosen]
        return list(dict.fromkeys(found))

    def _lists_groups(self) -> bool:
        """Whether different values alone are asked for: groups of which nothing else is told."""
        figures = any(has_aggregate(one.value) for one in self.block.items)
        return self.block.distinct and not self.block.groups and not figures

    def _having(self) -> Having:
        """Which lines are shown; an alias stands for its figure where no column is called so."""
        aliases = {one.alias: one.value for one in self.block.items if one.alias}

        def change(part: Written) -> Written | None:
            if isinstance(part, Name) and len(part.parts) == 1 and not self.flat.has(part.parts[0]):
                return aliases.get(part.parts[0])
            return None

        assert self.block.having is not None, "it was looked at"
        written = self.resolver.resolve(rewrite(self.block.having, change), self.flat)
        return self._shown(written, is_negated=False)

    def _shown(self, written: Written, *, is_negated: bool) -> Having:
        match written:
            case Negated(part=part):
                return self._shown(part, is_negated=not is_negated)
            case Both(parts=parts) | Either(parts=parts):
                found = tuple(self._shown(part, is_negated=is_negated) for part in parts)
                return Every(found) if isinstance(written, Both) != is_negated else Some(found)
            case OneOf(item=item, options=options):
                same = Either(tuple(Comparison("=", item, option) for option in options))
                return self._shown(same, is_negated=is_negated)
            case Truth(value=value):
                return Every() if value != is_negated else Some()
            case Comparison():
                return self._weighed(written, is_negated=is_negated)
        raise ConstructRefused(construct="having")

    def _weighed(self, written: Comparison, *, is_negated: bool) -> Weighed:
        sides = [written.left, written.right]
        for one in sides:
            if not has_aggregate(one) and constant_of(one) is None:
                raise ConstructRefused(construct="having_on_group")
        relation = Relation(written.relation)
        if is_negated:
            relation, turns = _NEGATED[relation]
            sides = sides[::-1] if turns else sides
        left, right = (self._weight(one) for one in sides)
        return Weighed(left, relation, right)

    def _weight(self, written: Written) -> Linear | Quotient:
        figure = self._figure(written)
        assert not isinstance(figure, GroupOf), "a figure is no group"
        return figure

    def _named(self, written: Written) -> Written:
        """A group may be named by the place or the alias of a column of the answer."""
        if isinstance(written, Number):
            place = written.value
            if place != int(place) or not 0 < place <= len(self.block.items):
                raise NameUnknown(kind="column", name=str(place)[:20])
            return self.block.items[int(place) - 1].value
        if not isinstance(written, Name) or len(written.parts) > 1:
            return written
        aliased = [one.value for one in self.block.items if one.alias == written.parts[0]]
        if not self.flat.has(written.parts[0]):
            return aliased[0] if aliased else written
        mine = self.resolver.resolve(written, self.flat)
        for other in aliased:
            if has_aggregate(other) or self.resolver.resolve(other, self.flat) != mine:
                raise NameAmbiguous(name=written.parts[0])
        return written

    def _dimension(self, written: Written) -> Dimension:
        if has_aggregate(written):
            raise ConstructRefused(construct="aggregate_in_group")
        if (found := self._find_dimension(written)) is None:
            raise ConstructRefused(construct="computed_group")
        return found

    def _find_dimension(self, written: Written) -> Dimension | None:
        """The column and step an expression shows; None where it is no step of one column."""
        if isinstance(written, Conversion) and written.type == "DATE":
            written = written.item
        if (year := year_of(written)) is not None:
            return Dimension(self._day(year), Step.YEAR)
        match written:
            case ColumnRef():
                return Dimension(written, self._natural(written))
            case Call(
                function="date_trunc", arguments=(Text(value="month"), ColumnRef() as column)
            ):
                return Dimension(self._day(column), Step.MONTH)
            case Choice() if self.is_ours:
                banded = band_of(written, self.column_of)
                return None if banded is None else Dimension(banded, Step.BAND)
        return None

    def _day(self, column: ColumnRef) -> ColumnRef:
        if self.column_of(column).kind is not Kind.DATE:
            raise TypeRefused(column=column.name)
        return column

    def _natural(self, column: ColumnRef) -> Step:
        """A column on a grid is shown by the steps of its grid."""
        grid = self.column_of(column).grid
        return Step.EXACT if grid is None else _STEPS.get(grid.kind, Step.EXACT)

    def _output(self, item: Item) -> Output:
        resolved = self.resolver.resolve(item.value, self.flat)
        name = item.alias or _name_of(item.value)
        if not has_aggregate(resolved):
            dimension = self._find_dimension(resolved)
            if dimension is None or dimension not in self.groups:
                if constant_of(resolved) is not None:
                    raise ConstructRefused(construct="constant_column")
                raise RowsRefused
            return Output(name, GroupOf(self.groups.index(dimension)))
        return Output(name, self._figure(resolved))

    def _figure(self, written: Written) -> Figure:
        """A figure over aggregates; products and quotients only as far as they stay one."""
        match written:
            case Call(function=name) if name in AGGREGATES:
                return self._aggregate(written)
            case Call(function="+" | "-" as name, arguments=(left, right)):
                sign = Fraction(1 if name == "+" else -1)
                return _add(self._linear(left), self._linear(right), sign)
            case Call(function="-", arguments=(item,)):
                return _scale(self._figure(item), Fraction(-1))
            case Call(function="*", arguments=(left, right)):
                for one, other in ((left, right), (right, left)):
                    if isinstance(factor := constant_of(one), Fraction):
                        return _scale(self._figure(other), factor)
            case Call(function="/", arguments=(left, right)):
                return self._quotient(left, right)
        if isinstance(value := constant_of(written), Fraction):
            return Linear((), value)
        raise ConstructRefused(construct="figure")

    def _quotient(self, left: Written, right: Written) -> Figure:
        match right:
            case Call(function="nullif", arguments=(inner, Number(value=zero))) if zero == 0:
                right = inner
        divisor = constant_of(right)
        if isinstance(divisor, Fraction):
            if divisor == 0:
                raise ConstructRefused(construct="division_by_zero")
            return _scale(self._figure(left), 1 / divisor)
        return Quotient(self._linear(left), self._linear(right))

    def _linear(self, written: Written) -> Linear:
        figure = self._figure(written)
        if not isinstance(figure, Linear):
            raise ConstructRefused(construct="figure")
        return figure

    def _aggregate(self, call: Call) -> Figure:
        guard = self.diagrams.true
        if call.guard is not None:
            guard = self.conditions.read(call.guard)
        if any(has_aggregate(one) for one in call.arguments):
            raise ConstructRefused(construct="nested_aggregate")
        if call.is_distinct and call.function != "count":
            raise ConstructRefused(construct="distinct_aggregate")
        if call.function == "count_if":
            return self._base(Function.COUNT, (), self._both(guard, _only(call)))
        if call.function == "count":
            return self._count(call, guard)
        argument = _only(call)
        argument = self._clamped(argument) or argument
        if call.function == "sum":
            return self._sum(self._terms(argument), guard)
        if not isinstance(argument, ColumnRef):
            raise ConstructRefused(construct=f"{call.function}_of_expression"[:40])
        if call.function in {"avg", "mean"}:
            top = self._base(Function.SUM, (argument,), guard)
            return Quotient(top, self._base(Function.COUNT, (argument,), guard))
        return self._base(Function(call.function), (argument,), guard)

    def _clamped(self, written: Written) -> ColumnRef | None:
        return clamped_of(written, self.column_of) if self.is_ours else None

    def _both(self, guard: int, condition: Written) -> int:
        return self.diagrams.both(guard, self.conditions.read(condition))

    def _count(self, call: Call, guard: int) -> Linear:
        if call.is_distinct:
            return self._entities(_only(call), guard)
        if not call.arguments:
            return self._base(Function.COUNT, (), guard)
        argument = _only(call)
        if isinstance(argument, ColumnRef):
            return self._base(Function.COUNT, (argument,), guard)
        if isinstance(argument, Choice):
            return self._base(Function.COUNT, (), self._counted(argument, guard))
        if isinstance(constant_of(argument), Fraction):
            return self._base(Function.COUNT, (), guard)
        raise ConstructRefused(construct="count_of_expression")

    def _counted(self, choice: Choice, guard: int) -> int:
        """The rows for which a case gives any value at all."""
        found = self.diagrams.false
        left = guard
        for condition, value in (*choice.arms, (Truth(value=True), choice.otherwise)):
            here = self.conditions.read(condition)
            if not isinstance(value, Missing):
                if not isinstance(constant_of(value), Fraction):
                    raise ConstructRefused(construct="count_of_expression")
                found = self.diagrams.either(found, self.diagrams.both(left, here))
            left = self.diagrams.both(left, self.diagrams.negation(here))
        return found

    def _entities(self, argument: Written, guard: int) -> Linear:
        if not isinstance(argument, ColumnRef):
            raise ConstructRefused(construct="distinct_aggregate")
        table = self.policy.table(argument.scan.table)
        if table is None or table.entity != argument.name:
            raise ConstructRefused(construct="distinct_aggregate")
        return self._base(Function.ENTITIES, (argument,), guard)

    def _base(self, function: Function, columns: Product, guard: int) -> Linear:
        """The base aggregate over the rows of filter and guard, taken once."""
        self._check_width(function, columns)
        rows = self.diagrams.both(self.where, guard)
        shown = ALWAYS if rows == self.where else self.diagrams.write(rows)
        aggregate = Aggregate(function, columns, shown)
        place = self.aggregates.setdefault(aggregate, len(self.aggregates))
        if place > TERMS_MOST:
            raise TooComplex(aggregates=TERMS_MOST)
        return Linear((Share(place, Fraction(1)),))

    def _check_width(self, function: Function, columns: Product) -> None:
        if function is not Function.SUM:
            return
        digits = ROWS_DIGITS
        for column in columns:
            measure = self.column_of(column).measure
            digits += 0 if measure is None else measure.digits
        if digits > WIDEST or len(columns) > FACTORS_MOST:
            raise TooWide(digits=digits)

    def _sum(self, terms: Terms, guard: int) -> Linear:
        found = Linear(())
        for product, factors in sorted(terms.items()):
            for factor in sorted(self.diagrams.leaves(factors)):
                if factor == 0:
                    continue
                rows = self.diagrams.both(guard, self.diagrams.where(factors, factor))
                function = Function.SUM if product else Function.COUNT
                found = _add(found, self._base(function, product, rows), Fraction(factor))
        return found

    def _terms(self, written: Written) -> Terms:
        """An expression of the row as products with factors."""
        if isinstance(number := constant_of(written), Fraction):
            return {(): self.diagrams.leaf(number)}
        match written:
            case ColumnRef():
                return {(written,): self.diagrams.leaf(Fraction(1))}
            case Call(function="+" | "-" as name, arguments=(left, right)):
                sign = Fraction(1 if name == "+" else -1)
                return self._added(self._terms(left), self._terms(right), sign)
            case Call(function="-", arguments=(item,)):
                return self._added({}, self._terms(item), Fraction(-1))
            case Call(function="*", arguments=(left, right)):
                return self._multiplied(self._terms(left), self._terms(right))
            case Choice(arms=arms, otherwise=otherwise):
                return self._chosen(arms, otherwise)
            case Conversion() if (measure := self._clamped(written)) is not None:
                return {(measure,): self.diagrams.leaf(Fraction(1))}
            case Call(function="if", arguments=(condition, value, *rest)):
                return self._chosen(((condition, value),), rest[0] if rest else Missing())
            case Missing():
                return {}
        raise ConstructRefused(construct="measure_expression")

    def _added(self, one: Terms, other: Terms, sign: Fraction) -> Terms:
        zero = self.diagrams.leaf(Fraction(0))
        found = dict(one)
        for product, factors in other.items():
            found[product] = self.diagrams.apply(
                lambda left, right: Fraction(left) + sign * Fraction(right),
                found.get(product, zero),
                factors,
            )
        return self._bounded(found)

    def _multiplied(self, one: Terms, other: Terms) -> Terms:
        found: Terms = {}
        for left, of_left in one.items():
            for right, of_right in other.items():
                factors = self.diagrams.apply(
                    lambda here, there: Fraction(here) * Fraction(there), of_left, of_right
                )
                product = tuple(sorted((*left, *right)))
                found = self._added(found, {product: factors}, Fraction(1))
        return found

    def _chosen(self, arms: Sequence[tuple[Written, Written]], otherwise: Written) -> Terms:
        left = self.diagrams.true
        found: Terms = {}
        for condition, value in (*arms, (Truth(value=True), otherwise)):
            here = self.conditions.read(condition)
            mine = self.diagrams.both(left, here)
            kept = {
                product: self.diagrams.apply(
                    lambda is_mine, factor: Fraction(factor) if is_mine else Fraction(0),
                    mine,
                    factors,
                )
                for product, factors in self._terms(value).items()
            }
            found = self._added(found, kept, Fraction(1))
            left = self.diagrams.both(left, self.diagrams.negation(here))
        return found

    def _bounded(self, terms: Terms) -> Terms:
        if len(terms) > TERMS_MOST or any(len(product) > FACTORS_MOST for product in terms):
            raise TooComplex(terms=TERMS_MOST)
        return terms

    def _order(self, outputs: tuple[Output, ...]) -> tuple[Order, ...]:
        found = []
        for sorting in self.block.sortings:
            place = self._sorted_by(sorting.value, outputs)
            found.append(Order(place, sorting.descending))
        return tuple(found)

    def _sorted_by(self, written: Written, outputs: tuple[Output, ...]) -> int:
        if isinstance(written, Number):
            if written.value == int(written.value) and 0 < written.value <= len(outputs):
                return int(written.value) - 1
            raise NameUnknown(kind="column", name=str(written.value)[:20])
        if isinstance(written, Name) and len(written.parts) == 1:
            for place, output in enumerate(outputs):
                if output.name == written.parts[0]:
                    return place
        known = len(self.aggregates)
        figure = self._output(Item(written, "")).figure
        if len(self.aggregates) == known:
            for place, output in enumerate(outputs):
                if output.figure == figure:
                    return place
        raise ConstructRefused(construct="order_by_hidden")


def _count_of(written: Written | None) -> int | None:
    """How many lines a LIMIT or an OFFSET says."""
    if written is None:
        return None
    value = constant_of(written)
    if not isinstance(value, Fraction) or value.denominator != 1 or not 0 <= value <= 10**9:
        raise ConstructRefused(construct="limit_expression")
    return int(value)


_STEPS = {GridKind.BANDS: Step.BAND, GridKind.MONTH: Step.MONTH, GridKind.YEAR: Step.YEAR}
_NEGATED = {
    Relation.EQUAL: (Relation.UNEQUAL, False), Relation.UNEQUAL: (Relation.EQUAL, False),
    Relation.LESS: (Relation.LESS_EQUAL, True), Relation.LESS_EQUAL: (Relation.LESS, True),
}  # fmt: skip
"""What holds where a comparison does not, and whether its sides change places."""


def _only(call: Call) -> Written:
    if len(call.arguments) != 1:
        raise ConstructRefused(construct="arguments")
    return call.arguments[0]


def _name_of(written: Written) -> str:
    """The name of a column of the answer that was given none."""
    match written:
        case Name(parts=parts):
            return parts[-1]
        case Call(function=name) if name.isidentifier():
            return name
    return "figure"


def _distinct(items: tuple[Item, ...], outputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """Columns that were given no name are numbered where their own would be taken."""
    taken = {item.alias for item in items if item.alias}
    found = []
    for item, output in zip(items, outputs, strict=True):
        name, number = output.name, 1
        while not item.alias and name in taken:
            number += 1
            name = f"{output.name}_{number}"
        taken.add(name)
        found.append(Output(name, output.figure))
    return tuple(found)


def _add(one: Linear, other: Linear, sign: Fraction) -> Linear:
    shares: dict[int, Fraction] = {share.aggregate: share.factor for share in one.shares}
    for share in other.shares:
        shares[share.aggregate] = shares.get(share.aggregate, Fraction(0)) + sign * share.factor
    kept = tuple(Share(place, factor) for place, factor in sorted(shares.items()))
    return Linear(kept, one.constant + sign * other.constant)


def _scale(figure: Figure, factor: Fraction) -> Figure:
    if isinstance(figure, Quotient):
        return Quotient(_times(figure.top, factor), figure.bottom)
    if not isinstance(figure, Linear):
        raise ConstructRefused(construct="figure")
    return _times(figure, factor)


def _times(linear: Linear, factor: Fraction) -> Linear:
    shares = tuple(Share(one.aggregate, one.factor * factor) for one in linear.shares)
    return Linear(shares, linear.constant * factor)
