# SPDX-License-Identifier: Apache-2.0
"""Refusals as problem documents (RFC 9457), and the recording of those that were no command yet."""

from __future__ import annotations

import json
from typing import Any

from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)

from lingqu import trust
from lingqu.api.refusals import (
    IdempotencyKeyBad,
    InternalFault,
    MethodNotAllowed,
    RequestMalformed,
    RequestTooLarge,
    RouteNotFound,
    TooManyRequests,
    status_of,
)
from lingqu.api.visit import Visit
from lingqu.kernel import errors
from lingqu.runtime.i18n import Language, explain
from lingqu.runtime.observability import get_logger
from lingqu.wiring import App

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
"""After how many seconds an unavailable thing may be asked for again, where nobody knows better."""

_FIELDS_SHOWN = 5
_log = get_logger(__name__)


def problem(refusal: errors.LingquError, *, language: Language, correlation: str) -> dict[str, Any]:
    """This will describe a refusal: `type`, `title`, `status`, `detail` and our own members."""
    words = explain(refusal, language)
    return {
        "type": f"urn:lingqu:error:{refusal.code}",
        "title": words.title,
        "status": status_of(refusal),
        "detail": words.next_step,
        "code": refusal.code,
        "parameters": dict(refusal.parameters),
        "article": words.article,
        "correlation": correlation,
    }


def problem_headers(refusal: errors.LingquError, language: Language) -> dict[str, str]:
    """This will give the headers that belong to a refusal's status."""
    headers: dict[str, str] = {"content-language": language}
    status = status_of(refusal)
    if status in {429, 503}:
        headers["retry-after"] = str(refusal.parameters.get("seconds") or RETRY_AFTER_S)
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="lingqu"'
    return headers


def as_refusal(error: Exception) -> errors.LingquError:
    """This will turn whatever a request raised into a refusal; what is no refusal is our fault."""
    match error:
        case errors.LingquError():
            return error
        case MethodNotAllowedException():
            return MethodNotAllowed()
        case NotFoundException():
            return RouteNotFound()
        case HTTPException(status_code=413):
            return RequestTooLarge()
        case HTTPException(status_code=429):
            return TooManyRequests()
        case HTTPException(status_code=status) if 400 <= status < 500:
            return _malformed(error)
        case RecursionError():
            # A body of brackets alone exhausts the decoder; nothing of ours recurses on input.
            return RequestMalformed(fields="body", reason="nesting")
    return InternalFault()


def _malformed(error: HTTPException) -> errors.LingquError:
    extra = error.extra if isinstance(error.extra, list) else []
    named = [item for item in extra if isinstance(item, dict)]
    fields = [str(item.get("key", "")) for item in named][:_FIELDS_SHOWN]
    if "idempotency_key" in fields or "'Idempotency-Key'" in error.detail:
        return IdempotencyKeyBad()
    said = "; ".join(str(item.get("message", "")) for item in named) or error.detail
    return RequestMalformed(fields=", ".join(filter(None, fields)) or "body", reason=said[:200])


class Problems:
    """Answers what a request raised with a problem document, and records it where it must be."""

    def __init__(self, app: App) -> None:
        """Keep what recording needs."""
        self._app = app

    def __call__(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """This will answer a request inside the API with the refusal it raised."""
        visit: Visit = request.scope["state"]["visit"]
        refusal = as_refusal(error)
        if isinstance(refusal, InternalFault):
            _log.error("api.fault", exc_info=error, correlation=visit.correlation)
        handler: Any = request.scope.get("route_handler")
        name = handler.opt.get("command") if handler is not None else None
        request.scope["state"]["refused"] = (refusal, name)
        return self.response(refusal, visit)

    def response(self, refusal: errors.LingquError, visit: Visit) -> Response[bytes]:
        """This will make the answer itself."""
        body = problem(refusal, language=visit.language, correlation=visit.correlation)
        return Response(
            json.dumps(body, ensure_ascii=False).encode(),
            status_code=status_of(refusal),
            media_type=PROBLEM_TYPE,
            headers=problem_headers(refusal, visit.language),
        )


def record(
    app: App, visit: Visit, refusal: errors.LingquError, *, command: str | None, route: str
) -> None:
    """This will keep a refusal that was not recorded by a command: never raises.

    Known callers' attempts at a write become facts; strangers are counted by source and route.
    """
    if visit.commanded or isinstance(refusal, InternalFault):
        return
    try:
        if visit.identity is None:
            app.strangers.count(source=visit.source, route=route, code=refusal.code)
        elif command is not None and not isinstance(refusal, errors.Unavailable):
            trust.record_refusal(app.database, visit.caller, command, refusal)
    except errors.LingquError as failure:
        _log.warning("api.refusal_not_recorded", code=refusal.code, because=failure.code)
