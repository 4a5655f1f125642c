# SPDX-License-Identifier: Apache-2.0
"""Keeping effective grants true: a thread that hears every change and reads what is new.

It listens before it reads, so nothing falls between. When the connection is lost the checker counts
as deaf at once and permits nothing until everything was read again. A connection that is silent is
asked for a sign of life every few milliseconds, and when the last one came stands in `heard_ns`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.rights.checks import NotListening
from lingqu.rights.effective import EffectiveGrants
from lingqu.rights.notices import CHANNEL
from lingqu.runtime import Database
from lingqu.runtime.listening import Listener, listening
from lingqu.runtime.observability import get_logger
from lingqu.trust import holds

_TURN_MS = 25
_READY_S = 60
_RETRY_S = 1
_log = get_logger(__name__)


@contextmanager
def watching(
    database: Database,
    grants: EffectiveGrants,
    *,
    hears: Mapping[str, Callable[[str], None]] | None = None,
) -> Iterator[EffectiveGrants]:
    """This will keep `grants` true in a thread of its own until the block ends.

    The block begins once everything was read; raises NotListening where that takes a minute.
    `hears` are told what is notified on further channels; an empty text says that something may
    have been missed.
    """
    stop, ready = threading.Event(), threading.Event()
    watch = _Watch(database, grants, dict(hears or {}), stop, ready)
    thread = threading.Thread(target=watch.keep, name="lingqu-grants", daemon=True)
    thread.start()
    try:
        if not ready.wait(_READY_S):
            raise NotListening
        yield grants
    finally:
        stop.set()
        thread.join(timeout=10)
        grants.listening = False


@dataclass(slots=True)
class _Watch:
    database: Database
    grants: EffectiveGrants
    hears: dict[str, Callable[[str], None]]
    stop: threading.Event
    ready: threading.Event

    def keep(self) -> None:
        while not self.stop.is_set():
            try:
                channels = (CHANNEL, holds.CHANNEL, *self.hears)
                with listening(self.database, channels) as ear:
                    for hear in self.hears.values():
                        hear("")
                    self._read(all_of_it=True)
                    self.grants.heard_ns = time.monotonic_ns()
                    self.ready.set()
                    self._follow(ear)
            except errors.Unavailable as error:
                self.grants.listening = False
                _log.warning("grants_not_heard", code=error.code)
                self.stop.wait(_RETRY_S)

    def _follow(self, ear: Listener) -> None:
        while not self.stop.is_set():
            heard = ear.wait(0 if self.grants.wants_refresh else _TURN_MS)
            for one in heard:
                hear = self.hears.get(one.channel)
                if hear is None:
                    self.grants.hear(one.channel, one.payload)
                else:
                    hear(one.payload)
            if not heard:
                ear.reassure()
                if self.grants.wants_refresh:
                    self._read(all_of_it=False)
            self.grants.heard_ns = time.monotonic_ns()

    def _read(self, *, all_of_it: bool) -> None:
        with self.database.reading() as tx:
            if all_of_it:
                self.grants.load(tx)
            else:
                self.grants.refresh(tx)
