# SPDX-License-Identifier: Apache-2.0
"""Release: which lines of an exact result leave, merged, withheld or rounded, and in what order.

A **part** is what one guard counts in one group: it must hold the threshold of entities of every
governed table it was read from, and nobody may dominate a sum of it. Groups of which any part
falls short are merged along the last dimension or withheld, with others beside them where a known
total would complete them. Rounding is seeded by what was asked about, so that the same rows always
give the same figure.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from lingqu.gate.datasets import Number, Protection, Told, ToldLine
from lingqu.gate.suppression import Cell, in_order, order, withhold

RULE = "gate.query.threshold"
"""What an answer names as the rule by which groups were merged or withheld."""
_SEED_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How many different entities of one governed table a part holds.

    `mask` has a bit for each entity byte that occurs: as many bits, so many entities at least.
    `exact` is their number where it was counted, None where the mask was proof enough.
    """

    mask: int = 0
    exact: int | None = None

    @property
    def least(self) -> int:
        """So many there are surely."""
        return self.mask.bit_count() if self.exact is None else self.exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How one sum is made up: all of it without sign, and bounds of the two largest parts."""

    total: int
    first: int
    second: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one guard counts in one group: rows, entities of each table, shares of each sum."""

    rows: int
    crowds: tuple[Crowd, ...]
    shares: tuple[Share, ...] = ()

    def is_safe(self, rules: Sequence[Protection]) -> bool:
        """Whether it may be told by itself; a part without rows tells nothing of anybody."""
        if not self.rows:
            return True
        large = all(
            crowd.least >= rule.threshold for crowd, rule in zip(self.crowds, rules, strict=True)
        )
        return large and not any(
            rule.is_dominated(one.total, one.first, one.second)
            for rule in rules
            for one in self.shares
        )


def joined(parts: Iterable[Part]) -> Part:
    """This will give what several groups hold together, as far as it is surely known.

    Somebody may be in more than one of them, so entities are those of the largest part or of the
    common mask, and the largest contributions are added up.
    """
    found = [*parts]
    crowds = tuple(
        Crowd(
            mask=_union(crowd.mask for crowd in column),
            exact=max(
                *(crowd.least for crowd in column),
                _union(crowd.mask for crowd in column).bit_count(),
            ),
        )
        for column in zip(*(one.crowds for one in found), strict=True)
    )
    shares = tuple(
        Share(
            total=sum(share.total for share in column),
            first=sum(share.first for share in column),
            second=sum(share.second for share in column),
        )
        for column in zip(*(one.shares for one in found), strict=True)
    )
    return Part(rows=sum(one.rows for one in found), crowds=crowds, shares=shares)


def _union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One group as it is, before release: its parts by guard, its base aggregates."""

    key: Cell
    parts: tuple[Part, ...]
    numbers: tuple[Number, ...]


def release(
    lines: Sequence[Line],
    *,
    rules: Sequence[Protection],
    kept_back: Collection[Cell] = (),
    may_merge: bool,
    is_filtered: bool,
    has_left: bool = False,
) -> Told:
    """This will decide what of a result may be known.

    `rules` are those of the governed tables in the order of `Part.crowds`; `kept_back` are groups
    that are in no line, whatever they hold. Groups are merged only where every aggregate adds up.
    `has_left` says that rows were left out before.
    """
    known = {line.key: line for line in lines if line.key not in kept_back}
    apart = [line for line in lines if line.key in kept_back]
    rows = {key: max((part.rows for part in line.parts), default=0) for key, line in known.items()}
    small = [
        key for key, line in known.items() if not all(part.is_safe(rules) for part in line.parts)
    ]

    def is_safe(cells: Collection[Cell]) -> bool:
        together = _joined_lines([known[cell] for cell in cells])
        return all(part.is_safe(rules) for part in together)

    width = len(lines[0].key) if lines else 0
    if not width:
        shown = [ToldLine(key=(), numbers=one.numbers) for one in known.values() if not small]
        return Told(
            lines=tuple(shown),
            has_withheld=bool(small or apart or has_left),
            withheld_entities=None,
        )
    withheld, merged = withhold(
        rows, small, along=width - 1, is_safe=is_safe, may_merge=lambda _: may_merge
    )
    told = [
        ToldLine(key=key, numbers=line.numbers)
        for key, line in known.items()
        if key not in withheld
    ]
    told += [
        ToldLine(
            key=(*line, None),
            numbers=_sum_up([known[cell] for cell in cells]),
            merged=tuple(in_order(cells)),
        )
        for line, cells in merged.items()
    ]
    pool = withheld.difference(*merged.values())
    return Told(
        lines=_in_order(told),
        has_withheld=bool(pool or apart or has_left),
        withheld_entities=_told_of(
            [*(known[cell] for cell in pool), *apart], rules, is_filtered=is_filtered
        ),
    )


def _in_order(lines: Sequence[ToldLine]) -> tuple[ToldLine, ...]:
    if any(None in one.key for one in lines):
        return tuple(sorted(lines, key=lambda one: (order(one.key), bool(one.merged))))
    return tuple(sorted(lines, key=lambda one: one.key))


def _joined_lines(lines: Sequence[Line]) -> list[Part]:
    return [joined(column) for column in zip(*(line.parts for line in lines), strict=True)]


def _sum_up(lines: Sequence[Line]) -> tuple[Number, ...]:
    columns = zip(*(line.numbers for line in lines), strict=True)
    return tuple(sum(one or 0 for one in column) for column in columns)


def _told_of(pool: Sequence[Line], rules: Sequence[Protection], *, is_filtered: bool) -> int | None:
    """How many entities were withheld, in multiples of the threshold, or nothing."""
    if not pool or is_filtered or not rules:
        return None
    strictest = max(rule.threshold for rule in rules)
    parts = [part for part in _joined_lines(pool) if part.rows]
    least = min((crowd.least for part in parts for crowd in part.crowds), default=0)
    return least // strictest * strictest or None


def seed_of(key: bytes, *, version: str, cells: Iterable[Cell], figure: str) -> bytes:
    """This will give the seed of a figure, never of the words it was asked in.

    It comes from the data's version, the cells that are not empty, and what is computed of them.
    """
    told = json.dumps([version, in_order(cells), figure], separators=(",", ":"))
    return hmac.digest(key, told.encode(), "sha256")


def round_to(value: int, step: int, seed: bytes) -> int:
    """This will round to a multiple of the step, up as often as the rest asks for, by the seed."""
    if step <= 1:
        return value
    low, rest = divmod(value, step)
    drawn = int.from_bytes(seed[:_SEED_BYTES])
    return (low + (drawn * step < rest << 8 * _SEED_BYTES)) * step


def told_number(value: Fraction | int | None, places: int = 6) -> str | None:
    """This will write a figure with at most so many decimal places, half away from zero."""
    if value is None:
        return None
    if isinstance(value, int):
        return str(value)
    top, bottom = abs(value.numerator) * 10**places, value.denominator
    whole = top if bottom == 1 else (2 * top + bottom) // (2 * bottom)
    head, tail = divmod(whole, 10**places)
    digits = f"{tail:0{places}d}".rstrip("0")
    sign = "-" if value < 0 and whole else ""
    return f"{sign}{head}.{digits}" if digits else f"{sign}{head}"
