# SPDX-License-Identifier: Apache-2.0
"""The API of 流通 market: venues, members, funds and contracts."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import market, trust
from lingqu.api.v1 import market_catalog
from lingqu.api.v1 import market_shapes as shapes
from lingqu.api.v1.market_catalog import KNOWN, After, Party, Size, To, drawn
from lingqu.api.v1.rights_shapes import digest
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite, signed_in
from lingqu.kernel.paging import PageRequest
from lingqu.market import listings
from lingqu.runtime.calendar import parse_day

COMMAND_ROUTES = {
    "market.venue.open": "POST /api/v1/market/venues",
    "market.member.apply": "POST /api/v1/market/members",
    "market.member.admit": "POST /api/v1/market/members/{member}/admit",
    "market.member.refuse": "POST /api/v1/market/members/{member}/refuse",
    "market.member.end": "POST /api/v1/market/members/{member}/end",
    "market.deposit.record": "POST /api/v1/market/deposits",
    "market.contract.propose": "POST /api/v1/market/contracts",
    "market.contract.counter": "POST /api/v1/market/contracts/{contract}/counter",
    "market.contract.sign": "POST /api/v1/market/contracts/{contract}/sign",
    "market.contract.close": "POST /api/v1/market/contracts/{contract}/close",
    "market.contract.end": "POST /api/v1/market/contracts/{contract}/end",
    **market_catalog.COMMAND_ROUTES,
}


@get(
    "/venues",
    sync_to_thread=True,
    summary="List the venues",
)
def find_venues(platform: FromPlatform) -> shapes.VenueList:
    """This will list the venues; open to everyone."""
    with platform.database.reading(trust.VISITOR) as tx:
        found = market.find_venues(tx)
    return shapes.VenueList(items=[shapes.shaped(shapes.VenueView, one) for one in found])


@post(
    "/venues",
    sync_to_thread=True,
    command="market.venue.open",
    summary="Open a venue",
    guards=[signed_in],
    security=KNOWN,
)
def open_venue(write: FromWrite, data: JSONBody[shapes.OpenVenue]) -> shapes.VenueView:
    """This will make a party the region's venue."""
    made = write.execute(market.open_venue, venue=trust.PartyId(data.venue))
    return shapes.shaped(shapes.VenueView, made)


@get(
    "/commitments",
    sync_to_thread=True,
    summary="Read the commitments in force",
)
def find_commitments() -> shapes.CommitmentList:
    """This will give the texts people sign; open to everyone."""
    found = [market.get_commitment(kind) for kind in market.CommitmentKind]
    return shapes.CommitmentList(items=[shapes.shaped(shapes.CommitmentView, one) for one in found])


@get(
    "/members",
    sync_to_thread=True,
    summary="List memberships",
)
def find_members(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: Party = None,
    in_state: Annotated[shapes.MemberStateName | None, QueryParameter(name="state")] = None,
) -> shapes.MemberPage:
    """This will list memberships of a party or a venue, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = market.find_members(
            tx,
            page=request,
            party=shapes.party_of(party),
            state=None if in_state is None else market.MemberState(in_state),
        )
    return shapes.member_page(page)


@post(
    "/members",
    sync_to_thread=True,
    command="market.member.apply",
    summary="Apply for admission",
    guards=[signed_in],
    security=KNOWN,
)
def apply_membership(write: FromWrite, data: JSONBody[shapes.ApplyMembership]) -> shapes.MemberView:
    """This will apply for admission to a venue, with the signed commitment."""
    made = write.execute(
        market.apply_membership,
        member=market.MemberId(data.member),
        venue=trust.PartyId(data.venue),
        party=trust.PartyId(data.party),
        roles=tuple(market.MemberRole(one) for one in data.roles),
        material=digest(data.material),
        commitment=digest(data.commitment),
    )
    return shapes.shaped(shapes.MemberView, made)


@get(
    "/members/{member:str}",
    sync_to_thread=True,
    summary="Read a membership",
)
def get_member(
    platform: FromPlatform, visit: FromVisit, member: FromPath[str]
) -> shapes.MemberView:
    """This will read one membership."""
    wanted = market.MemberId(member)
    with platform.database.reading(visit.caller) as tx:
        return shapes.shaped(shapes.MemberView, market.get_member(tx, wanted))


@post(
    "/members/{member:str}/admit",
    sync_to_thread=True,
    status_code=200,
    command="market.member.admit",
    summary="Admit a member",
    guards=[signed_in],
    security=KNOWN,
)
def admit_member(
    write: FromWrite, member: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.MemberView:
    """This will admit a party after review."""
    done = write.execute(market.admit_member, member=market.MemberId(member), opinion=data.opinion)
    return shapes.shaped(shapes.MemberView, done)


@post(
    "/members/{member:str}/refuse",
    sync_to_thread=True,
    status_code=200,
    command="market.member.refuse",
    summary="Refuse an application",
    guards=[signed_in],
    security=KNOWN,
)
def refuse_member(
    write: FromWrite, member: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.MemberView:
    """This will refuse an application."""
    done = write.execute(market.refuse_member, member=market.MemberId(member), opinion=data.opinion)
    return shapes.shaped(shapes.MemberView, done)


@post(
    "/members/{member:str}/end",
    sync_to_thread=True,
    status_code=200,
    command="market.member.end",
    summary="End a membership",
    guards=[signed_in],
    security=KNOWN,
)
def end_membership(
    write: FromWrite, member: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.MemberView:
    """This will end a membership; contracts in force go on."""
    done = write.execute(
        market.end_membership, member=market.MemberId(member), opinion=data.opinion
    )
    return shapes.shaped(shapes.MemberView, done)


@post(
    "/deposits",
    sync_to_thread=True,
    command="market.deposit.record",
    summary="Record a payment",
    guards=[signed_in],
    security=KNOWN,
)
def record_deposit(write: FromWrite, data: JSONBody[shapes.RecordDeposit]) -> shapes.DepositView:
    """This will book a payment to the venue's bank account, or back to the party."""
    made = write.execute(
        market.record_deposit,
        deposit=market.DepositId(data.deposit),
        venue=trust.PartyId(data.venue),
        party=trust.PartyId(data.party),
        direction=market.Direction(data.direction),
        amount=shapes.amount_of(data.amount),
        reference=data.reference,
        paid_on=parse_day(data.paid_on),
    )
    return shapes.deposit_view(made)


@get(
    "/venues/{venue:str}/funds/{party:str}",
    sync_to_thread=True,
    summary="Read what a party has at a venue",
)
def get_funds(
    platform: FromPlatform, visit: FromVisit, venue: FromPath[str], party: FromPath[str]
) -> shapes.FundsView:
    """This will read what a party has at a venue, and how much of it is frozen."""
    at, whose = trust.PartyId(venue), trust.PartyId(party)
    with platform.database.reading(visit.caller) as tx:
        return shapes.funds_view(market.get_funds(tx, venue=at, party=whose))


@get(
    "/venues/{venue:str}/funds/{party:str}/deposits",
    sync_to_thread=True,
    summary="List payments",
)
def find_deposits(
    platform: FromPlatform,
    visit: FromVisit,
    venue: FromPath[str],
    party: FromPath[str],
    size: Size = 50,
    after: After = None,
) -> shapes.DepositPage:
    """This will list the payments of a party at a venue, newest first."""
    request = PageRequest(size=size, after=after)
    at, whose = trust.PartyId(venue), trust.PartyId(party)
    with platform.database.reading(visit.caller) as tx:
        page = market.find_deposits(tx, venue=at, party=whose, page=request)
    return shapes.DepositPage(
        items=[shapes.deposit_view(one) for one in page.items], next=page.next
    )


@get(
    "/contracts",
    sync_to_thread=True,
    summary="List contracts",
)
def find_contracts(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: Party = None,
    listing: Annotated[str | None, QueryParameter(name="listing", max_length=60)] = None,
    in_state: Annotated[shapes.ContractStateName | None, QueryParameter(name="state")] = None,
) -> shapes.ContractPage:
    """This will list the contracts of a party as seller, buyer or venue, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = market.find_contracts(
            tx,
            page=request,
            party=shapes.party_of(party),
            listing=None if listing is None else listings.ListingId(listing),
            state=None if in_state is None else market.ContractState(in_state),
        )
    return shapes.ContractPage(
        items=[shapes.contract_view(one) for one in page.items], next=page.next
    )


@post(
    "/contracts",
    sync_to_thread=True,
    command="market.contract.propose",
    summary="Propose a contract",
    guards=[signed_in],
    security=KNOWN,
)
def propose_contract(
    write: FromWrite, data: JSONBody[shapes.ProposeContract]
) -> shapes.ContractView:
    """This will propose a contract about a listing, as the buyer."""
    made = write.execute(
        market.propose_contract,
        contract=market.ContractId(data.contract),
        listing=listings.ListingId(data.listing),
        buyer=trust.PartyId(data.buyer),
        terms=shapes.contract_terms(data.terms),
        commitment=digest(data.commitment),
    )
    return shapes.contract_view(made)


@get(
    "/contracts/{contract:str}",
    sync_to_thread=True,
    summary="Read a contract",
)
def get_contract(
    platform: FromPlatform, visit: FromVisit, contract: FromPath[str]
) -> shapes.ContractView:
    """This will read one contract."""
    wanted = market.ContractId(contract)
    with platform.database.reading(visit.caller) as tx:
        return shapes.contract_view(market.get_contract(tx, wanted))


@get(
    "/contracts/{contract:str}/document",
    sync_to_thread=True,
    summary="Read a contract as TC609-6-2025-14 has it",
)
def get_contract_document(
    platform: FromPlatform, visit: FromVisit, contract: FromPath[str]
) -> dict[str, Any]:
    """This will give the signed text with state and signatures, in the words of the standard."""
    wanted = market.ContractId(contract)
    with platform.database.reading(visit.caller) as tx:
        return market.contract_document(tx, wanted)


@get(
    "/contracts/{contract:str}/paper",
    sync_to_thread=True,
    summary="Print a contract",
)
def get_contract_paper(
    platform: FromPlatform, visit: FromVisit, contract: FromPath[str], to: To = "pdf"
) -> Response[bytes]:
    """This will draw a contract as Word or PDF."""
    wanted = market.ContractId(contract)
    with platform.database.reading(visit.caller) as tx:
        paper = market.contract_paper(tx, wanted)
    return drawn(platform, paper, to)


@post(
    "/contracts/{contract:str}/counter",
    sync_to_thread=True,
    status_code=200,
    command="market.contract.counter",
    summary="Answer with another text",
    guards=[signed_in],
    security=KNOWN,
)
def counter_contract(
    write: FromWrite, contract: FromPath[str], data: JSONBody[shapes.CounterContract]
) -> shapes.ContractView:
    """This will answer a text with another one."""
    made = write.execute(
        market.counter_contract,
        contract=market.ContractId(contract),
        party=trust.PartyId(data.party),
        terms=shapes.contract_terms(data.terms),
    )
    return shapes.contract_view(made)


@post(
    "/contracts/{contract:str}/sign",
    sync_to_thread=True,
    status_code=200,
    command="market.contract.sign",
    summary="Sign a contract",
    guards=[signed_in],
    security=KNOWN,
)
def sign_contract(
    write: FromWrite, contract: FromPath[str], data: JSONBody[shapes.SignContract]
) -> shapes.ContractView:
    """This will sign the text of a contract: the buyer first, the seller last."""
    made = write.execute(
        market.sign_contract,
        contract=market.ContractId(contract),
        party=trust.PartyId(data.party),
        digest=data.digest,
    )
    return shapes.contract_view(made)


@post(
    "/contracts/{contract:str}/close",
    sync_to_thread=True,
    status_code=200,
    command="market.contract.close",
    summary="Close a negotiation",
    guards=[signed_in],
    security=KNOWN,
)
def close_contract(
    write: FromWrite, contract: FromPath[str], data: JSONBody[shapes.PartyReason]
) -> shapes.ContractView:
    """This will end a negotiation: the seller declines, or the buyer withdraws."""
    done = write.execute(
        market.close_contract,
        contract=market.ContractId(contract),
        party=trust.PartyId(data.party),
        reason=data.reason,
    )
    return shapes.contract_view(done)


@post(
    "/contracts/{contract:str}/end",
    sync_to_thread=True,
    status_code=200,
    command="market.contract.end",
    summary="End a contract early",
    guards=[signed_in],
    security=KNOWN,
)
def end_contract(
    write: FromWrite, contract: FromPath[str], data: JSONBody[shapes.PartyReason]
) -> shapes.ContractView:
    """This will end a contract before it is due; what is frozen is free again."""
    done = write.execute(
        market.end_contract,
        contract=market.ContractId(contract),
        party=trust.PartyId(data.party),
        reason=data.reason,
    )
    return shapes.contract_view(done)


def routers() -> tuple[Router, ...]:
    """This will give the routes; venues, commitments, fees and the catalog are open to everyone."""
    handlers: list[Any] = [
        find_venues,
        open_venue,
        find_commitments,
        find_members,
        apply_membership,
        get_member,
        admit_member,
        refuse_member,
        end_membership,
        record_deposit,
        get_funds,
        find_deposits,
        find_contracts,
        propose_contract,
        get_contract,
        get_contract_document,
        get_contract_paper,
        counter_contract,
        sign_contract,
        close_contract,
        end_contract,
        *market_catalog.handlers(),
    ]
    return (Router("/api/v1/market", route_handlers=handlers, tags=["market"]),)
