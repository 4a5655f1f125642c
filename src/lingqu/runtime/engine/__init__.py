# SPDX-License-Identifier: Apache-2.0
"""Analysis: DuckDB in confined workers, Delta tables, the engine's own parser, the broker."""

from lingqu.runtime.engine.answers import Cancel
from lingqu.runtime.engine.engine import Engine
from lingqu.runtime.engine.jobs import Confinement, Job, Limits, Result, SourceFile, SourceTable
from lingqu.runtime.engine.types import Column

__all__ = (
    "Cancel",
    "Column",
    "Confinement",
    "Engine",
    "Job",
    "Limits",
    "Result",
    "SourceFile",
    "SourceTable",
)
