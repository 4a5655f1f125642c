# SPDX-License-Identifier: Apache-2.0
"""Benches of governed queries: thresholds against exact counting, cubes and ad hoc against DuckDB.

`LINGQU_BENCH_ROWS` sets how many rows there are, twenty million unless given. They are made once
and kept for the next run in a folder of the system's for temporary files, or in that which
`LINGQU_BENCH_KEPT` names; twenty million rows take about 1.5 GB of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb

from asking import whole_way
from lingqu.gate import answers, datasets
from lingqu.gate.answers.telling import Overlap, find_sets
from lingqu.gate.datasets.copies import copy_columns, make_copy
from lingqu.gate.datasets.cube import CubeMaker, read_cube
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
from lingqu.gate.queries import ALWAYS, Query, write_node
from lingqu.gate.sql import Asked, find_refusal, read
from lingqu.runtime.engine import Column, Engine, Job, Limits, SourceFile, SourceTable
from lingqu.runtime.engine.projections import digest_of
from measured import Figure, Pair, Reading

ROWS = int(os.environ.get("LINGQU_BENCH_ROWS", "20000000"))
KEPT = Path(os.environ.get("LINGQU_BENCH_KEPT") or tempfile.gettempdir())
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
THREADS = 2


def bench_queries(rounds: int) -> Reading:
    """Ad hoc and cube answers beside raw DuckDB, and the proof of thresholds beside counting."""
    with ExitStack() as open_:
        world = _World(open_)
        pairs = [
            *world.ad_hoc(rounds),
            world.gate(rounds),
            world.cubes(rounds),
        ]
        fixed = world.fixed(rounds)
    known, new, commits = whole_way(rounds)
    told = "the gate's part of a cube question through PostgreSQL and metering, without the commit"
    return Reading(
        title="Governed queries",
        method=f"{len(QUESTIONS)} questions over {ROWS:,} rows of {ROWS // 10:,} entities on a grid"
        f" of 1,920 cells, threshold {THRESHOLD}, p% rule 10; both sides with {THREADS} threads"
        " over Parquet with the same compression. The baseline is the same question to DuckDB in"
        " process, opened before, over a file of just the five permitted columns. Ad hoc is"
        " everything from text to released answer, without PostgreSQL. All of these questions are"
        " about whole blocks, so that the gate answers them from the published cube; 'made of the"
        " rows' is what it takes where that cannot be, with a worker of its own for each. The"
        " gate's part is measured on an installation with 20,000 rows, everything included but"
        " what a durable commit of one row takes.",
        pairs=pairs,
        figures=(
            Figure(name="reading, deciding, overlap and release of a text never read, in process",
                   unit="ms", values=fixed, bar=3),
            Figure(name=f"{told}, text known", unit="ms", values=known, bar=3),
            Figure(name=f"{told}, text never read", unit="ms", values=new, bar=3),
            Figure(name="the durable commit beside it", unit="ms", values=commits),
        ),
    )  # fmt: skip


def governed_table() -> GovernedTable:
    """The table as its policy has it."""
    column, exact = GovernedColumn, Grid(kind=GridKind.EXACT)
    measure = Measure(scale=2, lower=0, upper=2_500_000)
    return GovernedTable(
        name="t",
        resource="res",
        entity="person",
        threshold=THRESHOLD,
        columns=(
            column(name="person", role=Role.KEY, type="BIGINT"),
            column(name="city", role=Role.DIMENSION, type="VARCHAR", grid=exact),
            column(name="kind", role=Role.DIMENSION, type="VARCHAR", grid=exact),
            column(name="day", role=Role.DIMENSION, type="DATE", grid=Grid(kind=GridKind.MONTH)),
            column(name="amount", role=Role.MEASURE, type="DECIMAL(12,2)", measure=measure),
        ),
    )


class _World:
    """One table with its governed copy and its cube; what is made of it is kept for later runs."""

    def __init__(self, open_: ExitStack) -> None:
        self.table = governed_table()
        self.policy = QueryPolicy(tables=(self.table,), modes=(Mode.CUBE, Mode.AD_HOC))
        told = MADE + write_node(self.table) + repr(copy_columns(self.table))
        shape = hashlib.sha256(told.encode()).hexdigest()[:12]
        self._place = KEPT / f"lingqu-bench-queries-{ROWS}-{shape}"
        self._file, about = self._place / "raw.parquet", self._place / "about.json"
        if not about.exists():
            shutil.rmtree(self._place, ignore_errors=True)
            self._place.mkdir(parents=True, mode=0o755)
        self._engine = open_.enter_context(
            Engine(folder=self._place / "engine", spares=2, cache_bytes=1 << 36)
        )
        if not about.exists():
            self._make(about)
        kept = json.loads(about.read_text())
        self._copy = tuple(map(tuple, kept["copy"]))
        self.cube = datasets.OpenCube(read_cube(kept["cube"]), self.table)
        self._raw = open_.enter_context(duckdb.connect(":memory:", config={"threads": THREADS}))
        self._raw.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{self._file}')")
        for text in QUESTIONS:
            self.from_rows(text)
            self.raw(text)

    def _make(self, about: Path) -> None:
        """Make the rows, the copy and the cube, and then the note that all of it is there."""
        people = max(1000, ROWS // 10)
        form = "FORMAT parquet, COMPRESSION lz4_raw"
        made = MADE.format(rows=ROWS, people=people)
        with duckdb.connect(":memory:") as engine:
            engine.execute(f"COPY ({made}) TO '{self._file}' ({form})")
        source = SourceFile(path=self._file, digest=digest_of(self._file))
        columns = tuple(Column(name=one.name, type=one.type) for one in self.table.columns)
        self._copy = make_copy(
            self._place, self.table, source=(source,), columns=columns, key=b"k" * 32, version=1
        )
        maker = CubeMaker(self.table, percent=self.policy.dominance, ask=self._ask)
        kept = {"copy": self._copy, "cube": maker.make(1, None).to_plain()}
        about.write_text(json.dumps(kept), encoding="utf-8")

    def _source(self, name: str = "") -> SourceTable:
        return datasets.as_source(self._place, self.table, self._copy, name=name)

    def _ask(
        self, sql: str, versions: Mapping[str, int], values: Sequence[Any] = ()
    ) -> Iterator[tuple[Any, ...]]:
        sources = tuple(self._source(name) for name in versions)
        limits = Limits(rows=10_000_000, time_ms=3_600_000, answer_bytes=1 << 32, threads=THREADS)
        job = Job(sql=sql, values=tuple(values), tables=sources, limits=limits)
        for part in self._engine.stream(job):
            yield from part.rows

    def understand(self, text: str) -> tuple[Query, answers.Admitted]:
        """Everything before the rows: read anew each time, as a text that was never asked."""
        query = read(text, self.policy)
        assert find_refusal(Asked(query=query, policy=self.policy, mode=Mode.AD_HOC)) is None
        sets = find_sets(query, self.cube)
        kept_back = Overlap(self.cube, 1).judge(sets)
        assert not kept_back
        admitted = answers.Admitted(
            sets=sets, kept_back=kept_back, whole=1, is_whole=True, judged=0, is_new=True
        )
        admitted.to_text()
        return query, admitted

    def _job(self, query: Query, admitted: answers.Admitted) -> tuple[Any, Job]:
        statement = answers.print_certified(
            query,
            self.policy,
            answers.protections(query, self.policy),
            proven=answers.find_proven(query),
            complete=answers.find_complete(self.cube, admitted),
            masked=True,
        )
        limits = Limits(time_ms=600_000, threads=THREADS)
        tables = (self._source(),)
        return statement, Job(
            sql=statement.sql, values=statement.values, tables=tables, limits=limits
        )

    def from_rows(self, text: str) -> dict[str, Any]:
        """An ad hoc answer of the rows themselves, by a worker."""
        query, admitted = self.understand(text)
        statement, job = self._job(query, admitted)
        return self._release(query, admitted, statement.read(self._engine.query(job).rows))

    def from_blocks(self, text: str) -> dict[str, Any]:
        """The same as the gate does it where whole blocks are asked about."""
        query, admitted = self.understand(text)
        told = answers.find_published(query, self.cube, admitted)
        assert told is not None, "every question is about whole blocks"
        return self._written(query, admitted, told)

    def _release(self, query: Query, admitted: answers.Admitted, lines: Any) -> dict[str, Any]:
        told = answers.release(
            lines,
            rules=answers.protections(query, self.policy),
            may_merge=answers.is_additive(query),
            is_filtered=query.filter != ALWAYS,
        )
        return self._written(query, admitted, told)

    def _written(
        self, query: Query, admitted: answers.Admitted, told: datasets.Told
    ) -> dict[str, Any]:
        rounding = answers.Rounding(key=b"k" * 32, policy=self.policy, admitted=admitted)
        return answers.write_answer(query, self.policy, Mode.AD_HOC, rounding.rounded(query, told))

    def raw(self, text: str) -> list[Any]:
        """The baseline: the question as it stands, which sees every row."""
        return self._raw.execute(text).fetchall()

    def ad_hoc(self, rounds: int) -> list[Pair]:
        """As the gate answers them, and from the rows; the middle question and the worst of each.

        To count all rows the baseline reads none: the file says how many it has.
        """
        for text in QUESTIONS:
            assert self.from_rows(text) == self.from_blocks(text)
        return [
            *self._compared("as the gate gives it", self.from_blocks, QUESTIONS, rounds),
            *self._compared("made of the rows", self.from_rows, QUESTIONS[1:], rounds),
        ]

    def _compared(
        self, name: str, ours: Callable[[str], object], texts: Sequence[str], rounds: int
    ) -> Iterator[Pair]:
        both = [
            [(_timed(lambda t=text: ours(t)), _timed(lambda t=text: self.raw(t))) for text in texts]
            for _ in range(rounds)
        ]
        ratios = [_middle([one[at][0] / one[at][1] for one in both]) for at in range(len(texts))]
        order = sorted(range(len(texts)), key=ratios.__getitem__)
        for at in order:
            print(f"    {name}: {ratios[at]:6.3f}x the time of raw: {texts[at]}", flush=True)
        for which, at, bar in (("middle", order[len(order) // 2], 0.5), ("worst", order[-1], 0.25)):
            yield Pair(
                name=f"an ad hoc answer {name}, the {which} of {len(texts)}: `{texts[at]}`",
                unit="ms",
                ours=tuple(one[at][0] for one in both),
                baseline=tuple(one[at][1] for one in both),
                against="raw DuckDB, the same question",
                bar=bar,
                less_is_better=True,
            )

    def gate(self, rounds: int) -> Pair:
        """The certified statement and exact counting, in process over what a worker is given."""
        statement, job = self._job(*self.understand(QUESTIONS[6]))
        exact = (
            "SELECT city, lingqu_d_day, sum(lingqu_u_amount), count(DISTINCT person) AS k FROM t"
            f" GROUP BY city, lingqu_d_day HAVING k >= {THRESHOLD}"
        )
        file = max((self._place / "engine").iterdir(), key=lambda one: one.stat().st_mtime_ns)
        ours, baseline = [], []
        with duckdb.connect(":memory:", config={"threads": THREADS}) as engine:
            engine.execute(f"CREATE VIEW t AS SELECT * FROM read_parquet('{file}')")
            for _ in range(rounds):
                ours.append(
                    _timed(lambda: engine.execute(statement.sql, list(job.values)).fetchall())
                )
                baseline.append(_timed(lambda: engine.execute(exact).fetchall()))
        return Pair(
            name="thresholds of 480 groups, proven by entity bytes",
            unit="ms",
            ours=tuple(ours),
            baseline=tuple(baseline),
            against="the same over the same file with an exact COUNT(DISTINCT)",
            bar=10,
            less_is_better=True,
        )

    def cubes(self, rounds: int) -> Pair:
        """A question to the cube, read anew each time."""
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
        """The middle question of all, from its text to what is told, without the engine."""
        prepared = []
        for text in QUESTIONS:
            statement, job = self._job(*self.understand(text))
            prepared.append((text, statement.read(self._engine.query(job).rows)))

        def all_but_engine(text: str, lines: Any) -> None:
            query, admitted = self.understand(text)
            self._job(query, admitted)
            self._release(query, admitted, lines)

        def every() -> Iterator[float]:
            # Nothing was asked of any of them, and none is opened in the middle.
            fresh = [datasets.OpenCube(self.cube.cube, self.table) for _ in prepared]
            for self.cube, (text, lines) in zip(fresh, prepared, strict=True):
                yield _timed(lambda t=text, n=lines: all_but_engine(t, n))

        return tuple(_middle([*every()]) for _ in range(rounds))


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - began)
