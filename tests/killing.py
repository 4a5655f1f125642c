# SPDX-License-Identifier: Apache-2.0
"""Processes that a test kills, and those they started."""

import contextlib
import os
import signal
from pathlib import Path


def children(pid):
    """The processes that a process has started and that still run."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state not in "ZX":
                found.append(int(folder.name))
    return found


def kill(pid):
    """Kill a process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
