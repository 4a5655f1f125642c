# SPDX-License-Identifier: Apache-2.0
"""归集 collection: what bodies deliver becomes tables that others can rely on.

A **source** says where a resource comes from: files, or a table of the body's own PostgreSQL that
is read where it lies. `read_delivery` and `read_source` make a **delivery** of what came, in
whatever form; `land_delivery` passes it through the gates into a Delta table, outside any
transaction; `record_load` makes it a **load**. Rows that break what the resource declares are set
aside with number and reason, for the body that delivered them. What no load names is not loaded:
`find_table` gives the files of the newest edition with their digests, and `check_files` reads them
again for the audit.

Start reading in `sources`, then `deliveries`, `gates`, `loaded` and `loads`.
"""

from lingqu.supply.collection.deliveries import (
    Delivery,
    Rejection,
    TooManyFaults,
    WrongColumns,
    read_delivery,
    read_source,
)
from lingqu.supply.collection.gates import Landed, NothingAccepted, OtherColumns, land_delivery
from lingqu.supply.collection.loaded import LoadedTable, LoadMode, read_loaded
from lingqu.supply.collection.loads import (
    Load,
    LoadId,
    LoadNotFound,
    LoadOvertaken,
    LoadPlan,
    LoadTaken,
    NotLoaded,
    OtherSource,
    ReadAtSource,
    check_files,
    find_loads,
    find_rejections,
    find_table,
    get_load,
    plan_load,
    record_load,
)
from lingqu.supply.collection.sources import (
    BadSource,
    Source,
    SourceId,
    SourceKind,
    SourceNotFound,
    SourceWasEnded,
    connect_source,
    end_source,
    find_sources,
    get_source,
    register_source,
)

__all__ = (
    "BadSource",
    "Delivery",
    "Landed",
    "Load",
    "LoadId",
    "LoadMode",
    "LoadNotFound",
    "LoadOvertaken",
    "LoadPlan",
    "LoadTaken",
    "LoadedTable",
    "NotLoaded",
    "NothingAccepted",
    "OtherColumns",
    "OtherSource",
    "ReadAtSource",
    "Rejection",
    "Source",
    "SourceId",
    "SourceKind",
    "SourceNotFound",
    "SourceWasEnded",
    "TooManyFaults",
    "WrongColumns",
    "check_files",
    "connect_source",
    "end_source",
    "find_loads",
    "find_rejections",
    "find_sources",
    "find_table",
    "get_load",
    "get_source",
    "land_delivery",
    "plan_load",
    "read_delivery",
    "read_loaded",
    "read_source",
    "record_load",
    "register_source",
)
