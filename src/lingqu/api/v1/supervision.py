# SPDX-License-Identifier: Apache-2.0
"""The API of 监管 supervision: flows, refused attempts, reconciliations, cases, evidence."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import gate, market, supervision, trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1.papers import paper_file
from lingqu.api.v1.supervision_shapes import (
    AttemptPage,
    CasePage,
    CaseView,
    CloseCase,
    FactPage,
    FlowPage,
    FlowPathView,
    HoldFromCase,
    MakeReport,
    OpenCase,
    ReconcileContract,
    ReconciliationPage,
    ReconciliationView,
    ReportPage,
    ReportView,
    attempt_view,
    case_view,
    flow_view,
    path_view,
    reconciliation_view,
    report_view,
)
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import parse_instant
from lingqu.runtime.calendar import parse_day
from lingqu.trust import holds

Moment = Annotated[str | None, QueryParameter(max_length=40, description="RFC 3339")]
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@reads("/reports", "List reports")
def find_reports(
    platform: FromPlatform, visit: FromVisit, size: Size = 50, after: After = None
) -> ReportPage:
    """This will list monthly reports, newest first."""
    with platform.database.reading(visit.caller) as tx:
        page = supervision.find_reports(tx, page=PageRequest(size=size, after=after))
    return ReportPage(items=[report_view(one) for one in page.items], next=page.next)


@reads("/reports/{report:str}", "Read a report")
def get_report(platform: FromPlatform, visit: FromVisit, report: FromPath[str]) -> ReportView:
    """This will read a monthly report with its figures."""
    wanted = supervision.ReportId(report)
    with platform.database.reading(visit.caller) as tx:
        return report_view(supervision.get_report(tx, wanted))


@reads("/reports/{report:str}/file", "Take a report as a file")
def get_report_file(
    platform: FromPlatform,
    visit: FromVisit,
    report: FromPath[str],
    form: Annotated[Literal["xlsx", "docx", "pdf", "json"], QueryParameter(name="format")] = "xlsx",
) -> Response[bytes]:
    """This will give a report as Excel, Word or PDF, the same bytes every time."""
    wanted = supervision.ReportId(report)
    with platform.database.reading(visit.caller) as tx:
        found = supervision.get_report(tx, wanted)
        name = f"report-{found.month:%Y-%m}"
        if form == "xlsx":
            content = supervision.write_report(found)
            said = f'attachment; filename="{name}.xlsx"'
            return Response(content, media_type=SHEET, headers={"content-disposition": said})
        paper = supervision.report_paper(tx, found)
    return paper_file(platform, paper, form, name=name)


@makes("/reports", "supervision.report.make", "Make a report")
def make_report(write: FromWrite, data: JSONBody[MakeReport]) -> ReportView:
    """This will add up the whole days of a month until now."""
    made = write.execute(
        supervision.make_report,
        report=supervision.ReportId(data.report),
        month=parse_day(data.month),
        issuer=trust.PartyId(data.issuer),
    )
    return report_view(made)


@reads("/flows", "List flows")
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


@reads("/flows/{batch:str}", "Follow a flow")
def get_flow(platform: FromPlatform, visit: FromVisit, batch: FromPath[str]) -> FlowPathView:
    """This will follow one use up to its ground and down to its money."""
    wanted = gate.MeterBatchId(batch)
    with platform.database.reading(visit.caller) as tx:
        return path_view(supervision.get_flow(tx, wanted))


@reads("/reconciliations", "List reconciliations")
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


@reads("/reconciliations/{reconciliation:str}", "Read a reconciliation")
def get_reconciliation(
    platform: FromPlatform, visit: FromVisit, reconciliation: FromPath[str]
) -> ReconciliationView:
    """This will read what was compared and what differed."""
    wanted = supervision.ReconciliationId(reconciliation)
    with platform.database.reading(visit.caller) as tx:
        return reconciliation_view(supervision.get_reconciliation(tx, wanted))


@makes("/reconciliations", "supervision.contract.reconcile", "Reconcile a contract")
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


@reads("/attempts", "List refused attempts")
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


@reads("/facts/{subject:str}", "List the facts about a thing")
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


@reads("/bundles/{subject:str}", "Take the evidence about a thing")
def get_bundle(platform: FromPlatform, visit: FromVisit, subject: FromPath[str]) -> Response[bytes]:
    """This will give everything recorded about a thing, for `lingqu-verify bundle`."""
    with platform.database.reading(visit.caller) as tx:
        text = supervision.bundle_of(tx, platform.logs, (subject,))
    name = f'attachment; filename="{subject[:60]}.bundle.json"'
    return Response(
        text.encode(), media_type="application/json", headers={"content-disposition": name}
    )


@reads("/cases", "List cases")
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


@reads("/cases/{case:str}", "Read a case")
def get_case(platform: FromPlatform, visit: FromVisit, case: FromPath[str]) -> CaseView:
    """This will read one case."""
    wanted = supervision.CaseId(case)
    with platform.database.reading(visit.caller) as tx:
        return case_view(supervision.get_case(tx, wanted))


@makes("/cases", "supervision.case.open", "Open a case")
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


@does("/cases/{case:str}/hold", "supervision.case.hold", "Hold the subject of a case")
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


@does("/cases/{case:str}/lift", "supervision.case.lift", "Lift the hold of a case")
def lift_from_case(write: FromWrite, case: FromPath[str]) -> CaseView:
    """This will free what a case holds."""
    freed = write.execute(supervision.lift_from_case, case=supervision.CaseId(case))
    return case_view(freed)


@does("/cases/{case:str}/close", "supervision.case.close", "Close a case")
def close_case(write: FromWrite, case: FromPath[str], data: JSONBody[CloseCase]) -> CaseView:
    """This will end a case and say what came of it."""
    closed = write.execute(
        supervision.close_case, case=supervision.CaseId(case), outcome=data.outcome
    )
    return case_view(closed)


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_reports, get_report, get_report_file, make_report, find_flows, get_flow,
        find_reconciliations, get_reconciliation, reconcile_contract, find_attempts, find_facts,
        get_bundle, find_cases, get_case, open_case, hold_from_case, lift_from_case, close_case,
    ]  # fmt: skip
    return routes_of("/api/v1/supervision", "supervision", handlers)
