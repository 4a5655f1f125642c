# SPDX-License-Identifier: Apache-2.0
"""Sequencing: which committed facts have no place in the log yet, and the place each one gets.

Transactions commit in another order than they begin, so there is no number up to which all facts
are done. The cursor is therefore a PostgreSQL snapshot: every fact visible in it has its leaf; new
ones can only come from transactions that were running then or began later. Inside one round facts
are ordered by (transaction id, ordinal).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.runtime import Database, Row, Tx
from lingqu.trust.access import PLATFORM
from lingqu.trust.log.origins import LOCK, OwnLog, own_log

BATCH = 10_000
"""Most facts placed in one transaction."""

CHANNEL = "lingqu_log"
"""Notified once for each batch, with JSON of `origin` and `size`."""

_EVERYTHING = str(2**64 - 1)
_PAGE = 1024


class LogEnded(errors.Conflict):
    """The log has a successor; nothing is added to it any more."""

    code = "trust.log.ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A leaf with its entry, as PostgreSQL has it."""

    index: int
    fact: str
    hash: bytes
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """Where unsequenced facts can be: in these transactions, or from this one on."""

    running: list[str]
    start: str
    below: str | None
    known: bool


_CURSOR = """
    SELECT here.system,
           c.system IS NOT DISTINCT FROM here.system
               AND pg_snapshot_xmax(c.seen) <= pg_snapshot_xmax(pg_current_snapshot()) AS known,
           pg_snapshot_xmax(c.seen)::text AS start,
           ARRAY(SELECT x::text FROM pg_snapshot_xip(c.seen) x) AS running
    FROM (SELECT s.system_identifier::text || '/' || d.oid::text AS system
          FROM pg_control_system() s, pg_database d WHERE d.datname = current_database()) here
    LEFT JOIN trust.log_cursor c ON c.origin = %s
"""
# A subquery for each candidate, and not NOT EXISTS, which may become a scan of all leaves where
# the tables have no statistics yet.
_CANDIDATES = """
    SELECT * FROM (
        (SELECT f.id, f.txid, f.ordinal, f.body FROM trust.fact f
         WHERE f.txid = ANY(%(running)s::xid8[])
           AND (SELECT true FROM trust.log_leaf l WHERE l.fact = f.id) IS NULL
         ORDER BY f.txid, f.ordinal LIMIT %(limit)s)
        UNION ALL
        (SELECT f.id, f.txid, f.ordinal, f.body FROM trust.fact f
         WHERE f.txid >= %(start)s::xid8
           AND f.txid < coalesce(%(below)s::xid8, pg_snapshot_xmax(pg_current_snapshot()))
           AND (SELECT true FROM trust.log_leaf l WHERE l.fact = f.id) IS NULL
         ORDER BY f.txid, f.ordinal LIMIT %(limit)s)
    ) AS f ORDER BY f.txid, f.ordinal LIMIT %(limit)s
"""
_PLACE = f"""
    WITH taken AS MATERIALIZED ({_CANDIDATES}),
    placed AS (
        INSERT INTO trust.log_leaf (origin, index, fact, hash)
        SELECT %(origin)s, %(size)s + row_number() OVER (ORDER BY txid, ordinal) - 1, id,
               sha256('\\x00'::bytea || convert_to(body, 'UTF8'))
        FROM taken
    )
    SELECT t.taken, t.last::text, pg_current_snapshot()::text AS snapshot,
           ARRAY(SELECT x::text FROM pg_snapshot_xip(pg_current_snapshot()) x
                 WHERE x < t.last) AS running
    FROM (SELECT count(*) AS taken, max(txid) AS last FROM taken) AS t
"""  # noqa: S608  # joined from constants
_PENDING = f"SELECT count(*) AS pending FROM ({_CANDIDATES}) AS f"  # noqa: S608  # constants
_LEAF_COUNT = "SELECT coalesce(max(index) + 1, 0) AS size FROM trust.log_leaf WHERE origin = %s"
_MOVE_CURSOR = """
    INSERT INTO trust.log_cursor (origin, system, seen) VALUES (%s, %s, %s::pg_snapshot)
    ON CONFLICT (origin) DO UPDATE SET system = excluded.system, seen = excluded.seen
"""
_PASSED_OVER = """
    SELECT f.id FROM trust.fact f, trust.log_cursor c
    WHERE c.origin = %s AND pg_visible_in_snapshot(f.txid, c.seen) AND f.id > %s
      AND NOT EXISTS (SELECT 1 FROM trust.log_leaf l WHERE l.fact = f.id)
    ORDER BY f.id LIMIT 1000
"""
_LEAVES = """
    SELECT l.index, l.fact, l.hash, f.body
    FROM trust.log_leaf l JOIN trust.fact f ON f.id = l.fact
    WHERE l.origin = %s AND l.index >= %s AND l.index < %s ORDER BY l.index
"""
_HASHES = """
    SELECT hash FROM trust.log_leaf WHERE origin = %s AND index >= %s AND index < %s ORDER BY index
"""


def sequence(database: Database, log: OwnLog, *, limit: int = BATCH) -> int:
    """This will give every visible fact without a leaf its index, and say how many it were.

    At most `limit` at once; call again while it gives that many. One notification a batch. Raises
    LogEnded when the log has a successor.
    """
    with database.reading() as tx:
        window = _window(tx.one(_CURSOR, (log.origin,)))
        if window.known and not _pending(tx, window, 1):
            return 0
    return database.run(PLATFORM, lambda tx: _place(tx, log, limit))


def leaf_count(tx: Tx, origin: str) -> int:
    """This will count the leaves of a log of ours."""
    size: int = tx.one(_LEAF_COUNT, (origin,))["size"]
    return size


def pending_count(tx: Tx, log: OwnLog, *, limit: int = 100_000) -> int:
    """This will count the committed facts that have no leaf yet, up to `limit`."""
    return _pending(tx, _window(tx.one(_CURSOR, (log.origin,))), limit)


def read_leaves(tx: Tx, origin: str, start: int, end: int) -> Iterator[Leaf]:
    """This will give the leaves [start, end) in their order, holding a page of them at a time."""
    for first in range(start, end, _PAGE):
        for row in tx.all(_LEAVES, (origin, first, min(first + _PAGE, end))):
            yield Leaf(
                index=row["index"], fact=row["fact"], hash=bytes(row["hash"]), body=row["body"]
            )


def read_hashes(tx: Tx, origin: str, start: int, end: int) -> Iterator[bytes]:
    """This will give the leaf hashes [start, end) in their order, a page of them at a time."""
    for first in range(start, end, 16 * _PAGE):
        for row in tx.all(_HASHES, (origin, first, min(first + 16 * _PAGE, end))):
            yield bytes(row["hash"])


def unsequenced(tx: Tx, log: OwnLog) -> Iterator[str]:
    """This will give the facts without a leaf that the sequencer will not come back to.

    Nothing but a hand on the database makes one: a leaf removed, or a fact with a false txid.
    """
    if not tx.one(_CURSOR, (log.origin,))["known"]:
        return
    last = ""
    while rows := tx.all(_PASSED_OVER, (log.origin, last)):
        yield from (row["id"] for row in rows)
        last = rows[-1]["id"]


def lock_log(tx: Tx) -> None:
    """This will wait until nobody places leaves or begins a log, and keep it so until commit."""
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", (LOCK,))


def _place(tx: Tx, log: OwnLog, limit: int) -> int:
    lock_log(tx)
    if own_log(tx).origin != log.origin:
        raise LogEnded(origin=log.origin)
    cursor = tx.one(_CURSOR, (log.origin,))
    window = _window(cursor)
    if not window.known:
        # Once after a restore into another cluster every fact is looked at, however many.
        tx.execute("SET LOCAL statement_timeout = 0")
    size = leaf_count(tx, log.origin)
    values = _values(window, limit) | {"origin": log.origin, "size": size}
    placed = tx.one(_PLACE, values)
    seen = _seen(placed, cut=placed["taken"] == limit, known=window.known)
    if seen is not None:
        tx.execute(_MOVE_CURSOR, (log.origin, cursor["system"], seen))
    taken: int = placed["taken"]
    if taken:
        payload = json.dumps({"origin": log.origin, "size": size + taken})
        tx.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
    return taken


def _seen(placed: Row, *, cut: bool, known: bool) -> str | None:
    """The next cursor: this snapshot, or one that ends where the limit cut; None keeps the old."""
    if not cut:
        return str(placed["snapshot"])
    if not known:
        # Transaction ids of another cluster say nothing here: look at all again.
        return None
    running = sorted(map(int, placed["running"]))
    last = placed["last"]
    return f"{running[0] if running else last}:{last}:{','.join(map(str, running))}"


def _window(cursor: Row) -> _Window:
    if not cursor["known"]:
        return _Window(running=[], start="0", below=_EVERYTHING, known=False)
    return _Window(running=cursor["running"], start=cursor["start"], below=None, known=True)


def _values(window: _Window, limit: int) -> dict[str, object]:
    return {
        "running": window.running,
        "start": window.start,
        "below": window.below,
        "limit": limit,
    }


def _pending(tx: Tx, window: _Window, limit: int) -> int:
    pending: int = tx.one(_PENDING, _values(window, limit))["pending"]
    return pending
