# SPDX-License-Identifier: Apache-2.0
"""The API of policies in foreign formats: what one permits, a grant as one, one as a grant."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import rights, trust
from lingqu.api.routes import asks, makes, reads, routes_of
from lingqu.api.v1 import rights_shapes as shapes
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite

exchange = rights.exchange


class CheckPolicy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A policy document of ODRL 2.2 or TC609-6-2025-14, as text: it is read to the letter."""

    text: Annotated[str, msgspec.Meta(max_length=exchange.POLICY_BYTES_MAX)]


class FollowPolicy(CheckPolicy, kw_only=True, forbid_unknown_fields=True):
    """A grant below `parent` under exactly what a policy document says."""

    grant: str
    parent: str
    holder: str
    kind: shapes.KindName


class PolicyExplanation(msgspec.Struct, kw_only=True):
    """What the policy permits and demands, in words, line by line, in both languages."""

    format: Literal["odrl", "tc609"]
    zh: list[str]
    en: list[str]


@asks("/check", "Check a policy in a foreign format")
def check_policy(
    platform: FromPlatform, visit: FromVisit, data: JSONBody[CheckPolicy]
) -> PolicyExplanation:
    """This will say what a policy permits, or refuse it by its place; nothing is stored."""
    with platform.database.reading(visit.caller) as tx:
        vocabulary, labels = rights.load_vocabulary(tx), rights.find_codes(tx)
    found, policy = exchange.read_policy(data.text, vocabulary=vocabulary)
    return PolicyExplanation(
        format=found.value,
        zh=list(exchange.explain_policy(policy, "zh-CN", labels)),
        en=list(exchange.explain_policy(policy, "en", labels)),
    )


@makes("/grants", "rights.policy.grant", "Issue a grant by a policy")
def issue_by_policy(write: FromWrite, data: JSONBody[FollowPolicy]) -> shapes.GrantView:
    """This will give a part of a right on under exactly what a document says, or refuse it."""
    made = write.execute(
        exchange.issue_by_policy,
        grant=rights.GrantId(data.grant),
        parent=rights.GrantId(data.parent),
        holder=trust.PartyId(data.holder),
        kind=rights.GrantKind(data.kind),
        text=data.text,
    )
    return shapes.grant_view(made)


@reads("/grants/{grant:str}", "Read a grant as a policy")
def get_policy(
    platform: FromPlatform,
    visit: FromVisit,
    grant: FromPath[str],
    wanted: Annotated[
        Literal["odrl", "tc609"], QueryParameter(name="format", description="The format")
    ] = "odrl",
) -> dict[str, Any]:
    """This will write a grant, with what is left to use and what it obliges to, as a policy."""
    with platform.database.reading(visit.caller) as tx:
        policy = exchange.policy_of(tx, rights.GrantId(grant))
    return exchange.write_policy(policy, exchange.PolicyFormat(wanted))


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    return routes_of(
        "/api/v1/rights/policies", "rights", [check_policy, issue_by_policy, get_policy]
    )
