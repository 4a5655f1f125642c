# SPDX-License-Identifier: Apache-2.0
"""Quantities of grants (用量): conserved in the ledger, from issue to use and back.

Each ground has, for each currency, an account that quantities come from and one where used ones
end; each grant has an account of its own. Granting on is a transfer to the child, use is a transfer
to the used ones. When a grant dies, what it has not spent belongs to the nearest living grant above
it from that instant; `sweep_quotas` moves it there, and whoever needs it before that sweeps first.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.kernel.values import from_row
from lingqu.rights.grants import (
    GRANTS,
    Grant,
    GrantId,
    find_life,
    get_grant,
    lock_tree,
    refuse_dead,
)
from lingqu.rights.grounds import GroundId
from lingqu.runtime import Tx, new_id
from lingqu.trust import holds

CURRENCIES_MAX = 20


class QuotaRole(enum.Enum):
    """What an account of the ledger is for."""

    ISSUED = "issued"
    CONSUMED = "consumed"
    GRANTED = "granted"


class NoQuota(errors.Conflict):
    """The grant has no quantity of this currency."""

    code = "rights.quota.none"


class BadQuantity(errors.Rejected):
    """A quantity is a whole number of units above zero, each currency once."""

    code = "rights.quota.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """So many units of a currency of the ledger."""

    currency: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Which account of the ledger holds what of a grant, or of a ground (`grant_id` None)."""

    account: ledger.LedgerAccountId
    ground: GroundId
    grant_id: GrantId | None
    currency: str
    role: QuotaRole
    version: int = 1


QUOTAS = trust.Table("rights.quota", Quota, key="account")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaAdded(trust.Fact):
    """A grant was given more to use."""

    kind = "rights.quota.added"
    grant: GrantId
    currency: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSpent(trust.Fact):
    """Something of a grant was used."""

    kind = "rights.quota.spent"
    grant: GrantId
    currency: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotasSwept(trust.Fact):
    """What dead grants of a tree had not spent went to the living above them."""

    kind = "rights.quota.swept"
    root: GrantId
    accounts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaState:
    """What a grant has of a currency, and what fell to it from dead grants below, unswept yet."""

    currency: str
    available: int
    reserved: int
    unswept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCount:
    """All of one currency on one ground: `issued` is what the other figures add up to."""

    issued: int
    living: int
    unswept: int
    reserved: int
    consumed: int


@trust.command("rights.quota.add")
def add_quota(tx: Tx, *, grant: GrantId, currency: str, amount: int) -> Quantity:
    """This will give a grant more: from its parent's quantity, to a root newly issued.

    Raises BadQuantity, NoQuota, what the ledger refuses, and the refusal of a dead grant.
    """
    held = GRANTS.get(tx, grant)
    lock_tree(tx, held.root)
    above = None if held.parent is None else GRANTS.get(tx, held.parent)
    if above is None:
        trust.authorize(tx, trust.Action.ASSIGN, trust.Kind.GROUND)
    else:
        trust.authorize(tx, trust.Action.CREATE, trust.Kind.GRANT, owner=above.holder)
    refuse_dead(held, find_life(tx, held, but_hold=True))
    holds.refuse_held(tx, subjects=held.subjects)
    added = Quantity(currency=currency, amount=amount)
    give_quotas(tx, held, above, (added,))
    trust.record(tx, QuotaAdded(grant=grant, currency=currency, amount=amount))
    return added


@trust.command("rights.quota.spend", internal=True)
def spend_quota(
    tx: Tx,
    *,
    grant: GrantId,
    currency: str,
    amount: int,
    transfer: ledger.TransferId,
    reference: str = "",
) -> Quantity:
    """This will use something of a living grant, under the transfer id the caller made.

    Raises BadQuantity, NoQuota, what the ledger refuses, and the refusal of a dead grant.
    """
    held = GRANTS.get(tx, grant)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=held.holder)
    share_tree(tx, held.root)
    refuse_dead(held, find_life(tx, held))
    spent = Quantity(currency=currency, amount=amount)
    check_quantities((spent,))
    source = need_account(tx, held, currency, amount)
    ledger.post_transfers(
        tx,
        transfers=(
            ledger.Transfer(
                id=transfer,
                debit=source,
                credit=pool(tx, held.ground, currency, QuotaRole.CONSUMED),
                amount=amount,
                kind="rights.use",
                reference=reference,
            ),
        ),
    )
    trust.record(tx, QuotaSpent(grant=grant, currency=currency, amount=amount))
    return spent


@trust.command("rights.quota.sweep", internal=True)
def sweep_quotas(tx: Tx, *, root: GrantId) -> int:
    """This will move what dead grants of a tree have not spent to the living above them.

    Doing it again moves nothing more. Gives the number of accounts that were emptied.
    """
    held = GRANTS.get(tx, root)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT)
    lock_tree(tx, held.root)
    swept = sweep(tx, held.root)
    trust.record(tx, QuotasSwept(root=held.root, accounts=swept))
    return swept


def give_quotas(tx: Tx, made: Grant, parent: Grant | None, quantities: Sequence[Quantity]) -> None:
    """This will move quantities to a grant, from its parent or newly issued on its ground."""
    check_quantities(quantities)
    if not quantities:
        return
    wanted = [one.currency for one in quantities]
    targets = open_quotas(tx, ((made, currency) for currency in wanted))
    transfers = []
    for one in quantities:
        if parent is None:
            source = pool(tx, made.ground, one.currency, QuotaRole.ISSUED)
        else:
            source = need_account(tx, parent, one.currency, one.amount)
        transfers.append(
            ledger.Transfer(
                id=new_id(ledger.TransferId),
                debit=source,
                credit=targets[made.id, one.currency],
                amount=one.amount,
                kind="rights.grant",
                reference=made.id,
            )
        )
    post(tx, transfers)


def need_account(tx: Tx, grant: Grant, currency: str, amount: int) -> ledger.LedgerAccountId:
    """This will give a grant's account of a currency, swept first where it holds too little.

    Raises NoQuota.
    """
    known = QUOTAS.find(tx, "WHERE grant_id = %s AND currency = %s", (grant.id, currency))
    if not known:
        raise NoQuota(grant=grant.id, currency=currency[:40])
    (balance,) = ledger.lock_balances(tx, accounts=(known[0].account,))
    if balance.available < amount:
        sweep(tx, grant.root, below=grant.id)
    return known[0].account


def pool(tx: Tx, ground: GroundId, currency: str, role: QuotaRole) -> ledger.LedgerAccountId:
    """This will give a ground's account for issued or for used quantities, opened when needed."""
    tail = "WHERE ground = %s AND currency = %s AND role = %s AND grant_id IS NULL"
    known = QUOTAS.find(tx, tail, (ground, currency, role.value))
    if not known:
        tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 3))", (ground,))
        known = QUOTAS.find(tx, tail, (ground, currency, role.value))
    if known:
        return known[0].account
    made = Quota(
        account=new_id(ledger.LedgerAccountId),
        ground=ground,
        grant_id=None,
        currency=currency,
        role=role,
    )
    ledger.open_accounts(
        tx,
        accounts=(
            ledger.NewAccount(
                id=made.account,
                owner=ground,
                currency=currency,
                kind=f"rights.{role.value}",
                floor=None if role is QuotaRole.ISSUED else 0,
                ceiling=0 if role is QuotaRole.ISSUED else None,
            ),
        ),
    )
    QUOTAS.insert(tx, made)
    return made.account


def open_quotas(
    tx: Tx, wanted: Iterable[tuple[Grant, str]]
) -> dict[tuple[GrantId, str], ledger.LedgerAccountId]:
    """This will give the accounts of grants by currency, and open those there are not yet."""
    asked = {(grant.id, currency): grant for grant, currency in wanted}
    known = {
        (one.grant_id, one.currency): one.account
        for one in QUOTAS.find(tx, "WHERE grant_id = ANY(%s)", ([grant for grant, _ in asked],))
        if one.grant_id is not None
    }
    missing = [
        Quota(
            account=new_id(ledger.LedgerAccountId),
            ground=grant.ground,
            grant_id=grant.id,
            currency=currency,
            role=QuotaRole.GRANTED,
        )
        for (name, currency), grant in asked.items()
        if (name, currency) not in known
    ]
    if missing:
        ledger.open_accounts(
            tx,
            accounts=[
                ledger.NewAccount(
                    id=one.account,
                    owner=one.grant_id or one.ground,
                    currency=one.currency,
                    kind="rights.granted",
                )
                for one in missing
            ],
        )
        QUOTAS.insert_many(tx, missing)
    made = {(one.grant_id, one.currency): one.account for one in missing if one.grant_id}
    return {**known, **made}


def post(tx: Tx, transfers: Sequence[ledger.Transfer]) -> None:
    """This will post any number of transfers, all of which must be accepted."""
    for start in range(0, len(transfers), ledger.BATCH_MAX):
        ledger.post_transfers(tx, transfers=transfers[start : start + ledger.BATCH_MAX])


def move_along(tx: Tx, successors: Mapping[GrantId, Grant]) -> None:
    """This will move what ended grants hold, and have not reserved, to their successors."""
    held = QUOTAS.find(tx, "WHERE grant_id = ANY(%s) ORDER BY account", ([*successors],))
    targets = open_quotas(
        tx, ((successors[one.grant_id], one.currency) for one in held if one.grant_id)
    )
    places = {
        one.account: targets[successors[one.grant_id].id, one.currency]
        for one in held
        if one.grant_id
    }
    _empty(tx, places, "rights.succeed")


def pass_up(tx: Tx, ended: Grant, above: Grant) -> None:
    """This will move what an ended grant holds, and has not reserved, to the one above."""
    held = QUOTAS.find(tx, "WHERE grant_id = %s ORDER BY account", (ended.id,))
    targets = open_quotas(tx, ((above, one.currency) for one in held))
    _empty(tx, {one.account: targets[above.id, one.currency] for one in held}, "rights.sweep")


_FALLEN = """
    SELECT q.account, q.currency, q.ground, g.root, b.posted - b.pending_out AS available,
           (g.ancestors || g.id)[d.place - 1] AS heir
    FROM rights.quota q
    JOIN rights.grant g ON g.id = q.grant_id
    JOIN ledger.balance b ON b.account = q.account AND b.posted > b.pending_out
    CROSS JOIN LATERAL (
        SELECT min(c.place) AS place
        FROM unnest(g.ancestors || g.id) WITH ORDINALITY AS c (id, place)
        JOIN rights.grant x ON x.id = c.id
        WHERE (x.effective::jsonb #>> '{valid,end}')::timestamptz <= %(now)s
           OR EXISTS (SELECT 1 FROM rights.ending e WHERE e.grant_id = c.id)
    ) AS d
    WHERE d.place IS NOT NULL AND (%(root)s::text IS NULL OR g.root = %(root)s)
      AND (%(below)s::text IS NULL OR g.ancestors @> ARRAY[%(below)s])
"""


def sweep(tx: Tx, root: GrantId, *, below: GrantId | None = None) -> int:
    """This will sweep a locked tree, or what is below one grant; gives the accounts emptied."""
    fallen = _find_fallen(tx, root, below=below)
    if not fallen:
        return 0
    names = sorted({one.heir for one in fallen if one.heir is not None})
    heirs = {one.id: one for one in GRANTS.find(tx, "WHERE id = ANY(%s)", (names,))}
    targets = open_quotas(
        tx, ((heirs[one.heir], one.currency) for one in fallen if one.heir is not None)
    )
    places = {
        one.account: pool(tx, one.ground, one.currency, QuotaRole.ISSUED)
        if one.heir is None
        else targets[one.heir, one.currency]
        for one in fallen
    }
    return _empty(tx, places, "rights.sweep")


def get_quota(tx: Tx, grant: GrantId) -> tuple[QuotaState, ...]:
    """This will say what a grant has of each currency. Raises GrantNotFound."""
    held = get_grant(tx, grant)
    own = QUOTAS.find(tx, "WHERE grant_id = %s ORDER BY currency", (grant,))
    balances = _balances(tx, [one.account for one in own])
    unswept: dict[str, int] = {}
    for one in _find_fallen(tx, held.root, below=grant):
        if one.heir == grant:
            unswept[one.currency] = unswept.get(one.currency, 0) + one.available
    return tuple(
        QuotaState(
            currency=one.currency,
            available=balances[one.account].available,
            reserved=balances[one.account].pending_out,
            unswept=unswept.pop(one.currency, 0),
        )
        for one in own
    ) + tuple(
        QuotaState(currency=currency, available=0, reserved=0, unswept=amount)
        for currency, amount in sorted(unswept.items())
    )


def count_quota(tx: Tx, *, ground: GroundId, currency: str) -> QuotaCount:
    """This will count all of a currency on a ground, by where it is now."""
    quotas = QUOTAS.find(
        tx, "WHERE ground = %s AND currency = %s ORDER BY account", (ground, currency)
    )
    balances = _balances(tx, [one.account for one in quotas])
    roots = tx.all("SELECT id FROM rights.grant WHERE ground = %s AND parent IS NULL", (ground,))
    fallen = {one.account for row in roots for one in _find_fallen(tx, GrantId(row["id"]))}
    issued = living = unswept = reserved = consumed = 0
    for one in quotas:
        balance = balances[one.account]
        if one.role is QuotaRole.ISSUED:
            issued -= balance.posted
        elif one.role is QuotaRole.CONSUMED:
            consumed += balance.posted
        else:
            reserved += balance.pending_out
            if one.account in fallen:
                unswept += balance.available
            else:
                living += balance.available
    return QuotaCount(
        issued=issued, living=living, unswept=unswept, reserved=reserved, consumed=consumed
    )


def find_unswept(tx: Tx, *, limit: int = 100) -> tuple[GrantId, ...]:
    """This will give roots of trees in which dead grants hold something, some at a time."""
    found = tx.all(_FALLEN, {"now": tx.now, "root": None, "below": None})
    return tuple(GrantId(root) for root in sorted({row["root"] for row in found})[:limit])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fallen:
    """What a dead grant still holds, and the living grant above it (None: back to the issue)."""

    account: ledger.LedgerAccountId
    currency: str
    ground: GroundId
    available: int
    heir: GrantId | None


def _find_fallen(tx: Tx, root: GrantId, *, below: GrantId | None = None) -> tuple[_Fallen, ...]:
    rows = tx.all(_FALLEN, {"now": tx.now, "root": root, "below": below})
    return tuple(from_row(_Fallen, row) for row in rows)


def _empty(
    tx: Tx, places: Mapping[ledger.LedgerAccountId, ledger.LedgerAccountId], kind: str
) -> int:
    """Move all that is not reserved from each account to its place."""
    every = sorted({*places, *places.values()})
    balances = {one.account: one for one in ledger.lock_balances(tx, accounts=every)}
    transfers = [
        ledger.Transfer(
            id=new_id(ledger.TransferId),
            debit=source,
            credit=place,
            amount=balances[source].available,
            kind=kind,
        )
        for source, place in places.items()
        if balances[source].available
    ]
    post(tx, transfers)
    return len(transfers)


def _balances(
    tx: Tx, accounts: Sequence[ledger.LedgerAccountId]
) -> dict[ledger.LedgerAccountId, ledger.Balance]:
    return {one.account: one for one in ledger.find_balances(tx, accounts=accounts)}


def check_quantities(quantities: Sequence[Quantity]) -> None:
    """This will refuse amounts that are none, and a currency named twice. Raises BadQuantity."""
    names = {one.currency for one in quantities}
    if len(names) != len(quantities) or len(names) > CURRENCIES_MAX:
        raise BadQuantity(most=CURRENCIES_MAX)
    if any(not 0 < one.amount <= ledger.AMOUNT_MAX for one in quantities):
        raise BadQuantity(most=CURRENCIES_MAX)


def share_tree(tx: Tx, root: GrantId) -> None:
    """This will keep a tree as it is until the transaction ends, beside others who do the same."""
    tx.one("SELECT epoch FROM rights.tree WHERE root = %s FOR SHARE", (root,))
