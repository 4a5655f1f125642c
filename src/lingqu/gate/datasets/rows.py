# SPDX-License-Identifier: Apache-2.0
"""How rows, filters and measures of a closed query are printed; every literal is bound."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from lingqu.gate.datasets.grid import STEPS, print_bucket
from lingqu.gate.governance import Function, GovernedColumn, GovernedTable, Kind, QueryPolicy
from lingqu.gate.queries import (
    Aggregate,
    All,
    AnyOf,
    ColumnRef,
    Compared,
    Dimension,
    Like,
    Members,
    Predicate,
    Query,
    Ranges,
    Scan,
    Step,
)
from lingqu.runtime.engine import quoted

BIGINT_DIGITS = 18
UNITS = "lingqu_u_"
"""Before the name of a measure: the column of a governed copy with its clamped units."""
BUCKET = "lingqu_d_"
"""Before the name of a dimension: the column with its published bucket."""
ENTITY_BYTE = "lingqu_entity"
"""The column that holds the entity byte; no policy can name it."""
MASK = "_m"
"""After the name of such a byte: the column with one bit at its place, which is quicker to join."""


class Rows:
    """Prints what one query reads; `values` are bound in the order in which they were printed."""

    def __init__(self, query: Query, policy: QueryPolicy) -> None:
        """Name the scans."""
        self.query, self.policy = query, policy
        self.values: list[object] = []
        self._alias = {scan: f"s{number}" for number, scan in enumerate(query.scans)}

    def table(self, scan: Scan) -> GovernedTable:
        """This will give the governed table of a scan."""
        found = self.policy.table(scan.table)
        assert found is not None, "the query was decided under this policy"
        return found

    def column(self, reference: ColumnRef) -> GovernedColumn:
        """This will look a column up."""
        found = self.table(reference.scan).column(reference.name)
        assert found is not None, "the query was decided under this policy"
        return found

    def reference(self, reference: ColumnRef) -> str:
        """This will print a column."""
        return self.plain(reference.scan, self.column(reference).name)

    def plain(self, scan: Scan, name: str) -> str:
        """This will print a column of a scan by its name in the table."""
        return f"{self._alias[scan]}.{quoted(name)}"

    def source(self) -> str:
        """This will print the scans with their joins, in an order in which each one is known."""
        query = self.query
        first = query.scans[0]
        printed, left = [f"{quoted(self.table(first).name)} AS {self._alias[first]}"], {first}
        waiting = list(query.joins)
        while waiting:
            join = next(one for one in waiting if one.left in left or one.right in left)
            both = [
                one for one in waiting if {one.left, one.right} <= left | {join.left, join.right}
            ]
            new = join.right if join.left in left else join.left
            on = " AND ".join(
                f"{self.plain(one.left, a)} = {self.plain(one.right, b)}"
                for one in both
                for a, b in one.keys
            )
            if new in left:
                raise AssertionError("joins of known scans are printed with the scan")
            printed.append(f"JOIN {quoted(self.table(new).name)} AS {self._alias[new]} ON {on}")
            left.add(new)
            waiting = [one for one in waiting if one not in both]
        return " ".join(printed)

    def predicate(self, predicate: Predicate) -> str:
        """This will print what is true of a row, or missing where it is not."""
        if isinstance(predicate, All):
            return f"({' AND '.join(map(self.predicate, predicate.parts)) or 'true'})"
        if isinstance(predicate, AnyOf):
            return f"({' OR '.join(map(self.predicate, predicate.parts)) or 'false'})"
        if isinstance(predicate, Compared):
            left, right = self.reference(predicate.left), self.reference(predicate.right)
            return f"({left} {predicate.relation.value} {right})"
        cell = self.reference(predicate.column)
        if isinstance(predicate, Like):
            self.values.append(predicate.pattern)
            return f"({cell} {'NOT ' if predicate.inverted else ''}LIKE ?)"
        if isinstance(predicate.values, Members):
            return self._members(cell, self.column(predicate.column), predicate.values)
        return self._ranges(cell, self.column(predicate.column), predicate.values)

    def _members(self, cell: str, column: GovernedColumn, members: Members) -> str:
        is_truth = column.kind is Kind.BOOLEAN
        self.values += [(one == "true") if is_truth else one for one in members.texts]
        marks = ", ".join("?" for _ in members.texts)
        if members.texts:
            inside = f"{cell} {'NOT ' if members.inverted else ''}IN ({marks})"
        else:
            inside = f"{cell} IS NOT NULL" if members.inverted else "false"
        return f"({inside} OR {cell} IS NULL)" if members.nulls else f"({inside})"

    def _ranges(self, cell: str, column: GovernedColumn, ranges: Ranges) -> str:
        parts = []
        for span in ranges.spans:
            bounds = []
            for mark, unit in ((">=", span.start), ("<", span.end)):
                if unit is not None:
                    self.values.append(_value_of(column, unit))
                    bounds.append(f"{cell} {mark} CAST(? AS {column.type})")
            parts.append(f"({' AND '.join(bounds) or f'{cell} IS NOT NULL'})")
        if ranges.nulls:
            parts.append(f"({cell} IS NULL)")
        return f"({' OR '.join(parts) or 'false'})"

    def amount(self, aggregate: Aggregate) -> tuple[str, bool]:
        """This will print what a row adds to an aggregate, in units, and whether it may be below 0.

        A count of a column adds where it is not missing, a count of rows everywhere.
        """
        if aggregate.function is Function.COUNT:
            if not aggregate.columns:
                return "1", False
            return f"CASE WHEN {self.reference(aggregate.columns[0])} IS NOT NULL THEN 1 END", False
        factors, digits, is_signed = [], 0, False
        for one in aggregate.columns:
            measure = self.column(one).measure
            assert measure is not None, "only measures are added up"
            digits += measure.digits
            is_signed = is_signed or measure.lower < 0
            factors.append(self.plain(one.scan, UNITS + self.column(one).name))
        if digits > BIGINT_DIGITS:
            factors = [f"CAST({factor} AS HUGEINT)" for factor in factors]
        return " * ".join(factors), is_signed

    def bucket(self, dimension: Dimension) -> str:
        """This will print the bucket of a row at the step of a group."""
        column = self.column(dimension.column)
        assert column.grid is not None, "groups are on the grid"
        own = STEPS[column.grid.kind]
        if own is Step.EXACT:
            return print_bucket(column, dimension.step, self.reference(dimension.column))
        stored = self.plain(dimension.column.scan, BUCKET + column.name)
        return stored if dimension.step is own else print_bucket(column, dimension.step, stored)


def _value_of(column: GovernedColumn, unit: int) -> object:
    if column.kind is Kind.DATE:
        return date.fromordinal(unit) if 1 <= unit <= date.max.toordinal() else date.max
    if column.kind is Kind.DECIMAL:
        return Decimal(unit).scaleb(-column.unit_scale)
    return unit
