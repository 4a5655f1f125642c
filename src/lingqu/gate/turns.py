# SPDX-License-Identifier: Apache-2.0
"""Turns: who may run next, so that no contract waits because another one asks much.

A contract runs at most so many queries at once, and contracts that wait are served in turn, each
with its oldest query, however many the others have handed in.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

from lingqu.kernel import errors
from lingqu.runtime.engine import Cancel

POLL_MS = 50


class QueueFull(errors.Unavailable):
    """The contract has too many queries waiting, or none got its turn in time."""

    code = "gate.query.queue"


class Turns:
    """The turns of one process: `most` queries at once, `each` of one contract."""

    def __init__(
        self, *, most: int, each: int = 1, waiting: int = 32, wait_ms: int = 30_000
    ) -> None:
        """Nobody runs and nobody waits."""
        self._most, self._each, self._waiting = most, each, waiting
        self._wait_ns = wait_ms * 1_000_000
        self._changed = threading.Condition()
        self._running: dict[str, int] = {}
        self._queues: OrderedDict[str, deque[Cancel]] = OrderedDict()

    @contextmanager
    def taken(self, contract: str, cancel: Cancel) -> Iterator[None]:
        """This will wait for the contract's turn and hold it. Raises QueueFull.

        A query that is cancelled while it waits goes on at once, to find that it is.
        """
        ticket = cancel
        with self._changed:
            queue = self._queues.setdefault(contract, deque())
            if len(queue) >= self._waiting:
                raise QueueFull(waiting=self._waiting)
            queue.append(ticket)
            self._wait(contract, ticket, cancel)
            self._running[contract] = self._running.get(contract, 0) + 1
        try:
            yield
        finally:
            with self._changed:
                self._running[contract] -= 1
                if not self._running[contract]:
                    del self._running[contract]
                self._changed.notify_all()

    def place(self, contract: str, cancel: Cancel) -> int:
        """This will say which place a query that waits has among its contract's, from 1.

        0 where it does not wait. How many others wait is nobody's business.
        """
        with self._changed:
            queue = self._queues.get(contract, ())
            return next((at + 1 for at, one in enumerate(queue) if one is cancel), 0)

    def _wait(self, contract: str, ticket: Cancel, cancel: Cancel) -> None:
        ends = time.monotonic_ns() + self._wait_ns
        try:
            while self._next() != (contract, ticket) and not cancel.is_set:
                left = ends - time.monotonic_ns()
                if left <= 0:
                    raise QueueFull(waiting=len(self._queues[contract]))
                self._changed.wait(min(left // 1_000_000 + 1, POLL_MS) / 1000)
        finally:
            queue = self._queues[contract]
            queue.remove(ticket)
            if queue:
                self._queues.move_to_end(contract)
            else:
                del self._queues[contract]
            self._changed.notify_all()

    def _next(self) -> tuple[str, Cancel] | None:
        """Whose turn it is: the contract that was served longest ago and has room."""
        if sum(self._running.values()) >= self._most:
            return None
        for contract, queue in self._queues.items():
            if self._running.get(contract, 0) < self._each:
                return contract, queue[0]
        return None
