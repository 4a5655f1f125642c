# SPDX-License-Identifier: Apache-2.0
"""What an operator does with grants from the command line."""

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
