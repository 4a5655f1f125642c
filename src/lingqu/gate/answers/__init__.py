# SPDX-License-Identifier: Apache-2.0
"""Answers to governed queries: prepared, executed in confinement, and released by rules.

A **cube** is what is published of a dataset: blocks of cells that each hold enough entities. A
question on whole blocks is answered from it exactly. An **ad hoc** question runs over a governed
copy with proof of its thresholds in one statement, if what an organisation could tell apart from
all its answers stays large. A question under **noise** has its budget reserved before it runs.

Start reading in `cells` and `release`, which are pure, then `cube`, `statement`, `datasets`.
"""

from lingqu.gate.answers.datasets import (
    BuiltCube,
    Dataset,
    DatasetMoved,
    DatasetNotFound,
    LoadedSource,
    OtherGrid,
    build_cube,
    find_datasets,
    new_key,
    publish_cubes,
)

__all__ = (
    "BuiltCube",
    "Dataset",
    "DatasetMoved",
    "DatasetNotFound",
    "LoadedSource",
    "OtherGrid",
    "build_cube",
    "find_datasets",
    "new_key",
    "publish_cubes",
)
