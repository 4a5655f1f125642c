# SPDX-License-Identifier: Apache-2.0
"""Business time is real or a story; everything else goes by real time, which never runs back."""

import dataclasses
import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu import trust
from lingqu.kernel.time import parse_instant
from lingqu.runtime import REAL_TIME, ClockWentBackwards, RealTime, new_id
from lingqu.trust import AccessDenied
from lingqu.trust.installation import AlreadyFounded, ClockOnlyForward, NoStoryClock

START = datetime(2027, 1, 4, 1, 0, tzinfo=UTC)
MINUTE = 60 * 1_000_000_000


@pytest.fixture
def story(bare_place):
    bare_place.found(story_from=START)
    bare_place.database.use_story_clock(story=True)
    return bare_place


def shown(place):
    with place.database.reading() as tx:
        return tx.now


def test_the_story_clock_moves_business_time_only(story):
    before = REAL_TIME.now()
    login, password = "li@demo", "correct horse battery"
    story.account(login=login, password=password)
    assert shown(story) == START
    to = START + timedelta(days=400)
    assert story.do(trust.move_story_clock, to=to) == to
    assert shown(story) == to
    token, _ = trust.sign_in(story.database, login=login, password=password, hours=1, language="en")
    assert trust.identify_session(story.database, token).login == login
    (opened,) = story.sql("SELECT opened_at FROM trust.session")[0]
    party = story.party()
    assert before < opened < REAL_TIME.now()
    assert abs(party.unix_ms / 1000 - REAL_TIME.now().timestamp()) < 60
    with story.database.reading() as tx:
        assert trust.get_installation(tx).clock == "story"
    with story.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        assert trust.get_party(tx, party).created_at == to


def test_every_fact_of_a_story_is_marked_and_carries_its_time(story):
    story.party()
    founded, *told = story.facts()
    assert founded["data"]["clock"] == "story"
    assert {one["clock"] for one in told} == {"story"}
    assert {parse_instant(one["at"]) for one in told} == {START}
    to = START + timedelta(hours=5)
    story.do(trust.move_story_clock, to=to)
    story.party()
    moved, after = story.facts()[-2:]
    assert moved["kind"] == "trust.clock.moved"
    assert [parse_instant(moved["data"][one]) for one in ("before", "after")] == [START, to]
    assert (parse_instant(moved["at"]), parse_instant(after["at"])) == (START, to)
    assert story.audit() == []


@pytest.mark.parametrize("step", [timedelta(0), timedelta(microseconds=-1), timedelta(days=-900)])
def test_the_story_clock_never_moves_back_or_stands(story, step):
    with pytest.raises(ClockOnlyForward):
        story.do(trust.move_story_clock, to=START + step)
    assert shown(story) == START


def test_only_those_who_operate_the_installation_move_its_clock(story):
    for role in (None, trust.Role.MEMBER, trust.Role.REGULATOR):
        with pytest.raises(AccessDenied):
            story.do(
                trust.move_story_clock,
                story.account(role=role),
                to=START + timedelta(1),
            )
    assert shown(story) == START


def test_the_real_clock_is_moved_by_nobody(place):
    with pytest.raises(NoStoryClock):
        place.do(trust.move_story_clock, to=datetime(2100, 1, 1, tzinfo=UTC))
    place.party()
    assert {one["clock"] for one in place.facts()} == {"real"}
    assert abs(shown(place) - REAL_TIME.now()) < timedelta(seconds=60)


def test_a_real_installation_never_becomes_a_story(place):
    with pytest.raises(AlreadyFounded):
        place.found(story_from=START)
    assert place.count("runtime.story_clock") == 0


def test_a_small_step_back_of_the_machine_is_smoothed_over():
    moments = iter([10 * MINUTE, 10 * MINUTE, 9 * MINUTE + 1000, 11 * MINUTE])
    clock = RealTime(lambda: next(moments))
    told = [clock.now() for _ in range(4)]
    assert told == sorted(set(told))
    assert told[2] - told[0] == timedelta(microseconds=2)


def test_a_clock_that_stepped_far_back_refuses_until_it_is_right_again(place):
    real = REAL_TIME.now()
    at = [int(real.timestamp()) * 1_000_000_000]
    database = place.open(time=RealTime(lambda: at[0]))
    ask = {"kind": trust.PartyKind.PERSON, "name": "杨"}

    def register():
        trust.execute(
            database,
            trust.register_party,
            trust.LOCAL_ADMINISTRATOR,
            new_id(trust.CommandId),
            party=new_id(trust.PartyId),
            **ask,
        )

    try:
        register()
        kept = place.everything()
        at[0] -= 2 * MINUTE
        with pytest.raises(ClockWentBackwards):
            register()
        assert place.everything() == kept
        at[0] += 3 * MINUTE
        register()
    finally:
        database.close()
    assert len(place.facts("trust.party.registered")) == 2


def test_time_on_record_holds_a_new_process_to_it():
    clock = RealTime(lambda: 10 * MINUTE)
    recorded = datetime(1970, 1, 1, 0, 30, tzinfo=UTC)
    clock.remember(recorded)
    with pytest.raises(ClockWentBackwards) as refusal:
        clock.now()
    assert refusal.value.parameters == {
        "now": "1970-01-01T00:10:00.000000Z",
        "recorded": "1970-01-01T00:30:00.000000Z",
    }


@given(steps=st.lists(st.integers(-59_000_000_000, 10**12), max_size=40))
def test_whatever_the_machine_says_moments_only_grow(steps):
    said = [10**18]
    for step in steps:
        said.append(max(said) + step)
    source = iter(said)
    clock = RealTime(lambda: next(source))
    told = [clock.now() for _ in said]
    assert all(one < two for one, two in itertools.pairwise(told))


def test_moments_told_to_many_threads_are_all_different():
    clock, told = RealTime(lambda: MINUTE), []
    threads = [
        threading.Thread(target=lambda: told.extend(clock.now() for _ in range(200)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(told)) == len(told) == 1600


def test_facts_of_the_clock_are_frozen_values():
    moved = next(one for one in trust.fact_kinds() if one.kind == "trust.clock.moved")
    fact = moved(before=START, after=START + timedelta(1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fact.after = START
