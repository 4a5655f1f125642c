# SPDX-License-Identifier: Apache-2.0
"""A listing offered to a venue elsewhere: fixed, signed, handed over, and what the venue answered.

What is signed is written down first, so that signing again gives the same document. A status comes
back signed by the venue; one that is older than what is known, or about another document, is
refused, and one that agrees is recorded as a reconciliation too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingqu import trust
from lingqu.interop.documents import (
    BadDocument,
    Purpose,
    check_signature,
    read_document,
    sign_document,
)
from lingqu.interop.listings import FINAL, Listing, ListingState, checked_listing
from lingqu.interop.peers import BadPeer, PeerId, get_peer, key_of, living_peer
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant, format_instant
from lingqu.kernel.values import BadValue, from_plain, to_plain
from lingqu.market import listings
from lingqu.runtime import Tx
from lingqu.runtime.keys import Keyring
from lingqu.trust import holds


class OfferId(Id):
    """The id of one listing offered to a venue elsewhere."""

    prefix = "off"


class OfferNotFound(errors.NotFound):
    """There is no such offer, or the caller may not know of it."""

    code = "interop.offer.not_found"


class OtherProduct(errors.Conflict):
    """The registration that the listing names is that of another product."""

    code = "interop.offer.other_product"


class OfferClosed(errors.Conflict):
    """The offer was withdrawn here, or the venue has decided for good."""

    code = "interop.offer.closed"


class OfferNotDelivered(errors.Conflict):
    """The venue has not taken this offer yet, so it has no status of it."""

    code = "interop.offer.not_delivered"


class StatusDiffers(errors.Conflict):
    """The venue's status is about another document than the one that was signed here."""

    code = "interop.status.differs"


class StatusOlder(errors.Conflict):
    """A later status of this offer is known already."""

    code = "interop.status.older"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a venue says of a listing: of which document, where it stands, since when, and why.

    `step` counts the moves of its procedure, so that an older answer is known as older.
    """

    offer: str
    digest: str
    reference: str
    state: ListingState
    step: int
    at: Instant
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A listing for a venue elsewhere. `content` is canonical JSON of what is signed.

    `digest` is of the signed document, `state` what the venue said last; None of both before it
    was handed over. `reference` is the venue's own id.
    """

    id: OfferId
    peer: PeerId
    party: trust.PartyId
    registration: str
    content: str
    prepared_at: Instant
    digest: str | None = None
    reference: str | None = None
    delivered_at: Instant | None = None
    state: ListingState | None = None
    step: int = 0
    reason: str | None = None
    reconciled_at: Instant | None = None
    closed_at: Instant | None = None
    version: int = 1


OFFERS = trust.Table("interop.offer", Offer, not_found=OfferNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPrepared(trust.Fact):
    """What is offered to a venue elsewhere is fixed."""

    kind = "interop.offer.prepared"
    offer: OfferId
    peer: PeerId
    party: trust.PartyId
    registration: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDelivered(trust.Fact):
    """A venue elsewhere has taken the signed listing."""

    kind = "interop.offer.delivered"
    offer: OfferId
    peer: PeerId
    digest: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReconciled(trust.Fact):
    """What the venue says of a listing was compared with what is known here, and agrees now."""

    kind = "interop.offer.reconciled"
    offer: OfferId
    digest: str
    state: ListingState
    step: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferWasClosed(trust.Fact):
    """The listing is not pursued any more; what the venue does with it is its own matter."""

    kind = "interop.offer.closed"
    offer: OfferId


@trust.command("interop.offer.prepare")
def prepare_offer(
    tx: Tx, *, offer: OfferId, peer: PeerId, party: trust.PartyId, listing: Listing
) -> Offer:
    """This will fix what is offered to a venue; `party` answers for it.

    What the listing offers stands in our registry now, under the code it names: a venue elsewhere
    cannot look there. Raises PeerNotFound, PeerEnded, PartyNotFound, BadListing, NotRegistered,
    OtherProduct, Held, IdTaken.
    """
    holds.refuse_held(tx, subjects=(peer, party, *_typed(listing.product)))
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.REMOTE_LISTING, owner=party)
    venue = living_peer(tx, peer)
    told = checked_listing(listing)
    if listings.require_product(tx, told.registration).product != told.product:
        raise OtherProduct(code=told.registration, product=told.product)
    content = {
        "offer": offer,
        "venue": venue.origin,
        "prepared_at": format_instant(tx.now),
        "listing": to_plain(told),
    }
    made = Offer(
        id=offer,
        peer=peer,
        party=party,
        registration=told.registration,
        content=canon.encode(content).decode(),
        prepared_at=tx.now,
    )
    OFFERS.insert(tx, made)
    trust.record(
        tx,
        OfferPrepared(offer=offer, peer=peer, party=party, registration=told.registration),
    )
    return made


@trust.command("interop.offer.deliver")
def deliver_signed_offer(tx: Tx, *, offer: OfferId, document: str, status: str) -> Offer:
    """This will record that the venue took the signed listing; `status` is its signed receipt.

    Raises OfferNotFound, OfferClosed, BadDocument, SignerUnknown, DocumentAltered, StatusDiffers.
    """
    held = OFFERS.lock(tx, offer)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.REMOTE_LISTING, owner=held.party)
    if held.closed_at is not None or held.state in FINAL:
        raise OfferClosed(offer=offer)
    digest = read_document(document, Purpose.LISTING).digest
    told = _checked_status(tx, held, status, digest)
    after = OFFERS.update(
        tx,
        held,
        digest=digest,
        reference=told.reference,
        delivered_at=held.delivered_at or tx.now,
        state=told.state,
        step=max(told.step, held.step),
        reason=told.reason,
        reconciled_at=tx.now,
    )
    fact = OfferDelivered(offer=offer, peer=held.peer, digest=digest, reference=told.reference)
    trust.record(tx, fact)
    return after


@trust.command("interop.offer.reconcile")
def reconcile_signed_status(tx: Tx, *, offer: OfferId, status: str) -> Offer:
    """This will compare a venue's signed status with what is known here, and take it over.

    Raises OfferNotFound, OfferNotDelivered, BadDocument, SignerUnknown, DocumentAltered,
    StatusDiffers, StatusOlder.
    """
    held = OFFERS.lock(tx, offer)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.REMOTE_LISTING, owner=held.party)
    if held.digest is None:
        raise OfferNotDelivered(offer=offer)
    told = _checked_status(tx, held, status, held.digest)
    if told.reference != held.reference:
        raise StatusDiffers(offer=offer)
    if told.step < held.step:
        raise StatusOlder(offer=offer, known=held.step, given=told.step)
    after = OFFERS.update(
        tx, held, state=told.state, step=told.step, reason=told.reason, reconciled_at=tx.now
    )
    trust.record(
        tx,
        OfferReconciled(
            offer=offer,
            digest=held.digest,
            state=told.state,
            step=told.step,
            status=read_document(status, Purpose.STATUS).digest,
        ),
    )
    return after


@trust.command("interop.offer.close")
def close_offer(tx: Tx, *, offer: OfferId) -> Offer:
    """This will give up an offer; it is not handed over any more. Raises OfferClosed."""
    held = OFFERS.lock(tx, offer)
    trust.authorize(tx, trust.Action.END, trust.Kind.REMOTE_LISTING, owner=held.party)
    if held.closed_at is not None:
        raise OfferClosed(offer=offer)
    closed = OFFERS.update(tx, held, closed_at=tx.now)
    trust.record(tx, OfferWasClosed(offer=offer))
    return closed


def signed_offer(tx: Tx, ring: Keyring, offer: OfferId) -> str:
    """This will write the signed document of an offer, the same one every time.

    Raises OfferNotFound, OfferClosed, PeerEnded.
    """
    held = get_offer(tx, offer)
    if held.closed_at is not None:
        raise OfferClosed(offer=offer)
    living_peer(tx, held.peer)
    origin = trust.get_installation(tx).origin
    return sign_document(ring, origin, Purpose.LISTING, canon.decode(held.content))


def read_listing(offer: Offer) -> Listing:
    """This will give what an offer says."""
    return from_plain(Listing, json.loads(offer.content)["listing"])


def address_of(tx: Tx, offer: Offer) -> str:
    """This will give the address of the offer's venue. Raises PeerEnded, BadPeer without one."""
    url = living_peer(tx, offer.peer).url
    if url is None:
        raise BadPeer(part="url")
    return url


def get_offer(tx: Tx, offer: OfferId) -> Offer:
    """This will read an offer; raises OfferNotFound also where the caller may not see it."""
    found = OFFERS.get(tx, offer)
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.REMOTE_LISTING, owner=found.party):
        raise OfferNotFound(id=offer)
    return found


def find_offers(tx: Tx, *, page: PageRequest, party: trust.PartyId | None = None) -> Page[Offer]:
    """This will list offers, newest first: of a party, or all. Raises AccessDenied."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.REMOTE_LISTING, owner=party):
        raise trust.AccessDenied(
            action=trust.Action.READ.value, kind=trust.Kind.REMOTE_LISTING.value
        )
    tail = (
        "WHERE (%s::text IS NULL OR party = %s) AND (%s::text IS NULL OR id < %s)"
        " ORDER BY id DESC LIMIT %s"
    )
    found = OFFERS.find(tx, tail, (party, party, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def _checked_status(tx: Tx, held: Offer, text: str, digest: str) -> Status:
    document = read_document(text, Purpose.STATUS)
    check_signature(document, key_of(get_peer(tx, held.peer)))
    told = _status_of(document.content)
    if told.offer != held.id or told.digest != digest:
        raise StatusDiffers(offer=held.id)
    return told


def _status_of(plain: Mapping[str, Any]) -> Status:
    try:
        return from_plain(Status, dict(plain))
    except BadValue:
        raise BadDocument(purpose=Purpose.STATUS.value, part="content") from None


def _typed(product: str) -> tuple[str, ...]:
    """The product's own id, where it is one of ours and so may be held here."""
    kind = Id.kinds.get(product.partition("_")[0])
    return () if kind is None else (product,)
