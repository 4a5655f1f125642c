# SPDX-License-Identifier: Apache-2.0
"""Syntax as text of a dialect: every value bound, every name in quotes, every bracket written."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass, field

from lingqu.gate.syntax.nodes import (
    Block,
    Both,
    Bound,
    Call,
    Choice,
    Comparison,
    Conversion,
    Either,
    IsMissing,
    Missing,
    Name,
    Negated,
    Number,
    OneOf,
    Source,
    Text,
    Truth,
    Written,
)
from lingqu.runtime.engine import quoted


class Dialect(enum.Enum):
    """Whose SQL is printed."""

    DUCKDB = "duckdb"
    SPARK = "spark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """SQL with its bound values, the first one being `$1`, or `:p1` for Spark."""

    sql: str
    values: tuple[Bound, ...]


def render(block: Block, dialect: Dialect) -> Printed:
    """This will print a block without inner blocks, order or limit."""
    renderer = _Renderer(dialect)
    return Printed(sql=renderer.block(block), values=tuple(renderer.values))


@dataclass(slots=True)
class _Renderer:
    dialect: Dialect
    values: list[Bound] = field(default_factory=list)

    def block(self, block: Block) -> str:
        items = ",\n  ".join(
            f"{self.written(one.value)} AS {self.quoted(one.alias)}" for one in block.items
        )
        first, *others = block.sources
        lines = [f"SELECT\n  {items}", f"FROM {self.source(first)}"]
        for one in others:
            assert one.condition is not None, "scans are joined"
            lines.append(f"JOIN {self.source(one)} ON {self.written(one.condition)}")
        if block.condition is not None:
            lines.append(f"WHERE {self.written(block.condition)}")
        if block.groups:
            lines.append(f"GROUP BY {', '.join(self.written(one) for one in block.groups)}")
        return "\n".join(lines)

    def source(self, source: Source) -> str:
        return f"{self.quoted(source.name)} AS {self.quoted(source.alias)}"

    def quoted(self, name: str) -> str:
        return quoted(name) if self.dialect is Dialect.DUCKDB else f"`{name}`"

    def bound(self, value: Bound) -> str:
        self.values.append(value)
        place = len(self.values)
        return f"${place}" if self.dialect is Dialect.DUCKDB else f":p{place}"

    def written(self, written: Written) -> str:
        match written:
            case Name(parts=parts):
                return ".".join(self.quoted(part) for part in parts)
            case Number(value=value):
                return self.bound(int(value) if value == int(value) else value)
            case Text(value=text):
                return self.bound(text)
            case Truth(value=truth):
                return self.bound(truth)
            case Missing():
                return "NULL"
            case Conversion(item=Text(value=text), type="DATE"):
                return self.bound(dt.date.fromisoformat(text))
            case Conversion(item=item, type=kind, is_safe=is_safe):
                call = "TRY_CAST" if is_safe else "CAST"
                return f"{call}({self.written(item)} AS {kind})"
            case Call():
                return self.call(written)
            case Choice(arms=arms, otherwise=otherwise):
                return self.choice(arms, otherwise)
        return self.condition(written)

    def condition(self, written: Written) -> str:
        match written:
            case Both(parts=parts):
                return f"({' AND '.join(self.written(part) for part in parts)})"
            case Either(parts=parts):
                return f"({' OR '.join(self.written(part) for part in parts)})"
            case Negated(part=IsMissing(item=item)):
                return f"({self.written(item)} IS NOT NULL)"
            case Negated(part=part):
                return f"(NOT {self.written(part)})"
            case IsMissing(item=item):
                return f"({self.written(item)} IS NULL)"
            case Comparison(relation=relation, left=left, right=right):
                return f"({self.written(left)} {relation} {self.written(right)})"
            case OneOf(item=item, options=options):
                listed = ", ".join(self.written(one) for one in options)
                return f"({self.written(item)} IN ({listed}))"
        raise AssertionError(type(written).__name__)

    def choice(self, arms: tuple[tuple[Written, Written], ...], otherwise: Written) -> str:
        printed = " ".join(
            f"WHEN {self.written(condition)} THEN {self.written(value)}"
            for condition, value in arms
        )
        return f"CASE {printed} ELSE {self.written(otherwise)} END"

    def call(self, call: Call) -> str:
        match call:
            case Call(function="~~", arguments=(left, right)):
                return f"({self.written(left)} LIKE {self.written(right)})"
            case Call(function="*", arguments=(left, right)):
                return f"({self.written(left)} * {self.written(right)})"
            case Call(function="date_trunc", arguments=(Text(value=unit), item)):
                return f"date_trunc('{unit}', {self.written(item)})"
        arguments = ", ".join(self.written(one) for one in call.arguments) or "*"
        distinct = "DISTINCT " if call.is_distinct else ""
        printed = f"{call.function}({distinct}{arguments})"
        if call.guard is not None:
            printed += f" FILTER (WHERE {self.written(call.guard)})"
        return printed
