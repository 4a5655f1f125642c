# SPDX-License-Identifier: Apache-2.0
"""The month's report: its figures, whether the records still give them, and its file."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import supervision, trust
from lingqu.runtime.calendar import local_day, shift_days
from lingqu.supervision import Report, ReportId
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input
from lingqu.ui.navigation import RUNNING, WATCHING
from lingqu.ui.papers import paper_answer, papers_card
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Show
from lingqu.ui.things import Card, Cell, Thing, id_cell, show_thing

REPORTS_PATH = "/supervision/reports"
_SEES = tuple(WATCHING | RUNNING)


@get(REPORTS_PATH, sync_to_thread=True)
def report_list(desk: FromDesk) -> Response[Any]:
    """This will list the monthly reports."""
    desk.require(*_SEES, kind=trust.Kind.REPORT)
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: supervision.find_reports(tx, page=page))
        names = desk.names(tx, {one.issuer for one in found})
        may_make = trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.REPORT)
    columns = (
        Column[Report](
            name="month",
            label="ui.ask.month",
            value=lambda one: f"{one.month:%Y-%m}",
            href=lambda one: f"{REPORTS_PATH}/{one.id}",
        ),
        Column[Report](
            name="issuer",
            label="ui.ask.issuer",
            value=lambda one: names.get(one.issuer, one.issuer),
        ),
        Column[Report](
            name="due", label="ui.report.due", value=lambda one: one.due_on, show=Show.DAY
        ),
        Column[Report](
            name="made", label="ui.report.made", value=lambda one: one.made_at, show=Show.INSTANT
        ),
    )
    return tables.list_page(
        desk,
        "ui.reports",
        tables.list_table(desk, found, columns=columns, is_cut=is_cut, has_file=False),
        actions=((*MAKE_REPORT.link(desk), "btn-primary"),) if may_make else (),
    )


@get(f"{REPORTS_PATH}/{{about:str}}", sync_to_thread=True)
def report_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show a month's figures as they were made.

    Asked to, it adds the records up again and says whether they still give the same.
    """
    desk.require(*_SEES, kind=trust.Kind.REPORT)
    with desk.reading() as tx:
        held = supervision.get_report(tx, ReportId(about))
        again = supervision.is_reproduced(tx, held) if desk.argument("check") else None
        names = desk.names(tx, {held.issuer})
        paper = (f"{REPORTS_PATH}/{about}/", desk.text("ui.report.paper"))
        papers = papers_card(desk, tx, about, paper)
    columns = (
        Column[supervision.Figure](
            name="code",
            label="ui.report.indicator",
            value=lambda one: f"supervision.indicator.{one.code}",
            show=Show.LABEL,
        ),
        *(_figure_column(part) for part in ("month", "before", "year_ago", "year")),
    )
    return show_thing(
        desk,
        Thing(
            title=desk.text("ui.report.of", month=f"{held.month:%Y-%m}"),
            lead=desk.text("ui.report.lead"),
            trail=((REPORTS_PATH, desk.text("ui.reports.title")),),
            badges=()
            if again is None
            else (
                Cell(
                    words=desk.text("ui.report.same" if again else "ui.report.differs"),
                    tone="good" if again else "bad",
                ),
            ),
            acts=((f"{REPORTS_PATH}/{about}?check=records", desk.text("ui.report.check")),),
            left=(
                Card(
                    name="figures",
                    title=desk.text("ui.report.figures"),
                    view=tables.list_table(
                        desk,
                        supervision.read_figures(held),
                        columns=columns,
                        is_searched=False,
                        has_file=False,
                    ),
                ),
            ),
            right=(
                Card(
                    name="about-it",
                    title=desk.text("ui.thing.about"),
                    rows=(
                        (desk.text("ui.ask.issuer"), names[held.issuer]),
                        (desk.text("ui.report.due"), desk.day(held.due_on)),
                        (desk.text("ui.report.made"), desk.when(held.made_at)),
                        (desk.text("ui.thing.digest"), id_cell(held.digest)),
                    ),
                    links=((f"{REPORTS_PATH}/{about}/xlsx", "XLSX"),),
                ),
                papers,
            ),
        ),
    )


def _figure_column(part: str) -> Column[supervision.Figure]:
    return Column[supervision.Figure](
        name=part,
        label=f"ui.report.{part}",
        value=lambda one: tables.minor_units(
            getattr(one, part), 2 if one.unit.value == "fen" else 0
        ),
        show=Show.MONEY,
    )


@get(f"{REPORTS_PATH}/{{about:str}}/{{ending:str}}", sync_to_thread=True)
def report_file(desk: FromDesk, about: FromPath[str], ending: FromPath[str]) -> Response[bytes]:
    """This will give a report as Excel, Word or PDF."""
    desk.require(*_SEES, kind=trust.Kind.REPORT)
    with desk.reading() as tx:
        held = supervision.get_report(tx, ReportId(about))
        name = f"监管月报-{held.month:%Y%m}"
        if ending == "xlsx":
            content = supervision.write_report(held)
            return tables.file_answer(content, name=f"{name}.xlsx", media_type=tables.XLSX)
        paper = supervision.report_paper(tx, held)
    return paper_answer(desk, paper, ending, name=name)


def _ask_report(desk: Desk, _: str) -> Asked:
    desk.require(*_SEES, kind=trust.Kind.REPORT)
    with desk.reading() as tx:
        first = local_day(tx.now).replace(day=1)
        names = desk.names(tx, desk.require().parties or (desk.require().party,))
    return Asked(
        trail=((REPORTS_PATH, desk.text("ui.reports.title")),),
        fields=(
            Field(
                name="month",
                show=Input.DAY,
                hint="ui.ask.month.hint",
                value=shift_days(first, -1).replace(day=1).isoformat(),
                refusals=("supervision.report",),
            ),
            Field(name="issuer", show=Input.CHOICE, options=tuple(names.items())),
        ),
    )


def _make_report(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    report = ReportId.of(command.uuid)
    desk.execute(
        command,
        supervision.make_report,
        report=report,
        month=given.day("month").replace(day=1),
        issuer=given.party("issuer"),
    )
    return f"{REPORTS_PATH}/{report}"


MAKE_REPORT = Act(
    name="make_report",
    path=f"{REPORTS_PATH}/make",
    command="supervision.report.make",
    ask=_ask_report,
    do=_make_report,
)
ACTS = (MAKE_REPORT,)
HANDLERS = (report_list, report_page, report_file)
