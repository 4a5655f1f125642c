# SPDX-License-Identifier: Apache-2.0
"""What a contract was charged so far, what of it was paid, and what becomes of it without funds.

The funds of a contract are frozen as a reservation of the ledger on the buyer's account. A
reservation is settled once, so each posting posts its part of it and reserves the rest anew, both
in one linked group: the buyer's balance is never negative, and nothing is free between two
postings. What was used before anybody could stop it and is not covered stands as short (欠费) and
is posted first out of what is frozen next. A contract that cannot pay its next use is held by its
grant until it can.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.market.contracts import (
    CALL,
    CONTRACTS,
    HELD,
    Contract,
    ContractId,
    ContractNotFound,
    ContractState,
    get_contract,
    lock_contract,
)
from lingqu.market.settlement.pricing import next_price
from lingqu.rights import quantities
from lingqu.runtime import Tx, new_id
from lingqu.trust import holds, rulebook

GROUND = "contract.prior_performance"
"""The rule on whose ground a contract without funds is not served."""


class NotInForce(errors.Conflict):
    """The contract was not finalized, or has ended: nothing more is frozen for it."""

    code = "market.contract.not_in_force"


class StillShort(errors.Conflict):
    """Something is still short, or the next use cannot be paid, or nothing is held."""

    code = "market.tally.short"


class BadAmount(errors.Rejected):
    """An amount is a whole number of fen above zero."""

    code = "market.amount.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one contract was charged to date, in minor units.

    `units` were counted; `charged` = `posted` + `short` + `waived`. Of what was charged wrongly,
    `waived` was not yet paid, and `refunded` was given back, out of `refunds`, an account that is
    made up (`made_up` to date) before anything is `distributed`. `hold` stops the grant while the
    contract cannot pay.
    """

    contract: ContractId
    units: int = 0
    charged: int = 0
    posted: int = 0
    short: int = 0
    waived: int = 0
    refunded: int = 0
    made_up: int = 0
    distributed: int = 0
    refunds: ledger.LedgerAccountId | None = None
    hold: holds.HoldId | None = None
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LatePayment:
    """What was short and was posted later; the id is that of the transfer."""

    id: ledger.TransferId
    contract: ContractId
    day: date
    amount: int
    version: int = 1


TALLIES = trust.Table("market.tally", Tally, key="contract", not_found=ContractNotFound)
LATE = trust.Table("market.late_payment", LatePayment)


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsUsedUp(trust.Fact):
    """A contract cannot pay its next use; its grant is held until it can."""

    kind = "market.frozen.used_up"
    contract: ContractId
    hold: holds.HoldId
    frozen: int
    short: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsAdded(trust.Fact):
    """A buyer froze more for a contract; what was short was posted out of it."""

    kind = "market.frozen.added"
    contract: ContractId
    amount: int
    posted: int
    transfer: ledger.TransferId | None
    frozen: int
    short: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundsFreed(trust.Fact):
    """A contract can pay again, and its grant is no longer held for want of funds."""

    kind = "market.frozen.freed"
    contract: ContractId
    hold: holds.HoldId


def keep_still(tx: Tx, contract: ContractId) -> None:
    """This will let nothing be charged to a contract until the transaction ends.

    Whoever compares meter, bill and ledger in several reads does this first. Raises
    ContractNotFound.
    """
    lock_contract(tx, contract)


@trust.command("market.frozen.add")
def freeze_more(tx: Tx, *, contract: ContractId, amount: int) -> Tally:
    """This will freeze more of the buyer's money for a contract, after paying what is short.

    For a contract that has ended it pays what is short, and nothing more. Raises ContractNotFound,
    NotInForce, BadAmount, Held, and what the ledger refuses.
    """
    deal = lock_contract(tx, contract)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.CONTRACT, owner=deal.buyer)
    if type(amount) is not int or not 1 <= amount <= ledger.AMOUNT_MAX:
        raise BadAmount(amount=str(amount)[:40])
    known = begin_tally(tx, deal)
    owes = deal.state is ContractState.ENDED and amount <= known.short
    if deal.state is not ContractState.PERFORMING and not owes:
        raise NotInForce(contract=contract)
    assert deal.funds is not None, "a contract that was in force has the buyer's account"
    holds.refuse_held(tx, subjects=(deal.buyer, deal.funds))
    paid = min(known.short, amount)
    rest, group = deal.held_minor + amount - paid, new_id(ledger.TransferId)
    moves = [] if deal.held is None else [_move(deal, deal.held_minor, group, ledger.Phase.VOID)]
    payment = _move(deal, paid, group, ledger.Phase.POSTED) if paid else None
    moves += [] if payment is None else [payment]
    if rest:
        moves.append(_move(deal, rest, group, ledger.Phase.PENDING))
    ledger.post_transfers(tx, transfers=moves)
    held = moves[-1].id if rest else None
    CONTRACTS.update(tx, deal, held=held, held_minor=rest, deposit=deal.deposit + amount)
    if payment is not None:
        day = ledger.local_day(tx.now)
        LATE.insert(tx, LatePayment(id=payment.id, contract=contract, day=day, amount=paid))
    added = save_tally(
        tx, known, replace(known, posted=known.posted + paid, short=known.short - paid)
    )
    trust.record(
        tx,
        FundsAdded(
            contract=contract,
            amount=amount,
            posted=paid,
            transfer=None if payment is None else payment.id,
            frozen=rest,
            short=added.short,
        ),
    )
    return added


@trust.command("market.frozen.free", internal=True)
def free_contract(tx: Tx, *, contract: ContractId) -> Tally:
    """This will lift the hold on a contract that can pay again. Raises StillShort."""
    deal = lock_contract(tx, contract)
    trust.authorize(tx, trust.Action.END, trust.Kind.HOLD)
    known = TALLIES.get(tx, contract)
    if known.hold is None or not _can_pay(deal, known):
        raise StillShort(contract=contract, short=known.short)
    holds.lift_hold(tx, hold=known.hold)
    freed = save_tally(tx, known, replace(known, hold=None))
    trust.record(tx, FundsFreed(contract=contract, hold=known.hold))
    return freed


def is_free_to_go(tx: Tx, contract: ContractId) -> bool:
    """This will say whether a contract is held for want of funds that it has by now."""
    deal = get_contract(tx, contract)
    known = begin_tally(tx, deal)
    return known.hold is not None and _can_pay(deal, known)


def get_tally(tx: Tx, contract: ContractId) -> Tally:
    """This will read what a contract the caller may see was charged. Raises ContractNotFound."""
    return begin_tally(tx, get_contract(tx, contract))


def find_late_payments(
    tx: Tx, *, contract: ContractId, begins: date, ends: date
) -> tuple[LatePayment, ...]:
    """This will list what was short and paid from a day to before another.

    For a package that answers for the right to know.
    """
    tail = "WHERE contract = %s AND day >= %s AND day < %s ORDER BY id"
    return LATE.find(tx, tail, (contract, begins, ends))


def begin_tally(tx: Tx, deal: Contract) -> Tally:
    """This will give the tally of a contract, with zeros before anything was charged."""
    found = TALLIES.find(tx, "WHERE contract = %s", (deal.id,))
    return found[0] if found else Tally(contract=deal.id)


def save_tally(tx: Tx, known: Tally, after: Tally) -> Tally:
    """This will write the next state of a tally, or the first."""
    if not known.version:
        return TALLIES.insert(tx, replace(after, version=1))
    changes = {one.name: getattr(after, one.name) for one in fields(Tally) if one.name != "version"}
    return TALLIES.update(tx, known, **changes)


def find_payable(tx: Tx, deal: Contract, amount: int) -> int:
    """This will say how much of an amount a locked contract can pay now.

    What is used in its last moments may be charged after its end, when nothing is frozen any more:
    then the buyer's free funds pay.
    """
    if deal.state is not ContractState.ENDED:
        return min(amount, deal.held_minor)
    assert deal.funds is not None, "a contract that was in force has the buyer's account"
    (free,) = ledger.lock_balances(tx, accounts=(deal.funds,))
    return min(amount, max(0, free.available))


def stop_if_used_up(tx: Tx, deal: Contract, known: Tally) -> holds.HoldId | None:
    """This will hold the grant of a contract that cannot pay its next use; gives its hold.

    A contract whose quota is used up needs no hold: nothing more can be used.
    """
    over = known.hold is not None or deal.state is not ContractState.PERFORMING
    if over or _can_pay(deal, known) or not (known.short or _has_quota(tx, deal)):
        return known.hold
    assert deal.grant_id is not None, "a contract in force has a grant"
    hold = new_id(holds.HoldId)
    holds.place_hold(
        tx,
        hold=hold,
        subject=deal.grant_id,
        reason=holds.HoldReason.PAYMENT,
        article=rulebook.of(tx).ground(GROUND).rule.citation,
    )
    used_up = FundsUsedUp(contract=deal.id, hold=hold, frozen=deal.held_minor, short=known.short)
    trust.record(tx, used_up)
    return hold


def _has_quota(tx: Tx, deal: Contract) -> bool:
    assert deal.grant_id is not None, "a contract in force has a grant"
    left = [one for one in quantities.get_quota(tx, deal.grant_id) if one.currency == CALL]
    return not left or any(one.available or one.reserved for one in left)


def _can_pay(deal: Contract, known: Tally) -> bool:
    needed = next_price(deal.schedule, counted=known.units)
    return not known.short and deal.held_minor >= needed


def _move(deal: Contract, amount: int, group: str, phase: ledger.Phase) -> ledger.Transfer:
    """A movement between the buyer's account and that of the contract's charges."""
    assert deal.funds is not None, "a contract in force has the buyer's account"
    assert deal.charged is not None, "and one for its charges"
    return ledger.Transfer(
        id=new_id(ledger.TransferId),
        debit=deal.funds,
        credit=deal.charged,
        amount=amount,
        kind=HELD,
        phase=phase,
        pending=deal.held if phase is ledger.Phase.VOID else None,
        group=group,
        reference=deal.id,
    )
