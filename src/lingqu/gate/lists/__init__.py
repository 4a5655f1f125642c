# SPDX-License-Identifier: Apache-2.0
"""Whole lists at the gate: file jobs, free samples, and a provider's own reconciliation.

A **file job** asks about a table of subjects in batches and gives the table back with answers. A
**free sample** tells somebody how good a product is for rows of its own before any contract, in
whole percents and without a single answer. **Reconciling** compares a list with a body's own table,
for that body alone, labelled so.
"""

from lingqu.gate.lists.filing import (
    JOB,
    TURN,
    BadFile,
    FileFormat,
    FileJob,
    FileJobId,
    FileProgress,
    FileRoom,
    FileState,
    cancel_file,
    end_file,
    find_files,
    find_progress,
    format_of,
    get_file,
    read_listed,
    run_file,
    submit_file,
)
from lingqu.gate.lists.reconciling import ChangedPair, Reconciled, reconcile_list
from lingqu.gate.lists.sampling import (
    Sampled,
    SampleRow,
    find_samples,
    read_sample,
    record_sample,
    try_sample,
)

__all__ = (
    "JOB",
    "TURN",
    "BadFile",
    "ChangedPair",
    "FileFormat",
    "FileJob",
    "FileJobId",
    "FileProgress",
    "FileRoom",
    "FileState",
    "Reconciled",
    "SampleRow",
    "Sampled",
    "cancel_file",
    "end_file",
    "find_files",
    "find_progress",
    "find_samples",
    "format_of",
    "get_file",
    "read_listed",
    "read_sample",
    "reconcile_list",
    "record_sample",
    "run_file",
    "submit_file",
    "try_sample",
)
