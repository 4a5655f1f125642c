# SPDX-License-Identifier: Apache-2.0
"""The venue's side: a signed listing of another installation comes in once, and is examined.

Whoever hands it in is nobody known; the signature of a peer that may hand in is what counts. The
same document again is refused as known, another one under the same offer as different. What was
taken begins the procedure `interop.listing`, in which the handler reviews, publishes and lists.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import trust
from lingqu.interop.documents import Purpose, SignerUnknown, check_signature, read_document
from lingqu.interop.listings import BadListing, Listing, ListingState, listing_of
from lingqu.interop.offers import OfferId, Status
from lingqu.interop.peers import Peer, PeerId, find_peer, key_of
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import BadId, Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust import holds, procedures

CHART = "interop.listing"


class ReceivedListingId(Id):
    """The id a venue gives a listing that another installation handed in."""

    prefix = "rli"


class ReceivedListingNotFound(errors.NotFound):
    """There is no such listing here, or the caller may not know of it."""

    code = "interop.received.not_found"


class ListingKnown(errors.Conflict):
    """This very document was handed in before; its status says how it stands."""

    code = "interop.received.known"


class ListingDiffers(errors.Conflict):
    """Another document was handed in under this offer before; a changed listing is a new offer."""

    code = "interop.received.differs"


class NotForThisVenue(errors.Rejected):
    """The listing is addressed to another venue."""

    code = "interop.received.elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedListing:
    """A listing of another installation. `document` is the signed text as it came.

    `offer` is the sender's id of it, `owner` the party that runs the sender, `handler` ours.
    """

    id: ReceivedListingId
    peer: PeerId
    offer: str
    owner: trust.PartyId
    handler: trust.PartyId
    title: str
    document: str
    digest: str
    procedure: procedures.ProcedureId
    received_at: Instant
    version: int = 1


RECEIVED = trust.Table(
    "interop.received_listing", ReceivedListing, not_found=ReceivedListingNotFound
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingReceived(trust.Fact):
    """A signed listing of another installation was taken, and is being examined."""

    kind = "interop.listing.received"
    listing: ReceivedListingId
    peer: PeerId
    offer: str
    digest: str
    key: str
    procedure: procedures.ProcedureId


@trust.command("interop.listing.receive")
def receive_listing(tx: Tx, *, document: str) -> ReceivedListing:
    """This will take a signed listing of a peer that may hand in, and begin its examination.

    Raises BadDocument, SignerUnknown, DocumentAltered, NotForThisVenue, BadListing, ListingKnown,
    ListingDiffers, Held.
    """
    peer, offer, listing, digest = check_listing(tx, document)
    assert peer.handler is not None, "only such peers hand in"
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 15))", (f"{peer.id}/{offer}",))
    holds.refuse_held(tx, subjects=(peer.id, peer.party))
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.REMOTE_LISTING)
    known = RECEIVED.find(tx, "WHERE peer = %s AND offer = %s", (peer.id, offer))
    if known:
        refusal = ListingKnown if known[0].digest == digest else ListingDiffers
        raise refusal(offer=offer, listing=known[0].id)
    made = ReceivedListing(
        id=ReceivedListingId.of(offer.uuid),
        peer=peer.id,
        offer=offer,
        owner=peer.party,
        handler=peer.handler,
        title=listing.title,
        document=document,
        digest=digest,
        procedure=procedures.ProcedureId.of(offer.uuid),
        received_at=tx.now,
    )
    RECEIVED.insert(tx, made)
    trust.record(
        tx,
        ListingReceived(
            listing=made.id,
            peer=peer.id,
            offer=offer,
            digest=digest,
            key=key_of(peer).fingerprint,
            procedure=made.procedure,
        ),
    )
    procedures.begin_procedure(
        tx,
        procedure=made.procedure,
        chart=CHART,
        subject=made.id,
        title=listing.title,
        owner=peer.party,
        parts=(
            procedures.Part(role="applicant", party=peer.party),
            procedures.Part(role="venue", party=peer.handler),
        ),
    )
    return made


def check_listing(tx: Tx, document: str) -> tuple[Peer, OfferId, Listing, str]:
    """This will prove who signed a listing and that it is for us; gives its sender and content.

    Raises BadDocument, SignerUnknown, DocumentAltered, NotForThisVenue, BadListing.
    """
    read = read_document(document, Purpose.LISTING)
    peer = find_peer(tx, origin=read.signer)
    if peer is None or peer.handler is None:
        raise SignerUnknown(signer=read.signer[:80])
    check_signature(read, key_of(peer))
    content = read.content
    if set(content) != {"offer", "venue", "prepared_at", "listing"}:
        raise BadListing(part="form")
    if content["venue"] != trust.get_installation(tx).origin:
        raise NotForThisVenue(venue=str(content["venue"])[:80])
    try:
        offer = OfferId(str(content["offer"]))
    except BadId:
        raise BadListing(part="offer") from None
    plain = content["listing"]
    if not isinstance(plain, dict):
        raise BadListing(part="form")
    return peer, offer, listing_of(plain), read.digest


def read_received(received: ReceivedListing) -> Listing:
    """This will give what a listing that was taken says."""
    return listing_of(canon.decode(received.document)["content"]["listing"])


_STANDING = """
    SELECT p.state, p.moved_at, p.version,
           (SELECT s.reason FROM trust.pub_step s WHERE s.procedure = p.id
            ORDER BY s.ordinal DESC LIMIT 1) AS reason
    FROM trust.pub_procedure p WHERE p.id = %s
"""


def status_of(tx: Tx, offer: OfferId, digest: str) -> Status:
    """This will say how a listing stands, to whoever has the document: its digest is the proof.

    Raises ReceivedListingNotFound.
    """
    found = RECEIVED.find(tx, "WHERE offer = %s AND digest = %s", (offer, digest))
    if not found:
        raise ReceivedListingNotFound(id=offer)
    row = tx.one(_STANDING, (found[0].procedure,))
    return Status(
        offer=offer,
        digest=digest,
        reference=found[0].id,
        state=ListingState(row["state"]),
        step=row["version"],
        at=row["moved_at"],
        reason=row["reason"],
    )


def find_received(tx: Tx, *, peer: PeerId, offer: OfferId, digest: str) -> ReceivedListing | None:
    """This will find the listing that was taken from a peer as this very document."""
    tail = "WHERE peer = %s AND offer = %s AND digest = %s"
    found = RECEIVED.find(tx, tail, (peer, offer, digest))
    return found[0] if found else None


def get_received_listing(tx: Tx, listing: ReceivedListingId) -> ReceivedListing:
    """This will read a listing that came in; raises ReceivedListingNotFound."""
    found = RECEIVED.get(tx, listing)
    if not _may_see(tx, found.handler):
        raise ReceivedListingNotFound(id=listing)
    return found


def find_received_listings(
    tx: Tx, *, page: PageRequest, handler: trust.PartyId | None = None
) -> Page[ReceivedListing]:
    """This will list what came in, newest first: for one of our parties, or all.

    Raises AccessDenied.
    """
    if not _may_see(tx, handler):
        raise trust.AccessDenied(
            action=trust.Action.READ.value, kind=trust.Kind.REMOTE_LISTING.value
        )
    tail = (
        "WHERE (%s::text IS NULL OR handler = %s) AND (%s::text IS NULL OR id < %s)"
        " ORDER BY id DESC LIMIT %s"
    )
    found = RECEIVED.find(tx, tail, (handler, handler, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def _may_see(tx: Tx, handler: trust.PartyId | None) -> bool:
    return trust.is_allowed(tx, trust.Action.READ, trust.Kind.REMOTE_LISTING, owner=handler)
