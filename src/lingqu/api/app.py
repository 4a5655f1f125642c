# SPDX-License-Identifier: Apache-2.0
"""The API as one ASGI application: its routes, its own form of refusals, its description."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, MediaType, Request, Response, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, License, SecurityScheme

import lingqu
from lingqu.api import operations, public_log, v1
from lingqu.api.door import Receive, Scope, Send
from lingqu.api.lines import Lines
from lingqu.api.problems import PROBLEM_TYPE, Problems
from lingqu.api.writes import provide_visit, provide_write
from lingqu.kernel import errors
from lingqu.wiring import App

THREADS_LEAST, THREADS_EACH = 8, 4
"""Threads kept for queries at least, and for each worker of the engine."""
_DESCRIPTION = (
    "Every write needs an `Idempotency-Key`: it is the command id, remembered for ever, so sending "
    "a request again is safe. Refusals are problem documents (RFC 9457) with a stable `code`. "
    "Lists are walked by `next`. Instants are RFC 3339 in UTC."
)


class Api:
    """The part of the server for machines: `/api`, `/log`, `/health`, `/metrics`, `/robots.txt`."""

    def __init__(self, app: App) -> None:
        """Build the routes over one opened platform."""
        self._problems = Problems(app)
        self._litestar = Litestar(
            route_handlers=[
                *v1.routers(),
                public_log.log_file,
                operations.live,
                operations.ready,
                operations.metrics,
                operations.robots,
                openapi_document,
            ],
            dependencies=_dependencies(app),
            exception_handlers={Exception: self._problems},
            openapi_config=None,
            logging_config=None,
            request_max_body_size=None,
            debug=False,
        )
        self.description = describe()
        """The OpenAPI 3.1 document as data."""
        self._litestar.state["openapi"] = self.description

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._litestar(scope, receive, send)  # type: ignore[arg-type]  # ASGI, typed apart

    async def refuse(
        self, scope: Scope, receive: Receive, send: Send, refusal: errors.LingquError
    ) -> None:
        """Answer a request that the door refused, as a problem document."""
        answer = self._problems.response(refusal, scope["state"]["visit"])
        await answer.to_asgi_response(None, Request(scope))(scope, receive, send)  # type: ignore[arg-type]  # ASGI, typed apart


@get("/api/openapi.json", sync_to_thread=False, include_in_schema=False)
def openapi_document(state: State) -> Response[dict[str, Any]]:
    """This will give the description of this API."""
    return Response(
        state["openapi"], media_type=MediaType.JSON, headers={"cache-control": "no-cache"}
    )


def _dependencies(app: App | None) -> dict[str, Provide]:
    def provide_platform() -> App:
        assert app is not None, "a description answers no request"
        return app

    workers = 1 if app is None else app.settings.engine_workers
    lines = Lines(max(THREADS_LEAST, THREADS_EACH * workers))

    def provide_lines() -> Lines:
        return lines

    return {
        "lines": Provide(provide_lines, sync_to_thread=False),
        "platform": Provide(provide_platform, sync_to_thread=False),
        "visit": Provide(provide_visit, sync_to_thread=False),
        "write": Provide(provide_write, sync_to_thread=False),
    }


def describe() -> dict[str, Any]:
    """This will give the OpenAPI 3.1 document as data; it needs no installation."""
    # Litestar serves documentation pages with what it describes; so the description is taken
    # from a second application over the same routes, which serves nothing.
    described = Litestar(
        route_handlers=v1.routers(),
        dependencies=_dependencies(None),
        openapi_config=_openapi_config(),
        logging_config=None,
    )
    return _with_problems(described.openapi_schema.to_schema())


def _openapi_config() -> OpenAPIConfig:
    schemes = {
        "key": SecurityScheme(type="http", scheme="bearer", description="An API key"),
        "session": SecurityScheme(
            type="apiKey",
            name="lingqu_session",
            security_scheme_in="cookie",
            description="A browser's session; writes also need X-CSRF-Token",
        ),
    }
    return OpenAPIConfig(
        title="Lingqu",
        version=lingqu.__version__,
        description=_DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        components=Components(security_schemes=schemes),  # type: ignore[arg-type]  # a dict of them
        use_handler_docstrings=True,
    )


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Every operation may answer with a problem document; said once here, not at each route."""
    text = {"type": "string"}
    properties: dict[str, Any] = dict.fromkeys(
        ("type", "title", "detail", "code", "correlation"), text
    )
    properties |= {
        "status": {"type": "integer"},
        "parameters": {"type": "object"},
        "article": {"type": ["string", "null"]},
    }
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "title": "Problem",
        "description": "A refusal (RFC 9457): nothing was changed.",
    }
    answer = {
        "description": "A refusal, with a stable code",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("400", None)
            operation["responses"]["default"] = answer
    return document
