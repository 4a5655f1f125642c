# SPDX-License-Identifier: Apache-2.0
"""`lingqu division`: what a division code names on a day, and the units found by name."""

from __future__ import annotations

from datetime import date, datetime

import click

from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, table
from lingqu.cli.values import Member
from lingqu.runtime import REAL_TIME
from lingqu.runtime.i18n import translate
from lingqu.trust import divisions

DAY = click.DateTime(["%Y-%m-%d"])


@group("division")
def division() -> None:
    """Administrative divisions by their codes."""


@division.command("show")
@argument("code")
@option("--on", type=DAY)
@option("--book", type=Member(divisions.Book), default="civil_affairs", show_default=True)
@click.pass_obj
def show(run: Invocation, code: str, on: datetime | None, book: divisions.Book) -> None:
    """Show what a code names on a day."""
    day = _day(on)
    unit = divisions.get(code, on=day, book=book)
    above = divisions.ancestors(code, on=day, book=book)
    events = divisions.changes(code)
    rows = [
        (str(one.year), one.kind.value, f"{one.old_code} {one.old_name}".strip(),
         f"{one.new_code} {one.new_name}".strip())
        for one in events
    ]  # fmt: skip
    run.answer(
        {
            "division": plain_data(unit),
            "ancestors": plain_data(above),
            "changes": plain_data(events),
        },
        lambda: [
            *labelled([
                (run.word("head.division"), unit.code),
                (run.word("head.name"), "".join(one.name for one in (*above, unit))),
                (run.word("head.level"), _level(run, unit)),
            ]),
            *([""] if rows else []),
            *(table(run.heads("year", "change", "before", "after"), rows) if rows else []),
        ],
    )  # fmt: skip


@division.command("find")
@argument("text")
@option("--on", type=DAY)
@option("--within")
@option("--book", type=Member(divisions.Book), default="civil_affairs", show_default=True)
@click.pass_obj
def find(
    run: Invocation, text: str, on: datetime | None, within: str | None, book: divisions.Book
) -> None:
    """Find units by name."""
    found = divisions.find(text, on=_day(on), within=within, book=book)
    rows = [(one.code, one.name, _level(run, one)) for one in found]
    run.answer(
        {"items": plain_data(found)},
        table(run.heads("division", "name", "level"), rows) if rows else [run.word("list.empty")],
    )


def _day(on: datetime | None) -> date:
    return REAL_TIME.now().date() if on is None else on.date()


def _level(run: Invocation, one: divisions.Division) -> str:
    return translate(f"trust.division.level.{one.level.value}", run.language)
