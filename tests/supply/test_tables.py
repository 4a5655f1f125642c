# SPDX-License-Identifier: Apache-2.0
"""A delivered file is read as it was written, or refused as a whole with line and reason."""

import codecs
import contextlib
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu import supply

LINES = "编码,名称\n450101,市辖区\n450102,兴宁区\n"
ENCODINGS = {
    "utf-8": LINES.encode(),
    "utf-8-sig": codecs.BOM_UTF8 + LINES.encode(),
    "utf-16": LINES.encode("utf-16"),
    "gb18030": LINES.encode("gb18030"),
    "utf-32": LINES.encode("utf-32"),
}


def parsed(content, **limits):
    return supply.parse_table("表.csv", content, limits=supply.TableLimits(**limits))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_encodings_of_offices_are_told_apart_by_their_bytes(encoding):
    table = parsed(ENCODINGS[encoding])
    assert table.encoding == encoding
    assert table.columns == ("编码", "名称")
    assert table.rows == (("450101", "市辖区"), ("450102", "兴宁区"))


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_separators_and_line_ends_are_found(separator, ending):
    text = LINES.replace(",", separator).replace("\n", ending)
    table = parsed(text.encode())
    assert table.separator == separator
    assert table.rows[1] == ("450102", "兴宁区")


def test_blank_lines_and_spaces_around_cells_are_nothing():
    table = parsed("\n a , b \n\n 1 ,二 \n , \n".encode())
    assert table.columns == ("a", "b")
    assert table.rows == (("1", "二"),)


@pytest.mark.parametrize(
    ("code", "line", "content"),
    [
        ("empty", None, b""),
        ("empty", None, b"a,b\n"),
        ("empty", None, b"\n\n\n"),
        ("encoding", None, b"a,b\n\xff\xfe\xff,1\n"),
        ("not_text", 0, b"PK\x03\x04 a workbook"),
        ("not_text", 2, b"a,b\n1,\x00\n"),
        ("not_text", 3, b"a,b\n1,2\n\x1b[2J,2\n"),
        ("unnamed_column", 1, b"a,,c\n1,2,3\n"),
        ("duplicate_column", 1, b"a,b,a\n1,2,3\n"),
        ("ragged_row", 3, b"a,b\n1,2\n1\n"),
        ("ragged_row", 2, b"a,b\n1,2,3\n"),
        ("broken_quotes", 3, b'a,b\n1,2\n"1,2\n'),
        ("broken_quotes", 2, b'a,b\n"1"x,2\n'),
        ("broken_quotes", 2, b'a,b\n"1,2\n3,4\n5,6\n'),
        ("cell_too_long", 2, b"a,b\n" + b"x" * 200_000 + b",2\n"),
        ("cell_too_long", 2, b"a,b\n" + b"x" * 40_000 + b",2\n"),
    ],
)
def test_what_is_broken_is_refused_with_its_line(code, line, content):
    with pytest.raises(supply.BadTable) as caught:
        parsed(content)
    assert caught.value.code == f"supply.table.{code}"
    assert caught.value.parameters.get("line") == line
    assert caught.value.parameters["table"] == "表.csv"


@pytest.mark.parametrize(
    ("code", "limits"),
    [
        ("too_large", {"bytes": 20}),
        ("too_many_rows", {"rows": 1}),
        ("too_many_columns", {"columns": 1}),
        ("cell_too_long", {"cell": 2}),
    ],
)
def test_absurd_sizes_are_refused(code, limits):
    with pytest.raises(supply.BadTable) as caught:
        parsed(LINES.encode(), **limits)
    assert caught.value.code == f"supply.table.{code}"


def test_a_file_that_is_not_there_or_not_a_file_is_refused(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(supply.BadTable) as caught:
            supply.read_table(path)
        assert caught.value.code == "supply.table.unreadable"


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(supply.UnknownColumn):
        parsed(LINES.encode()).place_of("邮编")


CELLS = st.text(
    st.characters(min_codepoint=33, exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=12
)


@given(
    columns=st.lists(
        CELLS.filter(str.isprintable).filter(bool), min_size=1, max_size=5, unique=True
    ),
    rows=st.integers(1, 6),
    data=st.data(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
)
def test_whatever_was_written_is_read_or_refused_and_never_changed(columns, rows, data, encoding):
    table = [[data.draw(CELLS) for _ in columns] for _ in range(rows)]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([columns, *table])
    try:
        read = parsed(text.getvalue().encode(encoding))
    except supply.BadTable:
        return
    if read.encoding == encoding and read.separator == ",":
        kept = tuple(tuple(row) for row in table if any(row))
        assert read.rows == kept
        assert read.columns == tuple(columns)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(content):
    with contextlib.suppress(supply.BadTable):
        assert parsed(content).rows
