# SPDX-License-Identifier: Apache-2.0
"""One exchange with a worker: the job goes out, typed parts come in, limits and cancel hold."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lingqu.runtime.engine import frames
from lingqu.runtime.engine.jobs import Job, Result, Value
from lingqu.runtime.engine.pool import FrameReader, Worker
from lingqu.runtime.engine.refusals import AnswerTooLarge, QueryCancelled, TimeLimitReached
from lingqu.runtime.engine.types import Column, known_type

Progress = Callable[[int], None]

_COLUMNS_MOST = 2000
_NAME_LONGEST = 500
_TEXT_LONGEST = 300
_SPEAKING = frozenset({"BinderException", "CatalogException", "ParserException"})
_KNOWN_KINDS = _SPEAKING | frozenset({
    "ConversionException", "ConstraintException", "DataError", "Error", "FatalException",
    "IOException", "InternalException", "InterruptException", "InvalidInputException",
    "InvalidTypeException", "MemoryError", "NotImplementedException", "OperationalError",
    "OutOfMemoryException", "OutOfRangeException", "PermissionException", "SequenceException",
    "SerializationException", "SyntaxException", "TransactionException", "TypeMismatchException",
})  # fmt: skip


class WorkerFailed(Exception):  # a signal to the engine, which logs and refuses
    """The worker said that it failed, or died, or said what cannot be."""

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(kind)
        self.kind, self.text = kind, text


class Cancel:
    """A handle by which another thread ends a query: its worker is killed, whatever it does."""

    def __init__(self) -> None:
        """Not cancelled yet. One handle may be given to several queries; it ends them all."""
        self._lock = threading.Lock()
        self._running: dict[int, Worker] = {}
        self.is_set = False

    def cancel(self) -> None:
        """This will kill the workers of the queries this was given to, and refuse later ones."""
        with self._lock:
            self.is_set = True
            for wake, worker in self._running.items():
                worker.kill()
                os.eventfd_write(wake, 1)

    @contextmanager
    def watch(self, worker: Worker) -> Iterator[int]:
        """A descriptor that becomes readable when the query is cancelled."""
        wake = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            with self._lock:
                if self.is_set:
                    raise QueryCancelled
                self._running[wake] = worker
            yield wake
        finally:
            with self._lock:
                self._running.pop(wake, None)
            os.close(wake)


class Answer:
    """What a worker gives for a job, read with distrust."""

    def __init__(self, worker: Worker, job: Job, *, progress: Progress | None, ends: float) -> None:
        self._worker, self._job, self._progress, self._ends = worker, job, progress, ends
        self._reader = FrameReader(worker.connection)
        self._columns: tuple[Column, ...] = ()
        self._read_cell: tuple[Callable[[Any], Value], ...] = ()
        self._rows = 0
        self._bytes = 0
        self.was_accepted = False

    def parts(self, cancel: Cancel, files: list[int]) -> Iterator[Result]:
        """This will send the job and give the answer part by part."""
        with cancel.watch(self._worker) as wake:
            try:
                self._send(files)
                while True:
                    frame = self._reader.read(self._left, (wake,))
                    if cancel.is_set:
                        raise QueryCancelled
                    if frame is None:
                        raise TimeLimitReached(time_ms=self._job.limits.time_ms)
                    part = self._take(*frame)
                    if frame[0] == frames.DONE:
                        return
                    if part is not None:
                        yield part
            except (frames.Broken, OSError) as error:
                if cancel.is_set:
                    raise QueryCancelled from None
                if self._left() <= 0:
                    raise TimeLimitReached(time_ms=self._job.limits.time_ms) from None
                raise WorkerFailed(type(error).__name__) from None

    def _left(self) -> float:
        return self._ends - time.monotonic()

    def _send(self, files: list[int]) -> None:
        job, limits = self._job, self._job.limits
        body = {
            "sql": job.sql,
            "values": [frames.encode_value(value) for value in job.values],
            "tables": [
                {
                    "name": table.name,
                    "columns": [[column.name, column.type] for column in table.columns],
                    "files": len(table.files),
                }
                for table in job.tables
            ],
            "limits": {
                "time_ms": limits.time_ms,
                "rows": limits.rows,
                "memory_bytes": limits.memory_bytes,
                "threads": limits.threads,
            },
            "progress": self._progress is not None,
        }
        self._worker.connection.settimeout(max(self._left(), 0.001))
        self._worker.send(frames.pack(frames.JOB, body), files)

    def _take(self, kind: int, text: bytes) -> Result | None:
        body = frames.unpack(text)
        if kind == frames.ACCEPTED:
            self.was_accepted = True
            return None
        if kind == frames.ERROR:
            raise _failure(body)
        if kind == frames.PROGRESS:
            self._tell(body)
        elif kind == frames.COLUMNS and not self._columns:
            self._columns = _columns(body)
            self._read_cell = tuple(frames.reader_of(column.type) for column in self._columns)
            return Result(columns=self._columns, rows=())
        elif kind == frames.ROWS and self._columns:
            return self._rows_of(body, len(text))
        elif kind != frames.DONE:
            raise frames.Broken
        return None

    def _rows_of(self, body: Any, size: int) -> Result:
        limits = self._job.limits
        rows = frames.decode_rows(body, self._read_cell)
        self._rows += len(rows)
        self._bytes += size
        if self._rows > limits.rows or self._bytes > limits.answer_bytes:
            raise AnswerTooLarge(rows=limits.rows, bytes=limits.answer_bytes)
        return Result(columns=self._columns, rows=rows)

    def _tell(self, body: Any) -> None:
        percent = body.get("percent") if isinstance(body, dict) else None
        if self._progress is None or type(percent) is not int or not 0 <= percent <= 100:
            raise frames.Broken
        self._progress(percent)


def _columns(body: Any) -> tuple[Column, ...]:
    if not isinstance(body, list) or not 0 < len(body) <= _COLUMNS_MOST:
        raise frames.Broken
    found = []
    for entry in body:
        if not isinstance(entry, list) or len(entry) != 2:
            raise frames.Broken
        name, kind = entry
        if not isinstance(name, str) or not isinstance(kind, str) or len(name) > _NAME_LONGEST:
            raise frames.Broken
        found.append(_answer_column(name, kind))
    return tuple(found)


def _answer_column(name: str, kind: str) -> Column:
    """A column of an answer; its name may be what nobody could declare, like an expression."""
    column = object.__new__(Column)
    object.__setattr__(column, "name", name)
    object.__setattr__(column, "type", known_type(kind, column=""))
    return column


def _failure(body: Any) -> WorkerFailed:
    """What the operator's log may hold: a known kind, and text only where it quotes no data."""
    kind = body.get("kind") if isinstance(body, dict) else None
    if kind not in _KNOWN_KINDS:
        return WorkerFailed("unknown")
    text = body.get("text")
    shown = text[:_TEXT_LONGEST] if isinstance(text, str) and kind in _SPEAKING else ""
    return WorkerFailed(kind, shown)
