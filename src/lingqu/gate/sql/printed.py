# SPDX-License-Identifier: Apache-2.0
"""How bands and clamped measures are written, for the printer and for the reader to know again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

from lingqu.gate.governance import DIGITS_MOST, GovernedColumn, GridKind, Kind, edges_of, kind_of
from lingqu.gate.syntax import (
    Choice,
    ColumnRef,
    Comparison,
    Conversion,
    Missing,
    Number,
    Text,
    Written,
)

Edge = int | Decimal | dt.date


def edge_values(column: GovernedColumn) -> tuple[Edge, ...]:
    """This will give the edges of a banded column as values of its type."""
    return tuple(value_of(column, unit) for unit in edges_of(column))


def value_of(column: GovernedColumn, unit: int) -> Edge:
    """This will give the value that some units of an ordered column stand for."""
    if column.kind is Kind.DATE:
        return dt.date.fromordinal(unit)
    if column.kind is Kind.DECIMAL:
        return Decimal(unit).scaleb(-column.unit_scale)
    return unit


def band_of(choice: Choice, column_of: Callable[[ColumnRef], GovernedColumn]) -> ColumnRef | None:
    """This will give the column a case puts into the bands of its grid; None for any other case."""
    match choice.arms[0][0]:
        case Comparison(left=ColumnRef() as column):
            grid = column_of(column).grid
            if grid is None or grid.kind is not GridKind.BANDS:
                return None
            return column if choice == band_case(column, column_of(column)) else None
    return None


def band_case(column: ColumnRef, governed: GovernedColumn) -> Choice:
    """This will write a column by the lower edge of its band; missing outside all bands."""
    written = [_literal(edge) for edge in edge_values(governed)]
    arms: list[tuple[Written, Written]] = []
    for place, edge in enumerate(written):
        lower = written[place - 1] if place else Missing()
        arms.append((Comparison("<", column, edge), lower))
    return Choice(tuple(arms), Missing())


def clamped(column: ColumnRef, governed: GovernedColumn) -> Written:
    """This will write a measure within its bounds, as an exact number that is just wide enough.

    Where the column holds other numbers, one that cannot be read is missing.
    """
    measure = governed.measure
    assert measure is not None, "only measures are computed with"
    lower, upper = (
        Number(Decimal(unit).scaleb(-measure.scale)) for unit in (measure.lower, measure.upper)
    )
    item: Written = column
    if kind_of(governed.type) not in {(Kind.INTEGER, 0), (Kind.DECIMAL, measure.scale)}:
        item = Conversion(column, f"DECIMAL({DIGITS_MOST},{measure.scale})", is_safe=True)
    arms = ((Comparison("<", item, lower), lower), (Comparison("<", upper, item), upper))
    width = f"DECIMAL({max(measure.digits, 1)},{measure.scale})"
    return Conversion(Choice(arms, item), width, is_safe=False)


def clamped_of(
    written: Written, column_of: Callable[[ColumnRef], GovernedColumn]
) -> ColumnRef | None:
    """This will give the measure an expression clamps to its bounds; None for any other."""
    match written:
        case Conversion(item=Choice(otherwise=item)):
            column = item.item if isinstance(item, Conversion) else item
            if isinstance(column, ColumnRef) and column_of(column).measure is not None:
                return column if clamped(column, column_of(column)) == written else None
    return None


def _literal(edge: Edge) -> Written:
    if isinstance(edge, dt.date):
        return Conversion(Text(edge.isoformat()), "DATE", is_safe=False)
    return Number(Decimal(edge))
