# SPDX-License-Identifier: Apache-2.0
"""Bench of the demonstration: the region's whole story in a new folder, beside founding alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lingqu.runtime.postgres import discard_postgres
from measured import Figure, Pair, Reading
from serving import LINGQU

ROUNDS_MOST = 3
"""A story takes about a minute."""
BAR_S = 120.0


def bench_demo(rounds: int) -> Reading:
    """`lingqu demo --json` and `lingqu init`, in turn, each in a folder of its own."""
    told, founded, commands = [], [], []
    for _ in range(min(rounds, ROUNDS_MOST)):
        with folder() as base:
            founded.append(run(base, "init", "--data-dir", str(base / "bare"))[0])
            seconds, said = run(base, "demo", "--json", "--data-dir", "demo", "--port", "0")
            told.append(seconds)
            commands.append(float(json.loads(said)["facts"]))
    return Reading(
        title="Demonstration",
        method=f"`lingqu demo --json` from an empty folder to its end: the story with its 14,755"
        f" segments, every statutory clock, the proof and the witness; {len(told)} rounds.",
        pairs=(
            Pair(
                name="`lingqu demo --json`",
                unit="s",
                ours=tuple(told),
                baseline=tuple(founded),
                against="`lingqu init`, the founding of an empty platform",
                less_is_better=True,
            ),
        ),
        figures=(
            Figure(name="wall time of the story", unit="s", values=tuple(told), bar=BAR_S),
            Figure(name="facts it leaves", unit="facts", values=tuple(commands)),
        ),
    )


def run(base: Path, *words: str) -> tuple[float, str]:
    """How long a command took and what it said; raises where it failed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINGQU_")}
    began = time.perf_counter()
    done = subprocess.run(
        [str(LINGQU), *words], cwd=base, env=kept, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - began, done.stdout


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one round, whose databases are discarded with it."""
    base = Path(tempfile.mkdtemp(prefix="lingqu-bench-"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        for record in base.rglob("postgres.json"):
            discard_postgres(data_dir=record.parent)
        shutil.rmtree(base)
