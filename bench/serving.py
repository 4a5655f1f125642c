# SPDX-License-Identifier: Apache-2.0
"""Bench of serving: from `lingqu serve` to the first good answer, and the memory it then holds."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from lingqu.runtime.settings import Settings
from measured import Figure, Pair, Reading, installation

LINGQU = Path(sys.executable).with_name("lingqu")
READY_WITHIN_S = 60
BARE = "import litestar, uvicorn, psycopg"
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def bench_serve(rounds: int) -> Reading:
    """Starting on an initialised folder whose database is stopped too; then its memory."""
    starts, imports, memory = [], [], []
    with installation() as settings:
        for _ in range(rounds):
            seconds, held = one_start(settings)
            starts.append(seconds)
            memory.append(held / 1000**2)
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", BARE], check=True)
            imports.append(time.perf_counter() - began)
    bar_s, bar_mb = 5.0, 1000.0
    return Reading(
        title="Serving",
        method="`lingqu serve` on an initialised folder with its database stopped, until the first"
        " 200 of `/health/ready`; then the summed PSS of its process tree and of PostgreSQL's.",
        pairs=(
            Pair(
                name="`lingqu serve` until ready",
                unit="s",
                ours=tuple(starts),
                baseline=tuple(imports),
                against=f"`python -c '{BARE}'`",
                less_is_better=True,
            ),
        ),
        figures=(
            Figure(name="start until ready", unit="s", values=tuple(starts), bar=bar_s),
            Figure(name="memory (PSS)", unit="MB", values=tuple(memory), bar=bar_mb),
        ),
    )


def one_start(settings: Settings) -> tuple[float, int]:
    """Start, wait until ready, measure and stop; gives seconds and bytes."""
    port = free_port()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("LINGQU_")
    }
    environment["LINGQU_DATA_DIR"] = str(settings.data_dir)
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(LINGQU), "serve", "--port", str(port)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not is_ready(port):
            assert process.poll() is None, "lingqu serve ended by itself"
            assert time.perf_counter() - began < READY_WITHIN_S, "lingqu serve does not get ready"
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        held = memory_of(process.pid, postmaster(settings.data_dir))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    return seconds, held


def is_ready(port: int) -> bool:
    """Whether the server says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postmaster(data_dir: Path) -> int:
    """The first process of the embedded database of a data folder."""
    place = json.loads((data_dir / "postgres.json").read_text(encoding="utf-8"))
    lines = (Path(place["cluster"]) / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    return int(lines[0])


def memory_of(*roots: int) -> int:
    """The summed PSS, in bytes, of these processes and all below them."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
                parent = int(stat.rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(folder.name))
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += parents.get(one, [])
    return sum(_pss(process) for process in seen)


def _pss(process: int) -> int:
    # A process may end between being listed and being read.
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
        found = _PSS.search(rollup)
        return int(found[1]) * 1024 if found else 0
    return 0
