# SPDX-License-Identifier: Apache-2.0
"""Step 7, settle: charges, shares, the treasury's notice, contributions, and one cent."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

from lingqu import ledger, supervision, trust
from lingqu.cli.scripts import run_psql
from lingqu.cli.story.building import P2, P3, Planned
from lingqu.cli.story.contracting import contract_of
from lingqu.cli.story.pricing import FEE, TRIAL_FEE, listing_of, yuan
from lingqu.cli.story.stage import Scene, Stage
from lingqu.cli.story.using import read_call_log
from lingqu.kernel.paging import PageRequest
from lingqu.market import bills, distribution, settlement
from lingqu.runtime import documents

BEGINS, ENDS = date(2026, 9, 1), date(2026, 9, 4)
"""The days of September on which the bank called, and the one after."""
DAY = date(2026, 9, 3)
VENUE_RATE, OPERATOR_RATE = 500, 7_000
"""In hundredths of a percent: the venue's fee of all, the operator's of the rest. Configuration."""
REMITTANCE = distribution.Remittance(
    payee="自治区国库（演示）", bank="演示国库", account="0000-0000-0000", working_days=10
)
RECEIPT = "YS2026091000001"
FEES = {"p2": FEE, "p3": TRIAL_FEE}


def register_plans(stage: Stage) -> None:
    """Who receives what is agreed before the first call is made."""
    stage.on("2026-08-05")
    steps = (
        distribution.Step(
            share=distribution.Share.VENUE_FEE, party=stage.party("venue"), rate=VENUE_RATE
        ),
        distribution.Step(
            share=distribution.Share.SERVICE_FEE, party=stage.party("operator"), rate=OPERATOR_RATE
        ),
        distribution.Step(
            share=distribution.Share.GOVERNMENT, party=stage.party("treasury"), rate=10_000
        ),
    )
    for planned in (P3, P2):
        stage.do(
            "venue",
            planned.key,
            distribution.register_plan,
            plan=stage.id(distribution.PlanId, planned.key),
            listing=listing_of(stage, planned),
            steps=steps,
            source="授权运营协议 第七项；交易场所收费办法（演示）",
            remittance=REMITTANCE,
        )
    stage.beat("venue", "settle.plans", venue=VENUE_RATE // 100, operator=OPERATOR_RATE // 100)


def charge(stage: Stage) -> None:
    """What was metered is charged by itself, line by line, out of the frozen funds."""
    for planned in (P3, P2):
        wanted = sum(one["units"] for one in read_call_log(stage) if one["product"] == planned.key)
        tally = _wait_until_charged(stage, planned, wanted)
        stage.beat(
            "venue",
            "settle.charged",
            name=f"settle.charged.{planned.key}",
            title=planned.title,
            units=tally.units,
            charged=yuan(tally.charged),
            posted=yuan(tally.posted),
        )


def _wait_until_charged(stage: Stage, planned: Planned, units: int) -> settlement.Tally:
    def tally() -> settlement.Tally:
        with stage.reading("regulator") as tx:
            return settlement.get_tally(tx, contract_of(stage, planned))

    stage.wait_for(lambda: tally().units >= units, "market.charging")
    return tally()


def share_out(stage: Stage) -> None:
    """The books of the day are closed, and what was earned is shared to the cent."""
    stage.on("2026-09-07")
    stage.do("venue/cashier", "close", ledger.close_day, day=DAY)
    settled = distribution.ensure_settled(  # the job of the night may come in between
        stage.app.database,
        stage.caller("venue"),
        stage.id(trust.CommandId, "market.settlement.settle/settle"),
        settlement=stage.id(distribution.SettlementId, "settle"),
        venue=stage.party("venue"),
        day=DAY,
    )
    with stage.reading("venue") as tx:
        parts = distribution.find_payouts(tx, settled.id)
    sums = {
        share: sum(one.amount for one in parts if one.share is share)
        for share in distribution.Share
    }
    stage.beat(
        "venue",
        "settle.shared",
        contracts=settled.contracts,
        shared=yuan(settled.shared),
        venue=yuan(sums[distribution.Share.VENUE_FEE]),
        operator=yuan(sums[distribution.Share.SERVICE_FEE]),
        government=yuan(sums[distribution.Share.GOVERNMENT]),
        rest=settled.shared - sum(sums.values()),
    )


def notify_treasury(stage: Stage) -> None:
    """The government's share is owed: a printed notice, closed on the receipt's number."""
    with stage.reading("treasury") as tx:
        page = distribution.find_payables(
            tx, party=stage.party("treasury"), page=PageRequest(size=50), only_open=True
        )
        ids = stage.journal.note("payables", " ".join(sorted(one.id for one in page.items)))
        owed = [distribution.get_payable(tx, distribution.PayableId(one)) for one in ids.split()]
        for number, one in enumerate(owed, start=1):
            stage.paper(f"缴款通知书-{number}.docx", distribution.notice_paper(tx, one.id))
    stage.beat(
        "venue",
        "settle.owed",
        notices=len(owed),
        amount=yuan(sum(one.amount for one in owed)),
        due=max(one.due_on for one in owed).isoformat(),
    )
    stage.on("2026-09-10")
    for number, one in enumerate(owed, start=1):
        stage.do(
            "treasury",
            one.id,
            distribution.close_payable,
            payable=one.id,
            receipt=f"{RECEIPT}{number}",
            paid_on=date(2026, 9, 10),
        )
    stage.beat("treasury", "settle.paid", receipt=f"{RECEIPT}1", count=len(owed))


def report_contributions(stage: Stage) -> None:
    """The bodies whose tables were used get a report of what they contributed, never money."""
    with stage.reading("venue") as tx:
        found = distribution.get_contribution(
            tx, venue=stage.party("venue"), begins=BEGINS, ends=ENDS
        )
        sheet = distribution.write_contribution(
            tx, venue=stage.party("venue"), begins=BEGINS, ends=ENDS
        )
    stage.write("贡献度报告.xlsx", sheet)
    for line in found.lines:
        stage.beat(
            "venue",
            "settle.contribution",
            name=f"settle.contribution.{line.title}",
            title=line.title,
            columns=line.columns,
            answers=line.answers,
            share=f"{line.share // 100}.{line.share % 100:02d}",
        )


def reconcile_bills(stage: Stage) -> None:
    """The bank compares each bill with the log its own program kept."""
    stage.on("2026-09-11")
    for planned in (P3, P2):
        contract = contract_of(stage, planned)
        log = _bank_workbook(stage, planned)
        stage.write(f"银行调用记录-{planned.key}.xlsx", log)
        with stage.reading("bank") as tx:
            bill = bills.get_bill(tx, contract=contract, begins=BEGINS, ends=ENDS)
            paper = bills.bill_paper(tx, contract=contract, begins=BEGINS, ends=ENDS)
            found = bills.reconcile_log(
                tx, contract=contract, begins=BEGINS, ends=ENDS, content=log
            )
        stage.paper(f"对账单-{planned.key}.docx", paper)
        stage.beat(
            "bank",
            "settle.reconciled",
            name=f"settle.reconciled.{planned.key}",
            title=planned.title,
            calls=found.ours,
            agreeing=found.agreeing,
            net=yuan(bill.net),
            differences=len(found.differences),
        )


def _bank_workbook(stage: Stage, planned: Planned) -> bytes:
    """The bank's own log as the workbook a bill is compared with."""
    book = io.BytesIO()
    rows: list[dict[str, str | Decimal]] = [
        {
            "call": str(one["call"]),
            "amount": Decimal(int(one["units"]) * FEES[planned.key]).scaleb(-2),
        }
        for one in read_call_log(stage)
        if one["product"] == planned.key
    ]
    documents.write_sheet(
        book,
        title="调用记录",
        columns=(
            documents.SheetColumn(name="call", zh="调用编号"),
            documents.SheetColumn(name="amount", zh="金额（元）", kind=documents.CellKind.DECIMAL),
        ),
        rows=rows,
    )
    return book.getvalue()


def find_the_cent(stage: Stage) -> None:
    """Somebody changes one line by one cent behind the platform; the day's comparison names it."""
    with stage.reading("regulator") as tx:
        line = next(
            settlement.find_lines(tx, contract=contract_of(stage, P2), begins=BEGINS, ends=ENDS)
        )
    call = stage.journal.note("cent/call", str(line.call))
    amount = stage.journal.note("cent/amount", line.amount)
    _set_amount(stage, call, amount + 1)
    made = supervision.reconcile_day(stage.app.database, stage.caller("regulator"), day=line.day)
    different = [one for one in made if one.found]
    found = [one for made_one in different for one in supervision.read_differences(made_one)]
    traced = [one for one in found if one.call is not None]
    stage.beat(
        "regulator",
        "settle.cent",
        contracts=len(made),
        different=len(different),
        call=str(traced[0].call),
        is_that_call=int(traced[0].call == call),
        expected=yuan(traced[0].expected),
        found=yuan(traced[0].found),
    )
    _set_amount(stage, call, amount)
    again = supervision.reconcile_day(stage.app.database, stage.caller("regulator"), day=line.day)
    stage.beat("regulator", "settle.agrees", different=sum(bool(one.found) for one in again))


def _set_amount(stage: Stage, call: str, amount: int) -> None:
    """Write past the platform, as somebody with the database's own password could."""
    run_psql(
        stage.app,
        stage.app.postgres.owner_conninfo,
        "UPDATE market.charge SET amount = :amount WHERE call = :'call';\n",
        call=call,
        amount=str(amount),
    )


SCENES: tuple[Scene, ...] = (
    charge,
    share_out,
    notify_treasury,
    report_contributions,
    reconcile_bills,
    find_the_cent,
)
"""The scenes of the seventh step."""
