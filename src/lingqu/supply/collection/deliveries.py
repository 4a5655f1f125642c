# SPDX-License-Identifier: Apache-2.0
"""What a body hands over, in whatever form, becomes rows of the declared fields with row numbers.

A CSV in any encoding offices use, an Excel workbook, or the rows a source gave: afterwards they
look the same, and the gates need not know which it was. A heading is the name or the label of a
field. A column nobody declared is refused: what is not described is not kept.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from lingqu.kernel import errors
from lingqu.runtime import documents
from lingqu.runtime.engine import (
    Column,
    Engine,
    Job,
    Limits,
    PostgresSource,
    SourceTable,
    open_source_table,
)
from lingqu.supply.collection.sources import Source
from lingqu.supply.resources import Field, FieldKind
from lingqu.supply.tables import TableLimits, TableTooLarge, check_size, parse_table

NAME_MAX = 100
SOURCE_ROWS_MOST = 5_000_000
ANSWER_BYTES_MOST = 1024 * 1024 * 1024
DECIMAL_PLACES = 8
_ZIP = b"PK\x03\x04"
_PROBLEMS_MOST = 500
_YES_NO = {"是": "true", "否": "false"}
_SHEET_KINDS = {
    FieldKind.INTEGER: documents.CellKind.INTEGER,
    FieldKind.DECIMAL: documents.CellKind.DECIMAL,
    FieldKind.DATE: documents.CellKind.DAY,
    FieldKind.BOOLEAN: documents.CellKind.FLAG,
}


class WrongColumns(errors.Rejected):
    """The delivery has other columns than the resource declares; no row of it was taken."""

    code = "supply.load.columns"


class TooManyFaults(errors.Rejected):
    """So many rows are faulty that this is another table; no row of it was taken."""

    code = "supply.load.too_many_faults"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A row that was not accepted: where it stands, what is wrong, and what stood there.

    `row` counts as the delivery does: lines of a text, rows of a sheet with the heading as 1.
    `cells` may be personal data and is shown to nobody but the body itself.
    """

    row: int
    field: str
    reason: str
    cells: tuple[str, ...] = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Rows as they were handed over, in the order of the declared fields; None is an empty cell.

    `numbers` says where each row stands; `faults` are rows that could not even be read.
    """

    name: str
    content: str
    size_bytes: int
    encoding: str
    rows: tuple[tuple[str | None, ...], ...] = dataclasses.field(repr=False)
    numbers: tuple[int, ...] = dataclasses.field(repr=False)
    faults: tuple[Rejection, ...] = ()


def read_delivery(
    name: str, content: bytes, *, fields: Sequence[Field], limits: TableLimits | None = None
) -> Delivery:
    """This will read a delivered file by the fields it should have.

    Raises BadTable, WrongColumns, TooManyFaults and what a workbook refuses.
    """
    name = name[:NAME_MAX]
    if content.startswith(_ZIP):
        return _read_workbook(name, content, fields, limits or TableLimits())
    table = parse_table(name, content, limits=limits)
    places = _places(name, table.columns, fields)
    rows = tuple(
        tuple(_cell(row[place], one.kind) for place, one in zip(places, fields, strict=True))
        for row in table.rows
    )
    return Delivery(
        name=name,
        content=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        encoding=table.encoding,
        rows=rows,
        numbers=table.lines,
    )


def read_source(
    engine: Engine, source: Source, connection: PostgresSource, *, fields: Sequence[Field]
) -> Delivery:
    """This will read the declared columns of a source, and no others, where they lie.

    Rows are sorted, so that the same content is the same delivery. Raises SourceUnavailable,
    SourceDiffers, SourceTooLarge and what the engine refuses.
    """
    columns = tuple(Column(name=one.name, type="VARCHAR") for one in fields)
    with open_source_table(
        connection,
        schema=source.schema_name,
        table=source.table_name,
        columns=columns,
        name="source",
        rows_most=SOURCE_ROWS_MOST,
    ) as table:
        found = read_rows(engine, table)
    rows = sorted(found, key=lambda row: tuple(cell or "" for cell in row))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()
    return Delivery(
        name=f"{source.schema_name}.{source.table_name}",
        content=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        encoding="utf-8",
        rows=tuple(rows),
        numbers=tuple(range(1, len(rows) + 1)),
    )


def read_rows(engine: Engine, table: SourceTable) -> tuple[tuple[str | None, ...], ...]:
    """This will give the rows of a table as texts, None where a cell is empty."""
    cells = ", ".join(f"CAST({_quoted(one.name)} AS VARCHAR)" for one in table.columns)
    limits = Limits(time_ms=300_000, rows=SOURCE_ROWS_MOST, answer_bytes=ANSWER_BYTES_MOST)
    sql = f"SELECT {cells} FROM {_quoted(table.name)}"  # noqa: S608  # quoted names
    answer = engine.query(Job(sql=sql, tables=(table,), limits=limits))
    return tuple(tuple(None if cell is None else str(cell) for cell in row) for row in answer.rows)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _places(name: str, heads: Sequence[str], fields: Sequence[Field]) -> tuple[int, ...]:
    """Where each field stands; a heading is a field's name, or its label where no name fits."""
    by_name = {one.name: one for one in fields}
    by_label = {one.label: one for one in fields}
    found: dict[str, int] = {}
    for place, head in enumerate(heads):
        known = by_name.get(head) or by_label.get(head)
        if known is None or known.name in found:
            raise WrongColumns(table=name, missing=_missing(fields, found), extra=head[:60])
        found[known.name] = place
    if len(found) != len(fields):
        raise WrongColumns(table=name, missing=_missing(fields, found), extra="")
    return tuple(found[one.name] for one in fields)


def _missing(fields: Sequence[Field], found: dict[str, int]) -> str:
    return "、".join(one.name for one in fields if one.name not in found)[:200]


def _cell(text: str, kind: FieldKind) -> str | None:
    if kind is FieldKind.BOOLEAN:
        text = _YES_NO.get(text, text)
    return text or None


def _read_workbook(
    name: str, content: bytes, fields: Sequence[Field], bounds: TableLimits
) -> Delivery:
    if len(content) > bounds.bytes:
        raise TableTooLarge(table=name, most=bounds.bytes, most_mib=bounds.bytes >> 20)
    reading = _sheet(content, fields)
    faults: dict[int, Rejection] = {}
    labels = {one.label: one.name for one in fields}
    for problem in reading.problems:
        row, column = int(problem.parameters["row"] or 0), str(problem.parameters["column"])
        reason = problem.code.rpartition(".")[2]
        known = Rejection(row=row, field=labels.get(column, column), reason=reason, cells=())
        faults.setdefault(row, known)
    if len(reading.problems) >= _PROBLEMS_MOST:
        raise TooManyFaults(table=name, most=_PROBLEMS_MOST)
    if reading.rows and len(reading.rows[0]) != len(fields):
        there = dict.fromkeys(reading.rows[0], 0)
        raise WrongColumns(table=name, missing=_missing(fields, there), extra="")
    rows = tuple(tuple(_sheet_text(row[one.name]) for one in fields) for row in reading.rows)
    if not faults:
        check_size(name, rows, bounds)
    return Delivery(
        name=name,
        content=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        encoding="xlsx",
        rows=rows,
        numbers=reading.numbers,
        faults=tuple(faults.values()),
    )


def _sheet(content: bytes, fields: Sequence[Field]) -> documents.SheetReading:
    def columns(by_label: int) -> tuple[documents.SheetColumn, ...]:
        return tuple(
            documents.SheetColumn(
                name=one.name,
                zh=(one.name, one.label)[by_label],
                kind=_SHEET_KINDS.get(one.kind, documents.CellKind.TEXT),
                scale=DECIMAL_PLACES,
                optional=True,
            )
            for one in fields
        )

    try:
        return documents.read_sheet(content, columns=columns(0))
    except documents.ColumnUnknown:
        return documents.read_sheet(content, columns=columns(1))


def _sheet_text(cell: object) -> str | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = f"{cell:f}" if isinstance(cell, Decimal) else str("" if cell is None else cell)
    return text.strip() or None
