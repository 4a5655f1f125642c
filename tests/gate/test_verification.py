# SPDX-License-Identifier: Apache-2.0
"""核验: the real number segments and division codes, asked as a bank asks them."""

import queue
from concurrent.futures import ThreadPoolExecutor

import pytest
from gate_world import CREDIT, shape, slice_rows

from lingqu import gate
from lingqu.gate import (
    Answer,
    Enumeration,
    Evidence,
    Matching,
    Predicate,
    Relation,
    VerificationPolicy,
)
from lingqu.gate.lanes import Waiting
from lingqu.kernel.errors import LingquError
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.trust import holds

SEVEN, SIX = shape(7), shape(6)


def segment_policy(resource, **changes):
    found = (Relation(resource=resource, key="segment", value="city"),)
    given = {
        "subject": SEVEN,
        "predicates": (
            Predicate(name="city", yes=found),
            Predicate(name="city_membership", yes=found, matching=Matching.MEMBERSHIP),
        ),
        "enumeration": Enumeration(values=1, days=30),
    }
    return VerificationPolicy(**given | changes)


@pytest.fixture(scope="module")
def segments(world):
    return world.load("号段归属", slice_rows("segments"), level=2)


@pytest.fixture(scope="module")
def membership(world, segments):
    return world.product(segment_policy(segments))


@pytest.fixture(scope="module")
def validity(world):
    current = world.load("行政区划代码", slice_rows("mca_divisions"))
    former = world.load("历年代码", slice_rows("area_codes"))
    changes = world.load("代码变更", slice_rows("mca_changes"))
    once = (
        Relation(resource=former, key="code", prefix="45"),
        Relation(resource=changes, key="old_code", prefix="45"),
    )
    shown = Evidence(
        resource=changes,
        key="old_code",
        columns=("year", "kind", "old_name", "new_code", "new_name"),
        prefix="45",
    )
    valid = Predicate(
        name="valid",
        yes=(Relation(resource=current, key="code"),),
        once=once,
        evidence=(shown,),
    )
    return world.product(VerificationPolicy(subject=SIX, predicates=(valid,)))


def buyers_own():
    rows = [row for row in slice_rows("buyer_segments") if row["region"] == "广西"]
    assert len(rows) == 14_755
    return [(row["segment"], row["city"]) for row in rows]


def test_the_banks_own_segments_get_397_no_by_exact_name_and_394_by_membership(
    world, desk, membership
):
    grant = world.buy(membership, calls=30_000)
    own = buyers_own()
    for predicate, wanted in (("city", 397), ("city_membership", 394)):
        found = []
        for part in (own[:10_000], own[10_000:]):
            request = world.request(membership, grant, *part, predicate=predicate)
            answer = desk.ask(request, world.asker)
            assert answer.units == len(part)
            found += [one.answer for one in answer.answers]
        assert found.count(Answer.NO) == wanted
        assert found.count(Answer.YES) == 14_755 - wanted


def test_a_division_code_is_valid_was_once_or_never_and_the_change_is_shown(world, desk, validity):
    grant = world.buy(validity)
    request = world.request(validity, grant, ("450110", ""), ("450122", ""), ("459999", ""))
    answer = desk.ask(request, world.asker)
    assert [one.answer for one in answer.answers] == [Answer.YES, Answer.ONCE, Answer.NO]
    assert answer.answers[1].evidence == (
        {
            "year": "2015", "kind": "撤县设区", "old_name": "武鸣县", "new_code": "450110",
            "new_name": "武鸣区",
        },
    )  # fmt: skip


def test_a_call_is_metered_before_its_answer_and_a_repeat_is_stored_and_free(
    world, desk, membership
):
    grant = world.buy(membership, calls=10)
    request = world.request(membership, grant, ("1300069", "南宁"), predicate="city")
    answer = desk.ask(request, world.asker)
    with world.place.database.reading() as tx:
        (call,) = gate.find_batch_calls(tx, answer.batch)
    assert (call.call, call.outcome, call.units, call.hits) == (request.call, "yes", 1, 1)
    assert call.digest == answer.digest
    again = desk.ask(request, world.asker)
    assert again.repeated
    assert again.answers == answer.answers
    assert (again.batch, again.digest) == (answer.batch, answer.digest)
    desk.settle()
    assert world.left(grant) == (9, 0)
    (fact,) = [
        one["data"] for one in world.place.facts("gate.batch.metered")
        if one["data"]["grant"] == grant.id
    ]  # fmt: skip
    assert (fact["answered"], fact["units"], fact["yes"], fact["no"]) == (1, 1, 1, 0)
    assert fact["batch"]["id"] == answer.batch
    other = world.request(membership, grant, ("1300069", "北海"), call=request.call)
    with pytest.raises(gate.CallIdUsed):
        desk.ask(other, world.asker)
    assert call.purpose == CREDIT
    assert world.place.audit() == []


@pytest.mark.parametrize("count", [3, 40])
def test_few_and_many_refusals_of_one_window_stand_alike_on_record(world, desk, membership, count):
    grant = world.buy(membership, calls=100)
    asked = [
        world.request(membership, grant, ("1300069", "南宁"), purpose="industry.trade")
        for _ in range(count)
    ]
    replies = queue.SimpleQueue()
    desk.submit_all([Waiting(one, world.asker, replies.put) for one in asked])
    told = [replies.get(timeout=60) for _ in asked]
    assert {one.code for one in told} == {"gate.call.wrong_purpose"}
    with world.place.database.reading(world.banker) as tx:
        calls = gate.find_calls(tx, page=PageRequest(size=100), grant=grant.id).items
    assert {one.call for one in calls} == {one.call for one in asked}
    assert len({one.batch for one in calls}) == 1, "one window"
    assert {(one.outcome, one.refusal, one.article, one.units) for one in calls} == {
        ("refused", told[0].code, told[0].article, 0)
    }
    assert world.place.audit() == []


HOSTILE = ('a"b', "a\\nb", "x\x7f\x01", "一,二", '","', "\n", '"', "\\", "13800138000", "\ud800")


@pytest.mark.parametrize("times", [1, 5])
def test_whatever_stands_in_a_refused_call_is_no_harm_and_not_kept(world, desk, segments, times):
    """Before its purpose is read it is refused by a hold, whose article somebody wrote."""
    product = world.product(segment_policy(segments))
    grant = world.buy(product, calls=10)
    article = '第"一\\条",'
    hold = new_id(holds.HoldId)
    world.do(
        holds.place_hold, hold=hold, subject=product.id, reason=holds.HoldReason.SUPERVISION,
        article=article,
    )  # fmt: skip
    asked = [
        world.request(product, grant, ("1300069", "北海"), predicate="city", purpose=one)
        for one in HOSTILE * times
    ]
    replies = queue.SimpleQueue()
    desk.submit_all([Waiting(one, world.asker, replies.put) for one in asked])
    told = [replies.get(timeout=60) for _ in asked]
    assert {one.code for one in told} == {"gate.product.held"}
    with world.place.database.reading(world.banker) as tx:
        calls = gate.find_calls(tx, page=PageRequest(size=100), grant=grant.id).items
    assert {one.call for one in calls} == {one.call for one in asked}
    assert {(one.purpose, one.article) for one in calls} == {("", article)}
    assert world.place.audit() == []


@pytest.mark.parametrize("limit", [Enumeration(values=1, days=30), None])
def test_half_a_character_is_a_value_nobody_has(world, desk, segments, limit):
    product = world.product(segment_policy(segments, enumeration=limit))
    grant, row = world.buy(product, calls=10), slice_rows("segments")[0]
    subjects = (row["segment"], "\ud800"), (row["segment"], row["city"])
    for some in (subjects[:1], subjects) if limit is None else (subjects[:1],):
        answer = desk.ask(world.request(product, grant, *some, predicate="city"), world.asker)
        wanted = [Answer.NO, Answer.YES][: len(some)]
        assert [one.answer for one in answer.answers] == wanted
    assert world.place.audit() == []


@pytest.mark.parametrize("limit", [Enumeration(values=1, days=30), None])
def test_many_threads_ask_at_once_and_each_gets_its_own_answer(world, desk, segments, limit):
    """Some decide on their own thread, others wait for the desk's: nothing is taken twice."""
    product = world.product(segment_policy(segments, enumeration=limit))
    grant = world.buy(product, calls=1_000)
    row, other = slice_rows("segments")[:2]
    subjects = (row["segment"], row["city"]), (other["segment"], "不在此地")
    asked = [world.request(product, grant, subjects[at % 2], predicate="city") for at in range(400)]
    with ThreadPoolExecutor(8) as threads:
        told = [*threads.map(lambda one: desk.ask(one, world.asker), asked)]
        again = [*threads.map(lambda one: desk.ask(one, world.asker), asked[:80])]
    assert [one.call for one in told] == [one.call for one in asked]
    assert [one.answers for one in told] == [told[at % 2].answers for at in range(400)]
    assert told[0].answers != told[1].answers
    assert all(one.repeated for one in again)
    desk.settle()
    assert world.left(grant) == (600, 0)
    with world.place.database.reading(world.banker) as tx:
        first = gate.find_calls(tx, page=PageRequest(size=200), grant=grant.id)
        rest = gate.find_calls(tx, page=PageRequest(size=200, after=first.next), grant=grant.id)
    assert {one.call for one in (*first.items, *rest.items)} == {one.call for one in asked}
    assert rest.next is None
    assert world.place.audit() == []


def test_an_open_file_has_the_lowest_level_and_is_fetched_not_called(world, desk, segments):
    """P1, the crosswalk, is opened free; what is graded higher cannot be."""
    names = ("code", "name")
    crosswalk = world.load("区划代码对照表", slice_rows("nbs_counties"))
    policy = gate.OpenFilePolicy(resource=crosswalk, columns=names)
    product = world.product(policy, form=gate.Form.OPEN_FILE)
    with world.place.database.reading() as tx:
        content = gate.read_open_file(tx, desk.shelf(), product.id).decode("utf-8-sig")
    assert content.splitlines()[0] == "code,name"
    assert len(content.splitlines()) == 112
    with pytest.raises(LingquError) as caught:
        desk.ask(world.request(product, world.buy(product)), world.asker)
    assert caught.value.code == "gate.call.open_file"
    with pytest.raises(LingquError) as caught:
        world.product(
            gate.OpenFilePolicy(resource=segments, columns=("segment",)),
            form=gate.Form.OPEN_FILE,
        )
    assert caught.value.code == "gate.product.outside_grant"
