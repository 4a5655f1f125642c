# SPDX-License-Identifier: Apache-2.0
"""问题: looking at loaded tables, and what was found, from 发现 through 整改 to 复核."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import supply, trust
from lingqu.errands import Look, Seen, look_at
from lingqu.kernel import errors
from lingqu.runtime import Tx, new_id
from lingqu.supply import Finding, FindingId, FindingKind, ResourceId
from lingqu.trust import procedures
from lingqu.ui import flows, tables, things
from lingqu.ui.forms import Form, chosen
from lingqu.ui.pages.delivering import titles
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show

PATH = "/supply/findings"
LOOK_PATH = f"{PATH}/look"
_LOOK = ("kind", "resource", "other", "column", "name", "parent", "other_name", "other_parent",
         "within")  # fmt: skip


@get(PATH, sync_to_thread=True)
def finding_list(desk: FromDesk) -> Response[Any]:
    """This will list the findings that concern the visitor's bodies, or all."""
    desk.require()
    with desk.reading() as tx:
        found, is_cut = things.gather_own(
            things.parties_to_see(tx, desk.require(), trust.Kind.FINDING),
            lambda page, body: supply.find_findings(tx, page=page, body=body),
            key=lambda one: str(one.id),
        )
        named = titles(tx, {one.resource for one in found})
        names = desk.names(tx, {one.responsible for one in found})
        looks = _may_look(desk, tx)
        standing = _standing(desk, tx, found)
    columns, filters = _columns(named, names, standing), _filters(desk, found, names)
    return tables.gathered_list(
        desk,
        "ui.findings",
        found,
        columns=columns,
        filters=filters,
        is_cut=is_cut,
        rule="quality.findings_chain" if desk.cite("quality.findings_chain") else None,
        actions=((LOOK_PATH, desk.text("ui.findings.look"), "btn-primary"),) if looks else (),
    )


@get(LOOK_PATH, sync_to_thread=True)
def look_page(desk: FromDesk) -> Response[str]:
    """This will ask what is to be looked at."""
    desk.require()
    return _look(desk, {"resource": desk.argument("resource")})


@post(LOOK_PATH, sync_to_thread=True)
def look(desk: FromDesk, form: FromForm) -> Response[str]:
    """This will look at loaded tables and show what is wrong; nothing is recorded."""
    desk.require()
    typed = _typed(form)
    try:
        seen = look_at(desk.platform, desk.visit.caller, _wanted(form))
    except (errors.Rejected, errors.Conflict, errors.NotFound, errors.Forbidden) as refusal:
        return _look(desk, typed, refusal=refusal)
    return _look(desk, typed, seen=seen)


@post(PATH, sync_to_thread=True, command="supply.finding.open")
def open_finding(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will look again, record what is found, and begin its rectification."""
    desk.require()
    command, finding = form.id("command", trust.CommandId), form.id("finding", FindingId)
    typed = _typed(form) | {
        name: form.fields.get(name, "") for name in ("title", "responsible", "superior")
    }
    superior = form.maybe("superior")
    seen = None
    try:
        seen = look_at(desk.platform, desk.visit.caller, _wanted(form))
        desk.execute(
            command,
            supply.open_finding,
            finding=finding,
            observation=seen.observation,
            title=form.text("title"),
            inspector=form.id("inspector", trust.PartyId),
            responsible=form.id("responsible", trust.PartyId),
            superior=None if superior is None else trust.PartyId(superior),
        )
    except (errors.Rejected, errors.Conflict, errors.NotFound) as refusal:
        return _look(desk, typed, seen=seen, refusal=refusal)
    return desk.go(f"{PATH}/{finding}", done="finding_opened")


@get(f"{PATH}/{{finding:str}}", sync_to_thread=True)
def finding_page(desk: FromDesk, finding: FromPath[str]) -> Response[str]:
    """This will show one finding with its figures, and where its rectification stands."""
    desk.require()
    with desk.reading() as tx:
        held = supply.get_finding(tx, FindingId(finding))
        view = procedures.get_procedure(tx, held.procedure)
        resources = {one for one in (held.resource, held.other) if one is not None}
        named = titles(tx, resources)
        names = desk.names(tx, {held.inspector, held.responsible})
    chart = view.chart
    return desk.show(
        "supply/finding.html",
        held=held,
        figures=json.loads(held.figures),
        examples=json.loads(held.examples),
        named=named,
        names=names,
        view=view,
        state=next(
            desk.label(one.label) for one in chart.states if one.name == view.procedure.state
        ),
        drawing=flows.draw_chart(
            chart,
            here=view.procedure.state,
            made={(one.source, one.target) for one in view.steps},
            say=desk.label,
            title=desk.text("ui.procedure.states"),
        ),
    )


def _may_look(desk: Desk, tx: Tx) -> bool:
    kinds = trust.Kind.FINDING
    return trust.is_allowed(tx, trust.Action.CREATE, kinds) or bool(
        desk.reach(tx, kinds, trust.Action.CREATE)
    )


def _typed(form: Form) -> dict[str, str]:
    return {name: form.fields.get(name, "").strip() for name in _LOOK}


def _wanted(form: Form) -> Look:
    other = form.maybe("other")
    return Look(
        kind=chosen(form, "kind", FindingKind),
        resource=form.id("resource", ResourceId),
        other=None if other is None else ResourceId(other),
        column=form.maybe("column") or "",
        name=form.maybe("name") or "",
        parent=form.maybe("parent") or "",
        other_name=form.maybe("other_name"),
        other_parent=form.maybe("other_parent"),
        within=form.maybe("within") or "",
    )


def _look(
    desk: Desk,
    typed: Mapping[str, str],
    *,
    seen: Seen | None = None,
    refusal: errors.LingquError | None = None,
) -> Response[str]:
    with desk.reading() as tx:
        resources, _ = tables.gather(lambda page: supply.find_resources(tx, page=page))
        inspectors = desk.reach(tx, trust.Kind.FINDING, trust.Action.CREATE)
        if not inspectors and trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.FINDING):
            inspectors = (desk.require().party,)
        chosen_ones = [
            one for one in resources if one.id in {typed.get("resource"), typed.get("other")}
        ]
        bodies = {one.body for one in chosen_ones}
        names = desk.names(tx, {*inspectors, *bodies})
    columns = sorted(
        {one.name: one.label for res in chosen_ones for one in supply.read_fields(res)}.items()
    )
    return desk.show(
        "supply/look.html",
        status=200 if refusal is None else status_of(refusal),
        typed=typed,
        resources=tuple((one.id, one.title) for one in resources),
        kinds=tuple((one.value, desk.text(f"ui.finding.kind.{one.value}")) for one in FindingKind),
        columns=columns,
        seen=seen,
        look_fields=_LOOK,
        finding=new_id(FindingId),
        inspectors=tuple((one, names[one]) for one in inspectors),
        bodies=tuple((one, names[one]) for one in sorted(bodies)),
        refusal=desk.explain(refusal),
    )


def _state(desk: Desk, view: procedures.ProcedureView) -> str:
    here = view.procedure.state
    return next(desk.label(one.label) for one in view.chart.states if one.name == here)


def _standing(desk: Desk, tx: Tx, found: Sequence[Finding]) -> Mapping[str, tuple[str, str]]:
    """Where each finding's rectification stands, in words, and whether it has ended."""
    known = {}
    for one in found:
        try:
            view = procedures.get_procedure(tx, one.procedure)
        except errors.NotFound:
            continue
        state = next(each for each in view.chart.states if each.name == view.procedure.state)
        known[str(one.id)] = (
            desk.label(state.label),
            "good" if view.procedure.ended_at else "wait",
        )
    return known


def _columns(
    named: Mapping[str, str], names: Mapping[str, str], standing: Mapping[str, tuple[str, str]]
) -> tuple[Column[Finding], ...]:
    return (
        Column[Finding](
            name="title",
            label="ui.finding.title",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/{one.id}",
            sub=lambda one: named[one.resource],
        ),
        Column[Finding](
            name="kind",
            label="ui.finding.kind",
            value=lambda one: f"ui.finding.kind.{one.kind.value}",
            show=Show.LABEL,
        ),
        Column[Finding](
            name="faults",
            label="ui.finding.faults",
            value=lambda one: one.faults,
            show=Show.NUMBER,
        ),
        Column[Finding](
            name="responsible",
            label="ui.finding.responsible",
            value=lambda one: names.get(one.responsible, one.responsible),
        ),
        Column[Finding](
            name="state",
            label="ui.party.state",
            value=lambda one: standing.get(one.id, ("–", ""))[0],
            tone=lambda one: standing.get(one.id, ("–", ""))[1],
        ),
        Column[Finding](
            name="opened",
            label="ui.finding.opened",
            value=lambda one: one.opened_at,
            show=Show.INSTANT,
        ),
    )


def _filters(
    desk: Desk, found: Sequence[Finding], names: Mapping[str, str]
) -> tuple[Filter[Finding], ...]:
    return (
        Filter[Finding](
            name="kind",
            label=desk.text("ui.finding.kind"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.finding.kind.{one.value}"))
                for one in FindingKind
            ),
            of=lambda one: one.kind.value,
        ),
        Filter[Finding](
            name="responsible",
            label=desk.text("ui.finding.responsible"),
            options=tuple(
                Option(value=one, words=names.get(one, one))
                for one in sorted({str(one.responsible) for one in found})
            ),
            of=lambda one: one.responsible,
        ),
    )
