# SPDX-License-Identifier: Apache-2.0
"""对账 bills: what a contract was charged, on paper and call by call, and beside other records.

A **bill** adds up some days of a contract. `find_differences` compares meter, charges and postings
and names what differs; `reconcile_log` compares the bill with the buyer's own log, and a difference
can be **contested**. Start reading in `statements`, then `differences`, `logs`.
"""

from lingqu.market.bills.differences import (
    Difference,
    DifferenceKind,
    MeteredBatch,
    find_differences,
)
from lingqu.market.bills.logs import (
    LogDifference,
    LogDifferenceKind,
    LogRow,
    NothingToContest,
    Reconciliation,
    compare_log,
    contest_charge,
    read_log,
    reconcile_log,
    write_differences,
)
from lingqu.market.bills.papers import (
    bill_paper,
    write_calls,
)
from lingqu.market.bills.statements import (
    BadSpan,
    Bill,
    BillRow,
    get_bill,
)

__all__ = (
    "BadSpan",
    "Bill",
    "BillRow",
    "Difference",
    "DifferenceKind",
    "LogDifference",
    "LogDifferenceKind",
    "LogRow",
    "MeteredBatch",
    "NothingToContest",
    "Reconciliation",
    "bill_paper",
    "compare_log",
    "contest_charge",
    "find_differences",
    "get_bill",
    "read_log",
    "reconcile_log",
    "write_calls",
    "write_differences",
)
