# SPDX-License-Identifier: Apache-2.0
"""Counts that give nobody away, checked by an attacker who knows every total from elsewhere."""

from collections import Counter, defaultdict

import pytest
from gate_world import slice_rows
from hypothesis import given
from hypothesis import strategies as st

from lingqu import gate
from lingqu.gate import CountPolicy, counting
from lingqu.kernel.errors import LingquError

K = 20


def policy(resource="res", threshold=K, **changes):
    given = {
        "resource": resource,
        "entity": "segment",
        "dimensions": ("city", "operator"),
        "merged": "operator",
        "threshold": threshold,
    }
    return CountPolicy(**given | changes)


def attack(cells, released, threshold):
    """What somebody learns who knows the total of every line: each hidden part, and its cells."""
    shown = {tuple(one.values) for one in released.groups if None not in one.values}
    lines = defaultdict(list)
    for cell in cells:
        lines["all"].append(cell)
        for place in range(len(cell)):
            lines[place, cell[place]].append(cell)
    for line, members in lines.items():
        hidden = [cell for cell in members if cell not in shown]
        if hidden and len(hidden) < len(members):
            yield line, len(hidden), sum(cells[cell] for cell in hidden) >= threshold


CELLS = st.dictionaries(
    st.tuples(st.sampled_from("甲乙丙丁"), st.sampled_from("子丑寅卯辰")),
    st.integers(1, 40),
    max_size=20,
)


@given(cells=CELLS, threshold=st.integers(2, 25))
def test_no_total_known_from_elsewhere_gives_a_small_group_away(cells, threshold):
    groups = [counting.Group(values=key, entities=count) for key, count in cells.items()]
    told = counting.release(policy(threshold=threshold), groups, entities=sum(cells.values()))
    for one in told.groups:
        assert one.entities >= threshold
        if None not in one.values:
            assert one.entities == cells[tuple(one.values)]
        else:
            assert one.entities % threshold == 0
    for _, count, is_large in attack(cells, told, threshold):
        assert count > 1
        assert is_large
    shown = [one for one in told.groups if None not in one.values]
    merged = [one for one in told.groups if None in one.values]
    hidden = sum(cells.values()) - sum(one.entities for one in shown)
    if told.withheld_entities is not None:
        assert threshold <= told.withheld_entities <= hidden
        assert told.withheld_entities % threshold == 0
    assert told.has_withheld or hidden == 0 or merged


@pytest.fixture(scope="module")
def counted(world, desk):
    resource = world.load("号段统计", slice_rows("segments"), level=2)
    product = world.product(policy(resource), form=gate.Form.COUNT)
    grant = world.buy(product, calls=5)
    return world, desk, product, grant, desk.ask(world.request(product, grant), world.asker)


def test_the_five_segments_with_two_cities_are_nowhere_in_the_count(counted):
    _, _, _, _, answer = counted
    told = answer.released
    truth = Counter((row["city"], row["operator"]) for row in slice_rows("segments"))
    assert sum(count for (city, _), count in truth.items() if "/" in city) == 5
    groups = {tuple(one["values"]): one["entities"] for one in told["groups"]}
    assert not [city for city, _ in groups if city and "/" in city]
    assert all(count >= K for count in groups.values())
    assert all(count == truth[key] for key, count in groups.items() if key[1] is not None)
    assert told["has_withheld"]
    assert (told["rule"], told["threshold"]) == ("gate.count.threshold", K)
    # Whoever knows that there are 15,141 segments learns no more than a part of at least K.
    assert 15_141 - sum(groups.values()) >= K
    assert "total" not in told


def test_a_count_is_one_unit_and_takes_no_subjects(counted):
    world, desk, product, grant, answer = counted
    assert (answer.units, answer.answers) == (1, ())
    request = world.request(product, grant, ("1300069", "南宁"))
    with pytest.raises(LingquError) as caught:
        desk.ask(request, world.asker)
    assert caught.value.code == "gate.call.bad_subjects"
    with world.place.database.reading() as tx:
        (call,) = gate.find_batch_calls(tx, answer.batch)
    assert (call.outcome, call.units, call.subjects) == ("counted", 1, 0)


def test_an_entity_in_two_groups_is_refused(world):
    rows = [{"segment": "1", "city": "甲", "operator": "x"}, {"segment": "1", "city": "乙",
             "operator": "x"}]  # fmt: skip
    resource = world.load("重复", rows, level=2)
    with pytest.raises(LingquError) as caught:
        world.product(policy(resource), form=gate.Form.COUNT)
    assert caught.value.code == "gate.snapshot.entity_repeated"
