# SPDX-License-Identifier: Apache-2.0
"""Plain data as a form, and back: parts within parts, and rows that are added and dropped.

What a document may hold is told once as a tree of parts; the names of the inputs are paths in it
(`tables.0.columns.3.role`). A page draws the tree, reads it again from what came back, and puts a
refusal at the path it is about. Rows come and go by buttons, so that it works without script.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from lingqu.kernel.values import Plain

ROWS_MOST = 1_000
_DIGITS_MOST = 30
_SEPARATORS = re.compile(r"[,，、;；]")
Option = tuple[str, str]
Fields: TypeAlias = Mapping[str, str]


class Kind(enum.Enum):
    """How a single value is asked for, and what it is in the document."""

    TEXT = "text"
    NUMBER = "number"
    """A whole number."""
    SCALED = "scaled"
    """A decimal number, kept in units of 10 to the minus the `scale` beside it."""
    CHOICE = "choice"
    CHECK = "check"
    SEVERAL = "several"
    """Options that are ticked, as a list."""
    LIST = "list"
    """Texts separated by commas, or one a line."""
    PAIRS = "pairs"
    """`one = other`, separated likewise, as a list of two."""
    COLUMN = "column"
    """A column chosen as `resource.column`: the resource goes beside it into `resource`."""
    BESIDE = "beside"
    """A column of the same resource, chosen as `resource.column`; only its name is kept."""


Choices = Callable[[Fields, str], tuple[Option, ...]]
"""Gives options from what is typed, for an input whose path begins so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """When a part counts at all: where the value called `name` beside it is one of these."""

    name: str
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One value. Its words are `ui.policy.<label or name>` and, where `hint`, `.hint` of it."""

    name: str
    kind: Kind = Kind.TEXT
    label: str = ""
    hint: bool = False
    value: str = ""
    options: tuple[Option, ...] = ()
    choices: Choices | None = None
    needed: bool = False
    blanks: bool = False
    """Whether a list may hold empty texts."""
    only: Only | None = None
    reshapes: bool = False
    """Whether other parts come and go with it."""

    @property
    def word(self) -> str:
        """What its words are called."""
        return self.label or self.name

    def options_at(self, fields: Fields, prefix: str) -> tuple[Option, ...]:
        """This will give its options, with what is chosen now among them."""
        found = self.options if self.choices is None else self.choices(fields, prefix)
        now = fields.get(prefix + self.name, "")
        return found if not now or any(now == one for one, _ in found) else ((now, now), *found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Values that belong together; absent where the value called `lead` is empty."""

    name: str
    parts: tuple[Leaf | Group | Rows, ...]
    lead: str = ""
    only: Only | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A list of parts; `title` names the value a row is known by."""

    name: str
    parts: tuple[Leaf | Group | Rows, ...]
    title: str = "name"
    most: int = ROWS_MOST
    least: int = 0
    """So many rows there are in what is added anew."""
    fills: bool = False
    """Whether a button fills it with what is still missing."""


Part: TypeAlias = Leaf | Group | Rows


def counts(part: Part, fields: Fields, prefix: str) -> bool:
    """This will say whether a part counts by what stands beside it."""
    only = None if isinstance(part, Rows) else part.only
    return only is None or fields.get(prefix + only.name, "") in only.wanted


def complete_parts(parts: Sequence[Part], fields: Fields, prefix: str = "") -> dict[str, str]:
    """This will add to what was typed what inputs begin with that were not there before."""
    found = dict(fields)
    for part in parts:
        at = prefix + part.name
        if isinstance(part, Rows):
            for number in rows_of(fields, at):
                found |= complete_parts(part.parts, found, f"{at}.{number}.")
        elif not counts(part, fields, prefix):
            continue
        elif isinstance(part, Leaf):
            if part.kind not in {Kind.CHECK, Kind.SEVERAL}:
                found.setdefault(at, part.value)
            if part.needed and part.kind in {Kind.CHOICE, Kind.COLUMN} and not found[at]:
                # A list without an empty line shows its first one.
                found[at] = next((one for one, _ in part.options_at(found, prefix)), "")
        elif any(name.startswith(f"{at}.") for name in fields):
            found |= complete_parts(part.parts, found, f"{at}.")
        else:
            found |= begin_parts(part.parts, f"{at}.")
    return found


class NotSound(Exception):  # a signal to the page, which refuses in its words
    """What was typed at a path is not what it must be."""

    def __init__(self, path: str, leaf: Leaf) -> None:
        super().__init__(path)
        self.path, self.leaf = path, leaf


def read_parts(parts: Sequence[Part], fields: Fields, prefix: str = "") -> dict[str, Plain]:
    """This will read a document from what was typed; raises NotSound."""
    found: dict[str, Plain] = {}
    for part in parts:
        at = prefix + part.name
        if not counts(part, fields, prefix):
            continue
        if isinstance(part, Leaf):
            _read_leaf(part, fields, prefix, found)
        elif isinstance(part, Rows):
            rows: list[Plain] = [
                read_parts(part.parts, fields, f"{at}.{one}.") for one in rows_of(fields, at)
            ]
            if rows:
                found[part.name] = rows
        elif not part.lead or fields.get(f"{at}.{part.lead}", "").strip():
            found[part.name] = read_parts(part.parts, fields, f"{at}.")
    return found


def _read_leaf(leaf: Leaf, fields: Fields, prefix: str, found: dict[str, Plain]) -> None:
    path = prefix + leaf.name
    if leaf.kind is Kind.CHECK:
        found[leaf.name] = bool(fields.get(path))
        return
    if leaf.kind is Kind.SEVERAL:
        ticked: list[Plain] = [
            value for value, _ in leaf.options_at(fields, prefix) if fields.get(f"{path}.{value}")
        ]
        found[leaf.name] = ticked
        return
    said = fields.get(path, "").replace("\r\n", "\n").strip()
    if not said:
        if leaf.needed:
            raise NotSound(path, leaf)
        return
    if leaf.kind is Kind.COLUMN:
        resource, _, column = said.partition(".")
        found["resource"], found[leaf.name] = resource, column
    elif leaf.kind is Kind.BESIDE:
        resource, _, column = said.partition(".")
        if found.get("resource") != resource:
            raise NotSound(path, leaf)
        found[leaf.name] = column
    else:
        found[leaf.name] = _read_value(leaf, said, path, fields.get(f"{prefix}scale", ""))


def _read_value(leaf: Leaf, said: str, path: str, scale: str) -> Plain:
    match leaf.kind:
        case Kind.NUMBER:
            digits = said.replace(",", "").removeprefix("-")
            if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MOST):
                raise NotSound(path, leaf)
            return int(said.replace(",", ""))
        case Kind.SCALED:
            return _read_scaled(leaf, said.replace(",", ""), path, scale)
        case Kind.LIST:
            return [one for one in _split(said) if one or leaf.blanks]
        case Kind.PAIRS:
            pairs = [[side.strip() for side in one.split("=")] for one in _split(said) if one]
            if any(len(one) != 2 or not all(one) for one in pairs):
                raise NotSound(path, leaf)
            return [[*one] for one in pairs]
        case _:
            return said


def _read_scaled(leaf: Leaf, said: str, path: str, scale: str) -> int:
    places = scale.strip() or "0"
    if not (places.isascii() and places.isdigit() and len(places) <= 2):
        raise NotSound(path, leaf)
    try:
        units = Decimal(said).scaleb(int(places))
    except ArithmeticError:
        raise NotSound(path, leaf) from None
    if not units.is_finite() or abs(units) >= 10**_DIGITS_MOST or units % 1:
        raise NotSound(path, leaf)
    return int(units)


def _split(said: str) -> list[str]:
    """Texts one a line where there are several lines, else separated by commas."""
    pieces = said.split("\n") if "\n" in said else _SEPARATORS.split(said)
    return [one.strip() for one in pieces]


def write_parts(
    parts: Sequence[Part], plain: Mapping[str, Plain], prefix: str = ""
) -> dict[str, str]:
    """This will give what the inputs hold for a document."""
    found: dict[str, str] = {}
    for part in parts:
        at, value = prefix + part.name, plain.get(part.name)
        if isinstance(part, Leaf):
            found |= _write_leaf(part, value, plain, at)
        elif isinstance(part, Group):
            if isinstance(value, dict):
                found |= write_parts(part.parts, value, f"{at}.")
        elif isinstance(value, list):
            for number, row in enumerate(value):
                if isinstance(row, dict):
                    found |= write_parts(part.parts, row, f"{at}.{number}.")
    return found


def _write_leaf(leaf: Leaf, value: Plain, beside: Mapping[str, Plain], at: str) -> dict[str, str]:
    if value is None:
        return {at: ""}
    match leaf.kind:
        case Kind.CHECK:
            return {at: "yes"} if value else {}
        case Kind.SEVERAL:
            return {f"{at}.{one}": "yes" for one in value} if isinstance(value, list) else {}
        case Kind.LIST:
            return {at: _joined([str(one) for one in value]) if isinstance(value, list) else ""}
        case Kind.PAIRS:
            pairs = value if isinstance(value, list) else []
            said = [" = ".join(map(str, one)) for one in pairs if isinstance(one, list)]
            return {at: _joined(said)}
        case Kind.SCALED:
            scale = beside.get("scale")
            places = scale if isinstance(scale, int) else 0
            return {at: f"{Decimal(str(value)).scaleb(-places):f}"}
        case Kind.COLUMN | Kind.BESIDE:
            return {at: f"{beside.get('resource')}.{value}"}
        case _:
            return {at: str(value)}


def _joined(texts: Sequence[str]) -> str:
    is_plain = not any(_SEPARATORS.search(one) for one in texts)
    return ", ".join(texts) if is_plain else "\n".join(texts)


def rows_of(fields: Fields, path: str) -> tuple[int, ...]:
    """This will give the numbers of the rows there are at a path, in their order."""
    start = f"{path}."
    heads = {name[len(start) :].partition(".")[0] for name in fields if name.startswith(start)}
    return tuple(sorted(int(one) for one in heads if one.isascii() and one.isdigit())[:ROWS_MOST])


def find_rows(parts: Sequence[Part], path: str) -> Rows | None:
    """This will give the list that stands at a path, None where none does."""
    found: Part | None = None
    for name in path.split("."):
        if name.isascii() and name.isdigit():
            continue
        found = next((one for one in parts if one.name == name), None)
        if found is None or isinstance(found, Leaf):
            return None
        parts = found.parts
    return found if isinstance(found, Rows) else None


def add_row(parts: Sequence[Part], fields: Fields, path: str) -> dict[str, str]:
    """This will add a row to a list; what is typed stays as it is where there is no such list."""
    found, typed = find_rows(parts, path), dict(fields)
    numbers = rows_of(fields, path)
    if found is not None and len(numbers) < found.most:
        typed |= begin_parts(found.parts, f"{path}.{numbers[-1] + 1 if numbers else 0}.")
    return typed


def begin_parts(parts: Sequence[Part], prefix: str = "") -> dict[str, str]:
    """This will give what the inputs hold before anything is typed."""
    found: dict[str, str] = {}
    for part in parts:
        at = prefix + part.name
        if isinstance(part, Rows):
            for number in range(part.least):
                found |= begin_parts(part.parts, f"{at}.{number}.")
        elif isinstance(part, Group):
            found |= begin_parts(part.parts, f"{at}.")
        elif part.kind is Kind.SEVERAL:
            found |= {f"{at}.{one}": "yes" for one in part.value.split()}
        else:
            found[at] = part.value
    return found


def drop_row(fields: Fields, path: str) -> dict[str, str]:
    """This will drop the row at a path."""
    return {name: said for name, said in fields.items() if not name.startswith(f"{path}.")}


def locate(parts: Sequence[Part], plain: Plain, part: str) -> str:
    """This will give the path of the input a refusal names by words of the document, or nothing.

    Rows are named by their titles there: `tables.visit.age.grid` is the grid of a column.
    """
    path, rest = "", part.split(".")
    here: Plain = plain
    while rest:
        step = _step(parts, here, rest)
        if step is None:
            break
        name, inner, value, taken = step
        path = f"{path}.{name}" if path else name
        rest, here = rest[taken:], value
        if inner is None:
            return path
        parts = inner
    return f"{path}.{_first(parts)}" if path else ""


def _first(parts: Sequence[Part]) -> str:
    """The first input of a group or row."""
    one = parts[0]
    return one.name if isinstance(one, Leaf) else f"{one.name}.{_first(one.parts)}"


_Step = tuple[str, tuple[Part, ...] | None, Plain, int]


def _step(parts: Sequence[Part], here: Plain, rest: Sequence[str]) -> _Step | None:
    """The next part of a path, what lies in it, and how many words it took."""
    if not isinstance(here, dict):
        return None
    for part in parts:
        if isinstance(part, Rows):
            named = part.name == rest[0]
            words = rest[1:] if named else rest
            found = _row(part, here.get(part.name), words)
            if found is not None:
                number, row, taken = found
                return f"{part.name}.{number}", part.parts, row, taken + named
            if named:
                return None
        elif part.name == rest[0]:
            inner = None if isinstance(part, Leaf) else part.parts
            return part.name, inner, here.get(part.name), 1
        elif isinstance(part, Group) and any(one.name == rest[0] for one in part.parts):
            return part.name, part.parts, here.get(part.name), 0
    return None


def _row(rows: Rows, value: Plain, words: Sequence[str]) -> tuple[int, Plain, int] | None:
    if not isinstance(value, list) or not words:
        return None
    names = rows.title.split("+")
    for number, row in enumerate(value):
        if isinstance(row, dict) and [str(row.get(one))[:40] for one in names] == [
            *words[: len(names)]
        ]:
            return number, row, len(names)
    return None
