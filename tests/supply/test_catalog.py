# SPDX-License-Identifier: Apache-2.0
"""Who answers for which data, and what the catalog says of it."""

import dataclasses
import threading

import pytest

from lingqu import supply, trust
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode
from lingqu.trust import Role

FIELDS = (
    Field(name="code", label="代码", kind=FieldKind.TEXT),
    Field(name="name", label="名称", kind=FieldKind.TEXT, meaning="全称"),
)
OPEN = Description(
    title="乡镇区划代码",
    summary="乡镇级行政区划代码和名称",
    frequency=Frequency.YEARLY,
    mode=Mode.PHYSICAL,
    sharing=Access.UNCONDITIONAL,
    opening=Access.UNCONDITIONAL,
    fields=FIELDS,
)


@pytest.fixture
def body(place):
    return place.party("〈民政厅〉（演示）")


def registered(
    place, body, *, item="乡镇区划代码", territory="45", caller=trust.LOCAL_ADMINISTRATOR
):
    duty = new_id(supply.DutyId)
    return place.do(
        supply.register_duty,
        caller,
        duty=duty,
        body=body,
        item=item,
        basis="三定规定",
        territory=territory,
    )


def described(place, duty, description=OPEN, caller=trust.LOCAL_ADMINISTRATOR):
    return place.do(
        supply.describe_resource,
        caller,
        resource=new_id(supply.ResourceId),
        duty=duty.id,
        description=description,
    )


def test_an_item_has_one_source_in_a_territory(place, body):
    first = registered(place, body)
    other = place.party("〈统计局〉（演示）")
    with pytest.raises(supply.DutyTaken) as caught:
        registered(place, other)
    assert caught.value.parameters["duty"] == first.id
    assert "第六条" in caught.value.article
    registered(place, other, territory="4507")
    place.do(supply.end_duty, duty=first.id)
    assert registered(place, other).body == other
    with pytest.raises(supply.DutyEnded):
        place.do(supply.end_duty, duty=first.id)


def test_of_two_claims_at_once_one_is_taken(place, body):
    together, outcomes = threading.Barrier(2), []

    def claim():
        together.wait()
        try:
            outcomes.append(registered(place, body).id)
        except supply.DutyTaken:
            outcomes.append(None)

    threads = [threading.Thread(target=claim) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(None) == 1
    assert place.count("supply.duty") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"territory": "4"},
        {"territory": "４５"},
        {"territory": "45a"},
        {"item": " "},
        {"item": "x" * 101},
    ],
)
def test_a_duty_that_is_none_is_refused(place, body, wrong):
    with pytest.raises(supply.BadDuty):
        registered(place, body, **wrong)


def test_a_resource_stands_in_the_catalog_until_it_is_withdrawn(place, body):
    duty = registered(place, body)
    made = described(place, duty)
    assert supply.read_fields(made) == FIELDS
    with place.database.reading() as tx:
        page = supply.find_resources(tx, page=PageRequest(size=1), body=body)
        assert [one.id for one in page.items] == [made.id]
    place.do(supply.withdraw_resource, resource=made.id)
    with place.database.reading() as tx:
        assert supply.find_resources(tx, page=PageRequest()).items == ()
        assert supply.get_resource(tx, made.id).withdrawn_at
    with pytest.raises(supply.ResourceWithdrawn):
        place.do(supply.grade_resource, resource=made.id, level=1, reason="公开")
    assert place.audit() == []


def test_what_is_not_graded_does_not_move_and_new_fields_are_graded_again(place, body):
    made = described(place, registered(place, body))
    with pytest.raises(supply.Ungraded):
        supply.require_level(made)
    graded = place.do(supply.grade_resource, resource=made.id, level=2, reason="一般数据")
    assert supply.require_level(graded) == 2
    other = dataclasses.replace(OPEN, summary="另一份摘要")
    same = place.do(supply.revise_resource, resource=made.id, description=other)
    assert supply.require_level(same) == 2
    wider = dataclasses.replace(
        other, fields=(*FIELDS, Field(name="seat", label="驻地", kind=FieldKind.TEXT))
    )
    revised = place.do(supply.revise_resource, resource=made.id, description=wider)
    with pytest.raises(supply.Ungraded):
        supply.require_level(revised)
    editions = [fact["data"]["edition"] for fact in place.facts("supply.resource.described")]
    assert editions == [1, 3, 4]
    assert place.audit() == []


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        ({"title": ""}, supply.BadResource),
        ({"summary": "a\0b"}, supply.BadResource),
        ({"fields": ()}, supply.BadResource),
        ({"fields": (FIELDS[0], FIELDS[0])}, supply.BadResource),
        ({"opening": Access.NONE}, supply.ReasonMissing),
        ({"sharing": Access.CONDITIONAL, "reason": "  "}, supply.ReasonMissing),
    ],
)
def test_a_description_that_is_none_is_refused(place, body, wrong, refusal):
    duty = registered(place, body)
    with pytest.raises(refusal):
        described(place, duty, dataclasses.replace(OPEN, **wrong))
    assert place.count("supply.resource") == 0


@pytest.mark.parametrize("level", [0, 6, -1])
def test_a_level_outside_the_scale_is_refused(place, body, level):
    made = described(place, registered(place, body))
    with pytest.raises(supply.BadLevel):
        place.do(supply.grade_resource, resource=made.id, level=level, reason="x")


def test_a_body_describes_its_own_resources_and_no_others(place, body):
    own = place.account(body, role=Role.MEMBER)
    stranger = place.account(role=Role.MEMBER)
    duty = registered(place, body, caller=own)
    made = described(place, duty, caller=own)
    for command, arguments in (
        (supply.end_duty, {"duty": duty.id}),
        (supply.withdraw_resource, {"resource": made.id}),
        (supply.grade_resource, {"resource": made.id, "level": 1, "reason": "x"}),
        (supply.revise_resource, {"resource": made.id, "description": OPEN}),
    ):
        with pytest.raises(trust.AccessDenied):
            place.do(command, stranger, **arguments)
    with pytest.raises(trust.AccessDenied):
        described(place, duty, caller=stranger)
    assert place.do(supply.grade_resource, own, resource=made.id, level=1, reason="公开").level == 1
