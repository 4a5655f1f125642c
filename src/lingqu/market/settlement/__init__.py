# SPDX-License-Identifier: Apache-2.0
"""结算 settlement: from metered calls to charges and postings, and what a contract still has.

A metering batch is **charged** once: a line for each call by the fee schedule of its contract, one
posting of the ledger out of the frozen funds. A **tally** says what a contract was charged to date;
one that cannot pay its next use is held. A wrong charge is **corrected** by a counter-posting.
`lock_earned` and `note_shared` are for `market.distribution`, which shares out what was earned;
bills and comparisons stand in `market.bills`.

Start reading in `pricing`, then `charges`, `tallies`, `corrections`.
"""

from lingqu.market.settlement.charges import (
    BatchCharged,
    ChargeBatch,
    ChargeBatchId,
    ChargeLine,
    ChargeNotFound,
    charge_calls,
    find_batch_lines,
    find_batches,
    find_charge_batch,
    find_charges,
    find_lines,
    get_charge,
    look_through_charges,
)
from lingqu.market.settlement.corrections import (
    REFUND,
    BadCorrection,
    Correction,
    CorrectionId,
    MoreThanCharged,
    correct_charge,
    find_corrections,
)
from lingqu.market.settlement.earnings import (
    Earned,
    Shared,
    lock_earned,
    note_shared,
)
from lingqu.market.settlement.pricing import (
    BadCall,
    Charge,
    MeteredCall,
    Rule,
    price_batch,
)
from lingqu.market.settlement.tallies import (
    BadAmount,
    FundsAdded,
    NotInForce,
    StillShort,
    Tally,
    find_late_payments,
    free_contract,
    freeze_more,
    get_tally,
    is_free_to_go,
    keep_still,
)

__all__ = (
    "REFUND",
    "BadAmount",
    "BadCall",
    "BadCorrection",
    "BatchCharged",
    "Charge",
    "ChargeBatch",
    "ChargeBatchId",
    "ChargeLine",
    "ChargeNotFound",
    "Correction",
    "CorrectionId",
    "Earned",
    "FundsAdded",
    "MeteredCall",
    "MoreThanCharged",
    "NotInForce",
    "Rule",
    "Shared",
    "StillShort",
    "Tally",
    "charge_calls",
    "correct_charge",
    "find_batch_lines",
    "find_batches",
    "find_charge_batch",
    "find_charges",
    "find_corrections",
    "find_late_payments",
    "find_lines",
    "free_contract",
    "freeze_more",
    "get_charge",
    "get_tally",
    "is_free_to_go",
    "keep_still",
    "lock_earned",
    "look_through_charges",
    "note_shared",
    "price_batch",
)
