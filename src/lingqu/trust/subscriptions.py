# SPDX-License-Identifier: Apache-2.0
"""Subscribers: each follows the log in its order and acts on every fact exactly once.

What a handler does and how far it has read change in one transaction. A handler that fails stops
its own queue at that fact, visibly, and is tried again; nothing is skipped and nobody else waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Database, Tx
from lingqu.runtime.observability import get_logger
from lingqu.trust.access import PLATFORM

_log = get_logger(__name__)


class SubscriptionUnfounded(errors.Unavailable):
    """There is no log to follow yet."""

    code = "trust.subscription.no_log"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredFact:
    """A fact with its place in the log; `body` is the canonical JSON of the leaf."""

    id: str
    origin: str
    index: int
    kind: str
    at: Instant
    command: str
    body: str

    @property
    def data(self) -> Mapping[str, Any]:
        """The fact's own fields."""
        parsed: Mapping[str, Any] = json.loads(self.body).get("data", {})
        return parsed


Handler = Callable[[Tx, DeliveredFact], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Who follows which kinds of facts, and what it does with each; no kinds means all."""

    name: str
    handler: Handler
    kinds: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStatus:
    """How far a subscriber has read, how many leaves it is behind, and why it stands still."""

    name: str
    origin: str
    next: int
    behind: int
    failure: str | None
    failed_at: Instant | None


_BEGIN = """
    INSERT INTO trust.subscription (name, origin, next)
    SELECT %s, origin, 0 FROM trust.log WHERE kind = 'own' ORDER BY number LIMIT 1
    ON CONFLICT DO NOTHING
"""
_LOCK = """
    SELECT origin, next, failure FROM trust.subscription WHERE name = %s FOR UPDATE SKIP LOCKED
"""
_KNOWN = "SELECT 1 AS known FROM trust.subscription WHERE name = %s"
_END = "SELECT coalesce(max(index) + 1, 0) AS size FROM trust.log_leaf WHERE origin = %s"
_IDLE = """
    SELECT EXISTS (
        SELECT 1 FROM trust.subscription s WHERE s.name = %(name)s
        AND NOT EXISTS (SELECT 1 FROM trust.log_leaf l
                        WHERE l.origin = s.origin AND l.index >= s.next)
        AND NOT EXISTS (SELECT 1 FROM trust.log g
                        WHERE g.predecessor = s.origin AND g.kind = 'own')
    ) AS idle
"""
_SUCCESSOR = "SELECT origin FROM trust.log WHERE predecessor = %s AND kind = 'own'"
_FACTS = """
    SELECT f.id, l.origin, l.index, f.kind, f.at, f.command, f.body
    FROM trust.log_leaf l JOIN trust.fact f ON f.id = l.fact
    WHERE l.origin = %(origin)s AND l.index >= %(next)s AND l.index < %(size)s
      AND (%(all)s OR f.kind = ANY(%(kinds)s))
    ORDER BY l.index LIMIT %(limit)s
"""
_MOVE = """
    UPDATE trust.subscription SET origin = %s, next = %s, failure = NULL, failed_at = NULL
    WHERE name = %s
"""
_FAIL = """
    UPDATE trust.subscription SET failure = %s, failed_at = %s WHERE name = %s AND next <= %s
"""
_STATUS = """
    SELECT s.name, s.origin, s.next, s.failure, s.failed_at,
           (SELECT coalesce(max(l.index) + 1, 0) FROM trust.log_leaf l WHERE l.origin = s.origin)
               - s.next AS behind
    FROM trust.subscription s ORDER BY s.name
"""


def deliver(database: Database, subscription: Subscription, *, limit: int = 100) -> int:
    """This will hand a subscriber the next facts of its kinds, at most `limit`; says how many.

    Does nothing while another process delivers to the same subscriber. A failure of the handler is
    recorded and logged, and its fact comes first at the next call. Raises what the database
    raises, and SubscriptionUnfounded before there is a log.
    """
    with database.reading() as tx:
        known = tx.maybe(_KNOWN, (subscription.name,)) is not None
        if tx.one(_IDLE, {"name": subscription.name})["idle"]:
            return 0
    if not known:
        database.run(PLATFORM, lambda tx: _begin(tx, subscription.name))
    turn = _Turn(subscription=subscription, limit=limit)
    while True:
        try:
            return database.run(PLATFORM, turn.take)
        except errors.Unavailable as refusal:
            if turn.at is None or refusal.code.startswith("runtime.database."):
                raise
            failure: Exception = refusal
        except Exception as error:
            # The edge of a worker: one subscriber's mistake is its own.
            if turn.at is None:
                raise
            failure = error
        done = turn.done
        if done == 0:
            _record_failure(database, subscription, turn.at, failure)
            return 0
        # The failing one took the others of its transaction with it: those again, without it.
        turn = _Turn(subscription=subscription, limit=done)


def subscriptions(tx: Tx) -> tuple[SubscriptionStatus, ...]:
    """This will say how each subscriber stands, by name."""
    return tuple(SubscriptionStatus(**row) for row in tx.all(_STATUS))


@dataclass(slots=True, kw_only=True)
class _Turn:
    """One transaction of deliveries; `at` is the fact being handled, `done` how many before it."""

    subscription: Subscription
    limit: int
    at: DeliveredFact | None = None
    done: int = 0

    def take(self, tx: Tx) -> int:
        self.at, self.done = None, 0
        position = tx.maybe(_LOCK, (self.subscription.name,))
        if position is None:
            return 0
        origin, next_index = position["origin"], position["next"]
        # Placed leaves are a prefix at any moment, so nothing below `size` can appear later.
        size = tx.one(_END, (origin,))["size"]
        rows = tx.all(_FACTS, self._values(origin, next_index, size))
        for row in rows:
            self.at = DeliveredFact(**row)
            self.subscription.handler(tx, self.at)
            self.done += 1
        self.at = None
        reached = rows[-1]["index"] + 1 if len(rows) == self.limit else size
        target = origin
        if reached >= size and not rows:
            # A log with a successor grows no more: what follows stands in that one.
            follows = tx.maybe(_SUCCESSOR, (origin,))
            size_now = tx.one(_END, (origin,))["size"]
            if follows is not None and size_now == size:
                target, reached = follows["origin"], 0
        if target != origin or reached != next_index or position["failure"] is not None:
            tx.execute(_MOVE, (target, reached, self.subscription.name))
        return self.done

    def _values(self, origin: str, start: int, size: int) -> dict[str, object]:
        kinds = sorted(self.subscription.kinds)
        return {
            "origin": origin,
            "next": start,
            "size": size,
            "all": not kinds,
            "kinds": kinds,
            "limit": self.limit,
        }


def _begin(tx: Tx, name: str) -> None:
    """Starts a new subscriber at the first leaf of the first log."""
    if tx.execute(_BEGIN, (name,)) == 0 and tx.maybe(_KNOWN, (name,)) is None:
        raise SubscriptionUnfounded


def _record_failure(
    database: Database, subscription: Subscription, at: DeliveredFact, failure: Exception
) -> None:
    """Keeps the kind of failure only: its text may hold anything."""
    code = failure.code if isinstance(failure, errors.LingquError) else type(failure).__name__
    _log.error(
        "subscription.failed",
        subscription=subscription.name,
        fact=at.id,
        index=at.index,
        failure=code,
        exc_info=failure,
    )
    moment = database.time.now()
    values = (f"{at.id} {code}", moment, subscription.name, at.index)
    database.run(PLATFORM, lambda tx: tx.execute(_FAIL, values))
