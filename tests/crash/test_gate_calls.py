# SPDX-License-Identifier: Apache-2.0
"""The hot route, the web, the database and workers are killed amid calls, round after round.

The web is asked governed queries beside verifications. `CRASH_ROUNDS` says how many rounds (2),
`CRASH_SEED` repeats a run.
"""

import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import pytest
from served import (
    CREDIT,
    KINDS,
    PATH,
    PERSONS,
    QUERIES,
    QUERY,
    QUOTA,
    ROWS,
    Served,
    engine_workers,
)

from killing import kill
from lingqu import gate, rights, trust
from lingqu.runtime import new_id
from lingqu.trust.audit import Audit
from lingqu.wiring import open_app

pytestmark = pytest.mark.crash

KILLED = ("hot", "web", "hot database", "web database", "workers")
"""What is killed in a round, in turn."""
CALLERS = 4
WORKERS_KILLED = 3
METERED = """
    SELECT call, batch, digest, units FROM gate.call WHERE grant_id = ANY(%s) AND refusal IS NULL
"""
FACTS = """
    SELECT coalesce(sum((body::jsonb->'data'->>'units')::bigint), 0),
           coalesce(sum((body::jsonb->'data'->>'answered')::bigint), 0)
    FROM trust.fact WHERE kind = 'gate.batch.metered' AND body::jsonb->'data'->>'grant' = ANY(%s)
"""
REFUSED = "SELECT DISTINCT refusal FROM gate.call WHERE refusal IS NOT NULL AND units = 0"


class World(Served):
    """What was tried and told in all rounds."""

    def __init__(self, base, rng):
        super().__init__(base)
        self.rng, self.tried, self.told = rng, [], {}

    def play(self, number):
        """One round: calls, a kill in their middle, and what must hold right after it."""
        killed = KILLED[number % len(KILLED)]
        words = ("gate", "serve") if killed.startswith("hot") else ("serve",)
        with self.served(*words) as (process, url):
            stop = threading.Event()
            asked = [self._verification] * CALLERS
            if words == ("serve",):
                asked = [self._query] * 2 + asked[2:]
            callers = [threading.Thread(target=self._call, args=(url, one, stop)) for one in asked]
            for one in callers:
                one.start()
            self._wait_for_answers(process, words)
            time.sleep(self.rng.uniform(0.0, 0.2))
            if killed == "workers":
                for _ in range(WORKERS_KILLED):
                    self._kill_workers(process.pid)
                    self._wait_for_answers(process, words)
            if killed.endswith("database"):
                self._kill_database()
            else:
                process.send_signal(signal.SIGKILL)
            stop.set()
            for one in callers:
                one.join()
        self.server.ensure_running()
        self.check()

    def _wait_for_answers(self, process, words):
        """Until calls were answered, and queries where they are asked."""
        before, queried = len(self.told), self.answers_of_queries()
        wanted = queried + 2 if words == ("serve",) else queried
        while len(self.told) < before + 20 or self.answers_of_queries() < wanted:
            assert process.poll() is None, (self.base / "said").read_text()[-4000:]
            time.sleep(0.005)

    def answers_of_queries(self):
        return sum("query" in one["body"] for one in list(self.told.values()))

    def _kill_workers(self, platform):
        """Kill what the engine's nursery bore, as soon as there is something: one worker or all."""
        while not (found := engine_workers(platform)):
            time.sleep(0.001)
        for one in found[: self.rng.choice((1, len(found)))]:
            kill(one)

    def _kill_database(self):
        cluster = Path(json.loads((self.data / "postgres.json").read_text())["cluster"])
        first = int((cluster / "postmaster.pid").read_text().splitlines()[0])
        os.kill(first, signal.SIGKILL)

    def _call(self, url, make, stop):
        with httpx.Client(headers={"authorization": f"Bearer {self.key}"}, timeout=40) as client:
            while not stop.is_set():
                path, body = make()
                self.tried.append(body)
                with contextlib.suppress(httpx.TransportError):
                    answer = client.post(f"{url}{path}", json=body)
                    if answer.status_code == 200:
                        self.told[body["call"]] = answer.json() | {"body": body}

    def _verification(self):
        return PATH, self.verification(self.grant, self.rng.randrange(ROWS))

    def _query(self):
        return QUERIES, self.question(self.querying, QUERY.format(self.rng.choice(("", *KINDS))))

    @property
    def grants(self):
        return [self.grant, self.querying]

    def check(self):
        """Each acknowledged call is metered once, as it was told; nothing was metered unasked."""
        metered = {row[0]: row[1:] for row in self.query(METERED, (self.grants,))}
        for call, told in self.told.items():
            receipt = told["receipt"]
            assert metered[call] == (receipt["batch"], receipt["digest"], 1), f"{call} was lost"
        assert metered.keys() <= {one["call"] for one in self.tried}
        units, answered = self.query(FACTS, (self.grants,))[0]
        assert units == answered == len(metered)
        refused = {code for (code,) in self.query(REFUSED)}
        assert refused <= {"gate.query.failed", "gate.query.queue", "runtime.engine.unavailable"}

    def finish(self):
        """Settle what the killed left, ask again for what got no answer, and add up."""
        with open_app(self.settings) as app:
            gate.settle_abandoned(app.database)
            metered = {row[0] for row in self.query(METERED, (self.grants,))}
            known = [one for one in self.tried if one["call"] in metered]
            lost = [one for one in known if one["call"] not in self.told]
            queries = [one for one in known if "query" in one]
            some = self.rng.sample(queries, min(10, len(queries)))
            for one in [*lost[:50], *some, *self.rng.sample(known, 20)]:
                self._repeat(app, one)
            left = [self._left(app, grant) for grant in self.grants]
            assert sum(one.available for one in left) == 2 * QUOTA - len(metered)
            assert [one.reserved for one in left] == [0, 0]
            with app.database.auditing(trust.PLATFORM) as tx:
                assert list(Audit(tx).findings()) == []
        self.check()
        return len(metered), len(lost)

    def _left(self, app, grant):
        with app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
            (state,) = rights.quantities.get_quota(tx, grant)
        return state

    def _repeat(self, app, one):
        """Ask again under the same id: it is the stored answer, and the right one."""
        request = gate.CallRequest(
            call=gate.CallId(one["call"]), grant=rights.GrantId(one["grant"]),
            product=gate.ProductId(one["product"]), purpose=CREDIT,
            subjects=tuple(gate.Subject(**subject) for subject in one.get("subjects", ())),
            query=one.get("query", ""), mode=one.get("mode", ""),
        )  # fmt: skip
        asker = gate.Asker(account=new_id(trust.AccountId), may_call=True)
        again = app.asking.ask(request, asker)
        assert again.repeated
        if "query" in one:
            shown = [kind for kind in sorted(KINDS) if f"'{kind}'" not in one["query"]]
            assert [row[0] for row in again.released["rows"]] == shown
            assert {row[1] for row in again.released["rows"]} == {str(PERSONS // 2)}
        else:
            is_even = int(one["subjects"][0]["key"]) % 2 == 0
            assert again.answers[0].answer is (gate.Answer.YES if is_even else gate.Answer.NO)
        if one["call"] in self.told:
            assert again.digest == self.told[one["call"]]["receipt"]["digest"]


def test_meter_log_quota_and_stored_answers_agree_after_every_kill():
    rounds = int(os.environ.get("CRASH_ROUNDS", "") or 2)
    seed = int(os.environ.get("CRASH_SEED", "") or random.SystemRandom().randrange(2**32))
    sys.stdout.write(f"CRASH_SEED={seed}\n")
    base = Path(tempfile.mkdtemp(prefix="lingqu-calls-"))
    base.chmod(0o755)
    world = World(base, random.Random(seed))
    try:
        for number in range(rounds):
            world.play(number + seed)
            sys.stdout.write(f"round {number + 1} of {rounds}\n")
            sys.stdout.flush()
        metered, lost = world.finish()
    finally:
        world.close()
    sys.stdout.write(
        f"{rounds} rounds: {len(world.tried)} calls sent, {len(world.told)} acknowledged,"
        f" {metered} metered, {lost} of them without an answer\n"
    )
    assert len(world.told) >= 20 * rounds
