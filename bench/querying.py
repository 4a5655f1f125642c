# SPDX-License-Identifier: Apache-2.0
"""Benches of governed queries: thresholds against exact counting, cubes and ad hoc against DuckDB.

`LINGQU_BENCH_ROWS` sets how many rows there are, twenty million unless given.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb

from analysis import folder
from lingqu.gate import answers
from lingqu.gate.answers.copies import make_copy
from lingqu.gate.answers.cube import CubeMaker
from lingqu.gate.answers.telling import Overlap, Sets, find_sets
from lingqu.gate.governance import (
    GovernedColumn,
    GovernedTable,
    Grid,
    GridKind,
    Measure,
    Mode,
    QueryPolicy,
    Role,
)
from lingqu.gate.queries import ALWAYS, Query
from lingqu.gate.sql import Asked, find_refusal, read
from lingqu.runtime.engine import Column, Engine, Job, Limits, SourceFile
from lingqu.runtime.engine.projections import digest_of
from measured import Figure, Pair, Reading

ROWS = int(os.environ.get("LINGQU_BENCH_ROWS", "20000000"))
MADE = (
    "SELECT CAST(hash(range) % {people} AS BIGINT) AS person,"
    " 'c' || CAST(hash(range * 7 + 1) % 20 AS VARCHAR) AS city,"
    " 'k' || CAST(hash(range * 5 + 2) % 4 AS VARCHAR) AS kind,"
    " DATE '2024-01-01' + CAST(hash(range * 3) % 730 AS INTEGER) AS day,"
    " CAST(hash(range * 11) % 100000 AS DECIMAL(12,2)) / 4 AS amount FROM range({rows})"
)
QUESTIONS = (
    "SELECT count(*) AS n FROM t",
    "SELECT sum(amount) AS s FROM t",
    "SELECT city, count(*) AS n FROM t GROUP BY city",
    "SELECT city, sum(amount) AS s FROM t GROUP BY city",
    "SELECT city, avg(amount) AS s FROM t GROUP BY city",
    "SELECT date_trunc('month', day) AS m, count(*) AS n, sum(amount) AS s FROM t GROUP BY m",
    "SELECT city, date_trunc('month', day) AS m, sum(amount) AS s FROM t GROUP BY city, m",
    "SELECT kind, city, count(*) AS n, sum(amount) AS s FROM t GROUP BY kind, city",
    "SELECT kind, sum(amount) AS s FROM t WHERE day >= DATE '2024-07-01' GROUP BY kind",
    "SELECT city, sum(amount) AS s FROM t WHERE kind IN ('k0', 'k1') GROUP BY city",
    "SELECT kind, count(CASE WHEN city = 'c1' THEN 1 END) AS n, count(*) AS a FROM t GROUP BY kind",
    "SELECT city, kind, date_trunc('month', day) AS m, count(*) AS n FROM t GROUP BY city, kind, m",
)
THRESHOLD = 11


def bench_queries(rounds: int) -> Reading:
    """Ad hoc and cube answers beside raw DuckDB, and the proof of thresholds beside counting."""
    with folder() as place, Engine(folder=place / "engine", spares=2) as engine:
        world = _World(place, engine)
        pairs = [
            world.ad_hoc(rounds),
            world.slowest(rounds),
            world.gate(rounds),
            world.cubes(rounds),
        ]
        fixed = world.fixed(rounds)
    return Reading(
        title="Governed queries",
        method=f"{len(QUESTIONS)} questions over {ROWS:,} rows of {ROWS // 10:,} entities on a grid"
        f" of 1,920 cells, threshold {THRESHOLD}, p% rule 10; both sides with two threads over"
        " Parquet. Ad hoc is everything from text to released answer with a worker of its own; the"
        " baseline is the same question to DuckDB in process, which sees every row.",
        pairs=pairs,
        figures=(
            Figure(name="everything but the engine, a question", unit="ms", values=fixed, bar=3),
        ),
    )


class _World:
    """One table with its governed copy and its cube."""

    def __init__(self, place: Path, engine: Engine) -> None:
        self._engine, self._place = engine, place
        self._file = place / "t.parquet"
        people = max(1000, ROWS // 10)
        duckdb.sql(f"COPY ({MADE.format(rows=ROWS, people=people)}) TO '{self._file}'")
        column, exact = GovernedColumn, Grid(kind=GridKind.EXACT)
        measure = Measure(scale=2, lower=0, upper=2_500_000)
        self.table = GovernedTable(
            name="t",
            resource="res",
            entity="person",
            threshold=THRESHOLD,
            columns=(
                column(name="person", role=Role.KEY, type="BIGINT"),
                column(name="city", role=Role.DIMENSION, type="VARCHAR", grid=exact),
                column(name="kind", role=Role.DIMENSION, type="VARCHAR", grid=exact),
                column(
                    name="day", role=Role.DIMENSION, type="DATE", grid=Grid(kind=GridKind.MONTH)
                ),
                column(name="amount", role=Role.MEASURE, type="DECIMAL(12,2)", measure=measure),
            ),
        )
        self.policy = QueryPolicy(tables=(self.table,), modes=(Mode.CUBE, Mode.AD_HOC))
        source = SourceFile(path=self._file, digest=digest_of(self._file))
        columns = tuple(Column(name=one.name, type=one.type) for one in self.table.columns)
        self._copy = make_copy(
            place, self.table, source=(source,), columns=columns, key=b"k" * 32, version=1
        )
        maker = CubeMaker(self.table, percent=self.policy.dominance, ask=self._ask)
        self.cube = answers.OpenCube(maker.make(1, None), self.table)
        for text in QUESTIONS:
            self.governed(text)

    def _source(self, name: str = "") -> object:
        return answers.as_source(self._place, self.table, self._copy, name=name)

    def _ask(self, sql: str, versions: Mapping[str, int]) -> object:
        sources = tuple(self._source(name) for name in versions)
        limits = Limits(rows=10_000_000, time_ms=600_000, answer_bytes=1 << 32)
        for part in self._engine.stream(Job(sql=sql, tables=sources, limits=limits)):
            yield from part.rows

    def understand(self, text: str) -> tuple[Query, Sets]:
        query = read(text, self.policy)
        assert find_refusal(Asked(query=query, policy=self.policy, mode=Mode.AD_HOC)) is None
        sets = find_sets(query, self.cube)
        Overlap(self.cube, 1).judge(sets)
        return query, sets

    def governed(self, text: str) -> object:
        query, sets = self.understand(text)
        statement = self._statement(query)
        job = Job(sql=statement.sql, values=statement.values, tables=(self._source(),))
        return self._release(query, sets, statement.read(self._engine.query(job).rows))

    def _statement(self, query: Query) -> object:
        rules = answers.protections(query, self.policy)
        proven = answers.find_proven(query)
        return answers.print_certified(query, self.policy, rules, proven=proven)

    def _release(self, query: Query, sets: Sets, lines: object) -> object:
        admitted = answers.Admitted(
            sets=sets, kept_back=frozenset(), whole=1, is_whole=True, judged=0, is_new=False
        )
        told = answers.release(
            lines,
            rules=answers.protections(query, self.policy),
            may_merge=answers.is_additive(query),
            is_filtered=query.filter != ALWAYS,
        )
        rounding = answers.Rounding(key=b"k" * 32, policy=self.policy, admitted=admitted)
        rounded = rounding.rounded(query, told)
        return answers.write_answer(query, self.policy, Mode.AD_HOC, rounded)

    def raw(self, text: str) -> object:
        with duckdb.connect(":memory:", config={"threads": 2}) as engine:
            engine.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{self._file}')")
            return engine.execute(text).fetchall()

    def _ratios(self, rounds: int) -> list[list[tuple[float, float]]]:
        """Milliseconds of both sides, by round and question."""
        return [
            [(_timed(lambda t=text: self.governed(t)), _timed(lambda t=text: self.raw(t)))
             for text in QUESTIONS]
            for _ in range(rounds)
        ]  # fmt: skip

    def ad_hoc(self, rounds: int) -> Pair:
        self._both = self._ratios(rounds)
        return Pair(
            name=f"an ad hoc answer, the middle of {len(QUESTIONS)} questions",
            unit="ms",
            ours=tuple(_middle(one)[0] for one in self._both),
            baseline=tuple(_middle(one)[1] for one in self._both),
            against="raw DuckDB, the same question",
            bar=0.5,
            less_is_better=True,
        )

    def slowest(self, rounds: int) -> Pair:
        worst = [max(one, key=lambda both: both[0] / both[1]) for one in self._both[:rounds]]
        return Pair(
            name="an ad hoc answer, the question with the worst ratio",
            unit="ms",
            ours=tuple(ours for ours, _ in worst),
            baseline=tuple(raw for _, raw in worst),
            against="raw DuckDB, the same question",
            bar=0.25,
            less_is_better=True,
        )

    def gate(self, rounds: int) -> Pair:
        """The certified statement and exact counting, both in process over the same copy."""
        query, _ = self.understand(QUESTIONS[6])
        statement = self._statement(query)
        exact = (
            "SELECT city, lingqu_d_day, sum(lingqu_u_amount), count(DISTINCT person) AS k FROM t"
            f" GROUP BY city, lingqu_d_day HAVING k >= {THRESHOLD}"
        )
        file = self._place / self._copy[0][0]
        ours, baseline = [], []
        with duckdb.connect(":memory:", config={"threads": 2}) as engine:
            engine.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{file}')")
            values = list(statement.values)
            for _ in range(rounds):
                ours.append(_timed(lambda: engine.execute(statement.sql, values).fetchall()))
                baseline.append(_timed(lambda: engine.execute(exact).fetchall()))
        return Pair(
            name="thresholds of 480 groups, proven by entity bytes",
            unit="ms",
            ours=tuple(ours),
            baseline=tuple(baseline),
            against="the same with an exact COUNT(DISTINCT)",
            bar=10,
            less_is_better=True,
        )

    def cubes(self, rounds: int) -> Pair:
        text = QUESTIONS[7]

        def cube() -> object:
            query = read(text, self.policy)
            return answers.write_answer(query, self.policy, Mode.CUBE, self.cube.answer(query))

        cube()
        return Pair(
            name="an answer from the published cube",
            unit="ms",
            ours=tuple(_timed(cube) for _ in range(rounds)),
            baseline=tuple(_timed(lambda: self.raw(text)) for _ in range(rounds)),
            against="raw DuckDB, the same question",
            bar=30,
            less_is_better=True,
        )

    def fixed(self, rounds: int) -> tuple[float, ...]:
        """Reading, deciding, overlap, printing and release of one question, without the engine."""
        text = QUESTIONS[3]
        query, _ = self.understand(text)
        statement = self._statement(query)
        job = Job(sql=statement.sql, values=statement.values, tables=(self._source(),))
        rows = self._engine.query(job).rows

        def all_but_engine() -> object:
            asked, sets = self.understand(text)
            return self._release(asked, sets, self._statement(asked).read(rows))

        return tuple(_timed(all_but_engine) for _ in range(rounds))


def _middle(both: list[tuple[float, float]]) -> tuple[float, float]:
    """The question whose ratio is the median one."""
    ratios = sorted(both, key=lambda one: one[0] / one[1])
    return ratios[len(ratios) // 2]


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)
