# SPDX-License-Identifier: Apache-2.0
"""监管 supervision: what a supervisor sees, whether sums agree, and what is reported.

Supervision reads: the log through a subscriber of its own, which notes for every fact **which
things it speaks of** and keeps every **refused attempt** (`following`), and the other domains
through their `pub_` views and faces. It acts only through **holds**, placed and lifted out of a
**case** that says why. What it finds out is a fact like any other, so a stranger can check the
supervisor too: `bundle_of` takes everything that was ever recorded about one thing to
`lingqu-verify`.
"""

from lingqu.supervision.attempts import Attempt, find_refused, look_through_attempts
from lingqu.supervision.cases import (
    Case,
    CaseClosed,
    CaseId,
    CaseKind,
    close_case,
    find_cases,
    get_case,
    hold_from_case,
    lift_from_case,
    open_case,
)
from lingqu.supervision.evidence import bundle_of, find_facts_about
from lingqu.supervision.figures import INDICATORS, Figure
from lingqu.supervision.flows import Flow, FlowPath, find_flows, get_flow, look_through_flows
from lingqu.supervision.following import FOLLOWER
from lingqu.supervision.reconciling import (
    Reconciliation,
    ReconciliationId,
    chargeable,
    find_reconciliations,
    get_reconciliation,
    read_differences,
    reconcile_contract,
    reconcile_day,
)
from lingqu.supervision.reports import (
    Report,
    ReportId,
    find_reports,
    get_report,
    is_reproduced,
    make_report,
    read_figures,
    report_paper,
    write_report,
)

__all__ = (
    "FOLLOWER",
    "INDICATORS",
    "Attempt",
    "Case",
    "CaseClosed",
    "CaseId",
    "CaseKind",
    "Figure",
    "Flow",
    "FlowPath",
    "Reconciliation",
    "ReconciliationId",
    "Report",
    "ReportId",
    "bundle_of",
    "chargeable",
    "close_case",
    "find_cases",
    "find_facts_about",
    "find_flows",
    "find_reconciliations",
    "find_refused",
    "find_reports",
    "get_case",
    "get_flow",
    "get_reconciliation",
    "get_report",
    "hold_from_case",
    "is_reproduced",
    "lift_from_case",
    "look_through_attempts",
    "look_through_flows",
    "make_report",
    "open_case",
    "read_differences",
    "read_figures",
    "reconcile_contract",
    "reconcile_day",
    "report_paper",
    "write_report",
)
