# SPDX-License-Identifier: Apache-2.0
"""Policies at the command line: words, conversion, and refusals with their place and reason."""

import json

import pytest
from terminal import Cli

OFFER = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@type": "Offer",
    "uid": "urn:x:offer",
    "profile": "urn:lingqu:odrl:1",
    "assigner": "urn:x:bureau",
    "lingqu:assignerNode": "urn:x:node",
    "lingqu:assigneeNode": "urn:x:node",
    "permission": [
        {
            "target": "urn:x:data",
            "action": "lingqu:use.verify",
            "constraint": [
                {"leftOperand": "purpose", "operator": "isPartOf", "rightOperand": "research"},
                {"leftOperand": "count", "operator": "lteq", "rightOperand": 1000},
            ],
        }
    ],
}


@pytest.fixture
def cli(tmp_path):
    return Cli(tmp_path)


def written(folder, document):
    path = folder / "policy.jsonld"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_policy_is_told_in_both_languages_without_an_installation(cli, tmp_path):
    file = written(tmp_path, OFFER)
    told = cli("policy", "show", file)
    assert told.code == 0, told.err
    assert "限于用途：科学研究。" in told.out
    assert "额度合计至多：1000 calls。" in told.out
    told = cli("policy", "show", "-", "--lang", "en", stdin=json.dumps(OFFER))
    assert "Limited in actions: verification." in told.out
    assert cli("policy", "show", file, "--json").json["format"] == "odrl"


def test_a_policy_travels_to_the_chinese_standard_and_back(cli, tmp_path):
    there = cli("policy", "convert", written(tmp_path, OFFER), "--to", "tc609")
    assert there.code == 0, there.err
    assert there.json["contractStatus"] == "01"
    back = cli("policy", "convert", "-", "--to", "odrl", "--json", stdin=there.out)
    assert back.json["uid"] == "urn:x:offer"
    again = cli("policy", "convert", "-", "--to", "tc609", stdin=back.out)
    assert again.out == there.out


def test_a_refused_policy_names_the_place_and_the_reason(cli, tmp_path):
    refused = cli("policy", "show", written(tmp_path, OFFER | {"conflict": "perm"}))
    assert refused.code != 0
    assert "/conflict" in refused.err
    assert "只接受禁止优先" in refused.err
    refused = cli("policy", "show", written(tmp_path, OFFER | {"note": "x"}), "--json")
    assert refused.refusal == "rights.policy.member_unknown"


def test_a_file_that_is_missing_or_no_policy_is_refused_in_words(cli, tmp_path):
    assert cli("policy", "show", tmp_path / "none", "--json").refusal == "cli.policy.file"
    assert cli("policy", "show", tmp_path, "--json").refusal == "cli.policy.file"
    for text in ("", "{", "[1.5]", '{"a": 1}', " " * 200_001):
        refused = cli("policy", "show", "-", "--json", stdin=text)
        assert refused.refusal == "rights.policy.unreadable"
