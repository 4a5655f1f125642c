# SPDX-License-Identifier: Apache-2.0
"""Lines before the gate: a flood of one contract keeps no other one waiting, nor the server."""

import asyncio
import threading

import pytest
from web_server import run_aside

from lingqu.api.lines import EACH, WAITING_MOST, Lines
from lingqu.api.refusals import TooManyRequests


def test_a_flood_of_one_contract_takes_neither_every_thread_nor_every_turn():
    async def flood():
        lines, served, held = Lines(threads=3), [], threading.Event()

        def work(name):
            assert held.wait(timeout=60)
            served.append(name)

        loud = [
            asyncio.ensure_future(lines.run("loud", lambda at=at: work(f"loud {at}")))
            for at in range(WAITING_MOST + EACH)
        ]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequests):
            await lines.run("loud", lambda: work("one too many"))
        quiet = asyncio.ensure_future(lines.run("quiet", lambda: work("quiet")))
        await asyncio.sleep(0)
        # The server's own threads are free whatever waits.
        assert await asyncio.to_thread(lambda: "free") == "free"
        held.set()
        await asyncio.gather(quiet, *loud)
        return served

    served = run_aside(flood())
    assert served.index("quiet") <= EACH
    assert sorted(served, key=str) == sorted(
        ["quiet", *(f"loud {at}" for at in range(WAITING_MOST + EACH))]
    )


def test_a_query_that_fails_or_is_given_up_gives_its_turn_back():
    async def ask():
        lines = Lines(threads=1)
        with pytest.raises(ValueError, match="x"):
            await lines.run("one", lambda: int("x"))
        held = threading.Event()
        first = asyncio.ensure_future(lines.run("one", lambda: held.wait(timeout=60)))
        second = asyncio.ensure_future(lines.run("one", lambda: "never"))
        await asyncio.sleep(0)
        second.cancel()
        held.set()
        assert await first
        return await lines.run("two", lambda: "served")

    assert run_aside(ask()) == "served"
