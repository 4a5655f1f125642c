# SPDX-License-Identifier: Apache-2.0
"""Sixteen submitters at once, killed processes and killed backends: nothing is lost or doubled."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.ledger import Phase
from lingqu.runtime import new_id

SUBMITTING = Path(__file__).with_name("submitting.py")
SUBMITTERS, ROUNDS = 16, 6


class Crowd:
    """Accounts that everybody moves amounts between, and what each submitter was told."""

    def __init__(self, till, mover):
        self.till = till
        self.mover = mover
        self.bank = till.open()
        self.hot = till.open(hot=True, floor=0)
        self.accounts = [till.open(floor=0, ceiling=120) for _ in range(4)]
        till.submit(*[mover(self.bank, one, 60) for one in self.accounts])
        self.told = {}
        self.queued = []
        self.lock = threading.Lock()
        self.failures = []

    def draw(self, rng):
        """A few transfers: moves, linked ones, and a reservation with its settlement."""
        one, other, third = rng.sample(self.accounts, 3)
        group = f"g{rng.getrandbits(64):x}"
        held = self.mover(one, other, rng.randint(1, 40), phase=Phase.PENDING)
        settle = rng.choice((ledger.post_pending, ledger.void_pending))
        return (
            self.mover(one, other, rng.randint(1, 40)),
            self.mover(other, third, rng.randint(1, 40), group=group),
            self.mover(third, one, rng.randint(1, 40), group=group),
            held,
            settle(held, by=new_id(ledger.TransferId)),
        )

    def send(self, database, command, **arguments):
        """Send a command until it is answered, under one id."""
        command_id = new_id(trust.CommandId)
        while True:
            try:
                return trust.execute(database, command, self.till.clerk, command_id, **arguments)
            except errors.Unavailable:
                time.sleep(0.01)

    def submit(self, database, seed):
        """What one submitter does: posts, posts again, queues, closes batches."""
        rng = random.Random(seed)
        for _ in range(ROUNDS):
            transfers = self.draw(rng)
            first = self.send(database, ledger.submit_transfers, transfers=transfers)
            again = self.send(database, ledger.submit_transfers, transfers=transfers)
            assert first == again
            fee = self.mover(rng.choice(self.accounts), self.hot, 1)
            queued = (*self.draw(rng), fee)
            self.send(database, ledger.hand_in_transfers, transfers=queued)
            if rng.random() < 0.4:
                self.send(database, ledger.post_batch)
            with self.lock:
                self.told |= {one.transfer: one.outcome.value for one in first}
                self.queued += queued

    def run(self, database):
        """Let all submitters go at once, and wait for them."""

        def guarded(seed):
            try:
                self.submit(database, seed)
            except BaseException as error:  # noqa: BLE001  # the test reports it
                self.failures.append(error)

        threads = [threading.Thread(target=guarded, args=(seed,)) for seed in range(SUBMITTERS)]
        for thread in threads:
            thread.start()
        return threads

    def check(self):
        """Sums, limits, verdicts, and the books as the transfers make them."""
        assert self.failures == []
        while self.till.post().accepted:
            pass
        place = self.till.place
        assert place.sql("SELECT sum(posted), sum(pending_in - pending_out) FROM ledger.balance")[
            0
        ] == (0, 0)
        for account in self.accounts:
            held = self.till.balance(account)
            assert held.available >= 0
            assert held.room >= 0
        kept = dict(place.sql("SELECT id, verdict FROM ledger.transfer"))
        assert {name: kept[name] for name in self.told} == self.told
        assert {one.id for one in self.queued} <= kept.keys()
        assert {"accepted", "floor_crossed", "linked_refused"} <= set(kept.values())
        assert place.audit() == []


def test_sixteen_submitters_lose_and_double_nothing(till, mover):
    crowd = Crowd(till, mover)
    database = till.place.open(size=SUBMITTERS)
    for thread in crowd.run(database):
        thread.join()
    database.close()
    crowd.check()
    assert len(crowd.told) == SUBMITTERS * ROUNDS * 5


@pytest.mark.crash
def test_backends_killed_under_load_lose_and_double_nothing(till, mover):
    crowd = Crowd(till, mover)
    database = till.place.open(size=SUBMITTERS)
    threads = crowd.run(database)
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'lingqu' AND state <> 'idle' ORDER BY random() LIMIT 2"
    )
    killed = 0
    with till.place.superuser(autocommit=True) as admin:
        while any(thread.is_alive() for thread in threads):
            killed += len(admin.execute(kill).fetchall())
            time.sleep(0.15)
    database.close()
    assert killed > 3
    crowd.check()


@pytest.mark.crash
def test_a_killed_process_leaves_whole_submissions_only(till, tmp_path):
    accounts = [till.open(floor=-200, ceiling=200) for _ in range(5)]
    place, clerk, told = till.place, till.clerk.account, {}
    for round_ in range(3):
        file = tmp_path / f"{round_}.told"
        process = subprocess.Popen(
            [sys.executable, SUBMITTING, place.database.conninfo, clerk, file, *accounts],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not file.exists() or file.stat().st_size < 4000):
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.02)
        time.sleep(random.random() * 0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
        whole, _, _ = file.read_text().rpartition("\n")
        told |= dict(line.split() for line in whole.splitlines())
    while till.post().accepted:
        pass
    kept = dict(till.place.sql("SELECT id, verdict FROM ledger.transfer"))
    assert len(told) > 200
    assert all(kept[name] == said for name, said in told.items() if said != "queued")
    assert told.keys() <= kept.keys()
    assert till.place.sql("SELECT sum(posted) FROM ledger.balance") == [(0,)]
    assert till.place.audit() == []


def test_a_reservation_is_settled_once_by_two_at_the_same_time(till, mover):
    bank, buyer = till.open(), till.open(floor=0)
    holds = [mover(bank, buyer, 10, phase=Phase.PENDING) for _ in range(12)]
    till.submit(*holds)
    found = []

    def settle(step):
        for held in holds:
            one = step(held, by=new_id(ledger.TransferId))
            with contextlib.suppress(psycopg.Error):
                found.append(till.submit(one)[0].outcome.value)

    threads = [
        threading.Thread(target=settle, args=(step,))
        for step in (ledger.post_pending, ledger.void_pending, ledger.post_pending)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["accepted"] * 12 + ["pending_settled"] * 24
    assert till.balance(buyer).pending_in == 0
    assert till.place.audit() == []
