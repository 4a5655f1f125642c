# SPDX-License-Identifier: Apache-2.0
"""The API of 归集: sources of resources, and what was delivered and loaded from them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import supply, trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1.shapes import WorkView, work_view
from lingqu.api.v1.supply import Body, ModeName
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.errands import deliver_file, deliver_source
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import format_instant
from lingqu.supply import collection, handing
from lingqu.trust import jobs

UPLOAD_PATHS = ("/api/v1/supply/loads", "/api/v1/supply/deliveries")
"""Where longer bodies are taken than elsewhere."""
REJECTIONS_SHOWN = 1000

SourceKindName = Literal["file", "postgres"]
LoadModeName = Literal["replace", "append"]
OfResource = Annotated[
    str | None, QueryParameter(name="resource", max_length=60, description="A resource's id")
]


class DeliveryUnreadable(errors.Rejected):
    """A delivery names a source, or a resource with a file in base64; never both."""

    code = "api.load.unreadable"


class SourceView(msgspec.Struct, kw_only=True):
    """Where a resource comes from."""

    id: str
    resource: str
    body: str
    title: str
    kind: SourceKindName
    mode: ModeName
    schema_name: str
    table_name: str
    registered_at: str
    ended_at: str | None
    version: int


class SourcePage(msgspec.Struct, kw_only=True):
    """Some sources, and the cursor of the page after them (null: this was the last)."""

    items: list[SourceView]
    next: str | None


class RegisterSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new source under an id the caller made (`src_...`); a database names schema and table."""

    source: str
    resource: str
    title: str
    kind: SourceKindName
    schema_name: str = ""
    table_name: str = ""


class Deliver(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A delivery: a file in base64 for a resource, or `source` alone, which is then read.

    The load's id is that of the command in `Idempotency-Key`, with the prefix `lod_`.
    """

    resource: str | None = None
    source: str | None = None
    name: str = "delivery.csv"
    content: str | None = None
    mode: LoadModeName = "replace"


class HandOver(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A delivery to be loaded in the background, under a work's id the caller made (`wrk_...`).

    A file in base64, or none where `source` is a database that is read.
    """

    work: str
    resource: str
    source: str | None = None
    name: str = "delivery.csv"
    content: str | None = None
    mode: LoadModeName = "replace"


class LoadView(msgspec.Struct, kw_only=True):
    """One delivery as it was loaded; `content` is the SHA-256 of what was delivered."""

    id: str
    resource: str
    body: str
    source: str | None
    delivery: str
    content: str
    size_bytes: int
    encoding: str
    mode: LoadModeName
    edition: int
    rows: int
    rejected: int
    rejects: str
    loaded_at: str


class LoadPage(msgspec.Struct, kw_only=True):
    """Some loads, and the cursor of the page after them (null: this was the last)."""

    items: list[LoadView]
    next: str | None


class RejectionView(msgspec.Struct, kw_only=True):
    """A row that was not accepted, with its cells as they were delivered."""

    row: int
    field: str
    reason: str
    cells: list[str]


class RejectionList(msgspec.Struct, kw_only=True):
    """The first rows of a load that were not accepted."""

    items: list[RejectionView]


@reads("/sources", "List sources")
def find_sources(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    of_body: Body = None,
    resource: OfResource = None,
) -> SourcePage:
    """This will list sources that have not ended, newest first: a body's, or everyone's."""
    with platform.database.reading(visit.caller) as tx:
        page = collection.find_sources(
            tx,
            page=PageRequest(size=size, after=after),
            body=None if of_body is None else trust.PartyId(of_body),
            resource=None if resource is None else supply.ResourceId(resource),
        )
    return SourcePage(items=[source_view(one) for one in page.items], next=page.next)


@makes("/sources", "supply.source.register", "Register a source")
def register_source(write: FromWrite, data: JSONBody[RegisterSource]) -> SourceView:
    """This will say where a resource comes from; how to sign in there is never sent here."""
    made = write.execute(
        collection.register_source,
        source=collection.SourceId(data.source),
        resource=supply.ResourceId(data.resource),
        title=data.title,
        kind=collection.SourceKind(data.kind),
        schema_name=data.schema_name,
        table_name=data.table_name,
    )
    return source_view(made)


@does("/sources/{source:str}/end", "supply.source.end", "End a source")
def end_source(write: FromWrite, source: FromPath[str]) -> SourceView:
    """This will end a source; what was taken from it stays."""
    ended = write.execute(collection.end_source, source=collection.SourceId(source))
    return source_view(ended)


@makes("/loads", "supply.load.record", "Deliver and load")
def deliver(write: FromWrite, data: JSONBody[Deliver]) -> LoadView:
    """This will pass a delivery through the gates and load what is accepted, whole and once."""
    write.visit.commanded = True
    app, caller = write.platform, write.visit.caller
    source = None if data.source is None else collection.SourceId(data.source)
    if source is not None and data.content is None and data.resource is None:
        return load_view(deliver_source(app, caller, write.command, source=source))
    if data.content is None or data.resource is None:
        raise DeliveryUnreadable(file=data.name[:60])
    content = _content(data.name, data.content)
    made = deliver_file(
        app,
        caller,
        write.command,
        resource=supply.ResourceId(data.resource),
        name=data.name,
        content=content,
        mode=collection.LoadMode(data.mode),
        source=source,
    )
    return load_view(made)


@makes(
    "/deliveries",
    "supply.delivery.hand_over",
    "Deliver, to be loaded in the background",
    status=202,
)
def hand_over(write: FromWrite, data: JSONBody[HandOver]) -> WorkView:
    """This will keep a delivery and have it loaded; its work says how far it is."""
    work, source = jobs.WorkId(data.work), None
    if data.source is not None:
        source = collection.SourceId(data.source)
    resource = supply.ResourceId(data.resource)
    with write.platform.database.reading(write.visit.caller) as tx:
        # Nobody leaves files here who may not deliver.
        load = collection.LoadId.of(work.uuid)
        collection.plan_load(tx, load=load, resource=resource, source=source)
    sha256, size = "", 0
    if data.content is not None:
        content = _content(data.name, data.content)
        kept = write.platform.blobs.put(
            content, limit_bytes=write.platform.settings.upload_bytes_max
        )
        sha256, size = kept.sha256, kept.size
    handed = handing.Handed(
        resource=resource,
        mode=collection.LoadMode(data.mode),
        source=source,
        name=data.name[:100],
        sha256=sha256,
        size_bytes=size,
    )
    made = write.execute(handing.hand_over, work=work, handed=handed)
    return work_view(made)


@reads("/loads", "List loads")
def find_loads(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    of_body: Body = None,
    resource: OfResource = None,
) -> LoadPage:
    """This will list loads, newest first: a body's, or everyone's."""
    with platform.database.reading(visit.caller) as tx:
        page = collection.find_loads(
            tx,
            page=PageRequest(size=size, after=after),
            body=None if of_body is None else trust.PartyId(of_body),
            resource=None if resource is None else supply.ResourceId(resource),
        )
    return LoadPage(items=[load_view(one) for one in page.items], next=page.next)


@reads("/loads/{load:str}", "Read a load")
def get_load(platform: FromPlatform, visit: FromVisit, load: FromPath[str]) -> LoadView:
    """This will read one load."""
    with platform.database.reading(visit.caller) as tx:
        return load_view(collection.get_load(tx, collection.LoadId(load)))


@reads("/loads/{load:str}/rejections", "List rejected rows")
def find_rejections(platform: FromPlatform, visit: FromVisit, load: FromPath[str]) -> RejectionList:
    """This will list the rows of a load that were not accepted, for the body that delivered."""
    with platform.database.reading(visit.caller) as tx:
        found = collection.find_rejections(tx, collection.LoadId(load), most=REJECTIONS_SHOWN)
    return RejectionList(
        items=[
            RejectionView(row=one.row, field=one.field, reason=one.reason, cells=list(one.cells))
            for one in found
        ]
    )


def _content(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DeliveryUnreadable(file=name[:60]) from None


def source_view(source: collection.Source) -> SourceView:
    """This will give the shape of a source."""
    return SourceView(
        id=source.id,
        resource=source.resource,
        body=source.body,
        title=source.title,
        kind=source.kind.value,
        mode=source.mode.value,
        schema_name=source.schema_name,
        table_name=source.table_name,
        registered_at=format_instant(source.registered_at),
        ended_at=None if source.ended_at is None else format_instant(source.ended_at),
        version=source.version,
    )


def load_view(load: collection.Load) -> LoadView:
    """This will give the shape of a load."""
    return LoadView(
        id=load.id,
        resource=load.resource,
        body=load.body,
        source=load.source,
        delivery=load.delivery,
        content=load.content,
        size_bytes=load.size_bytes,
        encoding=load.encoding,
        mode=load.mode.value,
        edition=load.edition,
        rows=load.rows,
        rejected=load.rejected,
        rejects=load.rejects,
        loaded_at=format_instant(load.loaded_at),
    )


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_sources, register_source, end_source, deliver, hand_over, find_loads, get_load,
        find_rejections,
    ]  # fmt: skip
    return routes_of("/api/v1/supply", "supply", handlers)
