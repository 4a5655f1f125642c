# SPDX-License-Identifier: Apache-2.0
"""Hides how the tools talk to a person: one line per step, and endings that say what to do next.

Standard library only, and old Pythons can read it: it runs before anything is known about the
machine.
"""

from __future__ import annotations

import collections
import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TAIL_LINES = 12
SECONDS_BETWEEN_NOTES = 10.0

ADVICE = {
    errno.ENOSPC: "The disk is full. Free some space (2 GB is plenty) and run it again.",
    errno.EDQUOT: "Your disk quota is used up. Free some space and run it again.",
    errno.EROFS: "This checkout is on a read-only file system. Copy it to one you can write to.",
    errno.EACCES: "You may not write there. Use a checkout that belongs to you.",
    errno.EPERM: "You may not do that here. Use a checkout that belongs to you.",
    errno.ENOENT: "A file or program is missing. `make doctor` says what Lingqu needs.",
}


class Stop(Exception):
    """The tool cannot go on: `what` happened, and `next_step` is what the person can do."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what)
        self.what = what
        self.next_step = next_step


def say(text: str) -> None:
    """Print one line at once, also when the output goes to a file."""
    print(text, flush=True)


def given(name: str) -> str:
    """The value of a variable given to make (`T=tests/ui`), or the empty string."""
    return os.environ.get(name, "").strip()


def guarded(main: Callable[[], int]) -> int:
    """Run `main`; a Stop, a full disk or a closed door become advice and exit status 1."""
    try:
        return main()
    except Stop as stop:
        what, next_step = stop.what, stop.next_step
    except OSError as error:
        what = str(error)
        next_step = ADVICE.get(error.errno or 0, "`make doctor` looks for what is wrong here.")
    except KeyboardInterrupt:
        return 130
    sys.stdout.flush()
    print(f"\nlingqu: {what}\n  -> {next_step}", file=sys.stderr, flush=True)
    return 1


def run_quietly(
    command: Sequence[str],
    title: str,
    *,
    counts: str = "",
    total: int = 0,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a long command under one line of progress; gives its status and its last lines.

    Lines that begin with `counts` are counted against `total`. On a terminal the line moves; in a
    file a note appears every ten seconds, so that nobody wonders whether it hangs.
    """
    started = noted = time.monotonic()
    last: collections.deque[str] = collections.deque(maxlen=400)
    live, done = sys.stdout.isatty(), 0
    say(f"{title} ...")
    with subprocess.Popen(
        list(command),
        cwd=str(ROOT),
        env=dict(os.environ if env is None else env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line.rstrip())
            done += bool(counts) and line.lstrip().startswith(counts)
            now = time.monotonic()
            if now - noted >= (0.2 if live else SECONDS_BETWEEN_NOTES):
                noted = now
                state = f"{min(done, total)} of {total}" if total else last[-1][:60]
                text = f"  {state}, {now - started:.0f} s"
                print(f"\r{text:<78}" if live else text, end="" if live else "\n", flush=True)
    if live:
        print(f"\r{'':<78}\r", end="")
    if process.returncode == 0:
        say(f"  done in {time.monotonic() - started:.0f} s")
    return process.returncode, "\n".join(last)


def tail(text: str) -> str:
    """The last lines of a command's output, indented, for a person."""
    dull = ("Requirement already satisfied", "Collecting ", "Using cached ")
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(dull)
    ]
    return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])


def run_openly(command: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Run a command whose output the person wants to see; gives its exit status."""
    sys.stdout.flush()
    settings = dict(os.environ if env is None else env)
    return subprocess.run(list(command), cwd=str(ROOT), env=settings, check=False).returncode


def become(command: Sequence[str]) -> int:
    """Replace this process by `command`, so that Ctrl-C and the exit status are its own."""
    sys.stdout.flush()
    os.chdir(str(ROOT))
    os.execv(command[0], list(command))  # noqa: S606 - no shell is wanted
