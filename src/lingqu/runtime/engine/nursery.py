# SPDX-License-Identifier: Apache-2.0
"""The small process that forks workers: single-threaded, empty environment, one descriptor of ours.

It is a program of its own because the platform has threads and secrets, and a fork of it would
take both along. It ends when the platform does, and the kernel then ends every worker.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import socket
import sys

import duckdb

from lingqu.runtime.engine.confinement import Identity, Walls, prepare
from lingqu.runtime.engine.worker import run_worker

_ORDER_MOST = 64
_LOOK_AFTER_MS = 500


def main(arguments: list[str]) -> int:
    """This will serve orders for workers on the given descriptor until the platform is gone."""
    control = socket.socket(fileno=int(arguments[0]))
    given = json.loads(arguments[1])
    identity = Identity(**given["identity"])
    # Everything the engine loads lazily is loaded now: a worker sees no file of Python's.
    warm = duckdb.connect(":memory:", config={"threads": 1})
    warm.execute("SELECT 1, 1.5::DECIMAL(9,2), DATE '2024-01-01', 'x'::BLOB").fetchmany(1)
    warm.close()
    walls = prepare(identity, folder=given["folder"], tasks=given["tasks"])
    control.send(json.dumps(dataclasses.asdict(walls.report())).encode())
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while True:
        ready = poll.poll(_LOOK_AFTER_MS)
        _bury()
        if ready:
            if not control.recv(_ORDER_MOST):
                return 0
            _bear(control, walls)


def _bury() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _bear(control: socket.socket, walls: Walls) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    own = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            control.close()
            ours.close()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            run_worker(theirs, walls, parent=own)
        finally:
            os._exit(1)
    theirs.close()
    handle = os.pidfd_open(child)
    socket.send_fds(control, [b"1"], [ours.fileno(), handle])
    os.close(handle)
    ours.close()


if __name__ == "__main__":
    # Ctrl-C on the terminal goes to the platform, which ends us in its own order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main(sys.argv[1:]))
