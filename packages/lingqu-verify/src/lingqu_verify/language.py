# SPDX-License-Identifier: Apache-2.0
"""How a command speaks: in which of the two languages, and into whatever takes its words."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence

CHINESE, ENGLISH = "zh", "en"


def language_of(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """This will choose "zh" or "en": by `--lang`, else by LC_ALL, LC_MESSAGES or LANG.

    Chinese is the default where the environment names neither, as in a bare `C` locale.
    """
    for at, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return ENGLISH if argument == "--lang=en" else CHINESE
        if argument == "--lang" and at + 1 < len(arguments):
            return ENGLISH if arguments[at + 1] == ENGLISH else CHINESE
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return ENGLISH if value.startswith(ENGLISH) else CHINESE
    return CHINESE


def ready_streams() -> None:
    """This will make output survive a terminal that cannot write Chinese: escapes stand instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """This will print text; that nobody reads it any longer (`| head`) is no error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more at its end: that must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
