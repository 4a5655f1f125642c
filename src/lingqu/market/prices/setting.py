# SPDX-License-Identifier: Apache-2.0
"""收费标准: the fee of a product of public data, from the application to its publication.

In the first year a trial fee is agreed under the guidance of the authorizing body. From the second
year on the price authority fixes the maximum permitted revenue from costs, the authorizing body
sets a ceiling that stays within it, and the operator sets its fee at or below the ceiling. Each
step is computed by the rulebook's formulas and kept with its inputs, its result and its article.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date

from lingqu import trust
from lingqu.kernel import canon
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.values import to_plain
from lingqu.market.fees import FeeSchedule, write_fees
from lingqu.market.prices.records import (
    PRICES,
    AboveCeiling,
    BadPrice,
    CeilingAbovePermitted,
    CostFile,
    Price,
    PriceApplied,
    PriceBasis,
    PriceId,
    PriceMissing,
    PriceMoved,
    PriceNotFound,
    PriceOutdated,
    PriceReview,
    PriceState,
    PriceTaken,
    TrialOver,
    WorkingStep,
    YearNotFull,
)
from lingqu.runtime import Tx, new_id
from lingqu.runtime.calendar import local_day, shift_months
from lingqu.runtime.looking import Look, Looked
from lingqu.trust import holds, procedures, rulebook

PRODUCT_MAX = 60
CALLS_MAX = 10**12
MONTHS = 12
BASIS_POINTS = 10_000


@trust.command("market.price.apply_trial")
def apply_trial_price(
    tx: Tx,
    *,
    price: PriceId,
    product: str,
    seller: trust.PartyId,
    authorizer: trust.PartyId,
    operating_since: date,
    fees: FeeSchedule,
) -> Price:
    """This will ask the authorizing body to agree to a trial fee, in the first year of a product.

    Raises TrialOver, PriceTaken, BadPrice, RolesNotApart, Held.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.PRICE, owner=seller)
    since = _checked_start(tx, product, seller, operating_since)
    if _full_year(tx, since) <= local_day(tx.now):
        raise TrialOver(product=product, since=since.isoformat()).grounded_in(
            _citation(tx, "price.trial_until_full_year")
        )
    return _apply(
        tx,
        price=price,
        product=product,
        seller=seller,
        authorizer=authorizer,
        authority=None,
        operating_since=since,
        fees=fees,
    )


@trust.command("market.price.apply_formal")
def apply_formal_price(
    tx: Tx,
    *,
    price: PriceId,
    product: str,
    seller: trust.PartyId,
    authorizer: trust.PartyId,
    authority: trust.PartyId,
    operating_since: date,
    costs: CostFile,
    planned_calls: int,
) -> Price:
    """This will ask for a fee from the second year on: costs in fen, and the calls of a year.

    Raises YearNotFull, PriceTaken, BadPrice, RolesNotApart, Held, and BadInput of the formula.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.PRICE, owner=seller)
    since = _checked_start(tx, product, seller, operating_since)
    if local_day(tx.now) < _full_year(tx, since):
        raise YearNotFull(product=product, since=since.isoformat()).grounded_in(
            _citation(tx, "price.trial_until_full_year")
        )
    if not 0 < planned_calls <= CALLS_MAX:
        raise BadPrice(part="planned_calls")
    return _apply(
        tx,
        price=price,
        product=product,
        seller=seller,
        authorizer=authorizer,
        authority=authority,
        operating_since=since,
        costs=costs,
        planned_calls=planned_calls,
    )


@trust.command("market.price.agree_trial")
def agree_trial_price(tx: Tx, *, price: PriceId, opinion: str) -> Price:
    """This will agree to a trial fee, as the authorizing body.

    Raises PriceNotFound, IllegalMove.
    """
    held = PRICES.lock(tx, price)
    trust.authorize(tx, trust.Action.ASSIGN, trust.Kind.PRICE, owner=held.authorizer)
    _move(tx, held, "agree_trial", opinion=opinion)
    assert held.schedule is not None, "a trial is applied for with its fees"
    step = _step(tx, "price.trial_until_full_year", held.schedule.highest_minor)
    return _moved(
        tx,
        held,
        state=PriceState.CAPPED,
        ceiling=held.schedule.highest_minor,
        working=_extended(held, step),
    )


@trust.command("market.price.permit_revenue")
def permit_revenue(
    tx: Tx, *, price: PriceId, bond_yield_bp: int, margin_bp: int, tax_minor: int, opinion: str
) -> Price:
    """This will fix the maximum permitted revenue of a year, as the price authority.

    MAR = C + P + T with P = C x r and r = bond yield + margin, in basis points; amounts in fen.
    Raises PriceNotFound, IllegalMove, BadInput.
    """
    held = PRICES.lock(tx, price)
    trust.authorize(tx, trust.Action.ASSIGN, trust.Kind.PRICE, owner=held.authority)
    _move(tx, held, "permit_revenue", opinion=opinion)
    given = held.cost_file
    assert given is not None, "a formal fee is applied for with its costs"
    costs = {one.name: getattr(given, one.name) for one in dataclasses.fields(given)}
    steps = list(held.steps)

    def compute(code: str, **inputs: int) -> int:
        result: int = rulebook.of(tx).evaluate(code, **inputs)
        steps.append(_step(tx, code, result, **inputs))
        return result

    cost = compute("price.operating_cost", **costs)
    rate = compute("price.permitted_profit_rate", bond_yield_bp=bond_yield_bp, margin_bp=margin_bp)
    profit = compute("price.permitted_profit", cost=cost, rate_bp=rate)
    permitted = compute("price.permitted_revenue", cost=cost, profit=profit, tax=tax_minor)
    return _moved(
        tx,
        held,
        state=PriceState.PERMITTED,
        permitted=permitted,
        working=canon.encode(to_plain(tuple(steps))).decode(),
    )


@trust.command("market.price.set_ceiling")
def set_ceiling(tx: Tx, *, price: PriceId, ceiling_minor: int, opinion: str) -> Price:
    """This will set the ceiling of a call, as the authorizing body, within permitted revenue.

    Raises PriceNotFound, IllegalMove, BadPrice, CeilingAbovePermitted.
    """
    held = PRICES.lock(tx, price)
    trust.authorize(tx, trust.Action.ASSIGN, trust.Kind.PRICE, owner=held.authorizer)
    _move(tx, held, "set_ceiling", opinion=opinion)
    assert held.planned_calls is not None
    assert held.permitted is not None
    if ceiling_minor < 0:
        raise BadPrice(part="ceiling")
    income = ceiling_minor * held.planned_calls
    if income > held.permitted:
        raise CeilingAbovePermitted(
            ceiling=ceiling_minor,
            calls=held.planned_calls,
            permitted=held.permitted,
            most=held.permitted // held.planned_calls,
        ).grounded_in(_citation(tx, "price.ceilings_within_revenue"))
    step = _step(
        tx,
        "price.ceilings_within_revenue",
        ceiling_minor,
        planned_calls=held.planned_calls,
        income=income,
        permitted=held.permitted,
    )
    return _moved(
        tx, held, state=PriceState.CAPPED, ceiling=ceiling_minor, working=_extended(held, step)
    )


@trust.command("market.price.publish")
def publish_price(tx: Tx, *, price: PriceId, fees: FeeSchedule) -> Price:
    """This will set the fee at or below the ceiling and publish it; an earlier one is replaced.

    Raises PriceNotFound, IllegalMove, AboveCeiling, Held.
    """
    held = PRICES.lock(tx, price)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.PRICE, owner=held.seller)
    holds.refuse_held(tx, subjects=(price, held.seller))
    _move(tx, held, "publish")
    assert held.ceiling is not None, "a ceiling stands before a fee is published"
    if fees.highest_minor > held.ceiling:
        raise AboveCeiling(given=fees.highest_minor, ceiling=held.ceiling).grounded_in(
            _citation(tx, "price.actual_within_ceiling")
        )
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 8))", (held.product,))
    for before in PRICES.find(tx, "WHERE product = %s AND state = 'published'", (held.product,)):
        _move(tx, before, "replace")
        _moved(tx, before, state=PriceState.REPLACED, ended_at=tx.now)
    step = _step(tx, "price.actual_within_ceiling", fees.highest_minor, ceiling=held.ceiling)
    return _moved(
        tx,
        held,
        state=PriceState.PUBLISHED,
        fees=write_fees(fees),
        working=_extended(held, step),
        published_at=tx.now,
    )


@trust.command("market.price.refuse")
def refuse_price(tx: Tx, *, price: PriceId, reason: str) -> Price:
    """This will refuse an application, as who decides on it. Raises PriceNotFound, IllegalMove."""
    held = PRICES.lock(tx, price)
    decider = held.authorizer if held.authority is None else held.authority
    trust.authorize(tx, trust.Action.ASSIGN, trust.Kind.PRICE, owner=decider)
    _move(tx, held, "refuse", reason=reason)
    return _moved(tx, held, state=PriceState.REFUSED, ended_at=tx.now)


def get_price(tx: Tx, price: PriceId) -> Price:
    """This will read the fee of a product: public once published, before that for those in it.

    Raises PriceNotFound.
    """
    found = PRICES.get(tx, price)
    if not _may_read(tx, found):
        raise PriceNotFound(id=price)
    return found


def find_price(tx: Tx, product: str) -> Price | None:
    """This will give the published fee of a product, None where there is none; fees are public."""
    found = PRICES.find(tx, "WHERE product = %s AND state = 'published'", (product,))
    return found[0] if found else None


def require_price(tx: Tx, product: str) -> Price:
    """This will give the fee that may be charged today.

    Raises PriceMissing, TrialOver where a trial fee has had its year, PriceOutdated where the last
    evaluation is too long ago.
    """
    found = find_price(tx, product)
    if found is None:
        raise PriceMissing(product=product)
    today = local_day(tx.now)
    if found.basis is PriceBasis.TRIAL:
        if _full_year(tx, found.operating_since) <= today:
            raise TrialOver(product=product, since=found.operating_since.isoformat()).grounded_in(
                _citation(tx, "price.trial_until_full_year")
            )
        return found
    assert found.published_at is not None
    cycle = rulebook.of(tx).clock("price.evaluation_cycle_max")
    until = shift_months(local_day(found.published_at), cycle.count * MONTHS)
    if until <= today:
        raise PriceOutdated(product=product, until=until.isoformat()).grounded_in(
            _citation(tx, "price.evaluation_cycle_max")
        )
    return found


def find_prices(
    tx: Tx,
    *,
    page: PageRequest,
    party: trust.PartyId | None = None,
    product: str | None = None,
) -> Page[Price]:
    """This will list fees, newest first: published ones are public, others for those in them."""
    all_states = trust.is_allowed(tx, trust.Action.READ, trust.Kind.PRICE, owner=party)
    found = PRICES.find(
        tx,
        "WHERE (%s::text IS NULL OR %s IN (seller, authorizer, authority))"
        " AND (%s::text IS NULL OR product = %s)"
        " AND (state IN ('published', 'replaced') OR %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s",
        (
            *(party, party),
            *(product, product),
            all_states,
            *(page.key, page.key),
            page.size + 1,
        ),
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


_PRICES = PRICES.shelf(
    "WHERE (%(parties)s::text[] IS NULL OR seller = ANY(%(parties)s)"
    " OR authorizer = ANY(%(parties)s) OR authority = ANY(%(parties)s))"
    " AND (state IN ('published', 'replaced') OR %(all)s)",
    {
        "product": "product",
        "seller": "seller",
        "basis": "basis",
        "permitted": "permitted",
        "ceiling": "ceiling",
        "fee": "(fees::jsonb ->> 'unit_price_minor')::bigint",
        "state": "state",
    },
)


def look_through_prices(
    tx: Tx, *, look: Look, parties: Sequence[trust.PartyId] | None
) -> Looked[Price]:
    """This will look through the fees of these parties, or of all (None).

    Published ones are public, others for those in them. Columns: product, seller, basis, permitted,
    ceiling, fee, state.
    """
    every = all(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.PRICE, owner=one)
        for one in ((None,) if parties is None else parties)
    )
    own = None if parties is None else list(parties)
    return PRICES.look(tx, _PRICES, look, parties=own, all=every)


def review_income(tx: Tx, price: PriceId, *, actual: int) -> PriceReview:
    """This will lay a year's actual income beside the maximum permitted revenue of a fee.

    Raises PriceNotFound, BadPrice where no revenue was permitted, BadInput.
    """
    held = get_price(tx, price)
    if not held.permitted:
        raise BadPrice(part="permitted")
    book = rulebook.of(tx)
    given = {"actual": actual, "permitted": held.permitted}
    codes = ("price.deviation", "price.adjustment", "price.excess")
    deviation, adjusts, excess = (book.evaluate(code, **given) for code in codes)
    return PriceReview(
        actual=actual,
        permitted=held.permitted,
        deviation_bp=int(deviation * BASIS_POINTS),
        adjusts=adjusts,
        excess=excess,
        articles=tuple(book.rule(code).citation for code in codes),
    )


def _apply(
    tx: Tx,
    *,
    price: PriceId,
    product: str,
    seller: trust.PartyId,
    authorizer: trust.PartyId,
    authority: trust.PartyId | None,
    operating_since: date,
    fees: FeeSchedule | None = None,
    costs: CostFile | None = None,
    planned_calls: int | None = None,
) -> Price:
    holds.refuse_held(tx, subjects=(seller,))
    basis = PriceBasis.TRIAL if authority is None else PriceBasis.FORMAL
    parts = [
        procedures.Part(role="seller", party=seller),
        procedures.Part(role="authorizer", party=authorizer),
    ]
    if authority is not None:
        parts.append(procedures.Part(role="authority", party=authority))
    opened = procedures.begin_procedure(
        tx,
        procedure=new_id(procedures.ProcedureId),
        chart=f"market.price_{basis.value}",
        subject=price,
        title=product,
        owner=seller,
        parts=tuple(parts),
    )
    made = Price(
        id=price,
        product=product,
        seller=seller,
        authorizer=authorizer,
        authority=authority,
        basis=basis,
        operating_since=operating_since,
        costs=None if costs is None else canon.encode(to_plain(costs)).decode(),
        planned_calls=planned_calls,
        permitted=None,
        ceiling=None,
        fees=None if fees is None else write_fees(fees),
        working=canon.encode([]).decode(),
        state=PriceState.APPLIED,
        procedure=opened.id,
    )
    PRICES.insert(tx, made)
    fact = PriceApplied(price=price, product=product, seller=seller, basis=basis)
    trust.record(tx, fact)
    return made


def _checked_start(tx: Tx, product: str, seller: trust.PartyId, since: date) -> date:
    """The day a product went into operation: stated once, the same ever after."""
    if not 0 < len(product) <= PRODUCT_MAX or not product.isprintable():
        raise BadPrice(part="product")
    if since > local_day(tx.now):
        raise BadPrice(part="operating_since")
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 8))", (product,))
    known = PRICES.find(tx, "WHERE product = %s AND state <> 'refused'", (product,))
    for one in known:
        if one.seller != seller or one.state in {
            PriceState.APPLIED,
            PriceState.PERMITTED,
            PriceState.CAPPED,
        }:
            raise PriceTaken(product=product)
        if one.operating_since != since:
            raise BadPrice(part="operating_since")
    return since


def _full_year(tx: Tx, since: date) -> date:
    years = rulebook.of(tx).constant("price.trial_until_full_year").amount
    return shift_months(since, years * MONTHS)


def _citation(tx: Tx, code: str) -> str:
    return rulebook.of(tx).ground(code).rule.citation


def _step(tx: Tx, code: str, result: int, /, **inputs: int) -> WorkingStep:
    rule = rulebook.of(tx).rule(code)
    return WorkingStep(rule=code, article=rule.citation, inputs=inputs, result=result)


def _extended(held: Price, step: WorkingStep) -> str:
    return canon.encode(to_plain((*held.steps, step))).decode()


def _move(
    tx: Tx, held: Price, move: str, *, opinion: str | None = None, reason: str | None = None
) -> None:
    given = procedures.Given(opinion=opinion, reason=reason)
    procedures.advance_procedure(tx, procedure=held.procedure, move=move, given=given)


def _moved(tx: Tx, held: Price, **changes: object) -> Price:
    moved = PRICES.update(tx, held, **changes)
    trust.record(
        tx,
        PriceMoved(
            price=moved.id,
            product=moved.product,
            state=moved.state,
            permitted=moved.permitted,
            ceiling=moved.ceiling,
            highest=None if moved.schedule is None else moved.schedule.highest_minor,
        ),
    )
    return moved


def _may_read(tx: Tx, price: Price) -> bool:
    if price.state in {PriceState.PUBLISHED, PriceState.REPLACED}:
        return True
    owners = (price.seller, price.authorizer, price.authority)
    return any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.PRICE, owner=owner)
        for owner in owners
        if owner is not None
    )
