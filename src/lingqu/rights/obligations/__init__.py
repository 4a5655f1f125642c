# SPDX-License-Identifier: Apache-2.0
"""义务 obligations of a grant's holder: delete, report, pay, each with its clock and its chart.

The commands of `rights` that issue and succeed grants use `impose` and `pass_on`; whatever is
overdue is found by a scan.
"""

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
    find_obligations,
    fulfill_obligation,
    has_lapsed,
    impose,
    lapse_obligations,
    obligation_chart,
    pass_on,
)

__all__ = (
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
    "find_obligations",
    "fulfill_obligation",
    "has_lapsed",
    "impose",
    "lapse_obligations",
    "obligation_chart",
    "pass_on",
)
