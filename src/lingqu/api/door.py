# SPDX-License-Identifier: Apache-2.0
"""The one door of the web server: what holds for every request, whoever answers it.

Correlation id, security headers, bounded bodies, rate limits, who is asking, metrics, and the
recording of refusals. Plain ASGI, so that it stands before the API and before the pages alike.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol

from lingqu import trust
from lingqu.api.limits import Limiter
from lingqu.api.problems import as_refusal, record
from lingqu.api.refusals import (
    InternalFault,
    RequestTooLarge,
    SecondFactorNeeded,
    TooManyRequests,
)
from lingqu.api.visit import Visit
from lingqu.kernel import errors
from lingqu.runtime import METRICS, REAL_TIME
from lingqu.runtime.certificates import HEADER as CERTIFICATE_HEADER
from lingqu.runtime.certificates import SECRET_HEADER, TrustedProxy
from lingqu.runtime.i18n import choose_language
from lingqu.runtime.observability import bind, get_logger
from lingqu.trust import identity
from lingqu.wiring import App

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handle = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON_BYTES_MAX = 1024 * 1024
"""Largest body of anything that is not an upload."""
LANGUAGE_COOKIE = "lingqu_language"
ACTING_HEADER = "lingqu-acting-for"
"""Names the one party a machine acts for in this request, where its account acts for several."""

_CORRELATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}\Z")
_COOKIE_BYTES_MAX = 8192
_log = get_logger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
"""Everything comes from here, nothing is inline; the stylesheet's own icons are data URIs."""

_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Set on every answer that does not set them itself; the policies are set on every one."""


_WITHOUT_SECOND_FACTOR = ("/account", "/logout", "/language", "/login")
"""Pages for somebody who must still set up a second factor."""


class Part(Protocol):
    """A part of the server: an ASGI application that can also put a refusal into its own form."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

    async def refuse(
        self, scope: Scope, receive: Receive, send: Send, refusal: errors.LingquError
    ) -> None:
        """Answer a request that the door refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How the door treats the paths under one prefix."""

    prefix: str
    part: Part
    limited: bool = True
    """Whether the request counts against the caller's allowance."""
    identified: bool = True
    """Whether it matters who asks."""
    bearer: bool = False
    """Whether a machine's key is accepted beside a browser's session."""
    body_bytes_max: int = JSON_BYTES_MAX


class Door:
    """Lets requests in. `routes` are tried in order; the last one must have the prefix `/`."""

    def __init__(self, app: App, routes: tuple[Route, ...], *, requests: Limiter) -> None:
        """Keep what every request needs; `requests` limits each caller's requests."""
        assert routes[-1].prefix == "/", "something answers every path"
        settings = app.settings
        self._app = app
        self._routes = routes
        self._requests = requests
        self._proxy = TrustedProxy(settings)
        self._doubled = frozenset(settings.second_factor_roles)
        self._secure = settings.secure_cookies == "always" or (settings.base_url or "").startswith(
            "https:"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI event stream: HTTP, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        cookies = _cookies(headers.get("cookie", ""))
        route = next(route for route in self._routes if _is_under(scope["path"], route.prefix))
        visit = self._visit(scope, headers, cookies, route)
        scope["state"] = {"visit": visit}
        is_head = scope["method"] == "HEAD"
        answer = _Answer(
            send, headers=self._standing_headers(visit, scope, cookies), without_body=is_head
        )
        if is_head:
            scope["method"] = "GET"
        began = time.perf_counter()
        with bind(correlation=visit.correlation):
            try:
                await self._enter(route, visit, scope, _Bounded(receive, route), answer, headers)
            except Exception as error:  # noqa: BLE001  # the HTTP edge: logged, answered, counted
                await self._fail(route, scope, receive, answer, error)
            await self._finish(scope, visit, answer, time.perf_counter() - began)

    async def _enter(
        self,
        route: Route,
        visit: Visit,
        scope: Scope,
        receive: _Bounded,
        send: _Answer,
        headers: dict[str, str],
    ) -> None:
        try:
            receive.check(headers.get("content-length", ""))
            if route.limited:
                self._check_source(visit)
            if route.identified:
                await asyncio.to_thread(self._identify, visit, route, scope, headers)
            if route.limited:
                self._count(visit)
        except errors.LingquError as refusal:
            scope["state"]["refused"] = (refusal, None)
            await route.part.refuse(scope, receive, send, refusal)
            return
        await route.part(scope, receive, send)

    async def _fail(
        self, route: Route, scope: Scope, receive: Receive, send: _Answer, error: Exception
    ) -> None:
        refusal = as_refusal(error)
        if isinstance(refusal, InternalFault):
            _log.error("web.fault", exc_info=error)
        if not send.started:
            await route.part.refuse(scope, receive, send, refusal)

    async def _finish(self, scope: Scope, visit: Visit, answer: _Answer, seconds: float) -> None:
        template = scope.get("path_template") or "unmatched"
        METRICS.http_requests_total.labels(route=template, status=str(answer.status)).inc()
        METRICS.http_seconds.labels(route=template).observe(seconds)
        refused = scope["state"].get("refused")
        if refused is not None:
            refusal, command = refused
            await asyncio.to_thread(
                record, self._app, visit, refusal, command=command, route=template
            )

    def _visit(
        self, scope: Scope, headers: dict[str, str], cookies: dict[str, str], route: Route
    ) -> Visit:
        given = headers.get("x-request-id", "")
        client = scope.get("client")
        chosen = None if route.bearer else cookies.get(LANGUAGE_COOKIE)
        asked = headers.get("accept-language")
        plain = not asked and not chosen
        visit = Visit(
            correlation=given if _CORRELATION.match(given) else secrets.token_hex(12),
            source=client[0] if client else "local",
            language=self._app.settings.language if plain else choose_language(asked, chosen),
            secure=self._secure,
            channel="api" if route.bearer else "web",
        )
        visit.session = cookies.get(visit.session_cookie)
        known = cookies.get(visit.form_cookie, "")
        visit.form_token = known if len(known) >= 32 else secrets.token_urlsafe(24)
        return visit

    def _standing_headers(
        self, visit: Visit, scope: Scope, cookies: dict[str, str]
    ) -> dict[str, str]:
        headers = dict(_HEADERS) | {"x-request-id": visit.correlation}
        if self._secure:
            headers["strict-transport-security"] = "max-age=31536000"
        is_page = visit.channel == "web" and scope["method"] == "GET"
        if is_page and cookies.get(visit.form_cookie) != visit.form_token:
            secure = "; Secure" if self._secure else ""
            headers["set-cookie"] = (
                f"{visit.form_cookie}={visit.form_token}; Path=/; HttpOnly; SameSite=Lax{secure}"
            )
        return headers

    def _check_source(self, visit: Visit) -> None:
        wait = self._requests.peek(f"source {visit.source}")
        if wait:
            raise TooManyRequests(seconds=wait)

    def _count(self, visit: Visit) -> None:
        identity = visit.identity
        key = f"source {visit.source}" if identity is None else f"account {identity.account}"
        wait = self._requests.take(key)
        if wait:
            raise TooManyRequests(seconds=wait)

    def _identify(self, visit: Visit, route: Route, scope: Scope, headers: dict[str, str]) -> None:
        try:
            if self._identify_machine(visit, route, scope, headers):
                visit.session = None
            elif visit.session is not None:
                visit.identity = trust.identify_session(self._app.database, visit.session)
        except errors.Forbidden:
            visit.ended = visit.session is not None
            if route.bearer:
                self._requests.take(f"source {visit.source}")
                raise
        if visit.session is not None and visit.identity is not None:
            self._check_second_factor(visit.identity, scope["path"])

    def _identify_machine(
        self, visit: Visit, route: Route, scope: Scope, headers: dict[str, str]
    ) -> bool:
        """By the key in a header, else by the certificate a trusted proxy hands on."""
        if not route.bearer:
            return False
        acting_for = headers.get(ACTING_HEADER)
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            visit.session = None
            visit.identity = trust.identify_api_key(
                self._app.database, secret.strip(), acting_for=acting_for
            )
            return True
        certificate = self._proxy.certificate(
            source=visit.source,
            secret=headers.get(SECRET_HEADER, ""),
            headers=[
                value.decode("latin-1")
                for name, value in scope["headers"]
                if name.lower() == CERTIFICATE_HEADER.encode()
            ],
            now=REAL_TIME.now(),
        )
        if certificate is None:
            return False
        visit.session = None
        visit.identity = identity.identify_certificate(
            self._app.database, certificate.fingerprint, acting_for=acting_for
        )
        return True

    def _check_second_factor(self, who: trust.Identity, path: str) -> None:
        """Whoever holds a role that needs a second factor may only set one up, or leave."""
        roles = {holding.role.value for holding in who.roles}
        is_open = any(_is_under(path, one) for one in _WITHOUT_SECOND_FACTOR)
        if roles & self._doubled and not who.second_factor and not is_open:
            raise SecondFactorNeeded


class _Answer:
    """A `send` that adds our headers and remembers what was answered; HEAD gets no body."""

    def __init__(self, send: Send, *, headers: dict[str, str], without_body: bool) -> None:
        self._send = send
        self._headers = headers
        self._without_body = without_body
        self.started = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            given += [
                (name.encode(), value.encode())
                for name, value in self._headers.items()
                if name == "set-cookie" or name.encode() not in names
            ]
            message = {**message, "headers": given}
        elif self._without_body:
            message = {**message, "body": b""}
        await self._send(message)


class _Bounded:
    """A `receive` that refuses a body longer than the route takes."""

    def __init__(self, receive: Receive, route: Route) -> None:
        self._receive = receive
        self._most = route.body_bytes_max
        self._seen = 0

    def check(self, length: str) -> None:
        """Refuse at once what announces itself as too long, or announces nonsense."""
        digits = length.isascii() and length.isdigit()
        if length and (not digits or len(length) > 15 or int(length) > self._most):
            raise RequestTooLarge(most=self._most)

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._most:
            raise RequestTooLarge(most=self._most)
        return message


def _is_under(path: str, prefix: str) -> bool:
    bare = prefix.rstrip("/")
    return path == bare or path.startswith(f"{bare}/")


def _headers(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }


def _cookies(text: str) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(text[:_COOKIE_BYTES_MAX])
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
