# SPDX-License-Identifier: Apache-2.0
"""What an operator does with parties and access from the command line."""

import hashlib

from lingqu.trust import identity

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


def test_an_organization_is_registered_described_and_shown(founded):
    code = identity.organizations.demonstration_code(7, prefix="91")
    given = ("--kind", "enterprise", "--region", "450702", "--code", code)
    made = founded.json("organization", "register", "〈甲数据公司〉（演示）", *given)
    party = made["organization"]["party"]
    shown = founded("organization", "show", party)
    assert "企业" in shown.out
    assert f"{code}（演示）" in shown.out
    bad = founded("organization", "register", "x", *given[:-1], code[:-1] + "!", "--json")
    assert bad.refusal == "trust.organization.bad_code"
    described = ("--kind", "government", "--region", "450700", "--level", "city")
    again = founded.json("organization", "describe", founded.party, *described)
    assert again["organization"]["level"] == "city"


def test_an_agents_mandate_is_given_listed_and_ended(founded, tmp_path):
    (tmp_path / "mandate.pdf").write_bytes(b"signed")
    account = founded.json("account", "open", founded.party, "--kind", "machine")["account"]
    given = founded.json(
        "mandate", "give", account, founded.party, "--role", "merchant", "--role", "member",
        "--from", "2026-01-01T00:00:00Z", "--until", "2099-01-01T00:00:00Z",
        "--document", str(tmp_path / "mandate.pdf"),
    )["mandate"]  # fmt: skip
    assert given["document"] == hashlib.sha256(b"signed").hexdigest()
    assert "数据商" in founded("mandate", "list", founded.party).out
    assert founded("mandate", "end", given["id"]).code == 0
    assert founded("mandate", "end", given["id"], "--json").refusal == "trust.mandate.ended"


def test_what_is_no_certificate_is_refused_and_a_lock_is_lifted(founded, tmp_path):
    account = founded.json("account", "open", founded.party, "--kind", "machine")["account"]
    (tmp_path / "file").write_text("no certificate")
    bad = founded(
        "certificate", "register", account, str(tmp_path / "file"), "--label", "x", "--json"
    )
    assert bad.refusal == "runtime.certificate.unreadable"
    assert founded("account", "unlock", account).code == 0
    off = founded("account", "reset-second-factor", account, "--json")
    assert off.refusal == "trust.second_factor.not_found"


def test_a_login_is_linked_and_unlinked(founded):
    account = founded.json("account", "open", founded.party, "--kind", "machine")["account"]
    given = ("--issuer", "https://login.example", "--subject", "248289761001")
    made = founded.json("link", "make", account, *given)
    again = founded("link", "make", account, *given, "--json")
    assert again.refusal == "trust.login_link.taken"
    assert founded("link", "end", made["link"]).code == 0
    assert "248289761001" not in founded("fact", "list", "--json").out
