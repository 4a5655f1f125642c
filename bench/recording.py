# SPDX-License-Identifier: Apache-2.0
"""The hot route without governance, bare and with every call on record before its answer leaves.

Both serve the same requests by the same small server from the same open snapshot, and give answers
of the same shape. Nobody is asked who they are or what they may: no key, grant, rule, quota or
lease, no fact and no receipt. The bare one keeps nothing at all. The recording one does what any
metered route must do whatever it governs: it writes call id, keyed hash of the subject, and answer
into PostgreSQL, all that wait as one commit, and only then lets the answers go.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import msgspec
import psycopg
import uvloop

from lingqu import gate, wiring
from lingqu.api.v1.gate_shapes import CallShape, read_call, write_answer
from lingqu.api.wire import Connection, Head, Wire
from lingqu.gate.shelf import Ready, subject_name
from lingqu.runtime.settings import Settings, load_settings
from serving import free_port, is_ready

JSON = (b"content-type: application/json\r\n",)
_TABLE = """
    CREATE TABLE IF NOT EXISTS public.recorded (
        call text PRIMARY KEY, subject text NOT NULL, answer text NOT NULL)
"""
_RECORD = """
    INSERT INTO public.recorded SELECT * FROM unnest(%s::text[], %s::text[], %s::text[])
"""
_decoder = msgspec.json.Decoder(CallShape)
Handle: TypeAlias = Callable[[Connection, Head, bytes], None]
Recorded: TypeAlias = tuple[Connection, bytes, str, str, str]
"""A connection, the answer that waits for it, and what is written: call, subject, answer."""


@contextmanager
def ungoverned(settings: Settings, product: str, *, conninfo: str = "") -> Iterator[int]:
    """The route without governance on a port; with a `conninfo` it records each call."""
    port = free_port()
    told = (str(settings.data_dir), product, conninfo, port)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=told, daemon=True)
    process.start()
    try:
        while not is_ready(port):
            assert process.is_alive(), "the route without governance ended by itself"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.join()


def serve(data_dir: str, product: str, conninfo: str, port: int) -> None:
    """The process of that: what a request asks is read, looked up, and answered."""
    settings = load_settings({}, overrides={"data_dir": data_dir, "origin": "lingqu.bench/log"})
    with wiring.open_app(settings) as app, app.database.reading() as tx:
        ready = app.desk.shelf().ready(tx, gate.ProductId(product))

    def handle(connection: Connection, head: Head, body: bytes) -> None:
        if head.method == "GET":
            connection.answer(200, (), b"{}")
        else:
            connection.answer(200, JSON, answer(ready, body)[0])

    async def run() -> None:
        loop = asyncio.get_running_loop()
        handles = recording(loop, ready, conninfo) if conninfo else handle
        wire = Wire(handles, body_bytes_max=1 << 22)
        server = await loop.create_server(wire, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(run())


def answer(ready: Ready, body: bytes) -> tuple[bytes, str, str, str]:
    """Answer a request; gives what is sent, and its call, its first subject and its answer."""
    snapshot = ready.snapshot
    assert snapshot is not None, "the product is published"
    request = read_call(_decoder.decode(body))
    question = ready.question(request.predicate)
    assert question is not None, "the bench asks what there is"
    asked, _ = ready.read(question, request.subjects)
    told = gate.CallAnswer(
        call=request.call,
        grant=request.grant,
        product=request.product,
        snapshot=snapshot.id,
        as_of=snapshot.as_of,
        answers=ready.answerer(question).answer(asked),
        released=None,
        units=len(asked),
        batch=gate.MeterBatchId(f"mtb_{request.call[4:]}"),
        digest="0" * 64,
    )
    return write_answer(told), request.call, asked[0][0], told.answers[0].answer.value


def recording(loop: asyncio.AbstractEventLoop, ready: Ready, conninfo: str) -> Handle:
    """Give what answers a request once it is on record; one thread writes whatever waits."""
    waiting: queue.SimpleQueue[Recorded] = queue.SimpleQueue()

    def handle(connection: Connection, head: Head, body: bytes) -> None:
        if head.method == "GET":
            connection.answer(200, (), b"{}")
            return
        told, call, subject, said = answer(ready, body)
        waiting.put((connection, told, call, subject_name(ready.key, subject).hex(), said))

    def hand_out(window: list[Recorded]) -> None:
        for connection, told, *_ in window:
            connection.answer(200, JSON, told)

    def record() -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(_TABLE)
            while True:
                window = [waiting.get()]
                while not waiting.empty():
                    window.append(waiting.get())
                _, _, calls, subjects, answers = map(list, zip(*window, strict=True))
                connection.execute(_RECORD, (calls, subjects, answers), prepare=True)
                loop.call_soon_threadsafe(hand_out, window)

    threading.Thread(target=record, daemon=True).start()
    return handle
