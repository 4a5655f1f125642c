# SPDX-License-Identifier: Apache-2.0
"""Procedures as drawings: the states of a chart with the way taken, and a clock day by day."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from lingqu.kernel.charts import CLOCK, Chart, Label, Standing
from lingqu.runtime.calendar import Calendar
from lingqu.trust.procedures import Clock

_HIGH, _GAP_X, _GAP_Y, _PAD = 34, 46, 18, 8
_LOOP = 24
_WIDE, _NARROW = 13, 7
_LINE_MOST = 90
"""A label wider than this stands on two lines where it has words to part."""
_FITS_MOST = 1320
"""A drawing not wider than this is made to fit its page, and is still read; others are moved."""
_DAYS_DRAWN = 46
_NODE = Markup(
    '<g class="{}"><rect x="{}" y="{}" width="{}" height="{}" rx="{}"/>'
    '<text text-anchor="middle">{}</text></g>'
)
_LINE = Markup('<tspan x="{}" y="{}">{}</tspan>')
_EDGE = Markup('<path class="{}" d="{}" marker-end="url(#lq-arrow)"><title>{}</title></path>')
_ARROW = Markup(
    '<defs><marker id="lq-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
    ' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    x: int
    y: int
    width: int


def draw_chart(
    chart: Chart,
    *,
    here: str,
    made: Collection[tuple[str, str]],
    say: Callable[[Label], str],
    title: str,
) -> Markup:
    """This will draw the states in columns from the first to the last, `made` are moves made."""
    ranks = _ranks(chart)
    words = {one.name: say(one.label) for one in chart.states}
    boxes, width, height = _placed(ranks, words)
    visited = {source for source, _ in made} | {target for _, target in made}
    parts = [
        Markup(
            '<svg class="{3}" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img"'
            ' aria-label="{2}">'
        ).format(
            width, height, title, "lq-flow lq-flow-fits" if width <= _FITS_MOST else "lq-flow"
        ),
        _ARROW,
    ]
    edges: dict[tuple[str, str], list[str]] = {}
    by_clock: set[tuple[str, str]] = set()
    for move in chart.moves:
        for source in move.sources:
            if source != move.target:
                edges.setdefault((source, move.target), []).append(say(move.label))
                if move.actor == CLOCK:
                    by_clock.add((source, move.target))
    for pair, said in edges.items():
        kind = "is-made" if pair in made else "is-clock" if pair in by_clock else "is-open"
        back = ranks[pair[1]] <= ranks[pair[0]]
        path = _path(boxes[pair[0]], boxes[pair[1]], back=back)
        parts.append(_EDGE.format(kind, path, " / ".join(said)))
    for state in chart.states:
        box = boxes[state.name]
        css = ["is-here"] if state.name == here else ["is-past"] if state.name in visited else []
        if state.standing is Standing.TERMINAL:
            css.append("is-end")
        elif state.standing is Standing.WAITING:
            css.append("is-waiting")
        parts.append(
            _NODE.format(
                " ".join(css),
                box.x,
                box.y,
                box.width,
                _HIGH,
                _HIGH // 2 if "is-end" in css else 8,
                _label(box, words[state.name]),
            )
        )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _ranks(chart: Chart) -> Mapping[str, int]:
    """How many moves a state lies from the first; what no move reaches stands at the end."""
    ranks = {chart.initial: 0}
    waiting = [chart.initial]
    while waiting:
        state = waiting.pop(0)
        for move in chart.moves:
            if state in move.sources and move.target not in ranks:
                ranks[move.target] = ranks[state] + 1
                waiting.append(move.target)
    last = max(ranks.values()) + 1
    return {state.name: ranks.get(state.name, last) for state in chart.states}


def _placed(ranks: Mapping[str, int], words: Mapping[str, str]) -> tuple[dict[str, _Box], int, int]:
    columns: dict[int, list[str]] = {}
    for name, rank in ranks.items():
        columns.setdefault(rank, []).append(name)
    tallest = max(map(len, columns.values()))
    height = tallest * (_HIGH + _GAP_Y) + 2 * _PAD
    boxes: dict[str, _Box] = {}
    x = _PAD
    for rank in sorted(columns):
        names = columns[rank]
        width = max(_width(words[name]) for name in names) + 24
        top = (height - len(names) * (_HIGH + _GAP_Y) + _GAP_Y) // 2
        for place, name in enumerate(names):
            boxes[name] = _Box(x=x, y=top + place * (_HIGH + _GAP_Y), width=width)
        x += width + _GAP_X
    return boxes, x - _GAP_X + _PAD + _LOOP, height


def _label(box: _Box, words: str) -> Markup:
    lines = _lines(words)
    middle, first = box.x + box.width // 2, box.y + _HIGH // 2 + 5 - 7 * (len(lines) - 1)
    return Markup("").join(
        _LINE.format(middle, first + 14 * place, line) for place, line in enumerate(lines)
    )


def _lines(words: str) -> tuple[str, ...]:
    """A label on one line, or parted between two words so that the longer half is shortest."""
    parts = words.split(" ")
    if _wide(words) <= _LINE_MOST or len(parts) == 1:
        return (words,)
    halves = [(" ".join(parts[:place]), " ".join(parts[place:])) for place in range(1, len(parts))]
    return min(halves, key=lambda two: max(map(_wide, two)))


def _width(text: str) -> int:
    return max(map(_wide, _lines(text)))


def _wide(text: str) -> int:
    return sum(_WIDE if unicodedata.east_asian_width(one) in "WF" else _NARROW for one in text)


def _path(one: _Box, other: _Box, *, back: bool) -> str:
    middle = _HIGH // 2
    if not back:
        x, y, to_x, to_y = one.x + one.width, one.y + middle, other.x - 2, other.y + middle
        bend = min(_GAP_X, max(18, (to_x - x) // 2))
        return f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"
    if one.x == other.x:
        x, right = one.x + one.width, one.x + one.width + 26
        y, to_y = one.y + middle, other.y + middle
        return f"M{x} {y}C{right} {y} {right} {to_y} {x + 2} {to_y}"
    x, to_x = one.x + one.width // 2, other.x + other.width // 2
    low = max(one.y, other.y) + _HIGH
    start, end = one.y + _HIGH, other.y + _HIGH + 2
    return f"M{x} {start}C{x} {low + 16} {to_x} {low + 16} {to_x} {end}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCell:
    """One day of a clock: its classes and the words for a reader."""

    css: str
    day: date
    is_working: bool


def draw_days(clock: Clock, calendar: Calendar, today: date) -> tuple[DayCell, ...]:
    """This will give a clock's days, from the one after it started to its last; few or none.

    None where it runs too long to be seen day by day.
    """
    first = clock.started_on + timedelta(days=1)
    last = max(clock.due_on, today) if clock.days_left is not None else clock.due_on
    count = (last - first).days + 1
    if not 0 < count <= _DAYS_DRAWN:
        return ()
    counts_work = clock.unit == "working_days"
    cells = []
    for day in (first + timedelta(days=ahead) for ahead in range(count)):
        works = calendar.is_working_day(day)
        css = "is-off" if counts_work and not works else "is-past" if day < today else ""
        if day == today:
            css = "is-today"
        if day == clock.due_on:
            css += " is-due"
        cells.append(DayCell(css=css.strip(), day=day, is_working=works))
    return tuple(cells)


def draw_span(clock: Clock, today: date) -> Markup:
    """This will draw a long clock as one bar, filled as far as it has run."""
    whole = max(1, (clock.due_on - clock.started_on).days)
    gone = min(max((today - clock.started_on).days, 0), whole)
    return Markup(
        '<svg class="lq-span" viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true">'
        '<rect width="1000" height="14" rx="7" fill="#d8e4e3"/>'
        '<rect width="{}" height="14" rx="7" fill="{}"/></svg>'
    ).format(gone * 1000 // whole, "#b93a3a" if today > clock.due_on else "#1d7a85")
