# SPDX-License-Identifier: Apache-2.0
"""A job's answer is right and typed, and stays inside its limits."""

import contextlib
import datetime as dt
import decimal
import math
import shutil
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import (
    Cancel,
    Column,
    Engine,
    Job,
    Limits,
    SourceFile,
    SourceTable,
    frames,
    job_limits,
    open_engine,
)
from lingqu.runtime.settings import load_settings

from .conftest import ROWS, declare


def refused(code, act, *given, **named):
    with pytest.raises(LingquError) as caught:
        act(*given, **named)
    assert caught.value.code == f"runtime.engine.{code}"
    return caught.value


def test_values_come_back_as_they_are_with_their_types(engine, table):
    sql = (
        "SELECT 编号, 城市, 额, 日, 时刻, NULL::BIGINT AS 空, 编号 > 3 AS 大, 1.5::DOUBLE AS d,"
        " 'a'::BLOB AS b, 170141183460469231731687303715884105727::HUGEINT AS h, 'nan'::DOUBLE AS n"
        " FROM t WHERE 编号 = ?"
    )
    result = engine.query(Job(sql=sql, values=(8,), tables=(table,)))
    *cells, last = result.rows[0]
    assert cells == [
        8,
        "市1",
        decimal.Decimal("8.00"),
        dt.date(2024, 1, 1),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        None,
        True,
        1.5,
        b"a",
        2**127 - 1,
    ]
    assert math.isnan(last)
    assert [column.type for column in result.columns][:5] == [
        "BIGINT",
        "VARCHAR",
        "DECIMAL(10,2)",
        "DATE",
        "TIMESTAMP WITH TIME ZONE",
    ]


def test_values_are_bound_and_never_read_as_sql(ask):
    evil = "'; DROP TABLE t; --"
    assert ask("SELECT ?", evil) == ((evil,),)
    assert ask("SELECT $1::DECIMAL(38,4) + $2, $3::DATE, $4::BLOB, $5", *(
        decimal.Decimal("1.5"), 2, dt.date(2024, 2, 29), b"\0\xff", None,
    )) == ((decimal.Decimal("3.5000"), dt.date(2024, 2, 29), b"\0\xff", None),)  # fmt: skip


def test_an_instant_is_bound_and_comes_back(ask):
    shanghai = dt.timezone(dt.timedelta(hours=8))
    given = dt.datetime(2024, 1, 1, 8, 0, 0, 5, tzinfo=shanghai)
    assert ask("SELECT $1::TIMESTAMPTZ, count(*) FROM t WHERE 时刻 <= $1", given) == (
        (given, ROWS),
    )


def test_rows_come_in_the_order_the_query_gives_also_with_instants(ask):
    rows = ask("SELECT 编号, 时刻 FROM t ORDER BY 编号 DESC")
    assert [row[0] for row in rows] == list(range(ROWS - 1, -1, -1))


def test_a_table_of_no_file_is_empty_and_of_several_is_their_sum(engine, table, tmp_path):
    none = SourceTable(name="t", columns=table.columns, files=())
    assert engine.query(Job(sql="SELECT count(*), max(额) FROM t", tables=(none,))).rows == (
        (0, None),
    )
    again = tmp_path / "again.parquet"
    shutil.copy(table.files[0].path, again)
    many = SourceTable(
        name="t",
        columns=table.columns,
        files=tuple(SourceFile(path=again, digest=table.files[0].digest) for _ in range(250)),
    )
    job = Job(sql="SELECT count(*) FROM t", tables=(many,))
    assert engine.query(job).rows == ((250 * ROWS,),)


def test_two_tables_are_joined(engine, table):
    other = SourceTable(name="甲表", columns=table.columns[:2], files=table.files)
    sql = 'SELECT count(*) FROM t JOIN "甲表" USING (编号)'
    assert engine.query(Job(sql=sql, tables=(table, other))).rows == ((ROWS,),)


def test_an_answer_streams_in_parts_and_may_be_left(engine, table):
    job = Job(sql="SELECT 编号 FROM t", tables=(table,))
    parts = list(engine.stream(job))
    assert len(parts) > 2
    assert sum(len(part.rows) for part in parts) == ROWS
    left = engine.stream(job)
    assert next(left).columns[0].name == "编号"
    left.close()
    assert engine.query(job).rows[0] == (0,)


def test_too_many_rows_or_bytes_are_refused(ask):
    refused("answer_too_large", ask, "SELECT 编号 FROM t", rows=ROWS - 1)
    assert len(ask("SELECT 编号 FROM t", rows=ROWS)) == ROWS
    refused("answer_too_large", ask, "SELECT repeat('x', 3000)", answer_bytes=2048)


def test_time_is_up_also_for_what_cannot_be_interrupted(ask):
    began = time.monotonic()
    refused("time_limit", ask, "SELECT sum(a.range * b.range) FROM range(10000000) a,"
            " range(10000000) b", time_ms=400)  # fmt: skip
    assert time.monotonic() - began < 60
    assert ask("SELECT 1") == ((1,),)


def test_a_query_is_cancelled_from_another_thread_and_cannot_start_again(engine):
    handle = Cancel()
    sql = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range = -b.range - 1"
    job = Job(sql="SELECT sum(hash(a.range, b.range)) FROM range(1000000) a, range(1000000) b")
    timer = threading.Timer(0.5, handle.cancel)
    timer.start()
    refused("cancelled", engine.query, job, cancel=handle)
    refused("cancelled", engine.query, Job(sql=sql), cancel=handle)
    timer.join()
    assert engine.query(Job(sql="SELECT 1")).rows == ((1,),)


def test_progress_is_told_in_percents(engine):
    told = []
    job = Job(
        sql="SELECT count(*) FROM range(2000000) a, range(2000000) b WHERE hash(a.range) < b.range",
        limits=Limits(time_ms=1200),
    )
    refused("time_limit", engine.query, job, progress=told.append)
    assert told
    assert all(0 <= percent <= 100 for percent in told)


def test_many_threads_share_the_workers(engine, table):
    found = []

    def work(number):
        job = Job(sql="SELECT count(*) + ? FROM t", values=(number,), tables=(table,))
        found.append(engine.query(job).rows[0][0] - number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [ROWS] * 12


def test_who_waits_too_long_for_a_worker_is_told(folder):
    with Engine(folder=folder / "one", workers=1, spares=0, queue_ms=200) as small:
        running = small.stream(Job(sql="SELECT 1"))
        next(running)
        refused("busy", small.query, Job(sql="SELECT 2"))
        running.close()
        assert small.query(Job(sql="SELECT 2")).rows == ((2,),)


def test_a_closed_engine_refuses(folder):
    made = Engine(folder=folder / "closed")
    made.close()
    refused("unavailable", made.query, Job(sql="SELECT 1"))


def test_a_file_that_is_not_the_declared_one_is_refused(engine, table, tmp_path):
    changed = tmp_path / "changed.parquet"
    changed.write_bytes(table.files[0].path.read_bytes()[:-1] + b"X")
    one = SourceTable(
        name="t", columns=table.columns, files=(SourceFile(path=changed, digest="0" * 64),)
    )
    refused("file_changed", engine.query, Job(sql="SELECT 1", tables=(one,)))
    gone = SourceTable(
        name="t",
        columns=table.columns,
        files=(SourceFile(path=tmp_path / "gone", digest="0" * 64),),
    )
    refused("file_changed", engine.query, Job(sql="SELECT 1", tables=(gone,)))
    damaged = declare(changed)
    refused("file_changed", engine.query, Job(sql="SELECT 1", tables=(damaged,)))


def test_a_column_the_file_does_not_have_is_refused(engine, table):
    wrong = SourceTable(name="t", columns=(Column(name="没有", type="BIGINT"),), files=table.files)
    refused("bad_declaration", engine.query, Job(sql="SELECT 1", tables=(wrong,)))


def test_copies_are_kept_within_their_room_and_made_again(folder, table):
    with Engine(folder=folder / "small", cache_bytes=1) as small:
        for columns in (table.columns[:1], table.columns[1:2], table.columns[:1]):
            narrow = SourceTable(name="t", columns=columns, files=table.files)
            job = Job(sql="SELECT count(*) FROM t", tables=(narrow,))
            assert small.query(job).rows == ((ROWS,),)
            assert len(list((folder / "small").iterdir())) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Column(name="", type="BIGINT"),
        lambda: Column(name="a\0b", type="BIGINT"),
        lambda: Column(name="\ud800", type="BIGINT"),
        lambda: Limits(time_ms=0),
        lambda: SourceFile(path=None, digest="xyz"),
        lambda: SourceTable(name="t", columns=(), files=()),
        lambda: SourceTable(
            name="t",
            columns=(Column(name="a", type="INT"), Column(name="A", type="INT")),
            files=(),
        ),
        lambda: Job(sql=""),
        lambda: Job(sql="x" * 5_000_000),
        lambda: Job(sql="SELECT 1", values=(1,) * 60_000),
    ],
)
def test_what_cannot_be_declared_is_refused(wrong):
    refused("bad_declaration", wrong)


@pytest.mark.parametrize(
    "kind", ["INTEGER[]", "STRUCT(a INT)", "DECIMAL(39,0)", "DECIMAL(3,4)", ""]
)
def test_a_type_we_do_not_carry_is_refused(kind):
    refused("unsupported_type", Column, name="a", type=kind)


@pytest.mark.parametrize("sql", ["SELECT [1]", "SELECT {'a': 1}", "SELECT INTERVAL 1 DAY"])
def test_an_answer_of_a_type_we_do_not_carry_is_refused(ask, sql):
    refused("unsupported_type", ask, sql)


def test_settings_make_the_engine(tmp_path):
    made = load_settings({}, overrides={"data_dir": tmp_path, "engine_memory_mib": 64})
    limits = job_limits(made)
    assert (limits.memory_bytes, limits.time_ms, limits.threads) == (64 << 20, 30_000, 2)
    with open_engine(made) as engine:
        assert engine.query(Job(sql="SELECT 42", limits=limits)).rows == ((42,),)
    assert (tmp_path / "engine").stat().st_mode & 0o777 == 0o700


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**127), 2**127 - 1),
    st.text(),
    st.binary(),
    st.floats(allow_nan=False),
    st.dates(),
    st.decimals(allow_nan=False, allow_infinity=False),
)


@given(scalars)
def test_a_bound_value_survives_its_journey(value):
    assert frames.decode_value(frames.encode_value(value)) == value


CELLS = {
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "HUGEINT": st.integers(-(2**127), 2**127 - 1),
    "VARCHAR": st.text(),
    "BLOB": st.binary(),
    "DOUBLE": st.floats(allow_nan=False),
    "DATE": st.dates(),
    "BOOLEAN": st.booleans(),
    "DECIMAL(9,2)": st.decimals(-9_999_999, 9_999_999, places=2),
}


@given(st.data())
def test_a_cell_survives_its_journey_and_another_kind_breaks_it(data):
    kind = data.draw(st.sampled_from(sorted(CELLS)))
    value = data.draw(CELLS[kind])
    written = frames.unpack(frames.pack(1, frames.encode_cell(value))[frames.HEAD.size :])
    assert frames.reader_of(kind)(written) == value
    for wrong in ({}, [], [1], {"a": 1}):
        with pytest.raises(frames.Broken):
            frames.reader_of(kind)(wrong)


@given(st.binary(max_size=200))
def test_no_bytes_of_a_worker_do_more_than_break_the_frame(body):
    readers = [frames.reader_of(kind) for kind in CELLS]
    with contextlib.suppress(frames.Broken):
        frames.decode_rows(frames.unpack(body), readers)


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("BIGINT", 2**63),
        ("BIGINT", True),
        ("BIGINT", 1.0),
        ("BOOLEAN", 1),
        ("DECIMAL(4,2)", "100.00"),
        ("DECIMAL(4,2)", "1.234"),
        ("DECIMAL(4,2)", "NaN"),
        ("DECIMAL(4,2)", "9" * 100),
        ("DATE", "2024-02-30"),
        ("DATE", "x" * 10_000),
        ("BLOB", "***"),
        ("DOUBLE", "1.0"),
        ("TIMESTAMP", "never"),
        ("TIMESTAMP WITH TIME ZONE", 2**61),
        ("VARCHAR", 5),
    ],
)
def test_a_cell_that_is_not_of_its_type_is_refused(kind, cell):
    with pytest.raises(frames.Broken):
        frames.reader_of(kind)(cell)


def test_depth_and_size_of_a_frame_are_bounded():
    with pytest.raises(frames.Broken):
        frames.unpack(b"[" * 200_000)
    with pytest.raises(frames.Broken):
        frames.unpack(b"9" * 10_000)
    with pytest.raises(frames.Broken):
        frames.decode_rows([[1, 2]], [frames.reader_of("BIGINT")])
