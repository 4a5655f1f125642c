# SPDX-License-Identifier: Apache-2.0
"""Work beside an event loop rests, waits and is woken without holding up the loop."""

import asyncio
import os
import threading
import time

import pytest

from lingqu.runtime.exchange import Connection, exchange
from lingqu.runtime.strands import OnLoop, OwnThread, wait_readable


def on_loop(work, beside):
    """Do work on a loop's thread while `beside` runs there too; gives what that gives."""

    async def run():
        strand = OnLoop(lambda: work(strand), loop=asyncio.get_running_loop())
        strand.start()
        try:
            return await beside(strand)
        finally:
            strand.finish()

    return asyncio.run(run())


def test_work_on_a_loop_rests_until_its_time_is_over_or_it_is_woken():
    seen, rested = [], asyncio.Event()

    def work(strand):
        strand.rest(0.01)
        seen.append("rested")
        rested.set()
        strand.rest(60)
        seen.append("woken")

    async def beside(strand):
        await rested.wait()
        await asyncio.sleep(0.01)
        strand.wake()
        strand.wake()
        assert seen == ["rested"], "it goes on with the next turn"
        await asyncio.sleep(0.01)
        assert seen == ["rested", "woken"]

    on_loop(work, beside)


def test_any_thread_may_wake_it():
    seen = threading.Event()

    def work(strand):
        strand.rest(60)
        seen.set()

    async def beside(strand):
        await asyncio.sleep(0.01)
        other = threading.Thread(target=strand.wake)
        other.start()
        other.join()
        await asyncio.sleep(0.05)
        assert seen.is_set()

    on_loop(work, beside)


def test_what_wakes_it_while_it_waits_for_something_else_changes_nothing():
    ours, theirs = os.pipe()
    seen = []

    def work(_):
        wait_readable(ours)
        seen.append(os.read(ours, 1))

    async def beside(strand):
        await asyncio.sleep(0.01)
        strand.wake()
        await asyncio.sleep(0.01)
        assert not seen
        os.write(theirs, b"x")
        await asyncio.sleep(0.01)
        assert seen == [b"x"]

    on_loop(work, beside)
    os.close(ours)
    os.close(theirs)


def test_the_loop_goes_on_while_its_work_waits_for_the_database(bare_place):
    told = []

    def work(_):
        with Connection.connect(bare_place.database.conninfo, autocommit=True) as connection:
            told.extend(exchange(connection, [("SELECT pg_sleep(0.2)", ()), ("SELECT 7 AS n", ())]))

    async def beside(_):
        for _ in range(3):
            await asyncio.sleep(0.001)
        return bool(told)

    assert not on_loop(work, beside), "the loop had turns meanwhile"
    assert told[1].rows == [{"n": 7}]


def test_what_is_left_is_done_without_the_loop(bare_place):
    seen = []

    def work(strand):
        strand.rest(60)
        strand.rest(60)
        with Connection.connect(bare_place.database.conninfo, autocommit=True) as connection:
            seen.append(exchange(connection, [("SELECT 7 AS n", ())])[0].rows)

    async def beside(_):
        await asyncio.sleep(0.01)

    on_loop(work, beside)
    assert seen == [[{"n": 7}]]


def test_work_that_waits_for_the_database_when_the_loop_ends_comes_to_its_end(bare_place):
    seen = []

    def work(_):
        with Connection.connect(bare_place.database.conninfo, autocommit=True) as connection:
            seen.append(exchange(connection, [("SELECT pg_sleep(0.2)", ())])[0].touched)

    async def beside(_):
        await asyncio.sleep(0.05)
        assert not seen

    on_loop(work, beside)
    assert seen == [1]


@pytest.mark.parametrize("is_on_loop", [True, False])
def test_it_is_known_whether_work_came_to_its_end(is_on_loop):
    def fail():
        raise ZeroDivisionError

    async def run():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        strand = OnLoop(fail, loop=loop) if is_on_loop else OwnThread(lambda: None, name="x")
        strand.start()
        for _ in range(1_000):
            if strand.is_over:
                return True
            await asyncio.sleep(0.001)
        return False

    assert asyncio.run(run())


def test_work_on_a_thread_of_its_own_does_not_miss_who_woke_it_before_it_rests():
    seen = []
    begun = threading.Event()

    def work():
        begun.wait(30)
        while len(seen) < 2:
            strand.rest(60)
            seen.append(time.monotonic())

    strand = OwnThread(work, name="test")
    strand.start()
    strand.wake()
    begun.set()
    while not seen:
        time.sleep(0.001)
    strand.wake()
    strand.finish()
    assert len(seen) == 2


def test_a_thread_is_borrowed_where_it_idles_and_goes_on_after_it_was_given_back():
    seen, at_work, may_idle = [], threading.Event(), threading.Event()

    def work():
        at_work.set()
        may_idle.wait(30)
        strand.idle(60)
        seen.append("went on")

    strand = OwnThread(work, name="test")
    with strand.borrowed() as is_mine:
        assert not is_mine, "it has not begun"
    strand.start()
    at_work.wait(30)
    with strand.borrowed() as is_mine:
        assert not is_mine, "it is at work"
    may_idle.set()
    while not is_mine:
        with strand.borrowed() as is_mine:
            if is_mine:
                with strand.borrowed() as is_theirs:
                    assert not is_theirs, "one at a time"
                strand.wake()
                strand.rest(0.05)
                assert not seen, "what was borrowed is not at work, and keeps its bell"
                seen.append("given back")
    strand.finish()
    assert seen == ["given back", "went on"]


def test_work_on_a_loop_is_lent_to_nobody():
    async def beside(strand):
        await asyncio.sleep(0.01)
        with strand.borrowed() as is_mine:
            assert not is_mine
        strand.wake()

    on_loop(lambda strand: strand.idle(60), beside)
