# SPDX-License-Identifier: Apache-2.0
"""Datasets that differ only where nobody may look are answered alike, byte by byte.

A twin has other values in every column no policy names, in one that may not be shown, and other
people, kinds and amounts inside the part that is withheld. Every sequence of questions gets the
same answers from both: figures, order, sizes, refusals with their parameters, explanations.
"""

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query_world import FIELDS, FORM, asking, load, policy, visits

from lingqu import ledger
from lingqu.api.v1.gate_shapes import write_answer
from lingqu.gate import answers, building, governance
from lingqu.gate import asking as work
from lingqu.gate.answers import noise
from lingqu.gate.governance import DpTerms, Mode
from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import Cancel, Limits
from lingqu.runtime.engine import refusals as engine_refusals
from lingqu.supply import Field, FieldKind

CANARY = "CANARY"
MANY = bool(os.environ.get("FULL_MATRIX"))
MORE = tuple(Field(name=one, label=one, kind=FieldKind.TEXT) for one in ("note", "diagnosis"))
TERMS = DpTerms(
    contribution=4, rho_least=1, rho_most=10, organization_ceiling=10**6, dataset_ceiling=10**6
)
FEW = (
    ({"kind": "门诊", "amount": "40"}, {"kind": "住院", "amount": "50"},
     {"kind": "门诊", "amount": "60"}),
    ({"kind": "住院", "amount": "60"}, {"kind": "住院", "amount": "40"},
     {"kind": "门诊", "amount": "50"}),
)  # fmt: skip
"""Two ways in which the few could be; together they add up to the same."""
GROUPS = ("town", "kind", "date_trunc('month', visited)", "year(visited)")
ATOMS = (
    "town = '戊'", "town <> '戊'", "town IN ('甲', '戊')", "kind = '门诊'", "kind IS NOT NULL",
    "visited >= DATE '2026-02-01'", "visited < DATE '2026-02-15'", "amount > 50", "amount = 40",
    "note LIKE 'a%'", "note = 'b'", "person = 'q0'", "diagnosis = 'x'", "person IS NULL",
)  # fmt: skip
FIGURES = (
    "count(*)", "sum(amount)", "avg(amount)", "count(DISTINCT person)", "max(amount)",
    "count(CASE WHEN town = '戊' THEN 1 END)", "sum(amount * amount)", "min(note)", "count(note)",
    "sum(CASE WHEN kind = '住院' THEN amount ELSE 0 END) / count(*)", "max(diagnosis)",
)  # fmt: skip
CONDITION = st.lists(st.sampled_from(ATOMS), max_size=2).flatmap(
    lambda parts: st.sampled_from((" AND ", " OR ")).map(lambda word: word.join(parts))
)


@st.composite
def questions(draw):
    groups = draw(st.lists(st.sampled_from(GROUPS), max_size=2, unique=True))
    figures = draw(st.lists(st.sampled_from(FIGURES), min_size=1, max_size=2))
    condition = draw(CONDITION)
    named = ", ".join(f"{one} AS x{at}" for at, one in enumerate([*groups, *figures]))
    where = f" WHERE {condition}" if condition else ""
    by = f" GROUP BY {', '.join(map(str, range(1, len(groups) + 1)))}" if groups else ""
    order = draw(st.sampled_from(("", " ORDER BY x0 DESC", " ORDER BY x0 LIMIT 2")))
    return f"SELECT {named} FROM visit{where}{by}{order}"


def rows_of_twin(*, secret, inside):
    """`secret` says what stands where no policy looks, `inside` how the few are changed."""
    rows = visits(300)
    for at, row in enumerate(rows):
        if row["town"] == "戊":
            row.update(FEW[inside][int(row["person"][1:])])
        row.update(note=f"{'ab'[(at + inside) % 2]}{at}", diagnosis=f"{CANARY}{secret}-{at}")
    return rows


def named(resource, *modes):
    found = policy(resource, *modes, dp=TERMS)
    (table,) = found.tables
    note = governance.GovernedColumn(name="note", role=governance.Role.SENSITIVE, type="VARCHAR")
    return replace(found, tables=(replace(table, columns=(*table.columns, note)),))


@pytest.fixture(scope="module")
def patched():
    """Twins have one key, as two installations could; noise is drawn as none, to be compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "new_key", lambda: b"k" * 32)
        patch.setattr(noise, "_draw", lambda values, **_: list(values))
        yield


class Twin:
    """One dataset with its product, and what is said about it."""

    def __init__(self, world, made, rows):
        self.world, self.made = world, made
        self.resource = load(world, rows, fields=(*FIELDS, *MORE))
        self.product = world.product(named(self.resource, *Mode), form=FORM)
        self.grant = world.buy(self.product, calls=100_000)

    def ask(self, text, mode):
        request = self.world.request(
            self.product, self.grant, query=text, mode=mode.value, rho=1 if mode is Mode.DP else 0
        )
        with self.world.place.database.reading(self.world.banker) as tx:
            told = self.made.explain(tx, request, may_call=True)
        said = [[one.rule, one.passed, one.code, one.article] for one in told.considered]
        try:
            answer = self.made.ask(request, self.world.asker)
        except LingquError as refusal:
            return self._plain([said, refusal.code, refusal.article, refusal.parameters])
        return self._plain([said, answer.released, answer.units, len(write_answer(answer))])

    def _plain(self, told):
        text = json.dumps(told, ensure_ascii=False, default=str)
        for name in (self.resource, self.product.id, self.grant.id):
            text = text.replace(str(name), "…")
        return text


@pytest.fixture(scope="module")
def twins(world, desk, patched):
    assert patched is None
    names = {"name_zh": "隐私预算", "name_en": "rho"}
    world.do(ledger.register_currency, currency=answers.budgets.MICRO_RHO, scale=6, **names)
    made = asking(world, desk)
    return [
        Twin(world, made, rows_of_twin(secret=secret, inside=inside))
        for secret, inside in ((1, 0), (2, 1), (3, 0))
    ]


@settings(
    max_examples=60 if MANY else 4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(asked=st.lists(st.tuples(questions(), st.sampled_from(Mode)), min_size=3, max_size=6))
def test_what_nobody_may_look_at_changes_no_byte(twins, asked):
    one, withheld, forbidden = twins
    for text, mode in asked:
        told = one.ask(text, mode)
        # Noise hides the few, and here there is none: they are the same people then.
        other = forbidden if mode is Mode.DP else withheld
        assert other.ask(text, mode) == told, (text, mode)
        if mode is not Mode.DP:
            assert forbidden.ask(text, mode) == told, (text, mode)


HOSTILE = (
    "SELECT * FROM visit", "SELECT COLUMNS(*) FROM visit", "SELECT diagnosis FROM visit",
    "SELECT * FROM read_parquet('{file}')", "SELECT * FROM '{file}'", "FROM glob('{tables}/**')",
    "SELECT * FROM read_blob('{tables}/**')", "SELECT * FROM read_parquet('{tables}/**/*.parquet')",
    "COPY (SELECT 1) TO '{tables}/out.csv'", "ATTACH '{tables}/out.db' AS x",
)  # fmt: skip


def test_a_worker_is_given_the_columns_of_the_policy_and_nothing_else(twins):
    """What the gate hands to a worker, with hostile SQL in the place of the gate's own."""
    twin, jobs = twins[0], []
    engine = twin.world.engine

    def query(job, **named):
        jobs.append(job)
        return engine.query(job, **named)

    twin.made._engine = lambda: SimpleNamespace(query=query)
    twin.ask("SELECT sum(amount) AS s FROM visit WHERE amount > 51", Mode.DP)
    twin.made._engine = lambda: engine
    (table,) = jobs[0].tables
    names = {one.name for one in table.columns}
    permitted = {one.name for one in named(twin.resource, *Mode).tables[0].columns}
    assert {one for one in names if not one.startswith("lingqu_")} <= permitted
    for file in table.files:
        held = duckdb.execute("SELECT name FROM parquet_schema(?)", [str(file.path)]).fetchall()
        assert names <= {name for (name,) in held}
        assert "diagnosis" not in str(held)
        assert CANARY.encode() not in file.path.read_bytes()
    tables = twin.world.folder / "tables"
    before = sorted(tables.rglob("*"))
    for text in HOSTILE:
        sql = text.format(file=table.files[0].path, tables=tables)
        job = replace(jobs[0], sql=sql, values=(), limits=Limits(time_ms=10_000, rows=5_000))
        try:
            told = str(engine.query(job).rows)
        except LingquError as refusal:
            told = str(refusal)
        assert CANARY not in told, sql
    assert sorted(tables.rglob("*")) == before


class Clock:
    """Time that passes only where somebody waits for it."""

    def __init__(self):
        self.now = 0

    def monotonic_ns(self):
        return self.now

    def sleep(self, seconds):
        self.now += round(seconds * 1_000_000_000)


FAILED = (
    engine_refusals.QueryFailed(),
    engine_refusals.TimeLimitReached(time_ms=2_000),
    engine_refusals.AnswerTooLarge(rows=1, bytes=1),
)


@pytest.mark.parametrize("waited_ms", [0, 9_000], ids=["at once", "after its turn"])
def test_whatever_fails_inside_is_one_code_at_one_moment(twins, monkeypatch, waited_ms):
    """An overflow after a millisecond, a timeout, a long answer: the same, as long after the turn.

    The clock is one that only waiting moves.
    """
    twin, told = twins[0], []
    for refusal, after_ms in zip(FAILED, (1, 2_000, 700), strict=True):
        clock = Clock()
        made = asking(twin.world, twin.made._desk)

        def query(_job, *, cancel, progress, clock=clock, after_ms=after_ms, refusal=refusal):
            assert isinstance(cancel, Cancel)
            assert progress is None
            clock.sleep(after_ms / 1000)
            raise refusal

        class Turn:
            def __enter__(self, clock=clock):
                clock.sleep(waited_ms / 1000)

            def __exit__(self, *_):
                pass

        made._engine = lambda query=query: SimpleNamespace(query=query)
        made._turns = SimpleNamespace(taken=lambda *_, turn=Turn: turn())
        monkeypatch.setattr(work, "time", clock)
        text = "SELECT sum(amount) AS s FROM visit WHERE note LIKE 'z%'"
        request = twin.world.request(
            twin.product, twin.grant, query=text, mode="dp", rho=2 + len(told) + waited_ms // 3_000
        )
        with pytest.raises(work.QueryFailed):
            made.ask(request, twin.world.asker)
        monkeypatch.undo()
        told.append(clock.now)
    assert {*told} == {(waited_ms + 2_000 + work.REST_MS) * 1_000_000}
