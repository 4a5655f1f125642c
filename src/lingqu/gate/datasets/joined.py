# SPDX-License-Identifier: Apache-2.0
"""Questions over joined tables as questions over one wide table, and how its rows are made.

Exact answers go along joins that give a row at most one row of another table. The table whose rows
are counted is the one from which all others are reached so; what is added up is its own, since a
figure of a joined table would be told of two datasets that do not know of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lingqu.gate.datasets.cube import OpenCube
from lingqu.gate.datasets.wide import ROOT, Branch, Whom, WideTable, widen
from lingqu.gate.governance import Cardinality, Function, GovernedTable, QueryPolicy
from lingqu.gate.queries import (
    ALWAYS,
    Aggregate,
    All,
    AnyOf,
    ColumnRef,
    Dimension,
    Joined,
    Members,
    Predicate,
    Query,
    Scan,
    Within,
)
from lingqu.gate.suppression import order
from lingqu.kernel import errors
from lingqu.runtime.engine import Column, quoted

_TRUE = Members(("true",))


class FanOut(errors.Rejected):
    """A join gives a row several rows of another table, so that exact answers would count twice."""

    code = "gate.query.fan_out"


class JoinedFigure(errors.Rejected):
    """A figure of a joined table is added up, not one of the table whose rows are counted."""

    code = "gate.query.joined_figure"


class NotUnique(errors.Conflict):
    """Several rows of a table carry the key by which another table is joined to at most one."""

    code = "gate.join.not_unique"


def as_one_table(query: Query, policy: QueryPolicy) -> tuple[Query, QueryPolicy]:
    """This will give an exact question over one wide table, and the policy with that table.

    Only those count as the people it is about whose tables the question names. Raises FanOut,
    JoinedFigure, TooManyBranches.
    """
    root = _find_root(query, policy)
    plain = _table(policy, root)
    wide = widen(policy, plain)
    if not isinstance(wide, WideTable):
        return query, policy
    rewriting = _Rewriting(query, policy, root, wide)
    table = replace(wide, whom=rewriting.whom())
    tables = tuple(table if one.name == table.name else one for one in policy.tables)
    return rewriting.query(), replace(policy, tables=tables)


def _table(policy: QueryPolicy, scan: Scan) -> GovernedTable:
    found = policy.table(scan.table)
    assert found is not None, "the query was decided under this policy"
    return found


def _is_single(policy: QueryPolicy, joined: Joined) -> bool:
    """Whether every join of the policy that is meant gives a row of the left one row at most."""
    mine = [
        one.cardinality
        for one in policy.joins
        if (one.left, one.right, one.keys) == (joined.left.table, joined.right.table, joined.keys)
    ]
    return Cardinality.MANY_MANY not in mine


def _find_root(query: Query, policy: QueryPolicy) -> Scan:
    """The first scan from which every other one is reached."""
    steps = [(one.left, one.right) for one in query.joins if _is_single(policy, one)]
    for scan in query.scans:
        reached, before = {scan}, set[Scan]()
        while reached != before:
            before = set(reached)
            reached |= {right for left, right in steps if left in reached}
        if reached == {*query.scans}:
            return scan
    others = [one for one in query.joins if not _is_single(policy, one)] or [*query.joins]
    raise FanOut(left=others[0].left.table, right=others[0].right.table)


def leave_out(query: Query, cube: OpenCube) -> Query:
    """This will keep an exact question to the rows of which anything is published.

    Rows that meet the same branches are published together or, where they are too few, not at all.
    """
    table = cube.table
    if not isinstance(table, WideTable) or not cube.cube.has_left:
        return query
    names = table.flags
    published = sorted({cell[: len(names)] for cell in cube.standing.place}, key=order)
    scan = query.scans[0]
    kept = AnyOf(
        tuple(
            All(
                tuple(
                    Within(ColumnRef(scan, name), Members((text or "",)))
                    for name, text in zip(names, flags, strict=True)
                )
            )
            for flags in published
        )
    )
    parts = (kept,) if query.filter == ALWAYS else (query.filter, kept)
    return replace(query, filter=All(parts))


class _Rewriting:
    """Finds the branch of every scan, and puts columns of the wide table in place of theirs."""

    def __init__(self, query: Query, policy: QueryPolicy, root: Scan, wide: WideTable) -> None:
        self._query, self._policy, self._root, self._wide = query, policy, root, wide
        self._places = {root: ROOT}
        self._flags: set[str] = set()
        waiting = list(query.joins)
        while waiting:
            join = next((one for one in waiting if self._grows(one)), None)
            if join is None:
                break
            waiting.remove(join)
            self._grow(join)
        for join in waiting:
            self._close(join)
        self._names = {
            scan: {own: name for name, own in wide.branches[place].columns}
            for scan, place in self._places.items()
            if place != ROOT
        }

    def _grows(self, join: Joined) -> bool:
        known = join.left in self._places and join.right not in self._places
        return known and _is_single(self._policy, join)

    def _grow(self, join: Joined) -> None:
        parent = self._places[join.left]
        place = next(
            at
            for at, one in enumerate(self._wide.branches)
            if (one.parent, one.table.name, one.keys) == (parent, join.right.table, join.keys)
        )
        self._places[join.right] = place
        self._flags.add(self._wide.branches[place].there)

    def _close(self, join: Joined) -> None:
        left, right = self._places[join.left], self._places[join.right]
        if right != ROOT and (
            self._wide.branches[right].parent,
            self._wide.branches[right].keys,
        ) == (left, join.keys):
            return
        for one in self._wide.alike:
            if (one.left, one.right, one.keys) == (left, right, join.keys):
                self._flags.add(one.name)
                return
        raise FanOut(left=join.left.table, right=join.right.table)

    def whom(self) -> tuple[Whom, ...]:
        """Those the question is about: whose tables it names, under the thresholds of these."""
        used, found = {*self._places.values()}, []
        for one in self._wide.whom:
            places = tuple((place, least) for place, least in one.places if place in used)
            if places:
                found.append(replace(one, places=places))
        return tuple(found)

    def query(self) -> Query:
        query = self._query
        flags = (Within(self._own(name), _TRUE) for name in sorted(self._flags))
        kept = () if query.filter == ALWAYS else (self._predicate(query.filter),)
        parts = (*kept, *flags)
        return replace(
            query,
            scans=(self._scan,),
            joins=(),
            filter=ALWAYS if not parts else parts[0] if len(parts) == 1 else All(parts),
            groups=tuple(Dimension(self._column(one.column), one.step) for one in query.groups),
            aggregates=tuple(self._aggregate(one) for one in query.aggregates),
        )

    @property
    def _scan(self) -> Scan:
        return Scan(self._root.table)

    def _own(self, name: str) -> ColumnRef:
        return ColumnRef(self._scan, name)

    def _column(self, column: ColumnRef) -> ColumnRef:
        if self._places[column.scan] == ROOT:
            return self._own(column.name)
        return self._own(self._names[column.scan][column.name])

    def _predicate(self, predicate: Predicate) -> Predicate:
        if isinstance(predicate, All | AnyOf):
            return type(predicate)(tuple(map(self._predicate, predicate.parts)))
        assert isinstance(predicate, Within), "exact answers filter on the grid"
        return Within(self._column(predicate.column), predicate.values)

    def _aggregate(self, aggregate: Aggregate) -> Aggregate:
        if aggregate.function is Function.ENTITIES:
            place = self._places[aggregate.columns[0].scan]
            (who,) = (
                one.column for one in self._wide.whom if place in {at for at, _ in one.places}
            )
            columns: tuple[ColumnRef, ...] = (self._own(who),)
        else:
            for one in aggregate.columns:
                if self._places[one.scan] != ROOT and not self._is_dimension(aggregate, one):
                    raise JoinedFigure(column=one.name, table=self._root.table)
            columns = tuple(map(self._column, aggregate.columns))
        return Aggregate(aggregate.function, columns, self._predicate(aggregate.guard))

    def _is_dimension(self, aggregate: Aggregate, column: ColumnRef) -> bool:
        return aggregate.function is Function.COUNT and column.name in self._names[column.scan]


def print_origin(table: GovernedTable) -> str:
    """This will print the rows a copy is made of: `source`, joined to `branch0`, `branch1` ..."""
    if not isinstance(table, WideTable):
        return "source"
    cells, joins = ["source.*"], []
    for at, branch in enumerate(table.branches):
        cells.append(f"{_name(at)}.{quoted(branch.keys[0][1])} IS NOT NULL AS {branch.there}")
        cells += [f"{_name(at)}.{quoted(own)} AS {name}" for name, own in branch.columns]
        on = _equal(table, branch.parent, at, branch.keys)
        joins.append(f" LEFT JOIN {_name(at)} ON {on}")
    for one in table.alike:
        alike = _equal(table, one.left, one.right, one.keys)
        cells.append(f"coalesce({alike}, false) AS {one.name}")
    for who in table.whom:
        place = who.places[0][0]
        if place != ROOT:
            entity = table.branches[place].table.entity
            assert entity is not None, "its rows are about somebody"
            cells.append(f"{_name(place)}.{quoted(entity)} AS {who.column}")
    return f"(SELECT {', '.join(cells)} FROM source{''.join(joins)})"  # noqa: S608  # quoted names


def print_doubles(branch: Branch) -> str:
    """This will print a question for keys that several rows of a branch carry, over `branch0`."""
    names = [quoted(pair[1]) for pair in branch.keys]
    there = " AND ".join(f"{name} IS NOT NULL" for name in names)
    return (
        f"SELECT count(*) FROM (SELECT 1 FROM {_name(0)} WHERE {there}"  # noqa: S608  # quoted names
        f" GROUP BY {', '.join(names)} HAVING count(*) > 1)"
    )


def branch_columns(branch: Branch, columns: Sequence[Column]) -> tuple[Column, ...]:
    """This will give the loaded columns of a branch that its policy names."""
    return tuple(one for one in columns if branch.table.column(one.name) is not None)


def branch_name(at: int) -> str:
    """This will give the name of a branch where rows are made."""
    return _name(at)


def _name(at: int) -> str:
    return "source" if at == ROOT else f"branch{at}"


def _equal(table: WideTable, left: int, right: int, keys: Sequence[tuple[str, ...]]) -> str:
    """Columns that must be equal, each as the policy says its values are."""
    return " AND ".join(
        f"{_key(table, left, one)} = {_key(table, right, other)}" for one, other in keys
    )


def _key(table: WideTable, place: int, name: str) -> str:
    at = table if place == ROOT else table.branches[place].table
    column = at.column(name)
    assert column is not None, "a join names columns"
    return f"CAST({_name(place)}.{quoted(name)} AS {column.type})"
