# SPDX-License-Identifier: Apache-2.0
"""The API of 互联 interop: other installations, listings offered to them, listings handed in."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import interop, trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1.shapes import instant
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.errands import public_address
from lingqu.kernel.money import Money
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import format_instant
from lingqu.wiring import App


class OwnKeyView(msgspec.Struct, kw_only=True):
    """With which key this installation signs what it sends to others."""

    origin: str
    verifier_key: str
    fingerprint: str


class RegisterPeer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Another installation under an id the caller made (`per_...`), by its key (a C2SP vkey)."""

    peer: str
    verifier_key: str
    name: str
    party: str
    url: str | None = None
    handler: str | None = None


class PeerView(msgspec.Struct, kw_only=True):
    """Another installation; with a `handler` it may hand listings in."""

    id: str
    origin: str
    name: str
    verifier_key: str
    party: str
    url: str | None
    handler: str | None
    registered_at: str
    ended_at: str | None
    version: int


class PeerPage(msgspec.Struct, kw_only=True):
    """Some peers, and the cursor of the page after them (null: this was the last)."""

    items: list[PeerView]
    next: str | None


class PriceShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An amount in minor units."""

    currency: str
    minor: int


class FeeShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One price of a listing."""

    item: str
    unit: str
    price: PriceShape


class CertificateShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A certificate by its name and the SHA-256 of its file."""

    name: str
    sha256: str


class ListingShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a venue needs to know of a product that lives elsewhere."""

    product: str
    title: str
    summary: str
    form: str
    operator: str
    operator_code: str
    registration: str
    fees: list[FeeShape]
    free_calls: int
    is_miss_billed: bool
    certificates: list[CertificateShape]


class PrepareOffer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A listing for a venue elsewhere under an id the caller made (`off_...`)."""

    offer: str
    peer: str
    party: str
    listing: ListingShape


class OfferView(msgspec.Struct, kw_only=True):
    """A listing offered to a venue elsewhere, and what the venue said last."""

    id: str
    peer: str
    party: str
    listing: ListingShape
    prepared_at: str
    digest: str | None
    reference: str | None
    delivered_at: str | None
    state: str | None
    step: int
    reason: str | None
    reconciled_at: str | None
    closed_at: str | None
    version: int


class OfferPage(msgspec.Struct, kw_only=True):
    """Some offers, and the cursor of the page after them (null: this was the last)."""

    items: list[OfferView]
    next: str | None


class DeliverOffer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The venue's signed receipt, where it came by hand; without it the venue is called."""

    status: str | None = None


class ReconcileOffer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The venue's signed status, where it came by hand; without it the venue is asked."""

    status: str | None = None


class OfferDocument(msgspec.Struct, kw_only=True):
    """The signed document of an offer, to be carried by hand."""

    document: str


class HandIn(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A signed listing of another installation, as it wrote it."""

    document: str


class SignedStatus(msgspec.Struct, kw_only=True):
    """How a listing stands, as a document this installation signed."""

    status: str


class ReceivedView(msgspec.Struct, kw_only=True):
    """A listing that another installation handed in, and the procedure that examines it."""

    id: str
    peer: str
    offer: str
    owner: str
    handler: str
    listing: ListingShape
    digest: str
    procedure: str
    received_at: str


class ReceivedPage(msgspec.Struct, kw_only=True):
    """Some listings that came in, and the cursor of the page after them."""

    items: list[ReceivedView]
    next: str | None


@reads("/key", "Read our key for documents", is_open=True)
def get_key(platform: FromPlatform) -> OwnKeyView:
    """This will give the key that others check our documents with; open to everyone."""
    key = interop.own_key(platform.keyring, platform.installation.origin)
    return OwnKeyView(origin=key.name, verifier_key=str(key), fingerprint=key.fingerprint)


@reads("/catalog", "Harvest the catalog as DCAT", is_open=True)
def get_catalog(platform: FromPlatform) -> Response[bytes]:
    """This will give open files and listed products as DCAT in JSON-LD; open to everyone."""
    return _catalog(platform)


def _catalog(platform: App) -> Response[bytes]:
    with platform.database.reading(trust.VISITOR) as tx:
        text = interop.write_own_catalog(tx, base_url=public_address(platform))
    headers = {"cache-control": "public, max-age=60", "access-control-allow-origin": "*"}
    return Response(text.encode(), media_type="application/ld+json", headers=headers)


@reads("/dcat/catalog.jsonld", "Harvest the catalog as DCAT", include_in_schema=False, is_open=True)
def get_dcat(platform: FromPlatform) -> Response[bytes]:
    """This will give the same under the address where harvesters look for it."""
    return _catalog(platform)


@reads("/peers", "List peers", is_open=True)
def find_peers(platform: FromPlatform, size: Size = 50, after: After = None) -> PeerPage:
    """This will list other installations that are known, newest first; open to everyone."""
    with platform.database.reading(trust.VISITOR) as tx:
        page = interop.find_peers(tx, page=PageRequest(size=size, after=after))
    return PeerPage(items=[peer_view(one) for one in page.items], next=page.next)


@makes("/peers", "interop.peer.register", "Register a peer")
def register_peer(write: FromWrite, data: JSONBody[RegisterPeer]) -> PeerView:
    """This will make another installation known by its key, compared by another way."""
    made = write.execute(
        interop.register_peer,
        peer=interop.PeerId(data.peer),
        verifier_key=data.verifier_key,
        name=data.name,
        party=trust.PartyId(data.party),
        url=data.url,
        handler=None if data.handler is None else trust.PartyId(data.handler),
    )
    return peer_view(made)


@does("/peers/{peer:str}/end", "interop.peer.end", "End a peer")
def end_peer(write: FromWrite, peer: FromPath[str]) -> PeerView:
    """This will stop all exchange with another installation."""
    return peer_view(write.execute(interop.end_peer, peer=interop.PeerId(peer)))


@reads("/offers", "List offers")
def find_offers(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: Annotated[str | None, QueryParameter(name="party", max_length=60)] = None,
) -> OfferPage:
    """This will list listings offered to venues elsewhere, newest first."""
    owner = None if party is None else trust.PartyId(party)
    with platform.database.reading(visit.caller) as tx:
        page = interop.find_offers(tx, page=PageRequest(size=size, after=after), party=owner)
    return OfferPage(items=[offer_view(one) for one in page.items], next=page.next)


@reads("/offers/{offer:str}", "Read an offer")
def get_offer(platform: FromPlatform, visit: FromVisit, offer: FromPath[str]) -> OfferView:
    """This will read one offer and what its venue said last."""
    wanted = interop.OfferId(offer)
    with platform.database.reading(visit.caller) as tx:
        return offer_view(interop.get_offer(tx, wanted))


@reads("/offers/{offer:str}/document", "Sign an offer")
def sign_offer(platform: FromPlatform, visit: FromVisit, offer: FromPath[str]) -> OfferDocument:
    """This will give the signed document of an offer, the same one every time."""
    wanted = interop.OfferId(offer)
    with platform.database.reading(visit.caller) as tx:
        return OfferDocument(document=interop.signed_offer(tx, platform.keyring, wanted))


@makes("/offers", "interop.offer.prepare", "Prepare an offer")
def prepare_offer(write: FromWrite, data: JSONBody[PrepareOffer]) -> OfferView:
    """This will fix what is offered to a venue elsewhere."""
    made = write.execute(
        interop.prepare_offer,
        offer=interop.OfferId(data.offer),
        peer=interop.PeerId(data.peer),
        party=trust.PartyId(data.party),
        listing=listing_of(data.listing),
    )
    return offer_view(made)


@does("/offers/{offer:str}/deliver", "interop.offer.deliver", "Deliver an offer")
def deliver_offer(
    write: FromWrite, offer: FromPath[str], data: JSONBody[DeliverOffer]
) -> OfferView:
    """This will hand an offer to its venue, or record the receipt it gave for a carried one."""
    platform, caller, wanted = write.platform, write.visit.caller, interop.OfferId(offer)
    if data.status is None:
        write.visit.commanded = True
        after = interop.deliver_offer(
            platform.database, platform.keyring, caller, write.command, offer=wanted
        )
        return offer_view(after)
    with platform.database.reading(caller) as tx:
        document = interop.signed_offer(tx, platform.keyring, wanted)
    after = write.execute(
        interop.deliver_signed_offer, offer=wanted, document=document, status=data.status
    )
    return offer_view(after)


@does("/offers/{offer:str}/reconcile", "interop.offer.reconcile", "Reconcile an offer")
def reconcile_offer(
    write: FromWrite, offer: FromPath[str], data: JSONBody[ReconcileOffer]
) -> OfferView:
    """This will compare the venue's signed status with what is known here, and take it over."""
    wanted = interop.OfferId(offer)
    if data.status is None:
        write.visit.commanded = True
        database, caller = write.platform.database, write.visit.caller
        after = interop.reconcile_offer(database, caller, write.command, offer=wanted)
        return offer_view(after)
    after = write.execute(interop.reconcile_signed_status, offer=wanted, status=data.status)
    return offer_view(after)


@does("/offers/{offer:str}/close", "interop.offer.close", "Give up an offer")
def close_offer(write: FromWrite, offer: FromPath[str]) -> OfferView:
    """This will give up an offer; it is not handed over any more."""
    return offer_view(write.execute(interop.close_offer, offer=interop.OfferId(offer)))


@makes("/listings", "interop.listing.receive", "Hand in a signed listing", is_open=True)
def receive_listing(write: FromWrite, data: JSONBody[HandIn]) -> SignedStatus:
    """This will take a listing that a known installation signed; the signature is the key."""
    platform = write.platform
    status = interop.accept_listing(
        platform.database, platform.keyring, trust.VISITOR, write.command, data.document
    )
    return SignedStatus(status=status)


@reads("/listings/{offer:str}/status", "Read how a listing stands", is_open=True)
def get_status(
    platform: FromPlatform,
    offer: FromPath[str],
    digest: Annotated[str, QueryParameter(name="digest", pattern=r"^[0-9a-f]{64}$")],
) -> SignedStatus:
    """This will say, signed, how a listing stands, to whoever knows its id and digest."""
    status = interop.answer_status(
        platform.database, platform.keyring, offer=interop.OfferId(offer), digest=digest
    )
    return SignedStatus(status=status)


@reads("/received", "List listings that were handed in")
def find_received(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    handler: Annotated[str | None, QueryParameter(name="handler", max_length=60)] = None,
) -> ReceivedPage:
    """This will list what other installations handed in, newest first."""
    ours = None if handler is None else trust.PartyId(handler)
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = interop.find_received_listings(tx, page=request, handler=ours)
    return ReceivedPage(items=[received_view(one) for one in page.items], next=page.next)


@reads("/received/{listing:str}", "Read a listing that was handed in")
def get_received(platform: FromPlatform, visit: FromVisit, listing: FromPath[str]) -> ReceivedView:
    """This will read one listing that another installation handed in."""
    wanted = interop.ReceivedListingId(listing)
    with platform.database.reading(visit.caller) as tx:
        return received_view(interop.get_received_listing(tx, wanted))


def peer_view(peer: interop.Peer) -> PeerView:
    """This will give the shape of a peer."""
    return PeerView(
        id=peer.id,
        origin=peer.origin,
        name=peer.name,
        verifier_key=peer.verifier_key,
        party=peer.party,
        url=peer.url,
        handler=peer.handler,
        registered_at=format_instant(peer.registered_at),
        ended_at=instant(peer.ended_at),
        version=peer.version,
    )


def offer_view(offer: interop.Offer) -> OfferView:
    """This will give the shape of an offer."""
    return OfferView(
        id=offer.id,
        peer=offer.peer,
        party=offer.party,
        listing=listing_shape(interop.read_listing(offer)),
        prepared_at=format_instant(offer.prepared_at),
        digest=offer.digest,
        reference=offer.reference,
        delivered_at=instant(offer.delivered_at),
        state=None if offer.state is None else offer.state.value,
        step=offer.step,
        reason=offer.reason,
        reconciled_at=instant(offer.reconciled_at),
        closed_at=instant(offer.closed_at),
        version=offer.version,
    )


def received_view(received: interop.ReceivedListing) -> ReceivedView:
    """This will give the shape of a listing that came in."""
    return ReceivedView(
        id=received.id,
        peer=received.peer,
        offer=received.offer,
        owner=received.owner,
        handler=received.handler,
        listing=listing_shape(interop.read_received(received)),
        digest=received.digest,
        procedure=received.procedure,
        received_at=format_instant(received.received_at),
    )


def listing_shape(listing: interop.Listing) -> ListingShape:
    """This will give the shape of what is listed."""
    return ListingShape(
        product=listing.product,
        title=listing.title,
        summary=listing.summary,
        form=listing.form,
        operator=listing.operator,
        operator_code=listing.operator_code,
        registration=listing.registration,
        fees=[
            FeeShape(
                item=fee.item,
                unit=fee.unit,
                price=PriceShape(currency=fee.price.currency, minor=fee.price.minor),
            )
            for fee in listing.fees
        ],
        free_calls=listing.free_calls,
        is_miss_billed=listing.is_miss_billed,
        certificates=[
            CertificateShape(name=one.name, sha256=one.sha256) for one in listing.certificates
        ],
    )


def listing_of(shape: ListingShape) -> interop.Listing:
    """This will read what is listed."""
    return interop.Listing(
        product=shape.product,
        title=shape.title,
        summary=shape.summary,
        form=shape.form,
        operator=shape.operator,
        operator_code=shape.operator_code,
        registration=shape.registration,
        fees=tuple(
            interop.Fee(
                item=fee.item, unit=fee.unit, price=Money(fee.price.minor, fee.price.currency)
            )
            for fee in shape.fees
        ),
        free_calls=shape.free_calls,
        is_miss_billed=shape.is_miss_billed,
        certificates=tuple(
            interop.Certificate(name=one.name, sha256=one.sha256) for one in shape.certificates
        ),
    )


def routers() -> tuple[Router, ...]:
    """This will give the routes; a signed listing is handed in by whoever has it."""
    handlers: list[Any] = [
        get_key, get_catalog, find_peers, register_peer, end_peer, find_offers, get_offer,
        sign_offer, prepare_offer, deliver_offer, reconcile_offer, close_offer, receive_listing,
        get_status, find_received, get_received,
    ]  # fmt: skip
    return (
        *routes_of("/api/v1/interop", "interop", handlers),
        Router("/", route_handlers=[get_dcat]),
    )
