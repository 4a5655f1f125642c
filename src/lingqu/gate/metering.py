# SPDX-License-Identifier: Apache-2.0
"""计量 metering: what was asked, answered and refused, durable before any answer leaves.

One transaction writes all calls and refusals of a window, one fact for each grant and product in
it, with the Merkle root of the rows. Stored answers and what was asked about whom (by keyed hash)
are written beside them, so that a repeat costs nothing and an enumeration is seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from lingqu import rights, trust
from lingqu.gate.products import ProductId
from lingqu.gate.requests import CallId, MeterBatchId, MeteredCall
from lingqu.kernel import errors
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_row
from lingqu.rights import quantities
from lingqu.runtime import REAL_TIME, DatabaseConflict, Row, Tx

Statement: TypeAlias = tuple[str, Mapping[str, object]]
"""A question to the database, to be asked together with others."""
REPLY_HOURS = 24
"""How long a repeated call id is given the stored answer; afterwards it is refused."""
COLUMNS = (
    "call", "grant_id", "product", "holder", "account", "purpose", "at", "subjects", "hits",
    "misses", "unknowns", "outcome", "refusal", "article", "lease", "units", "snapshot", "digest",
)  # fmt: skip
CALLS = trust.BatchTable("gate.call", COLUMNS)
trust.declare(trust.AuditClass.OPERATIONAL, "gate.reply", "gate.asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCount:
    """How many calls of a batch were refused by one code."""

    code: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsMetered(trust.Fact):
    """Calls under one grant were answered or refused; each is a row of the batch.

    `units` were used; `yes`, `no`, `once` and `unknown` count answers about subjects as they were
    given.
    """

    kind = "gate.batch.metered"
    batch: trust.BatchTable.Root
    grant: rights.GrantId
    product: ProductId
    holder: trust.PartyId
    answered: int
    units: int
    yes: int
    no: int
    once: int
    unknown: int
    refused: tuple[RefusedCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """The calls of one grant and product in a window; `rows` is JSON of rows in COLUMNS."""

    batch: MeterBatchId
    grant: rights.GrantId
    product: ProductId
    holder: trust.PartyId
    answered: int
    units: int
    yes: int
    no: int
    once: int
    unknown: int
    refused: tuple[RefusedCount, ...]
    rows: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a window keeps beside its calls, as JSON: stored answers, and values asked about.

    `leases` are those the window spends from. `recalled` is the JSON of what the window was decided
    on from memory, empty where it was read: versions of products, and call ids taken to be new.
    """

    replies: str
    asked: str
    leases: tuple[quantities.LeaseId, ...]
    recalled: str = ""


_REPLIES = """
    INSERT INTO gate.reply (grant_id, call, request, answer, kept_until)
    SELECT r.grant_id, r.call, r.request, r.answer, %s
    FROM json_to_recordset(%s::json) AS r (grant_id text, call text, request text, answer text)
"""
_ASKED = """
    INSERT INTO gate.asked AS a (product, holder, subject, place, value, until)
    SELECT r.product, r.holder, decode(r.subject, 'hex'), r.place, decode(r.value, 'hex'), r.until
    FROM json_to_recordset(%(asked)s::json)
        AS r (product text, holder text, subject text, place int, value text, until timestamptz)
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (product, holder, subject, place) DO UPDATE
        SET value = excluded.value, until = excluded.until WHERE a.until <= %(now)s
    RETURNING 1
"""


_OUTDATED = """
    WITH told AS (SELECT %(recalled)s::jsonb AS body), call AS (
        SELECT c.value->>0 AS grant_id, c.value->>1 AS call
        FROM told, jsonb_array_elements(told.body->'calls') c
    )
    SELECT 1 FROM told, jsonb_each(told.body->'versions') v
    LEFT JOIN LATERAL (
        SELECT version FROM gate.product WHERE id = v.key LIMIT 1
    ) p ON true
    WHERE p.version IS DISTINCT FROM (v.value)::bigint
    UNION ALL
    SELECT 1 FROM call w CROSS JOIN LATERAL (
        SELECT 1 FROM gate.reply
        WHERE grant_id = w.grant_id AND call = w.call AND kept_until > %(real)s LIMIT 1
    ) r
    UNION ALL
    SELECT 1 FROM call w CROSS JOIN LATERAL (
        SELECT 1 FROM gate.call
        WHERE grant_id = w.grant_id AND call = w.call AND refusal IS NULL LIMIT 1
    ) c
    LIMIT 1
"""


class Outdated(errors.Unavailable):
    """A window was decided on what is no longer so; nothing was written and it is read anew."""

    code = "gate.calls.outdated"


@trust.command("gate.calls.meter", internal=True)
def meter_calls(tx: Tx, *, batches: tuple[NewBatch, ...], beside: Beside) -> None:
    """This will write a window of calls, each grant's as a batch of its own.

    Raises LeaseClosed, LeaseNotFound, Outdated and DatabaseConflict where another process was
    faster: the window is then decided anew.
    """
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT)
    then: list[Statement] = []
    if beside.recalled:
        then.append((_OUTDATED, {"recalled": beside.recalled, "real": REAL_TIME.now()}))
    if beside.asked != "[]":
        then.append((_ASKED, {"asked": beside.asked, "now": tx.now}))
    found = quantities.lock_open_leases(tx, beside.leases, then=then)
    if beside.recalled and found[0]:
        raise Outdated
    if beside.asked != "[]" and len(found[-1]) != len(json.loads(beside.asked)):
        raise DatabaseConflict(constraint="asked")
    if beside.replies != "[]":
        kept_until = REAL_TIME.now() + timedelta(hours=REPLY_HOURS)
        tx.later(_REPLIES, (kept_until, beside.replies))
    for one in batches:
        root = CALLS.append_later(tx, one.batch, json.loads(one.rows))
        trust.record(
            tx,
            CallsMetered(
                batch=root,
                grant=one.grant,
                product=one.product,
                holder=one.holder,
                answered=one.answered,
                units=one.units,
                yes=one.yes,
                no=one.no,
                once=one.once,
                unknown=one.unknown,
                refused=one.refused,
            ),
        )


@trust.command("gate.lease.settle", internal=True)
def settle_by_meter(tx: Tx, *, lease: quantities.LeaseId) -> int:
    """This will settle a lease by its durable metering rows and give the units that were used.

    Raises LeaseNotFound, LeaseClosed.
    """
    quantities.lock_lease(tx, lease)
    used: int = tx.one(_USED, (lease,))["used"]
    quantities.settle_lease(tx, lease=lease, used=used)
    return used


_USED = "SELECT coalesce(sum(units), 0)::bigint AS used FROM gate.call WHERE lease = %s"
_SELECT = """
    SELECT position, call, batch, grant_id AS grant, product, holder, account, purpose, at,
           subjects, hits, misses, unknowns, outcome, refusal, article, units, digest
    FROM gate.call
"""
_BATCH = f"{_SELECT} WHERE batch = %s ORDER BY position"  # joined from constants
_FIND = f"""{_SELECT}
    WHERE (%(grant)s::text IS NULL OR grant_id = %(grant)s)
      AND (%(product)s::text IS NULL OR product = %(product)s)
      AND (%(start)s::timestamptz IS NULL OR at >= %(start)s)
      AND (%(end)s::timestamptz IS NULL OR at < %(end)s)
      AND (NOT %(refused)s OR refusal IS NOT NULL)
      AND (%(batch)s::text IS NULL OR (batch, position) < (%(batch)s, %(position)s))
    ORDER BY batch DESC, position DESC LIMIT %(limit)s
"""


def find_batch_calls(tx: Tx, batch: MeterBatchId) -> tuple[MeteredCall, ...]:
    """This will give the calls of one batch in their order.

    For those who account for it: the caller must be let see the batch's grant by the platform.
    """
    return tuple(_metered(row) for row in tx.all(_BATCH, (batch,)))


def find_calls(
    tx: Tx,
    *,
    page: PageRequest,
    grant: rights.GrantId | None = None,
    product: ProductId | None = None,
    start: Instant | None = None,
    end: Instant | None = None,
    is_refused: bool = False,
) -> Page[MeteredCall]:
    """This will list metered calls, the newest batch first: of one grant, or all for a supervisor.

    Raises GrantNotFound, AccessDenied.
    """
    if grant is not None:
        rights.get_grant(tx, grant)
    elif not trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.GRANT.value)
    batch, position = None, 0
    if page.key is not None:
        batch, _, place = page.key.partition("/")
        position = int(place) if place.isascii() and place.isdigit() else 0
    rows = tx.all(
        _FIND,
        {
            "grant": grant, "product": product, "start": start, "end": end,
            "refused": is_refused, "batch": batch, "position": position, "limit": page.size + 1,
        },
    )  # fmt: skip
    more = len(rows) > page.size
    rows = rows[: page.size]
    last = f"{rows[-1]['batch']}/{rows[-1]['position']}" if rows else ""
    return Page(items=tuple(map(_metered, rows)), next=cursor(last) if more else None)


def _metered(row: Row) -> MeteredCall:
    return from_row(MeteredCall, {name: row[name] for name in row if name != "position"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedCall:
    """That a call id was answered before: its request and the stored answer, None once purged."""

    request: str | None
    answer: str | None


_KNOWN = """
    SELECT w.grant_id, w.call, r.request, r.answer
    FROM unnest(%(grants)s::text[], %(calls)s::text[]) AS w (grant_id, call)
    LEFT JOIN LATERAL (
        SELECT request, answer FROM gate.reply
        WHERE grant_id = w.grant_id AND call = w.call AND kept_until > %(real)s LIMIT 1
    ) r ON true
    LEFT JOIN LATERAL (
        SELECT 1 AS answered FROM gate.call
        WHERE grant_id = w.grant_id AND call = w.call AND refusal IS NULL LIMIT 1
    ) c ON r.request IS NULL
    WHERE r.request IS NOT NULL OR c.answered IS NOT NULL
"""


def ask_used(wanted: Sequence[tuple[rights.GrantId, CallId]]) -> Statement:
    """This will give the question which of these call ids were answered before."""
    return _KNOWN, {
        "grants": [grant for grant, _ in wanted],
        "calls": [call for _, call in wanted],
        "real": REAL_TIME.now(),
    }


def read_used(rows: Sequence[Row]) -> dict[tuple[str, str], UsedCall]:
    """This will give what is stored of the calls that were answered before."""
    return {
        (row["grant_id"], row["call"]): UsedCall(request=row["request"], answer=row["answer"])
        for row in rows
    }


_WHAT_WAS_ASKED = """
    SELECT a.subject, a.place, a.value, a.until FROM gate.asked a
    WHERE a.product = %s AND a.holder = %s AND a.subject = ANY(%s)
"""


@dataclass(slots=True)
class Places:
    """What was asked about one subject: the values that count, by their places."""

    taken: dict[int, bytes]


def find_asked(
    tx: Tx, *, product: ProductId, holder: str, subjects: Sequence[bytes]
) -> dict[bytes, Places]:
    """This will give which values a caller's party asked about subjects, while they count."""
    found: dict[bytes, Places] = {}
    for row in tx.all(_WHAT_WAS_ASKED, (product, holder, list(subjects))):
        places = found.setdefault(bytes(row["subject"]), Places({}))
        if row["until"] > tx.now:
            places.taken[row["place"]] = bytes(row["value"])
    return found


_PURGE = "DELETE FROM gate.reply WHERE kept_until <= %s"
_PURGE_ASKED = "DELETE FROM gate.asked WHERE until <= %s"


def drop_old_replies(tx: Tx) -> int:
    """This will delete stored answers and asked values whose time is over; gives how many."""
    return tx.execute(_PURGE, (REAL_TIME.now(),)) + tx.execute(_PURGE_ASKED, (tx.now,))
