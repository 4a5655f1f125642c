# SPDX-License-Identifier: Apache-2.0
"""Delta tables of immutable Parquet files: created, appended to atomically, read at any version.

DuckDB writes the file, delta-rs commits it. The entry of the commit carries the load, the digest of
what was delivered and the quality state, so what a load did can be read back from the table alone.
A crash before the commit leaves a file nobody lists, which `sweep_orphans` removes.
"""

from __future__ import annotations

import base64
import contextlib
import decimal
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from lingqu.runtime.engine.jobs import SourceFile
from lingqu.runtime.engine.libraries import delta_actions, delta_errors, deltalake, duckdb
from lingqu.runtime.engine.projections import digest_of
from lingqu.runtime.engine.refusals import (
    FileChanged,
    LoadConflict,
    LoadDiffers,
    SchemaDiffers,
    TableMissing,
)
from lingqu.runtime.engine.types import (
    INTEGERS,
    Column,
    check_columns,
    decimal_places,
    delta_type,
    engine_type,
    literal,
)

LOAD_KEY, CONTENT_KEY = "lingqu.load", "lingqu.content"
DIGEST_KEY, STATE_KEY = "lingqu.digest", "lingqu.state"
Mode = Literal["append", "overwrite"]

_ATTEMPTS = 20
_LOG = "_delta_log"
_PART = "part-"
STAGING = ".staging"
# Every version stays readable: nothing of the log is ever cleaned up behind our back.
_CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRange:
    """The least and greatest value of a column in a file as text, and how many cells are NULL."""

    column: str
    least: str | None
    greatest: str | None
    nulls: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFile:
    """One file of a table with all that can be said of it without reading its rows again.

    `content` is the digest of what was delivered; `state` is what the caller computed over the
    rows when they were loaded.
    """

    path: Path
    digest: str
    size_bytes: int
    rows: int
    load: str
    content: str
    state: bytes
    ranges: tuple[ColumnRange, ...]

    def as_source(self) -> SourceFile:
        """This will declare the file for a job."""
        return SourceFile(path=self.path, digest=self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOutcome:
    """What a load did: the version it made, its file, and whether it had been done before."""

    version: int
    file: TableFile | None
    repeated: bool


def create_table(folder: Path, *, columns: tuple[Column, ...], name: str = "") -> int:
    """This will create an empty table and give its version, also when it is there already.

    Raises SchemaDiffers when a table with other columns is there, UnsupportedType or
    BadDeclaration.
    """
    schema = _schema(check_columns(columns))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(delta_errors.CommitFailedError):
        delta_actions.create_table_with_add_actions(
            str(folder),
            schema,
            [],
            mode="ignore",
            name=name or None,
            configuration=_CONFIGURATION,
        )
    table = _open(folder)
    if _columns(table) != columns:
        raise SchemaDiffers
    _sync_log(folder, table.version())
    return table.version()


def get_columns(folder: Path, *, version: int | None = None) -> tuple[Column, ...]:
    """This will give the columns of a table. Raises TableMissing."""
    return _columns(_open(folder, version))


def get_version(folder: Path) -> int:
    """This will give the newest version of a table. Raises TableMissing."""
    return _open(folder).version()


def find_files(folder: Path, *, version: int | None = None) -> tuple[TableFile, ...]:
    """This will list the files of a table at a version, the newest by default, by name.

    Digests are those of the commits; `check_file` reads the bytes, and so does every job before it
    takes a copy. Raises TableMissing or FileChanged.
    """
    table = _open(folder, version)
    columns, entries = _columns(table), _entries(folder)
    return tuple(_file(path, columns, entries[path.name]) for path in _paths(table))


def check_file(file: TableFile) -> None:
    """This will read a file again. Raises FileChanged when it is not what its digest says."""
    if digest_of(file.path) != file.digest:
        raise FileChanged(file=file.path.name)


def find_load(folder: Path, *, load: str) -> LoadOutcome | None:
    """This will tell what a load of this id committed; None when it never did.

    The file is None when the load brought no row.
    """
    found = _find_commit(folder, load)
    if found is None:
        return None
    entry, names = found
    columns = get_columns(folder)
    file = _file(folder / names[0], columns, entry) if names else None
    return LoadOutcome(version=entry.version, file=file, repeated=True)


def _find_commit(folder: Path, load: str) -> tuple[_Entry, tuple[str, ...]] | None:
    """The commit of a load and what it added; the newest is looked at first."""
    if _open(folder).transaction_version(load) is None:
        return None
    places = sorted((folder / _LOG).glob("*.json"), reverse=True)
    return next((one for one in map(_read_commit, places) if one[0].load == load), None)


def commit_file(
    folder: Path,
    *,
    staged: Path,
    load: str,
    content: str,
    state: bytes = b"",
    mode: Mode = "append",
) -> LoadOutcome:
    """This will append a staged Parquet file as one load, or make it the whole table.

    Atomic and durable: after a crash the load is there as a whole or not at all. The same load id
    with the same content again changes nothing and tells what was done; with other content it
    raises LoadDiffers. Raises SchemaDiffers, TableMissing, FileChanged, or LoadConflict when
    others keep winning.
    """
    columns = get_columns(folder)
    _refuse_other_columns(staged, columns)
    entry = _Entry(load=load, content=content, state=state, digest=digest_of(staged), version=0)
    described = _file(staged, columns, entry)
    for attempt in range(_ATTEMPTS):
        table = _open(folder)
        done = _find_commit(folder, load)
        if done is not None:
            if done[0].content != content:
                raise LoadDiffers
            break
        path = _publish(folder, staged, described)
        try:
            _commit(table, path, described, mode)
        except delta_errors.CommitFailedError:
            time.sleep(0.005 * (attempt + 1))
            continue
        break
    else:
        raise LoadConflict(attempts=_ATTEMPTS)
    made = find_load(folder, load=load)
    assert made is not None
    _sync_log(folder, made.version)
    return replace(made, repeated=done is not None)


def _publish(folder: Path, staged: Path, described: TableFile) -> Path | None:
    """Give the file its name in the table, on disk before any commit names it."""
    if not described.rows:
        return None
    # Two loads may bring the same bytes, and a table must list a path once.
    load = hashlib.sha256(described.load.encode("utf-8")).hexdigest()[:16]
    path = folder / f"{_PART}{described.digest}-{load}.parquet"
    staged.chmod(0o444)
    _sync(staged)
    with contextlib.suppress(FileExistsError):
        os.link(staged, path)
    _sync(folder)
    return path


def _commit(
    table: deltalake.DeltaTable,
    path: Path | None,
    described: TableFile,
    mode: Mode,
) -> None:
    actions: list[Any] = []
    if path is not None:
        stats = json.dumps(_stats(described, _columns(table)), ensure_ascii=False)
        actions.append(
            delta_actions.AddAction(
                path=path.name,
                size=described.size_bytes,
                partition_values={},
                modification_time=int(path.stat().st_mtime * 1000),
                data_change=True,
                stats=stats,
            )
        )
    told = {
        LOAD_KEY: described.load,
        CONTENT_KEY: described.content,
        DIGEST_KEY: described.digest,
        STATE_KEY: base64.b64encode(described.state).decode("ascii"),
    }
    table.create_write_transaction(
        actions,
        mode,
        table.schema(),
        commit_properties=deltalake.CommitProperties(
            custom_metadata=told,
            app_transactions=[deltalake.Transaction(described.load, 1)],
            max_commit_retries=0,
        ),
        post_commithook_properties=delta_actions.PostCommitHookProperties(
            cleanup_expired_logs=False
        ),
    )


def sweep_orphans(folder: Path, *, older_than_seconds: int) -> tuple[str, ...]:
    """This will remove files that no version of the table names, and give their names.

    Files that only an old version names stay: every version remains readable. The age keeps a
    load that is being committed right now out of it. Raises TableMissing.
    """
    table = _open(folder)
    named = {path.name for path in _paths(table)} | _entries(folder).keys()
    removed = []
    left_over = [*folder.glob(f"{_PART}*.parquet"), *(folder / STAGING).glob("*")]
    for path in sorted(left_over):
        if path.is_dir() or path.name in named:
            continue
        if time.time() - path.stat().st_mtime > older_than_seconds:
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return tuple(removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What the entry of a commit says about the file it added."""

    load: str
    content: str
    digest: str
    state: bytes
    version: int


def _entries(folder: Path) -> dict[str, _Entry]:
    """Every file that any version ever listed, by name, with what its commit said."""
    commits = map(_read_commit, (folder / _LOG).glob("*.json"))
    return {name: entry for entry, names in commits for name in names}


def _read_commit(place: Path) -> tuple[_Entry, tuple[str, ...]]:
    actions = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    infos = [action["commitInfo"] for action in actions if "commitInfo" in action]
    said = infos[0] if infos else {}
    entry = _Entry(
        load=said.get(LOAD_KEY, ""),
        content=said.get(CONTENT_KEY, ""),
        digest=said.get(DIGEST_KEY, ""),
        state=base64.b64decode(said.get(STATE_KEY, "")),
        version=int(place.stem),
    )
    return entry, tuple(unquote(action["add"]["path"]) for action in actions if "add" in action)


def _open(folder: Path, version: int | None = None) -> deltalake.DeltaTable:
    try:
        return deltalake.DeltaTable(str(folder), version=version)
    except (
        delta_errors.TableNotFoundError,
        delta_errors.DeltaError,
        OSError,
        OverflowError,
    ) as error:
        raise TableMissing(table=folder.name, version=version) from error


def _schema(columns: tuple[Column, ...]) -> deltalake.Schema:
    fields = [
        {"name": column.name, "type": delta_type(column), "nullable": True, "metadata": {}}
        for column in columns
    ]
    return deltalake.Schema.from_json(json.dumps({"type": "struct", "fields": fields}))


def _columns(table: deltalake.DeltaTable) -> tuple[Column, ...]:
    fields = json.loads(table.schema().to_json())["fields"]
    return tuple(
        Column(name=field["name"], type=engine_type(str(field["type"]))) for field in fields
    )


def _paths(table: deltalake.DeltaTable) -> tuple[Path, ...]:
    return tuple(sorted(Path(unquote(uri.removeprefix("file://"))) for uri in table.file_uris()))


def _refuse_other_columns(staged: Path, columns: tuple[Column, ...]) -> None:
    with _reader() as engine:
        sql = f"DESCRIBE SELECT * FROM read_parquet({literal(str(staged))})"  # noqa: S608  # our own path
        found = [(str(row[0]), str(row[1])) for row in engine.execute(sql).fetchall()]
    if found != [(column.name, column.type) for column in columns]:
        raise SchemaDiffers


@cache
def _footers() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:", config={"threads": 1, "async_threads": 1})


def _reader() -> duckdb.DuckDBPyConnection:
    """A cursor of the one engine that reads footers; starting another costs more than reading."""
    return _footers().cursor()


_FOOTER = """
SELECT path_in_schema, stats_min_value, stats_max_value, stats_null_count
FROM parquet_metadata(?)
"""


def _file(path: Path, columns: tuple[Column, ...], entry: _Entry) -> TableFile:
    try:
        size = path.stat().st_size
        with _reader() as engine:
            counted = engine.execute(
                "SELECT num_rows FROM parquet_file_metadata(?)", [str(path)]
            ).fetchone()
            footer = engine.execute(_FOOTER, [str(path)]).fetchall()
    except (duckdb.Error, OSError) as error:
        raise FileChanged(file=path.name) from error
    return TableFile(
        path=path,
        digest=entry.digest,
        size_bytes=size,
        rows=int(counted[0]) if counted else 0,
        load=entry.load,
        content=entry.content,
        state=entry.state,
        ranges=tuple(_range(column, footer) for column in columns),
    )


def _range(column: Column, footer: list[tuple[Any, ...]]) -> ColumnRange:
    groups = [row for row in footer if row[0] == column.name]
    order = _order_of(column)
    least = [str(row[1]) for row in groups if row[1] is not None]
    greatest = [str(row[2]) for row in groups if row[2] is not None]
    nulls = [row[3] for row in groups]
    return ColumnRange(
        column=column.name,
        least=min(least, key=order) if least and order else None,
        greatest=max(greatest, key=order) if greatest and order else None,
        nulls=None if None in nulls else sum(nulls),
    )


def _order_of(column: Column) -> Callable[[str], Any] | None:
    """How the texts of a footer compare; None where a range would say nothing."""
    if column.type in INTEGERS:
        return int
    if decimal_places(column.type):
        return decimal.Decimal
    return str if column.type == "DATE" else None


def _stats(described: TableFile, columns: tuple[Column, ...]) -> dict[str, Any]:
    """The statistics by which other readers of the table leave files out."""
    integers = {column.name for column in columns if column.type in INTEGERS}
    dates = {column.name for column in columns if column.type == "DATE"}
    least: dict[str, int | str] = {}
    greatest: dict[str, int | str] = {}
    for entry in described.ranges:
        if entry.least is None or entry.greatest is None:
            continue
        if entry.column in integers:
            least[entry.column], greatest[entry.column] = int(entry.least), int(entry.greatest)
        elif entry.column in dates:
            least[entry.column], greatest[entry.column] = entry.least, entry.greatest
    nulls = {entry.column: entry.nulls for entry in described.ranges if entry.nulls is not None}
    return {
        "numRecords": described.rows,
        "minValues": least,
        "maxValues": greatest,
        "nullCount": nulls,
    }


def _sync_log(folder: Path, version: int) -> None:
    """Have the commit survive a loss of power: the entry and the folder that names it."""
    with contextlib.suppress(FileNotFoundError):
        _sync(folder / _LOG / f"{version:020d}.json")
    _sync(folder / _LOG)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
