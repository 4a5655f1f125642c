# SPDX-License-Identifier: Apache-2.0
"""Statements of the corpus sent straight to a worker, past every decision: nothing comes out."""

import hashlib
import os
import tempfile
from pathlib import Path

import duckdb
import pytest
from test_query_corpus import FILES, statements

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import Column, Engine, Job, Limits, SourceFile, SourceTable

CANARY = "CANARY-45010019900101"
PERMITTED = (
    Column(name="city", type="INTEGER"),
    Column(name="mon", type="INTEGER"),
    Column(name="sal", type="DECIMAL(12,2)"),
)
EVERY = 1 if os.environ.get("FULL_MATRIX") else 16
LIMITS = Limits(time_ms=1_500, memory_bytes=96 << 20, rows=2_000, threads=1)
SETTINGS = "SELECT name, value FROM duckdb_settings() WHERE name <> 'allowed_paths' ORDER BY ALL"
TRAPS = ("lingqu_trap", "lingqu_trap.csv", "lingqu_trap.db")
"""What statements of the corpus would write beside everything else."""


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="lqw") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def source(folder):
    """A file in which the columns that are not permitted hold nothing but canaries."""
    path = folder / "whole.parquet"
    duckdb.sql(
        f"COPY (SELECT '{CANARY}' || range AS pid, (range % 4)::INTEGER AS city,"
        f" (range % 5)::INTEGER AS mon, '{CANARY}' || range AS name,"
        f" range::DECIMAL(12, 2) AS sal FROM range(500)) TO '{path}'"
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return SourceTable(name="t", columns=PERMITTED, files=(SourceFile(path=path, digest=digest),))


@pytest.fixture(scope="module")
def engine(folder):
    with Engine(folder=folder / "copies", workers=2, spares=2) as made:
        yield made


def run(engine, source, sql):
    """What a worker answers, as text; a refusal is an answer too."""
    try:
        return str(engine.query(Job(sql=sql, tables=(source,), limits=LIMITS)).rows)
    except LingquError as refusal:
        return str(refusal)


def files_of(folder):
    """Every file below a folder with what it holds."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_hostile_statements_take_nothing_out_and_leave_nothing_behind(engine, source, folder):
    every = [text for path in FILES for _, text, *_ in statements(path) if "\0" not in text]
    chosen = [text for text in every[::EVERY] if 0 < len(text) < 20_000]
    settings = run(engine, source, SETTINGS)
    before = files_of(folder)
    for text in chosen:
        assert CANARY not in run(engine, source, text), text
    assert run(engine, source, SETTINGS) == settings
    assert files_of(folder) == before
    assert not any((Path("/") / name).exists() for name in TRAPS)
    assert run(engine, source, "SELECT sum(sal) FROM t") == "((Decimal('124750.00'),),)"
