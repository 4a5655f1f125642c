# SPDX-License-Identifier: Apache-2.0
"""Leases of the gate: units taken from the ledger in lots, spent in memory, settled by the meter.

One thread uses a purse. A lease is settled by what the durable rows say, never by what memory
remembers, so a crash between the two costs nobody anything. While a purse holds a lease it holds a
lock of that name, which ends with its process: a lease without its lock was left by a gate that is
gone, and whoever starts settles it, beside gates that go on spending theirs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lingqu import ledger, rights, trust
from lingqu.gate.metering import settle_by_meter
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.rights import quantities
from lingqu.runtime import REAL_TIME, Database, new_id
from lingqu.runtime.observability import get_logger

LOT, LOT_MOST = 1_000, 1_000_000
"""So many units are leased at first where the grant has ten times as many, and at most."""
GROWTH = 8
"""A lease that was used up at once is followed by one so many times as large."""
LEASE_FOR = timedelta(minutes=10)
IDLE_NS = 1_000_000_000
"""A lease nobody spent from for so long is settled, so that balances are true again."""
MARGIN = timedelta(seconds=30)
_log = get_logger(__name__)


@dataclass(slots=True)
class _Held:
    lease: quantities.Lease
    left: int
    fresh_until: Instant
    touched: bool = False
    spent: int = 0
    used_at: int = 0


class Purse:
    """The open leases of one process, by grant and currency."""

    def __init__(self, database: Database) -> None:
        """Hold nothing yet."""
        self._database = database
        self._held: dict[tuple[str, str], _Held] = {}
        self._locks = database.locks()
        self._began = False
        self._lots: dict[tuple[str, str], int] = {}

    def left(self, grant: rights.GrantId, currency: str) -> int:
        """This will give what a grant can spend now: what is leased here and what is available."""
        held = self._held.get((grant, currency))
        return self._available(grant, currency) + (held.left if held else 0)

    def take(self, grant: rights.GrantId, currency: str, units: int) -> quantities.LeaseId | None:
        """This will spend units of a lease, a new one where needed; None: the quota is too small.

        Raises Deferred where the open lease must first be settled after this window.
        """
        held = self._held.get((grant, currency))
        fresh = held is not None and held.fresh_until > REAL_TIME.now()
        if held is None or held.left < units or not fresh:
            if held is not None:
                if held.touched:
                    raise Deferred
                lot = self._lots.get((grant, currency), LOT)
                self._lots[grant, currency] = min(LOT_MOST, lot * GROWTH)
                self._settle(grant, currency)
            held = self._open(grant, currency, units)
            if held is None:
                return None
        held.left -= units
        held.spent += units
        held.touched = True
        held.used_at = time.monotonic_ns()
        return held.lease.id

    def committed(self) -> None:
        """This will note that everything spent is durable."""
        for held in self._held.values():
            held.touched, held.spent = False, 0

    def take_back(self) -> None:
        """This will undo what was spent since: for a window of which surely nothing was written."""
        for held in self._held.values():
            held.left += held.spent
            held.touched, held.spent = False, 0

    def failed(self) -> None:
        """This will give up every lease spent from since: the meter says what was used."""
        for key, held in list(self._held.items()):
            if held.touched:
                self._settle(*key)

    def forget(self) -> None:
        """This will leave every lease to `settle_abandoned`."""
        self._held.clear()
        self._locks.release_all()

    def settle_idle(self, *, every: bool = False) -> bool:
        """This will settle leases nobody uses; gives whether any is still open."""
        now = time.monotonic_ns()
        for key, held in list(self._held.items()):
            if every or now - held.used_at >= IDLE_NS:
                self._lots.pop(key, None)
                self._settle(*key)
        return bool(self._held)

    def _open(self, grant: rights.GrantId, currency: str, units: int) -> _Held | None:
        if not self._began:
            settle_abandoned(self._database)
            self._began = True
        available = self._available(grant, currency)
        if available < units:
            return None
        amount = min(
            available, max(units, min(self._lots.get((grant, currency), LOT), available // 10))
        )
        name = new_id(quantities.LeaseId)
        self._locks.hold(_lock_of(name))  # before anybody can see the lease
        try:
            lease = trust.execute(
                self._database,
                quantities.take_lease,
                trust.PLATFORM,
                new_id(trust.CommandId),
                lease=name,
                grant=grant,
                currency=currency,
                amount=amount,
                expires_at=REAL_TIME.now() + LEASE_FOR,
            )
        except (ledger.FloorCrossed, quantities.NoQuota):
            self._locks.release(_lock_of(name))
            return None
        except errors.LingquError:
            self._locks.release(_lock_of(name))
            raise
        made = self._held[grant, currency] = _Held(lease, lease.amount, lease.expires_at - MARGIN)
        return made

    def _available(self, grant: rights.GrantId, currency: str) -> int:
        with self._database.reading(trust.PLATFORM) as tx:
            states = quantities.get_quota(tx, grant)
        return sum(one.available + one.unswept for one in states if one.currency == currency)

    def _settle(self, grant: str, currency: str) -> None:
        held = self._held.pop((grant, currency))
        try:
            settle_lease(self._database, held.lease.id)
        finally:
            self._locks.release(_lock_of(held.lease.id))


def _lock_of(lease: str) -> str:
    return f"lingqu.lease.{lease}"


class Deferred(Exception):
    """The open lease is spent from in this window, so the call waits for the next one."""


def settle_lease(database: Database, lease: quantities.LeaseId) -> None:
    """This will settle one lease by the meter; one that is closed already stays as it is."""
    try:
        trust.execute(
            database,
            settle_by_meter,
            trust.PLATFORM,
            new_id(trust.CommandId),
            lease=lease,
        )
    except quantities.LeaseClosed:
        pass
    except errors.Unavailable as error:
        # The lease stays open until `settle_overdue` finds it.
        _log.warning("lease_not_settled", code=error.code)


def settle_overdue(database: Database) -> int:
    """This will settle the gate's leases whose time is over; gives how many."""
    return _settle(database, [one.id for one in _find_open(database, REAL_TIME.now())])


def settle_abandoned(database: Database) -> int:
    """This will settle at once every lease of a gate that is gone, as after a kill; gives how many.

    What a running gate spends from stays open.
    """
    known = _find_open(database, REAL_TIME.now() + LEASE_FOR)
    with _SETTLING, database.reading(trust.PLATFORM) as tx:
        # Nobody else settles what is locked here. A gate lets go of a lease only once it settled
        # it, so what can be locked and is still open afterwards was left.
        left = {row["lease"] for row in tx.all(_UNHELD, ([one.id for one in known],))}
        found = _find_open(database, REAL_TIME.now() + LEASE_FOR) if left else ()
        return _settle(database, [one.id for one in found if one.id in left])


_SETTLING = threading.Lock()
"""Settling takes a second connection beside that which locks: one thread of a process at a time."""
_UNHELD = """
    SELECT lease FROM unnest(%s::text[]) AS lease
    WHERE pg_try_advisory_xact_lock(hashtextextended('lingqu.lease.' || lease, 0))
"""
"""The name of the lock is that of `_lock_of`; it is held until the transaction ends."""


def _find_open(database: Database, until: Instant) -> tuple[quantities.Lease, ...]:
    with database.reading(trust.PLATFORM) as tx:
        account = trust.AccountId(trust.PLATFORM.account)
        return quantities.find_overdue_leases(tx, now=until, taker=account)


def _settle(database: Database, leases: Sequence[quantities.LeaseId]) -> int:
    for one in leases:
        settle_lease(database, one)
    return len(leases)
