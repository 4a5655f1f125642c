# SPDX-License-Identifier: Apache-2.0
"""Duties and the catalog over the API: written by the body, read by everyone."""

import httpx
from web_server import write

from lingqu import supply
from lingqu.runtime import new_id

BASE = "/api/v1/supply"
DESCRIPTION = {
    "title": "号段归属",
    "summary": "移动电话号段与归属城市",
    "frequency": "004",
    "mode": "logical",
    "sharing": "conditional",
    "opening": "none",
    "reason": "仅以核验方式提供",
    "fields": [
        {"name": "segment", "label": "号段", "kind": "text", "meaning": "", "is_personal": False}
    ],
}


def test_the_catalog_is_written_by_those_who_may_and_read_by_everyone(server, machine):
    duty, resource = new_id(supply.DutyId), new_id(supply.ResourceId)
    asked = {"duty": duty, "body": server.party, "item": "号段", "basis": "职能", "territory": "45"}
    made = machine.post(f"{BASE}/duties", json=asked, headers=write())
    assert made.status_code == 201, made.text
    asked = {"resource": resource, "duty": duty, "description": DESCRIPTION}
    made = machine.post(f"{BASE}/resources", json=asked, headers=write())
    assert made.status_code == 201, made.text
    path = f"{BASE}/resources/{resource}"
    graded = machine.post(f"{path}/grade", json={"level": 2, "reason": "一般"}, headers=write())
    assert graded.json()["level"] == 2
    anew = DESCRIPTION | {"summary": "按月更新"}
    assert machine.post(f"{path}/revise", json=anew, headers=write()).json()["level"] == 2
    with httpx.Client(base_url=server.url) as anyone:
        found = anyone.get(path).json()
        assert found["description"] == anew
        listed = anyone.get(f"{BASE}/resources", params={"duty": duty}).json()["items"]
        assert [one["id"] for one in listed] == [resource]
        assert anyone.get(f"{BASE}/duties/{duty}").json()["item"] == "号段"
        assert anyone.get(f"{BASE}/duties", params={"territory": "45"}).json()["items"]
        assert anyone.post(f"{path}/withdraw", headers=write()).status_code == 401
    gone = machine.post(f"{path}/withdraw", headers=write())
    assert gone.json()["withdrawn_at"]
    assert machine.post(f"{BASE}/duties/{duty}/end", headers=write()).json()["ended_at"]
    again = machine.post(f"{path}/withdraw", headers=write())
    assert (again.status_code, again.json()["code"]) == (409, "supply.resource.withdrawn")
