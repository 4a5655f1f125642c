# SPDX-License-Identifier: Apache-2.0
"""`Engine`: a job goes in, its answer comes out, and nothing that happens inside gets out."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine.answers import Answer, Cancel, Progress, WorkerFailed
from lingqu.runtime.engine.jobs import MIB, Confinement, Job, Limits, Result, Row
from lingqu.runtime.engine.pool import Nursery
from lingqu.runtime.engine.projections import Projections
from lingqu.runtime.engine.refusals import (
    ConfinementIncomplete,
    EngineBusy,
    QueryCancelled,
    QueryFailed,
)
from lingqu.runtime.engine.types import Column
from lingqu.runtime.observability import METRICS, get_logger
from lingqu.runtime.settings import Settings

_SPARES_DEAD_MOST = 3


class Engine:
    """DuckDB in confined workers: one job a worker, at most `workers` of them at a time.

    Usable from several threads. `folder` is where projected copies of table files are kept; it
    needs room for `cache_bytes`. With `full_confinement` a machine on which something is missing
    around the workers is refused. Use it as a context manager.
    """

    def __init__(
        self,
        *,
        folder: Path,
        workers: int = 4,
        spares: int = 1,
        queue_ms: int = 10_000,
        cache_bytes: int = 4096 * MIB,
        full_confinement: bool = False,
    ) -> None:
        """Start nothing yet. Raises EngineUnavailable when the folder cannot be made."""
        self._projections = Projections(folder, bytes_most=cache_bytes)
        self._nursery = Nursery(folder=str(folder), workers=workers, spares=spares)
        self._slots = threading.BoundedSemaphore(workers)
        self._queue_ms = queue_ms
        self._full_confinement = full_confinement
        self._log = get_logger(__name__)

    def __enter__(self) -> Self:
        """Start the nursery, so that the first query finds a spare."""
        try:
            self.confinement()
        except LingquError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End every worker."""
        self.close()

    def close(self) -> None:
        """This will end every worker; queries still running fail."""
        self._nursery.close()

    def confinement(self) -> Confinement:
        """This will say what stands around the workers on this machine.

        Raises EngineUnavailable, or ConfinementIncomplete where `full_confinement` was asked for.
        """
        found = self._nursery.confinement()
        if self._full_confinement and found.gaps:
            raise ConfinementIncomplete(gaps=", ".join(found.gaps))
        return found

    def query(
        self, job: Job, *, cancel: Cancel | None = None, progress: Progress | None = None
    ) -> Result:
        """This will answer a job as a whole. `progress` gets percents, on this thread.

        Raises QueryFailed, TimeLimitReached, AnswerTooLarge, QueryCancelled, EngineBusy,
        EngineUnavailable, UnsupportedType, FileChanged or BadDeclaration.
        """
        columns: tuple[Column, ...] = ()
        rows: list[Row] = []
        for part in self.stream(job, cancel=cancel, progress=progress):
            if not columns:
                columns = part.columns
            rows += part.rows
        return Result(columns=columns, rows=tuple(rows))

    def stream(
        self, job: Job, *, cancel: Cancel | None = None, progress: Progress | None = None
    ) -> Iterator[Result]:
        """This will answer a job part by part; each part has the columns and some rows.

        The first part comes as soon as the columns are known. Closing the iterator early kills
        the worker. Raises what `query` raises.
        """
        outcome, began = "abandoned", time.monotonic()
        try:
            yield from self._stream(job, cancel or Cancel(), progress)
            outcome = "answered"
        except LingquError as refusal:
            outcome = refusal.code.rpartition(".")[2]
            raise
        finally:
            METRICS.engine_queries_total.labels(outcome).inc()
            METRICS.engine_query_seconds.observe(time.monotonic() - began)

    def _stream(self, job: Job, cancel: Cancel, progress: Progress | None) -> Iterator[Result]:
        self.confinement()
        if not self._slots.acquire(timeout=self._queue_ms / 1000):
            raise EngineBusy(waited_ms=self._queue_ms)
        METRICS.engine_workers.inc()
        try:
            if cancel.is_set:
                raise QueryCancelled
            ends = time.monotonic() + job.limits.time_ms / 1000
            files = self._open_files(job)
            try:
                yield from self._exchange(job, files, cancel, progress, ends)
            finally:
                for file in files:
                    os.close(file)
        except WorkerFailed as failure:
            self._log.warning(
                "engine.query_failed",
                # What names the statement in the log without showing it.
                statement=hashlib.sha256(job.sql.encode("utf-8", "replace")).hexdigest()[:16],
                kind=failure.kind,
                text=failure.text,
            )
            raise QueryFailed from None
        finally:
            METRICS.engine_workers.dec()
            self._slots.release()

    def _exchange(
        self, job: Job, files: list[int], cancel: Cancel, progress: Progress | None, ends: float
    ) -> Iterator[Result]:
        """Give the job to a worker; to another one when a spare died before it took the job."""
        for chance in range(_SPARES_DEAD_MOST, -1, -1):
            worker = self._nursery.take(cancel.watch)
            answer = Answer(worker, job, progress=progress, ends=ends)
            try:
                yield from answer.parts(cancel, files)
            except WorkerFailed:
                if answer.was_accepted or not chance:
                    raise
            else:
                return
            finally:
                worker.close()

    def _open_files(self, job: Job) -> list[int]:
        opened: list[int] = []
        try:
            for table in job.tables:
                for file in table.files:
                    opened.append(self._projections.open(file, table.columns))  # noqa: PERF401  # those opened before a failure must be closed
        except LingquError:
            for descriptor in opened:
                os.close(descriptor)
            raise
        return opened


def open_engine(settings: Settings) -> Engine:
    """This will make the engine that the settings describe; use it as a context manager."""
    return Engine(
        folder=settings.data_dir / "engine",
        workers=settings.engine_workers,
        spares=settings.engine_spares,
        queue_ms=settings.engine_queue_ms,
        cache_bytes=settings.engine_cache_mib * MIB,
        full_confinement=settings.engine_confinement == "full",
    )


def job_limits(settings: Settings) -> Limits:
    """This will give the limits of a job where nothing narrower was agreed."""
    return Limits(
        time_ms=settings.engine_query_ms,
        memory_bytes=settings.engine_memory_mib * MIB,
        threads=settings.engine_threads,
    )
