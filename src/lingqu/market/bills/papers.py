# SPDX-License-Identifier: Apache-2.0
"""Bills as files: the printed one as Word and PDF, every call as Excel."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from lingqu import ledger
from lingqu.kernel.time import Instant
from lingqu.market.bills.statements import Bill, check_span, get_bill
from lingqu.market.contracts import ContractId, get_contract
from lingqu.market.distribution import party_names
from lingqu.market.settlement import Rule, find_lines
from lingqu.runtime import Tx, documents
from lingqu.runtime.calendar import LOCAL_TIME
from lingqu.runtime.documents import CellKind, SheetColumn

RULE_WORDS = {
    Rule.FREE: "免费",
    Rule.MISS: "不计费应答",
    Rule.PRICE: "按单价",
    Rule.TIERS: "跨档计价",
}
COLUMNS = (
    SheetColumn(name="call", zh="调用编号"),
    SheetColumn(name="at", zh="调用时间"),
    SheetColumn(name="day", zh="使用日期", kind=CellKind.DAY),
    SheetColumn(name="units", zh="计费数量", kind=CellKind.INTEGER),
    SheetColumn(name="free", zh="其中免费", kind=CellKind.INTEGER),
    SheetColumn(name="rule", zh="计价规则"),
    SheetColumn(name="amount", zh="金额（元）", kind=CellKind.DECIMAL),
)


def bill_paper(tx: Tx, *, contract: ContractId, begins: date, ends: date) -> documents.Paper:
    """This will give the 对账单 of a contract the caller may see, from a day to before another.

    Raises ContractNotFound, BadSpan.
    """
    bill = get_bill(tx, contract=contract, begins=begins, ends=ends)
    deal = get_contract(tx, contract)
    names = party_names(tx, (deal.buyer, deal.seller, deal.venue))
    last = ends - timedelta(days=1)
    data: dict[str, object] = {
        "issuer": names[deal.venue],
        "number": f"{contract}/{begins:%Y%m%d}-{last:%Y%m%d}",
        "dated_on": ledger.local_day(tx.now).isoformat(),
        "contract": contract,
        "buyer": names[deal.buyer],
        "seller": names[deal.seller],
        "begins_on": begins.isoformat(),
        "ends_on": last.isoformat(),
        "calls": bill.calls,
        "units": bill.units,
        "charged": _yuan(bill.charged),
        "corrected": _yuan(bill.corrected),
        "net": _yuan(bill.net),
        "posted": _yuan(bill.posted),
        "late": _yuan(bill.late),
    }
    if bill.rows:
        data["rows"] = _rows(bill)
    return documents.Paper(template="bill", data=data, subject=contract, sealers=(deal.venue,))


def write_calls(tx: Tx, *, contract: ContractId, begins: date, ends: date) -> bytes:
    """This will write every charged call of a contract the caller may see as a workbook.

    Raises ContractNotFound, BadSpan.
    """
    get_contract(tx, contract)
    check_span(begins, ends)
    lines = find_lines(tx, contract=contract, begins=begins, ends=ends)
    rows: Iterator[dict[str, str | int | date | Decimal]] = (
        {
            "call": one.call,
            "at": moment_text(one.at),
            "day": one.day,
            "units": one.units,
            "free": one.free,
            "rule": RULE_WORDS[one.rule],
            "amount": yuan(one.amount),
        }
        for one in lines
    )
    target = io.BytesIO()
    documents.write_sheet(target, title="调用明细", columns=COLUMNS, rows=rows)
    return target.getvalue()


def moment_text(at: Instant) -> str:
    """This will write a moment in the time of the region, as it stands in a workbook."""
    return at.astimezone(LOCAL_TIME).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def yuan(minor: int) -> Decimal:
    """This will give fen as yuan, exactly."""
    return Decimal(minor).scaleb(-2)


def _yuan(minor: int) -> dict[str, object]:
    return {"currency": ledger.CNY.id, "minor": minor}


def _rows(bill: Bill) -> list[dict[str, object]]:
    return [
        {
            "day": one.day.isoformat(),
            "rule": RULE_WORDS[one.rule],
            "calls": one.calls,
            "units": one.units,
            "amount": _yuan(one.amount),
        }
        for one in bill.rows
    ]
