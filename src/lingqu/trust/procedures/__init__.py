# SPDX-License-Identifier: Apache-2.0
"""流程 procedures: matters that move by a chart, with clocks that act by themselves.

A **chart** (`lingqu.kernel.charts`) is a procedure as data. `open_procedure` begins one for a
subject and an owner, and names who plays which role. A **move** is legal only from where the
procedure stands, by who plays its actor, with the opinion, reason or files it asks for; each is a
**step** of the history, which only grows. **Timers** are rows counted on the regional calendar:
`fire_timers` lets those act whose last day has passed, once each, as of the day they fell due: a
silent office is deemed to have accepted, a superior is told, somebody is overdue. Deadlines counted
over days that are not published yet are provisional; `recount_deadlines` counts them again.

A package whose commands change more than the procedure calls `begin_procedure` and
`advance_procedure` inside its own command, and provides its charts with `provide_charts`; what a
move means elsewhere follows from `ProcedureMoved`. Charts of general use stand in `shipped`.
"""

from pathlib import Path

from lingqu.kernel.charts import Chart
from lingqu.trust.procedures import conditions as conditions
from lingqu.trust.procedures.charts import (
    find_charts,
    guard,
    provide_charts,
    provided_charts,
    read_chart,
    register_chart,
)
from lingqu.trust.procedures.firing import (
    fire_due_timers,
    fire_timers,
    recount_all_deadlines,
    recount_deadlines,
)
from lingqu.trust.procedures.forgetting import forget_person
from lingqu.trust.procedures.moving import (
    Given,
    GivenFile,
    Part,
    advance_procedure,
    begin_procedure,
    move_procedure,
    open_procedure,
)
from lingqu.trust.procedures.papers import Paper, document_data, find_documents
from lingqu.trust.procedures.participants import (
    add_participant,
    name_participant,
    release_participant,
)
from lingqu.trust.procedures.reads import (
    Clock,
    ProcedureView,
    Todo,
    Urgency,
    find_procedure_codes,
    find_procedures,
    find_todos,
    get_procedure,
    look_through_procedures,
)
from lingqu.trust.procedures.records import (
    Attachment,
    ParticipantId,
    Procedure,
    ProcedureId,
    Step,
    TimerPassed,
)

SHIPPED: tuple[Chart, ...] = provide_charts(Path(__file__).parent / "shipped")
"""The charts every installation has: approval of papers, acceptance of filings, rectification,
complaints, and the two registries."""

__all__ = (
    "SHIPPED",
    "Attachment",
    "Clock",
    "Given",
    "GivenFile",
    "Paper",
    "Part",
    "ParticipantId",
    "Procedure",
    "ProcedureId",
    "ProcedureView",
    "Step",
    "TimerPassed",
    "Todo",
    "Urgency",
    "add_participant",
    "advance_procedure",
    "begin_procedure",
    "document_data",
    "find_charts",
    "find_documents",
    "find_procedure_codes",
    "find_procedures",
    "find_todos",
    "fire_due_timers",
    "fire_timers",
    "forget_person",
    "get_procedure",
    "guard",
    "look_through_procedures",
    "move_procedure",
    "name_participant",
    "open_procedure",
    "provide_charts",
    "provided_charts",
    "read_chart",
    "recount_all_deadlines",
    "recount_deadlines",
    "register_chart",
    "release_participant",
)
