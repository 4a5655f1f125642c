# SPDX-License-Identifier: Apache-2.0
"""Ad hoc questions that the published cube answers itself, so that no row is read for them.

Where a question is about whole blocks, each block stands as of the version that is read, and every
figure adds up from what is published of blocks, the rows would say the same: each group holds the
threshold and nobody dominates it because that is so in each of its blocks. Whether it is so is
seen from the question and the cube alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lingqu.gate.answers.telling import Admitted, CellSet, find_guards
from lingqu.gate.datasets import Figures, Number, OpenCube, Told, ToldLine
from lingqu.gate.governance import Function
from lingqu.gate.queries import Aggregate, Query
from lingqu.gate.suppression import in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How an aggregate adds up: rows, or one measure's sums or how often it is there."""

    function: Function
    measure: int | None


def find_published(query: Query, cube: OpenCube, admitted: Admitted) -> Told | None:
    """This will answer an admitted question from the cube; None where the rows must be asked."""
    if not admitted.is_whole or admitted.kept_back or not cube.stands_as_of(admitted.whole):
        return None
    kinds = [_kind(one, cube) for one in query.aggregates]
    found = [one for one in kinds if one is not None]
    if len(found) != len(kinds) or len(query.scans) != 1:
        return None
    name = ("published", query.filter, query.groups, query.aggregates)
    return cube.once(name, lambda: _answer(query, cube, admitted, found))


def find_complete(cube: OpenCube, admitted: Admitted) -> tuple[str, ...]:
    """This will give the measures that every row of the version has that is read."""
    if not cube.stands_as_of(admitted.whole):
        return ()
    names = (one.name for one in cube.table.columns if one.measure is not None)
    return tuple(
        name
        for name in names
        if (place := cube.measure_of(name)) is not None and cube.is_never_missing(place)
    )


def _kind(aggregate: Aggregate, cube: OpenCube) -> _Kind | None:
    function = aggregate.function
    if function is Function.COUNT and not aggregate.columns:
        return _Kind(function=function, measure=None)
    if function not in {Function.SUM, Function.COUNT} or len(aggregate.columns) != 1:
        return None
    measure = cube.measure_of(aggregate.columns[0].name)
    if measure is None or (function is Function.COUNT and not cube.is_never_missing(measure)):
        return None  # who lacks a value is a part of its own, and not published
    return _Kind(function=function, measure=measure)


def _answer(query: Query, cube: OpenCube, admitted: Admitted, kinds: Sequence[_Kind]) -> Told:
    guards = find_guards(query)
    places = [guards.index(one.guard) for one in query.aggregates]
    inside, keys = cube.inside(query.filter), cube.groups(query.groups)
    known = {key for key, is_inside in zip(keys, inside, strict=True) if is_inside}
    if not query.groups:
        known.add(())
    lines = []
    for key in in_order(known):
        mine = [_figures(groups.get(key), cube) for groups in admitted.sets.groups]
        numbers = (_number(kind, mine[at]) for kind, at in zip(kinds, places, strict=True))
        lines.append(ToldLine(key=key, numbers=tuple(numbers)))
    return Told(lines=tuple(lines), has_withheld=cube.cube.has_left, withheld_entities=None)


def _figures(group: CellSet | None, cube: OpenCube) -> list[Figures]:
    """What is published of the blocks that cells make up."""
    places = group.places if group is not None else ()
    return [cube.cube.figures[at] for at in {cube.block_of[one] for one in places}]


def _number(kind: _Kind, blocks: Sequence[Figures]) -> Number:
    if kind.measure is None:
        return sum(one.rows for one in blocks)
    if kind.function is Function.COUNT:
        return sum(one.counts[kind.measure] for one in blocks)
    return sum(one.sums[kind.measure] for one in blocks)
