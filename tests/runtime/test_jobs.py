# SPDX-License-Identifier: Apache-2.0
"""Jobs on a real PostgreSQL: with the transaction or not at all, retried, taken over, once each."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import procrastinate
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from procrastinate.schema import SchemaManager
from psycopg import conninfo as pg_conninfo
from psycopg.rows import dict_row

from lingqu.kernel import errors
from lingqu.runtime.db import session_conninfo
from lingqu.runtime.jobs import JobRegistry, Retry, UnknownJob, Worker
from lingqu.runtime.migrate import migrate
from lingqu.runtime.observability import METRICS
from lingqu.runtime.postgres import discard_postgres, open_postgres

MIGRATION = resources.files("lingqu").joinpath("migrations", "0002_jobs.sql")
QUICK = Retry(attempts=3, first_s=0)


class Refused(errors.Rejected):
    code = "tests.jobs.refused"


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="jobs-"))
    folder.chmod(0o755)
    with open_postgres(data_dir=folder / "data") as running:
        migrate(running.owner_conninfo, upto=2)
        yield running
    discard_postgres(data_dir=folder / "data")
    shutil.rmtree(folder)


@pytest.fixture
def database(server):
    """The connection string of the application's role on a fresh database with the queue."""
    name = f"jobs_{uuid.uuid4().hex[:12]}"
    first = pg_conninfo.conninfo_to_dict(server.app_conninfo)["dbname"]
    admin = pg_conninfo.make_conninfo(server.admin_conninfo, dbname="postgres")
    with psycopg.connect(admin, autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}" TEMPLATE "{first}"')
    yield session_conninfo(pg_conninfo.make_conninfo(server.app_conninfo, dbname=name))
    with psycopg.connect(admin, autocommit=True) as owner:
        owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def connection(database):
    with psycopg.connect(database, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def working(database):
    """Start a worker for a registry; every worker is stopped at the end."""
    started = []

    def start(registry, **options):
        worker = Worker(registry, database, **{"poll_s": 0.1, **options})
        worker.start()
        started.append(worker)
        return worker

    yield start
    for worker in started:
        assert worker.stop(20)


def until(condition, *, within_s=60.0):
    """Poll until the condition holds, and give what it gave."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.02)
    return found


def queued(database):
    with psycopg.connect(database, row_factory=dict_row) as connection:
        return connection.execute(
            "SELECT task_name, status::text, attempts, args FROM procrastinate_jobs ORDER BY id"
        ).fetchall()


def counted(name, outcome):
    return METRICS.jobs_total.labels(name=name, outcome=outcome)._value.get()


def test_the_migration_is_the_schema_of_the_installed_procrastinate():
    text = MIGRATION.read_text(encoding="utf-8")
    begin = f"-- begin procrastinate {procrastinate.__version__}\n"
    end = f"\n-- end procrastinate {procrastinate.__version__}\n"
    assert begin in text, "procrastinate was upgraded: add its own migration as a new one of ours"
    shipped = text.partition(begin)[2].partition(end)[0]
    assert shipped == SchemaManager.get_schema().strip()


def test_a_job_runs_after_the_commit_with_its_arguments_and_platform(connection, working):
    registry, seen, platform = JobRegistry(), [], object()

    @registry.job("tests.note")
    def note(context, *, text, day):
        seen.append((context.name, context.attempt, context.platform, context.id, text, day))

    worker = working(registry, platform=platform)
    number = registry.defer(connection, "tests.note", {"text": "甲", "day": datetime(
        2026, 3, 2, tzinfo=UTC)})  # fmt: skip
    until(lambda: worker.check().ok)
    assert seen == []
    connection.commit()
    until(lambda: seen)
    assert seen == [("tests.note", 1, platform, number, "甲", "2026-03-02T00:00:00.000000Z")]
    assert worker.stop(10)
    assert not worker.check().ok


def test_a_job_vanishes_with_its_transaction(database, connection):
    registry = JobRegistry()
    registry.job("tests.note")(lambda _: None)
    registry.defer(connection, "tests.note", {})
    connection.rollback()
    with contextlib.suppress(Refused), connection.transaction():
        registry.defer(connection, "tests.note", {})
        raise Refused
    assert queued(database) == []
    with connection.transaction():
        registry.defer(connection, "tests.note", {})
    assert len(queued(database)) == 1


def test_an_unknown_job_a_reserved_argument_or_no_transaction_is_refused(connection):
    registry = JobRegistry()
    with pytest.raises(UnknownJob):
        registry.defer(connection, "tests.none", {})
    registry.job("tests.note")(lambda _: None)
    with pytest.raises(AssertionError):
        registry.job("tests.note")
    with pytest.raises(AssertionError):
        registry.job("Bad name")
    with pytest.raises(AssertionError):
        registry.defer(connection, "tests.note", {"timestamp": 1})
    connection.autocommit = True
    with pytest.raises(AssertionError):
        registry.defer(connection, "tests.note", {})


def test_errors_of_the_database_come_as_psycopg_raises_them(connection):
    registry = JobRegistry()
    registry.job("tests.note")(lambda _: None)
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1/0")
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        registry.defer(connection, "tests.note", {})


def test_a_failing_job_is_retried_then_counted_as_failed_and_kept(database, connection, working):
    registry, attempts = JobRegistry(), []

    @registry.job("tests.fails", retry=QUICK)
    def fails(context):
        attempts.append(context.attempt)
        raise ZeroDivisionError

    @registry.job("tests.mends", retry=QUICK)
    def mends(context):
        if context.attempt < 3:
            raise ZeroDivisionError

    with connection.transaction():
        registry.defer(connection, "tests.fails", {})
        registry.defer(connection, "tests.mends", {})
    working(registry)
    until(lambda: [row["status"] for row in queued(database)] == ["failed"])
    assert attempts == [1, 2, 3]
    assert (counted("tests.fails", "retried"), counted("tests.fails", "failed")) == (2, 1)
    assert (counted("tests.mends", "retried"), counted("tests.mends", "done")) == (2, 1)


def test_a_refusal_is_not_tried_again(database, connection, working):
    registry, attempts = JobRegistry(), []

    @registry.job("tests.refused")
    def refused(context):
        attempts.append(context.attempt)
        raise Refused

    with connection.transaction():
        registry.defer(connection, "tests.refused", {})
    working(registry)
    until(lambda: [row["status"] for row in queued(database)] == ["failed"])
    assert attempts == [1]


@given(st.integers(1, 200), st.integers(0, 60), st.integers(0, 3600))
def test_waits_grow_and_stay_bounded(attempts, first_s, most_s):
    retry = Retry(attempts=attempts, first_s=first_s, most_s=most_s)
    waits = [retry.wait_s(OSError(), failed=failed) for failed in range(1, attempts + 1)]
    assert waits[-1] is None
    assert waits[:-1] == sorted(waits[:-1])
    assert all(0 <= wait <= most_s for wait in waits[:-1])
    assert retry.wait_s(Refused(), failed=1) is None


def test_a_job_does_not_run_before_its_time(connection, working):
    registry, ran = JobRegistry(), []

    @registry.job("tests.later")
    def later(_, *, number):
        ran.append(number)

    now = datetime.now(UTC)
    with connection.transaction():
        registry.defer(connection, "tests.later", {"number": 1}, at=now + timedelta(hours=1))
        registry.defer(connection, "tests.later", {"number": 2}, at=now + timedelta(seconds=1))
        registry.defer(connection, "tests.later", {"number": 3})
    working(registry)
    until(lambda: len(ran) == 2)
    assert ran == [3, 2]


def test_jobs_with_the_same_lock_never_run_together_across_workers(connection, working):
    registry, running, together = JobRegistry(), [], []

    @registry.job("tests.locked")
    def locked(context):
        running.append(context.id)
        together.append(len(running))
        threading.Event().wait(0.02)
        running.remove(context.id)

    with connection.transaction():
        for _ in range(12):
            registry.defer(connection, "tests.locked", {}, lock="one")
    working(registry, concurrency=3)
    working(registry, concurrency=3)
    until(lambda: len(together) == 12)
    assert set(together) == {1}


def test_each_of_many_jobs_runs_once_with_two_workers(connection, working):
    registry, ran, lock = JobRegistry(), [], threading.Lock()

    @registry.job("tests.once")
    def once(_, *, number):
        with lock:
            ran.append(number)

    with connection.transaction():
        for number in range(200):
            registry.defer(connection, "tests.once", {"number": number})
    first, second = working(registry, concurrency=4), working(registry, concurrency=4)
    until(lambda: len(ran) >= 200, within_s=60)
    assert first.stop(10)
    assert second.stop(10)
    assert sorted(ran) == list(range(200))


def test_a_periodic_job_runs_when_it_is_due(working):
    registry, dues = JobRegistry(), []

    @registry.job("tests.tick")
    def tick(context, *, greeting):
        dues.append((context.due_at, greeting))

    registry.periodic("tests.tick", "* * * * * */1", greeting="hello")
    working(registry)
    working(registry)
    until(lambda: len(dues) >= 2)
    moments = [due for due, _ in dues]
    assert len(set(moments)) == len(moments)
    assert all(due.microsecond == 0 and due.tzinfo == UTC for due in moments)
    assert {greeting for _, greeting in dues} == {"hello"}


def test_a_stopping_worker_lets_a_job_end_and_tells_it_to(connection, working):
    registry, started, ended = JobRegistry(), threading.Event(), []

    @registry.job("tests.long")
    def long(context):
        started.set()
        until(context.should_stop)
        ended.append(context.id)

    with connection.transaction():
        registry.defer(connection, "tests.long", {})
    worker = working(registry)
    assert started.wait(20)
    assert worker.stop(20)
    assert len(ended) == 1


def test_a_job_that_does_not_end_in_time_is_reported(connection, working):
    registry, started, release = JobRegistry(), threading.Event(), threading.Event()

    @registry.job("tests.stubborn")
    def stubborn(_):
        started.set()
        assert release.wait(30)

    with connection.transaction():
        registry.defer(connection, "tests.stubborn", {})
    worker = working(registry)
    assert started.wait(20)
    assert not worker.stop(0.2)
    release.set()
    assert worker.stop(20)


def hang(conninfo, started):
    registry = JobRegistry()

    @registry.job("tests.hang")
    def hangs(_):
        started.set()
        threading.Event().wait()

    Worker(registry, conninfo, poll_s=0.1).run_until_stopped()


def test_the_job_of_a_killed_worker_is_taken_over(database, connection, working):
    registry, attempts = JobRegistry(), []

    @registry.job("tests.hang")
    def resumed(context):
        attempts.append(context.attempt)

    with connection.transaction():
        registry.defer(connection, "tests.hang", {})
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    child = context.Process(target=hang, args=(database, started))
    child.start()
    assert started.wait(30)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert [row["status"] for row in queued(database)] == ["doing"]
    working(registry, stalled_s=1.0)
    until(lambda: attempts == [2])
    until(lambda: queued(database) == [])
    assert counted("tests.hang", "stalled") == 1


def note_until_stopped(conninfo, path):
    registry = JobRegistry()

    @registry.job("tests.file")
    def file(_):
        path.write_text("ran")

    raise SystemExit(0 if Worker(registry, conninfo, poll_s=0.1).run_until_stopped() else 1)


def test_a_worker_process_ends_well_on_sigterm(tmp_path, database, connection):
    registry = JobRegistry()
    registry.job("tests.file")(lambda _: None)
    with connection.transaction():
        registry.defer(connection, "tests.file", {})
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=note_until_stopped, args=(database, tmp_path / "ran"))
    child.start()
    until(lambda: queued(database) == [])
    assert (tmp_path / "ran").read_text() == "ran"
    os.kill(child.pid, signal.SIGTERM)
    child.join(20)
    assert child.exitcode == 0


def test_a_worker_survives_the_loss_of_every_connection(server, database, connection, working):
    registry, ran = JobRegistry(), []

    @registry.job("tests.after")
    def after(context):
        ran.append(context.id)

    worker = working(registry, stalled_s=2.0)
    until(lambda: worker.check().ok)
    name = pg_conninfo.conninfo_to_dict(database)["dbname"]
    own = connection.info.backend_pid
    with psycopg.connect(server.admin_conninfo, autocommit=True) as owner:
        for _ in range(3):
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> %s",
                (name, own),
            )
            threading.Event().wait(0.3)
    with connection.transaction():
        registry.defer(connection, "tests.after", {})
    until(lambda: ran, within_s=60)


def test_a_worker_waits_for_a_database_that_is_not_there(tmp_path):
    worker = Worker(JobRegistry(), f"host={tmp_path} dbname=none connect_timeout=1")
    worker.start()
    threading.Event().wait(0.3)
    assert not worker.check().ok
    assert worker.stop(5)
