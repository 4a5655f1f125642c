# SPDX-License-Identifier: Apache-2.0
"""监管 supervision: what a supervisor sees, whether sums agree, and what is reported.

Supervision reads: the log through a subscriber of its own, which notes for every fact **which
things it speaks of** and keeps every **refused attempt** (`following`), and the other domains
through their `pub_` views and faces. It acts only through **holds**, placed and lifted out of a
**case** that says why. What it finds out is a fact like any other, so a stranger can check the
supervisor too: `bundle_of` takes everything that was ever recorded about one thing to
`lingqu-verify`.
"""

from lingqu.supervision.attempts import Attempt, find_refused
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
from lingqu.supervision.flows import Flow, FlowPath, find_flows, get_flow
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

__all__ = (
    "FOLLOWER",
    "Attempt",
    "Case",
    "CaseClosed",
    "CaseId",
    "CaseKind",
    "Flow",
    "FlowPath",
    "Reconciliation",
    "ReconciliationId",
    "bundle_of",
    "chargeable",
    "close_case",
    "find_cases",
    "find_facts_about",
    "find_flows",
    "find_reconciliations",
    "find_refused",
    "get_case",
    "get_flow",
    "get_reconciliation",
    "hold_from_case",
    "lift_from_case",
    "open_case",
    "read_differences",
    "reconcile_contract",
    "reconcile_day",
)
