# SPDX-License-Identifier: Apache-2.0
"""Hides the machine under the tools: its Pythons, its packages, its browser.

Standard library only, and old Pythons can read it: it runs before anything is known about the
machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import console

OLDEST_PYTHON = (3, 11)
NEWEST_TESTED_PYTHON = (3, 13)
PYTHONS = ("python3.13", "python3.12", "python3.11", "python3")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHINESE_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/google-noto-cjk",
    "/System/Library/Fonts/PingFang.ttc",
)


def version_of(python: str) -> tuple[int, ...]:
    """The (major, minor) version of an interpreter; (0, 0) when it does not run at all."""
    ask = "import sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [python, "-c", ask], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    return tuple(int(part) for part in answer.stdout.split())


def find_python() -> str:
    """An interpreter that is new enough: this one, or another on PATH. Raises Stop."""
    this = sys.version_info[:2]
    if OLDEST_PYTHON <= this <= NEWEST_TESTED_PYTHON:
        return sys.executable
    for name in PYTHONS:
        path = shutil.which(name)
        if path and OLDEST_PYTHON <= version_of(path) <= NEWEST_TESTED_PYTHON:
            return path
    if this >= OLDEST_PYTHON:
        return sys.executable  # untested: pip will say so when a locked package has no build for it
    found = ".".join(str(part) for part in sys.version_info[:2])
    raise console.Stop(
        f"Lingqu needs Python 3.11 or newer; this machine offers {found}.",
        "Install python3.11 (or 3.12, 3.13) and its venv module, put it on PATH, run it again.",
    )


def need_venv_module(python: str) -> None:
    """Make sure that `python` can make virtual environments; as root on Debian installs it."""
    probe = [python, "-c", "import ensurepip, venv"]
    if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        return
    major, minor = version_of(python)
    package = f"python{major}.{minor}-venv" if minor >= OLDEST_PYTHON[1] else "python3-venv"
    install((package,), f"{python} cannot make virtual environments: {package} is missing")


def is_root() -> bool:
    """Whether system packages may be installed without asking for a password."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def install(packages: Sequence[str], why: str) -> None:
    """Install Debian packages when this is root on Debian; otherwise say exactly what to run."""
    by_hand = f"apt-get update && apt-get install -y --no-install-recommends {' '.join(packages)}"
    apt = shutil.which("apt-get")
    if apt is None:
        wanted = ", ".join(packages)
        raise console.Stop(why + ".", f"Install it with your system's package manager ({wanted}).")
    if not is_root():
        raise console.Stop(why + ".", f"Run: sudo sh -c '{by_hand}'   and then this again.")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    steps = (
        ([apt, "update"], "Refreshing the list of system packages"),
        (
            [apt, "install", "-y", "--no-install-recommends", *packages],
            f"Installing {', '.join(packages)} (system packages)",
        ),
    )
    for command, title in steps:
        status, output = console.run_quietly(command, title, env=env)
        if status != 0:
            raise console.Stop(
                f"apt-get failed:\n{console.tail(output)}",
                f"Mend that (network? disk space?), or run `{by_hand}` yourself, then this again.",
            )


def find_browser() -> str | None:
    """The path of a Chromium on this machine, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def has_chinese_font() -> bool:
    """Whether pages with Chinese text can be drawn; without a font they show empty boxes."""
    if any(Path(path).exists() for path in CHINESE_FONTS):
        return True
    lister = shutil.which("fc-list")
    if lister is None:
        return False
    answer = subprocess.run([lister, ":lang=zh"], capture_output=True, text=True, check=False)
    return bool(answer.stdout.strip())


def need_browser() -> None:
    """Make sure that the browser tests can run, unless NO_BROWSER=1 says to leave them out."""
    if console.given("NO_BROWSER"):
        console.say("NO_BROWSER is set: the browser tests are left out")
        return
    missing = []
    if find_browser() is None:
        missing.append("chromium")
    if not has_chinese_font():
        missing.append("fonts-noto-cjk")
    if not missing:
        return
    why = f"The browser tests need {' and '.join(missing)}"
    try:
        install(missing, why)
    except console.Stop as stop:
        choice = f"{stop.next_step}\n     Or leave the browser tests out: make test NO_BROWSER=1"
        raise console.Stop(stop.what, choice) from None
