# SPDX-License-Identifier: Apache-2.0
"""The working-day calendar: hides which days are off, where they were published and how to count.

A `Calendar` is a value made from day tables: the national arrangement from `chinesecalendar`
(holidays and make-up days 调休), then the table of a region, which wins where both name a day. Days
are local days of China. How to count is that of the Civil Code: the day on which a period begins is
not counted (art. 201), a period in months ends on the same day of the month or on its last
(art. 202), a period that ends on a day off ends on the next working day (art. 203).

The arrangement of a year is published only shortly before it begins. In a year that is not
published yet every weekday counts as working and every weekend as off, and whatever was counted
across such a day is marked provisional, to be counted again after publication.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from itertools import accumulate

from chinese_calendar import constants

from lingqu.kernel import errors
from lingqu.kernel.time import Instant

LOCAL_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")
"""Local time of every region of China: one offset, without summer time since 1991."""

CUSP_DAYS = 7
"""The last days of December, which the next year's arrangement may still move (it has, by 3)."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WEEK = 7
_WORKING_WEEK = 5
_FIRST = date(1, 1, 2).toordinal()
_LAST_YEAR = 9998
_LAST = date(_LAST_YEAR, 12, 31).toordinal()


class DayOutOfRange(errors.Rejected):
    """Counting would leave the years 1 to 9998, in which this calendar has days."""

    code = "runtime.calendar.out_of_range"


class BadDay(errors.Rejected):
    """The text is not a day as `2026-03-02`."""

    code = "runtime.calendar.bad_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialDay:
    """A day that a published arrangement names: a day off, or a make-up day that is worked."""

    day: date
    is_working: bool
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTable:
    """The days an authority arranged, and the years whose arrangement it has published."""

    years: frozenset[int]
    days: tuple[SpecialDay, ...]

    def __post_init__(self) -> None:
        """A table names a day once, and only days that its published years decide about."""
        named = [special.day for special in self.days]
        assert len(named) == len({*named}), "a day table names a day twice"
        assert all(day.year in self.years or self._covers_cusp(day) for day in named), (
            "a day table names a day of a year it has not published"
        )

    def covers(self, day: date) -> bool:
        """This will say whether every arrangement that may decide about this day is published."""
        return day.year in self.years and (not is_on_cusp(day) or self._covers_cusp(day))

    def _covers_cusp(self, day: date) -> bool:
        return is_on_cusp(day) and day.year + 1 in self.years


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The last day of a period; it ends, and lateness begins, at `ends_at`, the next midnight."""

    last_day: date
    ends_at: Instant
    is_provisional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """A number of working days; negative where the second day lies before the first."""

    days: int
    is_provisional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Which days are worked, by one or more day tables; of two that name a day, the later wins."""

    tables: tuple[DayTable, ...]
    _named: dict[date, SpecialDay] = field(init=False, repr=False, compare=False)
    _turns: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _gains: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the days that differ from the week, so that counting is a search, not a walk."""
        named = {special.day: special for table in self.tables for special in table.days}
        turns = sorted(
            day.toordinal() for day, special in named.items() if special.is_working != _in_week(day)
        )
        steps = (1 if named[date.fromordinal(turn)].is_working else -1 for turn in turns)
        object.__setattr__(self, "_named", named)
        object.__setattr__(self, "_turns", tuple(turns))
        object.__setattr__(self, "_gains", (0, *accumulate(steps)))

    def is_working_day(self, day: date) -> bool:
        """This will say whether the day is worked."""
        special = self._named.get(day)
        return _in_week(day) if special is None else special.is_working

    def find_special_day(self, day: date) -> SpecialDay | None:
        """This will give the holiday or make-up day that falls on this day, or None."""
        return self._named.get(day)

    def is_published(self, day: date) -> bool:
        """This will say whether every authority has published what decides about this day."""
        return all(table.covers(day) for table in self.tables)

    def add_working_days(self, day: date, count: int) -> Deadline:
        """This will give the end of the count-th working day after `day`, which is not counted.

        With a negative count it is the working day that far before `day`; with 0 it is `day`
        itself. Raises DayOutOfRange.
        """
        return self._deadline(day, self._search(day, count) if count else day)

    def add_days(self, day: date, count: int) -> Deadline:
        """This will give the end of a period in calendar days (自然日), moved off days off.

        `day` is not counted; count is not negative. Raises DayOutOfRange.
        """
        assert count >= 0, "a period in days does not run backwards"
        return self._settle(day, shift_days(day, count))

    def add_months(self, day: date, count: int) -> Deadline:
        """This will give the end of a period in months, moved off days off.

        count is not negative; a year is 12. Raises DayOutOfRange.
        """
        assert count >= 0, "a period in months does not run backwards"
        return self._settle(day, shift_months(day, count))

    def working_days_between(self, start: date, end: date) -> DayCount:
        """This will count the working days after `start` up to `end`, which is counted."""
        return DayCount(
            days=self._worked_until(end) - self._worked_until(start),
            is_provisional=self._is_provisional(min(start, end), max(start, end)),
        )

    def working_days_left(self, now: Instant, deadline: Deadline) -> DayCount:
        """This will count the working days left after today: 0 on the last day, negative if late.

        Late is at least -1: also over a weekend, when no working day has passed yet.
        """
        found = self.working_days_between(local_day(now), deadline.last_day)
        if now >= deadline.ends_at and found.days == 0:
            return DayCount(days=-1, is_provisional=found.is_provisional)
        return found

    def _worked_until(self, day: date) -> int:
        """How many days are worked from the first Monday there is up to `day`."""
        weeks, rest = divmod(day.toordinal(), _WEEK)
        moved = self._gains[bisect_right(self._turns, day.toordinal())]
        return _WORKING_WEEK * weeks + min(rest, _WORKING_WEEK) + moved

    def _search(self, day: date, count: int) -> date:
        """The working day at a distance, which is not 0, found by halving a stretch that holds it.

        The first day on which so many days are worked is itself a working day.
        """
        behind = count < 0
        wanted = self._worked_until(shift_days(day, -1) if behind else day) + count + behind
        reach = _WEEK * (abs(count) + len(self._turns) + _WEEK) // _WORKING_WEEK
        start = day.toordinal()
        stretch = (
            range(max(_FIRST, start - reach), start)
            if behind
            else range(start, min(_LAST, start + reach) + 1)
        )
        found = bisect_left(
            stretch, wanted, key=lambda ordinal: self._worked_until(date.fromordinal(ordinal))
        )
        if wanted < 1 or found == len(stretch):
            raise DayOutOfRange(day=day.isoformat(), count=count)
        return date.fromordinal(stretch[found])

    def _settle(self, day: date, last: date) -> Deadline:
        """A deadline that does not end on a day off."""
        return self._deadline(day, last if self.is_working_day(last) else self._search(last, 1))

    def _deadline(self, day: date, last: date) -> Deadline:
        return Deadline(
            last_day=last,
            ends_at=start_of_day(shift_days(last, 1)),
            is_provisional=self._is_provisional(min(day, last), max(day, last)),
        )

    def _is_provisional(self, first: date, last: date) -> bool:
        """Whether any day of a stretch is not published; that changes at two points of a year."""
        changes = (
            date(year, month, day)
            for year in range(first.year, last.year + 1)
            for month, day in ((1, 1), (12, 32 - CUSP_DAYS))
        )
        points = (first, last, *(day for day in changes if first < day < last))
        return not all(self.is_published(day) for day in points)


@cache
def national_table() -> DayTable:
    """This will give the holidays and make-up days the State Council published, since 2004."""
    chinese = {holiday.value: holiday.chinese for holiday in constants.Holiday}
    national_day = constants.Holiday.national_day.value
    days = (
        SpecialDay(day=day, is_working=is_working, title_zh=chinese[name], title_en=name)
        for is_working, found in ((False, constants.holidays), (True, constants.workdays))
        for day, name in found.items()
    )
    years = {day.year for day, name in constants.holidays.items() if name == national_day}
    return DayTable(years=frozenset(years), days=tuple(sorted(days, key=lambda one: one.day)))


def is_on_cusp(day: date) -> bool:
    """This will say whether the next year's arrangement may move this day of December."""
    return day.month == 12 and day.day > 31 - CUSP_DAYS


def parse_day(text: str) -> date:
    """This will read a day as `2026-03-02`. Raises BadDay."""
    if not _DAY.fullmatch(text):
        raise BadDay(text=text[:40])
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadDay(text=text[:40]) from None


def local_day(moment: Instant) -> date:
    """This will give the local day on which an instant falls. Raises DayOutOfRange."""
    shifted = moment.astimezone(UTC).toordinal()
    if not _FIRST <= shifted <= _LAST:
        raise DayOutOfRange(day=moment.date().isoformat(), count=0)
    return moment.astimezone(LOCAL_TIME).date()


def start_of_day(day: date) -> Instant:
    """This will give the instant at which a local day begins. Raises DayOutOfRange."""
    if day.toordinal() < _FIRST:
        raise DayOutOfRange(day=day.isoformat(), count=0)
    return datetime.combine(day, time(), LOCAL_TIME).astimezone(UTC)


def shift_days(day: date, count: int) -> date:
    """This will give the day that many calendar days later. Raises DayOutOfRange."""
    ordinal = day.toordinal() + count
    if not _FIRST <= ordinal <= _LAST + 1:
        raise DayOutOfRange(day=day.isoformat(), count=count)
    return date.fromordinal(ordinal)


def shift_months(day: date, count: int) -> date:
    """This will give the same day of the month that many months later, or that month's last day.

    Raises DayOutOfRange.
    """
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    if not 1 <= year <= _LAST_YEAR:
        raise DayOutOfRange(day=day.isoformat(), count=count)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def _in_week(day: date) -> bool:
    return day.weekday() < _WORKING_WEEK
