# SPDX-License-Identifier: Apache-2.0
"""Fair turns: one contract cannot starve another, and what it asks too much waits for itself."""

import pytest

from lingqu import gate, rights, trust
from lingqu.gate import lanes
from lingqu.gate.lanes import Lanes, Waiting
from lingqu.runtime import new_id

ASKER = gate.Asker(account=new_id(trust.AccountId), may_call=True)
A, B, C = (new_id(rights.GrantId) for _ in range(3))
PRODUCT = new_id(gate.ProductId)


def call(grant, subjects=1):
    request = gate.CallRequest(
        call=new_id(gate.CallId),
        grant=grant,
        product=PRODUCT,
        purpose="x",
        subjects=(gate.Subject(key="1"),) * subjects,
    )
    return Waiting(request, ASKER, lambda _: None)


def never(_):
    raise AssertionError("only large calls are worked on ahead")


def test_lanes_take_turns_whoever_came_first():
    found = Lanes()
    for one in [call(A) for _ in range(1_500)] + [call(B), call(C), call(B)]:
        assert found.add(one)
    first = found.take(never)
    assert len(first) == lanes.CALLS_MOST
    assert [one.request.grant for one in first[:6]] == [A, B, C, A, B, A]
    assert len(found) == 1_503 - len(first)


def test_a_large_call_is_worked_on_in_slices_while_others_go_on():
    found, slices = Lanes(), []

    def prepare(one):
        slices.append(one)
        return len(slices) == 3

    large = call(A, 10_000)
    found.add(large)
    found.add(call(A))
    for _ in range(3):
        found.add(call(B))
        assert [one.request.grant for one in found.take(prepare)] in ([B], [])
    found.add(call(B))
    grants = [one.request.grant for _ in range(3) for one in found.take(prepare)]
    assert grants.count(A) == 2
    assert slices == [large] * 3
    assert len(found) == 0


def test_a_full_lane_refuses_its_own_and_nobody_elses():
    found = Lanes()
    assert all(found.add(call(A, 10_000)) for _ in range(5))
    assert not found.add(call(A))
    assert found.add(call(B))
    taken = found.take(lambda _: True)
    found.put_back(taken)
    assert len(found) == 6
    assert not found.add(call(A))


@pytest.mark.parametrize("calls", [1, 700])
def test_what_was_put_back_comes_first_again(calls):
    found = Lanes()
    waiting = [call(A) for _ in range(calls)]
    for one in waiting:
        found.add(one)
    taken = found.take(never)
    found.put_back(taken)
    assert found.take(never) == taken
