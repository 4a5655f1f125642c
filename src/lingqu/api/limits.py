# SPDX-License-Identifier: Apache-2.0
"""How often one source or account may ask: a token bucket for each, in bounded memory.

Buckets live by real time. The ones not asked for longest are forgotten first; a forgotten one is
full again, so flooding with new names never locks anyone out, it only costs the flooder's memory.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

REMEMBERED = 20_000
"""How many buckets are kept at most: about 3 MB."""


class Limiter:
    """Lets each key through `per_minute` times a minute, all of them at once if it likes."""

    def __init__(
        self,
        per_minute: int,
        *,
        remembered: int = REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with every bucket full; `clock` gives seconds that never run backwards."""
        self._most = float(per_minute)
        self._per_second = per_minute / 60
        self._remembered = remembered
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> int:
        """This will take one token: 0 when there was one, else the seconds until there is."""
        return self._ask(key, cost=1.0)

    def peek(self, key: str) -> int:
        """This will say what `take` would, and take nothing."""
        return self._ask(key, cost=0.0)

    def _ask(self, key: str, *, cost: float) -> int:
        now = self._clock()
        with self._lock:
            left, seen = self._buckets.get(key, (self._most, now))
            left = min(self._most, left + (now - seen) * self._per_second)
            missing = 1.0 - left
            if missing <= 0:
                left -= cost
            if cost:
                self._buckets[key] = (left, now)
                self._buckets.move_to_end(key)
                while len(self._buckets) > self._remembered:
                    self._buckets.popitem(last=False)
        return 0 if missing <= 0 else max(1, math.ceil(missing / self._per_second))
