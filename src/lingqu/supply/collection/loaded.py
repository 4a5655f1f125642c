# SPDX-License-Identifier: Apache-2.0
"""What is loaded of a resource, as values: its files with their digests, and how to read them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from lingqu.kernel.time import Instant
from lingqu.runtime.engine import Column, Engine, SourceFile, SourceTable
from lingqu.supply.collection.deliveries import read_rows
from lingqu.supply.resources import ResourceId
from lingqu.supply.tables import DeliveredTable


class LoadMode(enum.Enum):
    """What a load does to what was loaded before; older editions stay as they were."""

    REPLACE = "replace"
    """The delivery is the whole table from now on."""
    APPEND = "append"
    """Its rows are added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandedFile:
    """One immutable file of a table. `name` is its place below the folder of all tables.

    `state` is the canonical JSON of its quality figures; `entity` the column of its entity byte,
    empty where rows are about nobody in particular.
    """

    name: str
    digest: str
    size_bytes: int
    rows: int
    state: str
    entity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTable:
    """A resource as it is loaded: `version` counts its loads, `as_of` is when the last one came.

    `columns` are those of the declared fields; the files may hold more. `key` names the columns
    that tell rows apart. `level` is the confirmed security level, None while nobody confirmed it:
    then the table may be looked at and must not move.
    """

    resource: ResourceId
    title: str
    version: int
    files: tuple[LandedFile, ...]
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    as_of: Instant
    level: int | None

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(file.rows for file in self.files)

    @property
    def entity(self) -> str:
        """The column that counts entities, empty where not every file has it."""
        names = {file.entity for file in self.files}
        return names.pop() if len(names) == 1 else ""

    def sources(self, tables: Path) -> tuple[SourceFile, ...]:
        """This will give its files for the engine; `tables` is the folder of all tables."""
        return tuple(SourceFile(path=tables / file.name, digest=file.digest) for file in self.files)

    def as_source(
        self, tables: Path, *, name: str, columns: tuple[Column, ...] | None = None
    ) -> SourceTable:
        """This will declare it for a job under a name, with these of its columns only."""
        return SourceTable(name=name, columns=columns or self.columns, files=self.sources(tables))


def read_loaded(
    table: LoadedTable, *, tables: Path, engine: Engine, columns: tuple[str, ...] = ()
) -> DeliveredTable:
    """This will read a loaded table, or these columns of it, as texts: to compare, or to hand out.

    Raises BadDeclaration for a column it has not, FileChanged, and what the engine refuses.
    """
    wanted = tuple(one for one in table.columns if not columns or one.name in columns)
    found = read_rows(engine, table.as_source(tables, name="loaded", columns=wanted))
    return DeliveredTable(
        name=table.title,
        encoding="utf-8",
        separator=",",
        columns=tuple(one.name for one in wanted),
        rows=tuple(tuple(cell or "" for cell in row) for row in found),
    )
