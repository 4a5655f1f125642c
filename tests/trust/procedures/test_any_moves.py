# SPDX-License-Identifier: Apache-2.0
"""Whatever is tried in whatever order, the engine lets through what an oracle calls legal."""

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingqu.kernel import errors
from lingqu.trust import procedures
from lingqu.trust.procedures import records

CHART = next(one for one in procedures.SHIPPED if one.code == "registration.property")
ROLES = [role.name for role in CHART.roles]
MOVES = [move.name for move in CHART.moves]
SKIPPED = {"apply_renewal"}
"""A window depends on a deadline years ahead; the walk through the chart tries its days."""

tries = st.tuples(
    st.sampled_from([*(one for one in MOVES if one not in SKIPPED), "dance"]),
    st.sampled_from(ROLES),
    st.booleans(),
    st.integers(0, 4),
)


class Oracle:
    """The chart read by hand: a state, a version, and how often each move was made."""

    def __init__(self):
        self.state = CHART.initial
        self.version = 1
        self.filing = 1
        self.made = []
        self.extended = False

    def verdict(self, name, role, *, fresh):
        """What should happen: the target, or the refusal."""
        if not fresh:
            return records.StaleProcedure
        move = next((one for one in CHART.moves if one.name == name), None)
        if move is None:
            return records.IllegalMove
        if move.actor == "clock":
            return records.WrongActor
        if self.state not in move.sources:
            return records.IllegalMove
        if move.actor != role:
            return records.WrongActor
        if move.at_most is not None and self.made.count((self.filing, name)) >= move.at_most:
            return records.AlreadyGiven
        if name == "extend" and self.extended:
            return records.AlreadyExtended
        return move.target

    def follow(self, name, target):
        move = next(one for one in CHART.moves if one.name == name)
        self.made.append((self.filing, name))
        self.filing += move.new_filing
        self.version += 1
        self.state = target
        self.extended = self.extended or name == "extend"


@pytest.fixture(scope="module")
def office(trust_server, place_type, desk_type):
    place = place_type(trust_server)
    yield desk_type(place, date(2026, 9, 8))
    place.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(attempts=st.lists(tries, min_size=4, max_size=14))
def test_random_moves_end_where_the_oracle_says(office, attempts):
    office.open(CHART.code, opener="applicant")
    oracle = Oracle()
    for tried, as_role, likely, stale in attempts:
        name, role = likely_move(oracle, tried) if likely else (tried, as_role)
        fresh = stale != 0
        verdict = oracle.verdict(name, role, fresh=fresh)
        version = oracle.version if fresh else oracle.version + 1
        if isinstance(verdict, str):
            moved = office.move(name, role, version=version)
            oracle.follow(name, verdict)
            assert (moved.state, moved.version) == (oracle.state, oracle.version)
        else:
            with pytest.raises(errors.LingquError) as refused:
                office.move(name, role, version=version)
            assert type(refused.value) is verdict or wrong_either_way(refused.value, verdict)
    view = office.view()
    assert (view.procedure.state, view.procedure.version) == (oracle.state, oracle.version)
    assert [step.move for step in view.steps] == [name for _, name in oracle.made]
    open_clocks = {one.name for one in view.clocks}
    runs = {
        timer.name
        for timer in CHART.timers
        if oracle.state in {*timer.runs, *timer.pauses, *timer.holds}
    }
    assert open_clocks <= runs


def likely_move(oracle, tried):
    """A move that is legal where the oracle stands, so that the walk gets far."""
    here = [one for one in CHART.moves if oracle.state in one.sources and one.actor in ROLES]
    here = [one for one in here if one.name not in SKIPPED]
    chosen = here[len(tried) % len(here)] if here else None
    return (chosen.name, chosen.actor) if chosen is not None else (tried, ROLES[0])


def wrong_either_way(refusal, verdict):
    """A clock's move tried with an old version is wrong twice; which is said first is no matter."""
    both = {records.StaleProcedure, records.WrongActor}
    return type(refusal) in both and verdict in both


def test_after_everything_tried_the_audit_finds_nothing(office):
    office.go(date(2026, 9, 8) + timedelta(days=60))
    assert office.place.audit() == []
