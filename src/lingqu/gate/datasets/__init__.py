# SPDX-License-Identifier: Apache-2.0
"""Datasets: what is made of loaded tables before anybody asks, and what a question means on it.

A **dataset** is what is published of one resource for all products that ask about it: a **cube**,
whose blocks of cells each hold enough entities, and the governed **copy** it was made of, in which
no key stands. A table that others are joined to is a **wide** table, whose rows carry what is
joined to them, so that a question over joined tables is one over it alone. A question on whole
blocks is answered here, exactly; who may be told anything else is decided above, in `gate.answers`.

Start reading in `cells` and `grid`, which are pure, then `cube`, `copies`, `register`; for joins in
`wide`, then `joined`.
"""

from lingqu.gate.datasets.cells import (
    Blocks,
    Protection,
)
from lingqu.gate.datasets.copies import (
    as_source,
    is_hashed,
)
from lingqu.gate.datasets.cube import (
    Figures,
    OpenCube,
    find_told,
)
from lingqu.gate.datasets.grid import (
    compile_group,
    coordinate,
    shown,
)
from lingqu.gate.datasets.joined import (
    as_one_table,
    leave_out,
)
from lingqu.gate.datasets.register import (
    COPIES,
    BuiltCube,
    Dataset,
    LoadedSource,
    OtherGrid,
    build_cube,
    find_datasets,
    lock_dataset,
    new_key,
    open_cube,
    publish_cubes,
)
from lingqu.gate.datasets.rows import (
    MASK,
    Rows,
)
from lingqu.gate.datasets.told import (
    Number,
    Told,
    ToldLine,
)
from lingqu.gate.datasets.wide import (
    Whom,
    about_whom,
    widen,
)

__all__ = (
    "COPIES",
    "MASK",
    "Blocks",
    "BuiltCube",
    "Dataset",
    "Figures",
    "LoadedSource",
    "Number",
    "OpenCube",
    "OtherGrid",
    "Protection",
    "Rows",
    "Told",
    "ToldLine",
    "Whom",
    "about_whom",
    "as_one_table",
    "as_source",
    "build_cube",
    "compile_group",
    "coordinate",
    "find_datasets",
    "find_told",
    "is_hashed",
    "leave_out",
    "lock_dataset",
    "new_key",
    "open_cube",
    "publish_cubes",
    "shown",
    "widen",
)
