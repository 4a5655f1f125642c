# SPDX-License-Identifier: Apache-2.0
"""Opening a procedure by its chart, and naming the people who play its roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.charts import Chart
from lingqu.runtime import Tx, new_id
from lingqu.trust import procedures
from lingqu.trust.procedures import Part, ParticipantId, ProcedureId
from lingqu.ui import flows
from lingqu.ui.forms import Form
from lingqu.ui.pages.procedures import PROCEDURES_PATH, lengths, read_terms, show_procedure
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import PageNotFound, status_of
from lingqu.ui.rendering import Desk

PATH = f"{PROCEDURES_PATH}/new"
MYSELF = "me"
_ELSEWHERE = {
    "registration.public": "/rights/registry",
    "registration.property": "/rights/registry",
    "rectification": "/supply/findings/look",
    "market.listing": "/market/listings",
    "market.admission": "/market/contracts",
}
"""Where the page stands that begins a procedure which changes more than itself."""


class NoSuchOrganization(errors.Rejected):
    """No organisation, or more than one, is registered under exactly this name."""

    code = "ui.filing.no_organization"


@get(PATH, sync_to_thread=True)
def choose_chart(desk: FromDesk) -> Response[str]:
    """This will show every chart, and the form of the one that was chosen."""
    desk.require()
    wanted = desk.argument("chart")
    return _show(desk, wanted, {"subject": desk.argument("subject")})


@post(PATH, sync_to_thread=True, command="trust.procedure.open")
def open_procedure(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will open a procedure, with who plays which role."""
    desk.require()
    command, procedure = form.id("command", trust.CommandId), form.id("procedure", ProcedureId)
    code = form.text("chart")
    chart = _openable(desk, code)
    try:
        with desk.reading() as tx:
            parts = _parts(desk, tx, form, chart)
        desk.execute(
            command,
            procedures.open_procedure,
            procedure=procedure,
            chart=code,
            subject=form.text("subject").strip(),
            title=form.text("title").strip(),
            owner=form.id("owner", trust.PartyId),
            parts=parts,
            terms=read_terms(form),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, code, dict(form.fields), refusal=refusal)
    return desk.go(f"{PROCEDURES_PATH}/{procedure}", done="procedure_opened")


@post(
    f"{PROCEDURES_PATH}/{{procedure:str}}/participants",
    sync_to_thread=True,
    command="trust.procedure.name_participant",
)
def name_person(
    desk: FromDesk, form: FromForm, procedure: FromPath[str]
) -> Response[str] | Redirect:
    """This will name one of a party's people for a role that the party plays."""
    desk.require()
    wanted, command = ProcedureId(procedure), form.id("command", trust.CommandId)
    role, _, party = form.text("role").partition("/")
    try:
        desk.execute(
            command,
            procedures.name_participant,
            participant=form.id("participant", ParticipantId),
            procedure=wanted,
            role=role,
            party=trust.PartyId(party),
            account=form.id("account", trust.AccountId),
        )
    except (errors.Rejected, errors.Conflict, errors.Forbidden) as refusal:
        return show_procedure(desk, wanted, refusal=refusal)
    return desk.go(f"{PROCEDURES_PATH}/{wanted}", done="person_named")


@post(
    f"{PROCEDURES_PATH}/{{procedure:str}}/release",
    sync_to_thread=True,
    command="trust.procedure.release_participant",
)
def release_person(
    desk: FromDesk, form: FromForm, procedure: FromPath[str]
) -> Response[str] | Redirect:
    """This will end somebody's part in a procedure."""
    desk.require()
    wanted, command = ProcedureId(procedure), form.id("command", trust.CommandId)
    try:
        desk.execute(
            command,
            procedures.release_participant,
            participant=form.id("participant", ParticipantId),
        )
    except (errors.Rejected, errors.Conflict, errors.Forbidden, errors.NotFound) as refusal:
        return show_procedure(desk, wanted, refusal=refusal)
    return desk.go(f"{PROCEDURES_PATH}/{wanted}", done="person_released")


def _openable(desk: Desk, code: str) -> Chart:
    """The chart, where people open it by itself; else there is no such page."""
    with desk.reading() as tx:
        found = next((one for one in procedures.find_charts(tx) if one.code == code), None)
    if found is None or found.through is not None:
        raise PageNotFound
    return found


def _parts(desk: Desk, tx: Tx, form: Form, chart: Chart) -> tuple[Part, ...]:
    """Who plays each role: an organisation by its whole name, or the visitor alone."""
    mine = desk.require()
    parts = []
    for role in chart.roles:
        given = (form.maybe(f"role-{role.name}") or "").strip()
        if form.maybe(f"alone-{role.name}"):
            parts.append(Part(role=role.name, account=mine.account))
        elif given:
            known = trust.organization_names(tx, called=[given])
            if len(known) != 1:
                raise NoSuchOrganization(name=given[:60])
            parts.append(Part(role=role.name, party=trust.PartyId(next(iter(known)))))
    return tuple(parts)


def _show(
    desk: Desk,
    code: str,
    typed: Mapping[str, str],
    *,
    refusal: errors.LingquError | None = None,
) -> Response[Any]:
    with desk.reading() as tx:
        charts = {one.code: one for one in procedures.find_charts(tx)}
        owners = desk.reach(tx, trust.Kind.PROCEDURE, trust.Action.CREATE)
        names = desk.names(tx, {*owners})
        offered = {*names.values(), *trust.organization_names(tx).values()}
    chart = charts.get(code)
    if chart is None and code:
        raise PageNotFound
    if chart is not None and chart.through is not None:
        raise PageNotFound
    return desk.show(
        "trust/file.html",
        status=200 if refusal is None else status_of(refusal),
        chart=chart,
        charts=tuple(one for one in charts.values() if one.through is None),
        elsewhere=tuple(
            (one, _ELSEWHERE.get(one.code)) for one in charts.values() if one.through is not None
        ),
        drawing=None
        if chart is None
        else flows.draw_chart(
            chart,
            here=chart.initial,
            made=(),
            say=desk.label,
            title=desk.text("ui.procedure.states"),
        ),
        timers=() if chart is None else lengths(chart, chart.initial),
        owners=tuple((one, names[one]) for one in owners),
        offered=tuple(sorted(offered)),
        procedure=new_id(ProcedureId),
        refusal=desk.explain(refusal),
        typed=typed,
    )
