# SPDX-License-Identifier: Apache-2.0
"""合约: a contract between seller and buyer about one listing, and what it holds in the ledger.

Its `text` is canonical JSON and both sides sign the SHA-256 of it. The buyer signs first, the
seller last, because it is the seller who gives the right; with the second signature the grant, the
accounts and the frozen funds exist, all in that transaction. What calls cost is drawn from the
frozen funds; what was not drawn is free again when the contract ends.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lingqu import ledger, rights, trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain
from lingqu.market.contract_text import read_text
from lingqu.market.fees import FeeSchedule, read_fees
from lingqu.market.listings import ListingId
from lingqu.runtime import Tx, new_id

CALL = "CALL"
"""The currency of the ledger in which a buyer's grant holds its quota of calls."""
HELD = "market.contract"
"""The kind of the transfers that freeze, draw and free the funds of a contract."""


class ContractId(Id):
    """The id of one contract."""

    prefix = "ctr"


class SignatureId(Id):
    """The id of one signature."""

    prefix = "sgn"


class ContractState(enum.Enum):
    """Where a contract stands."""

    REQUESTED = "requested"
    """The buyer's text lies with the seller."""
    OFFERED = "offered"
    """The seller's counter-text lies with the buyer."""
    ACCEPTED = "accepted"
    """The buyer signed; the seller has not."""
    PERFORMING = "performing"
    """Both signed the same digest: it is in force."""
    FAILED = "failed"
    """It did not come about."""
    ENDED = "ended"
    """It was in force and is over."""


STATUS_CODES: Mapping[ContractState, str] = MappingProxyType({
    ContractState.REQUESTED: "01",
    ContractState.OFFERED: "02",
    ContractState.ACCEPTED: "03",
    ContractState.PERFORMING: "05",
    ContractState.FAILED: "0302",
    ContractState.ENDED: "06",
})  # fmt: skip
"""The states in the codes of TC609-6-2025-14 (contract.states)."""


class Ending(enum.Enum):
    """How a contract came to its end, or did not come about."""

    DUE = "due"
    """到期终止."""
    EARLY = "early"
    """提前终止."""
    DECLINED = "declined"
    """The seller declined."""
    WITHDRAWN = "withdrawn"
    """The buyer withdrew."""


class ContractNotFound(errors.NotFound):
    """There is no such contract, or the caller may not know of it."""

    code = "market.contract.not_found"


class HeldExceeded(errors.Conflict):
    """More is to be drawn than the contract still has frozen."""

    code = "market.contract.held_exceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract. `fees` and `duties` are canonical JSON, `text` what is signed by its `digest`.

    `deposit` is what its whole quota costs, in fen: so much is frozen when it comes into force.
    `held` is the reservation that still freezes `held_minor` of `funds`; what was drawn lies in
    `charged`. `grant_id` is the buyer's grant.
    """

    id: ContractId
    listing: ListingId
    product: str
    registration: str
    seller: trust.PartyId
    buyer: trust.PartyId
    venue: trust.PartyId
    grant_id: rights.GrantId | None
    purposes: tuple[str, ...]
    quota: int
    starts_at: Instant
    ends_at: Instant
    fees: str
    duties: str
    sample: str | None
    commitment: bytes
    text: str
    digest: str
    edition: int
    deposit: int
    state: ContractState
    funds: ledger.LedgerAccountId | None
    charged: ledger.LedgerAccountId | None
    held: ledger.TransferId | None
    held_minor: int
    proposed_at: Instant
    finalized_at: Instant | None = None
    ended_at: Instant | None = None
    ending: Ending | None = None
    version: int = 1

    @property
    def title(self) -> str:
        """The title of its product, as signed."""
        return str(read_text(self.text)["contractName"])

    @property
    def schedule(self) -> FeeSchedule:
        """What its calls cost."""
        return read_fees(self.fees)

    @property
    def owed(self) -> tuple[rights.Duty, ...]:
        """What the buyer is obliged to."""
        return tuple(from_plain(rights.Duty, one) for one in canon.decode(self.duties.encode()))

    @property
    def status(self) -> str:
        """Its state in the codes of TC609-6-2025-14."""
        return STATUS_CODES[self.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A party's signature of one text of a contract, made by an account of it."""

    id: SignatureId
    contract: ContractId
    party: trust.PartyId
    account: trust.AccountId
    digest: str
    signed_at: Instant
    version: int = 1


CONTRACTS = trust.Table("market.contract", Contract, not_found=ContractNotFound)
SIGNATURES = trust.Table("market.signature", Signature)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldDrawn(trust.Fact):
    """A part of a contract's frozen funds was drawn; `left` stay frozen."""

    kind = "market.contract.drawn"
    contract: ContractId
    amount: int
    left: int
    reference: str


def get_contract(tx: Tx, contract: ContractId) -> Contract:
    """This will read a contract the caller may see; raises ContractNotFound otherwise."""
    found = CONTRACTS.get(tx, contract)
    if not may_read(tx, found):
        raise ContractNotFound(id=contract)
    return found


def lock_contract(tx: Tx, contract: ContractId) -> Contract:
    """This will lock a contract until the transaction ends, for commands of this package."""
    return CONTRACTS.lock(tx, contract)


def find_contract_by_grant(tx: Tx, grant: rights.GrantId) -> Contract | None:
    """This will give the contract a grant is used under, None where there is none.

    A grant that took the place of the contract's, or was given on below it, counts for it too.
    Raises GrantNotFound where the caller may not see the grant.
    """
    held = rights.get_grant(tx, grant)
    found = CONTRACTS.find(tx, "WHERE grant_id = ANY(%s)", (list(held.watched),))
    by_grant = {one.grant_id: one for one in found}
    nearest = (by_grant[one] for one in reversed(held.watched) if one in by_grant)
    return next(nearest, None)


def find_contracts(
    tx: Tx,
    *,
    page: PageRequest,
    party: trust.PartyId | None = None,
    listing: ListingId | None = None,
    state: ContractState | None = None,
) -> Page[Contract]:
    """This will list contracts, newest first: those of a party (as seller, buyer or venue), or all.

    Raises AccessDenied where the caller may not see them.
    """
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.CONTRACT, owner=party):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.CONTRACT.value)
    found = CONTRACTS.find(
        tx,
        "WHERE (%s::text IS NULL OR %s IN (seller, buyer, venue))"
        " AND (%s::text IS NULL OR listing = %s) AND (%s::text IS NULL OR state = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s",
        (
            *(party, party),
            *(listing, listing),
            *((None, None) if state is None else (state.value, state.value)),
            *(page.key, page.key),
            page.size + 1,
        ),
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One text that was on the table: which one, what it said, by which digest it was named."""

    number: int
    text: str
    digest: str


def find_editions(tx: Tx, contract: ContractId) -> tuple[Edition, ...]:
    """This will give every text of a contract in its order, as it was kept with its fact.

    Raises ContractNotFound.
    """
    get_contract(tx, contract)
    found: dict[int, Edition] = {}
    for row in CONTRACTS.versions(tx, contract):
        number = int(row["edition"])
        found[number] = Edition(number=number, text=row["text"], digest=row["digest"])
    return tuple(found[one] for one in sorted(found))


def find_signatures(tx: Tx, contract: ContractId) -> tuple[Signature, ...]:
    """This will list who signed which text of a contract; raises ContractNotFound."""
    get_contract(tx, contract)
    return SIGNATURES.find(tx, "WHERE contract = %s ORDER BY id", (contract,))


def may_read(tx: Tx, contract: Contract) -> bool:
    """This will say whether the caller may see a contract: its parties, its venue, supervision."""
    return any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.CONTRACT, owner=owner)
        for owner in (contract.seller, contract.buyer, contract.venue)
    )


def draw_held(
    tx: Tx,
    *,
    contract: Contract,
    amount: int,
    reference: str,
    transfer: ledger.TransferId | None = None,
) -> Contract:
    """This will draw what calls cost from a locked contract's frozen funds; the rest stays frozen.

    `transfer` is the id of the posting where the caller must know it. For commands of this package,
    inside their transaction; nothing is drawn for an amount of 0.
    After the end of the contract nothing is frozen: then it is taken from the buyer's funds.
    Raises HeldExceeded, and FloorCrossed where the funds of an ended contract are short.
    """
    if amount == 0:
        return contract
    if contract.state is ContractState.ENDED:
        return _draw_late(tx, contract, amount, reference, transfer)
    if not 0 < amount <= contract.held_minor:
        raise HeldExceeded(contract=contract.id, amount=amount, held=contract.held_minor)
    assert contract.funds is not None
    assert contract.charged is not None
    assert contract.held is not None
    left = contract.held_minor - amount
    kept = new_id(ledger.TransferId) if left else None
    steps = [
        ledger.Transfer(
            id=transfer or new_id(ledger.TransferId),
            debit=contract.funds,
            credit=contract.charged,
            amount=amount,
            kind=HELD,
            phase=ledger.Phase.POST,
            pending=contract.held,
            group=contract.held,
            reference=reference,
        )
    ]
    if kept is not None:
        steps.append(_reservation(contract, kept, left, group=contract.held))
    ledger.post_transfers(tx, transfers=steps)
    drawn = CONTRACTS.update(tx, contract, held=kept, held_minor=left)
    fact = HeldDrawn(contract=contract.id, amount=amount, left=left, reference=reference)
    trust.record(tx, fact)
    return drawn


def _draw_late(
    tx: Tx,
    contract: Contract,
    amount: int,
    reference: str,
    transfer: ledger.TransferId | None,
) -> Contract:
    assert contract.funds is not None
    assert contract.charged is not None
    moved = ledger.Transfer(
        id=transfer or new_id(ledger.TransferId),
        debit=contract.funds,
        credit=contract.charged,
        amount=amount,
        kind=HELD,
        reference=reference,
    )
    ledger.post_transfers(tx, transfers=(moved,))
    fact = HeldDrawn(contract=contract.id, amount=amount, left=0, reference=reference)
    trust.record(tx, fact)
    return contract


def freeze(tx: Tx, *, contract: Contract) -> ledger.TransferId | None:
    """This will reserve the deposit of a contract on its buyer's funds; None where it is free."""
    if contract.deposit == 0:
        return None
    held = new_id(ledger.TransferId)
    ledger.post_transfers(tx, transfers=(_reservation(contract, held, contract.deposit),))
    return held


def free_held(tx: Tx, *, contract: Contract) -> None:
    """This will give back what a contract still has frozen."""
    if contract.held is None:
        return
    assert contract.funds is not None
    assert contract.charged is not None
    freed = ledger.Transfer(
        id=new_id(ledger.TransferId),
        debit=contract.funds,
        credit=contract.charged,
        amount=contract.held_minor,
        kind=HELD,
        phase=ledger.Phase.VOID,
        pending=contract.held,
        reference=contract.id,
    )
    ledger.post_transfers(tx, transfers=(freed,))


def _reservation(
    contract: Contract, transfer: ledger.TransferId, amount: int, *, group: str | None = None
) -> ledger.Transfer:
    assert contract.funds is not None
    assert contract.charged is not None
    return ledger.Transfer(
        id=transfer,
        debit=contract.funds,
        credit=contract.charged,
        amount=amount,
        kind=HELD,
        phase=ledger.Phase.PENDING,
        group=group,
        reference=contract.id,
    )
