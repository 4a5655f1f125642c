# SPDX-License-Identifier: Apache-2.0
"""What a person at a bureau does with two code books, from the command line."""

import json
from importlib import resources

SLICES = resources.files("lingqu.cli") / "slices" / "45"
COLUMNS = ("--key", "code", "--name", "name", "--parent", "parent=county")


def test_two_code_books_are_compared_without_an_installation(cli):
    found = cli.json(
        "supply", "compare", SLICES / "nbs_towns.csv", SLICES / "mca_towns.csv", *COLUMNS
    )
    assert (found["safe_key"], found["swapped"]) == ("derived", 123)
    both = found["comparison"]
    assert (both["shared_keys"], len(both["conflicts"]), both["derived_matches"]) == (
        1179,
        127,
        1249,
    )


def test_the_answer_says_in_words_which_key_is_safe(cli, tmp_path):
    books = (SLICES / "nbs_towns.csv", SLICES / "mca_towns.csv")
    said = cli("supply", "compare", *books, *COLUMNS, "--xlsx", tmp_path / "conflicts.xlsx")
    assert (tmp_path / "conflicts.xlsx").read_bytes().startswith(b"PK")
    assert said.code == 0
    assert "不要按编码关联" in said.out
    assert "另有 107 个" in said.out


def test_a_broken_table_is_refused_with_its_line(cli, tmp_path):
    broken = tmp_path / "broken.csv"
    broken.write_text("code,name,parent\n1,甲,p\n2,乙\n", encoding="gb18030")
    answer = cli("supply", "compare", broken, SLICES / "mca_towns.csv", *COLUMNS, "--json")
    assert (answer.code, answer.refusal) == (3, "supply.table.ragged_row")
    missing = cli("supply", "compare", SLICES / "mca_towns.csv", broken, *COLUMNS, "--json")
    assert missing.refusal == "supply.table.ragged_row"
    column = cli(
        "supply", "compare", SLICES / "mca_towns.csv", SLICES / "schools.csv", *COLUMNS, "--json"
    )
    assert column.refusal == "supply.table.unknown_column"


DESCRIPTION = {
    "title": "乡镇区划代码（民政）",
    "summary": "广西乡镇级行政区划代码和名称",
    "frequency": "007",
    "mode": "physical",
    "sharing": "unconditional",
    "opening": "conditional",
    "reason": "按年度开放重点清单开放",
    "fields": [
        {"name": "code", "label": "代码", "kind": "text"},
        {"name": "name", "label": "名称", "kind": "text", "meaning": "民政部门公布的名称"},
    ],
}


def test_a_duty_a_resource_and_its_level_from_the_command_line(founded, tmp_path):
    body = founded.json("party", "register", "〈民政厅〉（演示）")["party"]["id"]
    duty = founded.json(
        "supply",
        "duty",
        "register",
        "乡镇区划代码",
        "--body",
        body,
        "--basis",
        "三定规定",
        "--territory",
        "45",
    )["duty"]["id"]
    written = tmp_path / "resource.json"
    written.write_text(json.dumps(DESCRIPTION))
    made = founded.json("supply", "resource", "describe", written, "--duty", duty)["resource"]
    assert (made["title"], made["level"]) == (DESCRIPTION["title"], None)
    assert "未确认" in founded("supply", "resource", "show", made["id"]).out
    graded = founded.json("supply", "resource", "grade", made["id"], 1, "--reason", "公开信息")
    assert graded["resource"]["level"] == 1
    listed = founded.json("supply", "resource", "list", "--duty", duty)["items"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert [one["id"] for one in founded.json("supply", "duty", "list")["items"]] == [duty]
    assert founded.json("supply", "resource", "withdraw", made["id"])["resource"]["withdrawn_at"]
    assert founded.json("supply", "duty", "end", duty)["duty"]["ended_at"]


def test_a_description_that_is_none_is_refused(founded, tmp_path):
    written = tmp_path / "resource.json"
    for content, code in (
        ("{", "cli.file.not_json"),
        ("[" * 100_000, "cli.file.not_json"),
        ('{"title": 1}', "kernel.value.bad"),
    ):
        written.write_text(content)
        duty = "dty_" + "0" * 26
        answer = founded("supply", "resource", "describe", written, "--duty", duty, "--json")
        assert (answer.code, answer.refusal) == (3, code)
