# SPDX-License-Identifier: Apache-2.0
"""The API of 监管 supervision: flows, refused attempts, reconciliations, cases, evidence."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import gate, market, supervision, trust
from lingqu.api.v1.shapes import instant
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite, signed_in
from lingqu.kernel.paging import SIZE_MAX, PageRequest
from lingqu.kernel.time import format_instant, parse_instant
from lingqu.runtime.calendar import parse_day
from lingqu.trust import holds

COMMAND_ROUTES = {
    "supervision.case.open": "POST /api/v1/supervision/cases",
    "supervision.case.hold": "POST /api/v1/supervision/cases/{case}/hold",
    "supervision.case.lift": "POST /api/v1/supervision/cases/{case}/lift",
    "supervision.case.close": "POST /api/v1/supervision/cases/{case}/close",
    "supervision.contract.reconcile": "POST /api/v1/supervision/reconciliations",
}

Size = Annotated[
    int, QueryParameter(name="size", ge=1, le=SIZE_MAX, description="Items on the page")
]
After = Annotated[
    str | None,
    QueryParameter(name="after", max_length=400, description="The `next` of the page before"),
]
Moment = Annotated[str | None, QueryParameter(max_length=40, description="RFC 3339")]
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


@get("/flows", sync_to_thread=True, summary="List flows")
def find_flows(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    contract: Annotated[str | None, QueryParameter(name="contract", max_length=60)] = None,
    product: Annotated[str | None, QueryParameter(name="product", max_length=60)] = None,
    holder: Annotated[str | None, QueryParameter(name="holder", max_length=60)] = None,
    since: Moment = None,
    until: Moment = None,
    only_refused: Annotated[bool, QueryParameter(name="refused")] = False,  # noqa: FBT002  # a query parameter
) -> FlowPage:
    """This will list uses as they were metered, newest first, within a minute."""
    with platform.database.reading(visit.caller) as tx:
        page = supervision.find_flows(
            tx,
            page=PageRequest(size=size, after=after),
            contract=None if contract is None else market.ContractId(contract),
            product=None if product is None else gate.ProductId(product),
            holder=None if holder is None else trust.PartyId(holder),
            since=None if since is None else parse_instant(since),
            until=None if until is None else parse_instant(until),
            is_refused=only_refused,
        )
    return FlowPage(items=[flow_view(one) for one in page.items], next=page.next)


@get("/flows/{batch:str}", sync_to_thread=True, summary="Follow a flow")
def get_flow(platform: FromPlatform, visit: FromVisit, batch: FromPath[str]) -> FlowPathView:
    """This will follow one use up to its ground and down to its money."""
    wanted = gate.MeterBatchId(batch)
    with platform.database.reading(visit.caller) as tx:
        return path_view(supervision.get_flow(tx, wanted))


@get("/reconciliations", sync_to_thread=True, summary="List reconciliations")
def find_reconciliations(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    contract: Annotated[str | None, QueryParameter(name="contract", max_length=60)] = None,
    only_different: Annotated[bool, QueryParameter(name="different")] = False,  # noqa: FBT002  # a query parameter
) -> ReconciliationPage:
    """This will list what was compared, newest first."""
    with platform.database.reading(visit.caller) as tx:
        page = supervision.find_reconciliations(
            tx,
            page=PageRequest(size=size, after=after),
            contract=None if contract is None else market.ContractId(contract),
            only_different=only_different,
        )
    items = [reconciliation_view(one) for one in page.items]
    return ReconciliationPage(items=items, next=page.next)


@get("/reconciliations/{reconciliation:str}", sync_to_thread=True, summary="Read a reconciliation")
def get_reconciliation(
    platform: FromPlatform, visit: FromVisit, reconciliation: FromPath[str]
) -> ReconciliationView:
    """This will read what was compared and what differed."""
    wanted = supervision.ReconciliationId(reconciliation)
    with platform.database.reading(visit.caller) as tx:
        return reconciliation_view(supervision.get_reconciliation(tx, wanted))


@post(
    "/reconciliations",
    sync_to_thread=True,
    command="supervision.contract.reconcile",
    summary="Reconcile a contract",
)
def reconcile_contract(write: FromWrite, data: JSONBody[ReconcileContract]) -> ReconciliationView:
    """This will compare meter, bill and ledger, and open a case where they differ."""
    made = write.execute(
        supervision.reconcile_contract,
        reconciliation=supervision.ReconciliationId(data.reconciliation),
        contract=market.ContractId(data.contract),
        begins=parse_day(data.begins),
        ends=parse_day(data.ends),
    )
    return reconciliation_view(made)


@get("/attempts", sync_to_thread=True, summary="List refused attempts")
def find_attempts(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: Annotated[str | None, QueryParameter(name="party", max_length=60)] = None,
    code: Annotated[str | None, QueryParameter(name="code", max_length=80)] = None,
    act: Annotated[str | None, QueryParameter(name="act", max_length=80)] = None,
    subject: Annotated[str | None, QueryParameter(name="subject", max_length=60)] = None,
    since: Moment = None,
    until: Moment = None,
) -> AttemptPage:
    """This will list what known callers were refused, newest first, within a minute."""
    with platform.database.reading(visit.caller) as tx:
        page = supervision.find_refused(
            tx,
            page=PageRequest(size=size, after=after),
            party=None if party is None else trust.PartyId(party),
            code=code,
            act=act,
            subject=subject,
            since=None if since is None else parse_instant(since),
            until=None if until is None else parse_instant(until),
        )
    return AttemptPage(items=[attempt_view(one) for one in page.items], next=page.next)


@get("/facts/{subject:str}", sync_to_thread=True, summary="List the facts about a thing")
def find_facts(
    platform: FromPlatform,
    visit: FromVisit,
    subject: FromPath[str],
    size: Size = 50,
    after: After = None,
) -> FactPage:
    """This will list the facts that speak of a thing, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = supervision.find_facts_about(tx, subject=subject, page=request)
    return FactPage(items=[str(one) for one in page.items], next=page.next)


@get("/bundles/{subject:str}", sync_to_thread=True, summary="Take the evidence about a thing")
def get_bundle(platform: FromPlatform, visit: FromVisit, subject: FromPath[str]) -> Response[bytes]:
    """This will give everything recorded about a thing, for `lingqu-verify bundle`."""
    with platform.database.reading(visit.caller) as tx:
        text = supervision.bundle_of(tx, platform.logs, (subject,))
    name = f'attachment; filename="{subject[:60]}.bundle.json"'
    return Response(
        text.encode(), media_type="application/json", headers={"content-disposition": name}
    )


@get("/cases", sync_to_thread=True, summary="List cases")
def find_cases(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    subject: Annotated[str | None, QueryParameter(name="subject", max_length=60)] = None,
    only_open: Annotated[bool, QueryParameter(name="open")] = False,  # noqa: FBT002  # a query parameter
) -> CasePage:
    """This will list what supervisors look into, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = supervision.find_cases(tx, page=request, subject=subject, only_open=only_open)
    return CasePage(items=[case_view(one) for one in page.items], next=page.next)


@get("/cases/{case:str}", sync_to_thread=True, summary="Read a case")
def get_case(platform: FromPlatform, visit: FromVisit, case: FromPath[str]) -> CaseView:
    """This will read one case."""
    wanted = supervision.CaseId(case)
    with platform.database.reading(visit.caller) as tx:
        return case_view(supervision.get_case(tx, wanted))


@post("/cases", sync_to_thread=True, command="supervision.case.open", summary="Open a case")
def open_case(write: FromWrite, data: JSONBody[OpenCase]) -> CaseView:
    """This will begin to look into something."""
    opened = write.execute(
        supervision.open_case,
        case=supervision.CaseId(data.case),
        kind=supervision.CaseKind(data.kind),
        subject=data.subject,
        summary=data.summary,
        evidence=None if data.evidence is None else trust.FactId(data.evidence),
    )
    return case_view(opened)


@post(
    "/cases/{case:str}/hold",
    sync_to_thread=True,
    status_code=200,
    command="supervision.case.hold",
    summary="Hold the subject of a case",
)
def hold_from_case(write: FromWrite, case: FromPath[str], data: JSONBody[HoldFromCase]) -> CaseView:
    """This will stop the subject of a case, with its reason and article."""
    held = write.execute(
        supervision.hold_from_case,
        case=supervision.CaseId(case),
        hold=holds.HoldId(data.hold),
        reason=holds.HoldReason(data.reason),
        article=data.article,
    )
    return case_view(held)


@post(
    "/cases/{case:str}/lift",
    sync_to_thread=True,
    status_code=200,
    command="supervision.case.lift",
    summary="Lift the hold of a case",
)
def lift_from_case(write: FromWrite, case: FromPath[str]) -> CaseView:
    """This will free what a case holds."""
    freed = write.execute(supervision.lift_from_case, case=supervision.CaseId(case))
    return case_view(freed)


@post(
    "/cases/{case:str}/close",
    sync_to_thread=True,
    status_code=200,
    command="supervision.case.close",
    summary="Close a case",
)
def close_case(write: FromWrite, case: FromPath[str], data: JSONBody[CloseCase]) -> CaseView:
    """This will end a case and say what came of it."""
    closed = write.execute(
        supervision.close_case, case=supervision.CaseId(case), outcome=data.outcome
    )
    return case_view(closed)


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


def routers() -> tuple[Router, ...]:
    """This will give the routes; all need someone who is known."""
    handlers: list[Any] = [
        find_flows, get_flow, find_reconciliations, get_reconciliation, reconcile_contract,
        find_attempts, find_facts, get_bundle, find_cases, get_case, open_case, hold_from_case,
        lift_from_case, close_case,
    ]  # fmt: skip
    return (
        Router(
            "/api/v1/supervision",
            route_handlers=handlers,
            guards=[signed_in],
            tags=["supervision"],
            security=[{"key": []}, {"session": []}],
        ),
    )
