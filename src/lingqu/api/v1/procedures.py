# SPDX-License-Identifier: Apache-2.0
"""The API of 流程 procedures: charts, what one must do, opening, moving, and the clocks."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1.papers import ToFormat, paper_file
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel import errors
from lingqu.kernel.charts import Chart
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.values import from_plain, to_plain
from lingqu.trust import procedures
from lingqu.trust.procedures import GivenFile, Part
from lingqu.wiring import App

FILE_BYTES_MAX = 512 * 1024
"""The longest file that travels inside a move; longer ones are brought by the command line."""


class FileUnreadable(errors.Rejected):
    """The content of a file is not base64."""

    code = "api.procedure.file_unreadable"


class PartGiven(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who is to play a role: everybody of a party, or one account."""

    role: str
    party: str | None = None
    account: str | None = None


class OpenProcedure(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new procedure under an id the caller made (`prc_...`).

    `terms` gives clocks that start another length, where their chart lets one.
    """

    procedure: str
    chart: str
    subject: str
    title: str
    owner: str
    parts: Annotated[list[PartGiven], msgspec.Meta(max_length=100)]
    terms: dict[str, int] = {}


class FileGiven(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A file of at most 512 KiB that comes with a move, its content in base64."""

    name: str
    content: str


class MakeMove(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A move, and the version of the procedure one has seen."""

    move: str
    version: int
    opinion: str | None = None
    reason: str | None = None
    files: Annotated[list[FileGiven], msgspec.Meta(max_length=50)] = []
    terms: dict[str, int] = {}


class NameParticipant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Somebody for a role, under an id the caller made (`prp_...`)."""

    participant: str
    role: str
    party: str | None = None
    account: str | None = None


class RegisterChart(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An edition of a chart, in the shape in which charts are listed."""

    chart: dict[str, Any]


class FireTimers(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many procedures one scan takes at most."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100


class RecountDeadlines(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """After which procedure to go on, and how many clocks to take at most."""

    after: Annotated[str, msgspec.Meta(max_length=60)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 100


class ProcedureRef(msgspec.Struct, kw_only=True):
    """Where a procedure stands after a command; `turn` is the role that must act."""

    id: str
    state: str
    turn: str | None
    version: int


class ChartRef(msgspec.Struct, kw_only=True):
    """The id of a registered edition."""

    chart: str


class ParticipantRef(msgspec.Struct, kw_only=True):
    """The part a command was about."""

    participant: str


class FiredView(msgspec.Struct, kw_only=True):
    """What a scan did."""

    timers: int
    procedures: int


class RecountedView(msgspec.Struct, kw_only=True):
    """What a recount did; `after` is where the next goes on, null at the end."""

    looked_at: int
    changed: int
    after: str | None


class Listing(msgspec.Struct, kw_only=True):
    """Some things, and the cursor of the page after them (null: this was the last)."""

    items: list[dict[str, Any]]
    next: str | None


@reads("/charts", "List charts")
def find_charts(platform: FromPlatform, visit: FromVisit) -> Listing:
    """This will list the newest edition of every chart, whole."""
    with platform.database.reading(visit.caller) as tx:
        found = procedures.find_charts(tx)
    return Listing(items=[_plain(one) for one in found], next=None)


@makes("/charts", "trust.chart.register", "Register a chart")
def register_chart(write: FromWrite, data: JSONBody[RegisterChart]) -> ChartRef:
    """This will register an edition of a chart; its content never changes afterwards."""
    made = write.execute(procedures.register_chart, chart=from_plain(Chart, data.chart))
    return ChartRef(chart=made)


@reads("/todo", "List what the caller must do")
def find_todos(platform: FromPlatform, visit: FromVisit) -> Listing:
    """This will list what waits for the caller, the most urgent first, with days and article."""
    with platform.database.reading(visit.caller) as tx:
        found = procedures.find_todos(tx)
    return Listing(items=[_plain(one) for one in found], next=None)


@reads("/", "List procedures")
def find_procedures(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    chart: Annotated[str | None, QueryParameter(name="chart", max_length=100)] = None,
    subject: Annotated[str | None, QueryParameter(name="subject", max_length=200)] = None,
    standing: Annotated[
        Literal["any", "running"],
        QueryParameter(name="standing", description="All, or only those that have not ended"),
    ] = "any",
) -> Listing:
    """This will list the procedures the caller may see, oldest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = procedures.find_procedures(
            tx, page=request, code=chart, subject=subject, only_running=standing == "running"
        )
    return Listing(items=[_plain(one) for one in page.items], next=page.next)


@reads("/{procedure:str}", "Read a procedure")
def get_procedure(
    platform: FromPlatform, visit: FromVisit, procedure: FromPath[str]
) -> dict[str, Any]:
    """This will read a procedure whole: its steps, clocks, people, and what can be done now."""
    wanted = procedures.ProcedureId(procedure)
    with platform.database.reading(visit.caller) as tx:
        return _plain(procedures.get_procedure(tx, wanted))


@reads("/{procedure:str}/documents/{document:str}", "Read the data of a document")
def get_document(
    platform: FromPlatform, visit: FromVisit, procedure: FromPath[str], document: FromPath[str]
) -> dict[str, Any]:
    """This will give the template and the data of a document the procedure produced."""
    wanted = procedures.ProcedureId(procedure)
    with platform.database.reading(visit.caller) as tx:
        return _plain(procedures.document_data(tx, procedure=wanted, document=document))


@reads(
    "/{procedure:str}/documents/{document:str}/file",
    "Write a document as a file",
    media_type="application/pdf",
)
def get_document_file(
    platform: FromPlatform,
    visit: FromVisit,
    procedure: FromPath[str],
    document: FromPath[str],
    to: ToFormat = "pdf",
) -> Response[bytes]:
    """This will draw a document the procedure produced, as PDF to print or as Word."""
    wanted = procedures.ProcedureId(procedure)
    with platform.database.reading(visit.caller) as tx:
        paper = procedures.document_data(tx, procedure=wanted, document=document)
    return paper_file(platform, paper, to, name=f"{wanted}-{paper.name}")


@makes("/", "trust.procedure.open", "Open a procedure")
def open_procedure(write: FromWrite, data: JSONBody[OpenProcedure]) -> ProcedureRef:
    """This will open a procedure for a subject and name who plays which role."""
    made = write.execute(
        procedures.open_procedure,
        procedure=procedures.ProcedureId(data.procedure),
        chart=data.chart,
        subject=data.subject,
        title=data.title,
        owner=trust.PartyId(data.owner),
        parts=tuple(
            Part(role=one.role, party=_party(one.party), account=_account(one.account))
            for one in data.parts
        ),
        terms=data.terms,
    )
    return _ref(made)


@does("/{procedure:str}/moves", "trust.procedure.move", "Make a move")
def make_move(write: FromWrite, procedure: FromPath[str], data: JSONBody[MakeMove]) -> ProcedureRef:
    """This will make a move as the role the caller plays; refused where something moved since."""
    moved = write.execute(
        procedures.move_procedure,
        procedure=procedures.ProcedureId(procedure),
        move=data.move,
        version=data.version,
        opinion=data.opinion,
        reason=data.reason,
        files=tuple(keep_file(write.platform, one) for one in data.files),
        terms=data.terms,
    )
    return _ref(moved)


@makes("/{procedure:str}/participants", "trust.procedure.name_participant", "Name a participant")
def name_participant(
    write: FromWrite, procedure: FromPath[str], data: JSONBody[NameParticipant]
) -> ParticipantRef:
    """This will name who else plays a role."""
    named = write.execute(
        procedures.name_participant,
        participant=procedures.ParticipantId(data.participant),
        procedure=procedures.ProcedureId(procedure),
        role=data.role,
        party=_party(data.party),
        account=_account(data.account),
    )
    return ParticipantRef(participant=named.id)


@does(
    "/participants/{participant:str}/release",
    "trust.procedure.release_participant",
    "Release a participant",
)
def release_participant(write: FromWrite, participant: FromPath[str]) -> ParticipantRef:
    """This will end a part."""
    wanted = procedures.ParticipantId(participant)
    ended = write.execute(procedures.release_participant, participant=wanted)
    return ParticipantRef(participant=ended.id)


@does("/timers/fire", "trust.procedure.fire_timers", "Let expired clocks act")
def fire_timers(write: FromWrite, data: JSONBody[FireTimers]) -> FiredView:
    """This will let clocks act that have run out; the platform does it every minute by itself."""
    done = write.execute(procedures.fire_timers, limit=data.limit)
    return FiredView(timers=done.timers, procedures=done.procedures)


@does("/timers/recount", "trust.procedure.recount_deadlines", "Recount provisional deadlines")
def recount_deadlines(write: FromWrite, data: JSONBody[RecountDeadlines]) -> RecountedView:
    """This will count provisional deadlines again, one batch after the other."""
    done = write.execute(procedures.recount_deadlines, after=data.after, limit=data.limit)
    return RecountedView(looked_at=done.looked_at, changed=done.changed, after=done.after)


def keep_file(platform: App, file: FileGiven) -> GivenFile:
    """This will put a file into the store. Raises FileUnreadable, BlobTooLarge."""
    try:
        content = base64.b64decode(file.content, validate=True)
    except (binascii.Error, ValueError):
        raise FileUnreadable(file=file.name[:60]) from None
    kept = platform.blobs.put(content, limit_bytes=FILE_BYTES_MAX)
    return GivenFile(name=file.name, sha256=kept.sha256, size=kept.size)


def _party(text: str | None) -> trust.PartyId | None:
    return None if text is None else trust.PartyId(text)


def _account(text: str | None) -> trust.AccountId | None:
    return None if text is None else trust.AccountId(text)


def _plain(value: object) -> dict[str, Any]:
    plain = to_plain(value)
    assert isinstance(plain, dict), "a value of several fields"
    return plain


def _ref(made: procedures.Procedure) -> ProcedureRef:
    return ProcedureRef(id=made.id, state=made.state, turn=made.turn, version=made.version)


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    known: list[Any] = [
        find_charts, register_chart, find_todos, find_procedures, get_procedure, get_document,
        get_document_file,
        open_procedure, make_move, name_participant, release_participant, fire_timers,
        recount_deadlines,
    ]  # fmt: skip
    return routes_of("/api/v1/trust/procedures", "procedures", known)
