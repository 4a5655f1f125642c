# SPDX-License-Identifier: Apache-2.0
"""Money: parts add up to the last unit, whatever the batches."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel.money import (
    BadMoney,
    BadWeights,
    CurrencyMismatch,
    Money,
    apportion,
    apportion_next,
)

weights = st.lists(st.integers(0, 10_000), min_size=1, max_size=12).filter(any)
amounts = st.integers(-(10**15), 10**15)


@given(amounts, weights)
def test_the_parts_of_a_split_add_up_exactly(total, shares):
    assert sum(apportion(total, shares)) == total


@given(amounts, weights)
def test_every_part_is_less_than_one_unit_from_its_exact_share(total, shares):
    for part, weight in zip(apportion(total, shares), shares, strict=True):
        assert abs(part - Fraction(total * weight, sum(shares))) < 1


@given(amounts, weights)
def test_a_weight_of_nothing_gets_nothing(total, shares):
    parts = apportion(total, shares)
    assert all(part == 0 for part, weight in zip(parts, shares, strict=True) if weight == 0)


@given(amounts, weights)
def test_a_negative_amount_is_the_mirror_of_the_positive_one(total, shares):
    assert apportion(-total, shares) == tuple(-part for part in apportion(total, shares))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), weights, st.randoms())
def test_shares_to_date_do_not_depend_on_batches_or_their_order(batches, shares, random):
    def paid(order):
        already = (0,) * len(shares)
        for amount in order:
            parts = apportion_next(already, amount, shares)
            assert sum(parts) == amount
            already = tuple(a + b for a, b in zip(already, parts, strict=True))
        return already

    shuffled = random.sample(batches, len(batches))
    assert paid(batches) == paid(shuffled) == paid([sum(batches)])


@pytest.mark.parametrize("bad", [[], [0, 0], [-1, 2], [1.5, 2]])
def test_weights_that_share_nothing_are_refused(bad):
    with pytest.raises(BadWeights):
        apportion(100, bad)


def test_money_of_two_currencies_is_not_added():
    with pytest.raises(CurrencyMismatch):
        Money(1, "CNY") + Money(1, "calls")


@pytest.mark.parametrize(
    ("minor", "currency"), [(1 << 63, "CNY"), (1.0, "CNY"), (True, "CNY"), (1, ""), (1, "C N")]
)
def test_money_that_the_books_could_not_hold_is_refused(minor, currency):
    with pytest.raises(BadMoney):
        Money(minor, currency)


def test_one_yuan_among_three_gives_the_odd_fen_to_the_first():
    assert Money(100, "CNY").split([1, 1, 1]) == (
        Money(34, "CNY"),
        Money(33, "CNY"),
        Money(33, "CNY"),
    )
