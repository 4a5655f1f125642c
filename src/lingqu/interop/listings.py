# SPDX-License-Identifier: Apache-2.0
"""What a listing says to a venue that is somewhere else: all of it, and nothing that is not in it.

The venue has neither our catalog nor our registry, so the listing carries the description, the
registration code, the fees and the digests of the certificates with it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingqu.kernel import errors
from lingqu.kernel.money import BadMoney, Money
from lingqu.kernel.values import BadValue, from_plain

TITLE_MAX = 100
TEXT_MAX = 2_000
WORD_MAX = 60
MANY_MAX = 50
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_CREDIT_CODE = re.compile(r"[0-9A-Z]{18}\Z")


class BadListing(errors.Rejected):
    """A part of the listing is missing, too long, not printable, or not of its form."""

    code = "interop.listing.bad"


class ListingState(enum.Enum):
    """Where a listing stands with the venue; each one is a state of the venue's procedure."""

    SUBMITTED = "submitted"
    """Handed in, waiting for the venue's review."""
    PUBLISHED = "published"
    """In publicity."""
    CERTIFYING = "certifying"
    """Publicity is over; the venue issues its certificate."""
    LISTED = "listed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    DELISTED = "delisted"


FINAL = frozenset({ListingState.REFUSED, ListingState.WITHDRAWN, ListingState.DELISTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """One price: what for, per which unit, how much."""

    item: str
    unit: str
    price: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate by its name and the SHA-256 of its file."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A product offered to a venue.

    `form` is how it is used (verification, count, query, open_file), `registration` the query code
    of its registration, `operator_code` the unified social credit code, `is_miss_billed` whether 否
    and 未知 cost as much as 是.
    """

    product: str
    title: str
    summary: str
    form: str
    operator: str
    operator_code: str
    registration: str
    fees: tuple[Fee, ...]
    free_calls: int
    is_miss_billed: bool
    certificates: tuple[Certificate, ...]


def checked_listing(listing: Listing) -> Listing:
    """This will refuse a listing that a venue could not examine. Raises BadListing."""
    texts = (
        ("title", listing.title, TITLE_MAX),
        ("summary", listing.summary, TEXT_MAX),
        ("product", listing.product, WORD_MAX),
        ("form", listing.form, WORD_MAX),
        ("operator", listing.operator, TITLE_MAX),
        ("registration", listing.registration, WORD_MAX),
        *(("fees", one.item, WORD_MAX) for one in listing.fees),
        *(("fees", one.unit, WORD_MAX) for one in listing.fees),
        *(("certificates", one.name, TITLE_MAX) for one in listing.certificates),
    )
    for part, text, longest in texts:
        if not 0 < len(text) <= longest or text != text.strip() or not text.isprintable():
            raise BadListing(part=part)
    if not _CREDIT_CODE.match(listing.operator_code):
        raise BadListing(part="operator_code")
    if not 0 < len(listing.fees) <= MANY_MAX or any(one.price.minor < 0 for one in listing.fees):
        raise BadListing(part="fees")
    if not 0 < len(listing.certificates) <= MANY_MAX:
        raise BadListing(part="certificates")
    if any(not _SHA256.match(one.sha256) for one in listing.certificates):
        raise BadListing(part="certificates")
    if not 0 <= listing.free_calls <= 1_000_000_000:
        raise BadListing(part="free_calls")
    return listing


def listing_of(plain: Mapping[str, Any]) -> Listing:
    """This will read a listing out of data that came from outside. Raises BadListing."""
    try:
        return checked_listing(from_plain(Listing, dict(plain)))
    except (BadValue, BadMoney):
        raise BadListing(part="form") from None
