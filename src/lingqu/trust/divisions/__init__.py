# SPDX-License-Identifier: Apache-2.0
"""行政区划: the units of the administrative tree by their real codes, as of a day.

A code means something on a day: 450122 was 武鸣县 until it became 450110 武鸣区 in 2015. `get`
reads a code as of a day and refuses one that was not in force, naming what came after it. The book
of the Ministry of Civil Affairs is the one that counts; that of the Bureau of Statistics
(统计用区划代码) is kept beside it, because the two disagree on towns.

Changes are known by their year. In the year of a change both the old and the new code are accepted,
and `Division.certain` is false.

The rows are public data packaged here; `SOURCES.json` says where each came from, and
`tools/divisions.py` makes them again, with the towns of any province.
"""

from lingqu.trust.divisions.books import (
    Book,
    Change,
    ChangeKind,
    Division,
    DivisionEnded,
    DivisionLevel,
    DivisionUnknown,
    ancestors,
    changes,
    check_code,
    children,
    find,
    get,
    successors,
)

__all__ = (
    "Book",
    "Change",
    "ChangeKind",
    "Division",
    "DivisionEnded",
    "DivisionLevel",
    "DivisionUnknown",
    "ancestors",
    "changes",
    "check_code",
    "children",
    "find",
    "get",
    "successors",
)
