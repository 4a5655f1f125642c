# SPDX-License-Identifier: Apache-2.0
"""Sets of values of a column: union, intersection and complement in one form each.

Ordered values are half-open spans of whole units, others a list or all but a list; whether a
missing value belongs is told beside it.
"""

from __future__ import annotations

from lingqu.gate.queries import Members, Ranges, Span, Values


def span(start: int | None, end: int | None) -> Ranges:
    """This will give the units from `start` to before `end`; nothing where there are none."""
    if start is not None and end is not None and start >= end:
        return Ranges(())
    return Ranges((Span(start, end),))


def clip(ranges: Ranges, least: int, most: int) -> Ranges:
    """This will leave out bounds that no value between `least` and `most` can pass."""
    found = []
    for one in ranges.spans:
        if (one.start is not None and one.start > most) or (
            one.end is not None and one.end <= least
        ):
            continue
        start = None if one.start is None or one.start <= least else one.start
        found.append(Span(start, None if one.end is None or one.end > most else one.end))
    return Ranges(tuple(found), ranges.nulls)


def everything(values: Values) -> Values:
    """This will give all values of the same kind, the missing one too."""
    if isinstance(values, Ranges):
        return Ranges((Span(None, None),), nulls=True)
    return Members((), inverted=True, nulls=True)


def order(values: Values) -> tuple[object, ...]:
    """This will give what sets of one column sort by."""
    if isinstance(values, Ranges):
        spans = tuple(
            (one.start is not None, one.start or 0, one.end is None, one.end or 0)
            for one in values.spans
        )
        return (spans, values.nulls)
    return (values.inverted, values.texts, values.nulls)


def is_empty(values: Values) -> bool:
    """Whether no value belongs."""
    if isinstance(values, Ranges):
        return not values.spans and not values.nulls
    return not values.texts and not values.inverted and not values.nulls


def complement(values: Values, finite: tuple[str, ...] | None = None) -> Values:
    """This will give all others; of `finite` where that is all a value can be."""
    if isinstance(values, Members):
        return _finite(Members(values.texts, not values.inverted, not values.nulls), finite)
    found, at = [], None
    is_open = True
    for one in values.spans:
        if one.start is not None and (at is None or one.start > at):
            found.append(Span(at, one.start))
        at = one.end
        is_open = at is not None
    if is_open:
        found.append(Span(at, None))
    return Ranges(tuple(found), not values.nulls)


def without_missing(values: Values) -> Values:
    """This will give the values that are there."""
    if isinstance(values, Ranges):
        return Ranges(values.spans)
    return Members(values.texts, values.inverted)


def union(one: Values, other: Values, finite: tuple[str, ...] | None = None) -> Values:
    """This will give the values of either."""
    nulls = one.nulls or other.nulls
    if isinstance(one, Ranges):
        assert isinstance(other, Ranges), "a column has one kind of values"
        return Ranges(_merge([*one.spans, *other.spans]), nulls)
    assert isinstance(other, Members), "a column has one kind of values"
    left, right = set(one.texts), set(other.texts)
    if not one.inverted and not other.inverted:
        return _finite(_members(left | right, nulls=nulls), finite)
    if one.inverted and other.inverted:
        kept = left & right
    else:
        kept = left - right if one.inverted else right - left
    return _finite(_members(kept, inverted=True, nulls=nulls), finite)


def intersection(one: Values, other: Values, finite: tuple[str, ...] | None = None) -> Values:
    """This will give the values of both."""
    return complement(
        union(complement(one, finite), complement(other, finite), finite),
        finite,
    )


def _members(texts: set[str], *, inverted: bool = False, nulls: bool = False) -> Members:
    return Members(tuple(sorted(texts)), inverted, nulls)


def _finite(values: Members, finite: tuple[str, ...] | None) -> Members:
    if finite is None or not values.inverted:
        return values
    return _members(set(finite) - set(values.texts), nulls=values.nulls)


def _merge(spans: list[Span]) -> tuple[Span, ...]:
    ordered = sorted(spans, key=lambda one: (one.start is not None, one.start or 0))
    found: list[Span] = []
    for one in ordered:
        last = found[-1] if found else None
        if last is not None and (last.end is None or one.start is None or one.start <= last.end):
            end = None if last.end is None or one.end is None else max(last.end, one.end)
            found[-1] = Span(last.start, end)
        else:
            found.append(one)
    return tuple(found)
