# SPDX-License-Identifier: Apache-2.0
"""The pure rules of release, attacked: blocks, partitions, lines, dominance, seeds, rounding."""

import dataclasses
import hashlib
import hmac
import random
from fractions import Fraction

import duckdb
import pytest
from governed import POLICY
from hypothesis import given
from hypothesis import strategies as st
from query_world import policy

from lingqu.gate.answers import releasing, telling
from lingqu.gate.answers.figures import unit_of, write_answer
from lingqu.gate.answers.partition import Partition
from lingqu.gate.answers.releasing import Crowd, Line, Part, Share
from lingqu.gate.answers.statement import print_certified, protections
from lingqu.gate.datasets import Told, ToldLine, cells, copies, cube, register
from lingqu.gate.datasets.cells import Blocks, Contents, Protection
from lingqu.gate.datasets.cube import CubeMaker
from lingqu.gate.governance import Function, GovernedTable, Mode
from lingqu.gate.queries import (
    ALWAYS,
    Aggregate,
    ColumnRef,
    Dimension,
    Linear,
    Members,
    Query,
    Quotient,
    Scan,
    Step,
    Within,
)
from lingqu.gate.queries import Share as Weight
from lingqu.gate.sql import read
from lingqu.gate.suppression import in_order, order
from lingqu.runtime.engine import Column, SourceFile

CELLS = st.dictionaries(
    st.tuples(st.sampled_from("甲乙丙丁"), st.sampled_from("子丑寅"), st.sampled_from("xy")),
    st.sets(st.integers(0, 30), min_size=1, max_size=12),
    max_size=16,
)


def contents(people):
    return Contents({str(one): (one % 5 + 1,) for one in people})


@given(cells_=CELLS, k=st.integers(2, 12), percent=st.sampled_from([0, 10, 60]))
def test_every_block_is_safe_and_every_cell_stands_in_one_place(cells_, k, percent):
    rule = Protection(threshold=k, percent=percent)
    small = {cell: contents(people) for cell, people in cells_.items()}
    large = [cell for cell, one in small.items() if one.is_safe(rule)]
    blocks, rest = cells.form_blocks(
        large, {cell: one for cell, one in small.items() if cell not in large}, rule
    )
    placed = [cell for block in blocks for cell in block] + list(rest)
    assert sorted(placed) == sorted(cells_)
    for block in blocks:
        whole = Contents({})
        for cell in block:
            whole.add(contents(cells_[cell]))
        assert whole.is_safe(rule)
        assert len(set().union(*(cells_[cell] for cell in block))) >= k


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    wanted=st.lists(st.sets(st.integers(0, 14)), max_size=8),
)
def test_no_combination_of_answers_isolates_a_part_without_a_whole_block(sizes, wanted):
    """Differences, complements, unions and trackers: every atom of what was told holds a block."""
    names = iter(range(100))
    blocks = [[(str(next(names)),) for _ in range(size)] for size in sizes]
    known = Blocks(blocks)
    partition, told = Partition(known), [frozenset(known.place)]
    for numbers in wanted:
        asked = known.known((str(one),) for one in numbers)
        if partition.admits(asked):
            partition.add(asked)
            told.append(asked)
    atoms = {}
    for cell in known.place:
        atoms.setdefault(tuple(cell in one for one in told), set()).add(cell)
    for atom in atoms.values():
        assert any(set(block) <= atom for block in blocks)
    for block in blocks:
        assert partition.admits(frozenset(map(tuple, block))) or len(blocks) > 1


def opened_cube(blocks):
    figures = cube.Figures(rows=9, sums=(0,), counts=(9,))
    kept = cube.Cube(
        blocks=tuple(map(tuple, blocks)),
        figures=(figures,) * len(blocks),
        versions=(1,) * len(blocks),
        whole=2,
    )
    return cube.OpenCube(kept, TABLE)


def judged(overlap, sets):
    try:
        return overlap.judge(sets)
    except telling.Overlapping:
        return None


def test_what_was_told_is_judged_alike_whether_it_was_read_at_once_or_bit_by_bit():
    """A process that remembers says what one says that reads everything anew, in either form."""
    outcomes = set().union(*map(told_outcomes, range(8)))
    assert {None, frozenset()} < outcomes


def told_outcomes(seed):
    draw = random.Random(seed)
    cells_ = [(town, kind, "2026-01-01") for town in "甲乙丙丁" for kind in ("门诊", "住院", None)]
    cut = sorted(draw.sample(range(1, len(cells_)), 5))
    blocks = [cells_[a:b] for a, b in zip([0, *cut], [*cut, len(cells_)], strict=True)]
    known = opened_cube(blocks)
    memory, told = telling.Overlap(known, 2), []
    for _ in range(30):
        groups = (Dimension(ref(draw.choice(["town", "kind"])), Step.EXACT),)
        towns = Members(tuple(draw.sample("甲乙丙丁", draw.randrange(1, 5))))
        query = Query(
            scans=(SCAN,), joins=(), outputs=(), groups=groups,
            filter=draw.choice([ALWAYS, Within(ref("town"), towns)]),
            aggregates=(Aggregate(Function.COUNT),),
        )  # fmt: skip
        sets = telling.find_sets(query, known)
        anew = telling.Overlap(known, 2)
        for version, texts in told:
            anew.add(version, texts)
        kept_back = judged(memory, sets)
        assert kept_back == judged(anew, sets)
        yield kept_back
        if kept_back is None:
            continue
        texts = sets.written(kept_back)
        assert memory.knows(texts) is anew.knows(texts)
        for one in sets.told(kept_back):
            written_out = [list(cell) for cell in sorted(one.cells, key=str)]
            assert telling._as_text(written_out, known) == one.text
        told.append((draw.choice([1, 2, 2]), texts))
        memory.add(*told[-1])


def part(people, *, exact=True, amounts=()):
    shares = tuple(
        Share(total=sum(column), first=max(column), second=sorted([0, *column])[-2])
        for column in amounts
    )
    mask = sum(1 << one for one in {person % 63 for person in people})
    crowd = Crowd(mask=mask, exact=len(people) if exact else None)
    return Part(rows=len(people), crowds=(crowd,), shares=shares)


@given(
    groups=st.dictionaries(
        st.tuples(st.sampled_from("甲乙丙丁"), st.sampled_from("子丑寅卯")),
        st.sets(st.integers(0, 200), min_size=1, max_size=30),
        max_size=14,
    ),
    k=st.integers(2, 20),
    exact=st.booleans(),
)
def test_no_total_gives_a_small_group_away_and_what_is_told_is_true(groups, k, exact):
    lines = [
        Line(key=key, parts=(part(people, exact=exact),), numbers=(len(people),))
        for key, people in groups.items()
    ]
    rules = (Protection(threshold=k),)
    told = releasing.release(lines, rules=rules, may_merge=True, is_filtered=False)
    shown = set()
    for line in told.lines:
        members = line.merged or (line.key,)
        shown.update(members)
        assert len(set().union(*(groups[one] for one in members))) >= k
        assert line.numbers == (sum(len(groups[one]) for one in members),)
    singles = {line.key for line in told.lines if not line.merged}
    hidden = [key for key in groups if key not in shown]
    assert told.has_withheld is bool(hidden)
    for place, values in ((0, "甲乙丙丁"), (1, "子丑寅卯")):
        for value in values:
            mine = [key for key in groups if key[place] == value and key not in singles]
            if mine and any(key[place] == value for key in singles):
                assert len(mine) > 1
                assert len(set().union(*(groups[one] for one in mine))) >= k
    if told.withheld_entities is not None:
        pool = set().union(*(groups[one] for one in hidden))
        assert told.withheld_entities % k == 0
        assert k <= told.withheld_entities <= len(pool)
    filtered = releasing.release(lines, rules=rules, may_merge=True, is_filtered=True)
    assert filtered.withheld_entities is None


def test_a_copy_holds_the_hash_of_a_key_and_never_the_key(tmp_path):
    """Equal keys stay equal in every table and version; another domain knows others."""
    plain, columns = tmp_path / "plain.parquet", [Column(name="person", type="VARCHAR")]
    tables, names = [], ["canary-a", " CANARY-A", "canary-b", None, " "]
    with duckdb.connect(":memory:") as engine:
        engine.execute("CREATE TABLE t (person VARCHAR, town VARCHAR)")
        engine.executemany("INSERT INTO t VALUES (?, '甲')", [(one,) for one in names])
        engine.execute(f"COPY t TO '{plain}' (FORMAT parquet)")

    def copied(resource, domain, source=plain, version=1):
        table = GovernedTable(
            name="visit", resource=resource, columns=TABLE.columns[:2], entity="person", threshold=5
        )
        tables.append(table)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        files = copies.make_copy(
            tmp_path,
            table,
            source=(SourceFile(path=source, digest=digest),),
            columns=[*columns, Column(name="town", type="VARCHAR")],
            key=domain,
            version=version,
        )
        assert copies.is_hashed(files)
        ((place, _),) = files
        content = (tmp_path / place).read_bytes()
        assert b"canary" not in content.lower()
        return duckdb.execute(
            f"SELECT person, lingqu_entity FROM read_parquet('{tmp_path / place}')"
        ).fetchall()

    first = copied("one", b"k" * 32)
    assert len({*first}) == 3
    assert first[3] == first[4] == (None, None)
    assert first[0] == first[1] == copied("two", b"k" * 32)[0]
    assert not {*first[:3]} & {*copied("one", b"j" * 32)}
    whom = b"CANARY-A"
    told = int(hmac.digest(b"k" * 32, whom, "sha256").hex()[15:30], 16)
    assert first[0][0] == told
    clear = (("one/0123-2/plain.parquet", hashlib.sha256(plain.read_bytes()).hexdigest()),)
    assert not copies.is_hashed(clear)
    (tmp_path / "one" / "0123-2").mkdir()
    plain.rename(tmp_path / clear[0][0])
    again = register.hashed_copies({2: clear}, tables[0], tmp_path, b"k" * 32)[2]
    assert copies.is_hashed(again)
    same = f"SELECT person, lingqu_entity FROM read_parquet('{tmp_path / again[0][0]}')"
    assert duckdb.execute(same).fetchall() == first


@pytest.mark.parametrize("seed", range(3))
def test_a_cube_is_the_same_whether_entities_are_worked_on_together_or_apart(seed):
    draw = random.Random(seed)
    table = dataclasses.replace(TABLE, threshold=4)
    with duckdb.connect(":memory:") as engine:
        for name, more in (("v1", 0), ("v2", 40)):
            engine.execute(
                f"CREATE TABLE {name} (person BIGINT, town VARCHAR, kind VARCHAR, visited DATE,"
                " lingqu_d_visited DATE, lingqu_u_amount BIGINT)"
            )
            engine.executemany(
                f"INSERT INTO {name} VALUES (?, ?, ?, '2026-01-01', '2026-01-01', ?)",
                [
                    (draw.randrange(60) if at % 9 else None, draw.choice("甲乙丙'"),
                     draw.choice(("门诊", None)), draw.choice((0, 5, 7, 90, None)))
                    for at in range(150 + more)
                ],
            )  # fmt: skip

        def ask(sql, versions, values=()):
            for name, version in versions.items():
                engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM v{version}")
            yield from engine.execute(sql, [*values]).fetchall()

        def make(at_once):
            maker = CubeMaker(table, percent=10, ask=ask, at_once=at_once)
            first = maker.make(1, None)
            return first, maker.make(2, first)

        assert make(1_000_000) == make(30)


def test_a_sum_that_one_entity_dominates_is_not_told():
    rules = (Protection(threshold=3, percent=10),)
    even, one_giant = [10] * 10, [1000, 20, 1, 1, 1, 1, 1, 1, 1, 1]
    for amounts, is_told in ((even, True), (one_giant, False)):
        line = Line(key=(), parts=(part(set(range(10)), amounts=(amounts,)),), numbers=(1,))
        told = releasing.release([line], rules=rules, may_merge=True, is_filtered=True)
        assert bool(told.lines) is is_told
        assert told.has_withheld is not is_told


def test_rounding_is_the_same_for_the_same_cells_and_no_average_removes_it():
    def seed(asked, figure="count"):
        return releasing.seed_of(b"k" * 32, version="1", cells=asked, figure=figure)

    first, again = [("甲", None), ("乙", "x")], [("乙", "x"), ("甲", None)]
    assert seed(first) == seed(again)
    assert seed(first) != seed(first, "sum")
    assert seed(first) != seed(first[:1])
    assert {releasing.round_to(47, 10, seed(first)) for _ in range(50)} <= {40, 50}
    assert len({releasing.round_to(47, 10, seed(first)) for _ in range(50)}) == 1
    drawn = [releasing.round_to(47, 10, seed([(str(one),)])) for one in range(2000)]
    assert abs(sum(drawn) / len(drawn) - 47) < 1
    assert all(value % 10 == 0 for value in drawn)
    assert releasing.round_to(-47, 10, seed(first)) in {-50, -40}
    assert releasing.told_number(Fraction(-1, 3)) == "-0.333333"


def test_a_sum_is_told_in_the_unit_of_its_column():
    """Copies hold measures as whole numbers; products of two have the places of both."""
    query = read("SELECT sum(sal * (1 - tax)) AS net, avg(sal) AS mean FROM t", POLICY)
    added = {"sum": {1: 123_45, 2: 10_0000}, "count": {1: 3}}
    numbers = tuple(added[one.function.value][len(one.columns)] for one in query.aggregates)
    line = ToldLine(key=(), numbers=numbers)
    told = Told(lines=(line,), has_withheld=False, withheld_entities=None)
    for mode in Mode:
        assert write_answer(query, POLICY, mode, told)["rows"] == [["113.45", "41.15"]]


TABLE = policy("res").tables[0]
SCAN = Scan("visit")


def ref(name):
    return ColumnRef(SCAN, name)


QUERIES = [
    Query(
        scans=(SCAN,), joins=(), filter=where, groups=groups, outputs=(),
        aggregates=(
            Aggregate(Function.COUNT),
            Aggregate(Function.SUM, (ref("amount"),)),
            Aggregate(Function.SUM, (ref("amount"), ref("amount"))),
            Aggregate(Function.COUNT, (ref("amount"),)),
            Aggregate(Function.ENTITIES, (ref("person"),)),
            Aggregate(Function.COUNT, (), Within(ref("kind"), Members(("住院",)))),
        ),
    )
    for groups in (
        (),
        (Dimension(ref("town"), Step.EXACT),),
        (Dimension(ref("town"), Step.EXACT), Dimension(ref("visited"), Step.MONTH)),
    )
    for where in (ALWAYS, Within(ref("town"), Members(("甲", "丙"), nulls=True)))
]  # fmt: skip


SEEDS = [1, 2, 3, *(pytest.param(number, marks=pytest.mark.slow) for number in range(4, 60))]


@pytest.mark.parametrize("k", [2, 5, 12, 41])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_certified_thresholds_are_those_of_counting_everybody(seed, k):
    """Against brute force: groups, filters, guards, missing keys and values, repeated people."""
    draw = random.Random(100 * seed + k)  # a seeded test
    people = draw.choice([4, 15, 60])
    rows = []
    for _ in range(draw.randrange(1, 250)):
        person = f"p{draw.randrange(people)}" if draw.random() > 0.1 else None
        byte = None if person is None else (int(person[1:]) * 31) % 63
        amount = draw.choice([None, 0, 3, 100]) if draw.random() < 0.2 else draw.randrange(50)
        town = draw.choice(["甲", "乙", "丙", None])
        month = f"2026-0{draw.randrange(1, 3)}-01"
        rows.append((person, town, draw.choice(["门诊", "住院"]), month, amount, byte))
    with duckdb.connect(":memory:") as engine:
        engine.execute(
            "CREATE TABLE visit (person VARCHAR, town VARCHAR, kind VARCHAR, visited DATE,"
            " amount BIGINT, lingqu_entity TINYINT)"
        )
        marks = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(rows))
        engine.execute(f"INSERT INTO visit VALUES {marks}", [one for row in rows for one in row])
        engine.execute("ALTER TABLE visit ADD COLUMN lingqu_u_amount BIGINT")
        engine.execute("ALTER TABLE visit ADD COLUMN lingqu_d_visited DATE")
        engine.execute("ALTER TABLE visit ADD COLUMN lingqu_entity_m BIGINT")
        engine.execute("UPDATE visit SET lingqu_entity_m = 1::BIGINT << lingqu_entity")
        complete = () if any(row[4] is None for row in rows) else ("amount",)
        engine.execute("UPDATE visit SET lingqu_u_amount = amount, lingqu_d_visited = visited")
        asked = policy("res", dominance=10, tables=(with_threshold(k),))
        for query in QUERIES:
            printed = print_certified(
                query, asked, protections(query, asked), complete=complete, masked=seed % 2 == 0
            )
            answered = engine.execute(printed.sql, list(printed.values)).fetchall()
            check(query, rows, printed.read(answered), k)


def test_rows_of_a_table_about_nobody_are_counted():
    query = read("SELECT count(*) AS n FROM c", POLICY)
    printed = print_certified(query, POLICY, protections(query, POLICY))
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE c AS SELECT i AS city FROM range(7) t(i)")
        (line,) = printed.read(engine.execute(printed.sql, list(printed.values)).fetchall())
    assert line.numbers == (7,)


def with_threshold(k):
    return type(TABLE)(
        name="visit", resource="res", columns=TABLE.columns, entity="person", threshold=k
    )


def check(query, rows, lines, k):
    inside = [row for row in rows if query.filter == ALWAYS or row[1] in {"甲", "丙", None}]
    groups = {}
    for row in inside:
        groups.setdefault((row[1], row[3])[: len(query.groups)], []).append(row)
    if not query.groups:
        groups.setdefault((), inside)
    assert {line.key for line in lines} == set(groups)
    rule = Protection(threshold=k, percent=10)
    for line in lines:
        mine = groups[line.key]
        amounts = [row[4] for row in mine if row[4] is not None]
        known = {row[0] for row in mine if row[0] is not None}
        stays = [row for row in mine if row[2] == "住院"]
        assert [*line.numbers] == [
            len(mine), sum(amounts), sum(one * one for one in amounts), len(amounts), len(known),
            len(stays),
        ]  # fmt: skip
        parts = [
            mine,
            [row for row in mine if row[4] is not None],
            [row for row in mine if row[4] is None],
            stays,
        ]
        if len(line.parts) == 2:  # it is known that nobody lacks an amount
            assert parts.pop(2) == []
            parts.pop(1)
        for place, part_rows in enumerate(parts):
            (crowd,) = line.parts[place].crowds
            truth = len({row[0] for row in part_rows if row[0] is not None})
            assert crowd.least <= truth
            assert (crowd.least >= k) is (truth >= k)
        for share, power in zip(line.parts[0].shares, (1, 2), strict=True):
            whose = {}
            for row in mine:
                whose[row[0]] = whose.get(row[0], 0) + (row[4] or 0) ** power
            first, second = sorted([0, 0, *whose.values()])[:-3:-1]
            truly = rule.is_dominated(sum(whose.values()), first, second)
            told = rule.is_dominated(share.total, share.first, share.second)
            assert told or not truly
            if len(mine) >= k:
                assert told is truly


@given(st.lists(st.tuples(*[st.none() | st.text(max_size=3)] * 2)))
def test_cells_come_in_one_order_whether_a_coordinate_is_empty_or_not(cells_):
    assert in_order(cells_) == sorted(cells_, key=order)


@given(
    st.fractions(max_denominator=1000),
    st.fractions(max_denominator=1000),
    st.integers(-(10**20), 10**20),
    st.integers(-1000, 1000),
)
def test_figures_weighed_in_whole_numbers_are_what_fractions_say(factor, constant, first, second):
    query = read("SELECT count(*) AS a, sum(sal) AS b FROM t", POLICY)
    shares = (Weight(0, factor), Weight(1, Fraction(1, 3)))
    linear = Linear(shares, constant)
    outputs = (
        dataclasses.replace(query.outputs[0], figure=linear),
        dataclasses.replace(
            query.outputs[1], figure=Quotient(linear, Linear((Weight(1, factor),)))
        ),
    )
    query = dataclasses.replace(query, outputs=outputs)
    told = Told(
        lines=(ToldLine(key=(), numbers=(first, second)),),
        has_withheld=False,
        withheld_entities=None,
    )
    ((sum_, ratio),) = write_answer(query, POLICY, Mode.AD_HOC, told)["rows"]
    unit = unit_of(query.aggregates[1], POLICY)
    expected = factor * first + second * unit / 3 + constant
    assert sum_ == releasing.told_number(expected)
    below = factor * second * unit
    assert ratio == (releasing.told_number(expected / below) if below else None)
