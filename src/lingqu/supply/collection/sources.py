# SPDX-License-Identifier: Apache-2.0
"""数据源 sources: where the rows of a resource come from, and who may be asked for them.

A source is a file that the body hands over, or a table of the body's own PostgreSQL that is read
where it lies. How to sign in there is no row, no fact and no argument: it is one line in a file of
mode 0600, outside the data folder, that bears the source's id as its name. So a body can only ever
reach what an operator put under the id of its own source.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.runtime.engine import PostgresSource
from lingqu.runtime.settings import read_secret
from lingqu.supply.resources import Mode, ResourceId, lock_resource

TITLE_MAX = 100
NAME_MAX = 63
"""The longest name of a schema or table that PostgreSQL has."""


class SourceId(Id):
    """The id of one source."""

    prefix = "src"


class SourceKind(enum.Enum):
    """What a source is."""

    FILE = "file"
    """A file the body hands over."""
    POSTGRES = "postgres"
    """A table of the body's own PostgreSQL."""


class SourceNotFound(errors.NotFound):
    """There is no such source, or the caller may not know of it."""

    code = "supply.source.not_found"


class SourceWasEnded(errors.Conflict):
    """The source has ended; nothing more is taken from it."""

    code = "supply.source.ended"


class BadSource(errors.Rejected):
    """A part of the source is empty, too long, not printable, or does not go with the others."""

    code = "supply.source.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a resource comes from; `schema_name` and `table_name` are empty for files."""

    id: SourceId
    resource: ResourceId
    body: trust.PartyId
    title: str
    kind: SourceKind
    mode: Mode
    schema_name: str
    table_name: str
    registered_at: Instant
    ended_at: Instant | None = None
    version: int = 1


SOURCES = trust.Table("supply.source", Source, not_found=SourceNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRegistered(trust.Fact):
    """A resource has a source from now on."""

    kind = "supply.source.registered"
    source: SourceId
    resource: ResourceId
    body: trust.PartyId
    source_kind: SourceKind
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEnded(trust.Fact):
    """A source ended; what was taken from it stays."""

    kind = "supply.source.ended"
    source: SourceId


@trust.command("supply.source.register")
def register_source(
    tx: Tx,
    *,
    source: SourceId,
    resource: ResourceId,
    title: str,
    kind: SourceKind,
    schema_name: str = "",
    table_name: str = "",
) -> Source:
    """This will say where a resource comes from; it is read in the mode the resource describes.

    Only a PostgreSQL can be read where it lies. Raises ResourceNotFound, ResourceWithdrawn,
    BadSource, IdTaken.
    """
    held = lock_resource(tx, resource)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.SOURCE, owner=held.body)
    if kind is SourceKind.FILE and (held.mode is Mode.LOGICAL or schema_name or table_name):
        raise BadSource(part="kind")
    database = kind is SourceKind.POSTGRES
    made = Source(
        id=source,
        resource=resource,
        body=held.body,
        title=_text(title, "title", TITLE_MAX),
        kind=kind,
        mode=held.mode,
        schema_name=_text(schema_name, "schema", NAME_MAX) if database else "",
        table_name=_text(table_name, "table", NAME_MAX) if database else "",
        registered_at=tx.now,
    )
    SOURCES.insert(tx, made)
    trust.record(
        tx,
        SourceRegistered(
            source=source, resource=resource, body=held.body, source_kind=kind, mode=held.mode
        ),
    )
    return made


@trust.command("supply.source.end")
def end_source(tx: Tx, *, source: SourceId) -> Source:
    """This will end a source. Raises SourceNotFound, SourceWasEnded."""
    held = SOURCES.lock(tx, source)
    trust.authorize(tx, trust.Action.END, trust.Kind.SOURCE, owner=held.body)
    if held.ended_at is not None:
        raise SourceWasEnded(source=source)
    ended = SOURCES.update(tx, held, ended_at=tx.now)
    trust.record(tx, SourceEnded(source=source))
    return ended


def get_source(tx: Tx, source: SourceId) -> Source:
    """This will read one source, for who may see it. Raises SourceNotFound, AccessDenied."""
    held = SOURCES.get(tx, source)
    trust.authorize(tx, trust.Action.READ, trust.Kind.SOURCE, owner=held.body)
    return held


def find_sources(
    tx: Tx, *, page: PageRequest, body: trust.PartyId | None, resource: ResourceId | None = None
) -> Page[Source]:
    """This will list sources that have not ended, newest first; those of `body` or of everyone.

    Raises AccessDenied.
    """
    trust.authorize(tx, trust.Action.READ, trust.Kind.SOURCE, owner=body)
    found = SOURCES.find(
        tx, _LISTED, (body, body, resource, resource, page.key, page.key, page.size + 1)
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


_LISTED = """
    WHERE ended_at IS NULL AND (%s::text IS NULL OR body = %s)
      AND (%s::text IS NULL OR resource = %s)
      AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s
"""


def connect_source(folder: Path, source: Source) -> PostgresSource:
    """This will read how to sign in at a source from its file in `folder`.

    Raises BadSource for a source of files, SourceWasEnded, UnreadableSecret.
    """
    if source.kind is not SourceKind.POSTGRES:
        raise BadSource(part="kind")
    if source.ended_at is not None:
        raise SourceWasEnded(source=source.id)
    return PostgresSource(conninfo=read_secret(folder / source.id))


def _text(text: str, part: str, longest: int) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise BadSource(part=part)
    return plain
