# SPDX-License-Identifier: Apache-2.0
"""Which equalities of a filter are joins: those that a policy's joins ask for, and all of these."""

from __future__ import annotations

from collections.abc import Iterable

from lingqu.gate.governance import QueryPolicy
from lingqu.gate.queries import Joined
from lingqu.gate.sql.diagrams import Diagrams
from lingqu.gate.syntax import ColumnRef, Scan
from lingqu.kernel import errors


class JoinRefused(errors.Forbidden):
    """Two tables are joined in a way the policy does not list, or not joined at all."""

    code = "gate.query.join"


class TooManyJoins(errors.Rejected):
    """The query joins more tables than the policy lets it."""

    code = "gate.query.too_many_joins"


class _Classes:
    """Columns that are known to be equal."""

    def __init__(self, pairs: Iterable[tuple[ColumnRef, ColumnRef]]) -> None:
        self._heads: dict[ColumnRef, ColumnRef] = {}
        for one, other in pairs:
            self._heads[self.head(one)] = self.head(other)

    def head(self, column: ColumnRef) -> ColumnRef:
        while column in self._heads:
            above = self._heads[column]
            if above == column:
                return column
            column = above
        return column

    def equal(self, one: ColumnRef, other: ColumnRef) -> bool:
        return self.head(one) == self.head(other)


def find_joins(
    diagrams: Diagrams, where: int, *, scans: tuple[Scan, ...], policy: QueryPolicy
) -> tuple[tuple[Joined, ...], int]:
    """This will give the joins a filter asks for, and what is left of it without them.

    Every join of the policy that the equalities imply is taken, so that it makes no difference
    which of them were written. Raises JoinRefused, TooManyJoins.
    """
    if len(scans) - 1 > policy.joins_max:
        raise TooManyJoins(most=policy.joins_max)
    pairs = []
    for variable in diagrams.comparisons(where):
        assert variable.other is not None, "a comparison has two sides"
        if _is_key_pair(policy, variable.column, variable.other) and diagrams.needs_equal(
            where, variable
        ):
            where = diagrams.assume_equal(where, variable)
            pairs.append((variable.column, variable.other))
    joins = _joins_of(_Classes(pairs), scans, policy)
    taken = _Classes(pair for one in joins for pair in key_columns(one))
    for one, other in pairs:
        if not taken.equal(one, other):
            raise JoinRefused(left=one.scan.table, right=other.scan.table)
    _check_connected(scans, joins)
    return joins, where


def _is_key_pair(policy: QueryPolicy, one: ColumnRef, other: ColumnRef) -> bool:
    """Whether both columns are keys of some join: others are compared, not joined by."""
    keys = set()
    for join in policy.joins:
        for left, right in join.keys:
            keys |= {(join.left, left), (join.right, right)}
    return {(one.scan.table, one.name), (other.scan.table, other.name)} <= keys


def key_columns(joined: Joined) -> Iterable[tuple[ColumnRef, ColumnRef]]:
    """This will give the pairs of columns a join holds equal."""
    for left, right in joined.keys:
        yield ColumnRef(joined.left, left), ColumnRef(joined.right, right)


def _joins_of(
    classes: _Classes, scans: tuple[Scan, ...], policy: QueryPolicy
) -> tuple[Joined, ...]:
    asked = [
        Joined(left, right, join.keys)
        for join in policy.joins
        for left in scans
        for right in scans
        if (left.table, right.table) == (join.left, join.right)
    ]
    found = {
        joined
        for joined in asked
        if all(classes.equal(one, other) for one, other in key_columns(joined))
    }
    return tuple(sorted(found))


def _check_connected(scans: tuple[Scan, ...], joins: tuple[Joined, ...]) -> None:
    reached = {scans[0]} if scans else set()
    while True:
        more = {
            scan
            for join in joins
            for scan in (join.left, join.right)
            if {join.left, join.right} & reached
        } - reached
        if not more:
            break
        reached |= more
    for scan in scans:
        if scan not in reached:
            raise JoinRefused(left=scans[0].table, right=scan.table)
