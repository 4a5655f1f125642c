# SPDX-License-Identifier: Apache-2.0
"""Hostile SQL goes straight to a worker, past every gate: nothing leaks, the platform goes on.

Whatever a statement may answer, it must not hold the canary of the hidden column, a word of the
machine's files, or a secret of the platform's environment; and no file may change.
"""

import hashlib
import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import Job, Limits, SourceFile, SourceTable, kernel_calls

from .conftest import CANARY

TEMP = tempfile.gettempdir()
SECRET = "SECRET-OF-THE-PLATFORM"


@pytest.fixture(autouse=True, scope="module")
def secret_environment():
    os.environ["LINGQU_TEST_SECRET"] = SECRET
    yield
    del os.environ["LINGQU_TEST_SECRET"]


@pytest.fixture
def attack(engine, table):
    """Give the answer of a statement as text, or the code of its refusal."""

    def run(sql, **options):
        limits = Limits(**{"time_ms": 8000, "memory_bytes": 128 << 20, **options})
        told = {}
        try:
            answer = engine.query(Job(sql=sql, tables=(table,), limits=limits))
            text = repr((answer.columns, answer.rows))
        except LingquError as refusal:
            told, text = refusal.parameters, refusal.code.removeprefix("runtime.engine.")
        assert set(told) <= {"time_ms", "rows", "bytes", "column", "type"}
        return text

    return run


READS = (
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM \"read_text\"('/etc/hostname')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_text('/proc/1/environ')",
    "SELECT * FROM read_text('/proc/self/maps')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd.csv'",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM glob('/proc/self/fd/*')",
    "SELECT * FROM glob('/proc/*')",
    "SELECT * FROM read_text('/proc/self/fd/0')",
    "SELECT * FROM read_text('/proc/self/fd/3')",
    "SELECT * FROM read_blob('/proc/self/fd/../../cmdline')",
    "SELECT * FROM read_parquet('{whole}')",
    "SELECT * FROM parquet_metadata('{whole}')",
    "SELECT * FROM read_parquet('/proc/self/fd/../../../{whole}')",
    "SELECT * FROM read_text('file:///etc/passwd')",
    "SELECT getenv('LINGQU_TEST_SECRET')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_logs()",
    "ATTACH '{whole}' AS x",
    "ATTACH '{temp}/x.db' AS x",
    "IMPORT DATABASE '/tmp'",
)
WRITES = (
    "COPY (SELECT 1) TO '{whole}'",
    "COPY (SELECT 1) TO '/proc/self/fd/100'",
    "COPY (SELECT 1) TO '/proc/self/fd/100' (USE_TMP_FILE false)",
    "COPY (SELECT 1) TO '{temp}/lingqu-hostile.csv'",
    "COPY (SELECT 1) TO '/dev/shm/lingqu-hostile.csv'",
    "COPY t TO 'hostile.parquet' (FORMAT parquet)",
    "EXPORT DATABASE '{temp}/lingqu-hostile'",
    "INSTALL httpfs",
    "INSTALL '{temp}/evil.duckdb_extension'",
    "LOAD '{temp}/evil.duckdb_extension'",
    "LOAD httpfs",
    "CREATE PERSISTENT SECRET s (TYPE http)",
)
UNLOCKS = (
    "SET enable_external_access=true",
    "SET lock_configuration=false",
    "RESET lock_configuration",
    "SET allowed_paths=['/etc/passwd']",
    "SET allowed_directories=['/']",
    "SET temp_directory='/tmp'",
    "SET memory_limit='100GB'",
    "SET threads=64",
    "SET python_enable_replacements=true",
    "SET extension_directory='/tmp'",
    "SET log_query_path='{temp}/lingqu-hostile.log'",
    "PRAGMA enable_logging",
    "CALL enable_logging('FileSystem')",
    "PRAGMA disable_checkpoint_on_shutdown",
)
NETWORK = (
    "SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')",
    "SELECT * FROM read_parquet('https://localhost:{port}/x')",
    "SELECT * FROM read_csv('s3://bucket/x.csv')",
    "ATTACH 'postgresql://127.0.0.1:{port}/x' AS x (TYPE postgres)",
    "INSTALL x FROM 'http://127.0.0.1:{port}'",
)
HIDDEN = (
    "SELECT 身份证 FROM t",
    'SELECT "身份证" FROM t',
    "SELECT * FROM t",
    "SELECT t FROM t",
    "SELECT to_json(t) FROM t",
    "SELECT COLUMNS('.*') FROM t",
    "SELECT max(COLUMNS(*)) FROM t",
    "SELECT * FROM read_parquet('/proc/self/fd/100')",
    "SELECT content FROM read_blob('/proc/self/fd/100')",
    "SELECT * FROM parquet_metadata('/proc/self/fd/100')",
    "SELECT * FROM parquet_schema('/proc/self/fd/100')",
    "SELECT * FROM parquet_kv_metadata('/proc/self/fd/100')",
    "SELECT * FROM parquet_bloom_probe('/proc/self/fd/100', '身份证', 'x')",
    "SUMMARIZE t",
    "SELECT stats(编号) FROM t",
    "SELECT * FROM duckdb_columns()",
    "SELECT sql FROM duckdb_views()",
    "SELECT * FROM query('SELECT * FROM t')",
    "SELECT * FROM query_table('t')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM t'))",
    "UNPIVOT t ON COLUMNS(*)",
    "FROM duckdb_settings()",
    "SELECT current_setting('allowed_paths')",
    "SELECT content FROM read_blob('/proc/self/fd/1' || '00')",
    "CREATE MACRO f() AS TABLE SELECT * FROM t",
    "PREPARE x AS SELECT * FROM t",
    "EXPLAIN ANALYZE SELECT * FROM t",
    "SELECT error(城市) FROM t",
    "SELECT 城市::INT FROM t",
    "SELECT 1; SELECT * FROM t",
    "VACUUM",
    "CHECKPOINT",
    "DROP VIEW t",
)
EXHAUSTING = (
    "SELECT count(*) FROM range(100000000) a, range(100000000) b",
    "SELECT repeat('a', 1000000000)",
    "SELECT length(repeat(repeat('a', 100000), 100000))",
    "SELECT list(range) FROM range(1000000000)",
    "SELECT array_agg(repeat('x', 1000) || range) FROM range(100000000)",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "WITH RECURSIVE r(n) AS (SELECT 'x' UNION ALL SELECT n || n FROM r) SELECT max(n) FROM r",
    "SELECT * FROM range(1000000000) ORDER BY hash(range) DESC",
    "SELECT sha256(repeat('a', 900000000))",
    "CREATE TABLE big AS SELECT range, repeat('x', 1000) FROM range(1000000000)",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT 1" + " + 1" * 300_000,
)


def filled(sql, whole=""):
    return sql.replace("{whole}", str(whole)).replace("{temp}", TEMP)


def harmless(answer):
    for word in (CANARY, SECRET, "root:", "LINGQU_", "身份证,"):
        assert word not in answer
    return answer


@pytest.mark.parametrize("sql", READS)
def test_no_file_of_the_machine_is_read(attack, whole_file, sql):
    answer = harmless(attack(filled(sql, whole_file)))
    assert answer == "query_failed" or "rows" not in answer
    assert "/" not in answer.replace("/proc/self/fd", "")


@pytest.mark.parametrize("sql", WRITES)
def test_no_file_is_written(attack, engine, table, whole_file, sql):
    folder = engine._projections.folder
    before = {path.name: digest(path) for path in folder.iterdir()}
    assert attack(filled(sql, whole_file)) == "query_failed"
    after = {path.name: digest(path) for path in folder.iterdir()}
    assert before.items() <= after.items()
    assert digest(whole_file) == table.files[0].digest
    for place in (TEMP, "/dev/shm"):
        assert not list(Path(place).glob("*hostile*"))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("sql", UNLOCKS)
def test_nothing_is_unlocked(attack, sql):
    assert attack(filled(sql)) == "query_failed"


@pytest.mark.parametrize("sql", NETWORK)
def test_nothing_reaches_the_network(attack, sql):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        answer = attack(sql.replace("{port}", str(server.getsockname()[1])))
        assert answer == "query_failed"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("sql", HIDDEN)
def test_the_hidden_column_is_nowhere(attack, sql):
    answer = harmless(attack(sql))
    assert CANARY[:8].encode().hex() not in answer


def test_the_bytes_a_worker_gets_hold_no_word_of_the_hidden_column(engine, table, whole_file):
    sql = "SELECT content FROM read_blob('/proc/self/fd/100')"
    (content,) = engine.query(Job(sql=sql, tables=(table,))).rows[0]
    for word in (CANARY.encode(), "身份证".encode()):
        assert word in whole_file.read_bytes()
        assert word not in content


@pytest.mark.parametrize("sql", EXHAUSTING, ids=range(len(EXHAUSTING)))
def test_what_eats_time_or_memory_ends_and_others_go_on(attack, sql):
    answer = attack(sql, time_ms=1500)
    assert answer in {"query_failed", "time_limit", "answer_too_large"} or len(answer) < 2000
    assert "(1,)" in attack("SELECT 1")


def test_a_worker_has_its_memory_bounded_by_the_kernel_too(engine):
    """Past its limit the engine refuses; the address space ends not far behind it."""
    sql = "SELECT max(length(x)) FROM (SELECT repeat('é', 400000000) AS x FROM range(8))"
    with pytest.raises(LingquError):
        engine.query(Job(sql=sql, limits=Limits(memory_bytes=64 << 20, time_ms=8000)))


def test_hostile_neighbours_do_not_disturb_a_good_query(attack, ask):
    def mischief():
        for sql in ("SELECT repeat('a', 1000000000)", "SELECT count(*) FROM range(1e12::BIGINT)"):
            attack(sql, time_ms=700)

    threads = [threading.Thread(target=mischief) for _ in range(2)]
    for thread in threads:
        thread.start()
    answers = [ask("SELECT count(*) FROM t") for _ in range(5)]
    for thread in threads:
        thread.join()
    assert answers == [((5000,),)] * 5


def test_a_file_of_another_job_cannot_be_named(engine, table):
    """What one job was given is closed before another begins: its descriptor is not there."""
    engine.query(Job(sql="SELECT count(*) FROM t", tables=(table,)))
    names = [path.name for path in engine._projections.folder.iterdir()]
    assert names
    for name in names:
        sql = f"SELECT * FROM read_parquet('{engine._projections.folder}/{name}')"
        with pytest.raises(LingquError):
            engine.query(Job(sql=sql))
    with pytest.raises(LingquError):
        engine.query(Job(sql="SELECT * FROM read_parquet('/proc/self/fd/100')"))


def test_names_of_tables_and_columns_cannot_carry_sql(engine, table):
    name = f"x\" AS SELECT 1; COPY (SELECT 1) TO '{TEMP}/lingqu-hostile' --"
    evil = SourceTable(
        name=name,
        columns=table.columns[:1],
        files=(SourceFile(path=table.files[0].path, digest=table.files[0].digest),),
    )
    quoted = name.replace('"', '""')
    rows = engine.query(Job(sql=f'SELECT count(*) FROM "{quoted}"', tables=(evil,))).rows
    assert rows == ((5000,),)
    assert not Path(TEMP, "lingqu-hostile").exists()


def test_the_confinement_here_is_reported(engine):
    found = engine.confinement()
    assert found.system_call_filter == kernel_calls.can_filter()
    if os.geteuid() == 0:
        assert found.other_account
        assert found.account != "lingqu", "the account of the database must be another"
    else:
        assert "no_account" in found.gaps
        assert not found.is_full
