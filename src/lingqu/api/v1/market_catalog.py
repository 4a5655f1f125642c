# SPDX-License-Identifier: Apache-2.0
"""The API of fees, listings, the catalog and certificates; its routes are the market's."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import market, trust
from lingqu.api.routes import After, Size, does, makes, reads
from lingqu.api.v1 import market_shapes as shapes
from lingqu.api.v1.papers import To, paper_file
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.paging import PageRequest
from lingqu.market import listings, prices
from lingqu.runtime.calendar import parse_day
from lingqu.wiring import App

Party = Annotated[
    str | None, QueryParameter(name="party", max_length=60, description="A party's id")
]


def address(platform: App) -> str:
    """This will give where this platform is reached, for what is printed."""
    return platform.settings.base_url or f"https://{platform.installation.origin}"


@reads("/prices", "List fees", is_open=True)
def find_prices(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: Party = None,
    product: Annotated[str | None, QueryParameter(name="product", max_length=60)] = None,
) -> shapes.PricePage:
    """This will list fees, newest first; published ones are open to everyone."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = prices.find_prices(tx, page=request, party=shapes.party_of(party), product=product)
    return shapes.PricePage(items=[shapes.price_view(one) for one in page.items], next=page.next)


@reads("/prices/{price:str}", "Read a fee with its working", is_open=True)
def get_price(platform: FromPlatform, visit: FromVisit, price: FromPath[str]) -> shapes.PriceView:
    """This will read one fee and how it came about."""
    wanted = prices.PriceId(price)
    with platform.database.reading(visit.caller) as tx:
        return shapes.price_view(prices.get_price(tx, wanted))


@reads("/prices/{price:str}/review", "Review a year's income")
def review_price(
    platform: FromPlatform,
    visit: FromVisit,
    price: FromPath[str],
    actual: Annotated[int, QueryParameter(name="actual", ge=0, description="Income in fen")],
) -> shapes.PriceReviewView:
    """This will lay a year's actual income beside the maximum permitted revenue."""
    wanted = prices.PriceId(price)
    with platform.database.reading(visit.caller) as tx:
        found = prices.review_income(tx, wanted, actual=actual)
    return shapes.shaped(shapes.PriceReviewView, found)


@makes("/prices/trial", "market.price.apply_trial", "Apply for a trial fee")
def apply_trial_price(write: FromWrite, data: JSONBody[shapes.ApplyTrialPrice]) -> shapes.PriceView:
    """This will ask the authorizing body to agree to a trial fee."""
    made = write.execute(
        prices.apply_trial_price,
        price=prices.PriceId(data.price),
        product=data.product,
        seller=trust.PartyId(data.seller),
        authorizer=trust.PartyId(data.authorizer),
        operating_since=parse_day(data.operating_since),
        fees=shapes.fees_of(data.fees),
    )
    return shapes.price_view(made)


@makes("/prices/formal", "market.price.apply_formal", "Apply for a fee under permitted revenue")
def apply_formal_price(
    write: FromWrite, data: JSONBody[shapes.ApplyFormalPrice]
) -> shapes.PriceView:
    """This will ask for a fee from the second year on."""
    made = write.execute(
        prices.apply_formal_price,
        price=prices.PriceId(data.price),
        product=data.product,
        seller=trust.PartyId(data.seller),
        authorizer=trust.PartyId(data.authorizer),
        authority=trust.PartyId(data.authority),
        operating_since=parse_day(data.operating_since),
        costs=shapes.costs_of(data.costs),
        planned_calls=data.planned_calls,
    )
    return shapes.price_view(made)


@does("/prices/{price:str}/agree", "market.price.agree_trial", "Agree to a trial fee")
def agree_trial_price(
    write: FromWrite, price: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.PriceView:
    """This will agree to a trial fee, as the authorizing body."""
    done = write.execute(
        prices.agree_trial_price,
        price=prices.PriceId(price),
        opinion=data.opinion,
    )
    return shapes.price_view(done)


@does(
    "/prices/{price:str}/revenue",
    "market.price.permit_revenue",
    "Fix the maximum permitted revenue",
)
def permit_revenue(
    write: FromWrite, price: FromPath[str], data: JSONBody[shapes.PermitRevenue]
) -> shapes.PriceView:
    """This will fix the maximum permitted revenue, as the price authority."""
    done = write.execute(
        prices.permit_revenue,
        price=prices.PriceId(price),
        bond_yield_bp=data.bond_yield_bp,
        margin_bp=data.margin_bp,
        tax_minor=data.tax_minor,
        opinion=data.opinion,
    )
    return shapes.price_view(done)


@does("/prices/{price:str}/ceiling", "market.price.set_ceiling", "Set the ceiling")
def set_ceiling(
    write: FromWrite, price: FromPath[str], data: JSONBody[shapes.SetCeiling]
) -> shapes.PriceView:
    """This will set the most one call may cost, as the authorizing body."""
    done = write.execute(
        prices.set_ceiling,
        price=prices.PriceId(price),
        ceiling_minor=data.ceiling_minor,
        opinion=data.opinion,
    )
    return shapes.price_view(done)


@does("/prices/{price:str}/publish", "market.price.publish", "Set and publish the fee")
def publish_price(
    write: FromWrite, price: FromPath[str], data: JSONBody[shapes.PublishPrice]
) -> shapes.PriceView:
    """This will set the fee at or below the ceiling and publish it."""
    done = write.execute(
        prices.publish_price,
        price=prices.PriceId(price),
        fees=shapes.fees_of(data.fees),
    )
    return shapes.price_view(done)


@does("/prices/{price:str}/refuse", "market.price.refuse", "Refuse an application")
def refuse_price(
    write: FromWrite, price: FromPath[str], data: JSONBody[shapes.Reason]
) -> shapes.PriceView:
    """This will refuse an application for a fee."""
    done = write.execute(
        prices.refuse_price,
        price=prices.PriceId(price),
        reason=data.reason,
    )
    return shapes.price_view(done)


@reads("/catalog", "Search the catalog", is_open=True)
def search_catalog(
    platform: FromPlatform,
    size: Size = 50,
    after: After = None,
    question: Annotated[
        str, QueryParameter(name="q", max_length=100, description="Words of title or summary")
    ] = "",
    venue: Annotated[str | None, QueryParameter(name="venue", max_length=60)] = None,
) -> shapes.ListingPage:
    """This will search what is offered; open to everyone."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(trust.VISITOR) as tx:
        page = listings.find_listings(
            tx, page=request, question=question, venue=shapes.party_of(venue)
        )
    return shapes.ListingPage(
        items=[shapes.listing_view(one) for one in page.items], next=page.next
    )


@reads("/listings", "List listings of any state")
def find_listings(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: Party = None,
    in_state: Annotated[shapes.ListingStateName | None, QueryParameter(name="state")] = None,
) -> shapes.ListingPage:
    """This will list the listings of a seller or a venue, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = listings.find_own_listings(
            tx,
            page=request,
            party=shapes.party_of(party),
            state=None if in_state is None else listings.ListingState(in_state),
        )
    return shapes.ListingPage(
        items=[shapes.listing_view(one) for one in page.items], next=page.next
    )


@makes("/listings", "market.listing.apply", "Apply for a listing")
def apply_listing(write: FromWrite, data: JSONBody[shapes.ApplyListing]) -> shapes.ListingView:
    """This will ask a venue to list a registered product."""
    made = write.execute(
        listings.apply_listing,
        listing=listings.ListingId(data.listing),
        venue=trust.PartyId(data.venue),
        code=data.code,
        offer=listings.Offer(
            title=data.title,
            summary=data.summary,
            form=listings.ProductForm(data.form),
            sample=data.sample,
        ),
    )
    return shapes.listing_view(made)


@reads("/listings/{listing:str}", "Read a listing with its fee", is_open=True)
def get_listing(
    platform: FromPlatform, visit: FromVisit, listing: FromPath[str]
) -> shapes.OfferedView:
    """This will read one listing; open to everyone from its publicity on."""
    wanted = listings.ListingId(listing)
    with platform.database.reading(visit.caller) as tx:
        found = listings.get_listing(tx, wanted)
        return shapes.offered_view(found, prices.find_price(tx, found.product))


@reads("/certificates/{number:str}", "Look up a certificate", is_open=True)
def find_certificate(platform: FromPlatform, number: FromPath[str]) -> shapes.ListingView:
    """This will look up a 产品登记证书 by its number; open to everyone."""
    with platform.database.reading(trust.VISITOR) as tx:
        return shapes.listing_view(listings.find_certificate(tx, number))


@reads("/listings/{listing:str}/certificate", "Print a certificate", is_open=True)
def get_certificate(
    platform: FromPlatform, visit: FromVisit, listing: FromPath[str], to: To = "pdf"
) -> Response[bytes]:
    """This will draw the 产品登记证书 as Word or PDF, with a QR code of its look-up."""
    wanted = listings.ListingId(listing)
    with platform.database.reading(visit.caller) as tx:
        number = listings.get_listing(tx, wanted).certificate
        link = f"{address(platform)}/api/v1/market/certificates/{number}"
        paper = market.certificate_paper(tx, wanted, link=link)
    return paper_file(platform, paper, to, name=str(number))


@does(
    "/listings/{listing:str}/publicize", "market.listing.publicize", "Pass the review and publicize"
)
def publicize_listing(
    write: FromWrite, listing: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.ListingView:
    """This will pass the compliance review and begin the publicity."""
    done = write.execute(
        listings.publicize_listing,
        listing=listings.ListingId(listing),
        opinion=data.opinion,
    )
    return shapes.listing_view(done)


@does("/listings/{listing:str}/refuse", "market.listing.refuse", "Refuse a product")
def refuse_listing(
    write: FromWrite, listing: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.ListingView:
    """This will refuse a product, at the review or after an objection was upheld."""
    done = write.execute(
        listings.refuse_listing,
        listing=listings.ListingId(listing),
        opinion=data.opinion,
    )
    return shapes.listing_view(done)


@does("/listings/{listing:str}/certify", "market.listing.certify", "Issue the certificate")
def certify_listing(write: FromWrite, listing: FromPath[str]) -> shapes.ListingView:
    """This will issue the 产品登记证书 when the publicity is over."""
    done = write.execute(
        listings.certify_listing,
        listing=listings.ListingId(listing),
    )
    return shapes.listing_view(done)


@does("/listings/{listing:str}/put_up", "market.listing.put_up", "Put a product into the catalog")
def put_up_listing(write: FromWrite, listing: FromPath[str]) -> shapes.ListingView:
    """This will put a certified product into the catalog."""
    done = write.execute(
        listings.put_up_listing,
        listing=listings.ListingId(listing),
    )
    return shapes.listing_view(done)


@does("/listings/{listing:str}/suspend", "market.listing.suspend", "Suspend a listing")
def suspend_listing(
    write: FromWrite, listing: FromPath[str], data: JSONBody[shapes.Reason]
) -> shapes.ListingView:
    """This will take a product out of the catalog for a time."""
    done = write.execute(
        listings.suspend_listing,
        listing=listings.ListingId(listing),
        reason=data.reason,
    )
    return shapes.listing_view(done)


@does("/listings/{listing:str}/resume", "market.listing.resume", "Resume a listing")
def resume_listing(
    write: FromWrite, listing: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.ListingView:
    """This will put a suspended product back into the catalog."""
    done = write.execute(
        listings.resume_listing,
        listing=listings.ListingId(listing),
        opinion=data.opinion,
    )
    return shapes.listing_view(done)


@does("/listings/{listing:str}/delist", "market.listing.delist", "Delist a product")
def delist_listing(
    write: FromWrite, listing: FromPath[str], data: JSONBody[shapes.PartyReason]
) -> shapes.ListingView:
    """This will take a product out for good."""
    done = write.execute(
        listings.delist_listing,
        listing=listings.ListingId(listing),
        party=trust.PartyId(data.party),
        reason=data.reason,
    )
    return shapes.listing_view(done)


@reads("/listings/{listing:str}/objections", "List objections")
def find_objections(
    platform: FromPlatform, visit: FromVisit, listing: FromPath[str]
) -> shapes.ObjectionList:
    """This will list the objections to a listing."""
    wanted = listings.ListingId(listing)
    with platform.database.reading(visit.caller) as tx:
        found = listings.find_objections(tx, wanted)
    return shapes.ObjectionList(items=[shapes.shaped(shapes.ObjectionView, one) for one in found])


@makes("/listings/{listing:str}/objections", "market.listing.object", "Object to a listing")
def object_to_listing(
    write: FromWrite, listing: FromPath[str], data: JSONBody[shapes.FileObjection]
) -> shapes.ObjectionView:
    """This will object to a listing while it is publicized."""
    made = write.execute(
        listings.object_to_listing,
        objection=listings.ObjectionId(data.objection),
        listing=listings.ListingId(listing),
        party=trust.PartyId(data.party),
        reason=data.reason,
        evidence=shapes.digest_or_none(data.evidence),
    )
    return shapes.shaped(shapes.ObjectionView, made)


@does("/objections/{objection:str}/decide", "market.objection.decide", "Decide an objection")
def decide_objection(
    write: FromWrite, objection: FromPath[str], data: JSONBody[shapes.DecideObjection]
) -> shapes.ObjectionView:
    """This will uphold or dismiss an objection."""
    done = write.execute(
        listings.decide_objection,
        objection=listings.ObjectionId(objection),
        upheld=listings.ObjectionState(data.decision),
        answer=data.answer,
    )
    return shapes.shaped(shapes.ObjectionView, done)


def handlers() -> tuple[Any, ...]:
    """This will give the routes of this file."""
    return (
        find_prices,
        get_price,
        review_price,
        apply_trial_price,
        apply_formal_price,
        agree_trial_price,
        permit_revenue,
        set_ceiling,
        publish_price,
        refuse_price,
        search_catalog,
        find_listings,
        apply_listing,
        get_listing,
        find_certificate,
        get_certificate,
        publicize_listing,
        refuse_listing,
        certify_listing,
        put_up_listing,
        suspend_listing,
        resume_listing,
        delist_listing,
        find_objections,
        object_to_listing,
        decide_objection,
    )
