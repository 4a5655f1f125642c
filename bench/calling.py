# SPDX-License-Identifier: Apache-2.0
"""Bench of calls: one verification through every check, metered durably, against a bare look-up.

Both sides serve HTTP in a process of their own beside a separate generator of load. The baseline
checks nothing and meters nothing: FastAPI on the same server, and one look-up by primary key
through a pool of PostgreSQL connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import fastapi
import psycopg
import psycopg_pool
import pydantic
import uvicorn
import uvloop

from lingqu import errands, gate, ledger, rights, supply, trust, wiring
from lingqu.gate import governance
from lingqu.gate.underway import Progress
from lingqu.kernel import errors
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.kernel.time import Period
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id
from lingqu.runtime.engine import Job, Limits
from lingqu.runtime.settings import Settings
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode
from lingqu.trust import holds
from measured import Figure, Pair, Reading, installation
from recording import ungoverned
from serving import LINGQU, free_port, is_ready

SUBJECTS = 100_000
CONNECTIONS, MANY = 64, 256
"""Callers at once: as many as a bank's own service keeps open, and as on a busy day."""
SECONDS = 3.0
BATCH = 1_000
EXPIRES_AFTER = timedelta(seconds=2)
ENDLESS_MS = 600_000
ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range < b.range"
COUNTED = "SELECT city, count(DISTINCT segment) AS n FROM visit GROUP BY city"
CREDIT = "industry.finance.credit"
Body = tuple[bytes, ...]


def bench_calls(rounds: int) -> Reading:
    """Single calls and batches, ours, the same without governance, and the baseline in turn."""
    with installation() as settings:
        product, grant, key, conninfo = prepare(settings)
        with (
            ours(settings) as mine,
            ungoverned(settings, product, conninfo=conninfo) as recorded,
            ungoverned(settings, product) as free,
            baseline(conninfo) as theirs,
        ):
            single, kept, open_, bare, batch = [], [], [], [], []
            crowd: list[tuple[float, float, float]] = []
            gone: dict[str, list[float]] = {"revocation": [], "hold": [], "expiry": []}
            for _ in range(rounds):
                single.append(load(mine, key, product, grant, size=1))
                kept.append(load(recorded, key, product, grant, size=1))
                open_.append(load(free, key, product, grant, size=1))
                bare.append(load(theirs, key, product, grant, size=1))
                batch.append(load(mine, key, product, grant, size=BATCH) * BATCH)
                ways = (mine, recorded, theirs)
                rates = [load(one, key, product, grant, size=1, connections=MANY) for one in ways]
                crowd.append((rates[0], rates[1], rates[2]))
            with wiring.open_app(settings) as app:
                for end, took in gone.items():
                    took += [to_effect(app, mine, product, end) for _ in range(rounds)]
        with wiring.open_app(settings) as app:
            counted = countable(app)
            endless = Endless(
                app.database,
                desk=app.desk,
                engine=lambda: app.engine,
                keyring=app.keyring,
                folder=settings.data_dir / wiring.GATE,
                limits=Limits(time_ms=ENDLESS_MS),
                turns=1,
            )
            killed = [
                kill_query(app, endless, counted, end)
                for end in ("revocation", "hold")
                for _ in range(rounds)
            ]
    against = "FastAPI + one pooled PostgreSQL look-up, nothing checked, nothing metered"
    return Reading(
        title="Calls at the gate",
        method=f"`lingqu gate serve` and the baseline, each in a process of its own, {CONNECTIONS}"
        f" connections (where it says so {MANY}) kept open by a third process for {SECONDS:g} s;"
        f" {SUBJECTS:,} subjects."
        " To effect: four callers ask on; from the commit that ends the right, or the instant it"
        " expires, to the last answer. A running query: endless work in a worker; from the commit"
        " to the moment it was stopped."
        " Without governance: the same server, snapshot, request and shape of answer, and nobody is"
        " asked who they are or what they may. Like for like is the route that keeps each call on"
        " record before its answer leaves (id, keyed hash of the subject, answer; all that wait as"
        " one commit), as any route must whose calls are to be accounted for. The other one keeps"
        " nothing, so it shows what durability costs rather than governance, and has no bar.",
        pairs=(
            Pair(
                name="verification calls, all checks, metered before the answer",
                unit="calls/s",
                ours=tuple(single),
                baseline=tuple(bare),
                against=against,
                bar=3.0,
            ),
            Pair(
                name=f"subjects in batches of {BATCH:,}",
                unit="subjects/s",
                ours=tuple(batch),
                baseline=tuple(bare),
                against=against,
                bar=80.0,
            ),
            Pair(
                name="verification calls against the same route without governance",
                unit="calls/s",
                ours=tuple(single),
                baseline=tuple(kept),
                against="the same server and snapshot, each call on record before its answer"
                " leaves: no key, grant, rule, quota or lease, no fact, no receipt",
                bar=0.75,
            ),
            Pair(
                name=f"the same calls from {MANY} connections",
                unit="calls/s",
                ours=tuple(one for one, _, _ in crowd),
                baseline=tuple(one for _, _, one in crowd),
                against=against,
                bar=3.0,
            ),
            Pair(
                name=f"the same from {MANY} connections, without governance",
                unit="calls/s",
                ours=tuple(one for one, _, _ in crowd),
                baseline=tuple(one for _, one, _ in crowd),
                against="the same server and snapshot, each call on record",
                bar=0.75,
            ),
            Pair(
                name="verification calls against the same route without governance or record",
                unit="calls/s",
                ours=tuple(single),
                baseline=tuple(open_),
                against="the same server and snapshot: nothing checked, and nothing durable",
            ),
        ),
        figures=(
            *(
                Figure(name=f"{end} to effect", unit="ms", values=tuple(took), bar=100.0)
                for end, took in gone.items()
            ),
            Figure(
                name="revocation or hold to the end of a running query",
                unit="ms",
                values=tuple(killed),
                bar=100.0,
            ),
        ),
    )


def to_effect(app: wiring.App, port: int, product: str, end: str) -> float:
    """Milliseconds from the end of a right, by `end`, to the last answer under it."""
    do = _Acts(app)
    with app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        root = gate.get_product(tx, gate.ProductId(product)).grant_id
    party = do.party("〈买方〉（演示）")
    until = datetime.now(UTC) + EXPIRES_AFTER if end == "expiry" else None
    grant, key = do.grant(root, party, until=until), do.key(party)
    stop = threading.Event()
    answered: list[float] = []
    refused: list[float] = []

    def ask() -> None:
        line = http.client.HTTPConnection("127.0.0.1", port)
        head = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        while not stop.is_set():
            body = json.dumps({
                "call": new_id(gate.CallId), "grant": grant, "product": product,
                "purpose": CREDIT, "subjects": [{"key": "0000007", "value": _city(7)}],
            })  # fmt: skip
            line.request("POST", "/api/v1/gate/calls", body, head)
            answer = line.getresponse()
            answer.read()
            (answered if answer.status == 200 else refused).append(time.perf_counter())
        line.close()

    callers = [threading.Thread(target=ask) for _ in range(4)]
    for one in callers:
        one.start()
    while len(answered) < 50:
        time.sleep(0.01)
    if until is None:
        do.end(grant, end)
        ended = time.perf_counter()
    else:
        ended = time.perf_counter() + (until - datetime.now(UTC)).total_seconds()
    deadline = time.perf_counter() + 10
    while len(refused) < 20 and time.perf_counter() < deadline:
        time.sleep(0.01)
    stop.set()
    for one in callers:
        one.join()
    assert refused, f"the {end} had no effect"
    return max(0.0, max(answered) - ended) * 1000


def kill_query(app: wiring.App, endless: gate.Asking, product: gate.ProductId, end: str) -> float:
    """Milliseconds from the end of a right to the moment the query under it was stopped."""
    do = _Acts(app)
    with app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        root = gate.get_product(tx, product).grant_id
    party = do.party("〈买方〉（演示）")
    grant, stopped = do.grant(root, party), list[float]()
    request = gate.CallRequest(
        call=new_id(gate.CallId), grant=grant, product=product, purpose=CREDIT, query=COUNTED
    )
    progress = Progress()

    def ask() -> None:
        with contextlib.suppress(errors.LingquError):
            asker = gate.Asker(account=new_id(trust.AccountId), may_call=True)
            endless.ask(request, asker, progress=progress)
        stopped.append(time.perf_counter())

    asking = threading.Thread(target=ask)
    asking.start()
    while not progress.is_running:
        time.sleep(0.001)
    time.sleep(0.2)  # the worker is at it
    assert not stopped, "it runs without an end"
    do.end(grant, end)
    ended = time.perf_counter()
    asking.join(timeout=60)
    return max(0.0, stopped[0] - ended) * 1000


def prepare(settings: Settings) -> tuple[str, str, str, str]:
    """Found products and grants; gives the product, the buyer's grant, its key, a conninfo."""
    with wiring.open_app(settings) as app:
        do = _Acts(app)
        operator, buyer = do.party("〈运营公司〉（演示）"), do.party("〈银行〉（演示）")
        lines = (f"{number:07},{_city(number)}\n" for number in range(SUBJECTS))
        fields = [Field(name=one, label=one, kind=FieldKind.TEXT) for one in ("segment", "city")]
        resource = do.table(operator, fields, lines)
        do(ledger.register_currency, currency=gate.CALL, scale=0, name_zh="次", name_en="calls")
        root = do.root(operator)
        product = new_id(gate.ProductId)
        found = (gate.Relation(resource=resource, key="segment", value="city"),)
        policy = gate.VerificationPolicy(
            subject=gate.SubjectShape(characters=gate.Characters.DIGITS, shortest=7, longest=7),
            predicates=(gate.Predicate(name="city", yes=found),),
        )
        do(
            gate.define_product,
            product=product,
            grant=root,
            form=gate.Form.VERIFICATION,
            title="x",
            summary="x",
            policy=policy,
        )
        errands.publish_product(
            app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), product=product
        )
        grant = do.grant(root, buyer)
        key = do.key(buyer)
        conninfo = app.postgres.owner_conninfo
    return product, grant, key, conninfo


class Endless(gate.Asking):
    """Queries whose work has no end, so that only the end of their right stops them."""

    def _job(self, *_: object) -> Job:
        return Job(sql=ENDLESS, limits=Limits(time_ms=ENDLESS_MS))


def countable(app: wiring.App) -> gate.ProductId:
    """Found a product that counts people of a small table, which only a worker can do."""
    do = _Acts(app)
    operator, product = do.party("〈运营公司〉（演示）"), new_id(gate.ProductId)
    texts = [Field(name=one, label=one, kind=FieldKind.TEXT) for one in ("segment", "city")]
    twice = (f"{number:07},{_city(number)}\n" * 2 for number in range(1_000))
    resource = do.table(operator, texts, twice)
    column, role = governance.GovernedColumn, governance.Role
    exact = governance.Grid(kind=governance.GridKind.EXACT)
    table = governance.GovernedTable(
        name="visit",
        resource=resource,
        columns=(
            column(name="segment", role=role.KEY, type="VARCHAR"),
            column(name="city", role=role.DIMENSION, type="VARCHAR", grid=exact),
        ),
        entity="segment",
        threshold=5,
    )
    do(
        gate.define_product,
        product=product,
        grant=do.root(operator),
        form=gate.Form.QUERY,
        title="x",
        summary="x",
        policy=governance.QueryPolicy(tables=(table,), modes=(governance.Mode.AD_HOC,)),
    )
    errands.publish_product(
        app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), product=product
    )
    return product


class _Acts:
    """The local administrator, in short words."""

    def __init__(self, app: wiring.App) -> None:
        self._app = app

    def __call__(self, what: Any, **arguments: Any) -> Any:
        return trust.execute(
            self._app.database,
            what,
            trust.LOCAL_ADMINISTRATOR,
            new_id(trust.CommandId),
            **arguments,
        )

    def party(self, name: str) -> trust.PartyId:
        made = new_id(trust.PartyId)
        self(trust.register_party, party=made, kind=trust.PartyKind.ORGANIZATION, name=name)
        return made

    def key(self, party: trust.PartyId) -> str:
        account, secret = new_id(trust.AccountId), trust.new_secret()
        self(
            trust.open_account,
            account=account,
            party=party,
            kind=trust.AccountKind.MACHINE,
            login=None,
            password=None,
        )
        self(
            trust.assign_role,
            assignment=new_id(trust.AssignmentId),
            account=account,
            role=trust.Role.BUYER,
            party=party,
        )
        self(
            trust.issue_api_key,
            api_key=new_id(trust.ApiKeyId),
            account=account,
            secret=Hidden(secret),
            label="bench",
        )
        return secret

    def table(
        self, body: trust.PartyId, fields: Sequence[Field], lines: Iterable[str]
    ) -> supply.ResourceId:
        duty, resource = new_id(supply.DutyId), new_id(supply.ResourceId)
        self(
            supply.register_duty, duty=duty, body=body, item=f"x {duty}", basis="x", territory="45"
        )
        self(
            supply.describe_resource,
            resource=resource,
            duty=duty,
            description=Description(
                title="x",
                summary="x",
                frequency=Frequency.YEARLY,
                mode=Mode.PHYSICAL,
                sharing=Access.UNCONDITIONAL,
                opening=Access.UNCONDITIONAL,
                fields=tuple(fields),
            ),
        )
        self(supply.grade_resource, resource=resource, level=1, reason="x")
        heading = ",".join(one.name for one in fields) + "\n"
        errands.deliver_file(
            self._app,
            trust.LOCAL_ADMINISTRATOR,
            new_id(trust.CommandId),
            resource=resource,
            name="x.csv",
            content=(heading + "".join(lines)).encode(),
        )
        return resource

    def root(self, holder: trust.PartyId) -> rights.GrantId:
        ground, root = new_id(rights.GroundId), new_id(rights.GrantId)
        self(
            rights.record_ground,
            ground=ground,
            kind=rights.GroundKind.DUTY,
            title="x",
            party=holder,
            evidence=bytes(32),
            articles=(),
        )
        self(
            rights.issue_root,
            grant=root,
            ground=ground,
            holder=holder,
            kind=rights.GrantKind.OPERATING,
            terms=TermsForm(),
            quotas=(rights.Quantity(currency=gate.CALL, amount=10**12),),
        )
        return root

    def end(self, grant: rights.GrantId, how: str) -> None:
        if how == "hold":
            self(
                holds.place_hold,
                hold=new_id(holds.HoldId),
                subject=str(grant),
                reason=holds.HoldReason.SUPERVISION,
                article="网络数据安全管理条例 第五十二条",
            )
        else:
            self(rights.revoke_grant, grant=grant, cause=rights.RevocationCause.WITHDRAWN)

    def grant(
        self, root: rights.GrantId, holder: trust.PartyId, *, until: datetime | None = None
    ) -> rights.GrantId:
        made = new_id(rights.GrantId)
        valid = None if until is None else Period(until - timedelta(days=1), until)
        self(
            rights.issue_grant,
            grant=made,
            parent=root,
            holder=holder,
            kind=rights.GrantKind.USING,
            terms=TermsForm(purposes=ScopeForm(allowed=(CREDIT,)), valid=valid),
            quotas=(rights.Quantity(currency=gate.CALL, amount=10**11),),
        )
        return made


def _city(number: int) -> str:
    return f"城{number % 14}"


@contextmanager
def ours(settings: Settings) -> Iterator[int]:
    """`lingqu gate serve` on a port."""
    port = free_port()
    environment = {name: one for name, one in os.environ.items() if not name.startswith("LINGQU_")}
    environment["LINGQU_DATA_DIR"] = str(settings.data_dir)
    process = subprocess.Popen(
        [str(LINGQU), "gate", "serve", "--port", str(port)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not is_ready(port):
            assert process.poll() is None, "lingqu gate serve ended by itself"
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


@contextmanager
def baseline(conninfo: str) -> Iterator[int]:
    """A look-up without any check, on a port."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.looked_up (segment text PRIMARY KEY, city text)")
        with connection.cursor().copy("COPY public.looked_up FROM STDIN") as copy:
            for number in range(SUBJECTS):
                copy.write_row((f"{number:07}", _city(number)))
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(
        target=serve_bare, args=(conninfo, port), daemon=True
    )
    process.start()
    try:
        while not is_ready(port):
            assert process.is_alive(), "the baseline ended by itself"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.join()


class Subject(pydantic.BaseModel):
    """Whom the baseline is asked about."""

    key: str
    value: str


class Asked(pydantic.BaseModel):
    """What the baseline is asked: the body of a call."""

    call: str
    grant: str
    product: str
    purpose: str
    subjects: list[Subject]


def serve_bare(conninfo: str, port: int) -> None:
    """The baseline's process."""
    pool = psycopg_pool.AsyncConnectionPool(conninfo, min_size=8, max_size=8, open=False)

    @asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    bare = fastapi.FastAPI(lifespan=lifespan)

    @bare.post("/api/v1/gate/calls")
    async def answer(asked: Asked) -> dict[str, bool]:
        subject = asked.subjects[0]
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT city FROM public.looked_up WHERE segment = %s",
                (subject.key,),
                prepare=True,
            )
            row = await cursor.fetchone()
        return {"answer": bool(row and row[0] == subject.value)}

    @bare.get("/health/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    uvicorn.run(bare, port=port, loop="uvloop", http="httptools", access_log=False, log_config=None)


def load(
    port: int, key: str, product: str, grant: str, *, size: int, connections: int = CONNECTIONS
) -> float:
    """Requests a second, from a process of its own; batches come from two connections."""
    told = json.dumps([port, key, product, grant, size, connections if size == 1 else 2])
    done = subprocess.run(
        [sys.executable, __file__, told], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it was answered."""

    def __init__(self, bodies: Iterator[bytes], counts: list[int], head: bytes) -> None:
        self._bodies, self._counts, self._head = bodies, counts, head
        self._seen = b""
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Ask for the first time."""
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Count an answer that is whole and ask again."""
        seen = self._seen = self._seen + data if self._seen else data
        end = seen.find(b"\r\n\r\n")
        if end < 0:
            return
        at = seen.find(b"content-length: ") + len(b"content-length: ")
        length = int(seen[at : seen.index(b"\r", at)])
        if len(seen) < end + 4 + length:
            return
        assert seen.startswith(b"HTTP/1.1 200"), seen[:600]
        self._counts[0] += 1
        self._seen = b""
        self._ask()

    def _ask(self) -> None:
        body = next(self._bodies)
        self._transport.write(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))


def subjects_of(size: int) -> Iterator[bytes]:
    """JSON of subjects, written once: what a client sends must cost the bench next to nothing."""
    written = []
    number = int(datetime.now(UTC).timestamp()) % SUBJECTS
    for _ in range(max(20, 5_000 // size)):
        told = []
        for _ in range(size):
            number = (number + 7919) % SUBJECTS
            told.append({"key": f"{number:07}", "value": _city(number)})
        written.append(json.dumps(told, ensure_ascii=False).encode())
    return itertools.cycle(written)


def bodies(product: str, grant: str, size: int) -> Iterator[bytes]:
    """Calls, each under an id of its own: the moment of one id, and a number."""
    start = new_id(gate.CallId)[: len("cal_") + 10]
    first = int.from_bytes(os.urandom(6))
    head = (
        f'{{"grant":"{grant}","product":"{product}","purpose":"{CREDIT}","call":"{start}'.encode()
    )
    for number, subjects in zip(itertools.count(first), subjects_of(size), strict=False):
        yield b'%s%016d","subjects":%s}' % (head, number, subjects)


async def generate(
    port: int, key: str, product: str, grant: str, size: int, connections: int
) -> float:
    """The load: `connections` connections for some seconds; requests a second."""
    counts = [0]
    head = (
        f"POST /api/v1/gate/calls HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\ncontent-length: "
    ).encode()
    loop = asyncio.get_running_loop()
    made = bodies(product, grant, size)
    opened = [
        await loop.create_connection(lambda: _Client(made, counts, head), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.sleep(0.5)
    before, began = counts[0], time.perf_counter()
    await asyncio.sleep(SECONDS)
    rate = (counts[0] - before) / (time.perf_counter() - began)
    for transport, _ in opened:
        transport.abort()
    return rate


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(generate(*json.loads(sys.argv[1]))))
