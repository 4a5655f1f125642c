# SPDX-License-Identifier: Apache-2.0
"""What must not happen, watched from outside: a trap for files, one for the network, canaries.

Nothing here knows how queries are read. The kernel tells which file of the folder was touched, a
socket tells who connected, tables hold canaries wherever nobody may look, and a twin of them
differs in nothing but that.
"""

import ctypes
import os
import socket
import struct
from pathlib import Path

import duckdb
from governed import POLICY

from lingqu.gate.datasets import copies

CANARY = "CANARY-45010019900101"
ROWS = 300
KEY = b"k" * 32
SETTINGS = "SELECT name, value FROM duckdb_settings() ORDER BY ALL"
_ALL_EVENTS, _NONBLOCK = 0x00000FFF, os.O_NONBLOCK
_EVENT = struct.Struct("iIII")


class Traps:
    """A folder nobody may look into and a port nobody may call; `sprung` says who did."""

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "lingqu_trap.csv").write_text(f"secret\n{CANARY}\n", encoding="utf-8")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(_NONBLOCK)
        assert self._watch >= 0, "the kernel watches no files here"
        watched = libc.inotify_add_watch(self._watch, os.fsencode(self.folder), _ALL_EVENTS)
        assert watched >= 0, "the kernel watches no files here"

    @property
    def url(self):
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/lingqu_trap.csv"

    def sprung(self):
        """Everything that was touched since it was asked last."""
        found = []
        try:
            told = os.read(self._watch, 1 << 16)
        except BlockingIOError:
            told = b""
        while told:
            _, mask, _, length = _EVENT.unpack_from(told)
            name = told[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode()
            found.append(f"file {name or '.'} was touched ({mask:#x})")
            told = told[_EVENT.size + length :]
        try:
            connection, _ = self._listening.accept()
        except BlockingIOError:
            return found
        connection.close()
        return [*found, "the network was reached"]

    def close(self):
        os.close(self._watch)
        self._listening.close()


def engine_with_tables(*, twin=False):
    """Small tables of the governed shape, with what only the platform's own copies have.

    Figures are never missing and lie in their bounds. The twin has other keys, names and secrets.
    """
    engine = duckdb.connect()
    engine.execute("SET threads = 1")
    engine.execute("SELECT setseed(0.42)")
    engine.execute(
        f"CREATE TABLE drawn AS SELECT (random() * 60)::BIGINT AS pid,"
        f" if(random() < .1, NULL, (random() * 4)::INTEGER) AS city,"
        f" (random() * 4)::INTEGER AS mon,"
        f" if(random() < .1, NULL, (random() * 160 - 5)::INTEGER) AS age,"
        f" if(random() < .1, NULL, DATE '2019-11-01' + (random() * 500)::INTEGER) AS d,"
        f" if(random() < .1, NULL, ['a', 'ab', 'n1', 'it''s', '', 'b'][1 + (random() * 5)::INT])"
        f" AS name,"
        f" (random() * 900)::DECIMAL(12, 2) AS sal, random()::DECIMAL(4, 2) AS tax"
        f" FROM range({ROWS})"
    )
    changed = "REPLACE (1000000 - 7 * pid AS pid, 'other' AS name)" if twin else ""
    engine.execute(f"CREATE TABLE source AS SELECT * {changed} FROM drawn")
    table, cities = POLICY.tables
    sql, pads = copies._print_copy(table, KEY)
    engine.execute(f"CREATE TABLE t AS {sql}", pads)
    engine.execute("CREATE TABLE place AS SELECT * FROM (VALUES (0, 'north'), (1, 'south'),"
                   " (2, 'north'), (3, NULL), (NULL, 'south')) AS v(city, region)")  # fmt: skip
    sql, pads = copies._print_copy(cities, KEY)
    engine.execute(f"CREATE TABLE c AS {sql.replace('source', 'place')}", pads)
    canary = f"'{'TWIN' if twin else CANARY}'"
    for name in ("t", "c"):
        engine.execute(f"ALTER TABLE {name} ADD COLUMN secret VARCHAR DEFAULT {canary}")
    engine.execute(f"CREATE TABLE hush AS SELECT pid, {canary} AS kept FROM t")
    return engine
