# SPDX-License-Identifier: Apache-2.0
"""The API of 开放: yearly lists of key open data, files for everyone, and catalogs elsewhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from lingqu import supply
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.writes import FromPlatform, FromWrite
from lingqu.errands import Opening, open_file, public_address
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Instant, format_instant
from lingqu.runtime.blobs import CHUNK_BYTES
from lingqu.supply import opening

Year = Annotated[int, msgspec.Meta(ge=2000, le=2999)]
Column = Annotated[str, msgspec.Meta(max_length=128)]


class EntryView(msgspec.Struct, kw_only=True):
    """One line of a yearly list."""

    id: str
    year: int
    territory: str
    resource: str
    body: str
    title: str
    criteria: list[str]
    due_on: str
    state: Literal["proposed", "confirmed", "published"]
    published_at: str | None


class EntryPage(msgspec.Struct, kw_only=True):
    """Some lines, and the cursor of the page after them (null: this was the last)."""

    items: list[EntryView]
    next: str | None


class ProposeEntry(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A line under an id the caller made (`ope_...`), on criteria of priority."""

    entry: str
    year: Year
    territory: str
    resource: str
    criteria: list[str]
    due_on: dt.date


class ProposeEntries(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The lines of a whole table; all are proposed or none."""

    entries: Annotated[list[ProposeEntry], msgspec.Meta(max_length=1000)]


class PublishList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The year and territory whose confirmed lines are published."""

    year: Year
    territory: str


class AncestorView(msgspec.Struct, kw_only=True):
    """A load an open file was made from."""

    resource: str
    edition: int
    digests: list[str]


class OpenFileView(msgspec.Struct, kw_only=True):
    """A file anyone may download, its terms and digest, and what it was made from."""

    id: str
    entry: str
    body: str
    title: str
    summary: str
    terms: str
    name: str
    sha256: str
    size_bytes: int
    rows: int
    recipe: Literal["table", "crosswalk"]
    lineage: list[AncestorView]
    published_at: str
    withdrawn_at: str | None


class OpenFilePage(msgspec.Struct, kw_only=True):
    """Some open files, and the cursor of the page after them (null: this was the last)."""

    items: list[OpenFileView]
    next: str | None


class OpenAFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A file to be made of what is loaded: a whole table, or a crosswalk of two code books.

    Its id is that of the command in `Idempotency-Key`, with the prefix `opf_`.
    """

    entry: str
    title: str
    summary: str
    terms: str
    resource: str
    recipe: Literal["table", "crosswalk"] = "table"
    other: str | None = None
    name: Column = ""
    parent: Column = ""
    other_name: Column | None = None
    other_parent: Column | None = None


class RegisterCatalog(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A catalog elsewhere under an id the caller made (`cat_...`)."""

    catalog: str
    title: str
    operator: str


class CatalogView(msgspec.Struct, kw_only=True):
    """A catalog elsewhere, and who runs it."""

    id: str
    title: str
    operator: str


class CatalogList(msgspec.Struct, kw_only=True):
    """Every catalog that is known."""

    items: list[CatalogView]


class CatalogEntryView(msgspec.Struct, kw_only=True):
    """How a file stands in a catalog."""

    file: str
    status: Literal["written", "acknowledged", "rejected", "missing"]
    reason: str
    document: str
    written_at: str
    reported_at: str | None


class CatalogEntryList(msgspec.Struct, kw_only=True):
    """How every file stands in one catalog."""

    items: list[CatalogEntryView]


class WrittenView(msgspec.Struct, kw_only=True):
    """The DCAT document (JSON-LD) to be handed to a catalog, and its SHA-256."""

    catalog: str
    document: str
    sha256: str
    files: int


class ReportedShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a catalog says of one file it was given."""

    file: str
    accepted: bool
    reason: str = ""


class CatalogReport(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a catalog reports back of everything it was given."""

    reported: list[ReportedShape]


class ReconciledView(msgspec.Struct, kw_only=True):
    """How the report compares with what was written."""

    catalog: str
    acknowledged: int
    rejected: int
    missing: int
    unknown: list[str]


@reads("/open-list", "List key open data", is_open=True)
def find_entries(
    platform: FromPlatform,
    size: Size = 50,
    after: After = None,
    year: Annotated[int | None, QueryParameter(name="year", ge=2000, le=2999)] = None,
    territory: Annotated[str | None, QueryParameter(name="territory", max_length=12)] = None,
) -> EntryPage:
    """This will list lines of yearly lists, newest first; open to everyone."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading() as tx:
        page = opening.find_entries(tx, page=request, year=year, territory=territory)
    return EntryPage(items=[entry_view(one) for one in page.items], next=page.next)


@makes("/open-list", "supply.opening.propose", "Propose key open data")
def propose_entry(write: FromWrite, data: JSONBody[ProposeEntry]) -> EntryView:
    """This will propose a resource for the list of a year."""
    made = write.execute(
        opening.propose_entry,
        entry=opening.OpenEntryId(data.entry),
        year=data.year,
        territory=data.territory,
        resource=supply.ResourceId(data.resource),
        criteria=tuple(data.criteria),
        due_on=data.due_on,
    )
    return entry_view(made)


@makes("/open-list/table", "supply.opening.propose_all", "Propose a table of key open data")
def propose_entries(write: FromWrite, data: JSONBody[ProposeEntries]) -> EntryPage:
    """This will propose every line of a table, or none where one of them cannot be."""
    given = tuple(
        opening.NewEntry(
            id=opening.OpenEntryId(one.entry),
            year=one.year,
            territory=one.territory,
            resource=supply.ResourceId(one.resource),
            criteria=tuple(one.criteria),
            due_on=one.due_on,
        )
        for one in data.entries
    )
    made = write.execute(opening.propose_entries, entries=given)
    return EntryPage(items=[entry_view(one) for one in made], next=None)


@does("/open-list/{entry:str}/confirm", "supply.opening.confirm", "Confirm key open data")
def confirm_entry(write: FromWrite, entry: FromPath[str]) -> EntryView:
    """This will confirm a proposed line."""
    return entry_view(write.execute(opening.confirm_entry, entry=opening.OpenEntryId(entry)))


@does("/open-list/publish", "supply.opening.publish", "Publish the yearly list")
def publish_list(write: FromWrite, data: JSONBody[PublishList]) -> EntryPage:
    """This will publish every confirmed line of a year and territory."""
    done = write.execute(opening.publish_list, year=data.year, territory=data.territory)
    return EntryPage(items=[entry_view(one) for one in done], next=None)


@reads("/open", "List open files", is_open=True)
def find_files(platform: FromPlatform, size: Size = 50, after: After = None) -> OpenFilePage:
    """This will list what anyone may download, newest first; open to everyone."""
    with platform.database.reading() as tx:
        page = opening.find_files(tx, page=PageRequest(size=size, after=after))
    return OpenFilePage(items=[file_view(one) for one in page.items], next=page.next)


@reads("/open/{file:str}", "Read an open file's description", is_open=True)
def get_file(platform: FromPlatform, file: FromPath[str]) -> OpenFileView:
    """This will describe one open file; open to everyone."""
    with platform.database.reading() as tx:
        return file_view(opening.get_file(tx, opening.OpenFileId(file)))


@reads("/open/{file:str}/content", "Download an open file", is_open=True)
def get_content(platform: FromPlatform, file: FromPath[str]) -> Stream:
    """This will give the bytes of an open file (CSV, UTF-8); open to everyone."""
    with platform.database.reading() as tx:
        held = opening.get_file(tx, opening.OpenFileId(file))
    stream = platform.blobs.open(held.as_blob())
    return Stream(
        _pieces(stream),
        media_type="text/csv; charset=utf-8",
        headers={
            "content-length": str(held.size_bytes),
            "content-disposition": f'attachment; filename="{held.name}"',
            "etag": f'"{held.sha256}"',
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
        },
    )


@makes("/open", "supply.open_file.publish", "Open a file")
def publish_file(write: FromWrite, data: JSONBody[OpenAFile]) -> OpenFileView:
    """This will make a file out of what is loaded and open it to everyone."""
    write.visit.commanded = True
    wanted = Opening(
        entry=opening.OpenEntryId(data.entry),
        title=data.title,
        summary=data.summary,
        terms=data.terms,
        recipe=opening.Recipe(data.recipe),
        resource=supply.ResourceId(data.resource),
        other=None if data.other is None else supply.ResourceId(data.other),
        name=data.name,
        parent=data.parent,
        other_name=data.other_name,
        other_parent=data.other_parent,
    )
    return file_view(open_file(write.platform, write.visit.caller, write.command, wanted))


@does("/open/{file:str}/withdraw", "supply.open_file.withdraw", "Withdraw an open file")
def withdraw_file(write: FromWrite, file: FromPath[str]) -> OpenFileView:
    """This will take a file back from the public."""
    return file_view(write.execute(opening.withdraw_file, file=opening.OpenFileId(file)))


@reads("/catalogs", "List catalogs elsewhere", is_open=True)
def find_catalogs(platform: FromPlatform) -> CatalogList:
    """This will list the catalogs in which open files are listed; open to everyone."""
    with platform.database.reading() as tx:
        found = opening.find_catalogs(tx)
    return CatalogList(items=[catalog_view(one) for one in found])


@reads("/catalogs/{catalog:str}/entries", "List a catalog's entries", is_open=True)
def find_catalog_entries(platform: FromPlatform, catalog: FromPath[str]) -> CatalogEntryList:
    """This will say how each open file stands in a catalog; open to everyone."""
    with platform.database.reading() as tx:
        found = opening.find_catalog_entries(tx, opening.CatalogId(catalog))
    return CatalogEntryList(
        items=[
            CatalogEntryView(
                file=one.file,
                status=one.status.value,
                reason=one.reason,
                document=one.document,
                written_at=format_instant(one.written_at),
                reported_at=_moment(one.reported_at),
            )
            for one in found
        ]
    )


@makes("/catalogs", "supply.catalog.register", "Register a catalog")
def register_catalog(write: FromWrite, data: JSONBody[RegisterCatalog]) -> CatalogView:
    """This will make a catalog elsewhere known."""
    made = write.execute(
        opening.register_catalog,
        catalog=opening.CatalogId(data.catalog),
        title=data.title,
        operator=data.operator,
    )
    return catalog_view(made)


@does("/catalogs/{catalog:str}/write", "supply.catalog.write", "Write open files for a catalog")
def write_catalog(write: FromWrite, catalog: FromPath[str]) -> WrittenView:
    """This will write what is open as one DCAT document for a catalog."""
    made = write.execute(
        opening.write_catalog,
        catalog=opening.CatalogId(catalog),
        base_url=public_address(write.platform),
    )
    return WrittenView(
        catalog=made.catalog, document=made.document, sha256=made.sha256, files=made.files
    )


@does("/catalogs/{catalog:str}/reconcile", "supply.catalog.reconcile", "Reconcile a catalog")
def reconcile_catalog(
    write: FromWrite, catalog: FromPath[str], data: JSONBody[CatalogReport]
) -> ReconciledView:
    """This will compare what a catalog reports with what was written for it."""
    done = write.execute(
        opening.reconcile_catalog,
        catalog=opening.CatalogId(catalog),
        reported=tuple(
            opening.Reported(
                file=opening.OpenFileId(one.file), accepted=one.accepted, reason=one.reason
            )
            for one in data.reported
        ),
    )
    return ReconciledView(
        catalog=done.catalog,
        acknowledged=done.acknowledged,
        rejected=done.rejected,
        missing=done.missing,
        unknown=list(done.unknown),
    )


def entry_view(entry: opening.OpenEntry) -> EntryView:
    """This will give the shape of a line."""
    return EntryView(
        id=entry.id,
        year=entry.year,
        territory=entry.territory,
        resource=entry.resource,
        body=entry.body,
        title=entry.title,
        criteria=list(entry.criteria),
        due_on=entry.due_on.isoformat(),
        state=entry.state.value,
        published_at=_moment(entry.published_at),
    )


def file_view(file: opening.OpenFile) -> OpenFileView:
    """This will give the shape of an open file."""
    return OpenFileView(
        id=file.id,
        entry=file.entry,
        body=file.body,
        title=file.title,
        summary=file.summary,
        terms=file.terms,
        name=file.name,
        sha256=file.sha256,
        size_bytes=file.size_bytes,
        rows=file.rows,
        recipe=file.recipe.value,
        lineage=[
            AncestorView(resource=one.resource, edition=one.edition, digests=list(one.digests))
            for one in opening.read_lineage(file)
        ],
        published_at=format_instant(file.published_at),
        withdrawn_at=_moment(file.withdrawn_at),
    )


def catalog_view(catalog: opening.OpenCatalog) -> CatalogView:
    """This will give the shape of a catalog."""
    return CatalogView(id=catalog.id, title=catalog.title, operator=catalog.operator)


def _moment(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(CHUNK_BYTES):
            yield piece


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_entries, propose_entry, propose_entries, confirm_entry, publish_list, find_files,
        get_file, get_content, publish_file, withdraw_file, find_catalogs, find_catalog_entries,
        register_catalog, write_catalog, reconcile_catalog,
    ]  # fmt: skip
    return routes_of("/api/v1/supply", "supply", handlers)
