# SPDX-License-Identifier: Apache-2.0
"""Leases: a gate takes a part of a grant's quantity for a while, to spend it without asking.

A lease is a reservation in the ledger until its expiry by real time. Settling it books what was
used and frees the rest. An expired lease is not freed by itself: whoever took it says what its
durable metering shows, also after a crash, and also when the grant has died meanwhile; what is
freed then belongs to the living grant above.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_row
from lingqu.rights.grants import GRANTS, Grant, GrantId, find_life, refuse_dead
from lingqu.rights.quantities.quotas import (
    Quantity,
    QuotaRole,
    check_quantities,
    need_account,
    open_quotas,
    pool,
    post,
    share_tree,
)
from lingqu.runtime import REAL_TIME, Tx, new_id

LEASE_MAX = timedelta(hours=24)
"""A lease is short: what it reserves cannot be used by anybody else."""


class LeaseId(Id):
    """The id of one lease."""

    prefix = "lse"


class LeaseNotFound(errors.NotFound):
    """There is no such lease."""

    code = "rights.lease.not_found"


class LeaseTaken(errors.Conflict):
    """A lease with this id exists already."""

    code = "rights.lease.taken"


class LeaseClosed(errors.Conflict):
    """The lease was settled before."""

    code = "rights.lease.closed"


class BadLease(errors.Rejected):
    """A lease ends within 24 hours from now; what was used lies within what was leased."""

    code = "rights.lease.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A part of a grant's quantity that `taker` may spend until `expires_at`, by real time.

    `pending` is the reservation in the ledger, `used` what was booked in the end.
    """

    id: LeaseId
    grant_id: GrantId
    currency: str
    amount: int
    taker: trust.AccountId
    pending: ledger.TransferId
    debit: ledger.LedgerAccountId
    credit: ledger.LedgerAccountId
    taken_at: Instant
    expires_at: Instant
    used: int | None = None
    closed_at: Instant | None = None


trust.declare(trust.AuditClass.OPERATIONAL, "rights.lease")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseWasTaken(trust.Fact):
    """A part of a grant's quantity was reserved for local use."""

    kind = "rights.lease.taken"
    lease: LeaseId
    grant: GrantId
    currency: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseWasSettled(trust.Fact):
    """A lease ended: so much of it was used, the rest is free again."""

    kind = "rights.lease.settled"
    lease: LeaseId
    grant: GrantId
    currency: str
    used: int
    returned: int


@trust.command("rights.lease.take")
def take_lease(
    tx: Tx,
    *,
    lease: LeaseId,
    grant: GrantId,
    currency: str,
    amount: int,
    expires_at: Instant,
) -> Lease:
    """This will reserve a part of a living grant's quantity for the caller to spend.

    Raises LeaseTaken, BadLease, BadQuantity, NoQuota, what the ledger refuses (FloorCrossed), and
    the refusal of a grant that is not alive.
    """
    held = GRANTS.get(tx, grant)
    share_tree(tx, held.root)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=held.holder)
    if tx.maybe("SELECT 1 FROM rights.lease WHERE id = %s", (lease,)):
        raise LeaseTaken(lease=lease)
    refuse_dead(held, find_life(tx, held))
    now = REAL_TIME.now()
    if not now < expires_at <= now + LEASE_MAX:
        raise BadLease(where="expires_at")
    check_quantities((Quantity(currency=currency, amount=amount),))
    made = Lease(
        id=lease,
        grant_id=grant,
        currency=currency,
        amount=amount,
        taker=trust.AccountId(tx.caller.account),
        pending=new_id(ledger.TransferId),
        debit=need_account(tx, held, currency, amount),
        credit=pool(tx, held.ground, currency, QuotaRole.CONSUMED),
        taken_at=now,
        expires_at=expires_at,
    )
    post(tx, (_reservation(made),))
    tx.execute(
        _INSERT,
        (
            made.id, made.grant_id, made.currency, made.amount, made.taker, made.pending,
            made.debit, made.credit, made.taken_at, made.expires_at,
        ),
    )  # fmt: skip
    trust.record(tx, LeaseWasTaken(lease=lease, grant=grant, currency=currency, amount=amount))
    return made


@trust.command("rights.lease.settle")
def settle_lease(tx: Tx, *, lease: LeaseId, used: int) -> Lease:
    """This will book what was used of a lease and free the rest, whatever became of the grant.

    Raises LeaseNotFound, LeaseClosed, BadLease.
    """
    held = lock_lease(tx, lease)
    holder = GRANTS.get(tx, held.grant_id).holder
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=holder)
    if held.closed_at is not None:
        raise LeaseClosed(lease=lease)
    if not 0 <= used <= held.amount:
        raise BadLease(where="used")
    transfer = new_id(ledger.TransferId)
    if used:
        post(tx, (ledger.post_pending(_reservation(held), by=transfer, amount=used),))
    else:
        post(tx, (ledger.void_pending(_reservation(held), by=transfer),))
    closed_at = REAL_TIME.now()
    tx.execute(_CLOSE, (used, closed_at, lease))
    trust.record(
        tx,
        LeaseWasSettled(
            lease=lease,
            grant=held.grant_id,
            currency=held.currency,
            used=used,
            returned=held.amount - used,
        ),
    )
    return get_lease(tx, lease)


_COLUMNS = (
    "id, grant_id, currency, amount, taker, pending, debit, credit, taken_at, expires_at, used,"
    " closed_at"
)
_INSERT = """
    INSERT INTO rights.lease (id, grant_id, currency, amount, taker, pending, debit, credit,
                              taken_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_SELECT = f"SELECT {_COLUMNS} FROM rights.lease WHERE id = %s"  # noqa: S608  # constant columns
_LOCK = f"{_SELECT} FOR UPDATE"
_LOCK_OPEN = """
    SELECT runtime.refuse(CASE WHEN held.id IS NULL THEN 'missing ' ELSE 'closed ' END || asked.id)
    FROM (SELECT %(lease)s::text AS id) AS asked
    LEFT JOIN (SELECT id, closed_at FROM rights.lease WHERE id = %(lease)s FOR UPDATE) AS held
        ON held.id = asked.id
    WHERE held.id IS NULL OR held.closed_at IS NOT NULL
"""
_CLOSE = "UPDATE rights.lease SET used = %s, closed_at = %s WHERE id = %s"
_OPEN = f"""
    SELECT {_COLUMNS} FROM rights.lease WHERE grant_id = ANY(%s) AND closed_at IS NULL
    ORDER BY id FOR UPDATE
"""  # noqa: S608  # constant columns
_OVERDUE = f"""
    SELECT {_COLUMNS} FROM rights.lease
    WHERE closed_at IS NULL AND expires_at <= %s AND (%s::text IS NULL OR taker = %s)
    ORDER BY expires_at, id LIMIT 500
"""  # noqa: S608  # constant columns
_MOVE = """
    UPDATE rights.lease SET grant_id = %s, pending = %s, debit = %s, credit = %s WHERE id = %s
"""


def get_lease(tx: Tx, lease: LeaseId) -> Lease:
    """This will read a lease; raises LeaseNotFound."""
    return _read(tx, _SELECT, lease)


def lock_lease(tx: Tx, lease: LeaseId) -> Lease:
    """This will read a lease and lock it until the transaction ends; raises LeaseNotFound."""
    return _read(tx, _LOCK, lease)


def lock_open_leases(
    tx: Tx,
    leases: Sequence[LeaseId],
    *,
    then: Sequence[tuple[str, Mapping[str, object]]],
    refusals: Mapping[str, errors.LingquError],
) -> None:
    """This will begin to lock open leases in their order, and statements `then`; none is awaited.

    As with `Tx.begin`, whose `refusals` may come of those. Where a lease is not there or closed,
    LeaseNotFound or LeaseClosed is raised.
    """
    told: dict[str, errors.LingquError] = {**refusals}
    first = []
    for lease in sorted(leases):
        told[f"missing {lease}"] = LeaseNotFound(id=lease)
        told[f"closed {lease}"] = LeaseClosed(lease=lease)
        first.append((_LOCK_OPEN, {"lease": lease}))
    tx.begin((*first, *then), told)


def find_overdue_leases(
    tx: Tx, *, now: Instant, taker: trust.AccountId | None = None
) -> tuple[Lease, ...]:
    """This will list leases whose real time is over and which nobody settled, oldest first."""
    return tuple(from_row(Lease, row) for row in tx.all(_OVERDUE, (now, taker, taker)))


def free_leases(tx: Tx, grants: Sequence[GrantId]) -> tuple[Lease, ...]:
    """This will void the reservations of the open leases of grants that end, and give them."""
    found = tuple(from_row(Lease, row) for row in tx.all(_OPEN, (list(grants),)))
    post(
        tx,
        [ledger.void_pending(_reservation(one), by=new_id(ledger.TransferId)) for one in found],
    )
    return found


def renew_leases(tx: Tx, leases: Sequence[Lease], successors: Mapping[GrantId, Grant]) -> None:
    """This will reserve freed leases again, of the successors of their grants."""
    wanted = [(successors[one.grant_id], one.currency) for one in leases]
    accounts = open_quotas(tx, wanted) if wanted else {}
    for one in leases:
        heir = successors[one.grant_id]
        moved = Lease(
            id=one.id,
            grant_id=heir.id,
            currency=one.currency,
            amount=one.amount,
            taker=one.taker,
            pending=new_id(ledger.TransferId),
            debit=accounts[heir.id, one.currency],
            credit=one.credit,
            taken_at=one.taken_at,
            expires_at=one.expires_at,
        )
        post(tx, (_reservation(moved),))
        tx.execute(_MOVE, (moved.grant_id, moved.pending, moved.debit, moved.credit, moved.id))


def _reservation(lease: Lease) -> ledger.Transfer:
    return ledger.Transfer(
        id=lease.pending,
        debit=lease.debit,
        credit=lease.credit,
        amount=lease.amount,
        kind="rights.lease",
        phase=ledger.Phase.PENDING,
        reference=lease.id,
    )


def _read(tx: Tx, sql: str, lease: LeaseId) -> Lease:
    row = tx.maybe(sql, (lease,))
    if row is None:
        raise LeaseNotFound(id=str(lease)[:60])
    return from_row(Lease, row)
