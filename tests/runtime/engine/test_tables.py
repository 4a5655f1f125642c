# SPDX-License-Identifier: Apache-2.0
"""Tables: versions, loads done once, other writers at the same time, other readers."""

import datetime as dt
import decimal
import threading
import time

import duckdb
import pytest
from deltalake import DeltaTable

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import (
    Column,
    Engine,
    Job,
    SourceTable,
    check_file,
    create_table,
    find_files,
    find_load,
    get_columns,
    get_version,
    stage_query,
    stage_rows,
    sweep_orphans,
)

COLUMNS = (
    Column(name="编号", type="BIGINT"),
    Column(name="名称", type="VARCHAR"),
    Column(name="额", type="DECIMAL(18,2)"),
    Column(name="大", type="DECIMAL(38,0)"),
    Column(name="日", type="DATE"),
    Column(name="时刻", type="INSTANT"),
    Column(name="真", type="BOOLEAN"),
    Column(name="数", type="DOUBLE"),
    Column(name="字节", type="BLOB"),
    Column(name="entity", type="TINYINT"),
)
ROW = (
    1,
    '引"号\n换行,',
    decimal.Decimal("-12.30"),
    10**37,
    dt.date(1949, 10, 1),
    dt.datetime(2026, 2, 17, 8, 0, 0, 123456, tzinfo=dt.UTC),
    True,
    1e-300,
    b"\0\xff",
    62,
)
NOTHING = (2,) + (None,) * 9


def refused(code, act, *given, **named):
    with pytest.raises(LingquError) as caught:
        act(*given, **named)
    assert caught.value.code == f"runtime.engine.{code}"


def load(folder, rows, name, columns=COLUMNS, **options):
    with stage_rows(folder, rows=rows, columns=columns, **options) as staged:
        assert staged.rejects == ()
        return staged.commit(load=name)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "数据表"
    create_table(made, columns=COLUMNS, name="企业登记")
    return made


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with Engine(folder=tmp_path_factory.mktemp("engine")) as made:
        yield made


def rows_of(engine, files, columns=COLUMNS):
    table = SourceTable(name="t", columns=columns, files=tuple(f.as_source() for f in files))
    return engine.query(Job(sql="SELECT * FROM t ORDER BY 编号", tables=(table,))).rows


def test_every_type_goes_in_and_comes_back_as_it_was(folder, engine):
    load(folder, [ROW, NOTHING], "a")
    assert get_columns(folder) == COLUMNS
    assert rows_of(engine, find_files(folder)) == (ROW, NOTHING)


def test_a_table_is_created_once_and_never_with_other_columns(folder):
    assert create_table(folder, columns=COLUMNS) == 0
    refused("schema_differs", create_table, folder, columns=COLUMNS[:2])
    refused("schema_differs", create_table, folder, columns=COLUMNS[::-1])
    refused(
        "unsupported_type",
        create_table,
        folder.parent / "x",
        columns=(Column(name="大", type="HUGEINT"),),
    )


def test_a_table_that_is_not_there_is_missing(tmp_path, folder):
    refused("table_missing", get_version, tmp_path / "none")
    refused("table_missing", find_files, folder, version=9)
    refused("table_missing", find_files, tmp_path)


def test_each_version_can_be_read_again(folder, engine):
    for number in range(1, 4):
        assert load(folder, [(number, *NOTHING[1:])], f"load-{number}").version == number
    for version in range(4):
        files = find_files(folder, version=version)
        assert len(rows_of(engine, files)) == version
    with stage_rows(folder, rows=[(9, *NOTHING[1:])], columns=COLUMNS) as staged:
        assert staged.commit(load="whole", mode="overwrite").version == 4
    assert [row[0] for row in rows_of(engine, find_files(folder))] == [9]
    assert len(rows_of(engine, find_files(folder, version=3))) == 3


def test_the_same_load_is_done_once_and_another_under_its_id_is_refused(folder):
    first = load(folder, [ROW], "a", summarize=lambda ask: str(ask("SELECT 1")).encode())
    assert (first.repeated, first.version, first.file.state) == (False, 1, b"[(1,)]")
    again = load(folder, [ROW], "a")
    assert again.repeated
    assert (again.version, again.file) == (1, first.file)
    with stage_rows(folder, rows=[NOTHING], columns=COLUMNS) as staged:
        refused("load_differs", staged.commit, load="a")
    assert load(folder, [ROW], "b").version == 2
    assert len(find_files(folder)) == 2, "the same rows under another id are another load"
    assert find_load(folder, load="c") is None


def test_a_load_of_nothing_is_a_version_without_a_file(folder):
    done = load(folder, [], "empty")
    assert (done.version, done.file, done.repeated) == (1, None, False)
    assert load(folder, [], "empty").repeated
    assert find_files(folder) == ()


def test_a_file_tells_rows_ranges_state_and_digest(folder):
    rows = [
        (n, f"名{n}", None, n * 10**20, dt.date(2024, 1, 1 + n), *NOTHING[5:]) for n in range(9)
    ]
    done = load(
        folder,
        rows,
        "a",
        summarize=lambda ask: ask("SELECT hex('状态')  FROM loaded")[0][0].encode(),
    )
    (file,) = find_files(folder)
    assert file == done.file
    ranges = {entry.column: (entry.least, entry.greatest, entry.nulls) for entry in file.ranges}
    assert file.rows == 9
    assert ranges["编号"] == ("0", "8", 0)
    assert ranges["额"] == (None, None, 9)
    assert ranges["日"] == ("2024-01-01", "2024-01-09", 0)
    assert decimal.Decimal(ranges["大"][1]) == 8 * 10**20
    check_file(file)
    file.path.chmod(0o644)
    file.path.write_bytes(file.path.read_bytes() + b"x")
    refused("file_changed", check_file, file)


def test_other_readers_of_delta_see_the_same_table(folder):
    load(folder, [ROW, NOTHING], "a")
    load(folder, [(3, *NOTHING[1:])], "b")
    table = DeltaTable(str(folder))
    assert table.metadata().name == "企业登记"
    assert table.transaction_version("a") == 1
    actions = table.get_add_actions(flatten=True)  # noqa: F841  # read by name below
    seen = duckdb.sql('SELECT num_records, "null_count.名称", "min.编号" FROM actions ORDER BY 1')
    assert seen.fetchall() == [(1, 1, 3), (2, 1, 1)]
    rows = duckdb.from_arrow(table.scan()).aggregate("count(*)").fetchall()
    assert rows == [(3,)]


def test_writers_at_the_same_time_all_get_in_each_once(folder):
    failed = []

    def work(number):
        try:
            for part in range(3):
                load(folder, [(number * 10 + part, *NOTHING[1:])], f"{number}-{part}")
                load(folder, [(number * 10 + part, *NOTHING[1:])], f"{number}-{part}")
        except LingquError as refusal:
            failed.append(refusal)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sum(file.rows for file in find_files(folder)) == 12
    assert len({file.load for file in find_files(folder)}) == 12


def test_the_same_load_from_two_writers_at_once_is_one_load(folder):
    found = []
    barrier = threading.Barrier(3)

    def work():
        with stage_rows(folder, rows=[ROW], columns=COLUMNS) as staged:
            barrier.wait()
            found.append(staged.commit(load="one").repeated)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False, True, True]
    assert len(find_files(folder)) == 1


def test_only_files_that_no_version_names_are_swept(folder, engine):
    load(folder, [ROW], "a")
    with stage_rows(folder, rows=[NOTHING], columns=COLUMNS) as staged:
        staged.commit(load="b", mode="overwrite")
    orphan = folder / "part-orphan.parquet"
    orphan.write_bytes(b"x")
    assert sweep_orphans(folder, older_than_seconds=3600) == ()
    assert sweep_orphans(folder, older_than_seconds=-1) == (orphan.name,)
    assert rows_of(engine, find_files(folder, version=1)) == (ROW,)


def test_a_delivery_with_other_columns_is_refused(folder):
    with stage_rows(folder, rows=[(1,)], columns=COLUMNS[:1]) as staged:
        refused("schema_differs", staged.commit, load="a")


def test_a_query_of_ours_becomes_a_load(folder, engine, tmp_path):
    load(folder, [ROW, NOTHING], "a")
    cube = tmp_path / "cube"
    columns = (Column(name="编号", type="BIGINT"), Column(name="n", type="BIGINT"))
    create_table(cube, columns=columns)
    source = SourceTable(
        name="t", columns=COLUMNS, files=tuple(f.as_source() for f in find_files(folder))
    )
    sql = "SELECT 编号, count(*) AS n FROM t WHERE 编号 > ? GROUP BY 编号"
    with stage_query(cube, sql=sql, values=(1,), tables=(source,), columns=columns) as staged:
        staged.commit(load="cube-1")
    assert rows_of(engine, find_files(cube), columns) == ((2, 1),)
    with (
        pytest.raises(LingquError, match="load_failed"),
        stage_query(cube, sql="SELECT x", tables=(source,), columns=columns),
    ):
        pass


def test_a_table_with_many_versions_checkpoints_and_still_tells_all(folder):
    for number in range(1, 13):
        load(folder, [(number, *NOTHING[1:])], f"load-{number}")
    DeltaTable(str(folder)).create_checkpoint()
    assert find_load(folder, load="load-3").version == 3
    assert len(find_files(folder)) == 12
    assert len(find_files(folder, version=5)) == 5
    began = time.monotonic()
    assert load(folder, [(5, *NOTHING[1:])], "load-5").repeated
    assert time.monotonic() - began < 60
