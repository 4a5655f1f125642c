# SPDX-License-Identifier: Apache-2.0
"""What a query means, as a closed set of frozen values in one form for all ways to write it.

A query is one block: scans of governed tables, permitted inner joins, one filter, groups on the
grid, **base aggregates** computed exactly over rows, and outputs computed from these at release.
Whatever cannot be said so is refused when it is read. A sum of an expression is split into sums of
products (`a * (1 - b)` is the sum of `a` less the sum of `a * b`), and a case into aggregates under
a **guard**, so that every way to write one figure rests on the same base aggregates, and so on the
same noise and the same charge. The rows of an aggregate are those of filter and guard together: a
threshold must hold for each (group, aggregate), not for groups alone.

A missing measure adds nothing; a filter is true, or the row is not counted.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from lingqu.gate.governance import Function
from lingqu.gate.syntax import ColumnRef, Scan


@dataclass(frozen=True, slots=True, order=True)
class Joined:
    """Two scans joined by equal columns; the keys are those of a permitted join, as there."""

    left: Scan
    right: Scan
    keys: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Units from `start` to before `end`; None stands for no bound on that side."""

    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Ranges:
    """A set of ordered values (whole numbers, scaled decimals, days as ordinals), in units.

    Spans ascend and neither meet nor overlap. `nulls` says whether a missing value belongs.
    """

    spans: tuple[Span, ...]
    nulls: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """A set of texts, sorted: these, or all but these. Booleans are `false` and `true`."""

    texts: tuple[str, ...]
    inverted: bool = False
    nulls: bool = False


Values: TypeAlias = Ranges | Members
"""A set of values of one column."""


class Relation(enum.Enum):
    """How two columns of a row compare."""

    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    LESS_EQUAL = "<="


@dataclass(frozen=True, slots=True)
class Within:
    """The column's value lies in a set."""

    column: ColumnRef
    values: Values


@dataclass(frozen=True, slots=True)
class Like:
    """The column's text matches a pattern of `%` and `_`, in DP mode; `inverted`: it does not."""

    column: ColumnRef
    pattern: str
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """Two columns of the row compare so, in DP mode. Neither is missing."""

    left: ColumnRef
    relation: Relation
    right: ColumnRef


@dataclass(frozen=True, slots=True)
class All:
    """Every part is true; without parts it always is."""

    parts: tuple[Predicate, ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some part is true; without parts it never is."""

    parts: tuple[Predicate, ...] = ()


Predicate: TypeAlias = Within | Like | Compared | All | AnyOf
"""What is true or not of a row; there is no third value."""
ALWAYS = All()
"""True of every row."""
NEVER = AnyOf()
"""True of no row."""


class Step(enum.Enum):
    """How a group shows a dimension: never finer than the column's grid."""

    EXACT = "exact"
    BAND = "band"
    """By the lower edge of its band; NULL outside all bands."""
    MONTH = "month"
    """By the first day of its month."""
    YEAR = "year"
    """By its year, as a whole number."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """What a query groups by."""

    column: ColumnRef
    step: Step


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A base aggregate over the rows of a group for which the guard holds as well.

    SUM: of the product of `columns` (one or more, sorted, repeated for powers), each clamped.
    COUNT: of rows, or of rows in which the one column is not missing. MIN, MAX: of one measure.
    ENTITIES: different entities, `columns` being the entity column of one scan.
    """

    function: Function
    columns: tuple[ColumnRef, ...] = ()
    guard: Predicate = ALWAYS


@dataclass(frozen=True, slots=True)
class Share:
    """A base aggregate, by its place in the query, times a factor."""

    aggregate: int
    factor: Fraction


@dataclass(frozen=True, slots=True)
class Linear:
    """A sum of shares and a constant; missing where a MIN or MAX it takes is."""

    shares: tuple[Share, ...]
    constant: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Quotient:
    """One figure over another, computed at release; missing where `bottom` is 0."""

    top: Linear
    bottom: Linear


@dataclass(frozen=True, slots=True)
class GroupOf:
    """The value of the query's group at a place."""

    group: int


Figure: TypeAlias = GroupOf | Linear | Quotient
"""What one column of the answer shows."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """Two released figures compare so; neither is missing."""

    left: Linear | Quotient
    relation: Relation
    right: Linear | Quotient


@dataclass(frozen=True, slots=True)
class Every:
    """Every part holds of a released line; without parts it always does."""

    parts: tuple[Having, ...] = ()


@dataclass(frozen=True, slots=True)
class Some:
    """Some part holds of a released line; without parts it never does."""

    parts: tuple[Having, ...] = ()


Having: TypeAlias = Weighed | Every | Some
"""Which released lines an answer shows."""
EVERY_LINE = Every()
"""An answer shows every line."""


@dataclass(frozen=True, slots=True)
class Output:
    """One column of the answer, under the name the buyer gave it."""

    name: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Order:
    """The answer is ordered by one of its columns, after release; missing values come last."""

    output: int
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `canonical` of `lingqu.gate.queries` gives the one form of it.

    Scans, joins, groups and aggregates are sorted; all else is as written, and touches what was
    released only: which lines are shown, each once or as often as it is there, in which order, from
    which one, and how many.
    """

    scans: tuple[Scan, ...]
    joins: tuple[Joined, ...]
    filter: Predicate
    groups: tuple[Dimension, ...]
    aggregates: tuple[Aggregate, ...]
    outputs: tuple[Output, ...]
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    having: Having = EVERY_LINE
    distinct: bool = False


def encode(node: object) -> Any:
    """This will give a node as plain lists, each headed by the kind of node."""
    kind: type[Any] = type(node)
    if kind in _PLAIN:
        return node
    if isinstance(node, tuple):
        return [encode(item) for item in node]
    if isinstance(node, Fraction):
        return [node.numerator, node.denominator]
    if isinstance(node, enum.Enum):
        return node.value
    if isinstance(node, str):
        return node
    return [kind.__name__, *[encode(getattr(node, name)) for name in _fields(kind)]]


_PLAIN = frozenset({str, int, bool, type(None)})
_known: dict[type[Any], tuple[str, ...]] = {}


def _fields(kind: type[Any]) -> tuple[str, ...]:
    found = _known.get(kind)
    if found is None:
        found = _known[kind] = tuple(field.name for field in dataclasses.fields(kind))
    return found


_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_node(node: object) -> str:
    """This will give the one text of a node, to compare, sort and hash it by."""
    return _write(encode(node))


def digest(query: Query) -> str:
    """This will give the digest of what a canonical query asks of the data.

    Names, order, choice and number of the answer's columns and lines are not part of it: what
    differs in these alone is the same question, with the same noise and the same charge.
    """
    asked = (query.scans, query.joins, query.filter, query.groups, query.aggregates)
    return hashlib.sha256(write_node(asked).encode()).hexdigest()


def digest_aggregate(query: Query, place: int) -> str:
    """This will give the digest of one base aggregate with its rows and groups: a figure's seed."""
    asked = (query.scans, query.joins, query.filter, query.groups, query.aggregates[place])
    return hashlib.sha256(write_node(asked).encode()).hexdigest()
