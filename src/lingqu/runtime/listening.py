# SPDX-License-Identifier: Apache-2.0
"""Hearing at once what other processes commit: one connection that only listens.

A notification reaches every listener when the transaction that sent it commits, and never
otherwise. Whoever decides by what it heard must know when it has become deaf: `wait` raises at once
when the connection is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

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

    def wait(self, timeout_ms: int) -> tuple[Heard, ...]:
        """This will give what was notified, waiting at most `timeout_ms` for the first of it.

        Raises DatabaseUnavailable when the connection is lost.
        """
        try:
            return tuple(
                Heard(notice.channel, notice.payload)
                for notice in self._connection.notifies(timeout=timeout_ms / 1000, stop_after=1)
            )
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(detail=type(error).__name__) from error

    def reassure(self) -> None:
        """This will ask the server for a sign of life, and wait for it however long it takes.

        Raises DatabaseUnavailable when the connection is lost.
        """
        try:
            self._connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(detail=type(error).__name__) from error


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
