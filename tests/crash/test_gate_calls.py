# SPDX-License-Identifier: Apache-2.0
"""The hot route, the web, the database and workers are killed amid calls, round after round.

The web is asked governed queries beside verifications. `CRASH_ROUNDS` says how many rounds (2),
`CRASH_SEED` repeats a run.
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

from killing import children, kill
from lingqu import errands, gate, ledger, rights, supply, trust
from lingqu.gate import governance
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
PATH, QUERIES = "/api/v1/gate/calls", "/api/v1/gate/queries"
QUERY = "SELECT kind, count(*) AS n, sum(amount) AS s FROM visit WHERE kind <> '{}' GROUP BY kind"
ROWS, KINDS = 200, ("甲", "乙")
KILLED = ("hot", "web", "hot database", "web database", "workers")
"""What is killed in a round, in turn."""
PROGRAM = Path(sys.executable).with_name("lingqu")
QUOTA = 10_000_000
CALLERS = 4
WORKERS_KILLED = 3
STARTS_WITHIN_S = 90
METERED = """
    SELECT call, batch, digest, units FROM gate.call WHERE grant_id = ANY(%s) AND refusal IS NULL
"""
FACTS = """
    SELECT coalesce(sum((body::jsonb->'data'->>'units')::bigint), 0),
           coalesce(sum((body::jsonb->'data'->>'answered')::bigint), 0)
    FROM trust.fact WHERE kind = 'gate.batch.metered' AND body::jsonb->'data'->>'grant' = ANY(%s)
"""
REFUSED = "SELECT DISTINCT refusal FROM gate.call WHERE refusal IS NOT NULL AND units = 0"


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

        party, ground, root, self.grant, self.querying, self.product, self.queried, account = (
            new_id(kind)
            for kind in (
                trust.PartyId, rights.GroundId, rights.GrantId, rights.GrantId, rights.GrantId,
                gate.ProductId, gate.ProductId, trust.AccountId,
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
        do(ledger.register_currency, currency=gate.CALL, scale=0, name_zh="次", name_en="calls")
        do(rights.record_ground, ground=ground, kind=rights.GroundKind.DUTY, title="x",
           party=party, evidence=bytes(32), articles=())  # fmt: skip
        quota = (rights.Quantity(currency=gate.CALL, amount=2 * QUOTA),)
        do(rights.issue_root, grant=root, ground=ground, holder=party,
           kind=rights.GrantKind.OPERATING, terms=TermsForm(), quotas=quota)  # fmt: skip
        products = (
            (self.product, self.grant, gate.Form.VERIFICATION, self._verifying(app, do, party)),
            (self.queried, self.querying, gate.Form.QUERY, self._counting(app, do, party)),
        )
        for product, grant, form, policy in products:
            do(gate.define_product, product=product, grant=root, form=form, title="x", summary="x",
               policy=policy)  # fmt: skip
            errands.publish_product(
                app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), product=product
            )
            quota = (rights.Quantity(currency=gate.CALL, amount=QUOTA),)
            do(rights.issue_grant, grant=grant, parent=root, holder=party,
               kind=rights.GrantKind.USING, terms=TermsForm(), quotas=quota)  # fmt: skip

    def _verifying(self, app, do, party):
        texts = [Field(name=one, label=one, kind=FieldKind.TEXT) for one in ("segment", "city")]
        rows = (f"{one:07},南宁" for one in range(0, ROWS, 2))
        resource = self._table(app, do, party, texts, rows)
        found = (gate.Relation(resource=resource, key="segment", value="city"),)
        return gate.VerificationPolicy(
            subject=gate.SubjectShape(characters=gate.Characters.DIGITS, shortest=7, longest=7),
            predicates=(gate.Predicate(name="city", yes=found),),
        )

    def _counting(self, app, do, party):
        fields = [Field(name=one, label=one, kind=FieldKind.TEXT) for one in ("person", "kind")]
        fields.append(Field(name="amount", label="amount", kind=FieldKind.INTEGER))
        rows = (f"p{one},{KINDS[one % 2]},{one % 9}" for one in range(ROWS))
        resource = self._table(app, do, party, fields, rows)
        column, role = governance.GovernedColumn, governance.Role
        exact = governance.Grid(kind=governance.GridKind.EXACT)
        added = governance.Measure(scale=0, lower=0, upper=9)
        columns = (
            column(name="person", role=role.KEY, type="VARCHAR"),
            column(name="kind", role=role.DIMENSION, type="VARCHAR", grid=exact),
            column(name="amount", role=role.MEASURE, type="BIGINT", measure=added),
        )
        table = governance.GovernedTable(
            name="visit", resource=resource, columns=columns, entity="person", threshold=5
        )
        return governance.QueryPolicy(tables=(table,), modes=(governance.Mode.AD_HOC,))

    def _table(self, app, do, party, fields, rows):
        duty, resource = new_id(supply.DutyId), new_id(supply.ResourceId)
        do(supply.register_duty, duty=duty, body=party, item=f"x{len(fields)}", basis="x",
           territory="45")  # fmt: skip
        description = Description(
            title="x", summary="x", frequency=Frequency.YEARLY, mode=Mode.PHYSICAL,
            sharing=Access.UNCONDITIONAL, opening=Access.UNCONDITIONAL, fields=tuple(fields),
        )  # fmt: skip
        do(supply.describe_resource, resource=resource, duty=duty, description=description)
        do(supply.grade_resource, resource=resource, level=1, reason="x")
        head = ",".join(one.name for one in fields)
        errands.deliver_file(
            app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), resource=resource,
            name="x.csv", content="\n".join([head, *rows, ""]).encode(),
        )  # fmt: skip
        return resource

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
        while True:
            for nursery in children(platform):
                with contextlib.suppress(OSError):
                    if b"nursery" in Path(f"/proc/{nursery}/cmdline").read_bytes():
                        found = children(nursery)
                        for one in found[: self.rng.choice((1, len(found)))]:
                            kill(one)
                        if found:
                            return

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
        return PATH, self.body(new_id(gate.CallId), self.rng.randrange(ROWS))

    def _query(self):
        text = QUERY.format(self.rng.choice(("", *KINDS)))
        return QUERIES, {
            "call": new_id(gate.CallId), "grant": self.querying, "product": self.queried,
            "purpose": CREDIT, "query": text, "mode": "ad_hoc",
        }  # fmt: skip

    def body(self, call, segment):
        return {
            "call": call, "grant": self.grant, "product": self.product, "purpose": CREDIT,
            "subjects": [{"key": f"{segment:07}", "value": "南宁"}],
        }  # fmt: skip

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
            assert {row[1] for row in again.released["rows"]} == {str(ROWS // 2)}
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
        metered, lost = world.finish()
    finally:
        world.close()
    sys.stdout.write(
        f"{rounds} rounds: {len(world.tried)} calls sent, {len(world.told)} acknowledged,"
        f" {metered} metered, {lost} of them without an answer\n"
    )
    assert len(world.told) >= 20 * rounds
