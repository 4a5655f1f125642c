# SPDX-License-Identifier: Apache-2.0
"""开放 open files: what anyone may download, with terms, digest, and the loads it was made from.

Only a line of a published list is opened, only from resources that are described as opened without
conditions, graded at the lowest level, and free of personal fields. A file never changes: a newer
edition is another file, and the old one may be withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import Tx
from lingqu.runtime.blobs import BlobRef
from lingqu.supply.collection import LoadedTable, find_table
from lingqu.supply.opening.lists import ENTRIES, EntryStands, EntryState, NotOpen, OpenEntryId
from lingqu.supply.opening.recipes import Ancestor, Recipe
from lingqu.supply.resources import (
    LEVELS,
    Access,
    ResourceId,
    get_resource,
    read_fields,
    require_level,
)

TITLE_MAX = 100
SUMMARY_MAX = 2_000
TERMS_MAX = 200
LOWEST_LEVEL = LEVELS[0]
OPEN_BYTES_MOST = 256 * 1024 * 1024
"""How large an open file may be."""


class OpenFileId(Id):
    """The id of one open file."""

    prefix = "opf"


class OpenFileNotFound(errors.NotFound):
    """There is no such open file, or it was withdrawn."""

    code = "supply.open_file.not_found"


class OpenFileWithdrawn(errors.Conflict):
    """The file was withdrawn already."""

    code = "supply.open_file.withdrawn"


class BadOpenFile(errors.Rejected):
    """A part of the file is empty, too long, not printable, or not of the line it stands under."""

    code = "supply.open_file.bad"


class NotForEveryone(errors.Conflict):
    """A resource it was made from has personal fields, or not the lowest level."""

    code = "supply.open_file.not_for_everyone"
    article = "《中华人民共和国数据安全法》第二十一条"


class MadeOfOlder(errors.Conflict):
    """A resource was loaded anew since the file was made."""

    code = "supply.open_file.outdated"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """A file anyone may download; `lineage` is canonical JSON, see `read_lineage`."""

    id: OpenFileId
    entry: OpenEntryId
    body: trust.PartyId
    title: str
    summary: str
    terms: str
    name: str
    sha256: str
    size_bytes: int
    rows: int
    recipe: Recipe
    lineage: str
    published_at: Instant
    withdrawn_at: Instant | None = None
    version: int = 1

    def as_blob(self) -> BlobRef:
        """This will name its bytes."""
        return BlobRef(sha256=self.sha256, size=self.size_bytes)


FILES = trust.Table("supply.open_file", OpenFile, not_found=OpenFileNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFileMade:
    """What is to be published: its words, and the bytes that were made for it."""

    title: str
    summary: str
    terms: str
    name: str
    sha256: str
    size_bytes: int
    rows: int
    recipe: Recipe
    lineage: tuple[Ancestor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFilePublished(trust.Fact):
    """A file was opened to everyone, made from these loads."""

    kind = "supply.open_file.published"
    file: OpenFileId
    entry: OpenEntryId
    body: trust.PartyId
    recipe: Recipe
    sha256: str
    rows: int
    lineage: tuple[Ancestor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFileEnded(trust.Fact):
    """A file is not opened any more."""

    kind = "supply.open_file.withdrawn"
    file: OpenFileId


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlan:
    """What is loaded for a file that somebody may open; `done` where it was opened before."""

    table: LoadedTable
    other: LoadedTable | None
    done: OpenFile | None


@trust.command("supply.open_file.publish")
def publish_file(tx: Tx, *, file: OpenFileId, entry: OpenEntryId, made: OpenFileMade) -> OpenFile:
    """This will open a file to everyone, under a line of a published list.

    Raises EntryNotFound, EntryStands, BadOpenFile, NotOpen, Ungraded, NotForEveryone, MadeOfOlder,
    ResourceNotFound, IdTaken.
    """
    line = ENTRIES.lock(tx, entry)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OPENING, owner=line.body)
    if line.state is not EntryState.PUBLISHED:
        raise EntryStands(entry=entry, state=line.state.value)
    if line.resource not in {one.resource for one in made.lineage}:
        raise BadOpenFile(part="lineage")
    for one in made.lineage:
        _check_ancestor(tx, one)
    published = OpenFile(
        id=file,
        entry=entry,
        body=line.body,
        title=_text(made.title, "title", TITLE_MAX),
        summary=_text(made.summary, "summary", SUMMARY_MAX),
        terms=_text(made.terms, "terms", TERMS_MAX),
        name=_text(made.name, "name", TITLE_MAX),
        sha256=made.sha256,
        size_bytes=made.size_bytes,
        rows=made.rows,
        recipe=made.recipe,
        lineage=canon.encode(to_plain(made.lineage)).decode(),
        published_at=tx.now,
    )
    FILES.insert(tx, published)
    trust.record(
        tx,
        OpenFilePublished(
            file=file,
            entry=entry,
            body=line.body,
            recipe=made.recipe,
            sha256=made.sha256,
            rows=made.rows,
            lineage=made.lineage,
        ),
    )
    return published


@trust.command("supply.open_file.withdraw")
def withdraw_file(tx: Tx, *, file: OpenFileId) -> OpenFile:
    """This will take a file back from the public. Raises OpenFileNotFound, OpenFileWithdrawn."""
    held = FILES.lock(tx, file)
    trust.authorize(tx, trust.Action.END, trust.Kind.OPENING, owner=held.body)
    if held.withdrawn_at is not None:
        raise OpenFileWithdrawn(file=file)
    gone = FILES.update(tx, held, withdrawn_at=tx.now)
    trust.record(tx, OpenFileEnded(file=file))
    return gone


def plan_file(
    tx: Tx,
    *,
    file: OpenFileId,
    entry: OpenEntryId,
    resource: ResourceId,
    other: ResourceId | None = None,
) -> FilePlan:
    """This will give what a file is made from, to somebody who may open it.

    Raises EntryNotFound, AccessDenied, ResourceNotFound, NotLoaded, and what `publish_file` refuses
    of a resource, before anything is made.
    """
    line = ENTRIES.get(tx, entry)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OPENING, owner=line.body)
    for one in filter(None, (resource, other)):
        _check_resource(tx, one)
    return FilePlan(
        table=find_table(tx, resource),
        other=None if other is None else find_table(tx, other),
        done=next(iter(FILES.find(tx, "WHERE id = %s", (file,))), None),
    )


def get_file(tx: Tx, file: OpenFileId) -> OpenFile:
    """This will read one open file, for anyone. Raises OpenFileNotFound, also when withdrawn."""
    held = FILES.get(tx, file)
    if held.withdrawn_at is not None:
        raise OpenFileNotFound(id=file)
    return held


def find_files(tx: Tx, *, page: PageRequest) -> Page[OpenFile]:
    """This will list what is open, newest first, for anyone."""
    found = FILES.find(tx, _LISTED, (page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def read_lineage(file: OpenFile) -> tuple[Ancestor, ...]:
    """This will give the loads a file was made from."""
    return tuple(from_plain(Ancestor, one) for one in canon.decode(file.lineage))


_LISTED = """
    WHERE withdrawn_at IS NULL AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s
"""


def _check_resource(tx: Tx, resource: ResourceId) -> None:
    held = get_resource(tx, resource)
    if held.opening is not Access.UNCONDITIONAL:
        raise NotOpen(resource=resource)
    personal = any(field.is_personal for field in read_fields(held))
    if require_level(held) != LOWEST_LEVEL or personal:
        raise NotForEveryone(resource=resource, level=LOWEST_LEVEL)


def _check_ancestor(tx: Tx, one: Ancestor) -> None:
    _check_resource(tx, one.resource)
    if find_table(tx, one.resource).version != one.edition:
        raise MadeOfOlder(resource=one.resource)


def _text(text: str, part: str, longest: int) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise BadOpenFile(part=part)
    return plain
