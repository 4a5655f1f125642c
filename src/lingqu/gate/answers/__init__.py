# SPDX-License-Identifier: Apache-2.0
"""Answers to governed queries: prepared, executed in confinement, and released by rules.

A **cube** is what is published of a dataset: blocks of cells that each hold enough entities. A
question on whole blocks is answered from it exactly. An **ad hoc** question runs over a governed
copy with proof of its thresholds in one statement, if what an organisation could tell apart from
all its answers stays large. A question under **noise** has its budget reserved before it runs.

A question over joined tables is one over a **wide** table, whose rows carry what is joined to them.

Start reading in `cells` and `releasing`, which are pure, then `cube`, `statement`, `datasets`; for
joins in `wide`, then `joined`.
"""

from lingqu.gate.answers import budgets, noise
from lingqu.gate.answers.copies import (
    as_source,
    is_hashed,
)
from lingqu.gate.answers.cube import (
    OpenCube,
    find_told,
)
from lingqu.gate.answers.datasets import (
    COPIES,
    BuiltCube,
    Dataset,
    LoadedSource,
    OtherGrid,
    build_cube,
    find_datasets,
    new_key,
    open_cube,
    publish_cubes,
)
from lingqu.gate.answers.figures import (
    Rounding,
    find_proven,
    is_additive,
    refuse_extremes,
    table_of,
    write_answer,
)
from lingqu.gate.answers.joined import (
    as_one_table,
    leave_out,
)
from lingqu.gate.answers.published import (
    find_complete,
    find_published,
)
from lingqu.gate.answers.releasing import (
    Told,
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
from lingqu.gate.answers.wide import (
    widen,
)
from lingqu.gate.governance import Mode
from lingqu.gate.queries import ALWAYS

OFFERED = frozenset({Mode.CUBE, Mode.AD_HOC, Mode.DP})
"""The modes that are answered; what a policy names beside them is refused."""

__all__ = (
    "ALWAYS",
    "COPIES",
    "OFFERED",
    "Admitted",
    "BuiltCube",
    "Dataset",
    "LoadedSource",
    "Memory",
    "OpenCube",
    "OtherGrid",
    "Rounding",
    "Told",
    "ToldMeanwhile",
    "admit_query",
    "as_one_table",
    "as_source",
    "budgets",
    "build_cube",
    "find_admitted",
    "find_complete",
    "find_datasets",
    "find_proven",
    "find_published",
    "find_told",
    "is_additive",
    "is_hashed",
    "leave_out",
    "new_key",
    "noise",
    "open_cube",
    "print_certified",
    "protections",
    "publish_cubes",
    "put_together",
    "refuse_extremes",
    "refuse_size",
    "release",
    "table_of",
    "widen",
    "write_answer",
)
