# SPDX-License-Identifier: Apache-2.0
"""The charts of the market and the rulebook say the same."""

import pytest

from lingqu.kernel.charts import Unit, check_chart
from lingqu.trust import procedures, rulebook

OURS = [one for one in procedures.provided_charts() if one.code.startswith("market.")]
UNITS = {rulebook.Unit.DAY: Unit.DAYS, rulebook.Unit.WORKING_DAY: Unit.WORKING_DAYS}


def test_the_market_has_four_charts():
    assert {one.code for one in OURS} == {
        "market.admission",
        "market.listing",
        "market.price_formal",
        "market.price_trial",
    }


@pytest.mark.parametrize("chart", OURS, ids=lambda chart: chart.code)
def test_a_chart_is_sound_and_its_rules_and_clocks_are_those_of_the_rulebook(chart):
    assert check_chart(chart) == ()
    named = [chart.rule, *(move.rule for move in chart.moves), *(one.rule for one in chart.timers)]
    for rule in {one for one in named if one is not None and not one.startswith("house.")}:
        assert rulebook.rule(rule).citation
    for timer in chart.timers:
        if not timer.rule.startswith("house."):
            said = rulebook.clock(timer.rule)
            assert (timer.length.unit, timer.length.count) == (UNITS[said.unit], said.count)
    changing = {move.name for move in chart.moves if move.through == "market"}
    assert chart.through == "market"
    assert changing
