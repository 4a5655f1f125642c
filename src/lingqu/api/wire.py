# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 for one small server: requests with a body of known length, answered one after another.

The head of a request is parsed by httptools, strictly, and remembered by its exact bytes: whoever
keeps a connection open and asks alike is not parsed again. What is not of this shape (chunked
bodies, upgrades, heads or bodies too long) is refused and the connection closed.
"""

from __future__ import annotations

import asyncio
import http
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import formatdate
from typing import TypeAlias, cast

import httptools

HEAD_BYTES_MAX = 16 * 1024
HEADS_MOST = 4_096
"""Heads that are remembered; each is at most `HEAD_BYTES_MAX` long."""
HEAD_KEPT = 2_048
"""Longer heads are not remembered."""
IDLE_S = 75
PARTIAL_S = 20
"""How long a connection may stay without a request, and without the rest of one."""
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands before a body; `fault` is the status of a head that is not taken."""

    method: str = ""
    path: str = ""
    headers: dict[bytes, bytes]
    length: int = 0
    keeps_open: bool = False
    expects: bool = False
    fault: int = 0


Handle: TypeAlias = Callable[["Connection", Head, bytes], None]
"""Takes a whole request; answers it by `Connection.answer`, at once or later, on the loop."""


class Wire:
    """All connections of a server; `handle` gets each whole request."""

    def __init__(self, handle: Handle, *, body_bytes_max: int) -> None:
        """Serve nothing yet."""
        self.handle = handle
        self.body_bytes_max = body_bytes_max
        self.connections: set[Connection] = set()
        self.is_closing = False
        self.closed = asyncio.Event()
        self._heads: dict[bytes, Head] = {}
        self._date = (0, b"")

    def __call__(self) -> Connection:
        """Make the protocol of one connection."""
        return Connection(self)

    def head(self, raw: bytes) -> Head:
        """This will read the head of a request, from memory where it was read before."""
        known = self._heads.get(raw)
        if known is None:
            known = _parse(raw)
            if len(raw) <= HEAD_KEPT:
                if len(self._heads) >= HEADS_MOST:
                    self._heads.clear()
                self._heads[raw] = known
        return known

    def date(self) -> bytes:
        """This will give the moment as a header, written once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, b"date: " + formatdate(now, usegmt=True).encode() + b"\r\n")
        return self._date[1]

    def sweep(self) -> None:
        """This will close connections that say nothing for too long."""
        now = time.monotonic()
        for one in list(self.connections):
            one.close_if_idle(now)

    def close(self) -> None:
        """This will take no further request and close what is not being answered."""
        self.is_closing = True
        for one in list(self.connections):
            one.close_if_free()
        self.forget(None)

    def forget(self, one: Connection | None) -> None:
        """This will note that a connection is gone; the last one ends a wire that is closing."""
        if one is not None:
            self.connections.discard(one)
        if self.is_closing and not self.connections:
            self.closed.set()


class Connection(asyncio.Protocol):
    """One connection of somebody who asks."""

    __slots__ = ("_answering", "_head", "_seen", "_since", "_transport", "_wire", "source")

    def __init__(self, wire: Wire) -> None:
        """Wait for the connection."""
        self._wire = wire
        self._transport: asyncio.Transport | None = None
        self._seen = b""
        self._head: Head | None = None
        self._answering = False
        self._since = 0.0
        self.source = "local"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        self._transport = cast("asyncio.Transport", transport)
        self._since = time.monotonic()
        peer = transport.get_extra_info("peername")
        self.source = str(peer[0]) if peer else "local"
        self._wire.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it; an answer that is still to come goes nowhere."""
        self._transport = None
        self._wire.forget(self)

    def data_received(self, data: bytes) -> None:
        """Take what came in; a request that is whole is handled."""
        self._seen = self._seen + data if self._seen else data
        if self._answering:
            if len(self._seen) > HEAD_BYTES_MAX + self._wire.body_bytes_max:
                self._close()
            return
        self._go_on()

    def _go_on(self) -> None:
        """Handle the request that came in, if it is whole."""
        seen = self._seen
        end = seen.find(_END) + len(_END)
        if end < len(_END):
            if len(seen) > HEAD_BYTES_MAX:
                self.refuse(431)
            self._since = time.monotonic()
            return
        head = self._head or self._wire.head(seen[:end])
        whole = end + head.length
        if head.fault or end > HEAD_BYTES_MAX or head.length > self._wire.body_bytes_max:
            self.refuse(head.fault or (413 if end <= HEAD_BYTES_MAX else 431))
        elif len(seen) < whole:
            if self._head is None:
                self._since = time.monotonic()
                self._head = head
                if head.expects and self._transport is not None:
                    self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        else:
            self._head, self._answering = head, True
            self._seen = seen[whole:]
            self._wire.handle(self, head, seen[end:whole])

    def answer(self, status: int, headers: Iterable[bytes], body: bytes) -> None:
        """This will answer the request that was handled, and go on to the next."""
        transport, head = self._transport, self._head
        self._head, self._answering = None, False
        if transport is None or head is None:
            return
        keeps_open = head.keeps_open and not self._wire.is_closing
        transport.write(
            b"".join((
                _STATUS[status], *headers, self._wire.date(), b"" if keeps_open else _CLOSES,
                b"content-length: %d\r\n\r\n" % len(body), b"" if head.method == "HEAD" else body,
            ))
        )  # fmt: skip
        if not keeps_open:
            self._close()
            return
        self._since = time.monotonic()
        if self._seen:
            asyncio.get_running_loop().call_soon(self._again)

    def _again(self) -> None:
        if not self._answering and self._seen and self._transport is not None:
            self._go_on()

    def refuse(self, status: int) -> None:
        """This will answer what is no request of ours, and close the connection."""
        self._seen, self._answering = b"", False
        self._head = Head(headers={})
        self.answer(status, (), b"")

    def close_if_idle(self, now: float) -> None:
        """This will close the connection where its request or the rest of one does not come."""
        waits = PARTIAL_S if self._seen or self._head else IDLE_S
        if not self._answering and now - self._since > waits:
            self._close()

    def close_if_free(self) -> None:
        """This will close the connection unless an answer is still to come."""
        if not self._answering:
            self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


_CLOSES = b"connection: close\r\n"
_STATUS = {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode() for one in http.HTTPStatus}


class _Parsing:
    """What httptools tells of a head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: dict[bytes, bytes] = {}
        self.is_doubled = False
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        """Keep the target."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; two different lengths are a fault."""
        lower = name.lower()
        if lower in self.headers and lower in _ONCE:
            self.is_doubled = True
        self.headers[lower] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.is_complete = True


_ONCE = frozenset({b"content-length", b"transfer-encoding", b"host", b"authorization"})
_DIGITS_MOST = 10


def _parse(raw: bytes) -> Head:
    told = _Parsing()
    parser = httptools.HttpRequestParser(told)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        return Head(headers={}, fault=426)
    except httptools.HttpParserError:
        return Head(headers={}, fault=400)
    length = told.headers.get(b"content-length", b"0")
    if told.is_doubled or not told.is_complete or not length.isdigit():
        return Head(headers={}, fault=400)
    if b"transfer-encoding" in told.headers:
        return Head(headers={}, fault=411)
    return Head(
        method=parser.get_method().decode("ascii"),
        path=told.url.partition(b"?")[0].decode("latin-1"),
        headers=told.headers,
        length=int(length[:_DIGITS_MOST]),
        keeps_open=parser.should_keep_alive(),
        expects=told.headers.get(b"expect", b"").lower() == b"100-continue",
    )
