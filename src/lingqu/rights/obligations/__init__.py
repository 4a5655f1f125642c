# SPDX-License-Identifier: Apache-2.0
"""义务 obligations of a grant's holder: delete, report, pay, each with its clock and its chart.

The commands of `rights` that issue and succeed grants use `impose` and `pass_on`. Clocks and
to-dos are those of `trust.procedures`; a clock that waits for the end of its grant is started by
`begin_obligations`.
"""

from pathlib import Path

from lingqu.rights.obligations.owed import (
    DAYS_MAX,
    BadObligation,
    ClockStart,
    Duty,
    Obligation,
    ObligationId,
    ObligationKind,
    ObligationNotFound,
    ObligationOver,
    ObligationState,
    Owed,
    begin_obligations,
    find_obligations,
    fulfill_obligation,
    has_ended,
    impose,
    pass_on,
)
from lingqu.trust import procedures

CHARTS = procedures.provide_charts(Path(__file__).parent / "charts")
"""The chart of an obligation."""

__all__ = (
    "CHARTS",
    "DAYS_MAX",
    "BadObligation",
    "ClockStart",
    "Duty",
    "Obligation",
    "ObligationId",
    "ObligationKind",
    "ObligationNotFound",
    "ObligationOver",
    "ObligationState",
    "Owed",
    "begin_obligations",
    "find_obligations",
    "fulfill_obligation",
    "has_ended",
    "impose",
    "pass_on",
)
