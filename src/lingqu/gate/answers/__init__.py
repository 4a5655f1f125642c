# SPDX-License-Identifier: Apache-2.0
"""Answers to governed queries: prepared, executed in confinement, and released by rules.

A **cube** is what is published of a dataset: blocks of cells that each hold enough entities. A
question on whole blocks is answered from it exactly. An **ad hoc** question runs over a governed
copy with proof of its thresholds in one statement, if what an organisation could tell apart from
all its answers stays large. A question under **noise** has its budget reserved before it runs.

Start reading in `cells` and `releasing`, which are pure, then `cube`, `statement`, `datasets`.
"""

from lingqu.gate.answers.copies import (
    as_source,
)
from lingqu.gate.answers.cube import (
    GridTooFine,
    NotInCube,
    OpenCube,
)
from lingqu.gate.answers.datasets import (
    COPIES,
    BuiltCube,
    CubeFile,
    Dataset,
    DatasetMoved,
    DatasetNotFound,
    LoadedSource,
    OtherGrid,
    build_cube,
    find_datasets,
    new_key,
    open_cube,
    publish_cubes,
)
from lingqu.gate.answers.figures import (
    Extreme,
    Rounding,
    find_proven,
    is_additive,
    refuse_extremes,
    table_of,
    write_answer,
)
from lingqu.gate.answers.grid import (
    NotOnGrid,
)
from lingqu.gate.answers.releasing import (
    release,
)
from lingqu.gate.answers.statement import (
    print_certified,
    protections,
)
from lingqu.gate.answers.telling import (
    Admitted,
    NotWhole,
    Overlapping,
    ToldMeanwhile,
    admit_query,
    find_admitted,
)
from lingqu.gate.governance import Mode
from lingqu.gate.queries import ALWAYS

OFFERED = frozenset({Mode.CUBE, Mode.AD_HOC})
"""The modes that are answered; what a policy names beside them is refused."""

__all__ = (
    "ALWAYS",
    "COPIES",
    "OFFERED",
    "Admitted",
    "BuiltCube",
    "CubeFile",
    "Dataset",
    "DatasetMoved",
    "DatasetNotFound",
    "Extreme",
    "GridTooFine",
    "LoadedSource",
    "NotInCube",
    "NotOnGrid",
    "NotWhole",
    "OpenCube",
    "OtherGrid",
    "Overlapping",
    "Rounding",
    "ToldMeanwhile",
    "admit_query",
    "as_source",
    "build_cube",
    "find_admitted",
    "find_datasets",
    "find_proven",
    "is_additive",
    "new_key",
    "open_cube",
    "print_certified",
    "protections",
    "publish_cubes",
    "refuse_extremes",
    "release",
    "table_of",
    "write_answer",
)
