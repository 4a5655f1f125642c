# SPDX-License-Identifier: Apache-2.0
"""The frozen values a chart is made of."""

from __future__ import annotations

import enum
from dataclasses import dataclass

CLOCK = "clock"
"""The actor of moves that only an expired timer makes."""
PLATFORM = "platform"
"""The actor of moves that only the platform itself makes, when something else took effect."""
BUILT_IN_ROLES = frozenset({CLOCK, PLATFORM})


class Standing(enum.Enum):
    """What a state is for the clocks."""

    OPEN = "open"
    """Work goes on, or nothing is to be done."""
    WAITING = "waiting"
    """Someone outside is waited for (a supplement, an objection): timers may stand still here."""
    TERMINAL = "terminal"
    """The end: nothing leaves it."""


class Unit(enum.Enum):
    """In what a length of time is counted."""

    WORKING_DAYS = "working_days"
    DAYS = "days"
    MONTHS = "months"
    YEARS = "years"


class Firing(enum.Enum):
    """When a timer acts on its last day having passed."""

    NEXT_DAY = "next_day"
    """As soon as the last day is over."""
    NEXT_WORKING_DAY = "next_working_day"
    """When the first working day after the last day begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """The words a person reads: Chinese first, English beside it."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """A length of time: `count` of `unit`, at least one."""

    count: int
    unit: Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role-word of the chart; who plays it is said when a procedure is opened.

    Nobody plays it together with a role of `apart_from`: who applies does not decide.
    """

    name: str
    label: Label
    apart_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Where a procedure can stand. `turn` is the role that must act there, None where nobody."""

    name: str
    label: Label
    standing: Standing = Standing.OPEN
    turn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A move is open only in the last `length` before the due day of `timer`.

    The due day is its last day, or the day before that where `until_day_before`.
    """

    timer: str
    length: Length
    until_day_before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A step from any of `sources` to `target`, made by `actor`.

    `guard` names a condition that the engine asks. `at_most` bounds how often the move is made for
    one filing (1: a one-time notice 一次性告知); `new_filing` begins another filing. `extends`
    gives these timers their extension and `restarts` begins these anew, `documents` are written
    for the move. `through` names the package whose own commands make it, because it changes more
    than the procedure.
    """

    name: str
    label: Label
    sources: tuple[str, ...]
    target: str
    actor: str
    guard: str | None = None
    needs_opinion: bool = False
    needs_attachment: bool = False
    needs_reason: bool = False
    at_most: int | None = None
    new_filing: bool = False
    extends: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()
    window: Window | None = None
    documents: tuple[str, ...] = ()
    rule: str | None = None
    through: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """A clock that starts when `starts` is entered and runs while the procedure is in `runs`.

    In a state of `pauses` it stands still and goes on afterwards; any other state ends it. The day
    it starts is not counted; a clock that pauses or is extended counts days. When its last day has
    passed it `fires` a move, or `escalates` to a role, or only marks that `actor` is overdue.
    `rule` names what grounds it. `rolls` moves a last day that is no working day to the next one.

    In a state of `holds` it goes on counting and acts only when such a state is left (a renewal
    that was applied for in time). Whoever starts it may give it another length, up to `most`, where
    that is set. Started again, it begins where its last run ended if it `continues`.
    """

    name: str
    label: Label
    starts: str
    runs: tuple[str, ...]
    length: Length
    rule: str
    actor: str | None = None
    pauses: tuple[str, ...] = ()
    extension: Length | None = None
    fires: str | None = None
    escalates: str | None = None
    firing: Firing = Firing.NEXT_DAY
    rolls: bool = False
    warns: int = 1
    holds: tuple[str, ...] = ()
    most: int | None = None
    continues: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A paper a move produces, by the name of its template."""

    name: str
    label: Label
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A procedure as data; `code` and `edition` name it, and an edition never changes.

    `guards` declares the conditions its moves name, `rule` is what grounds it as a whole, `through`
    the package whose own commands open it, where that changes more than the procedure.
    """

    code: str
    edition: int
    label: Label
    initial: str
    states: tuple[State, ...]
    moves: tuple[Move, ...]
    roles: tuple[Role, ...] = ()
    timers: tuple[Timer, ...] = ()
    guards: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()
    rule: str | None = None
    through: str | None = None
