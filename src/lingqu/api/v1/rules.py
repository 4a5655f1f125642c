# SPDX-License-Identifier: Apache-2.0
"""The API of the rulebook: the rules this installation decides by, open to everyone."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from litestar.params import FromPath, QueryParameter

from lingqu.api.routes import After, Size, reads
from lingqu.api.writes import FromPlatform
from lingqu.kernel.paging import SIZE_MAX, BadPage, Page, PageRequest, cursor
from lingqu.kernel.time import format_instant
from lingqu.runtime.calendar import parse_day
from lingqu.trust import rulebook
from lingqu.trust.rulebook import Rule, Rulebook
from lingqu.wiring import App

Words = Annotated[
    str | None,
    QueryParameter(name="q", max_length=200, description="Words to find, Chinese or English"),
]
Profile = Annotated[
    str | None,
    QueryParameter(
        name="profile", max_length=60, description="A region; by default this installation's"
    ),
]
Day = Annotated[
    str | None,
    QueryParameter(name="on", max_length=40, description="A local day; today by default"),
]


class ItemView(msgspec.Struct, kw_only=True):
    """One entry of a list or an enumeration."""

    code: str
    zh: str
    en: str


class RuleView(msgspec.Struct, kw_only=True):
    """One rule; `state` says what it is worth in this region on this day."""

    code: str
    kind: str
    layer: str
    state: str
    title_zh: str
    title_en: str
    value: str | None
    unit: str | None
    name_zh: str | None
    name_en: str | None
    items: list[ItemView]
    citation: str
    number: str
    article: str
    issuer_zh: str
    issuer_en: str
    status: str
    source: str
    valid_from: str
    valid_until: str | None
    text: str | None
    binding: str | None


class RulePage(msgspec.Struct, kw_only=True):
    """Rules of one region on one day, in the order of their codes or of how well they fit."""

    rules: str
    profile: str
    day: str
    items: list[RuleView]
    next: str | None


class RuleSet(msgspec.Struct, kw_only=True):
    """Everything under one code, what binds first, drafts beside it."""

    rules: str
    profile: str
    day: str
    items: list[RuleView]


@reads("/rules", "List or search the rules in force", is_open=True)
def find_rules(
    platform: FromPlatform,
    q: Words = None,
    profile: Profile = None,
    on: Day = None,
    size: Size = 50,
    after: After = None,
) -> RulePage:
    """This will list the rules of a region on a day, or those in which every word occurs."""
    book = _book(platform, profile, on)
    found = book.known() if q is None or not q.strip() else rulebook.search(book, q)
    page = _page(found, PageRequest(size=size, after=after))
    return RulePage(
        rules=book.version,
        profile=book.profile.name,
        day=book.day.isoformat(),
        items=[rule_view(book, one) for one in page.items],
        next=page.next,
    )


@reads("/rules/{code:str}", "Read a rule with its article", is_open=True)
def get_rule(
    platform: FromPlatform, code: FromPath[str], profile: Profile = None, on: Day = None
) -> RuleSet:
    """This will read everything under one code: what binds, and drafts beside it."""
    book = _book(platform, profile, on)
    order = [*rulebook.State]
    found = sorted(
        {
            (one.code, one.layer): one
            for one in (*book.beside(code), *(rule for rule in book.known() if rule.code == code))
        }.values(),
        key=lambda rule: order.index(book.state(rule)),
    )
    if not any(one.code == code for one in found):
        book.rule(code)
    return RuleSet(
        rules=book.version,
        profile=book.profile.name,
        day=book.day.isoformat(),
        items=[rule_view(book, one) for one in found],
    )


def rule_view(book: Rulebook, one: Rule) -> RuleView:
    """This will give a rule as the API says it."""
    return RuleView(
        code=one.code,
        kind=one.kind.value,
        layer=one.layer,
        state=book.state(one).value,
        title_zh=one.title_zh,
        title_en=one.title_en,
        value=None if one.value is None else str(one.value),
        unit=one.unit,
        name_zh=one.name_zh,
        name_en=one.name_en,
        items=[ItemView(code=item.code, zh=item.zh, en=item.en) for item in one.items],
        citation=one.citation,
        number=one.number,
        article=one.article,
        issuer_zh=one.document.issuer_zh,
        issuer_en=one.document.issuer_en,
        status=one.status.value,
        source=one.source.value,
        valid_from=format_instant(one.valid.start),
        valid_until=None if one.valid.end is None else format_instant(one.valid.end),
        text=book.text(one),
        binding=one.binding,
    )


def _page(found: tuple[Rule, ...], request: PageRequest) -> Page[Rule]:
    """A page by position: a rulebook does not change while it is read."""
    key = request.key or "0"
    if not re.fullmatch(r"[0-9]{1,9}", key):
        raise BadPage(size=request.size, most=SIZE_MAX)
    end = int(key) + request.size
    return Page(items=found[int(key) : end], next=cursor(str(end)) if end < len(found) else None)


def _book(platform: App, profile: str | None, on: str | None) -> Rulebook:
    """The installation's rulebook today, or the one that was asked for."""
    with platform.database.reading() as tx:
        book = rulebook.of(tx)
    if profile is not None and profile != book.profile.name:
        book = rulebook.open_rulebook(profile).on(book.day)
    return book if on is None else book.on(parse_day(on))
