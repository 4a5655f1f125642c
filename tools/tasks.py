# SPDX-License-Identifier: Apache-2.0
"""Hides what each `make` target does once `.venv` is there; `tools/bootstrap.py` starts it."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import console
import dev_server
import lock
import machine
import slices

ROOT = console.ROOT
BIN = ROOT / ".venv" / "bin"
TYPED = ("src", "packages/lingqu-verify/src", "tools")
TEST_MINUTES = 12
CRASH_ROUNDS = 200


def program(name: str, *arguments: str) -> list[str]:
    """The command line of a program that lies in `.venv`."""
    return [str(BIN / name), *arguments]


def steps(title: str, commands: dict[str, list[str]]) -> int:
    """Run named commands one after the other, all of them; 1 when any failed."""
    failed = []
    for name, command in commands.items():
        started = time.monotonic()
        console.say(f"== {name}")
        if console.run_openly(command) != 0:
            failed.append(name)
        console.say(f"   {time.monotonic() - started:.0f} s")
    if failed:
        console.say(f"\n{title}: {', '.join(failed)} failed")
    return 1 if failed else 0


def static_checks() -> dict[str, list[str]]:
    """The checks that run no product code."""
    return {
        "format": program("ruff", "format", "--check", "--quiet"),
        "lint": program("ruff", "check", "--quiet"),
        "types": program("mypy", *TYPED),
        "imports": program("lint-imports"),
    }


def check() -> int:
    """Formatting, lint, types, import contracts and the tidy tests."""
    tidy = program("python", "-m", "pytest", "tests/tidy", "-q", "--durations=0")
    return steps("make check", {**static_checks(), "tidy": tidy})


def fix() -> int:
    """Format, and mend what the linter can mend by itself; what it cannot is printed."""
    status = console.run_openly(program("ruff", "check", "--fix", "--quiet"))
    return console.run_openly(program("ruff", "format", "--quiet")) or status


def pytest(*arguments: str, workers: int) -> list[str]:
    """The command line of a test run; `workers` processes share the cores."""
    parallel = (
        ("-n", str(workers), "--dist=loadscope", "--no-loadscope-reorder") if workers > 1 else ()
    )
    return program("python", "-m", "pytest", *parallel, *arguments)


def workers() -> int:
    """One test process more than there are cores, three to five: each waits for its PostgreSQL."""
    return min(max(os.cpu_count() or 2, 2), 4) + 1


def test() -> int:
    """Check, then every test; with T only the tests named there, and nothing else."""
    chosen = shlex.split(console.given("T"))
    if chosen:
        if any("ui" in part or "journeys" in part for part in chosen):
            machine.need_browser()
        return console.run_openly(pytest(*chosen, workers=1))
    started = time.monotonic()
    machine.need_browser()
    status = steps(
        "make test",
        {**static_checks(), "tests": pytest("-q", "-m", "not slow", workers=workers())},
    )
    minutes = (time.monotonic() - started) / 60
    console.say(f"make test took {minutes:.1f} minutes")
    if minutes > TEST_MINUTES and (os.cpu_count() or 1) >= 2:
        console.say(f"That is over its budget of {TEST_MINUTES} minutes on two cores.")
    return status


def test_crash() -> int:
    """Every crash round: processes and the database are killed under load and must recover."""
    os.environ["CRASH_ROUNDS"] = str(CRASH_ROUNDS)
    command = pytest("-m", "crash", "-q", "--timeout=3600", workers=1)
    return console.run_openly(command)


def test_all() -> int:
    """The full matrix: every browser case and every crash round, after what `test` does."""
    machine.need_browser()
    os.environ.update(CRASH_ROUNDS=str(CRASH_ROUNDS), FULL_MATRIX="1")
    everything = pytest("-q", "--timeout=3600", workers=workers())
    return steps("make test-all", {**static_checks(), "tests": everything})


def screenshots() -> int:
    """Draw every page in both languages at both widths, checking each on the way."""
    machine.need_browser()
    folder = Path(console.given("SCREENSHOTS") or ROOT / "screenshots").resolve()
    os.environ["SCREENSHOTS"] = str(folder)
    status = console.run_openly(
        pytest(
            "tests/ui/test_portal.py",
            "tests/ui/test_query_console.py",
            "tests/ui/test_trade_story.py",
            "-q",
            "--timeout=1800",
            "-k",
            "whole_accessible",
            workers=1,
        )
    )
    console.say(f"The pages are in {folder}.")
    return status


def golden() -> int:
    """Regenerate the import contracts and the reference; read the difference before committing."""
    status = console.run_openly(program("python", "tools/contracts.py"))
    return console.run_openly(program("python", "tools/reference.py", "--write")) or status


def docs() -> int:
    """Refresh the reference, check the links and render the site."""
    return golden() or console.run_openly(program("python", "tools/docs_site.py"))


def migration() -> int:
    """Make the next numbered SQL file. Raises Stop without a usable name."""
    name = console.given("N")
    if not re.fullmatch(r"[a-z][a-z0-9_]{2,60}", name):
        raise console.Stop(
            f"'{name}' is no name for a migration.",
            "Use lower case letters, digits and _: make migration N=add_listing_hold",
        )
    folder = ROOT / "src" / "lingqu" / "migrations"
    numbers = [int(path.name[:4]) for path in folder.glob("[0-9][0-9][0-9][0-9]_*.sql")]
    path = folder / f"{max(numbers, default=0) + 1:04d}_{name}.sql"
    words = name.replace("_", " ").capitalize()
    path.write_text(
        f"-- SPDX-License-Identifier: Apache-2.0\n-- {words}: why, in one sentence.\n",
        encoding="utf-8",
    )
    console.say(
        f"Made {path.relative_to(ROOT)}. docs/howto/add-a-table.md says what belongs in it."
    )
    return 0


def demo() -> int:
    """The main job, left running in the browser until Ctrl-C."""
    options = ["--fresh"] if console.given("FRESH") else []
    options += ["--profile", console.given("PROFILE")] if console.given("PROFILE") else []
    language = ["--lang", console.given("LANG_UI")] if console.given("LANG_UI") else []
    return console.become(program("lingqu", *language, "demo", *options))


VERBS: dict[str, Callable[[], int]] = {
    "dev": lambda: dev_server.run(program("lingqu", "serve")),
    "demo": demo,
    "test": test,
    "test-crash": test_crash,
    "test-all": test_all,
    "screenshots": screenshots,
    "check": check,
    "fix": fix,
    "golden": golden,
    "migration": migration,
    "bench": lambda: console.become(program("python", "bench/run.py")),
    "fuzz": lambda: console.become(program("python", "tests/gate/fuzzing.py")),
    "psql": lambda: console.become(program("lingqu", "psql")),
    "shell": lambda: console.become(program("lingqu", "shell")),
    "docs": docs,
    "lock": lock.main,
    "slices": slices.main,
    "doctor": lambda: console.become(program("lingqu", "doctor")),
}


def main() -> int:
    """Do the verb that was given."""
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb not in VERBS:
        raise console.Stop(f"There is no target '{verb}'.", "`make help` lists them.")
    return VERBS[verb]()


if __name__ == "__main__":
    sys.exit(console.guarded(main))
