# SPDX-License-Identifier: Apache-2.0
"""Listings as work: a seller applies; the venue reviews, publicizes, certifies, puts up."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from litestar import Response, get

from lingqu import market, trust
from lingqu.kernel.paging import PageRequest
from lingqu.market import listings
from lingqu.market.listings import Listing, ListingId, ListingState, ObjectionId, ObjectionState
from lingqu.rights import registry
from lingqu.runtime import Tx
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input, narrowed
from lingqu.ui.asking import opinion_field, reason_field
from lingqu.ui.pages.market import PATH as LISTINGS_PATH
from lingqu.ui.pages.market import fee_lines, schedule_of
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.things import Link, my_party, reach_of, todo_of

PATH = "/market/offers"
TONES = {
    ListingState.LISTED: "good",
    ListingState.REFUSED: "bad",
    ListingState.SUSPENDED: "bad",
    ListingState.DELISTED: "",
}
_FIRST = PageRequest(size=200)
_OPEN = frozenset({ListingState.PUBLICIZED})


@get(PATH, sync_to_thread=True)
def offer_list(desk: FromDesk) -> Response[Any]:
    """This will list the listings of the visitor's parties as seller or venue, in every state."""
    mine = desk.require()
    filters = (
        Filter[Listing](
            name="state",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.listing_state.{one.value}"))
                for one in ListingState
            ),
        ),
    )
    ask = tables.ask_of(desk, _columns({}), filters)
    with desk.reading() as tx:
        parties = functools.partial(desk.names, tx)
        found = listings.look_through_listings(
            tx,
            look=tables.look_of(
                ask, said={"seller": parties, "venue": parties, **tables.said_of(filters)}
            ),
            parties=reach_of(tx, mine, trust.Kind.LISTING),
        )
        names = parties({p for one in found.items for p in (one.seller, one.venue)})
        may_apply = any(
            trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.LISTING, owner=trust.PartyId(one))
            for one in mine.parties or (mine.party,)
        )
    columns = _columns(names)
    title = desk.text("ui.offers.title")
    if tables.wants_file(desk):
        return tables.sheet(desk, found.items, columns=columns, name=title)
    return tables.list_page(
        desk,
        "ui.offers",
        tables.looked_table(desk, found, columns=columns, ask=ask, filters=filters),
        trail=((LISTINGS_PATH, desk.text("ui.listings.title")),),
        rule="market.paradigm",
        actions=((*APPLY.link(desk), "btn-primary"),) if may_apply else (),
    )


def _columns(names: Mapping[str, str]) -> tuple[Column[Listing], ...]:
    return (
        Column[Listing](
            name="title",
            label="ui.listing.title",
            value=lambda one: one.title,
            href=lambda one: f"{LISTINGS_PATH}/{one.id}",
            sub=lambda one: one.certificate or one.code,
        ),
        Column[Listing](
            name="seller",
            label="ui.listing.seller",
            value=lambda one: names.get(one.seller, one.seller),
        ),
        Column[Listing](
            name="venue",
            label="ui.listing.venue",
            value=lambda one: names.get(one.venue, one.venue),
        ),
        Column[Listing](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.listing_state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: TONES.get(one.state, "wait"),
        ),
        Column[Listing](
            name="applied",
            label="ui.registry.applied",
            value=lambda one: one.applied_at,
            show=Show.INSTANT,
        ),
    )


def offer_acts(desk: Desk, tx: Tx, held: Listing) -> tuple[tuple[Link, ...], str]:
    """This will say what the visitor can do now about a listing, or whose turn it is."""
    mine = desk.visit.identity
    if mine is None:
        return (), ""
    todo, waits = todo_of(
        desk,
        tx,
        held.procedure,
        held.id,
        {
            "publicize": PUBLICIZE,
            "refuse": REFUSE,
            "certify": CERTIFY,
            "put_up": PUT_UP,
            "suspend": SUSPEND,
            "resume": RESUME,
            "delist": DELIST,
            "take_down": DELIST,
        },
    )
    if held.state in _OPEN and any(
        trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.OBJECTION, owner=trust.PartyId(one))
        for one in mine.parties or (mine.party,)
        if one not in {held.venue, held.seller}
    ):
        todo = (*todo, OBJECT.link(desk, held.id))
    if trust.is_allowed(tx, trust.Action.CHANGE, trust.Kind.LISTING, owner=held.venue):
        todo = (
            *(
                DECIDE.link(desk, held.id, query=f"objection={one.id}")
                for one in listings.find_objections(tx, held.id)
                if one.state is ObjectionState.OPEN
            ),
            *todo,
        )
    return todo, waits


# -- acts -----------------------------------------------------------------------------------------


def _ask_application(desk: Desk, _: str) -> Asked:
    with desk.reading() as tx:
        sellers = my_party(desk, tx, trust.Action.CREATE, trust.Kind.LISTING)
        look = tables.look_for(desk, kind=registry.RegistrationKind.PRODUCT.value, coded="yes")
        found = registry.look_through_registrations(
            tx, look=look, parties=[trust.PartyId(one) for one, _ in sellers]
        )
        venues = tuple((str(one.party), one.name) for one in market.find_venues(tx))
    coded = found.items
    return Asked(
        narrowed=narrowed(look, found),
        trail=((PATH, desk.text("ui.offers.title")),),
        fields=(
            Field(
                name="code",
                show=Input.CHOICE,
                label="ui.registry.code",
                hint="ui.ask.listing_code.hint",
                options=tuple((one.code or "", f"{one.title} · {one.code}") for one in coded),
                refusals=("market.listing.not_registered", "market.price", "market.listing.taken"),
            ),
            Field(
                name="venue",
                show=Input.CHOICE,
                label="ui.listing.venue",
                options=venues,
                refusals=("market.member",),
            ),
            Field(name="title", value=coded[0].title if coded else ""),
            Field(
                name="summary",
                show=Input.AREA,
                most=1000,
                value=coded[0].summary if coded else "",
            ),
            Field(
                name="form",
                show=Input.CHOICE,
                label="ui.listing.form",
                options=tuple(
                    (one.value, desk.text(f"ui.product_form.{one.value}"))
                    for one in listings.ProductForm
                ),
            ),
        ),
    )


def _apply(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    listing = ListingId.of(command.uuid)
    desk.execute(
        command,
        listings.apply_listing,
        listing=listing,
        venue=given.party("venue"),
        code=given.text("code"),
        offer=listings.Offer(
            title=given.text("title"),
            summary=given.text("summary"),
            form=given.choice("form", listings.ProductForm),
        ),
    )
    return f"{LISTINGS_PATH}/{listing}"


def _about(*fields: Field, danger: bool = False) -> Callable[[Desk, str], Asked]:
    """A decision about one listing, beside what is known of it."""

    def ask(desk: Desk, about: str) -> Asked:
        with desk.reading() as tx:
            held = listings.get_listing(tx, ListingId(about))
            names = desk.names(tx, {held.seller, held.venue})
            schedule = schedule_of(tx, held.product)
        return Asked(
            about=held.title,
            trail=(
                (PATH, desk.text("ui.offers.title")),
                (f"{LISTINGS_PATH}/{about}", held.title),
            ),
            fields=fields,
            shown=(
                (desk.text("ui.listing.seller"), names[held.seller]),
                (desk.text("ui.registry.code"), held.code),
                (desk.text("ui.listing.registered_until"), desk.when(held.registered_until)),
                (desk.text("ui.party.state"), desk.text(f"ui.listing_state.{held.state.value}")),
                *(
                    ()
                    if schedule is None
                    else ((desk.text("ui.listing.price"), " ".join(fee_lines(desk, schedule))),)
                ),
            ),
            danger=danger,
        )

    return ask


def _done(desk: Desk, command: trust.CommandId, what: Any, about: str, **given: Any) -> str:
    desk.execute(command, what, listing=ListingId(about), **given)
    return f"{LISTINGS_PATH}/{about}"


def _ask_delisting(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        sides = my_party(desk, tx, trust.Action.END, trust.Kind.LISTING)
    side = Field(name="party", show=Input.CHOICE, options=sides)
    return _about(side, reason_field(), danger=True)(desk, about)


def _ask_objection(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        sides = my_party(desk, tx, trust.Action.CREATE, trust.Kind.OBJECTION)
    side = Field(name="party", show=Input.CHOICE, options=sides)
    proof = Field(name="proof_file", show=Input.FILES, required=False,
                  hint="ui.ask.objection_file.hint")  # fmt: skip
    return _about(side, reason_field(), proof)(desk, about)


def _object(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    proof = given.form.file("proof_file")
    desk.execute(
        command,
        listings.object_to_listing,
        objection=ObjectionId.of(command.uuid),
        listing=ListingId(about),
        party=given.party("party"),
        reason=given.text("reason"),
        evidence=None if proof is None else hashlib.sha256(proof.content).digest(),
    )
    return f"{LISTINGS_PATH}/{about}"


def _ask_ruling(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = [
            one
            for one in listings.find_objections(tx, ListingId(about))
            if one.state is ObjectionState.OPEN
        ]
    options = tuple((one.id, f"{one.reason[:60]} · {desk.when(one.filed_at)}") for one in held)
    ends = tuple(
        (one.value, desk.text(f"ui.objection_state.{one.value}"))
        for one in (ObjectionState.DISMISSED, ObjectionState.UPHELD)
    )
    return _about(
        Field(name="objection", show=Input.CHOICE, options=options,
              value=desk.argument("objection")),
        Field(name="decision", show=Input.CHOICE, options=ends),
        Field(name="answer", show=Input.AREA, most=4000),
    )(desk, about)  # fmt: skip


def _rule(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        listings.decide_objection,
        objection=ObjectionId(given.text("objection")),
        upheld=given.choice("decision", ObjectionState),
        answer=given.text("answer"),
    )
    return f"{LISTINGS_PATH}/{about}"


def _step(
    name: str,
    step: str,
    command: str,
    ask: Callable[[Desk, str], Asked],
    do: Callable[[Desk, trust.CommandId, Given, str], str],
) -> Act:
    return Act(
        name=name, path=f"{LISTINGS_PATH}/{{about:str}}/{step}", command=command, ask=ask, do=do
    )


APPLY = Act(
    name="apply_listing",
    path=f"{PATH}/apply",
    command="market.listing.apply",
    rule="market.paradigm",
    ask=_ask_application,
    do=_apply,
)
PUBLICIZE = _step(
    "publicize_listing", "publicize", "market.listing.publicize", _about(opinion_field()),
    lambda desk, command, given, about: _done(
        desk, command, listings.publicize_listing, about, opinion=given.text("opinion")
    ),
)  # fmt: skip
REFUSE = _step(
    "refuse_listing", "refuse", "market.listing.refuse", _about(opinion_field(), danger=True),
    lambda desk, command, given, about: _done(
        desk, command, listings.refuse_listing, about, opinion=given.text("opinion")
    ),
)  # fmt: skip
CERTIFY = _step(
    "certify_listing", "certify", "market.listing.certify", _about(),
    lambda desk, command, _, about: _done(desk, command, listings.certify_listing, about),
)  # fmt: skip
PUT_UP = _step(
    "put_up_listing", "put-up", "market.listing.put_up", _about(),
    lambda desk, command, _, about: _done(desk, command, listings.put_up_listing, about),
)  # fmt: skip
SUSPEND = _step(
    "suspend_listing", "suspend", "market.listing.suspend", _about(reason_field(), danger=True),
    lambda desk, command, given, about: _done(
        desk, command, listings.suspend_listing, about, reason=given.text("reason")
    ),
)  # fmt: skip
RESUME = _step(
    "resume_listing", "resume", "market.listing.resume", _about(opinion_field()),
    lambda desk, command, given, about: _done(
        desk, command, listings.resume_listing, about, opinion=given.text("opinion")
    ),
)  # fmt: skip
DELIST = _step(
    "delist_listing", "delist", "market.listing.delist", _ask_delisting,
    lambda desk, command, given, about: _done(
        desk, command, listings.delist_listing, about,
        party=given.party("party"), reason=given.text("reason"),
    ),
)  # fmt: skip
OBJECT = Act(
    name="object_listing",
    path=f"{LISTINGS_PATH}/{{about:str}}/object",
    command="market.listing.object",
    ask=_ask_objection,
    do=_object,
    takes_files=True,
)
DECIDE = _step("decide_objection", "decide", "market.objection.decide", _ask_ruling, _rule)
ACTS = (
    APPLY, PUBLICIZE, REFUSE, CERTIFY, PUT_UP, SUSPEND, RESUME, DELIST, OBJECT, DECIDE,
)  # fmt: skip
HANDLERS = (offer_list,)
