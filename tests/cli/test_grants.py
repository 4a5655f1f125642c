# SPDX-License-Identifier: Apache-2.0
"""What an operator does with grants from the command line."""

import json
import re
from pathlib import Path

from lingqu.trust.identity.organizations import demonstration_code

GUIDE = Path(__file__).parents[2] / "docs" / "howto" / "zh-CN" / "exchange-policies.md"
DIGEST = "5e" * 32
USE = (
    *("--purpose", "research.academic", "--action", "use.query", "--territory", "450700"),
    *("--environment", "domain.gate", "--recipient", "bank"),
)


def test_a_grant_is_issued_explained_checked_and_revoked(founded):
    ground = founded.json(
        *("grant", "ground", founded.party, "〈授权运营协议〉（演示）", "--kind", "contract"),
        *("--evidence", DIGEST, "--article", "公共数据资源授权运营实施规范（试行） 第十四条"),
    )["ground"]["id"]
    root = founded.json("grant", "root", ground, founded.party, "--kind", "operating")
    terms = '{"purposes": {"allowed": ["research"]}, "level_max": 2}'
    child = founded.json(
        *("grant", "issue", root["grant"]["id"], founded.party, "--kind", "using"),
        *("--terms", terms),
    )["grant"]["id"]
    explained = founded("grant", "explain", child)
    assert "公共数据资源授权运营实施规范（试行） 第十四条" in explained.out
    assert "科学研究" in explained.out
    assert "有效" in explained.out
    assert "research" in founded("grant", "explain", child, "--lang", "en").out
    assert founded("grant", "check", child, *USE).code == 0
    refused = founded("grant", "check", child, *USE, "--level", "3", "--json")
    assert refused.refusal == "rights.use.outside"
    under = founded.json("grant", "list", "--under", root["grant"]["id"])
    assert [one["id"] for one in under["items"]] == [child]
    narrowed = founded.json("grant", "narrow", child, "--terms", '{"level_max": 1}')
    (now,) = narrowed["succession"]["new"]
    assert founded("grant", "revoke", now, "--cause", "withdrawn").code == 0
    shown = founded("grant", "show", now)
    assert "已撤销" in shown.out
    state = founded.json("grant", "show", now)
    assert (state["standing"]["standing"], state["quotas"], state["obligations"]) == (
        "revoked",
        [],
        [],
    )
    again = founded("grant", "revoke", now, "--cause", "withdrawn", "--json")
    assert again.refusal == "rights.grant.revoked"
    other = founded.json("grant", "root", ground, founded.party, "--kind", "holding")
    assert founded("grant", "adopt", other["grant"]["id"], "--json").refusal == (
        "rights.grant.root_not_adopted"
    )


def test_terms_and_digests_that_are_none_are_refused_in_words(founded):
    party = founded.party
    bad = founded(*("grant", "ground", party, "x", "--kind", "duty", "--evidence", "zz", "--json"))
    assert bad.refusal == "kernel.value.bad"
    grant = "grt_01h455vb4pex5vsknk084sn02q"
    for terms in ("{", '{"hours": 3}', "[]"):
        bad = founded("grant", "narrow", grant, "--terms", terms, "--json")
        assert bad.refusal == "kernel.value.bad"
    assert founded("grant", "explain", grant, "--json").refusal == "rights.grant.not_found"


def test_the_guide_writes_a_grant_as_a_policy_and_grants_by_it(founded, tmp_path):
    """The commands of docs/howto/zh-CN/exchange-policies.md, word for word; quantities go along."""
    given = ("--kind", "enterprise", "--region", "450700", "--code")
    operator, holder = (
        founded.json("organization", "register", name, *given, demonstration_code(number))
        for name, number in (("〈运营机构〉（演示）", 61), ("〈北部湾银行〉（演示）", 62))
    )
    operator, holder = (one["organization"]["party"] for one in (operator, holder))
    founded.json("ledger", "register-currency", "calls", "次", "calls")
    ground = founded.json(
        *("grant", "ground", founded.party, "〈协议〉（演示）", "--kind", "contract"),
        *("--evidence", DIGEST, "--article", "公共数据资源授权运营实施规范（试行） 第十四条"),
    )["ground"]["id"]
    root = founded.json(
        *("grant", "root", ground, operator, "--kind", "operating", "--quota", "calls=1000")
    )["grant"]["id"]
    issued = ("grant", "issue", root, holder, "--kind", "using")
    terms = '{"actions": {"allowed": ["use.verify"]}}'
    grant = founded.json(*issued, "--terms", terms, "--quota", "calls=100")["grant"]["id"]
    for quota in ("calls", "calls=9" + "9" * 16):
        assert founded(*issued, "--quota", quota, "--json").refusal == "kernel.value.bad"
    words = {"GRANT": grant, "PARENT": root, "HOLDER": holder}
    made = []
    guide = GUIDE.read_text(encoding="utf-8")
    for line in re.findall(r"^lingqu (.*\.json.*)$", guide, re.MULTILINE):
        command, _, file = line.partition(" > ")
        there = [
            str(tmp_path / one) if one.endswith(".json") else words.get(one, one)
            for one in command.split()
        ]
        told = founded(*there, *(["--json"] if "PARENT" in command else []))
        assert told.code == 0, told.err
        if file:
            (tmp_path / file).write_text(told.out)
        elif "PARENT" in command:
            made.append(told.json["grant"]["id"])
    assert len(made) == 2
    for one in made:
        assert founded.json("grant", "show", one)["quotas"][0]["available"] == 100
    document = json.loads((tmp_path / "contract.json").read_text())
    assert document["contractId"] == grant
    contract = tmp_path / "contract.json"
    refused = founded("policy", "grant", contract, root, operator, "--kind", "using")
    assert demonstration_code(61) in refused.err
    assert founded("grant", "revoke", grant, "--cause", "withdrawn").code == 0
    assert founded("grant", "policy", grant, "--json").refusal == "rights.grant.revoked"
