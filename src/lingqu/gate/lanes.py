# SPDX-License-Identifier: Apache-2.0
"""Fair turns at the gate: what waits is taken grant by grant, a bounded piece of each at a time.

No grant can starve another: each has a lane of its own, a turn takes one call of each lane in
order, and a large call is worked on in slices between the turns. A lane that is full refuses at
once, so that what one contract asks waits for itself only.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from lingqu import trust
from lingqu.gate.answering import SubjectAnswer
from lingqu.gate.brought import Brought
from lingqu.gate.predicates import Asked
from lingqu.gate.requests import CallAnswer, CallRequest
from lingqu.gate.shelf import Ready
from lingqu.kernel import errors

CALLS_MOST, SUBJECTS_MOST = 512, 1_000
"""Calls, and subjects of them, in one window."""
LANE_CALLS, LANE_SUBJECTS = 2_000, 50_000
"""Calls, and subjects of them, that wait under one grant; more are refused as busy."""


class GateBusy(errors.Unavailable):
    """The gate does not come to an answer at the moment; asking again under the same id is safe."""

    code = "gate.busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: the account, and whether it acts for the holder of the grant it asks under."""

    account: trust.AccountId
    may_call: bool


Reply: TypeAlias = CallAnswer | errors.LingquError
"""An answer, or what refused it."""


@dataclass(slots=True)
class Prepared:
    """What was read and answered of a large call ahead of its window, from what was then ready."""

    ready: Ready
    asked: list[Asked]
    answers: list[SubjectAnswer]
    bad_row: int = 0


@dataclass(slots=True)
class Waiting:
    """A call that waits for its answer; a query comes with what was `brought` for it."""

    request: CallRequest
    asker: Asker
    done: Callable[[Reply], None]
    brought: Brought | None = None
    prepared: Prepared | None = None
    is_prepared: bool = False
    is_answered: bool = False


class Lanes:
    """What waits, by grant. One thread uses it."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._lanes: OrderedDict[str, deque[Waiting]] = OrderedDict()
        self._subjects: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def add_all(self, calls: Iterable[Waiting]) -> list[Waiting]:
        """This will let calls wait in their lanes, and give those whose lanes are full."""
        lanes, waits, refused = self._lanes, self._subjects, list[Waiting]()
        for one in calls:
            grant = one.request.grant
            lane = lanes.get(grant)
            if lane is None:
                lane, waits[grant] = lanes.setdefault(grant, deque()), 0
            if lane and (len(lane) >= LANE_CALLS or waits[grant] >= LANE_SUBJECTS):
                refused.append(one)
            else:
                lane.append(one)
                waits[grant] += len(one.request.subjects)
        return refused

    def add(self, one: Waiting) -> bool:
        """This will let a call wait in its lane; False where that is full."""
        return not self.add_all((one,))

    def put_back(self, calls: list[Waiting]) -> None:
        """This will put calls that were taken to the front of their lanes again."""
        for one in reversed(calls):
            grant = one.request.grant
            self._lanes.setdefault(grant, deque()).appendleft(one)
            self._subjects[grant] = self._subjects.get(grant, 0) + len(one.request.subjects)

    def take(self, prepare: Callable[[Waiting], bool]) -> list[Waiting]:
        """This will take the calls of the next window: one of each lane in turn.

        A large call is worked on by `prepare`, one slice a turn, until that says that it is ready.
        """
        taken = self._take_single() if len(self._lanes) == 1 else []
        room, before = SUBJECTS_MOST - len(taken), SUBJECTS_MOST + 1
        waits: set[str] = set()
        while self._lanes and 0 < room < before:
            before = room
            for grant in list(self._lanes):
                if room <= 0 or len(taken) >= CALLS_MOST:
                    return taken
                if grant not in waits:
                    room -= self._take(grant, taken, waits, prepare)
        return taken

    def _take_single(self) -> list[Waiting]:
        """Take the calls about one subject each from the front of the only lane."""
        ((grant, lane),) = self._lanes.items()
        taken: list[Waiting] = []
        while lane and len(taken) < CALLS_MOST and len(lane[0].request.subjects) == 1:
            taken.append(lane.popleft())
        self._subjects[grant] -= len(taken)
        if not lane:
            del self._lanes[grant], self._subjects[grant]
        return taken

    def _take(
        self,
        grant: str,
        taken: list[Waiting],
        waits: set[str],
        prepare: Callable[[Waiting], bool],
    ) -> int:
        """Take the first call of a lane, or work on it; give what that cost of the room."""
        lane = self._lanes[grant]
        self._lanes.move_to_end(grant)
        first = lane[0]
        size = len(first.request.subjects)
        if size > SUBJECTS_MOST and not first.is_prepared:
            first.is_prepared = prepare(first)
            waits.add(grant)
            return SUBJECTS_MOST
        taken.append(lane.popleft())
        self._subjects[grant] -= size
        if not lane:
            del self._lanes[grant], self._subjects[grant]
        return min(max(1, size), SUBJECTS_MOST)
