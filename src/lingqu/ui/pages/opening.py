# SPDX-License-Identifier: Apache-2.0
"""开放: the yearly list of key open data, and the files that are open to everyone."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import errands, supply, trust
from lingqu.kernel import errors
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import Tx, documents, new_id
from lingqu.runtime.calendar import local_day
from lingqu.runtime.documents import CellKind, SheetColumn
from lingqu.supply import Access, opening
from lingqu.supply.opening import (
    EntryState,
    NewEntry,
    OpenEntry,
    OpenEntryId,
    OpenFile,
    OpenFileId,
    Recipe,
)
from lingqu.trust import rulebook
from lingqu.ui import tables
from lingqu.ui.forms import Form, chosen
from lingqu.ui.pages.delivering import own_resources, titles
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show

LIST_PATH = "/supply/opening"
FILES_PATH = "/supply/open"
CRITERIA = "opening.priority_criteria"
_CRITERION = "criterion-"
_STATES = {
    EntryState.PROPOSED: "已提出",
    EntryState.CONFIRMED: "已确认",
    EntryState.PUBLISHED: "已发布",
}
_TONES = {
    EntryState.PROPOSED: "wait",
    EntryState.CONFIRMED: "wait",
    EntryState.PUBLISHED: "good",
}

SHEET = (
    SheetColumn(name="title", zh="数据名称", optional=True),
    SheetColumn(name="resource", zh="资源编号"),
    SheetColumn(name="body", zh="责任单位", optional=True),
    SheetColumn(name="year", zh="年度", kind=CellKind.INTEGER),
    SheetColumn(name="territory", zh="行政区划代码"),
    SheetColumn(name="criteria", zh="优先开放标准"),
    SheetColumn(name="due", zh="完成时限", kind=CellKind.DAY),
    SheetColumn(name="state", zh="状态", optional=True),
    SheetColumn(name="id", zh="编号", optional=True),
)
"""The yearly list as it is filed; a row with an id is known already."""


class LineDiffers(errors.Conflict):
    """A row names a line of the list and says something else: a line is not changed."""

    code = "ui.opening.differs"


class UnknownCriterion(errors.Rejected):
    """A row names a criterion that the rulebook has not."""

    code = "ui.opening.unknown_criterion"


@get(LIST_PATH, sync_to_thread=True)
def entry_list(desk: FromDesk) -> Response[Any]:
    """This will list the lines of yearly lists; open to everyone."""
    if desk.argument("format") == "template":
        return _sheet((), {}, {}, "年度公共数据开放重点清单（空表）")
    return _entries(desk)


@post(LIST_PATH, sync_to_thread=True, command="supply.opening.propose")
def propose_entry(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will propose a resource for the list of a year."""
    desk.require()
    command, entry = form.id("command", trust.CommandId), form.id("entry", OpenEntryId)
    typed = {
        name: form.fields.get(name, "") for name in ("resource", "year", "territory", "due_on")
    }
    try:
        desk.execute(
            command,
            opening.propose_entry,
            entry=entry,
            year=_number(form, "year"),
            territory=form.text("territory").strip(),
            resource=form.id("resource", supply.ResourceId),
            criteria=tuple(
                name.removeprefix("criterion-")
                for name in form.fields
                if name.startswith("criterion-")
            ),
            due_on=_day(form, "due_on"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _entries(desk, refusal=refusal, typed=typed)
    return desk.go(f"{LIST_PATH}/{entry}", done="opening_proposed")


@post(f"{LIST_PATH}/publish", sync_to_thread=True, command="supply.opening.publish")
def publish_list(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will publish what is confirmed of a year as its list."""
    desk.require()
    command = form.id("command", trust.CommandId)
    try:
        desk.execute(
            command,
            opening.publish_list,
            year=_number(form, "year"),
            territory=form.text("territory").strip(),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _entries(desk, refusal=refusal)
    return desk.go(LIST_PATH, done="opening_published")


@post(f"{LIST_PATH}/import", sync_to_thread=True)
def check_table(desk: FromDesk, form: FromForm) -> Response[Any]:
    """This will show what a table of the list would propose, row by row, and change nothing."""
    desk.require()
    file = form.file("table")
    if file is None:
        raise FormIncomplete(field=desk.text("ui.import.file"))
    try:
        reading = documents.read_sheet(file.content, columns=SHEET)
    except errors.Rejected as refusal:
        return _entries(desk, refusal=refusal)
    problems: list[tuple[int, errors.LingquError]] = [
        (int(str(one.parameters.get("row", 0))), one) for one in reading.problems
    ]
    fresh: list[tuple[int, NewEntry]] = []
    with desk.reading() as tx:
        items = {one.zh: one.code for one in rulebook.of(tx).rule(CRITERIA).items}
        for number, row in zip(reading.numbers, reading.rows, strict=True):
            try:
                if row.get("id"):
                    _check_same(opening.get_entry(tx, OpenEntryId(str(row["id"]).strip())), row)
                else:
                    fresh.append((number, _entry_of(row, items)))
            except errors.LingquError as refusal:
                problems.append((number, refusal))
        problems += _refused(tx, fresh)
    problems.sort(key=lambda one: one[0])
    return _entries(desk, problems=problems, fresh=None if problems else tuple(fresh))


@post(f"{LIST_PATH}/table", sync_to_thread=True, command="supply.opening.propose_all")
def import_table(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will propose every new row of a table that was checked; one bad row and none is."""
    desk.require()
    command = form.id("command", trust.CommandId)
    fresh = _read_checked(form.text("rows"))
    with desk.reading() as tx:
        problems = _refused(tx, fresh)
    if problems:
        return _entries(desk, problems=problems)
    try:
        desk.execute(command, opening.propose_entries, entries=tuple(one for _, one in fresh))
    except (errors.Rejected, errors.Conflict) as refusal:
        return _entries(desk, refusal=refusal)
    return desk.go(LIST_PATH, done="opening_imported")


def _entry_of(row: Mapping[str, Any], items: Mapping[str, str]) -> NewEntry:
    """A row as the line it would become. Raises UnknownCriterion, BadId."""
    words = [word.strip() for word in str(row["criteria"]).split("、")]
    for word in words:
        if word not in items:
            raise UnknownCriterion(given=word[:40])
    return NewEntry(
        id=new_id(OpenEntryId),
        year=int(row["year"]),
        territory=str(row["territory"]).strip(),
        resource=supply.ResourceId(str(row["resource"]).strip()),
        criteria=tuple(items[word] for word in words),
        due_on=row["due"],
    )


def _refused(tx: Tx, fresh: Sequence[tuple[int, NewEntry]]) -> list[tuple[int, errors.LingquError]]:
    """The rows that could not be proposed now, by their numbers in the sheet."""
    wrong = opening.check_entries(tx, entries=tuple(one for _, one in fresh))
    return [(fresh[place][0], refusal) for place, refusal in wrong]


def _read_checked(text: str) -> list[tuple[int, NewEntry]]:
    """The rows of the page that showed them, as it wrote them. Raises FormIncomplete."""
    try:
        return [(int(number), from_plain(NewEntry, one)) for number, one in json.loads(text)]
    except (ValueError, TypeError, KeyError, RecursionError, errors.LingquError):
        raise FormIncomplete(field="rows") from None


def _check_same(held: OpenEntry, row: Mapping[str, Any]) -> None:
    if (held.year, held.territory, held.resource) != (
        row["year"], str(row["territory"]).strip(), str(row["resource"]).strip(),
    ):  # fmt: skip
        raise LineDiffers(entry=held.id)


@get(f"{LIST_PATH}/{{entry:str}}", sync_to_thread=True)
def entry_page(desk: FromDesk, entry: FromPath[str]) -> Response[str]:
    """This will show one line of a list and the files opened under it; for everyone."""
    return _entry(desk, OpenEntryId(entry))


@post(f"{LIST_PATH}/{{entry:str}}/confirm", sync_to_thread=True, command="supply.opening.confirm")
def confirm_entry(desk: FromDesk, form: FromForm, entry: FromPath[str]) -> Response[str] | Redirect:
    """This will confirm a proposed line."""
    desk.require()
    command, wanted = form.id("command", trust.CommandId), OpenEntryId(entry)
    try:
        desk.execute(command, opening.confirm_entry, entry=wanted)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _entry(desk, wanted, refusal=refusal)
    return desk.go(f"{LIST_PATH}/{wanted}", done="opening_confirmed")


@post(f"{LIST_PATH}/{{entry:str}}/files", sync_to_thread=True, command="supply.open_file.publish")
def open_file(desk: FromDesk, form: FromForm, entry: FromPath[str]) -> Response[str] | Redirect:
    """This will make a file of what is loaded and open it to everyone."""
    desk.require()
    command, wanted = form.id("command", trust.CommandId), OpenEntryId(entry)
    typed = {name: form.fields.get(name, "") for name in ("title", "summary", "terms", "recipe",
             "other", "name", "parent", "other_name", "other_parent")}  # fmt: skip
    other = form.maybe("other")
    with desk.reading() as tx:
        resource = opening.get_entry(tx, wanted).resource
    try:
        made = errands.open_file(
            desk.platform,
            desk.visit.caller,
            command,
            errands.Opening(
                entry=wanted,
                title=form.text("title"),
                summary=form.text("summary"),
                terms=form.text("terms"),
                recipe=chosen(form, "recipe", Recipe),
                resource=resource,
                other=None if other is None else supply.ResourceId(other),
                name=form.maybe("name") or "",
                parent=form.maybe("parent") or "",
                other_name=form.maybe("other_name"),
                other_parent=form.maybe("other_parent"),
            ),
        )
    except (errors.Rejected, errors.Conflict, errors.NotFound) as refusal:
        return _entry(desk, wanted, refusal=refusal, typed=typed)
    desk.visit.commanded = True
    return desk.go(f"{FILES_PATH}/{made.id}", done="file_opened")


@get(FILES_PATH, sync_to_thread=True)
def file_list(desk: FromDesk) -> Response[Any]:
    """This will list what is open; for everyone."""
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: opening.find_files(tx, page=page))
        names = desk.names(tx, {one.body for one in found})
    columns = _file_columns(names)
    return tables.gathered_list(
        desk,
        "ui.open",
        found,
        columns=columns,
        is_cut=is_cut,
        rule=CRITERIA,
        actions=((LIST_PATH, desk.text("ui.opening.title"), "btn-quiet"),),
    )


@get(f"{FILES_PATH}/{{file:str}}", sync_to_thread=True)
def file_page(desk: FromDesk, file: FromPath[str]) -> Response[str]:
    """This will show one open file: its terms, its digest, what it was made from; for everyone."""
    return _file(desk, OpenFileId(file))


@post(
    f"{FILES_PATH}/{{file:str}}/withdraw", sync_to_thread=True, command="supply.open_file.withdraw"
)
def withdraw_file(desk: FromDesk, form: FromForm, file: FromPath[str]) -> Response[str] | Redirect:
    """This will take a file back from the public."""
    desk.require()
    command, wanted = form.id("command", trust.CommandId), OpenFileId(file)
    try:
        desk.execute(command, opening.withdraw_file, file=wanted)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _file(desk, wanted, refusal=refusal)
    return desk.go(FILES_PATH, done="file_withdrawn")


def _number(form: Form, name: str) -> int:
    text = form.text(name).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise FormIncomplete(field=name)
    return int(text)


def _day(form: Form, name: str) -> date:
    try:
        return date.fromisoformat(form.text(name).strip())
    except ValueError:
        raise FormIncomplete(field=name) from None


def _entries(
    desk: Desk,
    *,
    refusal: errors.LingquError | None = None,
    typed: Mapping[str, str] | None = None,
    problems: Sequence[tuple[int, errors.LingquError]] = (),
    fresh: Sequence[tuple[int, NewEntry]] | None = None,
) -> Response[Any]:
    signed_in = desk.visit.identity is not None
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: opening.find_entries(tx, page=page))
        names = desk.names(tx, {one.body for one in found})
        items = {one.code: one for one in rulebook.of(tx).rule(CRITERIA).items}
        today = local_day(tx.now)
        resources = own_resources(desk, tx, trust.Kind.OPENING) if signed_in else ()
        said = {
            code: (one.en if desk.visit.language == "en" else one.zh) for code, one in items.items()
        }
        previewed = tuple(_previewed(desk, tx, one, said) for one in fresh or ())
        publishes = signed_in and trust.is_allowed(tx, trust.Action.CHANGE, trust.Kind.OPENING)
    columns, filters = _entry_columns(desk, names, said), _entry_filters(desk, found)
    if tables.wants_file(desk):
        ask = tables.ask_of(desk, columns, filters)
        kept = tables.pick(
            found, ask=ask, columns=columns, filters=filters, language=desk.visit.language
        )
        name = "年度公共数据开放重点清单"
        return _sheet(kept, names, {code: one.zh for code, one in items.items()}, name)
    return desk.show(
        "supply/opening.html",
        status=422 if problems else 200 if refusal is None else status_of(refusal),
        view=tables.list_table(desk, found, columns=columns, filters=filters, is_cut=is_cut),
        resources=tuple(
            (one.id, one.title) for one in resources if one.opening is Access.UNCONDITIONAL
        ),
        criteria=tuple(said.items()),
        publishes=publishes,
        year=today.year,
        territory=next((one.territory for one in found), ""),
        new_entry=new_id(OpenEntryId),
        refusal=desk.explain(refusal),
        problems=[(row, desk.explain(one)) for row, one in problems],
        fresh=None if fresh is None else previewed,
        rows=json.dumps([(number, to_plain(one)) for number, one in fresh or ()]),
        typed=typed or {},
    )


def _previewed(
    desk: Desk, tx: Tx, one: tuple[int, NewEntry], said: Mapping[str, str]
) -> tuple[int, str, str, str, str, str]:
    """A row as the preview shows it: its number and what would be proposed."""
    number, entry = one
    title = supply.get_resource(tx, entry.resource).title
    criteria = desk.series(said.get(code, code) for code in entry.criteria)
    return number, title, str(entry.year), entry.territory, criteria, desk.day(entry.due_on)


def _sheet(
    found: Sequence[OpenEntry], names: Mapping[str, str], said: Mapping[str, str], name: str
) -> Response[bytes]:
    """The list under its official names; the same file may come back here."""
    target = io.BytesIO()
    rows: Iterable[dict[str, str | int | date]] = (
        {
            "title": one.title,
            "resource": one.resource,
            "body": names.get(one.body, one.body),
            "year": one.year,
            "territory": one.territory,
            "criteria": "、".join(said.get(code, code) for code in one.criteria),
            "due": one.due_on,
            "state": _STATES[one.state],
            "id": one.id,
        }
        for one in found
    )
    documents.write_sheet(target, title=name[:31], columns=SHEET, rows=rows)
    return tables.file_answer(target.getvalue(), name=f"{name}.xlsx", media_type=tables.XLSX)


def _entry(
    desk: Desk,
    entry: OpenEntryId,
    *,
    refusal: errors.LingquError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response[str]:
    signed_in = desk.visit.identity is not None
    with desk.reading() as tx:
        held = opening.get_entry(tx, entry)
        names = desk.names(tx, {held.body})
        items = rulebook.of(tx).rule(CRITERIA).items
        files, _ = tables.gather(lambda page: opening.find_files(tx, page=page))
        may = {
            action.value: signed_in
            and trust.is_allowed(tx, action, trust.Kind.OPENING, owner=held.body)
            for action in (trust.Action.CHANGE, trust.Action.CREATE)
        }
        others = own_resources(desk, tx, trust.Kind.OPENING) if may["create"] else ()
    english = desk.visit.language == "en"
    return desk.show(
        "supply/open_entry.html",
        status=200 if refusal is None else status_of(refusal),
        held=held,
        names=names,
        tone=_TONES[held.state],
        criteria=tuple(one.en if english else one.zh for one in items if one.code in held.criteria),
        files=tuple(one for one in files if one.entry == held.id),
        may=may,
        recipes=tuple((one.value, desk.text(f"ui.open.recipe.{one.value}")) for one in Recipe),
        others=tuple((one.id, one.title) for one in others if one.id != held.resource),
        refusal=desk.explain(refusal),
        typed=typed or {},
    )


def _file(
    desk: Desk, file: OpenFileId, *, refusal: errors.LingquError | None = None
) -> Response[str]:
    signed_in = desk.visit.identity is not None
    with desk.reading() as tx:
        held = opening.get_file(tx, file)
        names = desk.names(tx, {held.body})
        lineage = opening.read_lineage(held)
        named = titles(tx, {one.resource for one in lineage})
        standing = tuple(
            (catalog, one)
            for catalog in opening.find_catalogs(tx)
            for one in opening.find_catalog_entries(tx, catalog.id)
            if one.file == held.id
        )
        may = signed_in and trust.is_allowed(
            tx, trust.Action.END, trust.Kind.OPENING, owner=held.body
        )
    return desk.show(
        "supply/open_file.html",
        status=200 if refusal is None else status_of(refusal),
        held=held,
        names=names,
        lineage=lineage,
        named=named,
        standing=standing,
        may=may,
        refusal=desk.explain(refusal),
    )


def _entry_columns(
    desk: Desk, names: Mapping[str, str], said: Mapping[str, str]
) -> tuple[Column[OpenEntry], ...]:
    return (
        Column[OpenEntry](
            name="title",
            label="ui.opening.resource",
            value=lambda one: one.title,
            href=lambda one: f"{LIST_PATH}/{one.id}",
            sub=lambda one: desk.series(said.get(code, code) for code in one.criteria),
        ),
        Column[OpenEntry](
            name="body", label="ui.resource.body", value=lambda one: names.get(one.body, one.body)
        ),
        Column[OpenEntry](name="year", label="ui.opening.year", value=lambda one: str(one.year)),
        Column[OpenEntry](
            name="territory", label="ui.duty.territory", value=lambda one: one.territory
        ),
        Column[OpenEntry](
            name="due", label="ui.opening.due", value=lambda one: one.due_on, show=Show.DAY
        ),
        Column[OpenEntry](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.opening.state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: _TONES[one.state],
        ),
    )


def _entry_filters(desk: Desk, found: Sequence[OpenEntry]) -> tuple[Filter[OpenEntry], ...]:
    return (
        Filter[OpenEntry](
            name="year",
            label=desk.text("ui.opening.year"),
            options=tuple(
                Option(value=str(one), words=str(one)) for one in sorted({e.year for e in found})
            ),
            of=lambda one: str(one.year),
        ),
        Filter[OpenEntry](
            name="state",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.opening.state.{one.value}"))
                for one in EntryState
            ),
            of=lambda one: one.state.value,
        ),
    )


def _file_columns(names: Mapping[str, str]) -> tuple[Column[OpenFile], ...]:
    return (
        Column[OpenFile](
            name="title",
            label="ui.open.file_title",
            value=lambda one: one.title,
            href=lambda one: f"{FILES_PATH}/{one.id}",
            sub=lambda one: one.summary,
        ),
        Column[OpenFile](
            name="body", label="ui.resource.body", value=lambda one: names.get(one.body, one.body)
        ),
        Column[OpenFile](
            name="recipe",
            label="ui.open.recipe",
            value=lambda one: f"ui.open.recipe.{one.recipe.value}",
            show=Show.LABEL,
        ),
        Column[OpenFile](
            name="rows", label="ui.load.rows", value=lambda one: one.rows, show=Show.NUMBER
        ),
        Column[OpenFile](
            name="size", label="ui.load.size", value=lambda one: one.size_bytes, show=Show.NUMBER
        ),
        Column[OpenFile](
            name="published",
            label="ui.open.published",
            value=lambda one: one.published_at,
            show=Show.INSTANT,
        ),
    )
