# SPDX-License-Identifier: Apache-2.0
"""Answers under noise: contributions bounded in the engine, discrete Gaussian noise by OpenDP.

Of each entity at most so many rows count, whatever they are filtered by; a row adds at most what
the bounds of its measures say. So one entity more or less moves the figures of an aggregate by a
known amount, and the noise is as large as the budget asks for (zero-concentrated differential
privacy, in millionths of rho). Groups come from the published cube, never from the rows that were
found. The library's own map says what an answer costs; nothing is sampled here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lingqu.gate.answers.figures import bound_of
from lingqu.gate.datasets import OpenCube, Rows, Told, ToldLine, compile_group, coordinate
from lingqu.gate.governance import DpTerms, Function, QueryPolicy
from lingqu.gate.queries import ALWAYS, Aggregate, ColumnRef, Query, Scan
from lingqu.gate.suppression import Cell, order
from lingqu.kernel import errors

MILLIONTHS = 1_000_000
_WIDER_MOST = 64
MOVE_MOST = 2**52
"""So far one entity may move a figure at most, in units: noise is drawn in 64 bits."""
_HELD_MOST = 2**62


class NoiseMissing(errors.Unavailable):
    """The library that draws noise is not installed here."""

    code = "gate.noise.missing"


class TwoKinds(errors.Rejected):
    """Joined rows are about several entities, whose contributions cannot all be bounded at once."""

    code = "gate.noise.two_kinds"


class TooFarMoved(errors.Rejected):
    """One entity moves the figure further than noise can be drawn for."""

    code = "gate.noise.too_far"


class NobodyProtected(errors.Rejected):
    """Rows of the table are about nobody, so that no noise protects anybody."""

    code = "gate.noise.nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """Printed SQL whose figures one entity moves by a bounded amount, and by how much each."""

    sql: str
    values: tuple[Any, ...]
    groups: int
    moves: tuple[int, ...]

    def read(self, rows: Sequence[Sequence[object]]) -> dict[Cell, tuple[int, ...]]:
        """This will read what the engine answered, by group."""
        return {
            tuple(map(coordinate, row[: self.groups])): tuple(
                int(str(one or 0)) for one in row[self.groups :]
            )
            for row in rows
        }


def print_bounded(query: Query, policy: QueryPolicy, terms: DpTerms) -> Bounded:
    """This will print a question so that of each entity a bounded number of rows counts.

    Rows are bounded after they were joined. Raises NobodyProtected, TwoKinds, TooFarMoved.
    """
    printed = Rows(query, policy)
    who = printed.reference(find_protected(query, policy))
    cells = [f"{printed.bucket(one)} AS d{at}" for at, one in enumerate(query.groups)]
    cells.append(f"{who} AS e")
    for at, one in enumerate(query.aggregates):
        if one.guard != ALWAYS:
            cells.append(f"{printed.predicate(one.guard)} AS g{at}")
        if one.function is not Function.ENTITIES:
            cells.append(f"{printed.amount(one)[0]} AS x{at}")
    source, kept = printed.source(), f"{who} IS NOT NULL"
    if query.filter != ALWAYS:
        kept = f"{kept} AND {printed.predicate(query.filter)}"
    keys = [f"d{at}" for at in range(len(query.groups))]
    told = ", ".join([*keys, *_figures(query)])
    tail = f" GROUP BY {', '.join(keys)}" if keys else ""
    # Which rows count of somebody depends on nothing but their own: not on where they are stored.
    names = [cell.rpartition(" AS ")[2] for cell in cells]
    nth = (
        f"row_number() OVER (PARTITION BY e ORDER BY hash({', '.join(names)}), {', '.join(names)})"
    )
    sql = (
        f"SELECT {told} FROM (SELECT *, {nth} AS nth FROM"  # noqa: S608  # printed from the closed query
        f" (SELECT {', '.join(cells)} FROM {source} WHERE {kept}))"
        f" WHERE nth <= {terms.contribution}{tail}"
    )
    moves = tuple(_moves(one, policy, terms) for one in query.aggregates)
    return Bounded(sql=sql, values=tuple(printed.values), groups=len(query.groups), moves=moves)


def _figures(query: Query) -> Iterator[str]:
    for at, one in enumerate(query.aggregates):
        kept = "" if one.guard == ALWAYS else f" FILTER (WHERE g{at})"
        if one.function is Function.ENTITIES:
            yield f"count(DISTINCT e){kept}"
        else:
            yield f"{'sum' if one.function is Function.SUM else 'count'}(x{at}){kept}"


def _moves(aggregate: Aggregate, policy: QueryPolicy, terms: DpTerms) -> int:
    """How far one entity moves the figures of all groups together, in the Euclidean norm."""
    if aggregate.function is Function.ENTITIES:
        return math.isqrt(terms.contribution - 1) + 1
    move = max(1, terms.contribution * bound_of(aggregate, policy))
    if move > MOVE_MOST:
        raise TooFarMoved(most=MOVE_MOST)
    return move


def find_protected(query: Query, policy: QueryPolicy) -> ColumnRef:
    """This will give the column that names whom the rows of a question are about.

    Tables that are joined by the columns that name somebody are about the same. Raises
    NobodyProtected, and TwoKinds where the rows are about several.
    """
    found = []
    for scan in query.scans:
        table = policy.table(scan.table)
        assert table is not None, "the query was decided under this policy"
        if table.entity is not None:
            found.append(ColumnRef(scan, table.entity))
    if not found:
        raise NobodyProtected(table=query.scans[0].table)
    same = {found[0]}
    pairs = [
        {ColumnRef(one.left, left), ColumnRef(one.right, right)}
        for one in query.joins
        for left, right in one.keys
    ]
    while more := [pair for pair in pairs if pair & same and not pair <= same]:
        same = same.union(*more)
    if not same.issuperset(found):
        others = next(one for one in found if one not in same)
        raise TwoKinds(one=found[0].scan.table, other=others.scan.table)
    return found[0]


def find_resources(query: Query, policy: QueryPolicy) -> tuple[str, ...]:
    """This will give the resources of a question that are about somebody, sorted."""
    tables = [policy.table(scan.table) for scan in query.scans]
    return tuple(
        sorted({one.resource for one in tables if one is not None and one.entity is not None})
    )


def find_groups(query: Query, cubes: Mapping[Scan, OpenCube]) -> tuple[Cell, ...]:
    """This will give the groups an answer has: those of the published cells, whatever is found.

    Of several tables every combination of theirs; `refuse_size` says before whether there are few.
    """
    parts: list[tuple[tuple[int, ...], list[Cell]]] = []
    for scan in query.scans:
        places = [at for at, one in enumerate(query.groups) if one.column.scan == scan]
        if places:
            group = compile_group(tuple(query.groups[at] for at in places), cubes[scan].table)
            parts.append(
                (tuple(places), sorted({group(one) for one in cubes[scan].cells}, key=order))
            )
    found = []
    for chosen in itertools.product(*(cells for _, cells in parts)):
        named = {
            at: text
            for (places, _), cell in zip(parts, chosen, strict=True)
            for at, text in zip(places, cell, strict=True)
        }
        found.append(tuple(named[at] for at in range(len(query.groups))))
    return tuple(sorted(found, key=order))


def add_noise(
    found: dict[Cell, tuple[int, ...]],
    *,
    groups: Sequence[Cell],
    moves: Sequence[int],
    rho: int,
) -> Told:
    """This will add noise that costs at most `rho` millionths, shared by the aggregates alike.

    Raises NoiseMissing.
    """
    columns = []
    for at, move in enumerate(moves):
        values = [found[key][at] if key in found else 0 for key in groups]
        columns.append(_draw(values, move=move, rho=rho, parts=len(moves)))
    lines = zip(*columns, strict=True) if columns else ([] for _ in groups)
    return Told(
        lines=tuple(
            ToldLine(key=key, numbers=tuple(line)) for key, line in zip(groups, lines, strict=True)
        ),
        has_withheld=False,
        withheld_entities=None,
    )


def read_noisy(kept: Mapping[str, Any]) -> Told:
    """This will read the lines of an answer as it was kept."""
    lines = tuple(
        ToldLine(key=tuple(key), numbers=tuple(numbers)) for key, numbers in kept["lines"]
    )
    return Told(lines=lines, has_withheld=False, withheld_entities=None)


def _draw(values: Sequence[int], *, move: int, rho: int, parts: int) -> list[int]:
    """Add discrete Gaussian noise; the library itself says that it costs no more.

    A figure beyond what is held counts as the most that is, which brings none further apart.
    """
    library = load_noise()
    space = library.vector_domain(library.atom_domain(T="i64")), library.l2_distance(T="i64")
    scale = math.sqrt(move * move * parts * MILLIONTHS / (2 * rho))
    for _ in range(_WIDER_MOST):
        noisy = library.m.make_gaussian(*space, scale=scale)
        if noisy.map(move) * parts * MILLIONTHS <= rho:
            held = [max(-_HELD_MOST, min(one, _HELD_MOST)) for one in values]
            return [int(one) for one in noisy(held)]
        scale = math.nextafter(scale, math.inf)
    raise NoiseMissing


def load_noise() -> Any:
    """This will load the library that draws noise. Raises NoiseMissing."""
    try:
        import opendp.prelude as library
    except ModuleNotFoundError:
        raise NoiseMissing from None
    library.enable_features("contrib")
    return library
