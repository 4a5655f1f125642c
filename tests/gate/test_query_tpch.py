# SPDX-License-Identifier: Apache-2.0
"""TPC-H: nine questions are answered and equal the plain engine's; the others are refused."""

from fractions import Fraction

import duckdb
import pytest
import tpch
from fuzzing import close, shown
from governed import escapes
from joined_world import Place
from test_query_corpus import decided

from lingqu.gate.answers.figures import write_answer
from lingqu.gate.answers.noise import find_groups, print_bounded
from lingqu.gate.datasets import Told, ToldLine
from lingqu.gate.governance import Mode, find_fault
from lingqu.gate.queries import digest
from lingqu.gate.sql import Asked, find_refusal, print_query, read, read_printed
from lingqu.gate.syntax import Dialect


@pytest.fixture(scope="module")
def engine():
    made = duckdb.connect()
    made.execute("SELECT setseed(0.7)")
    made.execute(tpch.TABLES)
    return made


def test_the_policy_is_well_formed_and_every_query_is_here():
    assert find_fault(tpch.POLICY) is None
    assert {*tpch.ANSWERED, *tpch.REFUSED} == set(range(1, 23))


@pytest.mark.parametrize("number", tpch.ANSWERED)
def test_an_answered_query_gives_the_figures_of_the_plain_engine(engine, number):
    mode, text = tpch.ANSWERED[number]
    query = read(text, tpch.POLICY)
    assert find_refusal(Asked(query=query, policy=tpch.POLICY, mode=Mode(mode))) is None
    printed = print_query(query, tpch.POLICY, dialect=Dialect.DUCKDB)
    assert digest(read_printed(printed, tpch.POLICY)) == digest(query)
    assert escapes(printed.sql, tpch.POLICY) == []
    expected = [close(row) for row in engine.execute(text).fetchall()]
    rows = engine.execute(printed.sql, list(printed.values)).fetchall()
    told = [close(shown(query, row)) for row in rows]
    assert expected
    assert expected[0] not in (["0"], [])
    assert sorted(told) == sorted(expected)


@pytest.mark.parametrize("number", tpch.ANSWERED)
def test_an_answered_query_is_answered_by_the_gate_as_by_the_plain_engine(engine, number):
    """From text to released lines, over governed copies and published blocks; or under noise."""
    mode, text = tpch.ANSWERED[number]
    policy = tpch.policy_for(number)
    assert find_fault(policy) is None
    place = Place(engine, policy, number)
    expected = engine.execute(text).fetchall()
    if mode == "ad_hoc":
        place.publish(policy.table("lineitem"))
        told, _, _ = place.ad_hoc(text)
        assert not told["has_withheld"]
        assert_alike(told["rows"], expected)
        return
    query = read(text, policy)
    place.publish(*policy.tables)
    bounded = print_bounded(query, policy, policy.dp)
    found = place.bounded(query, bounded)
    cubes = {scan: place.cubes[scan.table] for scan in query.scans}
    groups = find_groups(query, cubes)
    assert {*found} <= {*groups}
    lines = tuple(ToldLine(key=key, numbers=numbers) for key, numbers in found.items())
    told = write_answer(
        query, policy, Mode.DP, Told(lines=lines, has_withheld=False, withheld_entities=None)
    )
    assert_alike(told["rows"], expected)


def assert_alike(told, expected):
    """Figures are sent with six decimal places."""
    assert len(told) == len(expected)
    rows = (sorted(one, key=lambda row: list(map(str, row))) for one in (told, expected))
    for row, other in zip(*rows, strict=True):
        for cell, truth in zip(row, other, strict=True):
            if isinstance(truth, str):
                assert cell == truth
            else:
                assert abs(Fraction(cell) - Fraction(truth)) < Fraction(1, 1000_000)


def test_a_pattern_or_a_comparison_of_columns_needs_noise():
    for number in (9, 12):
        asked = read(tpch.ANSWERED[number][1], tpch.POLICY)
        refusal = find_refusal(Asked(query=asked, policy=tpch.POLICY, mode=Mode.AD_HOC))
        assert refusal.code == "gate.query.column"


@pytest.mark.parametrize("number", tpch.REFUSED)
def test_any_other_query_is_refused_by_a_listed_code(number):
    outcome, text = tpch.REFUSED[number]
    assert decided(text, Mode.DP, tpch.POLICY)[0] == outcome
