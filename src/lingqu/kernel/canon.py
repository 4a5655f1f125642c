# SPDX-License-Identifier: Apache-2.0
"""Canonical JSON (RFC 8785), shared with the verifier so that both compute the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lingqu_verify.canon import MAX_INTEGER, NotCanonical, decode, encode

__all__ = ("NotCanonical", "decode", "encode", "encode_scalars")

_APART = '"\0"'
"""Between two texts that hold no character of it."""


def encode_scalars(values: Sequence[Any]) -> list[str]:
    """This will give the canonical text of each of many scalars (None, bool, int, str).

    The same as `encode` gives for each, but thousands of values of one kind cost a few calls.
    Raises NotCanonical.
    """
    if not values:
        return []
    kinds = set(map(type, values))
    if len(kinds) == 1 and values[0] == values[-1] and values.count(values[0]) == len(values):
        return [_scalar(values[0])] * len(values)
    if all(issubclass(kind, str) for kind in kinds):
        joined = "".join(values)
        if joined.isprintable() and '"' not in joined and "\\" not in joined:
            return f'"{_APART.join(values)}"'.split("\0")
    elif kinds == {int} and -MAX_INTEGER <= min(values) <= max(values) <= MAX_INTEGER:
        return [*map(str, values)]
    return [*map(_scalar, values)]


def _scalar(value: object) -> str:
    if isinstance(value, list | tuple | Mapping):
        raise NotCanonical(reason="type", type=type(value).__name__)
    return encode(value).decode()
