# SPDX-License-Identifier: Apache-2.0
"""Wide tables: a governed table with what its rows are joined to, as further columns of its own.

A permitted join that gives each row at most one row of another table (a **branch**) adds that
table's dimensions to the grid of the first, and whether there is such a row at all. So a question
over joined tables is one over a single table: its cells, blocks and what was told of them are those
of the table whose rows are counted, cut finer by what is joined to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lingqu.gate.datasets.rows import ENTITY_BYTE
from lingqu.gate.governance import (
    Cardinality,
    GovernedColumn,
    GovernedTable,
    Grid,
    GridKind,
    Join,
    Mode,
    QueryPolicy,
    Role,
)
from lingqu.gate.queries import write_node
from lingqu.kernel import errors

ROOT = -1
"""The place of the table whose rows are counted, among branches."""
BRANCHES_MOST = 32
_THERE, _ALIKE, _WHO = "lingqu_j", "lingqu_s", "lingqu_w"
_FLAG = Grid(kind=GridKind.EXACT)


class TooManyBranches(errors.Rejected):
    """From one table more others can be reached by joins than can be published with it."""

    code = "gate.join.too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A table of which each row of another meets at most one.

    `parent` is the place of that other one, `there` the column that says whether there is such a
    row, `columns` the names in the wide table of its own columns.
    """

    table: GovernedTable
    parent: int
    keys: tuple[tuple[str, ...], ...]
    there: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Whether the rows of two branches meet by a join too: a column of its own."""

    name: str
    left: int
    right: int
    keys: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Somebody rows are about: the column that names them, its byte, how many there must be.

    `places` are the tables that name them so, each with its threshold; `there` is the column that
    says of a row whether it is about one at all, None where every row may be.
    """

    column: str
    byte: str
    places: tuple[tuple[int, int], ...]
    there: str | None = None

    @property
    def threshold(self) -> int:
        """The strictest of the tables."""
        return max(least for _, least in self.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class WideTable(GovernedTable):
    """A governed table with its branches, whose columns stand before and behind its own."""

    branches: tuple[Branch, ...]
    alike: tuple[Alike, ...]
    whom: tuple[Whom, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """The columns that say which branches a row meets: the first coordinates of its cell."""
        return (*(one.there for one in self.branches), *(one.name for one in self.alike))


def about_whom(table: GovernedTable) -> tuple[Whom, ...]:
    """This will say whom the rows of a table are about; nobody gives nothing."""
    if isinstance(table, WideTable):
        return table.whom
    if table.entity is None:
        return ()
    places = ((ROOT, table.threshold),)
    return (Whom(column=table.entity, byte=ENTITY_BYTE, places=places),)


def widen(policy: QueryPolicy, table: GovernedTable) -> GovernedTable:
    """This will give a table with its branches, or as it is where it has none.

    Under noise alone nothing is published of joined rows, so that there are none. Raises
    TooManyBranches.
    """
    if not {Mode.CUBE, Mode.AD_HOC} & {*policy.modes}:
        return table
    branches = _branches(policy, table)
    if not branches:
        return table
    alike = tuple(_alike(policy, table, branches))
    columns = [_flag(one.there) for one in branches] + [_flag(one.name) for one in alike]
    columns += table.columns
    for branch in branches:
        for name, own in branch.columns:
            column = branch.table.column(own)
            assert column is not None, "it is one of its columns"
            columns.append(replace(column, name=name, role=Role.DIMENSION, measure=None))
    whom = _whom(table, branches)
    for one in whom:
        place = one.places[0][0]
        if place != ROOT:
            columns.append(
                GovernedColumn(name=one.column, role=Role.KEY, type=_type(branches[place]))
            )
    return WideTable(
        name=table.name,
        resource=table.resource,
        columns=tuple(columns),
        entity=table.entity,
        threshold=table.threshold,
        branches=branches,
        alike=alike,
        whom=whom,
    )


def grid_of_joins(table: GovernedTable) -> tuple[str, ...]:
    """This will say what a table is joined to, as all products over it must say alike."""
    if not isinstance(table, WideTable):
        return ()
    told = [write_node((one.table.resource, one.parent, one.keys)) for one in table.branches]
    return (*told, write_node(table.alike), write_node(table.whom))


def _flag(name: str) -> GovernedColumn:
    return GovernedColumn(name=name, role=Role.DIMENSION, type="BOOLEAN", grid=_FLAG)


def _type(branch: Branch) -> str:
    assert branch.table.entity is not None, "its rows are about somebody"
    column = branch.table.column(branch.table.entity)
    assert column is not None, "it is one of its columns"
    return column.type


def _joins_from(policy: QueryPolicy, table: GovernedTable) -> Iterator[tuple[Join, GovernedTable]]:
    """The joins that give a row of a table one row at most, in an order no product decides."""
    found = []
    for join in policy.joins:
        right = policy.table(join.right)
        is_single = join.cardinality is not Cardinality.MANY_MANY
        if join.left == table.name and right is not None and is_single:
            found.append((join, right))
    yield from sorted(found, key=lambda one: (one[0].keys, one[1].resource))


def _branches(policy: QueryPolicy, table: GovernedTable) -> tuple[Branch, ...]:
    found: list[Branch] = []
    waiting: list[tuple[int, GovernedTable, tuple[str, ...]]] = [(ROOT, table, (table.name,))]
    while waiting:
        parent, left, path = waiting.pop(0)
        for join, right in _joins_from(policy, left):
            if right.name in path:
                continue
            place = len(found)
            if place == BRANCHES_MOST:
                raise TooManyBranches(table=table.name, most=BRANCHES_MOST)
            own = sorted(one.name for one in right.columns if one.grid is not None)
            columns = tuple((f"{_THERE}{place}_{at}", name) for at, name in enumerate(own))
            there = f"{_THERE}{place}"
            found.append(
                Branch(table=right, parent=parent, keys=join.keys, there=there, columns=columns)
            )
            waiting.append((place, right, (*path, right.name)))
    return tuple(found)


def _alike(
    policy: QueryPolicy, table: GovernedTable, branches: tuple[Branch, ...]
) -> Iterator[Alike]:
    """Joins between two tables that are both there already, by other ways."""
    places = [(ROOT, table.name), *((at, one.table.name) for at, one in enumerate(branches))]
    number = 0
    for join in sorted(policy.joins, key=lambda one: (one.keys, one.left, one.right)):
        for left, left_name in places:
            for right, right_name in places:
                if (left_name, right_name) != (join.left, join.right):
                    continue
                if right != ROOT and (branches[right].parent, branches[right].keys) == (
                    left,
                    join.keys,
                ):
                    continue
                yield Alike(name=f"{_ALIKE}{number}", left=left, right=right, keys=join.keys)
                number += 1


def _whom(table: GovernedTable, branches: tuple[Branch, ...]) -> tuple[Whom, ...]:
    """Tables that are joined by the very column that names somebody are about the same."""
    found: list[Whom] = []
    at_place: dict[int, int] = {}
    if table.entity is not None:
        found += about_whom(table)
        at_place[ROOT] = 0
    for place, branch in enumerate(branches):
        if branch.table.entity is None:
            continue
        above = table if branch.parent == ROOT else branches[branch.parent].table
        least = (place, branch.table.threshold)
        if (above.entity, branch.table.entity) in branch.keys and branch.parent in at_place:
            known = at_place[place] = at_place[branch.parent]
            found[known] = replace(found[known], places=(*found[known].places, least))
            continue
        at_place[place] = len(found)
        name = f"{_WHO}{place}"
        found.append(
            Whom(column=name, byte=f"{ENTITY_BYTE}_{place}", places=(least,), there=branch.there)
        )
    return tuple(found)
