# SPDX-License-Identifier: Apache-2.0
"""How a rule is read aloud: its value with its unit, its period, its entries."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from lingqu.cli.invocation import Invocation
from lingqu.cli.text import padded, terminal_width, width, wrapped
from lingqu.runtime.calendar import local_day
from lingqu.trust.rulebook import Kind, Rule

_ENTRIES = 3


def say(run: Invocation, what: str, value: str) -> str:
    """This will give the word for a kind, a state, a status, a source or a unit."""
    return run.word(f"rules.{what}.{value}")


def title(run: Invocation, one: Rule) -> str:
    """This will give the title in the language of the run."""
    return one.title_en if run.language == "en" else one.title_zh


def value_text(run: Invocation, one: Rule) -> str:
    """This will give the value as a person says it; an empty text where a rule has none."""
    english = run.language == "en"
    if one.kind is Kind.BODY:
        return (one.name_en if english else one.name_zh) or ""
    if one.kind is Kind.CALENDAR_DAY:
        return ("; " if english else "、").join(day.isoformat() for day in one.days_off)
    if one.items:
        return _joined(run, one, len(one.items))
    if one.value is None or one.kind is Kind.FORMULA:
        return str(one.value or "")
    if one.unit == "month_day":
        month, day = str(one.value).split("-")
        return str(one.value) if english else f"{int(month)}月{int(day)}日"
    if one.unit == "date" or isinstance(one.value, date):
        return str(one.value)
    number = f"{one.value:,}" if isinstance(one.value, int | Decimal) else str(one.value)
    said = run.word(f"rules.unit.{one.unit}", value=number)
    return said.removesuffix("s") if english and one.value == 1 and one.unit != "times" else said


def listed_value(run: Invocation, one: Rule) -> str:
    """This will give the value short enough for a list."""
    return _joined(run, one, _ENTRIES) if one.items else value_text(run, one)


def _joined(run: Invocation, one: Rule, most: int) -> str:
    english = run.language == "en"
    words = [item.en if english else item.zh for item in one.items[:most]]
    rest = len(one.items) - len(words)
    text = (", " if english else "、").join(words)
    return text + (run.word("rules.more", count=rest) if rest else "")


def item_lines(run: Invocation, one: Rule) -> list[str]:
    """This will give the entries of a list one below the other, or a formula's variables."""
    english = run.language == "en"
    pairs = [(item.code, item.en if english else item.zh) for item in one.items]
    pairs += [(item.name, item.en if english else item.zh) for item in one.inputs]
    if not pairs:
        return []
    column = max(width(code) for code, _ in pairs)
    lines = [""]
    for code, text in pairs:
        first, *rest = wrapped(text, max(20, terminal_width() - column - 4))
        lines.append(f"  {padded(code, column)}  {first}")
        lines += [" " * (column + 4) + line for line in rest]
    for example in one.examples:
        given = ", ".join(f"{name}={value}" for name, value in example.given)
        lines += ["", *wrapped(run.word("rules.worked", given=given), terminal_width())]
        lines.append(f"  = {example.gives}")
    return lines


def first_and_last_day(one: Rule) -> tuple[str, str | None]:
    """This will give the first and the last local day of a rule's period."""
    end = one.valid.end
    last = None if end is None else (local_day(end) - timedelta(days=1)).isoformat()
    return local_day(one.valid.start).isoformat(), last


def when_text(run: Invocation, one: Rule) -> str:
    """This will say since when a rule is valid, and until when."""
    first, last = first_and_last_day(one)
    if last is None:
        return run.word("rules.since", first=first)
    return run.word("rules.from_to", first=first, last=last)
