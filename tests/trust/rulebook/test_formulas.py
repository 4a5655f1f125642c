# SPDX-License-Identifier: Apache-2.0
"""The formulas: each against its worked examples, and against what must always hold."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.trust import rulebook
from lingqu.trust.rulebook import Kind, Source
from lingqu.trust.rulebook.formulas import FORMULAS

BOOK = rulebook.open_rulebook("guangxi")
MEMORY = frozenset(r.code for r in BOOK.known() if r.source is Source.MEMORY)
ALL = rulebook.open_rulebook("guangxi", unverified=MEMORY)
EXAMPLES = [
    (rule.code, example)
    for rule in BOOK.known()
    if rule.kind is Kind.FORMULA
    for example in rule.examples
]
alphabet = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=60)
fen = st.integers(0, 10**15)


def plain(value):
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Fraction) and value.denominator > 1 else value


@pytest.mark.parametrize(("code", "example"), EXAMPLES, ids=[code for code, _ in EXAMPLES])
def test_a_worked_example_comes_out_as_written(code, example):
    assert plain(ALL.evaluate(code, **dict(example.given))) == example.gives


def test_the_weights_of_the_check_character_are_those_of_the_draft():
    printed = (
        "22 11 24 12 6 3 20 10 5 21 29 33 35 36 18 9 23 30 15 26 13 25 31 34 17 27 32 16 8 4 2 1"
    )
    assert [pow(2, 31 - at, 37) for at in range(32)] == [int(one) for one in printed.split()]


@given(alphabet)
def test_a_composed_check_character_is_accepted(body):
    code = body + BOOK.evaluate("identifier.check_character", body=body)
    assert BOOK.evaluate("identifier.is_valid", code=code)


@given(alphabet, st.data())
def test_any_single_wrong_character_and_any_swap_of_neighbours_is_found(body, data):
    code = body + BOOK.evaluate("identifier.check_character", body=body)
    at = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.sampled_from([c for c in "0123456789ABCDEFXYZ" if c != code[at]]))
    assert not BOOK.evaluate("identifier.is_valid", code=code[:at] + other + code[at + 1 :])
    if at + 1 < len(body) and code[at] != code[at + 1]:
        swapped = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
        assert not BOOK.evaluate("identifier.is_valid", code=swapped)


@given(fen, st.integers(0, 5000), st.integers(0, 600), fen)
def test_permitted_revenue_never_exceeds_the_exact_formula(cost, bond, margin, tax):
    rate = BOOK.evaluate("price.permitted_profit_rate", bond_yield_bp=bond, margin_bp=margin)
    profit = BOOK.evaluate("price.permitted_profit", cost=cost, rate_bp=rate)
    mar = BOOK.evaluate("price.permitted_revenue", cost=cost, profit=profit, tax=tax)
    exactly = cost + Fraction(cost * (bond + margin), 10_000) + tax
    assert exactly - 1 < mar <= exactly


def test_a_margin_above_what_is_permitted_is_refused():
    assert BOOK.evaluate("price.permitted_profit_rate", bond_yield_bp=190, margin_bp=600) == 790
    with pytest.raises(rulebook.BadInput):
        BOOK.evaluate("price.permitted_profit_rate", bond_yield_bp=190, margin_bp=601)


@given(st.integers(1, 10**15))
def test_exactly_ten_percent_still_adjusts_the_actual_fees(permitted):
    at = BOOK.evaluate("price.adjustment", actual=permitted * 11, permitted=permitted * 10)
    above = BOOK.evaluate("price.adjustment", actual=permitted * 11 + 1, permitted=permitted * 10)
    below = BOOK.evaluate("price.adjustment", actual=permitted * 9 - 1, permitted=permitted * 10)
    assert (at, above, below) == ("actual_fees", "ceilings", "ceilings")


@given(fen, st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.data())
def test_shares_add_up_to_the_last_fen(net, parts, data):
    weights = [f"{part}/{sum(parts)}" for part in parts]
    residue = data.draw(st.integers(0, len(parts) - 1))
    found = BOOK.evaluate("distribution.shares", net=net, weights=weights, residue_to=residue)
    assert sum(found) == net
    for at, (share, weight) in enumerate(zip(found, weights, strict=True)):
        assert at == residue or share == int(net * Fraction(weight))


@given(st.lists(st.sampled_from([i.code for i in BOOK.items("grading.matrix")]), min_size=1))
def test_a_grade_is_that_of_the_worst_effect(effects):
    matrix = {item.code: item.en for item in BOOK.items("grading.matrix")}
    ranks = ["general", "important", "core"]
    found = BOOK.evaluate("grading.grade", effects=effects)
    assert ranks.index(found) == max(ranks.index(matrix[effect]) for effect in effects)


@given(st.integers(0, 2_000_000), st.integers(0, 20_000))
def test_more_persons_never_make_an_export_easier(persons, sensitive):
    order = ["exempt", "contract_or_certification", "assessment"]

    def path(more):
        return order.index(
            BOOK.evaluate(
                "export.path", exempt=False, important=False, ciio=False,
                persons=persons + more, sensitive_persons=sensitive,
            )
        )  # fmt: skip

    assert path(0) <= path(1) <= path(1_000_000)


BAD = {
    "price.deviation": {"actual": 1, "permitted": 0},
    "price.permitted_profit": {"cost": -1, "rate_bp": 690},
    "price.permitted_revenue": {"cost": 1, "profit": 1, "tax": True},
    "identifier.check_character": {"body": "小写"},
    "identifier.is_valid": {"code": "小写"},
    "identifier.compose": {"kind": "6", "subject": "1", "place": "4507", "random": "20250001"},
    "identifier.credit_code_check": {"body": "91350100M000100I4"},
    "property.certificate_code": {"area": "4", "registrar": 1, "year": 2026, "month": 1,
                                  "serial": 1},
    "quality.ratio": {"met": 2, "tested": 1},
    "quality.inverted_ratio": {"met": 0, "tested": 0},
    "grading.grade": {"effects": ["person/total"]},
    "privacy.k_risk": {"k": 0},
    "dcmm.score": {"scores": []},
    "valuation.adjustment": {"quality": "x", "circulation": 1, "monopoly": 0, "risk": 0},
    "valuation.market": {"prices": [1], "factors": []},
    "distribution.net": {"gross": 1, "fee": 2, "tax": 0, "cost": 0},
    "distribution.shares": {"net": 1, "weights": ["1/2"], "residue_to": 0},
    "export.path": {"exempt": False, "important": False, "ciio": False, "persons": -1,
                    "sensitive_persons": 0},
}  # fmt: skip


@pytest.mark.parametrize("code", BAD)
def test_an_input_outside_the_rule_is_refused(code):
    with pytest.raises(rulebook.BadInput):
        ALL.evaluate(code, **BAD[code])


def test_a_missing_or_unknown_input_is_refused_by_name():
    with pytest.raises(rulebook.BadInput) as refused:
        BOOK.evaluate("price.deviation", actual=1)
    assert refused.value.parameters["name"] == "permitted"
    with pytest.raises(rulebook.BadInput):
        BOOK.evaluate("price.deviation", actual=1, permitted=1, whim=1)


def test_a_formula_known_from_memory_only_does_not_compute():
    with pytest.raises(rulebook.RuleIsOff):
        BOOK.evaluate("valuation.income", incomes=[1], rate="0.1")


def test_the_renewal_windows_end_where_their_rules_say():
    first, last = BOOK.evaluate("registration.renewal_period", expires_on=date(2028, 3, 1))
    assert (first, last) == (date(2028, 1, 1), date(2028, 3, 1))
    first, last = BOOK.evaluate("property.renewal_period", expires_on=date(2028, 3, 1))
    assert (first, last) == (date(2027, 9, 1), date(2028, 2, 29))


def test_no_formula_computes_in_floating_point():
    for code, example in EXAMPLES:
        given_values = dict(example.given).values()
        assert not any(isinstance(value, float) for value in given_values), code
        assert not isinstance(ALL.evaluate(code, **dict(example.given)), float), code
    assert len(FORMULAS) >= 28
