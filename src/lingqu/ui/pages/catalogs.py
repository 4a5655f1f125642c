# SPDX-License-Identifier: Apache-2.0
"""Catalogs elsewhere: what is open written for them as DCAT, and what they report of every file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import trust
from lingqu.errands import public_address
from lingqu.kernel import errors
from lingqu.runtime import documents, new_id
from lingqu.runtime.documents import SheetColumn
from lingqu.supply import opening
from lingqu.supply.opening import (
    CatalogEntry,
    CatalogId,
    CatalogStatus,
    OpenCatalog,
    OpenFileId,
    Reported,
)
from lingqu.ui import tables
from lingqu.ui.pages.opening import FILES_PATH
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show

PATH = "/supply/catalogs"
_DCAT = "application/ld+json"
_TONES = {
    CatalogStatus.WRITTEN: "wait",
    CatalogStatus.ACKNOWLEDGED: "good",
    CatalogStatus.REJECTED: "bad",
    CatalogStatus.MISSING: "bad",
}
_TAKEN, _REFUSED = "已收录", "未收录"

REPORT = (
    SheetColumn(name="file", zh="文件编号"),
    SheetColumn(name="title", zh="文件名称", optional=True),
    SheetColumn(name="status", zh="收录情况"),
    SheetColumn(name="reason", zh="理由", optional=True),
    SheetColumn(name="written", zh="报送时间", optional=True),
)
"""A catalog's report: the file exported here with its answers comes back by these names."""


class BadReportRow(errors.Rejected):
    """A row of a catalog's report says neither that a file was taken nor that it was not."""

    code = "ui.catalogs.bad_row"


@get(PATH, sync_to_thread=True)
def catalog_list(desk: FromDesk) -> Response[Any]:
    """This will list the catalogs elsewhere that are known."""
    desk.require()
    return _list(desk)


@post(PATH, sync_to_thread=True, command="supply.catalog.register")
def register_catalog(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will make a catalog elsewhere known."""
    desk.require()
    command, catalog = form.id("command", trust.CommandId), form.id("catalog", CatalogId)
    typed = {name: form.fields.get(name, "") for name in ("title", "operator")}
    try:
        desk.execute(
            command,
            opening.register_catalog,
            catalog=catalog,
            title=form.text("title"),
            operator=form.text("operator"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _list(desk, refusal=refusal, typed=typed)
    return desk.go(f"{PATH}/{catalog}", done="catalog_registered")


@get(f"{PATH}/{{catalog:str}}", sync_to_thread=True)
def catalog_page(desk: FromDesk, catalog: FromPath[str]) -> Response[Any]:
    """This will show how every open file stands in one catalog."""
    desk.require()
    return _show(desk, CatalogId(catalog))


@post(f"{PATH}/{{catalog:str}}/write", sync_to_thread=True, command="supply.catalog.write")
def write_catalog(
    desk: FromDesk, form: FromForm, catalog: FromPath[str]
) -> Response[Any] | Response[bytes]:
    """This will write everything that is open for a catalog, and give the document."""
    desk.require()
    command, wanted = form.id("command", trust.CommandId), CatalogId(catalog)
    try:
        written = desk.execute(
            command,
            opening.write_catalog,
            catalog=wanted,
            base_url=public_address(desk.platform),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, wanted, refusal=refusal)
    name = f"dcat-{wanted[-8:]}.jsonld"
    return tables.file_answer(written.document.encode(), name=name, media_type=_DCAT)


@post(f"{PATH}/{{catalog:str}}/report", sync_to_thread=True, command="supply.catalog.reconcile")
def reconcile(desk: FromDesk, form: FromForm, catalog: FromPath[str]) -> Response[Any] | Redirect:
    """This will take in a catalog's report and compare it with what was written there."""
    desk.require()
    command, wanted = form.id("command", trust.CommandId), CatalogId(catalog)
    file = form.file("table")
    if file is None:
        raise FormIncomplete(field=desk.text("ui.import.file"))
    try:
        reading = documents.read_sheet(file.content, columns=REPORT)
    except errors.Rejected as refusal:
        return _show(desk, wanted, refusal=refusal)
    reported, problems = _read_report(reading)
    if problems:
        return _show(desk, wanted, problems=problems)
    try:
        desk.execute(command, opening.reconcile_catalog, catalog=wanted, reported=reported)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, wanted, refusal=refusal)
    return desk.go(f"{PATH}/{wanted}", done="catalog_reconciled")


def _read_report(
    reading: documents.SheetReading,
) -> tuple[tuple[Reported, ...], list[tuple[int, errors.LingquError]]]:
    """What a report says, and what is wrong with its rows; a file without an answer is missing."""
    found: list[Reported] = []
    problems: list[tuple[int, errors.LingquError]] = [
        (int(str(one.parameters.get("row", 0))), one) for one in reading.problems
    ]
    for number, row in zip(reading.numbers, reading.rows, strict=True):
        said, why = str(row["status"]).strip(), str(row.get("reason") or "").strip()
        try:
            if said not in {_TAKEN, _REFUSED} or (said == _REFUSED and not why):
                raise BadReportRow(taken=_TAKEN, refused=_REFUSED)
            file = OpenFileId(str(row["file"]).strip())
            found.append(Reported(file=file, accepted=said == _TAKEN, reason=why))
        except errors.LingquError as refusal:
            problems.append((number, refusal))
    return tuple(found), sorted(problems, key=lambda one: one[0])


def _may(desk: Desk, action: trust.Action) -> bool:
    with desk.reading() as tx:
        return trust.is_allowed(tx, action, trust.Kind.OPEN_CATALOG)


def _list(
    desk: Desk,
    *,
    refusal: errors.LingquError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response[Any]:
    with desk.reading() as tx:
        found = opening.find_catalogs(tx)
    columns = (
        Column[OpenCatalog](
            name="title",
            label="ui.catalogs.name",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/{one.id}",
        ),
        Column[OpenCatalog](
            name="operator", label="ui.catalogs.operator", value=lambda one: one.operator
        ),
        Column[OpenCatalog](
            name="registered",
            label="ui.duty.registered",
            value=lambda one: one.registered_at,
            show=Show.INSTANT,
        ),
    )
    if tables.wants_file(desk):
        name = desk.text("ui.catalogs.title")
        return tables.listed_sheet(desk, found, columns=columns, name=name)
    return desk.show(
        "supply/catalogs.html",
        status=200 if refusal is None else status_of(refusal),
        view=tables.list_table(desk, found, columns=columns),
        may=_may(desk, trust.Action.CREATE),
        new_catalog=new_id(CatalogId),
        refusal=desk.explain(refusal),
        typed=typed or {},
    )


def _show(
    desk: Desk,
    catalog: CatalogId,
    *,
    refusal: errors.LingquError | None = None,
    problems: Sequence[tuple[int, errors.LingquError]] = (),
) -> Response[Any]:
    with desk.reading() as tx:
        entries = opening.find_catalog_entries(tx, catalog)
        held = next(one for one in opening.find_catalogs(tx) if one.id == catalog)
        files, _ = tables.gather(lambda page: opening.find_files(tx, page=page))
    named = {one.id: one.title for one in files}
    columns, filters = _columns(named), _filters(desk)
    if tables.wants_file(desk):
        return _report(desk, held, entries, named)
    counts = {status: sum(one.status is status for one in entries) for status in CatalogStatus}
    return desk.show(
        "supply/open_catalog.html",
        status=422 if problems else 200 if refusal is None else status_of(refusal),
        held=held,
        view=tables.list_table(desk, entries, columns=columns, filters=filters, has_file=False),
        counts=tuple((one.value, count) for one, count in counts.items()),
        unwritten=len({*named} - {one.file for one in entries}),
        may=_may(desk, trust.Action.CHANGE),
        refusal=desk.explain(refusal),
        problems=[(row, desk.explain(one)) for row, one in problems],
    )


def _report(
    desk: Desk, held: OpenCatalog, entries: Sequence[CatalogEntry], named: Mapping[OpenFileId, str]
) -> Response[bytes]:
    """What was written, as the table that the catalog answers in and that comes back here."""
    words = {CatalogStatus.ACKNOWLEDGED: _TAKEN, CatalogStatus.REJECTED: _REFUSED}
    target = io.BytesIO()
    rows = (
        {
            "file": one.file,
            "title": named.get(one.file, ""),
            "status": words.get(one.status, "待反馈"),
            "reason": one.reason,
            "written": desk.when(one.written_at),
        }
        for one in entries
    )
    documents.write_sheet(target, title="收录情况", columns=REPORT, rows=rows)
    name = f"{held.title}-收录情况.xlsx"
    return tables.file_answer(target.getvalue(), name=name, media_type=tables.XLSX)


def _columns(named: Mapping[OpenFileId, str]) -> tuple[Column[CatalogEntry], ...]:
    return (
        Column[CatalogEntry](
            name="file",
            label="ui.open.file_title",
            value=lambda one: named.get(one.file, one.file),
            href=lambda one: f"{FILES_PATH}/{one.file}" if one.file in named else None,
            sub=lambda one: one.reason or None,
        ),
        Column[CatalogEntry](
            name="status",
            label="ui.party.state",
            value=lambda one: f"ui.catalogs.status.{one.status.value}",
            show=Show.LABEL,
            tone=lambda one: _TONES[one.status],
        ),
        Column[CatalogEntry](
            name="written",
            label="ui.catalogs.written",
            value=lambda one: one.written_at,
            show=Show.INSTANT,
        ),
        Column[CatalogEntry](
            name="reported",
            label="ui.catalogs.reported",
            value=lambda one: one.reported_at,
            show=Show.INSTANT,
        ),
        Column[CatalogEntry](
            name="document",
            label="ui.catalogs.document",
            value=lambda one: one.document,
            show=Show.ID,
        ),
    )


def _filters(desk: Desk) -> tuple[Filter[CatalogEntry], ...]:
    return (
        Filter[CatalogEntry](
            name="status",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.catalogs.status.{one.value}"))
                for one in CatalogStatus
            ),
            of=lambda one: one.status.value,
        ),
    )
