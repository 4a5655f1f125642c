# SPDX-License-Identifier: Apache-2.0
"""Sound charts as tables of legal moves, and one chart put inside another."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from lingqu.kernel import errors
from lingqu.kernel.charts.soundness import check_chart
from lingqu.kernel.charts.values import Chart, Move, Standing, State, Timer

Item = TypeVar("Item")


class BadChart(errors.Rejected):
    """The chart has a fault: something in it can get stuck, never happen or is not declared."""

    code = "kernel.chart.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """The table of legal moves of a sound chart, looked up by state."""

    chart: Chart
    states: Mapping[str, State]
    moves: Mapping[str, Move]
    timers: Mapping[str, Timer]
    leaving: Mapping[str, tuple[Move, ...]]
    starting: Mapping[str, tuple[Timer, ...]]

    def legal(self, state: str, move: str) -> Move | None:
        """The move, where it is legal in the state."""
        found = self.moves.get(move)
        return found if found is not None and state in found.sources else None

    def is_terminal(self, state: str) -> bool:
        """Whether the state is an end."""
        return self.states[state].standing is Standing.TERMINAL


@functools.lru_cache(maxsize=256)
def compile_chart(chart: Chart) -> Compiled:
    """This will make the table of legal moves. Raises BadChart for the first fault there is."""
    for fault in check_chart(chart):
        raise BadChart(chart=chart.code[:60], fault=fault.kind.value, where=fault.where[:60])
    states = {state.name: state for state in chart.states}
    return Compiled(
        chart=chart,
        states=MappingProxyType(states),
        moves=MappingProxyType({move.name: move for move in chart.moves}),
        timers=MappingProxyType({timer.name: timer for timer in chart.timers}),
        leaving=MappingProxyType({
            name: tuple(move for move in chart.moves if name in move.sources) for name in states
        }),
        starting=MappingProxyType({
            name: tuple(timer for timer in chart.timers if timer.starts == name) for name in states
        }),
    )  # fmt: skip


def embed_chart(
    outer: Chart,
    inner: Chart,
    *,
    prefix: str,
    roles: Mapping[str, str],
    exits: Mapping[str, str],
    documents: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Chart:
    """This will put the states of `inner` into `outer`, so that one procedure runs through both.

    Names of states, moves and timers get `prefix` and a dot; `roles` says which role of `outer`
    plays each role of `inner`, `exits` which state of `outer` stands for each end of `inner`,
    `documents` which documents of `outer` a move of `inner` produces here.
    Moves of `outer` lead in by naming `prefix.state`. The result is as sound as `check_chart` says.
    """
    ends = {state.name for state in inner.states if state.standing is Standing.TERMINAL}
    assert ends == set(exits), "each end of the inner chart leads somewhere"

    def state(name: str) -> str:
        return exits.get(name) or f"{prefix}.{name}"

    def role(name: str | None) -> str | None:
        return None if name is None else roles.get(name, name)

    def timer(name: str) -> str:
        return f"{prefix}.{name}"

    states = tuple(
        dataclasses.replace(one, name=state(one.name), turn=role(one.turn))
        for one in inner.states
        if one.name not in ends
    )
    moves = tuple(
        dataclasses.replace(
            one,
            name=f"{prefix}.{one.name}",
            sources=tuple(map(state, one.sources)),
            target=state(one.target),
            actor=role(one.actor) or one.actor,
            documents=one.documents + tuple(documents.get(one.name, ())),
            extends=tuple(map(timer, one.extends)),
            restarts=tuple(map(timer, one.restarts)),
            window=one.window and dataclasses.replace(one.window, timer=timer(one.window.timer)),
        )
        for one in inner.moves
    )
    timers = tuple(
        dataclasses.replace(
            one,
            name=timer(one.name),
            starts=state(one.starts),
            runs=tuple(map(state, one.runs)),
            pauses=tuple(map(state, one.pauses)),
            holds=tuple(map(state, one.holds)),
            actor=role(one.actor),
            escalates=role(one.escalates),
            fires=one.fires and f"{prefix}.{one.fires}",
        )
        for one in inner.timers
    )
    return dataclasses.replace(
        outer,
        states=outer.states + states,
        moves=outer.moves + moves,
        timers=outer.timers + timers,
        guards=_union(outer.guards, inner.guards),
        documents=_union(outer.documents, inner.documents),
    )


def _union(first: tuple[Item, ...], second: tuple[Item, ...]) -> tuple[Item, ...]:
    return first + tuple(item for item in second if item not in first)
