# SPDX-License-Identifier: Apache-2.0
"""Long work that somebody asked for and waits for: how far it is, what came of it, and stopping it.

A command of another package begins it in its own transaction, so that the work exists exactly if
the command was done. Its job tells how far it is through `Progress` and hears there whether
somebody wants it stopped. A work is no evidence; what it makes true in the end is a command.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import to_plain
from lingqu.runtime import Caller, Database, Row, Tx
from lingqu.trust.access import (
    PLATFORM,
    AccessDenied,
    AccountId,
    Action,
    Kind,
    PartyId,
    authorize,
    is_allowed,
)
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.rows import AuditClass, IdTaken, declare

TELL_EVERY_NS = 300_000_000
"""How often a work says how far it is; between two times it costs nothing."""
TITLE_MAX = 200


class WorkId(Id):
    """The id of one work."""

    prefix = "wrk"


class WorkState(enum.Enum):
    """How far a work has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self in {WorkState.DONE, WorkState.REFUSED, WorkState.CANCELLED}


class WorkNotFound(errors.NotFound):
    """There is no such work, or the caller may not know of it."""

    code = "trust.work.not_found"


class WorkOver(errors.Conflict):
    """The work has ended; there is nothing to stop."""

    code = "trust.work.over"


class WorkStopped(errors.Conflict):
    """Somebody asked to stop the work; nothing of it was done."""

    code = "trust.work.stopped"


class WorkFailed(errors.Unavailable):
    """The work failed by a fault of ours; nothing of it was done. The program's log says why."""

    code = "trust.work.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A work: who asked, what it is about, how far it is, and what came of it.

    `done` of `total` parts, 0 of 0 while nobody knows; `result` is the id of what it made; `code`
    and `parameters` (canonical JSON) are those of the refusal that ended it.
    """

    id: WorkId
    kind: str
    subject: str
    owner: PartyId
    account: AccountId
    title: str
    state: WorkState
    done: int
    total: int
    result: str
    code: str
    parameters: str
    asked_at: Instant
    changed_at: Instant
    stop_at: Instant | None = None

    @property
    def percent(self) -> int:
        """How much is done, in hundredths."""
        if self.state is WorkState.DONE:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkWasStopped(Fact):
    """Somebody asked to stop a work before it was done."""

    kind = "trust.work.stopped"
    work: WorkId
    work_kind: str
    subject: str


def begin_work(
    tx: Tx, *, work: WorkId, kind: str, subject: str, owner: PartyId, title: str, job: str
) -> Work:
    """This will begin a work inside a command that authorised it; `job` does it after the commit.

    The job is given the work's id.
    """
    account = AccountId(str(tx.caller.account))
    tx.means("work_pkey", str(work), IdTaken(id=work))
    tx.execute(_INSERT, (work, kind, subject, owner, account, title[:TITLE_MAX], tx.now, tx.now))
    tx.defer(job, work=str(work))
    return _read(tx.one(_ONE, (work,)))


@command("trust.work.stop")
def stop_work(tx: Tx, *, work: WorkId) -> Work:
    """This will ask a work to stop; what waits never begins. Raises WorkNotFound, WorkOver."""
    row = tx.maybe(f"{_ONE} FOR UPDATE", (work,))
    if row is None:
        raise WorkNotFound(id=work)
    held = _read(row)
    _authorize(tx, held, Action.END)
    if held.state.is_over:
        raise WorkOver(work=work)
    tx.execute(_STOP, (tx.now, work))
    record(tx, WorkWasStopped(work=work, work_kind=held.kind, subject=held.subject))
    return _read(tx.one(_ONE, (work,)))


def get_work(tx: Tx, work: WorkId) -> Work:
    """This will read a work, for who asked for it or runs the platform. Raises WorkNotFound."""
    row = tx.maybe(_ONE, (work,))
    if row is None:
        raise WorkNotFound(id=work)
    held = _read(row)
    if not is_allowed(tx, Action.READ, Kind.WORK, owner=held.owner, account=held.account):
        raise WorkNotFound(id=work)
    return held


def find_works(tx: Tx, *, page: PageRequest, subject: str | None = None) -> Page[Work]:
    """This will list works, newest first: everyone's for who runs the platform, else one's own.

    With `subject` only those about it.
    """
    mine = None if is_allowed(tx, Action.READ, Kind.WORK) else str(tx.caller.account)
    about = None if subject is None else str(subject)
    rows = tx.all(_LISTED, (mine, mine, about, about, page.key, page.key, page.size + 1))
    found = tuple(_read(row) for row in rows)
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a job tells of a work while it does it, in small transactions of its own."""

    database: Database
    work: WorkId
    told_at_ns: int = field(default=0)

    def __call__(self, done: int, total: int) -> None:
        """Say how far it is, now and then. Raises WorkStopped where somebody asked to stop it."""
        if time.monotonic_ns() - self.told_at_ns >= TELL_EVERY_NS:
            self.reach(done, total)

    def reach(self, done: int, total: int) -> None:
        """Say how far it is at once, as where a stage begins. Raises WorkStopped."""
        self.told_at_ns = time.monotonic_ns()
        with self.database.transaction(PLATFORM) as tx:
            row = tx.maybe(_TELL, (done, total, tx.now, self.work))
        if row is None or row["stop_at"] is not None:
            raise WorkStopped(work=self.work)

    def finish(self, result: str) -> None:
        """Say that it is done, and what it made."""
        self._end(WorkState.DONE, result=result)

    def refuse(self, refusal: errors.LingquError) -> None:
        """Say that it was refused or stopped, and why."""
        stopped = isinstance(refusal, WorkStopped)
        self._end(WorkState.CANCELLED if stopped else WorkState.REFUSED, refusal=refusal)

    def _end(
        self, state: WorkState, *, result: str = "", refusal: errors.LingquError | None = None
    ) -> None:
        code = "" if refusal is None else refusal.code
        told = {} if refusal is None else dict(refusal.parameters)
        parameters = canon.encode(to_plain(told)).decode()
        with self.database.transaction(PLATFORM) as tx:
            tx.execute(_END, (state.value, result, code, parameters, tx.now, self.work))


def do_work(database: Database, work: WorkId, do: Callable[[Caller, Work, Progress], str]) -> None:
    """This will do a work in its job, as the one who asked; `do` gives the id of what it made.

    What is refused or stopped ends the work; what is merely unavailable is raised, to be tried
    again. Raises WorkNotFound.
    """
    with database.reading(PLATFORM) as tx:
        row = tx.maybe(_ONE, (work,))
    if row is None:
        raise WorkNotFound(id=work)
    asked = _read(row)
    if asked.state.is_over:
        return
    progress = Progress(database=database, work=work)
    caller = Caller(account=asked.account, channel="job", correlation=str(work))
    try:
        made = do(caller, asked, progress)
    except errors.Unavailable:
        raise
    except errors.LingquError as refusal:
        progress.refuse(refusal)
        return
    except Exception:
        # The edge of the work: whoever waits learns that it failed, the worker logs why.
        progress.refuse(WorkFailed(work=work))
        raise
    progress.finish(made)


def _authorize(tx: Tx, held: Work, action: Action) -> None:
    try:
        authorize(tx, action, Kind.WORK, owner=held.owner, account=held.account)
    except AccessDenied:
        if is_allowed(tx, Action.READ, Kind.WORK, owner=held.owner, account=held.account):
            raise
        raise WorkNotFound(id=held.id) from None


def _read(row: Row) -> Work:
    return Work(
        id=WorkId(row["id"]),
        kind=row["kind"],
        subject=row["subject"],
        owner=PartyId(row["owner"]),
        account=AccountId(row["account"]),
        title=row["title"],
        state=WorkState(row["state"]),
        done=row["done"],
        total=row["total"],
        result=row["result"],
        code=row["code"],
        parameters=row["parameters"],
        asked_at=row["asked_at"],
        changed_at=row["changed_at"],
        stop_at=row["stop_at"],
    )


_COLUMNS = """
    SELECT id, kind, subject, owner, account, title, state, done, total, result, code, parameters,
        asked_at, changed_at, stop_at
    FROM trust.work
"""
_ONE = f"{_COLUMNS} WHERE id = %s"
_LISTED = (
    f"{_COLUMNS} WHERE (%s::text IS NULL OR account = %s)"
    " AND (%s::text IS NULL OR subject = %s) AND (%s::text IS NULL OR id < %s)"
    " ORDER BY id DESC LIMIT %s"
)
_INSERT = """
    INSERT INTO trust.work (id, kind, subject, owner, account, title, asked_at, changed_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_STOP = "UPDATE trust.work SET stop_at = coalesce(stop_at, %s) WHERE id = %s"
_TELL = """
    UPDATE trust.work SET state = 'running', done = %s, total = %s, changed_at = %s
    WHERE id = %s AND state IN ('waiting', 'running') RETURNING stop_at
"""
_END = """
    UPDATE trust.work SET state = %s, result = %s, code = %s, parameters = %s, changed_at = %s
    WHERE id = %s AND state IN ('waiting', 'running')
"""

declare(AuditClass.OPERATIONAL, "trust.work")
