# SPDX-License-Identifier: Apache-2.0
"""How a write request becomes one command: its caller, its id from `Idempotency-Key`, once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated, Any, ParamSpec, TypeAlias, TypeVar

from litestar.connection import ASGIConnection, Request
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import HeaderParameter

from lingqu import trust
from lingqu.api.refusals import AuthenticationRequired, CsrfTokenMissing, IdempotencyKeyBad
from lingqu.api.visit import Visit
from lingqu.kernel import errors
from lingqu.wiring import App

P = ParamSpec("P")
R = TypeVar("R")

IdempotencyKey = Annotated[
    str,
    HeaderParameter(
        name="Idempotency-Key",
        description="The command id, made by the caller: `cmd_` and a UUIDv7 in TypeID form. "
        "Sending the same request with the same id again is safe and gives the first answer.",
        pattern=r"^cmd_[0-7][0-9a-hjkmnp-tv-z]{25}$",
    ),
]


@dataclass(frozen=True, slots=True)
class Write:
    """One write: `execute` does the command of the route."""

    platform: App
    visit: Visit
    command: trust.CommandId

    def execute(self, what: trust.Command[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """This will do the command once for this id; raises what the command raises."""
        self.visit.commanded = True
        return trust.execute(
            self.platform.database, what, self.visit.caller, self.command, *args, **kwargs
        )


FromPlatform: TypeAlias = NamedDependency[App]
FromVisit: TypeAlias = NamedDependency[Visit]
FromWrite: TypeAlias = NamedDependency[Write]


def provide_visit(request: Request[Any, Any, Any]) -> Visit:
    """This will give what the door found out about the request."""
    visit: Visit = request.scope["state"]["visit"]
    return visit


def provide_write(
    platform: FromPlatform, visit: FromVisit, idempotency_key: IdempotencyKey
) -> Write:
    """This will read the command id; raises IdempotencyKeyBad."""
    try:
        command = trust.CommandId(idempotency_key)
    except errors.Rejected:
        raise IdempotencyKeyBad from None
    return Write(platform, visit, command)


def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """This will refuse whoever is not known, before anything of the request is read.

    A key in a header proves itself; a cookie is sent by the browser of itself, so a write with a
    session must also carry its token. Raises AuthenticationRequired, CsrfTokenMissing.
    """
    visit: Visit = connection.scope["state"]["visit"]
    if visit.identity is None:
        raise AuthenticationRequired
    if visit.session is not None and connection.scope.get("method") != "GET":
        given = connection.headers.get("x-csrf-token", "").encode()
        if not secrets.compare_digest(given, visit.csrf.encode()):
            raise CsrfTokenMissing
