# SPDX-License-Identifier: Apache-2.0
"""互联 interop: what this installation and others tell each other, as documents that are signed.

A **peer** is another installation, known by its origin and its key: one that we may call, one that
may hand something in here, or both. An **offer** is a listing for a venue that is not here: its
content is fixed, signed with our own key and handed over, and the venue's answers, signed too, are
**reconciled** with it. A venue that receives one checks it against the key it knows, keeps it once
and for ever, and begins its own procedure of listing with it. Nothing here trusts the way a
document came: the same file can be carried by hand.

Start reading in `documents`, then `listings`, `offers` and `receiving`; `exchange` is the only
part that calls another installation.
"""

from pathlib import Path

from lingqu.interop.catalog import write_own_catalog
from lingqu.interop.documents import (
    BadDocument,
    DocumentAltered,
    Purpose,
    SignedDocument,
    SignerUnknown,
    own_key,
    read_document,
)
from lingqu.interop.exchange import accept_listing, answer_status, deliver_offer, reconcile_offer
from lingqu.interop.listings import BadListing, Certificate, Fee, Listing, ListingState
from lingqu.interop.offers import (
    Offer,
    OfferId,
    OtherProduct,
    Status,
    close_offer,
    deliver_signed_offer,
    find_offers,
    get_offer,
    prepare_offer,
    read_listing,
    reconcile_signed_status,
    signed_offer,
)
from lingqu.interop.peers import (
    Peer,
    PeerEnded,
    PeerId,
    end_peer,
    find_peers,
    get_peer,
    register_peer,
)
from lingqu.interop.receiving import (
    ReceivedListing,
    ReceivedListingId,
    find_received_listings,
    get_received_listing,
    read_received,
    receive_listing,
    status_of,
)
from lingqu.trust import procedures

CHARTS = procedures.provide_charts(Path(__file__).parent / "charts")
"""How a listing that another installation handed in moves."""

__all__ = (
    "CHARTS",
    "BadDocument",
    "BadListing",
    "Certificate",
    "DocumentAltered",
    "Fee",
    "Listing",
    "ListingState",
    "Offer",
    "OfferId",
    "OtherProduct",
    "Peer",
    "PeerEnded",
    "PeerId",
    "Purpose",
    "ReceivedListing",
    "ReceivedListingId",
    "SignedDocument",
    "SignerUnknown",
    "Status",
    "accept_listing",
    "answer_status",
    "close_offer",
    "deliver_offer",
    "deliver_signed_offer",
    "end_peer",
    "find_offers",
    "find_peers",
    "find_received_listings",
    "get_offer",
    "get_peer",
    "get_received_listing",
    "own_key",
    "prepare_offer",
    "read_document",
    "read_listing",
    "read_received",
    "receive_listing",
    "reconcile_offer",
    "reconcile_signed_status",
    "register_peer",
    "signed_offer",
    "status_of",
    "write_own_catalog",
)
