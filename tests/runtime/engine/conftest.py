# SPDX-License-Identifier: Apache-2.0
"""An engine, a table file with columns to hide, and the folder they lie in."""

import hashlib
import tempfile
from pathlib import Path

import duckdb
import pytest

from lingqu.runtime.engine import Column, Engine, Job, Limits, SourceFile, SourceTable

COLUMNS = (
    Column(name="编号", type="BIGINT"),
    Column(name="城市", type="VARCHAR"),
    Column(name="额", type="DECIMAL(10,2)"),
    Column(name="日", type="DATE"),
    Column(name="时刻", type="INSTANT"),
)
CANARY = "CANARY-45010019900101"
ROWS = 5000


def declare(path, *, name="t", columns=COLUMNS):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return SourceTable(name=name, columns=columns, files=(SourceFile(path=path, digest=digest),))


@pytest.fixture(scope="session")
def folder():
    with tempfile.TemporaryDirectory(prefix="lqe") as made:
        yield Path(made)


@pytest.fixture(scope="session")
def whole_file(folder):
    """A file with a column that no job here may see; every cell of it is a canary."""
    path = folder / "whole.parquet"
    duckdb.sql(
        f"COPY (SELECT range AS 编号, '市' || mod(range, 7) AS 城市,"
        f" CAST(mod(range, 100) AS DECIMAL(10,2)) AS 额, DATE '2024-01-01' AS 日,"
        f" TIMESTAMPTZ '2024-01-01 08:00:00+08' AS 时刻, '{CANARY}' || range AS 身份证"
        f" FROM range({ROWS})) TO '{path}'"
    )
    return path


@pytest.fixture(scope="session")
def table(whole_file):
    return declare(whole_file)


@pytest.fixture(scope="session")
def engine(folder):
    with Engine(folder=folder / "copies", workers=3, spares=1) as made:
        yield made


@pytest.fixture
def ask(engine, table):
    """Answer SQL over the table, as rows."""

    def answer(sql, *values, **options):
        limits = Limits(**{"memory_bytes": 256 << 20, "time_ms": 20_000, **options})
        return engine.query(Job(sql=sql, values=values, tables=(table,), limits=limits)).rows

    return answer
