# SPDX-License-Identifier: Apache-2.0
"""归集 loads: what was delivered for a resource, by whom, and which rows were not accepted.

A delivery lands in its table first (`gates`) and becomes true here: one command writes the load,
its file and the rows set aside. What the database does not name is not loaded, whatever lies in the
folder; so a process killed in between leaves nothing half loaded, and the same load id again
finishes what it began. Every file is named by its digest in the fact, and the audit reads it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import Row, Tx
from lingqu.runtime.engine import Column
from lingqu.supply.collection.deliveries import Rejection
from lingqu.supply.collection.gates import Landed, digest_of_rejects
from lingqu.supply.collection.loaded import LandedFile, LoadedTable, LoadMode
from lingqu.supply.collection.sources import SOURCES, SourceId, SourceWasEnded
from lingqu.supply.resources import (
    Field,
    Mode,
    Resource,
    ResourceId,
    get_resource,
    lock_resource,
    read_fields,
)

_CHUNK = 1 << 20


class LoadId(Id):
    """The id of one load."""

    prefix = "lod"


class LoadNotFound(errors.NotFound):
    """There is no such load, or the caller may not know of it."""

    code = "supply.load.not_found"


class NotLoaded(errors.NotFound):
    """Nothing was loaded for the resource yet."""

    code = "supply.load.none"


class LoadTaken(errors.Conflict):
    """A load of this id was done before with another delivery."""

    code = "supply.load.taken"


class LoadOvertaken(errors.Conflict):
    """Another load came in between; what was checked against the table is no longer true."""

    code = "supply.load.overtaken"


class ReadAtSource(errors.Conflict):
    """The resource stays where it is: it is read there and not delivered as a file."""

    code = "supply.load.read_at_source"


class OtherSource(errors.Rejected):
    """The source feeds another resource."""

    code = "supply.load.other_source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One delivery as it was loaded. `content` is the digest of what was delivered.

    `edition` counts the loads of the resource; `columns` is canonical JSON; `rejects` the digest
    of the rows set aside, empty for none.
    """

    id: LoadId
    resource: ResourceId
    body: trust.PartyId
    source: SourceId | None
    delivery: str
    content: str
    size_bytes: int
    encoding: str
    mode: LoadMode
    edition: int
    place: str
    table_version: int
    columns: str
    rows: int
    rejected: int
    rejects: str
    loaded_by: trust.AccountId
    loaded_at: Instant
    version: int = 1


LOADS = trust.Table("supply.load", Load, not_found=LoadNotFound)
TABLE_FILES = trust.BatchTable(
    "supply.table_file", ("name", "digest", "size_bytes", "rows", "state", "entity")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecorded(trust.Fact):
    """A body delivered rows of a resource: what was delivered, accepted and set aside."""

    kind = "supply.load.recorded"
    load: LoadId
    resource: ResourceId
    body: trust.PartyId
    source: SourceId | None
    mode: LoadMode
    edition: int
    content: str
    rows: int
    rejected: int
    rejects: str
    batch: trust.BatchTable.Root


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What somebody who may load a resource has to know before; `done` where it was done before."""

    resource: Resource
    fields: tuple[Field, ...]
    current: LoadedTable | None
    done: Load | None


@trust.command("supply.load.record")
def record_load(
    tx: Tx, *, load: LoadId, resource: ResourceId, source: SourceId | None, landed: Landed
) -> Load:
    """This will make a landed delivery the newest load of its resource.

    Raises ResourceNotFound, ResourceWithdrawn, LoadOvertaken, SourceNotFound, SourceWasEnded,
    OtherSource, ReadAtSource, IdTaken.
    """
    held = lock_resource(tx, resource)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LOAD, owner=held.body)
    _check_source(tx, held, source)
    newest = tx.one(_NEWEST, (resource,))["edition"]
    if landed.mode is LoadMode.APPEND and newest != landed.base:
        raise LoadOvertaken(resource=resource, edition=newest)
    made = Load(
        id=load,
        resource=resource,
        body=held.body,
        source=source,
        delivery=landed.delivery,
        content=landed.content,
        size_bytes=landed.size_bytes,
        encoding=landed.encoding,
        mode=landed.mode,
        edition=newest + 1,
        place=landed.place,
        table_version=landed.table_version,
        columns=canon.encode(to_plain(landed.columns)).decode(),
        rows=landed.file.rows,
        rejected=len(landed.rejected),
        rejects=landed.rejects,
        loaded_by=trust.AccountId(str(tx.caller.account)),
        loaded_at=tx.now,
    )
    LOADS.insert(tx, made)
    file = landed.file
    row = (file.name, file.digest, file.size_bytes, file.rows, file.state, file.entity)
    root = TABLE_FILES.append(tx, load, [row])
    tx.copy_in(_COPY_REJECTIONS, _rejection_rows(load, landed.rejected))
    _record_load(tx, made, root)
    return made


def plan_load(
    tx: Tx, *, load: LoadId, resource: ResourceId, source: SourceId | None = None
) -> LoadPlan:
    """This will say what the gates need, to somebody who may load the resource.

    Raises ResourceNotFound, AccessDenied, ReadAtSource, SourceNotFound, SourceWasEnded,
    OtherSource, LoadTaken.
    """
    held = get_resource(tx, resource)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LOAD, owner=held.body)
    _check_source(tx, held, source)
    done = next(iter(LOADS.find(tx, "WHERE id = %s", (load,))), None)
    if done is not None and done.resource != resource:
        raise LoadTaken(load=load)
    return LoadPlan(
        resource=held, fields=read_fields(held), current=_find_table(tx, held), done=done
    )


def find_table(tx: Tx, resource: ResourceId) -> LoadedTable:
    """This will give what is loaded of a resource now. Raises ResourceNotFound, NotLoaded.

    Whoever lets it move asks `require_level` too: what is not graded stays.
    """
    found = _find_table(tx, get_resource(tx, resource))
    if found is None:
        raise NotLoaded(resource=resource)
    return found


def get_load(tx: Tx, load: LoadId) -> Load:
    """This will read one load, for who may see it. Raises LoadNotFound, AccessDenied."""
    held = LOADS.get(tx, load)
    trust.authorize(tx, trust.Action.READ, trust.Kind.LOAD, owner=held.body)
    return held


def find_loads(
    tx: Tx, *, page: PageRequest, body: trust.PartyId | None, resource: ResourceId | None = None
) -> Page[Load]:
    """This will list loads, newest first; those of `body`, or of everyone. Raises AccessDenied."""
    trust.authorize(tx, trust.Action.READ, trust.Kind.LOAD, owner=body)
    found = LOADS.find(
        tx, _LISTED, (body, body, resource, resource, page.key, page.key, page.size + 1)
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def find_rejections(tx: Tx, load: LoadId, *, most: int = 1000) -> tuple[Rejection, ...]:
    """This will list the rows of a load that were set aside, with their cells.

    Only for the body that delivered them. Raises LoadNotFound, AccessDenied.
    """
    held = LOADS.get(tx, load)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LOAD, owner=held.body)
    rows = tx.all(f"{_REJECTIONS} LIMIT %s", (load, most))
    return tuple(_rejection_of(row) for row in rows)


def check_files(tx: Tx, tables: Path) -> Iterator[tuple[str, str, str, str]]:
    """This will read every file that a load names, and give those that are not what it says.

    As place, key (the load), expected and found digest; an empty one for a file that is gone.
    """
    for row in tx.all(_EVERY_FILE):
        found = _digest(tables / row["name"])
        if found != row["digest"]:
            yield f"tables/{row['name']}", row["batch"], row["digest"], found


def _check_source(tx: Tx, held: Resource, source: SourceId | None) -> None:
    if source is None:
        if held.mode is Mode.LOGICAL:
            raise ReadAtSource(resource=held.id)
        return
    known = SOURCES.get(tx, source)
    if known.resource != held.id:
        raise OtherSource(source=source, resource=held.id)
    if known.ended_at is not None:
        raise SourceWasEnded(source=source)


def _find_table(tx: Tx, held: Resource) -> LoadedTable | None:
    loads = LOADS.find(tx, _CURRENT, (held.id, held.id))
    if not loads:
        return None
    newest = loads[-1]
    files = tx.all(_FILES, ([one.id for one in loads],))
    columns = tuple(from_plain(Column, one) for one in canon.decode(newest.columns))
    names = {one.name for one in columns}
    return LoadedTable(
        resource=held.id,
        title=held.title,
        version=newest.edition,
        files=tuple(from_plain(LandedFile, dict(row)) for row in files),
        columns=columns,
        key=tuple(one.name for one in read_fields(held) if one.is_key and one.name in names),
        as_of=newest.loaded_at,
        level=held.level,
    )


_NEWEST = "SELECT coalesce(max(edition), 0) AS edition FROM supply.load WHERE resource = %s"
_CURRENT = """
    WHERE resource = %s AND edition >= (
        SELECT max(edition) FROM supply.load WHERE resource = %s AND mode = 'replace'
    ) ORDER BY edition
"""
_FILES = """
    SELECT f.name, f.digest, f.size_bytes, f.rows, f.state, f.entity
    FROM supply.table_file f JOIN supply.load l ON l.id = f.batch
    WHERE f.batch = ANY(%s) ORDER BY l.edition, f.position
"""
_LISTED = """
    WHERE (%s::text IS NULL OR body = %s) AND (%s::text IS NULL OR resource = %s)
      AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s
"""
_EVERY_FILE = "SELECT batch, name, digest FROM supply.table_file ORDER BY batch, position"
_COPY_REJECTIONS = """
    COPY supply.rejection (load, row_number, field, reason, cells) FROM STDIN
"""
_REJECTIONS = """
    SELECT row_number, field, reason, cells FROM supply.rejection WHERE load = %s
    ORDER BY row_number, field
"""
_REJECTED_LOADS = """
    SELECT id, rejects FROM supply.load
    WHERE rejected > 0 OR EXISTS (SELECT 1 FROM supply.rejection r WHERE r.load = load.id)
    ORDER BY id
"""


def _record_load(tx: Tx, made: Load, root: trust.BatchTable.Root) -> None:
    trust.record(
        tx,
        LoadRecorded(
            load=made.id,
            resource=made.resource,
            body=made.body,
            source=made.source,
            mode=made.mode,
            edition=made.edition,
            content=made.content,
            rows=made.rows,
            rejected=made.rejected,
            rejects=made.rejects,
            batch=root,
        ),
    )


def _digest(path: Path) -> str:
    """The digest of a file, empty where it cannot be read."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_CHUNK):
                found.update(block)
    except OSError:
        return ""
    return found.hexdigest()


def _rejection_rows(
    load: LoadId, rejected: tuple[Rejection, ...]
) -> Iterator[tuple[str, int, str, str, str]]:
    for one in rejected:
        # Escaped, for a database keeps no zero byte.
        yield load, one.row, one.field, one.reason, json.dumps(one.cells)


def _rejection_of(row: Row) -> Rejection:
    return Rejection(
        row=row["row_number"],
        field=row["field"],
        reason=row["reason"],
        cells=tuple(json.loads(row["cells"])),
    )


def _audit_rejections(tx: Tx) -> Iterator[tuple[str, str, str, str]]:
    """What was set aside is what the load's fact says was."""
    for held in tx.all(_REJECTED_LOADS):
        rows = tuple(_rejection_of(row) for row in tx.all(_REJECTIONS, (held["id"],)))
        found = digest_of_rejects(rows)
        if found != held["rejects"]:
            yield "supply.rejection", held["id"], held["rejects"], found


trust.declare(trust.AuditClass.OPERATIONAL, "supply.rejection", auditor=_audit_rejections)
