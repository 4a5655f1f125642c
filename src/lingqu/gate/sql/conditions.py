# SPDX-License-Identifier: Apache-2.0
"""Conditions as they are written become diagrams: negations pushed down, constants computed.

A missing value makes a comparison neither true nor false, and its negation too; below negations
every comparison is therefore either true or not.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
from collections.abc import Callable
from fractions import Fraction
from typing import TypeAlias

from lingqu.gate.governance import GovernedColumn, GridKind, Kind, extremes_of
from lingqu.gate.queries import Compared, Like, Members, Ranges, Relation, Span, Values
from lingqu.gate.sql import sets
from lingqu.gate.sql.diagrams import COLUMN, Diagrams, Variable
from lingqu.gate.syntax import (
    Both,
    Call,
    ColumnRef,
    Comparison,
    ConstructRefused,
    Conversion,
    Either,
    Interval,
    IsMissing,
    Missing,
    Negated,
    Number,
    OneOf,
    Text,
    Truth,
    Written,
)
from lingqu.kernel import errors

PATTERN_LONGEST = 200
_OPPOSITES = {"=": "<>", "<>": "="}
_TURNED = {"<": ">", "<=": ">=", "=": "=", "<>": "<>"}


class TypeRefused(errors.Rejected):
    """A value is compared with a column, or computed, that holds another kind of values."""

    code = "gate.query.type"


class _Null:
    """The missing value as a constant."""


NULL = _Null()
Constant: TypeAlias = Fraction | str | dt.date | bool | _Null


class Conditions:
    """Reads conditions over columns whose governance `column_of` gives."""

    def __init__(
        self, diagrams: Diagrams, column_of: Callable[[ColumnRef], GovernedColumn]
    ) -> None:
        """Read into these diagrams."""
        self._diagrams = diagrams
        self._column_of = column_of

    def read(self, written: Written, *, is_negated: bool = False) -> int:
        """This will give the diagram of a condition, or of its negation."""
        match written:
            case Negated(part=part):
                return self.read(part, is_negated=not is_negated)
            case Both(parts=parts) | Either(parts=parts):
                return self._join(parts, isinstance(written, Both) != is_negated, is_negated)
            case Truth(value=value):
                return self._leaf(value != is_negated)
            case Missing():
                return self._diagrams.false
            case IsMissing(item=item):
                return self._is_missing(item, is_negated=is_negated)
            case OneOf(item=item, options=options):
                parts = tuple(Comparison("=", item, option) for option in options)
                return self._join(parts, is_negated, is_negated)
            case Comparison():
                return self._compare(written, is_negated=is_negated)
            case ColumnRef() if self._column_of(written).kind is Kind.BOOLEAN:
                values = Members(("false" if is_negated else "true",))
                return self._diagrams.within(Variable(COLUMN, written), values)
            case Call(function="~~"):
                return self._like(written, is_negated=is_negated)
        raise ConstructRefused(construct="condition")

    def _join(self, parts: tuple[Written, ...], is_all: bool, is_negated: bool) -> int:  # noqa: FBT001 - how parts are joined, told apart by name where it is called
        found = self._diagrams.true if is_all else self._diagrams.false
        join = self._diagrams.both if is_all else self._diagrams.either
        for part in parts:
            found = join(found, self.read(part, is_negated=is_negated))
        return found

    def _leaf(self, value: bool) -> int:  # noqa: FBT001 - a truth value is what it is about
        return self._diagrams.true if value else self._diagrams.false

    def _is_missing(self, item: Written, *, is_negated: bool) -> int:
        if not isinstance(item, ColumnRef):
            raise ConstructRefused(construct="computed_condition")
        present = self._diagrams.present(item)
        return present if is_negated else self._diagrams.negation(present)

    def _compare(self, written: Comparison, *, is_negated: bool) -> int:
        left, right = constant_of(written.left), constant_of(written.right)
        if left is not None and right is not None:
            return self._leaf(_holds(written.relation, left, right, is_negated=is_negated))
        if right is not None:
            return self._within(written.left, written.relation, right, is_negated=is_negated)
        if left is not None:
            turned = _TURNED[written.relation]
            return self._within(written.right, turned, left, is_negated=is_negated)
        if isinstance(written.left, ColumnRef) and isinstance(written.right, ColumnRef):
            return self._columns(
                written.left, written.relation, written.right, is_negated=is_negated
            )
        raise ConstructRefused(construct="computed_condition")

    def _columns(
        self, left: ColumnRef, relation: str, right: ColumnRef, *, is_negated: bool
    ) -> int:
        one, other = self._column_of(left), self._column_of(right)
        if (one.kind, one.unit_scale) != (other.kind, other.unit_scale) or one.kind is Kind.OTHER:
            raise TypeRefused(column=one.name)
        if is_negated:
            if relation in _OPPOSITES:
                relation = _OPPOSITES[relation]
            else:
                left, right = right, left
                relation = "<" if relation == "<=" else "<="
        if left == right:
            present = self._diagrams.present(left)
            return present if relation in {"=", "<="} else self._diagrams.false
        return self._diagrams.read(Compared(left, Relation(relation), right))

    def _like(self, written: Call, *, is_negated: bool) -> int:
        item, pattern = written.arguments
        text = constant_of(pattern)
        if not isinstance(item, ColumnRef) or not isinstance(text, str):
            raise ConstructRefused(construct="computed_condition")
        column = self._column_of(item)
        if column.kind is not Kind.TEXT or len(text) > PATTERN_LONGEST or "\\" in text:
            raise TypeRefused(column=column.name)
        grid = column.grid
        if grid is not None and grid.kind is GridKind.EXACT and grid.values:
            matching = {one for one in grid.values if matches(text, one)}
            listed = {*grid.values} - matching if is_negated else matching
            return self._diagrams.within(Variable(COLUMN, item), Members(tuple(sorted(listed))))
        return self._diagrams.read(Like(item, text, inverted=is_negated))

    def _within(self, item: Written, relation: str, value: Constant, *, is_negated: bool) -> int:
        if isinstance(item, Call) and year_of(item) is not None:
            column = year_of(item)
            assert column is not None, "it was just found"
            if self._column_of(column).kind is not Kind.DATE:
                raise TypeRefused(column=column.name)
            years = _of_years(_ordered(relation, _whole(value)))
            values: Values = sets.clip(years, *extremes_of(self._column_of(column)))
        elif isinstance(item, ColumnRef):
            column = item
            if isinstance(value, _Null):
                return self._diagrams.false
            values = _values_of(self._column_of(item), relation, value)
        else:
            raise ConstructRefused(construct="computed_condition")
        if isinstance(value, _Null):
            return self._diagrams.false
        if is_negated:
            finite = finite_of(self._column_of(column))
            values = sets.without_missing(sets.complement(values, finite))
        return self._diagrams.within(Variable(COLUMN, column), values)


def finite_of(column: GovernedColumn) -> tuple[str, ...] | None:
    """This will list what a column's values can be, where its kind fixes them."""
    return ("false", "true") if column.kind is Kind.BOOLEAN else None


def year_of(call: Written) -> ColumnRef | None:
    """This will give the column whose year an expression takes; None for any other expression."""
    match call:
        case Call(function="year", arguments=(ColumnRef() as column,)):
            return column
        case Call(function="date_part", arguments=(Text(value="year"), ColumnRef() as column)):
            return column
    return None


def _values_of(column: GovernedColumn, relation: str, value: Constant) -> Values:
    """The values that compare so with a constant of the column's kind."""
    match column.kind, value:
        case (Kind.TEXT, str()) | (Kind.BOOLEAN, bool()):
            if relation not in _OPPOSITES:
                raise ConstructRefused(construct="text_order")
            text = value if isinstance(value, str) else str(value).lower()
            members = Members((text,), inverted=relation == "<>")
            return sets.union(members, members, finite_of(column))
        case (Kind.INTEGER | Kind.DECIMAL, Fraction()):
            units = value * 10**column.unit_scale
            return sets.clip(_ordered(relation, units), *extremes_of(column))
        case (Kind.DATE, dt.date()):
            ordinal = Fraction(value.toordinal())
            return sets.clip(_ordered(relation, ordinal), *extremes_of(column))
        case (Kind.DATE, str()):
            ordinal = Fraction(_day(value).toordinal())
            return sets.clip(_ordered(relation, ordinal), *extremes_of(column))
    raise TypeRefused(column=column.name)


def _ordered(relation: str, value: Fraction) -> Ranges:
    low, high = math.ceil(value), math.floor(value) + 1
    match relation:
        case "<":
            return sets.span(None, low)
        case "<=":
            return sets.span(None, high)
        case ">":
            return sets.span(high, None)
        case ">=":
            return sets.span(low, None)
    equal = sets.span(low, high)
    if relation == "=":
        return equal
    found = sets.complement(equal)
    assert isinstance(found, Ranges), "the kind stays"
    return Ranges(found.spans)


def _whole(value: Constant) -> Fraction:
    if isinstance(value, _Null):
        return Fraction(0)
    if not isinstance(value, Fraction):
        raise TypeRefused(column="year")
    return value


def _of_years(years: Ranges) -> Ranges:
    """The days of a set of years."""

    def begin(year: int | None) -> int | None:
        if year is None or year <= dt.MINYEAR:
            return None
        if year > dt.MAXYEAR:
            return dt.date.max.toordinal() + 1
        return dt.date(year, 1, 1).toordinal()

    found: Values = Ranges(())
    for one in years.spans:
        if one.end is not None and one.end <= dt.MINYEAR:
            continue
        found = sets.union(found, Ranges((Span(begin(one.start), begin(one.end)),)))
    assert isinstance(found, Ranges), "the kind stays"
    return found


def constant_of(written: Written) -> Constant | None:
    """This will compute what holds no column; None where one stands in it. Raises TypeRefused."""
    match written:
        case Number(value=number):
            return Fraction(number)
        case Text(value=text):
            return text
        case Truth(value=truth):
            return truth
        case Missing():
            return NULL
        case Conversion(item=item, type=kind):
            return _converted(constant_of(item), kind)
        case Call(function="+" | "-" | "*" as name, arguments=(left, right)):
            return _computed(name, left, right)
        case Call(function="-", arguments=(item,)):
            value = constant_of(item)
            return -value if isinstance(value, Fraction) else None
    return None


def _converted(value: Constant | None, kind: str) -> Constant | None:
    if value is None or isinstance(value, _Null):
        return value
    if kind == "DATE" and isinstance(value, str):
        return _day(value)
    if kind == "DATE" and isinstance(value, dt.date):
        return value
    if isinstance(value, Fraction) and kind in {"INTEGER", "BIGINT", "HUGEINT"}:
        if value.denominator == 1:
            return value
    elif isinstance(value, Fraction) and kind.startswith("DECIMAL("):
        scale = int(kind.removesuffix(")").partition(",")[2] or 0)
        if (value * 10**scale).denominator == 1:
            return value
    elif isinstance(value, str) and kind == "VARCHAR":
        return value
    raise TypeRefused(column=kind[:40])


def _computed(name: str, left: Written, right: Written) -> Constant | None:
    one = constant_of(left)
    if one is None:
        return None
    if isinstance(right, Interval):
        if not isinstance(one, dt.date) or name == "*":
            raise TypeRefused(column="interval")
        return _moved(one, right, 1 if name == "+" else -1)
    other = constant_of(right)
    if other is None:
        return None
    if isinstance(one, dt.date) and isinstance(other, Fraction) and other.denominator == 1:
        if name == "*":
            raise TypeRefused(column="date")
        return _moved(one, Interval(int(other), "day"), 1 if name == "+" else -1)
    if not isinstance(one, Fraction) or not isinstance(other, Fraction):
        raise TypeRefused(column="number")
    if name == "+":
        return one + other
    return one - other if name == "-" else one * other


def _moved(day: dt.date, interval: Interval, sign: int) -> dt.date:
    try:
        if interval.unit == "day":
            return day + dt.timedelta(days=sign * interval.count)
        months = interval.count * (12 if interval.unit == "year" else 1) * sign
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        return dt.date(year, month + 1, min(day.day, last))
    except (OverflowError, ValueError):
        raise TypeRefused(column="date") from None


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise TypeRefused(column="date") from None


def _holds(relation: str, left: Constant, right: Constant, *, is_negated: bool) -> bool:
    if isinstance(left, _Null) or isinstance(right, _Null):
        return False
    if type(left) is not type(right):
        raise TypeRefused(column="constant")
    if relation in _OPPOSITES:
        return (left == right) == ((relation == "=") != is_negated)
    if not (isinstance(left, Fraction) and isinstance(right, Fraction)):
        if not (isinstance(left, dt.date) and isinstance(right, dt.date)):
            raise ConstructRefused(construct="text_order")
        less = left < right or (relation == "<=" and left == right)
        return less != is_negated
    return (left < right or (relation == "<=" and left == right)) != is_negated


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern of `%` and `_`, in time proportional to both lengths."""
    places = {0}
    for sign in pattern:
        if sign == "%":
            places = set(range(min(places), len(text) + 1)) if places else places
        else:
            places = {at + 1 for at in places if at < len(text) and sign in {"_", text[at]}}
    return len(text) in places
