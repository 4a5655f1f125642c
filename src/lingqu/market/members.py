# SPDX-License-Identifier: Apache-2.0
"""入场: who may trade at a venue, in which roles, under which signed commitment.

An organisation with a registered code applies with its material and the signed commitment; the
venue's staff review and admit it. Its name and code are kept as they were then: they stand in
contracts. Who runs the venue does not trade there.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.market.commitments import CommitmentKind, confirm_commitment
from lingqu.market.venues import get_venue
from lingqu.runtime import Tx, new_id
from lingqu.trust import holds, identity, procedures


class MemberId(Id):
    """The id of one membership, from the application on."""

    prefix = "mbr"


class MemberRole(enum.Enum):
    """What a member does at the venue (市场主体)."""

    SELLER = "seller"
    """数据供给主体."""
    BUYER = "buyer"
    """数据需求主体."""
    MERCHANT = "merchant"
    """数据商."""
    SERVICE = "service"
    """第三方专业服务机构."""


class MemberState(enum.Enum):
    """Where a membership stands."""

    APPLIED = "applied"
    ADMITTED = "admitted"
    REFUSED = "refused"
    ENDED = "ended"


class MemberNotFound(errors.NotFound):
    """There is no such membership, or the caller may not know of it."""

    code = "market.member.not_found"


class MemberTaken(errors.Conflict):
    """The party has applied to this venue or is admitted already."""

    code = "market.member.taken"


class BadMember(errors.Rejected):
    """An application names each role once and the SHA-256 of its material."""

    code = "market.member.bad"


class NotIdentified(errors.Rejected):
    """Only an organisation with a registered code trades at a venue."""

    code = "market.member.not_identified"
    article = "《中华人民共和国数据安全法》第三十三条"


class NotAdmitted(errors.Conflict):
    """The party is not admitted to the venue in this role."""

    code = "market.member.not_admitted"


class VenueTradesItself(errors.Rejected):
    """Who runs the venue does not trade there."""

    code = "market.member.venue_itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A membership. `name` and `code` are the organisation's as it applied."""

    id: MemberId
    venue: trust.PartyId
    party: trust.PartyId
    name: str
    code: str
    roles: tuple[MemberRole, ...]
    material: bytes
    commitment: bytes
    committed_by: trust.AccountId
    committed_at: Instant
    state: MemberState
    procedure: procedures.ProcedureId
    decided_at: Instant | None = None
    version: int = 1


MEMBERS = trust.Table("market.member", Member, not_found=MemberNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberApplied(trust.Fact):
    """A party applied to a venue and signed the commitment."""

    kind = "market.member.applied"
    member: MemberId
    venue: trust.PartyId
    party: trust.PartyId
    roles: tuple[MemberRole, ...]
    material: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberDecided(trust.Fact):
    """A venue admitted a party, refused it, or ended its membership."""

    kind = "market.member.decided"
    member: MemberId
    venue: trust.PartyId
    party: trust.PartyId
    state: MemberState


@trust.command("market.member.apply")
def apply_membership(
    tx: Tx,
    *,
    member: MemberId,
    venue: trust.PartyId,
    party: trust.PartyId,
    roles: tuple[MemberRole, ...],
    material: bytes,
    commitment: bytes,
) -> Member:
    """This will apply for admission to a venue, with the signed commitment.

    `material` is the SHA-256 of what was handed in, `commitment` that of the text that was signed.
    Raises VenueNotFound, NotIdentified, MemberTaken, BadMember, CommitmentDiffers, Held.
    """
    get_venue(tx, venue)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.MEMBERSHIP, owner=party)
    if party == venue:
        raise VenueTradesItself(venue=venue)
    if not roles or len(set(roles)) != len(roles) or len(material) != len(commitment):
        raise BadMember(part="roles" if len(material) == len(commitment) else "material")
    confirm_commitment(CommitmentKind.MEMBER, commitment)
    holds.refuse_held(tx, subjects=(party, venue))
    name, code = _identified(tx, party)
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", (party,))
    if MEMBERS.find(tx, f"{_LIVING} AND party = %s", (venue, party)):
        raise MemberTaken(venue=venue, party=party)
    opened = procedures.begin_procedure(
        tx,
        procedure=new_id(procedures.ProcedureId),
        chart="market.admission",
        subject=member,
        title=name,
        owner=party,
        parts=(
            procedures.Part(role="applicant", party=party),
            procedures.Part(role="venue", party=venue),
        ),
    )
    made = Member(
        id=member,
        venue=venue,
        party=party,
        name=name,
        code=code,
        roles=tuple(sorted(roles, key=lambda one: one.value)),
        material=material,
        commitment=commitment,
        committed_by=trust.AccountId(tx.caller.account),
        committed_at=tx.now,
        state=MemberState.APPLIED,
        procedure=opened.id,
    )
    MEMBERS.insert(tx, made)
    trust.record(
        tx,
        MemberApplied(
            member=member,
            venue=venue,
            party=party,
            roles=made.roles,
            material=material,
            commitment=commitment,
        ),
    )
    return made


@trust.command("market.member.admit")
def admit_member(tx: Tx, *, member: MemberId, opinion: str) -> Member:
    """This will admit a party after review. Raises MemberNotFound, IllegalMove, Held."""
    held = MEMBERS.lock(tx, member)
    holds.refuse_held(tx, subjects=(held.party, held.venue))
    return _decide(tx, held, "admit", MemberState.ADMITTED, opinion)


@trust.command("market.member.refuse")
def refuse_member(tx: Tx, *, member: MemberId, opinion: str) -> Member:
    """This will refuse an application. Raises MemberNotFound, IllegalMove."""
    return _decide(tx, MEMBERS.lock(tx, member), "refuse", MemberState.REFUSED, opinion)


@trust.command("market.member.end")
def end_membership(tx: Tx, *, member: MemberId, opinion: str) -> Member:
    """This will end a membership; contracts in force go on. Raises MemberNotFound, IllegalMove."""
    return _decide(tx, MEMBERS.lock(tx, member), "end", MemberState.ENDED, opinion)


def require_member(
    tx: Tx, *, venue: trust.PartyId, party: trust.PartyId, role: MemberRole
) -> Member:
    """This will give the living membership of a party in a role; raises NotAdmitted."""
    found = MEMBERS.find(
        tx, "WHERE venue = %s AND state = 'admitted' AND party = %s", (venue, party)
    )
    merchant = {MemberRole.MERCHANT} if role is MemberRole.SELLER else set()
    if not found or not {role, *merchant} & set(found[0].roles):
        raise NotAdmitted(venue=venue, party=party, role=role.value)
    return found[0]


def get_member(tx: Tx, member: MemberId) -> Member:
    """This will read a membership the caller may see; raises MemberNotFound otherwise."""
    found = MEMBERS.get(tx, member)
    if not any(_may_read(tx, owner) for owner in (found.party, found.venue)):
        raise MemberNotFound(id=member)
    return found


def find_members(
    tx: Tx,
    *,
    page: PageRequest,
    party: trust.PartyId | None = None,
    state: MemberState | None = None,
) -> Page[Member]:
    """This will list memberships, newest first: of a party or of a venue, or all.

    Raises AccessDenied where the caller may not see them.
    """
    if not _may_read(tx, party):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.MEMBERSHIP.value)
    wanted = None if state is None else state.value
    found = MEMBERS.find(
        tx,
        "WHERE (%s::text IS NULL OR %s IN (party, venue)) AND (%s::text IS NULL OR state = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s",
        (party, party, wanted, wanted, page.key, page.key, page.size + 1),
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


_LIVING = "WHERE venue = %s AND state IN ('applied', 'admitted')"


def _decide(tx: Tx, held: Member, move: str, state: MemberState, opinion: str) -> Member:
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.MEMBERSHIP, owner=held.venue)
    procedures.advance_procedure(
        tx, procedure=held.procedure, move=move, given=procedures.Given(opinion=opinion)
    )
    decided = MEMBERS.update(tx, held, state=state, decided_at=tx.now)
    trust.record(tx, MemberDecided(member=held.id, venue=held.venue, party=held.party, state=state))
    return decided


def _identified(tx: Tx, party: trust.PartyId) -> tuple[str, str]:
    known = identity.find_organization(tx, party)
    name = trust.get_party(tx, party).name
    if known is None or known.code is None or name is None:
        raise NotIdentified(party=party)
    return name, known.code


def _may_read(tx: Tx, owner: trust.PartyId | None) -> bool:
    return trust.is_allowed(tx, trust.Action.READ, trust.Kind.MEMBERSHIP, owner=owner)
