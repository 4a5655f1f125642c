# SPDX-License-Identifier: Apache-2.0
"""`lingqu supervise`: refused attempts, cases and their holds, and the evidence about one thing."""

from __future__ import annotations

from pathlib import Path

import click

from lingqu import supervision, trust
from lingqu.cli.acting import (
    act,
    caller,
    can_be_repeated,
    chosen,
    made_by,
    opened,
    page_of,
    paged,
    reading,
)
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.parties import more
from lingqu.cli.text import labelled, table
from lingqu.cli.values import INSTANT, PATH, IdType, Member
from lingqu.kernel.time import Instant
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.runtime.i18n import translate
from lingqu.trust import holds
from lingqu.wiring import follow_log

CASE = IdType(supervision.CaseId)
PARTY = IdType(trust.PartyId)
FACT = IdType(trust.FactId)


@group("supervise")
def supervise() -> None:
    """What a supervisor sees and does."""


@supervise.command("refused")
@option("--party", type=PARTY)
@option("--code")
@option("--act", "attempted")
@option("--since", type=INSTANT)
@option("--until", type=INSTANT)
@paged
@click.pass_obj
def list_refused(
    run: Invocation,
    party: trust.PartyId | None,
    code: str | None,
    attempted: str | None,
    since: Instant | None,
    until: Instant | None,
    limit: int,
    after: str | None,
) -> None:
    """List refused attempts."""
    with opened(run) as app:
        follow_log(app)
        with app.database.reading(caller(run)) as tx:
            page = supervision.find_refused(
                tx,
                page=page_of(limit, after),
                party=party,
                code=code,
                act=attempted,
                since=since,
                until=until,
            )
    rows = [
        (run.moment(one.at), one.party or one.account, one.act, one.code, one.article or "")
        for one in page.items
    ]
    heads = run.heads("at", "who", "act", "code", "article")
    run.answer(
        {"items": plain_data(page.items), "next": page.next},
        [*(table(heads, rows) if rows else [run.word("list.empty")]), *more(run, page.next)],
    )


@supervise.command("about")
@argument("subject")
@paged
@click.pass_obj
def list_facts_about(run: Invocation, subject: str, limit: int, after: str | None) -> None:
    """List the facts that speak of a thing."""
    with opened(run) as app:
        follow_log(app)
        with app.database.reading(caller(run)) as tx:
            page = supervision.find_facts_about(tx, subject=subject, page=page_of(limit, after))
            facts = [trust.get_fact(tx, one) for one in page.items]
    rows = [(run.moment(one.at), one.id, one.kind) for one in facts]
    run.answer(
        {"items": [plain_data(one.entry) for one in facts], "next": page.next},
        [
            *(table(run.heads("at", "fact", "kind"), rows) if rows else [run.word("list.empty")]),
            *more(run, page.next),
        ],
    )


@supervise.command("bundle")
@argument("subjects", nargs=-1, required=True)
@option("--output", type=PATH, required=True)
@click.pass_obj
def write_bundle(run: Invocation, subjects: tuple[str, ...], output: Path) -> None:
    """Write the evidence about things as one bundle."""
    with opened(run) as app:
        app.sequencer.step()
        follow_log(app)
        with app.database.reading(caller(run)) as tx:
            text = supervision.bundle_of(tx, app.logs, subjects)
    with storage_errors(output):
        replace_file(output, text.encode())
    run.answer(
        {"file": output, "bytes": len(text.encode())},
        [run.word("supervise.bundle.written", file=str(output))],
    )


@supervise.group("case")
def case() -> None:
    """What a supervisor looks into."""


@case.command("open")
@argument("subject")
@option("--kind", type=Member(supervision.CaseKind), required=True)
@option("--summary", required=True)
@option("--evidence", type=FACT)
@can_be_repeated
@click.pass_obj
def open_case(
    run: Invocation,
    subject: str,
    kind: supervision.CaseKind,
    summary: str,
    evidence: trust.FactId | None,
    command_id: trust.CommandId | None,
) -> None:
    """Open a case."""
    command = chosen(run, command_id)
    with opened(run) as app:
        made = act(
            run,
            app,
            supervision.open_case,
            command,
            case=made_by(command, supervision.CaseId),
            kind=kind,
            subject=subject,
            summary=summary,
            evidence=evidence,
        )
    _answer(run, command, made)


@case.command("hold")
@argument("case_id", type=CASE)
@option("--reason", type=Member(holds.HoldReason), default="supervision", show_default=True)
@option("--article", required=True)
@can_be_repeated
@click.pass_obj
def hold(
    run: Invocation,
    case_id: supervision.CaseId,
    reason: holds.HoldReason,
    article: str,
    command_id: trust.CommandId | None,
) -> None:
    """Hold the subject of a case."""
    command = chosen(run, command_id)
    with opened(run) as app:
        held = act(
            run,
            app,
            supervision.hold_from_case,
            command,
            case=case_id,
            hold=made_by(command, holds.HoldId),
            reason=reason,
            article=article,
        )
    _answer(run, command, held)


@case.command("lift")
@argument("case_id", type=CASE)
@can_be_repeated
@click.pass_obj
def lift(run: Invocation, case_id: supervision.CaseId, command_id: trust.CommandId | None) -> None:
    """Lift the hold of a case."""
    command = chosen(run, command_id)
    with opened(run) as app:
        freed = act(run, app, supervision.lift_from_case, command, case=case_id)
    _answer(run, command, freed)


@case.command("close")
@argument("case_id", type=CASE)
@option("--outcome", required=True)
@can_be_repeated
@click.pass_obj
def close(
    run: Invocation,
    case_id: supervision.CaseId,
    outcome: str,
    command_id: trust.CommandId | None,
) -> None:
    """Close a case."""
    command = chosen(run, command_id)
    with opened(run) as app:
        closed = act(run, app, supervision.close_case, command, case=case_id, outcome=outcome)
    _answer(run, command, closed)


@case.command("list")
@option("--subject")
@option("--open", "only_open", is_flag=True)
@paged
@click.pass_obj
def list_cases(
    run: Invocation,
    subject: str | None,
    only_open: bool,  # noqa: FBT001  # a flag of the command line
    limit: int,
    after: str | None,
) -> None:
    """List cases."""
    with reading(run) as (_, tx):
        page = supervision.find_cases(
            tx, page=page_of(limit, after), subject=subject, only_open=only_open
        )
    rows = [
        (one.id, _kind(run, one.kind), one.subject, one.hold or "", one.outcome or "")
        for one in page.items
    ]
    heads = run.heads("case", "kind", "subject", "hold", "outcome")
    run.answer(
        {"items": plain_data(page.items), "next": page.next},
        [*(table(heads, rows) if rows else [run.word("list.empty")]), *more(run, page.next)],
    )


def _answer(run: Invocation, command: trust.CommandId, made: supervision.Case) -> None:
    run.answer(
        {"command": command, "case": plain_data(made)},
        lambda: [
            *labelled([
                (run.word("head.case"), made.id),
                (run.word("head.kind"), _kind(run, made.kind)),
                (run.word("head.subject"), made.subject),
                (run.word("head.hold"), made.hold or "—"),
                (run.word("head.outcome"), made.outcome or "—"),
            ]),
            "",
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


def _kind(run: Invocation, kind: supervision.CaseKind) -> str:
    return translate(f"supervision.case.kind.{kind.value}", run.language)
