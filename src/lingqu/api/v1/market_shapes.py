# SPDX-License-Identifier: Apache-2.0
"""What travels over the API for the market: shapes of JSON, and how values become them."""

from __future__ import annotations

import json
from typing import Any, Literal, TypeVar

import msgspec

from lingqu import market, trust
from lingqu.api.v1.rights_shapes import DutyShape, TermsShape, digest, read_duties
from lingqu.kernel.paging import Page
from lingqu.kernel.time import parse_instant
from lingqu.kernel.values import to_plain
from lingqu.ledger import Balance
from lingqu.market import listings, prices

Shape = TypeVar("Shape", bound=msgspec.Struct)
AnswerName = Literal["yes", "no", "unknown"]
MemberRoleName = Literal["seller", "buyer", "merchant", "service"]
MemberStateName = Literal["applied", "admitted", "refused", "ended"]
DirectionName = Literal["in", "out"]
FormName = Literal["verification", "count", "open_file", "query"]
ListingStateName = Literal[
    "applied", "publicized", "certified", "listed", "suspended", "delisted", "refused"
]
ObjectionStateName = Literal["open", "upheld", "dismissed"]
PriceStateName = Literal["applied", "permitted", "capped", "published", "replaced", "refused"]
ContractStateName = Literal["requested", "offered", "accepted", "performing", "failed", "ended"]


class MoneyShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An amount in minor units of a currency."""

    currency: str
    minor: int


class VenueView(msgspec.Struct, kw_only=True):
    """A party that runs the venue, and the account that mirrors its bank account."""

    party: str
    name: str
    bank: str
    opened_at: str


class VenueList(msgspec.Struct, kw_only=True):
    """The venues."""

    items: list[VenueView]


class OpenVenue(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The party that runs the venue."""

    venue: str


class CommitmentView(msgspec.Struct, kw_only=True):
    """A commitment in force; who signs it states its digest."""

    kind: Literal["member", "use"]
    ground: str
    zh: str
    en: str
    digest: str


class CommitmentList(msgspec.Struct, kw_only=True):
    """The commitments in force."""

    items: list[CommitmentView]


class ApplyMembership(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An application under an id the caller made (`mbr_...`); digests are SHA-256."""

    member: str
    venue: str
    party: str
    roles: list[MemberRoleName]
    material: str
    commitment: str


class Opinion(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What whoever decides says."""

    opinion: str


class Reason(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Why."""

    reason: str


class PartyReason(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """For which party, and why."""

    party: str
    reason: str


class MemberView(msgspec.Struct, kw_only=True):
    """A membership; `name` and `code` are the organisation's as it applied."""

    id: str
    venue: str
    party: str
    name: str
    code: str
    roles: list[MemberRoleName]
    material: str
    commitment: str
    committed_at: str
    state: MemberStateName
    procedure: str
    decided_at: str | None
    version: int


class MemberPage(msgspec.Struct, kw_only=True):
    """Some memberships, and the cursor of the page after them (null: this was the last)."""

    items: list[MemberView]
    next: str | None


class RecordDeposit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A payment under an id the caller made (`dep_...`), with the bank's reference."""

    deposit: str
    venue: str
    party: str
    direction: DirectionName
    amount: MoneyShape
    reference: str
    paid_on: str


class DepositView(msgspec.Struct, kw_only=True):
    """A payment as staff recorded it."""

    id: str
    venue: str
    party: str
    direction: DirectionName
    amount: MoneyShape
    reference: str
    paid_on: str
    recorded_at: str


class DepositPage(msgspec.Struct, kw_only=True):
    """Some payments, and the cursor of the page after them (null: this was the last)."""

    items: list[DepositView]
    next: str | None


class FundsView(msgspec.Struct, kw_only=True):
    """What a party has at a venue: all of it, what is frozen, what is free."""

    account: str | None
    posted: MoneyShape
    frozen: MoneyShape
    available: MoneyShape


class TierShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """From the billable call after `above` on."""

    above: int
    unit_price_minor: int


class FeesShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fee schedule, in minor units of its currency."""

    unit_price_minor: int
    billed: list[AnswerName] = msgspec.field(default_factory=lambda: ["yes", "no"])
    free_calls: int = 0
    tiers: list[TierShape] = []
    currency: str = "CNY"


class CostShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The operating cost of a year by its elements, in fen."""

    platform: int
    processing: int
    people: int
    acquisition: int
    period: int
    subsidies: int = 0


class ApplyTrialPrice(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A trial fee under an id the caller made (`ppl_...`)."""

    price: str
    product: str
    seller: str
    authorizer: str
    operating_since: str
    fees: FeesShape


class ApplyFormalPrice(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fee from the second year on, under an id the caller made (`ppl_...`)."""

    price: str
    product: str
    seller: str
    authorizer: str
    authority: str
    operating_since: str
    costs: CostShape
    planned_calls: int


class PermitRevenue(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the maximum permitted revenue is computed from, besides the costs."""

    bond_yield_bp: int
    margin_bp: int
    tax_minor: int
    opinion: str


class SetCeiling(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The most one call may cost, in fen."""

    ceiling_minor: int
    opinion: str


class PublishPrice(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The fee."""

    fees: FeesShape


class WorkingShape(msgspec.Struct, kw_only=True):
    """One step of the computation."""

    rule: str
    article: str
    inputs: dict[str, int]
    result: int


class PriceView(msgspec.Struct, kw_only=True):
    """The fee of a product and how it came about; amounts in fen."""

    id: str
    product: str
    seller: str
    authorizer: str
    authority: str | None
    basis: Literal["trial", "formal"]
    operating_since: str
    costs: CostShape | None
    planned_calls: int | None
    permitted: int | None
    ceiling: int | None
    fees: FeesShape | None
    working: list[WorkingShape]
    state: PriceStateName
    procedure: str
    published_at: str | None
    ended_at: str | None
    version: int


class PriceReviewView(msgspec.Struct, kw_only=True):
    """A year's income beside what was permitted; amounts in fen, the deviation in basis points."""

    actual: int
    permitted: int
    deviation_bp: int
    adjusts: Literal["actual_fees", "ceilings"]
    excess: int
    articles: list[str]


class PricePage(msgspec.Struct, kw_only=True):
    """Some fees, and the cursor of the page after them (null: this was the last)."""

    items: list[PriceView]
    next: str | None


class ApplyListing(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A listing under an id the caller made (`lst_...`), for what is registered under `code`."""

    listing: str
    venue: str
    code: str
    title: str
    summary: str
    form: FormName
    sample: str | None = None


class ListingView(msgspec.Struct, kw_only=True):
    """A product at a venue; `terms` is what its grant allows."""

    id: str
    venue: str
    seller: str
    product: str
    registration: str
    code: str
    registered_until: str
    grant_id: str
    title: str
    summary: str
    form: FormName
    sample: str | None
    terms: TermsShape
    state: ListingStateName
    procedure: str
    publicized_until: str | None
    certificate: str | None
    applied_at: str
    certified_at: str | None
    listed_at: str | None
    ended_at: str | None
    version: int


class OfferedView(msgspec.Struct, kw_only=True):
    """A listing with the fee that is charged now."""

    listing: ListingView
    fees: FeesShape | None


class ListingPage(msgspec.Struct, kw_only=True):
    """Some listings, and the cursor of the page after them (null: this was the last)."""

    items: list[ListingView]
    next: str | None


class FileObjection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An objection under an id the caller made (`obj_...`)."""

    objection: str
    party: str
    reason: str
    evidence: str | None = None


class DecideObjection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What becomes of an objection."""

    decision: Literal["upheld", "dismissed"]
    answer: str


class ObjectionView(msgspec.Struct, kw_only=True):
    """Somebody's objection to a listing."""

    id: str
    listing: str
    party: str
    reason: str
    evidence: str | None
    state: ObjectionStateName
    answer: str | None
    filed_at: str
    decided_at: str | None
    version: int


class ObjectionList(msgspec.Struct, kw_only=True):
    """The objections to a listing."""

    items: list[ObjectionView]


class ContractTermsShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is agreed; `fees` only to say those that are published."""

    purposes: list[str]
    quota: int
    starts_at: str
    ends_at: str
    duties: list[DutyShape] = []
    fees: FeesShape | None = None
    sample: str | None = None


class ProposeContract(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A proposal under an id the caller made (`ctr_...`), with the signed commitment's digest."""

    contract: str
    listing: str
    buyer: str
    terms: ContractTermsShape
    commitment: str


class CounterContract(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Another text, by one of the two sides."""

    party: str
    terms: ContractTermsShape


class SignContract(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which side signs, and the SHA-256 of the text it signs."""

    party: str
    digest: str


class ContractView(msgspec.Struct, kw_only=True):
    """A contract; `status` is its state in the codes of TC609-6-2025-14."""

    id: str
    listing: str
    product: str
    registration: str
    seller: str
    buyer: str
    venue: str
    grant: str | None
    purposes: list[str]
    quota: int
    starts_at: str
    ends_at: str
    fees: FeesShape
    duties: list[DutyShape]
    sample: str | None
    commitment: str
    digest: str
    edition: int
    deposit: MoneyShape
    frozen: MoneyShape
    state: ContractStateName
    status: str
    proposed_at: str
    finalized_at: str | None
    ended_at: str | None
    ending: Literal["due", "early", "declined", "withdrawn"] | None
    version: int


class ContractPage(msgspec.Struct, kw_only=True):
    """Some contracts, and the cursor of the page after them (null: this was the last)."""

    items: list[ContractView]
    next: str | None


def shaped(kind: type[Shape], value: object, **more: Any) -> Shape:
    """This will give the shape of a value: its fields by their names, `more` in their place."""
    plain: dict[str, Any] = to_plain(value)  # type: ignore[assignment]  # a dataclass
    found = {**plain, **more}
    return msgspec.convert({name: found[name] for name in kind.__struct_fields__}, kind)


def money(minor: int, currency: str = "CNY") -> dict[str, Any]:
    """This will give an amount as it travels."""
    return {"currency": currency, "minor": minor}


def amount_of(shape: MoneyShape) -> int:
    """This will read an amount in yuan; raises BadDeposit for another currency."""
    if shape.currency != "CNY":
        raise market.BadDeposit(part="amount")
    return shape.minor


def member_page(page: Page[market.Member]) -> MemberPage:
    """This will map memberships."""
    return MemberPage(items=[shaped(MemberView, one) for one in page.items], next=page.next)


def deposit_view(value: market.Deposit) -> DepositView:
    """This will map a payment."""
    return shaped(DepositView, value, amount=money(value.amount))


def funds_view(value: Balance | None) -> FundsView:
    """This will map what a party has; nothing where it never paid in."""
    figures = (0, 0, 0) if value is None else (value.posted, value.pending_out, value.available)
    posted, frozen, available = (msgspec.convert(money(one), MoneyShape) for one in figures)
    return FundsView(
        account=None if value is None else value.account,
        posted=posted,
        frozen=frozen,
        available=available,
    )


def fees_of(shape: FeesShape) -> market.FeeSchedule:
    """This will read a fee schedule. Raises BadFees."""
    return market.FeeSchedule(
        unit_price_minor=shape.unit_price_minor,
        billed=tuple(market.Answer(one) for one in shape.billed),
        free_calls=shape.free_calls,
        tiers=tuple(
            market.Tier(above=one.above, unit_price_minor=one.unit_price_minor)
            for one in shape.tiers
        ),
        currency=shape.currency,
    )


def costs_of(shape: CostShape) -> prices.CostFile:
    """This will read a cost file."""
    return prices.CostFile(**msgspec.structs.asdict(shape))


def price_view(value: prices.Price) -> PriceView:
    """This will map a fee."""
    return shaped(
        PriceView,
        value,
        costs=to_plain(value.cost_file),
        fees=to_plain(value.schedule),
        working=to_plain(value.steps),
    )


def listing_view(value: listings.Listing) -> ListingView:
    """This will map a listing."""
    terms: dict[str, Any] = to_plain(value.permitted)  # type: ignore[assignment]  # a dataclass
    del terms["nothing"]
    return shaped(ListingView, value, terms=terms)


def offered_view(value: listings.Listing, price: prices.Price | None) -> OfferedView:
    """This will map a listing with its fee."""
    schedule = None if price is None else price.schedule
    fees = None if schedule is None else msgspec.convert(to_plain(schedule), FeesShape)
    return OfferedView(listing=listing_view(value), fees=fees)


def contract_view(value: market.Contract) -> ContractView:
    """This will map a contract."""
    return shaped(
        ContractView,
        value,
        grant=value.grant_id,
        fees=json.loads(value.fees),
        duties=json.loads(value.duties),
        deposit=money(value.deposit, value.schedule.currency),
        frozen=money(value.held_minor, value.schedule.currency),
        status=value.status,
    )


def contract_terms(shape: ContractTermsShape) -> market.ContractTerms:
    """This will read the terms of a contract."""
    return market.ContractTerms(
        purposes=tuple(shape.purposes),
        quota=shape.quota,
        starts_at=parse_instant(shape.starts_at),
        ends_at=parse_instant(shape.ends_at),
        duties=read_duties(shape.duties),
        fees=None if shape.fees is None else fees_of(shape.fees),
        sample=shape.sample,
    )


def party_of(text: str | None) -> trust.PartyId | None:
    """This will read the id of a party, or nothing."""
    return None if text is None else trust.PartyId(text)


def digest_or_none(text: str | None) -> bytes | None:
    """This will read a SHA-256, or nothing."""
    return None if text is None else digest(text)
