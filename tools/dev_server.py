# SPDX-License-Identifier: Apache-2.0
"""Hides the restarting of a server process when a source file changes (`make dev`)."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence

import console

WATCHED = ("src/lingqu", "packages/lingqu-verify/src")
SUFFIXES = (".py", ".sql", ".toml", ".html", ".css", ".js")
LOOK_EVERY_SECONDS = 0.7
STOP_WITHIN_SECONDS = 20


def run(command: Sequence[str]) -> int:
    """Run `command` until Ctrl-C, and again whenever a source file changed."""
    console.say("Serving this checkout; a saved source file restarts it. Ctrl-C ends it.")
    try:
        while True:
            seen = newest()
            process = subprocess.Popen(list(command), cwd=console.ROOT)
            try:
                while newest() == seen:
                    time.sleep(LOOK_EVERY_SECONDS)
            finally:
                stop(process)
            console.say("\nA source file changed: restarting")
    except KeyboardInterrupt:
        return 0


def newest() -> tuple[int, int]:
    """How many source files there are and when the last one changed (nanoseconds)."""
    stamps = [
        path.stat().st_mtime_ns
        for folder in WATCHED
        for path in (console.ROOT / folder).rglob("*")
        if path.suffix in SUFFIXES
    ]
    return len(stamps), max(stamps, default=0)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server in good order, or at least surely."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_WITHIN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
