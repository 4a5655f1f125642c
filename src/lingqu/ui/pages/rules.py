# SPDX-License-Identifier: Apache-2.0
"""The rulebook: found by words, one rule with the text of its article, and what differs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu.kernel.time import Instant
from lingqu.runtime.calendar import local_day, parse_day
from lingqu.trust import rulebook
from lingqu.trust.rulebook import Difference, Kind, Rule, Rulebook, State
from lingqu.ui import tables
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk, clip
from lingqu.ui.tables import Column, Filter, Option, Show

PATH = "/trust/rules"
DIFF_PATH = "/trust/rules/compare"
_SAID_MAX = 120
TONES = {
    State.BINDING: "good",
    State.DRAFT: "wait",
    State.OFF: "bad",
    State.OVERRIDDEN: "",
    State.REFERENCE: "",
    State.OUT_OF_PERIOD: "",
}


@get(PATH, sync_to_thread=True)
def rule_list(desk: FromDesk) -> Response[Any]:
    """This will list the rules of a region on a day; open to everyone."""
    book = _book(desk, desk.argument("profile"), desk.argument("on"))
    words = desk.argument("q")
    found = rulebook.search(book, words) if words else book.known()
    columns, filters = _columns(desk, book), _filters(desk, book)
    ask = tables.ask_of(desk, columns, filters)
    kept = tables.pick(
        found,
        ask=tables.without_words(ask),
        columns=columns,
        filters=filters,
        language=desk.visit.language,
    )
    if ask.as_file:
        return tables.sheet(desk, kept, columns=columns, name=desk.text("ui.rules.title"))
    return desk.show(
        "trust/rules.html",
        book=book,
        profiles=tuple((one.name, _title(desk, one)) for one in rulebook.profiles()),
        view=tables.draw(desk, kept, columns=columns, ask=ask, filters=filters),
    )


@get(DIFF_PATH, sync_to_thread=True)
def compare_rules(desk: FromDesk) -> Response[str]:
    """This will show what two regions, or two days of one, say differently."""
    asked = {name: desk.argument(name) for name in ("before", "after", "before_on", "after_on")}
    before = _book(desk, asked["before"], asked["before_on"])
    after = _book(desk, asked["after"], asked["after_on"])
    return desk.show(
        "trust/rules_compare.html",
        before=before,
        after=after,
        profiles=tuple((one.name, _title(desk, one)) for one in rulebook.profiles()),
        found=sorted(rulebook.diff(before, after), key=lambda one: "rule" in one.fields),
        said=lambda one: clip(_said(desk, one), _SAID_MAX),
        changed=lambda one: _changed(desk, one),
        title=lambda one: _title(desk, one),
    )


@get(f"{PATH}/{{code:str}}", sync_to_thread=True)
def rule_page(desk: FromDesk, code: FromPath[str]) -> Response[str]:
    """This will show everything under one code: what binds, drafts beside it, the article."""
    book = _book(desk, desk.argument("profile"), desk.argument("on"))
    order = [*State]
    under = {(one.code, one.layer): one for one in book.beside(code)}
    under |= {(one.code, one.layer): one for one in book.known() if one.code == code}
    if not any(one.code == code for one in under.values()):
        book.rule(code)
    found = sorted(under.values(), key=lambda one: order.index(book.state(one)))
    return desk.show(
        "trust/rule.html",
        book=book,
        rules=tuple((one, book.state(one), book.text(one)) for one in found),
        tones={state.value: tone for state, tone in TONES.items()},
        said=lambda one: _said(desk, one),
        title=lambda one: _title(desk, one),
        day=lambda one: _day(desk, one),
    )


def _book(desk: Desk, profile: str, on: str) -> Rulebook:
    with desk.reading() as tx:
        book, today = rulebook.of(tx), local_day(tx.now)
    if profile and profile != book.profile.name:
        book = rulebook.open_rulebook(profile).on(today)
    return book.on(parse_day(on)) if on else book


def _title(desk: Desk, one: Any) -> str:
    title: str = one.title_en if desk.visit.language == "en" else one.title_zh
    return title


def _day(desk: Desk, instant: Instant | None) -> str:
    return "–" if instant is None else desk.day(local_day(instant))


def _said(desk: Desk, one: Rule | None) -> str:
    """The value of a rule as a person says it."""
    if one is None:
        return "–"
    english = desk.visit.language == "en"
    if one.kind is Kind.BODY:
        return (one.name_en if english else one.name_zh) or "–"
    if one.kind is Kind.CALENDAR_DAY:
        return desk.series(day.isoformat() for day in one.days_off)
    if one.items:
        said = (item.en if english else item.zh for item in one.items)
        return ("; " if english else "；").join(said)
    if one.value is None:
        return "–"
    if isinstance(one.value, date) or one.kind is Kind.FORMULA:
        return str(one.value)
    number = f"{one.value:,}" if isinstance(one.value, int | Decimal) else str(one.value)
    code = f"cli.rules.unit.{one.unit}"
    words = desk.text(code, value=number)
    return number if words == code else words


def _changed(desk: Desk, one: Difference) -> str:
    return desk.series(desk.text(f"ui.rule_part.{name}") for name in one.fields)


def _columns(desk: Desk, book: Rulebook) -> tuple[Column[Rule], ...]:
    asked = {name: desk.argument(name) for name in ("profile", "on")}
    tail = "&".join(f"{name}={value}" for name, value in asked.items() if value)
    return (
        Column[Rule](
            name="title",
            label="ui.rule.title",
            value=lambda one: _title(desk, one),
            href=lambda one: f"{PATH}/{one.code}" + (f"?{tail}" if tail else ""),
            sub=lambda one: one.code,
        ),
        Column[Rule](
            name="value",
            label="ui.rule.value",
            value=lambda one: clip(_said(desk, one), _SAID_MAX),
            sortable=False,
        ),
        Column[Rule](name="citation", label="ui.rule.citation", value=lambda one: one.citation),
        Column[Rule](
            name="state",
            label="ui.rule.state",
            value=lambda one: f"cli.rules.state.{book.state(one).value}",
            show=Show.LABEL,
            tone=lambda one: TONES[book.state(one)],
        ),
    )


def _filters(desk: Desk, book: Rulebook) -> tuple[Filter[Rule], ...]:
    return (
        Filter[Rule](
            name="kind",
            label=desk.text("ui.rule.kind"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"cli.rules.kind.{one.value}"))
                for one in Kind
            ),
            of=lambda one: one.kind.value,
        ),
        Filter[Rule](
            name="state",
            label=desk.text("ui.rule.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"cli.rules.state.{one.value}"))
                for one in State
            ),
            of=lambda one: book.state(one).value,
        ),
    )
