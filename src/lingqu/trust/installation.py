# SPDX-License-Identifier: Apache-2.0
"""The installation itself: its founding, its demonstration clock, and refusals of strangers."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import Counter
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant, format_instant
from lingqu.runtime import Database, Tx, new_id
from lingqu.trust.access import PLATFORM, Action, Kind, authorize
from lingqu.trust.commands import command, execute
from lingqu.trust.facts import CommandId, Fact, record
from lingqu.trust.rows import AuditClass, BatchRoot, BatchTable, Table, declare


class InstallationId(Id):
    """The id of one installation."""

    prefix = "ins"


class BatchId(Id):
    """The id of one batch of rows."""

    prefix = "bat"


class NotFounded(errors.Unavailable):
    """The data folder has a database but no installation yet."""

    code = "trust.installation.not_founded"


class AlreadyFounded(errors.Conflict):
    """This data folder already holds an installation."""

    code = "trust.installation.already_founded"


class NoStoryClock(errors.Conflict):
    """The installation runs on real time, which nobody moves."""

    code = "trust.clock.real"


class ClockOnlyForward(errors.Rejected):
    """A demonstration clock moves forward only."""

    code = "trust.clock.only_forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What this data folder is, for ever. `clock` is `real` or `story`."""

    id: InstallationId
    origin: str
    clock: str
    created_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """A log known here, by its origin: our own ones and those of gates."""

    origin: str
    number: int
    kind: str
    predecessor: str | None
    verifier_key: str
    started_at: Instant
    version: int = 1


LOGS = Table("trust.log", LogRecord, key="origin")
REFUSALS = BatchTable("trust.refusal", ("minute", "source", "route", "code", "count"))
declare(
    AuditClass.LOG,
    "trust.command",
    "trust.fact",
    "trust.row_version",
    "trust.log_leaf",
    "trust.log_checkpoint",
    "trust.log_cosignature",
)
declare(
    AuditClass.OPERATIONAL,
    "trust.session",
    "trust.log_cursor",
    "trust.subscription",
    "runtime.migration",
    "runtime.instance",
    "runtime.story_clock",
    "runtime.procrastinate_jobs",
    "runtime.procrastinate_events",
    "runtime.procrastinate_periodic_defers",
    "runtime.procrastinate_workers",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationFounded(Fact):
    """An installation began, with its first log and its clock."""

    kind = "trust.installation.founded"
    installation: InstallationId
    origin: str
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryClockMoved(Fact):
    """The demonstration clock was moved forward."""

    kind = "trust.clock.moved"
    before: Instant
    after: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangersRefused(Fact):
    """Requests of unknown callers were refused; counted by source, route and minute."""

    kind = "trust.refusal.counted"
    batch: BatchRoot
    refused: int


_INSERT_INSTANCE = """
    INSERT INTO runtime.instance (id, origin, clock, created_at) VALUES (%s, %s, %s, %s)
"""
_SELECT_INSTANCE = """
    SELECT id, origin, clock, least(greatest(created_at, '0001-01-02'), '9000-01-01') AS created_at
    FROM runtime.instance
"""


def get_installation(tx: Tx) -> Installation:
    """This will read what this installation is; raises NotFounded before it was founded."""
    row = tx.maybe(_SELECT_INSTANCE)
    if row is None:
        raise NotFounded
    return Installation(
        id=InstallationId(row["id"]),
        origin=row["origin"],
        clock=row["clock"],
        created_at=row["created_at"],
    )


@command("trust.installation.found", internal=True)
def found_installation(
    tx: Tx,
    *,
    installation: InstallationId,
    origin: str,
    verifier_key: str,
    story_from: Instant | None = None,
) -> InstallationId:
    """This will begin an installation and its own log; with `story_from` on a story clock for ever.

    `verifier_key` is the log's public key as a C2SP vkey. Raises AlreadyFounded.
    """
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('trust.installation', 1))")
    authorize(tx, Action.OPERATE, Kind.INSTALLATION)
    if tx.maybe(_SELECT_INSTANCE) is not None:
        raise AlreadyFounded
    clock = "real" if story_from is None else "story"
    tx.execute(_INSERT_INSTANCE, (installation, origin, clock, tx.now))
    if story_from is not None:
        tx.execute("INSERT INTO runtime.story_clock (moment) VALUES (%s)", (story_from,))
    LOGS.insert(
        tx,
        LogRecord(
            origin=origin,
            number=1,
            kind="own",
            predecessor=None,
            verifier_key=verifier_key,
            started_at=tx.now,
        ),
    )
    record(tx, InstallationFounded(installation=installation, origin=origin, clock=clock))
    return installation


@command("trust.clock.move")
def move_story_clock(tx: Tx, *, to: Instant) -> Instant:
    """This will move a demonstration clock forward. Raises NoStoryClock, ClockOnlyForward."""
    authorize(tx, Action.OPERATE, Kind.INSTALLATION)
    row = tx.maybe("SELECT moment FROM runtime.story_clock FOR UPDATE")
    if row is None:
        raise NoStoryClock
    if to <= row["moment"]:
        raise ClockOnlyForward(shows=format_instant(row["moment"]))
    tx.execute("UPDATE runtime.story_clock SET moment = %s", (to,))
    record(tx, StoryClockMoved(before=row["moment"], after=to))
    return to


@command("trust.refusal.count", internal=True)
def count_refusals(
    tx: Tx, *, batch: BatchId, counted: tuple[tuple[str, str, str, str, int], ...]
) -> int:
    """This will keep the counts of strangers' refusals: (minute, source, route, code, count)."""
    authorize(tx, Action.CREATE, Kind.REFUSAL)
    root = REFUSALS.append(tx, batch, counted)
    refused = sum(row[4] for row in counted)
    record(tx, StrangersRefused(batch=root, refused=refused))
    return refused


class StrangerRefusals:
    """Counts refusals of unknown callers in memory and keeps them once a minute as one batch.

    Sources are hashed with a key of this process, so an address never reaches the database; at
    most `most` different rows a flush, the rest is counted together as source `other`.
    """

    def __init__(self, database: Database, *, key: bytes, most: int = 10_000) -> None:
        """Count nothing yet."""
        self._database = database
        self._key = key
        self._most = most
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str, str]] = Counter()

    def count(self, *, source: str, route: str, code: str) -> None:
        """This will count one refusal, now."""
        minute = self._database.time.now().replace(second=0, microsecond=0)
        hidden = hmac.digest(self._key, source.encode(), hashlib.sha256).hex()[:16]
        row = (format_instant(minute), hidden, route[:200], code)
        with self._lock:
            if row not in self._counts and len(self._counts) >= self._most:
                row = (row[0], "other", "", code)
            self._counts[row] += 1

    def flush(self) -> int:
        """This will keep what was counted since the last flush; gives the number of refusals."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return 0
        rows = tuple((*row, number) for row, number in sorted(counts.items()))
        try:
            return execute(
                self._database,
                count_refusals,
                PLATFORM,
                new_id(CommandId),
                batch=new_id(BatchId),
                counted=rows,
            )
        except errors.Unavailable:
            with self._lock:
                self._counts.update(counts)
            raise
