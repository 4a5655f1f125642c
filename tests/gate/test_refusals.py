# SPDX-License-Identifier: Apache-2.0
"""What the gate refuses, by which code and article, and that every refusal is metered."""

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta

import pytest
from gate_world import CREDIT, shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingqu import gate, rights, trust
from lingqu.gate import Answer, Enumeration, Predicate, Relation, VerificationPolicy
from lingqu.kernel.errors import LingquError
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Period
from lingqu.rights import quantities
from lingqu.runtime import new_id
from lingqu.trust import PLATFORM, holds
from lingqu.trust.audit import Audit

CITIES = ("南宁", "柳州", "桂林", "梧州", "北海", "防城港", "钦州", "贵港", "玉林", "百色", "贺州",
          "河池", "来宾", "崇左")  # fmt: skip
ROWS = [{"segment": f"13{number:05}", "city": CITIES[number % 14]} for number in range(200)]


def policy_of(resource, **changes):
    relation = Relation(resource=resource, key="segment", value="city")
    given = {
        "subject": shape(7),
        "predicates": (Predicate(name="city", yes=(relation,)),),
        "enumeration": Enumeration(values=1, days=30),
    }
    return VerificationPolicy(**given | changes)


@pytest.fixture(scope="module")
def segments(world):
    return world.load("号段", ROWS, level=2)


@pytest.fixture(scope="module")
def product(world, segments):
    return world.product(policy_of(segments))


def refused(world, desk, product, grant, *subjects, asker=None, **changes):
    request = world.request(product, grant, *subjects, **changes)
    with pytest.raises(LingquError) as caught:
        desk.ask(request, asker or world.asker)
    return caught.value


def metered(world, grant, *, is_refused=True):
    with world.place.database.reading(world.banker) as tx:
        page = gate.find_calls(
            tx, page=PageRequest(size=100), grant=grant.id, is_refused=is_refused
        )
    return [(call.refusal, call.article, call.units) for call in page.items]


def test_the_other_thirteen_cities_for_one_segment_are_refused_as_enumeration(world, desk, product):
    grant = world.buy(product)
    first = desk.ask(world.request(product, grant, ("1300003", "南宁")), world.asker)
    assert first.answers[0].answer is Answer.NO
    for city in CITIES[1:]:
        refusal = refused(world, desk, product, grant, ("1300003", city))
        assert refusal.code == "gate.call.enumeration"
        assert refusal.article
    again = desk.ask(world.request(product, grant, ("1300003", "南宁")), world.asker)
    assert again.units == 1
    assert metered(world, grant) == [("gate.call.enumeration", refusal.article, 0)] * 13
    # The limit is the party's: another grant of it does not begin anew.
    other = world.buy(product)
    assert refused(world, desk, product, other, ("1300003", "桂林")).code == refusal.code
    everything = [("1300004", city) for city in CITIES]
    assert refused(world, desk, product, grant, *everything).code == refusal.code
    assert desk.ask(world.request(product, grant, everything[4]), world.asker).units == 1


def answered_together(desk, asked):
    """Hand in requests as one window and give their replies in the same order."""
    replies = [Future() for _ in asked]
    desk.submit_all([
        gate.Waiting(request, asker, reply.set_result)
        for (request, asker), reply in zip(asked, replies, strict=True)
    ])  # fmt: skip
    return [one.result(timeout=60) for one in replies]


def test_calls_decided_together_are_decided_and_metered_as_each_alone(world, desk, segments):
    product = world.product(policy_of(segments, enumeration=None, tells_unknown=True))
    grant = world.buy(product)
    subjects = [(row["segment"], row["city"]) for row in ROWS[:6]]
    wanted = [(*one, Answer.YES) for one in subjects]
    wanted += [(key, "桂林", Answer.NO) for key, city in subjects if city != "桂林"]
    wanted += [("1399999", "南宁", Answer.UNKNOWN), ("１３00000", " 南宁 ", Answer.YES)]
    for purposes in (CREDIT, CREDIT, "welfare"):  # the second time it is known to pass
        asked = [(world.request(product, grant, (k, v), purpose=purposes), world.asker)
                 for k, v, _ in wanted]  # fmt: skip
        told = answered_together(desk, asked)
        if purposes == CREDIT:
            assert [one.answers[0].answer for one in told] == [one for *_, one in wanted]
            first = asked, told
        else:
            assert {one.code for one in told} == {"gate.call.wrong_purpose"}
    asked, told = first
    digests = [one.digest for one in told]
    stranger = gate.Asker(account=new_id(trust.AccountId), may_call=False)
    mixed = [
        (world.request(product, grant, ("13", "南宁")), world.asker),
        (world.request(product, grant, subjects[0]), stranger),
        (world.request(product, grant, *subjects), world.asker),
        (again := world.request(product, grant, subjects[1]), world.asker),
        (again, world.asker),
    ]
    again = answered_together(desk, [*asked, *mixed])
    assert all(one.repeated for one in again[: len(asked)])
    assert [one.digest for one in again[: len(asked)]] == digests
    bad, strange, many, once, twice = again[len(asked) :]
    assert (bad.code, strange.code) == ("gate.call.bad_subjects", "gate.call.not_holder")
    assert [one.answer for one in many.answers] == [Answer.YES] * 6
    assert (once.digest, {once.repeated, twice.repeated}) == (twice.digest, {False, True})
    desk.settle()
    assert world.left(grant) == (1_000 - 2 * len(wanted) - 6 - 1, 0)
    with world.place.database.auditing(PLATFORM) as tx:
        assert [one for one in Audit(tx).findings() if one.place.startswith("gate.")] == []


def test_what_exceeds_the_quota_is_refused_as_a_whole(world, desk, product):
    grant = world.buy(product, calls=5)
    six = [(row["segment"], row["city"]) for row in ROWS[20:26]]
    refusal = refused(world, desk, product, grant, *six)
    assert refusal.code == "gate.call.over_quota"
    assert (refusal.parameters["wanted"], refusal.parameters["left"]) == (6, 5)
    assert desk.ask(world.request(product, grant, *six[:5]), world.asker).units == 5
    assert refused(world, desk, product, grant, six[5]).parameters["left"] == 0
    desk.settle()
    assert world.left(grant) == (0, 0)
    none = world.buy(product, calls=0)
    assert refused(world, desk, product, none, six[0]).code == "gate.call.over_quota"


def test_a_use_outside_the_right_is_refused_with_its_ground(world, desk, product, segments):
    grant = world.buy(product)
    one = ("1300030", "南宁")
    wrong = refused(world, desk, product, grant, one, purpose="research.academic")
    assert (wrong.code, bool(wrong.article)) == ("gate.call.wrong_purpose", True)
    unknown = refused(world, desk, product, grant, one, purpose="随便")
    assert (unknown.code, bool(unknown.article)) == ("gate.call.purpose_unknown", True)
    abroad = refused(world, desk, product, grant, one, territory="asean")
    assert abroad.code == "rights.use.border_closed"
    stranger = gate.Asker(account=world.operating.account, may_call=False)
    assert refused(world, desk, product, grant, one, asker=stranger).code == "gate.call.not_holder"
    other = world.product(policy_of(segments))
    assert refused(world, desk, other, grant, one).code == "gate.call.other_product"
    low = world.buy(product, level_max=1)
    assert refused(world, desk, product, low, one).parameters["part"] == "level_max"
    for bad in (("13x0030", "南宁"), ("1300030", ""), ("13000300", "南宁")):
        assert refused(world, desk, product, grant, bad).code == "gate.call.bad_subjects"
    assert refused(world, desk, product, grant).code == "gate.call.bad_subjects"
    assert refused(world, desk, product, grant, one, predicate="x").code == (
        "gate.call.predicate_unknown"
    )
    assert len(metered(world, grant)) == 10
    assert metered(world, grant, is_refused=False) == metered(world, grant)


def test_revoked_expired_held_and_coming_grants_are_refused_at_once(world, desk, product):
    one = ("1300040", "南宁")
    now = datetime.now(UTC)
    expired = world.buy(product, valid=Period(now - timedelta(days=9), now - timedelta(days=1)))
    assert refused(world, desk, product, expired, one).code == "rights.grant.expired"
    coming = world.buy(product, valid=Period(now + timedelta(days=1), now + timedelta(days=2)))
    assert refused(world, desk, product, coming, one).code == "rights.grant.not_begun"
    grant = world.buy(product)
    desk.ask(world.request(product, grant, one), world.asker)
    hold = world.hold(grant.id)
    world.hears(desk, product, grant, one, "rights.grant.held")
    held = refused(world, desk, product, grant, one)
    assert (held.code, held.article) == ("rights.grant.held", hold.article)
    world.do(holds.lift_hold, hold=hold.id)
    hold = world.hold(product.id)
    world.hears(desk, product, grant, one, "gate.product.held")
    assert refused(world, desk, product, grant, one).code == "gate.product.held"
    world.do(holds.lift_hold, hold=hold.id)
    world.hears(desk, product, grant, one, None)
    world.do(
        rights.revoke_grant,
        grant=grant.id,
        cause=rights.RevocationCause.MISCONDUCT,
        article="合约第八条",
    )
    world.hears(desk, product, grant, one, "rights.grant.revoked")
    revoked = refused(world, desk, product, grant, one)
    assert (revoked.code, revoked.article) == ("rights.grant.revoked", "合约第八条")
    assert world.place.audit() == []


def test_a_withdrawn_product_answers_nothing_and_a_new_policy_waits_for_its_snapshot(
    world, desk, segments
):
    made = world.product(policy_of(segments), publish=False)
    grant = world.buy(made)
    one = ("1300050", ROWS[50]["city"])
    assert refused(world, desk, made, grant, one).code == "gate.product.not_published"
    world.publish(made.id)
    assert desk.ask(world.request(made, grant, one), world.asker).answers[0].answer is Answer.YES
    built = world.build(made.id)
    strict = policy_of(segments, subject=shape(8))
    world.do(gate.revise_product, world.operating, product=made.id, policy=strict)
    assert desk.ask(world.request(made, grant, one), world.asker).units == 1
    with pytest.raises(LingquError) as caught:
        world.do(
            gate.publish_snapshot,
            world.operating,
            snapshot=new_id(gate.SnapshotId),
            product=made.id,
            built=built,
        )
    assert caught.value.code == "gate.snapshot.built_on_old"
    world.publish(made.id)
    assert refused(world, desk, made, grant, one).code == "gate.call.bad_subjects"
    world.do(gate.withdraw_product, world.operating, product=made.id)
    assert refused(world, desk, made, grant, one).code == "gate.product.withdrawn"


def test_a_product_stays_inside_its_grant_and_names_real_columns(world, segments):
    narrow = world.grant(
        world.root,
        kind=rights.GrantKind.OPERATING,
        holder=world.operator,
        fields=(f"{segments}.segment",),
    )
    low = world.grant(
        world.root, kind=rights.GrantKind.OPERATING, holder=world.operator, level_max=1
    )
    using = world.grant(world.root)
    missing = Predicate(name="x", yes=(Relation(resource=segments, key="segment", value="无"),))
    cases = (
        (narrow, policy_of(segments), "gate.product.outside_grant"),
        (low, policy_of(segments), "gate.product.outside_grant"),
        (using, policy_of(segments), "trust.access.denied"),
        (low, policy_of(segments, predicates=(missing,)), "gate.policy.bad"),
    )
    for grant, policy, code in cases:
        with pytest.raises(LingquError) as caught:
            world.do(
                gate.define_product,
                world.operating,
                product=new_id(gate.ProductId),
                grant=grant.id,
                form=gate.Form.VERIFICATION,
                title="x",
                summary="y",
                policy=policy,
            )
        assert caught.value.code == code


def test_a_lease_is_settled_by_its_durable_rows_after_a_crash(world, product):
    grant = world.buy(product, calls=100)
    crashed = world.desk()
    for row in ROWS[60:63]:
        crashed.ask(world.request(product, grant, (row["segment"], row["city"])), world.asker)
    assert world.left(grant)[1] > 0
    lease = world.place.sql(
        "SELECT id FROM rights.lease WHERE grant_id = %s AND closed_at IS NULL", (grant.id,)
    )[0][0]
    used = world.do(gate.settle_by_meter, PLATFORM, lease=quantities.LeaseId(lease))
    assert (used, world.left(grant)) == (3, (97, 0))
    # The process that lost its lease finds out before anything is written under it.
    row = ROWS[63]
    answer = crashed.ask(world.request(product, grant, (row["segment"], row["city"])), world.asker)
    assert answer.units == 1
    crashed.close()
    assert world.left(grant) == (96, 0)
    assert gate.settle_overdue(world.place.database) == 0
    # Every window was one command, `gate.calls.meter`, by the platform's own hand.
    assert ("gate.calls.meter", PLATFORM.account) in world.place.sql(
        "SELECT DISTINCT name, actor FROM trust.command"
    )


def test_explain_says_what_each_rule_says(world, desk, product):
    grant = world.buy(product, calls=1)
    request = world.request(
        product, grant, ("1300070", "南宁"), ("1300071", "南宁"), purpose="research.academic"
    )
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        told = desk.explain(tx, request, may_call=True)
    assert not told.allowed
    assert told.code == "gate.call.wrong_purpose"
    refusing = {one.rule for one in told.considered if not one.passed}
    assert refusing == {"has_purpose", "has_quota"}
    assert metered(world, grant) == []


@pytest.fixture(scope="module")
def twins(world, segments):
    """Two products of one policy; the second one's data says something else of everybody."""
    other = world.load("另表", [{**row, "city": "无"} for row in ROWS[::2]], level=2)
    return world.product(policy_of(segments)), world.product(policy_of(other))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(asked=st.lists(st.tuples(st.sampled_from(ROWS), st.sampled_from(CITIES[:3])), max_size=8))
def test_refusals_do_not_depend_on_the_data_and_the_quota_is_never_overspent(
    world, desk, twins, asked
):
    """Two products over different data, asked the same: the same is refused, by the same code."""
    transcripts = []
    for twin in twins:
        grant = world.buy(twin, calls=3)
        codes = []
        for row, city in [*asked, *asked[:1]]:
            try:
                desk.ask(world.request(twin, grant, (row["segment"], city)), world.asker)
                codes.append(None)
            except LingquError as refusal:
                codes.append(refusal.code)
        transcripts.append(codes)
        desk.settle()
        assert world.left(grant) == (3 - codes.count(None), 0)
        assert codes.count(None) <= 3
    assert transcripts[0] == transcripts[1]
