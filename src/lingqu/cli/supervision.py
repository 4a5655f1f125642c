# SPDX-License-Identifier: Apache-2.0
"""`lingqu supervise`: refused attempts, cases and their holds, and the evidence about one thing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click

from lingqu import gate, market, supervision, trust
from lingqu.cli.acting import (
    act,
    caller,
    can_be_repeated,
    chosen,
    do,
    listed,
    made_by,
    more,
    opened,
    page_of,
    paged,
    reading,
)
from lingqu.cli.facts import FileExists, verify_command
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, table
from lingqu.cli.values import DAY, INSTANT, PATH, IdType, Member
from lingqu.errands import issue_paper
from lingqu.kernel import errors
from lingqu.kernel.money import Money
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx, documents
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.runtime.calendar import shift_days
from lingqu.runtime.documents import format_amount
from lingqu.runtime.i18n import translate
from lingqu.trust import holds
from lingqu.trust import log as logs
from lingqu.wiring import App, follow_log

CASE = IdType(supervision.CaseId)
PARTY = IdType(trust.PartyId)
FACT = IdType(trust.FactId)
REPORT = IdType(supervision.ReportId)
CONTRACT = IdType(market.ContractId)
PRODUCT = IdType(gate.ProductId)
BATCH = IdType(gate.MeterBatchId)


class UnknownForm(errors.Rejected):
    """A report is written as .xlsx, .docx or .pdf."""

    code = "cli.report.form"


@group("supervise")
def supervise() -> None:
    """What a supervisor sees and does."""


def _look(app: App) -> None:
    """Everything until now comes into the log and is followed, also where no platform runs."""
    app.sequencer.step()
    follow_log(app)


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
        _look(app)
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
    listed(run, page, heads, rows)


@supervise.command("flows")
@option("--contract", type=CONTRACT)
@option("--product", type=PRODUCT)
@option("--holder", type=PARTY)
@option("--refused", "only_refused", is_flag=True)
@paged
@click.pass_obj
def list_flows(
    run: Invocation,
    contract: market.ContractId | None,
    product: gate.ProductId | None,
    holder: trust.PartyId | None,
    only_refused: bool,  # noqa: FBT001  # a flag of the command line
    limit: int,
    after: str | None,
) -> None:
    """List uses as they were metered."""
    with opened(run) as app:
        _look(app)
        with app.database.reading(caller(run)) as tx:
            page = supervision.find_flows(
                tx,
                page=page_of(limit, after),
                contract=contract,
                product=product,
                holder=holder,
                is_refused=only_refused,
            )
    rows = [
        (run.moment(one.at), one.batch, one.contract or "", one.answered, one.refused,
         "" if one.charged is None else _yuan(one.charged))
        for one in page.items
    ]  # fmt: skip
    heads = run.heads("at", "batch", "contract", "answered", "refused", "charged")
    listed(run, page, heads, rows)


@supervise.command("flow")
@argument("batch", type=BATCH)
@click.pass_obj
def show_flow(run: Invocation, batch: gate.MeterBatchId) -> None:
    """Follow one use from its ground to its money."""
    with opened(run) as app:
        _look(app)
        with app.database.reading(caller(run)) as tx:
            path = supervision.get_flow(tx, batch)
    run.answer(plain_data(path), lambda: _path_lines(run, path))


@supervise.command("reconcile")
@option("--day", type=DAY, required=True)
@option("--contract", type=CONTRACT)
@can_be_repeated
@click.pass_obj
def reconcile(
    run: Invocation,
    day: date,
    contract: market.ContractId | None,
    command_id: trust.CommandId | None,
) -> None:
    """Compare meter, bill and ledger of a day."""
    command = chosen(run, command_id)
    with opened(run) as app:
        _look(app)
        if contract is None:
            made = supervision.reconcile_day(app.database, caller(run), day=day)
        else:
            one = act(
                run,
                app,
                supervision.reconcile_contract,
                command,
                reconciliation=made_by(command, supervision.ReconciliationId),
                contract=contract,
                begins=day,
                ends=shift_days(day, 1),
            )
            made = (one,)
    run.answer(
        {
            "agrees": all(one.agrees for one in made),
            "reconciliations": [
                {**one, "differences": plain_data(supervision.read_differences(each))}
                for each, one in ((each, _fields(each)) for each in made)
            ],
        },
        lambda: (
            [line for one in made for line in _reconciled_lines(run, one)]
            or [run.word("list.empty")]
        ),
    )


@supervise.command("about")
@argument("subject")
@paged
@click.pass_obj
def list_facts_about(run: Invocation, subject: str, limit: int, after: str | None) -> None:
    """List the facts that speak of a thing."""
    with opened(run) as app:
        _look(app)
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
    file = output.absolute()
    with storage_errors(file.parent):
        if file.exists():
            raise FileExists(file=str(file))
    with opened(run) as app:
        _look(app)
        with app.database.reading(caller(run)) as tx:
            text = supervision.bundle_of(tx, app.logs, subjects)
            key = logs.own_log(tx).keys[0].verifier
    with storage_errors(file.parent):
        replace_file(file, text.encode(), mode=0o644)
    words = verify_command(file, str(key))
    run.answer(
        {
            "file": file,
            "verifier_key": str(key),
            "fingerprint": key.fingerprint,
            "verify": words,
        },
        [
            run.word("supervise.bundle.written", file=str(file)),
            *labelled([(run.word("head.fingerprint"), key.fingerprint)]),
            "",
            shlex.join(words),
        ],
    )


@supervise.group("report")
def report() -> None:
    """Monthly reports."""


@report.command("make")
@argument("month", type=DAY)
@option("--issuer", type=PARTY, required=True)
@can_be_repeated
@click.pass_obj
def make_report(
    run: Invocation, month: date, issuer: trust.PartyId, command_id: trust.CommandId | None
) -> None:
    """Make the report of a month."""
    command = chosen(run, command_id)
    with opened(run) as app:
        _look(app)
        made = act(
            run,
            app,
            supervision.make_report,
            command,
            report=made_by(command, supervision.ReportId),
            month=month,
            issuer=issuer,
        )
    _answer_report(run, made)


@report.command("show")
@argument("report_id", type=REPORT)
@option("--output", type=PATH)
@click.pass_obj
def show_report(run: Invocation, report_id: supervision.ReportId, output: Path | None) -> None:
    """Show a report, or write it as .xlsx, .docx or .pdf."""
    with reading(run) as (app, tx):
        found = supervision.get_report(tx, report_id)
        content = None if output is None else _drawn(app, tx, found, output)
    if output is not None and content is not None:
        with storage_errors(output):
            replace_file(output, content)
    _answer_report(run, found)


@report.command("list")
@paged
@click.pass_obj
def list_reports(run: Invocation, limit: int, after: str | None) -> None:
    """List reports."""
    with reading(run) as (_, tx):
        page = supervision.find_reports(tx, page=page_of(limit, after))
    rows = [(one.id, f"{one.month:%Y-%m}", one.ends.isoformat(), one.issuer) for one in page.items]
    heads = run.heads("report", "month", "until", "issuer")
    listed(run, page, heads, rows)


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
    made = do(
        run,
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
    held = do(
        run,
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
    freed = do(run, supervision.lift_from_case, command, case=case_id)
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
    closed = do(run, supervision.close_case, command, case=case_id, outcome=outcome)
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
    listed(run, page, heads, rows)


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


def _yuan(fen: int) -> str:
    return format_amount(Money(fen, "CNY"))


def _fields(made: object) -> dict[str, object]:
    plain = plain_data(made)
    assert isinstance(plain, dict), "a value has fields"
    return plain


def _path_lines(run: Invocation, path: supervision.FlowPath) -> Iterator[str]:
    flow = path.flow
    yield from labelled([
        (run.word("head.batch"), flow.batch),
        (run.word("head.at"), run.moment(flow.at)),
        (run.word("head.product"), flow.product),
        (run.word("head.ground"), f"{path.ground} {'；'.join(path.articles)}"),
        *((run.word("head.grant"), f"{one.grant} → {one.holder}") for one in path.chain),
        (run.word("head.contract"), flow.contract or "—"),
        (run.word("head.answered"), str(flow.answered)),
        (run.word("head.refused"), str(flow.refused)),
        (run.word("head.charged"), "—" if flow.charged is None else _yuan(flow.charged)),
        *(
            (run.word("head.transfer"), f"{one.transfer} {_yuan(one.amount)}")
            for one in path.entries
        ),
        (run.word("head.hold"), "、".join(path.held) or "—"),
    ])  # fmt: skip
    yield ""
    rows = [(run.moment(one.at), one.fact, one.kind) for one in path.facts]
    yield from table(run.heads("at", "fact", "kind"), rows)


def _reconciled_lines(run: Invocation, made: supervision.Reconciliation) -> Iterator[str]:
    word = "agrees" if made.agrees else "differs"
    yield run.word(
        f"supervise.reconcile.{word}",
        contract=made.contract,
        calls=made.calls,
        metered=_yuan(made.metered),
        billed=_yuan(made.billed),
        posted=_yuan(made.posted),
        found=made.found,
        case=made.case_id or "",
    )
    for one in supervision.read_differences(made):
        yield "  " + run.word(
            "supervise.reconcile.difference",
            what=translate(f"supervision.difference.{one.kind.value}", run.language),
            call=one.call or one.batch or one.transfer or "",
            expected=_yuan(one.expected),
            found=_yuan(one.found),
        )


def _drawn(app: App, tx: Tx, found: supervision.Report, output: Path) -> bytes:
    form = output.suffix.lower().removeprefix(".")
    if form == "xlsx":
        return supervision.write_report(found)
    if form not in {one.value for one in documents.Format}:
        raise UnknownForm(file=output.name)
    paper = supervision.report_paper(tx, found)
    return issue_paper(app, paper, to=documents.Format(form)).content


def _answer_report(run: Invocation, made: supervision.Report) -> None:
    figures = supervision.read_figures(made)
    run.answer(
        {"report": {**_fields(made), "figures": plain_data(figures)}},
        lambda: [
            *labelled([
                (run.word("head.report"), made.id),
                (run.word("head.month"), f"{made.month:%Y-%m}"),
                (run.word("head.until"), made.ends.isoformat()),
                (run.word("head.digest"), made.digest),
            ]),
            "",
            *table(
                run.heads("indicator", "amount", "source"),
                [
                    (
                        translate(f"supervision.indicator.{one.code}", run.language),
                        _figure(run, one),
                        translate(f"supervision.origin.{one.origin.value}", run.language),
                    )
                    for one in figures
                ],
            ),
        ],
    )  # fmt: skip


def _figure(run: Invocation, figure: supervision.Figure) -> str:
    is_money = figure.unit.value == "fen"
    shown = _yuan(figure.month) if is_money else str(figure.month)
    return f"{shown} {translate(f'supervision.unit.{figure.unit.value}', run.language)}"


def _kind(run: Invocation, kind: supervision.CaseKind) -> str:
    return translate(f"supervision.case.kind.{kind.value}", run.language)
