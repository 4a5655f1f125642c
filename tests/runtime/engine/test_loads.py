# SPDX-License-Identifier: Apache-2.0
"""A delivery is loaded exactly or rejected by line; nothing is rounded, guessed or lost."""

import csv
import datetime as dt
import decimal
import hashlib
import hmac
import io

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import Column, EntityByte, stage_csv, stage_rows
from lingqu.runtime.engine.loads import _count

COLUMNS = (
    Column(name="编号", type="BIGINT"),
    Column(name="名称", type="VARCHAR"),
    Column(name="额", type="DECIMAL(10,2)"),
    Column(name="日", type="DATE"),
)
HEAD = "编号,名称,额,日\n"


def read(path):
    """The rows of a file; an instant as its text, for Python has no library of time zones here."""
    kinds = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()
    cells = ", ".join(
        f'"{kind[0]}"::VARCHAR' if "ZONE" in kind[1] else f'"{kind[0]}"' for kind in kinds
    )
    return duckdb.sql(f"SELECT {cells} FROM read_parquet('{path}')").fetchall()


@pytest.fixture
def load(tmp_path):
    """Give the rows a delivery brings and its rejects as (line, column, reason)."""

    def run(text, columns=COLUMNS, **options):
        delivery = tmp_path / "delivery.csv"
        delivery.write_bytes(text if isinstance(text, bytes) else text.encode())
        with stage_csv(tmp_path, delivery=delivery, columns=columns, **options) as staged:
            rows = read(staged.path)
            assert staged.rows == len(rows)
            assert staged.content == hashlib.sha256(delivery.read_bytes()).hexdigest()
            return rows, [(one.line, one.column, one.reason) for one in staged.rejects]

    return run


def failed(load, reason, text, **options):
    with pytest.raises(LingquError) as caught:
        load(text, **options)
    assert caught.value.code == "runtime.engine.load_failed"
    assert caught.value.parameters == {"reason": reason}


def test_a_clean_delivery_is_loaded_as_it_is(load):
    rows, rejects = load(HEAD + '1,甲,1.50,2024-02-29\n2,"引""号,\n行",-0.01,\n,"",,\n')
    assert rejects == []
    assert rows == [
        (1, "甲", decimal.Decimal("1.50"), dt.date(2024, 2, 29)),
        (2, '引"号,\n行', decimal.Decimal("-0.01"), None),
        (None, "", None, None),
    ]


def test_columns_may_stand_in_another_order_and_have_a_byte_order_mark(load):
    text = "\ufeff日,额,名称,编号\r\n2024-01-01,1,甲,7\r\n"
    assert load(text)[0] == [(7, "甲", decimal.Decimal(1), dt.date(2024, 1, 1))]


def test_ends_of_lines_may_be_of_windows_and_the_last_one_may_be_missing(load):
    assert len(load(HEAD.replace("\n", "\r\n") + '1,"a\r\nb",,\r\n2,b,,')[0]) == 2


@pytest.mark.parametrize(
    ("cell", "fits"),
    [
        ("1", True), ("-1", True), ("+1", True), ("007", True), ("9223372036854775807", True),
        ("9223372036854775808", False), ("1.0", False), ("1.5", False), ("1e3", False),
        (" 1", False), ("1 ", False), ("0x1F", False), ("1_000", False), ("", True), ("一", False),
        ("１", False), ("--1", False), ("true", False),
    ],
)  # fmt: skip
def test_an_integer_is_an_integer(load, cell, fits):
    rows, rejects = load(f"a\n{cell}\n9\n" if cell else 'a\n""\n9\n', (Column(name="a", type="INT")
        if cell != "9223372036854775807" else Column(name="a", type="BIGINT"),))  # fmt: skip
    # An empty text in quotes is a text, and no integer.
    assert (len(rows) == 2) == (fits and cell != "")
    assert rejects == ([] if fits and cell else [(2, "a", "type")])


@pytest.mark.parametrize(
    ("kind", "cell", "fits"),
    [
        ("DECIMAL(5,2)", "999.99", True), ("DECIMAL(5,2)", "1000.00", False),
        ("DECIMAL(5,2)", "1.005", False), ("DECIMAL(5,2)", "1.500", False),
        ("DECIMAL(5,2)", "1.", False), ("DECIMAL(5,2)", ".5", False),
        ("DECIMAL(5,2)", "1e2", False), ("DECIMAL(5,2)", "1,5", False),
        ("DECIMAL(38,0)", "9" * 38, True), ("DECIMAL(38,0)", "9" * 39, False),
        ("DATE", "2024-02-29", True), ("DATE", "2023-02-29", False), ("DATE", "2024-2-9", False),
        ("DATE", "2024/02/09", False), ("DATE", "infinity", False), ("DATE", "20240209", False),
        ("DATE", "2024-02-09 10:00:00", False), ("DATE", "0000-00-00", False),
        ("BOOLEAN", "true", True), ("BOOLEAN", "1", False), ("BOOLEAN", "是", False),
        ("DOUBLE", "1.5e-3", True), ("DOUBLE", "nan", False), ("DOUBLE", "inf", False),
        ("DOUBLE", "1e999", False), ("DOUBLE", "-1e999", False), ("DOUBLE", "-0.5", True),
        ("DOUBLE", " 1", False),
        ("INSTANT", "2024-01-01T00:00:00Z", True), ("INSTANT", "2024-01-01 08:00:00+08", True),
        ("INSTANT", "2024-01-01 00:00:00", False), ("INSTANT", "2024-01-01", False),
        ("INSTANT", "2024-13-01T00:00:00Z", False), ("INSTANT", "2024-01-01T25:00:00Z", False),
        ("BLOB", "00ff", True), ("BLOB", "0", False), ("BLOB", "zz", False),
        ("VARCHAR", " 任何 ", True),
    ],
)  # fmt: skip
def test_a_value_fits_exactly_or_its_record_is_rejected(load, kind, cell, fits):
    text = f'a,b\n"{cell}",1\n,2\n'
    rows, rejects = load(text, (Column(name="a", type=kind), Column(name="b", type="INT")))
    assert [row[1] for row in rows] == ([1, 2] if fits else [2])
    assert rejects == ([] if fits else [(2, "a", "type")])


def test_every_rejected_record_has_its_line_and_reason(load):
    text = HEAD + (
        "1,甲,1.234,\n"  # 2
        "\n"  # 3: nothing stands there
        "2,乙,1,2024-01-01\n"  # 4
        '3,"丙\n丙",1,\n'  # 5: a line within quotes does not count, as in a spreadsheet
        "4,丁\n"  # 6
        "\n"  # 7
        "\n"  # 8
        "5,戊,1,,9\n"  # 9
        "x,己,y,z\n"  # 10
        "6,庚,1,2024-02-30\n"  # 11
        '7,"辛" x,1,\n'  # 12
    )
    rows, rejects = load(text)
    assert [row[0] for row in rows] == [2, 3]
    assert rejects == [
        (2, "额", "type"),
        (6, "额", "columns_missing"),
        (9, None, "columns_extra"),
        (10, "编号", "type"),
        (11, "日", "type"),
        (12, "名称", "quotes"),
    ]


def test_text_that_is_not_utf8_is_rejected_by_line(load):
    rows, rejects = load(HEAD.encode() + b"1,\xb9\xe3,,\n2,ok,,\n")
    assert ([row[0] for row in rows], rejects) == ([2], [(2, "名称", "encoding")])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "编号,名称,额\n1,a,1\n",
        HEAD.replace("日", "日期"),
        "编号,编号,额,日\n",
        "1,2,3,4\n",
    ],
)
def test_another_heading_is_refused(load, text):
    failed(load, "heading", text)


def test_quotes_that_never_close_lose_nothing_silently(load):
    failed(load, "count", HEAD + '1,甲"x,1,\n2,乙,1,\n')
    _, rejects = load(HEAD + '1,甲,1,\n2,"乙,1,\n3,丙,1,\n')
    assert rejects == [(3, "名称", "quotes")]


def test_rejects_show_no_data_when_printed(tmp_path):
    delivery = tmp_path / "d.csv"
    delivery.write_text(HEAD + "450100199001011234,张三,x,\n", encoding="utf-8")
    with stage_csv(tmp_path, delivery=delivery, columns=COLUMNS) as staged:
        assert "张三" in staged.rejects[0].record
        assert "张三" not in repr(staged)


def test_nothing_is_left_behind(load, tmp_path):
    load(HEAD + "1,甲,1,\nx,,,\n")
    failed(load, "heading", "x\n")
    assert not list((tmp_path / ".staging").iterdir())


def test_an_entity_byte_is_a_keyed_hash_of_the_normalised_cell(load):
    key = b"k" * 100
    columns = (Column(name="身份证", type="VARCHAR"),)
    cells = ["45010x", " 45010X ", "45010Y", "", None, "  "]
    text = "身份证\n" + "".join('""\n' if c == "" else f'"{c}"\n' for c in cells if c is not None)
    byte = EntityByte(name="eb", source="身份证", key=key)
    rows, _ = load(text, columns, entities=(byte,))

    def reference(cell):
        word = cell.strip(" ").upper()
        digest = hmac.new(key, word.encode(), "sha256").hexdigest()
        return int(digest[:15], 16) % 63 if word else None

    assert [row[1] for row in rows] == [reference(row[0]) for row in rows]
    assert rows[0][1] == rows[1][1]
    assert rows[3][1] is None
    assert "kkk" not in repr(byte)


def test_an_entity_byte_spreads_evenly_and_needs_a_key_and_a_column(load):
    text = "a\n" + "".join(f"{number}\n" for number in range(6300))
    columns = (Column(name="a", type="BIGINT"),)
    rows, _ = load(text, columns, entities=(EntityByte(name="eb", source="a", key=b"x"),))
    counts = [sum(row[1] == byte for row in rows) for byte in range(63)]
    assert sum(counts) == 6300
    assert min(counts) > 50
    assert max(counts) < 160
    for wrong in (
        EntityByte(name="eb", source="b", key=b"x"),
        EntityByte(name="e", source="a", key=b""),
    ):
        with pytest.raises(LingquError, match="bad_declaration"):
            load(text, columns, entities=(wrong,))


def test_a_large_delivery_read_by_several_threads_keeps_lines_and_count(load):
    """Many blocks of the reader, faults spread over all of them, quoted line ends between."""
    lines, wrong = [HEAD], []
    for number in range(120_000):
        if number % 7919 == 0:
            wrong.append((number + 2, "额", "type"))
            lines.append(f'{number},"甲\n{number}",x,2024-01-01\n')
        elif number % 9973 == 0:
            wrong.append((number + 2, None, "columns_extra"))
            lines.append(f"{number},a,1,2024-01-01,9\n")
        else:
            lines.append(f'{number},"名称\n{"很长" * (number % 40)}",1.25,2024-01-01\n')
    rows, rejects = load("".join(lines))
    assert rejects == wrong
    assert len(rows) == 120_000 - len(wrong)


CELL = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
    st.sampled_from(["1", "2.50", "2024-01-01", "x", '"', "\n", "\r\n", ",", "1.005", " 1"]),
)


def reference_fits(row):
    whole, _, amount, day = row
    try:
        ok = whole is None or (whole.strip("+-").isdecimal() and whole.isascii()
                               and abs(int(whole)) < 2**63)  # fmt: skip
        ok = ok and (amount is None or _is_amount(amount))
        return ok and (day is None or (len(day) == 10 and bool(dt.date.fromisoformat(day))))
    except ValueError:
        return False


def _is_amount(text):
    digits, dot, places = text.removeprefix("-").removeprefix("+").partition(".")
    fine = digits.isdecimal() and text.isascii() and len(digits.lstrip("0")) <= 8
    return fine and (not dot or (places.isdecimal() and len(places) <= 2))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), max_size=12))
def test_rows_are_accepted_or_rejected_as_a_second_implementation_says(tmp_path, rows):
    with stage_rows(tmp_path, rows=rows, columns=COLUMNS) as staged:
        fit = [reference_fits(row) for row in rows]
        assert staged.rows == sum(fit)
        assert {one.line for one in staged.rejects} == {
            number + 2 for number, fits in enumerate(fit) if not fits
        }
        kept = duckdb.sql(f"SELECT 名称 FROM read_parquet('{staged.path}')").fetchall()
        assert [row[1] for row, fits in zip(rows, fit, strict=True) if fits] == [
            row[0] for row in kept
        ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.text(st.sampled_from('a"\n\r,甲'), max_size=6), min_size=2, max_size=3),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_records_are_counted_as_pythons_own_reader_counts_them(tmp_path, rows, end):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    path = tmp_path / "counted.csv"
    path.write_bytes(text.getvalue().encode())
    assert _count(path).records == len(rows)
    path.write_bytes(text.getvalue().encode().removesuffix(end.encode()))
    assert _count(path).records == len(rows)
