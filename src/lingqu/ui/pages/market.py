# SPDX-License-Identifier: Apache-2.0
"""The market for everyone: what is offered, and fees in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get

from lingqu import market, trust
from lingqu.market import FeeSchedule
from lingqu.runtime import Tx
from lingqu.ui import tables
from lingqu.ui.pages.ledger import amount
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk, clip
from lingqu.ui.tables import Column, Filter, Option, Show

PATH = "/market/listings"
OFFERS_MAX = 10_000
"""How many offers a file of them holds at most."""
_ORDERS = {
    "title": market.listings.Order.TITLE,
    "form": market.listings.Order.FORM,
    "listed": market.listings.Order.LISTED,
}


@get(PATH, sync_to_thread=True)
def listing_list(desk: FromDesk) -> Response[Any]:
    """This will search what is offered; open to everyone."""
    ask = tables.read_ask(desk.query, filters=_filters(desk, {}), sorts=("title", "form", "listed"))
    with desk.reading() as tx:
        offers = market.listings.search_listings(
            tx,
            question=ask.words,
            form=ask.chosen.get("form"),
            order=_ORDERS.get(ask.sort, market.listings.Order.LISTED),
            descending=ask.descending if ask.sort else True,
            size=OFFERS_MAX if ask.as_file else tables.PAGE_SIZE,
            offset=0 if ask.as_file else (ask.page - 1) * tables.PAGE_SIZE,
        )
        found = offers.items
        names = desk.names(tx, {one.seller for one in found} | {one.venue for one in found})
        fees = {one.product: schedule_of(tx, one.product) for one in found}

    def fee(one: market.listings.Listing) -> str:
        schedule = fees.get(one.product)
        return desk.text("ui.fee.none") if schedule is None else fee_words(desk, schedule)

    columns = (
        Column[market.listings.Listing](
            name="title",
            label="ui.listing.title",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/{one.id}",
            sub=lambda one: clip(one.summary, 90),
        ),
        Column[market.listings.Listing](
            name="form",
            label="ui.listing.form",
            value=lambda one: f"ui.product_form.{one.form.value}",
            show=Show.LABEL,
        ),
        Column[market.listings.Listing](
            name="seller",
            label="ui.listing.seller",
            value=lambda one: names.get(one.seller, one.seller),
            sortable=False,
        ),
        Column[market.listings.Listing](
            name="fee", label="ui.listing.fee", value=fee, sortable=False
        ),
        Column[market.listings.Listing](
            name="listed",
            label="ui.listing.listed",
            value=lambda one: one.listed_at,
            show=Show.INSTANT,
        ),
    )
    if ask.as_file:
        return tables.sheet(desk, found, columns=columns, name=desk.text("ui.listings.title"))
    filters = _filters(desk, offers.forms)
    return tables.list_page(
        desk,
        "ui.listings",
        tables.draw(desk, found, columns=columns, ask=ask, filters=filters, total=offers.total),
        rule="market.paradigm",
    )


def _filters(desk: Desk, forms: Mapping[str, int]) -> tuple[Filter[Any], ...]:
    """The forms of products, with how many are offered where that is known."""
    return (
        Filter[Any](
            name="form",
            label=desk.text("ui.listing.form"),
            options=tuple(
                Option(
                    value=one.value,
                    words=desk.text(f"ui.product_form.{one.value}"),
                    count=forms.get(one.value, 0) if forms else None,
                )
                for one in market.listings.ProductForm
            ),
        ),
    )


def fee_words(desk: Desk, schedule: FeeSchedule) -> str:
    """This will say a fee in a few words: free, or so much for an answer."""
    if schedule.unit_price_minor == 0 and not schedule.tiers:
        return desk.text("ui.fee.free")
    return desk.text("ui.fee.each", amount=_yuan(schedule.unit_price_minor))


def fee_lines(desk: Desk, schedule: FeeSchedule) -> Sequence[str]:
    """This will say a fee schedule line by line, and whether a miss costs something."""
    if schedule.unit_price_minor == 0 and not schedule.tiers:
        return (desk.text("ui.fee.free"),)
    answers = [desk.text(f"ui.answer.{one.value}") for one in schedule.billed]
    lines = [
        desk.text("ui.fee.each", amount=_yuan(schedule.unit_price_minor)),
        desk.text("ui.fee.billed", answers=desk.series(answers)),
    ]
    if schedule.free_calls:
        lines.append(desk.text("ui.fee.free_calls", count=f"{schedule.free_calls:,}"))
    lines += [
        desk.text("ui.fee.tier", above=f"{one.above:,}", amount=_yuan(one.unit_price_minor))
        for one in schedule.tiers
    ]
    return tuple(lines)


def _yuan(minor: int) -> str:
    return amount(minor, "CNY", {"CNY": 2})


def schedule_of(tx: Tx, product: str) -> FeeSchedule | None:
    """This will give the published fee of a product, None where there is none."""
    price = market.prices.find_price(tx, product)
    return None if price is None else price.schedule


def own_parties(tx: Tx, mine: trust.Identity, kind: trust.Kind) -> tuple[trust.PartyId, ...]:
    """This will list the visitor's parties of whose things of a kind the visitor may know."""
    found = (trust.PartyId(one) for one in mine.parties or (mine.party,))
    return tuple(one for one in found if trust.is_allowed(tx, trust.Action.READ, kind, owner=one))
