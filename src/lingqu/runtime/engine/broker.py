# SPDX-License-Identifier: Apache-2.0
"""The broker of logical sources 逻辑接入: permitted columns of a PostgreSQL table, for one job.

The credential stays here and never reaches a worker. What is asked of the source is written from
names the source's own catalog gave, in a read-only transaction with a deadline, and bounded in
rows and bytes. What comes is typed strictly and becomes a file like any other.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import conninfo as pg_conninfo
from psycopg import sql

from lingqu.runtime.engine.jobs import MIB, SourceFile, SourceTable
from lingqu.runtime.engine.loads import convert_csv
from lingqu.runtime.engine.projections import digest_of
from lingqu.runtime.engine.refusals import (
    LoadFailed,
    SourceDiffers,
    SourceTooLarge,
    SourceUnavailable,
)
from lingqu.runtime.engine.types import Column, check_columns, check_name, known_type

_CONNECT_SECONDS = 10

_CATALOG = """
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       has_column_privilege(c.oid, a.attnum, 'SELECT')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY a.attnum
"""
_KNOWN = {
    "boolean": "BOOLEAN", "smallint": "SMALLINT", "integer": "INTEGER", "bigint": "BIGINT",
    "double precision": "DOUBLE", "date": "DATE", "timestamp with time zone": "INSTANT",
    "text": "VARCHAR", "bytea": "BLOB",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSource:
    """A PostgreSQL database that data is read from where it lies, and how long it may take."""

    conninfo: str = field(repr=False)
    timeout_ms: int = 60_000


def find_source_columns(source: PostgresSource, *, schema: str, table: str) -> tuple[Column, ...]:
    """This will give the columns of a source's table that we may read, with types we carry.

    Types we do not know come as VARCHAR. Raises SourceUnavailable or SourceDiffers.
    """
    with _refusals(), _connected(source) as connection:
        rows = connection.execute(_CATALOG, (schema, table)).fetchall()
    if not rows:
        raise SourceDiffers(what="table")
    return tuple(Column(name=row[2], type=_type_of(row[3])) for row in rows if row[4])


@contextmanager
def open_source_table(
    source: PostgresSource,
    *,
    schema: str,
    table: str,
    columns: tuple[Column, ...],
    name: str,
    rows_most: int,
    bytes_most: int = 1024 * MIB,
) -> Iterator[SourceTable]:
    """This will fetch the permitted columns of a table and declare them under `name` for a job.

    Leaving the block removes the copy. Raises SourceUnavailable, SourceDiffers (no such table or
    column, or a cell that is not of the declared type) or SourceTooLarge.
    """
    check_columns(columns)
    folder = Path(tempfile.mkdtemp(prefix="lingqu-source-"))
    try:
        delivery, place = folder / "source.csv", folder / "source.parquet"
        with _refusals(), _connected(source) as connection:
            found = connection.execute(_CATALOG, (schema, table)).fetchall()
            query = _query(found, columns, rows_most)
            _copy(connection, query, delivery, bytes_most)
        try:
            rows = convert_csv(delivery, columns=columns, place=place)
        except LoadFailed as error:
            raise SourceDiffers(what="type") from error
        delivery.unlink()
        if rows > rows_most:
            raise SourceTooLarge(rows=rows_most)
        file = SourceFile(path=place, digest=digest_of(place))
        yield SourceTable(name=name, columns=columns, files=(file,))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _query(
    found: list[tuple[str, str, str, str, bool]], columns: tuple[Column, ...], rows_most: int
) -> sql.Composed:
    """The statement, written from what the catalog said and from nothing else."""
    if not found:
        raise SourceDiffers(what="table")
    there = {row[2]: row for row in found if row[4]}
    cells = []
    for column in columns:
        row = there.get(column.name)
        if row is None:
            raise SourceDiffers(what="column")
        own = sql.Identifier(row[2])
        if row[3] == "bytea":
            cells.append(sql.SQL("encode({}, 'hex') AS {}").format(own, own))
        else:
            cells.append(sql.SQL("{}::text AS {}").format(own, own))
    return sql.SQL(
        "COPY (SELECT {} FROM {} LIMIT {}) TO STDOUT (FORMAT csv, HEADER true, FORCE_QUOTE *)"
    ).format(
        sql.SQL(", ").join(cells),
        sql.Identifier(found[0][0], found[0][1]),
        sql.Literal(rows_most + 1),
    )


def _copy(
    connection: psycopg.Connection, query: sql.Composed, place: Path, bytes_most: int
) -> None:
    written = 0
    with place.open("xb") as stream, connection.cursor() as cursor, cursor.copy(query) as copy:
        for block in copy:
            written += len(block)
            if written > bytes_most:
                raise SourceTooLarge(rows=None)
            stream.write(block)


@contextmanager
def _connected(source: PostgresSource) -> Iterator[psycopg.Connection]:
    options = (
        f"-c statement_timeout={source.timeout_ms} -c default_transaction_read_only=on"
        " -c timezone=UTC -c datestyle=ISO -c extra_float_digits=1 -c bytea_output=hex"
        " -c client_encoding=UTF8 -c search_path=pg_catalog"
    )
    info = pg_conninfo.make_conninfo(
        source.conninfo, options=options, connect_timeout=_CONNECT_SECONDS
    )
    connection = psycopg.connect(info)
    try:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection
    finally:
        with contextlib.suppress(psycopg.Error):
            connection.close()


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        # The words of a database quote rows; its state does not.
        raise SourceUnavailable(state=error.sqlstate or type(error).__name__) from error


def _type_of(written: str) -> str:
    known = _KNOWN.get(written)
    if known is None and written.startswith("numeric("):
        known = written.replace("numeric", "DECIMAL")
    return known_type(known or "VARCHAR", column=check_name(written))
