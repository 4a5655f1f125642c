# SPDX-License-Identifier: Apache-2.0
"""The check of a chart: all is declared, reached and able to end, and every clock can act."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from lingqu.kernel.charts.values import BUILT_IN_ROLES, CLOCK, Chart, Move, Standing, Timer, Unit

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\Z")
_NAME_MAX = 80


class FaultKind(enum.Enum):
    """What can be wrong with a chart."""

    BAD_NAME = "bad_name"
    NO_WORDS = "no_words"
    TWICE = "twice"
    UNKNOWN_STATE = "unknown_state"
    UNKNOWN_ROLE = "unknown_role"
    UNKNOWN_GUARD = "unknown_guard"
    UNKNOWN_TIMER = "unknown_timer"
    UNKNOWN_MOVE = "unknown_move"
    UNKNOWN_DOCUMENT = "unknown_document"
    UNUSED = "unused"
    LEAVES_TERMINAL = "leaves_terminal"
    UNREACHABLE = "unreachable"
    NO_WAY_OUT = "no_way_out"
    IDLE_TURN = "idle_turn"
    BAD_COUNT = "bad_count"
    RUNS_AT_THE_END = "runs_at_the_end"
    NOT_RUNNING_AT_START = "not_running_at_start"
    PAUSES_WHERE_IT_RUNS = "pauses_where_it_runs"
    PAUSES_IN_NO_WAIT = "pauses_in_no_wait"
    ILLEGAL_FIRING = "illegal_firing"
    FIRES_AND_ESCALATES = "fires_and_escalates"
    NOT_THE_CLOCKS = "not_the_clocks"
    CLOCK_NEVER_MOVES = "clock_never_moves"
    CLOCK_CANNOT_GIVE = "clock_cannot_give"
    ENDLESS_CLOCK = "endless_clock"
    NO_EXTENSION = "no_extension"
    NOT_IN_DAYS = "not_in_days"
    TIMER_NOT_THERE = "timer_not_there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, and the name of the state, move, timer or word that has it."""

    kind: FaultKind
    where: str


def check_chart(chart: Chart) -> tuple[Fault, ...]:
    """This will give every fault of a chart, none for a sound one.

    Sound means: names are unique and declared names are used; every state is reached, every state
    but the ends can reach an end, and nothing leaves an end; whoever's turn it is can move; every
    clock starts where it runs, acts on a move that is legal wherever it runs, and no clocks alone
    can go round for ever.
    """
    faults = [Fault(kind=kind, where=where) for kind, where in _names(chart)]
    if not faults:
        rules: tuple[Callable[[Chart], Iterator[_Found]], ...] = (_ways, _moves, _timers, _unused)
        faults = [Fault(kind=kind, where=where) for rule in rules for kind, where in rule(chart)]
    return tuple(faults)


_Found = tuple[FaultKind, str]


def _names(chart: Chart) -> Iterator[_Found]:
    """Everything that is named is declared once; the other rules rely on it."""
    yield from _declared_once(chart)
    states = {state.name for state in chart.states}
    yield from _known(FaultKind.UNKNOWN_STATE, states, chart, (chart.initial,))
    roles = {role.name for role in chart.roles} | BUILT_IN_ROLES
    timers = {timer.name for timer in chart.timers}
    documents = {document.name for document in chart.documents}
    for role in chart.roles:
        others = roles - {role.name} - BUILT_IN_ROLES
        yield from _known(FaultKind.UNKNOWN_ROLE, others, role, role.apart_from)
    for state in chart.states:
        yield from _known(FaultKind.UNKNOWN_ROLE, roles, state, (state.turn,))
    for move in chart.moves:
        yield from _known(FaultKind.UNKNOWN_STATE, states, move, (*move.sources, move.target))
        yield from _known(FaultKind.UNKNOWN_ROLE, roles, move, (move.actor,))
        yield from _known(FaultKind.UNKNOWN_GUARD, chart.guards, move, (move.guard,))
        yield from _known(FaultKind.UNKNOWN_DOCUMENT, documents, move, move.documents)
        named = (*move.extends, *move.restarts, move.window.timer if move.window else None)
        yield from _known(FaultKind.UNKNOWN_TIMER, timers, move, named)
    moves = {move.name for move in chart.moves}
    for timer in chart.timers:
        touched = (timer.starts, *timer.runs, *timer.pauses, *timer.holds)
        yield from _known(FaultKind.UNKNOWN_STATE, states, timer, touched)
        yield from _known(FaultKind.UNKNOWN_ROLE, roles, timer, (timer.actor, timer.escalates))
        yield from _known(FaultKind.UNKNOWN_MOVE, moves, timer, (timer.fires,))


def _declared_once(chart: Chart) -> Iterator[_Found]:
    if not _is_name(chart.code):
        yield FaultKind.BAD_NAME, chart.code[:60]
    if chart.edition < 1:
        yield FaultKind.BAD_COUNT, "edition"
    labelled = (chart.states, chart.moves, chart.timers, chart.roles, chart.documents)
    for items in labelled:
        for item in items:
            if not (item.label.zh.strip() and item.label.en.strip()):
                yield FaultKind.NO_WORDS, item.name
    if not (chart.label.zh.strip() and chart.label.en.strip()):
        yield FaultKind.NO_WORDS, chart.code
    for names in (*([item.name for item in items] for items in labelled), [*chart.guards]):
        yield from ((FaultKind.BAD_NAME, name[:60]) for name in names if not _is_name(name))
        yield from ((FaultKind.TWICE, name) for name in sorted(set(names)) if names.count(name) > 1)
    for move in chart.moves:
        if not move.sources or len(set(move.sources)) < len(move.sources):
            yield FaultKind.TWICE, move.name
    yield from ((FaultKind.TWICE, role.name) for role in chart.roles if role.name in BUILT_IN_ROLES)


def _is_name(text: str) -> bool:
    return len(text) <= _NAME_MAX and _NAME.match(text) is not None


def _known(
    kind: FaultKind, known: Iterable[str], item: object, named: Iterable[str | None]
) -> Iterator[_Found]:
    where = getattr(item, "name", None) or "initial"
    declared = set(known)
    yield from ((kind, where) for name in named if name is not None and name not in declared)


def _ways(chart: Chart) -> Iterator[_Found]:
    """Every state is reached, and every state but the ends can end."""
    ends = {state.name for state in chart.states if state.standing is Standing.TERMINAL}
    steps = {(source, move.target) for move in chart.moves for source in move.sources}
    for move in chart.moves:
        if ends.intersection(move.sources):
            yield FaultKind.LEAVES_TERMINAL, move.name
    reached = _spread({chart.initial}, steps)
    ending = _spread(ends, {(target, source) for source, target in steps})
    for state in chart.states:
        if state.name not in reached:
            yield FaultKind.UNREACHABLE, state.name
        if state.name not in ending:
            yield FaultKind.NO_WAY_OUT, state.name


def _spread(begin: set[str], steps: Iterable[tuple[str, str]]) -> set[str]:
    onward: dict[str, set[str]] = {}
    for source, target in steps:
        onward.setdefault(source, set()).add(target)
    found, open_ = set(begin), list(begin)
    while open_:
        new = onward.get(open_.pop(), set()) - found
        found |= new
        open_ += new
    return found


def _moves(chart: Chart) -> Iterator[_Found]:
    """Whoever's turn it is can move, and what a move asks of a timer is there."""
    timers = {timer.name: timer for timer in chart.timers}
    for state in chart.states:
        able = {move.actor for move in chart.moves if state.name in move.sources}
        if state.turn is not None and state.turn not in able:
            yield FaultKind.IDLE_TURN, state.name
    for move in chart.moves:
        if move.at_most is not None and move.at_most < 1:
            yield FaultKind.BAD_COUNT, move.name
        yield from _asked_of_timers(move, timers)
    for timer in chart.timers:
        if timer.extension is not None and not any(timer.name in m.extends for m in chart.moves):
            yield FaultKind.NO_EXTENSION, timer.name


def _asked_of_timers(move: Move, timers: dict[str, Timer]) -> Iterator[_Found]:
    for timer in (timers[name] for name in move.extends):
        if timer.extension is None:
            yield FaultKind.NO_EXTENSION, move.name
        if not {*move.sources, move.target} <= set(timer.runs):
            yield FaultKind.TIMER_NOT_THERE, move.name
    if any(move.target not in timers[name].runs for name in move.restarts):
        yield FaultKind.TIMER_NOT_THERE, move.name
    if move.window is not None:
        if move.window.length.count < 1:
            yield FaultKind.BAD_COUNT, move.name
        if not set(move.sources) <= set(timers[move.window.timer].runs):
            yield FaultKind.TIMER_NOT_THERE, move.name


def _timers(chart: Chart) -> Iterator[_Found]:
    """Every clock runs where it starts, pauses where one waits, and can act wherever it runs."""
    standing = {state.name: state.standing for state in chart.states}
    moves = {move.name: move for move in chart.moves}
    for timer in chart.timers:
        counts = [timer.length.count, *([timer.extension.count] if timer.extension else [])]
        too_short = timer.most is not None and timer.most < timer.length.count
        if min(counts) < 1 or timer.warns < 0 or too_short:
            yield FaultKind.BAD_COUNT, timer.name
        if not _counts_days(timer):
            yield FaultKind.NOT_IN_DAYS, timer.name
        touched = {*timer.runs, *timer.pauses, *timer.holds}
        if any(standing[name] is Standing.TERMINAL for name in touched):
            yield FaultKind.RUNS_AT_THE_END, timer.name
        if timer.starts not in timer.runs:
            yield FaultKind.NOT_RUNNING_AT_START, timer.name
        if len(timer.runs + timer.pauses + timer.holds) > len(touched):
            yield FaultKind.PAUSES_WHERE_IT_RUNS, timer.name
        if any(standing[name] is not Standing.WAITING for name in timer.pauses):
            yield FaultKind.PAUSES_IN_NO_WAIT, timer.name
        if timer.fires is not None:
            yield from _firing(timer, moves[timer.fires])
    yield from _clock_moves(chart, moves)


def _counts_days(timer: Timer) -> bool:
    """A clock that stands still or grows is counted in days, and grows in the same ones."""
    if timer.extension is not None and timer.extension.unit is not timer.length.unit:
        return False
    in_days = timer.length.unit in {Unit.WORKING_DAYS, Unit.DAYS}
    return in_days or not (timer.pauses or timer.extension)


def _firing(timer: Timer, move: Move) -> Iterator[_Found]:
    if timer.escalates is not None:
        yield FaultKind.FIRES_AND_ESCALATES, timer.name
    if not set(timer.runs) <= set(move.sources):
        yield FaultKind.ILLEGAL_FIRING, timer.name
    if move.actor != CLOCK:
        yield FaultKind.NOT_THE_CLOCKS, move.name


def _clock_moves(chart: Chart, moves: dict[str, Move]) -> Iterator[_Found]:
    fired = {timer.fires for timer in chart.timers}
    for move in chart.moves:
        if move.actor != CLOCK:
            continue
        if move.name not in fired:
            yield FaultKind.CLOCK_NEVER_MOVES, move.name
        given = (move.needs_opinion, move.needs_attachment, move.needs_reason)
        if any(given) or move.guard or move.window or move.at_most is not None:
            yield FaultKind.CLOCK_CANNOT_GIVE, move.name
    steps = {
        (source, moves[timer.fires].target)
        for timer in chart.timers
        if timer.fires is not None
        for source in timer.runs
    }
    for state in chart.states:
        onward = {target for source, target in steps if source == state.name}
        if state.name in _spread(onward, steps):
            yield FaultKind.ENDLESS_CLOCK, state.name


def _unused(chart: Chart) -> Iterator[_Found]:
    """What is declared is used."""
    roles = {move.actor for move in chart.moves} | {state.turn for state in chart.states}
    roles |= {word for timer in chart.timers for word in (timer.actor, timer.escalates)}
    papers = {name for move in chart.moves for name in move.documents}
    guards = {move.guard for move in chart.moves}
    yield from ((FaultKind.UNUSED, role.name) for role in chart.roles if role.name not in roles)
    yield from ((FaultKind.UNUSED, one.name) for one in chart.documents if one.name not in papers)
    yield from ((FaultKind.UNUSED, guard) for guard in chart.guards if guard not in guards)
