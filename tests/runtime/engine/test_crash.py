# SPDX-License-Identifier: Apache-2.0
"""Workers, nursery, platform and loads are killed on purpose; what must go on goes on."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import Cancel, Column, Engine, Job, create_table, find_files, stage_rows
from lingqu.runtime.engine.tables import find_load, get_version, sweep_orphans

pytestmark = pytest.mark.crash

LONG = Job(
    sql="SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range < b.range"
)
SHORT = Job(sql="SELECT 1")


def children(pid):
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):
            if int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(condition, seconds=10):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.005)


@pytest.fixture
def small(folder):
    with Engine(folder=folder / "crash", workers=2, spares=1) as made:
        yield made


def nursery_of(engine):
    return engine._nursery._process.pid


def run_aside(act):
    outcome = []

    def run():
        try:
            outcome.append(act())
        except LingquError as refusal:
            outcome.append(refusal.code)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def busiest(engine):
    """The worker that computes: the spare never gets this far in processor time."""

    def used(pid):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    found = []

    def is_busy():
        found[:] = sorted((used(pid), pid) for pid in children(nursery_of(engine)) if is_alive(pid))
        return bool(found) and found[-1][0] > 20

    wait_for(is_busy)
    return found[-1][1]


def test_a_worker_killed_in_the_middle_is_one_refusal_and_the_spare_takes_over(small):
    thread, outcome = run_aside(lambda: small.query(LONG))
    os.kill(busiest(small), signal.SIGKILL)
    thread.join()
    assert outcome == ["runtime.engine.query_failed"]
    assert small.query(SHORT).rows == ((1,),)


def test_a_spare_that_died_is_left_out(small):
    assert small.query(SHORT).rows == ((1,),)
    wait_for(lambda: children(nursery_of(small)))
    for pid in children(nursery_of(small)):
        os.kill(pid, signal.SIGKILL)
    assert small.query(SHORT).rows == ((1,),)


def test_a_query_that_waits_for_a_worker_which_never_gets_ready_is_cancelled(folder):
    handle, stopped, over = Cancel(), set[int](), threading.Event()

    def stop_at_birth(nursery):
        while not over.is_set():
            for pid in {*children(nursery)} - stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    stopped.add(pid)

    with Engine(folder=folder / "still", workers=1, spares=0) as engine:
        engine.confinement()
        stopper, _ = run_aside(lambda: stop_at_birth(nursery_of(engine)))
        thread, outcome = run_aside(lambda: engine.query(SHORT, cancel=handle))
        wait_for(lambda: stopped)
        assert not outcome
        handle.cancel()
        thread.join(timeout=20)
        over.set()
        stopper.join()
        assert outcome == ["runtime.engine.cancelled"]
        assert engine.query(SHORT).rows == ((1,),)


def test_a_nursery_that_died_takes_its_workers_along_and_is_started_again(small):
    thread, outcome = run_aside(lambda: small.query(LONG))
    worker = busiest(small)
    first = nursery_of(small)
    os.kill(first, signal.SIGKILL)
    thread.join()
    assert outcome == ["runtime.engine.query_failed"]
    wait_for(lambda: not is_alive(worker))
    assert small.query(SHORT).rows == ((1,),)
    assert nursery_of(small) != first


def test_a_cancelled_worker_is_gone_and_its_caller_free_at_once(small):
    handle = Cancel()
    thread, outcome = run_aside(lambda: small.query(LONG, cancel=handle))
    worker = busiest(small)
    began = time.monotonic()
    handle.cancel()
    thread.join()
    freed = time.monotonic() - began
    wait_for(lambda: not is_alive(worker))
    assert outcome == ["runtime.engine.cancelled"]
    # The bar is 100 ms and is measured in bench/; here only that nobody waited for the query.
    assert freed < 60


PLATFORM = """
import sys, threading, time
from pathlib import Path
from lingqu.runtime.engine import Engine, Job
engine = Engine(folder=Path(sys.argv[1]), workers=2, spares=1)
sql = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range < b.range"
print(engine.query(Job(sql="SELECT 1")).rows, engine._nursery._process.pid, flush=True)
engine.query(Job(sql=sql))
"""


def test_when_the_platform_is_killed_nothing_of_it_lives_on(folder):
    platform = subprocess.Popen(
        [sys.executable, "-c", PLATFORM, str(folder / "platform")],
        stdout=subprocess.PIPE,
        text=True,
    )
    with platform:
        nursery = int(platform.stdout.readline().split()[-1])
        wait_for(lambda: len(children(nursery)) >= 2)
        family = [nursery, *children(nursery)]
        platform.kill()
    wait_for(lambda: not any(is_alive(pid) for pid in family))


LOADER = """
import os, signal, sys
from pathlib import Path
from lingqu.runtime.engine import Column, stage_rows, tables
folder, moment = Path(sys.argv[1]), sys.argv[2]

def die(*_given, **_named):
    os.kill(os.getpid(), signal.SIGKILL)

if moment == "before commit":
    tables._commit = die
elif moment == "after commit":
    tables._sync_log = die
elif moment == "before publish":
    tables._publish = die
columns = (Column(name="编号", type="BIGINT"),)
with stage_rows(folder, rows=[(n,) for n in range(100)], columns=columns) as staged:
    staged.commit(load="装载-2")
"""


@pytest.mark.parametrize("moment", ["before publish", "before commit", "after commit"])
def test_a_load_killed_at_any_moment_is_there_as_a_whole_or_not_at_all(tmp_path, moment):
    table, columns = tmp_path / "表", (Column(name="编号", type="BIGINT"),)
    create_table(table, columns=columns)
    with stage_rows(table, rows=[(7,)], columns=columns) as staged:
        staged.commit(load="装载-1")
    version, before = get_version(table), find_files(table)
    done = subprocess.run([sys.executable, "-c", LOADER, str(table), moment])
    assert done.returncode == -signal.SIGKILL
    there = find_load(table, load="装载-2")
    if moment == "after commit":
        assert there.file.rows == 100
    else:
        assert there is None
        assert (get_version(table), find_files(table)) == (version, before)
    with stage_rows(table, rows=[(n,) for n in range(100)], columns=columns) as staged:
        again = staged.commit(load="装载-2")
    assert again.repeated == (moment == "after commit")
    assert sorted(file.rows for file in find_files(table)) == [1, 100]
    sweep_orphans(table, older_than_seconds=-1)
    assert sorted(file.rows for file in find_files(table)) == [1, 100]
    assert not [path for path in (table / ".staging").iterdir() if path.suffix == ".csv"]
    assert len(list(table.glob("*.parquet"))) == 2
