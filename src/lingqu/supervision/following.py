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

from lingqu import market, rights, trust
from lingqu.kernel.ids import Id
from lingqu.runtime import Tx

NAME = "supervision.following"
REFUSED = "trust.command.refused"
METERED = "gate.batch.metered"
USE = "gate.call"
"""What a refused use is called among the acts, beside the names of commands."""
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
        (fact, position, at, account, party, act, channel, code, article, rules)
    VALUES (%s, 0, %s, %s, (SELECT party FROM trust.pub_account WHERE id = %s), %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
_REFUSED_CALLS = """
    INSERT INTO supervision.refusal
        (fact, position, at, account, party, act, subject, grant_id, channel, code, article, rules)
    SELECT %s, position, at, account, holder, %s, product, grant_id, 'api', refusal, article, %s
    FROM gate.pub_call WHERE batch = %s AND refusal IS NOT NULL
    ON CONFLICT DO NOTHING
"""
_FLOW = """
    INSERT INTO supervision.flow
        (batch, fact, at, grant_id, product, holder, contract, answered, units, yes, no, once,
         unknown, refused)
    VALUES (%(batch)s, %(fact)s, %(at)s, %(grant)s, %(product)s, %(holder)s, %(contract)s,
            %(answered)s, %(units)s, %(yes)s, %(no)s, %(once)s, %(unknown)s, %(refused)s)
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
            fact.id, fact.at, data["by"], data["by"], data["command"], data["channel"],
            data["code"], data["article"], entry["rules"],
        )  # fmt: skip
        tx.execute(_REFUSAL, values)
    elif fact.kind == METERED:
        _follow_batch(tx, fact)


def _follow_batch(tx: Tx, fact: trust.DeliveredFact) -> None:
    entry = json.loads(fact.body)
    data = entry["data"]
    batch = data["batch"]["id"]
    contract = market.find_contract_by_grant(tx, rights.GrantId(data["grant"]))
    counts = ("answered", "units", "yes", "no", "once", "unknown")
    tx.execute(
        _FLOW,
        {
            "batch": batch,
            "fact": fact.id,
            "at": fact.at,
            "grant": data["grant"],
            "product": data["product"],
            "holder": data["holder"],
            "contract": None if contract is None else contract.id,
            **{name: data[name] for name in counts},
            "refused": sum(one["count"] for one in data["refused"]),
        },
    )
    if data["refused"]:
        tx.execute(_REFUSED_CALLS, (fact.id, USE, entry["rules"], batch))


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


_FLOWS = """
    SELECT f.id, d.batch, w.batch AS found FROM trust.pub_fact f
    JOIN trust.pub_subscription s ON s.name = %s AND s.origin = f.origin AND f.index < s.next
    CROSS JOIN LATERAL (SELECT f.body::jsonb -> 'data' AS data) AS b
    CROSS JOIN LATERAL (
        SELECT b.data -> 'batch' ->> 'id' AS batch, b.data ->> 'grant' AS grant_id,
               (b.data ->> 'units')::bigint AS units,
               (SELECT coalesce(sum((one ->> 'count')::bigint), 0)
                FROM jsonb_array_elements(b.data -> 'refused') AS one) AS refused
    ) AS d
    LEFT JOIN supervision.flow w ON w.batch = d.batch AND w.fact = f.id
        AND w.grant_id = d.grant_id AND w.units = d.units AND w.refused = d.refused
    WHERE f.kind = %s AND (w.batch IS NULL OR d.refused <> (
        SELECT count(*) FROM supervision.refusal r WHERE r.fact = f.id))
    ORDER BY f.id LIMIT 100
"""


def audit_followed(tx: Tx) -> Iterator[tuple[str, str, str, str]]:
    """This will name what the log has of refused attempts and uses and these tables have not."""
    for row in tx.all(_FLOWS, (NAME, METERED)):
        yield "supervision.flow", row["batch"], "as in the log", row["found"] or "absent"
    for row in tx.all(_UNSEEN, (NAME, REFUSED)):
        yield "supervision.refusal", row["id"], "refused", "absent"
    for row in tx.all(_UNFOUNDED, (REFUSED,)):
        yield "supervision.refusal", row["fact"], "as in the log", "different"


trust.declare(trust.AuditClass.OPERATIONAL, "supervision.mention", "supervision.flow")
trust.declare(trust.AuditClass.OPERATIONAL, "supervision.refusal", auditor=audit_followed)
