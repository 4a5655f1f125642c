# SPDX-License-Identifier: Apache-2.0
"""The nursery's other end: spare workers, one job each, killed rather than interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass

from lingqu.runtime.engine import frames
from lingqu.runtime.engine.confinement import ACCOUNT, Identity
from lingqu.runtime.engine.jobs import Confinement
from lingqu.runtime.engine.refusals import EngineUnavailable
from lingqu.runtime.observability import get_logger
from lingqu.runtime.postgres import can_make_account, new_account

_START_SECONDS = 30.0
_FDS_AT_ONCE = 200
_TASKS_PER_WORKER = 24
_PROGRAM = "lingqu.runtime.engine.nursery"


@dataclass(slots=True)
class Worker:
    """One confined process, from its birth in the nursery to its end."""

    connection: socket.socket
    handle: int

    def send(self, frame: bytes, files: list[int]) -> None:
        """This will give the worker its job, and the files the job may read."""
        for start in range(0, len(files), _FDS_AT_ONCE):
            # Descriptors travel beside bytes, a bounded number at a time.
            socket.send_fds(self.connection, [frame[:1]], files[start : start + _FDS_AT_ONCE])
            frame = frame[1:]
        self.connection.sendall(frame)

    def kill(self) -> None:
        """This will end the worker now; it cannot refuse, and no other process is meant."""
        with contextlib.suppress(ProcessLookupError, OSError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)

    def close(self) -> None:
        """This will end the worker and forget it."""
        self.kill()
        self.connection.close()
        os.close(self.handle)

    def has_ended(self, *, within_ms: int = 0) -> bool:
        """Whether the process is gone; waits at most so long."""
        poll = select.poll()
        poll.register(self.handle, select.POLLIN)
        return bool(poll.poll(within_ms))


class Nursery:
    """The process that forks workers, started when first needed and again when it died."""

    def __init__(
        self,
        *,
        folder: str,
        workers: int,
        spares: int,
        identity: Callable[[], Identity] | None = None,
    ) -> None:
        self._identity = identity or _identity
        self._folder, self._spares = folder, spares
        self._tasks = (workers + spares + 2) * _TASKS_PER_WORKER
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ordered = 0
        self._confinement: Confinement | None = None
        self._closed = False

    def confinement(self) -> Confinement:
        """This will say what stands around workers here. Raises EngineUnavailable."""
        with self._lock:
            if self._confinement is None:
                self._start()
            assert self._confinement is not None
            return self._confinement

    def take(self, watch: Callable[[Worker], contextlib.AbstractContextManager[object]]) -> Worker:
        """This will give a ready worker, and have the next spare forked at once.

        A spare that died meanwhile is left out; `watch` may kill one that is waited for. Raises
        EngineUnavailable and what `watch` raises.
        """
        for _ in range(self._spares + 3):
            worker = self._next()
            with contextlib.ExitStack() as undo:
                undo.callback(worker.close)
                with watch(worker):
                    is_good = _is_ready(worker) and not worker.has_ended()
                if is_good:
                    undo.pop_all()
                    return worker
        raise EngineUnavailable(detail="spares")

    def _next(self) -> Worker:
        with self._lock:
            for _ in range(2):
                try:
                    if self._control is None:
                        self._start()
                    return self._order()
                except (OSError, ValueError, IndexError):
                    self._stop()
        raise EngineUnavailable(detail="nursery")

    def _order(self) -> Worker:
        """Send for as many as shall stand ready beside the one taken, and take the oldest."""
        assert self._control is not None
        while self._ordered <= self._spares:
            self._control.send(b"1")
            self._ordered += 1
        _, fds, _, _ = socket.recv_fds(self._control, 64, 2)
        self._ordered -= 1
        return Worker(connection=socket.socket(fileno=fds[0]), handle=fds[1])

    def _start(self) -> None:
        if self._closed:
            raise EngineUnavailable(detail="closed")
        identity = self._identity()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = {
            "identity": dataclasses.asdict(identity),
            "folder": self._folder,
            "tasks": self._tasks,
        }
        number = str(theirs.fileno())
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", _PROGRAM, number, json.dumps(given)],
                cwd="/",
                env={"LC_ALL": "C.UTF-8", "TZ": "UTC", "MALLOC_ARENA_MAX": "2"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                umask=0o077,
                start_new_session=True,
            )
            theirs.close()
            ours.settimeout(_START_SECONDS)
            told = json.loads(ours.recv(65536))
            told["gaps"] = tuple(told["gaps"])
            self._confinement = Confinement(**told)
        except (OSError, ValueError, TypeError) as error:
            ours.close()
            self._stop()
            raise EngineUnavailable(detail="nursery") from error
        self._control, self._ordered = ours, 0

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """This will end the nursery; the kernel ends every worker with it."""
        with self._lock:
            self._closed = True
            self._stop()


def examine_confinement() -> Confinement:
    """This will say what would stand around workers here, by starting one.

    It is what `lingqu doctor` shows, and makes no account: where one can be made, the trial runs
    as `nobody` under its name. Raises EngineUnavailable.
    """
    with tempfile.TemporaryDirectory(prefix="lingqu-engine-") as folder:
        nursery = Nursery(folder=folder, workers=1, spares=0, identity=_examined_identity)
        try:
            found = nursery.confinement()
            nursery.take(contextlib.nullcontext).close()
        finally:
            nursery.close()
    return found


def _identity() -> Identity:
    account = new_account(name=ACCOUNT)
    return Identity(name=account.name, uid=account.uid, gid=account.gid, switch=account.switch)


def _examined_identity() -> Identity:
    account = new_account(name=ACCOUNT, create=False)
    name = ACCOUNT if can_make_account() else account.name
    return Identity(name=name, uid=account.uid, gid=account.gid, switch=account.switch)


def _is_ready(worker: Worker) -> bool:
    """Whether the worker said that it stands inside its walls with its engine started."""
    try:
        found = FrameReader(worker.connection).read(lambda: _START_SECONDS, ())
    except (OSError, frames.Broken):
        return False
    if found is None or found[0] != frames.READY:
        told = None if found is None else found[1][:500].decode("utf-8", "replace")
        get_logger(__name__).warning("engine.worker_not_ready", told=told)
        return False
    return True


class FrameReader:
    """Reads bounded frames from a worker until a deadline, or until somebody else is heard."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._buffer = bytearray()

    def read(self, left: Callable[[], float], others: tuple[int, ...]) -> tuple[int, bytes] | None:
        """This will give the next frame, or None when time is up or another descriptor is ready.

        Raises Broken when the worker is gone or says what cannot be.
        """
        for other in others:
            self._poll.register(other, select.POLLIN)
        while True:
            frame = self._complete()
            if frame is not None:
                return frame
            seconds = left()
            if seconds <= 0:
                return None
            ready = {number for number, _ in self._poll.poll(max(1, int(seconds * 1000)))}
            if not ready.isdisjoint(others):
                return None
            if self._connection.fileno() in ready:
                data = self._connection.recv(1 << 18)
                if not data:
                    raise frames.Broken
                self._buffer += data

    def _complete(self) -> tuple[int, bytes] | None:
        if len(self._buffer) < frames.HEAD.size:
            return None
        length, kind = frames.HEAD.unpack_from(self._buffer)
        if length > frames.FRAME_MOST:
            raise frames.Broken
        end = frames.HEAD.size + length
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[frames.HEAD.size : end])
        del self._buffer[:end]
        return kind, body
