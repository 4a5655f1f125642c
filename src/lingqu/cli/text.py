# SPDX-License-Identifier: Apache-2.0
"""How text is laid out on a terminal where a Chinese character is two columns wide."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence

WIDTH_MAX = 100
_WORD = re.compile(r"[^\S\n]+|[!-~]+|.", re.DOTALL)
_NEVER_FIRST = "，。；：！？、）》〉”’…,.;:!?)"
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_UNITS = ("B", "KB", "MB", "GB", "TB")


def width(text: str) -> int:
    """This will count the columns a text takes on a terminal."""
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def terminal_width() -> int:
    """This will give the columns to write in: those of the terminal, at most 100."""
    return max(40, min(shutil.get_terminal_size((80, 24)).columns, WIDTH_MAX))


def padded(text: str, columns: int) -> str:
    """This will fill a text with spaces to a number of columns."""
    return text + " " * max(0, columns - width(text))


def plain(value: object) -> str:
    """This will write a value on one line, with control characters made visible."""
    text = "" if value is None else str(value)
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text).replace("\n", " ")


def wrapped(text: str, columns: int, *, indent: str = "") -> list[str]:
    """This will break a text into lines of at most `columns`, keeping its own line breaks.

    Latin words stay whole where they fit; closing punctuation never begins a line.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _WORD.findall(paragraph):
            fits = width(line) + width(piece) <= columns
            if not fits and line.strip() and piece not in _NEVER_FIRST:
                lines.append(line.rstrip())
                line = indent + piece.lstrip()
            else:
                line += piece
        lines.append(line.rstrip())
    return lines


def labelled(pairs: Iterable[tuple[str, object]], *, indent: str = "  ") -> list[str]:
    """This will write labels and values in two aligned columns; values of None are left out."""
    kept = [(label, plain(value)) for label, value in pairs if value is not None]
    column = max((width(label) for label, _ in kept), default=0)
    return [f"{indent}{padded(label, column)}  {value}".rstrip() for label, value in kept]


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """This will write rows under their heads, every column as wide as it must be."""
    texts = [[plain(cell) for cell in row] for row in rows]
    columns = [max(width(line[at]) for line in [heads, *texts]) for at in range(len(heads))]
    lines = [heads, ["─" * column for column in columns], *texts]
    return [
        "  ".join(padded(cell, column) for cell, column in zip(line, columns, strict=True)).rstrip()
        for line in lines
    ]


def size(count: int) -> str:
    """This will write a number of bytes for people: `4.2 MB`."""
    unit, value = 0, count * 10
    while value >= 10240 and unit < len(_UNITS) - 1:
        unit, value = unit + 1, value // 1024
    return f"{count} B" if unit == 0 else f"{value // 10}.{value % 10} {_UNITS[unit]}"
