# SPDX-License-Identifier: Apache-2.0
"""The engine's parse tree as syntax: every field of every node is known here, or refused.

The engine writes nodes as objects with all their fields; a field that says something and is not
listed for its kind of node refuses the query, so that a new engine cannot say more than we read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lingqu.gate.syntax import nodes
from lingqu.gate.syntax.nodes import (
    Block,
    Both,
    Call,
    Choice,
    Comparison,
    ConstructRefused,
    Conversion,
    Either,
    Interval,
    IsMissing,
    Item,
    Missing,
    Name,
    Negated,
    OneOf,
    Parameter,
    Part,
    SeveralQuestions,
    Sorting,
    Source,
    Text,
    TextRefused,
    Truth,
    Written,
    flat,
    word,
)

Node = dict[str, Any]
_SILENT = frozenset({"class", "type", "query_location", "query_location_length"})
_SAYS_NOTHING: tuple[object, ...] = ("", None, [], {}, False)
_INTERVALS = {"to_days": "day", "to_months": "month", "to_years": "year"}
_NAMED = {
    "WINDOW_AGGREGATE": "window", "STAR": "star", "SUBQUERY": "subquery", "LAMBDA": "lambda",
    "COLLATE": "collate", "ARRAY_EXTRACT": "element", "STRUCT_EXTRACT": "element",
    "distinct_on_targets": "distinct_on",
    "TABLE_FUNCTION": "table_function", "EXPRESSION_LIST": "values", "EMPTY": "no_table",
    "SET_OPERATION_NODE": "set_operation", "COMPARE_DISTINCT_FROM": "distinct_from",
    "COMPARE_NOT_DISTINCT_FROM": "distinct_from", "POSITIONAL_REFERENCE": "position",
}  # fmt: skip


def read_engine_tree(tree: Node) -> Block:
    """This will bring the engine's tree into syntax. Raises ConstructRefused, TextRefused."""
    if tree.get("setop_type") == "UNION" and tree.get("setop_all"):
        raise SeveralQuestions(construct="union_all")
    return _block(tree)


def _only(node: Node, *known: str) -> None:
    for key, value in node.items():
        if key not in known and key not in _SILENT and value not in _SAYS_NOTHING:
            raise ConstructRefused(construct=_NAMED.get(key, key.lower()[:40]))


def _unknown(node: Node) -> ConstructRefused:
    kind = str(node.get("type", ""))
    return ConstructRefused(construct=_NAMED.get(kind, kind.lower()[:40]))


def _block(node: Node) -> Block:
    if node.get("type") != "SELECT_NODE":
        raise _unknown(node)
    _only(
        node, "modifiers", "cte_map", "select_list", "from_table", "where_clause",
        "group_expressions", "group_sets", "aggregate_handling", "having",
    )  # fmt: skip
    groups = tuple(_written(one) for one in node.get("group_expressions", ()))
    if node.get("group_sets", []) not in ([], [list(range(len(groups)))]):
        raise SeveralQuestions(construct="grouping_sets")
    closing = _modifiers(node.get("modifiers", ()))
    where, having = node.get("where_clause"), node.get("having")
    return Block(
        items=tuple(Item(_written(one, aliased=True), _alias(one)) for one in node["select_list"]),
        sources=_sources(node["from_table"]),
        parts=tuple(_part(one) for one in node["cte_map"]["map"]),
        condition=None if where is None else _written(where),
        groups=groups,
        groups_all=_groups_all(node),
        sortings=closing.sortings,
        limit=closing.limit,
        offset=closing.offset,
        having=None if having is None else _written(having),
        distinct=closing.distinct,
    )


def _groups_all(node: Node) -> bool:
    handling = node.get("aggregate_handling", "STANDARD_HANDLING")
    if handling not in {"STANDARD_HANDLING", "FORCE_AGGREGATES"}:
        raise ConstructRefused(construct="aggregate_handling")
    return bool(handling == "FORCE_AGGREGATES")


def _part(entry: Node) -> Part:
    _only(entry, "key", "value")
    value = entry["value"]
    _only(value, "aliases", "materialized", "query_node", "query")
    block = value.get("query_node") or value["query"]["node"]
    columns = tuple(word(one) for one in value.get("aliases", ()))
    return Part(name=word(entry["key"]), columns=columns, block=_block(block))


@dataclass(slots=True)
class _Closing:
    """What stands behind a block."""

    sortings: tuple[Sorting, ...] = ()
    limit: Written | None = None
    offset: Written | None = None
    distinct: bool = False


def _modifiers(given: list[Node]) -> _Closing:
    found = _Closing()
    for node in given:
        kind = node["type"]
        if kind == "ORDER_MODIFIER":
            found.sortings = tuple(_sorting(one) for one in node["orders"])
        elif kind == "LIMIT_MODIFIER":
            if node.get("limit_type") != "ROW_COUNT":
                raise ConstructRefused(construct="limit_percent")
            _only(node, "limit", "limit_type", "offset")
            limit, offset = node.get("limit"), node.get("offset")
            found.limit = None if limit is None else _written(limit)
            found.offset = None if offset is None else _written(offset)
        elif kind == "DISTINCT_MODIFIER":
            _only(node)
            found.distinct = True
        else:
            raise ConstructRefused(construct=kind.removesuffix("_MODIFIER").lower()[:40])
    return found


def _sorting(node: Node) -> Sorting:
    _only(node, "null_order", "expression")
    if node["null_order"] not in {"ORDER_DEFAULT", "NULLS LAST", "NULLS_LAST"}:
        raise ConstructRefused(construct="nulls_first")
    if node["expression"].get("type") == "STAR":
        raise ConstructRefused(construct="order_by_all")
    return Sorting(_written(node["expression"]), node["type"] == "DESCENDING")


def _sources(node: Node) -> tuple[Source, ...]:
    kind = node.get("type")
    if kind == "JOIN":
        return _joined(node)
    if kind == "BASE_TABLE":
        _only(node, "alias", "table_name", "column_name_alias", "qualified_name")
        path = (node.get("qualified_name") or {}).get("path") or [node["table_name"]]
        if len(path) != 1:
            raise ConstructRefused(construct="qualified_table")
        return (Source(word(path[0]), None, _alias(node), _columns(node)),)
    if kind == "SUBQUERY":
        _only(node, "alias", "subquery", "column_name_alias")
        return (Source("", _block(node["subquery"]["node"]), _alias(node), _columns(node)),)
    raise _unknown(node)


def _joined(node: Node) -> tuple[Source, ...]:
    _only(
        node, "left", "right", "condition", "join_type", "ref_type", "using_columns",
        "is_implicit", "nearest_count", "nearest_order_type", "delim_flipped",
    )  # fmt: skip
    if node["join_type"] != "INNER":
        raise ConstructRefused(construct=f"{str(node['join_type']).lower()[:20]}_join")
    if node["ref_type"] not in {"REGULAR", "CROSS"}:
        raise ConstructRefused(construct=f"{str(node['ref_type']).lower()[:20]}_join")
    right = _sources(node["right"])
    if len(right) != 1:
        raise ConstructRefused(construct="nested_join")
    condition = node.get("condition")
    last = Source(
        right[0].name, right[0].block, right[0].alias, right[0].columns,
        None if condition is None else _written(condition),
        tuple(word(one) for one in node.get("using_columns", ())),
    )  # fmt: skip
    return (*_sources(node["left"]), last)


def _columns(node: Node) -> tuple[str, ...]:
    return tuple(word(one) for one in node.get("column_name_alias", ()))


def _alias(node: Node) -> str:
    alias = node.get("alias", "")
    return word(alias) if alias else ""


def _written(node: Node, *, aliased: bool = False) -> Written:
    kind = str(node.get("type", ""))
    if node.get("alias") and not aliased:
        raise ConstructRefused(construct="inner_alias")
    if kind in _COMPARISONS:
        _only(node, "alias", "left", "right")
        return _comparison(_COMPARISONS[kind], _written(node["left"]), _written(node["right"]))
    reader = _READERS.get(kind)
    if reader is None:
        raise _unknown(node)
    return reader(node)


_COMPARISONS = {
    "COMPARE_EQUAL": "=", "COMPARE_NOTEQUAL": "<>", "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">", "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
}  # fmt: skip


def _comparison(relation: str, left: Written, right: Written) -> Comparison:
    if relation in {">", ">="}:
        return Comparison(relation.replace(">", "<"), right, left)
    return Comparison(relation, left, right)


def _column(node: Node) -> Written:
    _only(node, "alias", "column_names")
    parts = tuple(word(one) for one in node["column_names"])
    if len(parts) > 2:
        raise ConstructRefused(construct="qualified_column")
    return Name(parts)


def _constant(node: Node) -> Written:
    _only(node, "alias", "literal")
    literal = node["literal"]
    kind = literal.get("kind")
    if kind == "NULL_LITERAL":
        return Missing()
    text = literal.get("text", "")
    if kind in {"INTEGER", "NUMERIC"}:
        return nodes.number(text)
    if kind == "STRING":
        return Text(text)
    if kind == "BOOLEAN":
        return Truth(text == "true")
    raise ConstructRefused(construct="literal")


def _parameter(node: Node) -> Written:
    _only(node, "alias", "identifier")
    place = str(node["identifier"])
    if not (place.isascii() and place.isdigit() and 0 < int(place) <= 10_000):
        raise ConstructRefused(construct="named_parameter")
    return Parameter(int(place))


def _cast(node: Node) -> Written:
    _only(node, "alias", "child", "type_expr", "try_cast")
    wanted = node["type_expr"]
    _only(wanted, "type_name", "children", "qualified_name", "alias")
    places = [one.get("literal", {}).get("text", "") for one in wanted.get("children", ())]
    name = str(wanted["type_name"]).upper()
    if places and name != "DECIMAL":
        raise ConstructRefused(construct="type")
    written = f"{name}({','.join(places)})" if places else name
    return Conversion(_written(node["child"]), written, bool(node.get("try_cast")))


def _case(node: Node) -> Written:
    _only(node, "alias", "case_checks", "else_expr")
    arms = tuple(
        (_written(one["when_expr"]), _written(one["then_expr"])) for one in node["case_checks"]
    )
    return Choice(arms, _written(node["else_expr"]))


def _children(node: Node) -> tuple[Written, ...]:
    _only(node, "alias", "children")
    return tuple(_written(one) for one in node["children"])


def _between(node: Node) -> Written:
    _only(node, "alias", "input", "lower", "upper")
    item = _written(node["input"])
    low, high = _written(node["lower"]), _written(node["upper"])
    return Both((Comparison("<=", low, item), Comparison("<=", item, high)))


def _one_of(node: Node) -> Written:
    item, *options = _children(node)
    return OneOf(item, tuple(options))


def _function(node: Node) -> Written:
    _only(
        node, "alias", "function_name", "arguments", "filter", "distinct", "is_operator",
        "order_bys", "qualified_name",
    )  # fmt: skip
    path = (node.get("qualified_name") or {}).get("path") or [node["function_name"]]
    if len(path) != 1:
        raise ConstructRefused(construct="qualified_function")
    if node["order_bys"]["orders"]:
        raise ConstructRefused(construct="ordered_aggregate")
    if any(one.get("name") for one in node["arguments"]):
        raise ConstructRefused(construct="named_argument")
    name = str(path[0]).lower()
    if name in _INTERVALS:
        return _interval(node, name)
    arguments = tuple(_written(one["expression"]) for one in node["arguments"])
    if name in {"date_part", "date_trunc"}:
        arguments = nodes.with_unit(arguments)
    if name == "-" and len(arguments) == 1:
        return nodes.negative(arguments[0])
    if name == "+" and len(arguments) == 1:
        return arguments[0]
    if name == "!~~":
        return Negated(Call("~~", arguments))
    if name == "count_star":
        name = "count"
    guard = node.get("filter")
    return Call(name, arguments, bool(node.get("distinct")), guard and _written(guard))


def _interval(node: Node, name: str) -> Written:
    """`INTERVAL 3 MONTH` arrives as a function over a truncated, converted constant."""
    inner = node["arguments"][0]["expression"]
    while inner.get("type") != "VALUE_CONSTANT":
        if inner.get("type") == "OPERATOR_CAST":
            inner = inner["child"]
        elif inner.get("function_name") == "trunc":
            inner = inner["arguments"][0]["expression"]
        else:
            raise ConstructRefused(construct="interval")
    text = str(inner["literal"].get("text", ""))
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise ConstructRefused(construct="interval")
    return Interval(int(text), _INTERVALS[name])


_READERS: dict[str, Callable[[Node], Written]] = {
    "COLUMN_REF": _column,
    "VALUE_CONSTANT": _constant,
    "VALUE_PARAMETER": _parameter,
    "OPERATOR_CAST": _cast,
    "CASE_EXPR": _case,
    "COMPARE_BETWEEN": _between,
    "COMPARE_IN": _one_of,
    "FUNCTION": _function,
    "CONJUNCTION_AND": lambda node: flat(Both, _children(node)),
    "CONJUNCTION_OR": lambda node: flat(Either, _children(node)),
    "OPERATOR_NOT": lambda node: Negated(_children(node)[0]),
    "OPERATOR_IS_NULL": lambda node: IsMissing(_children(node)[0]),
    "OPERATOR_IS_NOT_NULL": lambda node: Negated(IsMissing(_children(node)[0])),
    "OPERATOR_COALESCE": lambda node: Call("coalesce", _children(node)),
}

__all__ = ("TextRefused", "read_engine_tree")
