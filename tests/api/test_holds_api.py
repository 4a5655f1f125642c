# SPDX-License-Identifier: Apache-2.0
"""Holds over the API: placed, listed, lifted, and refused to whoever does not supervise."""

from web_server import write

from lingqu import trust
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id
from lingqu.trust import holds

BASE = "/api/v1/trust/holds"


def asked(server, **changes):
    body = {
        "hold": new_id(holds.HoldId),
        "subject": server.party,
        "reason": "security",
        "article": "数据安全法 第二十九条",
    }
    return body | changes


def test_a_hold_is_placed_listed_and_lifted(server, machine):
    body = asked(server)
    placed = machine.post(BASE, json=body, headers=write())
    assert placed.status_code == 201, placed.text
    assert placed.json()["placed_by"] == server.accounts["administrator"]
    params = {"subject": body["subject"], "in_force": True}
    listed = machine.get(BASE, params=params).json()
    assert [one["id"] for one in listed["items"]] == [body["hold"]]
    lifted = machine.post(f"{BASE}/{body['hold']}/lift", headers=write())
    assert (lifted.status_code, lifted.json()["lifted_at"] is not None) == (200, True)
    assert machine.get(BASE, params=params).json()["items"] == []
    again = machine.post(f"{BASE}/{body['hold']}/lift", headers=write())
    assert (again.status_code, again.json()["code"]) == (409, "trust.hold.lifted")


def test_what_is_no_hold_is_refused_in_words(server, machine):
    for changes, status, code in (
        ({"subject": "南宁"}, 422, "trust.hold.bad_subject"),
        ({"article": " "}, 422, "trust.hold.bad_ground"),
        ({"evidence": "x"}, 422, "trust.hold.bad_ground"),
        ({"reason": "because"}, 400, "api.request.malformed"),
    ):
        answer = machine.post(BASE, json=asked(server, **changes), headers=write())
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.json()["detail"]


def test_a_member_neither_places_nor_sees_holds(server):
    secret = trust.new_secret()
    server.execute(
        trust.issue_api_key,
        api_key=new_id(trust.ApiKeyId),
        account=server.accounts["member"],
        label="t",
        secret=Hidden(secret),
    )
    with server.machine(secret) as member:
        assert member.get(BASE).status_code == 403
        assert member.post(BASE, json=asked(server), headers=write()).status_code == 403
