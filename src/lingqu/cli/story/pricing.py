# SPDX-License-Identifier: Apache-2.0
"""Step 4, price and list: trial fee, permitted revenue, ceiling, fee; publicity and certificate."""

from __future__ import annotations

import hashlib
from datetime import date

from lingqu import market
from lingqu.cli.story.building import P2, P3, Planned, product_of, registration_of
from lingqu.cli.story.stage import Scene, Stage
from lingqu.market import listings, prices
from lingqu.rights import registry

TRIAL_FEE = 50
"""Fen a call of P3, in its first year; of P2 when it was in its own."""
FEE = 80
"""Fen a call of P2 from its second year on."""
TOO_HIGH = 101
OPERATING_SINCE = {
    "p2": date(2025, 6, 11),
    "p3": date(2026, 6, 1),
    "towns": date(2025, 6, 11),
}
COSTS = prices.CostFile(
    platform=420_000_000,
    processing=180_000_000,
    people=150_000_000,
    acquisition=30_000_000,
    period=20_000_000,
)
"""What P2 cost in its first year, in fen, eight million yuan together. Configuration."""
BOND_YIELD_BP, MARGIN_BP = 190, 500
TAX = 30_000_000
PLANNED_CALLS = 8_852_000


def agree_first_trial(stage: Stage) -> None:
    """P2 begins with a trial fee, agreed by the authorising body."""
    stage.on("2025-06-11")
    agree_trial_fee(stage, P2, "first trial")


def agree_trial(stage: Stage) -> None:
    """A year later P3 goes into operation and begins with a trial fee."""
    stage.on("2026-06-01")
    agree_trial_fee(stage, P3, "trial")


def agree_trial_fee(stage: Stage, planned: Planned, name: str) -> None:
    """This will let the operator publish a trial fee that the authorising body agreed to."""
    price = stage.id(prices.PriceId, name)
    fees = market.FeeSchedule(unit_price_minor=TRIAL_FEE)
    stage.do(
        "operator",
        name,
        prices.apply_trial_price,
        price=price,
        product=product_of(stage, planned),
        seller=stage.party("operator"),
        authorizer=stage.party("government"),
        operating_since=OPERATING_SINCE[planned.key],
        fees=fees,
    )
    stage.do("government", name, prices.agree_trial_price, price=price, opinion="首年试行，同意。")
    stage.do("operator", name, prices.publish_price, price=price, fees=fees)
    stage.beat(
        "operator",
        "price.trial",
        name=f"price.trial.{planned.key}",
        title=planned.title,
        fen=TRIAL_FEE,
    )


def permit_revenue(stage: Stage) -> None:
    """In its second year P2 may not be charged by a trial fee any more; costs decide."""
    stage.on("2026-06-12")
    refusal = stage.refused(
        "operator",
        "trial again",
        prices.apply_trial_price,
        price=stage.id(prices.PriceId, "trial again"),
        product=product_of(stage, P2),
        seller=stage.party("operator"),
        authorizer=stage.party("government"),
        operating_since=OPERATING_SINCE["p2"],
        fees=market.FeeSchedule(unit_price_minor=TRIAL_FEE),
    )
    stage.beat("operator", "price.trial_over", refusal=refusal.code, article=refusal.article or "")
    price = stage.id(prices.PriceId, "formal")
    stage.do(
        "operator",
        "formal",
        prices.apply_formal_price,
        price=price,
        product=product_of(stage, P2),
        seller=stage.party("operator"),
        authorizer=stage.party("government"),
        authority=stage.party("price_authority"),
        operating_since=OPERATING_SINCE["p2"],
        costs=COSTS,
        planned_calls=PLANNED_CALLS,
    )
    stage.on("2026-06-24")
    permitted = stage.do(
        "price_authority",
        "formal",
        prices.permit_revenue,
        price=price,
        bond_yield_bp=BOND_YIELD_BP,
        margin_bp=MARGIN_BP,
        tax_minor=TAX,
        opinion="按成本调查结果核定。",
    )
    assert permitted.permitted is not None, "it was just fixed"
    stage.beat(
        "price_authority",
        "price.permitted",
        permitted=yuan(permitted.permitted),
        steps=len(permitted.steps),
    )


def cap_and_publish(stage: Stage) -> None:
    """The ceiling stays within that revenue, and the fee below the ceiling."""
    price = stage.id(prices.PriceId, "formal")
    with stage.reading("operator") as tx:
        permitted = prices.get_price(tx, price).permitted
    assert permitted is not None, "it was fixed before"
    stage.on("2026-06-26")
    highest = permitted // PLANNED_CALLS
    capped = stage.do(
        "government",
        "formal",
        prices.set_ceiling,
        price=price,
        ceiling_minor=highest,
        opinion="上限不突破最高准许收入。",
    )
    stage.beat("government", "price.ceiling", ceiling=capped.ceiling or 0, calls=PLANNED_CALLS)
    refusal = stage.refused(
        "operator",
        "too high",
        prices.publish_price,
        price=price,
        fees=market.FeeSchedule(unit_price_minor=TOO_HIGH),
    )
    stage.beat(
        "operator",
        "price.too_high",
        given=TOO_HIGH,
        refusal=refusal.code,
        article=refusal.article or "",
    )
    stage.do(
        "operator",
        "formal",
        prices.publish_price,
        price=price,
        fees=market.FeeSchedule(unit_price_minor=FEE),
    )
    stage.beat("operator", "price.published", title=P2.title, fen=FEE)


def open_venue(stage: Stage) -> None:
    """The venue opens; operator and bank are admitted under the signed commitment."""
    stage.on("2026-07-01")
    venue = stage.party("venue")
    stage.do("machine", "venue", market.open_venue, venue=venue)
    commitment = market.get_commitment(market.CommitmentKind.MEMBER).digest
    for actor, roles in (
        ("operator", (market.MemberRole.SELLER,)),
        ("bank", (market.MemberRole.BUYER,)),
    ):
        member = stage.id(market.MemberId, actor)
        stage.do(
            actor,
            actor,
            market.apply_membership,
            member=member,
            venue=venue,
            party=stage.party(actor),
            roles=roles,
            material=hashlib.sha256(f"入场材料/{actor}".encode()).digest(),
            commitment=commitment,
        )
        stage.do("venue", actor, market.admit_member, member=member, opinion="材料齐全，准予入场。")
    stage.beat("venue", "list.members", members=2)


def list_products(stage: Stage) -> None:
    """Application by query code, review, three days of publicity, certificate, catalog."""
    stage.on("2026-07-02")
    for planned in (P3, P2):
        with stage.reading() as tx:
            code = registry.get_registration(tx, registration_of(stage, planned.key)).code
        assert code is not None, "registered above"
        listing = listing_of(stage, planned)
        stage.do(
            "operator",
            planned.key,
            listings.apply_listing,
            listing=listing,
            venue=stage.party("venue"),
            code=code,
            offer=listings.Offer(
                title=planned.title,
                summary=planned.summary,
                form=listings.ProductForm.VERIFICATION,
            ),
        )
        stage.do(
            "venue", planned.key, listings.publicize_listing, listing=listing, opinion="合规。"
        )
    with stage.reading() as tx:
        shown = listings.get_listing(tx, listing_of(stage, P3))
    stage.beat("venue", "list.publicized", count=2)
    stage.on("2026-07-03")
    stage.clock(shown.procedure, "publicity", "list.publicity")
    stage.on("2026-07-07")
    for planned in (P3, P2):
        listing = listing_of(stage, planned)
        certified = stage.do("venue", planned.key, listings.certify_listing, listing=listing)
        stage.do("venue", planned.key, listings.put_up_listing, listing=listing)
        stage.beat(
            "venue",
            "list.listed",
            name=f"list.listed.{planned.key}",
            title=planned.title,
            certificate=certified.certificate or "",
        )


def listing_of(stage: Stage, planned: Planned) -> listings.ListingId:
    """This will give the listing of a planned product."""
    return stage.id(listings.ListingId, planned.key)


def yuan(minor: int) -> str:
    """This will write fen as yuan, for a figure people read."""
    return f"{minor // 100:,}.{minor % 100:02d}"


SCENES: tuple[Scene, ...] = (
    agree_first_trial,
    agree_trial,
    permit_revenue,
    cap_and_publish,
    open_venue,
    list_products,
)
"""The scenes of the fourth step."""
