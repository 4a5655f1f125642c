# SPDX-License-Identifier: Apache-2.0
"""How what a supervisor sees and sends is written as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from lingqu import supervision
from lingqu.api.v1.shapes import instant
from lingqu.kernel.time import format_instant

CaseKindName = Literal["reconciliation", "refused_attempts", "report", "inspection"]
HoldReasonName = Literal["supervision", "court_order", "dispute", "security", "quality", "payment"]


class AttemptView(msgspec.Struct, kw_only=True):
    """A refused attempt: who, what, when, by which code and article, and where it stands."""

    fact: str
    at: str
    account: str
    party: str | None
    act: str
    subject: str | None
    grant: str | None
    channel: str
    code: str
    article: str | None
    rules: str


class AttemptPage(msgspec.Struct, kw_only=True):
    """Some refused attempts, and the cursor of the page after them (null: this was the last)."""

    items: list[AttemptView]
    next: str | None


class OpenCase(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A case under an id the caller made (`cas_...`); `evidence` is the fact that began it."""

    case: str
    kind: CaseKindName
    subject: str
    summary: str
    evidence: str | None = None


class HoldFromCase(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A hold on the subject of a case, under an id the caller made (`hld_...`)."""

    hold: str
    reason: HoldReasonName
    article: str


class CloseCase(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What came of a case."""

    outcome: str


class CaseView(msgspec.Struct, kw_only=True):
    """A matter a supervisor looks into; `hold` is in force while it is named."""

    id: str
    kind: CaseKindName
    subject: str
    summary: str
    evidence: str | None
    opened_by: str
    opened_at: str
    hold: str | None
    outcome: str | None
    closed_at: str | None
    version: int


class CasePage(msgspec.Struct, kw_only=True):
    """Some cases, and the cursor of the page after them (null: this was the last)."""

    items: list[CaseView]
    next: str | None


class FactPage(msgspec.Struct, kw_only=True):
    """The ids of some facts, and the cursor of the page after them."""

    items: list[str]
    next: str | None


class FlowView(msgspec.Struct, kw_only=True):
    """Calls of one batch under one grant; `charged` and `posted` are fen, null without a charge."""

    batch: str
    fact: str
    at: str
    grant: str
    product: str
    holder: str
    contract: str | None
    answered: int
    units: int
    yes: int
    no: int
    once: int
    unknown: int
    refused: int
    charged: int | None
    posted: int | None


class FlowPage(msgspec.Struct, kw_only=True):
    """Some flows, and the cursor of the page after them (null: this was the last)."""

    items: list[FlowView]
    next: str | None


class StationView(msgspec.Struct, kw_only=True):
    """One grant on the way from the ground to the use."""

    grant: str
    holder: str
    kind: str
    issued_at: str


class MovementView(msgspec.Struct, kw_only=True):
    """A transfer of the ledger that a flow led to, in fen."""

    transfer: str
    debit: str
    credit: str
    amount: int
    day: str


class PartView(msgspec.Struct, kw_only=True):
    """Who received which part of what the contract earned on a settled day, in fen."""

    settlement: str
    day: str
    share: str
    party: str
    amount: int


class FactRefView(msgspec.Struct, kw_only=True):
    """A fact of a flow."""

    fact: str
    kind: str
    at: str


class FlowPathView(msgspec.Struct, kw_only=True):
    """A flow with what it rests on and what came of it; `held` are its things that are held."""

    flow: FlowView
    ground: str
    ground_kind: str
    articles: list[str]
    chain: list[StationView]
    standing: str
    seller: str | None
    buyer: str | None
    contract_state: str | None
    charge: str | None
    entries: list[MovementView]
    parts: list[PartView]
    held: list[str]
    facts: list[FactRefView]


class ReconcileContract(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A contract and a period of local days, under an id the caller made (`rcl_...`)."""

    reconciliation: str
    contract: str
    begins: str
    ends: str


class DifferenceView(msgspec.Struct, kw_only=True):
    """What does not agree: of which batch and call, what it should be and what it is, in fen."""

    kind: str
    batch: str
    call: str | None
    transfer: str | None
    expected: int
    found: int


class ReconciliationView(msgspec.Struct, kw_only=True):
    """Meter, bill and ledger of a contract compared, from `begins` to before `ends`, in fen."""

    id: str
    contract: str
    begins: str
    ends: str
    batches: int
    calls: int
    metered: int
    billed: int
    posted: int
    short: int
    agrees: bool
    found: int
    differences: list[DifferenceView]
    case: str | None
    made_at: str


class ReconciliationPage(msgspec.Struct, kw_only=True):
    """Some reconciliations, and the cursor of the page after them."""

    items: list[ReconciliationView]
    next: str | None


class MakeReport(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A monthly report under an id the caller made (`rpt_...`); `month` is any day of the month."""

    report: str
    month: str
    issuer: str


class FigureView(msgspec.Struct, kw_only=True):
    """One figure of a report and the records it comes from; money is in fen."""

    code: str
    unit: str
    origin: str
    month: int
    before: int
    year_ago: int
    year: int


class ReportView(msgspec.Struct, kw_only=True):
    """A report of the days of a month before `ends`; `digest` is the SHA-256 of its figures."""

    id: str
    month: str
    ends: str
    issuer: str
    whole: bool
    digest: str
    due_on: str | None
    rule: str | None
    made_at: str
    figures: list[FigureView]


class ReportPage(msgspec.Struct, kw_only=True):
    """Some reports, and the cursor of the page after them (null: this was the last)."""

    items: list[ReportView]
    next: str | None


def attempt_view(attempt: supervision.Attempt) -> AttemptView:
    """This will give the shape of a refused attempt."""
    return AttemptView(
        fact=attempt.fact,
        at=format_instant(attempt.at),
        account=attempt.account,
        party=attempt.party,
        act=attempt.act,
        subject=attempt.subject,
        grant=attempt.grant,
        channel=attempt.channel,
        code=attempt.code,
        article=attempt.article,
        rules=attempt.rules,
    )


def flow_view(flow: supervision.Flow) -> FlowView:
    """This will give the shape of a flow."""
    return FlowView(
        batch=flow.batch,
        fact=flow.fact,
        at=format_instant(flow.at),
        grant=flow.grant,
        product=flow.product,
        holder=flow.holder,
        contract=flow.contract,
        answered=flow.answered,
        units=flow.units,
        yes=flow.yes,
        no=flow.no,
        once=flow.once,
        unknown=flow.unknown,
        refused=flow.refused,
        charged=flow.charged,
        posted=flow.posted,
    )


def path_view(path: supervision.FlowPath) -> FlowPathView:
    """This will give the shape of a flow that was followed."""
    return FlowPathView(
        flow=flow_view(path.flow),
        ground=path.ground,
        ground_kind=path.ground_kind.value,
        articles=list(path.articles),
        chain=[
            StationView(
                grant=one.grant,
                holder=one.holder,
                kind=one.kind.value,
                issued_at=format_instant(one.issued_at),
            )
            for one in path.chain
        ],
        standing=path.standing.value,
        seller=path.seller,
        buyer=path.buyer,
        contract_state=None if path.contract_state is None else path.contract_state.value,
        charge=path.charge,
        entries=[
            MovementView(
                transfer=one.transfer,
                debit=one.debit,
                credit=one.credit,
                amount=one.amount,
                day=one.day.isoformat(),
            )
            for one in path.entries
        ],
        parts=[
            PartView(
                settlement=one.settlement,
                day=one.day.isoformat(),
                share=one.share,
                party=one.party,
                amount=one.amount,
            )
            for one in path.parts
        ],
        held=list(path.held),
        facts=[
            FactRefView(fact=one.fact, kind=one.kind, at=format_instant(one.at))
            for one in path.facts
        ],
    )


def reconciliation_view(made: supervision.Reconciliation) -> ReconciliationView:
    """This will give the shape of a reconciliation."""
    return ReconciliationView(
        id=made.id,
        contract=made.contract,
        begins=made.begins.isoformat(),
        ends=made.ends.isoformat(),
        batches=made.batches,
        calls=made.calls,
        metered=made.metered,
        billed=made.billed,
        posted=made.posted,
        short=made.short,
        agrees=made.agrees,
        found=made.found,
        differences=[
            DifferenceView(
                kind=one.kind.value,
                batch=one.batch,
                call=one.call,
                transfer=one.transfer,
                expected=one.expected,
                found=one.found,
            )
            for one in supervision.read_differences(made)
        ],
        case=made.case_id,
        made_at=format_instant(made.made_at),
    )


def report_view(report: supervision.Report) -> ReportView:
    """This will give the shape of a report."""
    return ReportView(
        id=report.id,
        month=report.month.isoformat(),
        ends=report.ends.isoformat(),
        issuer=report.issuer,
        whole=report.is_whole,
        digest=report.digest,
        due_on=None if report.due_on is None else report.due_on.isoformat(),
        rule=report.rule,
        made_at=format_instant(report.made_at),
        figures=[
            FigureView(
                code=one.code,
                unit=one.unit.value,
                origin=one.origin.value,
                month=one.month,
                before=one.before,
                year_ago=one.year_ago,
                year=one.year,
            )
            for one in supervision.read_figures(report)
        ],
    )


def case_view(case: supervision.Case) -> CaseView:
    """This will give the shape of a case."""
    return CaseView(
        id=case.id,
        kind=case.kind.value,
        subject=case.subject,
        summary=case.summary,
        evidence=case.evidence,
        opened_by=case.opened_by,
        opened_at=format_instant(case.opened_at),
        hold=case.hold,
        outcome=case.outcome,
        closed_at=instant(case.closed_at),
        version=case.version,
    )
