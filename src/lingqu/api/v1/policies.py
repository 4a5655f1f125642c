# SPDX-License-Identifier: Apache-2.0
"""The API of policies in foreign formats: what one would permit, or why it is refused."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import Router
from litestar.params import JSONBody

from lingqu import rights
from lingqu.api.routes import asks, routes_of
from lingqu.api.writes import FromPlatform, FromVisit

exchange = rights.exchange


class CheckPolicy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A policy document of ODRL 2.2 or TC609-6-2025-14, as text: it is read to the letter."""

    text: Annotated[str, msgspec.Meta(max_length=exchange.POLICY_BYTES_MAX)]


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


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    return routes_of("/api/v1/rights/policies", "rights", [check_policy])
