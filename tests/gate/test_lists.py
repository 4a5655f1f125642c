# SPDX-License-Identifier: Apache-2.0
"""Whole lists: file jobs in and out, free samples, and the provider's own reconciliation."""

import csv
import io

import pytest
from gate_world import CREDIT, shape, slice_rows

from lingqu import supply, trust
from lingqu.gate import Answer, Predicate, Relation, Sample, Subject, VerificationPolicy, lists
from lingqu.kernel.errors import LingquError
from lingqu.runtime import documents, new_id
from lingqu.trust import PLATFORM, CommandId

OWN = [row for row in slice_rows("buyer_segments") if row["region"] == "广西"]


@pytest.fixture(scope="module")
def segments(world):
    return world.load("号段归属", slice_rows("segments"), level=2)


@pytest.fixture(scope="module")
def product(world, segments):
    relation = Relation(resource=segments, key="segment", value="city")
    policy = VerificationPolicy(
        subject=shape(7),
        predicates=(Predicate(name="city", yes=(relation,)),),
        sample=Sample(least=20, most=200, altogether=300),
    )
    return world.product(policy)


@pytest.fixture(scope="module")
def room(world):
    return lists.FileRoom(world.folder / "files")


def submitted(world, room, product, grant, content, *, form=lists.FileFormat.CSV, **changes):
    """Hand a table in, as the API does; the queue itself is tried elsewhere."""
    job = new_id(lists.FileJobId)
    given = {
        "job": job,
        "grant": grant.id,
        "product": product.id,
        "purpose": CREDIT,
        "format": form,
        "key_column": "segment",
        "value_column": "city",
        "digest": room.put(job, content),
    }
    return world.with_jobs(lists.submit_file, **given | changes)


def as_csv(rows, encoding="utf-8"):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def test_the_banks_file_comes_back_with_397_no_and_again_uncharged(world, desk, room, product):
    grant = world.buy(product, calls=20_000)
    job = submitted(world, room, product, grant, as_csv(OWN, "gb18030"))
    done = lists.run_file(world.place.database, desk, room, job.id)
    assert (done.state, done.rows) == (lists.FileState.DONE, 14_755)
    rows = list(csv.DictReader(io.StringIO(room.fetch(done).decode("utf-8-sig"))))
    told = [row["结果"] for row in rows]
    assert (told.count("否"), told.count("是")) == (397, 14_755 - 397)
    assert [row["segment"] for row in rows] == [row["segment"] for row in OWN]
    assert len({row["调用编号"] for row in rows}) == 3
    desk.settle()
    assert world.left(grant) == (20_000 - 14_755, 0)
    with pytest.raises(LingquError) as caught:
        world.do(lists.end_file, PLATFORM, job=job.id, rows=0, refusal=None)
    assert caught.value.code == "gate.file.ended"
    assert not (world.folder / "files" / f"{job.id}.in").exists()


def test_an_interrupted_file_is_answered_from_what_is_stored(world, desk, room, product):
    grant = world.buy(product, calls=50)
    job = submitted(world, room, product, grant, as_csv(OWN[:40]))
    first = lists.filing.call_id(job.id, 0)
    asked = tuple(Subject(key=row["segment"], value=row["city"]) for row in OWN[:40])
    request = world.request(product, grant, call=first, subjects=asked)
    before = desk.ask(request, world.asker)
    done = lists.run_file(world.place.database, desk, room, job.id)
    assert done.state is lists.FileState.DONE
    (batch,) = {
        row["计量批次"] for row in csv.DictReader(io.StringIO(room.fetch(done).decode("utf-8-sig")))
    }
    assert batch == before.batch
    desk.settle()
    assert world.left(grant) == (10, 0)


def test_a_long_file_takes_turns_is_followed_and_cancelled(world, desk, room, product):
    grant = world.buy(product, calls=20_000)
    job = submitted(world, room, product, grant, as_csv(OWN))

    def turn():
        return lists.run_file(world.place.database, desk, room, job.id, parts=1)

    with pytest.raises(LingquError) as caught:
        room.fetch_so_far(job)
    assert caught.value.code == "gate.file.not_ready"
    assert turn().state is lists.FileState.WAITING
    assert turn().state is lists.FileState.WAITING
    with world.place.database.reading(world.banker) as tx:
        progress = lists.find_progress(tx, job.id)
    assert (progress.rows, progress.answered) == (14_755, 10_000)
    so_far = list(csv.DictReader(io.StringIO(room.fetch_so_far(job).decode("utf-8-sig"))))
    assert [row["segment"] for row in so_far] == [row["segment"] for row in OWN[:10_000]]
    ended = world.do(lists.cancel_file, world.banker, job=job.id)
    assert (ended.state, ended.rows) == (lists.FileState.CANCELLED, 10_000)
    assert turn() == ended
    assert not list((world.folder / "files").glob(f"{job.id}*"))
    desk.settle()
    assert world.left(grant) == (10_000, 0)
    with pytest.raises(LingquError) as caught:
        world.do(lists.cancel_file, world.banker, job=job.id)
    assert caught.value.code == "gate.file.ended"


def test_so_many_files_of_one_grant_wait_and_no_more(world, room, product):
    grant, other = world.buy(product), world.buy(product)
    for _ in range(lists.filing.WAITING_MOST):
        submitted(world, room, product, grant, as_csv(OWN[:1]))
    with pytest.raises(LingquError) as caught:
        submitted(world, room, product, grant, as_csv(OWN[:1]))
    assert caught.value.code == "gate.file.too_many"
    submitted(world, room, product, other, as_csv(OWN[:1]))


def test_a_workbook_goes_in_and_out(world, desk, room, product):
    columns = [documents.SheetColumn(name=name, zh=name) for name in ("segment", "city")]
    book = io.BytesIO()
    rows = [{"segment": row["segment"], "city": row["city"]} for row in OWN[:30]]
    documents.write_sheet(book, title="号段", columns=columns, rows=rows)
    grant = world.buy(product)
    job = submitted(world, room, product, grant, book.getvalue(), form=lists.FileFormat.XLSX)
    done = lists.run_file(world.place.database, desk, room, job.id)
    names = ("segment", "city", "结果", "依据", "调用编号", "计量批次")
    told = documents.read_sheet(
        room.fetch(done),
        columns=[documents.SheetColumn(name=name, zh=name, optional=True) for name in names],
    )
    assert len(told.rows) == 30
    assert {row["结果"] for row in told.rows} <= {"是", "否"}


def test_a_file_is_answered_whole_or_refused(world, desk, room, product):
    grant = world.buy(product, calls=12_000)
    cases = (
        (submitted(world, room, product, grant, as_csv(OWN)), "gate.call.over_quota"),
        (submitted(world, room, product, grant, b"\xff\xfe\x00"), None),
        (submitted(world, room, product, grant, as_csv(OWN[:3]), key_column="无"), None),
        (
            submitted(world, room, product, grant, as_csv(OWN[:3]), purpose="welfare"),
            "gate.call.wrong_purpose",
        ),
    )
    for job, code in cases:
        ended = lists.run_file(world.place.database, desk, room, job.id)
        assert ended.state is lists.FileState.REFUSED
        assert code is None or ended.refusal == code
        with pytest.raises(LingquError) as caught:
            room.fetch(ended)
        assert caught.value.code == "gate.file.not_ready"
    desk.settle()
    assert world.left(grant) == (12_000, 0)


def tried(world, desk, product, rows, *, caller=None, command=None):
    return lists.try_sample(
        world.place.database,
        desk.shelf(),
        caller or world.banker,
        command or new_id(CommandId),
        product=product.id,
        party=world.buyer,
        purpose=CREDIT,
        predicate="city",
        rows=rows,
    )


def sample_rows(start, end):
    truth = {row["segment"]: row["city"] for row in slice_rows("segments")}
    return [
        lists.SampleRow(
            subject=Subject(key=row["segment"], value=row["city"]),
            truth=Answer.YES if truth.get(row["segment"]) == row["city"] else Answer.NO,
        )
        for row in OWN[start:end]
    ]


def test_a_free_sample_tells_rates_and_no_answer_and_is_bounded(world, desk, product):
    told = tried(world, desk, product, sample_rows(0, 200))
    assert (told.rows, told.accuracy) == (200, 100)
    assert 90 <= told.hit_rate <= 100
    assert told.as_of <= told.tried_at
    assert tried(world, desk, product, sample_rows(200, 300)).rows == 100
    cases = (
        (sample_rows(300, 320), world.banker, "gate.sample.spent"),
        (sample_rows(300, 310), world.banker, "gate.sample.bad"),
        (sample_rows(300, 310) * 2, world.banker, "gate.sample.bad"),
        (sample_rows(300, 320), world.operating, "trust.access.denied"),
    )
    for rows, caller, code in cases:
        with pytest.raises(LingquError) as caught:
            tried(world, desk, product, rows, caller=caller)
        assert caught.value.code == code
    (fact, _) = world.place.facts("gate.sample.tried")
    assert fact["data"]["rows"] == 200
    assert "accuracy" not in fact["data"]
    assert lists.record_sample.internal


def test_the_provider_finds_14726_common_and_368_changed_labelled_as_its_own(world, segments):
    with world.place.database.reading() as tx:
        body = supply.get_resource(tx, segments).body
    provider = world.place.account(body, role=trust.Role.PROVIDER)
    listed = [
        Subject(key=row["segment"], value=row["city"]) for row in slice_rows("buyer_segments")
    ]
    arguments = {
        "resource": segments, "key": "segment", "value": "city", "listed": listed,
        "tables": world.folder / "tables", "engine": world.engine,
    }  # fmt: skip
    found = lists.reconcile_list(world.place.database, provider, **arguments)
    assert (found.side, found.common, found.changed) == ("provider_side", 14_726, 368)
    assert [(one.theirs, one.ours, one.count) for one in found.pairs[:3]] == [
        ("贵港", "玉林", 109), ("南宁", "崇左", 37), ("梧州", "贺州", 30),
    ]  # fmt: skip
    with pytest.raises(trust.AccessDenied):
        lists.reconcile_list(world.place.database, world.banker, **arguments)
