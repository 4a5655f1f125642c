# SPDX-License-Identifier: Apache-2.0
"""Rate limits hold for every key and never grow without bound."""

from hypothesis import given
from hypothesis import strategies as st

from lingqu.api import Limiter


class Clock:
    """Seconds that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=60))
def test_nobody_gets_more_than_the_bucket_and_what_flowed_in_since(per_minute, pauses):
    clock = Clock()
    limiter = Limiter(per_minute, clock=clock)
    allowed = 0
    for pause in pauses:
        clock.now += pause
        allowed += limiter.take("one") == 0
    assert allowed <= per_minute + clock.now * per_minute / 60 + 1e-6


def test_after_the_wait_it_names_a_request_passes():
    clock = Clock()
    limiter = Limiter(3, clock=clock)
    assert [limiter.take("one") for _ in range(3)] == [0, 0, 0]
    wait = limiter.take("one")
    assert wait == 20
    assert limiter.take("another") == 0
    clock.now += wait
    assert limiter.take("one") == 0


def test_peeking_takes_nothing():
    limiter = Limiter(1, clock=Clock())
    assert [limiter.peek("one") for _ in range(5)] == [0] * 5
    assert limiter.take("one") == 0
    assert limiter.peek("one") > 0


def test_memory_is_bounded_and_the_forgotten_are_not_locked_out():
    limiter = Limiter(1, remembered=10, clock=Clock())
    for number in range(1000):
        limiter.take(f"source {number}")
    assert len(limiter._buckets) == 10
    assert limiter.take("source 0") == 0
    assert limiter.take("source 999") > 0
