# SPDX-License-Identifier: Apache-2.0
"""What the names of a query stand for: tables of the policy, and blocks that only rename.

Common table expressions and blocks in brackets are put in the place of their names where they
choose, compute and filter columns row by row; any other one is refused by what it does. No part
may carry the name of a governed table, so that none can hide another.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from lingqu.gate import syntax
from lingqu.gate.governance import QueryPolicy
from lingqu.gate.syntax import (
    Block,
    Bound,
    Call,
    ColumnRef,
    Comparison,
    ConstructRefused,
    Conversion,
    Missing,
    Name,
    Parameter,
    Part,
    Scan,
    Source,
    Text,
    Truth,
    Written,
)
from lingqu.kernel import errors

AGGREGATES = frozenset({"sum", "count", "avg", "mean", "min", "max", "count_if"})


class NameUnknown(errors.Rejected):
    """The policy knows no table or column of that name, or no value was bound to a parameter."""

    code = "gate.query.name_unknown"


class NameAmbiguous(errors.Rejected):
    """The name can mean two things here."""

    code = "gate.query.name_ambiguous"


class NameTaken(errors.Rejected):
    """A part of the query carries the name of a governed table, or of another part."""

    code = "gate.query.name_taken"


@dataclass(slots=True)
class Flat:
    """A block without blocks in it: scans, conditions that all hold, and what each name means."""

    scans: list[Scan] = field(default_factory=list)
    conditions: list[Written] = field(default_factory=list)
    tables: dict[str, Mapping[str, Written]] = field(default_factory=dict)
    shared: dict[str, Written] = field(default_factory=dict)

    def find(self, name: Name) -> Written:
        """This will give what a name means. Raises NameUnknown, NameAmbiguous."""
        *table, column = name.parts
        if table:
            columns = self.tables.get(table[0])
            if columns is None or column not in columns:
                raise NameUnknown(kind="column", name=".".join(name.parts)[:80])
            return columns[column]
        if column in self.shared:
            return self.shared[column]
        found = [columns[column] for columns in self.tables.values() if column in columns]
        if not found:
            raise NameUnknown(kind="column", name=column)
        if len(found) > 1:
            raise NameAmbiguous(name=column)
        return found[0]

    def has(self, column: str) -> bool:
        """Whether a bare name means a column here."""
        return any(column in columns for columns in self.tables.values())


class Resolver:
    """Reads the names of one query against its policy and the values bound to it."""

    def __init__(self, policy: QueryPolicy, values: Sequence[Bound]) -> None:
        """Begin without any scan."""
        self._policy = policy
        self._values = values
        self._scans: Counter[str] = Counter()
        self._used: set[str] = set()

    def resolve(self, written: Written, flat: Flat) -> Written:
        """This will put columns and bound values in the place of names and parameters."""

        def change(part: Written) -> Written | None:
            if isinstance(part, Name):
                return flat.find(part)
            if isinstance(part, Parameter):
                return self._bound(part)
            return None

        return syntax.rewrite(written, change)

    def flatten(self, block: Block, outer: Mapping[str, Part]) -> Flat:
        """This will read a block's sources and conditions, and put parts in their places."""
        parts = dict(outer)
        for part in block.parts:
            if part.name in parts or self._policy.table(part.name) is not None:
                raise NameTaken(name=part.name)
            parts[part.name] = part
        self._parts_of(block, parts)
        flat = Flat()
        for source in block.sources:
            self._add(flat, source, parts)
        if block.condition is not None:
            flat.conditions.append(self._condition(block.condition, flat))
        return flat

    def _parts_of(self, block: Block, parts: Mapping[str, Part]) -> None:
        """A part nobody names would be read by no rule, so it may not be there."""
        named = {source.name for source in block.sources if source.block is None}
        for part in block.parts:
            named |= {source.name for source in part.block.sources if source.block is None}
        for source in block.sources:
            if source.block is not None:
                named |= {one.name for one in source.block.sources if one.block is None}
        for part in block.parts:
            if part.name not in named:
                raise ConstructRefused(construct="unused_part")

    def _add(self, flat: Flat, source: Source, parts: Mapping[str, Part]) -> None:
        alias = source.alias or source.name
        if not alias:
            raise ConstructRefused(construct="block_without_name")
        if alias in flat.tables:
            raise NameAmbiguous(name=alias)
        is_other = source.alias and source.alias != source.name
        if is_other and self._policy.table(alias) is not None:
            raise NameTaken(name=alias)
        before = dict(flat.tables)
        columns = self._columns(flat, source, parts)
        flat.tables[alias] = _renamed(columns, source.columns)
        for name in source.using:
            self._use(flat, before, flat.tables[alias], name)
        if source.condition is not None:
            flat.conditions.append(self._condition(source.condition, flat))

    def _use(
        self,
        flat: Flat,
        before: Mapping[str, Mapping[str, Written]],
        added: Mapping[str, Written],
        name: str,
    ) -> None:
        left = [columns[name] for columns in before.values() if name in columns]
        if name in flat.shared:
            left = [flat.shared[name]]
        if not left or name not in added:
            raise NameUnknown(kind="column", name=name)
        if len(left) > 1:
            raise NameAmbiguous(name=name)
        flat.conditions.append(Comparison("=", left[0], added[name]))
        flat.shared[name] = left[0]

    def _columns(
        self, flat: Flat, source: Source, parts: Mapping[str, Part]
    ) -> Mapping[str, Written]:
        if source.block is not None:
            return self._inline(flat, source.block, parts)
        if source.name in parts:
            part = parts[source.name]
            earlier = {
                name: one for name, one in parts.items() if _before(parts, name, source.name)
            }
            return _renamed(self._inline(flat, part.block, earlier), part.columns)
        table = self._policy.table(source.name)
        if table is None:
            raise NameUnknown(kind="table", name=source.name)
        scan = Scan(table.name, self._scans[table.name])
        self._scans[table.name] += 1
        flat.scans.append(scan)
        return {one.name.lower(): ColumnRef(scan, one.name) for one in table.columns}

    def _inline(self, flat: Flat, block: Block, parts: Mapping[str, Part]) -> Mapping[str, Written]:
        """Put a block that works row by row in its place."""
        for construct, is_there in (
            ("inner_group", bool(block.groups) or block.groups_all),
            ("distinct", block.distinct),
            ("inner_having", block.having is not None),
            ("inner_limit", block.limit is not None or block.offset is not None),
            ("inner_order", bool(block.sortings)),
            ("inner_aggregate", any(has_aggregate(one.value) for one in block.items)),
        ):
            if is_there:
                raise ConstructRefused(construct=construct)
        inner = self.flatten(block, parts)
        flat.scans += inner.scans
        flat.conditions += inner.conditions
        columns: dict[str, Written] = {}
        for item in block.items:
            name = item.alias or (item.value.parts[-1] if isinstance(item.value, Name) else "")
            if not name:
                raise ConstructRefused(construct="column_without_name")
            if name in columns:
                raise NameAmbiguous(name=name)
            columns[name] = self.resolve(item.value, inner)
        return columns

    def _condition(self, written: Written, flat: Flat) -> Written:
        if has_aggregate(written):
            raise ConstructRefused(construct="aggregate_in_condition")
        return self.resolve(written, flat)

    def _bound(self, parameter: Parameter) -> Written:
        if parameter.place > len(self._values):
            raise NameUnknown(kind="parameter", name=str(parameter.place))
        value = self._values[parameter.place - 1]
        match value:
            case None:
                return Missing()
            case bool():
                return Truth(value)
            case int() | Decimal():
                return syntax.number(str(value))
            case dt.date():
                return Conversion(Text(value.isoformat()), "DATE", is_safe=False)
        return Text(value)


def _before(parts: Mapping[str, Part], name: str, other: str) -> bool:
    names = list(parts)
    return names.index(name) < names.index(other)


def _renamed(columns: Mapping[str, Written], names: tuple[str, ...]) -> Mapping[str, Written]:
    """A list of names after an alias renames the first columns."""
    if len(names) > len(columns):
        raise NameUnknown(kind="column", name=names[-1])
    renamed = [*names, *list(columns)[len(names) :]]
    if len(set(renamed)) != len(renamed):
        raise NameAmbiguous(name=renamed[-1])
    return dict(zip(renamed, columns.values(), strict=True))


def has_aggregate(written: Written) -> bool:
    """Whether an expression computes something of several rows."""
    found = False

    def look(part: Written) -> Written | None:
        nonlocal found
        found = found or (isinstance(part, Call) and part.function in AGGREGATES)
        return part if found else None

    syntax.rewrite(written, look)
    return found
