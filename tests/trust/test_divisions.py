# SPDX-License-Identifier: Apache-2.0
"""A division code means something on a day; the packaged books are what their sources say."""

import contextlib
import hashlib
import json
from collections import Counter
from datetime import date
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.trust import divisions
from lingqu.trust.divisions import Book, ChangeKind, DivisionEnded, DivisionLevel, DivisionUnknown

CODES, CHANGES = "a6dd73b58930644c", "5a05bbeef7efa7fe"
TODAY = date(2026, 11, 1)
FOLDER = resources.files("lingqu.trust.divisions")
EVERY_CODE = sorted(divisions.books._book(Book.CIVIL_AFFAIRS))


def rows(name):
    return [one.split("\t") for one in FOLDER.joinpath(name).read_text("utf-8").splitlines()[1:]]


@pytest.mark.parametrize(
    ("code", "day", "name", "certain"),
    [
        ("450122", date(2010, 6, 1), "武鸣县", True),
        ("450122", date(2015, 6, 1), "武鸣县", False),
        ("450110", date(2015, 6, 1), "武鸣区", False),
        ("450110", date(2016, 1, 1), "武鸣区", True),
        ("452125", date(1982, 1, 1), "武鸣县", False),
        ("45", TODAY, "广西壮族自治区", True),
        ("450700000000", TODAY, "钦州市", True),
        ("450110100", TODAY, "城厢镇", True),
    ],
)
def test_a_code_names_a_unit_on_a_day(code, day, name, certain):
    found = divisions.get(code, on=day)
    assert (found.name, found.certain) == (name, certain)


def test_a_code_that_ended_is_refused_with_what_came_after_it():
    with pytest.raises(DivisionEnded) as refusal:
        divisions.get("450122", on=TODAY)
    assert refusal.value.parameters["after"] == "450110 武鸣区"
    (change,) = divisions.successors("450122")
    assert (change.kind, change.year) == (ChangeKind.COUNTY_TO_DISTRICT, 2015)
    with pytest.raises(DivisionEnded):
        divisions.get("450110", on=date(2000, 1, 1))


def test_the_whole_story_of_wuming_is_told():
    told = [(one.year, one.old_code, one.new_code) for one in divisions.changes("450122")]
    assert told == [(1983, "452125", "450122"), (2015, "450122", "450110")]
    assert divisions.successors("450122", after=2016) == ()


@pytest.mark.parametrize("code", ["", "4", "450", "999999", "450110100001", "45011x", "４５", "00"])
def test_what_is_no_code_is_unknown(code):
    with pytest.raises(DivisionUnknown):
        divisions.get(code, on=TODAY)


def test_a_code_that_only_identity_cards_still_bear_is_not_in_force_now():
    old = [code for book, code, _ in rows("codes.tsv") if book == "old"]
    assert len(old) == 642
    for code in old:
        with pytest.raises(DivisionEnded):
            divisions.get(code, on=TODAY)
        assert not divisions.get(code, on=date(1995, 1, 1)).certain


def test_the_tree_of_guangxi_is_whole():
    levels = Counter()
    towns = 0
    for city in divisions.children("450000", on=TODAY):
        levels[city.level] += 1
        for county in divisions.children(city.code, on=TODAY):
            levels[county.level] += 1
            below = divisions.children(county.code, on=TODAY)
            towns += len(below)
            assert {one.level for one in below} <= {DivisionLevel.TOWN}
    assert levels == {DivisionLevel.CITY: 14, DivisionLevel.COUNTY: 111}
    assert towns == 1257


def test_the_ancestors_of_a_unit_are_named_from_the_top():
    names = [one.name for one in divisions.ancestors("450110100", on=TODAY)]
    assert names == ["广西壮族自治区", "南宁市", "武鸣区"]
    assert divisions.ancestors("450000", on=TODAY) == ()
    assert [one.name for one in divisions.ancestors("110101", on=TODAY)] == ["北京市"]


def test_units_are_found_by_name_inside_another_and_by_level():
    (found,) = divisions.find("钦南", on=TODAY)
    assert (found.code, found.level) == ("450702", DivisionLevel.COUNTY)
    towns = divisions.find("镇", on=TODAY, within="450702", level=DivisionLevel.TOWN)
    assert towns
    assert all(one.code.startswith("450702") for one in towns)
    assert divisions.find("镇", on=TODAY, within="440000") == ()
    assert len(divisions.find("", on=TODAY)) == 200


def test_two_books_disagree_on_towns_and_agree_on_the_counties_of_guangxi():
    books = {"mca": {}, "nbs": {}}
    for book, code, name in rows("codes.tsv"):
        if book in books and code.startswith("45"):
            books[book][code] = name
    assert {code: name for code, name in books["mca"].items() if len(code) == 6} == {
        code: name for code, name in books["nbs"].items() if len(code) == 6
    }
    shared = [code for code in books["mca"] if len(code) == 9 and code in books["nbs"]]
    other = [code for code in shared if books["mca"][code] != books["nbs"][code]]
    assert (len(shared), len(other)) == (1179, 127)
    one = other[0]
    assert divisions.get(one, on=TODAY).name == books["mca"][one]
    assert divisions.get(one, on=TODAY, book=Book.STATISTICS).name == books["nbs"][one]


def test_every_row_of_the_files_is_counted_in_their_sources():
    sources = json.loads(FOLDER.joinpath("SOURCES.json").read_text("utf-8"))
    counted = Counter(book for book, _, _ in rows("codes.tsv"))
    assert counted == {book: one["rows"] for book, one in sources["codes.tsv"].items()}
    assert len(rows("changes.tsv")) == sources["changes.tsv"]["mca"]["rows"] == 5276
    for one in (*sources["codes.tsv"].values(), *sources["changes.tsv"].values()):
        assert len(one["sha256"]) == 64
        assert one["licence"] == "MIT"


def test_the_files_are_those_the_tool_wrote():
    digests = {
        name: hashlib.sha256(FOLDER.joinpath(name).read_bytes()).hexdigest()[:16]
        for name in ("codes.tsv", "changes.tsv")
    }
    assert digests == {"codes.tsv": CODES, "changes.tsv": CHANGES}


@given(st.sampled_from(EVERY_CODE), st.dates(date(1975, 1, 1), date(2030, 1, 1)))
def test_a_code_is_in_force_inside_the_years_it_states(code, day):
    try:
        found = divisions.get(code, on=day)
    except DivisionEnded:
        return
    assert found.code == code
    assert (found.since or 0) <= day.year <= (found.until or 9999)
    if found.certain:
        assert found.since is None or found.since < day.year
        assert found.until is None or day.year < found.until
    for above in divisions.ancestors(code, on=day):
        assert code.startswith(above.code.rstrip("0"))


@given(st.text(max_size=14))
def test_no_text_is_more_than_refused(text):
    with contextlib.suppress(DivisionUnknown, DivisionEnded):
        divisions.get(text, on=TODAY)
