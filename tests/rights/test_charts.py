# SPDX-License-Identifier: Apache-2.0
"""The charts of rights say what the rulebook says: every rule is known, every clock as long."""

from datetime import date

import pytest

from lingqu.kernel.charts import Unit
from lingqu.rights import obligations, operation, registry
from lingqu.trust import rulebook

ON = date(2026, 9, 1)
CHARTS = pytest.mark.parametrize(
    "chart",
    [*obligations.CHARTS, *operation.CHARTS, *registry.CHARTS],
    ids=lambda chart: chart.code,
)
TIMERS = {"operation.agreement": 1, "registration.change": 3}
LENGTHS = {
    rulebook.Unit.WORKING_DAY: (Unit.WORKING_DAYS, 1),
    rulebook.Unit.YEAR: (Unit.MONTHS, 12),
}


@CHARTS
def test_every_rule_of_a_chart_is_known(chart):
    named = [chart.rule, *(move.rule for move in chart.moves), *(one.rule for one in chart.timers)]
    for rule in {one for one in named if one and not one.startswith("house.")}:
        assert rulebook.rule(rule, on=ON).citation


@CHARTS
def test_every_clock_of_a_chart_is_as_long_as_its_rule_says(chart):
    compared = 0
    for timer in chart.timers:
        if not timer.rule.startswith("house."):
            said = rulebook.clock(timer.rule, on=ON)
            unit, times = LENGTHS[said.unit]
            assert (timer.length.unit, timer.length.count) == (unit, said.count * times)
            compared += 1
    assert compared == TIMERS.get(chart.code, 0)
