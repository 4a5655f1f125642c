# SPDX-License-Identifier: Apache-2.0
"""Statements nobody thought of, and policies made stricter: what is answered stays what it was."""

import os
from dataclasses import replace

import hypothesis.strategies as st
import pytest
from fuzzing import Trial
from governed import POLICY
from hypothesis import given
from statements import Grammar

from lingqu.gate.governance import (
    Function,
    Grid,
    GridKind,
    Mode,
    Role,
    find_fault,
    strictest,
)
from lingqu.gate.queries import digest
from lingqu.gate.sql import Asked, find_refusal, print_query, read
from lingqu.gate.syntax import Dialect
from lingqu.kernel.errors import LingquError

STATEMENTS = 10_000 if os.environ.get("FULL_MATRIX") else 2_500
"""From each of four seeds."""


@pytest.mark.parametrize("seed", [20261121, 20261122, 20261123, 20261124])
def test_no_statement_escapes(seed):
    """Checkers that know nothing of reading find nothing, and every part of it was reached."""
    trial = Trial(seed)
    trial.run(STATEMENTS)
    trial.close()
    assert not trial.found
    assert trial.answered > STATEMENTS // 10
    assert trial.equal > STATEMENTS // 20
    assert trial.run_again > STATEMENTS // 20
    kinds, codes = trial.unreached
    assert not kinds
    assert {*codes} <= {"name_ambiguous", "too_many_joins", "too_wide", "too_complex"}


def is_answered(text, policy, mode):
    try:
        return find_refusal(Asked(query=read(text, policy), policy=policy, mode=mode)) is None
    except LingquError:
        return False


def tightened(dice, column):
    """A column under some stricter rule."""
    year, band = Grid(kind=GridKind.YEAR), Grid(kind=GridKind.BANDS, edges=("0", "18", "150"))
    if column.role is Role.MEASURE:
        functions = tuple(one for one in column.measure.functions if dice.random() < 0.7)
        return replace(
            column, measure=replace(column.measure, functions=functions or (Function.COUNT,))
        )
    if column.grid is None or dice.random() < 0.5:
        return column
    grids = {"d": year, "age": band, "city": band, "region": Grid(kind=GridKind.EXACT)}
    return replace(column, grid=grids.get(column.name, column.grid))


def stricter(dice, policy):
    """A policy whose strictest with `policy` is some tightening of it."""
    tables = tuple(
        replace(
            table,
            threshold=table.threshold + dice.choice((0, 9)),
            columns=tuple(
                tightened(dice, one) for one in table.columns if dice.random() < 0.95
                or one.name in {"city", "pid"}
            ),
        )
        for table in policy.tables
    )  # fmt: skip
    return replace(
        policy,
        tables=tables,
        joins=policy.joins if dice.random() < 0.7 else (),
        modes=tuple(mode for mode in policy.modes if dice.random() < 0.9) or (Mode.DP,),
        joins_max=dice.choice((0, 1, 8)),
        depth_max=dice.choice((3, 16)),
        text_max=dice.choice((120, 20_000)),
    )


@given(st.integers(0, 2**32), st.sampled_from(Mode))
def test_a_stricter_policy_never_answers_more(seed, mode):
    grammar = Grammar(seed)
    other = stricter(grammar.dice, POLICY)
    both = strictest(POLICY, other)
    for _ in range(5):
        text = grammar.select()
        if is_answered(text, both, mode):
            assert is_answered(text, POLICY, mode), text
            assert is_answered(text, other, mode), text


def test_the_strictest_of_policies_keeps_every_rule():
    coarse = replace(
        POLICY,
        modes=(Mode.AD_HOC,),
        dp=None,
        rounding=6,
        tables=tuple(replace(table, threshold=50) for table in POLICY.tables),
    )
    found = strictest(replace(POLICY, rounding=4), coarse)
    assert found.rounding == 12
    assert found.modes == (Mode.AD_HOC,)
    assert [table.threshold for table in found.tables] == [50, 50]
    assert find_fault(found) is None
    assert strictest(POLICY, POLICY) == replace(POLICY, tables=strictest(POLICY, POLICY).tables)


def negated_twice(text):
    head, where, condition = text.rpartition(" WHERE ")
    condition, group, rest = condition.partition(" GROUP BY ")
    return f"{head}{where}NOT (NOT ({condition})){group}{rest}" if ")" not in rest else text


REWRITES = (
    lambda text: text.replace(" WHERE ", " WHERE 1 = 1 AND "),
    lambda text: text.replace("count(*)", "count(1)"),
    lambda text: text.replace("SELECT ", "select /* again */ ", 1),
    lambda text: text if " y" in text or " WHERE " not in text else negated_twice(text),
)


@given(st.integers(0, 2**32))
def test_a_rewritten_question_is_the_same_question(seed):
    grammar = Grammar(seed)
    text = grammar.select()
    try:
        query = read(text, POLICY)
    except LingquError:
        return
    for rewrite in REWRITES:
        assert digest(read(rewrite(text), POLICY)) == digest(query)
    printed = [print_query(query, POLICY, dialect=one) for one in Dialect]
    assert len({one.values for one in printed}) == 1
