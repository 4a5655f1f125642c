# SPDX-License-Identifier: Apache-2.0
"""The hot route in a process of its own: calls of products, and nothing else.

`POST /api/v1/gate/calls` takes and gives what the API's route of that name does, and refuses with
the same problem documents. Whoever calls shows an API key; who it is and for whom it acts is
remembered for at most a second, and forgotten at once when anything of it changes. Calls wait
together for one durable window.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from lingqu import gate, rights, trust
from lingqu.api.limits import Limiter
from lingqu.api.problems import PROBLEM_TYPE, problem, problem_headers
from lingqu.api.refusals import (
    AuthenticationRequired,
    InternalFault,
    RequestMalformed,
    RouteNotFound,
    TooManyRequests,
    status_of,
)
from lingqu.api.v1.gate_shapes import CallShape, read_call, write_answer
from lingqu.api.wire import Connection, Head, Wire
from lingqu.kernel import errors
from lingqu.runtime import Caller
from lingqu.runtime.i18n import choose_language
from lingqu.runtime.observability import get_logger
from lingqu.wiring import App

PATH = "/api/v1/gate/calls"
READY = "/health/ready"
ACCESS = "lingqu_access"
"""The channel on which the database tells whose keys, roles or account were changed."""
KNOWN_NS = 1_000_000_000
"""How long a key and what it may do are taken as they were read, where nothing is heard."""
KEYS_MOST = 10_000
BODY_BYTES_MAX = 4 * 1024 * 1024
"""Room for 10,000 subjects with their values."""
CLOSES_WITHIN_S = 10
_SWEEP_S = 5
_log = get_logger(__name__)
_decoder = msgspec.json.Decoder(CallShape)
_encoder = msgspec.json.Encoder(enc_hook=str)
_SAFE = b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
_JSON = (b"content-type: application/json\r\n", _SAFE)


@dataclass(slots=True)
class _Known:
    """A key that was read: its caller, until when, and the grants it was found to act for."""

    caller: Caller
    until: int
    key: str
    grants: dict[str, gate.Asker] = field(default_factory=dict)


@dataclass(slots=True)
class _Asked:
    """A request that is being answered; `answered` is told its reply."""

    connection: Connection
    head: Head
    request: gate.CallRequest
    reply: Callable[[Connection, Head, gate.Reply], None]

    def answered(self, reply: gate.Reply) -> None:
        """Send the reply."""
        self.reply(self.connection, self.head, reply)


@functools.lru_cache(maxsize=1_000)
def _read_secret(authorization: bytes) -> str:
    scheme, _, secret = authorization.decode("latin-1").partition(" ")
    return secret if scheme.lower() == "bearer" else ""


class Hot:
    """Answers calls of one opened installation."""

    def __init__(self, app: App) -> None:
        """Serve nothing yet."""
        self._app = app
        self._limiter = Limiter(app.settings.gate_calls_per_minute)
        self._known: dict[str, _Known] = {}
        self._heard = 0
        self._finding: dict[tuple[str, str], list[_Asked]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wire = Wire(self._handle, body_bytes_max=BODY_BYTES_MAX)

    async def serve(
        self, listening: socket.socket, stop: threading.Event, *, ready: Callable[[], None]
    ) -> None:
        """This will settle what a killed gate left, and answer on a socket until `stop` is set.

        Raises NotListening, and InternalFault where deciding came to an end by itself.
        """
        loop = asyncio.get_running_loop()
        gate.settle_abandoned(self._app.database)
        with contextlib.closing(self._app.desk) as desk:
            desk.start(hears={ACCESS: self._hear}, loop=loop)
            await self._serve(listening, stop, loop, ready=ready)

    async def _serve(
        self,
        listening: socket.socket,
        stop: threading.Event,
        loop: asyncio.AbstractEventLoop,
        *,
        ready: Callable[[], None],
    ) -> None:
        server = await loop.create_server(self._wire, sock=listening)
        ready()
        stopped = loop.run_in_executor(None, stop.wait)
        desk = self._app.desk
        while not stopped.done():
            if not desk.is_answering:
                stop.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(stopped), _SWEEP_S)
            self._wire.sweep()
        server.close()
        self._wire.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wire.closed.wait(), CLOSES_WITHIN_S)
        if not desk.is_answering:
            _log.critical("gate.broken")
            raise InternalFault

    def _hear(self, account: str) -> None:
        """Forget what was known of an account, of all where something may have been missed."""
        self._heard += 1
        for secret, known in list(self._known.items()):
            if not account or known.caller.account == account:
                self._known.pop(secret, None)

    def _handle(self, connection: Connection, head: Head, body: bytes) -> None:
        try:
            if head.path == PATH and head.method == "POST":
                self._call(connection, head, body)
            elif head.path == READY and head.method in {"GET", "HEAD"}:
                desk = self._app.desk
                if not (desk.is_answering and desk.grants.listening):
                    raise rights.NotListening  # noqa: TRY301  # one place answers refusals
                connection.answer(200, _JSON, b'{"ready":true}')
            else:
                raise RouteNotFound  # noqa: TRY301  # one place answers refusals
        except errors.LingquError as refusal:
            self._refuse(connection, head, refusal)
        except Exception as error:  # noqa: BLE001  # the HTTP edge: logged and answered
            self._fault(connection, head, error)

    def _call(self, connection: Connection, head: Head, body: bytes) -> None:
        secret = _read_secret(head.headers.get(b"authorization", b""))
        if not secret:
            self._count_stranger(connection, AuthenticationRequired.code)
            raise AuthenticationRequired
        try:
            request = read_call(_decoder.decode(body))
        except (msgspec.MsgspecError, RecursionError):
            raise RequestMalformed(fields="body", reason="shape") from None
        asked = _Asked(connection, head, request, self._reply)
        known = self._known.get(secret)
        asker = None
        if known is not None and known.until >= time.monotonic_ns():
            asker = known.grants.get(request.grant)
        if known is None or asker is None:
            self._find(secret, asked)
        else:
            self._submit(asked, known, asker)

    def _submit(self, asked: _Asked, known: _Known, asker: gate.Asker) -> None:
        wait = self._limiter.take(known.key)
        if wait:
            raise TooManyRequests(seconds=wait)
        self._app.desk.submit_all((gate.Waiting(asked.request, asker, asked.answered),))

    def _find(self, secret: str, asked: _Asked) -> None:
        """Find out who asks, once for all who ask the same meanwhile."""
        wait = self._limiter.peek(f"source {asked.connection.source}")
        if wait:
            raise TooManyRequests(seconds=wait)
        name = (secret, asked.request.grant)
        waiting = self._finding.get(name)
        if waiting is not None:
            waiting.append(asked)
            return
        self._finding[name] = [asked]
        task = asyncio.get_running_loop().create_task(self._found(secret, asked.request.grant))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _found(self, secret: str, grant: rights.GrantId) -> None:
        refusal: Exception | None = None
        try:
            known, asker = await asyncio.to_thread(self._identify, secret, grant)
        except Exception as error:  # noqa: BLE001  # each of those who wait is told
            refusal = error
        for one in self._finding.pop((secret, grant)):
            try:
                if refusal is not None:
                    if isinstance(refusal, errors.Forbidden):
                        self._count_stranger(one.connection, refusal.code)
                    raise refusal  # noqa: TRY301  # one place answers refusals
                self._submit(one, known, asker)
            except errors.LingquError as error:
                self._refuse(one.connection, one.head, error)
            except Exception as error:  # noqa: BLE001  # the HTTP edge: logged and answered
                self._fault(one.connection, one.head, error)

    def _identify(self, secret: str, grant: rights.GrantId) -> tuple[_Known, gate.Asker]:
        heard, known = self._heard, self._known.get(secret)
        if known is None or known.until < time.monotonic_ns():
            found = trust.identify_api_key(self._app.database, secret)
            caller = Caller(account=found.account, channel="api")
            until = time.monotonic_ns() + KNOWN_NS
            known = _Known(caller, until, f"account {found.account}")
        with self._app.database.reading(known.caller) as tx:
            asker = gate.find_asker(tx, grant)
        if heard == self._heard:
            # Nothing changed while it was read.
            if len(self._known) >= KEYS_MOST:
                self._known.clear()
            known.grants[grant] = asker
            self._known[secret] = known
        return known, asker

    def _reply(self, connection: Connection, head: Head, reply: gate.Reply) -> None:
        """Send a reply; what goes wrong with one of them keeps no other from its own."""
        try:
            if isinstance(reply, errors.LingquError):
                self._refuse(connection, head, reply)
            else:
                connection.answer(200, _JSON, write_answer(reply))
        except Exception as error:  # noqa: BLE001  # the HTTP edge: logged and answered
            self._fault(connection, head, error)

    def _count_stranger(self, connection: Connection, code: str) -> None:
        self._limiter.take(f"source {connection.source}")
        self._app.strangers.count(source=connection.source, route=PATH, code=code)

    def _fault(self, connection: Connection, head: Head, error: Exception) -> None:
        correlation = secrets.token_hex(12)
        _log.error("gate.fault", exc_info=error, correlation=correlation)
        self._refuse(connection, head, InternalFault(), correlation=correlation)

    def _refuse(
        self,
        connection: Connection,
        head: Head,
        refusal: errors.LingquError,
        *,
        correlation: str = "",
    ) -> None:
        asked = head.headers.get(b"accept-language", b"").decode("latin-1")
        language = choose_language(asked, None) if asked else self._app.settings.language
        body = _encoder.encode(problem(refusal, language=language, correlation=correlation))
        told = {"content-type": PROBLEM_TYPE, **problem_headers(refusal, language)}
        named = [f"{name}: {value}\r\n".encode() for name, value in told.items()]
        connection.answer(status_of(refusal), (*named, _SAFE), body)
