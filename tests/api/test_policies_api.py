# SPDX-License-Identifier: Apache-2.0
"""Policies over the API: explained in both languages, refused by place, nothing kept."""

import json

from web_server import write

from lingqu import rights
from lingqu.api.door import JSON_BYTES_MAX
from lingqu.rights import exchange
from lingqu.runtime import new_id

PATH = "/api/v1/rights/policies/check"
OFFER = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@type": "Offer",
    "uid": "urn:x:offer",
    "profile": "urn:lingqu:odrl:1",
    "assigner": "urn:x:bureau",
    "permission": [{"target": "urn:x:data", "action": "read"}],
}


def check(machine, document):
    return machine.post(PATH, json={"text": document})


def test_a_policy_is_explained_in_both_languages(machine):
    answer = check(machine, json.dumps(OFFER))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["format"] == "odrl"
    assert "限于行为：读取。" in told["zh"]
    assert "Limited in actions: read." in told["en"]


def test_a_refusal_is_a_problem_document_that_names_the_place(machine):
    answer = check(machine, json.dumps(OFFER | {"inheritFrom": "urn:x:other"}))
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "rights.policy.rule_refused"
    assert problem["parameters"] == {"place": "/inheritFrom", "reason": "inheritance"}
    assert check(machine, '{"a": 1, "a": 2}').json()["code"] == "rights.policy.unreadable"


def test_a_registered_code_is_known(machine):
    body = {"tree": "purposes", "code": "research.fishing", "parent": "research"}
    named = {"zh": "渔业研究", "en": "research into fishing"}
    purpose = {"leftOperand": "purpose", "operator": "isA", "rightOperand": "research.fishing"}
    document = json.loads(json.dumps(OFFER))
    document["permission"][0]["constraint"] = [purpose]
    assert check(machine, json.dumps(document)).json()["code"] == "rights.policy.code_unknown"
    made = machine.post("/api/v1/rights/codes", json=body | named, headers=write())
    assert made.status_code == 201, made.text
    assert "限于用途：渔业研究。" in check(machine, json.dumps(document)).json()["zh"]


def test_a_body_that_is_too_large_is_refused(machine):
    assert check(machine, " " * (exchange.POLICY_BYTES_MAX + 1)).status_code in {400, 413, 422}
    assert check(machine, " " * (JSON_BYTES_MAX + 1)).status_code == 413


def test_a_stranger_is_asked_who_it_is(server):
    with server.machine(key="none") as stranger:
        assert check(stranger, json.dumps(OFFER)).status_code == 401


def test_a_grant_is_read_as_a_policy_and_a_grant_is_issued_by_it(machine, server):
    grants, root = "/api/v1/rights/policies/grants", new_id(rights.GrantId)
    party = server.party
    ground = {
        "ground": new_id(rights.GroundId), "kind": "contract", "title": "〈协议〉（演示）",
        "party": party, "evidence": "5e" * 32, "articles": ["第十四条"],
    }  # fmt: skip
    assert machine.post("/api/v1/rights/grounds", json=ground, headers=write()).is_success
    body = {"grant": root, "ground": ground["ground"], "holder": party, "kind": "operating"}
    made = machine.post("/api/v1/rights/roots", json=body | {"terms": {}}, headers=write())
    assert made.is_success, made.text
    document = machine.get(f"{grants}/{root}").json()
    assert document["uid"] == f"urn:lingqu:id:{root}"
    wanted = {
        "grant": new_id(rights.GrantId), "parent": root, "holder": party, "kind": "using",
        "text": json.dumps(document | {"assignee": f"urn:lingqu:id:{party}"}),
    }  # fmt: skip
    issued = machine.post(grants, json=wanted, headers=write())
    assert issued.status_code == 201, issued.text
    assert machine.get(f"{grants}/{wanted['grant']}").json() == document | {
        "uid": f"urn:lingqu:id:{wanted['grant']}"
    }
    stranger = wanted | {"text": json.dumps(document | {"assigner": "urn:x:bureau"})}
    refused = machine.post(grants, json=stranger, headers=write()).json()
    assert (refused["code"], refused["parameters"]["place"]) == (
        "rights.policy.party_differs", "/provider",
    )  # fmt: skip
    unsaid = machine.get(f"{grants}/{root}", params={"format": "tc609"})
    assert unsaid.json()["code"] == "rights.policy.not_expressible"
