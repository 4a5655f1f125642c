# SPDX-License-Identifier: Apache-2.0
"""结算 settlement: from metered calls to charges, postings, shares, payables and bills."""

from lingqu.market.settlement.charges import (
    BatchCharged,
    CallsCharged,
    ChargeBatch,
    ChargeBatchId,
    ChargeLine,
    ChargeNotFound,
    charge_calls,
    find_batches,
    find_charge_batch,
    find_charges,
    find_lines,
)
from lingqu.market.settlement.pricing import (
    BadCall,
    Charge,
    MeteredCall,
    Rule,
    next_price,
    price_batch,
)
from lingqu.market.settlement.tallies import (
    BadAmount,
    NotInForce,
    StillShort,
    Tally,
    free_contract,
    freeze_more,
    get_tally,
    is_free_to_go,
)

__all__ = (
    "BadAmount",
    "BadCall",
    "BatchCharged",
    "CallsCharged",
    "Charge",
    "ChargeBatch",
    "ChargeBatchId",
    "ChargeLine",
    "ChargeNotFound",
    "MeteredCall",
    "NotInForce",
    "Rule",
    "StillShort",
    "Tally",
    "charge_calls",
    "find_batches",
    "find_charge_batch",
    "find_charges",
    "find_lines",
    "free_contract",
    "freeze_more",
    "get_tally",
    "is_free_to_go",
    "next_price",
    "price_batch",
)
