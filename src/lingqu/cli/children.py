# SPDX-License-Identifier: Apache-2.0
"""Programs that must not outlive the one that started them, however that ends."""

from __future__ import annotations

import ctypes
import signal
import subprocess

_LIBC = ctypes.CDLL(None)
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG of prctl(2)
STOP_S = 10.0


def die_with_parent() -> None:
    """This will let a child end with whoever started it; for `preexec_fn`: one system call."""
    _LIBC.prctl(_PARENT_DEATH, signal.SIGTERM)


def end_child(process: subprocess.Popen[str]) -> None:
    """This will end a child in good order, or kill it."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
