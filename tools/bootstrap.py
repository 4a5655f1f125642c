# SPDX-License-Identifier: Apache-2.0
"""Hides everything between a bare machine and a working checkout: `make VERB` starts here.

It finds a Python that is new enough, makes `.venv`, installs the hash-locked requirements and both
distributions when their files changed, and hands the verb to `tools/tasks.py`. Standard library
only, and old Pythons can read it far enough to be told that they are too old.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path

import console
import machine

ROOT = console.ROOT
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "lingqu-setup.json"
DISTRIBUTIONS = ("packages/lingqu-verify", ".")
LOCKS = {"runtime": ("runtime.txt", "build.txt"), "test": ("test.txt", "build.txt")}
RUNTIME_VERBS = ("demo", "dev", "psql", "shell", "doctor")
MEGABYTES_NEEDED = {"runtime": 400, "test": 1000}
LEFTOVERS = (
    ".pytest_cache", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis",
    "site", "dist", "build",
)  # fmt: skip

PIP_TROUBLES = (
    (
        r"DO NOT MATCH THE HASHES|Hashes are required",
        "A downloaded package is not the one that was locked.",
        (
            "Do not go on: your package mirror serves something else than what was reviewed. Try "
            "another mirror (pip config set global.index-url ...), or tell the maintainers."
        ),
    ),
    (
        r"No space left on device|Disk quota exceeded",
        "The disk is full.",
        "Free about 1 GB and run it again.",
    ),
    (
        r"Read-only file system|Permission denied",
        "This checkout cannot be written to.",
        "Use a checkout that belongs to you, on a file system you can write to.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "The package index could not be reached safely (TLS certificate).",
        "Behind a company proxy, give pip its certificate: pip config set global.cert FILE",
    ),
    (
        (
            r"name resolution|NewConnectionError|ConnectionError|timed out|ProxyError|"
            r"Network is unreachable|Connection refused|from versions: none"
        ),
        "The package index could not be reached.",
        "Check the network or proxy; a mirror is set with: pip config set global.index-url ...",
    ),
    (
        r"No matching distribution found",
        "A locked package does not exist for this machine.",
        (
            "Lingqu runs on Linux (x86-64, ARM64) with Python 3.11 to 3.13. If your machine is one "
            "of these, your mirror is behind; try another one."
        ),
    ),
)


def main() -> int:
    """Do what `make VERB` asks."""
    verb, *rest = sys.argv[1:] or ["help"]
    if verb == "help":
        return help_text()
    if verb == "clean":
        return clean()
    # Every target starts the same programs many times; compiled once, each starts twice as fast.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    python = machine.find_python()
    if Path(python) != Path(sys.executable):
        return console.become([python, __file__, verb, *rest])
    set_up("runtime" if verb in RUNTIME_VERBS else "test")
    if verb == "setup":
        console.say(f"Ready: {VENV.name} holds everything the tests and Lingqu itself need.")
        return 0
    return console.become([str(PYTHON), str(ROOT / "tools" / "tasks.py"), verb, *rest])


def help_text() -> int:
    """List the targets of the Makefile with their comments."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    console.say("Lingqu 灵渠. `make demo` shows it, `make test` proves it. All targets:\n")
    for name, words in re.findall(r"^([a-z-]+): .*## (.*)$", makefile, flags=re.MULTILINE):
        console.say(f"  make {name:<11} {words}")
    return 0


def clean() -> int:
    """Remove what can be made again, except the environment; no data is touched."""
    for name in LEFTOVERS:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for folder in ("src", "packages", "tests", "tools", "bench"):
        for cache in list((ROOT / folder).rglob("__pycache__")):
            shutil.rmtree(cache, ignore_errors=True)
    console.say("Removed caches and built files. .venv and data stay.")
    return 0


def set_up(profile: str) -> None:
    """Bring `.venv` to the state that the lock files describe; does nothing when it is there."""
    wanted = {"profile": profile, "digest": digest(profile)}
    if is_current(profile):
        return
    here = os.open(str(ROOT), os.O_RDONLY)
    try:
        # Two `make` at once would install over each other; the second waits, then finds it done.
        fcntl.flock(here, fcntl.LOCK_EX)
        if is_current(profile):
            return
        need_room(profile)
        if machine.version_of(str(PYTHON)) < machine.OLDEST_PYTHON:
            make_venv()
        if STAMP.exists():
            STAMP.unlink()
        install_locked(profile)
        install_distributions()
        STAMP.write_text(json.dumps(wanted), encoding="utf-8")
    finally:
        os.close(here)


def is_current(profile: str) -> bool:
    """Whether the stamp says that `.venv` already holds this profile (test contains runtime)."""
    if machine.version_of(str(PYTHON)) < machine.OLDEST_PYTHON:
        return False
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return any(
        stamp == {"profile": enough, "digest": digest(enough)} for enough in {profile, "test"}
    )


def digest(profile: str) -> str:
    """A digest of every file that decides what `.venv` holds, and of where it is."""
    files = [ROOT / "requirements" / name for name in LOCKS[profile]]
    files += [ROOT / folder / "pyproject.toml" for folder in DISTRIBUTIONS]
    content = hashlib.sha256(str(ROOT).encode())
    for file in files:
        content.update(file.read_bytes() if "requirements" in file.parts else sections(file))
    return content.hexdigest()


def sections(pyproject: Path) -> bytes:
    """The part of a pyproject file that an installation depends on: all but the tools' settings."""
    text = pyproject.read_text(encoding="utf-8")
    kept = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    return "".join(part for part in kept if not re.match(r"\[+tool\.(?!hatch)", part)).encode()


def need_room(profile: str) -> None:
    """Refuse at once what would fail after minutes. Raises Stop."""
    if not os.access(str(ROOT), os.W_OK):
        raise console.Stop(
            f"{ROOT} cannot be written to.", "Clone Lingqu into a folder that belongs to you."
        )
    needed = MEGABYTES_NEEDED[profile] if not VENV.exists() else 100
    free = shutil.disk_usage(str(ROOT)).free // 1_000_000
    if free < needed:
        raise console.Stop(
            f"Only {free} MB are free where this checkout lies; the set-up needs {needed} MB.",
            "Free some space, or clone Lingqu to a larger disk.",
        )


def make_venv() -> None:
    """Make `.venv` from scratch with this interpreter."""
    machine.need_venv_module(sys.executable)
    if VENV.exists():
        console.say(".venv does not work with the Python of this machine; it is made anew")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    status, output = console.run_quietly(command, "Making .venv", env=clean_environment())
    if status != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise console.Stop(
            f"Python could not make a virtual environment:\n{console.tail(output)}",
            "Install Python's venv module (Debian: python3-venv) and run it again.",
        )


def install_locked(profile: str) -> None:
    """Install every locked requirement, each checked against its hash."""
    locks = [ROOT / "requirements" / name for name in LOCKS[profile]]
    names = {line.split("==")[0] for lock in locks for line in lock.open() if "==" in line}
    command = ["install", "--require-hashes"]
    for lock in locks:
        command += ["-r", str(lock)]
    pip(command, f"Installing {len(names)} locked packages", counts="Collecting", total=len(names))


def install_distributions() -> None:
    """Install Lingqu and its verifier so that the source files are what runs."""
    command = ["install", "--no-deps", "--no-build-isolation"]
    for folder in DISTRIBUTIONS:
        command += ["-e", str(ROOT / folder)]
    pip(command, "Installing lingqu and lingqu-verify from this checkout")


def pip(arguments: list[str], title: str, *, counts: str = "", total: int = 0) -> None:
    """Run pip in `.venv`; its failures become advice. Raises Stop."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    status, output = console.run_quietly(
        command, title, counts=counts, total=total, env=clean_environment()
    )
    if status == 0:
        return
    for pattern, what, next_step in PIP_TROUBLES:
        if re.search(pattern, output):
            raise console.Stop(f"{what}\n{console.tail(output)}", next_step)
    raise console.Stop(
        f"pip failed:\n{console.tail(output)}",
        "If the text above does not help, remove .venv and run it again.",
    )


def clean_environment() -> dict[str, str]:
    """The environment without what would make pip or Python look elsewhere than in `.venv`."""
    unwanted = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in unwanted}


if __name__ == "__main__":
    sys.exit(console.guarded(main))
