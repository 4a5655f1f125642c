# SPDX-License-Identifier: Apache-2.0
"""收益分配方案: who receives which rate of what a listed product earns, and from which source.

The rates are configuration of the venue and the agreement, and each plan says where they stand. A
plan is never changed: a new one takes its place from then on, and what was shared stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import ledger, trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.market.distribution.names import require_parties
from lingqu.market.distribution.sharing import BadPlan, Share, Step, check_steps
from lingqu.market.funds import FUND_TABLE, FUNDS, Fund, FundOpened, find_fund, need_fund
from lingqu.market.listings import ListingId
from lingqu.runtime import Tx, new_id

SOURCE_MAX = 200
DAYS_MAX = 60
HOT = {Share.VENUE_FEE: "venue_fee", Share.GOVERNMENT: "treasury_payable"}
"""Fees and the treasury's money lie in accounts that are posted in batches only."""


class PlanId(Id):
    """The id of one distribution plan."""

    prefix = "dst"


class PlanNotFound(errors.NotFound):
    """There is no such plan, or the listing has none."""

    code = "market.plan.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remittance:
    """Where and when the government's share is paid: the treasury's account and working days."""

    payee: str
    bank: str
    account: str
    working_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the earnings of a listing are shared. `steps` and `remittance` are canonical JSON."""

    id: PlanId
    listing: ListingId
    venue: trust.PartyId
    steps: str
    remittance: str | None
    source: str
    registered_at: Instant
    ended_at: Instant | None = None
    version: int = 1


PLANS = trust.Table("market.plan", Plan, not_found=PlanNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRegistered(trust.Fact):
    """The earnings of a listing are shared by these rates from now on."""

    kind = "market.plan.registered"
    plan: PlanId
    listing: ListingId
    replaces: PlanId | None
    shares: tuple[str, ...]
    parties: tuple[trust.PartyId, ...]
    rates: tuple[int, ...]


@trust.command("market.plan.register")
def register_plan(
    tx: Tx,
    *,
    plan: PlanId,
    listing: ListingId,
    steps: tuple[Step, ...],
    source: str,
    remittance: Remittance | None = None,
) -> Plan:
    """This will say how a listing's earnings are shared, in place of what was said before.

    A step for the government needs a `remittance`, no other does. Raises PlanNotFound, BadPlan.
    """
    venue = _venue_of(tx, listing)
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", (listing,))
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.SETTLEMENT, owner=venue)
    check_steps(steps)
    owes = any(one.share is Share.GOVERNMENT for one in steps)
    if owes is not (remittance is not None):
        raise BadPlan(steps=len(steps))
    require_parties(tx, (one.party for one in steps))
    for one in steps:
        _need_account(tx, venue, one)
    before = find_plan(tx, listing)
    if before is not None:
        PLANS.update(tx, before, ended_at=tx.now)
    made = Plan(
        id=plan,
        listing=listing,
        venue=venue,
        steps=canon.encode(to_plain(steps)).decode(),
        remittance=None if remittance is None else _checked(remittance),
        source=_text(source, SOURCE_MAX),
        registered_at=tx.now,
    )
    PLANS.insert(tx, made)
    trust.record(
        tx,
        PlanRegistered(
            plan=plan,
            listing=listing,
            replaces=None if before is None else before.id,
            shares=tuple(one.share.value for one in steps),
            parties=tuple(one.party for one in steps),
            rates=tuple(one.rate for one in steps),
        ),
    )
    return made


def find_plan(tx: Tx, listing: ListingId) -> Plan | None:
    """This will give the plan in force for a listing; plans are public."""
    found = PLANS.find(tx, "WHERE listing = %s AND ended_at IS NULL", (listing,))
    return found[0] if found else None


def get_plan(tx: Tx, plan: PlanId) -> Plan:
    """This will read a plan; plans are public. Raises PlanNotFound."""
    return PLANS.get(tx, plan)


def read_steps(plan: Plan) -> tuple[Step, ...]:
    """This will give the steps of a plan in their order."""
    return tuple(from_plain(Step, one) for one in canon.decode(plan.steps.encode()))


def read_remittance(plan: Plan) -> Remittance | None:
    """This will give where the government's share of a plan is paid."""
    if plan.remittance is None:
        return None
    return from_plain(Remittance, canon.decode(plan.remittance.encode()))


def payee_account(tx: Tx, venue: trust.PartyId, step: Step) -> ledger.LedgerAccountId:
    """This will give the account a step pays into; a plan has opened it."""
    purpose = HOT.get(step.share, FUNDS)
    found = find_fund(tx, venue=venue, owner=step.party, purpose=purpose)
    assert found is not None, "registering the plan opened it"
    return found


def _venue_of(tx: Tx, listing: ListingId) -> trust.PartyId:
    row = tx.maybe("SELECT venue FROM market.listing WHERE id = %s", (listing,))
    if row is None:
        raise PlanNotFound(id=listing)
    return trust.PartyId(row["venue"])


def _need_account(tx: Tx, venue: trust.PartyId, step: Step) -> None:
    purpose = HOT.get(step.share)
    if purpose is None:
        need_fund(tx, venue=venue, owner=step.party, purpose=FUNDS)
        return
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 6))", (step.party,))
    if find_fund(tx, venue=venue, owner=step.party, purpose=purpose) is not None:
        return
    account = new_id(ledger.LedgerAccountId)
    opened = ledger.NewAccount(id=account, owner=step.party, kind=f"market.{purpose}", hot=True)
    ledger.open_accounts(tx, accounts=(opened,))
    made = FUND_TABLE.insert(
        tx, Fund(account=account, venue=venue, owner=step.party, purpose=purpose)
    )
    trust.record(tx, FundOpened(account=account, venue=venue, owner=made.owner, purpose=purpose))


def _checked(remittance: Remittance) -> str:
    if not 1 <= remittance.working_days <= DAYS_MAX:
        raise BadPlan(steps=0)
    plain = Remittance(
        payee=_text(remittance.payee, SOURCE_MAX),
        bank=_text(remittance.bank, SOURCE_MAX),
        account=_text(remittance.account, SOURCE_MAX),
        working_days=remittance.working_days,
    )
    return canon.encode(to_plain(plain)).decode()


def _text(text: str, longest: int) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise BadPlan(steps=0)
    return plain
