# SPDX-License-Identifier: Apache-2.0
"""Procedures as data: states, moves and clocks, and the check that a chart cannot get stuck.

A chart says who may move what from where to where, what a move needs, and which clocks run. It is
a frozen value: `check_chart` finds every fault of one, `compile_chart` makes the table of legal
moves an engine reads, `embed_chart` puts one chart inside another. Nothing here knows a calendar or
a database.
"""

from lingqu.kernel.charts.soundness import Fault, FaultKind, check_chart
from lingqu.kernel.charts.tables import BadChart, Compiled, compile_chart, embed_chart
from lingqu.kernel.charts.values import (
    CLOCK,
    PLATFORM,
    Chart,
    Document,
    Firing,
    Label,
    Length,
    Move,
    Role,
    Standing,
    State,
    Timer,
    Unit,
    Window,
)

__all__ = (
    "CLOCK",
    "PLATFORM",
    "BadChart",
    "Chart",
    "Compiled",
    "Document",
    "Fault",
    "FaultKind",
    "Firing",
    "Label",
    "Length",
    "Move",
    "Role",
    "Standing",
    "State",
    "Timer",
    "Unit",
    "Window",
    "check_chart",
    "compile_chart",
    "embed_chart",
)
