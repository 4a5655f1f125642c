# SPDX-License-Identifier: Apache-2.0
"""A query as it is written, in the few constructs there are: what both parsers must agree on.

Each parser's tree is brought into these values by a reader of its own (`engine_tree`,
`library_tree`); a construct that has no value here is refused by its name. Two readings are one
query when their values are equal, in every name, literal and bracket.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from lingqu.kernel import errors


class TextRefused(errors.Rejected):
    """The text is too long, too deep, holds a character it may not, or is not one query."""

    code = "gate.query.text"


class ConstructRefused(errors.Rejected):
    """The query uses a construct that governed queries do not have."""

    code = "gate.query.construct"


class SeveralQuestions(errors.Rejected):
    """One text asks several questions, each of which is decided and answered by itself."""

    code = "gate.query.several"


class ReadingsDiffer(errors.Rejected):
    """Two parsers read the text differently, so nobody can say what it means."""

    code = "gate.query.readings_differ"


@dataclass(frozen=True, slots=True, order=True)
class Scan:
    """A governed table; `nth` tells apart several places where one query names it."""

    table: str
    nth: int = 0


@dataclass(frozen=True, slots=True, order=True)
class ColumnRef:
    """A column of a scan, by its governed name."""

    scan: Scan
    name: str


@dataclass(frozen=True, slots=True)
class Name:
    """A column as it is written: one part, or the table's before it."""

    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Text:
    """A text."""

    value: str


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """NULL."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """The place of a bound value, from 1."""

    place: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A length of time in whole `day`s, `month`s or `year`s."""

    count: int
    unit: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator (`+`, `-`, `*`, `/`) over arguments, `guard` being its FILTER."""

    function: str
    arguments: tuple[Written, ...] = ()
    is_distinct: bool = False
    guard: Written | None = None


@dataclass(frozen=True, slots=True)
class Both:
    """All parts are true."""

    parts: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the parts is true."""

    parts: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """The part is false."""

    part: Written


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values compared by `=`, `<>`, `<` or `<=`."""

    relation: str
    left: Written
    right: Written


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value is one of several."""

    item: Written
    options: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class IsMissing:
    """A value is NULL."""

    item: Written


@dataclass(frozen=True, slots=True)
class Choice:
    """CASE: the first arm whose condition is true; `otherwise` where none is."""

    arms: tuple[tuple[Written, Written], ...]
    otherwise: Written


@dataclass(frozen=True, slots=True)
class Conversion:
    """CAST or TRY_CAST to a type, `DATE` or `DECIMAL(12,2)` or the like."""

    item: Written
    type: str
    is_safe: bool


Bound: TypeAlias = bool | int | Decimal | str | dt.date | None
"""What may be bound to a parameter of a query."""
Written: TypeAlias = (
    Name | Number | Text | Truth | Missing | Parameter | Interval | Call | Both | Either | Negated
    | Comparison | OneOf | IsMissing | Choice | Conversion | ColumnRef
)  # fmt: skip
"""An expression as it is written; a name becomes a column once it was found."""


@dataclass(frozen=True, slots=True)
class Item:
    """One column of the answer, with the alias it was given, if any."""

    value: Written
    alias: str


@dataclass(frozen=True, slots=True)
class Source:
    """What is read: a name, or a block in brackets; how it is joined to what stands before it."""

    name: str
    block: Block | None
    alias: str
    columns: tuple[str, ...] = ()
    condition: Written | None = None
    using: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sorting:
    """One key of ORDER BY."""

    value: Written
    descending: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A common table expression: a named block."""

    name: str
    columns: tuple[str, ...]
    block: Block


@dataclass(frozen=True, slots=True)
class Block:
    """One SELECT."""

    items: tuple[Item, ...]
    sources: tuple[Source, ...]
    parts: tuple[Part, ...] = ()
    condition: Written | None = None
    groups: tuple[Written, ...] = ()
    groups_all: bool = False
    sortings: tuple[Sorting, ...] = ()
    limit: Written | None = None
    offset: Written | None = None
    having: Written | None = None
    distinct: bool = False


def flat(kind: type[Both | Either], parts: tuple[Written, ...]) -> Written:
    """This will join conditions, without brackets where they make no difference."""
    found: list[Written] = []
    for part in parts:
        found.extend(
            part.parts if isinstance(part, Both | Either) and type(part) is kind else [part]
        )
    return kind(tuple(found))


def is_identifier(text: str) -> bool:
    """Whether a word can name a table or column: letters, digits, `_` and plain ideographs."""
    return _IDENTIFIER.match(text) is not None


_IDENTIFIER = re.compile(r"[A-Za-z_\u4e00-\u9fff][A-Za-z0-9_\u4e00-\u9fff]{0,62}\Z")


def word(name: object) -> str:
    """This will give a name in lower case; raises TextRefused for what can name nothing here."""
    text = str(name)
    if not is_identifier(text):
        raise TextRefused(reason="name")
    return text.lower()


def number(text: str) -> Number:
    """This will read a number as it is written; raises TextRefused for one of too many digits."""
    try:
        value = Decimal(text.replace("_", ""))
    except ArithmeticError:
        raise TextRefused(reason="number") from None
    _, digits, exponent = value.as_tuple()
    if (
        not isinstance(exponent, int)
        or len(digits) > _DIGITS
        or not -_PLACES <= exponent <= _PLACES
    ):
        raise TextRefused(reason="number")
    return Number(value)


_DIGITS, _PLACES = 38, 18


def with_unit(arguments: tuple[Written, ...]) -> tuple[Written, ...]:
    """This will give the arguments of a function of days with its unit in lower case."""
    if arguments and isinstance(arguments[0], Text):
        return (Text(arguments[0].value.lower()), *arguments[1:])
    return arguments


def negative(part: Written) -> Written:
    """This will put a minus before a value."""
    return Number(-part.value) if isinstance(part, Number) else Call("-", (part,))


def rewrite(written: Written, change: Callable[[Written], Written | None]) -> Written:
    """This will rebuild an expression from above, with `change` giving what replaces a part."""
    changed = change(written)
    if changed is not None:
        return changed

    def go(part: Written) -> Written:
        return rewrite(part, change)

    match written:
        case Call():
            guard = None if written.guard is None else go(written.guard)
            arguments = tuple(go(one) for one in written.arguments)
            return Call(written.function, arguments, written.is_distinct, guard)
        case Both() | Either():
            return flat(type(written), tuple(go(one) for one in written.parts))
        case Negated():
            return Negated(go(written.part))
        case Comparison():
            return Comparison(written.relation, go(written.left), go(written.right))
        case OneOf():
            return OneOf(go(written.item), tuple(go(one) for one in written.options))
        case IsMissing():
            return IsMissing(go(written.item))
        case Choice():
            arms = tuple((go(condition), go(value)) for condition, value in written.arms)
            return Choice(arms, go(written.otherwise))
        case Conversion():
            return Conversion(go(written.item), written.type, written.is_safe)
    return written
