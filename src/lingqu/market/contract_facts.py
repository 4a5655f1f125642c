# SPDX-License-Identifier: Apache-2.0
"""What a negotiation and the end of a contract record, and every way they can refuse."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import ledger, rights, trust
from lingqu.kernel import errors
from lingqu.market.contracts import ContractId, Ending
from lingqu.market.listings import ListingId


class BadContract(errors.Rejected):
    """A part of the terms is empty, out of range or not in order."""

    code = "market.contract.bad"


class PurposeOutside(errors.Rejected):
    """The product may not be used for this purpose."""

    code = "market.contract.purpose_outside"


class TermBeyond(errors.Rejected):
    """The period reaches beyond the grant of the product or beyond its registration."""

    code = "market.contract.term_beyond"


class PriceOutside(errors.Rejected):
    """The fee is not the published one: no fee is taken that is not marked."""

    code = "market.contract.price_outside"


class TooManyTexts(errors.Conflict):
    """The negotiation had as many texts as it may have."""

    code = "market.contract.too_many_texts"


class WrongTurn(errors.Conflict):
    """It is the other side's turn, or this step is not open here."""

    code = "market.contract.wrong_turn"


class DigestDiffers(errors.Conflict):
    """What was signed is not the text that lies on the table now."""

    code = "market.contract.digest_differs"


class ContractNotOpen(errors.Conflict):
    """The negotiation is over."""

    code = "market.contract.not_open"


class ContractNotPerforming(errors.Conflict):
    """The contract is not in force."""

    code = "market.contract.not_performing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractProposed(trust.Fact):
    """A buyer proposed a contract and signed the commitment of use."""

    kind = "market.contract.proposed"
    contract: ContractId
    listing: ListingId
    seller: trust.PartyId
    buyer: trust.PartyId
    digest: str
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractCountered(trust.Fact):
    """A side answered with another text."""

    kind = "market.contract.countered"
    contract: ContractId
    by: trust.PartyId
    edition: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSigned(trust.Fact):
    """A side signed the text of this digest."""

    kind = "market.contract.signed"
    contract: ContractId
    party: trust.PartyId
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFinalized(trust.Fact):
    """A contract is in force: both signed this digest, the grant exists, the funds are frozen."""

    kind = "market.contract.finalized"
    contract: ContractId
    listing: ListingId
    product: str
    seller: trust.PartyId
    buyer: trust.PartyId
    grant: rights.GrantId
    digest: str
    deposit: int
    held: ledger.TransferId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractClosed(trust.Fact):
    """A negotiation ended without a contract."""

    kind = "market.contract.closed"
    contract: ContractId
    by: trust.PartyId
    ending: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractOver(trust.Fact):
    """A contract that was in force is over; `freed` of its frozen funds are the buyer's again."""

    kind = "market.contract.over"
    contract: ContractId
    ending: Ending
    grant: rights.GrantId
    freed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractsExpired(trust.Fact):
    """Contracts whose period is over were looked for, and so many ended."""

    kind = "market.contract.expired"
    contracts: tuple[ContractId, ...]
