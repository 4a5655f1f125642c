# SPDX-License-Identifier: Apache-2.0
"""Lines before the gate: what waits for its turn holds no thread, so that nobody takes them all.

Each contract has a line of its own. A query runs in one of a few threads kept for queries, taken
by the lines in turn; everything else the server does has other threads. A call waits at the gate's
own lanes and needs none at all.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from lingqu import gate
from lingqu.api.refusals import TooManyRequests
from lingqu.kernel import errors
from lingqu.runtime import Caller
from lingqu.wiring import App

T = TypeVar("T")
EACH, WAITING_MOST, AGAIN_S = 2, 64, 5
"""Of one contract: so many run, so many wait; more are told to come back after so long."""
_ANSWER_S = 60


class Lines:
    """The lines of one server; used on its loop only."""

    def __init__(self, threads: int) -> None:
        """Nobody waits."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lingqu-asked")
        self._free = threads
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._running = Counter[str]()

    async def run(self, contract: str, work: Callable[[], T]) -> T:
        """This will do something that takes long in the contract's turn. Raises TooManyRequests."""
        loop = asyncio.get_running_loop()
        line = self._waiting.get(contract, ())
        if len(line) >= WAITING_MOST:
            raise TooManyRequests(seconds=AGAIN_S)
        turn = loop.create_future()
        self._waiting.setdefault(contract, deque()).append(turn)
        self._serve()
        try:
            await turn
            return await loop.run_in_executor(self._pool, copy_context().run, work)
        finally:
            if not turn.cancelled():
                self._leave(contract)

    def _leave(self, contract: str) -> None:
        self._free += 1
        self._running[contract] -= 1
        if not self._running[contract]:
            del self._running[contract]
        self._serve()

    def _serve(self) -> None:
        while self._free and (contract := self._next()) is not None:
            line = self._waiting.pop(contract)
            turn = line.popleft()
            if line:
                self._waiting[contract] = line  # the last in turn again
            if not turn.done():
                self._free -= 1
                self._running[contract] += 1
                turn.set_result(None)

    def _next(self) -> str | None:
        """The contract that was served longest ago and may have another one run."""
        return next((one for one in self._waiting if self._running[one] < EACH), None)


async def ask_desk(platform: App, caller: Caller, request: gate.CallRequest) -> gate.CallAnswer:
    """This will answer a call once it is metered, and hold no thread until then.

    Raises what refuses it, and GateBusy.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[gate.Reply] = loop.create_future()

    def settle(reply: gate.Reply) -> None:
        if not answered.done():
            answered.set_result(reply)

    def hear(reply: gate.Reply) -> None:
        loop.call_soon_threadsafe(settle, reply)

    def submit() -> None:
        with platform.database.reading(caller) as tx:
            asker = gate.find_asker(tx, request.grant)
        platform.desk.submit(request, asker, hear)

    await asyncio.to_thread(submit)
    try:
        reply = await asyncio.wait_for(answered, _ANSWER_S)
    except TimeoutError:
        raise gate.GateBusy from None
    if isinstance(reply, errors.LingquError):
        raise reply
    return reply
