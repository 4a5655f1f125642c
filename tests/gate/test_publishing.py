# SPDX-License-Identifier: Apache-2.0
"""A snapshot is built by a job: watched, stopped, run again after a kill, and published once."""

import time

import pytest
from gate_world import shape

from lingqu import gate, trust
from lingqu.gate import Predicate, Relation, VerificationPolicy, publishing
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.runtime.jobs import JobRegistry, Worker
from lingqu.trust import jobs
from lingqu.trust.jobs import WorkState

ROWS = [{"segment": f"130{number:04}", "city": "南宁"} for number in range(50)]


class Builder:
    """Asks for builds as the operator, on a database whose worker runs them where it is started."""

    def __init__(self, world):
        self.world = world
        self.registry = JobRegistry()
        self.database = world.place.open(jobs=self.registry)
        self.bench = publishing.Bench(
            engine=lambda: world.engine, keyring=world.keyring,
            tables=world.folder / "tables", folder=world.folder / "gate",
        )  # fmt: skip

        @self.registry.job(publishing.BUILD_JOB)
        def build(_context, work):
            publishing.run_build(self.database, jobs.WorkId(work), self.bench)

    def do(self, command, caller=None, **arguments):
        caller = caller or self.world.operating
        return trust.execute(self.database, command, caller, new_id(trust.CommandId), **arguments)

    def begin(self, product, caller=None, work=None):
        work = work or new_id(jobs.WorkId)
        return self.do(publishing.begin_build, caller, work=work, product=product.id)

    def run(self, work, bench=None):
        publishing.run_build(self.database, work.id, bench or self.bench)
        return self.read(jobs.get_work, work.id)

    def read(self, query, *words, **named):
        with self.database.reading(self.world.operating) as tx:
            return query(tx, *words, **named)

    def snapshots(self, product):
        return [one.id for one in self.read(gate.find_snapshots, product.id)]


@pytest.fixture(scope="module")
def builder(world):
    made = Builder(world)
    yield made
    made.database.close()


@pytest.fixture(scope="module")
def product(world):
    relation = Relation(resource=world.load("号段归属", ROWS), key="segment", value="city")
    predicate = Predicate(name="city", yes=(relation,))
    policy = VerificationPolicy(subject=shape(7), predicates=(predicate,))
    return world.product(policy, publish=False)


def test_the_worker_builds_what_was_asked_for_and_nothing_is_published_twice(builder, product):
    work = builder.begin(product)
    assert (work.state, work.subject) == (WorkState.WAITING, product.id)
    worker = Worker(builder.registry, builder.database.conninfo, poll_s=0.1)
    worker.start()
    ends = time.monotonic() + 60
    while not (done := builder.read(jobs.get_work, work.id)).state.is_over:
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert worker.stop()
    assert (done.state, done.result) == (WorkState.DONE, gate.SnapshotId.of(work.id.uuid))
    assert builder.snapshots(product) == [done.result]
    # A job that died after it published, before it said so, is run again: nothing more is made.
    builder.world.place.sql(
        "UPDATE trust.work SET state = 'running', result = '', stop_at = asked_at WHERE id = %s",
        (work.id,),
    )
    assert builder.run(work).state is WorkState.DONE
    assert builder.snapshots(product) == [done.result]
    (fact,) = builder.world.place.facts("gate.build.begun")
    assert fact["data"] == {"work": work.id, "product": product.id, "edition": 1}


def test_a_build_that_was_stopped_publishes_nothing_also_in_its_midst(builder, product):
    known = builder.snapshots(product)
    waiting, running = builder.begin(product), builder.begin(product)
    builder.do(jobs.stop_work, work=waiting.id)
    assert builder.run(waiting).state is WorkState.CANCELLED

    def engine():
        builder.do(jobs.stop_work, work=running.id)
        return builder.world.engine

    bench = publishing.Bench(
        engine=engine, keyring=builder.bench.keyring, tables=builder.bench.tables,
        folder=builder.bench.folder,
    )  # fmt: skip
    ended = builder.run(running, bench)
    assert (ended.state, ended.code, ended.done) == (
        WorkState.CANCELLED, "trust.work.stopped", 2,
    )  # fmt: skip
    assert builder.snapshots(product) == known
    found = builder.read(jobs.find_works, page=PageRequest(), subject=product.id)
    assert {waiting.id, running.id} <= {one.id for one in found.items}


def test_who_may_not_publish_begins_no_build_and_a_withdrawn_product_ends_one(
    world, builder, product
):
    with pytest.raises(trust.AccessDenied):
        builder.begin(product, world.banker)
    work = builder.begin(product)
    world.do(gate.withdraw_product, world.operating, product=product.id)
    ended = builder.run(work)
    assert (ended.state, ended.code) == (WorkState.REFUSED, "gate.product.withdrawn")
    with pytest.raises(gate.ProductWithdrawn):
        builder.begin(product)
