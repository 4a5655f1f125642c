# SPDX-License-Identifier: Apache-2.0
"""Queries under way: begun and left to run, looked after by whoever asked, and fetched when over.

A query that was begun runs on a thread of its own and goes through the same turns, decisions and
metering as one that is waited for. What came of it is kept here for a while; afterwards the same
call, asked again under its id, gives the stored answer uncharged.
"""

from __future__ import annotations

import enum
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lingqu import rights
from lingqu.gate.lanes import Asker, GateBusy, Reply
from lingqu.gate.requests import CallAnswer, CallId, CallRequest
from lingqu.kernel import errors
from lingqu.runtime.engine import Cancel

UNDERWAY_EACH, UNDERWAY_MOST = 16, 512
"""Queries of one contract at once, and of one process; waiting ones among them."""
KEPT_EACH, KEPT_NS = 64, 600_000_000_000
"""So many that are over are kept of a contract, for so long."""
CLOSE_MS = 10_000


class QueryNotHere(errors.NotFound):
    """No such query was begun here, or it has been over for long."""

    code = "gate.query.not_here"


class QueryNotOver(errors.Conflict):
    """The query still waits or runs; there is nothing to fetch yet."""

    code = "gate.query.not_over"


class Stage(enum.Enum):
    """How far a query is."""

    WAITING = "waiting"
    """It waits for its turn."""
    RUNNING = "running"
    ANSWERED = "answered"
    REFUSED = "refused"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self in {Stage.ANSWERED, Stage.REFUSED}


class Progress:
    """How far one query is, told by the thread that runs it and read by any other."""

    def __init__(self) -> None:
        """It was asked just now."""
        self.cancel = Cancel()
        self.percent = 0
        self.is_running = False
        self.began_ns = time.monotonic_ns()

    def begins(self) -> None:
        """This will say that it has its turn."""
        self.is_running = True

    def __call__(self, percent: int) -> None:
        """This will say how much of the work is done."""
        self.percent = percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A query as it stands: `place` is its place among those that wait, from 1, 0 once it runs."""

    call: CallId
    stage: Stage
    place: int
    percent: int
    elapsed_ms: int
    refusal: errors.LingquError | None = None


@dataclass(slots=True)
class _Begun:
    request: CallRequest
    progress: Progress
    over: threading.Event
    reply: Reply | None = None
    elapsed_ms: int = 0
    over_ns: int = 0

    def is_open_again(self, request: CallRequest) -> bool:
        """Whether it is over, and asking once more may give something else."""
        if not self.over.is_set():
            return False
        is_same = self.request.told() == request.told()
        return not is_same or isinstance(self.reply, errors.Unavailable)


Ask = Callable[[CallRequest, Asker, Progress], CallAnswer]
Place = Callable[[str, Cancel], int]


class Underway:
    """The queries of one process that were begun and are not forgotten. Threads may share it."""

    def __init__(self, ask: Ask, place: Place) -> None:
        """Keep how a query is asked, and how it is known where it waits."""
        self._ask, self._place = ask, place
        self._lock = threading.Lock()
        self._begun: OrderedDict[tuple[str, str], _Begun] = OrderedDict()

    def begin(self, request: CallRequest, asker: Asker) -> Standing:
        """This will have a query run and come back at once; the same call is begun once.

        Raises GateBusy. Another request under the id of one that is here is refused where it is
        metered, as ever.
        """
        name = (request.grant, request.call)
        with self._lock:
            known = self._begun.get(name)
            if known is None or known.is_open_again(request):
                self._forget(request.grant)
                open_ = [of for (of, _), one in self._begun.items() if not one.over.is_set()]
                mine = open_.count(request.grant)
                if mine >= UNDERWAY_EACH or len(open_) >= UNDERWAY_MOST:
                    raise GateBusy
                known = _Begun(request, Progress(), threading.Event())
                self._begun[name] = known
                threading.Thread(
                    target=self._run, args=(known, asker), name="lingqu-query", daemon=True
                ).start()
        return self._standing(known)

    def find(self, grant: rights.GrantId, call: CallId) -> Standing:
        """This will say how a query stands. Raises QueryNotHere."""
        return self._standing(self._get(grant, call))

    def request_of(self, grant: rights.GrantId, call: CallId) -> CallRequest:
        """This will give what was asked. Raises QueryNotHere."""
        return self._get(grant, call).request

    def wait(self, grant: rights.GrantId, call: CallId, *, wait_ms: int) -> Standing:
        """This will wait until a query is over, but not for longer. Raises QueryNotHere."""
        found = self._get(grant, call)
        found.over.wait(wait_ms / 1000)
        return self._standing(found)

    def answer(self, grant: rights.GrantId, call: CallId) -> CallAnswer | None:
        """This will give the answer, None before there is one; raises the refusal it ended in.

        Raises QueryNotHere.
        """
        reply = self._get(grant, call).reply
        if isinstance(reply, errors.LingquError):
            raise reply
        return reply

    def stop(self, grant: rights.GrantId, call: CallId) -> bool:
        """This will stop a query, whether it waits or runs; gives whether it was under way."""
        with self._lock:
            found = self._begun.get((grant, call))
        if found is None or found.over.is_set():
            return False
        found.progress.cancel.cancel()
        return True

    def close(self) -> None:
        """This will stop whatever runs, and wait a little for it to be written down."""
        ends = time.monotonic_ns() + CLOSE_MS * 1_000_000
        for one in self._open():
            one.progress.cancel.cancel()
        for one in self._open():
            one.over.wait(max(0, ends - time.monotonic_ns()) / 1_000_000_000)

    def _open(self) -> Iterator[_Begun]:
        with self._lock:
            every = tuple(self._begun.values())
        return (one for one in every if not one.over.is_set())

    def _get(self, grant: rights.GrantId, call: CallId) -> _Begun:
        with self._lock:
            found = self._begun.get((grant, call))
        if found is None:
            raise QueryNotHere(call=call)
        return found

    def _standing(self, one: _Begun) -> Standing:
        progress, reply = one.progress, one.reply
        if not one.over.is_set():
            stage = Stage.RUNNING if progress.is_running else Stage.WAITING
            elapsed = (time.monotonic_ns() - progress.began_ns) // 1_000_000
        else:
            refused = isinstance(reply, errors.LingquError)
            stage, elapsed = (Stage.REFUSED if refused else Stage.ANSWERED), one.elapsed_ms
        place = self._place(one.request.grant, progress.cancel) if stage is Stage.WAITING else 0
        return Standing(
            call=one.request.call,
            stage=stage,
            place=place,
            percent=100 if stage is Stage.ANSWERED else progress.percent,
            elapsed_ms=elapsed,
            refusal=reply if isinstance(reply, errors.LingquError) else None,
        )

    def _run(self, one: _Begun, asker: Asker) -> None:
        reply: Reply = GateBusy()
        try:
            reply = self._ask(one.request, asker, one.progress)
        except errors.LingquError as refusal:
            reply = refusal
        finally:
            one.reply, one.over_ns = reply, time.monotonic_ns()
            one.elapsed_ms = (one.over_ns - one.progress.began_ns) // 1_000_000
            one.over.set()

    def _forget(self, grant: rights.GrantId) -> None:
        """Drop what has been over for long, and the contract's own oldest of too many."""
        old = time.monotonic_ns() - KEPT_NS
        over = [name for name, one in self._begun.items() if one.over.is_set()]
        mine = [name for name in over if name[0] == grant]
        surplus = {*mine[: max(0, len(mine) - KEPT_EACH)]}
        for name in over:
            if self._begun[name].over_ns < old or name in surplus:
                del self._begun[name]
