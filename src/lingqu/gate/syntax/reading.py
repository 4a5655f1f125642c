# SPDX-License-Identifier: Apache-2.0
"""From a text to the one syntax both parsers read in it, or to a refusal.

The text is bounded before anything parses it, and every function must stand on the list of those
that are allowed.
"""

from __future__ import annotations

import re
from typing import Any

from lingqu.gate.syntax import functions
from lingqu.gate.syntax.engine_tree import read_engine_tree
from lingqu.gate.syntax.library_tree import read_library_tree
from lingqu.gate.syntax.nodes import Block, ReadingsDiffer, TextRefused
from lingqu.kernel import errors
from lingqu.runtime import engine

WORDS_MOST = 4_000
_TOKEN = re.compile(r"\w+|[^\w\s]")
_STRING = re.compile(r"'(?:[^']|'')*'")
_PLAIN = re.compile(r"[\x20-\x7e\t\r\n\u4e00-\u9fff]*\Z")


def read_text(text: str, *, longest: int, deepest: int, words: int = WORDS_MOST) -> Block:
    """This will give the one syntax both parsers read in a text.

    Raises TextRefused, ConstructRefused, ReadingsDiffer, FunctionRefused, FunctionUnreviewed.
    """
    _check(text, longest, deepest, words)
    try:
        tree = engine.parse(text)
    except errors.LingquError as refusal:
        raise TextRefused(reason=_reason(refusal.parameters)) from None
    functions.check_functions(tree.functions)
    try:
        block = read_engine_tree(tree.tree)
        if read_library_tree(text) != block:
            raise ReadingsDiffer(reason="tree")
    except RecursionError:
        raise TextRefused(reason="depth") from None
    return block


def _reason(parameters: dict[str, Any]) -> str:
    return str(parameters.get("reason", "unreadable"))


def _check(text: str, longest: int, deepest: int, words: int) -> None:
    """Outside quoted texts there are ASCII and plain ideographs only."""
    if not 0 < len(text) <= longest:
        raise TextRefused(reason="length")
    if any(not one.isprintable() and one not in "\t\r\n" for one in text):
        raise TextRefused(reason="characters")
    if not _PLAIN.match(_STRING.sub("''", text)):
        raise TextRefused(reason="characters")
    depth = most = tokens = 0
    for found in _TOKEN.finditer(text):
        tokens += 1
        sign = found[0].lower()
        if sign in {"(", "[", "{", "case"}:
            depth += 1
            most = max(most, depth)
        elif sign in {")", "]", "}", "end"}:
            depth -= 1
    if tokens > words:
        raise TextRefused(reason="words")
    if most > deepest:
        raise TextRefused(reason="depth")
