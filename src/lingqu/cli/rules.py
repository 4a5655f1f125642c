# SPDX-License-Identifier: Apache-2.0
"""`lingqu rules`: reads the rulebook aloud, finds in it, and compares regions and days.

It needs no installation: the rules came with the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, TypeVar

import click

from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, stamp
from lingqu.cli.rule_words import (
    first_and_last_day,
    item_lines,
    listed_value,
    say,
    title,
    value_text,
    when_text,
)
from lingqu.cli.text import labelled, padded, table, terminal_width, width, wrapped
from lingqu.cli.values import DAY, Member
from lingqu.runtime import REAL_TIME
from lingqu.runtime.calendar import local_day, parse_day
from lingqu.trust import rulebook
from lingqu.trust.rulebook import Kind, Rule, Rulebook, State, Status

Function = TypeVar("Function", bound=Callable[..., Any])
SHOWN = (State.BINDING, State.DRAFT)


@group("rules")
def rules() -> None:
    """The rules an installation decides by."""


def asked(function: Function) -> Function:
    """This will give a command the options `--profile` and `--on`."""
    return option("--profile")(option("--on", type=DAY)(function))


def book_of(run: Invocation, profile: str | None, on: date | None) -> Rulebook:
    """This will open the rulebook that was asked for: by default the settings' region, today."""
    settings = run.settings(profile=profile)
    book = rulebook.open_rulebook(
        settings.profile or rulebook.DEFAULT_PROFILE,
        unverified=frozenset(settings.unverified_rules or ()),
    )
    return book.on(local_day(REAL_TIME.now()) if on is None else on)


@rules.command("list")
@asked
@option("--kind", type=Member(Kind))
@option("--all", "everything", is_flag=True)
@click.pass_obj
def show_all(
    run: Invocation,
    profile: str | None,
    on: date | None,
    kind: Kind | None,
    everything: bool,  # noqa: FBT001  # a flag of the command line
) -> None:
    """List the rules of a region on a day."""
    book = book_of(run, profile, on)
    found = [
        rule
        for rule in book.known()
        if kind in {None, rule.kind} and (everything or book.state(rule) in SHOWN)
    ]
    run.answer(
        document(book, found),
        lambda: [
            *heading(run, book),
            "",
            *listing(run, book, found),
            "",
            run.word("rules.count", count=len(found)),
        ],
    )  # fmt: skip


@rules.command("clocks")
@asked
@click.pass_obj
def clocks(run: Invocation, profile: str | None, on: date | None) -> None:
    """List the statutory periods."""
    book = book_of(run, profile, on)
    found = [r for r in book.known() if r.kind is Kind.CLOCK and book.state(r) is State.BINDING]
    run.answer(
        document(book, found),
        lambda: [
            *heading(run, book),
            "",
            *table(
                run.heads("title", "period", "ground"),
                [(title(run, one), value_text(run, one), short_ground(one)) for one in found],
            ),
            "",
            *wrapped(run.word("rules.how_to_count"), terminal_width()),
        ],
    )


@rules.command("bodies")
@asked
@click.pass_obj
def bodies(run: Invocation, profile: str | None, on: date | None) -> None:
    """List the bodies by the names they have on the day."""
    book = book_of(run, profile, on)
    found = [r for r in book.known() if r.kind is Kind.BODY and book.state(r) is State.BINDING]
    run.answer(
        document(book, found),
        lambda: [
            *heading(run, book),
            "",
            *table(
                run.heads("role_of_body", "name", "since", "ground"),
                [(title(run, one), value_text(run, one), first_and_last_day(one)[0],
                  short_ground(one)) for one in found],
            ),
        ],
    )  # fmt: skip


@rules.command("search")
@argument("words", nargs=-1, required=True)
@asked
@click.pass_obj
def search(run: Invocation, words: Sequence[str], profile: str | None, on: date | None) -> None:
    """Find rules by words, in Chinese or English."""
    book = book_of(run, profile, on)
    found = rulebook.search(book, " ".join(words))
    run.answer(
        document(book, found),
        lambda: [
            *(line for one in found for line in (*brief(run, book, one), "")),
            run.word("rules.found", count=len(found), words=" ".join(words)),
        ],
    )


@rules.command("show")
@argument("code")
@asked
@click.pass_obj
def show(run: Invocation, code: str, profile: str | None, on: date | None) -> None:
    """Show one rule with its article."""
    book = book_of(run, profile, on)
    found = [rule for rule in book.known() if rule.code == code]
    if not found:
        book.rule(code)
    if any(book.state(rule) is State.BINDING for rule in found):
        # A draft is shown beside what binds.
        found = [rule for rule in found if book.state(rule) is not State.DRAFT]
    found.sort(key=lambda rule: [*State].index(book.state(rule)))
    run.answer(
        document(book, found),
        lambda: [line for one in found for line in (*page(run, book, one), "")][:-1],
    )


@rules.command("diff")
@argument("before")
@argument("after")
@option("--profile")
@click.pass_obj
def diff(run: Invocation, before: str, after: str, profile: str | None) -> None:
    """Compare two regions, or two days."""
    names = {one.name for one in rulebook.profiles()}
    one, other = (
        book_of(run, word, None) if word in names else book_of(run, profile, parse_day(word))
        for word in (before, after)
    )
    found = rulebook.diff(one, other)
    run.answer(
        {
            "before": {"rules": one.version, "day": one.day},
            "after": {"rules": other.version, "day": other.day},
            "items": [
                {
                    "code": each.code,
                    "fields": list(each.fields),
                    "beside": [one.citation for one in other.beside(each.code)],
                    "before": None if each.before is None else rule_data(one, each.before),
                    "after": None if each.after is None else rule_data(other, each.after),
                }
                for each in found
            ],
        },
        lambda: [
            *heading(run, one),
            *heading(run, other),
            "",
            *(line for each in found for line in (*difference(run, other, each), "")),
            run.word("rules.differences", count=len(found)),
        ],
    )


def document(book: Rulebook, found: Iterable[Rule]) -> dict[str, object]:
    """This will give rules for machines."""
    return {
        "rules": book.version,
        "profile": book.profile.name,
        "day": book.day,
        "items": [rule_data(book, one) for one in found],
    }


def rule_data(book: Rulebook, one: Rule) -> dict[str, object]:
    """This will give one rule for machines."""
    return {
        "code": one.code,
        "kind": one.kind.value,
        "layer": one.layer,
        "state": book.state(one).value,
        "title_zh": one.title_zh,
        "title_en": one.title_en,
        "value": None if one.value is None else str(one.value),
        "unit": one.unit,
        "name_zh": one.name_zh,
        "name_en": one.name_en,
        "items": [{"code": item.code, "zh": item.zh, "en": item.en} for item in one.items],
        "document": one.document.title_zh,
        "number": one.number,
        "article": one.article,
        "citation": one.citation,
        "issuer": one.document.issuer_zh,
        "status": one.status.value,
        "valid_from": stamp(one.valid.start),
        "valid_until": stamp(one.valid.end),
        "source": one.source.value,
        "text": book.text(one),
        "binding": one.binding,
    }


def heading(run: Invocation, book: Rulebook) -> list[str]:
    """This will say which rulebook is read, of which day."""
    name = book.profile.title_en if run.language == "en" else book.profile.title_zh
    return [run.word("rules.heading", name=name, day=book.day.isoformat(), version=book.version)]


def listing(run: Invocation, book: Rulebook, found: Sequence[Rule]) -> list[str]:
    """This will give each rule a line, a blank one between subjects; what is special is said."""
    column = max((width(one.code) for one in found), default=0)
    lines: list[str] = []
    subject = None
    for one in found:
        begins = one.code.partition(".")[0]
        if subject not in {None, begins}:
            lines.append("")
        subject = begins
        usual = book.state(one) is State.BINDING and one.status is Status.IN_FORCE
        mark = "" if usual else f"  [{state_word(run, book, one)}]"
        text = f"{headline(run, one)}{mark}"
        first, *rest = wrapped(text, max(30, terminal_width() - column - 2))
        lines.append(f"{padded(one.code, column)}  {first}")
        lines += [" " * (column + 2) + line for line in rest]
    return lines


def headline(run: Invocation, one: Rule) -> str:
    """This will give title and value in one line."""
    value = listed_value(run, one)
    colon = ": " if run.language == "en" else "："
    return f"{title(run, one)}{colon}{value}" if value else title(run, one)


def state_word(run: Invocation, book: Rulebook, one: Rule) -> str:
    """This will say what a rule is worth here: of what binds, how far its document has come."""
    state = book.state(one)
    return (
        say(run, "status", one.status.value)
        if state is State.BINDING
        else say(run, "state", state.value)
    )


def short_ground(one: Rule) -> str:
    """This will give number and article."""
    return f"{one.number} {one.article}"


def brief(run: Invocation, book: Rulebook, one: Rule) -> list[str]:
    """This will give a rule in two or three lines."""
    return [
        *wrapped(f"{one.code}  {headline(run, one)}", terminal_width(), indent="  "),
        *wrapped(
            f"  {one.citation}  ·  {state_word(run, book, one)}", terminal_width(), indent="  "
        ),
    ]  # fmt: skip


def page(run: Invocation, book: Rulebook, one: Rule) -> list[str]:
    """This will give everything known of one rule."""
    english = run.language == "en"
    issuer = one.document.issuer_en if english else one.document.issuer_zh
    note = one.note_en if english else one.note_zh
    value = None if one.items else value_text(run, one)
    source = say(run, "source", one.source.value)
    lines = [
        f"{title(run, one)}  ({one.code})",
        "",
        *labelled([
            (run.word("head.rule_kind"), say(run, "kind", one.kind.value)),
            (run.word("head.rule_value"), value or None),
            (run.word("head.starts"), one.starts_en if english else one.starts_zh),
            (run.word("head.on_silence"), one.on_silence and say(run, "silence", one.on_silence)),
            (run.word("head.ground"), one.citation),
            (run.word("head.issuer"), issuer),
            (run.word("head.standing"), f"{state_word(run, book, one)}  {when_text(run, one)}"),
            (run.word("head.rule_source"), source),
        ]),
    ]  # fmt: skip
    lines += item_lines(run, one)
    if note:
        lines += ["", *wrapped(note, terminal_width())]
    text = book.text(one)
    if text:
        lines += ["", run.word("rules.text"), *quoted(text)]
    beside = book.beside(one.code) if book.state(one) is State.BINDING else ()
    for draft in beside:
        lines += ["", run.word("rules.beside", citation=draft.citation)]
        lines += quoted(book.text(draft) or "")
    if one.binding and one.is_draft:
        lines += ["", run.word("rules.binds_instead", rule=one.binding)]
    return lines


def quoted(text: str) -> list[str]:
    """This will set an article in from the margin."""
    return [
        f"  {line}"
        for paragraph in text.split("\n")
        for line in wrapped(paragraph, terminal_width() - 2)
    ]


def difference(run: Invocation, after: Rulebook, each: rulebook.Difference) -> list[str]:
    """This will say what one code says before and after."""
    one = each.after or each.before
    assert one is not None, "a difference has a side"
    mark = "+" if each.before is None else "−" if each.after is None else "≠"
    lines = [f"{mark} {each.code}  {title(run, one)}"]
    sides: tuple[tuple[str, Rule | None], ...] = (("−", each.before), ("+", each.after))
    if each.fields == ("beside",):
        sides = (("=", each.after),)
    drafts = tuple(("○", one) for one in after.beside(each.code)) if "beside" in each.fields else ()
    for sign, side in (*sides, *drafts):
        if side is not None:
            said = listed_value(run, side) or say(run, "kind", side.kind.value)
            lines += wrapped(
                f"    {sign} {said}  ·  {side.citation}", terminal_width(), indent="      "
            )
    return lines
