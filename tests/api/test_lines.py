# SPDX-License-Identifier: Apache-2.0
"""Lines before the gate: a flood of one contract keeps no other one waiting, nor the server."""

import asyncio
import threading

import pytest
from web_server import run_aside

from lingqu.api.lines import EACH, WAITING_MOST, Lines
from lingqu.api.refusals import TooManyRequests


def test_a_flood_of_one_contract_takes_neither_every_thread_nor_the_servers_own():
    async def flood():
        lines, done = Lines(threads=EACH + 1), []
        held, quiet_began = threading.Event(), threading.Event()

        def work(name):
            if name == "quiet":
                quiet_began.set()
            assert held.wait(timeout=60)
            done.append(name)

        loud = [
            asyncio.ensure_future(lines.run("loud", lambda at=at: work(f"loud {at}")))
            for at in range(WAITING_MOST + EACH)
        ]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequests):
            await lines.run("loud", lambda: work("one too many"))
        quiet = asyncio.ensure_future(lines.run("quiet", lambda: work("quiet")))
        # It runs beside the loud ones that hold all a contract may hold; waiting for it takes a
        # thread of the server's own, which is free whatever waits.
        assert await asyncio.to_thread(quiet_began.wait, 60)
        held.set()
        await asyncio.gather(quiet, *loud)
        return done

    done = run_aside(flood())
    assert sorted(done) == sorted(["quiet", *(f"loud {at}" for at in range(WAITING_MOST + EACH))])


def test_contracts_take_a_single_thread_in_turn():
    async def flood():
        lines, began, held = Lines(threads=1), [], threading.Event()

        def work(name):
            began.append(name)
            assert held.wait(timeout=60)

        asked = [
            asyncio.ensure_future(lines.run(name, lambda name=name: work(name)))
            for name in ["loud"] * WAITING_MOST + ["quiet"] * 3
        ]
        await asyncio.sleep(0)
        held.set()
        await asyncio.gather(*asked)
        return began

    began = run_aside(flood())
    assert began[:7] == ["loud", "loud", "quiet", "loud", "quiet", "loud", "quiet"]
    assert began[7:] == ["loud"] * (WAITING_MOST - 4)


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
