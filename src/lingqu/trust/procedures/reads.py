# SPDX-License-Identifier: Apache-2.0
"""What a person sees of procedures: one whole, a list, and the desk of what must be done."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from lingqu.kernel.charts import CLOCK, PLATFORM, Chart, Compiled, Label, Move, Timer
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.runtime.calendar import Calendar, local_day
from lingqu.runtime.looking import Look, Looked
from lingqu.trust.access import Action, Kind, PartyId, holdings, is_allowed
from lingqu.trust.procedures import deadlines
from lingqu.trust.procedures.charts import compiled_chart
from lingqu.trust.procedures.grounds import article_of, calendar_of, rule_of
from lingqu.trust.procedures.moving import plays
from lingqu.trust.procedures.records import (
    ATTACHMENTS,
    PARTICIPANTS,
    PROCEDURES,
    STEPS,
    TIMERS,
    Attachment,
    Participant,
    Procedure,
    ProcedureId,
    ProcedureNotFound,
    ProcedureTimer,
    Step,
    TimerStanding,
)


class Urgency(enum.Enum):
    """How near a deadline is."""

    GREEN = "green"
    AMBER = "amber"
    """The last days have begun."""
    RED = "red"
    """The last day has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One clock as a person reads it. `days_left` is 0 on the last day, negative when late.

    `unit` says which days they are; None of both where the clock stands still.
    """

    name: str
    label: Label
    standing: TimerStanding
    started_on: date
    due_on: date
    days_left: int | None
    unit: str
    urgency: Urgency
    is_provisional: bool
    rule: str
    article: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A move the caller may try now, and what it asks for."""

    name: str
    label: Label
    target: str
    role: str
    needs_opinion: bool
    needs_reason: bool
    needs_attachment: bool
    documents: tuple[str, ...]
    through: str | None
    article: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureView:
    """One procedure whole: where it stands, who plays, what happened, which clocks, which moves."""

    procedure: Procedure
    chart: Chart
    participants: tuple[Participant, ...]
    steps: tuple[Step, ...]
    attachments: tuple[Attachment, ...]
    clocks: tuple[Clock, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """One thing the caller must do: in which role, until when, by which article.

    `clock` is the one that runs out first, None where nothing limits the time; `escalated` marks
    what came to a superior because somebody else is late.
    """

    procedure: Procedure
    chart: Label
    state: Label
    role: Label
    clock: Clock | None
    urgency: Urgency
    escalated: bool


def get_procedure(tx: Tx, procedure: ProcedureId) -> ProcedureView:
    """This will read a procedure the caller plays in or may see; raises ProcedureNotFound."""
    held = PROCEDURES.get(tx, procedure)
    parts = PARTICIPANTS.find(tx, _LIVING_OF, (procedure,))
    if not any(plays(tx, part) for part in parts):
        _check_readable(tx, held, parts)
    table, calendar, today = compiled_chart(tx, held.chart), calendar_of(tx), local_day(tx.now)
    rows = TIMERS.find(tx, "WHERE procedure = %s AND ended_at IS NULL ORDER BY id", (procedure,))
    return ProcedureView(
        procedure=held,
        chart=table.chart,
        participants=parts,
        steps=STEPS.find(tx, "WHERE procedure = %s ORDER BY ordinal", (procedure,)),
        attachments=ATTACHMENTS.find(tx, "WHERE procedure = %s ORDER BY id", (procedure,)),
        clocks=tuple(_clock(tx, calendar, table.timers[row.name], row, today) for row in rows),
        choices=_choices(tx, table, calendar, held, parts, rows, today),
    )


_LIVING_OF = "WHERE procedure = %s AND ended_at IS NULL ORDER BY id"


def _check_readable(tx: Tx, held: Procedure, parts: Sequence[Participant]) -> None:
    parties = (held.owner, *(part.party for part in parts if part.account is None))
    if not any(is_allowed(tx, Action.READ, Kind.PROCEDURE, owner=one) for one in parties):
        raise ProcedureNotFound(id=held.id)


def _clock(tx: Tx, calendar: Calendar, timer: Timer, row: ProcedureTimer, today: date) -> Clock:
    paused = row.standing is TimerStanding.PAUSED
    left = None if paused else deadlines.days_left(calendar, timer, row.due_on, today)
    return Clock(
        name=row.name,
        label=timer.label,
        standing=row.standing,
        started_on=row.started_on,
        due_on=row.due_on,
        days_left=left,
        unit=timer.length.unit.value,
        urgency=_urgency(timer, left),
        is_provisional=row.is_provisional,
        rule=timer.rule,
        article=article_of(tx, timer.rule),
    )


def _urgency(timer: Timer, left: int | None) -> Urgency:
    if left is None or left > timer.warns:
        return Urgency.GREEN
    return Urgency.RED if left < 0 else Urgency.AMBER


def _choices(
    tx: Tx,
    table: Compiled,
    calendar: Calendar,
    held: Procedure,
    parts: Sequence[Participant],
    rows: Sequence[ProcedureTimer],
    today: date,
) -> tuple[Choice, ...]:
    mine = {part.role for part in parts if plays(tx, part)}
    made = tx.all(_MADE, (held.id, held.filing))
    times = {row["move"]: row["times"] for row in made}
    due = {row.name: row for row in rows if row.standing is TimerStanding.RUNNING}
    found = []
    for move in table.leaving[held.state]:
        if move.actor not in mine or move.actor in {CLOCK, PLATFORM}:
            continue
        if move.at_most is not None and times.get(move.name, 0) >= move.at_most:
            continue
        if not _is_open(calendar, move, due, today):
            continue
        found.append(_choice(tx, table, move))
    return tuple(found)


_MADE = """
    SELECT move, count(*) AS times FROM trust.procedure_step
    WHERE procedure = %s AND filing = %s GROUP BY move
"""


def _is_open(calendar: Calendar, move: Move, due: dict[str, ProcedureTimer], today: date) -> bool:
    if any(name not in due or due[name].is_extended for name in move.extends):
        return False
    if move.window is None:
        return True
    row = due.get(move.window.timer)
    if row is None:
        return False
    first, last = deadlines.window_of(calendar, move.window, row.due_on)
    return first <= today <= last


def _choice(tx: Tx, table: Compiled, move: Move) -> Choice:
    return Choice(
        name=move.name,
        label=move.label,
        target=move.target,
        role=move.actor,
        needs_opinion=move.needs_opinion,
        needs_reason=move.needs_reason,
        needs_attachment=move.needs_attachment,
        documents=move.documents,
        through=move.through,
        article=article_of(tx, rule_of(table, move)),
    )


_VISIBLE = """
    SELECT id, chart, code, subject, title, owner, state, turn, filing, opened_at, moved_at,
        ended_at, version
    FROM trust.procedure
    WHERE id > %(after)s
        AND (%(code)s::text IS NULL OR code = %(code)s)
        AND (%(subject)s::text IS NULL OR subject = %(subject)s)
        AND (%(moved_after)s::timestamptz IS NULL OR moved_at > %(moved_after)s)
      AND (NOT %(running)s OR ended_at IS NULL)
        AND (%(all)s OR owner = ANY(%(parties)s) OR EXISTS (
            SELECT FROM trust.procedure_participant p
            WHERE p.procedure = trust.procedure.id AND p.ended_at IS NULL
                AND (p.account = %(account)s OR p.account IS NULL AND p.party = ANY(%(parties)s))
        ))
    ORDER BY id LIMIT %(limit)s
"""


def find_procedures(
    tx: Tx,
    *,
    page: PageRequest,
    code: str | None = None,
    subject: str | None = None,
    only_running: bool = False,
    moved_after: Instant | None = None,
) -> Page[Procedure]:
    """This will list the procedures the caller may see, oldest first, of one chart or subject.

    With `moved_after` only those that moved since.
    """
    rows = tx.all(
        _VISIBLE,
        {
            "after": page.key or "",
            "code": code,
            "subject": subject,
            "running": only_running,
            "moved_after": moved_after,
            **_sight(tx),
            "limit": page.size + 1,
        },
    )
    found = tuple(PROCEDURES.value(row) for row in rows[: page.size])
    more = len(rows) > page.size
    return Page(items=found, next=cursor(found[-1].id) if more else None)


_SHELF = PROCEDURES.shelf(
    """
    WHERE (%(all)s OR owner = ANY(%(parties)s) OR EXISTS (
        SELECT FROM trust.procedure_participant p
        WHERE p.procedure = trust.procedure.id AND p.ended_at IS NULL
            AND (p.account = %(account)s OR p.account IS NULL AND p.party = ANY(%(parties)s))))
    """,
    {
        "title": "title",
        "chart": "code",
        "owner": "owner",
        "state": "code || ' ' || state",
        "standing": "CASE WHEN ended_at IS NULL THEN 'running' ELSE 'ended' END",
        "opened": "opened_at",
        "moved": "moved_at",
    },
)


def look_through_procedures(tx: Tx, *, look: Look) -> Looked[Procedure]:
    """This will look through the procedures the caller may see.

    Columns: title, chart (its code), owner, state (code and state), standing (running, ended),
    opened, moved.
    """
    return PROCEDURES.look(tx, _SHELF, look, **_sight(tx))


def find_procedure_codes(tx: Tx) -> tuple[str, ...]:
    """This will give the codes of the charts on which the caller may see a procedure."""
    return _SHELF.values(tx, "chart", **_sight(tx))


def _sight(tx: Tx) -> dict[str, object]:
    return {
        "all": is_allowed(tx, Action.READ, Kind.PROCEDURE),
        "parties": _own_parties(tx, Action.READ),
        "account": tx.caller.account,
    }


def _own_parties(tx: Tx, action: Action) -> list[str]:
    own = {PartyId(holding.party) for holding in holdings(tx) if holding.party}
    return sorted(one for one in own if is_allowed(tx, action, Kind.PROCEDURE, owner=one))


_TURNS = """
    SELECT DISTINCT p.id, a.role, false AS escalated
    FROM trust.procedure p
    JOIN trust.procedure_participant a ON a.procedure = p.id AND a.ended_at IS NULL
    WHERE p.ended_at IS NULL AND a.role = p.turn
        AND (a.account = %(account)s OR a.account IS NULL AND a.party = ANY(%(parties)s))
"""
_PASSED = """
    SELECT t.procedure, t.name, a.role
    FROM trust.procedure_timer t
    JOIN trust.procedure_participant a ON a.procedure = t.procedure AND a.ended_at IS NULL
    WHERE t.standing = 'fired' AND t.ended_at IS NULL
        AND (a.account = %(account)s OR a.account IS NULL AND a.party = ANY(%(parties)s))
"""


def find_todos(tx: Tx, *, limit: int = 200) -> tuple[Todo, ...]:
    """This will list what the caller must do now, the most urgent first, at most `limit` things.

    That is every procedure whose turn it is in a role the caller plays, and every one that was
    escalated to such a role.
    """
    me = {"account": tx.caller.account, "parties": _own_parties(tx, Action.CHANGE)}
    turns = {(row["id"], row["role"]): False for row in tx.all(_TURNS, me)}
    passed = tx.all(_PASSED, me)
    ids = sorted({key[0] for key in turns} | {row["procedure"] for row in passed})
    held = {one.id: one for one in PROCEDURES.find(tx, "WHERE id = ANY(%s) ORDER BY id", (ids,))}
    for row in passed:
        timer = compiled_chart(tx, held[row["procedure"]].chart).timers[row["name"]]
        if timer.escalates == row["role"]:
            turns.setdefault((row["procedure"], row["role"]), True)
    clocks = _clocks(tx, held.values())
    found = [
        _todo(tx, held[key], role, clocks.get(key, ()), escalated=escalated)
        for (key, role), escalated in turns.items()
    ]
    return tuple(sorted(found, key=_by_urgency)[:limit])


def _clocks(
    tx: Tx, procedures: Iterable[Procedure]
) -> dict[str, list[tuple[Timer, Clock, ProcedureTimer]]]:
    calendar, today = calendar_of(tx), local_day(tx.now)
    charts = {one.id: one.chart for one in procedures}
    rows = TIMERS.find(
        tx, "WHERE procedure = ANY(%s) AND ended_at IS NULL ORDER BY id", (sorted(charts),)
    )
    found: dict[str, list[tuple[Timer, Clock, ProcedureTimer]]] = {}
    for row in rows:
        timer = compiled_chart(tx, charts[row.procedure]).timers[row.name]
        shown = _clock(tx, calendar, timer, row, today)
        found.setdefault(row.procedure, []).append((timer, shown, row))
    return found


def _todo(
    tx: Tx,
    held: Procedure,
    role: str,
    clocks: Sequence[tuple[Timer, Clock, ProcedureTimer]],
    *,
    escalated: bool,
) -> Todo:
    table = compiled_chart(tx, held.chart)
    mine = [
        (row.fires_at, clock)
        for timer, clock, row in clocks
        if row.standing is not TimerStanding.PAUSED
        and (timer.actor in {None, role} or timer.escalates == role)
    ]
    clock = min(mine, key=lambda one: one[0])[1] if mine else None
    labels = {one.name: one.label for one in table.chart.roles}
    return Todo(
        procedure=held,
        chart=table.chart.label,
        state=table.states[held.state].label,
        role=labels[role],
        clock=clock,
        urgency=Urgency.GREEN if clock is None else clock.urgency,
        escalated=escalated,
    )


_ORDER = {Urgency.RED: 0, Urgency.AMBER: 1, Urgency.GREEN: 2}


def _by_urgency(one: Todo) -> tuple[int, date, str]:
    last = one.clock.due_on if one.clock is not None else date.max
    return _ORDER[one.urgency], last, one.procedure.id
