# SPDX-License-Identifier: Apache-2.0
"""What supervision keeps beside the log, so that it need not be read from its beginning each time.

One subscriber follows all facts. It notes which things a fact speaks of, by the typed ids that
stand in it, and sets down each refused attempt with who made it. All of it can be made again from
the log, and every audit does so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from lingqu import trust
from lingqu.kernel.ids import Id
from lingqu.runtime import Tx

NAME = "supervision.following"
REFUSED = "trust.command.refused"
_TYPED = re.compile(r'"(?:[^"\\]*/)?([a-z]{2,8})_([0-7][0-9a-hjkmnp-tv-z]{25})"')
_NOT_A_THING = frozenset({"fct", "cmd"})
"""Each fact has its own of these: nobody looks for what else speaks of them."""

_MENTION = """
    INSERT INTO supervision.mention (subject, fact, kind, at)
    SELECT subject, %s, %s, %s FROM unnest(%s::text[]) AS u (subject)
    ON CONFLICT DO NOTHING
"""
_REFUSAL = """
    INSERT INTO supervision.refusal
        (fact, position, at, account, party, act, subject, channel, code, article, rules, count)
    VALUES (%s, %s, %s, %s, (SELECT party FROM trust.pub_account WHERE id = %s),
            %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""


def subjects_of(body: str) -> tuple[str, ...]:
    """This will give the ids of the things a fact speaks of, once each, sorted."""
    found = {
        f"{prefix}_{rest}"
        for prefix, rest in _TYPED.findall(body)
        if prefix in Id.kinds and prefix not in _NOT_A_THING
    }
    return tuple(sorted(found))


def follow(tx: Tx, fact: trust.DeliveredFact) -> None:
    """This will take one fact of the log over; it is called once for each, in their order."""
    tx.execute(_MENTION, (fact.id, fact.kind, fact.at, list(subjects_of(fact.body))))
    if fact.kind == REFUSED:
        entry = json.loads(fact.body)
        data = entry["data"]
        values = (
            fact.id, 0, fact.at, data["by"], data["by"], data["command"], None, data["channel"],
            data["code"], data["article"], entry["rules"], 1,
        )  # fmt: skip
        tx.execute(_REFUSAL, values)


FOLLOWER = trust.Subscription(name=NAME, handler=follow)
"""Who follows the log for supervision; `wiring` lets it."""

_UNSEEN = """
    SELECT f.id FROM trust.pub_fact f
    JOIN trust.pub_subscription s ON s.name = %s AND s.origin = f.origin AND f.index < s.next
    WHERE f.kind = %s
      AND NOT EXISTS (SELECT 1 FROM supervision.refusal r WHERE r.fact = f.id)
    ORDER BY f.id LIMIT 100
"""
_UNFOUNDED = """
    SELECT r.fact FROM supervision.refusal r
    LEFT JOIN trust.pub_fact f ON f.id = r.fact
    WHERE r.act <> 'gate.call' AND (f.id IS NULL OR f.kind <> %s
        OR (f.body::jsonb -> 'data' ->> 'code') <> r.code
        OR (f.body::jsonb -> 'data' ->> 'by') <> r.account
        OR (f.body::jsonb -> 'data' ->> 'article') IS DISTINCT FROM r.article)
    ORDER BY r.fact LIMIT 100
"""


def audit_refusals(tx: Tx) -> Iterator[tuple[str, str, str, str]]:
    """This will name refused attempts that the log has and this table has not, or otherwise."""
    for row in tx.all(_UNSEEN, (NAME, REFUSED)):
        yield "supervision.refusal", row["id"], "refused", "absent"
    for row in tx.all(_UNFOUNDED, (REFUSED,)):
        yield "supervision.refusal", row["fact"], "as in the log", "different"


trust.declare(trust.AuditClass.OPERATIONAL, "supervision.mention")
trust.declare(trust.AuditClass.OPERATIONAL, "supervision.refusal", auditor=audit_refusals)
