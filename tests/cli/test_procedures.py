# SPDX-License-Identifier: Apache-2.0
"""Procedures from the command line: the desk, opening, moving with a file, the clocks."""

import pytest


@pytest.fixture
def paper(founded):
    """A paper that whoever works on this machine drafts."""
    made = founded.json(
        "procedure", "open", "approval",
        "--subject", "paper_7", "--title", "关于开放荔枝数据的请示", "--owner", founded.party,
        "--part", "drafter=me", "--part", f"reviewer={founded.party}",
    )  # fmt: skip
    return made["procedure"]["id"]


def test_a_paper_is_drafted_presented_and_seen(founded, paper, tmp_path):
    assert "关于开放荔枝数据的请示" in founded("procedure", "todo").out
    file = tmp_path / "附件.txt"
    file.write_text("荔枝")
    moved = founded.json("procedure", "move", paper, "present", "--attach", str(file))
    assert moved["procedure"]["state"] == "checking"
    again = founded.json(
        "procedure", "move", paper, "present", "--version", "1", "--attach", str(file),
        "--id", moved["command"],
    )  # fmt: skip
    assert again == moved
    shown = founded("procedure", "show", paper)
    assert "送审" in shown.out
    whole = founded.json("procedure", "show", paper)["procedure"]
    assert whole["attachments"][0]["name"] == "附件.txt"
    assert "being reviewed" in founded("procedure", "show", paper, "--lang", "en").out
    listed = founded.json("procedure", "list", "--chart", "approval", "--running")
    assert paper in {one["id"] for one in listed["items"]}
    refused = founded("procedure", "move", paper, "agree", "--opinion", "同意", "--json")
    assert refused.refusal == "trust.procedure.wrong_actor"


def test_charts_are_listed_and_clocks_looked_at(founded):
    codes = {one["code"] for one in founded.json("procedure", "charts")["items"]}
    assert {"approval", "complaint", "rectification"} <= codes
    assert "公共数据资源登记" in founded("procedure", "charts").out
    assert founded.json("procedure", "fire") == {"timers": 0}
    assert founded.json("procedure", "recount") == {"changed": 0}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--part", "drafter"), "cli.procedure.bad_part"),
        (("--term", "review=soon"), "cli.procedure.bad_term"),
        (("--part", "drafter=cmd_01"), "kernel.id.bad"),
        (("--part", "cook=me"), "trust.procedure.role_not_named"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(founded, words, code):
    refused = founded(
        "procedure", "open", "approval", "--subject", "x", "--title", "x",
        "--owner", founded.party, *words, "--json",
    )  # fmt: skip
    assert refused.refusal == code


def test_a_document_of_a_procedure_is_written_and_never_over_another(founded, tmp_path):
    handler = founded.json("party", "register", "〈浦北县供销社〉（演示）")["party"]["id"]
    opened = founded.json(
        "procedure", "open", "complaint",
        "--subject", "prd_1", "--title", "与说明不符", "--owner", handler,
        "--part", f"complainant={handler}", "--part", "handler=me",
    )  # fmt: skip
    made = opened["procedure"]["id"]
    founded.json("procedure", "move", made, "ask_supplement", "--reason", "缺少合同。")
    file = tmp_path / "告知书.docx"
    words = ("procedure", "document", made, "supplement_notice", "--output", str(file))
    written = founded.json(*words)
    assert file.read_bytes()[:2] == b"PK"
    assert written["paper"]["data"]["materials"] == ["缺少合同。"]
    assert founded(*words, "--json").code != 0
    none = founded("procedure", "document", made, "answer", "--json")
    assert none.refusal == "trust.procedure.document_not_found"
