# SPDX-License-Identifier: Apache-2.0
"""`lingqu procedure`: what must be done, what stands where, opening, moving, and the clocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from lingqu import trust
from lingqu.cli.acting import (
    act,
    can_be_repeated,
    chosen,
    do,
    listed,
    made_by,
    opened,
    page_of,
    paged,
    reading,
)
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.papers import put_paper
from lingqu.cli.parties import PARTY
from lingqu.cli.text import labelled, table
from lingqu.cli.values import PATH, IdType, Member
from lingqu.kernel import errors
from lingqu.kernel.charts import Label
from lingqu.runtime import documents
from lingqu.runtime.blobs import BlobStore, storage_errors
from lingqu.trust import procedures
from lingqu.trust.procedures import Clock, GivenFile, Part, ProcedureView

PROCEDURE = IdType(procedures.ProcedureId)
ATTACHMENT_BYTES_MAX = 256 << 20
_MYSELF = "me"


class BadPart(errors.Rejected):
    """A part is written ROLE=PARTY, ROLE=ACCOUNT or ROLE=me."""

    code = "cli.procedure.bad_part"


class BadTermGiven(errors.Rejected):
    """A term is written CLOCK=NUMBER."""

    code = "cli.procedure.bad_term"


@group("procedure")
def procedure() -> None:
    """Matters that move by a chart, and their clocks."""


@procedure.command("charts")
@click.pass_obj
def charts(run: Invocation) -> None:
    """List the charts."""
    with reading(run) as (_, tx):
        found = procedures.find_charts(tx)
    rows = [
        (one.code, one.edition, _say(run, one.label), len(one.states), len(one.timers))
        for one in found
    ]
    run.answer(
        {"items": plain_data(found)},
        table(run.heads("chart", "edition", "name", "states", "clocks"), rows),
    )


@procedure.command("todo")
@click.pass_obj
def todo(run: Invocation) -> None:
    """List what must be done here."""
    with reading(run) as (_, tx):
        found = procedures.find_todos(tx)
    rows = [
        (
            run.word(f"urgency.{one.urgency.value}"),
            _left(run, one.clock),
            one.procedure.id,
            one.procedure.title,
            _say(run, one.state),
            _say(run, one.role),
            (one.clock.article or "") if one.clock is not None else "",
        )
        for one in found
    ]
    heads = run.heads("urgency", "left", "procedure", "name", "state", "role", "article")
    run.answer(
        {"items": plain_data(found)}, table(heads, rows) if rows else [run.word("list.empty")]
    )


@procedure.command("list")
@option("--chart", metavar="CODE")
@option("--subject", metavar="ID")
@option("--running", is_flag=True)
@paged
@click.pass_obj
def show_all(
    run: Invocation,
    chart: str | None,
    subject: str | None,
    running: bool,  # noqa: FBT001  # a flag of the command line
    limit: int,
    after: str | None,
) -> None:
    """List procedures."""
    with reading(run) as (_, tx):
        page = procedures.find_procedures(
            tx, page=page_of(limit, after), code=chart, subject=subject, only_running=running
        )
    rows = [(one.id, one.code, one.state, one.title) for one in page.items]
    heads = run.heads("procedure", "chart", "state", "name")
    listed(run, page, heads, rows)


@procedure.command("show")
@argument("procedure_id", type=PROCEDURE)
@click.pass_obj
def show(run: Invocation, procedure_id: procedures.ProcedureId) -> None:
    """Show one procedure with its clocks, its history and what can be done now."""
    with reading(run) as (_, tx):
        view = procedures.get_procedure(tx, procedure_id)
        papers = procedures.find_documents(tx, procedure=procedure_id)
    run.answer(
        {"procedure": plain_data(view), "documents": plain_data(papers)},
        lambda: [
            *_particulars(run, view),
            *_clock_lines(run, view.clocks),
            *_step_lines(run, view),
            *_choice_lines(run, view),
            *[f"{one.name}: {_say(run, one.label)}" for one in papers],
        ],
    )


@procedure.command("open")
@argument("chart")
@option("--subject", required=True, metavar="ID")
@option("--title", required=True)
@option("--owner", required=True, type=PARTY)
@option("--part", "parts", multiple=True, metavar="ROLE=WHO")
@option("--term", "terms", multiple=True, metavar="CLOCK=NUMBER")
@can_be_repeated
@click.pass_obj
def open_one(
    run: Invocation,
    chart: str,
    subject: str,
    title: str,
    owner: trust.PartyId,
    parts: Sequence[str],
    terms: Sequence[str],
    command_id: trust.CommandId | None,
) -> None:
    """Open a procedure."""
    command = chosen(run, command_id)
    named = tuple(_part(text) for text in parts)
    counts = _terms(terms)
    made = do(
        run,
        procedures.open_procedure,
        command,
        procedure=made_by(command, procedures.ProcedureId),
        chart=chart,
        subject=subject,
        title=title,
        owner=owner,
        parts=named,
        terms=counts,
    )
    _stands(run, command, made)


@procedure.command("move")
@argument("procedure_id", type=PROCEDURE)
@argument("move")
@option("--version", type=click.IntRange(min=1))
@option("--opinion")
@option("--reason")
@option("--attach", "files", multiple=True, type=PATH)
@option("--term", "terms", multiple=True, metavar="CLOCK=NUMBER")
@can_be_repeated
@click.pass_obj
def move_one(
    run: Invocation,
    procedure_id: procedures.ProcedureId,
    move: str,
    version: int | None,
    opinion: str | None,
    reason: str | None,
    files: Sequence[Path],
    terms: Sequence[str],
    command_id: trust.CommandId | None,
) -> None:
    """Make a move."""
    command = chosen(run, command_id)
    counts = _terms(terms)
    with opened(run) as app:
        if version is None:
            with app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
                version = procedures.get_procedure(tx, procedure_id).procedure.version
        moved = act(
            run,
            app,
            procedures.move_procedure,
            command,
            procedure=procedure_id,
            move=move,
            version=version,
            opinion=opinion,
            reason=reason,
            files=tuple(_keep(app.blobs, file) for file in files),
            terms=counts,
        )
    _stands(run, command, moved)


@procedure.command("document")
@argument("procedure_id", type=PROCEDURE)
@argument("name")
@option(
    "--format",
    "to",
    type=Member(documents.Format),
    default=documents.Format.DOCX.value,
    show_default=True,
)
@option("--output", type=PATH)
@click.pass_obj
def document(
    run: Invocation,
    procedure_id: procedures.ProcedureId,
    name: str,
    to: documents.Format,
    output: Path | None,
) -> None:
    """Write a document the procedure produced."""
    with reading(run) as (app, tx):
        paper = procedures.document_data(tx, procedure=procedure_id, document=name)
        file, made = put_paper(app, paper, to, output or Path(f"{procedure_id}-{name}.{to.value}"))
    run.answer(
        {"file": file, "paper": plain_data(paper), "sha256": made.sha256},
        [
            run.word("document.written", title=_say(run, paper.label), file=str(file)),
            *labelled([("SHA-256", made.sha256)]),
        ],
    )


@procedure.command("fire")
@click.pass_obj
def fire(run: Invocation) -> None:
    """Let clocks act that have run out."""
    with opened(run) as app:
        fired = procedures.fire_due_timers(app.database, trust.LOCAL_ADMINISTRATOR)
    run.answer({"timers": fired}, [run.word("procedure.fired", count=fired)])


@procedure.command("recount")
@click.pass_obj
def recount(run: Invocation) -> None:
    """Count provisional deadlines again."""
    with opened(run) as app:
        changed = procedures.recount_all_deadlines(app.database, trust.LOCAL_ADMINISTRATOR)
    run.answer({"changed": changed}, [run.word("procedure.recounted", count=changed)])


def _stands(run: Invocation, command: trust.CommandId, one: procedures.Procedure) -> None:
    run.answer(
        {"command": command, "procedure": plain_data(one)},
        lambda: [
            *labelled([
                (run.word("head.procedure"), one.id),
                (run.word("head.state"), one.state),
                (run.word("head.role"), one.turn),
                (run.word("head.version"), one.version),
            ]),
            "",
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


def _part(text: str) -> Part:
    role, _, who = text.partition("=")
    if not role or not who:
        raise BadPart(text=text[:60])
    if who == _MYSELF:
        return Part(role=role, account=trust.AccountId(trust.LOCAL_ADMINISTRATOR.account))
    if who.startswith(f"{trust.AccountId.prefix}_"):
        return Part(role=role, account=trust.AccountId(who))
    return Part(role=role, party=trust.PartyId(who))


def _terms(texts: Sequence[str]) -> dict[str, int]:
    found = {}
    for text in texts:
        name, _, count = text.partition("=")
        if not name or not (count.isascii() and count.isdigit() and len(count) <= 6):
            raise BadTermGiven(text=text[:60])
        found[name] = int(count)
    return found


def _keep(blobs: BlobStore, file: Path) -> GivenFile:
    with storage_errors(file), file.open("rb") as stream:
        kept = blobs.put(stream, limit_bytes=ATTACHMENT_BYTES_MAX)
    return GivenFile(name=file.name, sha256=kept.sha256, size=kept.size)


def _say(run: Invocation, label: Label) -> str:
    return label.en if run.language == "en" else label.zh


def _left(run: Invocation, clock: Clock | None) -> str:
    if clock is None or clock.days_left is None:
        return ""
    mark = run.word("procedure.provisional") if clock.is_provisional else ""
    return run.word(f"procedure.left.{clock.unit}", count=clock.days_left) + mark


def _particulars(run: Invocation, view: ProcedureView) -> list[str]:
    one = view.procedure
    states = {state.name: state.label for state in view.chart.states}
    return labelled([
        (run.word("head.procedure"), one.id),
        (run.word("head.chart"), f"{one.code} {_say(run, view.chart.label)}"),
        (run.word("head.name"), one.title),
        (run.word("head.subject"), one.subject),
        (run.word("head.party"), one.owner),
        (run.word("head.state"), f"{one.state} {_say(run, states[one.state])}"),
        (run.word("head.role"), one.turn),
        (run.word("head.version"), one.version),
        (run.word("head.created"), run.moment(one.opened_at)),
    ])  # fmt: skip


def _clock_lines(run: Invocation, clocks: Sequence[Clock]) -> list[str]:
    if not clocks:
        return []
    rows = [
        (
            _say(run, one.label),
            one.due_on.isoformat(),
            _left(run, one),
            run.word(f"urgency.{one.urgency.value}"),
            one.article or "",
        )
        for one in clocks
    ]
    return ["", *table(run.heads("clock", "due", "left", "urgency", "article"), rows)]


def _step_lines(run: Invocation, view: ProcedureView) -> list[str]:
    moves = {move.name: move.label for move in view.chart.moves}
    roles = {role.name: role.label for role in view.chart.roles}
    rows = [
        (
            step.day.isoformat(),
            _say(run, moves[step.move]),
            _say(run, roles[step.role]) if step.role in roles else run.word("procedure.itself"),
            step.opinion or step.reason or "",
        )
        for step in view.steps
    ]
    return ["", *table(run.heads("day", "move", "role", "opinion"), rows)] if rows else []


def _choice_lines(run: Invocation, view: ProcedureView) -> list[str]:
    rows = [(one.name, _say(run, one.label), one.article or "") for one in view.choices]
    return ["", *table(run.heads("move", "name", "article"), rows)] if rows else []
