# SPDX-License-Identifier: Apache-2.0
"""Two code books beside each other: what agrees, what does not, and what is safe to join on."""

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu import supply
from lingqu.supply import SafeKey

SLICES = resources.files("lingqu.cli") / "slices" / "45"


def book(rows, *, name="a.csv", parent="parent"):
    table = supply.DeliveredTable(
        name=name,
        encoding="utf-8",
        separator=",",
        columns=("code", "name", parent),
        rows=tuple(rows),
    )
    return supply.KeyBook(table=table, key="code", name="name", parent=parent)


def official(prefix=""):
    books = []
    for name, parent in (("nbs_towns", "parent"), ("mca_towns", "county")):
        table = supply.parse_table(name, (SLICES / f"{name}.csv").read_bytes())
        rows = [row[:3] for row in table.rows if row[0].startswith(prefix)]
        assert table.columns[:3] == ("code", "name", parent)
        books.append(book(rows, name=name, parent=parent))
    return supply.compare_tables(*books)


def test_the_two_official_books_of_guangxi_disagree_as_the_story_says():
    found = official()
    assert (found.left_rows, found.right_rows) == (1284, 1257)
    assert (found.shared_keys, len(found.conflicts), found.swapped) == (1179, 127, 123)
    assert (found.left_parents, found.right_parents, found.shared_parents) == (111, 111, 111)
    assert found.derived_matches == 1249
    assert (len(found.left_only), len(found.right_only)) == (35, 8)
    assert found.safe_key is SafeKey.DERIVED


def test_in_qinzhou_twenty_eight_of_sixty_two_shared_codes_name_different_places():
    found = official("4507")
    assert (found.left_rows, found.right_rows) == (71, 66)
    assert (found.shared_keys, len(found.conflicts)) == (62, 28)
    assert found.derived_matches == 66
    assert (len(found.left_only), len(found.right_only)) == (5, 0)
    lingshan = official("450721")
    assert (lingshan.shared_keys, len(lingshan.conflicts)) == (18, 18)


def test_county_codes_agree():
    tables = {}
    for name, width in (("nbs_counties", 3), ("mca_divisions", 4)):
        table = supply.parse_table(name, (SLICES / f"{name}.csv").read_bytes())
        tables[name] = [row[:3] for row in table.rows if width == 3 or row[3] == "县"]
    found = supply.compare_tables(
        book(((code, name, parent + "00") for code, name, parent in tables["nbs_counties"])),
        book(tables["mca_divisions"]),
    )
    assert (found.left_rows, found.right_rows, found.shared_keys) == (111, 111, 111)
    assert not found.conflicts
    assert found.safe_key is SafeKey.KEY


def test_a_name_written_in_two_ways_is_one_name():
    assert supply.normalized_name(" 建政街道办事处 ") == "建政街道"
    assert supply.normalized_name("ＡＢ 镇") == "AB镇"
    found = supply.compare_tables(
        book([("1", "建政街道办事处", "p")]), book([("1", "建政街道", "p")])
    )
    assert found.safe_key is SafeKey.KEY


def test_a_key_that_stands_twice_is_never_called_safe():
    found = supply.compare_tables(
        book([("1", "甲", "p"), ("1", "甲", "q")]), book([("1", "甲", "p")])
    )
    assert found.left_duplicate_keys == ("1",)
    assert found.safe_key is SafeKey.DERIVED


def test_a_derived_key_that_is_not_unique_is_never_called_safe():
    found = supply.compare_tables(
        book([("1", "甲", "p"), ("2", "甲", "p")]), book([("1", "乙", "p"), ("2", "甲", "p")])
    )
    assert found.left_derived_duplicates == 1
    assert found.safe_key is SafeKey.NONE


def test_rows_without_a_key_are_counted_and_left_out():
    found = supply.compare_tables(
        book([("", "甲", "p"), ("2", "乙", "p")]), book([("2", "乙", "p")])
    )
    assert (found.left_empty_keys, found.shared_keys) == (1, 1)


def test_columns_are_looked_for_by_name():
    left = book([("1", "甲", "p")])
    wrong = supply.KeyBook(table=left.table, key="id", name="name", parent="parent")
    with pytest.raises(supply.UnknownColumn):
        supply.compare_tables(left, wrong)


SMALL = st.sampled_from(["甲", "乙", "丙", ""])
ROWS = st.lists(st.tuples(st.sampled_from(["", "1", "2", "3"]), SMALL, st.sampled_from("pq")))


@given(left=ROWS, right=ROWS)
def test_the_counts_are_those_of_a_plain_look(left, right):
    found = supply.compare_tables(book(left), book(right))
    first = [{}, {}]
    for side, rows in enumerate((left, right)):
        for key, name, _ in rows:
            if key:
                first[side].setdefault(key, name)
    both = first[0].keys() & first[1].keys()
    assert found.shared_keys == len(both)
    assert {one.key for one in found.conflicts} == {
        key for key in both if first[0][key] != first[1][key]
    }
    pairs = [{(p, n) for k, n, p in rows if k and n} for rows in (left, right)]
    assert found.derived_matches == len(pairs[0] & pairs[1])
    mirrored = supply.compare_tables(book(right), book(left))
    assert mirrored.safe_key is found.safe_key
    assert mirrored.left_only == found.right_only
