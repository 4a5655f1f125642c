# SPDX-License-Identifier: Apache-2.0
"""What an operator does with parties and access from the command line."""

ARTICLE = "数据安全法 第四十四条"


def test_a_thing_is_held_and_freed(founded):
    given = ("--reason", "supervision", "--article", ARTICLE)
    placed = founded.json("hold", "place", founded.party, *given)
    again = founded.json("hold", "place", founded.party, *given, "--id", placed["command"])
    assert again == placed
    shown = founded("hold", "list", "--subject", founded.party)
    assert "监管措施" in shown.out
    assert placed["hold"]["id"] in shown.out
    assert founded("hold", "lift", placed["hold"]["id"]).code == 0
    assert founded.json("hold", "list")["items"] == []
    (lifted,) = founded.json("hold", "list", "--all")["items"]
    assert lifted["lifted_at"]
    bad = founded("hold", "place", "nothing", *given, "--json")
    assert bad.refusal == "trust.hold.bad_subject"


def test_a_division_code_is_looked_up_as_of_a_day(cli):
    shown = cli("division", "show", "450122", "--on", "2010-06-01")
    assert "广西壮族自治区南宁市武鸣县" in shown.out
    assert "撤县设区" in shown.out
    ended = cli("division", "show", "450122", "--on", "2020-01-01", "--json")
    assert (ended.code, ended.refusal) == (3, "trust.division.ended")
    found = cli.json("division", "find", "钦南", "--on", "2026-01-01")
    assert [one["code"] for one in found["items"]] == ["450702"]
    assert cli("division", "show", "x", "--json").refusal == "trust.division.unknown"
    assert cli("division", "show", "45", "--on", "soon").code == 2
