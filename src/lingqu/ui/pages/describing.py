# SPDX-License-Identifier: Apache-2.0
"""编目: describing a resource and describing it anew, its fields typed or as the Excel table."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import supply, trust
from lingqu.kernel import errors
from lingqu.runtime import documents, new_id
from lingqu.runtime.documents import CellKind, SheetColumn
from lingqu.runtime.i18n import translate
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode, Resource
from lingqu.ui import tables
from lingqu.ui.forms import Form, chosen
from lingqu.ui.pages.catalog import PATH
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import PageNotFound, status_of
from lingqu.ui.rendering import Desk

NEW_PATH = f"{PATH}/new"
FIELDS_PATH = f"{PATH}/fields.xlsx"
_BLANK_ROWS = 4
_ROWS_MAX = 500
_WORDS = ("title", "summary", "frequency", "mode", "sharing", "opening", "reason", "duty")
_CELLS = ("label", "name", "kind", "meaning", "level")

SHEET = (
    SheetColumn(name="label", zh="信息项名称"),
    SheetColumn(name="name", zh="字段名"),
    SheetColumn(name="kind", zh="数据类型"),
    SheetColumn(name="meaning", zh="说明", optional=True),
    SheetColumn(name="personal", zh="是否个人信息", kind=CellKind.FLAG, optional=True),
    SheetColumn(name="key", zh="是否主键", kind=CellKind.FLAG, optional=True),
    SheetColumn(name="level", zh="拟定级别", kind=CellKind.INTEGER, optional=True),
)
"""The table of a resource's fields as it leaves and comes back."""


class UnknownFieldKind(errors.Rejected):
    """A row of the table of fields has a kind of data that there is not."""

    code = "ui.describe.unknown_kind"


class NoDutyYet(errors.Conflict):
    """A resource is described under a duty of its body, and there is none yet."""

    code = "ui.describe.no_duty"


@dataclass(slots=True, kw_only=True)
class Typed:
    """What somebody typed or sent: the words, the rows of the fields, and what is wrong in which.

    Rows keep what was typed, so that a refused form comes back as it was sent.
    """

    words: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)
    problems: list[tuple[int, errors.LingquError]] = field(default_factory=list)


@get(NEW_PATH, sync_to_thread=True)
def describe_page(desk: FromDesk) -> Response[str]:
    """This will show the form that puts a resource into the catalog."""
    desk.require()
    return _show(desk, None, Typed(words={"duty": desk.argument("duty")}))


@get(FIELDS_PATH, sync_to_thread=True)
def field_table(desk: FromDesk) -> Response[bytes]:
    """This will give the fields of a resource as the table that comes back; open to everyone.

    Where the address names no resource it is an empty one.
    """
    wanted = desk.argument("resource")
    fields: tuple[Field, ...] = ()
    name = "信息项清单（空表）"
    if wanted:
        with desk.reading() as tx:
            held = supply.get_resource(tx, supply.ResourceId(wanted))
        fields, name = supply.read_fields(held), f"{held.title}-信息项清单"
    target = io.BytesIO()
    rows = (
        {
            "label": one.label,
            "name": one.name,
            "kind": translate(f"ui.field_kind.{one.kind.value}", "zh-CN"),
            "meaning": one.meaning,
            "personal": one.is_personal,
            "key": one.is_key,
            "level": one.level,
        }
        for one in fields
    )
    documents.write_sheet(target, title="信息项清单", columns=SHEET, rows=rows)
    return tables.file_answer(target.getvalue(), name=f"{name}.xlsx", media_type=tables.XLSX)


@post(NEW_PATH, sync_to_thread=True, command="supply.resource.describe")
def describe(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will put a resource into the catalog, under a duty."""
    desk.require()
    command, resource = form.id("command", trust.CommandId), form.id("resource", supply.ResourceId)
    typed = _typed(form)
    if form.maybe("more") or typed.problems:
        return _show(desk, None, typed, resource=resource)
    try:
        desk.execute(
            command,
            supply.describe_resource,
            resource=resource,
            duty=form.id("duty", supply.DutyId),
            description=_description(form, typed),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, None, typed, resource=resource, refusal=refusal)
    return desk.go(f"{PATH}/{resource}", done="described")


@get(f"{PATH}/{{resource:str}}/revise", sync_to_thread=True)
def revise_page(desk: FromDesk, resource: FromPath[str]) -> Response[str]:
    """This will show what a resource is described as, to be described anew."""
    desk.require()
    held = _revisable(desk, supply.ResourceId(resource))
    words = {
        "title": held.title,
        "summary": held.summary,
        "frequency": held.frequency.value,
        "mode": held.mode.value,
        "sharing": held.sharing.value,
        "opening": held.opening.value,
        "reason": held.reason,
    }
    rows = [_row_of(one) for one in supply.read_fields(held)]
    return _show(desk, held, Typed(words=words, rows=rows))


@post(f"{PATH}/{{resource:str}}/revise", sync_to_thread=True, command="supply.resource.revise")
def revise(desk: FromDesk, form: FromForm, resource: FromPath[str]) -> Response[str] | Redirect:
    """This will describe a resource anew; other fields take its confirmed level away."""
    desk.require()
    command = form.id("command", trust.CommandId)
    held = _revisable(desk, supply.ResourceId(resource))
    typed = _typed(form)
    if form.maybe("more") or typed.problems:
        return _show(desk, held, typed)
    try:
        desk.execute(
            command,
            supply.revise_resource,
            resource=held.id,
            description=_description(form, typed),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, held, typed, refusal=refusal)
    return desk.go(f"{PATH}/{held.id}", done="described")


def _revisable(desk: Desk, resource: supply.ResourceId) -> Resource:
    """The resource, for whoever may describe it anew; for others there is no such page."""
    with desk.reading() as tx:
        held = supply.get_resource(tx, resource)
        may = trust.is_allowed(tx, trust.Action.CHANGE, trust.Kind.RESOURCE, owner=held.body)
    if not may or held.withdrawn_at is not None:
        raise PageNotFound
    return held


def _typed(form: Form) -> Typed:
    """What the form says; a chosen file takes the place of the rows that were typed."""
    made = Typed(words={name: form.fields.get(name, "") for name in _WORDS})
    file = form.file("table")
    if file is not None:
        _read_table(made, file.content)
    else:
        made.rows = _rows_typed(form)
        fields = [_field_of(row, made, place) for place, row in enumerate(made.rows)]
        made.problems += _wrong([one for one in fields if one is not None], made)
    return made


def _rows_typed(form: Form) -> list[dict[str, str]]:
    rows = []
    for at in range(_ROWS_MAX):
        if f"label-{at}" not in form.fields:
            break
        row = {name: form.fields.get(f"{name}-{at}", "").strip() for name in _CELLS}
        row |= {name: form.fields.get(f"{name}-{at}", "") for name in ("personal", "key")}
        if row["label"] or row["name"]:
            rows.append(row)
    return rows


def _read_table(made: Typed, content: bytes) -> None:
    """The rows of a table, each problem under the number that the sheet gives its row."""
    try:
        reading = documents.read_sheet(content, columns=SHEET)
    except errors.Rejected as refusal:
        made.problems.append((1, refusal))
        return
    made.problems += [(int(str(one.parameters.get("row", 0))), one) for one in reading.problems]
    kinds = {translate(f"ui.field_kind.{one.value}", "zh-CN"): one.value for one in FieldKind}
    for row in reading.rows:
        said = str(row["kind"] or "").strip()
        made.rows.append({
            "label": str(row["label"] or "").strip(),
            "name": str(row["name"] or "").strip(),
            "kind": kinds.get(said, said),
            "meaning": str(row.get("meaning") or "").strip(),
            "personal": "yes" if row.get("personal") else "",
            "key": "yes" if row.get("key") else "",
            "level": "" if row.get("level") is None else str(row["level"]),
        })  # fmt: skip
    fields = [
        _field_of(row, made, number) for number, row in zip(reading.numbers, made.rows, strict=True)
    ]
    sound = [one for one in fields if one is not None]
    if len(sound) == len(fields):
        made.problems += [
            (reading.numbers[place], refusal) for place, refusal in supply.check_fields(sound)
        ]
    made.problems.sort(key=lambda one: one[0])


def _wrong(fields: Sequence[Field], made: Typed) -> list[tuple[int, errors.LingquError]]:
    if made.problems:
        return []
    return [(place + 1, refusal) for place, refusal in supply.check_fields(fields)]


def _field_of(row: Mapping[str, str], made: Typed, number: int) -> Field | None:
    level = row["level"]
    try:
        if row["kind"] not in {one.value for one in FieldKind}:
            raise UnknownFieldKind(given=row["kind"][:40])
        if level and not (level.isascii() and level.isdigit() and len(level) == 1):
            raise supply.BadLevel(given=level[:20])
    except errors.Rejected as refusal:
        made.problems.append((number, refusal))
        return None
    return Field(
        name=row["name"],
        label=row["label"],
        kind=FieldKind(row["kind"]),
        meaning=row["meaning"],
        is_personal=bool(row["personal"]),
        is_key=bool(row["key"]),
        level=int(level) if level else None,
    )


def _row_of(one: Field) -> dict[str, str]:
    return {
        "label": one.label,
        "name": one.name,
        "kind": one.kind.value,
        "meaning": one.meaning,
        "personal": "yes" if one.is_personal else "",
        "key": "yes" if one.is_key else "",
        "level": "" if one.level is None else str(one.level),
    }


def _description(form: Form, typed: Typed) -> Description:
    fields = [_field_of(row, typed, place) for place, row in enumerate(typed.rows)]
    return Description(
        title=form.text("title"),
        summary=form.text("summary"),
        frequency=chosen(form, "frequency", Frequency),
        mode=chosen(form, "mode", Mode),
        sharing=chosen(form, "sharing", Access),
        opening=chosen(form, "opening", Access),
        fields=tuple(one for one in fields if one is not None),
        reason=form.maybe("reason") or "",
    )


def _show(
    desk: Desk,
    held: Resource | None,
    typed: Typed,
    *,
    resource: supply.ResourceId | None = None,
    refusal: errors.LingquError | None = None,
) -> Response[Any]:
    duties = () if held is not None else describable(desk)
    if held is None and not duties:
        with desk.reading() as tx:
            may = bool(desk.reach(tx, trust.Kind.RESOURCE, trust.Action.CREATE))
        raise NoDutyYet if may else PageNotFound
    blank = dict.fromkeys((*_CELLS, "personal", "key"), "") | {"kind": FieldKind.TEXT.value}
    status = 422 if typed.problems else 200 if refusal is None else status_of(refusal)
    return desk.show(
        "supply/describe.html",
        status=status,
        held=held,
        resource=resource or new_id(supply.ResourceId),
        duties=duties,
        typed=typed.words,
        rows=[*typed.rows, *(dict(blank) for _ in range(_BLANK_ROWS))],
        problems=[(row, desk.explain(one)) for row, one in typed.problems],
        refusal=desk.explain(refusal),
        options={
            "kind": _options(desk, FieldKind, "ui.field_kind"),
            "frequency": _options(desk, Frequency, "ui.frequency"),
            "mode": _options(desk, Mode, "ui.mode"),
            "sharing": _options(desk, Access, "ui.sharing"),
            "opening": _options(desk, Access, "ui.opening"),
        },
    )


def describable(desk: Desk) -> tuple[tuple[str, str], ...]:
    """This will list the duties under which the visitor may describe a resource, with words."""
    with desk.reading() as tx:
        found, _ = tables.gather(lambda page: supply.find_duties(tx, page=page))
        mine: dict[str, bool] = {}
        for one in found:
            if one.body not in mine:
                mine[one.body] = trust.is_allowed(
                    tx, trust.Action.CREATE, trust.Kind.RESOURCE, owner=one.body
                )
        held = [one for one in found if mine[one.body]]
        names = desk.names(tx, {one.body for one in held})
    return tuple((one.id, desk.aside(one.item, names[one.body])) for one in held)


def _options(desk: Desk, kinds: Any, label: str) -> tuple[tuple[str, str], ...]:
    return tuple((one.value, desk.text(f"{label}.{one.value}")) for one in kinds)
