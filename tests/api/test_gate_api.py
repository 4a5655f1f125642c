# SPDX-License-Identifier: Apache-2.0
"""The gate over the API: a product published from a real load, called, refused, sampled, listed."""

import base64
import time

import pytest
from web_server import write

from lingqu import gate, ledger, rights, supply
from lingqu.gate import lists
from lingqu.runtime import new_id

BASE = "/api/v1/gate"
CREDIT = "industry.finance.credit"
ROWS = [(f"{number:07}", "南宁" if number % 2 else "柳州") for number in range(60)]
CONTENT = base64.b64encode(
    ("segment,city\n" + "".join(f"{key},{value}\n" for key, value in ROWS)).encode()
).decode()


def post(machine, path, status=201, **body):
    answer = machine.post(f"/api/v1/{path}", json=body, headers=write())
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def offered(server):
    """A resource with a load, an operating grant, a product published, and a buyer's grant."""
    with server.machine() as machine:
        duty, resource = new_id(supply.DutyId), new_id(supply.ResourceId)
        post(machine, "supply/duties", duty=duty, body=server.party, item="号段归属", basis="三定",
             territory="45")  # fmt: skip
        fields = [{"name": name, "label": name, "kind": "text"} for name in ("segment", "city")]
        description = {
            "title": "号段", "summary": "号段归属", "frequency": "007", "mode": "physical",
            "sharing": "unconditional", "opening": "unconditional", "fields": fields,
        }  # fmt: skip
        post(machine, "supply/resources", resource=resource, duty=duty, description=description)
        post(machine, f"supply/resources/{resource}/grade", 200, level=1, reason="公开")
        post(machine, "supply/loads", resource=resource, name="x.csv", content=CONTENT)
        currency = {"currency": gate.CALL, "scale": 0, "name_zh": "次", "name_en": "calls"}
        server.execute(ledger.register_currency, **currency)
        ground, root, child = (
            new_id(kind) for kind in (rights.GroundId, rights.GrantId, rights.GrantId)
        )
        post(machine, "rights/grounds", ground=ground, kind="duty", title="协议",
             party=server.party, evidence="5e" * 32, articles=[])  # fmt: skip
        post(machine, "rights/roots", grant=root, ground=ground, holder=server.party,
             kind="operating", terms={},
             quotas=[{"currency": gate.CALL, "amount": 1000}])  # fmt: skip
        post(machine, "rights/grants", grant=child, parent=root, holder=server.party,
             kind="using", terms={"purposes": {"allowed": [CREDIT]}},
             quotas=[{"currency": gate.CALL, "amount": 100}])  # fmt: skip
        product = new_id(gate.ProductId)
        relation = {"resource": resource, "key": "segment", "value": "city", "prefix": ""}
        policy = {
            "subject": {"characters": "digits", "shortest": 7, "longest": 7},
            "predicates": [{
                "name": "city", "yes": [relation], "once": [], "evidence": [],
                "matching": "exact", "separator": "/",
            }],
            "tells_unknown": False, "enumeration": None,
            "sample": {"least": 20, "most": 50, "altogether": 50},
        }  # fmt: skip
        made = post(machine, "gate/products", product=product, grant=root, form="verification",
                    title="号段核验", summary="是或否", policy=policy)  # fmt: skip
        assert made["policy"] == policy
        snapshot = post(machine, f"gate/products/{product}/snapshots")
        assert snapshot["records"] == 60
    return product, child, resource


def call(machine, product, grant, status=200, **changes):
    body = {
        "call": new_id(gate.CallId), "grant": grant, "product": product, "purpose": CREDIT,
        "subjects": [{"key": "0000001", "value": "南宁"}],
    }  # fmt: skip
    answer = machine.post(f"{BASE}/calls", json=body | changes)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_call_is_answered_with_a_receipt_and_a_repeat_is_the_same(machine, offered):
    product, grant, _ = offered
    name = new_id(gate.CallId)
    told = call(machine, product, grant, call=name)
    assert (told["answers"], told["units"], told["repeated"]) == (
        [{"answer": "yes", "evidence": []}], 1, False,
    )  # fmt: skip
    again = call(machine, product, grant, call=name)
    assert again == {**told, "repeated": True}
    refused = call(machine, product, grant, 403, purpose="welfare")
    assert (refused["code"], bool(refused["article"])) == ("gate.call.wrong_purpose", True)
    listed = machine.get(f"{BASE}/calls", params={"grant": grant}).json()["items"]
    assert [one["outcome"] for one in listed[:2]] == ["refused", "yes"]
    assert listed[1]["digest"] == told["receipt"]["digest"]
    only = machine.get(f"{BASE}/calls", params={"grant": grant, "refused": True}).json()["items"]
    assert {one["refusal"] for one in only} == {"gate.call.wrong_purpose"}
    unknown = call(machine, product, new_id(rights.GrantId), 404)
    assert unknown["code"] == "rights.grant.not_found"


def test_a_decision_is_explained_without_a_call(machine, offered):
    product, grant, _ = offered
    body = {"call": new_id(gate.CallId), "grant": grant, "product": product, "purpose": "welfare"}
    told = machine.post(f"{BASE}/explain", json=body).json()
    assert (told["allowed"], told["code"]) == (False, "gate.call.wrong_purpose")
    assert {one["rule"] for one in told["considered"] if not one["passed"]} == {
        "has_purpose", "is_well_formed",
    }  # fmt: skip


def test_a_file_a_sample_and_a_reconciliation(server, machine, offered):
    product, grant, resource = offered
    job = new_id(lists.FileJobId)
    made = post(machine, "gate/files", job=job, grant=grant, product=product, purpose=CREDIT,
                key_column="segment", value_column="city", content=CONTENT)  # fmt: skip
    assert made["format"] == "csv"
    deadline = time.monotonic() + 30
    while machine.get(f"{BASE}/files/{job}").json()["state"] == "waiting":
        assert time.monotonic() < deadline
    answers = machine.get(f"{BASE}/files/{job}/answers")
    assert answers.content.decode("utf-8-sig").count("是,") == 60
    assert machine.get(f"{BASE}/files", params={"grant": grant}).json()["items"][0]["rows"] == 60
    rows = [{"key": key, "value": value, "truth": "yes"} for key, value in ROWS[:30]]
    told = post(machine, f"gate/products/{product}/samples", party=server.party, purpose=CREDIT,
                rows=rows)  # fmt: skip
    assert (told["hit_rate"], told["accuracy"]) == (100, 100)
    body = {"resource": resource, "key": "segment", "value": "city", "content": CONTENT}
    found = machine.post(f"{BASE}/reconciliations", json=body).json()
    assert (found["side"], found["common"], found["changed"]) == ("provider_side", 60, 0)


def test_a_query_is_asked_explained_and_refused(server, machine, offered):
    _, _, resource = offered
    product, root, child, ground = (
        new_id(kind) for kind in (gate.ProductId, rights.GrantId, rights.GrantId, rights.GroundId)
    )
    party = server.party
    post(machine, "rights/grounds", ground=ground, kind="duty", title="协议", party=party,
         evidence="5e" * 32, articles=[])  # fmt: skip
    quotas = [{"currency": gate.CALL, "amount": 100}]
    post(machine, "rights/roots", grant=root, ground=ground, holder=party, kind="operating",
         terms={}, quotas=quotas)  # fmt: skip
    post(machine, "rights/grants", grant=child, parent=root, holder=party, kind="using",
         terms={"purposes": {"allowed": [CREDIT]}}, quotas=quotas)  # fmt: skip
    exact = {"kind": "exact", "edges": [], "values": []}
    columns = [
        {"name": "segment", "role": "key", "type": "VARCHAR", "grid": None, "measure": None},
        {"name": "city", "role": "dimension", "type": "VARCHAR", "grid": exact, "measure": None},
    ]
    table = {
        "name": "segment", "resource": resource, "entity": "segment", "threshold": 5,
        "columns": columns,
    }  # fmt: skip
    policy = {"tables": [table], "modes": ["cube", "ad_hoc"]}
    post(machine, "gate/products", product=product, grant=root, form="query", title="号段统计",
         summary="按市统计", policy=policy)  # fmt: skip
    post(machine, f"gate/products/{product}/snapshots")
    body = {
        "call": new_id(gate.CallId), "grant": child, "product": product, "purpose": CREDIT,
        "query": "SELECT city, count(*) AS n FROM segment GROUP BY city ORDER BY city",
    }  # fmt: skip
    for mode in ("cube", "ad_hoc"):
        asked = {**body, "mode": mode, "call": new_id(gate.CallId)}
        told = machine.post(f"{BASE}/queries", json=asked)
        assert told.status_code == 200, told.text
        assert told.json()["released"]["rows"] == [["南宁", "30"], ["柳州", "30"]]
        assert machine.post(f"{BASE}/queries", json=asked).json()["repeated"] is True
    rows = {**body, "mode": "cube", "query": "SELECT * FROM segment"}
    explained = machine.post(f"{BASE}/queries/explain", json=rows).json()
    refused = machine.post(f"{BASE}/queries", json=rows).json()
    assert explained["code"] == refused["code"]
    assert refused["code"].startswith("gate.query.")
    assert machine.post(f"{BASE}/queries/stop", json=rows).json() == {"stopped": False}


def test_products_are_listed_revised_and_withdrawn(machine, offered):
    product, grant, _ = offered
    held = machine.get(f"{BASE}/products/{product}").json()
    assert product in [one["id"] for one in machine.get(f"{BASE}/products").json()["items"]]
    assert len(machine.get(f"{BASE}/products/{product}/snapshots").json()["items"]) == 1
    policy = {**held["policy"], "tells_unknown": True}
    assert post(machine, f"gate/products/{product}/revise", 200, policy=policy)["edition"] == 2
    bad = machine.post(
        f"{BASE}/products/{product}/revise", json={"policy": {"x": 1}}, headers=write()
    )
    assert bad.json()["code"] == "gate.policy.bad"
    post(machine, f"gate/products/{product}/withdraw", 200)
    gone = call(machine, product, grant, 409)
    assert gone["code"] == "gate.product.withdrawn"
