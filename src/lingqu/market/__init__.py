# SPDX-License-Identifier: Apache-2.0
"""流通 market: from a registered product to a contract whose money and right agree.

A **venue** is the party that runs the region's trading venue; **members** are admitted to it under
a signed commitment. The **fee** of a product of public data stays under its ceiling. A **listing**
is publicized, certified and then found in the catalog. Buyer and seller sign the same **contract**
text; with the second signature the buyer's grant, the accounts and the frozen funds exist in one
transaction. Buyers pay into the venue's bank account; their **funds** are accounts of the ledger.

The fee of a product is set in `market.prices`, its way into the catalog stands in
`market.listings`. Start reading in `venues`, then `members`, `contracts`, `negotiation`, `endings`.
"""

from pathlib import Path

from lingqu.market import listings, prices
from lingqu.market.auditing import audit_market
from lingqu.market.commitments import (
    Commitment,
    CommitmentDiffers,
    CommitmentKind,
    get_commitment,
)
from lingqu.market.contract_facts import (
    BadContract,
    ContractFinalized,
    ContractNotOpen,
    ContractNotPerforming,
    ContractOver,
    DigestDiffers,
    PriceOutside,
    PurposeOutside,
    TermBeyond,
    TooManyTexts,
    WrongTurn,
)
from lingqu.market.contract_text import (
    ContractTerms,
)
from lingqu.market.contracts import (
    CALL,
    Contract,
    ContractId,
    ContractNotFound,
    ContractState,
    Ending,
    Signature,
    find_contract_by_grant,
    find_contracts,
    find_editions,
    find_signatures,
    get_contract,
)
from lingqu.market.endings import (
    end_contract,
    expire_contracts,
    has_due,
)
from lingqu.market.fees import (
    FREE,
    Answer,
    BadFees,
    FeeSchedule,
    Tier,
    total_of,
)
from lingqu.market.funds import (
    BadDeposit,
    Deposit,
    DepositId,
    DepositTaken,
    Direction,
    FundsShort,
    find_deposits,
    get_funds,
    record_deposit,
)
from lingqu.market.members import (
    Member,
    MemberId,
    MemberNotFound,
    MemberRole,
    MemberState,
    MemberTaken,
    NotAdmitted,
    NotIdentified,
    VenueTradesItself,
    admit_member,
    apply_membership,
    end_membership,
    find_members,
    get_member,
    refuse_member,
)
from lingqu.market.negotiation import (
    close_contract,
    counter_contract,
    propose_contract,
    sign_contract,
)
from lingqu.market.papers import (
    certificate_paper,
    contract_document,
    contract_paper,
    fee_lines,
)
from lingqu.market.venues import (
    NoVenueHere,
    Venue,
    VenueNotFound,
    VenueTaken,
    find_venues,
    get_venue,
    open_venue,
)
from lingqu.trust import procedures

procedures.provide_charts(Path(__file__).parent / "charts")

__all__ = (
    "CALL",
    "FREE",
    "Answer",
    "BadContract",
    "BadDeposit",
    "BadFees",
    "Commitment",
    "CommitmentDiffers",
    "CommitmentKind",
    "Contract",
    "ContractFinalized",
    "ContractId",
    "ContractNotFound",
    "ContractNotOpen",
    "ContractNotPerforming",
    "ContractOver",
    "ContractState",
    "ContractTerms",
    "Deposit",
    "DepositId",
    "DepositTaken",
    "DigestDiffers",
    "Direction",
    "Ending",
    "FeeSchedule",
    "FundsShort",
    "Member",
    "MemberId",
    "MemberNotFound",
    "MemberRole",
    "MemberState",
    "MemberTaken",
    "NoVenueHere",
    "NotAdmitted",
    "NotIdentified",
    "PriceOutside",
    "PurposeOutside",
    "Signature",
    "TermBeyond",
    "Tier",
    "TooManyTexts",
    "Venue",
    "VenueNotFound",
    "VenueTaken",
    "VenueTradesItself",
    "WrongTurn",
    "admit_member",
    "apply_membership",
    "audit_market",
    "certificate_paper",
    "close_contract",
    "contract_document",
    "contract_paper",
    "counter_contract",
    "end_contract",
    "end_membership",
    "expire_contracts",
    "fee_lines",
    "find_contract_by_grant",
    "find_contracts",
    "find_deposits",
    "find_editions",
    "find_members",
    "find_signatures",
    "find_venues",
    "get_commitment",
    "get_contract",
    "get_funds",
    "get_member",
    "get_venue",
    "has_due",
    "listings",
    "open_venue",
    "prices",
    "propose_contract",
    "record_deposit",
    "refuse_member",
    "sign_contract",
    "total_of",
)
