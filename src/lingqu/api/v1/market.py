# SPDX-License-Identifier: Apache-2.0
"""The API of 流通 market: venues, members, funds and contracts."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import market, trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1 import market_catalog
from lingqu.api.v1 import market_shapes as shapes
from lingqu.api.v1.market_catalog import Party
from lingqu.api.v1.papers import To, paper_file
from lingqu.api.v1.rights_shapes import digest
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.paging import PageRequest
from lingqu.market import listings
from lingqu.runtime.calendar import parse_day


@reads("/venues", "List the venues", is_open=True)
def find_venues(platform: FromPlatform) -> shapes.VenueList:
    """This will list the venues; open to everyone."""
    with platform.database.reading(trust.VISITOR) as tx:
        found = market.find_venues(tx)
    return shapes.VenueList(items=[shapes.shaped(shapes.VenueView, one) for one in found])


@makes("/venues", "market.venue.open", "Open a venue")
def open_venue(write: FromWrite, data: JSONBody[shapes.OpenVenue]) -> shapes.VenueView:
    """This will make a party the region's venue."""
    made = write.execute(market.open_venue, venue=trust.PartyId(data.venue))
    return shapes.shaped(shapes.VenueView, made)


@reads("/commitments", "Read the commitments in force", is_open=True)
def find_commitments() -> shapes.CommitmentList:
    """This will give the texts people sign; open to everyone."""
    found = [market.get_commitment(kind) for kind in market.CommitmentKind]
    return shapes.CommitmentList(items=[shapes.shaped(shapes.CommitmentView, one) for one in found])


@reads("/members", "List memberships")
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


@makes("/members", "market.member.apply", "Apply for admission")
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


@reads("/members/{member:str}", "Read a membership")
def get_member(
    platform: FromPlatform, visit: FromVisit, member: FromPath[str]
) -> shapes.MemberView:
    """This will read one membership."""
    wanted = market.MemberId(member)
    with platform.database.reading(visit.caller) as tx:
        return shapes.shaped(shapes.MemberView, market.get_member(tx, wanted))


@does("/members/{member:str}/admit", "market.member.admit", "Admit a member")
def admit_member(
    write: FromWrite, member: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.MemberView:
    """This will admit a party after review."""
    done = write.execute(market.admit_member, member=market.MemberId(member), opinion=data.opinion)
    return shapes.shaped(shapes.MemberView, done)


@does("/members/{member:str}/refuse", "market.member.refuse", "Refuse an application")
def refuse_member(
    write: FromWrite, member: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.MemberView:
    """This will refuse an application."""
    done = write.execute(market.refuse_member, member=market.MemberId(member), opinion=data.opinion)
    return shapes.shaped(shapes.MemberView, done)


@does("/members/{member:str}/end", "market.member.end", "End a membership")
def end_membership(
    write: FromWrite, member: FromPath[str], data: JSONBody[shapes.Opinion]
) -> shapes.MemberView:
    """This will end a membership; contracts in force go on."""
    done = write.execute(
        market.end_membership, member=market.MemberId(member), opinion=data.opinion
    )
    return shapes.shaped(shapes.MemberView, done)


@makes("/deposits", "market.deposit.record", "Record a payment")
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


@reads("/venues/{venue:str}/funds/{party:str}", "Read what a party has at a venue")
def get_funds(
    platform: FromPlatform, visit: FromVisit, venue: FromPath[str], party: FromPath[str]
) -> shapes.FundsView:
    """This will read what a party has at a venue, and how much of it is frozen."""
    at, whose = trust.PartyId(venue), trust.PartyId(party)
    with platform.database.reading(visit.caller) as tx:
        return shapes.funds_view(market.get_funds(tx, venue=at, party=whose))


@reads("/venues/{venue:str}/funds/{party:str}/deposits", "List payments")
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


@reads("/contracts", "List contracts")
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


@makes("/contracts", "market.contract.propose", "Propose a contract")
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


@reads("/contracts/{contract:str}", "Read a contract")
def get_contract(
    platform: FromPlatform, visit: FromVisit, contract: FromPath[str]
) -> shapes.ContractView:
    """This will read one contract."""
    wanted = market.ContractId(contract)
    with platform.database.reading(visit.caller) as tx:
        return shapes.contract_view(market.get_contract(tx, wanted))


@reads("/contracts/{contract:str}/document", "Read a contract as TC609-6-2025-14 has it")
def get_contract_document(
    platform: FromPlatform, visit: FromVisit, contract: FromPath[str]
) -> dict[str, Any]:
    """This will give the signed text with state and signatures, in the words of the standard."""
    wanted = market.ContractId(contract)
    with platform.database.reading(visit.caller) as tx:
        return market.contract_document(tx, wanted)


@reads("/contracts/{contract:str}/paper", "Print a contract")
def get_contract_paper(
    platform: FromPlatform, visit: FromVisit, contract: FromPath[str], to: To = "pdf"
) -> Response[bytes]:
    """This will draw a contract as Word or PDF."""
    wanted = market.ContractId(contract)
    with platform.database.reading(visit.caller) as tx:
        paper = market.contract_paper(tx, wanted)
    return paper_file(platform, paper, to, name=wanted)


@does("/contracts/{contract:str}/counter", "market.contract.counter", "Answer with another text")
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


@does("/contracts/{contract:str}/sign", "market.contract.sign", "Sign a contract")
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


@does("/contracts/{contract:str}/close", "market.contract.close", "Close a negotiation")
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


@does("/contracts/{contract:str}/end", "market.contract.end", "End a contract early")
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
    """This will give the routes."""
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
    return routes_of("/api/v1/market", "market", handlers)
