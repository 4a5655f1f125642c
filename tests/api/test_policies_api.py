# SPDX-License-Identifier: Apache-2.0
"""Policies over the API: explained in both languages, refused by place, nothing kept."""

import json

from web_server import write

from lingqu.api.door import JSON_BYTES_MAX
from lingqu.rights import exchange

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
