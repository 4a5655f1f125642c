# SPDX-License-Identifier: Apache-2.0
"""How a clock of a procedure is counted, paused, resumed and extended on a calendar. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from lingqu.kernel.charts import Compiled, Firing, Length, Timer, Unit, Window
from lingqu.kernel.time import Instant
from lingqu.runtime import new_id
from lingqu.runtime.calendar import Calendar, shift_days, shift_months, start_of_day
from lingqu.trust.procedures.records import ProcedureId, ProcedureTimer, TimerId, TimerStanding

_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The last day in time, and the instant at which its passing has an effect."""

    on: date
    fires_at: Instant
    is_provisional: bool


def count_due(calendar: Calendar, timer: Timer, counted_from: date, count: int) -> Due:
    """This will count `count` units of the timer after a day. Raises DayOutOfRange."""
    on, provisional = _last_day(calendar, timer, counted_from, count)
    after = shift_days(on, 1)
    if timer.firing is Firing.NEXT_WORKING_DAY:
        next_day = calendar.add_working_days(on, 1)
        after, provisional = next_day.last_day, provisional or next_day.is_provisional
    return Due(on=on, fires_at=start_of_day(after), is_provisional=provisional)


def _last_day(
    calendar: Calendar, timer: Timer, counted_from: date, count: int
) -> tuple[date, bool]:
    unit = timer.length.unit
    if unit is Unit.WORKING_DAYS:
        end = calendar.add_working_days(counted_from, count)
        return end.last_day, end.is_provisional
    if unit is Unit.DAYS:
        if not timer.rolls:
            return shift_days(counted_from, count), False
        end = calendar.add_days(counted_from, count)
        return end.last_day, end.is_provisional
    months = count * _MONTHS if unit is Unit.YEARS else count
    if not timer.rolls:
        return shift_months(counted_from, months), False
    end = calendar.add_months(counted_from, months)
    return end.last_day, end.is_provisional


def start_timer(
    calendar: Calendar, timer: Timer, procedure: ProcedureId, day: date, count: int
) -> ProcedureTimer:
    """This will start a clock of `count` units after a day, which is not counted."""
    due = count_due(calendar, timer, day, count)
    return ProcedureTimer(
        id=new_id(TimerId),
        procedure=procedure,
        name=timer.name,
        standing=TimerStanding.RUNNING,
        started_on=day,
        counted_from=day,
        count=count,
        due_on=due.on,
        fires_at=due.fires_at,
        paused_on=None,
        is_extended=False,
        is_provisional=due.is_provisional,
    )


def _next(row: ProcedureTimer, due: Due | None = None, **changes: object) -> ProcedureTimer:
    if due is not None:
        changes |= {
            "due_on": due.on,
            "fires_at": due.fires_at,
            "is_provisional": due.is_provisional,
        }
    return dataclasses.replace(row, version=row.version + 1, **changes)  # type: ignore[arg-type]  # fields by name


def pause_timer(row: ProcedureTimer, day: date) -> ProcedureTimer:
    """This will let a clock stand still from the end of a day."""
    return _next(row, standing=TimerStanding.PAUSED, paused_on=day)


def hold_timer(row: ProcedureTimer) -> ProcedureTimer:
    """This will let a clock go on counting without acting, until it is released."""
    return _next(row, standing=TimerStanding.HELD)


def release_timer(row: ProcedureTimer, now: Instant) -> ProcedureTimer:
    """This will let a clock act again; what ran out meanwhile acts now, and as of now."""
    return _next(row, standing=TimerStanding.RUNNING, fires_at=max(row.fires_at, now))


def resume_timer(
    calendar: Calendar, timer: Timer, row: ProcedureTimer, day: date, *, held: bool
) -> ProcedureTimer:
    """This will let a clock go on with the days it had left; the day it goes on is not counted."""
    assert row.paused_on is not None, "only a paused clock goes on"
    left = days_left(calendar, timer, row.due_on, row.paused_on)
    due = count_due(calendar, timer, day, left)
    return _next(
        row,
        due,
        standing=TimerStanding.HELD if held else TimerStanding.RUNNING,
        counted_from=day,
        count=left,
        paused_on=None,
    )


def extend_timer(calendar: Calendar, timer: Timer, row: ProcedureTimer) -> ProcedureTimer:
    """This will give a clock its extension."""
    assert timer.extension is not None, "the check of the chart sees to it"
    count = row.count + timer.extension.count
    due = count_due(calendar, timer, row.counted_from, count)
    return _next(row, due, count=count, is_extended=True)


def recount_timer(calendar: Calendar, timer: Timer, row: ProcedureTimer) -> ProcedureTimer:
    """This will count a deadline again; the same row where nothing about it changed."""
    due = count_due(calendar, timer, row.counted_from, row.count)
    same = (due.on, due.fires_at, due.is_provisional)
    if same == (row.due_on, row.fires_at, row.is_provisional):
        return row
    return _next(row, due)


def end_timer(row: ProcedureTimer, now: Instant) -> ProcedureTimer:
    """This will end a clock whose states were left; one whose last day had passed stays so."""
    passed = row.standing is TimerStanding.FIRED
    return _next(row, standing=row.standing if passed else TimerStanding.ENDED, ended_at=now)


def pass_timer(row: ProcedureTimer, now: Instant, *, moves: bool) -> ProcedureTimer:
    """This will note that the last day passed; a clock that moves nothing stays until it is left.

    So an overdue clock is not set back by a pause, and is seen until somebody has acted.
    """
    return _next(row, standing=TimerStanding.FIRED, ended_at=now if moves else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entering:
    """A state entered on a day: which clocks begin anew, and lengths given to those that start."""

    state: str
    day: date
    now: Instant
    restarts: tuple[str, ...] = ()
    terms: Mapping[str, int] = field(default_factory=dict)


def follow_state(
    table: Compiled,
    calendar: Calendar,
    rows: Sequence[ProcedureTimer],
    procedure: ProcedureId,
    entering: Entering,
) -> tuple[tuple[ProcedureTimer, ...], tuple[ProcedureTimer, ...]]:
    """This will say which clocks change and which start because a state was entered on a day.

    Clocks that have not ended run on, pause, go on or end as their states say; a clock that begins
    with this state and has ended, or never was, starts. `rows` holds the ended ones too.
    """
    changed: list[ProcedureTimer] = []
    held: set[str] = set()
    for row in (row for row in rows if row.ended_at is None):
        if row.name in entering.restarts:
            changed.append(end_timer(row, entering.now))
            continue
        after = _followed(table.timers[row.name], calendar, row, entering)
        if after is not row:
            changed.append(after)
        if after.ended_at is None:
            held.add(row.name)
    names = {one.name for one in table.starting[entering.state]} | set(entering.restarts)
    started = tuple(
        _started(calendar, table.timers[name], rows, procedure, entering)
        for name in sorted(names - held)
    )
    return tuple(changed), started


def _followed(
    timer: Timer, calendar: Calendar, row: ProcedureTimer, entering: Entering
) -> ProcedureTimer:
    state, standing = entering.state, row.standing
    if state not in {*timer.runs, *timer.pauses, *timer.holds}:
        return end_timer(row, entering.now)
    if standing is TimerStanding.FIRED:
        return row
    if standing is TimerStanding.HELD and state not in timer.holds:
        row = (
            release_timer(row, entering.now)
            if state in timer.runs
            else pause_timer(row, entering.day)
        )
    elif standing is TimerStanding.RUNNING and state in timer.pauses:
        row = pause_timer(row, entering.day)
    elif standing is TimerStanding.RUNNING and state in timer.holds:
        row = hold_timer(row)
    elif standing is TimerStanding.PAUSED and state not in timer.pauses:
        row = resume_timer(calendar, timer, row, entering.day, held=state in timer.holds)
    return row


def _started(
    calendar: Calendar,
    timer: Timer,
    rows: Sequence[ProcedureTimer],
    procedure: ProcedureId,
    entering: Entering,
) -> ProcedureTimer:
    earlier = [row.due_on for row in rows if row.name == timer.name]
    day = max(earlier) if timer.continues and earlier else entering.day
    count = entering.terms.get(timer.name, timer.length.count)
    return start_timer(calendar, timer, procedure, day, count)


def days_left(calendar: Calendar, timer: Timer, due_on: date, day: date) -> int:
    """This will count the days left after a day, in the clock's own days; 0 on its last one.

    Working days for a clock of working days, calendar days for every other; negative when late,
    at least -1 also where no working day has passed yet.
    """
    if timer.length.unit is not Unit.WORKING_DAYS:
        return (due_on - day).days
    left = calendar.working_days_between(day, due_on).days
    return -1 if left == 0 and day > due_on else left


def window_of(calendar: Calendar, window: Window, due_on: date) -> tuple[date, date]:
    """This will give the first and the last day on which a move with a window is open."""
    last = shift_days(due_on, -1) if window.until_day_before else due_on
    return _back(calendar, due_on, window.length), last


def _back(calendar: Calendar, day: date, length: Length) -> date:
    if length.unit is Unit.WORKING_DAYS:
        return calendar.add_working_days(day, -length.count).last_day
    if length.unit is Unit.DAYS:
        return shift_days(day, -length.count)
    months = length.count * _MONTHS if length.unit is Unit.YEARS else length.count
    return shift_months(day, -months)
