# SPDX-License-Identifier: Apache-2.0
"""Charts: the check finds every planted fault, and what it passes can always end."""

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel import values
from lingqu.kernel.charts import (
    BadChart,
    Chart,
    Document,
    FaultKind,
    Firing,
    Label,
    Length,
    Move,
    Role,
    Standing,
    State,
    Timer,
    Unit,
    Window,
    check_chart,
    compile_chart,
    embed_chart,
)

WORDS = Label(zh="词", en="words")
THREE = Length(count=3, unit=Unit.WORKING_DAYS)


def state(name, **more):
    return State(name=name, label=WORDS, **more)


def move(name, sources, target, actor="clerk", **more):
    return Move(name=name, label=WORDS, sources=sources, target=target, actor=actor, **more)


def timer(name, starts, runs, **more):
    given = {"length": THREE, "rule": "rule.one", **more}
    return Timer(name=name, label=WORDS, starts=starts, runs=runs, **given)


INTAKE = Chart(
    code="test.intake",
    edition=1,
    label=WORDS,
    initial="submitted",
    roles=(Role(name="clerk", label=WORDS), Role(name="applicant", label=WORDS)),
    guards=("complete",),
    documents=(Document(name="notice", label=WORDS, template="notice"),),
    states=(
        state("submitted", turn="clerk"),
        state("supplementing", standing=Standing.WAITING, turn="applicant"),
        state("accepted", turn="clerk"),
        state("valid"),
        state("refused", standing=Standing.TERMINAL),
        state("lapsed", standing=Standing.TERMINAL),
    ),
    moves=(
        move("accept", ("submitted",), "accepted", guard="complete"),
        move("ask", ("submitted", "accepted"), "supplementing", at_most=1, documents=("notice",)),
        move("supplement", ("supplementing",), "accepted", "applicant"),
        move("take_as_accepted", ("submitted",), "accepted", "clock"),
        move("extend", ("accepted",), "accepted", extends=("review",)),
        move("register", ("accepted",), "valid"),
        move("refuse", ("submitted", "accepted"), "refused", needs_reason=True),
        move(
            "renew", ("valid",), "accepted", "applicant", window=Window(timer="term", length=THREE)
        ),
        move("lapse", ("valid",), "lapsed", "clock"),
    ),
    timers=(
        timer(
            "acceptance",
            "submitted",
            ("submitted",),
            fires="take_as_accepted",
            firing=Firing.NEXT_WORKING_DAY,
        ),
        timer("review", "accepted", ("accepted",), pauses=("supplementing",), extension=THREE),
        timer("term", "valid", ("valid",), fires="lapse"),
    ),
)


def planted(**changes):
    """The sound chart with one thing wrong."""
    return dataclasses.replace(INTAKE, **changes)


def with_move(name, /, **changes):
    return planted(moves=tuple(_changed(INTAKE.moves, name, changes)))


def with_timer(name, /, **changes):
    return planted(timers=tuple(_changed(INTAKE.timers, name, changes)))


def with_state(name, /, **changes):
    return planted(states=tuple(_changed(INTAKE.states, name, changes)))


def _changed(items, name, changes):
    assert any(item.name == name for item in items)
    return (dataclasses.replace(one, **changes) if one.name == name else one for one in items)


def without(field, name):
    return planted(**{field: tuple(one for one in getattr(INTAKE, field) if one.name != name)})


ESCALATING = {"escalates": "applicant"}
PLANTED = {
    "a name with a blank": (with_state("valid", name="is valid"), FaultKind.BAD_NAME),
    "no first edition": (planted(edition=0), FaultKind.BAD_COUNT),
    "a state without words": (
        with_state("valid", label=Label(zh=" ", en="valid")),
        FaultKind.NO_WORDS,
    ),
    "a chart without words": (planted(label=Label(zh="有", en="")), FaultKind.NO_WORDS),
    "a move twice": (planted(moves=(*INTAKE.moves, INTAKE.moves[0])), FaultKind.TWICE),
    "a state twice": (planted(states=(*INTAKE.states, state("valid"))), FaultKind.TWICE),
    "a source twice": (with_move("accept", sources=("submitted",) * 2), FaultKind.TWICE),
    "a move from nowhere": (with_move("accept", sources=()), FaultKind.TWICE),
    "a role called clock": (
        planted(roles=(*INTAKE.roles, Role(name="clock", label=WORDS))),
        FaultKind.TWICE,
    ),
    "an unknown beginning": (planted(initial="nowhere"), FaultKind.UNKNOWN_STATE),
    "an unknown target": (with_move("accept", target="nowhere"), FaultKind.UNKNOWN_STATE),
    "an unknown pause": (with_timer("review", pauses=("nowhere",)), FaultKind.UNKNOWN_STATE),
    "an unknown actor": (with_move("accept", actor="nobody"), FaultKind.UNKNOWN_ROLE),
    "an unknown turn": (with_state("valid", turn="nobody"), FaultKind.UNKNOWN_ROLE),
    "an unknown superior": (with_timer("review", escalates="nobody"), FaultKind.UNKNOWN_ROLE),
    "a role apart from itself": (
        planted(roles=tuple(_changed(INTAKE.roles, "clerk", {"apart_from": ("clerk",)}))),
        FaultKind.UNKNOWN_ROLE,
    ),
    "an undeclared guard": (planted(guards=()), FaultKind.UNKNOWN_GUARD),
    "an undeclared document": (planted(documents=()), FaultKind.UNKNOWN_DOCUMENT),
    "an unknown timer": (with_move("extend", extends=("none",)), FaultKind.UNKNOWN_TIMER),
    "firing an unknown move": (with_timer("term", fires="none"), FaultKind.UNKNOWN_MOVE),
    "an unused role": (
        planted(roles=(*INTAKE.roles, Role(name="chief", label=WORDS))),
        FaultKind.UNUSED,
    ),
    "an unused guard": (planted(guards=("complete", "paid")), FaultKind.UNUSED),
    "an unused document": (with_move("ask", documents=()), FaultKind.UNUSED),
    "leaving an end": (with_move("refuse", sources=("lapsed",)), FaultKind.LEAVES_TERMINAL),
    "an unreachable state": (
        planted(states=(*INTAKE.states, state("island", standing=Standing.TERMINAL))),
        FaultKind.UNREACHABLE,
    ),
    "no way out": (with_state("lapsed", standing=Standing.OPEN), FaultKind.NO_WAY_OUT),
    "a turn without a move": (with_state("valid", turn="clerk"), FaultKind.IDLE_TURN),
    "at most never": (with_move("ask", at_most=0), FaultKind.BAD_COUNT),
    "a length of nothing": (
        with_timer("review", length=Length(count=0, unit=Unit.DAYS)),
        FaultKind.BAD_COUNT,
    ),
    "a window of nothing": (
        with_move("renew", window=Window(timer="term", length=Length(count=0, unit=Unit.DAYS))),
        FaultKind.BAD_COUNT,
    ),
    "a clock in an end": (
        with_timer("review", runs=("accepted", "refused")),
        FaultKind.RUNS_AT_THE_END,
    ),
    "a clock that stops at its start": (
        with_timer("review", runs=("submitted",)),
        FaultKind.NOT_RUNNING_AT_START,
    ),
    "a clock that runs and pauses": (
        with_timer("review", runs=("accepted", "supplementing")),
        FaultKind.PAUSES_WHERE_IT_RUNS,
    ),
    "a pause where nobody waits": (
        with_timer("review", pauses=("valid",)),
        FaultKind.PAUSES_IN_NO_WAIT,
    ),
    "firing where it is illegal": (
        with_timer("acceptance", runs=("submitted", "accepted")),
        FaultKind.ILLEGAL_FIRING,
    ),
    "firing and escalating": (with_timer("term", **ESCALATING), FaultKind.FIRES_AND_ESCALATES),
    "firing a person's move": (with_timer("acceptance", fires="accept"), FaultKind.NOT_THE_CLOCKS),
    "a clock's move without a clock": (
        with_timer("term", fires=None),
        FaultKind.CLOCK_NEVER_MOVES,
    ),
    "a clock with an opinion": (
        with_move("lapse", needs_opinion=True),
        FaultKind.CLOCK_CANNOT_GIVE,
    ),
    "a hold where it runs": (
        with_timer("review", holds=("accepted",)),
        FaultKind.PAUSES_WHERE_IT_RUNS,
    ),
    "a hold in an end": (with_timer("term", holds=("lapsed",)), FaultKind.RUNS_AT_THE_END),
    "an unknown hold": (with_timer("term", holds=("nowhere",)), FaultKind.UNKNOWN_STATE),
    "less than its own length at most": (with_timer("term", most=2), FaultKind.BAD_COUNT),
    "restarting a clock elsewhere": (
        with_move("accept", restarts=("term",)),
        FaultKind.TIMER_NOT_THERE,
    ),
    "restarting an unknown clock": (
        with_move("accept", restarts=("none",)),
        FaultKind.UNKNOWN_TIMER,
    ),
    "months that pause": (
        with_timer("review", length=Length(count=3, unit=Unit.MONTHS), extension=None),
        FaultKind.NOT_IN_DAYS,
    ),
    "an extension in another unit": (
        with_timer("review", extension=Length(count=3, unit=Unit.DAYS)),
        FaultKind.NOT_IN_DAYS,
    ),
    "an extension of nothing": (with_timer("review", extension=None), FaultKind.NO_EXTENSION),
    "an extension nobody grants": (without("moves", "extend"), FaultKind.NO_EXTENSION),
    "a window where its clock is not": (
        with_move("renew", sources=("accepted",)),
        FaultKind.TIMER_NOT_THERE,
    ),
    "an extension where its clock is not": (
        with_move("extend", sources=("submitted",)),
        FaultKind.TIMER_NOT_THERE,
    ),
    "clocks that go round for ever": (
        planted(
            moves=(
                *INTAKE.moves,
                move("back", ("accepted",), "submitted", "clock"),
            ),
            timers=(*INTAKE.timers, timer("round", "accepted", ("accepted",), fires="back")),
        ),
        FaultKind.ENDLESS_CLOCK,
    ),
}


def test_a_sound_chart_has_no_fault():
    assert check_chart(INTAKE) == ()
    assert compile_chart(INTAKE).legal("submitted", "accept").target == "accepted"
    assert compile_chart(INTAKE).legal("accepted", "accept") is None
    assert compile_chart(INTAKE).legal("submitted", "dance") is None


@pytest.mark.parametrize(("chart", "kind"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(chart, kind):
    assert kind in {fault.kind for fault in check_chart(chart)}
    with pytest.raises(BadChart):
        compile_chart(chart)


def test_every_kind_of_fault_was_planted_once():
    assert {kind for _, kind in PLANTED.values()} == set(FaultKind)


def test_a_chart_survives_its_plain_form():
    assert values.from_plain(Chart, values.to_plain(INTAKE)) == INTAKE


@given(st.integers(0, 10**9))
def test_whatever_way_one_walks_a_sound_chart_an_end_stays_in_reach(seed):
    rng = random.Random(seed)
    table = compile_chart(INTAKE)
    here = INTAKE.initial
    for _ in range(30):
        if table.is_terminal(here):
            assert table.leaving[here] == ()
            return
        here = rng.choice(table.leaving[here]).target
    seen = {here}
    while not any(table.is_terminal(name) for name in seen):
        wider = seen | {step.target for name in seen for step in table.leaving[name]}
        assert wider != seen
        seen = wider


def test_a_chart_inside_another_leads_on_from_its_ends():
    inner = Chart(
        code="test.paper",
        edition=1,
        label=WORDS,
        initial="drafting",
        roles=(Role(name="drafter", label=WORDS), Role(name="chief", label=WORDS)),
        states=(
            state("drafting", turn="drafter"),
            state("signing", turn="chief"),
            state("signed", standing=Standing.TERMINAL),
            state("dropped", standing=Standing.TERMINAL),
        ),
        moves=(
            move("present", ("drafting",), "signing", "drafter"),
            move("give_back", ("signing",), "drafting", "chief"),
            move("sign", ("signing",), "signed", "chief"),
            move("drop", ("drafting",), "dropped", "drafter"),
        ),
        timers=(timer("signing", "signing", ("signing",), actor="chief"),),
    )
    outer = planted(
        moves=(*INTAKE.moves, move("draft", ("accepted",), "paper.drafting")),
        roles=(*INTAKE.roles, Role(name="chief", label=WORDS)),
    )
    whole = embed_chart(
        outer,
        inner,
        prefix="paper",
        roles={"drafter": "clerk"},
        exits={"signed": "valid", "dropped": "accepted"},
    )
    assert check_chart(whole) == ()
    table = compile_chart(whole)
    assert table.legal("paper.signing", "paper.sign").target == "valid"
    assert table.legal("paper.drafting", "paper.drop").actor == "clerk"
    assert table.states["paper.signing"].turn == "chief"
    assert table.timers["paper.signing"].runs == ("paper.signing",)
