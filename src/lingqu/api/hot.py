# SPDX-License-Identifier: Apache-2.0
"""The hot route in a process of its own: calls of products, plain ASGI, and nothing else.

`POST /api/v1/gate/calls` takes and gives what the API's route of that name does, and refuses with
the same problem documents. Whoever calls shows an API key; who it is and for whom it acts is asked
of the database at most once a second for each key. Calls wait together for one durable window.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from lingqu import gate, rights, trust
from lingqu.api.door import JSON_BYTES_MAX, Message, Receive, Scope, Send
from lingqu.api.problems import PROBLEM_TYPE, problem, problem_headers
from lingqu.api.refusals import (
    AuthenticationRequired,
    InternalFault,
    RequestMalformed,
    RequestTooLarge,
    RouteNotFound,
    status_of,
)
from lingqu.api.v1.gate_shapes import CallShape, answer_view, read_call
from lingqu.kernel import errors
from lingqu.runtime import Caller
from lingqu.runtime.i18n import choose_language
from lingqu.runtime.observability import get_logger
from lingqu.wiring import App

PATH = "/api/v1/gate/calls"
READY = "/health/ready"
KNOWN_NS = 1_000_000_000
"""How long a key and what it may do are taken as they were read."""
KEYS_MOST = 10_000
_log = get_logger(__name__)
_decoder = msgspec.json.Decoder(CallShape)
_encoder = msgspec.json.Encoder(enc_hook=str)
"""Ids are texts of their own classes."""
_JSON = (b"content-type", b"application/json")
_SAFE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


@dataclass(slots=True)
class _Known:
    """A key that was read: its caller, until when, and the grants it was found to act for."""

    caller: Caller
    until: int
    grants: dict[str, gate.Asker]


class Hot:
    """Answers calls of one opened installation; its server stops it."""

    def __init__(self, app: App) -> None:
        """Settle what a killed gate left, and begin to keep grants true. Raises NotListening."""
        self._app = app
        self._known: dict[str, _Known] = {}
        self._mailbox: _Mailbox | None = None
        gate.settle_abandoned(app.database)
        app.desk.start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        correlation = ""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            if scope["path"] == READY and scope["method"] == "GET":
                self._refuse_deaf()
                await _send(send, 200, b'{"ready":true}', (_JSON,))
                return
            if scope["path"] != PATH or scope["method"] != "POST":
                raise RouteNotFound  # noqa: TRY301  # one place answers refusals
            body = await _read(receive)
            answer = await self._call(headers, body)
            await _send(send, 200, answer, (_JSON, *_SAFE))
        except errors.LingquError as refusal:
            await self._refuse(send, headers, refusal, correlation)
        except Exception as error:  # noqa: BLE001  # the HTTP edge: logged and answered
            correlation = secrets.token_hex(12)
            _log.error("gate.fault", exc_info=error, correlation=correlation)
            await self._refuse(send, headers, InternalFault(), correlation)

    async def _call(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        try:
            request = read_call(_decoder.decode(body))
        except msgspec.MsgspecError:
            raise RequestMalformed from None
        asker = await self._asker(headers, request.grant)
        loop = asyncio.get_running_loop()
        if self._mailbox is None:
            self._mailbox = _Mailbox(loop)
        waiting: asyncio.Future[gate.CallAnswer] = loop.create_future()
        self._app.desk.submit(request, asker, self._mailbox.to(waiting))
        return _encoder.encode(answer_view(await waiting))

    async def _asker(self, headers: dict[bytes, bytes], grant: rights.GrantId) -> gate.Asker:
        scheme, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise AuthenticationRequired
        known = self._known.get(secret)
        if known is None or known.until < time.monotonic_ns():
            known = await asyncio.to_thread(self._identify, secret)
            if len(self._known) >= KEYS_MOST:
                self._known.clear()
            self._known[secret] = known
        asker = known.grants.get(grant)
        if asker is None:
            asker = await asyncio.to_thread(self._find_asker, known, grant)
            known.grants[grant] = asker
        return asker

    def _identify(self, secret: str) -> _Known:
        found = trust.identify_api_key(self._app.database, secret)
        caller = Caller(account=found.account, channel="api")
        return _Known(caller, time.monotonic_ns() + KNOWN_NS, {})

    def _find_asker(self, known: _Known, grant: rights.GrantId) -> gate.Asker:
        with self._app.database.reading(known.caller) as tx:
            return gate.find_asker(tx, grant)

    def _refuse_deaf(self) -> None:
        if not self._app.desk.grants.listening:
            raise rights.NotListening

    async def _refuse(
        self,
        send: Send,
        headers: dict[bytes, bytes],
        refusal: errors.LingquError,
        correlation: str,
    ) -> None:
        asked = headers.get(b"accept-language", b"").decode("latin-1")
        language = choose_language(asked, None) if asked else self._app.settings.language
        body = _encoder.encode(problem(refusal, language=language, correlation=correlation))
        told = problem_headers(refusal, language)
        named = [(name.encode(), value.encode()) for name, value in told.items()]
        kind = (b"content-type", PROBLEM_TYPE.encode())
        await _send(send, status_of(refusal), body, (kind, *named, *_SAFE))


class _Mailbox:
    """Takes answers on the gate's thread and hands them to a loop, many with one wake."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[asyncio.Future[gate.CallAnswer], gate.Reply]] = deque()
        self._woken = False

    def to(self, waiting: asyncio.Future[gate.CallAnswer]) -> Callable[[gate.Reply], None]:
        """Give what puts an answer into the box."""

        def done(reply: gate.Reply) -> None:
            self._waiting.append((waiting, reply))
            if not self._woken:
                self._woken = True
                self._loop.call_soon_threadsafe(self._hand_out)

        return done

    def _hand_out(self) -> None:
        self._woken = False
        while self._waiting:
            waiting, reply = self._waiting.popleft()
            if waiting.done():
                continue
            if isinstance(reply, errors.LingquError):
                waiting.set_exception(reply)
            else:
                waiting.set_result(reply)


async def _read(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestMalformed
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > JSON_BYTES_MAX:
            raise RequestTooLarge
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(
    send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    length = (b"content-length", str(len(body)).encode())
    start: Message = {
        "type": "http.response.start", "status": status, "headers": [*headers, length],
    }  # fmt: skip
    await send(start)
    await send({"type": "http.response.body", "body": body})
