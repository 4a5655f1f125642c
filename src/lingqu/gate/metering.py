# SPDX-License-Identifier: Apache-2.0
"""计量 metering: what was asked, answered and refused, durable before any answer leaves.

One transaction writes all calls and refusals of a window, one fact for each grant and product in
it, with the Merkle root of the rows. Stored answers and what was asked about whom (by keyed hash)
are written beside them, so that a repeat costs nothing and an enumeration is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from lingqu import rights, trust
from lingqu.gate.policies import DAYS_MAX
from lingqu.gate.products import ProductId, SnapshotId
from lingqu.gate.requests import CallId, MeterBatchId, MeteredCall
from lingqu.kernel import errors
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import Hides, from_row
from lingqu.rights import quantities
from lingqu.runtime import REAL_TIME, DatabaseConflict, Row, Tx

Statement: TypeAlias = tuple[str, Mapping[str, object]]
"""A question to the database, to be asked together with others."""
FEW = 16
"""Up to so many lines of a window go with its other statements; more are streamed."""
REPLY_HOURS = 24
"""How long a repeated call id is given the stored answer; afterwards it is refused."""
COLUMNS = (
    "call", "grant_id", "product", "holder", "account", "purpose", "at", "subjects", "hits",
    "misses", "unknowns", "outcome", "refusal", "article", "lease", "units", "snapshot", "digest",
)  # fmt: skip
CALLS = trust.BatchTable("gate.call", COLUMNS)
trust.declare(trust.AuditClass.OPERATIONAL, "gate.reply", "gate.asked", "gate.asker")


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
    """The calls of one grant and product in a window; `metered` is the fact that stands for them.

    `lease` is the one all of them are spent from, `snapshot` the one all are answered from.
    """

    metered: CallsMetered
    lease: quantities.LeaseId | None
    snapshot: SnapshotId | None


@dataclass(frozen=True, slots=True)
class Run:
    """Rows that share all values but for the columns `apart`; `size` is how many they are."""

    size: int
    shared: Mapping[str, object]
    apart: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NewRows:
    """The rows of one batch: runs of alike ones, then lines as `BatchTable.store` takes them."""

    runs: tuple[Run, ...]
    lines: tuple[str, ...]

    def statements(self, batch: MeterBatchId) -> Iterator[Statement]:
        """This will give what adds the runs."""
        start = 0
        for one in self.runs:
            yield CALLS.alike(batch, start, one.shared, one.apart)
            start += one.size

    @property
    def start(self) -> int:
        """The position of the first line."""
        return sum([one.size for one in self.runs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a window keeps beside its facts. All of it is covered by them, or is no evidence.

    `rows` are those of each batch as the table stores them, `replies` and `asked` JSON of
    stored answers and of questions about subjects, `new_subjects` how many subjects are new to a
    caller, with how many are the most. `versions` says of a window decided from memory which
    versions of products it was decided on.
    """

    rows: tuple[NewRows, ...]
    replies: str = "[]"
    asked: str = "[]"
    new_subjects: tuple[NewSubjects, ...] = ()
    versions: tuple[tuple[ProductId, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubjects:
    """So many subjects a party asks a product about for the first time in so many days."""

    product: ProductId
    holder: trust.PartyId
    subjects: int
    most: int
    days: int


_REPLIES = """
    INSERT INTO gate.reply (grant_id, call, request, answer, kept_until)
    SELECT r.grant_id, r.call, r.request, r.answer, %s
    FROM json_to_recordset(%s::json) AS r (grant_id text, call text, request text, answer text)
"""
_ASKED = """
    WITH noted AS (
        INSERT INTO gate.asked AS a (product, holder, subject, place, value, until)
        SELECT r.product, r.holder, decode(r.subject, 'hex'), r.place, decode(r.value, 'hex'),
               r.until
        FROM json_to_recordset(%(asked)s::json)
            AS r (product text, holder text, subject text, place int, value text, until timestamptz)
        ORDER BY 1, 2, 3, 4
        ON CONFLICT (product, holder, subject, place) DO UPDATE
            SET value = excluded.value, until = excluded.until WHERE a.until <= %(now)s
        RETURNING 1
    )
    SELECT runtime.refuse('asked')
    WHERE (SELECT count(*) FROM noted) <> json_array_length(%(asked)s::json)
"""
_ASKER = """
    INSERT INTO gate.asker AS a (product, holder, day, subjects)
    VALUES (%(product)s, %(holder)s, %(day)s, %(subjects)s)
    ON CONFLICT (product, holder, day) DO UPDATE SET subjects = a.subjects + excluded.subjects
"""
_BATCH_ROW = """
    INSERT INTO gate.batch (id, grant_id, product, lease, snapshot)
    VALUES (%(id)s, %(grant)s, %(product)s, %(lease)s, %(snapshot)s)
"""
_OUTDATED = """
    SELECT runtime.refuse('outdated') WHERE NOT EXISTS (
        SELECT 1 FROM gate.product WHERE id = %(product)s AND version = %(version)s)
"""


class Outdated(errors.Unavailable):
    """A window was decided on what is no longer so; nothing was written and it is read anew."""

    code = "gate.calls.outdated"


@trust.command("gate.calls.meter", internal=True)
def meter_calls(tx: Tx, *, batches: tuple[NewBatch, ...], beside: Hides[Beside]) -> None:
    """This will write a window of calls, each grant's as a batch of its own.

    Raises LeaseClosed, LeaseNotFound, Outdated, and DatabaseConflict where another process was
    faster: the window is then decided anew.
    """
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT)
    told = beside.value
    lines = [
        (one.metered.batch.id, rows.start, rows.lines)
        for one, rows in zip(batches, told.rows, strict=True)
        if rows.lines
    ]
    is_few = sum([len(its) for _, _, its in lines]) <= FEW
    _check(tx, batches, told, [CALLS.few(lines)] if lines and is_few else [])
    if not is_few:
        CALLS.store(tx, lines)
    if told.replies != "[]":
        kept_until = REAL_TIME.now() + timedelta(hours=REPLY_HOURS)
        tx.later(_REPLIES, (kept_until, told.replies))
    for one in batches:
        trust.record(tx, one.metered)


def _check(tx: Tx, batches: Sequence[NewBatch], told: Beside, lines: Sequence[Statement]) -> None:
    """Begin to lock the leases, see that what was decided on still holds, and add rows.

    Where it does not hold, the transaction ends with it.
    """
    then: list[Statement] = []
    for product, version in told.versions:
        then.append((_OUTDATED, {"product": product, "version": version}))
    if told.asked != "[]":
        then.append((_ASKED, {"asked": told.asked, "now": tx.now}))
    for one, rows in zip(batches, told.rows, strict=True):
        batch = MeterBatchId(one.metered.batch.id)
        then += rows.statements(batch)
        then.append((
            _BATCH_ROW,
            {
                "id": batch, "grant": one.metered.grant, "product": one.metered.product,
                "lease": one.lease, "snapshot": one.snapshot,
            },
        ))  # fmt: skip
    then += lines
    leases = tuple(dict.fromkeys(one.lease for one in batches if one.lease is not None))

    refusals = {"outdated": Outdated(), "asked": DatabaseConflict(constraint="asked")}
    quantities.lock_open_leases(tx, leases, then=then, refusals=refusals)
    for new in told.new_subjects:
        day = tx.now.date()
        tx.execute(
            _ASKER,
            {"product": new.product, "holder": new.holder, "day": day, "subjects": new.subjects},
        )
        if count_subjects(tx, product=new.product, holder=new.holder, days=new.days) > new.most:
            raise DatabaseConflict(constraint="asker")


_SUBJECTS = """
    SELECT coalesce(sum(subjects), 0)::bigint AS subjects FROM gate.asker
    WHERE product = %s AND holder = %s AND day > %s
"""


def count_subjects(tx: Tx, *, product: ProductId, holder: str, days: int) -> int:
    """This will say how many different subjects a party asked a product about in so many days."""
    since = (tx.now - timedelta(days=days)).date()
    found: int = tx.one(_SUBJECTS, (product, holder, since))["subjects"]
    return found


@trust.command("gate.lease.settle", internal=True)
def settle_by_meter(tx: Tx, *, lease: quantities.LeaseId) -> int:
    """This will settle a lease by its durable metering rows and give the units that were used.

    Raises LeaseNotFound, LeaseClosed.
    """
    quantities.lock_lease(tx, lease)
    used: int = tx.one(_USED, (lease,))["used"]
    quantities.settle_lease(tx, lease=lease, used=used)
    return used


_USED = """
    SELECT coalesce(sum(c.units), 0)::bigint AS used
    FROM gate.batch b JOIN gate.call c ON c.batch = b.id WHERE b.lease = %s
"""
_SELECT = """
    SELECT c.position, c.call, c.batch, c.grant_id AS grant, c.product, c.holder, c.account,
           c.purpose, c.at, c.subjects, c.hits, c.misses, c.unknowns, c.outcome, c.refusal,
           c.article, c.units, c.digest
    FROM gate.call c
"""
_BATCH = f"{_SELECT} WHERE c.batch = %s ORDER BY c.position"  # joined from constants
_FIND = f"""{_SELECT} JOIN gate.batch b ON b.id = c.batch
    WHERE (%(grant)s::text IS NULL OR b.grant_id = %(grant)s)
      AND (%(product)s::text IS NULL OR b.product = %(product)s)
      AND (%(start)s::timestamptz IS NULL OR c.at >= %(start)s)
      AND (%(end)s::timestamptz IS NULL OR c.at < %(end)s)
      AND (NOT %(refused)s OR c.refusal IS NOT NULL)
      AND (%(batch)s::text IS NULL OR (c.batch, c.position) < (%(batch)s, %(position)s))
    ORDER BY c.batch DESC, c.position DESC LIMIT %(limit)s
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
    """A call that was answered before, as it is on record; `answer` where it was stored.

    The answer about a single subject needs no storing: `outcome` is it. `digest` tells whether a
    request is the same. `snapshot` and `as_of` are what it was answered from.
    """

    batch: MeterBatchId
    outcome: str
    subjects: int
    units: int
    digest: str
    snapshot: SnapshotId
    as_of: Instant
    answer: str | None


_KNOWN = """
    SELECT c.grant_id, c.call, c.batch, c.outcome, c.subjects, c.units, c.digest, c.snapshot,
           s.as_of, r.answer
    FROM unnest(%(grants)s::text[], %(calls)s::text[]) AS w (grant_id, call)
    JOIN LATERAL (
        SELECT * FROM gate.call
        WHERE grant_id = w.grant_id AND call = w.call AND refusal IS NULL LIMIT 1
    ) c ON true
    JOIN gate.snapshot s ON s.id = c.snapshot
    LEFT JOIN gate.reply r ON r.grant_id = w.grant_id AND r.call = w.call
         AND r.kept_until > %(real)s
"""


def ask_used(wanted: Sequence[tuple[rights.GrantId, CallId]]) -> Statement:
    """This will give the question which of these call ids were answered before."""
    return _KNOWN, {
        "grants": [grant for grant, _ in wanted],
        "calls": [call for _, call in wanted],
        "real": REAL_TIME.now(),
    }


def read_used(rows: Sequence[Row]) -> dict[tuple[str, str], UsedCall]:
    """This will give the calls that were answered before."""
    return {(row["grant_id"], row["call"]): from_row(UsedCall, row) for row in rows}


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
_PURGE_ASKER = "DELETE FROM gate.asker WHERE day <= %s"


def drop_old_replies(tx: Tx) -> int:
    """This will delete stored answers and asked values whose time is over; gives how many."""
    longest = (tx.now - timedelta(days=DAYS_MAX)).date()
    return (
        tx.execute(_PURGE, (REAL_TIME.now(),))
        + tx.execute(_PURGE_ASKED, (tx.now,))
        + tx.execute(_PURGE_ASKER, (longest,))
    )


_BATCHES_WRONG = """
    SELECT coalesce(b.id, c.batch) AS batch,
           concat_ws(' ', c.grant_id, c.product, c.lease, c.snapshot) AS expected,
           concat_ws(' ', b.grant_id, b.product, b.lease, b.snapshot) AS found
    FROM gate.batch b FULL JOIN (
        SELECT batch, min(grant_id) AS grant_id, min(product) AS product, max(lease) AS lease,
               max(snapshot) AS snapshot
        FROM gate.call GROUP BY batch
    ) c ON c.batch = b.id
    WHERE (b.grant_id, b.product, b.lease, b.snapshot)
          IS DISTINCT FROM (c.grant_id, c.product, c.lease, c.snapshot)
    ORDER BY 1
"""


def audit_batches(tx: Tx) -> Iterator[tuple[str, str, str, str]]:
    """This will give every batch that is not what its calls say."""
    for row in tx.stream(_BATCHES_WRONG):
        yield "gate.batch", row["batch"], row["expected"], row["found"]


trust.declare(trust.AuditClass.OPERATIONAL, "gate.batch", auditor=audit_batches)
