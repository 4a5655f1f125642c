# SPDX-License-Identifier: Apache-2.0
"""The framing between platform and worker: bounded lengths, one byte of kind, JSON, typed cells.

Nothing that comes from a worker is executed or unpickled. Each cell is read by the type its column
declared, and anything else is `Broken`: the caller kills the worker.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import decimal
import json
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from lingqu.runtime.engine.jobs import Row, Value
from lingqu.runtime.engine.types import INSTANT, INTEGERS, decimal_places

JOB, READY, ACCEPTED, COLUMNS, ROWS, PROGRESS, DONE, ERROR = b"JRACDPZE"
FRAME_MOST = 64 * 1024 * 1024
HEAD = struct.Struct(">IB")

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LONGEST_NUMBER = 64


class Broken(Exception):  # a signal between the framing and who reads it
    """What came is not what the framing allows."""


def pack(kind: int, body: object) -> bytes:
    """This will write one frame."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    if len(text) > FRAME_MOST:
        raise Broken
    return HEAD.pack(len(text), kind) + text


def unpack(body: bytes) -> Any:
    """This will read the body of a frame. Raises Broken."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Broken from None


def encode_value(value: Value) -> list[str | None]:
    """This will write a bound value with a mark of its kind."""
    if value is None:
        return ["n", None]
    if isinstance(value, bool):
        return ["b", "1" if value else ""]
    if isinstance(value, bytes):
        return ["x", base64.b64encode(value).decode("ascii")]
    for kind, mark, write in _MARKS:
        if isinstance(value, kind):
            return [mark, write(value)]
    raise Broken


_MARKS: tuple[tuple[type, str, Callable[[Any], str]], ...] = (
    (int, "i", str),
    (float, "f", float.hex),
    (decimal.Decimal, "d", str),
    (str, "s", str),
    (dt.datetime, "t", dt.datetime.isoformat),
    (dt.date, "y", dt.date.isoformat),
)
_BACK: dict[str, Callable[[Any], Value]] = {
    "n": lambda _: None,
    "b": bool,
    "x": base64.b64decode,
    "i": int,
    "f": float.fromhex,
    "d": decimal.Decimal,
    "s": str,
    "t": dt.datetime.fromisoformat,
    "y": dt.date.fromisoformat,
}


def decode_value(written: Sequence[Any]) -> Value:
    """This will read what `encode_value` wrote."""
    mark, text = written
    return _BACK[mark](text)


def encode_cell(value: Any) -> Any:
    """This will write one cell of an answer as JSON, in the worker."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def decode_rows(body: Any, readers: Sequence[Callable[[Any], Value]]) -> tuple[Row, ...]:
    """This will read a batch of rows, each cell by the reader of its column. Raises Broken."""
    if not isinstance(body, list):
        raise Broken
    width = len(readers)
    rows = []
    for row in body:
        if not isinstance(row, list) or len(row) != width:
            raise Broken
        cells = zip(readers, row, strict=True)
        rows.append(tuple(None if cell is None else read(cell) for read, cell in cells))
    return tuple(rows)


def reader_of(kind: str) -> Callable[[Any], Value]:
    """This will give the function that reads a cell of this type and refuses any other."""
    if kind in INTEGERS:
        least, most = INTEGERS[kind]
        return lambda cell: _integer(cell, least, most)
    if places := decimal_places(kind):
        return lambda cell: _decimal(cell, *places)
    return _READERS[kind]


def _integer(cell: Any, least: int, most: int) -> int:
    if type(cell) is not int or not least <= cell <= most:
        raise Broken
    return cell


def _decimal(cell: Any, precision: int, scale: int) -> decimal.Decimal:
    try:
        number = decimal.Decimal(_text(cell, _LONGEST_NUMBER))
    except decimal.InvalidOperation:
        raise Broken from None
    if not number.is_finite():
        raise Broken
    exponent = int(number.as_tuple().exponent)
    if -exponent > scale or number.adjusted() >= max(precision - scale, 1):
        raise Broken
    return number


def _text(cell: Any, longest: int | None = None) -> str:
    if type(cell) is not str or (longest is not None and len(cell) > longest):
        raise Broken
    return cell


def _boolean(cell: Any) -> bool:
    if type(cell) is not bool:
        raise Broken
    return cell


def _double(cell: Any) -> float:
    if type(cell) is float:
        return cell
    if type(cell) is str and cell in {"nan", "inf", "-inf"}:
        return float(cell)
    raise Broken


def _bytes(cell: Any) -> bytes:
    try:
        return base64.b64decode(_text(cell), validate=True)
    except (binascii.Error, ValueError):
        raise Broken from None


def _date(cell: Any) -> dt.date:
    try:
        return dt.date.fromisoformat(_text(cell, _LONGEST_NUMBER))
    except ValueError:
        raise Broken from None


def _timestamp(cell: Any) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(_text(cell, _LONGEST_NUMBER))
    except ValueError:
        raise Broken from None


def _instant(cell: Any) -> dt.datetime:
    try:
        return _EPOCH + dt.timedelta(microseconds=_integer(cell, -(2**62), 2**62))
    except OverflowError:
        raise Broken from None


_READERS: dict[str, Callable[[Any], Value]] = {
    "BOOLEAN": _boolean,
    "DOUBLE": _double,
    "FLOAT": _double,
    "VARCHAR": _text,
    "BLOB": _bytes,
    "DATE": _date,
    "TIMESTAMP": _timestamp,
    INSTANT: _instant,
}
