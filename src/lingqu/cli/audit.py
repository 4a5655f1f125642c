# SPDX-License-Identifier: Apache-2.0
"""`lingqu audit`: has anything been changed behind the log's back?"""

from __future__ import annotations

import click

from lingqu.cli.acting import opened
from lingqu.cli.failures import Found
from lingqu.cli.grammar import command
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, plain
from lingqu.supply import collection
from lingqu.trust import audit as audits
from lingqu.trust import log as logs
from lingqu.wiring import App

SHOWN = 50


@command("audit")
@click.pass_obj
def audit(run: Invocation) -> None:
    """Compare every row with the facts, and every fact with the log."""
    with opened(run) as app, run.step("audit.step"):
        report = audit_now(app)
    run.answer(plain_data(report), lambda: audit_lines(run, report))
    if report.findings:
        raise Found


def audit_now(app: App) -> audits.AuditReport:
    """This will audit an opened installation."""
    witnesses = [logs.Witness.parse(text).key for text in app.settings.witnesses]
    return audits.run_audit(
        app.database,
        app.logs,
        witnesses=witnesses,
        files=(lambda tx: collection.check_files(tx, app.tables),),
    )


def audit_lines(run: Invocation, report: audits.AuditReport) -> list[str]:
    """This will say what was looked at and what was found."""
    found = report.findings
    lines = [
        run.word("audit.clean") if not found else run.word("audit.found", count=len(found)),
        *labelled([
            (run.word("head.facts"), report.facts),
            (run.word("head.rows"), report.rows),
            (run.word("head.commands"), report.commands),
            (run.word("head.tables"), report.tables),
        ]),
    ]  # fmt: skip
    for one in found[:SHOWN]:
        lines += ["", f"✗ {run.word(f'finding.{one.what.value}')}"]
        lines += labelled([
            (run.word("head.place"), one.place),
            (run.word("head.row_key"), one.key or None),
            (run.word("head.fact"), one.fact or None),
            (run.word("head.expected"), _shown(one.expected)),
            (run.word("head.found"), _shown(one.found)),
        ])  # fmt: skip
    if len(found) > SHOWN:
        lines += ["", run.word("audit.more", count=len(found) - SHOWN)]
    return lines


def _shown(text: str) -> str | None:
    return plain(text)[:2000] or None
