# SPDX-License-Identifier: Apache-2.0
"""The grid of a governed table: coordinates of cells, and what a filter or a group means on them.

A coordinate is the engine's own text of a published bucket: the value itself, the lower edge of a
band, the first day of a month or year; None where there is no value. Whether a cell lies inside a
filter is decided here from the coordinate alone; a filter that cuts a cell is not on the grid.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from datetime import date

from lingqu.gate.governance import GovernedColumn, GovernedTable, GridKind, edges_of, units_of
from lingqu.gate.queries import (
    ALWAYS,
    All,
    AnyOf,
    Dimension,
    Members,
    Predicate,
    Ranges,
    Step,
    Within,
)
from lingqu.gate.suppression import Cell
from lingqu.kernel import errors
from lingqu.runtime.engine import quoted


class NotOnGrid(errors.Rejected):
    """A filter or a group is finer than what is published of a dimension."""

    code = "gate.query.not_on_grid"


STEPS = {
    GridKind.EXACT: Step.EXACT,
    GridKind.BANDS: Step.BAND,
    GridKind.MONTH: Step.MONTH,
    GridKind.YEAR: Step.YEAR,
}


def grid_columns(table: GovernedTable) -> tuple[GovernedColumn, ...]:
    """This will give the dimensions of a table in the order of its coordinates."""
    return tuple(column for column in table.columns if column.grid is not None)


def print_bucket(column: GovernedColumn, step: Step, reference: str) -> str:
    """This will print the bucket of a value at a step; `reference` is the printed column."""
    if step is Step.EXACT:
        return reference
    if step is Step.MONTH:
        return f"CAST(date_trunc('month', {reference}) AS DATE)"
    if step is Step.YEAR:
        return f"CAST(date_trunc('year', {reference}) AS DATE)"
    assert column.grid is not None, "a band has its grid"
    edges = [f"CAST('{edge}' AS {column.type})" for edge in column.grid.edges]
    cases = [f"WHEN {reference} < {edges[0]} THEN NULL"]
    pairs = itertools.pairwise(edges)
    cases += [f"WHEN {reference} < {high} THEN {low}" for low, high in pairs]
    return f"CASE {' '.join(cases)} END"


def print_cell(table: GovernedTable) -> list[str]:
    """This will print the buckets of a row in the order of coordinates."""
    found = []
    for column in grid_columns(table):
        assert column.grid is not None, "it is on the grid"
        found.append(print_bucket(column, STEPS[column.grid.kind], quoted(column.name)))
    return found


def coordinate(value: object) -> str | None:
    """This will give the coordinate the engine answered."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


Reads = Callable[[Cell], bool]


def compile_filter(predicate: Predicate, table: GovernedTable) -> Reads:
    """This will give what decides whether a cell lies inside a filter. Raises NotOnGrid."""
    if predicate == ALWAYS:
        return lambda _: True
    if isinstance(predicate, All):
        parts = [compile_filter(one, table) for one in predicate.parts]
        return lambda cell: all(part(cell) for part in parts)
    if isinstance(predicate, AnyOf):
        parts = [compile_filter(one, table) for one in predicate.parts]
        return lambda cell: any(part(cell) for part in parts)
    if not isinstance(predicate, Within):
        raise NotOnGrid(column="")
    columns = grid_columns(table)
    names = [one.name for one in columns]
    if predicate.column.name not in names:
        raise NotOnGrid(column=predicate.column.name)
    place = names.index(predicate.column.name)
    return _within(place, columns[place], predicate.values)


def _within(place: int, column: GovernedColumn, values: Ranges | Members) -> Reads:
    if isinstance(values, Members):
        texts = frozenset(values.texts)
        return lambda cell: (
            values.nulls if (text := cell[place]) is None else (text in texts) != values.inverted
        )
    _refuse_cut(column, values)
    known: dict[str | None, bool] = {None: values.nulls}

    def reads(cell: Cell) -> bool:
        text = cell[place]
        found = known.get(text)
        if found is None:
            found = known[text] = _is_inside(column, text or "", values)
        return found

    return reads


def _is_inside(column: GovernedColumn, text: str, values: Ranges) -> bool:
    unit = units_of(column, text)
    assert unit is not None, "a coordinate is a value of its column"
    return _holds(values, unit)


def _holds(values: Ranges, unit: int) -> bool:
    return any(
        (span.start is None or span.start <= unit) and (span.end is None or unit < span.end)
        for span in values.spans
    )


def _refuse_cut(column: GovernedColumn, values: Ranges) -> None:
    """Refuse a set whose bounds are no bounds of buckets, or that cuts what is in no band."""
    assert column.grid is not None, "it is on the grid"
    kind = column.grid.kind
    bounds = {one for span in values.spans for one in (span.start, span.end) if one is not None}
    if kind is GridKind.MONTH and any(date.fromordinal(one).day != 1 for one in bounds):
        raise NotOnGrid(column=column.name)
    if kind is GridKind.YEAR and any(
        (date.fromordinal(one).month, date.fromordinal(one).day) != (1, 1) for one in bounds
    ):
        raise NotOnGrid(column=column.name)
    if kind is GridKind.BANDS:
        edges = edges_of(column)
        outside = {_holds(values, edges[0] - 1), _holds(values, edges[-1]), values.nulls}
        if not bounds <= set(edges) or len(outside) > 1:
            raise NotOnGrid(column=column.name)


def compile_group(
    dimensions: tuple[Dimension, ...], table: GovernedTable
) -> Callable[[Cell], Cell]:
    """This will give what tells the group of a cell. Raises NotOnGrid."""
    columns = grid_columns(table)
    places = {column.name: place for place, column in enumerate(columns)}
    steps: list[tuple[int, GovernedColumn, Step]] = []
    for one in dimensions:
        place = places.get(one.column.name)
        if place is None:
            raise NotOnGrid(column=one.column.name)
        steps.append((place, columns[place], one.step))
    mine = [place for place, _, _ in steps]
    if all(column.grid and step is STEPS[column.grid.kind] for _, column, step in steps):
        if len(mine) > 1:
            return operator.itemgetter(*mine)
        first = mine[0] if mine else 0
        # One coordinate or none, as a tuple, without a step of Python for each cell.
        return operator.itemgetter(slice(first, first + len(mine)))
    known: dict[tuple[int, str | None], str | None] = {}

    def group(cell: Cell) -> Cell:
        found = []
        for number, (place, column, step) in enumerate(steps):
            text = cell[place]
            name = (number, text)
            if name not in known:
                known[name] = coarsen(column, step, text)
            found.append(known[name])
        return tuple(found)

    return group


def coarsen(column: GovernedColumn, step: Step, text: str | None) -> str | None:
    """This will give the coordinate of a bucket at a step that is no finer. Raises NotOnGrid."""
    assert column.grid is not None, "it is on the grid"
    own = STEPS[column.grid.kind]
    if text is None or step is own:
        return text
    if own not in {Step.EXACT, Step.MONTH} or step not in {Step.MONTH, Step.YEAR}:
        raise NotOnGrid(column=column.name)
    day = date.fromisoformat(text)
    return str(day.replace(day=1) if step is Step.MONTH else day.replace(day=1, month=1))


def shown(step: Step, text: str | None) -> str | int | None:
    """This will give the coordinate of a group as an answer shows it."""
    return int(text[:4]) if step is Step.YEAR and text is not None else text
