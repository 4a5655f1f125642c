# SPDX-License-Identifier: Apache-2.0
"""What a template asks for, field by field, and how plain data is checked and put into words.

Nothing typed here is ever read as a template: a text is looked at character by character, and what
a reader could not see or could be deceived by is refused.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lingqu.kernel import errors
from lingqu.kernel.money import BadMoney, Money
from lingqu.runtime.documents.amounts import format_amount, spell_amount

TEXT_LONGEST = 400
PROSE_LONGEST = 40_000
LINES_MOST = 500
ROWS_MOST = 5_000
DATA_LONGEST = 2_000_000

_LINK = re.compile(r"https?://[!-~]{1,1900}\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
# Written as ranges of code points, because most of these cannot be seen: what changes the direction
# of text around it, joins or hides letters, or is no character at all.
_DECEIVING = (
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFDD0, 0xFDF0),
    *range(0xFFF0, 0xFFFC),
    *range(0xE0000, 0xE0080),
    0x061C,
    0xFEFF,
)


class FieldMissing(errors.Rejected):
    """The template needs a field that was not given."""

    code = "runtime.documents.field_missing"


class FieldUnknown(errors.Rejected):
    """The template has no field of this name."""

    code = "runtime.documents.field_unknown"


class BadField(errors.Rejected):
    """The value of a field is not of the kind the template declares, or is too long."""

    code = "runtime.documents.bad_field"


class BadCharacter(errors.Rejected):
    """A text holds a character that cannot be seen or printed, such as one that turns text."""

    code = "runtime.documents.bad_character"


class FieldKind(enum.Enum):
    """What a field holds; the plain form is JSON."""

    TEXT = "text"  # one line
    PROSE = "prose"  # paragraphs, one a line
    DAY = "day"  # 2026-03-02
    NUMBER = "number"  # an integer
    MONEY = "money"  # {"currency": "CNY", "minor": 12345}
    LINK = "link"  # an address that becomes a QR code
    LINES = "lines"  # a list of texts
    TABLE = "table"  # a list of rows, each by the names of the columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a template, or one column of a table in it."""

    name: str
    kind: FieldKind
    zh: str
    en: str
    optional: bool = False
    width: int = 1
    columns: tuple[Field, ...] = ()


Shown = Mapping[str, str]
"""How a value is written: under `""` as it stands, and `words` for an amount spelled out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """Checked data: single values as they are written, lists and tables as tuples of texts."""

    single: Mapping[str, Shown]
    lines: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, tuple[tuple[str, ...], ...]]

    def has(self, name: str) -> bool:
        """Whether the field was given and is not empty."""
        return name in self.single or bool(self.lines.get(name)) or bool(self.tables.get(name))


def check_data(fields: tuple[Field, ...], data: Mapping[str, object], *, template: str) -> Filling:
    """This will check plain data against the fields and put each value into words.

    Raises FieldMissing, FieldUnknown, BadField or BadCharacter.
    """
    known = {one.name for one in fields}
    for name in data:
        if name not in known:
            raise FieldUnknown(template=template, field=str(name)[:60])
    single: dict[str, Shown] = {}
    lines: dict[str, tuple[str, ...]] = {}
    tables: dict[str, tuple[tuple[str, ...], ...]] = {}
    for field in fields:
        value = data.get(field.name)
        if value is None:
            if not field.optional:
                raise FieldMissing(template=template, field=field.name)
        elif field.kind is FieldKind.LINES:
            lines[field.name] = _lines(field, value, field.name)
        elif field.kind is FieldKind.TABLE:
            tables[field.name] = _rows(field, value, template)
        else:
            single[field.name] = show(field, value, field.name)
    size = sum(len(text) for shown in single.values() for text in shown.values())
    size += sum(len(text) for texts in lines.values() for text in texts)
    size += sum(len(text) for rows in tables.values() for row in rows for text in row)
    if size > DATA_LONGEST:
        raise BadField(field=template, expected=f"<= {DATA_LONGEST}")
    return Filling(single=single, lines=lines, tables=tables)


def show(field: Field, value: object, where: str) -> Shown:
    """This will check one value and write it as a document shows it. Raises BadField."""
    match field.kind:
        case FieldKind.TEXT:
            return {"": _text(field, value, where, longest=TEXT_LONGEST)}
        case FieldKind.PROSE:
            return {"": _text(field, value, where, longest=PROSE_LONGEST)}
        case FieldKind.LINK:
            if not isinstance(value, str) or not _LINK.match(value):
                raise _bad(field, where)
            return {"": value}
        case FieldKind.DAY:
            day = _day(field, value, where)
            return {"": f"{day.year}年{day.month}月{day.day}日"}
        case FieldKind.NUMBER:
            if type(value) is not int or abs(value) >= 1 << 63:
                raise _bad(field, where)
            return {"": f"{value:,}"}
        case FieldKind.MONEY:
            amount = _money(field, value, where)
            return {"": format_amount(amount), "words": spell_amount(amount)}
        case _:
            raise _bad(field, where)


def check_text(text: str, *, where: str, lines: bool = False) -> str:
    """This will give the text in composed form, or refuse a character. Raises BadCharacter."""
    composed = unicodedata.normalize("NFC", text)
    for character in composed:
        if lines and character in "\n\t":
            continue
        point = ord(character)
        unseen = unicodedata.category(character) in {"Cc", "Cs", "Cn", "Zl", "Zp"}
        if unseen or point in _DECEIVING or point & 0xFFFE == 0xFFFE:
            raise BadCharacter(field=where, character=f"U+{point:04X}")
    return composed


def _text(field: Field, value: object, where: str, *, longest: int) -> str:
    if not isinstance(value, str):
        raise _bad(field, where)
    text = value.replace("\r\n", "\n").strip()
    if not text or len(text) > longest:
        raise _bad(field, where)
    return check_text(text, where=where, lines=field.kind is FieldKind.PROSE)


def _lines(field: Field, value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= LINES_MOST:
        raise _bad(field, where)
    return tuple(
        _text(field, item, f"{where}[{at}]", longest=PROSE_LONGEST)
        for at, item in enumerate(value, 1)
    )


def _rows(field: Field, value: object, template: str) -> tuple[tuple[str, ...], ...]:
    if not isinstance(value, list | tuple) or len(value) > ROWS_MOST:
        raise _bad(field, field.name)
    rows = []
    for at, item in enumerate(value, 1):
        where = f"{field.name}[{at}]"
        if not isinstance(item, Mapping):
            raise _bad(field, where)
        for name in item:
            if name not in {column.name for column in field.columns}:
                raise FieldUnknown(template=template, field=f"{where}.{str(name)[:60]}")
        rows.append(tuple(_cell(column, item, where, template) for column in field.columns))
    return tuple(rows)


def _cell(column: Field, row: Mapping[str, object], where: str, template: str) -> str:
    value = row.get(column.name)
    if value is None:
        if column.optional:
            return ""
        raise FieldMissing(template=template, field=f"{where}.{column.name}")
    if column.kind is FieldKind.DAY:
        return _day(column, value, where).isoformat()  # in full it would need two lines of a column
    return show(column, value, f"{where}.{column.name}")[""]


def _day(field: Field, value: object, where: str) -> date:
    if isinstance(value, str) and _DAY.match(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise _bad(field, where) from None
    raise _bad(field, where)


def _money(field: Field, value: object, where: str) -> Money:
    if not isinstance(value, Mapping) or set(value) != {"currency", "minor"}:
        raise _bad(field, where)
    minor, currency = value["minor"], value["currency"]
    if currency != "CNY" or type(minor) is not int:
        # The scale and the characters for an amount are those of the currency of this country.
        raise _bad(field, where)
    try:
        return Money(minor, currency)
    except BadMoney:
        raise _bad(field, where) from None


def _bad(field: Field, where: str) -> BadField:
    return BadField(field=where, expected=field.kind.value)
