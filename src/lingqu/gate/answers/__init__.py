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

from lingqu.gate.answers.budgets import (
    MICRO_RHO,
    check_budget,
    find_noisy,
    find_spent,
    keep_noisy,
    spend_noise,
)
from lingqu.gate.answers.copies import (
    as_source,
    is_hashed,
)
from lingqu.gate.answers.cube import (
    OpenCube,
    grid_text,
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
from lingqu.gate.answers.noise import (
    add_noise,
    find_groups,
    find_protected,
    find_resources,
    load_noise,
    print_bounded,
    read_noisy,
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
    "MICRO_RHO",
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
    "add_noise",
    "admit_query",
    "as_one_table",
    "as_source",
    "build_cube",
    "check_budget",
    "find_admitted",
    "find_complete",
    "find_datasets",
    "find_groups",
    "find_noisy",
    "find_protected",
    "find_proven",
    "find_published",
    "find_resources",
    "find_spent",
    "grid_text",
    "is_additive",
    "is_hashed",
    "keep_noisy",
    "leave_out",
    "load_noise",
    "new_key",
    "open_cube",
    "print_bounded",
    "print_certified",
    "protections",
    "publish_cubes",
    "put_together",
    "read_noisy",
    "refuse_extremes",
    "refuse_size",
    "release",
    "spend_noise",
    "table_of",
    "widen",
    "write_answer",
)
