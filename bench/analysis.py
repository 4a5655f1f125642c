# SPDX-License-Identifier: Apache-2.0
"""Benches of the engine: what a confined worker costs, and a strict load against a bare COPY."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import (
    Cancel,
    Column,
    Engine,
    Job,
    SourceTable,
    create_table,
    find_files,
    stage_csv,
)
from lingqu.runtime.engine.jobs import SourceFile
from lingqu.runtime.engine.projections import digest_of
from measured import Figure, Pair, Reading

ROWS = 2_000_000
DIRTY_EVERY = 1000
TINY = Job(sql="SELECT 42")
QUESTION = "SELECT city, count(*) AS n, sum(amount) AS s FROM t GROUP BY city ORDER BY city"
ENDLESS = Job(
    sql="SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range < b.range"
)
COLUMNS = (
    Column(name="id", type="BIGINT"),
    Column(name="city", type="VARCHAR"),
    Column(name="amount", type="DECIMAL(12,2)"),
    Column(name="on_day", type="DATE"),
    Column(name="note", type="VARCHAR"),
)
MADE = (
    "SELECT range AS id, 'city' || mod(range, 100) AS city,"
    " CAST(mod(range, 100000) AS DECIMAL(12,2)) / 4 AS amount,"
    " DATE '2020-01-01' + CAST(mod(range, 1500) AS INTEGER) AS on_day,"
    " 'note ' || md5(CAST(range AS VARCHAR)) AS note FROM range({rows})"
)


def bench_worker(rounds: int) -> Reading:
    """A query in a confined worker: with a spare, without, and beside DuckDB in process."""
    with folder() as place:
        file = place / "t.parquet"
        duckdb.sql(f"COPY ({MADE.format(rows=ROWS)}) TO '{file}'")
        source = SourceFile(path=file, digest=digest_of(file))
        table = SourceTable(name="t", columns=COLUMNS[:4], files=(source,))
        job = Job(sql=QUESTION, tables=(table,))
        with (
            Engine(folder=place / "spare", spares=1) as engine,
            Engine(folder=place / "cold", spares=0) as cold,
        ):
            copied = 1000 * timed(lambda: engine.query(job))
            spare, fork, governed, raw, freed = [], [], [], [], []
            for _ in range(rounds):
                spare.append(settled(lambda: engine.query(TINY)))
                fork.append(settled(lambda: cold.query(TINY)))
                governed.append(settled(lambda: engine.query(job)))
                raw.append(settled(lambda: in_process(file)))
                freed.append(cancelled(engine))
    return Reading(
        title="A query in a confined worker",
        method=f"`SELECT 42`, and an aggregate over {ROWS:,} rows of which four of five columns are"
        " permitted, two threads each. The worker is another account with an empty root, made for"
        " one query and then killed; each side rests for a moment before it is measured.",
        pairs=(
            Pair(
                name="a query without data, spare standing ready",
                unit="ms",
                ours=tuple(spare),
                baseline=tuple(fork),
                against="the same, worker forked when it is needed",
                less_is_better=True,
            ),
            Pair(
                name=f"an aggregate over {ROWS:,} rows",
                unit="ms",
                ours=tuple(governed),
                baseline=tuple(raw),
                against="DuckDB in process over the whole file, engine started anew",
                less_is_better=True,
                bar=0.5,
            ),
        ),
        figures=(
            Figure(name="from cancelling to the caller being free", unit="ms", values=tuple(freed),
                   bar=100),
            Figure(name="the first use of a file's permitted columns", unit="ms", values=(copied,)),
        ),
    )  # fmt: skip


def settled(act: Callable[[], object]) -> float:
    """The milliseconds of an act, after the spare of the one before has been forked."""
    time.sleep(0.15)
    return 1000 * timed(act)


def in_process(file: Path) -> None:
    with duckdb.connect(":memory:", config={"threads": 2}) as engine:
        engine.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{file}')")
        engine.execute(QUESTION).fetchall()


def cancelled(engine: Engine) -> float:
    """The milliseconds from a cancel to the moment at which its caller goes on."""
    handle, began = Cancel(), 0.0

    def cancel() -> None:
        nonlocal began
        began = time.perf_counter()
        handle.cancel()

    timer = threading.Timer(0.3, cancel)
    timer.start()
    with suppress(LingquError):
        engine.query(ENDLESS, cancel=handle)
    return 1000 * (time.perf_counter() - began)


def bench_load(rounds: int) -> Reading:
    """A strict load into a Delta table, clean and dirty, against a bare COPY to Parquet."""
    clean, dirty, entry = [], [], []
    bare: list[float] = []
    with folder() as place:
        good, bad = place / "good.csv", place / "bad.csv"
        duckdb.sql(f"COPY ({MADE.format(rows=ROWS)}) TO '{good}' (HEADER, QUOTE '\"')")
        broken = f"SELECT * REPLACE (CASE WHEN mod(id, {DIRTY_EVERY}) = 7 THEN 'x' ELSE"
        broken += f" CAST(amount AS VARCHAR) END AS amount) FROM ({MADE.format(rows=ROWS)})"
        duckdb.sql(f"COPY ({broken}) TO '{bad}' (HEADER)")
        for number in range(rounds):
            tables = (place / f"clean-{number}", place / f"dirty-{number}")
            bare.append(ROWS / timed(bare_copy, good, place / f"bare-{number}.parquet"))
            clean.append(ROWS / timed(load, tables[0], good, entry))
            dirty.append(ROWS / timed(load, tables[1], bad, []))
        size = good.stat().st_size
    return Reading(
        title="Loading",
        method=f"A CSV of {ROWS:,} rows and five columns, {size // 1_000_000} MB; in the dirty one"
        f" every {DIRTY_EVERY:,}th record has a value of another type. A load checks every value to"
        " be exactly of its type, counts records a second time, hashes the delivery and the file,"
        " and commits durably; COPY does none of this.",
        pairs=(
            Pair(name="a clean delivery", unit="rows/s", ours=tuple(clean), baseline=tuple(bare),
                 against="DuckDB's COPY of the typed CSV to zstd Parquet", bar=0.93),
            Pair(name="a dirty delivery", unit="rows/s", ours=tuple(dirty), baseline=tuple(bare),
                 against="the same COPY of the clean one", bar=0.7),
        ),
        figures=(
            Figure(name="the commit alone, durable", unit="ms", values=tuple(entry)),
        ),
    )  # fmt: skip


def bare_copy(delivery: Path, place: Path) -> None:
    kinds = ", ".join(f"'{column.name}': '{column.type}'" for column in COLUMNS)
    with duckdb.connect(":memory:") as engine:
        engine.execute(
            f"COPY (SELECT * FROM read_csv('{delivery}', auto_detect=false, header=true,"
            f" quote='\"', columns={{{kinds}}})) TO '{place}' (FORMAT parquet, COMPRESSION zstd)"
        )


def load(table: Path, delivery: Path, commits: list[float]) -> None:
    create_table(table, columns=COLUMNS)
    with stage_csv(table, delivery=delivery, columns=COLUMNS) as staged:
        commits.append(1000 * timed(lambda: staged.commit(load="load")))
    assert sum(file.rows for file in find_files(table)) == ROWS - len(staged.rejects)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="lingqu-bench-"))
    try:
        yield place
    finally:
        shutil.rmtree(place)


def timed(act: Callable[..., object], *given: object) -> float:
    """The seconds an act takes."""
    began = time.perf_counter()
    act(*given)
    return time.perf_counter() - began
