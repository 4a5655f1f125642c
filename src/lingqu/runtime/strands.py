# SPDX-License-Identifier: Apache-2.0
"""Strands: one piece of work that goes on by itself, rests, and is woken.

It runs on a thread of its own, or on the thread of an event loop. There nothing is handed from one
thread to another: wherever the work rests or waits for PostgreSQL (`runtime.exchange`), the loop
goes on with its connections, and the work is written as if it were alone. A thread of its own that
idles can be borrowed: whoever has something to do does it at once, and nothing is handed over.
"""

from __future__ import annotations

import asyncio
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from greenlet import getcurrent, greenlet

_JOIN_S = 30


class Strand(Protocol):
    """Work that was made, and goes on from `start`."""

    def start(self) -> None:
        """This will begin the work."""

    def rest(self, seconds: float) -> None:
        """This will have the work wait until it is woken, for so long at most."""

    def idle(self, seconds: float) -> None:
        """This will have the work wait as `rest` does, and be borrowed meanwhile."""

    def borrowed(self) -> AbstractContextManager[bool]:
        """This will let the caller do some of the work in a block; gives whether it idles now."""

    def wake(self) -> None:
        """This will have the work go on where it rests. Any thread may call it."""

    def finish(self) -> None:
        """This will wait until the work has come to its end; it was told to before."""

    @property
    def is_over(self) -> bool:
        """Whether the work has come to its end, or failed."""


class OwnThread:
    """Work on a thread of its own."""

    def __init__(self, work: Callable[[], None], *, name: str) -> None:
        """Do nothing yet."""
        self._bell = threading.Event()
        self._turn = threading.Lock()
        self._turn.acquire()
        self._thread = threading.Thread(target=work, name=name, daemon=True)

    def start(self) -> None:
        """This will begin the work."""
        self._thread.start()

    def rest(self, seconds: float) -> None:
        """This will have the work wait until it is woken, for so long at most; borrowers sleep."""
        if threading.current_thread() is not self._thread:
            time.sleep(seconds)
            return
        self._bell.wait(seconds)
        self._bell.clear()

    def idle(self, seconds: float) -> None:
        """This will have the work wait as `rest` does, and be borrowed meanwhile."""
        self._turn.release()
        try:
            self.rest(seconds)
        finally:
            self._turn.acquire()

    @contextmanager
    def borrowed(self) -> Iterator[bool]:
        """This will let the caller do some of the work on its own thread, if that idles now."""
        is_mine = self._turn.acquire(blocking=False)
        try:
            yield is_mine
        finally:
            if is_mine:
                self._turn.release()

    def wake(self) -> None:
        """This will have the work go on where it rests. Any thread may call it."""
        self._bell.set()

    def finish(self) -> None:
        """This will wait until the work has come to its end; it was told to before."""
        self._thread.join(timeout=_JOIN_S)

    @property
    def is_over(self) -> bool:
        """Whether the work has come to its end, or failed."""
        return not self._thread.is_alive()


class OnLoop(greenlet):  # type: ignore[misc]  # greenlet tells no types
    """Work on the thread of a running event loop; it is made and finished on that thread.

    What it raises ends up with the loop.
    """

    def __init__(self, work: Callable[[], None], *, loop: asyncio.AbstractEventLoop) -> None:
        """Do nothing yet."""
        super().__init__(work)
        self._loop: asyncio.AbstractEventLoop | None = loop
        self._thread = threading.get_ident()
        self._rests = False
        self._waits_for: int | None = None

    def start(self) -> None:
        """This will begin the work with the loop's next turn."""
        assert self._loop is not None, "it is not finished"
        self._loop.call_soon(self.switch)

    def rest(self, seconds: float) -> None:
        """This will have the work wait until it is woken, for so long at most."""
        if self._loop is None:
            return
        over = self._loop.call_later(seconds, self._go_on)
        self._rests = True
        self._let_others()
        over.cancel()

    def idle(self, seconds: float) -> None:
        """This will have the work wait as `rest` does: it belongs to the loop's thread."""
        self.rest(seconds)

    def borrowed(self) -> AbstractContextManager[bool]:
        """This will lend the work to nobody."""
        return nullcontext(enter_result=False)

    def wake(self) -> None:
        """This will have the work go on where it rests. Any thread may call it."""
        loop = self._loop
        if loop is None:
            return
        if threading.get_ident() != self._thread:
            loop.call_soon_threadsafe(self._go_on)
        elif self._rests:
            self._rests = False
            loop.call_soon(self.switch)

    def finish(self) -> None:
        """This will do the rest of the work without the loop, until it has come to its end."""
        if self._loop is not None and self._waits_for is not None:
            self._loop.remove_reader(self._waits_for)
        self._loop = None
        while not self.dead:
            self.switch()

    @property
    def is_over(self) -> bool:
        """Whether the work has come to its end, or failed."""
        return bool(self.dead)

    def wait_readable(self, fileno: int) -> None:
        """This will have the work wait until there is something to read."""
        loop = self._loop
        if loop is None:
            _wait(fileno)
            return
        self._waits_for = fileno
        loop.add_reader(fileno, self._read, loop, fileno)
        self._let_others()

    def _read(self, loop: asyncio.AbstractEventLoop, fileno: int) -> None:
        loop.remove_reader(fileno)
        self._waits_for = None
        self.switch()

    def _go_on(self) -> None:
        if self._rests:
            self._rests = False
            self.switch()

    def _let_others(self) -> None:
        assert self.parent is not None, "the loop's own"
        self.parent.switch()


def wait_readable(fileno: int) -> None:
    """This will wait until there is something to read; on a loop's thread others go on."""
    work = getcurrent()
    if isinstance(work, OnLoop):
        work.wait_readable(fileno)
    else:
        _wait(fileno)


def _wait(fileno: int) -> None:
    waiting = select.poll()
    waiting.register(fileno, select.POLLIN)
    waiting.poll()
