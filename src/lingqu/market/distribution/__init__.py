# SPDX-License-Identifier: Apache-2.0
"""收益分配 distribution: who receives what contracts earned, to the cent, and what is owed.

A **plan** names the payees of a listing and their rates, and where that is agreed. When the ledger
closed a day, `settle_day` shares out what each contract earned; the government's share becomes a
**payable** with a printed 缴款通知书, closed on a receipt. The **contribution** of the bodies whose
tables were used is a report, never money.

Start reading in `sharing`, then `plans`, `days`, `payables`.
"""

from lingqu.market.distribution.contribution import (
    BadReport,
    Contribution,
    contribution_paper,
    get_contribution,
    write_contribution,
)
from lingqu.market.distribution.days import (
    DaySettled,
    DayStillOpen,
    Payout,
    Settlement,
    SettlementId,
    ensure_settled,
    find_payouts,
    find_settlements,
    find_unposted,
    get_settlement,
    settle_closed_day,
    settle_day,
)
from lingqu.market.distribution.names import party_names
from lingqu.market.distribution.payables import (
    BadReceipt,
    Payable,
    PayableClosed,
    PayableId,
    PayableNotFound,
    ReceiptTaken,
    close_payable,
    find_payables,
    get_payable,
    notice_paper,
)
from lingqu.market.distribution.plans import (
    Plan,
    PlanId,
    PlanNotFound,
    Remittance,
    get_plan,
    read_steps,
    register_plan,
)
from lingqu.market.distribution.sharing import (
    BadPlan,
    Share,
    Step,
    share_more,
    share_total,
)

__all__ = (
    "BadPlan",
    "BadReceipt",
    "BadReport",
    "Contribution",
    "DaySettled",
    "DayStillOpen",
    "Payable",
    "PayableClosed",
    "PayableId",
    "PayableNotFound",
    "Payout",
    "Plan",
    "PlanId",
    "PlanNotFound",
    "ReceiptTaken",
    "Remittance",
    "Settlement",
    "SettlementId",
    "Share",
    "Step",
    "close_payable",
    "contribution_paper",
    "ensure_settled",
    "find_payables",
    "find_payouts",
    "find_settlements",
    "find_unposted",
    "get_contribution",
    "get_payable",
    "get_plan",
    "get_settlement",
    "notice_paper",
    "party_names",
    "read_steps",
    "register_plan",
    "settle_closed_day",
    "settle_day",
    "share_more",
    "share_total",
    "write_contribution",
)
