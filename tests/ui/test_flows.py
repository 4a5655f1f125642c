# SPDX-License-Identifier: Apache-2.0
"""A procedure as a drawing: long words part into two lines, and what nearly fits is made to fit."""

import re

import pytest

from lingqu.trust import procedures
from lingqu.ui import flows

CHARTS = {one.code: one for one in procedures.provided_charts()}


def drawn(code, language):
    chart = CHARTS[code]
    return flows.draw_chart(
        chart, here=chart.initial, made=set(), title="x", say=lambda label: getattr(label, language)
    )


@pytest.mark.parametrize("code", sorted(CHARTS))
def test_every_chinese_drawing_fits_its_page(code):
    assert "lq-flow-fits" in drawn(code, "zh")


def test_the_longest_drawing_in_english_parts_its_words_into_two_lines():
    svg = drawn("registration.public", "en")
    assert re.search(r">to be</tspan><tspan x=\"\d+\" y=\"\d+\">applied for<", svg)
    assert int(re.search(r'width="(\d+)"', svg)[1]) < 1700
