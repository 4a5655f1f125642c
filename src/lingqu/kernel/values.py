# SPDX-License-Identifier: Apache-2.0
"""Frozen values to plain JSON data and back, by their type annotations.

Facts, stored results and row contents all pass through here, so that one canonical text stands
for one value. Supported: None, bool, int, str, ids, enums, instants, days, bytes (hex), Money,
Period, tuples, mappings from str, optional and union with None, and frozen dataclasses of these.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import format_instant, parse_instant

Value = TypeVar("Value")
Inner = TypeVar("Inner")

Plain = None | bool | int | str | list["Plain"] | dict[str, "Plain"]


class Hidden(str):
    """Text that must not appear in any plain form: a secret, or a hash of one.

    `to_plain` gives None for it, so it takes no part in request digests, results or facts.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """Never the text itself."""
        return "Hidden()"


@dataclasses.dataclass(frozen=True, slots=True)
class Hides(Generic[Inner]):
    """A value that takes no part in request digests: what it holds is covered by another argument.

    `to_plain` gives None for it, as for `Hidden`.
    """

    value: Inner


class BadValue(errors.Rejected):
    """The data does not have the shape of the type that was expected."""

    code = "kernel.value.bad"


def to_plain(value: object) -> Plain:
    """This will turn a value into JSON data; a type that is not supported is a TypeError."""
    return _plain_by(typing.cast("Hashable", type(value)))(value)


@functools.cache
def _plain_by(kind: type) -> Callable[[Any], Plain]:
    """What turns values of one type into JSON data."""
    for above, made in _PLAIN:
        if issubclass(kind, above):
            return made
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind.__name__} has no plain form")
    names = _names(kind)
    return lambda value: {name: to_plain(getattr(value, name)) for name in names}


_PLAIN: tuple[tuple[type | types.UnionType, Callable[[Any], Plain]], ...] = (
    (int | None, lambda value: value),
    (Hidden | Hides, lambda _: None),
    (enum.Enum, lambda value: to_plain(value.value)),
    (str, str),
    (datetime, format_instant),
    (date, date.isoformat),
    (bytes | memoryview, lambda value: bytes(value).hex()),
    (tuple | list, lambda value: [to_plain(item) for item in value]),
    (Mapping, lambda value: {str(key): to_plain(item) for key, item in value.items()}),
)
"""In this order: a truth value is an int, an enumeration may be a text, a moment is a day."""


def from_plain(kind: type[Value], plain: object) -> Value:
    """This will rebuild a value of `kind` from JSON data; raises BadValue, never a TypeError."""
    return typing.cast("Value", _build(kind, plain, kind.__name__))


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: Any, plain: object, where: str) -> object:
    origin = typing.get_origin(kind)
    if origin in {types.UnionType, typing.Union}:
        return _build_optional(kind, plain, where)
    if kind is Any or kind is object:
        return plain
    if origin is tuple:
        inner = typing.get_args(kind)[0]
        items = _expect(list, plain, where)
        return tuple(_build(inner, item, where) for item in items)
    if origin in {dict, Mapping}:
        inner = typing.get_args(kind)[1]
        mapping = _expect(dict, plain, where)
        return {key: _build(inner, item, f"{where}.{key}") for key, item in mapping.items()}
    return _build_scalar(kind, plain, where)


def _build_optional(kind: Any, plain: object, where: str) -> object:
    choices = [choice for choice in typing.get_args(kind) if choice is not type(None)]
    if plain is None and len(choices) < len(typing.get_args(kind)):
        return None
    refusal: BadValue | None = None
    for choice in choices:
        try:
            return _build(choice, plain, where)
        except BadValue as error:
            refusal = error
    raise refusal or BadValue(where=where)


def _build_scalar(kind: Any, plain: object, where: str) -> object:
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(typing.cast("type", kind), plain, where)
    try:
        if kind in {bool, int, type(None)} and type(plain) is kind:
            return plain
        if issubclass(kind, enum.Enum):
            return kind(plain)
        if issubclass(kind, bytes):
            return bytes.fromhex(_expect(str, plain, where))
        if issubclass(kind, datetime):
            return parse_instant(_expect(str, plain, where))
        if issubclass(kind, date):
            return date.fromisoformat(_expect(str, plain, where))
        if issubclass(kind, Id):
            return kind(_expect(str, plain, where))
        if issubclass(kind, str):
            return kind(_expect(str, plain, where))
    except (ValueError, errors.Rejected):
        raise BadValue(where=where) from None
    raise BadValue(where=where)


def _build_dataclass(kind: type, plain: object, where: str) -> object:
    mapping = _expect(dict, plain, where)
    hints, known = _hints(kind), _names(kind)
    for name in mapping:
        if name not in known:
            raise BadValue(where=f"{where}.{str(name)[:40]}")
    given = {name: _build(hints[name], mapping[name], f"{where}.{name}") for name in mapping}
    try:
        return kind(**given)
    except TypeError:
        missing = [name for name in known if name not in given]
        raise BadValue(where=f"{where}.{missing[0] if missing else ''}") from None


def _expect(kind: type[Value], plain: object, where: str) -> Value:
    if type(plain) is not kind:
        raise BadValue(where=where)
    return plain


@functools.cache
def _converters(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((name, _converter(_hints(kind)[name])) for name in _names(kind))


def _converter(hint: Any) -> Any:
    choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
    kind = choices[0] if typing.get_origin(hint) in {types.UnionType, typing.Union} else hint
    if typing.get_origin(kind) is tuple:
        inner = _converter(typing.get_args(kind)[0])
        return tuple if inner is None else lambda items: tuple(inner(item) for item in items)
    if not isinstance(kind, type):
        return None
    if issubclass(kind, Id):
        return functools.partial(str.__new__, kind)
    if issubclass(kind, enum.Enum):
        return kind
    return bytes if issubclass(kind, bytes) else None


def from_row(kind: type[Value], row: Mapping[str, Any]) -> Value:
    """This will build a frozen dataclass from a database row whose columns are its fields."""
    given = {}
    for name, convert in _converters(typing.cast("Hashable", kind)):
        value = row[name]
        given[name] = value if value is None or convert is None else convert(value)
    return kind(**given)
