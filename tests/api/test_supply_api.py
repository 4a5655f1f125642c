# SPDX-License-Identifier: Apache-2.0
"""Duties and the catalog over the API: written by the body, read by everyone."""

import base64
import hashlib

import httpx
from web_server import write

from lingqu import supply, trust
from lingqu.runtime import new_id
from lingqu.supply import collection, opening

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
        {
            "name": "segment",
            "label": "号段",
            "kind": "text",
            "meaning": "",
            "is_personal": False,
            "is_key": True,
            "level": None,
        }
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


def described(server, machine, *, item, **said):
    """A resource of the server's party, under a duty of its own."""
    duty, resource = new_id(supply.DutyId), new_id(supply.ResourceId)
    asked = {"duty": duty, "body": server.party, "item": item, "basis": "职能", "territory": "45"}
    assert machine.post(f"{BASE}/duties", json=asked, headers=write()).status_code == 201
    told = DESCRIPTION | {"mode": "physical"} | said
    asked = {"resource": resource, "duty": duty, "description": told}
    assert machine.post(f"{BASE}/resources", json=asked, headers=write()).status_code == 201
    return resource


def test_a_file_is_delivered_over_the_api_whole_and_once(server, machine):
    resource = described(server, machine, item="号段二")
    file = base64.b64encode(b"segment\n1300069\n1300590\n").decode()
    asked, headers = {"resource": resource, "name": "a.csv", "content": file}, write()
    made = machine.post(f"{BASE}/loads", json=asked, headers=headers)
    assert made.status_code == 201, made.text
    again = machine.post(f"{BASE}/loads", json=asked, headers=headers)
    assert again.json() == made.json()
    load = made.json()["id"]
    assert load[4:] == next(iter(headers.values()))[4:]
    assert machine.get(f"{BASE}/loads/{load}").json()["rows"] == 2
    listed = machine.get(f"{BASE}/loads", params={"resource": resource}).json()["items"]
    assert [one["id"] for one in listed] == [load]
    assert machine.get(f"{BASE}/loads/{load}/rejections").json() == {"items": []}
    for wrong in (
        {"resource": resource, "content": "%"},
        {"resource": resource},
        {"content": file},
    ):
        refused = machine.post(f"{BASE}/loads", json=wrong, headers=write())
        assert refused.json()["code"] == "api.load.unreadable"
    with httpx.Client(base_url=server.url) as anyone:
        assert anyone.get(f"{BASE}/loads").status_code == 401


def test_a_delivery_may_be_larger_than_other_requests(server, machine):
    resource = described(server, machine, item="号段三")
    rows = "".join(f"{number:07}\n" for number in range(150_000))
    file = base64.b64encode(f"segment\n{rows}".encode()).decode()
    made = machine.post(
        f"{BASE}/loads", json={"resource": resource, "content": file}, headers=write()
    )
    assert made.json()["rows"] == 150_000


def test_a_source_is_registered_and_ended_over_the_api(server, machine):
    resource = described(server, machine, item="号段四", mode="logical")
    source = new_id(collection.SourceId)
    asked = {
        "source": source, "resource": resource, "title": "号段库", "kind": "postgres",
        "schema_name": "miit", "table_name": "segments",
    }  # fmt: skip
    made = machine.post(f"{BASE}/sources", json=asked, headers=write())
    assert (made.status_code, made.json()["mode"]) == (201, "logical")
    listed = machine.get(f"{BASE}/sources", params={"body": server.party}).json()["items"]
    assert source in [one["id"] for one in listed]
    refused = machine.post(f"{BASE}/loads", json={"source": source}, headers=write())
    assert refused.json()["code"] == "runtime.settings.secret_unreadable"
    assert machine.post(f"{BASE}/sources/{source}/end", headers=write()).json()["ended_at"]


BOOK = [
    {"name": name, "label": name, "kind": "text", "is_key": name == "code"}
    for name in ("code", "name", "county")
]


def loaded(server, machine, item, rows):
    """A code book that anyone may have, loaded."""
    open_ = {"fields": BOOK, "opening": "unconditional", "title": item}
    resource = described(server, machine, item=item, **open_)
    graded = {"level": 1, "reason": "公开"}
    machine.post(f"{BASE}/resources/{resource}/grade", json=graded, headers=write())
    file = base64.b64encode(f"code,name,county\n{rows}".encode()).decode()
    asked = {"resource": resource, "content": file}
    assert machine.post(f"{BASE}/loads", json=asked, headers=write()).status_code == 201
    return resource


def test_a_finding_is_looked_at_and_opened_over_the_api(server, machine):
    left = loaded(server, machine, "册一", "1,甲,a\n2,乙,a\n")
    right = loaded(server, machine, "册二", "1,乙,a\n2,甲,a\n")
    look = {
        "kind": "comparison", "resource": left, "other": right, "name": "name", "parent": "county",
    }  # fmt: skip
    seen = machine.post(f"{BASE}/findings/look", json=look)
    assert (seen.status_code, seen.json()["safe_key"]) == (200, "derived"), seen.text
    assert seen.json()["figures"]["conflicts"] == 2
    finding, bureau = new_id(supply.FindingId), new_id(trust.PartyId)
    kind = trust.PartyKind.ORGANIZATION
    server.execute(trust.register_party, party=bureau, kind=kind, name="〈检查单位〉（演示）")
    asked = {
        "finding": finding, "look": look, "title": "同码异名", "inspector": bureau,
        "responsible": server.party,
    }  # fmt: skip
    made = machine.post(f"{BASE}/findings", json=asked, headers=write())
    assert (made.status_code, made.json()["examples"]) == (201, ["1", "2"]), made.text
    assert machine.get(f"{BASE}/findings/{finding}").json() == made.json()
    listed = machine.get(f"{BASE}/findings", params={"body": server.party}).json()["items"]
    assert finding in [one["id"] for one in listed]
    alone = machine.post(f"{BASE}/findings/look", json=look | {"other": None})
    assert alone.json()["code"] == "supply.finding.bad"
    rule = {"kind": "filled", "resource": left, "column": "name"}
    assert machine.post(f"{BASE}/findings/look", json=rule).json()["faults"] == 0


def test_what_is_open_is_downloaded_by_anyone_and_listed_elsewhere(server, machine):
    resource = loaded(server, machine, "册三", "1,甲,a\n2,乙,a\n")
    entry, catalog = new_id(opening.OpenEntryId), new_id(opening.CatalogId)
    asked = {
        "entry": entry, "year": 2026, "territory": "45", "resource": resource,
        "criteria": ["value"], "due_on": "2026-12-31",
    }  # fmt: skip
    made = machine.post(f"{BASE}/open-list", json=asked, headers=write())
    assert made.status_code == 201, made.text
    confirmed = machine.post(f"{BASE}/open-list/{entry}/confirm", headers=write())
    assert confirmed.json()["state"] == "confirmed"
    published = machine.post(
        f"{BASE}/open-list/publish", json={"year": 2026, "territory": "45"}, headers=write()
    )
    assert [one["id"] for one in published.json()["items"]] == [entry]
    asked = {"entry": entry, "title": "册", "summary": "编码", "terms": "注明来源",
             "resource": resource}  # fmt: skip
    made = machine.post(f"{BASE}/open", json=asked, headers=write())
    assert made.status_code == 201, made.text
    file = made.json()["id"]
    with httpx.Client(base_url=server.url) as anyone:
        got = anyone.get(f"{BASE}/open/{file}/content")
        assert got.headers["content-disposition"].startswith("attachment")
        assert hashlib.sha256(got.content).hexdigest() == made.json()["sha256"]
        assert file in [one["id"] for one in anyone.get(f"{BASE}/open").json()["items"]]
        assert anyone.get(f"{BASE}/open/{file}").json() == made.json()
        lines = anyone.get(f"{BASE}/open-list", params={"year": 2026}).json()["items"]
        assert entry in [one["id"] for one in lines]
        asked = {"catalog": catalog, "title": "市信用信息平台", "operator": "〈数据局〉（演示）"}
        assert anyone.post(f"{BASE}/catalogs", json=asked, headers=write()).status_code == 401
        made = machine.post(f"{BASE}/catalogs", json=asked, headers=write())
        assert made.status_code == 201, made.text
        written = machine.post(f"{BASE}/catalogs/{catalog}/write", headers=write()).json()
        assert f"/open/{file}/content" in written["document"]
        report = {"reported": [{"file": file, "accepted": True}]}
        done = machine.post(f"{BASE}/catalogs/{catalog}/reconcile", json=report, headers=write())
        assert done.json()["acknowledged"] == 1
        entries = anyone.get(f"{BASE}/catalogs/{catalog}/entries").json()["items"]
        assert [one["status"] for one in entries if one["file"] == file] == ["acknowledged"]
        assert catalog in [one["id"] for one in anyone.get(f"{BASE}/catalogs").json()["items"]]
        assert machine.post(f"{BASE}/open/{file}/withdraw", headers=write()).status_code == 200
        assert anyone.get(f"{BASE}/open/{file}/content").status_code == 404
