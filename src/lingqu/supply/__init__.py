# SPDX-License-Identifier: Apache-2.0
"""供给 supply: from a body's duty to a trustworthy, graded, catalogued table.

A **duty** says which body answers for an item of data: one item, one source. Under it stands a
**resource** of the catalog, described by its fields and by how it may be shared and opened; a
person confirms its security level. A **delivered table** is what a body hands over as a file:
`read_table` accepts the encodings that offices really use and refuses what is broken, with the line
and the reason. `compare_tables` lays two code books beside each other and says which key is safe to
join them on.

A **source** says where a resource comes from: files, or a table of the body's own PostgreSQL, read
where it lies. `land_delivery` passes a **delivery** through the gates into a Delta table, and
`record_load` makes it a **load**; `find_table` is how everyone else finds what is loaded.

Start reading in `duties`, then `resources`, `tables`, `comparison` and `collection`.
"""

from lingqu.supply.collection import LoadedTable, NotLoaded, find_table, read_loaded
from lingqu.supply.comparison import (
    Comparison,
    Conflict,
    KeyBook,
    SafeKey,
    Unmatched,
    compare_tables,
    normalized_name,
)
from lingqu.supply.duties import (
    BadDuty,
    Duty,
    DutyEnded,
    DutyId,
    DutyNotFound,
    DutyTaken,
    NewDuty,
    check_duties,
    end_duty,
    find_duties,
    get_duty,
    register_duties,
    register_duty,
)
from lingqu.supply.resources import (
    Access,
    BadLevel,
    BadResource,
    Description,
    Field,
    FieldKind,
    Frequency,
    Mode,
    ReasonMissing,
    Resource,
    ResourceId,
    ResourceNotFound,
    ResourceWithdrawn,
    Ungraded,
    describe_resource,
    find_resources,
    get_resource,
    grade_resource,
    read_fields,
    require_level,
    revise_resource,
    withdraw_resource,
)
from lingqu.supply.searching import HITS_MAX, Hits, Wanted, search_resources
from lingqu.supply.tables import (
    BadTable,
    DeliveredTable,
    TableLimits,
    UnknownColumn,
    parse_table,
    read_table,
)

__all__ = (
    "HITS_MAX",
    "Access",
    "BadDuty",
    "BadLevel",
    "BadResource",
    "BadTable",
    "Comparison",
    "Conflict",
    "DeliveredTable",
    "Description",
    "Duty",
    "DutyEnded",
    "DutyId",
    "DutyNotFound",
    "DutyTaken",
    "Field",
    "FieldKind",
    "Frequency",
    "Hits",
    "KeyBook",
    "LoadedTable",
    "Mode",
    "NewDuty",
    "NotLoaded",
    "ReasonMissing",
    "Resource",
    "ResourceId",
    "ResourceNotFound",
    "ResourceWithdrawn",
    "SafeKey",
    "TableLimits",
    "Ungraded",
    "UnknownColumn",
    "Unmatched",
    "Wanted",
    "check_duties",
    "compare_tables",
    "describe_resource",
    "end_duty",
    "find_duties",
    "find_resources",
    "find_table",
    "get_duty",
    "get_resource",
    "grade_resource",
    "normalized_name",
    "parse_table",
    "read_fields",
    "read_loaded",
    "read_table",
    "register_duties",
    "register_duty",
    "require_level",
    "revise_resource",
    "search_resources",
    "withdraw_resource",
)
