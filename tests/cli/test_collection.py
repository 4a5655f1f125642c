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
