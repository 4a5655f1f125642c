# SPDX-License-Identifier: Apache-2.0
"""Jobs that failed for good: who runs the installation sees them, and retries or drops one.

The queue itself is no evidence; that somebody put a job back or threw it away is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.paging import SIZE_MAX, BadPage, Page, PageRequest, cursor
from lingqu.runtime import Tx, jobs
from lingqu.runtime.jobs import FailedJob, QueuedJob
from lingqu.trust.access import AccessDenied, Action, Kind, authorize, is_allowed
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record

_NUMBER = re.compile(r"[0-9]{1,18}\Z")


class JobNotFailed(errors.NotFound):
    """There is no failed job of this number."""

    code = "trust.job.not_failed"


class JobWaitsAlready(errors.Conflict):
    """Another run of the same job waits already, so that this one need not be put back."""

    code = "trust.job.waits_already"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRetried(Fact):
    """A failed job was put back into the queue."""

    kind = "trust.job.retried"
    job: int
    name: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDropped(Fact):
    """A failed job was thrown away; its work is not done."""

    kind = "trust.job.dropped"
    job: int
    name: str
    attempts: int


@command("trust.job.retry")
def retry_job(tx: Tx, *, job: int) -> FailedJob:
    """This will put a failed job back, to be tried anew. Raises JobNotFailed, JobWaitsAlready."""
    held = _lock(tx, job)
    authorize(tx, Action.OPERATE, Kind.INSTALLATION)
    if not jobs.requeue_failed(tx, held):
        raise JobWaitsAlready(job=job, name=held.name)
    record(tx, JobRetried(job=job, name=held.name, attempts=held.attempts))
    return held


@command("trust.job.drop")
def drop_job(tx: Tx, *, job: int) -> FailedJob:
    """This will throw a failed job away. Raises JobNotFailed."""
    held = _lock(tx, job)
    authorize(tx, Action.OPERATE, Kind.INSTALLATION)
    jobs.drop_failed(tx, held)
    record(tx, JobDropped(job=job, name=held.name, attempts=held.attempts))
    return held


def find_failed_jobs(tx: Tx, *, page: PageRequest) -> Page[FailedJob]:
    """This will list the failed jobs, newest first. Raises AccessDenied, BadPage."""
    if not is_allowed(tx, Action.OPERATE, Kind.INSTALLATION):
        raise AccessDenied(action=Action.OPERATE.value, kind=Kind.INSTALLATION.value)
    found = jobs.find_failed(tx, before=_number(page), limit=page.size + 1)
    more = len(found) > page.size
    end = cursor(str(found[page.size - 1].id)) if more else None
    return Page(items=found[: page.size], next=end)


def find_queued_jobs(tx: Tx, *, most: int = 200) -> tuple[QueuedJob, ...]:
    """This will list the jobs that run or wait, the next ones first. Raises AccessDenied."""
    if not is_allowed(tx, Action.OPERATE, Kind.INSTALLATION):
        raise AccessDenied(action=Action.OPERATE.value, kind=Kind.INSTALLATION.value)
    return jobs.find_queued(tx, limit=most)


def _lock(tx: Tx, job: int) -> FailedJob:
    held = jobs.lock_failed(tx, job)
    if held is None:
        # Who may not see the queue learns the same of every number.
        authorize(tx, Action.OPERATE, Kind.INSTALLATION)
        raise JobNotFailed(job=job)
    return held


def _number(page: PageRequest) -> int | None:
    key = page.key
    if key is not None and not _NUMBER.match(key):
        raise BadPage(size=page.size, most=SIZE_MAX)
    return None if key is None else int(key)
