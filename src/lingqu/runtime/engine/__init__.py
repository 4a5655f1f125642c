# SPDX-License-Identifier: Apache-2.0
"""Analysis over tables: the sole owner of DuckDB and delta-rs, used by supply and gate alike.

Three things in one place. **Answers**: `Engine.query` gives printed SQL with bound values and
declared files to a confined worker: another account, an empty root, no network, the permitted
columns only, killed rather than interrupted. **Tables**: a delivery is staged by strict rules
(`stage_csv`, `stage_rows`, `stage_query`), and `Staged.commit` makes it a Delta table's next
version, once per load id. **Reading**: `parse` and `functions` give the engine's own view of a
text and of what it could call, for a gate to compare with its own; `open_source_table` brings the
permitted columns of somebody's PostgreSQL into the same form. No refusal here carries a word the
engine said, because it may quote data.
"""

from lingqu.runtime.engine.answers import Cancel
from lingqu.runtime.engine.broker import PostgresSource, find_source_columns, open_source_table
from lingqu.runtime.engine.engine import Engine, job_limits, open_engine
from lingqu.runtime.engine.jobs import Confinement, Job, Limits, Result, SourceFile, SourceTable
from lingqu.runtime.engine.loads import (
    EntityByte,
    Reject,
    Staged,
    stage_csv,
    stage_query,
    stage_rows,
)
from lingqu.runtime.engine.parsing import EngineFunction, ParseTree, functions, parse, version
from lingqu.runtime.engine.pool import examine_confinement
from lingqu.runtime.engine.refusals import ConfinementIncomplete
from lingqu.runtime.engine.tables import (
    ColumnRange,
    LoadOutcome,
    TableFile,
    check_file,
    create_table,
    find_files,
    find_load,
    get_columns,
    get_version,
    sweep_orphans,
)
from lingqu.runtime.engine.types import Column, quoted

__all__ = (
    "Cancel",
    "Column",
    "ColumnRange",
    "Confinement",
    "ConfinementIncomplete",
    "Engine",
    "EngineFunction",
    "EntityByte",
    "Job",
    "Limits",
    "LoadOutcome",
    "ParseTree",
    "PostgresSource",
    "Reject",
    "Result",
    "SourceFile",
    "SourceTable",
    "Staged",
    "TableFile",
    "check_file",
    "create_table",
    "examine_confinement",
    "find_files",
    "find_load",
    "find_source_columns",
    "functions",
    "get_columns",
    "get_version",
    "job_limits",
    "open_engine",
    "open_source_table",
    "parse",
    "quoted",
    "stage_csv",
    "stage_query",
    "stage_rows",
    "sweep_orphans",
    "version",
)
