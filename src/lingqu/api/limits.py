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
from dataclasses import dataclass

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
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str) -> int:
        """This will take one token: 0 when there was one, else the seconds until there is."""
        now = self._clock()
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = _Bucket(self._most, now)
                while len(self._buckets) > self._remembered:
                    self._buckets.popitem(last=False)
            else:
                self._buckets.move_to_end(key)
                bucket.left = self._left(bucket, now)
                bucket.seen = now
            if bucket.left >= 1.0:
                bucket.left -= 1.0
                return 0
            return self._wait(bucket.left)

    def peek(self, key: str) -> int:
        """This will say what `take` would, and take nothing."""
        now = self._clock()
        with self._lock:
            bucket = self._buckets.get(key)
            left = self._most if bucket is None else self._left(bucket, now)
        return 0 if left >= 1.0 else self._wait(left)

    def _left(self, bucket: _Bucket, now: float) -> float:
        """What is in a bucket by now."""
        left = bucket.left + (now - bucket.seen) * self._per_second
        return min(self._most, left)

    def _wait(self, left: float) -> int:
        """The seconds until there is a whole token."""
        return max(1, math.ceil((1.0 - left) / self._per_second))


@dataclass(slots=True)
class _Bucket:
    """What was left in a bucket, and when."""

    left: float
    seen: float
