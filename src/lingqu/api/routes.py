# SPDX-License-Identifier: Apache-2.0
"""How a route is declared: what it is for, which command it does, and who may call it.

Five kinds: `reads` what there is, `asks` a question too long for a URL, `awaits` the answer to one
that takes long, `makes` a thing by a command, `does` a command to what exists. Each needs somebody
who is known unless it says that it is open to all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

from litestar import Router, get, post
from litestar.params import QueryParameter

from lingqu.api.writes import signed_in
from lingqu.kernel.paging import SIZE_MAX

Size = Annotated[
    int, QueryParameter(name="size", ge=1, le=SIZE_MAX, description="Items on the page")
]
After = Annotated[
    str | None,
    QueryParameter(name="after", max_length=400, description="The `next` of the page before"),
]


def reads(path: str, summary: str, *, is_open: bool = False, **more: Any) -> get:
    """This will make a function the read at a path."""
    return get(path, sync_to_thread=True, summary=summary, **_for(is_open=is_open), **more)


def asks(path: str, summary: str, *, status: int = 200, is_open: bool = False) -> post:
    """This will make a function the answer to a question in a body; nothing is changed by it."""
    return post(
        path,
        sync_to_thread=True,
        status_code=status,
        summary=summary,
        changes_nothing=True,
        **_for(is_open=is_open),
    )


def awaits(path: str, summary: str) -> post:
    """This will make a coroutine the answer to a question that may take long: no thread waits."""
    return post(path, status_code=200, summary=summary, changes_nothing=True, **_for(is_open=False))


def makes(
    path: str, command: str, summary: str, *, is_open: bool = False, status: int = 201
) -> post:
    """This will make a function the route of a command that makes a thing, now or later (202)."""
    return _changes(path, command, summary, status, is_open=is_open)


def does(path: str, command: str, summary: str) -> post:
    """This will make a function the route of a command to what exists: 200."""
    return _changes(path, command, summary, 200, is_open=False)


def routes_of(path: str, tag: str, handlers: Iterable[Any]) -> tuple[Router, ...]:
    """This will put declared routes under a path."""
    return (Router(path, route_handlers=list(handlers), tags=[tag]),)


def commands_of(routers: Iterable[Router]) -> dict[str, str]:
    """This will tell which route does which command, as `POST /path`."""
    return {
        opt["command"]: route for route, opt in _writes(routers) if opt.get("command") is not None
    }


def questions_of(routers: Iterable[Router]) -> tuple[str, ...]:
    """This will list the routes that only ask, as `POST /path`."""
    return tuple(route for route, opt in _writes(routers) if opt.get("changes_nothing"))


def _changes(path: str, command: str, summary: str, status: int, *, is_open: bool) -> post:
    return post(
        path,
        sync_to_thread=True,
        status_code=status,
        summary=summary,
        command=command,
        **_for(is_open=is_open),
    )


def _for(*, is_open: bool) -> dict[str, Any]:
    if is_open:
        return {"is_open": True}
    return {"guards": [signed_in], "security": [{"key": []}, {"session": []}]}


def _writes(routers: Iterable[Router]) -> Iterator[tuple[str, dict[str, Any]]]:
    for router in routers:
        for route in router.routes:
            for handler in getattr(route, "route_handlers", ()):
                if "POST" in handler.http_methods:
                    yield f"POST {route.path_format}", handler.opt
