# SPDX-License-Identifier: Apache-2.0
"""The engine's own reading of a text, and its list of what could be called."""

import contextlib
import json

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import functions, parse, version


def reason(text):
    with pytest.raises(LingquError) as caught:
        parse(text)
    assert caught.value.code == "runtime.engine.not_one_query"
    return caught.value.parameters["reason"]


def test_tables_columns_and_functions_are_found_wherever_they_stand():
    found = parse(
        "WITH z AS (SELECT y FROM inner_cte) SELECT a.b, sum(c) FILTER (WHERE x > 1), lag(q) OVER"
        " (PARTITION BY p ORDER BY o) FROM s.t AS a JOIN (SELECT * FROM u) v USING (k),"
        " read_csv('f') r WHERE d IN (SELECT e FROM w) GROUP BY ALL HAVING max(g) > 1"
        " UNION SELECT f(h) FROM last ORDER BY upper(i)"
    )
    assert set(found.tables) == {"inner_cte", "s.t", "u", "w", "last"}
    assert {"a.b", "c", "x", "q", "p", "o", "d", "e", "g", "h", "i", "y"} <= set(found.columns)
    assert {"sum", "lag", "max", "f", "upper", "read_csv"} <= set(found.functions)
    assert found.table_functions == ("read_csv",)
    assert "SUBQUERY" in found.expressions
    assert json.dumps(found.tree)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT 1", ()),
        ("FROM t", ("t",)),
        ("TABLE t", ("t",)),
        ("SELECT * FROM '/etc/passwd'", ("/etc/passwd",)),
        ('SELECT * FROM "T"', ("T",)),
        ("SELECT 1 -- ; SELECT 2", ()),
        ("SELECT /* ; */ ';' FROM t", ("t",)),
        ("SELECT 1;", ()),
        ("VALUES (1)", ()),
        ("SELECT 列 FROM 表", ("表",)),
        ("WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT * FROM r) FROM r", ("r",)),
    ],
)
def test_one_select_is_read(text, tables):
    assert parse(text).tables == tables


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; SELECT 2", "DESCRIBE t", "SUMMARIZE t", "SHOW TABLES", "SHOW t",
        "SELECT * FROM (DESCRIBE t)", "SELECT * FROM (SUMMARIZE t)", "SELECT * FROM (SHOW TABLES)",
        "PIVOT t ON a USING sum(b)", "SELECT * FROM (PIVOT t ON a USING sum(b))", "SELEC 1", "",
        "WITH a AS (SELECT 1) DELETE FROM t", "DROP TABLE t", "COPY t TO 'x'", "ATTACH 'x'",
        "SET threads=1", "PRAGMA version", "CALL f()", "LOAD x", "CHECKPOINT",
        "BEGIN", "INSERT INTO t VALUES (1)",
        "EXPLAIN SELECT 1", "CREATE TABLE t (a INT)", "PREPARE p AS SELECT 1", "EXECUTE p",
        "VACUUM", ";",
        "SELECT '\0'", "SELECT \ud800",
    ],
)  # fmt: skip
def test_anything_but_one_select_is_refused(text):
    reason(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000 + "SELECT 1" + ")" * 100_000,
        "SELECT " + "(" * 1000 + "1" + ")" * 1000,
        "SELECT " + "1+" * 50_000 + "1",
        "SELECT " + "NOT " * 60_000 + "true",
        "SELECT " + "CASE WHEN true THEN " * 3000 + "1" + " END" * 3000,
        "SELECT 1 " + "UNION SELECT 1 " * 10_000,
        "SELECT " + "[" * 5000 + "]" * 5000,
        "SELECT '" + "x" * 300_000 + "'",
    ],
    ids=range(8),
)
def test_bombs_are_refused_or_read_and_never_harm(text):
    with contextlib.suppress(LingquError):
        parse(text)
    assert parse("SELECT 1").tables == ()


def test_a_refusal_repeats_nothing_of_the_text():
    with pytest.raises(LingquError) as caught:
        parse("SELECT 'secret-4501' FROM")
    assert "4501" not in repr(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse(text)
    except LingquError:
        return
    assert isinstance(found.tree, dict)


def test_nothing_is_run_by_reading(tmp_path):
    place = tmp_path / "made.csv"
    reason(f"COPY (SELECT 1) TO '{place}'")
    parse(f"SELECT * FROM read_csv('{place}')")
    assert not place.exists()


def test_the_catalog_of_functions_is_whole_and_says_what_has_effects():
    found = functions()
    named = {}
    for one in found:
        named.setdefault(one.name, []).append(one)
    direct = duckdb.sql("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    assert set(named) == {row[0] for row in direct}
    assert {one.kind for one in named["sum"]} == {"aggregate"}
    assert {one.kind for one in named["read_csv"]} == {"table"}
    assert all(one.stability == "VOLATILE" for one in named["random"])
    assert any(one.has_side_effects for one in named["nextval"])
    assert ("DOUBLE",) in {one.arguments for one in named["sqrt"]}
    assert version() == duckdb.__version__
