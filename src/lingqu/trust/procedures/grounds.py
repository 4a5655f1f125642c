# SPDX-License-Identifier: Apache-2.0
"""By which calendar days are counted, and which article a rule code of a chart stands for."""

from __future__ import annotations

from lingqu.kernel.charts import Compiled, Move
from lingqu.runtime import Tx
from lingqu.runtime.calendar import Calendar
from lingqu.trust import rulebook

HOUSE = "house."
"""Rule codes of the house's own: no regulation stands behind them, and none is cited."""


def calendar_of(tx: Tx) -> Calendar:
    """This will give the calendar of the region by whose rules this transaction decides."""
    return rulebook.of(tx).calendar()


def article_of(tx: Tx, rule: str | None) -> str | None:
    """This will cite the article of a rule code in force; None for the house's own and drafts."""
    if rule is None or rule.startswith(HOUSE):
        return None
    try:
        found = rulebook.of(tx).rule(rule)
    except (rulebook.RuleNotFound, rulebook.RuleIsOff):
        return None
    return None if found.is_draft else found.citation


def rule_of(table: Compiled, move: Move | None = None) -> str | None:
    """This will give the rule that grounds a move, else the one of the whole chart."""
    return (move.rule if move is not None else None) or table.chart.rule
