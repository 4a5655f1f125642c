# SPDX-License-Identifier: Apache-2.0
"""From a text to the one value of what it means, or to a refusal: the only way a query comes in.

The text is bounded before anything parses it, both parsers must read the same query in it, every
function must stand on the list of those that are allowed. Nothing here looks at data, so a refusal
says nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lingqu.gate.queries import functions
from lingqu.gate.queries.canonical import canonical
from lingqu.gate.queries.diagrams import TooComplex
from lingqu.gate.queries.engine_tree import read_engine_tree
from lingqu.gate.queries.ir import Query
from lingqu.gate.queries.library_tree import read_library_tree
from lingqu.gate.queries.lowering import RowsRefused, lower
from lingqu.gate.queries.policy import QueryPolicy
from lingqu.gate.queries.scopes import Bound
from lingqu.gate.queries.syntax import Block, ReadingsDiffer, TextRefused
from lingqu.kernel import errors
from lingqu.runtime import engine

TOKENS_MOST = 4_000
_TOKEN = re.compile(r"\w+|[^\w\s]")
_STRING = re.compile(r"'(?:[^']|'')*'")
_PLAIN = re.compile(r"[\x20-\x7e\t\r\n\u4e00-\u9fff]*\Z")


def read(text: str, policy: QueryPolicy, values: Sequence[Bound] = ()) -> Query:
    """This will give what a text asks, in its one form, `values` being bound to `$1`, `$2` ...

    Raises TextRefused, ConstructRefused, ReadingsDiffer, FunctionRefused, FunctionUnreviewed,
    NameUnknown, NameAmbiguous, NameTaken, JoinRefused, TooManyJoins, TypeRefused, RowsRefused,
    TooComplex or TooWide, each from the text and the policy alone.
    """
    try:
        check_text(text, policy)
        query = canonical(lower(read_block(text), policy, values), policy)
    except RecursionError:
        raise TextRefused(reason="depth") from None
    if not query.groups and not query.aggregates:
        raise RowsRefused
    return query


def read_block(text: str) -> Block:
    """This will give the one syntax both parsers read in a text."""
    try:
        tree = engine.parse(text)
    except errors.LingquError as refusal:
        raise TextRefused(reason=_reason(refusal.parameters)) from None
    functions.check_functions(tree.functions)
    block = read_engine_tree(tree.tree)
    if read_library_tree(text) != block:
        raise ReadingsDiffer(reason="tree")
    return block


def _reason(parameters: dict[str, Any]) -> str:
    return str(parameters.get("reason", "unreadable"))


def check_text(text: str, policy: QueryPolicy) -> None:
    """This will refuse a text for its length, depth, number of words or a character in it.

    Outside quoted texts there are ASCII and plain ideographs only. Raises TextRefused.
    """
    if not 0 < len(text) <= policy.text_max:
        raise TextRefused(reason="length")
    if any(not one.isprintable() and one not in "\t\r\n" for one in text):
        raise TextRefused(reason="characters")
    if not _PLAIN.match(_STRING.sub("''", text)):
        raise TextRefused(reason="characters")
    depth = deepest = 0
    tokens = 0
    for found in _TOKEN.finditer(text):
        tokens += 1
        sign = found[0]
        if sign in "([{" or sign.lower() == "case":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in ")]}" or sign.lower() == "end":
            depth -= 1
    if tokens > TOKENS_MOST:
        raise TextRefused(reason="words")
    if deepest > policy.depth_max:
        raise TextRefused(reason="depth")


__all__ = ("TooComplex", "check_text", "read", "read_block")
