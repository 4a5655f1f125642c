# SPDX-License-Identifier: Apache-2.0
"""How a delivered file becomes a table of text, or is refused as a whole with line and reason.

Offices deliver CSV in UTF-8 with or without a byte-order mark, in UTF-16 and in GB18030, with
commas, semicolons or tabs. Which one it is follows from the bytes alone, never from a guess that
could turn one character into another: bytes that are valid in none of them are refused. Nothing is
half read: either every row is there, or the refusal names the first line that is wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lingqu.kernel import errors

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_SEPARATORS = (",", "\t", ";")
_ZIP = b"PK\x03\x04"
_ALLOWED_CONTROLS = frozenset("\t\n\r")


class BadTable(errors.Rejected):
    """The file is no table. `line` is where (0: the file as a whole); no row of it was taken."""


class EmptyTable(BadTable):
    """There is no header line, or no row below it."""

    code = "supply.table.empty"


class TableTooLarge(BadTable):
    """The file has more than `most` bytes."""

    code = "supply.table.too_large"


class TooManyRows(BadTable):
    """The table has more than `most` rows."""

    code = "supply.table.too_many_rows"


class TooManyColumns(BadTable):
    """The table has more than `most` columns."""

    code = "supply.table.too_many_columns"


class CellTooLong(BadTable):
    """A cell has more than `most` characters."""

    code = "supply.table.cell_too_long"


class TableUnreadable(BadTable):
    """The file cannot be opened."""

    code = "supply.table.unreadable"


class UnknownEncoding(BadTable):
    """The bytes are neither UTF-8 nor UTF-16 nor GB18030."""

    code = "supply.table.encoding"


class NotText(BadTable):
    """The file holds control characters or is another kind of file."""

    code = "supply.table.not_text"


class UnnamedColumn(BadTable):
    """A column has no name, or one that cannot be printed."""

    code = "supply.table.unnamed_column"


class DuplicateColumn(BadTable):
    """Two columns have the same name."""

    code = "supply.table.duplicate_column"


class RaggedRow(BadTable):
    """A line has more or fewer cells than the first one has names."""

    code = "supply.table.ragged_row"


class BrokenQuotes(BadTable):
    """A quotation mark is not closed, or stands where it cannot."""

    code = "supply.table.broken_quotes"


class UnknownColumn(errors.Rejected):
    """The table has no column of this name."""

    code = "supply.table.unknown_column"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLimits:
    """How large a delivered table may be, in bytes, rows, columns and characters of one cell."""

    bytes: int = 256 * 1024 * 1024
    rows: int = 5_000_000
    columns: int = 1_000
    cell: int = 32_767


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredTable:
    """A table as it was delivered: every cell is text, stripped of spaces at its ends.

    `lines` says in which line each row ends; it is empty where the rows come from no text.
    """

    name: str
    encoding: str
    separator: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...] = ()

    def place_of(self, column: str) -> int:
        """This will give the place of a column, from 0. Raises UnknownColumn."""
        if column not in self.columns:
            raise UnknownColumn(table=self.name, column=column[:60])
        return self.columns.index(column)


def read_table(path: Path, *, limits: TableLimits | None = None) -> DeliveredTable:
    """This will read a delivered file. Raises BadTable."""
    bounds = limits or TableLimits()
    try:
        with path.open("rb") as file:
            content = file.read(bounds.bytes + 1)
    except OSError as error:
        raise TableUnreadable(table=path.name[:100], detail=error.strerror or "") from None
    return parse_table(path.name, content, limits=bounds)


def parse_table(name: str, content: bytes, *, limits: TableLimits | None = None) -> DeliveredTable:
    """This will read delivered bytes; `name` is what refusals call them. Raises BadTable."""
    name = name[:100]
    bounds = limits or TableLimits()
    if len(content) > bounds.bytes:
        raise TableTooLarge(table=name, most=bounds.bytes, most_mib=bounds.bytes >> 20)
    text, encoding = _decoded(name, content)
    first, _, _ = text.lstrip().partition("\n")
    separator = max(_SEPARATORS, key=first.count)
    lines = _lines(name, text, separator)
    heads = next(lines, None)
    if heads is None:
        raise EmptyTable(table=name)
    columns = _checked_columns(name, heads[1], bounds)
    found = tuple(_rows(name, lines, len(columns), bounds))
    if not found:
        raise EmptyTable(table=name)
    return DeliveredTable(
        name=name,
        encoding=encoding,
        separator=separator,
        columns=columns,
        rows=tuple(row for _, row in found),
        lines=tuple(line for line, _ in found),
    )


def check_size(name: str, rows: Sequence[Sequence[str | None]], bounds: TableLimits) -> None:
    """This will hold rows that came another way to the same limits. Raises BadTable."""
    if not rows:
        raise EmptyTable(table=name)
    if len(rows) > bounds.rows:
        raise TooManyRows(table=name, line=bounds.rows + 1, most=bounds.rows)


def _decoded(name: str, content: bytes) -> tuple[str, str]:
    if content.startswith(_ZIP):
        raise NotText(table=name, line=0)
    encodings = [codec for mark, codec in _MARKS if content.startswith(mark)][:1]
    for encoding in encodings or ["utf-8", "gb18030"]:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        _check_text(name, text)
        return text, encoding
    raise UnknownEncoding(table=name)


def _check_text(name: str, text: str) -> None:
    if not any(ord(character) < 32 for character in set(text) - _ALLOWED_CONTROLS):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if any(ord(character) < 32 and character != "\t" for character in line):
            raise NotText(table=name, line=number)
    raise NotText(table=name, line=0)


def _lines(name: str, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Give each record that is not blank, with the number of its last line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "limit" in str(error):
                raise CellTooLong(
                    table=name, line=reader.line_num, most=csv.field_size_limit()
                ) from None
            raise BrokenQuotes(table=name, line=begins) from None  # where it was opened
        if any(cell.strip() for cell in record):
            yield reader.line_num, record


def _checked_columns(name: str, heads: Sequence[str], bounds: TableLimits) -> tuple[str, ...]:
    if len(heads) > bounds.columns:
        raise TooManyColumns(table=name, line=1, most=bounds.columns)
    columns = tuple(head.strip() for head in heads)
    seen: set[str] = set()
    for place, column in enumerate(columns, 1):
        if not column or not column.isprintable():
            raise UnnamedColumn(table=name, line=1, detail=str(place))
        if column in seen:
            raise DuplicateColumn(table=name, line=1, detail=column[:60])
        seen.add(column)
    return columns


def _rows(
    name: str, lines: Iterator[tuple[int, list[str]]], columns: int, bounds: TableLimits
) -> Iterator[tuple[int, tuple[str, ...]]]:
    for count, (line, cells) in enumerate(lines, 1):
        if count > bounds.rows:
            raise TooManyRows(table=name, line=line, most=bounds.rows)
        if len(cells) != columns:
            detail = f"{len(cells)} / {columns}"
            raise RaggedRow(table=name, line=line, detail=detail)
        if any(len(cell) > bounds.cell for cell in cells):
            raise CellTooLong(table=name, line=line, most=bounds.cell)
        yield line, tuple(cell.strip() for cell in cells)
