# SPDX-License-Identifier: Apache-2.0
"""The time source: real, or a story clock that marks its installation for ever.

The story clock moves business time (`tx.now`) only. Sessions, rate limits, ids and signatures of
the log use real time, always.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant, format_instant

BACKWARDS_TOLERANCE = timedelta(seconds=60)
"""How far the machine's clock may stand behind the last recorded instant before we refuse."""

SomeId = TypeVar("SomeId", bound=Id)


class ClockWentBackwards(errors.Unavailable):
    """The machine's clock is behind what was already recorded; statutory times would be wrong."""

    code = "runtime.clock.backwards"


class RealTime:
    """Real time that never runs backwards in this process.

    `source` gives nanoseconds since 1970. Small steps back are smoothed over; a step of more than
    a minute behind the latest instant seen or recorded raises ClockWentBackwards until the clock
    is right again.
    """

    def __init__(self, source: Callable[[], int] = time.time_ns) -> None:
        """Start from what the source says now."""
        self._source = source
        self._latest_us = 0
        self._lock = threading.Lock()

    def remember(self, recorded: Instant) -> None:
        """This will hold the clock to an instant that is already on record."""
        us = int((recorded - _EPOCH) / _MICROSECOND)
        with self._lock:
            self._latest_us = max(self._latest_us, us)

    def now(self) -> Instant:
        """The moment, later than every one given before; raises ClockWentBackwards."""
        us = self._source() // 1000
        with self._lock:
            if us <= self._latest_us:
                behind = timedelta(microseconds=self._latest_us - us)
                if behind > BACKWARDS_TOLERANCE:
                    raise ClockWentBackwards(
                        now=format_instant(_EPOCH + us * _MICROSECOND),
                        recorded=format_instant(_EPOCH + self._latest_us * _MICROSECOND),
                    )
                us = self._latest_us + 1
            self._latest_us = us
        return _EPOCH + us * _MICROSECOND

    def now_ms(self) -> int:
        """The moment in milliseconds since 1970, as ids carry it."""
        return self._source() // 1_000_000

    def new_id(self, kind: type[SomeId]) -> SomeId:
        """This will make a new id of `kind` (UUIDv7 by real time and the system's randomness)."""
        return kind.make(unix_ms=self.now_ms(), entropy=os.urandom(10))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

REAL_TIME = RealTime()
"""The process's real time."""

new_id = REAL_TIME.new_id
"""Make a new id of a kind, by real time and the system's randomness."""
