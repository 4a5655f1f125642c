# SPDX-License-Identifier: Apache-2.0
"""Amounts in capital characters follow the rules for bills (支付结算办法, annex)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel.money import Money
from lingqu.runtime.documents import format_amount, spell_amount

FIGURES = {figure: at for at, figure in enumerate("零壹贰叁肆伍陆柒捌玖")}
UNITS = {"拾": 10, "佰": 100, "仟": 1_000}


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "人民币零元整"),
        (5, "人民币伍分"),
        (50, "人民币伍角整"),
        (100, "人民币壹元整"),
        (101, "人民币壹元零壹分"),
        (1_000_00, "人民币壹仟元整"),
        (1_409_50, "人民币壹仟肆佰零玖元伍角整"),
        (6_007_14, "人民币陆仟零柒元壹角肆分"),
        (16_409_02, "人民币壹万陆仟肆佰零玖元零贰分"),
        (325_04, "人民币叁佰贰拾伍元零肆分"),
        (107_000_53, "人民币壹拾万柒仟元伍角叁分"),
        (10_0000_0001_00, "人民币壹拾亿零壹元整"),
        (1_0002_0000_0000_00, "人民币壹万零贰亿元整"),
        (-12_30, "人民币负壹拾贰元叁角整"),
    ],
)
def test_amounts_read_as_on_a_bill(fen, words):
    assert spell_amount(Money(fen, "CNY")) == words


@given(st.integers(-(10**18), 10**18))
def test_the_words_of_an_amount_mean_the_amount(fen):
    assert read_back(spell_amount(Money(fen, "CNY"))) == fen
    assert format_amount(Money(fen, "CNY")).replace(",", "").replace(".", "").lstrip("-").lstrip(
        "0"
    ) == str(abs(fen) or "")


def read_back(words):
    text = words.removeprefix("人民币")
    sign = -1 if text.startswith("负") else 1
    text = text.removeprefix("负").removesuffix("整")
    whole, found, rest = text.rpartition("元")
    fen = integer(whole) * 100 if found else 0
    for figure, unit in itertools.pairwise(rest):
        fen += FIGURES.get(figure, 0) * {"角": 10, "分": 1}.get(unit, 0)
    return sign * fen


def integer(text):
    for name, scale in (("亿", 10**8), ("万", 10**4)):
        if name in text:
            above, _, below = text.rpartition(name)
            return integer(above) * scale + integer(below)
    total, figure = 0, 0
    for character in text:
        if character in FIGURES:
            figure = FIGURES[character]
        else:
            total, figure = total + figure * UNITS[character], 0
    return total + figure
