# SPDX-License-Identifier: Apache-2.0
"""归集: where resources come from, what was handed over for them, and what was not accepted."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import supply, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import Page, PageRequest
from lingqu.runtime import Tx, documents, new_id
from lingqu.runtime.documents import CellKind, SheetColumn
from lingqu.supply import Mode, Resource, collection, handing, opening
from lingqu.supply.collection import Load, LoadId, LoadMode, Source, SourceId, SourceKind
from lingqu.trust import jobs
from lingqu.ui import tables, things
from lingqu.ui.forms import Form, chosen
from lingqu.ui.pages.works import PATH as WORKS_PATH
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.uploads import UploadTooLarge, check_upload

SOURCES_PATH = "/supply/sources"
LOADS_PATH = "/supply/loads"
RESOURCES_PATH = "/supply/resources"
_REJECTS_SHOWN = 200


@get(SOURCES_PATH, sync_to_thread=True)
def source_list(desk: FromDesk) -> Response[Any]:
    """This will list the sources of the visitor's bodies, or of all for who may see those."""
    desk.require()
    return _sources(desk)


@post(SOURCES_PATH, sync_to_thread=True, command="supply.source.register")
def register_source(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will say where a resource comes from."""
    desk.require()
    command, source = form.id("command", trust.CommandId), form.id("source", SourceId)
    typed = {
        name: form.fields.get(name, "")
        for name in ("resource", "title", "kind", "schema_name", "table_name")
    }
    try:
        desk.execute(
            command,
            collection.register_source,
            source=source,
            resource=form.id("resource", supply.ResourceId),
            title=form.text("title"),
            kind=chosen(form, "kind", SourceKind),
            schema_name=form.maybe("schema_name") or "",
            table_name=form.maybe("table_name") or "",
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _sources(desk, refusal=refusal, typed=typed)
    return desk.go(SOURCES_PATH, done="source_registered")


@post(f"{SOURCES_PATH}/end", sync_to_thread=True, command="supply.source.end")
def end_source(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will end a source; what was taken from it stays."""
    desk.require()
    command, source = form.id("command", trust.CommandId), form.id("source", SourceId)
    try:
        desk.execute(command, collection.end_source, source=source)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _sources(desk, refusal=refusal)
    return desk.go(SOURCES_PATH, done="source_ended")


@get(LOADS_PATH, sync_to_thread=True)
def load_list(desk: FromDesk) -> Response[Any]:
    """This will list what was loaded, newest first, and take the next delivery."""
    desk.require()
    return _loads(desk)


@post(LOADS_PATH, sync_to_thread=True, command="supply.delivery.hand_over")
def hand_over(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will keep a delivery and have it loaded, and lead to where its progress is seen."""
    desk.require()
    command, work = form.id("command", trust.CommandId), form.id("work", jobs.WorkId)
    typed = {name: form.fields.get(name, "") for name in ("resource", "source", "mode")}
    resource, _, source = form.text("resource").partition("/")
    try:
        handed = _handed(desk, form, supply.ResourceId(resource), source)
        desk.execute(command, handing.hand_over, work=work, handed=handed)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _loads(desk, refusal=refusal, typed=typed)
    return desk.go(f"{WORKS_PATH}/{work}")


def _handed(desk: Desk, form: Form, resource: supply.ResourceId, source: str) -> handing.Handed:
    """What the form hands over; the file is kept only for somebody who may deliver it."""
    with desk.reading() as tx:
        known = None if not source else collection.get_source(tx, SourceId(source))
        # Nobody leaves files here who may not deliver.
        collection.plan_load(
            tx,
            load=new_id(LoadId),
            resource=resource,
            source=None if known is None else known.id,
        )
    mode = chosen(form, "mode", LoadMode)
    if known is not None and known.kind is SourceKind.POSTGRES:
        return handing.Handed(resource=resource, mode=LoadMode.REPLACE, source=known.id)
    file, most = form.file("file"), desk.platform.settings.upload_bytes_max
    if file is None or not file.content:
        raise FormIncomplete(field=desk.text("ui.load.file"))
    if len(file.content) > most:
        raise UploadTooLarge(most=most)
    check_upload(file)
    kept = desk.platform.blobs.put(file.content, limit_bytes=most)
    return handing.Handed(
        resource=resource,
        mode=mode,
        source=None if known is None else known.id,
        name=file.name[-100:],
        sha256=kept.sha256,
        size_bytes=kept.size,
    )


@get(f"{LOADS_PATH}/{{load:str}}", sync_to_thread=True)
def load_page(desk: FromDesk, load: FromPath[str]) -> Response[Any]:
    """This will show one load: what came, what was accepted, what was not, and what it became."""
    desk.require()
    with desk.reading() as tx:
        held = collection.get_load(tx, LoadId(load))
        resource = supply.get_resource(tx, held.resource)
        source = None if held.source is None else collection.get_source(tx, held.source)
        may = trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.LOAD, owner=held.body)
        rejected = collection.find_rejections(tx, held.id) if may and held.rejected else ()
        files, _ = tables.gather(lambda page: opening.find_files(tx, page=page))
        names = desk.names(tx, {held.body})
        newest = collection.find_table(tx, held.resource)
    if tables.wants_file(desk):
        return _rejects_sheet(resource, held, rejected)
    return desk.show(
        "supply/load.html",
        held=held,
        resource=resource,
        source=source,
        names=names,
        rejected=rejected[:_REJECTS_SHOWN],
        may=may,
        labels={one.name: one.label for one in supply.read_fields(resource)},
        is_newest=newest.version == held.edition,
        made=tuple(
            one
            for one in files
            if any(
                from_.resource == held.resource and from_.edition == held.edition
                for from_ in opening.read_lineage(one)
            )
        ),
    )


def _rejects_sheet(
    resource: Resource, held: Load, rejected: Sequence[collection.Rejection]
) -> Response[bytes]:
    """The rows that were not accepted, with their cells, as a table to be mended."""
    fields = supply.read_fields(resource)
    columns = (
        SheetColumn(name="row", zh="原行号", kind=CellKind.INTEGER),
        SheetColumn(name="field", zh="有误字段", optional=True),
        SheetColumn(name="reason", zh="未接收原因", optional=True),
        *(
            SheetColumn(
                name=f"cell-{one.name}", zh=f"{one.label}（{one.name}）"[:60], optional=True
            )
            for one in fields
        ),
    )
    target = io.BytesIO()
    rows: list[dict[str, str | int]] = []
    for one in rejected:
        row: dict[str, str | int] = {"row": one.row, "field": one.field, "reason": one.reason}
        for known, cell in zip(fields, one.cells, strict=False):
            row[f"cell-{known.name}"] = "".join(each for each in cell if each.isprintable())
        rows.append(row)
    documents.write_sheet(target, title="未接收的行", columns=columns, rows=rows)
    name = f"{resource.title}-第{held.edition}次-未接收的行.xlsx"
    return tables.file_answer(target.getvalue(), name=name, media_type=tables.XLSX)


def _head(one: supply.Field) -> str:
    return f"{one.label}（{one.name}）"[:60]


def own_resources(desk: Desk, tx: Tx, kind: trust.Kind) -> tuple[Resource, ...]:
    """This will list the resources for which the visitor may make something of a kind."""
    found: list[Resource] = []
    for body in desk.reach(tx, kind, trust.Action.CREATE):
        found += tables.gather(_resources_of(tx, body))[0]
    return tuple(found)


def _resources_of(tx: Tx, body: trust.PartyId) -> Callable[[PageRequest], Page[Resource]]:
    return lambda page: supply.find_resources(tx, page=page, body=body)


def _sources_of(tx: Tx, body: trust.PartyId) -> Callable[[PageRequest], Page[Source]]:
    return lambda page: collection.find_sources(tx, page=page, body=body)


def titles(tx: Tx, resources: set[supply.ResourceId]) -> Mapping[str, str]:
    """This will give the titles of resources; one that is gone keeps its id."""
    found = {}
    for one in sorted(resources):
        try:
            found[str(one)] = supply.get_resource(tx, one).title
        except errors.NotFound:
            found[str(one)] = shorten(one)
    return found


def _sources(
    desk: Desk,
    *,
    refusal: errors.LingquError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response[Any]:
    with desk.reading() as tx:
        found, is_cut = things.gather_own(
            things.parties_to_see(tx, desk.require(), trust.Kind.SOURCE),
            lambda page, body: collection.find_sources(tx, page=page, body=body),
            key=lambda one: str(one.id),
        )
        named = titles(tx, {one.resource for one in found})
        names = desk.names(tx, {one.body for one in found})
        mine = own_resources(desk, tx, trust.Kind.SOURCE)
        endable = tuple(
            one
            for one in found
            if trust.is_allowed(tx, trust.Action.END, trust.Kind.SOURCE, owner=one.body)
        )
    columns = _source_columns(named, names)
    filters = (_kinds(desk, "ui.source.kind", SourceKind),)
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, found, columns=columns, filters=filters, name=desk.text("ui.sources.title")
        )
    return desk.show(
        "supply/sources.html",
        status=200 if refusal is None else status_of(refusal),
        view=tables.list_table(desk, found, columns=columns, filters=filters, is_cut=is_cut),
        resources=tuple((one.id, one.title) for one in mine),
        endable=tuple((one.id, desk.aside(one.title, named[one.resource])) for one in endable),
        kinds=tuple((one.value, desk.text(f"ui.source.kind.{one.value}")) for one in SourceKind),
        new_source=new_id(SourceId),
        refusal=desk.explain(refusal),
        typed={"resource": desk.argument("resource"), **(typed or {})},
    )


def _kinds(desk: Desk, label: str, kinds: Any) -> Filter[Any]:
    return Filter[Any](
        name="kind",
        label=desk.text(label),
        options=tuple(
            Option(value=one.value, words=desk.text(f"{label}.{one.value}")) for one in kinds
        ),
        of=lambda one: str(one.kind.value),
    )


def _source_columns(
    named: Mapping[str, str], names: Mapping[str, str]
) -> tuple[Column[Source], ...]:
    return (
        Column[Source](name="title", label="ui.source.title", value=lambda one: one.title),
        Column[Source](
            name="resource",
            label="ui.load.resource",
            value=lambda one: named[one.resource],
            href=lambda one: f"{RESOURCES_PATH}/{one.resource}",
        ),
        Column[Source](
            name="body", label="ui.resource.body", value=lambda one: names.get(one.body, one.body)
        ),
        Column[Source](
            name="kind",
            label="ui.source.kind",
            value=lambda one: f"ui.source.kind.{one.kind.value}",
            show=Show.LABEL,
            sub=lambda one: f"{one.schema_name}.{one.table_name}" if one.table_name else None,
        ),
        Column[Source](
            name="mode",
            label="ui.resource.mode",
            value=lambda one: f"ui.mode.{one.mode.value}",
            show=Show.LABEL,
        ),
        Column[Source](
            name="registered",
            label="ui.duty.registered",
            value=lambda one: one.registered_at,
            show=Show.INSTANT,
        ),
        Column[Source](name="id", label="ui.source.id", value=lambda one: one.id, show=Show.ID),
    )


def _loads(
    desk: Desk,
    *,
    refusal: errors.LingquError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response[Any]:
    with desk.reading() as tx:
        found, is_cut = things.gather_own(
            things.parties_to_see(tx, desk.require(), trust.Kind.LOAD),
            lambda page, body: collection.find_loads(tx, page=page, body=body),
            key=lambda one: str(one.id),
        )
        named = titles(tx, {one.resource for one in found})
        names = desk.names(tx, {one.body for one in found})
        mine = own_resources(desk, tx, trust.Kind.LOAD)
        sources: tuple[Source, ...] = ()
        for body in desk.reach(tx, trust.Kind.SOURCE, trust.Action.READ):
            sources += tables.gather(_sources_of(tx, body))[0]
    columns, filters = _load_columns(named, names), _load_filters(desk, found, names)
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, found, columns=columns, filters=filters, name=desk.text("ui.loads.title")
        )
    wanted = desk.argument("resource")
    choices = _choices(desk, mine, sources)
    return desk.show(
        "supply/loads.html",
        status=200 if refusal is None else status_of(refusal),
        view=tables.list_table(desk, found, columns=columns, filters=filters, is_cut=is_cut),
        deliverable=choices,
        modes=tuple((one.value, desk.text(f"ui.load.mode.{one.value}")) for one in LoadMode),
        work=new_id(jobs.WorkId),
        refusal=desk.explain(refusal),
        typed={
            "resource": next((one for one, _ in choices if wanted and one.startswith(wanted)), ""),
            **(typed or {}),
        },
    )


def _choices(
    desk: Desk, mine: Sequence[Resource], sources: Sequence[Source]
) -> tuple[tuple[str, str], ...]:
    """What can be delivered: each resource by itself, and each of its sources."""
    by_resource: dict[str, list[Source]] = {}
    for one in sources:
        by_resource.setdefault(one.resource, []).append(one)
    found: list[tuple[str, str]] = []
    for resource in mine:
        if resource.mode is Mode.PHYSICAL:
            found.append((str(resource.id), resource.title))
        for source in by_resource.get(resource.id, ()):
            words = desk.text("ui.load.from_source", title=resource.title, source=source.title)
            found.append((f"{resource.id}/{source.id}", words))
    return tuple(found)


def _load_columns(named: Mapping[str, str], names: Mapping[str, str]) -> tuple[Column[Load], ...]:
    return (
        Column[Load](
            name="resource",
            label="ui.load.resource",
            value=lambda one: named[one.resource],
            href=lambda one: f"{LOADS_PATH}/{one.id}",
            sub=lambda one: one.delivery,
        ),
        Column[Load](
            name="body", label="ui.resource.body", value=lambda one: names.get(one.body, one.body)
        ),
        Column[Load](
            name="edition", label="ui.load.edition", value=lambda one: one.edition, show=Show.NUMBER
        ),
        Column[Load](
            name="mode",
            label="ui.load.mode",
            value=lambda one: f"ui.load.mode.{one.mode.value}",
            show=Show.LABEL,
        ),
        Column[Load](
            name="rows", label="ui.load.rows", value=lambda one: one.rows, show=Show.NUMBER
        ),
        Column[Load](
            name="rejected",
            label="ui.load.rejected",
            value=lambda one: one.rejected,
            show=Show.NUMBER,
        ),
        Column[Load](
            name="loaded", label="ui.load.at", value=lambda one: one.loaded_at, show=Show.INSTANT
        ),
    )


def _load_filters(
    desk: Desk, found: Sequence[Load], names: Mapping[str, str]
) -> tuple[Filter[Load], ...]:
    return (
        Filter[Load](
            name="body",
            label=desk.text("ui.resource.body"),
            options=tuple(
                Option(value=one, words=names.get(one, one))
                for one in sorted({str(one.body) for one in found})
            ),
            of=lambda one: one.body,
        ),
        Filter[Load](
            name="rejects",
            label=desk.text("ui.load.rejected"),
            options=(
                Option(value="some", words=desk.text("ui.load.some_rejected")),
                Option(value="none", words=desk.text("ui.load.none_rejected")),
            ),
            of=lambda one: "some" if one.rejected else "none",
        ),
    )
