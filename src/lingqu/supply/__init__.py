# SPDX-License-Identifier: Apache-2.0
"""供给 supply: from a body's duty to a trustworthy, graded, catalogued table.

A **delivered table** is what a body hands over as a file: `read_table` accepts the encodings that
offices really use and refuses what is broken, with the line and the reason. `compare_tables` lays
two code books beside each other and says which key is safe to join them on.

Start reading in `tables`, then `comparison`.
"""

from lingqu.supply.comparison import (
    Comparison,
    Conflict,
    KeyBook,
    SafeKey,
    Unmatched,
    compare_tables,
    normalized_name,
)
from lingqu.supply.tables import (
    BadTable,
    DeliveredTable,
    TableLimits,
    UnknownColumn,
    parse_table,
    read_table,
)

__all__ = (
    "BadTable",
    "Comparison",
    "Conflict",
    "DeliveredTable",
    "KeyBook",
    "SafeKey",
    "TableLimits",
    "UnknownColumn",
    "Unmatched",
    "compare_tables",
    "normalized_name",
    "parse_table",
    "read_table",
)
