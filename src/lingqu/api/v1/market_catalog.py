# SPDX-License-Identifier: Apache-2.0
"""The API of fees, listings, the catalog and certificates; its routes are the market's."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import market, trust
from lingqu.api.v1 import market_shapes as shapes
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite, signed_in
from lingqu.kernel.paging import SIZE_MAX, PageRequest
from lingqu.market import listings, prices
from lingqu.runtime import documents
from lingqu.runtime.calendar import parse_day
from lingqu.wiring import App

COMMAND_ROUTES = {
    "market.price.apply_trial": "POST /api/v1/market/prices/trial",
    "market.price.apply_formal": "POST /api/v1/market/prices/formal",
    "market.price.agree_trial": "POST /api/v1/market/prices/{price}/agree",
    "market.price.permit_revenue": "POST /api/v1/market/prices/{price}/revenue",
    "market.price.set_ceiling": "POST /api/v1/market/prices/{price}/ceiling",
    "market.price.publish": "POST /api/v1/market/prices/{price}/publish",
    "market.price.refuse": "POST /api/v1/market/prices/{price}/refuse",
    "market.listing.apply": "POST /api/v1/market/listings",
    "market.listing.publicize": "POST /api/v1/market/listings/{listing}/publicize",
    "market.listing.refuse": "POST /api/v1/market/listings/{listing}/refuse",
    "market.listing.certify": "POST /api/v1/market/listings/{listing}/certify",
    "market.listing.put_up": "POST /api/v1/market/listings/{listing}/put_up",
    "market.listing.suspend": "POST /api/v1/market/listings/{listing}/suspend",
    "market.listing.resume": "POST /api/v1/market/listings/{listing}/resume",
    "market.listing.delist": "POST /api/v1/market/listings/{listing}/delist",
    "market.listing.object": "POST /api/v1/market/listings/{listing}/objections",
    "market.objection.decide": "POST /api/v1/market/objections/{objection}/decide",
}

Size = Annotated[
    int, QueryParameter(name="size", ge=1, le=SIZE_MAX, description="Items on the page")
]
After = Annotated[
    str | None,
    QueryParameter(name="after", max_length=400, description="The `next` of the page before"),
]
Party = Annotated[
    str | None, QueryParameter(name="party", max_length=60, description="A party's id")
]
KNOWN: list[dict[str, list[str]]] = [{"key": []}, {"session": []}]
"""Who may ask what changes something: a key or a session."""
To = Annotated[Literal["pdf", "docx"], QueryParameter(name="to", description="Word or PDF")]


def address(platform: App) -> str:
    """This will give where this platform is reached, for what is printed."""
    return platform.settings.base_url or f"https://{platform.installation.origin}"


def drawn(platform: App, paper: market.Printed, to: str) -> Response[bytes]:
    """This will draw a paper and answer with the file."""
    made = documents.render(
        paper.template, paper.data, to=documents.Format(to), fonts=platform.settings.fonts_dir
    )
    return Response(made.content, media_type=made.media_type)


@get(
    "/prices",
    sync_to_thread=True,
    summary="List fees",
)
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


@get(
    "/prices/{price:str}",
    sync_to_thread=True,
    summary="Read a fee with its working",
)
def get_price(platform: FromPlatform, visit: FromVisit, price: FromPath[str]) -> shapes.PriceView:
    """This will read one fee and how it came about."""
    wanted = prices.PriceId(price)
    with platform.database.reading(visit.caller) as tx:
        return shapes.price_view(prices.get_price(tx, wanted))


@get("/prices/{price:str}/review", sync_to_thread=True, summary="Review a year's income")
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


@post(
    "/prices/trial",
    sync_to_thread=True,
    command="market.price.apply_trial",
    summary="Apply for a trial fee",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/prices/formal",
    sync_to_thread=True,
    command="market.price.apply_formal",
    summary="Apply for a fee under permitted revenue",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/prices/{price:str}/agree",
    sync_to_thread=True,
    status_code=200,
    command="market.price.agree_trial",
    summary="Agree to a trial fee",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/prices/{price:str}/revenue",
    sync_to_thread=True,
    status_code=200,
    command="market.price.permit_revenue",
    summary="Fix the maximum permitted revenue",
    guards=[signed_in],
    security=KNOWN,
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


@post(
    "/prices/{price:str}/ceiling",
    sync_to_thread=True,
    status_code=200,
    command="market.price.set_ceiling",
    summary="Set the ceiling",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/prices/{price:str}/publish",
    sync_to_thread=True,
    status_code=200,
    command="market.price.publish",
    summary="Set and publish the fee",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/prices/{price:str}/refuse",
    sync_to_thread=True,
    status_code=200,
    command="market.price.refuse",
    summary="Refuse an application",
    guards=[signed_in],
    security=KNOWN,
)
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


@get(
    "/catalog",
    sync_to_thread=True,
    summary="Search the catalog",
)
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


@get(
    "/listings",
    sync_to_thread=True,
    summary="List listings of any state",
)
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


@post(
    "/listings",
    sync_to_thread=True,
    command="market.listing.apply",
    summary="Apply for a listing",
    guards=[signed_in],
    security=KNOWN,
)
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


@get(
    "/listings/{listing:str}",
    sync_to_thread=True,
    summary="Read a listing with its fee",
)
def get_listing(
    platform: FromPlatform, visit: FromVisit, listing: FromPath[str]
) -> shapes.OfferedView:
    """This will read one listing; open to everyone from its publicity on."""
    wanted = listings.ListingId(listing)
    with platform.database.reading(visit.caller) as tx:
        found = listings.get_listing(tx, wanted)
        return shapes.offered_view(found, prices.find_price(tx, found.product))


@get(
    "/certificates/{number:str}",
    sync_to_thread=True,
    summary="Look up a certificate",
)
def find_certificate(platform: FromPlatform, number: FromPath[str]) -> shapes.ListingView:
    """This will look up a 产品登记证书 by its number; open to everyone."""
    with platform.database.reading(trust.VISITOR) as tx:
        return shapes.listing_view(listings.find_certificate(tx, number))


@get(
    "/listings/{listing:str}/certificate",
    sync_to_thread=True,
    summary="Print a certificate",
)
def get_certificate(
    platform: FromPlatform, visit: FromVisit, listing: FromPath[str], to: To = "pdf"
) -> Response[bytes]:
    """This will draw the 产品登记证书 as Word or PDF, with a QR code of its look-up."""
    wanted = listings.ListingId(listing)
    with platform.database.reading(visit.caller) as tx:
        number = listings.get_listing(tx, wanted).certificate
        link = f"{address(platform)}/api/v1/market/certificates/{number}"
        paper = market.certificate_paper(tx, wanted, link=link)
    return drawn(platform, paper, to)


@post(
    "/listings/{listing:str}/publicize",
    sync_to_thread=True,
    status_code=200,
    command="market.listing.publicize",
    summary="Pass the review and publicize",
    guards=[signed_in],
    security=KNOWN,
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


@post(
    "/listings/{listing:str}/refuse",
    sync_to_thread=True,
    status_code=200,
    command="market.listing.refuse",
    summary="Refuse a product",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/listings/{listing:str}/certify",
    sync_to_thread=True,
    status_code=200,
    command="market.listing.certify",
    summary="Issue the certificate",
    guards=[signed_in],
    security=KNOWN,
)
def certify_listing(write: FromWrite, listing: FromPath[str]) -> shapes.ListingView:
    """This will issue the 产品登记证书 when the publicity is over."""
    done = write.execute(
        listings.certify_listing,
        listing=listings.ListingId(listing),
    )
    return shapes.listing_view(done)


@post(
    "/listings/{listing:str}/put_up",
    sync_to_thread=True,
    status_code=200,
    command="market.listing.put_up",
    summary="Put a product into the catalog",
    guards=[signed_in],
    security=KNOWN,
)
def put_up_listing(write: FromWrite, listing: FromPath[str]) -> shapes.ListingView:
    """This will put a certified product into the catalog."""
    done = write.execute(
        listings.put_up_listing,
        listing=listings.ListingId(listing),
    )
    return shapes.listing_view(done)


@post(
    "/listings/{listing:str}/suspend",
    sync_to_thread=True,
    status_code=200,
    command="market.listing.suspend",
    summary="Suspend a listing",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/listings/{listing:str}/resume",
    sync_to_thread=True,
    status_code=200,
    command="market.listing.resume",
    summary="Resume a listing",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/listings/{listing:str}/delist",
    sync_to_thread=True,
    status_code=200,
    command="market.listing.delist",
    summary="Delist a product",
    guards=[signed_in],
    security=KNOWN,
)
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


@get(
    "/listings/{listing:str}/objections",
    sync_to_thread=True,
    summary="List objections",
)
def find_objections(
    platform: FromPlatform, visit: FromVisit, listing: FromPath[str]
) -> shapes.ObjectionList:
    """This will list the objections to a listing."""
    wanted = listings.ListingId(listing)
    with platform.database.reading(visit.caller) as tx:
        found = listings.find_objections(tx, wanted)
    return shapes.ObjectionList(items=[shapes.shaped(shapes.ObjectionView, one) for one in found])


@post(
    "/listings/{listing:str}/objections",
    sync_to_thread=True,
    command="market.listing.object",
    summary="Object to a listing",
    guards=[signed_in],
    security=KNOWN,
)
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


@post(
    "/objections/{objection:str}/decide",
    sync_to_thread=True,
    status_code=200,
    command="market.objection.decide",
    summary="Decide an objection",
    guards=[signed_in],
    security=KNOWN,
)
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
