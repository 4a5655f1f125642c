# SPDX-License-Identifier: Apache-2.0
"""Questions over joined tables against brute force: who is in what is told, alone and together.

Rows are joined, filtered and counted here by hand; patients and physicians are told apart, those
nobody knows count as nobody, and what nobody can tell apart is counted over all that was told.
"""

import os
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joined_world import many_to_many, opened, policy_of, rows_of_tables

from lingqu.gate.answers.noise import NobodyProtected, TwoKinds, find_protected, print_bounded
from lingqu.gate.answers.telling import NotWhole, Overlap, Overlapping, find_guards
from lingqu.gate.datasets.cells import Protection
from lingqu.gate.datasets.joined import FanOut, JoinedFigure, as_one_table
from lingqu.gate.datasets.wide import widen
from lingqu.gate.governance import Function, GovernedTable, Mode
from lingqu.gate.queries import digest
from lingqu.gate.sql import read
from lingqu.kernel.errors import LingquError

EXAMPLES = 300 if os.environ.get("FULL_MATRIX") else 6
SEXES, LEVELS, REGIONS, KINDS = ("男", "女"), ("一", "二"), ("北", "南"), ("门诊", "住院")


class Truth:
    """Visits with what they are joined to, by hand."""

    def __init__(self, tables):
        patients = {row[0]: row for row in tables["patient"]}
        wards = {row[0]: row for row in tables["ward"]}
        hospitals = {row[0]: row for row in tables["hospital"]}
        self.rows = []
        for person, ward, kind, cost in tables["visit"]:
            patient, there = patients.get(person), wards.get(ward)
            hospital = None if there is None else hospitals.get(there[1])
            self.rows.append({
                "person": person, "kind": kind, "cost": None if cost is None else round(cost * 10),
                "patient": patient is not None, "sex": patient and patient[1],
                "ward": there is not None, "level": there and there[2], "head": there and there[3],
                "hospital": hospital is not None, "region": hospital and hospital[1],
            })  # fmt: skip


def cell_of(row):
    flags = ("true" if row[name] else "false" for name in ("patient", "ward", "hospital"))
    return (*flags, row["kind"], row["sex"], row["level"], row["region"])


class Asked:
    """A question as a text in one of many ways, and as what it means by hand."""

    def __init__(self, dice):
        self.tables = dice.sample(("patient", "ward"), dice.randrange(3))
        if "ward" in self.tables and dice.random() < 0.6:
            self.tables.append("hospital")
        values = {"kind": KINDS}
        values |= {"sex": SEXES} if "patient" in self.tables else {}
        values |= {"level": LEVELS} if "ward" in self.tables else {}
        values |= {"region": REGIONS} if "hospital" in self.tables else {}
        self.groups = dice.sample(sorted(values), min(len(values), dice.randrange(3)))
        named = dice.sample(sorted(values), dice.randrange(min(3, len(values)) + 1))
        self.filter = [(name, dice.choice(values[name])) for name in named]
        self.guard = dice.choice(KINDS)
        self.counts_heads = "ward" in self.tables and dice.random() < 0.5

    def text(self, dice, *, counts_people=True):
        joins = {"patient": ("person", "id"), "ward": ("ward", "no"), "hospital": ("house", "code")}
        sides = {name: " = ".join(dice.sample(joins[name], 2)) for name in self.tables}
        where = [f"({' OR '.join(f'{n} = {t!r}' for n, t in self.filter)})"] if self.filter else []
        if dice.random() < 0.5:
            source = ", ".join(dice.sample(["visit", *self.tables], 1 + len(self.tables)))
            where += sides.values()
        else:
            source = "visit" + "".join(f" JOIN {name} ON {on}" for name, on in sides.items())
        figures = [
            "count(*)", "sum(cost)", "count(cost)",
            f"count(CASE WHEN kind = '{self.guard}' THEN 1 END)",
        ]  # fmt: skip
        figures += ["count(DISTINCT person)"] if counts_people else []
        figures += ["count(DISTINCT head)"] if counts_people and self.counts_heads else []
        named = [f"{one} AS f{at}" for at, one in enumerate(figures)]
        text = f"SELECT {', '.join([*self.groups, *named])} FROM {source}"
        text += f" WHERE {' AND '.join(dice.sample(where, len(where)))}" if where else ""
        return text + (f" GROUP BY {', '.join(self.groups)}" if self.groups else "")

    def rows(self, truth):
        return [
            row
            for row in truth.rows
            if all(row[name] for name in self.tables)
            and (not self.filter or any(row[name] == text for name, text in self.filter))
        ]

    def rules(self, policy):
        """Of each kind of people in the question, the column that names them and their number."""
        least = {table.name: table.threshold for table in policy.tables}
        persons = max(least["visit"], least["patient"] if "patient" in self.tables else 0)
        return {"person": persons} | ({"head": least["ward"]} if "ward" in self.tables else {})


def people(rows, column):
    return {row[column] for row in rows if row[column] is not None}


def is_dominated(rows, column, percent):
    added = {}
    for row in rows:
        added[row[column]] = added.get(row[column], 0) + (row["cost"] or 0)
    first, second = sorted([0, 0, *added.values()])[:-3:-1]
    return Protection(threshold=2, percent=percent).is_dominated(sum(added.values()), first, second)


def check_lines(asked, truth, place, query, released):
    """Every figure is that of the rows by hand, and nobody in it is too few or too large."""
    published = {cell[:3] for cell in place.cubes["visit"].standing.place}
    rows = [row for row in asked.rows(truth) if cell_of(row)[:3] in published]
    order = [one.column.name for one in query.groups]
    names = {"lingqu_j0_0": "sex", "lingqu_j1_0": "level", "lingqu_j2_0": "region"}
    order = [names.get(one, one) for one in order]
    for line in released.lines:
        keys = line.merged or (line.key,)
        mine = [row for row in rows if tuple(row[name] for name in order) in keys]
        for aggregate, number in zip(query.aggregates, line.numbers, strict=True):
            is_guarded = aggregate.guard != find_guards(query)[0] and len(find_guards(query)) > 1
            guarded = [row for row in mine if row["kind"] == asked.guard] if is_guarded else mine
            if aggregate.guard == query.filter or not is_guarded:
                guarded = mine
            check_number(asked, place.policy, aggregate, guarded, number)


def check_number(asked, policy, aggregate, rows, number):
    column = aggregate.columns[0].name if aggregate.columns else None
    if aggregate.function is Function.ENTITIES:
        assert number == len(people(rows, "person" if column == "person" else "head"))
    elif aggregate.function is Function.SUM:
        assert (number or 0) == sum(row["cost"] or 0 for row in rows)
    else:
        counted = [row for row in rows if column is None or row["cost"] is not None]
        assert number == len(counted)
        rows = counted
    for name, least in asked.rules(policy).items():
        assert not rows or len(people(rows, name)) >= least
        if aggregate.function is Function.SUM:
            assert not is_dominated(rows, name, policy.dominance)


def check_told(place, truth, told):
    """Whatever can be told apart from all that was told still holds a block, and each is safe."""
    cube = place.cubes["visit"]
    by_cell = {}
    for row in truth.rows:
        by_cell.setdefault(cell_of(row), []).append(row)
    least = {table.name: table.threshold for table in place.policy.tables}
    for block in cube.standing.blocks:
        rows = [row for cell in block for row in by_cell.get(cell, ())]
        (flags,) = {cell[:3] for cell in block}
        wanted = {"person": max(least["visit"], least["patient"] if flags[0] == "true" else 0)}
        wanted |= {"head": least["ward"]} if flags[1] == "true" else {}
        for name, number in wanted.items():
            assert len(people(rows, name)) >= number
            assert not is_dominated(rows, name, place.policy.dominance)
    atoms = {}
    for cell in cube.standing.place:
        atoms.setdefault(tuple(cell in one for one in told), set()).add(cell)
    for atom in atoms.values():
        assert any(set(block) <= atom for block in cube.standing.blocks)


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 2**32))
def test_joined_questions_keep_every_threshold_alone_and_together(seed):
    dice = random.Random(seed)
    policy = policy_of(
        visits=dice.choice([2, 5]), patients=dice.choice([2, 6]), physicians=dice.choice([2, 3]),
        dominance=dice.choice([1, 10, 40]),
    )  # fmt: skip
    tables = rows_of_tables(seed, dice.choice([60, 300]))
    truth = Truth(tables)
    with opened(policy, tables) as place:
        cube = place.cubes["visit"]
        overlap, told = Overlap(cube, cube.cube.whole), []
        for _ in range(6):
            asked = Asked(dice)
            text = asked.text(dice)
            query, _, _ = place.judged(text)
            try:
                _, released, sets = place.ad_hoc(text, overlap)
            except (Overlapping, NotWhole):
                continue
            told += sets
            check_lines(asked, truth, place, query, released)
        check_told(place, truth, told)


@settings(max_examples=EXAMPLES)
@given(st.integers(0, 2**32))
def test_a_join_written_otherwise_is_the_same_question_with_the_same_noise_and_charge(seed):
    """Sides changed, ON or WHERE, tables in another order: one question over one table."""
    dice = random.Random(seed)
    asked, policy = Asked(dice), policy_of()
    read_ = [read(asked.text(dice), policy) for _ in range(4)]
    assert len({digest(one) for one in read_}) == 1
    exact = {as_one_table(one, policy)[0] for one in read_}
    assert len({(one.filter, one.groups, one.aggregates) for one in exact}) == 1
    try:
        bounded = {print_bounded(one, policy, policy.dp) for one in read_}
    except TwoKinds:
        assert "ward" in asked.tables
    else:
        assert len(bounded) == 1


def test_an_alias_and_a_condition_that_says_nothing_change_no_joined_question():
    policy = policy_of()
    ways = (
        "SELECT sex, sum(cost) FROM visit JOIN patient ON person = id GROUP BY sex",
        (
            "SELECT p.sex AS who, sum(v.cost) AS s FROM patient AS p, visit AS v"
            " WHERE p.id = v.person AND 1 = 1 GROUP BY who HAVING s > 0 ORDER BY s LIMIT 3 OFFSET 1"
        ),
        (
            "SELECT DISTINCT sex, sum(cost) FROM (SELECT sex, id AS person FROM patient) x"
            " JOIN visit USING (person) GROUP BY ALL"
        ),
    )
    assert len({digest(read(one, policy)) for one in ways}) == 1
    assert len({as_one_table(read(one, policy), policy)[0].aggregates for one in ways}) == 1


def test_swapping_rows_inside_a_joined_cell_changes_no_byte_of_the_transcript():
    dice = random.Random(5)
    tables = rows_of_tables(5)
    tables["patient"] = [(f"p{at}", SEXES[at % 2], 1.0) for at in range(80)]
    tables["visit"] = [
        (f"p{dice.randrange(80)}", dice.randrange(14), dice.choice(KINDS), dice.choice([1, 2]) / 10)
        for _ in range(800)
    ]
    swapped = swapped_inside_cells(tables)
    assert swapped != tables["visit"]
    texts = ["SELECT sum(income) FROM visit JOIN patient ON person = id", "SELECT * FROM visit"]
    for seed in range(25):
        dice = random.Random(seed)
        texts.append(Asked(dice).text(dice, counts_people=False))
    told = []
    for visits in (tables["visit"], swapped):
        with opened(policy_of(), tables | {"visit": visits}) as place:
            told.append([transcript(place, text) for text in texts])
    assert told[0] == told[1]
    assert sum(isinstance(one, dict) and bool(one["rows"]) for one in told[0]) > 5


def swapped_inside_cells(tables):
    """What each visit cost is given to another one of the same cell."""
    by_cell = {}
    for at, row in enumerate(Truth(tables).rows):
        by_cell.setdefault(cell_of(row), []).append(at)
    visits = list(tables["visit"])
    for places in by_cell.values():
        for at, other in zip(places, [*places[1:], places[0]], strict=True):
            visits[at] = (*tables["visit"][at][:3], tables["visit"][other][3])
    return visits


def transcript(place, text):
    try:
        return place.cube(text)
    except LingquError as refusal:
        return (refusal.code, refusal.parameters)


def test_rows_that_meet_too_few_others_are_left_out_until_there_are_enough():
    policy = policy_of(visits=5, patients=5)
    patients = [(f"p{at}", SEXES[at % 2], 1.0) for at in range(20)]
    visits = [(f"p{at % 20}", None, KINDS[at % 2], 1.0) for at in range(200)]

    def strangers(count):
        return [(f"x{at}", None, "门诊", 1.0) for at in range(count)]

    tables = {"patient": patients, "ward": [], "hospital": []}
    count = "SELECT count(*) FROM visit"
    joined = f"{count} JOIN patient ON person = id"
    with opened(policy, tables | {"visit": [*visits, *strangers(4)]}) as place:
        for text in (count, joined):
            for told in (place.cube(text), place.ad_hoc(text)[0]):
                assert (told["rows"], told["has_withheld"]) == ([["200"]], True)
        place.load(tables | {"visit": [*visits, *strangers(9)]})
        for text, number in ((count, "209"), (joined, "200")):
            for told in (place.cube(text), place.ad_hoc(text)[0]):
                assert (told["rows"], told["has_withheld"]) == ([[number]], False)


def test_a_block_newer_than_the_version_that_is_read_vouches_for_nothing():
    """Beside many who came later, ten of a block of twelve would be told without the other two."""

    def visits(first, number, kind):
        return [(f"p{at}", None, kind, 1.0) for at in range(first, first + number)]

    patients = [(f"p{at}", "男", 1.0) for at in range(100)]
    tables = {"patient": patients, "ward": [], "hospital": []}
    before = [*visits(0, 10, "甲"), *visits(10, 2, "乙"), *visits(20, 30, "丙")]
    after = [*before, *visits(60, 1, "丙"), *visits(70, 12, "丁")]
    text = "SELECT count(*) FROM visit JOIN patient ON person = id WHERE kind IN ({})"
    with opened(policy_of(visits=5, patients=5), tables | {"visit": before}) as place:
        place.load(tables | {"visit": after})
        assert len(place.cubes["visit"].cube.blocks) == 3
        assert place.ad_hoc(text.format("'甲', '乙', '丁'"))[0]["rows"] == [["12"]]
        with pytest.raises(Overlapping):
            place.ad_hoc(text.format("'甲', '丁'"))


def test_exact_answers_go_along_joins_that_give_a_row_one_row():
    policy = policy_of()
    text = "SELECT count(*) FROM visit JOIN patient ON person = id"
    with pytest.raises(FanOut) as caught:
        as_one_table(read(text, many_to_many(policy)), many_to_many(policy))
    assert caught.value.parameters == {"left": "visit", "right": "patient"}
    with pytest.raises(JoinedFigure):
        as_one_table(read(text.replace("count(*)", "sum(income)"), policy), policy)
    alone = read("SELECT sum(income) FROM patient", policy)
    assert as_one_table(alone, policy)[0] == alone
    assert isinstance(widen(policy, policy.tables[1]), GovernedTable)
    assert widen(replace(policy, modes=(Mode.DP,)), policy.tables[0]) == policy.tables[0]


def test_under_noise_joined_rows_are_bounded_for_one_kind_of_entities():
    policy = policy_of()
    by_person = read("SELECT count(*) FROM visit v JOIN patient p ON v.person = p.id", policy)
    assert find_protected(by_person, policy).name in {"person", "id"}
    for text, refusal in (
        ("SELECT count(*) FROM visit JOIN ward ON ward = no", TwoKinds),
        ("SELECT count(*) FROM hospital", NobodyProtected),
    ):
        with pytest.raises(refusal):
            find_protected(read(text, policy), policy)


@settings(max_examples=EXAMPLES // 2)
@given(st.integers(0, 2**32))
def test_one_person_more_moves_a_joined_figure_under_noise_by_the_bounded_amount(seed):
    """Rows of a person are taken away; what others add stays to the last row, however stored."""
    dice = random.Random(seed)
    policy, tables = policy_of(), rows_of_tables(seed, 120)
    join = "visit JOIN patient ON person = id"
    figures = "count(*), sum(cost), sum(income), count(DISTINCT id)"
    text = f"SELECT {figures} FROM {join} WHERE cost < 50"
    query = read(text, policy)
    bounded = print_bounded(query, policy, policy.dp)
    person = dice.choice([row[0] for row in tables["visit"] if row[0] is not None])
    fewer = {
        "visit": [row for row in tables["visit"] if row[0] != person],
        "patient": [row for row in tables["patient"] if row[0] != person],
    }
    dice.shuffle(fewer["visit"])
    told = []
    for some in (tables, tables | fewer):
        with opened(policy, some) as place:
            found = place.bounded(query, bounded)
            told.append(found.get((), (0,) * len(bounded.moves)))
    for one, other, move in zip(*told, bounded.moves, strict=True):
        assert abs(one - other) <= move
