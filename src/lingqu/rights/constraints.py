# SPDX-License-Identifier: Apache-2.0
"""Hides which operator says what about which dimension of the terms, and which would widen it.

Both formats share the twelve operators of ODRL 2.2. An operator is accepted where its meaning is
exactly that of the lattice: a code of a tree always holds what lies below it, so "equal to" a code
is not the same as "within" it and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lingqu.kernel.time import Instant
from lingqu.rights.policies import Draft, Node, OperatorRefused, following, given

OPERATORS: Mapping[str, str] = MappingProxyType({
    "eq": "01",
    "gt": "02",
    "gteq": "03",
    "hasPart": "04",
    "isA": "05",
    "isAllOf": "06",
    "isAnyOf": "07",
    "isNoneOf": "08",
    "isPartOf": "09",
    "lt": "10",
    "lteq": "11",
    "neq": "12",
})  # fmt: skip
"""The operators of ODRL 2.2 with their codes in TC609-6-2025-14 (table B.4)."""

SCOPES = ("purposes", "territories", "actions", "environments")
NAMES = ("fields", "recipients")

ACCEPTED: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "purposes": ("isA", "isPartOf", "isAnyOf", "isNoneOf"),
    "territories": ("isA", "isPartOf", "isAnyOf", "isNoneOf"),
    "environments": ("isA", "isPartOf", "isAnyOf", "isNoneOf"),
    "fields": ("eq", "isAnyOf"),
    "recipients": ("eq", "isAnyOf"),
    "valid": ("gteq", "gt", "lt", "lteq"),
    "level_max": ("lteq", "lt"),
    "quantity": ("lteq", "lt"),
    "cross_border": ("eq", "isAnyOf"),
})  # fmt: skip
"""The operators each dimension can express exactly; the others are refused by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One constraint as it was found: the words of the format, and where its parts stand.

    `code` turns an item of the value into a code or name; `moment` into an instant.
    """

    name: str
    operator: str
    operator_at: Node
    value: Node
    code: Callable[[Node], str]
    moment: Callable[[Node], Instant]
    unit: str | None = None
    more_operators: tuple[str, ...] = ()

    def refuse_operator(self) -> OperatorRefused:
        """This will make the refusal of the operator."""
        return OperatorRefused(
            place=self.operator_at.place, given=given(self.operator), constraint=given(self.name)
        )


def apply_constraint(draft: Draft, dimension: str, found: Constraint) -> None:
    """This will narrow the draft by a constraint. Raises OperatorRefused, ValueRefused, ..."""
    if found.operator not in (*ACCEPTED[dimension], *found.more_operators):
        raise found.refuse_operator()
    if dimension in SCOPES:
        _apply_scope(draft, dimension, found)
    elif dimension in NAMES:
        draft.only(dimension, (found.code(one) for one in _several(found)))
    elif dimension == "valid":
        _apply_moment(draft, found)
    elif dimension == "cross_border":
        draft.across_border(allowed=_border(found))
    elif dimension == "level_max":
        draft.at_level(_most(found))
    else:
        assert found.unit is not None, "a quantity has a unit"
        draft.limit(found.unit, _most(found), found.value)


def _apply_scope(draft: Draft, dimension: str, found: Constraint) -> None:
    codes = [(one, found.code(one)) for one in _several(found)]
    if found.operator == "isNoneOf":
        draft.exclude(dimension, codes)
    else:
        draft.allow(dimension, codes)


def _several(found: Constraint) -> tuple[Node, ...]:
    """The items: one for an operator that compares with one value, else at least one."""
    items = found.value.each()
    lists = {"isAnyOf", "isNoneOf", *found.more_operators} - {"eq"}
    if not items or (len(items) > 1 and found.operator not in lists):
        found.value.refuse("one_value")
    return items


def _apply_moment(draft: Draft, found: Constraint) -> None:
    moment = found.moment(found.value)
    if found.operator in {"gt", "lteq"}:
        moment = following(moment, found.value)
    if found.operator in {"gt", "gteq"}:
        draft.from_moment(moment, found.value)
    else:
        draft.until(moment, found.value)


def _most(found: Constraint) -> int:
    number = found.value.number()
    if found.operator == "lt":
        if number == 0:
            found.value.refuse("nothing")
        return number - 1
    return number


def _border(found: Constraint) -> bool:
    """Equal to false: within the border. Any of true and false: also across it."""
    values: list[Any] = [one.value for one in found.value.each()]
    if any(type(value) is not bool for value in values):
        found.value.refuse("boolean")
    if found.operator == "eq" and values == [False]:
        return False
    if found.operator != "isAnyOf" or sorted(values) != [False, True]:
        found.value.refuse("boolean")
    return True
