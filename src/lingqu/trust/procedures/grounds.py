# SPDX-License-Identifier: Apache-2.0
"""By which calendar days are counted here, and which article a rule code stands for."""

from __future__ import annotations

from functools import cache

from lingqu.kernel.charts import Compiled, Move
from lingqu.runtime import Tx
from lingqu.runtime.calendar import Calendar, national_table


@cache
def _national() -> Calendar:
    return Calendar(tables=(national_table(),))


def calendar_of(tx: Tx) -> Calendar:
    """This will give the calendar by which this transaction counts days."""
    kept: Calendar | None = tx.notes.get(Calendar)
    return kept or _national()


def article_of(rule: str | None) -> str | None:
    """This will give the article a rule code stands for, as a person reads it."""
    return rule


def rule_of(table: Compiled, move: Move | None = None) -> str | None:
    """This will give the rule that grounds a move, else the one of the whole chart."""
    return (move.rule if move is not None else None) or table.chart.rule
