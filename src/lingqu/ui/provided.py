# SPDX-License-Identifier: Apache-2.0
"""What the handlers of pages are given by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from litestar import Request
from litestar.di import NamedDependency

from lingqu.ui.forms import Form
from lingqu.ui.rendering import Desk
from lingqu.ui.views import COOKIE, SEEN_COOKIE, read_seen, read_views
from lingqu.ui.visitors import visit_of
from lingqu.wiring import App


@runtime_checkable
class SignIns(Protocol):
    """Limits how often a source or a name may try to sign in."""

    def take(self, key: str) -> int:
        """Count one attempt: 0 when it may go on, else the seconds to wait."""


ApiDescription: TypeAlias = Mapping[str, Any]
FromPlatform: TypeAlias = NamedDependency[App]
FromDesk: TypeAlias = NamedDependency[Desk]
FromForm: TypeAlias = NamedDependency[Form]
FromSignIns: TypeAlias = NamedDependency[SignIns]
FromApiDescription: TypeAlias = NamedDependency[ApiDescription]


def provide_desk(request: Request[Any, Any, Any], platform: FromPlatform) -> Desk:
    """This will set up the desk for one request."""
    state: dict[str, Any] = request.scope["state"]
    state["command"] = request.route_handler.opt.get("command")
    return Desk(
        platform=platform,
        views=read_views(request.cookies.get(COOKIE)),
        seen=read_seen(request.cookies.get(SEEN_COOKIE)),
        visit=visit_of(request),
        path=request.url.path,
        query=request.url.query,
        state=state,
        address=f"{request.url.scheme}://{request.url.netloc}",
    )


def provide_form(request: Request[Any, Any, Any]) -> Form:
    """This will give the form that was read and checked before the handler."""
    form: Form = request.scope["state"]["form"]
    return form
