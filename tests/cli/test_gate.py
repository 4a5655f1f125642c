# SPDX-License-Identifier: Apache-2.0
"""What an operator, a buyer and a provider do at the gate from the command line."""

import json
from pathlib import Path

import pytest
from terminal import end, wait_for_line

CREDIT = ("--purpose", "industry.finance.credit")
ROWS = [(f"{number:07}", "南宁" if number % 2 else "柳州") for number in range(40)]
DESCRIPTION = {
    "title": "号段归属",
    "summary": "号段归属",
    "frequency": "007",
    "mode": "physical",
    "sharing": "unconditional",
    "opening": "unconditional",
    "reason": "",
    "fields": [
        {"name": "segment", "label": "号段", "kind": "text"},
        {"name": "city", "label": "城市", "kind": "text"},
    ],
}
COLUMNS = ("--key", "segment", "--value", "city")


def offered(founded, tmp_path):
    """A loaded resource, a product under an operating grant, and a buyer's grant."""
    party = founded.party
    duty = founded.json(
        *("supply", "duty", "register", "号段", "--body", party, "--basis", "三定"),
        *("--territory", "45"),
    )["duty"]["id"]
    written, table = tmp_path / "resource.json", tmp_path / "rows.csv"
    written.write_text(json.dumps(DESCRIPTION))
    table.write_text("segment,city\n" + "".join(f"{key},{value}\n" for key, value in ROWS))
    resource = founded.json("supply", "resource", "describe", written, "--duty", duty)
    resource = resource["resource"]["id"]
    founded.json("supply", "resource", "grade", resource, 1, "--reason", "公开信息")
    founded.json("supply", "load", "file", resource, table)
    ground = founded.json(
        *("grant", "ground", party, "协议", "--kind", "contract", "--evidence", "5e" * 32)
    )["ground"]["id"]
    root = founded.json("grant", "root", ground, party, "--kind", "operating")["grant"]["id"]
    terms = '{"purposes": {"allowed": ["industry.finance"]}}'
    child = founded.json("grant", "issue", root, party, "--kind", "using", "--terms", terms)
    relation = {"resource": resource, "key": "segment", "value": "city", "prefix": ""}
    policy = {
        "subject": {"characters": "digits", "shortest": 7, "longest": 7},
        "predicates": [{
            "name": "city", "yes": [relation], "once": [], "evidence": [], "matching": "exact",
            "separator": "/",
        }],
        "tells_unknown": False, "enumeration": None,
        "sample": {"least": 20, "most": 50, "altogether": 50},
    }  # fmt: skip
    written.write_text(json.dumps(policy))
    made = founded.json(
        *("gate", "product", "define", root, "号段核验", "--form", "verification"),
        *("--summary", "是或否", "--policy", written),
    )["product"]
    return made["id"], child["grant"]["id"], resource, table, written


@pytest.mark.slow
def test_a_product_from_its_policy_to_its_answers(founded, tmp_path):
    product, grant, resource, table, policy = offered(founded, tmp_path)
    assert founded.json("gate", "product", "publish", product)["snapshot"]["records"] == 40
    told = founded("gate", "explain", grant, product, *CREDIT, "--subject", "0000001=南宁")
    assert "用量足够" in told.out
    assert "gate.call.over_quota" in told.out
    asked = ("gate", "call", grant, product, *CREDIT, "--subject", "0000001=南宁")
    assert founded(*asked, "--json").refusal == "gate.call.over_quota"
    refused = founded.json("gate", "calls", "--grant", grant, "--refused")["items"]
    assert [one["refusal"] for one in refused] == ["gate.call.over_quota"]
    handed = founded.json("gate", "file", "submit", table, grant, product, *CREDIT, *COLUMNS,
                          "--now")["job"]  # fmt: skip
    assert (handed["state"], handed["refusal"]) == ("refused", "gate.call.over_quota")
    assert "已拒绝" in founded("gate", "file", "show", handed["id"]).out
    fetched = founded("gate", "file", "fetch", handed["id"], tmp_path / "out.csv", "--json")
    assert fetched.refusal == "gate.file.not_ready"
    sample = founded.json("gate", "sample", table, product, founded.party, *CREDIT, *COLUMNS)
    assert (sample["sample"]["hit_rate"], sample["sample"]["accuracy"]) == (100, None)
    found = founded("gate", "reconcile", table, resource, *COLUMNS)
    assert "供方对账" in found.out
    assert "号段核验" in founded("gate", "product", "list").out
    assert "predicates" in founded("gate", "product", "show", product).out
    revealed = founded.json("gate", "reveal", product)["revealed"]["datasets"]
    ways = {way for one in revealed for column in one["columns"] for way in column["ways"]}
    assert ways >= {"exists", "confirmed"}
    revised = founded.json("gate", "product", "revise", product, "--policy", policy)
    assert revised["product"]["edition"] == 2
    assert founded.json("gate", "product", "withdraw", product)["product"]["withdrawn_at"]


def test_calls_are_served_in_a_process_of_their_own(founded):
    process = founded.start("gate", "serve", "--port", "0")
    wait_for_line(process, "Ctrl-C")
    code, rest = end(process)
    assert code == 0
    assert "已停止" in rest


def test_a_query_policy_is_tried_on_cases_without_a_server(cli, tmp_path):
    folder = Path(__file__).parents[2] / "docs/howto/query-policy"
    policy, cases = folder / "policy.json", folder / "cases.json"
    told = cli.json("gate", "test", policy, cases)
    assert told["wrong"] == []
    assert told["tried"] == len(json.loads(cases.read_text(encoding="utf-8")))
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps([{"query": "SELECT * FROM visit", "expected": "answered"}]))
    found = cli.json("gate", "test", policy, wrong, code=1)
    assert [one["told"] for one in found["wrong"]] == ["gate.query.construct"]


def test_a_verification_policy_is_tried_on_cases_without_a_server(cli, tmp_path):
    folder = Path(__file__).parents[2] / "docs/howto/verification-policy"
    policy, cases = folder / "policy.yaml", folder / "cases.yaml"
    told = cli.json("gate", "test", policy, cases)
    assert told["wrong"] == []
    assert told["tried"] == cases.read_text(encoding="utf-8").count("expected:")
    personal = tmp_path / "personal.yaml"
    personal.write_text(
        policy.read_text(encoding="utf-8").replace("personal: false", "personal: true")
    )
    asked = {"subjects": [{"key": "1380770", "value": "南宁"}], "predicate": "city"}
    wrong = tmp_path / "cases.json"
    wrong.write_text(json.dumps([
        asked | {"expected": "answered", "consented": False},
        asked | {"expected": "answered", "asked_before": 2},
    ]))  # fmt: skip
    found = cli.json("gate", "test", personal, wrong, code=1)
    assert [one["told"] for one in found["wrong"]] == ["gate.call.no_consent"]
    unread = tmp_path / "unread.yaml"
    unread.write_text("subject: &a {}")
    assert "第 1 行" in cli("gate", "test", unread, cases, code=1).err
