# SPDX-License-Identifier: Apache-2.0
"""How work is done later: jobs in PostgreSQL that exist only if the transaction that asked commits.

procrastinate keeps the queue (tables in the schema `runtime`). A job may run more than once, after
a crash for instance, so it must be written to be repeated. Only work at human scale goes through
here; metering, charging and timers are scans of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import procrastinate
import psycopg
from procrastinate import exceptions as queue_errors
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.tasks import ConfigureTaskOptions, Task, configure_task
from psycopg.pq import TransactionStatus

from lingqu.kernel import errors
from lingqu.kernel.time import Instant, as_instant
from lingqu.kernel.values import to_plain
from lingqu.runtime.db import Tx, session_conninfo
from lingqu.runtime.observability import METRICS, CheckResult, bind, fine, get_logger

STALLED_ATTEMPTS_MAX = 20
"""How often a job may be taken over from a worker that died, before it counts as failed."""

_DUE = "timestamp"
"""The argument procrastinate adds to periodic jobs."""

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\Z")
_RESTART_S = (1.0, 30.0)
_OWN_OUTCOMES = frozenset({"job_success", "job_error", "job_error_retry", "job_aborted"})
_LOG = get_logger(__name__)

_TAKE_OVER = """
UPDATE procrastinate_jobs SET
    status = (CASE WHEN attempts + 1 >= %(most)s OR abort_requested THEN 'failed' ELSE 'todo' END)
        ::procrastinate_job_status,
    attempts = attempts + 1, scheduled_at = now(), abort_requested = false, worker_id = NULL
WHERE id IN (
    SELECT job.id FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' AND (
        worker.id IS NULL
        OR worker.last_heartbeat < now() - make_interval(secs => %(stalled_s)s)
    )
    FOR UPDATE OF job SKIP LOCKED
)
RETURNING id, task_name, status::text AS status
"""

_FAILED = """
    SELECT job.id, job.task_name AS name, job.queue_name AS queue, job.attempts,
           (SELECT max(event.at) FROM runtime.procrastinate_events AS event
            WHERE event.job_id = job.id) AS failed_at
    FROM runtime.procrastinate_jobs AS job WHERE job.status = 'failed'
"""
_FIND_FAILED = f"{_FAILED} AND job.id < %s ORDER BY job.id DESC LIMIT %s"
_QUEUED = """
    SELECT id, task_name AS name, queue_name AS queue, attempts, status = 'doing' AS is_running,
           scheduled_at AS due_at
    FROM runtime.procrastinate_jobs WHERE status IN ('todo', 'doing')
    ORDER BY status = 'doing' DESC, scheduled_at NULLS FIRST, id LIMIT %s
"""
_LOCK_FAILED = f"{_FAILED} AND job.id = %s FOR UPDATE OF job"
_REQUEUE_FAILED = """
    UPDATE runtime.procrastinate_jobs AS job
    SET status = 'todo', attempts = 0, scheduled_at = NULL, abort_requested = false,
        worker_id = NULL
    WHERE id = %s AND NOT EXISTS (
        SELECT 1 FROM runtime.procrastinate_jobs AS other
        WHERE other.queueing_lock = job.queueing_lock AND other.status = 'todo'
    )
    RETURNING id
"""
_DROP_FAILED = "DELETE FROM runtime.procrastinate_jobs WHERE id = %s"
_LARGEST = (1 << 63) - 1

Function = TypeVar("Function", bound=Callable[..., object])


class UnknownJob(errors.NotFound):
    """No job of this name is registered."""

    code = "runtime.jobs.unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a failed job is tried again: at most `attempts` times in all, waiting ever longer.

    The waits double from `first_s` seconds up to `most_s`. A refusal that says the request itself
    is wrong (NotFound, Forbidden, Rejected) is final: trying again would be refused again.
    """

    attempts: int = 10
    first_s: int = 2
    most_s: int = 900

    def wait_s(self, error: BaseException, *, failed: int) -> int | None:
        """This will give the seconds to wait after the `failed`-th failure, None for no more."""
        final = isinstance(error, errors.NotFound | errors.Forbidden | errors.Rejected)
        if final or failed >= self.attempts or not isinstance(error, Exception):
            return None
        return min(self.first_s << min(failed - 1, 40), self.most_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """What a job knows of its run. `platform` is what the worker was given by its maker."""

    id: int
    name: str
    attempt: int
    due_at: Instant | None
    platform: Any
    should_stop: Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJob:
    """A job that will not be tried again by itself. Its arguments are not shown."""

    id: int
    name: str
    queue: str
    attempts: int
    failed_at: Instant | None


def find_failed(tx: Tx, *, before: int | None, limit: int) -> tuple[FailedJob, ...]:
    """This will give failed jobs, the newest first, with numbers below `before`."""
    rows = tx.all(_FIND_FAILED, (_LARGEST if before is None else before, limit))
    return tuple(FailedJob(**row) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedJob:
    """A job that waits, not before `due_at` where that is set, or is being done now."""

    id: int
    name: str
    queue: str
    attempts: int
    is_running: bool
    due_at: Instant | None


def find_queued(tx: Tx, *, limit: int) -> tuple[QueuedJob, ...]:
    """This will give the jobs that run or wait, those that come first at the front."""
    return tuple(QueuedJob(**row) for row in tx.all(_QUEUED, (limit,)))


def lock_failed(tx: Tx, job: int) -> FailedJob | None:
    """This will lock a failed job and give it; None where there is none of this number."""
    row = tx.maybe(_LOCK_FAILED, (job,)) if 0 < job <= _LARGEST else None
    return None if row is None else FailedJob(**row)


def requeue_failed(tx: Tx, job: FailedJob) -> bool:
    """This will put a locked failed job back; False where another run of it waits already."""
    return tx.maybe(_REQUEUE_FAILED, (job.id,)) is not None


def drop_failed(tx: Tx, job: FailedJob) -> None:
    """This will throw a locked failed job away with its history."""
    tx.execute(_DROP_FAILED, (job.id,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registered:
    name: str
    function: Callable[..., object]
    retry: Retry
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Periodic:
    name: str
    cron: str
    args: Mapping[str, Any] = field(default_factory=dict)


class JobRegistry:
    """The jobs of this installation by name, and how to ask for one."""

    def __init__(self) -> None:
        """Start empty."""
        self.jobs: dict[str, _Registered] = {}
        self.periodics: list[_Periodic] = []
        # This connector opens nothing: every call brings the connection of its transaction.
        self._manager = JobManager(procrastinate.SyncPsycopgConnector())

    def job(
        self, name: str, *, retry: Retry | None = None, queue: str = "default"
    ) -> Callable[[Function], Function]:
        """This will register a function `(context: JobContext, **args)` as the job `name`."""
        assert _NAME.match(name), f"{name} is not a dotted name"
        assert name not in self.jobs, f"two jobs are named {name}"

        def register(function: Function) -> Function:
            self.jobs[name] = _Registered(
                name=name, function=function, retry=retry or Retry(), queue=queue
            )
            return function

        return register

    def periodic(self, name: str, cron: str, **args: Any) -> None:
        """This will queue a registered job whenever `cron` says (five or six fields, in UTC).

        It is queued once for all workers, never beside another run of itself that still waits or
        runs, and not for moments more than ten minutes past.
        """
        assert name in self.jobs, f"{name} must be registered first"
        assert all(other.name != name for other in self.periodics), f"{name} is periodic already"
        self.periodics.append(_Periodic(name=name, cron=cron, args=_plain(args)))

    def defer(
        self,
        connection: psycopg.Connection[Any],
        name: str,
        args: Mapping[str, Any],
        *,
        at: Instant | None = None,
        lock: str | None = None,
    ) -> int:
        """This will queue a job inside the connection's open transaction and give its number.

        It runs after the commit, not before `at` (real time), and never beside another job with
        the same `lock`. Raises UnknownJob; errors of PostgreSQL come as psycopg raises them.
        """
        registered = self.jobs.get(name)
        if registered is None:
            raise UnknownJob(name=name[:80])
        status = connection.info.transaction_status
        open_now = status == TransactionStatus.INTRANS
        assert open_now or not connection.autocommit, "a job is queued inside a transaction"
        deferrer = configure_task(
            name=name,
            job_manager=self._manager,
            queue=registered.queue,
            lock=lock,
            schedule_at=None if at is None else as_instant(at),
            connection=connection,
        )
        try:
            return deferrer.defer(**_plain(args))
        except queue_errors.ConnectorException as error:
            # The transaction's owner decides by PostgreSQL's own error whether to try again.
            raise error.__cause__ or error from None


def _plain(args: Mapping[str, Any]) -> dict[str, Any]:
    assert _DUE not in args, f"{_DUE} is reserved"
    plain = to_plain(args)
    assert isinstance(plain, dict)
    return plain


class Worker:
    """Runs jobs in threads of its own, from a thread with an event loop of its own.

    It survives a database that goes away and takes over the jobs of workers that died, which is
    known `stalled_s` seconds after their last heartbeat. Several workers share the queue.
    """

    def __init__(
        self,
        registry: JobRegistry,
        conninfo: str,
        *,
        platform: Any = None,
        concurrency: int = 2,
        stalled_s: float = 20.0,
        poll_s: float = 2.0,
    ) -> None:
        """`conninfo` is that of the application's role; `platform` reaches every job."""
        self._registry = registry
        self._conninfo = session_conninfo(conninfo)
        self._platform = platform
        self._concurrency = concurrency
        self._stalled_s = stalled_s
        self._poll_s = poll_s
        self._stopping = threading.Event()
        self._serving = threading.Event()
        self._thread: threading.Thread | None = None
        self._wake: Callable[[], object] = _nothing

    def start(self) -> None:
        """This will start the worker's thread and return at once."""
        assert self._thread is None, "a worker starts once"
        logging.getLogger("procrastinate.worker").addFilter(_not_an_outcome)
        self._thread = threading.Thread(target=self._main, name="lingqu-jobs", daemon=True)
        self._thread.start()

    def stop(self, graceful_s: float = 10.0) -> bool:
        """This will take no more jobs, wait for the running ones, and say whether all ended.

        Running jobs see `should_stop`. One that does not end in time is taken over by another
        worker when this process is gone.
        """
        self._stopping.set()
        with contextlib.suppress(RuntimeError):  # the loop may just have closed
            self._wake()
        if self._thread is None:
            return True
        self._thread.join(graceful_s)
        return not self._thread.is_alive()

    def run_until_stopped(self, graceful_s: float = 10.0) -> bool:
        """This will run until SIGINT, SIGTERM or `stop`; from the main thread of a process."""
        before = {
            number: signal.signal(number, lambda *_: self._stopping.set())
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            self.start()
            self._stopping.wait()
            return self.stop(graceful_s)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> CheckResult:
        """This will say for readiness whether the worker is taking jobs."""
        alive = self._thread is not None and self._thread.is_alive()
        if alive and self._serving.is_set():
            return fine()
        return CheckResult(ok=False, code="runtime.jobs.worker_stopped")

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(self._supervise())

    async def _supervise(self) -> None:
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(stopped.set)
        pause_s, most_s = _RESTART_S
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._serve(stopped)
            except (queue_errors.ConnectorException, psycopg.Error, OSError) as error:
                _LOG.warning("worker.lost_database", exc_info=error)
            finally:
                self._serving.clear()
            if not self._stopping.is_set():
                pause_s = _RESTART_S[0] if time.monotonic() - began > most_s else pause_s
                _LOG.warning("worker.restarts", in_s=pause_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), pause_s)
                pause_s = min(pause_s * 2, most_s)
        _LOG.info("worker.stopped")

    async def _serve(self, stopped: asyncio.Event) -> None:
        """Run procrastinate's worker until it ends or we are stopped."""
        app = self._app()
        opening = asyncio.ensure_future(app.open_async())
        stop = asyncio.create_task(stopped.wait(), name="stopped")
        try:
            # A database that is away must not keep us from stopping.
            await asyncio.wait({opening, stop}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                opening.result()
                await self._serve_opened(app, stop)
        finally:
            await _cancelled(opening, stop)
            await app.close_async()

    async def _serve_opened(self, app: procrastinate.App, stop: asyncio.Task[Any]) -> None:
        await self._take_over(app)
        work = asyncio.create_task(self._run(app), name="worker")
        watch = asyncio.create_task(self._watch_stalled(app), name="stalled")
        self._serving.set()
        _LOG.info("worker.started", concurrency=self._concurrency)
        try:
            await asyncio.wait({work, watch, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled(work, watch)
        for task in (work, watch):
            if not task.cancelled():
                task.result()

    async def _run(self, app: procrastinate.App) -> None:
        # Cancelling this makes procrastinate wait for the running jobs.
        await app.run_worker_async(
            concurrency=self._concurrency,
            install_signal_handlers=False,
            delete_jobs="successful",
            fetch_job_polling_interval=self._poll_s,
            update_heartbeat_interval=self._stalled_s / 4,
            stalled_worker_timeout=self._stalled_s,
        )

    async def _watch_stalled(self, app: procrastinate.App) -> None:
        while True:
            await asyncio.sleep(self._stalled_s / 2)
            await self._take_over(app)

    async def _take_over(self, app: procrastinate.App) -> None:
        rows = await app.connector.execute_query_all_async(
            _TAKE_OVER, most=STALLED_ATTEMPTS_MAX, stalled_s=self._stalled_s
        )
        for row in rows:
            outcome = "failed" if row["status"] == "failed" else "stalled"
            METRICS.jobs_total.labels(name=row["task_name"], outcome=outcome).inc()
            _LOG.warning("job.stalled", job=row["task_name"], id=row["id"], outcome=outcome)

    def _app(self) -> procrastinate.App:
        connector = procrastinate.PsycopgConnector(
            conninfo=self._conninfo, min_size=1, max_size=self._concurrency + 2
        )
        app = procrastinate.App(connector=connector)
        for registered in self._registry.jobs.values():
            app.task(
                name=registered.name,
                queue=registered.queue,
                retry=_Strategy(registered.retry),
                pass_context=True,
            )(self._runner(registered))
        for periodic in self._registry.periodics:
            options: ConfigureTaskOptions = {
                "lock": periodic.name,
                "queueing_lock": periodic.name,
                "task_kwargs": dict(periodic.args),
            }
            task: Task[Any, Any, Any] = app.tasks[periodic.name]
            app.periodic_registry.register_task(
                task=task, cron=periodic.cron, periodic_id="", configure_kwargs=options
            )
        return app

    def _runner(self, registered: _Registered) -> Callable[..., None]:
        def run(queued: procrastinate.JobContext, **args: Any) -> None:
            due = args.pop(_DUE, None)
            assert queued.job.id is not None, "a job that runs has a number"
            context = JobContext(
                id=queued.job.id,
                name=registered.name,
                attempt=queued.job.attempts + 1,
                due_at=None if due is None else datetime.fromtimestamp(due, UTC),
                platform=self._platform,
                should_stop=lambda: self._stopping.is_set() or queued.should_abort(),
            )
            with bind(correlation=f"job-{context.id}", job=context.name):
                _perform(registered, context, args)

        return run


def _perform(registered: _Registered, context: JobContext, args: Mapping[str, Any]) -> None:
    began = time.perf_counter()
    count = METRICS.jobs_total
    try:
        registered.function(context, **args)
    except Exception as error:
        # The worker's edge: every failure is logged and counted, then decided by its retry rule.
        wait_s = registered.retry.wait_s(error, failed=context.attempt)
        if wait_s is None:
            count.labels(name=registered.name, outcome="failed").inc()
            _LOG.exception("job.failed", attempt=context.attempt)
        else:
            count.labels(name=registered.name, outcome="retried").inc()
            _LOG.warning("job.retried", attempt=context.attempt, in_s=wait_s, exc_info=error)
        raise
    count.labels(name=registered.name, outcome="done").inc()
    _LOG.info("job.done", attempt=context.attempt, seconds=round(time.perf_counter() - began, 3))


async def _cancelled(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


class _Strategy(BaseRetryStrategy):
    """Our retry rule in procrastinate's terms."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        wait_s = self._retry.wait_s(exception, failed=job.attempts + 1)
        return None if wait_s is None else RetryDecision(retry_in={"seconds": wait_s})


def _not_an_outcome(record: logging.LogRecord) -> bool:
    """Outcomes are logged here, without the arguments that procrastinate would show."""
    return getattr(record, "action", "") not in _OWN_OUTCOMES


def _nothing() -> None:
    """Before the loop runs there is nothing to wake."""
