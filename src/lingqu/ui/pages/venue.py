# SPDX-License-Identifier: Apache-2.0
"""The venue's work: members, listings on their way into the catalog, deposits and funds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import market, trust
from lingqu.kernel.paging import PageRequest
from lingqu.market import (
    CommitmentKind,
    Deposit,
    DepositId,
    Direction,
    Member,
    MemberId,
    MemberRole,
    MemberState,
)
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input
from lingqu.ui.asking import opinion_field
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.things import (
    Card,
    Cell,
    Link,
    Thing,
    gather_own,
    id_cell,
    my_party,
    organizations,
    parties_to_see,
    require_any,
    show_thing,
    todo_of,
)

MEMBERS_PATH = "/market/members"
FUNDS_PATH = "/market/funds"
_TONES = {MemberState.ADMITTED: "good", MemberState.REFUSED: "bad", MemberState.ENDED: ""}
_DEPOSITS = PageRequest(size=200)


@get(MEMBERS_PATH, sync_to_thread=True)
def member_list(desk: FromDesk) -> Response[Any]:
    """This will list memberships: the venue's staff all at the venue, others their own."""
    mine = desk.require()
    with desk.reading() as tx:
        found, is_cut = gather_own(
            parties_to_see(tx, mine, trust.Kind.MEMBERSHIP),
            lambda page, party: market.find_members(tx, page=page, party=party),
            key=lambda one: one.id,
        )
        names = desk.names(tx, {one.venue for one in found})
        may_apply = any(
            trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.MEMBERSHIP, owner=trust.PartyId(p))
            for p in mine.parties or (mine.party,)
        )
        may_open = trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.VENUE)
    columns = _member_columns(desk, names)
    filters = (
        Filter[Member](
            name="state",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.member_state.{one.value}"))
                for one in MemberState
            ),
            of=lambda one: one.state.value,
        ),
    )
    actions = []
    if may_apply:
        actions.append((*APPLY_MEMBER.link(desk), "btn-primary"))
    if may_open:
        actions.append((*OPEN_VENUE.link(desk), "btn-quiet"))
    return tables.gathered_list(
        desk,
        "ui.members",
        found,
        columns=columns,
        filters=filters,
        is_cut=is_cut,
        actions=tuple(actions),
    )


def _member_columns(desk: Desk, names: Mapping[str, str]) -> tuple[Column[Member], ...]:
    return (
        Column[Member](
            name="name",
            label="ui.member.name",
            value=lambda one: one.name,
            href=lambda one: f"{MEMBERS_PATH}/{one.id}",
            sub=lambda one: one.code,
        ),
        Column[Member](
            name="roles",
            label="ui.ask.member_roles",
            value=lambda one: desk.series(
                desk.text(f"ui.member_role.{role.value}") for role in one.roles
            ),
        ),
        Column[Member](
            name="venue",
            label="ui.listing.venue",
            value=lambda one: names.get(one.venue, one.venue),
        ),
        Column[Member](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.member_state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: _TONES.get(one.state, "wait"),
        ),
        Column[Member](
            name="applied",
            label="ui.registry.applied",
            value=lambda one: one.committed_at,
            show=Show.INSTANT,
        ),
    )


@get(f"{MEMBERS_PATH}/{{about:str}}", sync_to_thread=True)
def member_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show one membership with its signed commitment."""
    desk.require()
    with desk.reading() as tx:
        held = market.get_member(tx, MemberId(about))
        names = desk.names(tx, {held.venue, held.party})
        todo, waits = todo_of(
            desk,
            tx,
            held.procedure,
            held.id,
            {"admit": ADMIT_MEMBER, "refuse": REFUSE_MEMBER, "end": END_MEMBER},
        )
    commitment = market.get_commitment(CommitmentKind.MEMBER)
    said = commitment.en if desk.visit.language == "en" else commitment.zh
    return show_thing(
        desk,
        Thing(
            title=held.name,
            lead=desk.text("ui.member.lead"),
            trail=((MEMBERS_PATH, desk.text("ui.members.title")),),
            badges=(
                Cell(
                    words=desk.text(f"ui.member_state.{held.state.value}"),
                    tone=_TONES.get(held.state, "wait"),
                ),
            ),
            left=(
                Card(
                    name="commitment",
                    title=desk.text("ui.propose.commitment"),
                    lead=desk.text("ui.member.committed", when=desk.when(held.committed_at)),
                    quotes=((commitment.ground, said),),
                ),
            ),
            right=(
                Card(
                    name="about-it",
                    title=desk.text("ui.thing.about"),
                    rows=(
                        (desk.text("ui.listing.venue"), names[held.venue]),
                        (desk.text("ui.member.code"), held.code),
                        (
                            desk.text("ui.ask.member_roles"),
                            desk.series(
                                desk.text(f"ui.member_role.{one.value}") for one in held.roles
                            ),
                        ),
                        (desk.text("ui.member.material"), id_cell(held.material.hex())),
                        (
                            desk.text("ui.member.funds"),
                            Cell(
                                words=desk.text("ui.funds.title"),
                                href=f"{FUNDS_PATH}/{held.party}",
                            ),
                        ),
                    ),
                ),
            ),
            acts=todo,
            waits_for=waits,
        ),
    )


@get(FUNDS_PATH, sync_to_thread=True)
def fund_list(desk: FromDesk) -> Response[Any]:
    """This will list the members one may see with what they have paid in and what is frozen."""
    mine = desk.require()
    with desk.reading() as tx:
        members, is_cut = gather_own(
            parties_to_see(tx, mine, trust.Kind.FUND),
            lambda page, party: market.find_members(tx, page=page, party=party),
            key=lambda one: one.id,
        )
        funds = {
            one.id: market.get_funds(tx, venue=one.venue, party=one.party)
            for one in members
            if _may_see(tx, one.venue, one.party)
        }
        may_record = any(
            trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.FUND, owner=trust.PartyId(one))
            for one in mine.parties or (mine.party,)
        )
    rows = tuple(one for one in members if one.id in funds)
    columns = _fund_columns(funds)
    return tables.gathered_list(
        desk,
        "ui.funds",
        rows,
        columns=columns,
        is_cut=is_cut,
        actions=((*RECORD_DEPOSIT.link(desk), "btn-primary"),) if may_record else (),
    )


def _fund_columns(funds: Mapping[MemberId, Any]) -> tuple[Column[Member], ...]:
    return (
        Column[Member](
            name="name",
            label="ui.member.name",
            value=lambda one: one.name,
            href=lambda one: f"{FUNDS_PATH}/{one.party}",
        ),
        Column[Member](
            name="available",
            label="ui.funds.available",
            value=lambda one: _amount(funds[one.id], "available"),
            show=Show.MONEY,
        ),
        Column[Member](
            name="frozen",
            label="ui.funds.frozen",
            value=lambda one: _amount(funds[one.id], "frozen"),
            show=Show.MONEY,
        ),
    )


def _may_see(tx: Any, venue: trust.PartyId, party: trust.PartyId) -> bool:
    return any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.FUND, owner=one)
        for one in (venue, party)
    )


def _amount(balance: Any, part: str) -> Any:
    if balance is None:
        return tables.minor_units(0, 2)
    return tables.minor_units(balance.pending_out if part == "frozen" else balance.available, 2)


@get(f"{FUNDS_PATH}/{{about:str}}", sync_to_thread=True)
def fund_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show what a party has at the venues, payment by payment."""
    desk.require()
    party = trust.PartyId(about)
    cards: list[Card] = []
    columns = _deposit_columns()
    with desk.reading() as tx:
        names = desk.names(tx, {party})
        for venue in market.find_venues(tx):
            if not _may_see(tx, venue.party, party):
                continue
            balance = market.get_funds(tx, venue=venue.party, party=party)
            found = market.find_deposits(tx, venue=venue.party, party=party, page=_DEPOSITS).items
            cards.append(
                Card(
                    name="funds",
                    title=venue.name,
                    figures=(
                        (desk.text("ui.funds.available"), f"{_amount(balance, 'available'):,}"),
                        (desk.text("ui.funds.frozen"), f"{_amount(balance, 'frozen'):,}"),
                    ),
                )
            )
            cards.append(
                Card(
                    name="deposits",
                    title=desk.text("ui.funds.deposits"),
                    view=tables.list_table(
                        desk, found, columns=columns, is_searched=False, has_file=False
                    ),
                    none=desk.text("ui.funds.no_deposits"),
                )
            )
        may_record = _may_record(desk, tx)
    acts: tuple[Link, ...] = (
        (RECORD_DEPOSIT.link(desk, query=f"party={about}"),) if may_record else ()
    )
    return show_thing(
        desk,
        Thing(
            title=names.get(party, about),
            lead=desk.text("ui.funds.lead"),
            trail=((FUNDS_PATH, desk.text("ui.funds.title")),),
            left=tuple(cards),
            acts=acts,
        ),
    )


def _may_record(desk: Desk, tx: Any) -> bool:
    mine = desk.require()
    return any(
        trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.FUND, owner=trust.PartyId(one))
        for one in mine.parties or (mine.party,)
    )


def _deposit_columns() -> tuple[Column[Deposit], ...]:
    return (
        Column[Deposit](
            name="paid", label="ui.ask.paid_on", value=lambda one: one.paid_on, show=Show.DAY
        ),
        Column[Deposit](
            name="direction",
            label="ui.ask.direction",
            value=lambda one: f"ui.direction.{one.direction.value}",
            show=Show.LABEL,
        ),
        Column[Deposit](
            name="amount",
            label="ui.ask.amount",
            value=lambda one: tables.minor_units(one.amount, 2),
            show=Show.MONEY,
        ),
        Column[Deposit](
            name="reference", label="ui.ask.reference", value=lambda one: one.reference
        ),
    )


# -- acts -----------------------------------------------------------------------------------------


def _ask_venue(desk: Desk, _: str) -> Asked:
    require_any(desk, trust.Action.CREATE, trust.Kind.VENUE)
    with desk.reading() as tx:
        found = organizations(tx, trust.Role.VENUE)
    return Asked(
        trail=((MEMBERS_PATH, desk.text("ui.members.title")),),
        fields=(
            Field(name="venue", show=Input.CHOICE, label="ui.listing.venue", options=found,
                  refusals=("market.venue",)),
        ),
    )  # fmt: skip


def _open_venue(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    desk.execute(command, market.open_venue, venue=given.party("venue"))
    return MEMBERS_PATH


def _venues(desk: Desk) -> tuple[tuple[str, str], ...]:
    with desk.reading() as tx:
        return tuple((one.party, one.name) for one in market.find_venues(tx))


def _ask_membership(desk: Desk, _: str) -> Asked:
    with desk.reading() as tx:
        sides = my_party(desk, tx, trust.Action.CREATE, trust.Kind.MEMBERSHIP)
    commitment = market.get_commitment(CommitmentKind.MEMBER)
    said = commitment.en if desk.visit.language == "en" else commitment.zh
    return Asked(
        trail=((MEMBERS_PATH, desk.text("ui.members.title")),),
        texts=((desk.text("ui.propose.commitment"), said),),
        fields=(
            Field(name="party", show=Input.CHOICE, options=sides,
                  refusals=("market.member.",)),
            Field(name="venue", show=Input.CHOICE, label="ui.listing.venue", options=_venues(desk)),
            Field(
                name="member_roles",
                show=Input.SEVERAL,
                options=tuple(
                    (one.value, desk.text(f"ui.member_role.{one.value}")) for one in MemberRole
                ),
            ),
            Field(name="material", show=Input.FILES, hint="ui.ask.material.hint"),
            Field(name="agreed", show=Input.CHECK, label="ui.propose.agree"),
        ),
    )  # fmt: skip


def _apply_member(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    given.agreed("agreed")
    member = MemberId.of(command.uuid)
    given.files("material")
    desk.execute(
        command,
        market.apply_membership,
        member=member,
        venue=given.party("venue"),
        party=given.party("party"),
        roles=tuple(MemberRole(one) for one in given.several("member_roles")),
        material=hashlib.sha256(given.upload("material").content).digest(),
        commitment=market.get_commitment(CommitmentKind.MEMBER).digest,
    )
    return f"{MEMBERS_PATH}/{member}"


def _ask_decision(desk: Desk, about: str, *, danger: bool = False) -> Asked:
    with desk.reading() as tx:
        held = market.get_member(tx, MemberId(about))
    return Asked(
        about=held.name,
        trail=(
            (MEMBERS_PATH, desk.text("ui.members.title")),
            (f"{MEMBERS_PATH}/{about}", held.name),
        ),
        fields=(opinion_field(),),
        shown=(
            (desk.text("ui.member.code"), held.code),
            (
                desk.text("ui.ask.member_roles"),
                desk.series(desk.text(f"ui.member_role.{one.value}") for one in held.roles),
            ),
        ),
        danger=danger,
    )


def _admit(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command, market.admit_member, member=MemberId(about), opinion=given.text("opinion")
    )
    return f"{MEMBERS_PATH}/{about}"


def _refuse(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command, market.refuse_member, member=MemberId(about), opinion=given.text("opinion")
    )
    return f"{MEMBERS_PATH}/{about}"


def _end(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command, market.end_membership, member=MemberId(about), opinion=given.text("opinion")
    )
    return f"{MEMBERS_PATH}/{about}"


def _ask_deposit(desk: Desk, _: str) -> Asked:
    with desk.reading() as tx:
        venues = my_party(desk, tx, trust.Action.CREATE, trust.Kind.FUND)
        found, _cut = gather_own(
            [trust.PartyId(one) for one, _ in venues],
            lambda page, party: market.find_members(tx, page=page, party=party),
            key=lambda one: one.id,
        )
    members = {str(one.party): one.name for one in found if one.state is MemberState.ADMITTED}
    ways = tuple((one.value, desk.text(f"ui.direction.{one.value}")) for one in Direction)
    return Asked(
        trail=((FUNDS_PATH, desk.text("ui.funds.title")),),
        fields=(
            Field(name="venue", show=Input.CHOICE, label="ui.listing.venue", options=venues),
            Field(
                name="party",
                show=Input.CHOICE,
                label="ui.member.name",
                options=tuple(members.items()),
                value=desk.argument("party"),
            ),
            Field(name="direction", show=Input.CHOICE, options=ways, value=Direction.IN.value),
            Field(name="amount", show=Input.MONEY, most=18,
                  refusals=("market.deposit.bad", "market.funds.short")),
            Field(name="reference", most=60, hint="ui.ask.reference.hint",
                  refusals=("market.deposit.taken",)),
            Field(name="paid_on", show=Input.DAY),
        ),
    )  # fmt: skip


def _record_deposit(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    party = given.party("party")
    desk.execute(
        command,
        market.record_deposit,
        deposit=DepositId.of(command.uuid),
        venue=given.party("venue"),
        party=party,
        direction=given.choice("direction", Direction),
        amount=given.money("amount"),
        reference=given.text("reference"),
        paid_on=given.day("paid_on"),
    )
    return f"{FUNDS_PATH}/{party}"


OPEN_VENUE = Act(
    name="open_venue",
    path="/market/venues/open",
    command="market.venue.open",
    ask=_ask_venue,
    do=_open_venue,
)
APPLY_MEMBER = Act(
    name="apply_member",
    path=f"{MEMBERS_PATH}/apply",
    command="market.member.apply",
    ask=_ask_membership,
    do=_apply_member,
    takes_files=True,
)
ADMIT_MEMBER = Act(
    name="admit_member",
    path=f"{MEMBERS_PATH}/{{about:str}}/admit",
    command="market.member.admit",
    ask=_ask_decision,
    do=_admit,
)
REFUSE_MEMBER = Act(
    name="refuse_member",
    path=f"{MEMBERS_PATH}/{{about:str}}/refuse",
    command="market.member.refuse",
    ask=lambda desk, about: _ask_decision(desk, about, danger=True),
    do=_refuse,
)
END_MEMBER = Act(
    name="end_member",
    path=f"{MEMBERS_PATH}/{{about:str}}/end",
    command="market.member.end",
    ask=lambda desk, about: _ask_decision(desk, about, danger=True),
    do=_end,
)
RECORD_DEPOSIT = Act(
    name="record_deposit",
    path=f"{FUNDS_PATH}/record",
    command="market.deposit.record",
    ask=_ask_deposit,
    do=_record_deposit,
)
ACTS = (OPEN_VENUE, APPLY_MEMBER, ADMIT_MEMBER, REFUSE_MEMBER, END_MEMBER, RECORD_DEPOSIT)
HANDLERS = (member_list, member_page, fund_list, fund_page)
