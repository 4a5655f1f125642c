# SPDX-License-Identifier: Apache-2.0
"""Bench of verifying: one evidence bundle with a thousand proofs, in process and as a program."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lingqu.trust import log
from lingqu.wiring import App, open_app, run_platform
from lingqu_verify import verify_bundle
from measured import Figure, Pair, Reading, installation
from writing import run_commands

PROOFS = 1000
VERIFY = Path(sys.executable).with_name("lingqu-verify")


def bench_verify(rounds: int) -> Reading:
    """A bundle of a thousand proofs, against hashing alone and against starting Python."""
    with installation() as settings, open_app(settings) as app:
        with run_platform(app, threading.Event()):
            run_commands(app, PROOFS)
        app.sequencer.step()
        bundle, key = make_bundle(app)
    lengths = [len(leaf["proof"]) for leaf in json.loads(bundle)["leaves"]]
    assert len(lengths) == PROOFS
    inside, hashing, program, python = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bundle.json"
        file.write_text(bundle, encoding="utf-8")
        command = [str(VERIFY), "bundle", str(file), "--key", key, "--json"]
        for _ in range(rounds):
            inside.append(1000 * timed(lambda: verify_bundle(bundle, keys=[key])))
            hashing.append(1000 * timed(lambda: hash_chains(lengths)))
            program.append(1000 * timed(lambda: run(command)))
            python.append(1000 * timed(lambda: run([sys.executable, "-c", "pass"])))
    return Reading(
        title="Verifying",
        method=f"A bundle of {PROOFS:,} facts with inclusion proofs of {min(lengths)} to"
        f" {max(lengths)} hashes and the content of the rows they name, {len(bundle):,} characters."
        " A ratio of 0.1x says that the whole takes ten times as long as its baseline.",
        pairs=(
            Pair(
                name=f"{PROOFS:,} proofs, in process",
                unit="ms",
                ours=tuple(inside),
                baseline=tuple(hashing),
                against="as many bare SHA-256 chains of the same length",
                less_is_better=True,
            ),
            Pair(
                name=f"{PROOFS:,} proofs, `lingqu-verify bundle`",
                unit="ms",
                ours=tuple(program),
                baseline=tuple(python),
                against="`python -c pass`",
                less_is_better=True,
            ),
        ),
        figures=(
            Figure(
                name="one proof, in process",
                unit="µs",
                values=tuple(1000 * one / PROOFS for one in inside),
            ),
        ),
    )


def make_bundle(app: App) -> tuple[str, str]:
    """The newest facts of the log as a bundle, and the log's key."""
    with app.database.reading() as tx:
        rows = tx.all("SELECT fact FROM trust.log_leaf ORDER BY index DESC LIMIT %s", (PROOFS,))
        own = log.own_log(tx)
        facts = [row["fact"] for row in rows]
        return log.bundle(tx, app.settings.data_dir / "log", facts), str(own.verifiers[0])


def hash_chains(lengths: list[int]) -> bytes:
    """Only the hashing of inclusion proofs of these lengths."""
    sha256, node, sibling = hashlib.sha256, bytes(32), bytes(32)
    for length in lengths:
        node = sibling
        for _ in range(length):
            node = sha256(b"\x01" + node + sibling).digest()
    return node


def run(command: list[str]) -> None:
    """Run a program to its good end."""
    subprocess.run(command, check=True, capture_output=True)


def timed(work: Callable[[], object]) -> float:
    """The seconds that something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
