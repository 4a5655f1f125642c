# SPDX-License-Identifier: Apache-2.0
"""Procedures: the list, and one whole: where it stands, its clocks, its moves and its papers."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.charts import Chart, Timer, compile_chart
from lingqu.runtime import Tx, new_id
from lingqu.runtime.calendar import local_day
from lingqu.runtime.looking import Said
from lingqu.trust import procedures, rulebook
from lingqu.trust.procedures import ParticipantId, Procedure, ProcedureId, ProcedureView
from lingqu.ui import flows, tables
from lingqu.ui.forms import Form
from lingqu.ui.papers import check_ending, paper_answer, papers_card
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, PageNotFound, status_of
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.uploads import ACCEPTED, keep_uploads, read_kept

PROCEDURES_PATH = "/trust/procedures"
SUBJECT_PAGES = {
    "pty": "/trust/parties/{}",
    "prc": "/trust/procedures/{}",
    "res": "/supply/resources/{}",
    "dty": "/supply/duties",
    "grt": "/rights/grants/{}",
    "reg": "/rights/registry/{}",
    "lst": "/market/listings/{}",
    "ctr": "/market/contracts/{}",
    "fnd": "/supply/findings/{}",
    "lod": "/supply/loads/{}",
    "opf": "/supply/open/{}",
    "ope": "/supply/opening/{}",
    "cat": "/supply/catalogs/{}",
    "wrk": "/trust/works/{}",
    "sch": "/rights/operation/schemes/{}",
    "sel": "/rights/operation/selections/{}",
    "agr": "/rights/operation/agreements/{}",
    "prd": "/gate/products/{}",
    "ppl": "/market/prices/{}",
    "mbr": "/market/members/{}",
    "stl": "/market/settlements/{}",
    "pyb": "/market/payables/{}",
    "cas": "/supervision/cases/{}",
    "rcl": "/supervision/reconciliations/{}",
    "rpt": "/supervision/reports/{}",
}
"""Where the page of a thing stands, by the prefix of its id."""


def subject_href(subject: str) -> str | None:
    """This will give the page of what a procedure or fact is about, where it has one."""
    found = SUBJECT_PAGES.get(subject.partition("_")[0])
    return None if found is None else found.format(subject)


@get(PROCEDURES_PATH, sync_to_thread=True)
def procedure_list(desk: FromDesk) -> Response[Any]:
    """This will list the procedures the visitor plays in or may see."""
    desk.require()
    with desk.reading() as tx:
        charts = {one.code: one for one in procedures.find_charts(tx)}
        filters = _filters(desk, charts, procedures.find_procedure_codes(tx))
        ask = tables.ask_of(desk, _columns(desk, charts, {}), filters)
        said: dict[str, Said] = {
            "owner": functools.partial(desk.names, tx),
            "state": lambda there: {one: _state(desk, charts, *one.split(" ")) for one in there},
        }
        look = tables.look_of(ask, said=tables.said_of(filters) | said)
        found = procedures.look_through_procedures(tx, look=look)
        names = desk.names(tx, {one.owner for one in found.items})
    columns = _columns(desk, charts, names)
    if tables.wants_file(desk):
        return tables.sheet(
            desk, found.items, columns=columns, name=desk.text("ui.procedures.title")
        )
    return tables.list_page(
        desk,
        "ui.procedures",
        tables.looked_table(desk, found, columns=columns, ask=ask, filters=filters),
        actions=((f"{PROCEDURES_PATH}/new", desk.text("ui.filing.title"), "btn-primary"),),
    )


def _columns(
    desk: Desk, charts: Mapping[str, Chart], names: Mapping[str, str]
) -> tuple[Column[Procedure], ...]:
    return (
        Column[Procedure](
            name="title",
            label="ui.procedure.title_column",
            value=lambda one: one.title,
            href=lambda one: f"{PROCEDURES_PATH}/{one.id}",
            sub=lambda one: desk.label(charts[one.code].label),
        ),
        Column[Procedure](
            name="owner",
            label="ui.procedure.owner",
            value=lambda one: names.get(one.owner, one.owner),
        ),
        Column[Procedure](
            name="state",
            label="ui.party.state",
            value=lambda one: _state(desk, charts, one.code, one.state),
            tone=lambda one: "" if one.ended_at is None else "good",
        ),
        Column[Procedure](
            name="opened",
            label="ui.procedure.opened",
            value=lambda one: one.opened_at,
            show=Show.INSTANT,
        ),
        Column[Procedure](
            name="moved",
            label="ui.procedure.moved",
            value=lambda one: one.moved_at,
            show=Show.INSTANT,
        ),
    )


def _state(desk: Desk, charts: Mapping[str, Chart], code: str, state: str) -> str:
    known = charts[code].states
    return next((desk.label(one.label) for one in known if one.name == state), state)


def _filters(
    desk: Desk, charts: Mapping[str, Chart], codes: Sequence[str]
) -> tuple[Filter[Procedure], ...]:
    return (
        Filter[Procedure](
            name="chart",
            label=desk.text("ui.procedure.chart"),
            options=tuple(
                Option(value=code, words=desk.label(charts[code].label)) for code in codes
            ),
        ),
        Filter[Procedure](
            name="standing",
            label=desk.text("ui.procedure.standing"),
            options=(
                Option(value="running", words=desk.text("ui.procedure.running")),
                Option(value="ended", words=desk.text("ui.procedure.ended")),
            ),
        ),
    )


@get(f"{PROCEDURES_PATH}/{{procedure:str}}", sync_to_thread=True)
def procedure_page(desk: FromDesk, procedure: FromPath[str]) -> Response[str]:
    """This will show one procedure whole, with what the visitor may do now."""
    desk.require()
    return show_procedure(desk, ProcedureId(procedure))


@post(
    f"{PROCEDURES_PATH}/{{procedure:str}}/moves",
    sync_to_thread=True,
    command="trust.procedure.move",
)
def move(desk: FromDesk, form: FromForm, procedure: FromPath[str]) -> Response[str] | Redirect:
    """This will make a move as the role the visitor plays."""
    desk.require()
    wanted, command = ProcedureId(procedure), form.id("command", trust.CommandId)
    version = form.text("version")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise FormIncomplete(field="version")
    # Nobody who may not see the procedure leaves files here.
    with desk.reading() as tx:
        procedures.get_procedure(tx, wanted)
    try:
        desk.execute(
            command,
            procedures.move_procedure,
            procedure=wanted,
            move=form.text("move"),
            version=int(version),
            opinion=_text(form.maybe("opinion")),
            reason=_text(form.maybe("reason")),
            files=keep_uploads(desk.platform, form, "files"),
            terms=read_terms(form),
        )
    except (errors.Rejected, errors.Conflict, errors.Forbidden) as refusal:
        typed = {name: form.fields.get(name, "") for name in ("move", "opinion", "reason")}
        return show_procedure(desk, wanted, refusal=refusal, typed=typed)
    return desk.go(f"{PROCEDURES_PATH}/{wanted}", done="moved")


def read_terms(form: Form) -> dict[str, int]:
    """This will read the lengths a form gives to clocks; blank keeps what the chart says."""
    terms = {}
    for name, given in form.fields.items():
        if name.startswith("term-") and given.strip():
            count = given.strip()
            if not (count.isascii() and count.isdigit() and len(count) < 5):
                raise FormIncomplete(field=name)
            terms[name.removeprefix("term-")] = int(count)
    return terms


def _text(given: str | None) -> str | None:
    """A browser sends lines with a carriage return; what is kept has none."""
    return None if given is None else given.replace("\r\n", "\n")


@get(
    f"{PROCEDURES_PATH}/{{procedure:str}}/documents/{{document:str}}/{{ending:str}}",
    sync_to_thread=True,
)
def document(
    desk: FromDesk, procedure: FromPath[str], document: FromPath[str], ending: FromPath[str]
) -> Response[bytes]:
    """This will give a paper of the procedure as Word or PDF, or its content as it is signed."""
    desk.require()
    check_ending(ending)
    with desk.reading() as tx:
        paper = procedures.document_data(tx, procedure=ProcedureId(procedure), document=document)
    return paper_answer(desk, paper, ending, name=f"{paper.label.zh}-{paper.procedure[-8:]}")


@get(f"{PROCEDURES_PATH}/{{procedure:str}}/files/{{attachment:str}}", sync_to_thread=True)
def attachment(
    desk: FromDesk, procedure: FromPath[str], attachment: FromPath[str]
) -> Response[bytes]:
    """This will give a file that came with a step, to whoever may see the procedure."""
    desk.require()
    with desk.reading() as tx:
        view = procedures.get_procedure(tx, ProcedureId(procedure))
    held = next((one for one in view.attachments if one.id == attachment), None)
    if held is None:
        raise PageNotFound
    content = read_kept(desk.platform, sha256=held.sha256, size=held.size)
    return tables.file_answer(content, name=held.name, media_type="application/octet-stream")


def show_procedure(
    desk: Desk,
    procedure: ProcedureId,
    *,
    refusal: errors.LingquError | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    """This will show one procedure whole, with what was refused and what was typed."""
    with desk.reading() as tx:
        view = procedures.get_procedure(tx, procedure)
        papers = papers_card(
            desk, tx, procedure,
            *(
                (f"{PROCEDURES_PATH}/{procedure}/documents/{one.name}/", desk.label(one.label))
                for one in procedures.find_documents(tx, procedure=procedure)
            ),
        )  # fmt: skip
        parties = {one.party for one in view.participants} | {one.party for one in view.steps}
        names = desk.names(tx, {view.procedure.owner, *parties})
        nameable, people = _nameable(tx, view)
        calendar, today = rulebook.of(tx).calendar(), local_day(tx.now)
    chart = view.chart
    return desk.show(
        "trust/procedure.html",
        status=200 if refusal is None else status_of(refusal),
        view=view,
        held=view.procedure,
        chart=chart,
        states={one.name: desk.label(one.label) for one in chart.states},
        moves={one.name: desk.label(one.label) for one in chart.moves},
        roles={one.name: desk.label(one.label) for one in chart.roles},
        drawing=flows.draw_chart(
            chart,
            here=view.procedure.state,
            made={(one.source, one.target) for one in view.steps},
            say=desk.label,
            title=desk.text("ui.procedure.states"),
        ),
        clocks=tuple(
            (one, flows.draw_days(one, calendar, today), flows.draw_span(one, today))
            for one in view.clocks
        ),
        papers=papers,
        terms={one.name: lengths(chart, one.target) for one in view.choices},
        nameable=tuple(
            (f"{role}/{party}", desk.aside(_role(desk, chart, role), names.get(party, party)))
            for role, party in nameable
        ),
        people=people,
        people_names=dict(people),
        nameable_parties={party for _, party in nameable},
        participant=new_id(ParticipantId),
        files={step.id: _files(view, step.id) for step in view.steps},
        names=names,
        subject_href=subject_href(view.procedure.subject),
        accepted=ACCEPTED,
        refusal=desk.explain(refusal),
        typed=typed or {},
    )


def lengths(chart: Chart, state: str) -> tuple[Timer, ...]:
    """This will give the clocks that start in a state and may be given another length."""
    return tuple(one for one in compile_chart(chart).starting[state] if one.most is not None)


def _role(desk: Desk, chart: Chart, name: str) -> str:
    return next(desk.label(one.label) for one in chart.roles if one.name == name)


def _nameable(
    tx: Tx, view: ProcedureView
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """The roles for which the visitor may name people of a party, and those people."""
    roles: list[tuple[str, str]] = []
    people: dict[str, str] = {}
    if view.procedure.ended_at is not None:
        return (), ()
    for one in view.participants:
        if one.party is None or one.account is not None:
            continue
        if not trust.is_allowed(
            tx, trust.Action.ASSIGN, trust.Kind.PROCEDURE, owner=one.party
        ) or not trust.is_allowed(tx, trust.Action.READ, trust.Kind.ACCOUNT, owner=one.party):
            continue
        roles.append((one.role, one.party))
        for account in trust.find_accounts(tx, party=one.party):
            if account.state is trust.AccountState.ACTIVE:
                people[account.id] = account.login or shorten(account.id)
    return tuple(roles), tuple(people.items())


def _files(view: ProcedureView, step: str) -> tuple[procedures.Attachment, ...]:
    return tuple(one for one in view.attachments if one.step == step)
