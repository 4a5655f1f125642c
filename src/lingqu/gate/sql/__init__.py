# SPDX-License-Identifier: Apache-2.0
"""统计查询语句 governed SQL: texts become queries, and queries become fresh SQL.

A text is read twice into one syntax (`gate.syntax`), names are found in the policy (`scopes`),
conditions become decision diagrams (`conditions`, `diagrams`), figures come apart into base
aggregates (`lowering`), and the whole takes its one form (`canonical`). SQL is printed from that
form alone. Start reading in `reading` and `printing`.
"""

from lingqu.gate.sql.canonical import canonical
from lingqu.gate.sql.conditions import TypeRefused
from lingqu.gate.sql.diagrams import TooComplex
from lingqu.gate.sql.joining import JoinRefused, TooManyJoins
from lingqu.gate.sql.lowering import RowsRefused, TooWide
from lingqu.gate.sql.printing import print_query, write_query
from lingqu.gate.sql.reading import read, read_printed
from lingqu.gate.sql.scopes import NameAmbiguous, NameTaken, NameUnknown
from lingqu.gate.sql.trying import (
    ANSWERED,
    BadCases,
    Case,
    Said,
    Tried,
    consider_query,
    read_cases,
    try_policy,
)
from lingqu.gate.sql.uses import (
    USES,
    Asked,
    ColumnRefused,
    FunctionNotPermitted,
    ModeRefused,
    OffGrid,
    find_refusal,
)

__all__ = (
    "ANSWERED",
    "USES",
    "Asked",
    "BadCases",
    "Case",
    "ColumnRefused",
    "FunctionNotPermitted",
    "JoinRefused",
    "ModeRefused",
    "NameAmbiguous",
    "NameTaken",
    "NameUnknown",
    "OffGrid",
    "RowsRefused",
    "Said",
    "TooComplex",
    "TooManyJoins",
    "TooWide",
    "Tried",
    "TypeRefused",
    "canonical",
    "consider_query",
    "find_refusal",
    "print_query",
    "read",
    "read_cases",
    "read_printed",
    "try_policy",
    "write_query",
)
