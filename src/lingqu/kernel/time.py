# SPDX-License-Identifier: Apache-2.0
"""Instants in UTC and half-open periods. Nothing here reads a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lingqu.kernel import errors

Instant = datetime
"""A moment: an aware datetime in UTC with microseconds. Local time exists only in pages."""


class BadInstant(errors.Rejected):
    """The text is not a moment in RFC 3339 with an offset."""

    code = "kernel.instant.bad"


class BadPeriod(errors.Rejected):
    """A period must end after it begins."""

    code = "kernel.period.bad"


def as_instant(value: datetime) -> Instant:
    """This will convert an aware datetime to UTC; a naive one is a programming mistake."""
    assert value.tzinfo is not None, "an instant knows its offset"
    return value.astimezone(UTC)


def parse_instant(text: str) -> Instant:
    """This will read RFC 3339 (`2026-03-02T08:00:00Z`); raises BadInstant."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise BadInstant(text=text[:40]) from None
    if value.tzinfo is None:
        raise BadInstant(text=text[:40])
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise BadInstant(text=text[:40]) from None


def format_instant(value: Instant) -> str:
    """This will write RFC 3339 in UTC with six digits of a second and `Z`, always 27 characters."""
    moment = value if value.tzinfo is UTC else as_instant(value)
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time from `start` (in it) to `end` (not in it; None: open). Raises BadPeriod."""

    start: Instant
    end: Instant | None = None

    def __post_init__(self) -> None:
        """Refuse a period that ends before it begins."""
        if self.end is not None and self.end <= self.start:
            raise BadPeriod(start=format_instant(self.start), end=format_instant(self.end))

    def __contains__(self, moment: Instant) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)

    def meet(self, other: Period) -> Period | None:
        """This will give the stretch both periods share, or None where they share none."""
        start = max(self.start, other.start)
        ends = [end for end in (self.end, other.end) if end is not None]
        end = min(ends) if ends else None
        return None if end is not None and end <= start else Period(start, end)

    def shifted(self, by: timedelta) -> Period:
        """This will move both ends by the same duration."""
        return Period(self.start + by, None if self.end is None else self.end + by)
