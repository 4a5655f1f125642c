# SPDX-License-Identifier: Apache-2.0
"""流通 market: from a registered product to a contract whose money and right agree.

A **venue** is the party that runs the region's trading venue; **members** are admitted to it under
a signed commitment. The **fee** of a product of public data stays under its ceiling. A **listing**
is publicized, certified and then found in the catalog. Buyer and seller sign the same **contract**
text; with the second signature the buyer's grant, the accounts and the frozen funds exist in one
transaction. Buyers pay into the venue's bank account; their **funds** are accounts of the ledger.

Start reading in `venues`, then `prices`, `listings`, `contracts`, `negotiation`.
"""

from lingqu.market.contracts import (
    CALL,
    Contract,
    ContractId,
    ContractNotFound,
    ContractState,
    Ending,
    HeldExceeded,
    Signature,
    SignatureId,
    draw_held,
    find_contract_by_grant,
    find_contracts,
    find_signatures,
    get_contract,
    lock_contract,
)
from lingqu.market.fees import (
    FREE,
    Answer,
    BadFees,
    FeeSchedule,
    Tier,
    is_billed,
    price_calls,
    price_of,
    read_fees,
    total_of,
    write_fees,
)
from lingqu.market.funds import (
    BadDeposit,
    Deposit,
    DepositId,
    DepositTaken,
    Direction,
    FundsShort,
    find_deposits,
    find_fund,
    get_funds,
    need_fund,
    record_deposit,
)
from lingqu.market.listings import ListingId
from lingqu.market.venues import (
    NoVenueHere,
    Venue,
    VenueNotFound,
    VenueTaken,
    find_venues,
    get_venue,
    open_venue,
)

__all__ = (
    "CALL",
    "FREE",
    "Answer",
    "BadDeposit",
    "BadFees",
    "Contract",
    "ContractId",
    "ContractNotFound",
    "ContractState",
    "Deposit",
    "DepositId",
    "DepositTaken",
    "Direction",
    "Ending",
    "FeeSchedule",
    "FundsShort",
    "HeldExceeded",
    "ListingId",
    "NoVenueHere",
    "Signature",
    "SignatureId",
    "Tier",
    "Venue",
    "VenueNotFound",
    "VenueTaken",
    "draw_held",
    "find_contract_by_grant",
    "find_contracts",
    "find_deposits",
    "find_fund",
    "find_signatures",
    "find_venues",
    "get_contract",
    "get_funds",
    "get_venue",
    "is_billed",
    "lock_contract",
    "need_fund",
    "open_venue",
    "price_calls",
    "price_of",
    "read_fees",
    "record_deposit",
    "total_of",
    "write_fees",
)
