# SPDX-License-Identifier: Apache-2.0
"""What a procedure leaves behind: its rows, the facts about it, and every way it can refuse."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.trust.access import AccountId, PartyId
from lingqu.trust.facts import Fact
from lingqu.trust.rows import Table


class ChartId(Id):
    """The id of one registered edition of a chart."""

    prefix = "cht"


class ProcedureId(Id):
    """The id of one procedure."""

    prefix = "prc"


class ParticipantId(Id):
    """The id of one part somebody plays in a procedure."""

    prefix = "prp"


class StepId(Id):
    """The id of one step of a procedure."""

    prefix = "stp"


class AttachmentId(Id):
    """The id of one file given with a step."""

    prefix = "att"


class TimerId(Id):
    """The id of one clock of a procedure."""

    prefix = "tmr"


class TimerStanding(enum.Enum):
    """Whether a clock still counts."""

    RUNNING = "running"
    PAUSED = "paused"
    """It stands still; the days of the pause are not counted."""
    HELD = "held"
    """It counts, and acts when the state that holds it is left."""
    ENDED = "ended"
    """The state it ran in was left in time, or after it had only marked that it passed."""
    FIRED = "fired"
    """Its last day passed and it did what it is for."""


class ChartNotFound(errors.NotFound):
    """No chart of this code is known here."""

    code = "trust.chart.not_found"


class ChartDiffers(errors.Conflict):
    """This edition is registered with other content; a changed chart is a new edition."""

    code = "trust.chart.differs"


class ChartKnown(errors.Conflict):
    """This edition of the chart is registered already, with the same content."""

    code = "trust.chart.known"


class GuardUnknown(errors.Rejected):
    """The chart names a condition that no package of this release provides."""

    code = "trust.chart.guard_unknown"


class BadChartFile(errors.Rejected):
    """The file is not a chart in TOML."""

    code = "trust.chart.bad_file"


class ProcedureNotFound(errors.NotFound):
    """There is no such procedure, or the caller may not know of it."""

    code = "trust.procedure.not_found"


class ProcedureExists(errors.Conflict):
    """A procedure with this id exists already; ids are made anew for each one."""

    code = "trust.procedure.exists"


class RoleNotNamed(errors.Rejected):
    """The chart has no such role, or it is nobody's although the procedure begins with it."""

    code = "trust.procedure.role_not_named"


class RolesNotApart(errors.Rejected):
    """One party or account is named for two roles that must be apart."""

    code = "trust.procedure.roles_not_apart"


class MadeElsewhere(errors.Rejected):
    """This is done by a command of the package that owns the matter, not on the procedure alone."""

    code = "trust.procedure.made_elsewhere"


class IllegalMove(errors.Conflict):
    """The move is not legal in the state the procedure stands in."""

    code = "trust.procedure.illegal_move"


class ClockMovesFirst(errors.Conflict):
    """A clock has run out and moves this procedure first, as soon as the clocks are looked at."""

    code = "trust.procedure.clock_moves_first"


class StaleProcedure(errors.Conflict):
    """The procedure was moved by someone else, or by a clock, since it was read."""

    code = "trust.procedure.stale"


class WrongActor(errors.Forbidden):
    """The move belongs to a role that the caller does not play in this procedure."""

    code = "trust.procedure.wrong_actor"


class OpinionMissing(errors.Rejected):
    """This move needs a written opinion."""

    code = "trust.procedure.opinion_missing"


class ReasonMissing(errors.Rejected):
    """This move needs a reason, which is told to whom it concerns."""

    code = "trust.procedure.reason_missing"


class AttachmentMissing(errors.Rejected):
    """This move needs at least one file."""

    code = "trust.procedure.attachment_missing"


class AlreadyGiven(errors.Conflict):
    """The move may be made only so often for one filing, and has been: notice is given once."""

    code = "trust.procedure.already_given"


class OutsideWindow(errors.Conflict):
    """The move is open only in its window: it has not begun yet, or is over."""

    code = "trust.procedure.outside_window"


class BadTerm(errors.Rejected):
    """No such clock starts here, or its length may not be set, or not to this."""

    code = "trust.procedure.bad_term"


class AlreadyExtended(errors.Conflict):
    """The clock was extended before; it is extended once."""

    code = "trust.procedure.already_extended"


class SamePerson(errors.Conflict):
    """Whoever drafted this cannot also review or sign it."""

    code = "trust.procedure.same_person"


class BadProcedureText(errors.Rejected):
    """A title, subject, opinion, reason or file name is empty, too long or has control characters.

    `field` names which of them.
    """

    code = "trust.procedure.bad_text"


class TooManyAttachments(errors.Rejected):
    """A move takes at most so many files."""

    code = "trust.procedure.too_many_attachments"


class ParticipantNotFound(errors.NotFound):
    """There is no such participant of this procedure."""

    code = "trust.procedure.participant_not_found"


class DocumentNotFound(errors.NotFound):
    """The procedure has not produced such a document."""

    code = "trust.procedure.document_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRecord:
    """One edition of a chart as canonical JSON, with the digest of that text."""

    id: ChartId
    code: str
    edition: int
    digest: str
    body: str
    registered_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """One matter and where it stands. `title` may hold personal data and is in no fact.

    `subject` is the id of what it is about, `owner` the party whose matter it is, `turn` the role
    that must act, `filing` counts the filings of this matter.
    """

    id: ProcedureId
    chart: ChartId
    code: str
    subject: str
    title: str
    owner: PartyId
    state: str
    turn: str | None
    filing: int
    opened_at: Instant
    moved_at: Instant
    ended_at: Instant | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Who plays a role: everybody who acts for `party`, or `account` alone where it is given."""

    id: ParticipantId
    procedure: ProcedureId
    role: str
    party: PartyId | None
    account: AccountId | None
    named_at: Instant
    ended_at: Instant | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move that was made. `day` is the local day on which it takes effect.

    `timer` names the clock that made it. Opinion and reason are text of people, in no fact.
    """

    id: StepId
    procedure: ProcedureId
    ordinal: int
    filing: int
    move: str
    source: str
    target: str
    role: str
    party: PartyId | None
    account: Id
    timer: str | None
    opinion: str | None
    reason: str | None
    rules: str
    day: date
    at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file given with a step: the blob's digest and size, and what the giver called it."""

    id: AttachmentId
    procedure: ProcedureId
    step: StepId
    name: str
    sha256: str
    size: int
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureTimer:
    """One clock: `count` units after `counted_from` end on `due_on`, its last day.

    At `fires_at` the passing of that day has its effect. Provisional: it was counted over days of a
    year whose arrangement is not published, and is counted again when it is.
    """

    id: TimerId
    procedure: ProcedureId
    name: str
    standing: TimerStanding
    started_on: date
    counted_from: date
    count: int
    due_on: date
    fires_at: Instant
    paused_on: date | None
    is_extended: bool
    is_provisional: bool
    ended_at: Instant | None = None
    version: int = 1


CHARTS = Table("trust.chart", ChartRecord, not_found=ChartNotFound)
PROCEDURES = Table("trust.procedure", Procedure, not_found=ProcedureNotFound)
PARTICIPANTS = Table("trust.procedure_participant", Participant, not_found=ParticipantNotFound)
STEPS = Table("trust.procedure_step", Step)
ATTACHMENTS = Table("trust.procedure_attachment", Attachment)
TIMERS = Table("trust.procedure_timer", ProcedureTimer)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRegistered(Fact):
    """An edition of a chart came to be known here."""

    kind = "trust.chart.registered"
    chart: ChartId
    code: str
    edition: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureOpened(Fact):
    """A procedure began."""

    kind = "trust.procedure.opened"
    procedure: ProcedureId
    chart: ChartId
    code: str
    subject: str
    owner: PartyId
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureMoved(Fact):
    """A procedure was moved, by a person, a package or (`timer`) a clock."""

    kind = "trust.procedure.moved"
    procedure: ProcedureId
    code: str
    subject: str
    step: StepId
    filing: int
    move: str
    source: str
    target: str
    role: str
    timer: str | None
    rule: str | None
    day: date
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerPassed(Fact):
    """The last day of a clock passed without effect on the state: overdue, or escalated."""

    kind = "trust.procedure.timer_passed"
    procedure: ProcedureId
    code: str
    subject: str
    timer: str
    rule: str
    due_on: date
    role: str | None
    escalated_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimersFired(Fact):
    """The clocks of all procedures were looked at, and so many had run out."""

    kind = "trust.procedure.timers_fired"
    fired: int
    procedures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinesRecounted(Fact):
    """Provisional deadlines were counted again; those of these procedures changed."""

    kind = "trust.procedure.deadlines_recounted"
    looked_at: int
    procedures: tuple[ProcedureId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantNamed(Fact):
    """Somebody was named for a role of a procedure."""

    kind = "trust.procedure.participant_named"
    procedure: ProcedureId
    participant: ParticipantId
    role: str
    party: PartyId | None
    account: AccountId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantReleased(Fact):
    """Somebody no longer plays a role of a procedure."""

    kind = "trust.procedure.participant_released"
    procedure: ProcedureId
    participant: ParticipantId
    role: str
