# SPDX-License-Identifier: Apache-2.0
"""Shipped charts and the rulebook say the same: every rule is known, every clock as long."""

from datetime import date

import pytest

from lingqu.kernel.charts import Unit
from lingqu.trust import procedures, rulebook

ON = date(2026, 9, 1)
UNITS = {
    rulebook.Unit.WORKING_DAY: (Unit.WORKING_DAYS, 1),
    rulebook.Unit.DAY: (Unit.DAYS, 1),
    rulebook.Unit.MONTH: (Unit.MONTHS, 1),
    rulebook.Unit.YEAR: (Unit.MONTHS, 12),
}
SHIPPED = pytest.mark.parametrize("chart", procedures.SHIPPED, ids=lambda chart: chart.code)


def rules_of(chart):
    named = [chart.rule, *(move.rule for move in chart.moves), *(one.rule for one in chart.timers)]
    return {rule for rule in named if rule is not None}


@SHIPPED
def test_every_rule_of_a_shipped_chart_is_known_or_the_houses_own(chart):
    for rule in rules_of(chart):
        if not rule.startswith("house."):
            assert rulebook.rule(rule, on=ON).citation


@SHIPPED
def test_every_clock_of_a_shipped_chart_is_as_long_as_its_rule_says(chart):
    compared = 0
    for timer in chart.timers:
        if timer.rule.startswith("house.") or timer.name == "correction":
            continue
        said = rulebook.clock(timer.rule, on=ON)
        unit, times = UNITS[said.unit]
        assert (timer.length.unit, timer.length.count) == (unit, said.count * times), timer.name
        compared += 1
    assert compared == {"registration.public": 6, "registration.property": 6}.get(chart.code, 0)


@SHIPPED
def test_every_window_and_extension_of_a_shipped_chart_is_the_rules(chart):
    for move in chart.moves:
        if move.window is not None:
            said = rulebook.clock(move.rule, on=ON)
            unit, times = UNITS[said.unit]
            assert (move.window.length.unit, move.window.length.count) == (unit, said.count * times)
    for timer in chart.timers:
        if timer.extension is not None and not timer.rule.startswith("house."):
            said = rulebook.clock("property.extension", on=ON)
            assert timer.extension.count == said.days
