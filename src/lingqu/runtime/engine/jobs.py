# SPDX-License-Identifier: Apache-2.0
"""What a worker is asked and what it answers, as values: tables, files, limits, job, result."""

from __future__ import annotations

import datetime as dt
import decimal
import re
from dataclasses import dataclass
from pathlib import Path

from lingqu.runtime.engine.refusals import BadDeclaration
from lingqu.runtime.engine.types import Column, check_columns, check_name

MIB = 1024 * 1024
FILES_MOST = 400
SQL_LONGEST = 4 * MIB
VALUES_MOST = 50_000

Value = (
    None | bool | int | float | str | bytes | decimal.Decimal | dt.date | dt.datetime
)  # what may be bound, and what comes back
Row = tuple[Value, ...]

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One immutable Parquet file: where it lies and the SHA-256 of its bytes, in hex."""

    path: Path
    digest: str

    def __post_init__(self) -> None:
        if not _DIGEST.match(self.digest):
            raise BadDeclaration(what="digest", given=self.digest[:80])


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """A table a job may read: its name there, its permitted columns, and its files.

    Nothing but these columns reaches the worker; the files may hold more.
    """

    name: str
    columns: tuple[Column, ...]
    files: tuple[SourceFile, ...]

    def __post_init__(self) -> None:
        check_name(self.name)
        check_columns(self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one job may use. Reaching time or size kills its worker."""

    time_ms: int = 30_000
    rows: int = 100_000
    answer_bytes: int = 64 * MIB
    memory_bytes: int = 1024 * MIB
    threads: int = 2

    def __post_init__(self) -> None:
        smallest = {"time_ms": 1, "rows": 0, "answer_bytes": 1024, "memory_bytes": 16 * MIB}
        for name, least in {**smallest, "threads": 1}.items():
            if getattr(self, name) < least:
                raise BadDeclaration(what=name, given=str(getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One question: printed SQL with `?` or `$1` for each bound value, its tables, its limits."""

    sql: str
    values: tuple[Value, ...] = ()
    tables: tuple[SourceTable, ...] = ()
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if not 0 < len(self.sql) <= SQL_LONGEST:
            raise BadDeclaration(what="sql", given=str(len(self.sql)))
        if len(self.values) > VALUES_MOST:
            raise BadDeclaration(what="values", given=str(len(self.values)))
        names = {table.name.casefold() for table in self.tables}
        if len(names) != len(self.tables):
            raise BadDeclaration(what="tables", given=str(len(self.tables)))
        files = sum(len(table.files) for table in self.tables)
        if files > FILES_MOST:
            raise BadDeclaration(what="files", given=f"{files} > {FILES_MOST}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A whole answer: its columns with the engine's types, and its rows."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What stands around a worker here. `gaps` names what is missing, by code; full without any."""

    account: str
    other_account: bool
    network_namespace: bool
    private_root: bool
    landlock: int
    system_call_filter: bool
    gaps: tuple[str, ...]

    @property
    def is_full(self) -> bool:
        """Whether nothing is missing."""
        return not self.gaps
