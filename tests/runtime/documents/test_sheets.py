# SPDX-License-Identifier: Apache-2.0
"""Tables leave and come back unchanged; files from outside are bounded, text stays text."""

import io
import random
import zipfile
from datetime import date
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.runtime import documents
from lingqu.runtime.documents import CellKind, SheetColumn, SheetLimits

COLUMNS = (
    SheetColumn(name="title", zh="数据名称", optional=True),
    SheetColumn(name="rows", zh="记录数", kind=CellKind.INTEGER, optional=True),
    SheetColumn(name="price", zh="价格（元）", kind=CellKind.DECIMAL, scale=2, optional=True),
    SheetColumn(name="day", zh="更新日期", kind=CellKind.DAY, optional=True),
    SheetColumn(name="open", zh="是否开放", kind=CellKind.FLAG, optional=True),
)
NEEDED = (
    SheetColumn(name="title", zh="数据名称"),
    SheetColumn(name="rows", zh="记录数", kind=CellKind.INTEGER),
)
ROW = st.fixed_dictionaries({
    "title": st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    "rows": st.none() | st.integers(-(10**20), 10**20),
    "price": st.none() | st.decimals(-(10**18), 10**18, places=2),
    "day": st.none() | st.dates(date(1000, 1, 1)),
    "open": st.none() | st.booleans(),
})  # fmt: skip


def written(rows, columns=COLUMNS, title="公共数据目录"):
    target = io.BytesIO()
    assert documents.write_sheet(target, title=title, columns=columns, rows=rows) == len(rows)
    return target.getvalue()


def built(*lines, change=None):
    """A workbook as somebody else's program writes it."""
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(line)
    if change:
        change(book.active)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def repacked(content, **parts):
    """The package with other or further parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(target, "w", 8) as after:
        for name in {*before.namelist(), *parts}:
            after.writestr(name, parts.get(name) or before.read(name))
    return target.getvalue()


@given(st.lists(ROW, max_size=6))
def test_a_table_comes_back_as_it_left(rows):
    reading = documents.read_sheet(written(rows), columns=COLUMNS)
    filled = [row for row in rows if any(value is not None for value in row.values())]
    assert reading.problems == ()
    assert list(reading.rows) == filled


def test_the_same_rows_give_the_same_bytes():
    rows = [{"title": "用水量", "rows": 7, "price": Decimal("1.20"), "day": date(2026, 3, 2)}]
    assert written(rows) == written(rows)


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1+2", "-2+3", "@SUM(A1)", '=HYPERLINK("http://x")', "http://x"]
)
def test_text_that_looks_like_a_formula_or_a_link_stays_text(text):
    content = written([{"title": text}])
    cell = openpyxl.load_workbook(io.BytesIO(content)).active["A2"]
    assert (cell.value, cell.data_type) == (text, "s")
    assert cell.quotePrefix == (text[0] in "=+-@")
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        assert b"<f>" not in package.read("xl/worksheets/sheet1.xml")
        assert not [name for name in package.namelist() if "sheet1.xml.rels" in name]


def test_columns_are_found_by_name_in_any_order():
    content = built(
        ["记录数", None, "数据名称"], [5, None, "甲"], [None, None, None], ["6", None, 7]
    )
    reading = documents.read_sheet(content, columns=NEEDED)
    assert reading.rows == ({"rows": 5, "title": "甲"}, {"rows": 6, "title": "7"})


def test_missing_unknown_and_repeated_columns_are_refused_by_name():
    with pytest.raises(documents.ColumnMissing) as missing:
        documents.read_sheet(built(["数据名称"], ["甲"]), columns=NEEDED)
    assert missing.value.parameters == {"column": "记录数"}
    for heads in (["数据名称", "记录数", "备注"], ["数据名称", "记录数", "记录数"]):
        with pytest.raises(documents.ColumnUnknown) as unknown:
            documents.read_sheet(built(heads, ["甲", 1, 1]), columns=NEEDED)
        assert unknown.value.parameters["column"] == heads[2]
    with pytest.raises(documents.ColumnMissing):
        documents.read_sheet(built(), columns=NEEDED)


def test_what_is_wrong_is_said_by_row_and_column():
    content = built(
        ["数据名称", "记录数", "价格（元）", "更新日期", "是否开放"],
        ["甲", 1, 1.5, date(2026, 3, 2), "是"],
        ["乙", "many", 1.234, "2026-02-30", "maybe"],
        ["丙", "=1+1", "1,234.50", "2026年3月2日", True],
        [True, 1.5, None, 46_000, None],
    )
    reading = documents.read_sheet(content, columns=COLUMNS)
    assert [row["title"] for row in reading.rows] == ["甲"]
    found = [
        (type(one), one.parameters["row"], one.parameters["column"]) for one in reading.problems
    ]
    bad, formula = documents.BadCell, documents.CellFormula
    assert found == [
        (bad, 3, "记录数"), (bad, 3, "价格（元）"), (bad, 3, "更新日期"), (bad, 3, "是否开放"),
        (formula, 4, "记录数"),
        (bad, 5, "数据名称"), (bad, 5, "记录数"), (bad, 5, "更新日期"),
    ]  # fmt: skip
    (empty,) = documents.read_sheet(
        built(["数据名称", "记录数"], ["甲", None]), columns=NEEDED
    ).problems
    assert isinstance(empty, documents.CellMissing)
    assert empty.parameters == {"row": 2, "column": "记录数"}


def test_a_number_that_was_computed_reads_as_what_was_seen():
    content = built(["数据名称", "价格（元）"], ["甲", 0.1 + 0.2], ["乙", 1e15])
    reading = documents.read_sheet(content, columns=COLUMNS)
    assert [row["price"] for row in reading.rows] == [Decimal("0.3"), Decimal(10**15)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("x" * 32_768, CellKind.TEXT),
        ("\ud800", CellKind.TEXT),
        (7, CellKind.TEXT),
        (True, CellKind.INTEGER),
        (1.5, CellKind.DECIMAL),
        (Decimal("1.234"), CellKind.DECIMAL),
        (Decimal("NaN"), CellKind.DECIMAL),
        ("2026-03-02", CellKind.DAY),
        ("是", CellKind.FLAG),
    ],
)
def test_what_a_column_does_not_hold_is_not_written(value, kind):
    column = SheetColumn(name="a", zh="甲", kind=kind)
    with pytest.raises(documents.BadCell) as refused:
        written([{"a": value}], columns=(column,))
    assert refused.value.parameters == {"row": 2, "column": "甲", "expected": kind.value}
    with pytest.raises(documents.CellMissing):
        written([{}], columns=(column,))


def test_too_many_bytes_parts_or_rows_are_refused():
    content = written([{"title": "甲", "rows": 1}] * 30, columns=NEEDED)
    for limits, what in (
        (SheetLimits(file_bytes=100), "file"),
        (SheetLimits(unpacked_bytes=1_000), "unpacked"),
        (SheetLimits(parts=3), "parts"),
        (SheetLimits(rows=29), "rows"),
    ):
        with pytest.raises(documents.SheetTooLarge) as refused:
            documents.read_sheet(content, columns=NEEDED, limits=limits)
        assert refused.value.parameters["what"] == what
    assert (
        len(documents.read_sheet(content, columns=NEEDED, limits=SheetLimits(rows=30)).rows) == 30
    )


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = repacked(written([]), **{"xl/media/bomb.xml": b"\0" * (200 << 20)})
    assert len(bomb) < 1 << 20
    with pytest.raises(documents.SheetTooLarge):
        documents.read_sheet(bomb, columns=COLUMNS)


def test_rows_and_cells_far_away_cost_nothing():
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b'<dimension ref="A1:XFD1048576"/><sheetData><row r="1048576"><c r="XFD1048576" t="str">'
        b"<v>x</v></c></row></sheetData></worksheet>"
    )
    content = repacked(written([]), **{"xl/worksheets/sheet1.xml": sheet})
    with pytest.raises(documents.ColumnMissing):
        documents.read_sheet(content, columns=NEEDED)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_document_type_is_refused_wherever_it_stands(encoding):
    laughs = "<!-- " + "x" * (1 << 20) + ' --><!DOCTYPE a [<!ENTITY b "ha">]><a>&b;</a>'
    content = repacked(written([]), **{"xl/sharedStrings.xml": laughs.encode(encoding)})
    with pytest.raises(documents.NotASheet) as refused:
        documents.read_sheet(content, columns=COLUMNS)
    assert refused.value.parameters == {"detail": "DOCTYPE"}


@pytest.mark.parametrize("content", [b"", b"PK", b"a,b\n1,2\n", b"\xd0\xcf\x11\xe0" * 100])
def test_what_is_no_workbook_is_refused(content):
    with pytest.raises(documents.NotASheet):
        documents.read_sheet(content, columns=COLUMNS)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_workbook_is_read_or_refused_and_never_a_traceback(seed):
    chance = random.Random(seed)
    content = written([{"title": "甲", "rows": 1, "day": date(2026, 3, 2)}] * 5)
    if seed % 2:
        damaged = bytearray(content)
        for _ in range(8):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        content = bytes(damaged)
    else:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            name = chance.choice([n for n in package.namelist() if n.endswith((".xml", ".rels"))])
            part = bytearray(package.read(name))
        at = chance.randrange(len(part))
        part[at : at + chance.randrange(1, 30)] = bytes(chance.randbytes(5))
        content = repacked(content, **{name: bytes(part)})
    try:
        documents.read_sheet(content, columns=COLUMNS)
    except (documents.NotASheet, documents.ColumnMissing, documents.ColumnUnknown):
        return


def test_any_title_names_a_sheet():
    for title in ("[a]:*?/\\", "'", "长" * 60, ""):
        assert documents.read_sheet(written([], title=title), columns=COLUMNS).rows == ()
