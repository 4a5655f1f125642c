# SPDX-License-Identifier: Apache-2.0
"""A letter is written from the command line; what does not fit is refused in words."""

import hashlib
import json

from lingqu.runtime import documents

DATA = {
    "issuer": "〈灵渠市数据局〉（演示）",
    "number": "灵数受〔2026〕12号",
    "addressee": "〈灵渠市供水集团〉（演示）",
    "dated_on": "2026-03-02",
    "matter": "公共数据资源首次登记",
    "application": "SQ-2026-000127",
    "received_on": "2026-02-27",
    "accepted_on": "2026-03-02",
    "ground": "《公共数据资源登记管理暂行办法》第十条",
    "due_on": "2026-03-30",
}


def has_chinese_fonts():
    try:
        return bool(documents.find_fonts())
    except documents.FontMissing:
        return False


def data_file(cli, **changes):
    file = cli.folder / "data.json"
    file.write_text(json.dumps(DATA | changes, ensure_ascii=False), encoding="utf-8")
    return file


def test_the_templates_and_their_fields_are_listed(cli):
    names = [one["name"] for one in cli.json("document", "list")["items"]]
    assert {"acceptance", "certificate", "statement"} <= set(names)
    asked = cli.json("document", "fields", "acceptance")["fields"]
    assert set(DATA) == {one["name"] for one in asked if not one["optional"]}
    assert "rows[].balance" in cli("document", "fields", "statement").out


def test_a_letter_is_written_once_and_named_by_its_digest(cli):
    data = data_file(cli)
    for to in ("docx", "pdf") if has_chinese_fonts() else ("docx",):
        made = cli.json("document", "render", "acceptance", data, "--format", to)
        content = (cli.folder / f"acceptance.{to}").read_bytes()
        assert made["sha256"] == hashlib.sha256(content).hexdigest()
        again = cli("document", "render", "acceptance", "-", "--format", to, "--json",
                    "--output", f"again.{to}", stdin=data.read_text(encoding="utf-8"))  # fmt: skip
        assert again.json["sha256"] == made["sha256"]
    refused = cli("document", "render", "acceptance", data, "--json")
    assert (refused.code, refused.refusal) == (6, "cli.output.exists")


def test_bad_data_are_refused_in_words_and_nothing_is_written(cli):
    bad = cli.folder / "bad.json"
    for text in ("", "[1]", "{", "\ufeff", '{"a":' * 3000):
        bad.write_text(text, encoding="utf-8")
        refused = cli("document", "render", "acceptance", bad, "--json")
        assert (refused.code, refused.refusal) == (3, "cli.document.data_unreadable")
    for place in (cli.folder, cli.folder / "none.json"):
        assert cli("document", "render", "acceptance", place, "--json").code == 3
    unknown = cli("document", "render", "acceptance", data_file(cli, extra=1), "--json")
    assert unknown.refusal == "runtime.documents.field_unknown"
    missing = cli("document", "render", "nothing", data_file(cli), "--json")
    assert (missing.code, missing.refusal) == (4, "runtime.documents.template_missing")
    assert not [*cli.folder.glob("*.docx")]
