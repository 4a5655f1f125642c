# SPDX-License-Identifier: Apache-2.0
"""`lingqu supply finding`: look at loaded tables, and have what is wrong mended."""

from __future__ import annotations

import io
import json
from pathlib import Path

import click

from lingqu import supply as supplies
from lingqu import trust
from lingqu.cli.acting import (
    act,
    caller,
    can_be_repeated,
    chosen,
    listed,
    made_by,
    opened,
    page_of,
    paged,
    reading,
)
from lingqu.cli.facts import FileExists
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled
from lingqu.cli.values import PATH, IdType, Member
from lingqu.errands import Look, Seen, look_at
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.supply import FindingKind
from lingqu.trust import procedures
from lingqu.wiring import App

BODY = IdType(trust.PartyId)
RESOURCE = IdType(supplies.ResourceId)
FINDING = IdType(supplies.FindingId)
RULES = Member(FindingKind, without=(FindingKind.COMPARISON,))


@group("finding")
def finding() -> None:
    """What is wrong with loaded tables."""


@finding.command("compare")
@argument("resource_id", type=RESOURCE)
@argument("other_id", type=RESOURCE)
@option("--name", "name_column", required=True)
@option("--parent", required=True)
@option("--within", default="")
@option("--xlsx", type=PATH)
@option("--inspector", type=BODY)
@option("--responsible", type=BODY)
@option("--superior", type=BODY)
@option("--title")
@can_be_repeated
@click.pass_obj
def compare(
    run: Invocation,
    resource_id: supplies.ResourceId,
    other_id: supplies.ResourceId,
    name_column: str,
    parent: str,
    within: str,
    xlsx: Path | None,
    inspector: trust.PartyId | None,
    responsible: trust.PartyId | None,
    superior: trust.PartyId | None,
    title: str | None,
    command_id: trust.CommandId | None,
) -> None:
    """Compare two loaded code books; with an inspector, record what is wrong."""
    name, _, other_name = name_column.partition("=")
    above, _, other_above = parent.partition("=")
    look = Look(
        kind=FindingKind.COMPARISON,
        resource=resource_id,
        other=other_id,
        name=name,
        parent=above,
        other_name=other_name or None,
        other_parent=other_above or None,
        within=within,
    )
    named = _Named(inspector, responsible, superior, title)
    _look(run, look, named, command_id, xlsx=xlsx)


@finding.command("check")
@argument("resource_id", type=RESOURCE)
@argument("column")
@option("--rule", "kind", type=RULES, required=True)
@option("--within", default="")
@option("--inspector", type=BODY)
@option("--responsible", type=BODY)
@option("--superior", type=BODY)
@option("--title")
@can_be_repeated
@click.pass_obj
def check(
    run: Invocation,
    resource_id: supplies.ResourceId,
    column: str,
    kind: FindingKind,
    within: str,
    inspector: trust.PartyId | None,
    responsible: trust.PartyId | None,
    superior: trust.PartyId | None,
    title: str | None,
    command_id: trust.CommandId | None,
) -> None:
    """Hold a column to a rule of quality; with an inspector, record what is wrong."""
    look = Look(kind=kind, resource=resource_id, column=column, within=within)
    _look(run, look, _Named(inspector, responsible, superior, title), command_id)


@finding.command("list")
@option("--body", type=BODY)
@paged
@click.pass_obj
def list_findings(
    run: Invocation, body: trust.PartyId | None, limit: int, after: str | None
) -> None:
    """List findings."""
    with reading(run) as (_, tx):
        page = supplies.find_findings(tx, page=page_of(limit, after), body=body)
    heads = run.heads("finding", "title", "faults", "responsible")
    rows = [(one.id, one.title, f"{one.faults:,}", one.responsible) for one in page.items]
    listed(run, page, heads, rows)


@finding.command("show")
@argument("finding_id", type=FINDING)
@click.pass_obj
def show_finding(run: Invocation, finding_id: supplies.FindingId) -> None:
    """Show one finding and how far its rectification is."""
    with reading(run) as (_, tx):
        found = supplies.get_finding(tx, finding_id)
        view = procedures.get_procedure(tx, found.procedure)
    state = next(one for one in view.chart.states if one.name == view.procedure.state)
    label = state.label.zh if run.language == "zh-CN" else state.label.en
    run.answer(
        {"finding": plain_data(found), "state": view.procedure.state},
        lambda: [
            *_finding_lines(run, found),
            *labelled([(run.word("head.state"), label)]),
            "",
            *_figures(run, json.loads(found.figures)),
        ],
    )


class _Named:
    """Who finds and who mends, where a finding is to be recorded."""

    def __init__(
        self,
        inspector: trust.PartyId | None,
        responsible: trust.PartyId | None,
        superior: trust.PartyId | None,
        title: str | None,
    ) -> None:
        self.inspector, self.responsible = inspector, responsible
        self.superior, self.title = superior, title


def _look(
    run: Invocation,
    look: Look,
    named: _Named,
    command_id: trust.CommandId | None,
    *,
    xlsx: Path | None = None,
) -> None:
    if named.inspector is not None:
        for option_name, given in (("--responsible", named.responsible), ("--title", named.title)):
            if given is None:
                raise click.exceptions.MissingParameter(param_type="option", param_hint=option_name)
    with opened(run) as app:
        with run.step("supply.finding.step"):
            seen = look_at(app, caller(run), look)
        if xlsx is not None and seen.comparison is not None:
            write_conflicts(seen.comparison, xlsx)
        made = _record(run, app, seen, named, command_id)
    observation = seen.observation
    safe = None if seen.comparison is None else seen.comparison.safe_key
    lines = _figures(run, {one.name: one.count for one in observation.figures})
    if observation.examples:
        lines += labelled([(run.word("head.examples"), "、".join(observation.examples))])
    if safe is not None:
        lines += ["", *run.word(f"supply.compare.safe_{safe.value}").splitlines()]
    document = {"observation": plain_data(observation), "safe_key": None if safe is None else safe}
    if made is not None:
        document |= {"finding": plain_data(made)}
        lines += ["", run.word("supply.finding.opened"), *_finding_lines(run, made)]
        lines += ["", run.word("supply.finding.next", procedure=made.procedure)]
    run.answer(document, lines)


def _record(
    run: Invocation,
    app: App,
    seen: Seen,
    named: _Named,
    command_id: trust.CommandId | None,
) -> supplies.Finding | None:
    if named.inspector is None or named.responsible is None or named.title is None:
        return None
    command = chosen(run, command_id)
    return act(
        run,
        app,
        supplies.open_finding,
        command,
        finding=made_by(command, supplies.FindingId),
        observation=seen.observation,
        title=named.title,
        inspector=named.inspector,
        responsible=named.responsible,
        superior=named.superior,
    )


def write_conflicts(found: supplies.Comparison, file: Path) -> None:
    """This will write the codes that bear two names as a workbook. Raises FileExists."""
    file = file.absolute()
    with storage_errors(file.parent):
        if file.exists():
            raise FileExists(file=str(file))
    target = io.BytesIO()
    supplies.write_comparison(target, found)
    replace_file(file, target.getvalue(), mode=0o644)


def _figures(run: Invocation, figures: dict[str, int]) -> list[str]:
    return labelled(
        (run.word(f"supply.figure.{name}"), f"{count:,}") for name, count in figures.items()
    )


def _finding_lines(run: Invocation, one: supplies.Finding) -> list[str]:
    return labelled([
        (run.word("head.finding"), one.id),
        (run.word("head.title"), one.title),
        (run.word("head.faults"), f"{one.faults:,}"),
        (run.word("head.responsible"), one.responsible),
        (run.word("head.procedure"), one.procedure),
    ])  # fmt: skip
