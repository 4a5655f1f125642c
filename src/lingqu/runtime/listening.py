# SPDX-License-Identifier: Apache-2.0
"""Hearing at once what other processes commit: one connection that only listens.

A notification reaches every listener when the transaction that sent it commits, and never
otherwise. Whoever decides by what it heard must know when it has become deaf: `wait` raises at once
when the connection is lost.
"""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import pq

from lingqu.runtime.db import Database, DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class Heard:
    """One notification: its channel and its text."""

    channel: str
    payload: str


class Listener:
    """An open ear on some channels; nothing sent since it was opened is missed."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """Only `listening` opens ears."""
        self._connection = connection
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)

    def wait(self, timeout_ms: int) -> tuple[Heard, ...]:
        """This will give what was notified, waiting at most `timeout_ms` for the first of it.

        Raises DatabaseUnavailable when the connection is lost.
        """
        with self._alive() as pgconn:
            heard = _heard(pgconn)
            if not heard and self._poll.poll(timeout_ms):
                pgconn.consume_input()
                heard = _heard(pgconn)
        return heard

    def reassure(self) -> None:
        """This will ask the server for a sign of life, and wait for it however long it takes.

        Raises DatabaseUnavailable when the connection is lost.
        """
        with self._alive() as pgconn:
            # The shortest question there is; what comes in with the answer waits for `wait`.
            if pgconn.exec_(b"").status != pq.ExecStatus.EMPTY_QUERY:
                raise psycopg.OperationalError("no sign of life")

    @contextmanager
    def _alive(self) -> Iterator[pq.abc.PGconn]:
        """The connection as libpq has it: this is asked forty times a second."""
        try:
            yield self._connection.pgconn
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(detail=type(error).__name__) from error


def _heard(pgconn: pq.abc.PGconn) -> tuple[Heard, ...]:
    """What has come in."""
    return tuple(
        Heard(one.relname.decode(), one.extra.decode()) for one in iter(pgconn.notifies, None)
    )


NAME = "lingqu-listening"
"""How the database's own list of connections names an ear."""


@contextmanager
def listening(database: Database, channels: Sequence[str]) -> Iterator[Listener]:
    """This will listen on channels until the block ends. Raises DatabaseUnavailable."""
    try:
        connection = psycopg.connect(database.conninfo, autocommit=True, application_name=NAME)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(detail=type(error).__name__) from error
    with connection:
        for channel in channels:
            connection.execute(f'LISTEN "{channel}"')
        yield Listener(connection)
