# SPDX-License-Identifier: Apache-2.0
"""What pages know of a request: the part of the door's findings that they use."""

from __future__ import annotations

from typing import Any, Protocol

from litestar import Request

from lingqu import trust
from lingqu.runtime import Caller
from lingqu.runtime.i18n import Language


class Visit(Protocol):
    """One request as the server's door describes it; pages and the API know no common class."""

    correlation: str
    source: str
    language: Language
    secure: bool
    identity: trust.Identity | None
    session: str | None
    form_token: str
    commanded: bool
    ended: bool

    @property
    def session_cookie(self) -> str:
        """The name of the session cookie."""

    @property
    def csrf(self) -> str:
        """The token every form must carry."""

    @property
    def caller(self) -> Caller:
        """Who acts."""


def visit_of(request: Request[Any, Any, Any]) -> Visit:
    """This will give what the door found out about the request."""
    visit: Visit = request.scope["state"]["visit"]
    return visit
