# SPDX-License-Identifier: Apache-2.0
"""What a provider does from the command line: register a source, deliver, see what was refused."""

import json

import pytest

DESCRIPTION = {
    "title": "乡镇区划代码（民政）",
    "summary": "广西乡镇级行政区划代码和名称",
    "frequency": "007",
    "mode": "physical",
    "sharing": "unconditional",
    "opening": "unconditional",
    "fields": [
        {"name": "code", "label": "代码", "kind": "text", "is_key": True},
        {"name": "name", "label": "名称", "kind": "text"},
    ],
}


@pytest.fixture(scope="module")
def resource(founded, tmp_path_factory):
    return described(founded, tmp_path_factory.mktemp("resource"), "乡镇代码")


def described(founded, folder, item, **said):
    written = folder / "resource.json"
    written.write_text(json.dumps(DESCRIPTION | said))
    words = ("--body", founded.party, "--basis", "三定规定", "--territory", "45")
    duty = founded.json("supply", "duty", "register", item, *words)["duty"]["id"]
    made = founded.json("supply", "resource", "describe", written, "--duty", duty)
    return made["resource"]["id"]


def test_a_file_is_loaded_once_and_its_faulty_rows_are_listed(founded, resource, tmp_path):
    written = tmp_path / "交付.csv"
    written.write_bytes("代码,名称\n1,甲\n,乙\n2,丙\n".encode("gb18030"))
    source = founded.json("supply", "source", "register", resource, "--title", "年报")["source"]
    said = ("supply", "load", "file", resource, written, "--source", source["id"])
    answer = founded.json(*said)
    made = answer["load"]
    assert (made["rows"], made["rejected"], made["encoding"]) == (2, 1, "gb18030")
    assert founded.json(*said, "--id", answer["command"])["load"] == made
    shown = founded("supply", "load", "show", made["id"])
    assert "主键为空" in shown.out
    (aside,) = founded.json("supply", "load", "show", made["id"])["rejections"]
    assert aside == {"row": 3, "field": "code", "reason": "key_empty", "cells": ["", "乙"]}
    listed = founded.json("supply", "load", "list", "--resource", resource)["items"]
    assert [one["id"] for one in listed] == [made["id"]]
    more = tmp_path / "more.csv"
    more.write_text("code,name\n3,丁\n2,丙\n")
    added = founded.json("supply", "load", "file", resource, more, "--mode", "append")["load"]
    assert (added["rows"], added["rejected"], added["edition"]) == (1, 1, 2)
    broken = tmp_path / "broken.csv"
    broken.write_text("code,name\n1,甲\n2\n")
    refused = founded("supply", "load", "file", resource, broken, "--json")
    assert (refused.code, refused.refusal) == (3, "supply.table.ragged_row")


def test_the_audit_names_a_table_file_that_changed(founded, resource, tmp_path):
    written = tmp_path / "a.csv"
    written.write_text("code,name\n1,甲\n")
    founded.json("supply", "load", "file", resource, written)
    assert founded.json("audit")["findings"] == []
    file = next((founded.data / "tables" / resource).glob("*/*.parquet"))
    content = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(content + b"!")
    answer = founded("audit", "--json")
    (found,) = answer.json["findings"]
    assert (answer.code, found["what"]) == (1, "file_changed")
    assert found["place"] == file.relative_to(founded.data).as_posix()
    assert "数据文件" in founded("audit").out
    file.write_bytes(content)
    assert founded.json("audit")["findings"] == []


def test_a_source_that_nobody_can_sign_in_to_is_told_where_its_file_goes(founded, tmp_path):
    resource = described(founded, tmp_path, "逻辑接入", mode="logical")
    words = ("supply", "source", "register", resource, "--title", "库", "--postgres", "mca.towns")
    said = founded(*words)
    assert str(founded.folder / "data.sources" / "src_") in said.out
    (source,) = founded.json("supply", "source", "list", "--resource", resource)["items"]
    assert (source["kind"], source["mode"]) == ("postgres", "logical")
    assert "逻辑接入" in founded("supply", "source", "list", "--body", founded.party).out
    refused = founded("supply", "load", "source", source["id"], "--json")
    assert refused.refusal == "runtime.settings.secret_unreadable"
    written = tmp_path / "a.csv"
    written.write_text("code,name\n1,甲\n")
    refused = founded("supply", "load", "file", resource, written, "--json")
    assert refused.refusal == "supply.load.read_at_source"
    assert founded.json("supply", "source", "end", source["id"])["source"]["ended_at"]


TOWNS = {
    "fields": [
        {"name": name, "label": name, "kind": "text", "is_key": name == "code"}
        for name in ("code", "name", "county")
    ]
}


@pytest.fixture(scope="module")
def books(founded, tmp_path_factory):
    """Two code books of few towns, one of which swaps two names."""
    found = []
    for item, rows in (("甲册", "1,甲,a\n2,乙,a\n3,丙,a\n"), ("乙册", "1,乙,a\n2,甲,a\n4,丁,a\n")):
        folder = tmp_path_factory.mktemp("book")
        resource = described(founded, folder, item, title=item, **TOWNS)
        founded.json("supply", "resource", "grade", resource, 1, "--reason", "公开")
        written = folder / "book.csv"
        written.write_text("code,name,county\n" + rows)
        founded.json("supply", "load", "file", resource, written)
        found.append(resource)
    return found


@pytest.mark.slow
def test_a_finding_is_looked_at_first_and_then_recorded(founded, books, tmp_path):
    words = ("supply", "finding", "compare", *books, "--name", "name", "--parent", "county")
    seen = founded(*words, "--xlsx", tmp_path / "conflicts.xlsx")
    assert seen.code == 0, seen.err
    assert "同码异名" in seen.out
    assert (tmp_path / "conflicts.xlsx").read_bytes().startswith(b"PK")
    assert founded.json("supply", "finding", "list")["items"] == []
    bureau = founded.json("party", "register", "〈检查单位〉（演示）")["party"]["id"]
    named = ("--inspector", bureau, "--responsible", founded.party)
    assert founded(*words, *named).code == 2
    made = founded.json(*words, *named, "--title", "同码异名")
    assert (made["safe_key"], made["observation"]["faults"]) == ("derived", 2)
    finding = made["finding"]
    shown = founded("supply", "finding", "show", finding["id"])
    assert "已发现" in shown.out
    assert founded.json("supply", "finding", "show", finding["id"])["state"] == "found"
    checked = founded.json("supply", "finding", "check", books[0], "name", "--rule", "filled")
    assert checked["observation"]["faults"] == 0
    (listed,) = founded.json("supply", "finding", "list", "--body", bureau)["items"]
    assert listed["id"] == finding["id"]


@pytest.mark.slow
def test_what_is_on_the_yearly_list_is_opened_and_listed_elsewhere(founded, books, tmp_path):
    asked = ("--year", 2026, "--territory", "45")
    words = ("--criterion", "value", "--due", "2026-12-31")
    entry = founded.json("supply", "open", "propose", books[0], *asked, *words)["entry"]["id"]
    assert "已确认" in founded("supply", "open", "confirm", entry).out
    assert len(founded.json("supply", "open", "publish-list", *asked)["items"]) == 1
    assert "已公布" in founded("supply", "open", "lines", *asked).out
    said = (
        "supply", "open", "file", entry, books[0], "--crosswalk", books[1], "--name", "name",
        "--parent", "county", "--title", "对照表", "--summary", "两册编码", "--terms", "注明来源",
    )  # fmt: skip
    answer = founded.json(*said)
    assert founded.json(*said, "--id", answer["command"])["file"] == answer["file"]
    file = answer["file"]["id"]
    assert "对照表" in founded("supply", "open", "list").out
    target = tmp_path / "open.csv"
    founded.json("supply", "open", "download", file, "--output", target)
    assert "a,丙,3,,left_only,not_listed" in target.read_text(encoding="utf-8-sig")
    assert founded("supply", "open", "download", file, "--output", target).code == 6
    words = ("自治区公共数据开放平台", "--operator", "〈数据局〉（演示）")
    catalog = founded.json("supply", "catalog", "register", *words)["catalog"]["id"]
    assert "自治区" in founded("supply", "catalog", "list").out
    written = tmp_path / "catalog.jsonld"
    founded.json("supply", "catalog", "write", catalog, written)
    (dataset,) = json.loads(written.read_text())["dcat:dataset"]
    assert dataset["dct:identifier"] == file
    report = tmp_path / "report.json"
    report.write_text(json.dumps([{"file": file, "accepted": False, "reason": "缺少说明"}]))
    done = founded.json("supply", "catalog", "reconcile", catalog, report)["reconciled"]
    assert (done["rejected"], done["missing"]) == (1, 0)
    assert "缺少说明" in founded("supply", "catalog", "show", catalog).out
    assert "已撤回" in founded("supply", "open", "withdraw", file).out
