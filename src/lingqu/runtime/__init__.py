# SPDX-License-Identifier: Apache-2.0
"""How we talk to the world: settings, PostgreSQL, transactions, time, jobs, keys, files, words.

Nothing here knows a word of the domain. A command's transaction comes from `Database`; the same
`Tx` carries its caller, its moment and the rule version, and can defer jobs that exist only if it
commits.
"""

from lingqu.runtime.clock import REAL_TIME, ClockWentBackwards, RealTime, new_id
from lingqu.runtime.db import (
    BadData,
    Caller,
    Database,
    DatabaseBusy,
    DatabaseConflict,
    DatabaseFull,
    DatabaseUnavailable,
    Tx,
)
from lingqu.runtime.exchange import Row
from lingqu.runtime.observability import METRICS

__all__ = (
    "METRICS",
    "REAL_TIME",
    "BadData",
    "Caller",
    "ClockWentBackwards",
    "Database",
    "DatabaseBusy",
    "DatabaseConflict",
    "DatabaseFull",
    "DatabaseUnavailable",
    "RealTime",
    "Row",
    "Tx",
    "new_id",
)
