# SPDX-License-Identifier: Apache-2.0
"""统计查询 governed SQL: a text becomes a closed value, a policy decides, fresh SQL is printed.

Nothing a buyer writes reaches an engine. Start reading in `policy` (what a holder permits) and
`ir` (what a query can mean).
"""

from lingqu.gate.queries.ir import (
    ALWAYS,
    NEVER,
    Aggregate,
    All,
    AnyOf,
    Compared,
    Dimension,
    GroupOf,
    Joined,
    Like,
    Linear,
    Members,
    Output,
    Predicate,
    Query,
    Quotient,
    Ranges,
    Span,
    Step,
    Within,
    digest,
    digest_aggregate,
)
from lingqu.gate.queries.policy import (
    Function,
    GovernedColumn,
    GovernedTable,
    Mode,
    QueryPolicy,
    find_fault,
    find_query_columns,
    strictest,
)
from lingqu.gate.syntax import ColumnRef, Scan

__all__ = (
    "ALWAYS",
    "NEVER",
    "Aggregate",
    "All",
    "AnyOf",
    "ColumnRef",
    "Compared",
    "Dimension",
    "Function",
    "GovernedColumn",
    "GovernedTable",
    "GroupOf",
    "Joined",
    "Like",
    "Linear",
    "Members",
    "Mode",
    "Output",
    "Predicate",
    "Query",
    "QueryPolicy",
    "Quotient",
    "Ranges",
    "Scan",
    "Span",
    "Step",
    "Within",
    "digest",
    "digest_aggregate",
    "find_fault",
    "find_query_columns",
    "strictest",
)
