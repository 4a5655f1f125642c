# SPDX-License-Identifier: Apache-2.0
"""What a listing leaves behind: its rows, its facts, and every way it can refuse."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from lingqu import rights, trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain
from lingqu.trust import procedures


class ListingId(Id):
    """The id of one listing."""

    prefix = "lst"


class ObjectionId(Id):
    """The id of one objection to a listing."""

    prefix = "obj"


class ProductForm(enum.Enum):
    """In which form a product leaves: never as raw records (模型、核验等产品和服务)."""

    VERIFICATION = "verification"
    COUNT = "count"
    OPEN_FILE = "open_file"
    QUERY = "query"


FORM_ACTIONS: Mapping[ProductForm, str] = MappingProxyType({
    ProductForm.VERIFICATION: "use.verify",
    ProductForm.COUNT: "use.query",
    ProductForm.OPEN_FILE: "use.report",
    ProductForm.QUERY: "use.query",
})  # fmt: skip
"""What a buyer may do with each form, as a code of the actions."""


class ListingState(enum.Enum):
    """Where a listing stands, as far as people moved it; its clock is in its procedure."""

    APPLIED = "applied"
    PUBLICIZED = "publicized"
    CERTIFIED = "certified"
    LISTED = "listed"
    SUSPENDED = "suspended"
    DELISTED = "delisted"
    REFUSED = "refused"


class ObjectionState(enum.Enum):
    """What became of an objection."""

    OPEN = "open"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class ListingNotFound(errors.NotFound):
    """There is no such listing or certificate, or the caller may not know of it."""

    code = "market.listing.not_found"


class ListingTaken(errors.Conflict):
    """The product is listed at this venue, or applied for, already."""

    code = "market.listing.taken"


class ListingNotOffered(errors.Conflict):
    """The listing does not stand in the catalog now."""

    code = "market.listing.not_offered"


class BadListing(errors.Rejected):
    """A part of what was said of the product is empty, too long or not printable."""

    code = "market.listing.bad"


class GrantOver(errors.Conflict):
    """The grant of the product ended, is held, or has not begun."""

    code = "market.listing.grant_over"


class NotPublicized(errors.Conflict):
    """Objections are taken while a listing is publicized."""

    code = "market.listing.not_publicized"


class ObjectionOpen(errors.Conflict):
    """An objection is not decided, or was upheld: no certificate is issued."""

    code = "market.listing.objection_open"


class ObjectionNotFound(errors.NotFound):
    """There is no such objection."""

    code = "market.objection.not_found"


class ObjectionOver(errors.Conflict):
    """The objection is decided already."""

    code = "market.objection.over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A product at a venue. `code` is its 登记结果查询码.

    `terms` is canonical JSON of what its grant allows, `certificate` the number of its certificate.
    """

    id: ListingId
    venue: trust.PartyId
    seller: trust.PartyId
    product: str
    registration: str
    code: str
    registered_until: Instant
    grant_id: rights.GrantId
    title: str
    summary: str
    form: ProductForm
    sample: str | None
    terms: str
    state: ListingState
    procedure: procedures.ProcedureId
    applied_at: Instant
    publicized_until: date | None = None
    certificate: str | None = None
    certified_at: Instant | None = None
    listed_at: Instant | None = None
    ended_at: Instant | None = None
    version: int = 1

    @property
    def permitted(self) -> TermsForm:
        """What the grant of the product allowed when it was applied for."""
        return from_plain(TermsForm, canon.decode(self.terms.encode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Somebody objects; `evidence` is the SHA-256 of what was handed in."""

    id: ObjectionId
    listing: ListingId
    party: trust.PartyId
    reason: str
    evidence: bytes | None
    state: ObjectionState
    answer: str | None
    filed_at: Instant
    decided_at: Instant | None = None
    version: int = 1


LISTINGS = trust.Table("market.listing", Listing, not_found=ListingNotFound)
OBJECTIONS = trust.Table("market.objection", Objection, not_found=ObjectionNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingApplied(trust.Fact):
    """A seller asked a venue to list a registered product."""

    kind = "market.listing.applied"
    listing: ListingId
    venue: trust.PartyId
    seller: trust.PartyId
    product: str
    registration: str
    grant: rights.GrantId


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingMoved(trust.Fact):
    """A listing took a step."""

    kind = "market.listing.moved"
    listing: ListingId
    product: str
    state: ListingState
    certificate: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionFiled(trust.Fact):
    """Somebody objected to a listing."""

    kind = "market.objection.filed"
    objection: ObjectionId
    listing: ListingId
    party: trust.PartyId


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionDecided(trust.Fact):
    """An objection was upheld or dismissed."""

    kind = "market.objection.decided"
    objection: ObjectionId
    listing: ListingId
    state: ObjectionState
