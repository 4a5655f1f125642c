# SPDX-License-Identifier: Apache-2.0
"""The gate over the API: a product published from a real load, called, refused, sampled, listed."""

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from web_server import write

from lingqu import gate, ledger, rights, supply, trust
from lingqu.gate import lists
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id
from lingqu.trust import jobs

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
        told = json.loads(json.dumps(policy))
        told["predicates"][0]["measure"] = None
        assert made["policy"] == {**told, "combined": [], "personal": False}
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


@pytest.fixture(scope="module")
def hot(server, tmp_path_factory):
    """`lingqu gate serve`, a process beside the running platform."""
    environment = {name: one for name, one in os.environ.items() if not name.startswith("LINGQU_")}
    environment["LINGQU_DATA_DIR"] = str(server.app.settings.data_dir)
    program = Path(sys.executable).with_name("lingqu")
    with (
        socket.create_server(("127.0.0.1", 0)) as free,
        (tmp_path_factory.mktemp("hot") / "log").open("w") as log,
        contextlib.ExitStack() as until,
    ):
        port = free.getsockname()[1]
        free.close()
        process = subprocess.Popen(
            [str(program), "gate", "serve", "--port", str(port)], env=environment, stdout=log,
            stderr=log,
        )  # fmt: skip
        until.callback(process.wait, 30)
        until.callback(process.terminate)
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/health/ready").status_code == 200:
                    break
            time.sleep(0.05)
        yield url


def test_the_hot_route_answers_as_the_api_does_and_forgets_a_key_at_once(server, offered, hot):
    product, grant, _ = offered
    account, key, secret = new_id(trust.AccountId), new_id(trust.ApiKeyId), trust.new_secret()
    server.execute(
        trust.open_account, account=account, party=server.party, kind=trust.AccountKind.MACHINE,
        login=None, password=None,
    )  # fmt: skip
    server.execute(
        trust.assign_role, assignment=new_id(trust.AssignmentId), account=account,
        role=trust.Role.BUYER, party=server.party,
    )  # fmt: skip
    server.execute(
        trust.issue_api_key, api_key=key, account=account, secret=Hidden(secret), label="hot"
    )
    with httpx.Client(base_url=hot, headers={"authorization": f"Bearer {secret}"}) as client:
        name = new_id(gate.CallId)
        told = call(client, product, grant, call=name)
        with server.machine() as machine:
            assert call(machine, product, grant, call=name) == {**told, "repeated": True}
        assert call(client, product, grant, call=name) == {**told, "repeated": True}
        refused = call(client, product, grant, 403, purpose="welfare")
        assert refused["code"] == "gate.call.wrong_purpose"
        assert client.post(f"{BASE}/calls", content=b"{").status_code == 400
        assert client.get(f"{BASE}/calls").status_code == 404
        server.execute(trust.revoke_api_key, api_key=key)
        # Heard over a channel: polled here, measured in the bench.
        for _ in range(200):
            answer = client.post(f"{BASE}/calls", json={
                "call": new_id(gate.CallId), "grant": grant, "product": product,
                "purpose": CREDIT, "subjects": [{"key": "0000001", "value": "南宁"}],
            })  # fmt: skip
            if answer.status_code != 200:
                break
        assert answer.json()["code"] == "trust.api_key.unknown"
        assert httpx.post(f"{hot}{BASE}/calls").status_code == 401


HEAD = f"POST {BASE}/calls HTTP/1.1\r\nhost: x\r\n".encode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\nx", 400),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (HEAD + b"content-length: 99999999999\r\n\r\n", 413),
        (HEAD + b"x: " + b"y" * 20_000, 431),
        (b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", 426),
        (b"GET /health/ready HTTP/1.1\r\n\r\nGET /health/ready HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_what_is_no_request_of_the_hot_route_is_answered_and_closed(hot, sent, status):
    address = httpx.URL(hot)
    with socket.create_connection((address.host, address.port), timeout=30) as line:
        line.sendall(sent)
        answer = b"".join(iter(lambda: line.recv(65_536), b""))
    statuses = [int(one) for one in re.findall(rb"HTTP/1\.1 (\d+)", answer)]
    assert statuses == [status] * (2 if status == 200 else 1)


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
    deadline = time.monotonic() + 60
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
    work = new_id(jobs.WorkId)
    begun = post(machine, f"gate/products/{product}/builds", 202, work=work)
    assert (begun["id"], begun["kind"], begun["subject"]) == (work, "gate.build", product)
    post(machine, f"gate/products/{product}/withdraw", 200)
    gone = call(machine, product, grant, 409)
    assert gone["code"] == "gate.product.withdrawn"
