# SPDX-License-Identifier: Apache-2.0
"""An office of its own for each test: a story clock, people in roles, and ways to move a matter."""

from datetime import UTC, datetime, time, timedelta, timezone

import pytest

from lingqu import trust
from lingqu.runtime import new_id
from lingqu.trust import PLATFORM, procedures
from lingqu.trust.commands import Command
from lingqu.trust.procedures import GivenFile, Part

CHINA = timezone(timedelta(hours=8))
FILE = GivenFile(name="材料.pdf", sha256="ab" * 32, size=7)


def at(day, hour=10):
    """A moment on a local day."""
    return datetime.combine(day, time(hour), CHINA).astimezone(UTC)


def open_for_a_package(tx, **given):
    """What the command of the package does that the chart's opening is `through`."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.PROCEDURE, owner=given["owner"])
    return procedures.begin_procedure(tx, **given)


def move_for_a_package(tx, *, procedure, move, version, **given):
    """What the command of the package does that a move is `through`."""
    return procedures.advance_procedure(
        tx, procedure=procedure, move=move, version=version, given=procedures.Given(**given)
    )


OPEN = Command("trust.procedure.open", open_for_a_package, internal=True)
MOVE = Command("trust.procedure.move", move_for_a_package, internal=True)


class Desk:
    """One installation on a story clock, with a procedure in the hands of its people."""

    opening = OPEN

    def __init__(self, place, day):
        self.place = place
        self.people = {}
        self.parties = {}
        self.day = day
        place.found(story_from=at(day))
        place.database.use_story_clock(story=True)

    def person(self, role, party=None):
        """Whoever plays a role: a member of a party of its own, the first time it is asked for."""
        if role not in self.people:
            self.parties[role] = party or self.place.party(role)
            self.people[role] = self.place.account(self.parties[role], role=trust.Role.MEMBER)
        return self.people[role]

    def go(self, day, hour=10):
        """Move the story clock to a local day, and let the clocks act that ran out."""
        assert day >= self.day, "a story goes forward"
        if day > self.day:
            self.place.do(trust.move_story_clock, to=at(day, hour))
        self.day = day
        return procedures.fire_due_timers(self.place.database, PLATFORM)

    def open(self, chart, *, opener, subject="res_1", **more):
        known = next(one for one in procedures.provided_charts() if one.code == chart)
        parts = []
        for role in known.roles:
            self.person(role.name)
            parts.append(Part(role=role.name, party=self.parties[role.name]))
        self.procedure = new_id(procedures.ProcedureId)
        self.place.do(
            OPEN if known.through else procedures.open_procedure,
            self.person(opener),
            procedure=self.procedure,
            chart=chart,
            subject=subject,
            title="灵山县荔枝产销数据",
            owner=self.parties[opener],
            parts=tuple(parts),
            **more,
        )
        return self.procedure

    def move(self, name, role, *, version=None, **given):
        """Make a move as whoever plays the role, with everything any move may ask for."""
        seen = self.view().procedure.version if version is None else version
        more = {"opinion": "同意。", "reason": "依据充分。", "files": (FILE,)} | given
        moves = {one.name: one for one in self.view().chart.moves}
        elsewhere = name in moves and moves[name].through == "rights"
        return self.place.do(
            MOVE if elsewhere else procedures.move_procedure,
            self.person(role),
            procedure=self.procedure,
            move=name,
            version=seen,
            **more,
        )

    def view(self, caller=None):
        with self.place.database.reading(caller or trust.LOCAL_ADMINISTRATOR) as tx:
            return procedures.get_procedure(tx, self.procedure)

    @property
    def state(self):
        return self.view().procedure.state

    def clock(self, name):
        return next(one for one in self.view().clocks if one.name == name)

    def todos(self, role):
        with self.place.database.reading(self.person(role)) as tx:
            return procedures.find_todos(tx)


@pytest.fixture
def desk(bare_place):
    """Begin the story on a local day."""

    def begin(day):
        return Desk(bare_place, day)

    return begin


@pytest.fixture(scope="session")
def desk_type():
    """For modules whose tests share one office."""
    return Desk
