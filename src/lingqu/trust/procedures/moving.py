# SPDX-License-Identifier: Apache-2.0
"""Opening procedures and moving them: who may, what a move needs, and what it changes.

`open_procedure` and `move_procedure` are the commands of people. A package whose own commands
change more than the procedure calls `begin_procedure` and `advance_procedure` inside them, so that
the matter and its procedure move in one transaction; `through` in the chart keeps people from going
around it. What a move means elsewhere follows from its fact: call down, publish up.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from lingqu.kernel.charts import CLOCK, PLATFORM, Compiled, Move
from lingqu.runtime import Tx, new_id
from lingqu.runtime.blobs import BlobRef
from lingqu.runtime.calendar import Calendar, local_day
from lingqu.trust.access import AccountId, Action, Kind, PartyId, authorize, is_allowed
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, draft_of, record
from lingqu.trust.parties import PARTIES
from lingqu.trust.procedures import deadlines
from lingqu.trust.procedures.charts import chart_for, compiled_chart, guard_of
from lingqu.trust.procedures.grounds import article_of, calendar_of, rule_of
from lingqu.trust.procedures.records import (
    ATTACHMENTS,
    PARTICIPANTS,
    PROCEDURES,
    STEPS,
    TIMERS,
    AlreadyExtended,
    AlreadyGiven,
    Attachment,
    AttachmentId,
    AttachmentMissing,
    BadProcedureText,
    BadTerm,
    ClockMovesFirst,
    IllegalMove,
    MadeElsewhere,
    OpinionMissing,
    OutsideWindow,
    Participant,
    ParticipantId,
    Procedure,
    ProcedureExists,
    ProcedureId,
    ProcedureMoved,
    ProcedureNotFound,
    ProcedureOpened,
    ProcedureTimer,
    ReasonMissing,
    RoleNotNamed,
    RolesNotApart,
    StaleProcedure,
    Step,
    StepId,
    TimerStanding,
    TooManyAttachments,
    WrongActor,
)

TITLE_MAX = 300
OPINION_MAX = 10_000
NAME_MAX = 200
ATTACHMENTS_MAX = 50
NO_TERMS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Who is to play a role: everybody who acts for `party`, or one `account` of it or alone."""

    role: str
    party: PartyId | None = None
    account: AccountId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFile:
    """A file given with a move: what it is called, and the blob that holds it."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What comes with a move: words, files, and lengths for the clocks that start."""

    opinion: str | None = None
    reason: str | None = None
    files: tuple[GivenFile, ...] = ()
    terms: Mapping[str, int] = field(default_factory=dict)


NOTHING_GIVEN = Given()


@dataclass(slots=True, kw_only=True)
class Change:
    """What one move changes, before it is written."""

    old: Procedure
    new: Procedure
    step: Step
    fact: Fact
    attachments: Sequence[Attachment] = ()
    changed: Sequence[ProcedureTimer] = ()
    started: Sequence[ProcedureTimer] = field(default_factory=tuple)


@command("trust.procedure.open")
def open_procedure(
    tx: Tx,
    *,
    procedure: ProcedureId,
    chart: str,
    subject: str,
    title: str,
    owner: PartyId,
    parts: tuple[Part, ...],
    terms: Mapping[str, int] = NO_TERMS,
) -> Procedure:
    """This will open a procedure by the newest edition of a chart, under the id the caller made.

    Raises AccessDenied, ChartNotFound, MadeElsewhere and what `begin_procedure` raises.
    """
    authorize(tx, Action.CREATE, Kind.PROCEDURE, owner=owner)
    _, table = chart_for(tx, chart)
    if table.chart.through is not None:
        raise MadeElsewhere(chart=chart, move="", package=table.chart.through)
    return begin_procedure(
        tx,
        procedure=procedure,
        chart=chart,
        subject=subject,
        title=title,
        owner=owner,
        parts=parts,
        terms=terms,
    )


def begin_procedure(
    tx: Tx,
    *,
    procedure: ProcedureId,
    chart: str,
    subject: str,
    title: str,
    owner: PartyId,
    parts: tuple[Part, ...],
    terms: Mapping[str, int] = NO_TERMS,
) -> Procedure:
    """This will open a procedure inside the command of another package, which authorised it.

    `subject` is the id of what it is about, `terms` gives clocks that start another length. Raises
    ChartNotFound, PartyNotFound, ProcedureExists, BadProcedureText, BadTerm, RoleNotNamed,
    RolesNotApart.
    """
    chart_id, table = chart_for(tx, chart)
    PARTIES.get(tx, owner)
    if tx.maybe("SELECT 1 FROM trust.procedure WHERE id = %s", (procedure,)):
        raise ProcedureExists(id=procedure)
    initial = table.states[table.chart.initial]
    check_parts(table, parts)
    if initial.turn is not None and all(part.role != initial.turn for part in parts):
        raise RoleNotNamed(role=initial.turn)
    made = Procedure(
        id=procedure,
        chart=chart_id,
        code=table.chart.code,
        subject=checked_text(subject, "subject", NAME_MAX),
        title=checked_text(title, "title", TITLE_MAX),
        owner=owner,
        state=initial.name,
        turn=initial.turn,
        filing=1,
        opened_at=tx.now,
        moved_at=tx.now,
    )
    PROCEDURES.insert(tx, made)
    PARTICIPANTS.insert_many(tx, [_participant(tx, procedure, part) for part in parts])
    check_terms(table, terms, {timer.name for timer in table.starting[initial.name]})
    entering = deadlines.Entering(
        state=initial.name, day=local_day(tx.now), now=tx.now, terms=terms
    )
    _, started = deadlines.follow_state(table, calendar_of(tx), (), procedure, entering)
    TIMERS.insert_many(tx, started)
    opened = ProcedureOpened(
        procedure=procedure,
        chart=chart_id,
        code=made.code,
        subject=made.subject,
        owner=owner,
        state=initial.name,
    )
    record(tx, opened)
    return made


def check_parts(table: Compiled, parts: Sequence[Part]) -> None:
    """This will refuse roles the chart has not, and one player of two roles that are apart."""
    roles = {role.name: role for role in table.chart.roles}
    for part in parts:
        if part.role not in roles or (part.party is None and part.account is None):
            raise RoleNotNamed(role=part.role[:60])
    for part in parts:
        for other in parts:
            apart = roles[part.role].apart_from
            if other.role in apart and _same_player(part, other):
                raise RolesNotApart(role=part.role, other=other.role)


def _same_player(one: Part, other: Part) -> bool:
    same_party = one.party is not None and one.party == other.party
    return same_party or (one.account is not None and one.account == other.account)


def _participant(tx: Tx, procedure: ProcedureId, part: Part) -> Participant:
    if part.party is not None:
        PARTIES.get(tx, part.party)
    return Participant(
        id=new_id(ParticipantId),
        procedure=procedure,
        role=part.role,
        party=part.party,
        account=part.account,
        named_at=tx.now,
    )


@command("trust.procedure.move")
def move_procedure(
    tx: Tx,
    *,
    procedure: ProcedureId,
    move: str,
    version: int,
    opinion: str | None = None,
    reason: str | None = None,
    files: tuple[GivenFile, ...] = (),
    terms: Mapping[str, int] = NO_TERMS,
) -> Procedure:
    """This will make a move that changes nothing but the procedure.

    Raises MadeElsewhere for a move of another package or of the platform, and what
    `advance_procedure` raises.
    """
    held = PROCEDURES.lock(tx, procedure)
    table = compiled_chart(tx, held.chart)
    known = table.moves.get(move)
    if known is not None and known.through is not None:
        raise MadeElsewhere(chart=held.code, move=move, package=known.through)
    if known is not None and known.actor == PLATFORM:
        raise MadeElsewhere(chart=held.code, move=move, package=PLATFORM)
    given = Given(opinion=opinion, reason=reason, files=files, terms=terms)
    return _advance(tx, held, move, version, given)


def advance_procedure(
    tx: Tx,
    *,
    procedure: ProcedureId,
    move: str,
    version: int | None = None,
    given: Given = NOTHING_GIVEN,
) -> Procedure:
    """This will make a move inside the command of another package, in its transaction.

    `version` is that of the procedure the caller saw; None where the package itself read it under
    its own lock. Raises ProcedureNotFound, StaleProcedure, ClockMovesFirst, IllegalMove,
    WrongActor, OpinionMissing, ReasonMissing, AttachmentMissing, AlreadyGiven, OutsideWindow,
    AlreadyExtended, BadTerm, and what the guard of the move raises; each with the article that
    grounds the move.
    """
    held = PROCEDURES.lock(tx, procedure)
    seen = held.version if version is None else version
    return _advance(tx, held, move, seen, given)


def _advance(tx: Tx, held: Procedure, name: str, version: int, given: Given) -> Procedure:
    table = compiled_chart(tx, held.chart)
    tx_rows = tx.together((
        (_SELECT_PARTS, (held.id,)),
        (_SELECT_TIMERS, (held.id,)),
    ))  # fmt: skip
    parts = [PARTICIPANTS.value(row) for row in tx_rows[0]]
    timers = tuple(TIMERS.value(row) for row in tx_rows[1])
    known = table.moves.get(name)
    article = article_of(tx, rule_of(table, known))
    player = _player(tx, held, known, parts, article)
    _check_standing(tx, table, held, timers, version)
    move = table.legal(held.state, name)
    if move is None:
        raise IllegalMove(move=name[:60], state=held.state).grounded_in(article)
    if player is None and move.actor != PLATFORM:
        raise WrongActor(move=name, role=move.actor).grounded_in(article)
    if player is not None:
        _authorize(tx, player)
    _check_needs(tx, held, move, article, given)
    today, calendar = local_day(tx.now), calendar_of(tx)
    _check_window(calendar, timers, move, today, article)
    if move.guard is not None:
        guard_of(move.guard)(tx, held)
    starting = {timer.name for timer in table.starting[move.target]} | {*move.restarts}
    check_terms(table, given.terms, starting)
    extended = _extended(calendar, table, timers, move, article)
    change = unfold(
        tx,
        table,
        calendar,
        held,
        _replaced(timers, extended),
        move,
        day=today,
        player=player,
        given=given,
    )
    later = {row.id for row in change.changed}
    change.changed = [*(row for row in extended if row.id not in later), *change.changed]
    write_changes(tx, (change,))
    return change.new


_SELECT_PARTS = """
    SELECT id, procedure, role, party, account, named_at, ended_at, version
    FROM trust.procedure_participant WHERE procedure = %s AND ended_at IS NULL ORDER BY id
"""
_SELECT_TIMERS = """
    SELECT id, procedure, name, standing, started_on, counted_from, count, due_on, fires_at,
        paused_on, is_extended, is_provisional, ended_at, version
    FROM trust.procedure_timer WHERE procedure = %s ORDER BY id
"""


def plays(tx: Tx, part: Participant) -> bool:
    """This will say whether the caller plays a part: by the account named, or for the party."""
    if part.account is not None:
        return part.account == tx.caller.account
    return is_allowed(tx, Action.CHANGE, Kind.PROCEDURE, owner=part.party)


def _player(
    tx: Tx,
    held: Procedure,
    move: Move | None,
    parts: Sequence[Participant],
    article: str | None,
) -> Participant | None:
    """The caller's part in the move; who has no part at all does not learn of the procedure.

    A move of the platform is made inside a command that authorised it and has no player.
    """
    if move is not None and move.actor == PLATFORM:
        return None
    mine = [part for part in parts if plays(tx, part)]
    if not mine and not is_allowed(tx, Action.READ, Kind.PROCEDURE, owner=held.owner):
        raise ProcedureNotFound(id=held.id)
    if move is None:
        return None
    if move.actor == CLOCK:
        raise WrongActor(move=move.name, role=CLOCK).grounded_in(article)
    return next((part for part in mine if part.role == move.actor), None)


def _authorize(tx: Tx, player: Participant) -> None:
    """A move of the platform has no player; the package that makes it authorised its command."""
    if player.account is not None:
        authorize(tx, Action.CHANGE, Kind.PROCEDURE, account=player.account)
    else:
        authorize(tx, Action.CHANGE, Kind.PROCEDURE, owner=player.party)


def _check_standing(
    tx: Tx,
    table: Compiled,
    held: Procedure,
    timers: Sequence[ProcedureTimer],
    version: int,
) -> None:
    if held.version != version:
        raise StaleProcedure(version=held.version, state=held.state)
    for row in timers:
        timer = table.timers[row.name]
        due = row.standing is TimerStanding.RUNNING and row.fires_at <= tx.now
        if due and timer.fires is not None:
            article = article_of(tx, timer.rule)
            raise ClockMovesFirst(timer=row.name, move=timer.fires).grounded_in(article)


def _check_needs(
    tx: Tx,
    held: Procedure,
    move: Move,
    article: str | None,
    given: Given,
) -> None:
    opinion, reason, files = given.opinion, given.reason, given.files
    for name, text in (("opinion", opinion), ("reason", reason)):
        if text is not None:
            checked_text(text, name, OPINION_MAX, lines=True)
    if len(files) > ATTACHMENTS_MAX:
        raise TooManyAttachments(most=ATTACHMENTS_MAX)
    for file in files:
        checked_text(file.name, "files", NAME_MAX)
        BlobRef(sha256=file.sha256, size=file.size)
    if move.needs_opinion and not opinion:
        raise OpinionMissing(move=move.name).grounded_in(article)
    if move.needs_reason and not reason:
        raise ReasonMissing(move=move.name).grounded_in(article)
    if move.needs_attachment and not files:
        raise AttachmentMissing(move=move.name).grounded_in(article)
    if move.at_most is not None:
        made = tx.one(_COUNT_MOVES, (held.id, held.filing, move.name))["made"]
        if made >= move.at_most:
            raise AlreadyGiven(move=move.name, most=move.at_most).grounded_in(article)


_COUNT_MOVES = """
    SELECT count(*) AS made FROM trust.procedure_step
    WHERE procedure = %s AND filing = %s AND move = %s
"""


def _check_window(
    calendar: Calendar,
    timers: Sequence[ProcedureTimer],
    move: Move,
    today: date,
    article: str | None,
) -> None:
    if move.window is None:
        return
    row = _running(timers, move.window.timer)
    if row is None:
        raise OutsideWindow(move=move.name, first=None, last=None).grounded_in(article)
    first, last = deadlines.window_of(calendar, move.window, row.due_on)
    if not first <= today <= last:
        refusal = OutsideWindow(move=move.name, first=first.isoformat(), last=last.isoformat())
        raise refusal.grounded_in(article)


def _extended(
    calendar: Calendar,
    table: Compiled,
    timers: Sequence[ProcedureTimer],
    move: Move,
    article: str | None,
) -> tuple[ProcedureTimer, ...]:
    found = []
    for name in move.extends:
        row = _running(timers, name)
        if row is None or row.is_extended:
            raise AlreadyExtended(timer=name).grounded_in(article)
        found.append(deadlines.extend_timer(calendar, table.timers[name], row))
    return tuple(found)


def _running(timers: Sequence[ProcedureTimer], name: str) -> ProcedureTimer | None:
    running = (one for one in timers if one.standing is TimerStanding.RUNNING)
    return next((one for one in running if one.name == name), None)


def _replaced(
    timers: Sequence[ProcedureTimer], newer: Sequence[ProcedureTimer]
) -> tuple[ProcedureTimer, ...]:
    by_id = {row.id: row for row in newer}
    return tuple(by_id.get(row.id, row) for row in timers)


def unfold(
    tx: Tx,
    table: Compiled,
    calendar: Calendar,
    old: Procedure,
    timers: tuple[ProcedureTimer, ...],
    move: Move,
    *,
    day: date,
    player: Participant | None = None,
    timer: str | None = None,
    given: Given = NOTHING_GIVEN,
) -> Change:
    """This will work out what a legal move changes; nothing is written yet."""
    target = table.states[move.target]
    new = dataclasses.replace(
        old,
        state=target.name,
        turn=target.turn,
        filing=old.filing + move.new_filing,
        moved_at=tx.now,
        ended_at=tx.now if table.is_terminal(target.name) else None,
        version=old.version + 1,
    )
    step = _step(tx, old, move, day=day, player=player, timer=timer, given=given)
    attached = _attached(step, given)
    entering = deadlines.Entering(
        state=target.name, day=day, now=tx.now, restarts=move.restarts, terms=given.terms
    )
    changed, started = deadlines.follow_state(table, calendar, timers, old.id, entering)
    fact = ProcedureMoved(
        procedure=old.id,
        code=old.code,
        subject=old.subject,
        step=step.id,
        filing=old.filing,
        move=move.name,
        source=old.state,
        target=target.name,
        role=move.actor,
        timer=timer,
        rule=rule_of(table, move),
        day=day,
        attachments=tuple(file.sha256 for file in given.files),
    )
    return Change(
        old=old,
        new=new,
        step=step,
        fact=fact,
        attachments=attached,
        changed=changed,
        started=started,
    )


def _step(
    tx: Tx,
    old: Procedure,
    move: Move,
    *,
    day: date,
    player: Participant | None,
    timer: str | None,
    given: Given,
) -> Step:
    return Step(
        id=new_id(StepId),
        procedure=old.id,
        ordinal=old.version,
        filing=old.filing,
        move=move.name,
        source=old.state,
        target=move.target,
        role=move.actor,
        party=player.party if player is not None else None,
        account=tx.caller.account,
        timer=timer,
        opinion=given.opinion,
        reason=given.reason,
        rules=tx.rules,
        day=day,
        at=tx.now,
    )


def _attached(step: Step, given: Given) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            id=new_id(AttachmentId),
            procedure=step.procedure,
            step=step.id,
            name=file.name.strip(),
            sha256=file.sha256,
            size=file.size,
        )
        for file in given.files
    )


def check_terms(table: Compiled, terms: Mapping[str, int], starting: Collection[str]) -> None:
    """This will refuse a length for a clock that does not start, or that its chart does not let."""
    for name, count in terms.items():
        most = table.timers[name].most if name in starting else None
        if most is None or not 1 <= count <= most:
            raise BadTerm(timer=name[:60], most=most)


def write_changes(tx: Tx, changes: Sequence[Change]) -> None:
    """This will write many changes by one statement a table, and record each one's own fact."""
    PROCEDURES.update_many(tx, [change.new for change in changes])
    STEPS.insert_many(tx, [change.step for change in changes])
    ATTACHMENTS.insert_many(tx, [one for change in changes for one in change.attachments])
    TIMERS.update_many(tx, [row for change in changes for row in change.changed])
    TIMERS.insert_many(tx, [row for change in changes for row in change.started])
    record_each(tx, [(change.fact, _keys(change)) for change in changes])


def _keys(change: Change) -> frozenset[str]:
    timers = (row.id for row in (*change.changed, *change.started))
    files = (row.id for row in change.attachments)
    return frozenset({change.new.id, change.step.id, *timers, *files})


def record_each(tx: Tx, facts: Sequence[tuple[Fact, frozenset[str]]]) -> None:
    """This will record facts whose rows were written together, each with the rows of its keys."""
    draft = draft_of(tx)
    loose, draft.loose_rows = draft.loose_rows, []
    place = {key: number for number, (_, keys) in enumerate(facts) for key in keys}
    groups: list[list[int]] = [[] for _ in facts]
    for number, row in enumerate(loose):
        groups[place[row.key]].append(number)
    for (fact, _), group in zip(facts, groups, strict=True):
        draft.loose_rows = [loose[number] for number in group]
        record(tx, fact)


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def checked_text(text: str, field: str, longest: int, *, lines: bool = False) -> str:
    """This will give a field's text without blanks around it; raises BadProcedureText."""
    found = text.strip()
    bad = _CONTROL.search(found) if lines else not found.isprintable()
    if not 1 <= len(found) <= longest or bad:
        raise BadProcedureText(field=field, most=longest)
    return found
