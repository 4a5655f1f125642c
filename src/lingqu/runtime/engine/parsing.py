# SPDX-License-Identifier: Apache-2.0
"""The engine's own reading of a text: its parse tree, what the tree names, its list of functions.

Nothing is run and no table is there: the text stays a value, and its reader is locked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from lingqu.runtime.engine.libraries import duckdb
from lingqu.runtime.engine.refusals import NotOneQuery

_LONGEST = 256 * 1024
_DEEPEST = 200
_ALLOWED_ROOTS = frozenset({"SELECT_NODE", "SET_OPERATION_NODE"})
_NOT_QUERIES = frozenset({"SHOW_REF", "PIVOT", "DELIM_GET", "BOUND_TABLE_REF"})
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseTree:
    """How the engine reads a query. Names stand as they are written, in order and once each.

    `tables` holds names of tables and of common table expressions alike, `columns` paths like
    `t.a`, `functions` scalar, aggregate, window and table functions and operators.
    """

    tree: dict[str, Any]
    tables: tuple[str, ...]
    columns: tuple[str, ...]
    functions: tuple[str, ...]
    table_functions: tuple[str, ...]
    expressions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFunction:
    """One overload in the engine's catalog.

    `kind` is scalar, aggregate, table, macro, table_macro or pragma; `stability` is CONSISTENT,
    CONSISTENT_WITHIN_QUERY, VOLATILE or, for what the engine does not say, an empty text.
    """

    name: str
    kind: str
    arguments: tuple[str, ...]
    varargs: str
    result: str
    has_side_effects: bool
    stability: str


def parse(sql: str) -> ParseTree:
    """This will give the engine's reading of a text that is exactly one SELECT.

    Raises NotOneQuery for any other statement, for several, for `SHOW`, `DESCRIBE`, `SUMMARIZE`
    and `PIVOT`, which the engine also calls queries, for what is too long or nested too deeply,
    and for what cannot be read. Why is not told: the reason would quote the text.
    """
    if not 0 < len(sql) <= _LONGEST or "\0" in sql:
        raise NotOneQuery(reason="size")
    if _depth(sql) > _DEEPEST:
        raise NotOneQuery(reason="depth")
    try:
        with _lock:
            engine, reader = _engine()
            written = engine.execute(reader, [sql]).fetchone()
        assert written is not None
        found = json.loads(written[0])
    except (duckdb.Error, ValueError, RecursionError, UnicodeError):
        raise NotOneQuery(reason="unreadable") from None
    if found["error"]:
        raise NotOneQuery(reason="unreadable")
    statements = found["statements"]
    if len(statements) != 1:
        raise NotOneQuery(reason="count")
    return _read(statements[0]["node"])


def _read(tree: dict[str, Any]) -> ParseTree:
    names: dict[str, dict[str, None]] = {
        kind: {} for kind in ("table", "column", "function", "table_function", "expression")
    }
    if tree.get("type") not in _ALLOWED_ROOTS:
        raise NotOneQuery(reason="kind")
    for node in _nodes(tree):
        kind = node.get("type")
        if not isinstance(kind, str):  # a sample's size carries a whole type there
            kind = ""
        if kind in _NOT_QUERIES or "show_type" in node:
            raise NotOneQuery(reason="kind")
        if kind:
            names["expression"][kind] = None
        if kind == "BASE_TABLE":
            names["table"][_path(node)] = None
        elif kind == "COLUMN_REF":
            names["column"][".".join(node["column_names"])] = None
        elif kind == "TABLE_FUNCTION":
            names["table_function"][str(node["function"].get("function_name"))] = None
        if node.get("function_name"):
            names["function"][_path(node, "function_name")] = None
    return ParseTree(
        tree=tree,
        tables=tuple(names["table"]),
        columns=tuple(names["column"]),
        functions=tuple(names["function"]),
        table_functions=tuple(names["table_function"]),
        expressions=tuple(names["expression"]),
    )


def _path(node: dict[str, Any], own: str = "table_name") -> str:
    whole = node.get("qualified_name") or {}
    return ".".join(whole.get("path") or [str(node.get(own, ""))])


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree, from the left; without recursion, for the text was a stranger's."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(reversed([one for one in node.values() if one]))
        elif isinstance(node, list):
            waiting.extend(reversed(node))


def _depth(sql: str) -> int:
    """The most brackets open at once, counted without reading texts: too many rather than few."""
    deepest = level = 0
    for character in sql:
        if character in "([{":
            level += 1
            deepest = max(deepest, level)
        elif character in ")]}":
            level = max(level - 1, 0)
    return deepest


@cache
def functions() -> tuple[EngineFunction, ...]:
    """This will give the engine's whole catalog of functions, by name, for a list of what may."""
    with _lock:
        rows = _engine()[0].execute(_FUNCTIONS).fetchall()
    return tuple(
        EngineFunction(
            name=name,
            kind=kind,
            arguments=tuple(str(argument) for argument in arguments or ()),
            varargs=varargs or "",
            result=result or "",
            has_side_effects=bool(effects),
            stability=stability or "",
        )
        for name, kind, arguments, varargs, result, effects, stability in rows
    )


def version() -> str:
    """This will give the engine's version, for caches and for lists that were reviewed for one."""
    return str(duckdb.__version__)


_FUNCTIONS = """
SELECT DISTINCT function_name, function_type, parameter_types, varargs, return_type,
       has_side_effects, stability
FROM duckdb_functions()
ORDER BY function_name, function_type, parameter_types, return_type
"""


@cache
def _engine() -> tuple[duckdb.DuckDBPyConnection, duckdb.Statement]:
    engine = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "256MiB"})
    for statement in (
        "SET autoinstall_known_extensions=false; SET autoload_known_extensions=false",
        "SET python_enable_replacements=false; SET enable_external_access=false",
        "PRAGMA disable_optimizer",  # it only reads, and planning that takes longer than reading
        "SET lock_configuration=true",
    ):
        engine.execute(statement)
    return engine, engine.extract_statements("SELECT json_serialize_sql(?)")[0]
