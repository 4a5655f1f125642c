# SPDX-License-Identifier: Apache-2.0
"""A governed pair of tables to read queries against, and a checker that knows nothing of reading.

The checker looks at the engine's own parse tree of printed SQL: nothing but governed tables and
columns, a handful of functions, and no value that is not bound.
"""

import re

from lingqu.gate.governance import (
    Cardinality,
    DpTerms,
    Function,
    GovernedColumn,
    GovernedTable,
    Grid,
    GridKind,
    Join,
    Measure,
    Mode,
    QueryPolicy,
    Role,
)
from lingqu.runtime.engine import parse

EXACT = Grid(kind=GridKind.EXACT)
BANDS = Grid(kind=GridKind.BANDS, edges=("0", "18", "60", "150"))
REGIONS = Grid(kind=GridKind.EXACT, values=("north", "south"))
ADDED = (Function.SUM, Function.COUNT)


def column(name, role, type_, grid=None, measure=None):
    return GovernedColumn(name=name, role=role, type=type_, grid=grid, measure=measure)


POLICY = QueryPolicy(
    tables=(
        GovernedTable(
            name="t",
            resource="res_persons",
            entity="pid",
            threshold=11,
            columns=(
                column("pid", Role.KEY, "BIGINT"),
                column("city", Role.DIMENSION, "INTEGER", EXACT),
                column("mon", Role.DIMENSION, "INTEGER", EXACT),
                column("age", Role.QUASI, "INTEGER", BANDS),
                column("d", Role.DIMENSION, "DATE", Grid(kind=GridKind.MONTH)),
                column("name", Role.SENSITIVE, "VARCHAR"),
                column(
                    "sal",
                    Role.MEASURE,
                    "DECIMAL(12,2)",
                    measure=Measure(scale=2, lower=0, upper=100_000_000, functions=ADDED),
                ),
                column(
                    "tax",
                    Role.MEASURE,
                    "DECIMAL(4,2)",
                    measure=Measure(scale=2, lower=0, upper=100, functions=(*ADDED, Function.MAX)),
                ),
            ),
        ),
        GovernedTable(
            name="c",
            resource="res_cities",
            columns=(
                column("city", Role.KEY, "INTEGER"),
                column("region", Role.DIMENSION, "VARCHAR", REGIONS),
            ),
        ),
    ),
    joins=(Join(left="t", right="c", keys=(("city", "city"),), cardinality=Cardinality.MANY_ONE),),
    modes=(Mode.CUBE, Mode.AD_HOC, Mode.DP),
    dp=DpTerms(
        contribution=5,
        rho_least=10,
        rho_most=1_000,
        organization_ceiling=10_000,
        dataset_ceiling=100_000,
    ),
)

KINDS = {
    "SELECT_NODE", "BASE_TABLE", "JOIN", "COLUMN_REF", "FUNCTION", "VALUE_PARAMETER",
    "VALUE_CONSTANT", "CASE_EXPR", "COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_LESSTHAN",
    "COMPARE_LESSTHANOREQUALTO", "COMPARE_IN", "CONJUNCTION_AND", "CONJUNCTION_OR",
    "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_CAST", "TYPE",
    "ORDER_MODIFIER",
}  # fmt: skip
CALLS = {
    "sum", "count", "count_star", "min", "max", "year", "date_trunc", "*", "~~",
}  # fmt: skip
CLOSED = ("having", "qualify", "sample", "cte_map", "modifiers")


def escapes(sql, policy):
    """Everything in printed SQL that should not be there, as the engine itself reads it."""
    tables = {table.name: {one.name for one in table.columns} for table in policy.tables}
    aliases, found = {}, []
    nodes = list(_walk(parse(sql).tree))
    for node in nodes:
        if node.get("type") == "BASE_TABLE":
            if node["table_name"] not in tables or node.get("schema_name"):
                found.append(f"table {node['table_name']}")
            aliases[node["alias"]] = tables.get(node["table_name"], set())
    for node in nodes:
        found += _judge(node, aliases)
    return found


def _judge(node, aliases):
    kind = node.get("type")
    if kind is not None and kind not in KINDS and "class" in node:
        yield f"kind {kind}"
    if kind == "SELECT_NODE":
        for key in CLOSED:
            if node.get(key) not in (None, [], {"map": []}):
                yield key
    if kind == "JOIN" and (node["join_type"], node["ref_type"]) != ("INNER", "REGULAR"):
        yield "join"
    if kind == "COLUMN_REF":
        names = node["column_names"]
        is_group = len(names) == 1 and names[0].startswith("lingqu_g")
        if not is_group and (len(names) != 2 or names[1] not in aliases.get(names[0], set())):
            yield f"column {names}"
    if kind == "FUNCTION" and node["function_name"] not in CALLS:
        yield f"function {node['function_name']}"
    if kind == "VALUE_CONSTANT":
        literal = node["literal"]
        if literal.get("kind") != "NULL_LITERAL" and literal.get("text") != "month":
            yield f"literal {literal}"
    if kind == "TYPE" and node["type_name"].upper() not in {"DATE", "DECIMAL"}:
        yield f"type {node['type_name']}"


OWN = re.compile(r"(?:[a-z]|[a-z]\d+|[a-z]\d+_\d+|exact\d+)\Z")
"""Names that are printed for the steps of a statement, their columns and the scans."""
WORDS = {
    "src", "first", "whole", "need", "exact", "here", "nth", "with", "as", "not", "materialized",
    "select", "from", "join", "left", "semi", "on", "and", "or", "where", "group", "by", "grouping",
    "sets", "having", "filter", "over", "partition", "case", "when", "then", "else", "end", "cast",
    "null", "is", "in", "like", "distinct", "true", "false", "between", "sum", "count", "min",
    "max", "abs", "bit_or", "bit_count", "coalesce", "row_number", "date_trunc", "year", "date",
    "integer", "bigint", "hugeint", "ubigint", "decimal", "varchar", "boolean", "order", "hash",
}  # fmt: skip
"""Every bare word of the statements that are run."""
TOKEN = re.compile(r"""("(?:[^"]|"")*")|('(?:[^']|'')*')|(\w+)|([^\s\w"'])""")


def executed_escapes(sql, policy):
    """Everything that should not be there in the SQL a worker is given, word by word."""
    quoted = {table.name for table in policy.tables}
    quoted |= {one.name for table in policy.tables for one in table.columns}
    quoted |= {f"lingqu_{mark}_{name}" for mark in "du" for name in quoted} | {"lingqu_entity"}
    texts = {"month", "year"} | {
        edge
        for table in policy.tables
        for one in table.columns
        if one.grid is not None
        for edge in one.grid.edges
    }
    for found in TOKEN.finditer(sql):
        name, text, word, sign = found.groups()
        is_known = (
            name[1:-1] in quoted
            if name
            else text[1:-1] in texts
            if text
            else word.isdigit() or word.lower() in WORDS or OWN.match(word)
            if word
            else sign in "(),.*+-/%<>=[]?:"
        )
        if not is_known:
            yield f"{found[0]} in what is run"


def _walk(tree):
    """Every node; the digits of a type are its own, not values of the query."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += [value for key, value in node.items() if not _is_digits(node, key)]
        elif isinstance(node, list):
            waiting += node


def _is_digits(node, key):
    return node.get("type") == "TYPE" and key == "children"
