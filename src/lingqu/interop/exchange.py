# SPDX-License-Identifier: Apache-2.0
"""Calling another installation, and answering one: nothing of it happens inside a transaction.

What is sent and what comes back are the signed documents; each call can be made again. The venue
knows a delivery by the id of its offer, so the same delivery twice is one.
"""

from __future__ import annotations

from typing import Any

from lingqu import trust
from lingqu.interop.documents import BadDocument, Purpose, sign_document
from lingqu.interop.offers import (
    Offer,
    OfferId,
    OfferNotDelivered,
    address_of,
    deliver_signed_offer,
    get_offer,
    reconcile_signed_status,
    signed_offer,
)
from lingqu.interop.receiving import check_listing, find_received, receive_listing, status_of
from lingqu.runtime import Caller, Database
from lingqu.runtime.keys import Keyring
from lingqu.runtime.remote import call_remote

LISTINGS = "/api/v1/interop/listings"


def deliver_offer(
    database: Database,
    ring: Keyring,
    caller: Caller,
    command_id: trust.CommandId,
    *,
    offer: OfferId,
) -> Offer:
    """This will sign an offer, hand it to its venue and record the venue's receipt.

    Raises RemoteUnavailable and RemoteRefused, with nothing recorded, and what `signed_offer` and
    `deliver_signed_offer` raise.
    """
    with database.reading(caller) as tx:
        held = get_offer(tx, offer)
        trust.authorize(tx, trust.Action.CHANGE, trust.Kind.REMOTE_LISTING, owner=held.party)
        address, document = address_of(tx, held), signed_offer(tx, ring, offer)
    answer = call_remote(
        "POST",
        f"{address}{LISTINGS}",
        body={"document": document},
        headers={"Idempotency-Key": trust.CommandId.of(offer.uuid)},
    )
    return trust.execute(
        database,
        deliver_signed_offer,
        caller,
        command_id,
        offer=offer,
        document=document,
        status=_status_in(answer),
    )


def reconcile_offer(
    database: Database, caller: Caller, command_id: trust.CommandId, *, offer: OfferId
) -> Offer:
    """This will ask the venue how an offer stands, and take its signed answer over.

    Raises OfferNotDelivered, RemoteUnavailable, RemoteRefused and what `reconcile_signed_status`
    raises.
    """
    with database.reading(caller) as tx:
        held = get_offer(tx, offer)
        trust.authorize(tx, trust.Action.CHANGE, trust.Kind.REMOTE_LISTING, owner=held.party)
        if held.digest is None:
            raise OfferNotDelivered(offer=offer)
        address = address_of(tx, held)
    answer = call_remote("GET", f"{address}{LISTINGS}/{offer}/status?digest={held.digest}")
    return trust.execute(
        database,
        reconcile_signed_status,
        caller,
        command_id,
        offer=offer,
        status=_status_in(answer),
    )


def accept_listing(
    database: Database, ring: Keyring, caller: Caller, command_id: trust.CommandId, document: str
) -> str:
    """This will take a signed listing that somebody hands in, and give our signed receipt.

    What nobody known signed is refused before it becomes a command: strangers do not write into
    the log. The same document again gives its receipt as it stands now. Raises as
    `receive_listing`.
    """
    with database.reading(caller) as tx:
        peer, offer, _, digest = check_listing(tx, document)
        known = find_received(tx, peer=peer.id, offer=offer, digest=digest)
    if known is None:
        trust.execute(database, receive_listing, caller, command_id, document=document)
    return answer_status(database, ring, offer=offer, digest=digest)


def answer_status(database: Database, ring: Keyring, *, offer: OfferId, digest: str) -> str:
    """This will say, signed, how a listing stands that was handed in here.

    Raises ReceivedListingNotFound.
    """
    with database.reading(trust.VISITOR) as tx:
        status = status_of(tx, offer, digest)
        origin = trust.get_installation(tx).origin
    return sign_document(ring, origin, Purpose.STATUS, status)


def _status_in(answer: dict[str, Any]) -> str:
    text = answer.get("status")
    if not isinstance(text, str):
        raise BadDocument(purpose=Purpose.STATUS.value, part="status")
    return text
