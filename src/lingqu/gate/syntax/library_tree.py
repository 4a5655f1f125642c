# SPDX-License-Identifier: Apache-2.0
"""SQLGlot's parse tree as syntax: every argument of every node is known here, or refused."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

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
    ReadingsDiffer,
    Sorting,
    Source,
    Text,
    Truth,
    Written,
    flat,
    word,
)

Node = exp.Expr
_TYPES = {"INT": "INTEGER", "TEXT": "VARCHAR", "INT128": "HUGEINT"}
_FUNCTIONS: dict[type[Node], str] = {
    exp.Sum: "sum", exp.Avg: "avg", exp.Min: "min", exp.Max: "max", exp.CountIf: "count_if",
    exp.Coalesce: "coalesce", exp.Nullif: "nullif", exp.Greatest: "greatest", exp.Least: "least",
    exp.Year: "year", exp.Month: "month", exp.StartsWith: "starts_with", exp.Add: "+",
    exp.Sub: "-", exp.Mul: "*", exp.Div: "/",
}  # fmt: skip
_HINTS = frozenset({"big_int", "ignore_nulls", "typed", "safe", "_type", "is_numeric"})
"""Arguments by which the library remembers what it will print; they say nothing of the text."""


def read_library_tree(text: str) -> Block:
    """This will read a text with the library.

    Raises ConstructRefused, TextRefused, and ReadingsDiffer where the library cannot read it.
    """
    try:
        statements = parse(text, read="duckdb")
    except (SqlglotError, RecursionError, ValueError, AttributeError, TypeError, KeyError):
        raise ReadingsDiffer(reason="unreadable") from None
    found = [one for one in statements if one is not None]
    if len(found) != 1:
        raise ReadingsDiffer(reason="count")
    return _block(found[0])


def _only(node: Node, *known: str) -> None:
    for key, value in node.args.items():
        if key not in known and key not in _HINTS and value not in (None, False, []):
            raise ConstructRefused(construct=f"{node.key}_{key}"[:40].lower())


def _unknown(node: Node) -> ConstructRefused:
    return ConstructRefused(construct=node.key[:40].lower())


def _block(node: Node) -> Block:
    while isinstance(node, exp.Subquery) and not node.args.get("alias"):
        _only(node, "this")
        node = node.this
    if not isinstance(node, exp.Select):
        raise _unknown(node)
    _only(
        node, "expressions", "from_", "joins", "where", "group", "order", "limit", "with_",
        "offset", "having", "distinct",
    )  # fmt: skip
    groups, groups_all = _groups(node.args.get("group"))
    where, having = node.args.get("where"), node.args.get("having")
    return Block(
        items=tuple(_item(one) for one in node.expressions),
        sources=_sources(node),
        parts=_parts(node.args.get("with_")),
        condition=None if where is None else _written(where.this),
        groups=groups,
        groups_all=groups_all,
        sortings=_sortings(node.args.get("order")),
        limit=_limit(node.args.get("limit")),
        offset=_limit(node.args.get("offset")),
        having=None if having is None else _inner(having),
        distinct=_distinct(node.args.get("distinct")),
    )


def _item(node: Node) -> Item:
    if isinstance(node, exp.Alias):
        _only(node, "this", "alias")
        return Item(_written(node.this), word(node.alias))
    return Item(_written(node), "")


def _groups(node: Node | None) -> tuple[tuple[Written, ...], bool]:
    if node is None:
        return (), False
    _only(node, "expressions", "all")
    return tuple(_written(one) for one in node.expressions), bool(node.args.get("all"))


def _sortings(node: Node | None) -> tuple[Sorting, ...]:
    if node is None:
        return ()
    _only(node, "expressions")
    found = []
    for one in node.expressions:
        _only(one, "this", "desc", "nulls_first")
        if one.args.get("nulls_first"):
            raise ConstructRefused(construct="nulls_first")
        found.append(Sorting(_written(one.this), bool(one.args.get("desc"))))
    return tuple(found)


def _limit(node: Node | None) -> Written | None:
    if node is None:
        return None
    _only(node, "expression")
    return _written(node.expression)


def _distinct(node: Node | None) -> bool:
    if node is not None:
        _only(node)
    return node is not None


def _parts(node: Node | None) -> tuple[Part, ...]:
    if node is None:
        return ()
    _only(node, "expressions")
    found = []
    for one in node.expressions:
        _only(one, "this", "alias", "materialized")
        alias = one.args["alias"]
        columns = tuple(word(each.name) for each in alias.args.get("columns") or ())
        found.append(Part(name=word(alias.name), columns=columns, block=_block(one.this)))
    return tuple(found)


def _sources(node: Node) -> tuple[Source, ...]:
    begin = node.args.get("from_")
    if begin is None:
        raise ConstructRefused(construct="no_table")
    _only(begin, "this")
    found = [_source(begin.this)]
    for join in node.args.get("joins") or ():
        _only(join, "this", "on", "using", "kind")
        if join.args.get("kind") not in {None, "", "CROSS", "INNER"}:
            raise ConstructRefused(construct=f"{str(join.kind).lower()[:20]}_join")
        right = _source(join.this)
        condition = join.args.get("on")
        found.append(
            Source(
                right.name, right.block, right.alias, right.columns,
                None if condition is None else _written(condition),
                tuple(word(one.name) for one in join.args.get("using") or ()),
            )
        )  # fmt: skip
    return tuple(found)


def _source(node: Node) -> Source:
    alias = node.args.get("alias")
    if alias is not None:
        _only(alias, "this", "columns")
    name = word(alias.name) if alias is not None and alias.name else ""
    columns = tuple(
        word(one.name) for one in (alias.args.get("columns") or () if alias is not None else ())
    )
    if isinstance(node, exp.Table):
        _only(node, "this", "alias")
        if not isinstance(node.this, exp.Identifier):
            raise ConstructRefused(construct="table_function")
        return Source(word(node.name), None, name, columns)
    if isinstance(node, exp.Subquery):
        _only(node, "this", "alias")
        return Source("", _block(node.this), name, columns)
    raise _unknown(node)


def _written(node: Node) -> Written:
    reader = _READERS.get(type(node))
    if reader is not None:
        return reader(node)
    if type(node) in _FUNCTIONS:
        return _function(node, _FUNCTIONS[type(node)])
    raise _unknown(node)


def _column(node: Node) -> Written:
    _only(node, "this", "table")
    if not isinstance(node.this, exp.Identifier):
        raise ConstructRefused(construct="star")
    table = node.args.get("table")
    return Name((word(node.name),) if table is None else (word(table.name), word(node.name)))


def _literal(node: Node) -> Written:
    return Text(node.this) if node.args.get("is_string") else nodes.number(node.this)


def _parameter(node: Node) -> Written:
    _only(node, "this")
    place = str(node.this or "")
    if not (place.isascii() and place.isdigit() and 0 < int(place) <= 10_000):
        raise ConstructRefused(construct="named_parameter")
    return Parameter(int(place))


def _function(node: Node, name: str) -> Written:
    _only(node, "this", "expression", "expressions")
    given = [node.this, node.args.get("expression"), *node.expressions]
    arguments = [one for one in given if one is not None]
    is_distinct = False
    if len(arguments) == 1 and isinstance(arguments[0], exp.Distinct):
        _only(arguments[0], "expressions")
        is_distinct, arguments = True, arguments[0].expressions
    return Call(name, tuple(_written(one) for one in arguments), is_distinct)


def _count(node: Node) -> Written:
    _only(node, "this", "expressions")
    if node.this is None or isinstance(node.this, exp.Star):
        if node.this is not None:
            _only(node.this)
        return Call("count")
    return _function(node, "count")


def _anonymous(node: Node) -> Written:
    _only(node, "this", "expressions")
    name, arguments = str(node.this).lower(), tuple(_written(one) for one in node.expressions)
    return Call(name, nodes.with_unit(arguments) if name == "date_part" else arguments)


def _guarded(node: Node) -> Written:
    _only(node, "this", "expression")
    call = _written(node.this)
    if not isinstance(call, Call) or call.guard is not None:
        raise _unknown(node)
    return Call(call.function, call.arguments, call.is_distinct, _written(node.expression.this))


def _chain(kind: type[Both | Either], node: Node) -> Written:
    """A long chain leans to the left; it is walked, not descended into."""
    parts: list[Written] = []
    step = node
    while type(step) is type(node):
        parts.append(_written(step.expression))
        step = step.this
    parts.append(_written(step))
    return flat(kind, tuple(reversed(parts)))


def _between(node: Node) -> Written:
    _only(node, "this", "low", "high")
    item = _written(node.this)
    low, high = _written(node.args["low"]), _written(node.args["high"])
    return Both((Comparison("<=", low, item), Comparison("<=", item, high)))


def _one_of(node: Node) -> Written:
    _only(node, "this", "expressions")
    return OneOf(_written(node.this), tuple(_written(one) for one in node.expressions))


def _is(node: Node) -> Written:
    _only(node, "this", "expression")
    if not isinstance(node.expression, exp.Null):
        raise ConstructRefused(construct="distinct_from")
    return IsMissing(_written(node.this))


def _like(node: Node) -> Written:
    _only(node, "this", "expression", "negate")
    found = Call("~~", (_written(node.this), _written(node.expression)))
    return Negated(found) if node.args.get("negate") else found


def _case(node: Node) -> Written:
    _only(node, "this", "ifs", "default")
    arms = []
    for arm in node.args["ifs"]:
        _only(arm, "this", "true")
        condition = _written(arm.this)
        if node.this is not None:
            condition = Comparison("=", _written(node.this), condition)
        arms.append((condition, _written(arm.args["true"])))
    otherwise = node.args.get("default")
    return Choice(tuple(arms), Missing() if otherwise is None else _written(otherwise))


def _if(node: Node) -> Written:
    _only(node, "this", "true", "false")
    given = [node.this, node.args.get("true"), node.args.get("false")]
    return Call("if", tuple(_written(one) for one in given if one is not None))


def _cast(node: Node) -> Written:
    _only(node, "this", "to")
    wanted = node.args["to"]
    _only(wanted, "this", "expressions", "nested")
    if not isinstance(wanted.this, exp.DataType.Type):
        raise ConstructRefused(construct="type")
    name = _TYPES.get(wanted.this.value, wanted.this.value)
    places = [str(one.this.this) for one in wanted.expressions]
    if places and name != "DECIMAL":
        raise ConstructRefused(construct="type")
    written = f"{name}({','.join(places)})" if places else name
    return Conversion(_written(node.this), written, isinstance(node, exp.TryCast))


def _interval(node: Node) -> Written:
    _only(node, "this", "unit")
    inner = node.this
    while isinstance(inner, exp.Paren):
        inner = inner.this
    text = str(inner.this) if isinstance(inner, exp.Literal) else ""
    unit = str(node.args["unit"].this).lower().removesuffix("s") if node.args.get("unit") else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise ConstructRefused(construct="interval")
    if unit not in {"day", "month", "year"}:
        raise ConstructRefused(construct="interval")
    return Interval(int(text), unit)


def _extract(node: Node) -> Written:
    _only(node, "this", "expression")
    return Call("date_part", (Text(str(node.this.this).lower()), _written(node.expression)))


def _truncated(node: Node) -> Written:
    _only(node, "this", "unit")
    return Call("date_trunc", (Text(str(node.args["unit"].this).lower()), _written(node.this)))


def _compared(relation: str) -> Callable[[Node], Written]:
    def read(node: Node) -> Written:
        _only(node, "this", "expression")
        left, right = _written(node.this), _written(node.expression)
        if relation in {">", ">="}:
            return Comparison(relation.replace(">", "<"), right, left)
        return Comparison(relation, left, right)

    return read


def _inner(node: Node) -> Written:
    _only(node, "this")
    return _written(node.this)


_READERS: dict[type[Node], Callable[[Node], Written]] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.RawString: lambda node: Text(node.this),
    exp.ByteString: lambda node: Text(node.this),
    exp.Boolean: lambda node: Truth(bool(node.this)),
    exp.Null: lambda _: Missing(),
    exp.Placeholder: _parameter,
    exp.Paren: _inner,
    exp.Neg: lambda node: nodes.negative(_inner(node)),
    exp.Not: lambda node: Negated(_inner(node)),
    exp.And: lambda node: _chain(Both, node),
    exp.Or: lambda node: _chain(Either, node),
    exp.EQ: _compared("="),
    exp.NEQ: _compared("<>"),
    exp.LT: _compared("<"),
    exp.LTE: _compared("<="),
    exp.GT: _compared(">"),
    exp.GTE: _compared(">="),
    exp.Between: _between,
    exp.In: _one_of,
    exp.Is: _is,
    exp.Like: _like,
    exp.Case: _case,
    exp.If: _if,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Interval: _interval,
    exp.Extract: _extract,
    exp.TimestampTrunc: _truncated,
    exp.DateTrunc: _truncated,
    exp.Count: _count,
    exp.Filter: _guarded,
    exp.Anonymous: _anonymous,
}
