# SPDX-License-Identifier: Apache-2.0
"""A delivery that was handed over is loaded once by its job, or stopped with nothing loaded."""

import pytest

from lingqu import supply, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.runtime.blobs import BlobStore
from lingqu.runtime.jobs import JobRegistry
from lingqu.supply import collection, handing
from lingqu.trust import Role, jobs
from lingqu.trust.jobs import WorkState

TWO = b"code,name\n450102001,\xe6\xb0\x91\xe7\x94\x9f\n450102002,\xe6\x9c\x9d\xe9\x98\xb3\n"


@pytest.fixture(scope="module")
def desk(world, tmp_path_factory):
    """Hands over, runs and reads works, on a database that queues jobs."""
    registry = JobRegistry()
    registry.job(handing.DELIVERY_JOB)(lambda *_, **__: None)
    database = world.place.open(jobs=registry)
    blobs = BlobStore(tmp_path_factory.mktemp("handed"))
    workshop = handing.Workshop(
        engine=lambda: world.engine,
        tables=world.tables,
        blobs=blobs,
        secrets=world.tables,
        entity_key=lambda: b"e" * 32,
    )

    class Desk:
        def hand(self, resource, content, caller=trust.LOCAL_ADMINISTRATOR, work=None, **more):
            kept = blobs.put(content, limit_bytes=1 << 20)
            handed = handing.Handed(
                resource=resource.id, mode=collection.LoadMode.REPLACE, name="交付.csv",
                sha256=kept.sha256, size_bytes=kept.size, **more,
            )  # fmt: skip
            work = work or new_id(jobs.WorkId)
            name = new_id(trust.CommandId)
            return trust.execute(
                database, handing.hand_over, caller, name, work=work, handed=handed
            )

        def run(self, work):
            handing.run_delivery(database, work.id, workshop)
            return self.read(work)

        def read(self, work, caller=trust.LOCAL_ADMINISTRATOR):
            with database.reading(caller) as tx:
                return jobs.get_work(tx, work.id)

        def stop(self, work, caller=trust.LOCAL_ADMINISTRATOR):
            return trust.execute(
                database, jobs.stop_work, caller, new_id(trust.CommandId), work=work.id
            )

    made = Desk()
    made.database, made.workshop = database, workshop
    yield made
    database.close()


def editions(world, resource):
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        found = collection.find_loads(tx, page=PageRequest(), body=resource.body)
    return [one.edition for one in found.items]


def test_what_was_handed_over_is_loaded_once_however_often_its_job_runs(world, desk):
    resource = world.resource()
    work = desk.hand(resource, TWO)
    assert (work.state, editions(world, resource)) == (WorkState.WAITING, [])
    done = desk.run(work)
    assert (done.state, done.percent, desk.run(work).result) == (WorkState.DONE, 100, done.result)
    assert editions(world, resource) == [1]
    with pytest.raises(jobs.WorkOver):
        desk.stop(work)
    (fact,) = [
        one["data"] for one in world.place.facts("supply.delivery.handed_over")
        if one["data"]["work"] == work.id
    ]  # fmt: skip
    assert fact["size_bytes"] == len(TWO)
    with pytest.raises(errors.LingquError) as taken:
        desk.hand(resource, TWO, work=work.id)
    assert taken.value.code == "trust.id.taken"


def test_a_work_that_was_stopped_loads_nothing_also_in_its_midst(world, desk):
    resource = world.resource()
    waiting = desk.hand(resource, TWO)
    desk.stop(waiting)
    assert desk.run(waiting).state is WorkState.CANCELLED
    running = desk.hand(resource, TWO)
    told = jobs.Progress(database=desk.database, work=running.id)
    told(0, 2)
    assert desk.read(running).state is WorkState.RUNNING
    desk.stop(running)
    told.told_at_ns = 0
    with pytest.raises(jobs.WorkStopped):
        handing.load_file(
            desk.database, trust.LOCAL_ADMINISTRATOR, trust.CommandId.of(running.id.uuid),
            desk.workshop, resource=resource.id, name="交付.csv", content=TWO,
            mode=collection.LoadMode.REPLACE, source=None, watch=told,
        )  # fmt: skip
    assert editions(world, resource) == []
    assert not world.place.audit()


def test_a_refused_delivery_says_why_and_a_stranger_sees_nothing_of_it(world, desk):
    resource = world.resource()
    mine = world.place.account(resource.body, role=Role.PROVIDER)
    work = desk.hand(resource, b"code,nothing\n1,2\n", caller=mine)
    assert work.account == mine.account
    ended = desk.run(work)
    assert (ended.state, ended.code) == (WorkState.REFUSED, "supply.load.columns")
    assert desk.read(work, mine) == ended
    stranger = world.place.account(role=Role.PROVIDER)
    for act in (desk.read, desk.stop):
        with pytest.raises(jobs.WorkNotFound):
            act(work, stranger)
    with pytest.raises(trust.AccessDenied):
        desk.hand(resource, TWO, caller=stranger)
    nothing = handing.Handed(resource=resource.id, mode=collection.LoadMode.REPLACE)
    with pytest.raises(handing.DeliveryNotFound):
        trust.execute(
            desk.database, handing.hand_over, mine, new_id(trust.CommandId),
            work=new_id(jobs.WorkId), handed=nothing,
        )  # fmt: skip
    with desk.database.reading(mine) as tx:
        assert [one.id for one in jobs.find_works(tx, page=PageRequest()).items] == [work.id]


def test_a_resource_is_not_graded_below_its_highest_field(world):
    field = supply.Field(name="id", label="证件号", kind=supply.FieldKind.TEXT, level=3)
    resource = world.resource(field, level=None)
    with pytest.raises(supply.BelowField) as refused:
        world.place.do(supply.grade_resource, resource=resource.id, level=2, reason="公开")
    assert refused.value.article
    graded = world.place.do(supply.grade_resource, resource=resource.id, level=3, reason="就高")
    assert graded.level == 3
    bare = supply.Field(name="x", label="", kind=supply.FieldKind.TEXT, level=9)
    found = supply.check_fields((field, field, bare))
    assert [place for place, _ in found] == [1, 2]
