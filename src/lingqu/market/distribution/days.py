# SPDX-License-Identifier: Apache-2.0
"""日结 settling a day: what contracts earned up to a closed day is shared out, once, to the cent.

A day of a venue is settled after the ledger closed it. From the account of each contract's charges
goes, first, what was given back to its buyer, and then everybody's part by the distribution plan of
its listing, all in one linked group: the ledger makes all of it or none. Fees and the treasury's
money lie in accounts that are posted in batches only, so the transfers are queued; `find_unposted`
names what the ledger refused. The government's part becomes a payable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_row
from lingqu.market.contracts import ContractId
from lingqu.market.distribution.payables import owe
from lingqu.market.distribution.plans import (
    Plan,
    PlanNotFound,
    find_plan,
    payee_account,
    read_steps,
)
from lingqu.market.distribution.sharing import Share, share_more
from lingqu.market.listings import ListingId
from lingqu.market.settlement import REFUND, Earned, Shared, lock_earned, note_shared
from lingqu.market.venues import get_venue
from lingqu.runtime import Caller, Database, Tx, new_id
from lingqu.runtime.observability import get_logger

_log = get_logger(__name__)
SHARE = "market.share"
"""The kind of the transfers that share out."""


class SettlementId(Id):
    """The id of one settled day of a venue."""

    prefix = "stl"


class DayStillOpen(errors.Conflict):
    """The ledger has not closed the day."""

    code = "market.settlement.day_open"


class DaySettled(errors.Conflict):
    """The day, or a later one, was settled before."""

    code = "market.settlement.done"


class SettlementNotFound(errors.NotFound):
    """There is no such settlement, or the caller may not know of it."""

    code = "market.settlement.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A settled day: how many contracts earned something, and what became of it, in fen."""

    id: SettlementId
    venue: trust.PartyId
    day: date
    contracts: int
    made_up: int
    shared: int
    settled_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Payout:
    """One part of what one contract earned; `before` was shared by the same plan until then."""

    batch: SettlementId
    position: int
    contract: ContractId
    plan: str
    share: Share
    party: trust.PartyId
    account: ledger.LedgerAccountId
    rate: int
    before: int
    amount: int
    transfer: ledger.TransferId | None


SETTLEMENTS = trust.Table("market.settlement", Settlement, not_found=SettlementNotFound)
_OWN = (
    "contract", "plan", "share", "party", "account", "rate", "before", "amount", "transfer",
)  # fmt: skip
PAYOUTS = trust.BatchTable("market.payout", _OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWasSettled(trust.Fact):
    """What contracts of a venue earned up to a day was shared out; `batch` roots the parts."""

    kind = "market.settlement.made"
    batch: trust.BatchTable.Root
    venue: trust.PartyId
    day: date
    contracts: int
    made_up: int
    shared: int
    shares: tuple[str, ...]
    amounts: tuple[int, ...]


_UNSETTLED = """
    SELECT DISTINCT c.venue FROM market.tally t JOIN market.contract c ON c.id = t.contract
    WHERE t.posted > t.made_up + t.distributed
      AND NOT EXISTS (SELECT FROM market.settlement s
                      WHERE s.venue = c.venue AND s.day >= %(day)s)
    ORDER BY c.venue
"""
_COVERING = "WHERE venue = %s AND day >= %s ORDER BY day LIMIT 1"
_SHARED = """
    SELECT coalesce(sum(amount), 0)::bigint AS amount FROM market.payout
    WHERE contract = %s AND plan = %s
"""
_PAYOUTS = f"""
    SELECT batch, position, {", ".join(_OWN)} FROM market.payout
    WHERE batch = %s ORDER BY position
"""  # noqa: S608  # constant columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What settling one contract does."""

    shared: Shared
    payouts: tuple[Payout, ...]
    transfers: tuple[ledger.Transfer, ...]


@trust.command("market.settlement.settle")
def settle_day(tx: Tx, *, settlement: SettlementId, venue: trust.PartyId, day: date) -> Settlement:
    """This will share out what the contracts of a venue earned up to a closed day.

    Raises VenueNotFound, DayStillOpen, DaySettled, PlanNotFound.
    """
    get_venue(tx, venue)
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 8))", (venue,))
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.SETTLEMENT, owner=venue)
    closed = ledger.latest_close(tx)
    if closed is None or closed < day:
        raise DayStillOpen(day=day.isoformat())
    last = SETTLEMENTS.find(tx, "WHERE venue = %s ORDER BY day DESC LIMIT 1", (venue,))
    if last and last[0].day >= day:
        raise DaySettled(day=day.isoformat(), last=last[0].day.isoformat())
    earned = lock_earned(tx, venue=venue, day=day)
    plans = {one: _plan(tx, one) for one in sorted({one.listing for one in earned})}
    outcomes = [_settle(tx, settlement, venue, one, plans[one.listing]) for one in earned]
    moved = [one for one in outcomes if one.transfers]
    _queue(tx, moved)
    note_shared(tx, shared=[one.shared for one in moved])
    made = SETTLEMENTS.insert(
        tx,
        Settlement(
            id=settlement,
            venue=venue,
            day=day,
            contracts=len(moved),
            made_up=sum(one.shared.made_up for one in moved),
            shared=sum(one.shared.amount for one in moved),
            settled_at=tx.now,
        ),
    )
    payouts = [part for one in moved for part in one.payouts]
    root = PAYOUTS.append(tx, settlement, [_row(one) for one in payouts])
    _record(tx, made, root, payouts)
    for plan in plans.values():
        owe(tx, plan=plan, settlement=settlement, day=day, amount=_due(payouts, plan))
    return made


def ensure_settled(
    database: Database,
    caller: Caller,
    command_id: trust.CommandId,
    /,
    *,
    settlement: SettlementId,
    venue: trust.PartyId,
    day: date,
) -> Settlement:
    """This will settle a day, or give the settlement that shared it out already.

    A day is settled once, by whoever comes first: a person after closing the books, or the job of
    the night. Both share out the same amounts, so that the order of the two does not matter.
    Raises what `settle_day` raises but DaySettled.
    """
    try:
        return trust.execute(
            database,
            settle_day,
            caller,
            command_id,
            settlement=settlement,
            venue=venue,
            day=day,
        )
    except DaySettled:
        with database.reading(caller) as tx:
            (found,) = SETTLEMENTS.find(tx, _COVERING, (venue, day))
            return get_settlement(tx, found.id)


def settle_closed_day(database: Database, caller: Caller) -> tuple[Settlement, ...]:
    """This will settle, wherever something waits, the day that the ledger closed last, for the job.

    A refusal is recorded and logged; the other venues are settled all the same.
    """
    with database.reading(caller) as tx:
        day = ledger.latest_close(tx)
        venues = () if day is None else find_unsettled(tx, day=day)
    made = []
    for venue in venues:
        assert day is not None, "without a closed day nothing is unsettled"
        command_id, settlement = new_id(trust.CommandId), new_id(SettlementId)
        try:
            made.append(
                ensure_settled(
                    database, caller, command_id, settlement=settlement, venue=venue, day=day
                )
            )
        except errors.LingquError as error:
            _log.warning("day_not_settled", code=error.code, venue=venue)
    return tuple(made)


def get_settlement(tx: Tx, settlement: SettlementId) -> Settlement:
    """This will read a settlement of a venue the caller answers for or supervises.

    Raises SettlementNotFound.
    """
    found = SETTLEMENTS.get(tx, settlement)
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.SETTLEMENT, owner=found.venue):
        raise SettlementNotFound(id=settlement)
    return found


def find_settlements(tx: Tx, *, venue: trust.PartyId, page: PageRequest) -> Page[Settlement]:
    """This will list the settled days of a venue, newest first. Raises AccessDenied."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.SETTLEMENT, owner=venue):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.SETTLEMENT.value)
    tail = "WHERE venue = %s AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    found = SETTLEMENTS.find(tx, tail, (venue, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def find_unsettled(tx: Tx, *, day: date) -> tuple[trust.PartyId, ...]:
    """This will name the venues where the day is not settled and something waits, for the job."""
    return tuple(trust.PartyId(row["venue"]) for row in tx.all(_UNSETTLED, {"day": day}))


def find_payouts(tx: Tx, settlement: SettlementId) -> tuple[Payout, ...]:
    """This will list who received which part at a settlement. Raises SettlementNotFound."""
    get_settlement(tx, settlement)
    return tuple(from_row(Payout, row) for row in tx.all(_PAYOUTS, (settlement,)))


def find_unposted(tx: Tx, settlement: SettlementId) -> tuple[Payout, ...]:
    """This will name the parts the ledger has not made: still queued, or refused.

    Raises SettlementNotFound.
    """
    parts = find_payouts(tx, settlement)
    ids = [one.transfer for one in parts if one.transfer is not None]
    made: dict[ledger.TransferId | None, int] = {
        one.transfer: one.amount
        for one in ledger.find_entries(tx, transfers=ids)
        if one.outcome is ledger.Outcome.ACCEPTED
    }
    return tuple(one for one in parts if one.amount and made.get(one.transfer) != one.amount)


def _plan(tx: Tx, listing: ListingId) -> Plan:
    found = find_plan(tx, listing)
    if found is None:
        raise PlanNotFound(id=listing)
    return found


def _settle(
    tx: Tx, settlement: SettlementId, venue: trust.PartyId, one: Earned, plan: Plan
) -> _Outcome:
    amount = one.waiting - one.to_make_up
    before = tx.one(_SHARED, (one.contract, plan.id))["amount"]
    steps = read_steps(plan)
    parts = share_more([step.rate for step in steps], before=before, amount=amount)
    group = new_id(ledger.TransferId)
    transfers, payouts = [], []
    if one.to_make_up:
        assert one.refunds is not None, "what was given back came from there"
        transfers.append(_move(one, one.refunds, one.to_make_up, group, settlement, REFUND))
    for step, part in zip(steps, parts, strict=True):
        account = payee_account(tx, venue, step)
        if part:
            transfers.append(_move(one, account, part, group, settlement, SHARE))
        payouts.append(
            Payout(
                batch=settlement,
                position=0,
                contract=one.contract,
                plan=plan.id,
                share=step.share,
                party=step.party,
                account=account,
                rate=step.rate,
                before=before,
                amount=part,
                transfer=transfers[-1].id if part else None,
            )
        )
    return _Outcome(
        shared=Shared(contract=one.contract, made_up=one.to_make_up, amount=amount),
        payouts=tuple(payouts) if amount else (),
        transfers=tuple(transfers),
    )


def _move(
    one: Earned,
    account: ledger.LedgerAccountId,
    amount: int,
    group: str,
    settlement: SettlementId,
    kind: str,
) -> ledger.Transfer:
    return ledger.Transfer(
        id=new_id(ledger.TransferId),
        debit=one.account,
        credit=account,
        amount=amount,
        kind=kind,
        group=group,
        reference=settlement,
    )


def _queue(tx: Tx, outcomes: Sequence[_Outcome]) -> None:
    """Queue the groups, as many in one submission as it may have."""
    waiting: list[ledger.Transfer] = []
    for one in outcomes:
        if len(waiting) + len(one.transfers) > ledger.BATCH_MAX:
            ledger.queue_transfers(tx, transfers=waiting)
            waiting = []
        waiting += one.transfers
    if waiting:
        ledger.queue_transfers(tx, transfers=waiting)


def _record(
    tx: Tx, made: Settlement, root: trust.BatchTable.Root, payouts: Sequence[Payout]
) -> None:
    totals: dict[str, int] = {}
    for one in payouts:
        totals[one.share.value] = totals.get(one.share.value, 0) + one.amount
    trust.record(
        tx,
        DayWasSettled(
            batch=root,
            venue=made.venue,
            day=made.day,
            contracts=made.contracts,
            made_up=made.made_up,
            shared=made.shared,
            shares=tuple(totals),
            amounts=tuple(totals.values()),
        ),
    )


def _due(payouts: Sequence[Payout], plan: Plan) -> dict[trust.PartyId, int]:
    """What each treasury is owed by a plan."""
    due: dict[trust.PartyId, int] = {}
    for one in payouts:
        if one.plan == plan.id and one.share is Share.GOVERNMENT and one.amount:
            due[one.party] = due.get(one.party, 0) + one.amount
    return due


def _row(one: Payout) -> tuple[object, ...]:
    share = one.share.value
    ids = (one.contract, one.plan, share, one.party, one.account)
    return (*ids, one.rate, one.before, one.amount, one.transfer)
