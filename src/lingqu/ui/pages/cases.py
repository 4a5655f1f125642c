# SPDX-License-Identifier: Apache-2.0
"""Supervision at work: cases and what they hold, comparisons, the month's report, evidence."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import market, supervision, trust
from lingqu.market import bills
from lingqu.runtime.calendar import local_day, shift_days
from lingqu.supervision import (
    Case,
    CaseId,
    CaseKind,
    Reconciliation,
    ReconciliationId,
)
from lingqu.trust import holds
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input
from lingqu.ui.navigation import RUNNING, WATCHING
from lingqu.ui.pages.pricing import yuan
from lingqu.ui.pages.procedures import subject_href
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.things import Card, Cell, Link, Thing, id_cell, show_thing

PATH = "/supervision/cases"
COMPARED_PATH = "/supervision/reconciliations"
REPORTS_PATH = "/supervision/reports"
BUNDLES_PATH = "/supervision/bundles"
_SEES = tuple(WATCHING | RUNNING)


def _trail(desk: Desk) -> tuple[tuple[str, str], ...]:
    return ((PATH, desk.text("ui.cases.title")),)


@get(PATH, sync_to_thread=True)
def case_list(desk: FromDesk) -> Response[Any]:
    """This will list what supervisors look into."""
    desk.require(*_SEES, kind=trust.Kind.CASE)
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: supervision.find_cases(tx, page=page))
        may_open = trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.CASE)
    columns = (
        Column[Case](
            name="summary",
            label="ui.case.summary",
            value=lambda one: one.summary,
            href=lambda one: f"{PATH}/{one.id}",
            sub=lambda one: one.subject,
        ),
        Column[Case](
            name="kind",
            label="ui.ask.case_kind",
            value=lambda one: f"ui.case_kind.{one.kind.value}",
            show=Show.LABEL,
        ),
        Column[Case](
            name="state",
            label="ui.party.state",
            value=_case_state,
            show=Show.LABEL,
            tone=lambda one: "bad" if one.hold else "" if one.closed_at else "wait",
        ),
        Column[Case](
            name="opened",
            label="ui.case.opened",
            value=lambda one: one.opened_at,
            show=Show.INSTANT,
        ),
    )
    filters = (
        Filter[Case](
            name="state",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one, words=desk.text(f"ui.case.{one}"))
                for one in ("open", "holding", "closed")
            ),
            of=lambda one: _case_state(one).rpartition(".")[2],
        ),
    )
    return tables.gathered_list(
        desk,
        "ui.cases",
        found,
        columns=columns,
        filters=filters,
        is_cut=is_cut,
        actions=((*OPEN_CASE.link(desk), "btn-primary"),) if may_open else (),
    )


def _case_state(one: Case) -> str:
    return f"ui.case.{'closed' if one.closed_at else 'holding' if one.hold else 'open'}"


@get(f"{PATH}/{{about:str}}", sync_to_thread=True)
def case_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show one case: what it is about, what it holds, what came of it."""
    desk.require(*_SEES, kind=trust.Kind.CASE)
    with desk.reading() as tx:
        held = supervision.get_case(tx, CaseId(about))
        may_change = trust.is_allowed(tx, trust.Action.CHANGE, trust.Kind.CASE)
    todo: list[Link] = []
    if may_change and held.closed_at is None:
        if held.hold is None:
            todo += [HOLD.link(desk, about), CLOSE_CASE.link(desk, about)]
        else:
            todo.append(LIFT.link(desk, about))
    state = _case_state(held)
    return show_thing(
        desk,
        Thing(
            title=held.summary,
            lead=desk.text("ui.case.lead"),
            trail=_trail(desk),
            badges=(
                Cell(words=desk.text(f"ui.case_kind.{held.kind.value}"), tone=""),
                Cell(words=desk.text(state), tone="bad" if held.hold else "wait"),
            ),
            left=(
                Card(
                    name="about-it",
                    title=desk.text("ui.thing.about"),
                    rows=(
                        (
                            desk.text("ui.procedure.subject"),
                            id_cell(held.subject, subject_href(held.subject)),
                        ),
                        (desk.text("ui.case.opened"), desk.when(held.opened_at)),
                        (
                            desk.text("ui.case.hold"),
                            "–" if held.hold is None else id_cell(held.hold, "/trust/holds"),
                        ),
                        (
                            desk.text("ui.ask.case_evidence"),
                            "–"
                            if held.evidence is None
                            else id_cell(held.evidence, f"/trust/facts/{held.evidence}"),
                        ),
                        (desk.text("ui.ask.outcome"), held.outcome or "–"),
                        (desk.text("ui.case.closed"), desk.when(held.closed_at)),
                    ),
                ),
                Card(
                    name="evidence",
                    title=desk.text("ui.bundle.title"),
                    lead=desk.text("ui.bundle.text"),
                    links=(bundle_link(desk, held.subject),),
                ),
            ),
            acts=tuple(todo),
        ),
    )


def bundle_link(desk: Desk, subject: str) -> Link:
    """This will link the evidence about a thing as a file for `lingqu-verify`."""
    return f"{BUNDLES_PATH}/{subject}", desk.text("ui.bundle.take")


@get(f"{BUNDLES_PATH}/{{about:str}}", sync_to_thread=True)
def bundle(desk: FromDesk, about: FromPath[str]) -> Response[bytes]:
    """This will give everything recorded about a thing, with proofs, as one file."""
    desk.require(*_SEES, kind=trust.Kind.FACT)
    with desk.reading() as tx:
        text = supervision.bundle_of(tx, desk.platform.logs, (about,))
    return tables.file_answer(
        text.encode(), name=f"举证材料包-{about[-8:]}.json", media_type="application/json"
    )


@get(COMPARED_PATH, sync_to_thread=True)
def compared_list(desk: FromDesk) -> Response[Any]:
    """This will list comparisons of meter, bill and ledger, those that differ in red."""
    desk.require(*_SEES, kind=trust.Kind.FLOW)
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: supervision.find_reconciliations(tx, page=page))
        may_compare = trust.is_allowed(tx, trust.Action.OPERATE, trust.Kind.FLOW)
    columns = _compared_columns()
    actions: tuple[tuple[str, str, str], ...] = ()
    if may_compare:
        actions = (
            (*RECONCILE_DAY.link(desk), "btn-primary"),
            (*RECONCILE.link(desk), "btn-quiet"),
        )
    return tables.gathered_list(
        desk,
        "ui.compared",
        found,
        columns=columns,
        is_cut=is_cut,
        trail=(("/supervision/flows", desk.text("ui.flows.title")),),
        rule="market.purpose_and_quantity",
        actions=actions,
    )


def _compared_columns() -> tuple[Column[Reconciliation], ...]:
    return (
        Column[Reconciliation](
            name="day",
            label="ui.ask.day",
            value=lambda one: one.begins,
            show=Show.DAY,
            href=lambda one: f"{COMPARED_PATH}/{one.id}",
        ),
        Column[Reconciliation](
            name="contract",
            label="ui.contract.title",
            value=lambda one: one.contract,
            show=Show.ID,
            href=lambda one: f"/market/contracts/{one.contract}",
        ),
        Column[Reconciliation](
            name="metered",
            label="ui.compared.metered",
            value=lambda one: tables.minor_units(one.metered, 2),
            show=Show.MONEY,
        ),
        Column[Reconciliation](
            name="billed",
            label="ui.compared.billed",
            value=lambda one: tables.minor_units(one.billed, 2),
            show=Show.MONEY,
        ),
        Column[Reconciliation](
            name="posted",
            label="ui.compared.posted",
            value=lambda one: tables.minor_units(one.posted, 2),
            show=Show.MONEY,
        ),
        Column[Reconciliation](
            name="found",
            label="ui.compared.result",
            value=lambda one: "ui.compared.differs" if one.found else "ui.compared.agrees",
            show=Show.LABEL,
            tone=lambda one: "bad" if one.found else "good",
        ),
    )


@get(f"{COMPARED_PATH}/{{about:str}}", sync_to_thread=True)
def compared_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show one comparison: three totals, and the single call that differs."""
    desk.require(*_SEES, kind=trust.Kind.FLOW)
    with desk.reading() as tx:
        held = supervision.get_reconciliation(tx, ReconciliationId(about))
        differences = supervision.read_differences(held)
    columns = _difference_columns()
    return show_thing(
        desk,
        Thing(
            title=desk.text("ui.compared.of", day=desk.day(held.begins)),
            lead=desk.text("ui.compared.page_lead"),
            trail=((COMPARED_PATH, desk.text("ui.compared.title")),),
            badges=(
                Cell(
                    words=desk.text("ui.compared.differs" if held.found else "ui.compared.agrees"),
                    tone="bad" if held.found else "good",
                ),
            ),
            above=(
                Card(
                    name="totals",
                    title=desk.text("ui.compared.totals"),
                    figures=(
                        (desk.text("ui.contributions.calls"), f"{held.calls:,}"),
                        (desk.text("ui.compared.metered"), yuan(held.metered)),
                        (desk.text("ui.compared.billed"), yuan(held.billed)),
                        (desk.text("ui.compared.posted"), yuan(held.posted)),
                    ),
                ),
            ),
            left=(
                Card(
                    name="differences",
                    title=desk.text("ui.compared.differences"),
                    view=tables.list_table(
                        desk, differences, columns=columns, is_searched=False, has_file=False
                    ),
                    none=desk.text("ui.compared.agrees"),
                ),
                Card(
                    name="about-it",
                    title=desk.text("ui.thing.about"),
                    rows=(
                        (
                            desk.text("ui.contract.title"),
                            id_cell(held.contract, f"/market/contracts/{held.contract}"),
                        ),
                        (
                            desk.text("ui.case.title"),
                            "–"
                            if held.case_id is None
                            else id_cell(held.case_id, f"{PATH}/{held.case_id}"),
                        ),
                        (desk.text("ui.compared.made"), desk.when(held.made_at)),
                    ),
                    links=(bundle_link(desk, held.contract),),
                ),
            ),
        ),
    )


def _difference_columns() -> tuple[Column[bills.Difference], ...]:
    return (
        Column[bills.Difference](
            name="kind",
            label="ui.compared.kind",
            value=lambda one: f"supervision.difference.{one.kind.value}",
            show=Show.LABEL,
        ),
        Column[bills.Difference](
            name="call",
            label="ui.charge.call",
            value=lambda one: one.call or one.transfer,
            show=Show.ID,
        ),
        Column[bills.Difference](
            name="flow",
            label="ui.flow.title",
            value=lambda one: one.batch,
            show=Show.ID,
            href=lambda one: (
                f"/supervision/flows/{one.batch}" if one.batch.startswith("mtb_") else None
            ),
        ),
        Column[bills.Difference](
            name="expected",
            label="ui.compared.expected",
            value=lambda one: tables.minor_units(one.expected, 2),
            show=Show.MONEY,
        ),
        Column[bills.Difference](
            name="found",
            label="ui.compared.found",
            value=lambda one: tables.minor_units(one.found, 2),
            show=Show.MONEY,
        ),
    )


# -- acts -----------------------------------------------------------------------------------------


def _require(desk: Desk) -> None:
    desk.require(*_SEES, kind=trust.Kind.CASE)


def _ask_case(desk: Desk, _: str) -> Asked:
    _require(desk)
    kinds = tuple((one.value, desk.text(f"ui.case_kind.{one.value}")) for one in CaseKind)
    return Asked(
        trail=_trail(desk),
        fields=(
            Field(name="case_kind", show=Input.CHOICE, options=kinds,
                  value=CaseKind.INSPECTION.value),
            Field(name="subject", most=60, value=desk.argument("subject"),
                  hint="ui.ask.subject.hint", refusals=("supervision.case.bad", "trust.hold.bad")),
            Field(name="case_summary", show=Input.AREA, most=500),
            Field(name="case_evidence", most=60, required=False,
                  value=desk.argument("evidence"), hint="ui.ask.case_evidence.hint"),
        ),
    )  # fmt: skip


def _open_case(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    case, evidence = CaseId.of(command.uuid), given.maybe("case_evidence")
    desk.execute(
        command,
        supervision.open_case,
        case=case,
        kind=given.choice("case_kind", CaseKind),
        subject=given.text("subject"),
        summary=given.text("case_summary"),
        evidence=None if evidence is None else trust.FactId(evidence),
    )
    return f"{PATH}/{case}"


def _about_case(desk: Desk, about: str, *fields: Field, danger: bool = False) -> Asked:
    _require(desk)
    with desk.reading() as tx:
        held = supervision.get_case(tx, CaseId(about))
    return Asked(
        about=held.summary,
        trail=(*_trail(desk), (f"{PATH}/{about}", held.summary)),
        shown=(
            (desk.text("ui.procedure.subject"), held.subject),
            (desk.text("ui.ask.case_kind"), desk.text(f"ui.case_kind.{held.kind.value}")),
        ),
        fields=fields,
        danger=danger,
    )


def _ask_hold(desk: Desk, about: str) -> Asked:
    reasons = tuple(
        (one.value, desk.text(f"trust.hold.reason.{one.value}")) for one in holds.HoldReason
    )
    return _about_case(
        desk,
        about,
        Field(name="hold_reason", show=Input.CHOICE, label="ui.procedure.reason", options=reasons),
        Field(name="article", most=300, label="ui.error.article", refusals=("trust.hold",)),
        danger=True,
    )


def _hold(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        supervision.hold_from_case,
        case=CaseId(about),
        hold=holds.HoldId.of(command.uuid),
        reason=given.choice("hold_reason", holds.HoldReason),
        article=given.text("article"),
    )
    return f"{PATH}/{about}"


def _lift(desk: Desk, command: trust.CommandId, _: Given, about: str) -> str:
    desk.execute(command, supervision.lift_from_case, case=CaseId(about))
    return f"{PATH}/{about}"


def _ask_closing(desk: Desk, about: str) -> Asked:
    return _about_case(desk, about, Field(name="outcome", show=Input.AREA, most=500))


def _close(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(command, supervision.close_case, case=CaseId(about), outcome=given.text("outcome"))
    return f"{PATH}/{about}"


def _ask_comparison(desk: Desk, _: str) -> Asked:
    _require(desk)
    with desk.reading() as tx:
        yesterday = shift_days(local_day(tx.now), -1)
        found, _cut = tables.gather(lambda page: market.find_contracts(tx, page=page))
        names = desk.names(tx, {p for one in found for p in (one.buyer, one.seller)})
    return Asked(
        trail=((COMPARED_PATH, desk.text("ui.compared.title")),),
        fields=(
            Field(
                name="contract",
                show=Input.CHOICE,
                label="ui.contract.title",
                value=desk.argument("contract"),
                options=tuple(
                    (one.id, f"{names[one.buyer]} · {names[one.seller]} · {one.id[-6:]}")
                    for one in found
                    if one.finalized_at is not None
                ),
            ),
            Field(name="begins", show=Input.DAY, value=yesterday.isoformat()),
            Field(name="ends", show=Input.DAY, value=shift_days(yesterday, 1).isoformat(),
                  hint="ui.ask.ends.hint", refusals=("supervision.reconciliation.bad",)),
        ),
    )  # fmt: skip


def _reconcile(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    made = ReconciliationId.of(command.uuid)
    desk.execute(
        command,
        supervision.reconcile_contract,
        reconciliation=made,
        contract=market.ContractId(given.text("contract")),
        begins=given.day("begins"),
        ends=given.day("ends"),
    )
    return f"{COMPARED_PATH}/{made}"


def _ask_day(desk: Desk, _: str) -> Asked:
    _require(desk)
    with desk.reading() as tx:
        yesterday = shift_days(local_day(tx.now), -1)
    return Asked(
        trail=((COMPARED_PATH, desk.text("ui.compared.title")),),
        fields=(Field(name="day", show=Input.DAY, value=yesterday.isoformat()),),
    )


def _reconcile_day(desk: Desk, _: trust.CommandId, given: Given, __: str) -> str:
    # One command a contract, each under an id of its own: comparing twice is two comparisons.
    desk.visit.commanded = True
    supervision.reconcile_day(desk.platform.database, desk.visit.caller, day=given.day("day"))
    return COMPARED_PATH


OPEN_CASE = Act(
    name="open_case",
    path=f"{PATH}/open",
    command="supervision.case.open",
    ask=_ask_case,
    do=_open_case,
)
HOLD = Act(
    name="hold_case",
    path=f"{PATH}/{{about:str}}/hold",
    command="supervision.case.hold",
    ask=_ask_hold,
    do=_hold,
)
LIFT = Act(
    name="lift_case",
    path=f"{PATH}/{{about:str}}/lift",
    command="supervision.case.lift",
    ask=_about_case,
    do=_lift,
)
CLOSE_CASE = Act(
    name="close_case",
    path=f"{PATH}/{{about:str}}/close",
    command="supervision.case.close",
    ask=_ask_closing,
    do=_close,
)
RECONCILE = Act(
    name="reconcile",
    path=f"{COMPARED_PATH}/contract",
    command="supervision.contract.reconcile",
    ask=_ask_comparison,
    do=_reconcile,
)
RECONCILE_DAY = Act(
    name="reconcile_day",
    path=f"{COMPARED_PATH}/day",
    command="supervision.contract.reconcile",
    ask=_ask_day,
    do=_reconcile_day,
)
ACTS = (OPEN_CASE, HOLD, LIFT, CLOSE_CASE, RECONCILE, RECONCILE_DAY)
HANDLERS = (case_list, case_page, bundle, compared_list, compared_page)
