# SPDX-License-Identifier: Apache-2.0
"""The API of 产权 rights: codes, grounds, and grants with their standing and explanation."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import rights, trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1 import rights_shapes as shapes
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import parse_instant
from lingqu.rights import obligations, quantities


@reads("/codes", "List the codes of terms")
def find_codes(platform: FromPlatform, visit: FromVisit) -> shapes.CodeList:
    """This will list every code of every tree with its labels, parents first."""
    with platform.database.reading(visit.caller) as tx:
        return shapes.CodeList(items=[shapes.code_view(one) for one in rights.find_codes(tx)])


@makes("/codes", "rights.code.register", "Register a code")
def register_code(write: FromWrite, data: JSONBody[shapes.RegisterCode]) -> shapes.CodeView:
    """This will add a code to a tree."""
    made = write.execute(
        rights.register_code,
        tree=rights.TreeName(data.tree),
        code=data.code,
        parent=data.parent,
        zh=data.zh,
        en=data.en,
        source=data.source,
    )
    return shapes.code_view(made)


@makes("/grounds", "rights.ground.record", "Record a ground")
def record_ground(write: FromWrite, data: JSONBody[shapes.RecordGround]) -> shapes.GroundView:
    """This will record why somebody may have a right."""
    made = write.execute(
        rights.record_ground,
        ground=rights.GroundId(data.ground),
        kind=rights.GroundKind(data.kind),
        title=data.title,
        party=trust.PartyId(data.party),
        evidence=shapes.digest(data.evidence),
        articles=tuple(data.articles),
        assessment=None if data.assessment is None else shapes.digest(data.assessment),
    )
    return shapes.ground_view(made)


@reads("/grounds/{ground:str}", "Read a ground")
def get_ground(
    platform: FromPlatform, visit: FromVisit, ground: FromPath[str]
) -> shapes.GroundView:
    """This will read one ground."""
    wanted = rights.GroundId(ground)
    with platform.database.reading(visit.caller) as tx:
        return shapes.ground_view(rights.get_ground(tx, wanted))


@makes("/roots", "rights.root.issue", "Issue a root grant")
def issue_root(write: FromWrite, data: JSONBody[shapes.IssueRoot]) -> shapes.GrantView:
    """This will begin a tree of grants from a ground."""
    made = write.execute(
        rights.issue_root,
        grant=rights.GrantId(data.grant),
        ground=rights.GroundId(data.ground),
        holder=trust.PartyId(data.holder),
        kind=rights.GrantKind(data.kind),
        terms=shapes.terms_form(data.terms),
        quotas=shapes.read_quantities(data.quotas),
        duties=shapes.read_duties(data.duties),
    )
    return shapes.grant_view(made)


@reads("/grants", "List grants")
def find_grants(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    holder: Annotated[str | None, QueryParameter(name="holder", max_length=60)] = None,
    parent: Annotated[str | None, QueryParameter(name="parent", max_length=60)] = None,
) -> shapes.GrantPage:
    """This will list the grants of a holder, or those right below one grant, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = rights.find_grants(
            tx,
            page=request,
            holder=None if holder is None else trust.PartyId(holder),
            parent=None if parent is None else rights.GrantId(parent),
        )
    return shapes.GrantPage(items=[shapes.grant_view(one) for one in page.items], next=page.next)


@makes("/grants", "rights.grant.issue", "Issue a grant")
def issue_grant(write: FromWrite, data: JSONBody[shapes.IssueGrant]) -> shapes.GrantView:
    """This will give a part of a right on to another holder."""
    made = write.execute(
        rights.issue_grant,
        grant=rights.GrantId(data.grant),
        parent=rights.GrantId(data.parent),
        holder=trust.PartyId(data.holder),
        kind=rights.GrantKind(data.kind),
        terms=shapes.terms_form(data.terms),
        quotas=shapes.read_quantities(data.quotas),
        duties=shapes.read_duties(data.duties),
    )
    return shapes.grant_view(made)


@reads("/grants/{grant:str}", "Read a grant")
def get_grant(platform: FromPlatform, visit: FromVisit, grant: FromPath[str]) -> shapes.GrantState:
    """This will read one grant and whether it is alive."""
    wanted = rights.GrantId(grant)
    with platform.database.reading(visit.caller) as tx:
        found = rights.get_grant(tx, wanted)
        return shapes.grant_state(
            found, rights.find_life(tx, found), rights.get_freshness(tx, wanted)
        )


@reads("/grants/{grant:str}/explanation", "Explain a grant")
def explain_grant(
    platform: FromPlatform, visit: FromVisit, grant: FromPath[str]
) -> shapes.ExplanationView:
    """This will tell, in both languages, the path from a grant up to its ground."""
    wanted = rights.GrantId(grant)
    with platform.database.reading(visit.caller) as tx:
        explained = rights.explain_grant(tx, wanted)
    return shapes.ExplanationView(
        grant=grant,
        path=[one.id for one in explained.path],
        articles=list(explained.ground.articles),
        zh=list(rights.explanation_lines(explained, "zh-CN")),
        en=list(rights.explanation_lines(explained, "en")),
    )


@reads("/grants/{grant:str}/verdict", "Ask whether a use is permitted")
def judge_use(
    platform: FromPlatform,
    visit: FromVisit,
    grant: FromPath[str],
    purpose: Annotated[str, QueryParameter(name="purpose", max_length=60)],
    action: Annotated[str, QueryParameter(name="action", max_length=60)],
    territory: Annotated[str, QueryParameter(name="territory", max_length=60)],
    environment: Annotated[str, QueryParameter(name="environment", max_length=60)],
    recipient: Annotated[str, QueryParameter(name="recipient", max_length=200)],
    fields: Annotated[str, QueryParameter(name="fields", max_length=4000)] = "",
    level: Annotated[int, QueryParameter(name="level", ge=0, le=100)] = 0,
) -> shapes.VerdictView:
    """This will say whether a use would be permitted now; `fields` are joined by commas."""
    wanted = rights.GrantId(grant)
    use = rights.Use(
        purpose=purpose,
        action=action,
        territory=territory,
        environment=environment,
        recipient=recipient,
        fields=tuple(one for one in fields.split(",") if one),
        level=level,
    )
    with platform.database.reading(visit.caller) as tx:
        rights.get_grant(tx, wanted)
        verdict = rights.judge_use(tx, grant=wanted, use=use)
        fresh = rights.get_freshness(tx, wanted)
    return shapes.verdict_view(verdict, fresh)


@does("/grants/{grant:str}/revoke", "rights.grant.revoke", "Revoke a grant")
def revoke_grant(
    write: FromWrite, grant: FromPath[str], data: JSONBody[shapes.RevokeGrant]
) -> shapes.EndingView:
    """This will end a grant and everything below it at once."""
    ending = write.execute(
        rights.revoke_grant,
        grant=rights.GrantId(grant),
        cause=rights.RevocationCause(data.cause),
        article=data.article,
    )
    return shapes.ending_view(ending)


@does("/grants/{grant:str}/narrow", "rights.grant.narrow", "Narrow a grant")
def narrow_grant(
    write: FromWrite, grant: FromPath[str], data: JSONBody[shapes.NarrowGrant]
) -> shapes.SuccessionView:
    """This will bring a grant and everything below it under narrower terms, by successors."""
    done = write.execute(
        rights.narrow_grant, grant=rights.GrantId(grant), terms=shapes.terms_form(data.terms)
    )
    return shapes.succession_view(done)


@does("/grants/{grant:str}/adopt", "rights.grant.adopt", "Adopt a grant's children")
def adopt_children(write: FromWrite, grant: FromPath[str]) -> shapes.SuccessionView:
    """This will end a grant and hang its living children under its parent."""
    done = write.execute(rights.adopt_children, grant=rights.GrantId(grant))
    return shapes.succession_view(done)


@reads("/grants/{grant:str}/quotas", "Read what a grant may still use")
def get_quota(platform: FromPlatform, visit: FromVisit, grant: FromPath[str]) -> shapes.QuotaList:
    """This will say what a grant has of each currency, and what fell to it from dead grants."""
    wanted = rights.GrantId(grant)
    with platform.database.reading(visit.caller) as tx:
        found = quantities.get_quota(tx, wanted)
    return shapes.QuotaList(items=[shapes.quota_view(one) for one in found])


@makes("/grants/{grant:str}/quotas", "rights.quota.add", "Give a grant more to use")
def add_quota(
    write: FromWrite, grant: FromPath[str], data: JSONBody[shapes.QuantityShape]
) -> shapes.QuantityShape:
    """This will give a grant more, out of its parent's quantity; to a root newly issued."""
    write.execute(
        quantities.add_quota,
        grant=rights.GrantId(grant),
        currency=data.currency,
        amount=data.amount,
    )
    return data


@makes("/leases", "rights.lease.take", "Take a lease")
def take_lease(write: FromWrite, data: JSONBody[shapes.TakeLease]) -> shapes.LeaseView:
    """This will reserve a part of a grant's quantity for the caller to spend locally."""
    made = write.execute(
        quantities.take_lease,
        lease=quantities.LeaseId(data.lease),
        grant=rights.GrantId(data.grant),
        currency=data.currency,
        amount=data.amount,
        expires_at=parse_instant(data.expires_at),
    )
    return shapes.lease_view(made)


@does("/leases/{lease:str}/settle", "rights.lease.settle", "Settle a lease")
def settle_lease(
    write: FromWrite, lease: FromPath[str], data: JSONBody[shapes.SettleLease]
) -> shapes.LeaseView:
    """This will book what was used of a lease and free the rest."""
    done = write.execute(quantities.settle_lease, lease=quantities.LeaseId(lease), used=data.used)
    return shapes.lease_view(done)


@reads("/grants/{grant:str}/obligations", "List what a grant obliges to")
def find_obligations(
    platform: FromPlatform, visit: FromVisit, grant: FromPath[str]
) -> shapes.ObligationList:
    """This will list what the holder of a grant owes, and when it is due."""
    wanted = rights.GrantId(grant)
    with platform.database.reading(visit.caller) as tx:
        found = obligations.find_obligations(tx, grant=wanted)
    items = [shapes.obligation_view(one.obligation, one.due_at) for one in found]
    return shapes.ObligationList(items=items)


@does("/obligations/{obligation:str}/fulfill", "rights.obligation.fulfill", "Fulfill an obligation")
def fulfill_obligation(
    write: FromWrite, obligation: FromPath[str], data: JSONBody[shapes.FulfillObligation]
) -> shapes.ObligationView:
    """This will record that the holder did what it owed."""
    done = write.execute(
        obligations.fulfill_obligation,
        obligation=obligations.ObligationId(obligation),
        evidence=shapes.digest(data.evidence),
    )
    return shapes.obligation_view(done, None)


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_codes, register_code, record_ground, get_ground, issue_root, find_grants, issue_grant,
        get_grant, explain_grant, judge_use, revoke_grant, narrow_grant, adopt_children,
        get_quota, add_quota, take_lease, settle_lease,
        find_obligations, fulfill_obligation,
    ]  # fmt: skip
    return routes_of("/api/v1/rights", "rights", handlers)
