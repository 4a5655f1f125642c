# SPDX-License-Identifier: Apache-2.0
"""对账单 bills: what a contract was charged in a period, by day and rule, and call by call.

The printed bill says each day's calls and amounts, what was corrected and what was paid; the
workbook lists every call. Both come from the same lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from lingqu.kernel import errors
from lingqu.market.contracts import ContractId, get_contract
from lingqu.market.settlement import (
    Rule,
    find_batches,
    find_corrections,
    find_late_payments,
    find_lines,
)
from lingqu.runtime import Tx

DAYS_MAX = 400


class BadSpan(errors.Rejected):
    """A bill is for 1 to 400 days, from a day to before another."""

    code = "market.bill.bad_span"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRow:
    """What the calls of one day that one rule priced cost together, in fen."""

    day: date
    rule: Rule
    calls: int
    units: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What a contract was charged from `begins` to before `ends`, in fen.

    `net` is `charged` less `corrected`; of `charged`, `posted` was paid when it was charged and
    `late` (also of earlier charges) later in the period.
    """

    contract: ContractId
    begins: date
    ends: date
    rows: tuple[BillRow, ...]
    calls: int
    units: int
    charged: int
    corrected: int
    posted: int
    late: int

    @property
    def net(self) -> int:
        """What is to be borne for the period."""
        return self.charged - self.corrected


def get_bill(tx: Tx, *, contract: ContractId, begins: date, ends: date) -> Bill:
    """This will add up what a contract the caller may see was charged in some days.

    Raises ContractNotFound, BadSpan.
    """
    get_contract(tx, contract)
    check_span(begins, ends)
    sums: dict[tuple[date, Rule], list[int]] = {}
    for line in find_lines(tx, contract=contract, begins=begins, ends=ends):
        total = sums.setdefault((line.day, line.rule), [0, 0, 0])
        for at, value in enumerate((1, line.units, line.amount)):
            total[at] += value
    rows = tuple(
        BillRow(day=day, rule=rule, calls=calls, units=units, amount=amount)
        for (day, rule), (calls, units, amount) in sorted(
            sums.items(), key=lambda item: (item[0][0], item[0][1].value)
        )
    )
    corrections = find_corrections(tx, contract=contract, begins=begins, ends=ends)
    batches = find_batches(tx, contract=contract, begins=begins, ends=ends)
    late = find_late_payments(tx, contract=contract, begins=begins, ends=ends)
    return Bill(
        contract=contract,
        begins=begins,
        ends=ends,
        rows=rows,
        calls=sum(one.calls for one in rows),
        units=sum(one.units for one in rows),
        charged=sum(one.amount for one in rows),
        corrected=sum(one.amount for one in corrections),
        posted=sum(one.posted for one in batches),
        late=sum(one.amount for one in late),
    )


def check_span(begins: date, ends: date) -> None:
    """This will refuse a period no bill is for. Raises BadSpan."""
    if not begins < ends <= begins + timedelta(days=DAYS_MAX):
        raise BadSpan(begins=begins.isoformat(), ends=ends.isoformat(), most=DAYS_MAX)
