# SPDX-License-Identifier: Apache-2.0
"""A listing goes from one Lingqu to another over HTTP, and its status comes back."""

import httpx
import pytest
from web_server import running, write

from lingqu import interop, trust
from lingqu.runtime import Caller, new_id
from lingqu.trust import procedures
from registered import register_product

BASE = "/api/v1/interop"
LISTING = {
    "product": "prd_01jc0000000000000000000000",
    "title": "乡镇区划代码核验（演示）",
    "summary": "核验一个九位代码在某日是否有效",
    "form": "verification",
    "operator": "〈钦州数据运营公司〉（演示）",
    "operator_code": "91450700MA5DEMO018",
    "registration": "GX-DEMO-0001",
    "fees": [{"item": "核验", "unit": "次", "price": {"currency": "CNY", "minor": 20}}],
    "free_calls": 100,
    "is_miss_billed": True,
    "certificates": [{"name": "登记证书", "sha256": "ab" * 32}],
}


@pytest.fixture(scope="module")
def offered(server):
    """A listing of a product that is registered at the sender."""
    return LISTING | {"registration": register_product(server.app.database, LISTING["product"])}


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    """The region's venue: another installation with a server of its own."""
    with running(tmp_path_factory.mktemp("venue"), origin="lingqu.test/venue") as made:
        yield made


def registered(server, other, **more):
    with httpx.Client(base_url=other.url) as anyone:
        key = anyone.get(f"{BASE}/key").json()
    peer = new_id(interop.PeerId)
    asked = {
        "peer": peer, "verifier_key": key["verifier_key"], "name": "对方平台",
        "party": server.party, **more,
    }  # fmt: skip
    with server.machine() as machine:
        made = machine.post(f"{BASE}/peers", json=asked, headers=write())
    assert made.status_code == 201, made.text
    return peer


def test_a_listing_travels_to_a_second_lingqu_and_its_status_comes_back(
    server, venue, machine, offered
):
    examined_by = new_id(trust.PartyId)
    kind = trust.PartyKind.ORGANIZATION
    venue.execute(trust.register_party, party=examined_by, kind=kind, name="〈交易中心〉（演示）")
    peer = registered(server, venue, url=venue.url)
    registered(venue, server, handler=examined_by)
    offer = new_id(interop.OfferId)
    asked = {"offer": offer, "peer": peer, "party": server.party, "listing": offered}
    made = machine.post(f"{BASE}/offers", json=asked, headers=write())
    assert (made.status_code, made.json()["listing"]) == (201, offered), made.text
    path, again = f"{BASE}/offers/{offer}", write()
    sent = machine.post(f"{path}/deliver", json={}, headers=again)
    assert (sent.status_code, sent.json()["state"]) == (200, "submitted"), sent.text
    assert machine.post(f"{path}/deliver", json={}, headers=again).json() == sent.json()
    with venue.machine() as there:
        came = there.get(f"{BASE}/received").json()["items"]
        assert [one["offer"] for one in came] == [offer]
        one = there.get(f"{BASE}/received/{came[0]['id']}").json()
        assert (one["listing"], one["handler"]) == (offered, examined_by)
    clerk = new_id(trust.AccountId)
    person = {"kind": trust.AccountKind.PERSON, "login": None, "password": None}
    venue.execute(trust.open_account, account=clerk, party=examined_by, **person)
    given = {"account": clerk, "role": trust.Role.VENUE, "party": examined_by}
    venue.execute(trust.assign_role, assignment=new_id(trust.AssignmentId), **given)
    trust.execute(
        venue.app.database,
        procedures.move_procedure,
        Caller(account=clerk, channel="web"),
        new_id(trust.CommandId),
        procedure=procedures.ProcedureId(one["procedure"]),
        move="publish",
        version=1,
        opinion="材料齐全",
    )
    now = machine.post(f"{path}/reconcile", json={}, headers=write())
    assert (now.status_code, now.json()["state"]) == (200, "published"), now.text
    assert machine.get(path).json()["reference"] == one["id"]
    assert machine.get(f"{BASE}/offers").json()["items"][0]["id"] == offer
    document = machine.get(f"{path}/document").json()["document"]
    with httpx.Client(base_url=venue.url) as anyone:
        handed = anyone.post(f"{BASE}/listings", json={"document": document}, headers=write())
        assert handed.status_code == 201
        bent = document.replace("核验", "查询")
        refused = anyone.post(f"{BASE}/listings", json={"document": bent}, headers=write())
        assert (refused.status_code, refused.json()["code"]) == (422, "interop.document.altered")
        unknown = anyone.get(f"{BASE}/listings/{offer}/status", params={"digest": "0" * 64})
        assert unknown.status_code == 404
    assert machine.post(f"{path}/close", headers=write()).json()["closed_at"]


def test_a_venue_that_does_not_answer_leaves_nothing_half_done(server, machine, offered):
    key = str(interop.own_key(server.app.keyring, "lingqu.test/silent"))
    peer = new_id(interop.PeerId)
    asked = {
        "peer": peer, "verifier_key": key, "name": "无应答平台", "party": server.party,
        "url": "http://127.0.0.1:9",
    }  # fmt: skip
    assert machine.post(f"{BASE}/peers", json=asked, headers=write()).status_code == 201
    offer = new_id(interop.OfferId)
    asked = {"offer": offer, "peer": peer, "party": server.party, "listing": offered}
    machine.post(f"{BASE}/offers", json=asked, headers=write())
    sent = machine.post(f"{BASE}/offers/{offer}/deliver", json={}, headers=write())
    assert (sent.status_code, sent.json()["code"]) == (503, "runtime.remote.unavailable")
    assert machine.get(f"{BASE}/offers/{offer}").json()["state"] is None
    ended = machine.post(f"{BASE}/peers/{peer}/end", headers=write())
    assert ended.json()["ended_at"]
    with httpx.Client(base_url=server.url) as anyone:
        assert peer in {one["id"] for one in anyone.get(f"{BASE}/peers").json()["items"]}


def test_other_catalogs_harvest_what_is_offered_here_as_dcat(server):
    with httpx.Client(base_url=server.url) as anyone:
        found = anyone.get("/dcat/catalog.jsonld")
        assert found.status_code == 200
        assert found.headers["content-type"].startswith("application/ld+json")
        told = found.json()
        assert (told["@type"], told["@id"].endswith("/dcat/catalog.jsonld")) == (
            "dcat:Catalog",
            True,
        )
        assert anyone.get(f"{BASE}/catalog").content == found.content
