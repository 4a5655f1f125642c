# SPDX-License-Identifier: Apache-2.0
"""The scan of all clocks: what ran out acts once, in batches; provisional deadlines are recounted.

Clocks are rows with the instant at which they act. A scan takes those that are due by business
time, locks their procedures in the order of ids and looks again, so that two scanners never act
twice. A clock acts as of the day it fell due, however late it is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lingqu.kernel.charts import Timer
from lingqu.runtime import Caller, Database, Tx, new_id
from lingqu.runtime.calendar import Calendar, local_day
from lingqu.trust.access import Action, Kind, authorize
from lingqu.trust.commands import command, execute
from lingqu.trust.facts import CommandId, Fact, record
from lingqu.trust.procedures import deadlines
from lingqu.trust.procedures.charts import compiled_chart
from lingqu.trust.procedures.grounds import calendar_of
from lingqu.trust.procedures.moving import Change, record_each, unfold, write_changes
from lingqu.trust.procedures.records import (
    PROCEDURES,
    TIMERS,
    DeadlinesRecounted,
    Procedure,
    ProcedureId,
    ProcedureTimer,
    TimerPassed,
    TimersFired,
    TimerStanding,
)

BATCH = 100
"""How many procedures a scan takes; a command carries all its facts at once, so it stays small."""
BATCH_MAX = 200

_DUE = """
    SELECT procedure FROM trust.procedure_timer
    WHERE standing = 'running' AND fires_at <= %s ORDER BY fires_at, id LIMIT %s
"""
_ANY_DUE = """
    SELECT EXISTS (
        SELECT FROM trust.procedure_timer WHERE standing = 'running' AND fires_at <= %s
    ) AS due
"""
_PROVISIONAL = """
    SELECT procedure FROM trust.procedure_timer
    WHERE is_provisional AND standing IN ('running', 'paused', 'held') AND procedure > %s
    ORDER BY procedure LIMIT %s
"""
_COUNTING = frozenset({TimerStanding.RUNNING, TimerStanding.PAUSED, TimerStanding.HELD})
_OF_THESE = "WHERE procedure = ANY(%s) ORDER BY id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What a scan did: how many clocks acted, in how many procedures."""

    timers: int
    procedures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recounted:
    """What a recount did: clocks looked at, procedures changed, where the next one goes on."""

    looked_at: int
    changed: int
    after: str | None


def has_due_timers(tx: Tx) -> bool:
    """This will say whether any clock has run out and has not acted yet."""
    return bool(tx.one(_ANY_DUE, (tx.now,))["due"])


@command("trust.procedure.fire_timers")
def fire_timers(tx: Tx, *, limit: int = BATCH) -> Fired:
    """This will let clocks act that have run out, of at most about `limit` procedures (1 to 200).

    A clock that an expired one starts, and that has run out too, acts in the same scan where there
    is room. Doing it again does what is left, in the end nothing.
    """
    authorize(tx, Action.OPERATE, Kind.PROCEDURE)
    due = tx.all(_DUE, (tx.now, max(1, min(limit, BATCH_MAX))))
    held = _lock(tx, {row["procedure"] for row in due})
    calendar, fired = calendar_of(tx), 0
    most = max(1, min(limit, BATCH_MAX))
    while fired < most and (first := _first_due(tx, held)):
        fired += len(first)
        _act(tx, calendar, first)
    touched = sum(1 for one in held.values() if one.touched)
    record(tx, TimersFired(fired=fired, procedures=touched))
    return Fired(timers=fired, procedures=touched)


def fire_due_timers(database: Database, caller: Caller) -> int:
    """This will scan until no clock is due, in transactions of their own; gives how many acted."""
    total = 0
    while True:
        with database.reading(caller) as tx:
            if not has_due_timers(tx):
                return total
        total += execute(database, fire_timers, caller, new_id(CommandId)).timers


@dataclass(slots=True, kw_only=True)
class _Held:
    procedure: Procedure
    timers: tuple[ProcedureTimer, ...]
    touched: bool = False


def _lock(tx: Tx, ids: Iterable[str]) -> dict[str, _Held]:
    wanted = sorted(ids)
    locked = PROCEDURES.find(tx, "WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (wanted,))
    timers: dict[str, list[ProcedureTimer]] = {}
    for row in TIMERS.find(tx, _OF_THESE, (wanted,)):
        timers.setdefault(row.procedure, []).append(row)
    return {one.id: _Held(procedure=one, timers=tuple(timers.get(one.id, ()))) for one in locked}


def _first_due(tx: Tx, held: dict[str, _Held]) -> list[tuple[_Held, ProcedureTimer]]:
    found = []
    for one in held.values():
        due = [
            row
            for row in one.timers
            if row.standing is TimerStanding.RUNNING and row.fires_at <= tx.now
        ]
        if due:
            found.append((one, min(due, key=lambda row: (row.fires_at, row.id))))
    return found


def _act(
    tx: Tx,
    calendar: Calendar,
    first: Sequence[tuple[_Held, ProcedureTimer]],
) -> None:
    """Let one clock of each of these procedures act; everything is written by a few statements."""
    changes: list[Change] = []
    passed: list[tuple[Fact, ProcedureTimer]] = []
    for one, row in first:
        table = compiled_chart(tx, one.procedure.chart)
        timer = table.timers[row.name]
        spent = deadlines.pass_timer(row, tx.now, moves=timer.fires is not None)
        one.touched = True
        if timer.fires is None:
            passed.append((_passing(one.procedure, timer, row), spent))
            one.timers = tuple(spent if old.id == row.id else old for old in one.timers)
            continue
        change = unfold(
            tx,
            table,
            calendar,
            one.procedure,
            tuple(spent if old.id == row.id else old for old in one.timers),
            table.moves[timer.fires],
            day=local_day(row.fires_at),
            timer=timer.name,
        )
        change.changed = (spent, *change.changed)
        changes.append(change)
        newer = {new.id: new for new in change.changed}
        kept = tuple(newer.get(old.id, old) for old in one.timers)
        one.timers = kept + tuple(change.started)
        one.procedure = change.new
    if changes:
        write_changes(tx, changes)
    if passed:
        TIMERS.update_many(tx, [row for _, row in passed])
        record_each(tx, [(fact, frozenset({row.id})) for fact, row in passed])


def _passing(procedure: Procedure, timer: Timer, row: ProcedureTimer) -> TimerPassed:
    return TimerPassed(
        procedure=procedure.id,
        code=procedure.code,
        subject=procedure.subject,
        timer=timer.name,
        rule=timer.rule,
        due_on=row.due_on,
        role=timer.actor,
        escalated_to=timer.escalates,
    )


@command("trust.procedure.recount_deadlines")
def recount_deadlines(tx: Tx, *, after: str = "", limit: int = BATCH) -> Recounted:
    """This will count provisional deadlines again, after the days of a year were published.

    Takes about `limit` clocks in the order of their procedures, beginning after one of them; what
    it gives says where the next call goes on.
    """
    authorize(tx, Action.OPERATE, Kind.PROCEDURE)
    rows = tx.all(_PROVISIONAL, (after[:60], max(1, min(limit, BATCH_MAX))))
    held = _lock(tx, {row["procedure"] for row in rows})
    calendar, looked_at = calendar_of(tx), 0
    changed: list[ProcedureTimer] = []
    for one in held.values():
        table = compiled_chart(tx, one.procedure.chart)
        for row in one.timers:
            if not row.is_provisional or row.standing not in _COUNTING:
                continue
            looked_at += 1
            again = deadlines.recount_timer(calendar, table.timers[row.name], row)
            if again is not row:
                changed.append(again)
    TIMERS.update_many(tx, changed)
    procedures = tuple(sorted({row.procedure for row in changed}))
    record(tx, DeadlinesRecounted(looked_at=looked_at, procedures=procedures))
    last = ProcedureId(rows[-1]["procedure"]) if rows else None
    return Recounted(looked_at=looked_at, changed=len(procedures), after=last)


def recount_all_deadlines(database: Database, caller: Caller) -> int:
    """This will recount every provisional deadline and give how many procedures changed."""
    changed, after = 0, ""
    while True:
        done = execute(database, recount_deadlines, caller, new_id(CommandId), after=after)
        changed += done.changed
        if done.after is None:
            return changed
        after = done.after
