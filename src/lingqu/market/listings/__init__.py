# SPDX-License-Identifier: Apache-2.0
"""上架 listings: a registered product at a venue, and the public catalog.

Only what stands in the registry is applied for; the venue reviews it, publicizes it, decides every
objection, certifies it and puts it up. `find_listings` searches what is offered. Start in
`records`, then `handling` and `catalog`.
"""

from lingqu.market.listings.catalog import find_listings, find_own_listings, words_of
from lingqu.market.listings.handling import (
    Offer,
    apply_listing,
    certify_listing,
    decide_objection,
    delist_listing,
    find_certificate,
    find_objections,
    get_listing,
    object_to_listing,
    publicize_listing,
    put_up_listing,
    refuse_listing,
    refuse_over,
    require_listed,
    resume_listing,
    suspend_listing,
)
from lingqu.market.listings.records import (
    FORM_ACTIONS,
    BadListing,
    GrantOver,
    Listing,
    ListingId,
    ListingNotFound,
    ListingNotOffered,
    ListingState,
    ListingTaken,
    NotPublicized,
    Objection,
    ObjectionId,
    ObjectionOpen,
    ObjectionOver,
    ObjectionState,
    ProductForm,
)
from lingqu.market.listings.registered import NotRegistered, require_product

__all__ = (
    "FORM_ACTIONS",
    "BadListing",
    "GrantOver",
    "Listing",
    "ListingId",
    "ListingNotFound",
    "ListingNotOffered",
    "ListingState",
    "ListingTaken",
    "NotPublicized",
    "NotRegistered",
    "Objection",
    "ObjectionId",
    "ObjectionOpen",
    "ObjectionOver",
    "ObjectionState",
    "Offer",
    "ProductForm",
    "apply_listing",
    "certify_listing",
    "decide_objection",
    "delist_listing",
    "find_certificate",
    "find_listings",
    "find_objections",
    "find_own_listings",
    "get_listing",
    "object_to_listing",
    "publicize_listing",
    "put_up_listing",
    "refuse_listing",
    "refuse_over",
    "require_listed",
    "require_product",
    "resume_listing",
    "suspend_listing",
    "words_of",
)
