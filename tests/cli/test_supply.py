# SPDX-License-Identifier: Apache-2.0
"""What a person at a bureau does with two code books, from the command line."""

from importlib import resources

SLICES = resources.files("lingqu.cli") / "slices" / "45"
COLUMNS = ("--key", "code", "--name", "name", "--parent", "parent=county")


def test_two_code_books_are_compared_without_an_installation(cli):
    found = cli.json(
        "supply", "compare", SLICES / "nbs_towns.csv", SLICES / "mca_towns.csv", *COLUMNS
    )
    assert (found["shared_keys"], len(found["conflicts"]), found["swapped"]) == (1179, 127, 123)
    assert (found["derived_matches"], found["safe_key"]) == (1249, "derived")


def test_the_answer_says_in_words_which_key_is_safe(cli):
    said = cli("supply", "compare", SLICES / "nbs_towns.csv", SLICES / "mca_towns.csv", *COLUMNS)
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
