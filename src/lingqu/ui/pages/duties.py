# SPDX-License-Identifier: Apache-2.0
"""职能数据清单: the list of duties, one more, one less, and a whole table of them from Excel."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect

from lingqu import supply, trust
from lingqu.kernel import errors
from lingqu.runtime import documents, new_id
from lingqu.runtime.documents import SheetColumn
from lingqu.supply import Duty, DutyId, NewDuty
from lingqu.ui import tables
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show

PATH = "/supply/duties"
IMPORT_PATH = "/supply/duties/import"
_TEMPLATE = "template"

SHEET = (
    SheetColumn(name="id", zh="编号", optional=True),
    SheetColumn(name="item", zh="数据事项"),
    SheetColumn(name="basis", zh="职能依据"),
    SheetColumn(name="territory", zh="行政区划代码"),
    SheetColumn(name="body", zh="责任单位", optional=True),
    SheetColumn(name="registered", zh="登记时间", optional=True),
)
"""The columns of the table as it is filed; `id` and the time are ours, the rest is the body's."""


class DutyChanged(errors.Conflict):
    """A row names a registered duty and says something else: duties end, they do not change."""

    code = "ui.duties.changed"


class ForeignBody(errors.Rejected):
    """A row names a body that the visitor does not act for."""

    code = "ui.duties.foreign_body"


@get(PATH, sync_to_thread=True)
def duty_list(desk: FromDesk) -> Response[Any]:
    """This will list the duties in force; open to everyone."""
    if desk.argument("format") == _TEMPLATE:
        return _template()
    return _show(desk)


@post(PATH, sync_to_thread=True, command="supply.duty.register")
def register_duty(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will put one item on a body's list."""
    desk.require()
    typed = {name: form.fields.get(name, "") for name in ("item", "basis", "territory", "body")}
    command, duty = form.id("command", trust.CommandId), form.id("duty", DutyId)
    try:
        desk.execute(
            command,
            supply.register_duty,
            duty=duty,
            body=form.id("body", trust.PartyId),
            item=form.text("item"),
            basis=form.text("basis"),
            territory=form.text("territory"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, refusal=refusal, typed=typed)
    return desk.go(PATH, done="duty_registered")


@post(f"{PATH}/end", sync_to_thread=True, command="supply.duty.end")
def end_duty(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will end a duty; what was delivered under it stays."""
    desk.require()
    command, duty = form.id("command", trust.CommandId), form.id("duty", DutyId)
    try:
        desk.execute(command, supply.end_duty, duty=duty)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, refusal=refusal)
    return desk.go(PATH, done="duty_ended")


@post(IMPORT_PATH, sync_to_thread=True, command="supply.duty.register_all")
def import_duties(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will register the new rows of a table, all of them; one bad row and none is."""
    desk.require()
    command, body = form.id("command", trust.CommandId), form.id("body", trust.PartyId)
    file = form.file("table")
    if file is None:
        raise FormIncomplete(field=desk.text("ui.import.file"))
    try:
        reading = documents.read_sheet(file.content, columns=SHEET)
    except errors.Rejected as refusal:
        return _show(desk, refusal=refusal, typed={"body": body})
    with desk.reading() as tx:
        names = desk.names(tx, {body})
        fresh, wrong = _fresh(tx, reading.rows, body, names[body])
        wrong += [
            (places[0], refusal)
            for place, refusal in supply.check_duties(tx, duties=tuple(one for _, one in fresh))
            if (places := [fresh[place][0]])
        ]
    problems = [*((_row(one), one) for one in reading.problems), *wrong]
    if problems or not fresh:
        return _show(desk, problems=sorted(problems, key=lambda one: one[0]), typed={"body": body},
                     nothing_new=not problems)  # fmt: skip
    try:
        desk.execute(command, supply.register_duties, duties=tuple(one for _, one in fresh))
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, refusal=refusal, typed={"body": body})
    return desk.go(PATH, done="duties_imported")


def _row(problem: errors.LingquError) -> int:
    return int(str(problem.parameters.get("row", 0)))


def _fresh(
    tx: Any, rows: tuple[Mapping[str, Any], ...], body: trust.PartyId, name: str
) -> tuple[list[tuple[int, NewDuty]], list[tuple[int, errors.LingquError]]]:
    """The rows that are not registered yet, with their places in the sheet, and what is wrong."""
    fresh: list[tuple[int, NewDuty]] = []
    wrong: list[tuple[int, errors.LingquError]] = []
    for place, row in enumerate(rows, start=2):
        said = {key: str(row.get(key) or "").strip() for key in ("item", "basis", "territory")}
        given_body = str(row.get("body") or "").strip()
        try:
            if row.get("id"):
                _check_same(supply.get_duty(tx, DutyId(str(row["id"]).strip())), said)
                continue
            if given_body not in {"", name}:
                raise ForeignBody(body=given_body[:60])
            fresh.append((place, NewDuty(id=new_id(DutyId), body=body, **said)))
        except errors.LingquError as refusal:
            wrong.append((place, refusal))
    return fresh, wrong


def _check_same(held: Duty, said: Mapping[str, str]) -> None:
    for key, value in said.items():
        if getattr(held, key) != value:
            raise DutyChanged(duty=held.id, column=key)


def _template() -> Response[bytes]:
    target = io.BytesIO()
    columns = tuple(one for one in SHEET if one.name not in {"id", "registered"})
    documents.write_sheet(target, title="职能数据清单", columns=columns, rows=())
    return tables.file_answer(
        target.getvalue(), name="职能数据清单（空表）.xlsx", media_type=tables.XLSX
    )


def _show(
    desk: Desk,
    *,
    refusal: errors.LingquError | None = None,
    typed: Mapping[str, str] | None = None,
    problems: list[tuple[int, errors.LingquError]] | None = None,
    nothing_new: bool = False,
) -> Response[Any]:
    mine = desk.visit.identity
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: supply.find_duties(tx, page=page))
        held = () if mine is None else mine.parties or (mine.party,)
        offered = {*held} | ({one.body for one in found} if mine is not None else set())
        bodies = (
            tuple(
                one
                for one in sorted(offered)
                if trust.is_allowed(
                    tx, trust.Action.CREATE, trust.Kind.DUTY, owner=trust.PartyId(one)
                )
            )
            if mine is not None
            else ()
        )
        names = desk.names(tx, {*bodies, *(one.body for one in found)})
    columns, filters = _columns(names), _filters(desk, found, names)
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, found, columns=columns, filters=filters, name=desk.text("ui.duties.title")
        )
    wrong = problems or []
    status = 200 if refusal is None else status_of(refusal)
    return desk.show(
        "supply/duties.html",
        status=422 if wrong else status,
        view=tables.list_table(desk, found, columns=columns, filters=filters, is_cut=is_cut),
        bodies=tuple((one, names[one]) for one in bodies),
        endable=tuple(
            (one.id, desk.aside(one.item, names[one.body])) for one in found if one.body in bodies
        ),
        new_duty=new_id(DutyId),
        refusal=desk.explain(refusal),
        problems=[(row, desk.explain(one)) for row, one in wrong],
        nothing_new=nothing_new,
        typed=typed or {},
    )


def _columns(names: Mapping[str, str]) -> tuple[Column[Duty], ...]:
    return (
        Column[Duty](name="id", label="ui.duty.id", value=lambda one: one.id, show=Show.ID),
        Column[Duty](name="item", label="ui.duty.item", value=lambda one: one.item),
        Column[Duty](name="basis", label="ui.duty.basis", value=lambda one: one.basis),
        Column[Duty](name="territory", label="ui.duty.territory", value=lambda one: one.territory),
        Column[Duty](
            name="body", label="ui.duty.body", value=lambda one: names.get(one.body, one.body)
        ),
        Column[Duty](
            name="registered",
            label="ui.duty.registered",
            value=lambda one: one.registered_at,
            show=Show.INSTANT,
        ),
    )


def _filters(
    desk: Desk, found: tuple[Duty, ...], names: Mapping[str, str]
) -> tuple[Filter[Duty], ...]:
    bodies = sorted({one.body for one in found}, key=lambda one: names[one])
    places = sorted({one.territory for one in found})
    return (
        Filter[Duty](
            name="body",
            label=desk.text("ui.duty.body"),
            options=tuple(Option(value=one, words=names[one]) for one in bodies),
            of=lambda one: one.body,
        ),
        Filter[Duty](
            name="territory",
            label=desk.text("ui.duty.territory"),
            options=tuple(Option(value=one, words=one) for one in places),
            of=lambda one: one.territory,
        ),
    )
