# SPDX-License-Identifier: Apache-2.0
"""How a fact becomes notices of the parties it concerns, in the follower's own transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust.access import PartyId, holdings
from lingqu.trust.rows import AuditClass, declare
from lingqu.trust.subscriptions import DeliveredFact, Subscription

NAME = "trust.notices"
_TELL = """
    INSERT INTO trust.notice (party, fact, kind, subject, at)
    SELECT id, %s, %s, %s, %s FROM trust.party WHERE id = %s ON CONFLICT DO NOTHING
"""
_FOUND = """
    SELECT party, fact, kind, subject, at FROM trust.notice
    WHERE party = ANY(%s) AND (%s::timestamptz IS NULL OR at > %s)
    ORDER BY at DESC, fact DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Whom a fact concerns, what it means to them, and about which thing (by its id)."""

    party: PartyId
    kind: str
    subject: str


Teller = Callable[[Tx, DeliveredFact], Iterable[Told]]
"""Says whom a fact of one kind concerns; a fact of the past may find things as they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a party was told: by which fact, when, and about which thing."""

    party: PartyId
    fact: str
    kind: str
    subject: str
    at: Instant


def follower(*tellers: Mapping[str, Teller]) -> Subscription:
    """This will give the one follower that keeps what all tellers say."""

    def tell(tx: Tx, fact: DeliveredFact) -> None:
        for known in tellers:
            if fact.kind in known:
                for one in known[fact.kind](tx, fact):
                    tx.execute(_TELL, (fact.id, one.kind, one.subject, fact.at, one.party))

    kinds = frozenset(kind for known in tellers for kind in known)
    return Subscription(name=NAME, handler=tell, kinds=kinds)


def parties_told(tx: Tx) -> tuple[PartyId, ...]:
    """This will give the parties the caller acts for: their notices are the caller's."""
    return tuple(dict.fromkeys(PartyId(one.party) for one in holdings(tx) if one.party))


def find_notices(tx: Tx, *, most: int, after: Instant | None = None) -> tuple[Notice, ...]:
    """This will list what the parties the caller acts for were told, newest first."""
    rows = tx.all(_FOUND, ([*parties_told(tx)], after, after, most))
    return tuple(Notice(**{**row, "party": PartyId(row["party"])}) for row in rows)


declare(AuditClass.OPERATIONAL, "trust.notice")
