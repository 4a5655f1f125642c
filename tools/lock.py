# SPDX-License-Identifier: Apache-2.0
"""Hides how requirements become locks: every package with its hashes, no host name, one version.

`requirements/test.in` contains all others, so it is resolved first and the rest must agree with it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import console

REQUIREMENTS = console.ROOT / "requirements"
FIRST = "test"
UV = "uv>=0.9"
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--fork-strategy=fewest",  # one version of each package for every Python we run on
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--quiet",
)


def main() -> int:
    """Write `requirements/*.txt` from `requirements/*.in`."""
    with tempfile.TemporaryDirectory() as folder:
        uv = shutil.which("uv") or throwaway_uv(Path(folder))
        upgrade = ["--upgrade"] if console.given("UPGRADE") else []
        for name in order():
            resolve(uv, name, upgrade)
    console.say("Locked. `make setup` installs it; commit the .in and .txt files together.")
    return 0


def order() -> list[str]:
    """The names of the requirement files, the one that contains the others first."""
    names = {path.stem for path in REQUIREMENTS.glob("*.in")}
    return [FIRST, *sorted(names - {FIRST})]


def throwaway_uv(folder: Path) -> str:
    """Install the resolver where it disappears again; gives its path. Raises Stop."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "uv")], check=True)
    pip = [str(folder / "uv" / "bin" / "python"), "-m", "pip", "install", UV]
    status, output = console.run_quietly(pip, "Fetching the resolver (uv)")
    if status != 0:
        raise console.Stop(
            f"uv could not be installed:\n{console.tail(output)}",
            "Check the network, or put uv on PATH yourself, and run it again.",
        )
    return str(folder / "uv" / "bin" / "uv")


def resolve(uv: str, name: str, upgrade: list[str]) -> None:
    """Write one lock file; keeps the versions it already holds unless asked to upgrade."""
    source, target = REQUIREMENTS / f"{name}.in", REQUIREMENTS / f"{name}.txt"
    command = [uv, "pip", "compile", *OPTIONS, str(source), "--output-file", str(target)]
    if name == FIRST:
        command += upgrade
    else:
        # Agreement with the first lock matters more than what this one held before.
        command += ["--upgrade", "--constraint", str(REQUIREMENTS / f"{FIRST}.txt")]
    status, output = console.run_quietly(command, f"Resolving {source.name}")
    if status != 0:
        raise console.Stop(
            f"{source.name} cannot be resolved:\n{console.tail(output)}",
            "Loosen a bound in the .in file, or run it again with a working network.",
        )


if __name__ == "__main__":
    sys.exit(console.guarded(main))
