# SPDX-License-Identifier: Apache-2.0
"""The inside of a worker: it starts a locked engine, takes one job, streams the answer, and ends.

It runs whatever SQL it is given, because it must not matter what that is: it holds no credential
and no writable path, sees the permitted columns of its own job only, and is killed at any moment.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from typing import Any

import duckdb

from lingqu.runtime.engine import frames
from lingqu.runtime.engine.confinement import Walls, address_space, enter, limit_job
from lingqu.runtime.engine.frames import HEAD
from lingqu.runtime.engine.jobs import FILES_MOST, MIB, Value
from lingqu.runtime.engine.types import INSTANT, literal, view_of

SLOT = 100
"""The descriptor of a job's first file; the others follow it."""

_BATCH_ROWS = 2048
_BATCH_BYTES = 1 * MIB
_PROGRESS_SECONDS = 0.2
_FDS_AT_ONCE = 200
_TEXT_LONGEST = 300
_SPEAKING = ("ParserException", "BinderException", "CatalogException")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "async_threads": 2}
_SWITCHED_OFF = (
    "SET autoinstall_known_extensions=false",
    "SET autoload_known_extensions=false",
    "SET allow_community_extensions=false",
    "SET python_enable_replacements=false",
    "SET allow_persistent_secrets=false",
    "SET enable_external_file_cache=false",
    "SET temp_directory=''",
    "SET TimeZone='UTC'",
)


def run_worker(connection: socket.socket, walls: Walls, *, parent: int) -> None:
    """This will be a worker's whole life; it never returns."""
    code = 1
    try:
        engine, used = _start(connection, walls, parent)
        code = _serve(connection, engine, used)
    finally:
        os._exit(code)


def _start(
    connection: socket.socket, walls: Walls, parent: int
) -> tuple[duckdb.DuckDBPyConnection, int]:
    """Go inside and start the engine there. A reason not to is told: it holds no data yet."""
    try:
        used = address_space()
        enter(walls, parent=parent)
        engine = duckdb.connect(":memory:", config=_CONFIG)
        for statement in _SWITCHED_OFF:
            engine.execute(statement)
        engine.execute("SELECT sum(range) FROM range(10)").fetchall()
    except (OSError, ValueError, duckdb.Error) as error:
        body = {"kind": type(error).__name__, "text": str(error)[:_TEXT_LONGEST]}
        connection.sendall(frames.pack(frames.ERROR, body))
        raise
    connection.sendall(frames.pack(frames.READY, {}))
    return engine, used


def _serve(connection: socket.socket, engine: duckdb.DuckDBPyConnection, used: int) -> int:
    received = _receive(connection)
    if received is None:
        return 0
    job, descriptors = received
    connection.sendall(frames.pack(frames.ACCEPTED, {}))
    try:
        _prepare(engine, job, descriptors, used)
        _answer(connection, engine, job)
    except (OSError, frames.Broken):
        return 1
    except Exception as error:  # noqa: BLE001  # whatever the engine raises becomes one answer
        text = str(error)[:_TEXT_LONGEST] if type(error).__name__ in _SPEAKING else ""
        body = {"kind": type(error).__name__, "text": text}
        connection.sendall(frames.pack(frames.ERROR, body))
    return 0


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The job's frame and the files that travel with it; None when the platform is gone."""
    descriptors: list[int] = []
    received = b""
    wanted = HEAD.size
    while len(received) < wanted or not _complete(received, descriptors):
        data, fds, _, _ = socket.recv_fds(connection, MIB, _FDS_AT_ONCE)
        if not data:
            return None
        received += data
        descriptors += fds
        if len(received) >= HEAD.size:
            wanted = HEAD.size + HEAD.unpack_from(received)[0]
    return frames.unpack(received[HEAD.size :]), descriptors


def _complete(received: bytes, descriptors: list[int]) -> bool:
    files = sum(table["files"] for table in frames.unpack(received[HEAD.size :])["tables"])
    return len(descriptors) >= int(files)


def _prepare(
    engine: duckdb.DuckDBPyConnection, job: dict[str, Any], descriptors: list[int], used: int
) -> None:
    limits = job["limits"]
    assert len(descriptors) <= FILES_MOST
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, SLOT + FILES_MOST + number, inheritable=False)
        os.close(descriptor)
    paths = []
    for number in range(len(descriptors)):
        os.dup2(SLOT + FILES_MOST + number, SLOT + number, inheritable=False)
        os.close(SLOT + FILES_MOST + number)
        paths.append(f"/proc/self/fd/{SLOT + number}")
    allowed = ", ".join(map(literal, paths))
    for statement in (
        f"SET threads={int(limits['threads'])}",
        f"SET memory_limit='{int(limits['memory_bytes']) // 1024}KiB'",
        f"SET allowed_paths=[{allowed}]",
        "SET enable_external_access=false",
        "SET lock_configuration=true",
    ):
        engine.execute(statement)
    at = 0
    for table in job["tables"]:
        files = paths[at : at + table["files"]]
        engine.execute(view_of(table["name"], table["columns"], files))
        at += table["files"]
    cpu = math.ceil(limits["time_ms"] / 1000) * limits["threads"] + 1
    limit_job(used=used, memory=limits["memory_bytes"], cpu_seconds=cpu)


def _answer(
    connection: socket.socket, engine: duckdb.DuckDBPyConnection, job: dict[str, Any]
) -> None:
    values = [frames.decode_value(value) for value in job["values"]]
    speaker = _Speaker(connection)
    if job["progress"]:
        threading.Thread(target=_tell_progress, args=(engine, speaker), daemon=True).start()
    sql = job["sql"].rstrip().rstrip(";")
    described = _describe(engine, sql, values) if _has_instants(job) else ()
    if not _holds_instants(described):
        engine.execute(sql, values)
        described = _columns(engine.description)
    if _holds_instants(described):
        engine.execute(_without_instants(sql, described), values)
    speaker.say(frames.COLUMNS, described)
    rows = job["limits"]["rows"]
    sent = 0
    while batch := engine.fetchmany(min(_BATCH_ROWS, rows + 1 - sent)):
        speaker.say_rows([[frames.encode_cell(cell) for cell in row] for row in batch])
        sent += len(batch)
        if sent > rows:
            break
    speaker.say(frames.DONE, {"rows": sent})


def _has_instants(job: dict[str, Any]) -> bool:
    return any(kind == INSTANT for table in job["tables"] for _, kind in table["columns"])


def _holds_instants(described: tuple[tuple[str, str], ...]) -> bool:
    return any(kind == INSTANT for _, kind in described)


def _describe(
    engine: duckdb.DuckDBPyConnection, sql: str, values: list[Value]
) -> tuple[tuple[str, str], ...]:
    """The answer's columns without running the query; nothing where it cannot be told so."""
    try:
        rows = engine.execute(f"DESCRIBE {sql}", values).fetchall()
    except duckdb.Error:
        return ()
    return _columns(rows)


def _columns(description: list[Any] | None) -> tuple[tuple[str, str], ...]:
    """Names and types; a bare NULL has the type SQL gives it."""
    kinds = [(str(column[0]), str(column[1])) for column in description or ()]
    return tuple((name, "INTEGER" if kind == '"NULL"' else kind) for name, kind in kinds)


def _without_instants(sql: str, described: tuple[tuple[str, str], ...]) -> str:
    """The same query with instants as microseconds: as such they need a library of time zones."""
    names = [f"c{number}" for number in range(len(described))]
    cells = ", ".join(
        f"epoch_us({name}) AS {name}" if kind == INSTANT else name
        for name, (_, kind) in zip(names, described, strict=True)
    )
    return f"SELECT {cells} FROM ({sql}\n) AS answer({', '.join(names)})"  # noqa: S608  # the job's own SQL


class _Speaker:
    """Writes whole frames from more than one thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.done = False

    def say(self, kind: int, body: object) -> None:
        with self._lock:
            if not self.done:
                self._connection.sendall(frames.pack(kind, body))
            self.done = self.done or kind == frames.DONE

    def say_rows(self, rows: list[list[Any]]) -> None:
        """Wide rows go in smaller frames, so that the reader's bound on one is never met."""
        if len(rows) > 1 and sum(len(str(cell)) for cell in rows[0]) * len(rows) > _BATCH_BYTES:
            middle = len(rows) // 2
            self.say_rows(rows[:middle])
            self.say_rows(rows[middle:])
        else:
            self.say(frames.ROWS, rows)


def _tell_progress(engine: duckdb.DuckDBPyConnection, speaker: _Speaker) -> None:
    while not speaker.done:
        time.sleep(_PROGRESS_SECONDS)
        try:
            percent = int(engine.query_progress())
        except duckdb.Error:
            return
        speaker.say(frames.PROGRESS, {"percent": min(max(percent, 0), 100)})
