# SPDX-License-Identifier: Apache-2.0
"""Migrations: whole or not at all, in order, once, by one at a time."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest

from lingqu.runtime.migrate import (
    BadMigrationFiles,
    DatabaseNewer,
    MigrationChanged,
    MigrationDatabaseUnavailable,
    MigrationFailed,
    MigratorBusy,
    migrate,
    status,
)
from lingqu.runtime.postgres import discard_postgres, open_postgres

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server():
    folder = Path(tempfile.mkdtemp(prefix="lq"))
    folder.chmod(0o755)
    with open_postgres(data_dir=folder / "data") as server:
        yield server
    discard_postgres(data_dir=folder / "data")
    shutil.rmtree(folder)


@pytest.fixture
def owner(server):
    """An empty database's owner."""
    with psycopg.connect(server.admin_conninfo, autocommit=True, dbname="postgres") as session:
        session.execute("DROP DATABASE IF EXISTS lingqu WITH (FORCE)")
        session.execute("CREATE DATABASE lingqu OWNER lingqu_owner")
    with psycopg.connect(server.admin_conninfo, autocommit=True) as session:
        session.execute("CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gist")
    return server.owner_conninfo


@pytest.fixture
def folder(tmp_path):
    write(
        tmp_path, 1, "first", "CREATE TABLE runtime.a (x int);\nINSERT INTO runtime.a VALUES (1);"
    )
    write(tmp_path, 2, "second", "ALTER TABLE runtime.a ADD y int;")
    return tmp_path


def write(folder, number, name, text):
    (folder / f"{number:04}_{name}.sql").write_text(text, encoding="utf-8")


def ask(conninfo, query):
    with psycopg.connect(conninfo) as session:
        return session.execute(query).fetchone()[0]


def numbers(migrations):
    return [migration.number for migration in migrations]


def test_files_are_applied_once_in_order_and_remembered(owner, folder):
    assert numbers(status(owner, folder=folder).pending) == [1, 2]
    done = migrate(owner, folder=folder)
    assert [(one.number, one.name, one.file) for one in done] == [
        (1, "first", "0001_first.sql"),
        (2, "second", "0002_second.sql"),
    ]
    assert all(one.applied_at and one.version and len(one.sha256) == 64 for one in done)
    assert migrate(owner, folder=folder) == ()
    found = status(owner, folder=folder)
    assert found.current
    assert found.applied == done
    write(folder, 3, "third", "CREATE TABLE runtime.b (x int);")
    assert numbers(status(owner, folder=folder).pending) == [3]
    assert numbers(migrate(owner, folder=folder)) == [3]


def test_looking_changes_nothing(owner, folder):
    status(owner, folder=folder)
    assert ask(owner, "SELECT to_regnamespace('runtime')") is None


def test_one_may_stop_at_a_number(owner, folder):
    assert numbers(migrate(owner, folder=folder, upto=1)) == [1]
    assert migrate(owner, folder=folder, upto=0) == ()
    assert numbers(migrate(owner, folder=folder, upto=9)) == [2]


def test_the_shipped_files_apply_to_an_empty_database(owner, server):
    done = migrate(owner)
    assert numbers(done) == list(range(1, len(done) + 1))
    assert done
    assert migrate(owner) == ()
    assert status(server.app_conninfo).current


def test_a_failing_file_leaves_nothing_and_says_where_it_failed(owner, folder):
    text = "-- 中文注释\nCREATE TABLE runtime.c (x int);\n\nSELECT nothing FROM runtime.c;\n"
    write(folder, 3, "third", text)
    write(folder, 4, "fourth", "CREATE TABLE runtime.d (x int);")
    with pytest.raises(MigrationFailed) as caught:
        migrate(owner, folder=folder)
    said = caught.value.parameters
    assert (said["file"], said["line"]) == ("0003_third.sql", 4)
    assert 'column "nothing" does not exist' in said["detail"]
    assert ask(owner, "SELECT to_regclass('runtime.c')") is None
    assert numbers(status(owner, folder=folder).applied) == [1, 2]
    write(folder, 3, "third", "CREATE TABLE runtime.c (x int);")
    assert numbers(migrate(owner, folder=folder)) == [3, 4]


def test_a_late_failure_takes_the_whole_file_back(owner, folder):
    write(
        folder,
        3,
        "third",
        "CREATE TABLE runtime.c (x int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO runtime.c VALUES (1), (1);\n",
    )
    with pytest.raises(MigrationFailed) as caught:
        migrate(owner, folder=folder)
    assert "c_pkey" in caught.value.parameters["detail"]
    assert ask(owner, "SELECT to_regclass('runtime.c')") is None


@pytest.mark.parametrize(
    "word", ["COMMIT", "begin", "ROLLBACK", "start transaction", "Commit work"]
)
def test_a_file_that_ends_its_transaction_is_refused_unrun(owner, folder, word):
    write(folder, 3, "third", f"CREATE TABLE runtime.c (x int);\n{word};\nSELECT 1/0;\n")
    with pytest.raises(MigrationFailed) as caught:
        migrate(owner, folder=folder)
    assert (caught.value.parameters["line"], caught.value.parameters["detail"]) == (2, f"{word};")
    assert ask(owner, "SELECT to_regclass('runtime.c')") is None


def test_function_bodies_may_begin_and_end(owner, folder):
    body = "CREATE FUNCTION runtime.f() RETURNS int LANGUAGE plpgsql AS $f$\nBEGIN\n  BEGIN\n"
    body += "    RETURN 1;\n  END;\nEND;\n$f$;\nSELECT CASE WHEN true THEN 1\nEND;\n"
    write(folder, 3, "third", body)
    assert numbers(migrate(owner, folder=folder)) == [1, 2, 3]
    assert ask(owner, "SELECT runtime.f()") == 1


def test_percent_signs_and_quotes_are_taken_as_they_are(owner, folder):
    write(folder, 3, "third", "CREATE TABLE runtime.c AS SELECT '100 %s %% $1 ''x''' AS t;")
    migrate(owner, folder=folder)
    assert ask(owner, "SELECT t FROM runtime.c") == "100 %s %% $1 'x'"


def test_an_applied_file_that_was_changed_is_named(owner, folder):
    migrate(owner, folder=folder)
    write(folder, 1, "first", "SELECT 1;")
    for act in (migrate, status):
        with pytest.raises(MigrationChanged) as caught:
            act(owner, folder=folder)
        assert caught.value.parameters["file"] == "0001_first.sql"


def test_a_database_that_is_newer_than_the_code_is_named(owner, folder):
    migrate(owner, folder=folder)
    (folder / "0002_second.sql").unlink()
    for act in (migrate, status):
        with pytest.raises(DatabaseNewer) as caught:
            act(owner, folder=folder)
        assert caught.value.parameters["file"] == "0002_second.sql"
        assert caught.value.parameters["version"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("0004_gap.sql", "0003"), ("0002_twice.sql", "0003"), ("3_short.sql", "0003"),
     ("0003_Upper.sql", "0003"), ("0003-dash.sql", "0003"), ("x.sql", "0003")],
)  # fmt: skip
def test_gaps_doubles_and_odd_names_are_refused_before_anything_runs(owner, folder, name, expected):
    (folder / name).write_text("SELECT 1;")
    with pytest.raises(BadMigrationFiles) as caught:
        migrate(owner, folder=folder)
    assert caught.value.parameters["expected"] == expected
    assert ask(owner, "SELECT to_regnamespace('runtime')") is None


def test_unreadable_files_are_refused(owner, tmp_path):
    with pytest.raises(BadMigrationFiles):
        migrate(owner, folder=tmp_path / "none")
    (tmp_path / "0001_bytes.sql").write_bytes(b"\xff\xfe")
    with pytest.raises(BadMigrationFiles):
        migrate(owner, folder=tmp_path)


def test_two_migrators_at_once_do_the_work_once(owner, folder):
    write(folder, 3, "slow", "SELECT pg_sleep(0.3); CREATE TABLE runtime.c (x int);")
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(migrate(owner, folder=folder)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(numbers, results)) == [[], [], [1, 2, 3]]


def test_waiting_for_another_migrator_has_an_end(owner, folder):
    write(folder, 3, "slow", "SELECT pg_sleep(2);")
    thread = threading.Thread(target=lambda: migrate(owner, folder=folder))
    thread.start()
    while not numbers_applied(owner):
        time.sleep(0.01)
    with pytest.raises(MigratorBusy):
        migrate(owner, folder=folder, lock_seconds=0.1)
    thread.join()
    assert migrate(owner, folder=folder) == ()


def numbers_applied(owner):
    with psycopg.connect(owner) as session:
        if session.execute("SELECT to_regclass('runtime.migration')").fetchone()[0] is None:
            return []
        return session.execute("SELECT number FROM runtime.migration").fetchall()


def test_a_file_waits_four_seconds_for_a_table_unless_it_asks_for_another_time(owner, folder):
    migrate(owner, folder=folder)
    write(folder, 3, "third", "-- Adds z.\n-- lock_timeout: 50ms\nALTER TABLE runtime.a ADD z int;")
    with psycopg.connect(owner) as holder:
        holder.execute("LOCK runtime.a")
        with pytest.raises(MigrationFailed) as caught:
            migrate(owner, folder=folder)
    assert "lock timeout" in caught.value.parameters["detail"]
    assert numbers(migrate(owner, folder=folder)) == [3]


def test_limits_are_those_of_the_house_unless_the_header_says_otherwise(owner, folder):
    query = "CREATE TABLE runtime.{} AS SELECT current_setting('statement_timeout') AS s,"
    query += " current_setting('lock_timeout') AS l;"
    write(folder, 3, "usual", query.format("usual"))
    write(folder, 4, "longer", "-- statement_timeout: 10min\n" + query.format("longer"))
    write(folder, 5, "late", query.format("late") + "\n-- statement_timeout: 10min\n")
    migrate(owner, folder=folder)
    assert ask(owner, "SELECT s || l FROM runtime.usual") == "1min4s"
    assert ask(owner, "SELECT s || l FROM runtime.longer") == "10min4s"
    assert ask(owner, "SELECT s || l FROM runtime.late") == "1min4s"


def test_an_unreachable_database_is_a_refusal(folder):
    for act in (migrate, status):
        with pytest.raises(MigrationDatabaseUnavailable):
            act("host=127.0.0.1 port=1 user=u dbname=d", folder=folder)


def test_the_application_may_look_but_not_migrate(server, folder):
    with pytest.raises(MigrationDatabaseUnavailable):
        migrate(server.app_conninfo, folder=folder)


@pytest.mark.crash
def test_a_migrator_killed_in_the_middle_leaves_whole_files_only(owner, folder):
    text = "CREATE TABLE runtime.c (x int); SELECT pg_sleep(600);"
    write(folder, 3, "third", text)
    script = "import sys; from pathlib import Path; from lingqu.runtime.migrate import migrate;"
    script += "migrate(sys.argv[1], folder=Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", script, owner, str(folder)])
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    while not ask(owner, sleeping):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    write(folder, 3, "third", "CREATE TABLE runtime.c (x int);")
    before = time.monotonic()
    assert numbers(migrate(owner, folder=folder)) == [3]
    assert time.monotonic() - before < 300
