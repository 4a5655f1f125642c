# SPDX-License-Identifier: Apache-2.0
"""Hides where a test run keeps its files: in memory where there is room, else where others do.

Most of what a test of a database waits for is a disk: every database made, dropped or left is
thousands of files and a checkpoint. Nothing here loses power, so nothing is lost by memory; the
product runs with the settings it always has.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
NEEDED = 4 << 30
"""What must be free, of the file system and of the machine: a run needs less than half of it."""
_NAME = "lingqu-tests-"


def claim():
    """Point everything temporary of this process and its children at a folder of this run.

    The processes of a parallel run are children of the one that claimed. Where there is no room,
    everything stays as it is.
    """
    if "PYTEST_XDIST_WORKER" in os.environ or not _has_room():
        return
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_NAME, dir=MEMORY))
    # A database's account must get through.
    folder.chmod(0o711)
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_SH)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    # Registered first, so done last: until then others clear up inside.
    atexit.register(_leave, folder, os.getpid())


def let_through(folder):
    """Let a database's account through a folder of this run; elsewhere nothing is changed."""
    for one in (folder, *folder.parents):
        if one.parent == MEMORY:
            return
        if any(parent.name.startswith(_NAME) for parent in one.parents):
            one.chmod(0o711)


def _leave(folder, process):
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room():
    try:
        there = os.statvfs(MEMORY)
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    free = min(there.f_bavail * there.f_frsize, kibibytes.get("MemAvailable", 0) << 10)
    usable = os.access(MEMORY, os.W_OK) and not there.f_flag & os.ST_NOEXEC
    return usable and free >= NEEDED


def _sweep():
    """Remove what runs that were killed left behind; a run that lives holds its folder's lock."""
    for left in MEMORY.glob(f"{_NAME}*"):
        if left.stat().st_uid != os.geteuid():
            continue
        folder = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(folder)
