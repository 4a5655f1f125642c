# SPDX-License-Identifier: Apache-2.0
"""Answers to governed queries: what may be told of a dataset, computed, and released by rules.

A question that the blocks of `gate.datasets` answer exactly may be asked without limit. An **ad
hoc** question runs over a governed copy with proof of its thresholds in one statement, if what an
organisation could tell apart from all its answers stays large. A question under **noise** has its
budget reserved before it runs.

Start reading in `partition` and `releasing`, which are pure, then `telling`, `statement`,
`figures`; for noise in `noise`, then `budgets`.
"""

from lingqu.gate.answers import budgets, noise
from lingqu.gate.answers.figures import (
    Rounding,
    find_proven,
    is_additive,
    refuse_extremes,
    table_of,
    write_answer,
)
from lingqu.gate.answers.published import (
    find_complete,
    find_published,
)
from lingqu.gate.answers.releasing import (
    release,
)
from lingqu.gate.answers.sizes import (
    refuse_size,
)
from lingqu.gate.answers.statement import (
    print_certified,
    protections,
)
from lingqu.gate.answers.telling import (
    Admitted,
    Memory,
    ToldMeanwhile,
    admit_query,
    find_admitted,
    put_together,
)
from lingqu.gate.governance import Mode
from lingqu.gate.queries import ALWAYS

OFFERED = frozenset({Mode.CUBE, Mode.AD_HOC, Mode.DP})
"""The modes that are answered; what a policy names beside them is refused."""

__all__ = (
    "ALWAYS",
    "OFFERED",
    "Admitted",
    "Memory",
    "Rounding",
    "ToldMeanwhile",
    "admit_query",
    "budgets",
    "find_admitted",
    "find_complete",
    "find_proven",
    "find_published",
    "is_additive",
    "noise",
    "print_certified",
    "protections",
    "put_together",
    "refuse_extremes",
    "refuse_size",
    "release",
    "table_of",
    "write_answer",
)
