# SPDX-License-Identifier: Apache-2.0
"""Processes and the database are killed under load, round after round, on one data folder.

`CRASH_ROUNDS` says how many rounds (6), `CRASH_SEED` repeats a run.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from lingqu.runtime.postgres import discard_postgres, open_postgres
from lingqu.runtime.settings import load_settings
from lingqu.trust import PLATFORM, log
from lingqu.trust.audit import Audit
from lingqu.wiring import initialize, open_app
from lingqu_verify import merkle, notes
from lingqu_verify.history import open_source, verify_log

LOAD = Path(__file__).with_name("load.py")
ORIGIN = "lingqu.test/crash"
STARTS_WITHIN_S = 60

pytestmark = pytest.mark.crash

# One statement, so one snapshot: the transactions of a killed process may still be committing.
STATE = """
    SELECT a.command, c.id IS NOT NULL,
           (SELECT count(*) FROM trust.fact f WHERE f.command = a.command),
           (SELECT count(*) FROM trust.row_version v
            WHERE v.table_name = 'trust.party' AND v.key = a.party),
           coalesce((SELECT p.version FROM trust.party p WHERE p.id = a.party), 0)
    FROM unnest(%s::text[], %s::text[]) AS a (command, party)
    LEFT JOIN trust.command c ON c.id = a.command
"""
HASHES = "SELECT hash FROM trust.log_leaf WHERE index >= %s AND index < %s ORDER BY index"
LEAVES = """
    SELECT count(*), coalesce(max(index) + 1, 0), count(DISTINCT fact) FROM trust.log_leaf
"""
ENTRIES = """
    SELECT count(*), count(l.fact),
           count(*) FILTER (WHERE l.hash = sha256('\\x00'::bytea || convert_to(f.body, 'UTF8')))
    FROM trust.fact f LEFT JOIN trust.log_leaf l ON l.fact = f.id
"""


class World:
    """One data folder for all rounds; this process keeps its database going."""

    def __init__(self, base, rng):
        self.base = base
        self.data = base / "data"
        self.rng = rng
        self.settings = load_settings({}, overrides={"data_dir": self.data, "origin": ORIGIN})
        initialize(self.settings, origin=ORIGIN)
        self.server = open_postgres(data_dir=self.data)
        self.folder = self.data / "log" / "1"
        ((vkey,),) = self.query("SELECT verifier_key FROM trust.log")
        self.key = notes.VerifierKey.parse(vkey)
        self.seen = []
        self.frontier = merkle.Frontier()
        self.attempts = []
        self.acknowledged = []

    def close(self):
        self.server.close()
        discard_postgres(data_dir=self.data)
        shutil.rmtree(self.base)

    def query(self, sql, params=()):
        with psycopg.connect(self.server.app_conninfo) as connection:
            return connection.execute(sql, params).fetchall()

    def look(self):
        """Keep the checkpoint that is published now, as a passing stranger would."""
        with contextlib.suppress(FileNotFoundError):
            text = (self.folder / "checkpoint").read_text()
            if not self.seen or self.seen[-1] != text:
                self.seen.append(text)

    def look_for(self, seconds, until=lambda: False):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            self.look()
            time.sleep(0.003)

    def kill_database(self, *, backends):
        cluster = Path(json.loads((self.data / "postgres.json").read_text())["cluster"])
        first = int((cluster / "postmaster.pid").read_text().splitlines()[0])
        others = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        os.kill(first, signal.SIGKILL)
        for other in others if backends else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(other), signal.SIGKILL)

    def play(self, number):
        """One round: load, a kill, and what must hold right after it."""
        tried, done = self.base / f"{number}.tried", self.base / f"{number}.done"
        said = self.base / f"{number}.stderr"
        with said.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, LOAD, self.data, tried, done],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            self._disturb(number, process, done)
            assert process.poll() is None, f"the load ended by itself:\n{said.read_text()[-4000:]}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.server.ensure_running()
        self.look()
        attempts, acknowledged = lines(tried), lines(done)
        self.check_commands(attempts, acknowledged)
        self.check_checkpoints()
        self.attempts += attempts
        self.acknowledged += acknowledged

    def _disturb(self, number, process, done):
        if number % 3 != 2 and self.rng.random() < 0.15:
            self.look_for(self.rng.uniform(0.05, 1.5))  # while it starts
        else:
            self.look_for(STARTS_WITHIN_S, lambda: process.poll() is not None or lines(done))
            self.look_for(self.rng.uniform(0.05, 0.6))
        if number % 3 == 2:
            self.kill_database(backends=number % 6 == 2)
            self.look_for(self.rng.uniform(0.0, 0.2))
            self.server.ensure_running()
            self.look_for(self.rng.uniform(0.0, 0.5))

    def check_commands(self, attempts, acknowledged):
        state = {
            row[0]: row[1:]
            for row in self.query(
                STATE, ([one[0] for one in attempts], [one[1] for one in attempts])
            )
        }
        assert set(acknowledged) <= set(attempts)
        for command, _, facts in acknowledged:
            assert state[command] == (True, facts, facts, facts), f"{command} was lost"
        for command, _, facts in attempts:
            whole, nothing = (True, facts, facts, facts), (False, 0, 0, 0)
            assert state[command] in {whole, nothing}, f"{command} exists by half"

    def check_checkpoints(self):
        """Each published checkpoint is signed and is a prefix of the leaves there are now."""
        count, end, distinct = self.query(LEAVES)[0]
        assert count == end == distinct
        for text in self.seen:
            signed = notes.verify_checkpoint(text, (self.key,)).checkpoint
            assert self.frontier.size <= signed.size <= count
            rows = self.query(HASHES, (self.frontier.size, signed.size))
            self.frontier.extend(bytes(row[0]) for row in rows)
            assert self.frontier.size == signed.size
            assert self.frontier.root() == signed.root
        del self.seen[:-1]

    def finish(self):
        """Let the sequencer run to its end, and look at everything there is."""
        self.check_commands(self.attempts, self.acknowledged)
        with open_app(self.settings) as app:
            while app.sequencer.step().placed:
                pass
            status = app.sequencer.status()
            with app.database.auditing(PLATFORM) as tx:
                assert list(Audit(tx).findings()) == []
                assert list(log.check_log(tx, self.data / "log")) == []
        self.look()
        self.check_checkpoints()
        ((facts, placed, right),) = self.query(ENTRIES)
        assert facts == placed == right == status.size
        assert (status.pending, status.forked) == (0, None)
        signed = [row[0] for row in self.query("SELECT note FROM trust.log_checkpoint")]
        report = verify_log(open_source(str(self.folder)), keys=[self.key], older=signed)
        assert (report.size, len(report.older)) == (facts, len(signed))
        return facts, len(signed)


def lines(path):
    """The commands written down so far: id, party, number of facts."""
    if not path.exists():
        return []
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1].splitlines()
    return [(command, party, int(facts)) for command, party, facts in map(str.split, whole)]


@pytest.fixture
def world():
    seed = int(os.environ.get("CRASH_SEED", "") or random.SystemRandom().randrange(2**32))
    sys.stdout.write(f"CRASH_SEED={seed}\n")
    base = Path(tempfile.mkdtemp(prefix="lingqu-crash-"))
    base.chmod(0o755)
    made = World(base, random.Random(seed))
    yield made
    made.close()


def test_what_was_acknowledged_survives_every_kill_and_nothing_exists_by_half(world):
    rounds = int(os.environ.get("CRASH_ROUNDS", "") or 6)
    began = time.monotonic()
    for number in range(rounds):
        world.play(number)
    facts, checkpoints = world.finish()
    sys.stdout.write(
        f"{rounds} rounds in {time.monotonic() - began:.0f} s: {len(world.attempts)} commands sent,"
        f" {len(world.acknowledged)} acknowledged, {facts} facts, {checkpoints} checkpoints\n"
    )
    assert len(world.acknowledged) > 5 * rounds
    assert checkpoints > 1
