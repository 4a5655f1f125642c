# SPDX-License-Identifier: Apache-2.0
"""Keeping effective grants true: a thread that hears every change and reads what is new.

It listens before it reads, so nothing falls between. When the connection is lost the checker counts
as deaf at once and permits nothing until everything was read again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lingqu.kernel import errors
from lingqu.rights.checks import NotListening
from lingqu.rights.effective import EffectiveGrants
from lingqu.rights.notices import CHANNEL
from lingqu.runtime import Database
from lingqu.runtime.listening import Listener, listening
from lingqu.runtime.observability import get_logger
from lingqu.trust import holds

_TURN_MS = 50
_READY_S = 60
_RETRY_S = 1
_log = get_logger(__name__)


@contextmanager
def watching(database: Database, grants: EffectiveGrants) -> Iterator[EffectiveGrants]:
    """This will keep `grants` true in a thread of its own until the block ends.

    The block begins once everything was read; raises NotListening where that takes a minute.
    """
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=_keep, args=(database, grants, stop, ready), name="lingqu-grants", daemon=True
    )
    thread.start()
    try:
        if not ready.wait(_READY_S):
            raise NotListening
        yield grants
    finally:
        stop.set()
        thread.join(timeout=10)
        grants.listening = False


def _keep(
    database: Database, grants: EffectiveGrants, stop: threading.Event, ready: threading.Event
) -> None:
    while not stop.is_set():
        try:
            with listening(database, (CHANNEL, holds.CHANNEL)) as ear:
                _read(database, grants, all_of_it=True)
                ready.set()
                _follow(database, grants, ear, stop)
        except errors.Unavailable as error:
            grants.listening = False
            _log.warning("grants_not_heard", code=error.code)
            stop.wait(_RETRY_S)


def _follow(
    database: Database, grants: EffectiveGrants, ear: Listener, stop: threading.Event
) -> None:
    while not stop.is_set():
        heard = ear.wait(0 if grants.wants_refresh else _TURN_MS)
        for one in heard:
            grants.hear(one.channel, one.payload)
        if not heard and grants.wants_refresh:
            _read(database, grants, all_of_it=False)


def _read(database: Database, grants: EffectiveGrants, *, all_of_it: bool) -> None:
    with database.reading() as tx:
        if all_of_it:
            grants.load(tx)
        else:
            grants.refresh(tx)
