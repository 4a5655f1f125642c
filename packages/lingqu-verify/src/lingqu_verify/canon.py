# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON (RFC 8785): one value has exactly one text, so that a text can be hashed.

The values are None, bool, int, str, sequences and mappings with text keys. Floats are refused on
both sides: nothing that Lingqu signs or hashes holds one, and their text form is where
implementations disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from lingqu_verify.errors import Malformed

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64
_MAX_DIGITS = 17  # a sign and the 16 digits of MAX_INTEGER
_encode_json = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


class NotCanonical(Malformed):
    """The value has no canonical form, or the text is not the canonical form of its value."""

    code = "verify.canon.bad"


def encode(value: object) -> bytes:
    """This will give the canonical text of a value, in UTF-8.

    Integers lie within +-(2**53 - 1), nesting is at most 64 deep, keys are ordered by their UTF-16
    code units (RFC 8785, 3.2.3). Raises NotCanonical for anything else: floats, bytes, keys that
    are not text, lone surrogates.
    """
    try:
        return _encode_json(_ordered(value, 0)).encode()
    except UnicodeEncodeError:
        raise NotCanonical(reason="surrogate") from None


def decode(data: bytes | str) -> Any:
    """This will read a canonical text, and refuse any text that is not canonical.

    Raises NotCanonical for text that is not JSON, not UTF-8, holds a float or a key twice, is
    nested deeper than 64, or differs by one byte from the canonical form of what it says.
    """
    try:
        text = data if isinstance(data, str) else data.decode()
        value = _decoder.decode(text)
        raw = text.encode() if isinstance(data, str) else data
    except UnicodeError:
        raise NotCanonical(reason="utf-8") from None
    except RecursionError:
        raise NotCanonical(reason="depth") from None
    except ValueError:
        raise NotCanonical(reason="json") from None
    if encode(value) != raw:
        raise NotCanonical(reason="form")
    return value


def _ordered(value: object, depth: int) -> object:
    """The same value with its keys in order, made of nothing but JSON's own types."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotCanonical(reason="integer")
        return value
    if depth >= MAX_DEPTH:
        raise NotCanonical(reason="depth")
    depth += 1
    if isinstance(value, list | tuple):
        return [item if type(item) is str else _ordered(item, depth) for item in value]
    if isinstance(value, Mapping):
        found = {}
        for key in _sorted_keys(value):
            item = value[key]
            found[key] = item if type(item) is str else _ordered(item, depth)
        return found
    raise NotCanonical(reason="type", type=type(value).__name__)


def _sorted_keys(mapping: Mapping[Any, Any]) -> list[str]:
    try:
        is_plain = "".join(mapping).isascii()
    except TypeError:
        raise NotCanonical(reason="key") from None
    # Code points and UTF-16 code units order alike until a surrogate pair meets U+E000 and above.
    return sorted(mapping) if is_plain else sorted(mapping, key=_utf_16)


def _utf_16(key: str) -> bytes:
    return key.encode("utf-16-be")


def _refuse_float(_: str) -> NoReturn:
    raise NotCanonical(reason="float")


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise NotCanonical(reason="integer")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonical(reason="duplicate")
    return found


_decoder = json.JSONDecoder(
    parse_float=_refuse_float,
    parse_int=_integer,
    parse_constant=_refuse_float,
    object_pairs_hook=_object,
)
