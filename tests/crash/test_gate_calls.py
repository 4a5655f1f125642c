# SPDX-License-Identifier: Apache-2.0
"""The hot route, the web and the database are killed in the middle of calls, round after round.

`CRASH_ROUNDS` says how many rounds (2), `CRASH_SEED` repeats a run.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psycopg
import pytest

from lingqu import errands, gate, ledger, rights, supply, trust
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id
from lingqu.runtime.postgres import discard_postgres, open_postgres
from lingqu.runtime.settings import load_settings
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode
from lingqu.trust.audit import Audit
from lingqu.wiring import initialize, open_app

pytestmark = pytest.mark.crash

ORIGIN = "lingqu.test/calls"
CREDIT = "industry.finance.credit"
PATH = "/api/v1/gate/calls"
PROGRAM = Path(sys.executable).with_name("lingqu")
QUOTA = 10_000_000
CALLERS = 4
STARTS_WITHIN_S = 90
METERED = """
    SELECT call, batch, digest, units FROM gate.call WHERE grant_id = %s AND refusal IS NULL
"""
FACTS = """
    SELECT coalesce(sum((body::jsonb->'data'->>'units')::bigint), 0),
           coalesce(sum((body::jsonb->'data'->>'answered')::bigint), 0)
    FROM trust.fact WHERE kind = 'gate.batch.metered' AND body::jsonb->'data'->>'grant' = %s
"""


class World:
    """One data folder for all rounds, with a product, a buyer's grant and a key for it."""

    def __init__(self, base, rng):
        self.base, self.data, self.rng = base, base / "data", rng
        self.settings = load_settings({}, overrides={"data_dir": self.data, "origin": ORIGIN})
        initialize(self.settings, origin=ORIGIN)
        self.server = open_postgres(data_dir=self.data)
        self.tried, self.told = [], {}
        with open_app(self.settings) as app:
            self._found(app)

    def _found(self, app):
        def do(what, **values):
            caller = trust.LOCAL_ADMINISTRATOR
            return trust.execute(app.database, what, caller, new_id(trust.CommandId), **values)

        party, duty, resource, ground, root, self.grant, self.product, account = (
            new_id(kind)
            for kind in (
                trust.PartyId, supply.DutyId, supply.ResourceId, rights.GroundId, rights.GrantId,
                rights.GrantId, gate.ProductId, trust.AccountId,
            )
        )  # fmt: skip
        self.key = trust.new_secret()
        do(trust.register_party, party=party, kind=trust.PartyKind.ORGANIZATION, name="〈银行〉")
        do(trust.open_account, account=account, party=party, kind=trust.AccountKind.MACHINE,
           login=None, password=None)  # fmt: skip
        do(trust.assign_role, assignment=new_id(trust.AssignmentId), account=account,
           role=trust.Role.BUYER, party=party)  # fmt: skip
        do(trust.issue_api_key, api_key=new_id(trust.ApiKeyId), account=account,
           secret=Hidden(self.key), label="crash")  # fmt: skip
        do(supply.register_duty, duty=duty, body=party, item="x", basis="x", territory="45")
        names = ("segment", "city")
        description = Description(
            title="x", summary="x", frequency=Frequency.YEARLY, mode=Mode.PHYSICAL,
            sharing=Access.UNCONDITIONAL, opening=Access.UNCONDITIONAL,
            fields=tuple(Field(name=one, label=one, kind=FieldKind.TEXT) for one in names),
        )  # fmt: skip
        do(supply.describe_resource, resource=resource, duty=duty, description=description)
        do(supply.grade_resource, resource=resource, level=1, reason="x")
        content = "segment,city\n" + "".join(f"{one:07},南宁\n" for one in range(0, 200, 2))
        errands.deliver_file(
            app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), resource=resource,
            name="x.csv", content=content.encode(),
        )  # fmt: skip
        do(ledger.register_currency, currency=gate.CALL, scale=0, name_zh="次", name_en="calls")
        do(rights.record_ground, ground=ground, kind=rights.GroundKind.DUTY, title="x",
           party=party, evidence=bytes(32), articles=())  # fmt: skip
        quota = (rights.Quantity(currency=gate.CALL, amount=QUOTA),)
        do(rights.issue_root, grant=root, ground=ground, holder=party,
           kind=rights.GrantKind.OPERATING, terms=TermsForm(), quotas=quota)  # fmt: skip
        found = (gate.Relation(resource=resource, key="segment", value="city"),)
        policy = gate.VerificationPolicy(
            subject=gate.SubjectShape(characters=gate.Characters.DIGITS, shortest=7, longest=7),
            predicates=(gate.Predicate(name="city", yes=found),),
        )
        do(gate.define_product, product=self.product, grant=root, form=gate.Form.VERIFICATION,
           title="x", summary="x", policy=policy)  # fmt: skip
        errands.publish_product(
            app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), product=self.product
        )
        do(rights.issue_grant, grant=self.grant, parent=root, holder=party,
           kind=rights.GrantKind.USING, terms=TermsForm(), quotas=quota)  # fmt: skip

    def close(self):
        self.server.close()
        discard_postgres(data_dir=self.data)
        shutil.rmtree(self.base)

    def query(self, sql, params=()):
        with psycopg.connect(self.server.app_conninfo) as connection:
            return connection.execute(sql, params).fetchall()

    @contextlib.contextmanager
    def served(self, *words):
        """`lingqu WORDS --port ...`, killed in the end if it still is there."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        environment = {one: value for one, value in os.environ.items() if one[:7] != "LINGQU_"}
        environment |= {
            "LINGQU_DATA_DIR": str(self.data), "LINGQU_API_REQUESTS_PER_MINUTE": "1000000",
        }  # fmt: skip
        with (self.base / "said").open("ab") as said:
            process = subprocess.Popen(
                [PROGRAM, *words, "--port", str(port)], env=environment, stdin=subprocess.DEVNULL,
                stdout=said, stderr=said,
            )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + STARTS_WITHIN_S
            while not self._ready(url):
                assert process.poll() is None, (self.base / "said").read_text()[-4000:]
                assert time.monotonic() < deadline, "it does not get ready"
                time.sleep(0.05)
            yield process, url
        finally:
            process.kill()
            process.wait()

    def _ready(self, url):
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
        return False

    def play(self, number):
        """One round: calls, a kill in their middle, and what must hold right after it."""
        words = ("serve",) if number % 3 == 1 else ("gate", "serve")
        with self.served(*words) as (process, url):
            stop = threading.Event()
            callers = [threading.Thread(target=self._call, args=(url, stop))
                       for _ in range(CALLERS)]  # fmt: skip
            before = len(self.told)
            for one in callers:
                one.start()
            while len(self.told) < before + 20:
                assert process.poll() is None, (self.base / "said").read_text()[-4000:]
                time.sleep(0.005)
            time.sleep(self.rng.uniform(0.0, 0.2))
            if number % 3 == 2:
                self._kill_database()
            else:
                process.send_signal(signal.SIGKILL)
            stop.set()
            for one in callers:
                one.join()
        self.server.ensure_running()
        self.check()

    def _kill_database(self):
        cluster = Path(json.loads((self.data / "postgres.json").read_text())["cluster"])
        first = int((cluster / "postmaster.pid").read_text().splitlines()[0])
        os.kill(first, signal.SIGKILL)

    def _call(self, url, stop):
        with httpx.Client(headers={"authorization": f"Bearer {self.key}"}, timeout=10) as client:
            while not stop.is_set():
                body = self.body(new_id(gate.CallId), self.rng.randrange(200))
                self.tried.append(body)
                with contextlib.suppress(httpx.TransportError):
                    answer = client.post(f"{url}{PATH}", json=body)
                    if answer.status_code == 200:
                        self.told[body["call"]] = answer.json()

    def body(self, call, segment):
        return {
            "call": call, "grant": self.grant, "product": self.product, "purpose": CREDIT,
            "subjects": [{"key": f"{segment:07}", "value": "南宁"}],
        }  # fmt: skip

    def check(self):
        """Each acknowledged call is metered once, as it was told; nothing was metered unasked."""
        metered = {row[0]: row[1:] for row in self.query(METERED, (self.grant,))}
        for call, told in self.told.items():
            receipt = told["receipt"]
            assert metered[call] == (receipt["batch"], receipt["digest"], 1), f"{call} was lost"
        assert metered.keys() <= {one["call"] for one in self.tried}
        units, answered = self.query(FACTS, (self.grant,))[0]
        assert units == answered == len(metered)

    def finish(self):
        """Settle what the killed left, ask again for what got no answer, and add up."""
        with open_app(self.settings) as app:
            gate.settle_abandoned(app.database)
            metered = {row[0] for row in self.query(METERED, (self.grant,))}
            known = [one for one in self.tried if one["call"] in metered]
            lost = [one for one in known if one["call"] not in self.told]
            asker = gate.Asker(account=new_id(trust.AccountId), may_call=True)
            for one in [*lost[:50], *self.rng.sample(known, 20)]:
                request = gate.CallRequest(
                    call=gate.CallId(one["call"]), grant=self.grant, product=self.product,
                    purpose=CREDIT,
                    subjects=tuple(gate.Subject(**subject) for subject in one["subjects"]),
                )  # fmt: skip
                again = app.desk.ask(request, asker)
                assert again.repeated
                is_even = int(one["subjects"][0]["key"]) % 2 == 0
                assert again.answers[0].answer is (gate.Answer.YES if is_even else gate.Answer.NO)
                if one["call"] in self.told:
                    assert again.digest == self.told[one["call"]]["receipt"]["digest"]
            with app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
                (state,) = rights.quantities.get_quota(tx, self.grant)
            assert (state.available, state.reserved) == (QUOTA - len(metered), 0)
            with app.database.auditing(trust.PLATFORM) as tx:
                assert list(Audit(tx).findings()) == []
        self.check()
        return len(metered), len(lost)


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
        metered, lost = world.finish()
    finally:
        world.close()
    sys.stdout.write(
        f"{rounds} rounds: {len(world.tried)} calls sent, {len(world.told)} acknowledged,"
        f" {metered} metered, {lost} of them without an answer\n"
    )
    assert len(world.told) >= 20 * rounds
