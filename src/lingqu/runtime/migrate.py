# SPDX-License-Identifier: Apache-2.0
"""How the tables come to be what the code expects: numbered SQL files, applied once, in order.

Forward only. Each file is one transaction and either holds whole or leaves nothing. What was
applied is remembered with its digest, so a file that was changed afterwards is noticed.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import psycopg

from lingqu.kernel import errors

LOCK_SECONDS = 120
"""How long a second migrator waits for the first."""

_LOCK = 0x6C696E67_71750001
_NAME = re.compile(r"(\d{4})_([a-z][a-z0-9_]*)\.sql")
_HEADER = re.compile(r"--\s*(statement_timeout|lock_timeout)\s*:\s*(\d{1,6}\s*(?:ms|s|min|h))\s*")
_LIMITS = {"lock_timeout": "4s", "statement_timeout": "60s"}
_COMMITS = re.compile(
    r"^\s*(?:begin|commit|rollback|abort|start\s+transaction|prepare\s+transaction\b[^;]*)"
    r"(?:\s+(?:work|transaction))?\s*;",
    re.IGNORECASE | re.MULTILINE,
)
_BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
_TABLE = """
CREATE SCHEMA IF NOT EXISTS runtime;
CREATE TABLE IF NOT EXISTS runtime.migration (
    number      integer     PRIMARY KEY,
    name        text        NOT NULL,
    sha256      text        NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    version     text        NOT NULL
);
COMMENT ON TABLE runtime.migration IS
    'One row per migration file applied: its digest, when, and by which version of Lingqu.';
"""
_APPLIED = "SELECT number, name, sha256, applied_at, version FROM runtime.migration ORDER BY number"
_REMEMBER = "INSERT INTO runtime.migration (number, name, sha256, version) VALUES (%s, %s, %s, %s)"
_Session = psycopg.Connection[tuple[Any, ...]]


class BadMigrationFiles(errors.Rejected):
    """The migration files are not numbered 1, 2, 3 ... without a gap, or cannot be read."""

    code = "runtime.migrate.bad_files"


class MigrationChanged(errors.Conflict):
    """A file that was already applied is not what it was then."""

    code = "runtime.migrate.changed"


class DatabaseNewer(errors.Conflict):
    """The database was upgraded by a later version of Lingqu than this one."""

    code = "runtime.migrate.database_newer"


class MigrationFailed(errors.Unavailable):
    """A file was refused by the database; nothing of it was kept."""

    code = "runtime.migrate.failed"


class MigratorBusy(errors.Unavailable):
    """Another process is upgrading the database and has not ended in time."""

    code = "runtime.migrate.busy"


class MigrationDatabaseUnavailable(errors.Unavailable):
    """The database could not be reached, or went away, while it was looked at or upgraded."""

    code = "runtime.migrate.database_unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One file; `applied_at` and `version` (of Lingqu) are None until it is applied."""

    number: int
    name: str
    sha256: str
    applied_at: datetime | None = None
    version: str | None = None

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.number:04}_{self.name}.sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """What is applied and what is still to be done. `current` when nothing is."""

    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]

    @property
    def current(self) -> bool:
        """Whether the tables are what this code expects."""
        return not self.pending


def migrate(
    owner_conninfo: str,
    *,
    folder: Path | None = None,
    upto: int | None = None,
    lock_seconds: float = LOCK_SECONDS,
) -> tuple[Migration, ...]:
    """This will apply every file that is not applied yet, and give those it applied.

    `upto` is the last number wanted. A second migrator waits `lock_seconds` for the first and then
    finds nothing to do. Raises BadMigrationFiles, MigrationChanged, DatabaseNewer, MigrationFailed,
    MigratorBusy; files applied before the failing one stay applied.
    """
    files = _read_files(folder)
    with _connected(owner_conninfo) as session, _alone(session, lock_seconds):
        session.execute(_TABLE)
        done = _applied(session)
        _compare(done, [migration for migration, _ in files])
        wanted = [
            (migration, text)
            for migration, text in files[len(done) :]
            if upto is None or migration.number <= upto
        ]
        for migration, text in wanted:
            _apply(session, migration, text)
        return _applied(session)[len(done) :]


def status(conninfo: str, *, folder: Path | None = None) -> MigrationStatus:
    """This will compare database and files and change nothing.

    Raises BadMigrationFiles, MigrationChanged, DatabaseNewer, MigrationDatabaseUnavailable.
    """
    files = tuple(migration for migration, _ in _read_files(folder))
    with _connected(conninfo) as session:
        found = session.execute("SELECT to_regclass('runtime.migration')").fetchone()
        done = _applied(session) if found and found[0] else ()
    _compare(done, files)
    return MigrationStatus(applied=done, pending=files[len(done) :])


def _read_files(folder: Path | None) -> tuple[tuple[Migration, str], ...]:
    source: Traversable = folder or resources.files("lingqu.migrations")
    found = []
    try:
        names = sorted(entry.name for entry in source.iterdir() if entry.name.endswith(".sql"))
        for expected, name in enumerate(names, 1):
            match = _NAME.fullmatch(name)
            if match is None or int(match[1]) != expected:
                raise BadMigrationFiles(file=name, expected=f"{expected:04}")
            content = source.joinpath(name).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            migration = Migration(number=expected, name=match[2], sha256=digest)
            found.append((migration, content.decode("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise BadMigrationFiles(file=str(source), expected="0001") from error
    return tuple(found)


@contextmanager
def _connected(conninfo: str) -> Iterator[_Session]:
    try:
        with psycopg.connect(
            conninfo, autocommit=True, application_name="lingqu migrate"
        ) as session:
            yield session
    except psycopg.Error as error:
        detail = error.diag.message_primary or " ".join(str(error).split())
        raise MigrationDatabaseUnavailable(detail=detail[:600]) from error


@contextmanager
def _alone(session: _Session, seconds: float) -> Iterator[None]:
    """Hold the migrators' lock. Polled: a waiting statement would hold a snapshot open."""
    deadline = time.monotonic() + seconds
    while True:
        row = session.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if row and row[0]:
            break
        if time.monotonic() > deadline:
            raise MigratorBusy(seconds=int(seconds))
        time.sleep(0.05)
    try:
        yield
    finally:
        if not session.closed:
            session.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _applied(session: _Session) -> tuple[Migration, ...]:
    return tuple(
        Migration(number=number, name=name, sha256=sha256, applied_at=at, version=version)
        for number, name, sha256, at, version in session.execute(_APPLIED)
    )


def _compare(done: tuple[Migration, ...], files: list[Migration] | tuple[Migration, ...]) -> None:
    if len(done) > len(files):
        last = done[-1]
        raise DatabaseNewer(file=last.file, version=last.version, known=len(files))
    for applied, file in zip(done, files, strict=False):
        if applied.number != file.number or applied.sha256 != file.sha256:
            raise MigrationChanged(file=applied.file, applied=applied.sha256, found=file.sha256)


def _apply(session: _Session, migration: Migration, text: str) -> None:
    # The last one: a killed migrator's statement ends soon, and the lock with it.
    limits = _LIMITS | _header(text) | {"client_connection_check_interval": "1s"}
    try:
        with session.transaction():
            for name, value in limits.items():
                session.execute("SELECT set_config(%s, %s, true)", (name, value))
            mine = str(migration.number)
            session.execute("SELECT set_config('lingqu.migration', %s, true)", (mine,))
            # Extensions live in public; a file names every other schema itself.
            session.execute("SET LOCAL search_path = public")
            _refuse_commits(migration, text)
            session.execute(text.encode())
            mark = session.execute("SELECT current_setting('lingqu.migration', true)").fetchone()
            assert mark == (mine,), f"{migration.file} ended its transaction"
            version = metadata.version("lingqu")
            row = (migration.number, migration.name, migration.sha256, version)
            session.execute(_REMEMBER, row)
    except psycopg.Error as error:
        raise MigrationFailed(
            file=migration.file,
            line=_line(text, error),
            detail=error.diag.message_primary or " ".join(str(error).split())[:600],
            hint=_hint(error),
        ) from error


def _header(text: str) -> dict[str, str]:
    """The limits that the comments at the top of a file raise."""
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("--"):
            break
        if match := _HEADER.fullmatch(line):
            found[match[1]] = match[2].replace(" ", "")
    return found


def _refuse_commits(migration: Migration, text: str) -> None:
    """A commit in the middle would keep half a file; function bodies are not looked into."""
    bare = _BODY.sub(lambda body: "\n" * body[0].count("\n"), text)
    if found := _COMMITS.search(bare):
        line = bare.count("\n", 0, found.end()) + 1
        raise MigrationFailed(
            file=migration.file, line=line, detail=" ".join(found[0].split()), hint=""
        )


def _hint(error: psycopg.Error) -> str:
    # Not the detail: it repeats values of rows, which may be people's data.
    said = error.diag.message_hint
    return f"({said}) " if said else ""


def _line(text: str, error: psycopg.Error) -> int | str:
    """The line of the file that the database points at, where it points at one."""
    position = error.diag.statement_position
    if position is None or not position.isdigit():
        return "?"
    return text.count("\n", 0, int(position) - 1) + 1
