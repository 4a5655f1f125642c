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
