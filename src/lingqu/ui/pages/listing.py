# SPDX-License-Identifier: Apache-2.0
"""One product as a buyer sees it: questions, fee, service, source, chain of rights, material."""

from __future__ import annotations

import functools

from litestar import Response, get
from litestar.params import FromPath

from lingqu import gate, market, trust
from lingqu.gate.governance import Mode, QueryPolicy
from lingqu.kernel import errors
from lingqu.rights import registry
from lingqu.runtime import Tx
from lingqu.ui.asking import find_resources
from lingqu.ui.navigation import TRADING
from lingqu.ui.pages import admission, product_acts
from lingqu.ui.pages.evidence import reason
from lingqu.ui.pages.market import PATH, fee_lines, schedule_of
from lingqu.ui.pages.offers import offer_acts
from lingqu.ui.pages.querying import offered_modes
from lingqu.ui.papers import check_ending, paper_answer, papers_card
from lingqu.ui.policies import length_of, policy_words
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk
from lingqu.ui.terms import reader

_SNAPSHOTS = 5
REFUSAL_CODES = (
    "gate.call.purpose_unknown", "gate.call.wrong_purpose", "gate.call.over_quota",
    "gate.call.not_holder", "gate.call.other_product", "gate.call.bad_subjects",
    "gate.call.predicate_unknown", "gate.call.enumeration", "gate.call.id_used",
    "gate.product.not_published", "gate.product.held",
)  # fmt: skip
"""What a call can be refused by."""


@get(f"{PATH}/{{listing:str}}", sync_to_thread=True)
def listing_page(desk: FromDesk, listing: FromPath[str]) -> Response[str]:
    """This will show one product: what it answers, what it costs, and the right it rests on."""
    mine = desk.visit.identity
    with desk.reading() as tx:
        held = market.listings.get_listing(tx, market.listings.ListingId(listing))
        product = _product(tx, held.product)
        entry = _entry(tx, held.code)
        parties = {held.seller, held.venue} | ({entry.registration.applicant} if entry else set())
        names = desk.names(tx, parties)
        policy = gate.policy_of(product) if product else None
        others = {one for one, _ in gate.find_columns(policy)} if policy else set()
        reading = reader(desk, tx, forms=(held.permitted,), parties=names, others=others)
        schedule = schedule_of(tx, held.product)
        todo, waits = offer_acts(desk, tx, held)
        service = _service(desk, tx, others)
        paper = (f"{PATH}/{held.id}/certificate/", held.certificate or "")
        papers = None if held.certificate is None else papers_card(desk, tx, held.id, paper)
        words = (
            ()
            if policy is None
            else policy_words(desk, policy, product_acts.column_words(tx, policy))
        )
        snapshots = gate.find_snapshots(tx, product.id)[:_SNAPSHOTS] if product else ()
    may_buy = mine is not None and mine.has(*TRADING - {trust.Role.VENUE})
    may_try = may_buy and isinstance(policy, gate.VerificationPolicy) and policy.sample is not None
    return desk.show(
        "market/listing.html",
        held=held,
        chain=admission.disclosed_chain(desk, held),
        service=service,
        papers=papers,
        reveals=words,
        length=functools.partial(length_of, desk),
        acts=todo,
        waits_for=waits,
        sample=admission.SAMPLE.link(desk, held.id) if may_try else None,
        may_take=mine is not None and mine.has(*TRADING),
        names=names,
        product=product,
        policy=policy,
        modes=tuple(desk.text(f"ui.query.mode.{one.value}") for one in _modes(policy)),
        resources=reading.resources,
        terms=reading.parts(held.permitted),
        entry=entry,
        schedule=schedule,
        fees=() if schedule is None else fee_lines(desk, schedule),
        snapshots=snapshots,
        refusals=tuple((code, reason(desk, code)) for code in REFUSAL_CODES if product is not None),
        may_buy=may_buy,
    )


@get(f"{PATH}/{{listing:str}}/certificate/{{ending:str}}", sync_to_thread=True)
def certificate(desk: FromDesk, listing: FromPath[str], ending: FromPath[str]) -> Response[bytes]:
    """This will print the product's certificate."""
    check_ending(ending)
    wanted = market.listings.ListingId(listing)
    with desk.reading() as tx:
        link = f"{desk.base}{PATH}/{wanted}"
        paper = market.certificate_paper(tx, wanted, link=link)
    return paper_answer(desk, paper, ending, name=f"产品登记证书-{wanted[-8:]}")


def _service(desk: Desk, tx: Tx, resources: set[str]) -> tuple[str, ...]:
    """What a caller may rely on: how many subjects a call takes, repeats, refusals, updates."""
    lines = [
        desk.text("ui.service.subjects", most=f"{gate.SUBJECTS_MOST:,}"),
        desk.text("ui.service.repeat"),
        desk.text("ui.service.refused"),
        desk.text("ui.service.as_of"),
    ]
    for one in find_resources(tx, sorted(resources)):
        often = desk.text(f"ui.frequency.{one.frequency.value}")
        lines.append(desk.text("ui.service.updated", title=one.title, often=often))
    return tuple(lines)


def _modes(policy: gate.Policy | None) -> tuple[Mode, ...]:
    return offered_modes(policy) if isinstance(policy, QueryPolicy) else ()


def _product(tx: Tx, product: str) -> gate.Product | None:
    try:
        return gate.get_product(tx, gate.ProductId(product))
    except errors.LingquError:
        return None


def _entry(tx: Tx, code: str) -> registry.PublicEntry | None:
    try:
        return registry.public_entry(tx, registry.find_by_code(tx, code))
    except errors.NotFound:
        return None
