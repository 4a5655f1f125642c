# SPDX-License-Identifier: Apache-2.0
"""What changes while a page is open, as server-sent events: facts that came, things to do.

One watcher looks for new facts for all open pages together, and only while there are any; a page
counts its own things to do when something happened. Pages work without it.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from litestar import get
from litestar.datastructures import State
from litestar.response import Stream

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Instant
from lingqu.runtime import Caller
from lingqu.trust import jobs, procedures
from lingqu.ui.pages.notices import count_notices
from lingqu.ui.provided import FromDesk
from lingqu.ui.refusals import PageNotFound
from lingqu.wiring import App

LOOK_EVERY_S = 2.0
TICK_S = 0.25
BEAT_EVERY_S = 15.0
OPEN_MAX_S = 900.0
"""A page asks again after a quarter of an hour, so that an ended session does not listen on."""
LISTENERS_MAX = 500
TODOS_MAX = 100


@dataclass(slots=True)
class Watch:
    """The newest fact that is known of, and how many pages listen."""

    app: App
    stop: threading.Event
    newest: str = ""
    looked_at: float = 0.0
    listeners: int = 0
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def newest_fact(self, now: float) -> str:
        """This will give the newest fact's id, asked for once in a while for everybody."""
        if now - self.looked_at >= LOOK_EVERY_S and not self.looking.locked():
            async with self.looking:
                self.looked_at = now
                self.newest = await asyncio.to_thread(self._look)
        return self.newest

    def _look(self) -> str:
        try:
            with self.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
                found = trust.find_facts(tx, page=PageRequest(size=1)).items
        except errors.Unavailable:
            return self.newest
        return found[0].id if found else ""


def count_todos(app: App, caller: Caller) -> int:
    """This will count what the caller must do now, a hundred at most."""
    with app.database.reading(caller) as tx:
        return len(procedures.find_todos(tx, limit=TODOS_MAX))


def _standing(app: App, caller: Caller, work: jobs.WorkId) -> jobs.Work:
    with app.database.reading(caller) as tx:
        return jobs.get_work(tx, work)


@get("/live", sync_to_thread=False)
def live(desk: FromDesk, state: State) -> Stream:
    """This will stream what changes to an open page; for whoever has signed in.

    A page that waits for a work names it, and hears of it until it has ended.
    """
    desk.require()
    named = desk.argument("work")
    work = jobs.WorkId(named) if named else None
    watch: Watch = state["watch"]
    if watch.listeners >= LISTENERS_MAX:
        raise PageNotFound
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    events = _events(watch, desk.visit.caller, work, desk.seen)
    return Stream(events, media_type="text/event-stream", headers=headers)


async def _events(
    watch: Watch, caller: Caller, work: jobs.WorkId | None, since: Instant | None
) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    began = beaten = loop.time()
    seen: str | None = None
    told: jobs.Work | None = None
    watch.listeners += 1
    try:
        while loop.time() - began < OPEN_MAX_S and not watch.stop.is_set():
            now = loop.time()
            newest = await watch.newest_fact(now)
            if newest != seen:
                try:
                    todos = await asyncio.to_thread(count_todos, watch.app, caller)
                    notices = await asyncio.to_thread(count_notices, watch.app, caller, since)
                except errors.LingquError:
                    return
                said = json.dumps({"todos": todos, "notices": notices, "first": seen is None})
                yield f"event: news\ndata: {said}\n\n"
                seen = newest
            if work is not None:
                try:
                    held = await asyncio.to_thread(_standing, watch.app, caller, work)
                except errors.LingquError:
                    return
                if held != told:
                    said = json.dumps({"state": held.state.value, "percent": held.percent})
                    yield f"event: work\ndata: {said}\n\n"
                told = held
                work = None if held.state.is_over else work
            elif now - beaten > BEAT_EVERY_S:
                beaten = now
                yield ": here\n\n"
            await asyncio.sleep(TICK_S)
    finally:
        watch.listeners -= 1
