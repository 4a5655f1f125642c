# SPDX-License-Identifier: Apache-2.0
"""Decision diagrams over columns: one value for all ways to write a condition or a case.

A diagram asks the columns of a row in one fixed order; each answer leads to the next column or to
a leaf, true or false for conditions and a factor for cases. Equal diagrams are equal numbers, so
that two texts mean the same exactly where these are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

from lingqu.gate.queries import (
    ALWAYS,
    NEVER,
    All,
    AnyOf,
    Compared,
    Like,
    Members,
    Predicate,
    Ranges,
    Relation,
    Values,
    Within,
    write_node,
)
from lingqu.gate.sql import sets
from lingqu.gate.syntax import ColumnRef
from lingqu.kernel import errors

NODES_MOST = 5_000
ATOMS_MOST = 2_000
Leaf: TypeAlias = bool | Fraction


class TooComplex(errors.Rejected):
    """The conditions of the query fall into too many cases to be decided."""

    code = "gate.query.too_complex"


_ACROSS, COLUMN, _PATTERN, _BESIDE = range(4)


@dataclass(frozen=True, slots=True, order=True)
class Variable:
    """What a diagram asks of a row: a column's value, how two compare, whether a text matches.

    `first` says which, and puts comparisons across tables before all others: joins are among them.
    """

    first: int
    column: ColumnRef
    pattern: str = ""
    other: ColumnRef | None = None

    @property
    def is_column(self) -> bool:
        """Whether it is a column's own value, which may be missing."""
        return self.first == COLUMN


@dataclass(frozen=True, slots=True)
class _Node:
    variable: Variable
    branches: tuple[tuple[Values, int], ...]


_Branches: TypeAlias = tuple[tuple[Values, int], ...]
_MATCHES, _DIFFERS = "match", "other"
_OUTCOMES = {
    Relation.EQUAL: ("=",), Relation.UNEQUAL: ("<", ">"), Relation.LESS: ("<",),
    Relation.LESS_EQUAL: ("<", "="),
}  # fmt: skip
_TURNED = {"<": ">", ">": "<", "=": "="}


class Diagrams:
    """The diagrams of one query.

    `finite` lists what a column's values can be, where that is fixed; `is_ordered` says which kind
    of sets it has.
    """

    def __init__(
        self,
        *,
        finite: Callable[[ColumnRef], tuple[str, ...] | None],
        is_ordered: Callable[[ColumnRef], bool],
    ) -> None:
        """Begin with the two leaves of conditions."""
        self._finite = finite
        self._is_ordered = is_ordered
        self._nodes: list[_Node | Leaf] = []
        self._numbers: dict[tuple[object, object], int] = {}
        self.false = self.leaf(False)
        self.true = self.leaf(True)

    def leaf(self, value: Leaf) -> int:
        """This will give the diagram that says the same of every row."""
        return self._number((type(value), value), value)

    def within(self, variable: Variable, values: Values) -> int:
        """This will give the diagram that is true where the variable lies in the set."""
        finite = self._domain(variable)
        values = sets.union(values, values, finite)
        rest = sets.complement(values, finite)
        if not variable.is_column:
            rest = sets.without_missing(rest)
        return self._node(variable, [(values, self.true), (rest, self.false)])

    def read(self, predicate: Predicate) -> int:
        """This will give the diagram of a predicate. Raises TooComplex."""
        if isinstance(predicate, Within):
            return self.within(Variable(COLUMN, predicate.column), predicate.values)
        if isinstance(predicate, Like):
            outcome = _DIFFERS if predicate.inverted else _MATCHES
            variable = Variable(_PATTERN, predicate.column, predicate.pattern)
            matched = self.within(variable, Members((outcome,)))
            return self.both(self.present(predicate.column), matched)
        if isinstance(predicate, Compared):
            return self._compare(predicate)
        found = self.true if isinstance(predicate, All) else self.false
        for part in predicate.parts:
            join = self.both if isinstance(predicate, All) else self.either
            found = join(found, self.read(part))
        return found

    def both(self, one: int, other: int) -> int:
        """This will give the diagram that is true where both are."""
        if one in {self.true, other}:
            return other
        if other == self.true:
            return one
        return self.apply(lambda left, right: bool(left) and bool(right), one, other)

    def either(self, one: int, other: int) -> int:
        """This will give the diagram that is true where either is."""
        return self.apply(lambda left, right: bool(left) or bool(right), one, other)

    def negation(self, diagram: int) -> int:
        """This will give the diagram that is true where another is not."""
        return self.apply(lambda value, _: not value, diagram, self.true)

    def apply(self, operation: Callable[[Leaf, Leaf], Leaf], one: int, other: int) -> int:
        """This will combine two diagrams leaf by leaf. Raises TooComplex."""
        done: dict[tuple[int, int], int] = {}

        def go(left: int, right: int) -> int:
            if (left, right) in done:
                return done[left, right]
            here, there = self._nodes[left], self._nodes[right]
            asked = [node.variable for node in (here, there) if isinstance(node, _Node)]
            if not asked:
                assert not isinstance(here, _Node)
                assert not isinstance(there, _Node)
                found = self.leaf(operation(here, there))
            else:
                variable = min(asked, key=_order)
                finite = self._domain(variable)
                branches = [
                    (values, go(to_left, to_right))
                    for of_left, to_left in self._branches(left, variable)
                    for of_right, to_right in self._branches(right, variable)
                    if not sets.is_empty(values := _meet(of_left, of_right, finite))
                ]
                found = self._node(variable, branches)
            done[left, right] = found
            return found

        return go(one, other)

    def leaves(self, diagram: int) -> tuple[Leaf, ...]:
        """This will give every leaf a diagram can lead to."""
        found: dict[Leaf, None] = {}
        waiting, seen = [diagram], set[int]()
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            node = self._nodes[number]
            if isinstance(node, _Node):
                waiting.extend(child for _, child in node.branches)
            else:
                found[node] = None
        return tuple(found)

    def where(self, diagram: int, leaf: Leaf) -> int:
        """This will give the condition under which a diagram leads to a leaf."""
        return self.apply(lambda value, _: value == leaf, diagram, self.true)

    def comparisons(self, diagram: int) -> tuple[Variable, ...]:
        """This will give the comparisons across tables that a diagram asks for, in order."""
        found: set[Variable] = set()
        waiting, seen = [diagram], set[int]()
        while waiting:
            number = waiting.pop()
            node = self._nodes[number]
            if number not in seen and isinstance(node, _Node):
                seen.add(number)
                waiting.extend(child for _, child in node.branches)
                if node.variable.first == _ACROSS:
                    found.add(node.variable)
        return tuple(sorted(found, key=_order))

    def needs_equal(self, diagram: int, variable: Variable) -> bool:
        """Whether a condition is true only where the two columns are equal."""
        other = self.within(variable, Members(("<", ">")))
        return self.both(diagram, other) == self.false

    def assume_equal(self, diagram: int, variable: Variable) -> int:
        """This will give what is left of a diagram where the two columns are equal and there."""
        assert variable.other is not None, "a comparison has two sides"

        def only(branches: _Branches, wanted: Variable) -> list[tuple[Values, int]]:
            if wanted == variable:
                return [(one, child) for one, child in branches if "=" in _texts(one)]
            return self._settled(branches)

        found = diagram
        for wanted in (
            variable,
            Variable(COLUMN, variable.column),
            Variable(COLUMN, variable.other),
        ):
            found = self._restrict(found, wanted, only)
        return found

    def _restrict(
        self,
        diagram: int,
        wanted: Variable,
        only: Callable[[_Branches, Variable], list[tuple[Values, int]]],
    ) -> int:
        node = self._nodes[diagram]
        if not isinstance(node, _Node) or _order(node.variable) > _order(wanted):
            return diagram
        if node.variable == wanted:
            return self._node(wanted, only(node.branches, wanted))
        branches = [(one, self._restrict(child, wanted, only)) for one, child in node.branches]
        return self._node(node.variable, branches)

    def _settled(self, branches: _Branches) -> list[tuple[Values, int]]:
        """A value that cannot be missing: the missing one goes where it makes no difference."""
        there = [
            (kept, child)
            for values, child in branches
            if not sets.is_empty(kept := sets.without_missing(values))
        ]
        place = min(
            range(len(there)),
            key=lambda at: (there[at][1] != self.false, sets.order(there[at][0])),
        )
        values, child = there[place]
        there[place] = (replace(values, nulls=True), child)
        return there

    def write(self, diagram: int) -> Predicate:
        """This will give the one predicate of a condition. Raises TooComplex."""
        left = [ATOMS_MOST]

        def go(number: int) -> Predicate:
            node = self._nodes[number]
            if not isinstance(node, _Node):
                return ALWAYS if node else NEVER
            left[0] -= len(node.branches)
            if left[0] < 0:
                raise TooComplex(atoms=ATOMS_MOST)
            kept = [(values, child) for values, child in node.branches if child != self.false]
            certain = [values for values, child in kept if child == self.true]
            others = [(values, child) for values, child in kept if child != self.true]
            parts = [_atom(node.variable, values) for values in certain]
            if certain and len(others) == 1 and len(kept) == len(node.branches):
                parts.append(go(others[0][1]))
            else:
                parts += [_all(_atom(node.variable, values), go(child)) for values, child in others]
            return parts[0] if len(parts) == 1 else AnyOf(tuple(sorted(parts, key=write_node)))

        return go(diagram)

    def _compare(self, predicate: Compared) -> int:
        left, right = predicate.left, predicate.right
        outcomes: tuple[str, ...] = _OUTCOMES[predicate.relation]
        if right < left:
            left, right = right, left
            outcomes = tuple(_TURNED[one] for one in outcomes)
        first = _BESIDE if left.scan == right.scan else _ACROSS
        variable = Variable(first, left, other=right)
        compared = self.within(variable, Members(tuple(sorted(outcomes))))
        return self.both(compared, self.both(self.present(left), self.present(right)))

    def present(self, column: ColumnRef) -> int:
        """This will give the condition that a column is not missing."""
        missing = Ranges((), nulls=True) if self._is_ordered(column) else Members((), nulls=True)
        return self.within(Variable(COLUMN, column), sets.complement(missing, self._finite(column)))

    def _domain(self, variable: Variable) -> tuple[str, ...] | None:
        if variable.other is not None:
            return ("<", "=", ">")
        if variable.first == _PATTERN:
            return (_MATCHES, _DIFFERS)
        return self._finite(variable.column)

    def _branches(self, number: int, variable: Variable) -> tuple[tuple[Values | None, int], ...]:
        node = self._nodes[number]
        if isinstance(node, _Node) and node.variable == variable:
            return node.branches
        return ((None, number),)

    def _node(self, variable: Variable, branches: list[tuple[Values, int]]) -> int:
        finite = self._domain(variable)
        merged: dict[int, Values] = {}
        for values, child in branches:
            if sets.is_empty(values):
                continue
            known = merged.get(child)
            merged[child] = values if known is None else sets.union(known, values, finite)
        if len(merged) == 1:
            return next(iter(merged))
        ordered = sorted(merged.items(), key=lambda item: sets.order(item[1]))
        node = _Node(variable, tuple((values, child) for child, values in ordered))
        return self._number((variable, node.branches), node)

    def _number(self, key: tuple[object, object], node: _Node | Leaf) -> int:
        number = self._numbers.get(key)
        if number is None:
            if len(self._nodes) >= NODES_MOST:
                raise TooComplex(nodes=NODES_MOST)
            number = self._numbers[key] = len(self._nodes)
            self._nodes.append(node)
        return number


def _order(variable: Variable) -> tuple[int, ColumnRef, str, bool, ColumnRef]:
    other = variable.other
    return (
        variable.first, variable.column, variable.pattern, other is not None,
        other or variable.column,
    )  # fmt: skip


def _meet(one: Values | None, other: Values | None, finite: tuple[str, ...] | None) -> Values:
    if one is None:
        assert other is not None, "one of two nodes asks the variable"
        return other
    return one if other is None else sets.intersection(one, other, finite)


def _texts(values: Values) -> tuple[str, ...]:
    assert isinstance(values, Members)
    return values.texts


def _atom(variable: Variable, values: Values) -> Predicate:
    if variable.other is not None:
        return _compared(variable.column, variable.other, values)
    if variable.first == _PATTERN:
        is_inverted = _texts(values) == (_DIFFERS,)
        return Like(variable.column, variable.pattern, inverted=is_inverted)
    return Within(variable.column, values)


def _compared(left: ColumnRef, right: ColumnRef, values: Values) -> Predicate:
    outcomes = set(_texts(values))
    for relation, expected in _OUTCOMES.items():
        if outcomes == set(expected):
            return Compared(left, relation, right)
    relation = Relation.LESS if outcomes == {">"} else Relation.LESS_EQUAL
    return Compared(right, relation, left)


def _all(first: Predicate, rest: Predicate) -> Predicate:
    inner = rest.parts if isinstance(rest, All) else (rest,)
    return All((first, *inner))
