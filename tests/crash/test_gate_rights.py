# SPDX-License-Identifier: Apache-2.0
"""Rights that end, ears that are cut off and floods, on the processes a machine really runs.

No time is measured: what is held is that nothing is answered after a refusal was seen, that what
does not hear answers nothing, and who comes before whom.
"""

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from served import PATH, QUERIES, QUERY, Served, engine_workers

from lingqu import rights, trust
from lingqu.kernel.time import Period
from lingqu.runtime import new_id
from lingqu.runtime.listening import NAME
from lingqu.trust import holds
from lingqu.wiring import open_app

pytestmark = [pytest.mark.crash, pytest.mark.timeout(600)]

PATIENCE_S = 240
ANSWERED_FIRST = 5
VALID_S = 6
FLOOD = 40
EARS = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
LATEST = "SELECT max(at) FROM gate.call WHERE grant_id = ANY(%s) AND refusal IS NULL"
DEAF = "rights.check.not_listening"


@pytest.fixture(scope="module")
def world():
    base = Path(tempfile.mkdtemp(prefix="lingqu-rights-"))
    base.chmod(0o755)
    made = Served(base)
    try:
        with open_app(made.settings) as app:
            made.app = app

            def do(what, **values):
                caller = trust.LOCAL_ADMINISTRATOR
                return trust.execute(app.database, what, caller, new_id(trust.CommandId), **values)

            made.do = do
            yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def processes(world):
    """The web, with one worker that may take ten minutes, and the hot gate, of one database."""
    slow = {"engine_workers": 1, "engine_query_ms": 600_000}
    with world.served("serve", **slow) as (web, site), world.served("gate", "serve") as (_, hot):
        yield {"hot": (hot, PATH), "web": (site, PATH), "query": (site, QUERIES)}, web.pid


class Callers:
    """Asks at every door under one grant, again and again, and writes down what came when."""

    def __init__(self, world, doors, grant, key):
        self.world, self.grant, self.key = world, grant, key
        self.events = {name: [] for name in doors}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(name, *door)) for name, door in doors.items()
        ]

    def __enter__(self):
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for one in self._threads:
            one.join()

    def _ask(self, name, site, path):
        head = {"authorization": f"Bearer {self.key}"}
        with httpx.Client(headers=head, timeout=120) as client:
            while not self._stop.is_set():
                answer = client.post(f"{site}{path}", json=self.body(path))
                told = answer.json()
                self.events[name].append(None if answer.status_code == 200 else told["code"])

    def body(self, path):
        if path == QUERIES:
            return self.world.question(self.grant, QUERY.format(""))
        return self.world.verification(self.grant, 8)

    def wait_for(self, wanted, count=1):
        """Until every door told so often what is wanted: None for an answer, else the code."""
        ends = time.monotonic() + PATIENCE_S
        while any(told.count(wanted) < count for told in self.events.values()):
            assert time.monotonic() < ends, (
                wanted,
                {n: Counter(t) for n, t in self.events.items()},
            )
            time.sleep(0.005)


def revoke(world, grant):
    world.do(rights.revoke_grant, grant=grant, cause=rights.RevocationCause.WITHDRAWN)


def hold(world, grant):
    world.do(
        holds.place_hold, hold=new_id(holds.HoldId), subject=str(grant),
        reason=holds.HoldReason.SUPERVISION, article="网络数据安全管理条例 第五十二条",
    )  # fmt: skip


def expire(_world, _grant):
    """It does by itself."""


ENDS = {
    "rights.grant.revoked": revoke, "rights.grant.held": hold, "rights.grant.expired": expire,
}  # fmt: skip


CODES = [one if ENDS[one] is revoke else pytest.param(one, marks=pytest.mark.slow) for one in ENDS]


@pytest.mark.parametrize("code", CODES)
def test_nothing_is_answered_anywhere_after_a_right_was_seen_to_have_ended(world, processes, code):
    """Each door asks one after another: what it was told is in the order in which it asked."""
    doors, _ = processes
    party, key = world.buyer(world.do)
    now = datetime.now(UTC)
    valid = Period(now, now + timedelta(seconds=VALID_S)) if ENDS[code] is expire else None
    grant = world.granted(world.do, party, valid=valid)
    with Callers(world, doors, grant, key) as callers:
        callers.wait_for(None, 1 if valid else ANSWERED_FIRST)
        ENDS[code](world, grant)
        callers.wait_for(code, ANSWERED_FIRST)
    for told in callers.events.values():
        after = told[told.index(code) :]
        assert {*after} == {code}
        assert {*told} == {None, code}
    if valid is not None:
        ((latest,),) = world.query(LATEST, ([grant],))
        assert latest < valid.end


def test_a_query_that_runs_is_killed_when_its_right_ends(world, processes):
    """Its worker stands still, so that it would go on for the ten minutes it may take."""
    doors, web = processes
    party, key = world.buyer(world.do)
    grant = world.granted(world.do, party)
    with Callers(world, {"query": doors["query"]}, grant, key) as callers:
        callers.wait_for(None)
        workers = stand_still(web)
        stood = len(callers.events["query"])
        try:
            hold(world, grant)
            callers.wait_for("rights.grant.held")
            assert callers.events["query"][stood + 1 :].count(None) == 0
            ends = time.monotonic() + PATIENCE_S
            while not any(map(has_ended, workers)):
                assert time.monotonic() < ends, "one is killed where it stands"
                time.sleep(0.01)
        finally:
            for one in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGCONT)


def has_ended(pid):
    """Whether a process is gone, or was killed and is not buried yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def stand_still(platform):
    """Stop every worker there is until no new one comes; gives them."""
    stopped = set()
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 0.5:
        for one in engine_workers(platform):
            if one not in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGSTOP)
                    stopped.add(one)
                    quiet_since = time.monotonic()
        time.sleep(0.001)
    return stopped


@pytest.mark.parametrize("cut", [pytest.param("ended", marks=pytest.mark.slow), "silent"])
def test_what_does_not_hear_answers_nothing_and_hears_everything_again(world, processes, cut):
    """The connection that hears is ended by the database, or stands still with everything open."""
    doors, _ = processes
    party, key = world.buyer(world.do)
    grant, other = world.granted(world.do, party), world.granted(world.do, party)
    with Callers(world, doors, grant, key) as callers, Callers(world, doors, other, key) as others:
        callers.wait_for(None, ANSWERED_FIRST)
        ears = {pid for (pid,) in world.query(EARS, (NAME,))}
        assert len(ears) >= 2
        with cut_off(world, ears, cut):
            if cut == "silent":
                wait_for_deafness(callers)
                since = {name: len(told) for name, told in callers.events.items()}
                revoke(world, grant)
                callers.wait_for(
                    DEAF, 1 + max(told.count(DEAF) for told in callers.events.values())
                )
                for name, told in callers.events.items():
                    # Whoever does not hear of it says nothing at all.
                    assert None not in told[since[name] :]
            else:
                revoke(world, grant)
        callers.wait_for("rights.grant.revoked", ANSWERED_FIRST)
        asked = {name: len(told) for name, told in others.events.items()}
        ends = time.monotonic() + PATIENCE_S
        while any(None not in told[asked[name] :] for name, told in others.events.items()):
            assert time.monotonic() < ends, "it never hears again"
            time.sleep(0.01)
    for told in callers.events.values():
        assert None not in told[told.index("rights.grant.revoked") :]


def wait_for_deafness(callers):
    ends = time.monotonic() + PATIENCE_S
    while any(not told or told[-1] is None for told in callers.events.values()):
        assert time.monotonic() < ends, [*map(Counter, callers.events.values())]
        time.sleep(0.005)


@contextlib.contextmanager
def cut_off(world, ears, cut):
    if cut == "ended":
        with psycopg.connect(world.server.admin_conninfo, autocommit=True) as connection:
            for pid in ears:
                connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        yield
        return
    for pid in ears:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in ears:
            os.kill(pid, signal.SIGCONT)


def test_one_question_comes_before_the_flood_of_another_contract(world, processes):
    (site, path), answered = processes[0]["query"], []
    (loud, loud_key), (quiet, quiet_key) = (world.buyer(world.do) for _ in range(2))
    flooding, asking = world.granted(world.do, loud), world.granted(world.do, quiet)

    def ask(grant, key, name):
        with httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=120) as client:
            body = world.question(grant, QUERY.format(""))
            answered.append((name, client.post(f"{site}{path}", json=body).status_code))

    ask(asking, quiet_key, "before")
    threads = [threading.Thread(target=ask, args=(flooding, loud_key, "loud"))
               for _ in range(FLOOD)]  # fmt: skip
    for one in threads:
        one.start()
    ends = time.monotonic() + PATIENCE_S
    while len(answered) < 2 and time.monotonic() < ends:
        time.sleep(0.001)
    ask(asking, quiet_key, "quiet")
    for one in threads:
        one.join()
    names = [name for name, _ in answered]
    assert {status for _, status in answered} == {200}
    assert names.index("quiet") < FLOOD // 2
