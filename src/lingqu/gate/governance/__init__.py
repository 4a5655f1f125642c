# SPDX-License-Identifier: Apache-2.0
"""查询策略 what a holder permits queries to do, in values a holder can read.

Roles of columns, the one grid of each dimension, bounds of measures, joins, modes and limits; and
of several policies the strictest in every part.
"""

from lingqu.gate.governance.policy import (
    DIGITS_MOST,
    OWN_PREFIX,
    Cardinality,
    DpTerms,
    Function,
    GovernedColumn,
    GovernedTable,
    Grid,
    GridKind,
    Join,
    Kind,
    Measure,
    Mode,
    QueryPolicy,
    Role,
    edges_of,
    extremes_of,
    find_fault,
    find_query_columns,
    kind_of,
    strictest,
    units_of,
)

__all__ = (
    "DIGITS_MOST",
    "OWN_PREFIX",
    "Cardinality",
    "DpTerms",
    "Function",
    "GovernedColumn",
    "GovernedTable",
    "Grid",
    "GridKind",
    "Join",
    "Kind",
    "Measure",
    "Mode",
    "QueryPolicy",
    "Role",
    "edges_of",
    "extremes_of",
    "find_fault",
    "find_query_columns",
    "kind_of",
    "strictest",
    "units_of",
)
