# SPDX-License-Identifier: Apache-2.0
"""上架: a product at a venue: application, compliance review, publicity, certificate, catalog.

Only a product that stands in the registry is listed, under the grant its registration names. The
venue reviews it, publicizes it for the days the rulebook says, decides every objection, issues the
产品登记证书 and puts it into the catalog. What it costs is its published fee: it is not kept here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from lingqu import rights, trust
from lingqu.kernel import canon
from lingqu.kernel.time import Instant
from lingqu.kernel.values import to_plain
from lingqu.market.listings import registered
from lingqu.market.listings.catalog import forget_words, keep_words
from lingqu.market.listings.records import (
    LISTINGS,
    OBJECTIONS,
    BadListing,
    GrantOver,
    Listing,
    ListingApplied,
    ListingId,
    ListingMoved,
    ListingNotFound,
    ListingNotOffered,
    ListingState,
    ListingTaken,
    NotPublicized,
    Objection,
    ObjectionDecided,
    ObjectionFiled,
    ObjectionId,
    ObjectionOpen,
    ObjectionOver,
    ObjectionState,
    ProductForm,
)
from lingqu.market.members import MemberRole, require_member
from lingqu.market.prices import require_price
from lingqu.market.texts import REASON_MAX, SUMMARY_MAX, TITLE_MAX, checked_text
from lingqu.market.venues import get_venue
from lingqu.runtime import Tx, new_id
from lingqu.runtime.calendar import local_day
from lingqu.trust import holds, procedures, rulebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a seller says of a product. `sample` names the report of the gate on its free sample."""

    title: str
    summary: str
    form: ProductForm
    sample: str | None = None


@trust.command("market.listing.apply")
def apply_listing(
    tx: Tx, *, listing: ListingId, venue: trust.PartyId, code: str, offer: Offer
) -> Listing:
    """This will ask a venue to list the product registered under a 登记结果查询码.

    Raises VenueNotFound, NotRegistered, NotAdmitted, PriceMissing and what `require_price` raises,
    ListingTaken, BadListing, Held, and the refusal of a grant that is dead.
    """
    get_venue(tx, venue)
    entry = registered.require_product(tx, code)
    seller = entry.applicant
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LISTING, owner=seller)
    require_member(tx, venue=venue, party=seller, role=MemberRole.SELLER)
    grant = rights.get_grant(tx, entry.grant)
    holds.refuse_held(tx, subjects=(venue, seller, entry.registration, *grant.subjects))
    refuse_over(tx, grant)
    require_price(tx, entry.product)
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 9))", (entry.product,))
    if LISTINGS.find(tx, _LIVING, (venue, entry.product)):
        raise ListingTaken(product=entry.product)
    title = checked_text(offer.title, "title", TITLE_MAX, refusal=BadListing)
    opened = procedures.begin_procedure(
        tx,
        procedure=new_id(procedures.ProcedureId),
        chart="market.listing",
        subject=listing,
        title=title,
        owner=seller,
        parts=(
            procedures.Part(role="seller", party=seller),
            procedures.Part(role="venue", party=venue),
        ),
    )
    made = Listing(
        id=listing,
        venue=venue,
        seller=seller,
        product=entry.product,
        registration=entry.registration,
        code=code,
        registered_until=entry.valid_until,
        grant_id=entry.grant,
        title=title,
        summary=checked_text(offer.summary, "summary", SUMMARY_MAX, refusal=BadListing),
        form=offer.form,
        sample=_sample(offer.sample),
        terms=canon.encode(to_plain(rights.read_form(grant.effective))).decode(),
        state=ListingState.APPLIED,
        procedure=opened.id,
        applied_at=tx.now,
    )
    LISTINGS.insert(tx, made)
    trust.record(
        tx,
        ListingApplied(
            listing=listing,
            venue=venue,
            seller=seller,
            product=made.product,
            registration=made.registration,
            grant=made.grant_id,
        ),
    )
    return made


@trust.command("market.listing.publicize")
def publicize_listing(tx: Tx, *, listing: ListingId, opinion: str) -> Listing:
    """This will pass the compliance review and begin the publicity.

    Raises ListingNotFound, NotRegistered, IllegalMove, Held.
    """
    held = _lock_decided(tx, listing)
    registered.require_product(tx, held.code)
    given = procedures.Given(opinion=opinion)
    procedures.advance_procedure(tx, procedure=held.procedure, move="publicize", given=given)
    clocks = procedures.get_procedure(tx, held.procedure).clocks
    until = next(one.due_on for one in clocks if one.name == "publicity")
    return _kept(tx, held, ListingState.PUBLICIZED, publicized_until=until)


@trust.command("market.listing.refuse")
def refuse_listing(tx: Tx, *, listing: ListingId, opinion: str) -> Listing:
    """This will refuse a product: at the review, or after an objection was upheld.

    Raises ListingNotFound, IllegalMove.
    """
    held = _lock_decided(tx, listing)
    return _moved(tx, held, "refuse", ListingState.REFUSED, opinion=opinion, ended_at=tx.now)


@trust.command("market.listing.object")
def object_to_listing(
    tx: Tx,
    *,
    objection: ObjectionId,
    listing: ListingId,
    party: trust.PartyId,
    reason: str,
    evidence: bytes | None = None,
) -> Objection:
    """This will object to a listing under one's own name while it is publicized.

    Raises ListingNotFound, NotPublicized, BadListing.
    """
    held = LISTINGS.lock(tx, listing)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OBJECTION, owner=party)
    until = held.publicized_until
    if held.state is not ListingState.PUBLICIZED or until is None or until < local_day(tx.now):
        raise NotPublicized(listing=listing)
    made = Objection(
        id=objection,
        listing=listing,
        party=party,
        reason=checked_text(reason, "reason", REASON_MAX, refusal=BadListing),
        evidence=evidence,
        state=ObjectionState.OPEN,
        answer=None,
        filed_at=tx.now,
    )
    OBJECTIONS.insert(tx, made)
    trust.record(tx, ObjectionFiled(objection=objection, listing=listing, party=party))
    return made


@trust.command("market.objection.decide")
def decide_objection(
    tx: Tx, *, objection: ObjectionId, upheld: ObjectionState, answer: str
) -> Objection:
    """This will uphold or dismiss an objection; an upheld one means the product is refused.

    Raises ObjectionNotFound, ObjectionOver, BadListing.
    """
    known = OBJECTIONS.lock(tx, objection)
    held = LISTINGS.get(tx, known.listing)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.LISTING, owner=held.venue)
    if known.state is not ObjectionState.OPEN:
        raise ObjectionOver(objection=objection)
    if upheld is ObjectionState.OPEN:
        raise BadListing(part="decision")
    decided = OBJECTIONS.update(
        tx,
        known,
        state=upheld,
        answer=checked_text(answer, "answer", REASON_MAX, refusal=BadListing),
        decided_at=tx.now,
    )
    fact = ObjectionDecided(objection=objection, listing=known.listing, state=upheld)
    trust.record(tx, fact)
    return decided


@trust.command("market.listing.certify")
def certify_listing(tx: Tx, *, listing: ListingId) -> Listing:
    """This will issue the 产品登记证书 when the publicity is over and every objection dismissed.

    Raises ListingNotFound, ObjectionOpen, NotRegistered, ClockMovesFirst, IllegalMove, Held.
    """
    held = _lock_decided(tx, listing)
    registered.require_product(tx, held.code)
    pending = OBJECTIONS.find(tx, "WHERE listing = %s AND state <> 'dismissed'", (listing,))
    if pending:
        raise ObjectionOpen(listing=listing, objection=pending[0].id, state=pending[0].state.value)
    number = _next_number(tx)
    return _moved(
        tx,
        held,
        "certify",
        ListingState.CERTIFIED,
        certificate=number,
        certified_at=tx.now,
    )


@trust.command("market.listing.put_up")
def put_up_listing(tx: Tx, *, listing: ListingId) -> Listing:
    """This will put a certified product into the catalog, with its published fee.

    Raises ListingNotFound, PriceMissing and what `require_price` raises, IllegalMove, Held.
    """
    held = _lock_decided(tx, listing)
    registered.require_product(tx, held.code)
    require_price(tx, held.product)
    made = _moved(tx, held, "put_up", ListingState.LISTED, listed_at=tx.now)
    keep_words(tx, made)
    return made


@trust.command("market.listing.suspend")
def suspend_listing(tx: Tx, *, listing: ListingId, reason: str) -> Listing:
    """This will take a product out of the catalog for a time; contracts in force go on.

    Raises ListingNotFound, IllegalMove.
    """
    held = LISTINGS.lock(tx, listing)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.LISTING, owner=held.venue)
    return _moved(tx, held, "suspend", ListingState.SUSPENDED, reason=reason)


@trust.command("market.listing.resume")
def resume_listing(tx: Tx, *, listing: ListingId, opinion: str) -> Listing:
    """This will put a suspended product back into the catalog.

    Raises ListingNotFound, NotRegistered, IllegalMove, Held.
    """
    held = _lock_decided(tx, listing)
    registered.require_product(tx, held.code)
    return _moved(tx, held, "resume", ListingState.LISTED, opinion=opinion)


@trust.command("market.listing.delist")
def delist_listing(tx: Tx, *, listing: ListingId, party: trust.PartyId, reason: str) -> Listing:
    """This will take a product out for good, as its venue or its seller; contracts go on.

    Raises ListingNotFound, IllegalMove.
    """
    held = LISTINGS.lock(tx, listing)
    if party not in {held.venue, held.seller}:
        raise ListingNotFound(id=listing)
    trust.authorize(tx, trust.Action.END, trust.Kind.LISTING, owner=party)
    move = "delist" if party == held.venue else "take_down"
    ended = _moved(tx, held, move, ListingState.DELISTED, reason=reason, ended_at=tx.now)
    forget_words(tx, listing)
    return ended


def refuse_over(tx: Tx, grant: rights.Grant) -> None:
    """This will let go on with the living grant of a product; raises GrantOver."""
    life = rights.find_life(tx, grant)
    if not life.alive:
        refusal = GrantOver(grant=grant.id, standing=life.standing.value, by=life.by)
        raise refusal.grounded_in(life.article)


def require_listed(tx: Tx, listing: ListingId) -> Listing:
    """This will lock a listing that stands in the catalog; raises ListingNotOffered otherwise."""
    held = LISTINGS.lock(tx, listing)
    if held.state is not ListingState.LISTED:
        raise ListingNotOffered(listing=listing, state=held.state.value)
    holds.refuse_held(tx, subjects=(listing, held.venue, held.seller, held.registration))
    return held


def get_listing(tx: Tx, listing: ListingId) -> Listing:
    """This will read a listing: public from its publicity on, before that for those in it.

    Raises ListingNotFound.
    """
    found = LISTINGS.get(tx, listing)
    if not _may_read(tx, found):
        raise ListingNotFound(id=listing)
    return found


def find_certificate(tx: Tx, number: str) -> Listing:
    """This will look up a 产品登记证书 by its number; anybody may. Raises ListingNotFound."""
    found = LISTINGS.find(tx, "WHERE certificate = %s", (number,))
    if not found:
        raise ListingNotFound(id=number[:40])
    return found[0]


def find_objections(tx: Tx, listing: ListingId) -> tuple[Objection, ...]:
    """This will list objections to a listing, for its seller, its venue and supervision."""
    held = LISTINGS.get(tx, listing)
    if not _is_in(tx, held):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.LISTING.value)
    return OBJECTIONS.find(tx, "WHERE listing = %s ORDER BY id", (listing,))


_LIVING = "WHERE venue = %s AND product = %s AND state NOT IN ('delisted', 'refused')"
_PUBLIC = {
    ListingState.PUBLICIZED,
    ListingState.CERTIFIED,
    ListingState.LISTED,
    ListingState.SUSPENDED,
    ListingState.DELISTED,
}


def _may_read(tx: Tx, listing: Listing) -> bool:
    return listing.state in _PUBLIC or _is_in(tx, listing)


def _is_in(tx: Tx, listing: Listing) -> bool:
    return any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.LISTING, owner=owner)
        for owner in (listing.seller, listing.venue)
    )


def _lock_decided(tx: Tx, listing: ListingId) -> Listing:
    """Lock a listing for an act of its venue's staff; nothing of it may be held."""
    held = LISTINGS.lock(tx, listing)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.LISTING, owner=held.venue)
    holds.refuse_held(tx, subjects=(listing, held.venue, held.seller, held.registration))
    return held


def _moved(
    tx: Tx,
    held: Listing,
    move: str,
    state: ListingState,
    *,
    opinion: str | None = None,
    reason: str | None = None,
    **changes: str | date | Instant,
) -> Listing:
    given = procedures.Given(opinion=opinion, reason=reason)
    procedures.advance_procedure(tx, procedure=held.procedure, move=move, given=given)
    return _kept(tx, held, state, **changes)


def _kept(tx: Tx, held: Listing, state: ListingState, **changes: str | date | Instant) -> Listing:
    moved = LISTINGS.update(tx, held, state=state, **changes)
    trust.record(
        tx,
        ListingMoved(
            listing=held.id,
            product=held.product,
            state=state,
            certificate=moved.certificate,
        ),
    )
    return moved


def _next_number(tx: Tx) -> str:
    """The next number of a certificate: division, year, and a serial within them."""
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('market.certificate', 10))")
    begin = f"CP{rulebook.of(tx).profile.division}{local_day(tx.now).year:04d}"
    row = tx.one(
        "SELECT count(*) AS issued FROM market.listing WHERE starts_with(certificate, %s)",
        (begin,),
    )
    return f"{begin}{row['issued'] + 1:06d}"


def _sample(text: str | None) -> str | None:
    return None if text is None else checked_text(text, "sample", TITLE_MAX, refusal=BadListing)
