# SPDX-License-Identifier: Apache-2.0
"""协商与签订: propose, counter, sign; with the seller's signature the contract is in force.

Each move is legal from some states only and by one side only. A new text voids what was signed of
an older one, because a signature names a digest. The second signature makes, in one transaction,
the buyer's grant, the accounts and the frozen funds; or nothing.
"""

from __future__ import annotations

from dataclasses import replace

from lingqu import ledger, rights, trust
from lingqu.kernel import canon
from lingqu.kernel.lattice import Scope
from lingqu.kernel.values import to_plain
from lingqu.market.commitments import CommitmentKind, confirm_commitment
from lingqu.market.contract_facts import (
    BadContract,
    ContractClosed,
    ContractCountered,
    ContractFinalized,
    ContractNotOpen,
    ContractProposed,
    ContractSigned,
    DigestDiffers,
    PriceOutside,
    PurposeOutside,
    TermBeyond,
    TooManyTexts,
    WrongTurn,
)
from lingqu.market.contract_text import (
    DUTY_ACTIONS,
    ContractTerms,
    buyer_terms,
    digest_of,
    write_text,
)
from lingqu.market.contracts import (
    CALL,
    CONTRACTS,
    SIGNATURES,
    Contract,
    ContractId,
    ContractNotFound,
    ContractState,
    Ending,
    Signature,
    SignatureId,
    freeze,
)
from lingqu.market.fees import CALLS_MAX, FREE, FREE_PURPOSES, FeeSchedule, total_of, write_fees
from lingqu.market.funds import CHARGED, FUNDS, FundsShort, need_fund
from lingqu.market.listings import (
    Listing,
    ListingId,
    refuse_over,
    require_listed,
    require_product,
)
from lingqu.market.members import Member, MemberRole, VenueTradesItself, require_member
from lingqu.market.prices import require_price
from lingqu.market.texts import REASON_MAX, checked_text
from lingqu.runtime import Tx, new_id
from lingqu.trust import holds, rulebook

TEXTS_MAX = 10
"""How many texts a negotiation may have: the proposal and the counters to it."""
PURPOSES_MAX = 20
DUTIES_MAX = 20
SAMPLE_MAX = 100
OPEN = (ContractState.REQUESTED, ContractState.OFFERED, ContractState.ACCEPTED)


@trust.command("market.contract.propose")
def propose_contract(
    tx: Tx,
    *,
    contract: ContractId,
    listing: ListingId,
    buyer: trust.PartyId,
    terms: ContractTerms,
    commitment: bytes,
) -> Contract:
    """This will propose a contract about a listing, as the buyer, who signed the use commitment.

    Raises ListingNotOffered, NotAdmitted, CommitmentDiffers, PurposeOutside, TermBeyond,
    PriceOutside, BadContract, Held, and what `require_price` raises.
    """
    offered = require_listed(tx, listing)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.CONTRACT, owner=buyer)
    if buyer in {offered.seller, offered.venue}:
        raise VenueTradesItself(venue=offered.venue)
    confirm_commitment(CommitmentKind.USE, commitment)
    holds.refuse_held(tx, subjects=(buyer,))
    drawn = _drawn_up(tx, contract, offered, buyer, terms, commitment)
    CONTRACTS.insert(tx, drawn)
    fact = ContractProposed(
        contract=contract,
        listing=listing,
        seller=drawn.seller,
        buyer=buyer,
        digest=drawn.digest,
        commitment=commitment,
    )
    trust.record(tx, fact)
    return drawn


@trust.command("market.contract.counter")
def counter_contract(
    tx: Tx, *, contract: ContractId, party: trust.PartyId, terms: ContractTerms
) -> Contract:
    """This will answer a text with another one, as the side whose turn it is.

    Raises ContractNotFound, ContractNotOpen, WrongTurn, TooManyTexts and what proposing raises.
    """
    held = _lock_for(tx, contract, party, trust.Action.CHANGE)
    mine = (
        {ContractState.REQUESTED, ContractState.ACCEPTED}
        if party == held.seller
        else {ContractState.OFFERED}
    )
    if held.state not in mine:
        raise WrongTurn(contract=contract, state=held.state.value)
    if held.edition >= TEXTS_MAX:
        raise TooManyTexts(most=TEXTS_MAX)
    offered = require_listed(tx, held.listing)
    holds.refuse_held(tx, subjects=(held.buyer,))
    drawn = _drawn_up(tx, contract, offered, held.buyer, terms, held.commitment)
    state = ContractState.OFFERED if party == held.seller else ContractState.REQUESTED
    made = CONTRACTS.update(
        tx,
        held,
        state=state,
        edition=held.edition + 1,
        purposes=drawn.purposes,
        quota=drawn.quota,
        starts_at=drawn.starts_at,
        ends_at=drawn.ends_at,
        fees=drawn.fees,
        duties=drawn.duties,
        sample=drawn.sample,
        text=drawn.text,
        digest=drawn.digest,
        deposit=drawn.deposit,
    )
    fact = ContractCountered(contract=contract, by=party, edition=made.edition, digest=made.digest)
    trust.record(tx, fact)
    return made


@trust.command("market.contract.sign")
def sign_contract(tx: Tx, *, contract: ContractId, party: trust.PartyId, digest: str) -> Contract:
    """This will sign the text of a contract by its digest: the buyer first, the seller last.

    With the seller's signature the grant, the accounts and the frozen funds exist. Raises
    ContractNotFound, ContractNotOpen, WrongTurn, DigestDiffers; for the seller also FundsShort,
    PriceOutside, TermBeyond, NotRegistered, GrantOver, Held, and what rights and ledger refuse.
    """
    held = _lock_for(tx, contract, party, trust.Action.CHANGE)
    buying = party == held.buyer
    turns = {ContractState.REQUESTED, ContractState.OFFERED} if buying else {ContractState.ACCEPTED}
    if held.state not in turns:
        raise WrongTurn(contract=contract, state=held.state.value)
    if digest != held.digest:
        raise DigestDiffers(contract=contract, digest=held.digest)
    holds.refuse_held(tx, subjects=(contract, held.seller, held.buyer, held.venue))
    signature = Signature(
        id=new_id(SignatureId),
        contract=contract,
        party=party,
        account=trust.AccountId(tx.caller.account),
        digest=digest,
        signed_at=tx.now,
    )
    SIGNATURES.insert(tx, signature)
    fact = ContractSigned(contract=contract, party=party, digest=digest)
    if buying:
        signed = CONTRACTS.update(tx, held, state=ContractState.ACCEPTED)
        trust.record(tx, fact)
        return signed
    trust.record(tx, fact)
    return _finalize(tx, held)


@trust.command("market.contract.close")
def close_contract(tx: Tx, *, contract: ContractId, party: trust.PartyId, reason: str) -> Contract:
    """This will end a negotiation: the seller declines, or the buyer withdraws.

    Raises ContractNotFound, ContractNotOpen, BadContract.
    """
    held = _lock_for(tx, contract, party, trust.Action.END)
    checked_text(reason, "reason", REASON_MAX, refusal=BadContract)
    ending = Ending.WITHDRAWN if party == held.buyer else Ending.DECLINED
    closed = CONTRACTS.update(tx, held, state=ContractState.FAILED, ending=ending, ended_at=tx.now)
    trust.record(tx, ContractClosed(contract=contract, by=party, ending=ending))
    return closed


def _finalize(tx: Tx, held: Contract) -> Contract:
    offered = require_listed(tx, held.listing)
    _refuse_changed(tx, held, offered)
    require_member(tx, venue=held.venue, party=held.buyer, role=MemberRole.BUYER)
    funds = need_fund(tx, venue=held.venue, owner=held.buyer, purpose=FUNDS)
    charged = need_fund(tx, venue=held.venue, owner=held.id, purpose=CHARGED)
    # The tree before the ledger, as whoever ends a contract locks them too.
    grant = rights.issue_grant(
        tx,
        grant=new_id(rights.GrantId),
        parent=offered.grant_id,
        holder=held.buyer,
        kind=rights.GrantKind.USING,
        terms=buyer_terms(offered, held.buyer, _terms_of(held)),
        quotas=(rights.Quantity(currency=CALL, amount=held.quota),),
        duties=held.owed,
    )
    (balance,) = ledger.lock_balances(tx, accounts=(funds,))
    if balance.available < held.deposit:
        raise FundsShort(needed=held.deposit, available=balance.available)
    ready = replace(held, funds=funds, charged=charged)
    reserved = freeze(tx, contract=ready)
    made = CONTRACTS.update(
        tx,
        held,
        state=ContractState.PERFORMING,
        grant_id=grant.id,
        funds=funds,
        charged=charged,
        held=reserved,
        held_minor=held.deposit,
        finalized_at=tx.now,
    )
    trust.record(
        tx,
        ContractFinalized(
            contract=held.id,
            listing=held.listing,
            product=held.product,
            seller=held.seller,
            buyer=held.buyer,
            grant=grant.id,
            digest=held.digest,
            deposit=held.deposit,
            held=reserved,
        ),
    )
    return made


def _refuse_changed(tx: Tx, held: Contract, offered: Listing) -> None:
    """What the text was drawn up on must still stand: registration, grant, fee, period."""
    entry = require_product(tx, offered.code)
    grant = rights.get_grant(tx, offered.grant_id)
    refuse_over(tx, grant)
    terms = _terms_of(held)
    if held.fees != write_fees(_fees(tx, offered, terms)):
        raise PriceOutside(contract=held.id).grounded_in(_fee_article(tx))
    standing = replace(
        offered,
        registered_until=entry.valid_until,
        terms=canon.encode(to_plain(rights.read_form(grant.effective))).decode(),
    )
    _check_terms(tx, standing, terms)


def _terms_of(held: Contract) -> ContractTerms:
    return ContractTerms(
        purposes=held.purposes,
        quota=held.quota,
        starts_at=held.starts_at,
        ends_at=held.ends_at,
        duties=held.owed,
        sample=held.sample,
    )


def _drawn_up(
    tx: Tx,
    contract: ContractId,
    offered: Listing,
    buyer: trust.PartyId,
    terms: ContractTerms,
    commitment: bytes,
) -> Contract:
    buying = require_member(tx, venue=offered.venue, party=buyer, role=MemberRole.BUYER)
    selling = require_member(tx, venue=offered.venue, party=offered.seller, role=MemberRole.SELLER)
    _check_terms(tx, offered, terms)
    fees = _fees(tx, offered, terms)
    if terms.fees is not None and terms.fees != fees:
        raise PriceOutside(contract=contract).grounded_in(_fee_article(tx))
    deposit = total_of(fees, terms.quota)
    if deposit > ledger.AMOUNT_MAX:
        raise BadContract(part="quota")
    text = _text(tx, contract, offered, (selling, buying), terms, fees, deposit, commitment)
    return Contract(
        id=contract,
        listing=offered.id,
        product=offered.product,
        registration=offered.registration,
        seller=offered.seller,
        buyer=buyer,
        venue=offered.venue,
        grant_id=None,
        purposes=terms.purposes,
        quota=terms.quota,
        starts_at=terms.starts_at,
        ends_at=terms.ends_at,
        fees=write_fees(fees),
        duties=canon.encode(to_plain(terms.duties)).decode(),
        sample=terms.sample,
        commitment=commitment,
        text=text,
        digest=digest_of(text),
        edition=1,
        deposit=deposit,
        state=ContractState.REQUESTED,
        funds=None,
        charged=None,
        held=None,
        held_minor=0,
        proposed_at=tx.now,
    )


def _text(
    tx: Tx,
    contract: ContractId,
    offered: Listing,
    sides: tuple[Member, Member],
    terms: ContractTerms,
    fees: FeeSchedule,
    deposit: int,
    commitment: bytes,
) -> str:
    selling, buying = sides
    return write_text(
        contract=contract,
        listing=offered,
        seller=selling,
        buyer=buying,
        terms=terms,
        fees=fees,
        deposit=deposit,
        proposed_at=tx.now,
        rules=rulebook.of(tx).version,
        commitment=commitment,
        vocabulary=rights.load_vocabulary(tx),
    )


def _check_terms(tx: Tx, offered: Listing, terms: ContractTerms) -> None:
    good: dict[str, bool] = {
        "purposes": 0 < len(terms.purposes) <= PURPOSES_MAX
        and len(set(terms.purposes)) == len(terms.purposes),
        "quota": 0 < terms.quota <= CALLS_MAX,
        "starts_at": terms.starts_at.microsecond == 0 and terms.starts_at < terms.ends_at,
        "ends_at": terms.ends_at.microsecond == 0 and tx.now < terms.ends_at,
        "duties": len(terms.duties) <= DUTIES_MAX
        and all(one.kind in DUTY_ACTIONS for one in terms.duties),
        "sample": terms.sample is None
        or (0 < len(terms.sample) <= SAMPLE_MAX and terms.sample.isprintable()),
    }
    for part, holds_true in good.items():
        if not holds_true:
            raise BadContract(part=part)
    permitted = offered.permitted
    if permitted.purposes is not None:
        tree = rights.load_vocabulary(tx).purposes
        scope = Scope.of(tree, permitted.purposes.allowed, permitted.purposes.prohibited)
        for code in terms.purposes:
            if code not in scope:
                raise PurposeOutside(purpose=code[:60], listing=offered.id)
    latest = offered.registered_until
    if permitted.valid is not None and permitted.valid.end is not None:
        latest = min(latest, permitted.valid.end)
    earliest = None if permitted.valid is None else permitted.valid.start
    if terms.ends_at > latest or (earliest is not None and terms.starts_at < earliest):
        raise TermBeyond(latest=latest.isoformat(), listing=offered.id)


def _fees(tx: Tx, offered: Listing, terms: ContractTerms) -> FeeSchedule:
    """The published fee; nothing where every purpose is for the public good."""
    tree = rights.load_vocabulary(tx).purposes
    if all(FREE_PURPOSES[0] in tree.path(one) or FREE_PURPOSES[1] in tree.path(one)
           for one in terms.purposes):  # fmt: skip
        return FREE
    price = require_price(tx, offered.product)
    assert price.schedule is not None, "a published fee is one"
    return price.schedule


def _fee_article(tx: Tx) -> str:
    return rulebook.of(tx).ground("price.list_published").rule.citation


def _lock_for(tx: Tx, contract: ContractId, party: trust.PartyId, action: trust.Action) -> Contract:
    """Lock an open contract for one of its two sides; nobody else learns of it."""
    held = CONTRACTS.lock(tx, contract)
    if party not in {held.seller, held.buyer}:
        raise ContractNotFound(id=contract)
    trust.authorize(tx, action, trust.Kind.CONTRACT, owner=party)
    if held.state not in OPEN:
        raise ContractNotOpen(contract=contract, state=held.state.value)
    return held
