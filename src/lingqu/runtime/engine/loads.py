# SPDX-License-Identifier: Apache-2.0
"""How a delivery becomes a staged Parquet file: strict CSV, rows of a spreadsheet, a query of ours.

Nothing is guessed and nothing is lost: types are declared, a value that does not fit exactly
rejects its record with line and reason, and accepted plus rejected records must be as many as an
independent count of the text finds. The clean case is one pass; only a delivery with a fault is
read again record by record.
"""

from __future__ import annotations

import bisect
import csv
import datetime as dt
import decimal
import hashlib
import io
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lingqu.runtime.engine.jobs import MIB, SourceTable, Value
from lingqu.runtime.engine.libraries import duckdb
from lingqu.runtime.engine.projections import digest_of
from lingqu.runtime.engine.refusals import BadDeclaration, FileChanged, LoadFailed
from lingqu.runtime.engine.tables import STAGING, LoadOutcome, Mode, commit_file
from lingqu.runtime.engine.types import (
    INSTANT,
    INTEGERS,
    Column,
    check_columns,
    decimal_places,
    delta_type,
    literal,
    quoted,
    view_of,
)
from lingqu.runtime.observability import METRICS

Ask = Callable[[str], list[tuple[Any, ...]]]
Summary = Callable[[Ask], bytes]

_REJECTS_MOST = 100_000
_HEADER_LONGEST = 1 * MIB
_LINE_LONGEST = 2 * MIB
_HASH_BLOCK = 64
_REASONS = {
    "CAST": "type", "MISSING COLUMNS": "columns_missing", "TOO MANY COLUMNS": "columns_extra",
    "UNQUOTED VALUE": "quotes", "LINE SIZE OVER MAXIMUM": "too_long",
    "INVALID ENCODING": "encoding", "INVALID STATE": "quotes",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A record that was not loaded. `line` counts records from the heading, which is 1.

    That is the number of the row in a spreadsheet. `record` is its text or its cells; it may hold
    personal data and is not shown.
    """

    line: int
    column: str | None
    reason: str
    record: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityByte:
    """A column 0..62 by which entities are counted without being known: a keyed hash of a column.

    HMAC-SHA-256 under the entity domain's key over the cell in capitals without outer spaces, its
    first 60 bits modulo 63. NULL, and a cell of spaces, is nobody and stays NULL.
    """

    name: str
    source: str
    key: bytes = field(repr=False)

    @property
    def column(self) -> Column:
        """The column as the table stores it."""
        return Column(name=self.name, type="TINYINT")

    def pads(self) -> tuple[Value, Value]:
        """This will give the outer and the inner pad of the keyed hash, to be bound."""
        key = hashlib.sha256(self.key).digest() if len(self.key) > _HASH_BLOCK else self.key
        block = key.ljust(_HASH_BLOCK, b"\0")
        return bytes(byte ^ 0x5C for byte in block), bytes(byte ^ 0x36 for byte in block)

    def sql(self, digest: str = "") -> str:
        """This will write the expression with both pads to be bound, or none given the hash."""
        return f"CAST(CAST('0x' || {digest or self.digest()}[1:15] AS BIGINT) % 63 AS TINYINT)"

    def digest(self) -> str:
        """This will write the keyed hash itself, in hex, with both pads to be bound."""
        text = f"nullif(upper(trim({quoted(self.source)})), '')"
        return f"sha256(?::BLOB || unhex(sha256(?::BLOB || encode({text}))))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A delivery that can be committed: a file nobody sees yet, and what was not accepted."""

    folder: Path
    path: Path
    rows: int
    content: str
    state: bytes
    rejects: tuple[Reject, ...]

    def commit(self, *, load: str, mode: Mode = "append") -> LoadOutcome:
        """This will append what is staged to its table as one load, once per id.

        With `overwrite` it becomes the whole table; older versions stay readable.
        """
        outcome = commit_file(
            self.folder,
            staged=self.path,
            load=load,
            content=self.content,
            state=self.state,
            mode=mode,
        )
        METRICS.engine_loads_total.labels("repeated" if outcome.repeated else "committed").inc()
        return outcome


@contextmanager
def stage_csv(
    folder: Path,
    *,
    delivery: Path,
    columns: tuple[Column, ...],
    entities: tuple[EntityByte, ...] = (),
    summarize: Summary | None = None,
    memory_bytes: int = 1024 * MIB,
) -> Iterator[Staged]:
    """This will read a CSV delivery for the table in `folder`; leaving the block removes the file.

    UTF-8, comma, quotes doubled inside quotes, a heading with exactly the declared names in any
    order. An empty cell is NULL, an empty cell in quotes is an empty text. `summarize` may ask
    `FROM loaded` and gives the quality state. Raises LoadFailed, FileChanged, UnsupportedType or
    BadDeclaration.
    """
    _check(columns, entities)
    with _staging(folder, memory_bytes) as (engine, place):
        counted = _count(delivery)
        source = _Source(delivery, _heading(delivery, columns), columns, entities, place)
        rejects: tuple[Reject, ...] = ()
        try:
            rows = source.load_clean(engine)
        except duckdb.Error:
            rows, rejects = source.load_dirty(engine, counted)
        if rows + len({reject.line for reject in rejects}) != counted.records - 1:
            raise LoadFailed(reason="count")
        yield Staged(
            folder=folder,
            path=place,
            rows=rows,
            content=counted.digest,
            state=_summary(engine, place, summarize),
            rejects=rejects,
        )


@contextmanager
def stage_rows(
    folder: Path,
    *,
    rows: Iterable[Sequence[Value]],
    columns: tuple[Column, ...],
    entities: tuple[EntityByte, ...] = (),
    summarize: Summary | None = None,
) -> Iterator[Staged]:
    """This will take rows, as of a spreadsheet, by the same strict rules as a CSV delivery.

    Cells may be texts, numbers, dates or None. Raises what `stage_csv` raises.
    """
    (folder / STAGING).mkdir(mode=0o700, parents=True, exist_ok=True)
    delivery = folder / STAGING / f"{uuid.uuid4().hex}.csv"
    try:
        with delivery.open("x", encoding="utf-8", newline="") as stream:
            stream.write(_line([column.name for column in columns]))
            for row in rows:
                stream.write(_line(row))
        with stage_csv(
            folder, delivery=delivery, columns=columns, entities=entities, summarize=summarize
        ) as staged:
            yield staged
    except UnicodeEncodeError:
        raise LoadFailed(reason="encoding") from None
    finally:
        delivery.unlink(missing_ok=True)


def convert_csv(delivery: Path, *, columns: tuple[Column, ...], place: Path) -> int:
    """This will write a CSV of ours as Parquet and give its rows. Raises LoadFailed."""
    counted = _count(delivery)
    source = _Source(delivery, _heading(delivery, columns), columns, (), place)
    with duckdb.connect(":memory:") as engine:
        try:
            engine.execute("SET TimeZone='UTC'")
            rows = source.load_clean(engine)
        except duckdb.Error as error:
            raise LoadFailed(reason="type") from error
    if rows != counted.records - 1:
        raise LoadFailed(reason="count")
    return rows


@contextmanager
def stage_query(
    folder: Path,
    *,
    sql: str,
    tables: tuple[SourceTable, ...],
    columns: tuple[Column, ...],
    values: tuple[Value, ...] = (),
    summarize: Summary | None = None,
    memory_bytes: int = 1024 * MIB,
) -> Iterator[Staged]:
    """This will stage what a query of our own gives over table files; never a stranger's SQL.

    Each file is checked against its digest first. Raises FileChanged or LoadFailed.
    """
    _check(columns, ())
    with _staging(folder, memory_bytes) as (engine, place):
        content = hashlib.sha256(repr((sql, values)).encode("utf-8"))
        try:
            for table in tables:
                for file in table.files:
                    if digest_of(file.path) != file.digest:
                        raise FileChanged(file=file.path.name)
                    content.update(file.digest.encode("ascii"))
                columns_of = [(column.name, column.type) for column in table.columns]
                paths = [str(file.path) for file in table.files]
                engine.execute(view_of(table.name, columns_of, paths))
            cells = ", ".join(
                f"CAST({quoted(column.name)} AS {column.type}) AS {quoted(column.name)}"
                for column in columns
            )
            query = f"SELECT {cells} FROM ({sql}\n)"  # noqa: S608  # our own SQL and quoted names
            rows = _copy(engine, query, place, values)
        except duckdb.Error as error:
            raise LoadFailed(reason="query") from error
        yield Staged(
            folder=folder,
            path=place,
            rows=rows,
            content=content.hexdigest(),
            state=_summary(engine, place, summarize),
            rejects=(),
        )


def _check(columns: tuple[Column, ...], entities: tuple[EntityByte, ...]) -> None:
    check_columns((*columns, *(one.column for one in entities)))
    names = {column.name for column in columns}
    for column in columns:
        delta_type(column)
    for one in entities:
        if one.source not in names or not one.key:
            raise BadDeclaration(what="entity", given=one.name)


@contextmanager
def _staging(folder: Path, memory: int) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """An engine of its own and the place for the file; both are gone afterwards."""
    staging = folder / STAGING
    staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = staging / f"{uuid.uuid4().hex}.parquet"
    try:
        with duckdb.connect(":memory:") as engine:
            for statement in (
                "SET autoinstall_known_extensions=false",
                "SET autoload_known_extensions=false",
                "SET python_enable_replacements=false",
                f"SET memory_limit='{memory // 1024}KiB'",
                f"SET temp_directory={literal(str(staging))}",
                "SET TimeZone='UTC'",
            ):
                engine.execute(statement)
            yield engine, place
    finally:
        place.unlink(missing_ok=True)


def _copy(
    engine: duckdb.DuckDBPyConnection, query: str, place: Path, values: Sequence[Value] = ()
) -> int:
    done = engine.execute(
        f"COPY ({query}) TO {literal(str(place))} (FORMAT parquet, COMPRESSION zstd)", list(values)
    ).fetchone()
    assert done is not None
    return int(done[0])


def _summary(engine: duckdb.DuckDBPyConnection, place: Path, summarize: Summary | None) -> bytes:
    if summarize is None:
        return b""
    engine.execute(
        f"CREATE OR REPLACE VIEW loaded AS SELECT * FROM read_parquet({literal(str(place))})"  # noqa: S608  # our own path
    )
    return summarize(lambda sql: engine.execute(sql).fetchall())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What an independent look at the text found: digest, records with heading, blank lines."""

    digest: str
    records: int
    blank: tuple[int, ...]


def _count(delivery: Path) -> _Counted:
    """Count line ends outside quotes. A doubled quote opens and closes, so it changes nothing."""
    digest = hashlib.sha256()
    ends, quotes_open, blank, before = 0, False, [], b"\n"
    try:
        with delivery.open("rb") as stream:
            while block := stream.read(4 * MIB):
                digest.update(block)
                parts = block.split(b'"') if quotes_open or b'"' in block else (block,)
                for number, part in enumerate(parts):
                    if number:
                        quotes_open, before = not quotes_open, b'"'
                    if not quotes_open and part:
                        blank += [ends + one for one in _blank_lines(before, part)]
                        ends += part.count(b"\n")
                    if part:
                        before = (before + part[-2:])[-2:]
    except OSError as error:
        raise FileChanged(file=delivery.name) from error
    if not before.endswith(b"\n") or quotes_open:
        ends += 1
    return _Counted(digest=digest.hexdigest(), records=ends - len(blank), blank=tuple(blank))


def _blank_lines(before: bytes, part: bytes) -> list[int]:
    """The numbers, from the first line end of the part, of lines in which nothing stands."""
    patterns = [b"\n\n", *([b"\n\r\n"] if b"\r" in part or b"\r" in before else [])]
    edge = before + part[:2]
    if not any(pattern in part or pattern in edge for pattern in patterns):
        return []
    found, text, kept = [], before + part, len(before)
    for pattern in patterns:
        at = text.find(pattern)
        while at >= 0:
            if at + len(pattern) > kept:
                found.append(text.count(b"\n", kept, at + len(pattern)))
            at = text.find(pattern, at + len(pattern) - 1)
    return sorted(found)


def _heading(delivery: Path, columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The names in the file, in its order: exactly the declared ones."""
    try:
        with delivery.open("rb") as stream:
            text = stream.read(_HEADER_LONGEST).decode("utf-8-sig", "replace")
    except OSError as error:
        raise FileChanged(file=delivery.name) from error
    try:
        heading = next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
    except csv.Error:
        raise LoadFailed(reason="heading") from None
    if sorted(heading) != sorted(column.name for column in columns):
        raise LoadFailed(reason="heading")
    return tuple(heading)


class _Source:
    """One delivery, and the two ways to read it."""

    def __init__(
        self,
        delivery: Path,
        heading: tuple[str, ...],
        columns: tuple[Column, ...],
        entities: tuple[EntityByte, ...],
        place: Path,
    ) -> None:
        self._delivery, self._heading, self._place = delivery, heading, place
        self._columns, self._entities = columns, entities

    def load_clean(self, engine: duckdb.DuckDBPyConnection) -> int:
        """Read in one pass; any fault at all is an error of the engine's."""
        cells = [
            f"CASE WHEN {_fits(column, number)} THEN {_read_as(number)} ELSE error('') END"
            f" AS {quoted(column.name)}"
            for number, column in enumerate(self._columns)
        ]
        return self._write(engine, cells, self._cast_from(self._reading("")))

    def load_dirty(
        self, engine: duckdb.DuckDBPyConnection, counted: _Counted
    ) -> tuple[int, tuple[Reject, ...]]:
        """Read into a table, keep the records that fit, and say of every other what is wrong."""
        self._place.unlink(missing_ok=True)
        rejects = ", store_rejects=true, rejects_limit=0"
        reading = self._reading(rejects)
        try:
            engine.execute(
                f"CREATE TEMP TABLE raw AS SELECT row_number() OVER () AS {_NUMBER}, *"  # noqa: S608  # quoted names and our own path
                f" FROM {reading}"
            )
            structural = engine.execute(_STRUCTURAL).fetchall()
            cells = [
                f"{_read_as(number)} AS {quoted(column.name)}"
                for number, column in enumerate(self._columns)
            ]
            fits = " AND ".join(f"({_fits(one, at)})" for at, one in enumerate(self._columns))
            rows = self._write(engine, cells, f"{self._cast_from('raw')} WHERE {fits}")
            wrong = self._wrong(engine)
        except duckdb.Error as error:
            raise LoadFailed(reason="unreadable") from error
        if len(structural) + len(wrong) > _REJECTS_MOST:
            raise LoadFailed(reason="too_many_rejects")
        found = [
            Reject(
                line=line, column=column, reason=_REASONS.get(kind, "quotes"), record=_bare(text)
            )
            for line, kind, column, text in structural
        ]
        gone = sorted({reject.line for reject in found} | set(counted.blank))
        found += [
            Reject(line=_line_of(number, gone), column=column, reason="type", record=_line(cells))
            for number, column, cells in wrong
        ]
        return rows, tuple(sorted(found, key=lambda reject: (reject.line, reject.column or "")))

    def _wrong(
        self, engine: duckdb.DuckDBPyConnection
    ) -> list[tuple[int, str, tuple[str | None, ...]]]:
        """Number, first column that does not fit, and cells of each record that was left out."""
        first = " ".join(
            f"WHEN NOT ({_fits(column, number)}) THEN {number}"
            for number, column in enumerate(self._columns)
        )
        every = ", ".join(quoted(column.name) for column in self._columns)
        rows = engine.execute(
            f"SELECT * FROM (SELECT CASE {first} END AS {_FAULT}, {_NUMBER}, {every}"  # noqa: S608  # quoted names
            f" FROM {self._cast_from('raw')}) WHERE {_FAULT} IS NOT NULL"
            f" ORDER BY {_NUMBER} LIMIT {_REJECTS_MOST + 1}"
        ).fetchall()
        return [(row[1], self._columns[row[0]].name, tuple(row[2:])) for row in rows]

    def _cast_from(self, source: str) -> str:
        """The source with what is read of each cell beside the cell: each is cast once."""
        cast = ", ".join(
            f"{_cast(column)} AS {_read_as(number)}" for number, column in enumerate(self._columns)
        )
        return f"(SELECT *, {cast} FROM {source})"  # noqa: S608  # quoted names

    def _write(self, engine: duckdb.DuckDBPyConnection, cells: list[str], source: str) -> int:
        computed = [f"{one.sql()} AS {quoted(one.name)}" for one in self._entities]
        pads = [pad for one in self._entities for pad in one.pads()]
        query = f"SELECT {', '.join([*cells, *computed])} FROM {source}"  # noqa: S608  # quoted names
        return _copy(engine, query, self._place, pads)

    def _reading(self, options: str) -> str:
        names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self._heading)
        return (
            f"read_csv({literal(str(self._delivery))}, auto_detect=false, header=true, delim=',',"
            f" quote='\"', escape='\"', columns={{{names}}}, nullstr='', allow_quoted_nulls=false,"
            f" strict_mode=true, max_line_size={_LINE_LONGEST}{options})"
        )


_NUMBER, _FAULT = '"#number"', '"#fault"'
_STRUCTURAL = """
SELECT line, first(error_type::VARCHAR ORDER BY column_idx), first(column_name ORDER BY column_idx),
       first(csv_line ORDER BY column_idx)
FROM reject_errors GROUP BY line ORDER BY line LIMIT 100001
"""


def _bare(text: str | None) -> str:
    """The record alone: the engine tells it with the blank lines before it."""
    return (text or "").strip("\r\n")


def _line_of(number: int, gone: list[int]) -> int:
    """The line of the n-th accepted record, when these lines are none: the heading is line 1."""
    line = number + 1
    while True:
        shifted = number + 1 + bisect.bisect_right(gone, line)
        if shifted == line:
            return line
        line = shifted


def _cast(column: Column) -> str:
    """The expression that reads a cell, NULL where it is no value of the type."""
    name = quoted(column.name)
    if column.type == "VARCHAR":
        return name
    if column.type == "BLOB":
        return (
            f"CASE WHEN regexp_full_match({name}, '{_PATTERNS['BLOB']}') THEN from_hex({name}) END"
        )
    if column.type == "DOUBLE":
        number = f"TRY_CAST({name} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    return f"TRY_CAST({name} AS {column.type})"


def _read_as(number: int) -> str:
    return f'"#{number}"'


def _fits(column: Column, number: int) -> str:
    """The condition under which a cell is exactly what was read of it, or NULL.

    The engine's own casts round, trim and read exponents; a register must not change by loading.
    Most cells are written as the engine would write them, which is the quick way to know.
    """
    name, value = quoted(column.name), _read_as(number)
    if column.type == "VARCHAR":
        return "true"
    same = f"coalesce(CAST({value} AS VARCHAR) = {name}, false)"
    if column.type == "DATE":
        return f"{name} IS NULL OR ({same} AND strlen({name}) = 10)"
    if column.type in INTEGERS:
        pattern = "[+-]?[0-9]+"
    elif places := decimal_places(column.type):
        pattern = f"[+-]?[0-9]+([.][0-9]{{1,{places[1]}}})?" if places[1] else "[+-]?[0-9]+"
    else:
        pattern, same = _PATTERNS[column.type], "false"
    exact = f"{value} IS NOT NULL AND regexp_full_match({name}, '{pattern}')"
    return f"{name} IS NULL OR {same} OR ({exact})"


_PATTERNS = {
    "BOOLEAN": "true|false",
    "DOUBLE": "[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{1,3})?",
    INSTANT: (
        "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
        "(Z|[+-][0-9]{2}(:[0-9]{2})?)"
    ),
    "BLOB": "([0-9a-fA-F]{2})*",
}


def _line(cells: Iterable[Value]) -> str:
    """One record as strict CSV: NULL is nothing, every other cell stands in quotes."""
    return ",".join(_cell(cell) for cell in cells) + "\n"


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, bytes):
        text = value.hex()
    elif isinstance(value, dt.date):
        text = value.isoformat()
    elif isinstance(value, decimal.Decimal):
        text = format(value, "f")
    else:
        text = str(value)
    return '"' + text.replace('"', '""') + '"'
