# SPDX-License-Identifier: Apache-2.0
"""The API of 结算: charges, bills, settled days, plans, payables, contributions."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import market, trust
from lingqu.api.routes import After, Size, asks, makes, reads, routes_of
from lingqu.api.v1 import settlement_shapes as shapes
from lingqu.api.v1.market_shapes import MoneyShape, amount_of, money, party_of
from lingqu.api.v1.papers import To, paper_file
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.paging import PageRequest
from lingqu.market import bills, distribution, settlement
from lingqu.market.listings import ListingId
from lingqu.runtime import documents, i18n
from lingqu.runtime.calendar import parse_day
from lingqu.trust import procedures

UPLOAD_PATH = "/api/v1/market/reconciliations"
"""Where a buyer's log may be longer than other bodies."""
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

Begins = Annotated[str, QueryParameter(name="begins", max_length=10, description="The first day")]
Ends = Annotated[str, QueryParameter(name="ends", max_length=10, description="The day after it")]
Venue = Annotated[str, QueryParameter(name="venue", max_length=60, description="A venue's party")]
ToFile = Annotated[
    Literal["pdf", "docx", "json", "xlsx"],
    QueryParameter(name="to", description="Word, PDF or its signed content; or Excel"),
]
TALLY = ("charged", "posted", "short", "waived", "refunded", "distributed")
BILL = ("charged", "corrected", "net", "posted", "late")


@reads("/contracts/{contract:str}/tally", "Read what was charged")
def get_tally(
    platform: FromPlatform, visit: FromVisit, contract: FromPath[str]
) -> shapes.TallyView:
    """This will say what a contract was charged to date, and what of it was paid."""
    with platform.database.reading(visit.caller) as tx:
        found = settlement.get_tally(tx, market.ContractId(contract))
    return shapes.priced(shapes.TallyView, found, *TALLY)


@reads("/contracts/{contract:str}/charges", "List charges")
def find_charges(
    platform: FromPlatform,
    visit: FromVisit,
    contract: FromPath[str],
    size: Size = 50,
    after: After = None,
) -> shapes.ChargePage:
    """This will list what each call of a contract was charged, oldest first."""
    wanted = market.ContractId(contract)
    with platform.database.reading(visit.caller) as tx:
        request = PageRequest(size=size, after=after)
        page = settlement.find_charges(tx, contract=wanted, page=request)
    items = [shapes.priced(shapes.ChargeView, one, "amount") for one in page.items]
    return shapes.ChargePage(items=items, next=page.next)


@makes("/contracts/{contract:str}/freeze", "market.frozen.add", "Freeze more for a contract")
def freeze_more(
    write: FromWrite, contract: FromPath[str], data: JSONBody[shapes.FreezeMore]
) -> shapes.TallyView:
    """This will freeze more of the buyer's money, after paying what is short."""
    wanted, amount = market.ContractId(contract), amount_of(data.amount)
    made = write.execute(settlement.freeze_more, contract=wanted, amount=amount)
    return shapes.priced(shapes.TallyView, made, *TALLY)


@makes("/contracts/{contract:str}/corrections", "market.charge.correct", "Correct a charge")
def correct_charge(
    write: FromWrite, contract: FromPath[str], data: JSONBody[shapes.CorrectCharge]
) -> shapes.CorrectionView:
    """This will take back a part of what a call was charged, by a counter-posting."""
    made = write.execute(
        settlement.correct_charge,
        correction=settlement.CorrectionId(data.correction),
        contract=market.ContractId(contract),
        call=data.call,
        amount=amount_of(data.amount),
        reason=data.reason,
        reference=data.reference,
    )
    return shapes.priced(shapes.CorrectionView, made, "amount", "waived")


@makes("/contracts/{contract:str}/contests", "market.charge.contest", "Contest a charge")
def contest_charge(
    write: FromWrite, contract: FromPath[str], data: JSONBody[shapes.ContestCharge]
) -> shapes.OpenedView:
    """This will open a complaint about what a call was charged."""
    made = write.execute(
        bills.contest_charge,
        procedure=procedures.ProcedureId(data.procedure),
        contract=market.ContractId(contract),
        call=data.call,
        claimed=amount_of(data.claimed),
    )
    return shapes.OpenedView(id=made.id, code=made.code, subject=made.subject, state=made.state)


@reads("/contracts/{contract:str}/bill", "Read a bill")
def get_bill(
    platform: FromPlatform, visit: FromVisit, contract: FromPath[str], begins: Begins, ends: Ends
) -> shapes.BillView:
    """This will add up what a contract was charged from a day to before another."""
    wanted, first, last = market.ContractId(contract), parse_day(begins), parse_day(ends)
    with platform.database.reading(visit.caller) as tx:
        found = bills.get_bill(tx, contract=wanted, begins=first, ends=last)
    rows = [shapes.priced(shapes.BillRowView, one, "amount") for one in found.rows]
    return shapes.priced(shapes.BillView, found, *BILL, rows=rows)


@reads(
    "/contracts/{contract:str}/bill/document",
    "Draw a bill, or list every call",
    media_type="application/pdf",
)
def get_bill_document(
    platform: FromPlatform,
    visit: FromVisit,
    contract: FromPath[str],
    begins: Begins,
    ends: Ends,
    to: ToFile = "pdf",
) -> Response[bytes]:
    """This will draw the bill as Word or PDF, or write every call as Excel."""
    wanted, first, last = market.ContractId(contract), parse_day(begins), parse_day(ends)
    with platform.database.reading(visit.caller) as tx:
        if to == "xlsx":
            book = bills.write_calls(tx, contract=wanted, begins=first, ends=last)
            return Response(book, media_type=SHEET)
        paper = bills.bill_paper(tx, contract=wanted, begins=first, ends=last)
    return paper_file(platform, paper, to, name=f"{wanted}-{begins}")


@asks("/reconciliations", "Compare a bill with the buyer's log", status=201)
def reconcile_log(
    platform: FromPlatform, visit: FromVisit, data: JSONBody[shapes.ReconcileLog]
) -> shapes.ReconciliationView:
    """This will name each call that differs, and each row that could not be read."""
    try:
        content = base64.b64decode(data.content, validate=True)
    except (binascii.Error, ValueError):
        raise documents.NotASheet(detail="base64") from None
    with platform.database.reading(visit.caller) as tx:
        found = bills.reconcile_log(
            tx,
            contract=market.ContractId(data.contract),
            begins=parse_day(data.begins),
            ends=parse_day(data.ends),
            content=content,
        )
    return shapes.ReconciliationView(
        ours=found.ours,
        theirs=found.theirs,
        agreeing=found.agreeing,
        charged=MoneyShape(**money(found.ours_minor)),
        logged=MoneyShape(**money(found.theirs_minor)),
        differences=[_log_difference(one) for one in found.differences],
        problems=[
            shapes.RowProblem(
                row=int(one.parameters.get("row") or 0),
                column=str(one.parameters.get("column", "")),
                code=one.code,
                text=i18n.explain(one, visit.language).title,
            )
            for one in found.problems
        ],
        workbook=base64.b64encode(bills.write_differences(found)).decode(),
    )


@makes("/plans", "market.plan.register", "Register a distribution plan")
def register_plan(write: FromWrite, data: JSONBody[shapes.RegisterPlan]) -> shapes.PlanView:
    """This will say how a listing's earnings are shared, in place of what was said before."""
    where = data.remittance
    made = write.execute(
        distribution.register_plan,
        plan=distribution.PlanId(data.plan),
        listing=ListingId(data.listing),
        steps=tuple(
            distribution.Step(
                share=distribution.Share(one.share), party=trust.PartyId(one.party), rate=one.rate
            )
            for one in data.steps
        ),
        source=data.source,
        remittance=None
        if where is None
        else distribution.Remittance(
            payee=where.payee,
            bank=where.bank,
            account=where.account,
            working_days=where.working_days,
        ),
    )
    return shapes.plan_view(made)


@reads("/plans/{plan:str}", "Read a distribution plan", is_open=True)
def get_plan(platform: FromPlatform, visit: FromVisit, plan: FromPath[str]) -> shapes.PlanView:
    """This will read how the earnings of a listing are shared."""
    with platform.database.reading(visit.caller) as tx:
        return shapes.plan_view(distribution.get_plan(tx, distribution.PlanId(plan)))


@reads("/settlements", "List settled days")
def find_settlements(
    platform: FromPlatform, visit: FromVisit, venue: Venue, size: Size = 50, after: After = None
) -> shapes.SettlementPage:
    """This will list the settled days of a venue, newest first."""
    with platform.database.reading(visit.caller) as tx:
        request = PageRequest(size=size, after=after)
        page = distribution.find_settlements(tx, venue=trust.PartyId(venue), page=request)
    items = [shapes.priced(shapes.SettlementView, one, "made_up", "shared") for one in page.items]
    return shapes.SettlementPage(items=items, next=page.next)


@makes("/settlements", "market.settlement.settle", "Settle a closed day")
def settle_day(write: FromWrite, data: JSONBody[shapes.SettleDay]) -> shapes.SettlementView:
    """This will share out what the contracts of a venue earned up to a closed day."""
    made = write.execute(
        distribution.settle_day,
        settlement=distribution.SettlementId(data.settlement),
        venue=trust.PartyId(data.venue),
        day=parse_day(data.day),
    )
    return shapes.priced(shapes.SettlementView, made, "made_up", "shared")


@reads("/settlements/{settlement:str}/payouts", "List the parts")
def find_payouts(
    platform: FromPlatform, visit: FromVisit, settlement: FromPath[str]
) -> shapes.PayoutList:
    """This will list who received which part, and what the ledger has not made."""
    wanted = distribution.SettlementId(settlement)
    with platform.database.reading(visit.caller) as tx:
        parts = distribution.find_payouts(tx, wanted)
        unposted = distribution.find_unposted(tx, wanted)
    items = [shapes.priced(shapes.PayoutView, one, "before", "amount") for one in parts]
    return shapes.PayoutList(items=items, unposted=[str(one.transfer) for one in unposted])


@reads("/payables", "List payables")
def find_payables(
    platform: FromPlatform,
    visit: FromVisit,
    party: Annotated[str | None, QueryParameter(name="party", max_length=60)] = None,
    is_open: Annotated[bool, QueryParameter(name="open", description="Only open ones")] = False,  # noqa: FBT002  # a query parameter
    size: Size = 50,
    after: After = None,
) -> shapes.PayablePage:
    """This will list what venues owe treasuries, newest first."""
    with platform.database.reading(visit.caller) as tx:
        request = PageRequest(size=size, after=after)
        page = distribution.find_payables(
            tx, party=party_of(party), page=request, only_open=is_open
        )
    items = [shapes.priced(shapes.PayableView, one, "amount") for one in page.items]
    return shapes.PayablePage(items=items, next=page.next)


@reads("/payables/{payable:str}/notice", "Draw a notice of payment", media_type="application/pdf")
def get_notice(
    platform: FromPlatform, visit: FromVisit, payable: FromPath[str], to: To = "pdf"
) -> Response[bytes]:
    """This will draw the 缴款通知书 of a payable as Word or PDF."""
    wanted = distribution.PayableId(payable)
    with platform.database.reading(visit.caller) as tx:
        paper = distribution.notice_paper(tx, wanted)
    return paper_file(platform, paper, to, name=wanted)


@makes("/payables/{payable:str}/close", "market.payable.close", "Close a payable on a receipt")
def close_payable(
    write: FromWrite, payable: FromPath[str], data: JSONBody[shapes.ClosePayable]
) -> shapes.PayableView:
    """This will close a payable on the number of the treasury's receipt."""
    made = write.execute(
        distribution.close_payable,
        payable=distribution.PayableId(payable),
        receipt=data.receipt,
        paid_on=parse_day(data.paid_on),
    )
    return shapes.priced(shapes.PayableView, made, "amount")


@reads("/contributions", "Read contributions")
def get_contribution(
    platform: FromPlatform, visit: FromVisit, venue: Venue, begins: Begins, ends: Ends
) -> shapes.ContributionView:
    """This will measure what the tables of each body were part of."""
    party, first, last = trust.PartyId(venue), parse_day(begins), parse_day(ends)
    with platform.database.reading(visit.caller) as tx:
        found = distribution.get_contribution(tx, venue=party, begins=first, ends=last)
    return shapes.priced(shapes.ContributionView, found)


@reads("/contributions/document", "Draw contributions", media_type="application/pdf")
def get_contribution_document(
    platform: FromPlatform,
    visit: FromVisit,
    venue: Venue,
    begins: Begins,
    ends: Ends,
    to: ToFile = "pdf",
) -> Response[bytes]:
    """This will draw the report of contributions as Word, PDF or Excel."""
    party, first, last = trust.PartyId(venue), parse_day(begins), parse_day(ends)
    with platform.database.reading(visit.caller) as tx:
        if to == "xlsx":
            book = distribution.write_contribution(tx, venue=party, begins=first, ends=last)
            return Response(book, media_type=SHEET)
        paper = distribution.contribution_paper(tx, venue=party, begins=first, ends=last)
    return paper_file(platform, paper, to, name=f"{venue}-{begins}")


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        get_tally,
        find_charges,
        freeze_more,
        correct_charge,
        contest_charge,
        get_bill,
        get_bill_document,
        reconcile_log,
        register_plan,
        get_plan,
        find_settlements,
        settle_day,
        find_payouts,
        find_payables,
        get_notice,
        close_payable,
        get_contribution,
        get_contribution_document,
    ]
    return routes_of("/api/v1/market", "settlement", handlers)


def _log_difference(one: bills.LogDifference) -> shapes.LogDifferenceView:
    ours = None if one.ours is None else MoneyShape(**money(one.ours))
    theirs = None if one.theirs is None else MoneyShape(**money(one.theirs))
    kind: Any = one.kind.value
    return shapes.LogDifferenceView(kind=kind, call=one.call, at=one.at, ours=ours, theirs=theirs)
