# SPDX-License-Identifier: Apache-2.0
"""资金: whose money at a venue lies in which account of the ledger, and how it comes and goes.

A venue's bank account is mirrored by one account of the ledger; what a party paid in lies in its
own account there. Staff who keep the books record each payment with the bank's reference: a
reference is taken once.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.market.texts import checked_text
from lingqu.market.venues import get_venue
from lingqu.runtime import Tx, new_id
from lingqu.runtime.calendar import local_day
from lingqu.trust import holds

REFERENCE_MAX = 60
FUNDS = "funds"
"""What a party paid in and can still spend, and what of it is reserved."""
CHARGED = "charged"
"""What the calls of a contract cost so far."""


class DepositId(Id):
    """The id of one payment into or out of a venue."""

    prefix = "dep"


class Direction(enum.Enum):
    """Which way a payment went."""

    IN = "in"
    """The party paid the venue."""
    OUT = "out"
    """The venue paid back what was not spent."""


class DepositTaken(errors.Conflict):
    """A payment with this reference of the bank is recorded already."""

    code = "market.deposit.taken"


class BadDeposit(errors.Rejected):
    """A payment has an amount above zero, the bank's reference, and a day that is not ahead."""

    code = "market.deposit.bad"


class FundsShort(errors.Conflict):
    """The party has not paid in enough that is still free."""

    code = "market.funds.short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fund:
    """Which account of the ledger holds what (`purpose`) of an owner at a venue."""

    account: ledger.LedgerAccountId
    venue: trust.PartyId
    owner: str
    purpose: str
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """A payment as staff recorded it; `reference` is the bank's own."""

    id: DepositId
    venue: trust.PartyId
    party: trust.PartyId
    direction: Direction
    amount: int
    reference: str
    paid_on: date
    transfer: ledger.TransferId
    recorded_at: Instant
    version: int = 1


FUND_TABLE = trust.Table("market.fund", Fund, key="account")
DEPOSITS = trust.Table("market.deposit", Deposit)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRecorded(trust.Fact):
    """A payment was booked."""

    kind = "market.deposit.recorded"
    deposit: DepositId
    venue: trust.PartyId
    party: trust.PartyId
    direction: Direction
    amount: int
    transfer: ledger.TransferId


@dataclass(frozen=True, slots=True, kw_only=True)
class FundOpened(trust.Fact):
    """An account of the ledger came to hold something of an owner at a venue."""

    kind = "market.fund.opened"
    account: ledger.LedgerAccountId
    venue: trust.PartyId
    owner: str
    purpose: str


@trust.command("market.deposit.record")
def record_deposit(
    tx: Tx,
    *,
    deposit: DepositId,
    venue: trust.PartyId,
    party: trust.PartyId,
    direction: Direction,
    amount: int,
    reference: str,
    paid_on: date,
) -> Deposit:
    """This will book a payment of a party to the venue's bank account, or back to the party.

    Raises VenueNotFound, PartyNotFound, BadDeposit, DepositTaken, FundsShort, Held.
    """
    held = get_venue(tx, venue)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.FUND, owner=venue)
    named = checked_text(reference, "reference", REFERENCE_MAX, refusal=BadDeposit)
    if not 0 < amount <= ledger.AMOUNT_MAX:
        raise BadDeposit(part="amount")
    if paid_on > local_day(tx.now):
        raise BadDeposit(part="paid_on")
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 5))", (venue,))
    if DEPOSITS.find(tx, "WHERE venue = %s AND reference = %s", (venue, named)):
        raise DepositTaken(reference=named)
    funds = need_fund(tx, venue=venue, owner=party, purpose=FUNDS)
    if direction is Direction.OUT:
        holds.refuse_held(tx, subjects=(party, funds))
        (balance,) = ledger.lock_balances(tx, accounts=(funds,))
        if balance.available < amount:
            raise FundsShort(needed=amount, available=balance.available)
    coming = direction is Direction.IN
    moved = ledger.Transfer(
        id=new_id(ledger.TransferId),
        debit=held.bank if coming else funds,
        credit=funds if coming else held.bank,
        amount=amount,
        kind=f"market.deposit.{direction.value}",
        reference=deposit,
    )
    ledger.post_transfers(tx, transfers=(moved,))
    made = Deposit(
        id=deposit,
        venue=venue,
        party=party,
        direction=direction,
        amount=amount,
        reference=named,
        paid_on=paid_on,
        transfer=moved.id,
        recorded_at=tx.now,
    )
    DEPOSITS.insert(tx, made)
    trust.record(
        tx,
        DepositRecorded(
            deposit=deposit,
            venue=venue,
            party=party,
            direction=direction,
            amount=amount,
            transfer=moved.id,
        ),
    )
    return made


def need_fund(tx: Tx, *, venue: trust.PartyId, owner: Id, purpose: str) -> ledger.LedgerAccountId:
    """This will give the account of an owner for a purpose at a venue, opened when needed.

    For commands of this package, which answer for the right to do so; it never goes below zero.
    """
    known = find_fund(tx, venue=venue, owner=owner, purpose=purpose)
    if known is None:
        tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 6))", (owner,))
        known = find_fund(tx, venue=venue, owner=owner, purpose=purpose)
    if known is not None:
        return known
    account = new_id(ledger.LedgerAccountId)
    opened = ledger.NewAccount(id=account, owner=owner, kind=f"market.{purpose}")
    ledger.open_accounts(tx, accounts=(opened,))
    FUND_TABLE.insert(tx, Fund(account=account, venue=venue, owner=owner, purpose=purpose))
    trust.record(tx, FundOpened(account=account, venue=venue, owner=owner, purpose=purpose))
    return account


def find_fund(
    tx: Tx, *, venue: trust.PartyId, owner: Id, purpose: str
) -> ledger.LedgerAccountId | None:
    """This will give the account of an owner for a purpose at a venue, None where there is none."""
    found = FUND_TABLE.find(
        tx, "WHERE venue = %s AND owner = %s AND purpose = %s", (venue, owner, purpose)
    )
    return found[0].account if found else None


def get_funds(tx: Tx, *, venue: trust.PartyId, party: trust.PartyId) -> ledger.Balance | None:
    """This will read what a party has at a venue, if the caller may see it; raises AccessDenied."""
    if not _may_read(tx, venue, party):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.FUND.value)
    account = find_fund(tx, venue=venue, owner=party, purpose=FUNDS)
    return None if account is None else ledger.find_balances(tx, accounts=(account,))[0]


def find_deposits(
    tx: Tx, *, venue: trust.PartyId, party: trust.PartyId, page: PageRequest
) -> Page[Deposit]:
    """This will list the payments of a party at a venue, newest first; raises AccessDenied."""
    if not _may_read(tx, venue, party):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.FUND.value)
    found = DEPOSITS.find(
        tx,
        "WHERE venue = %s AND party = %s AND (%s::text IS NULL OR id < %s)"
        " ORDER BY id DESC LIMIT %s",
        (venue, party, page.key, page.key, page.size + 1),
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def _may_read(tx: Tx, venue: trust.PartyId, party: trust.PartyId) -> bool:
    return any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.FUND, owner=owner)
        for owner in (venue, party)
    )
