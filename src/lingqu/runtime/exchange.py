# SPDX-License-Identifier: Apache-2.0
"""Several statements sent to PostgreSQL as one piece, and their answers taken as one.

psycopg's own pipeline sends each statement by itself and looks for answers between them. For short
transactions that is most of what they cost on both sides, so statements are handed to libpq here,
prepared once for each connection, sent with one write (or several, the caller at work in between),
and followed by one synchronisation.
"""

from __future__ import annotations

import functools
import itertools
import re
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import pq
from psycopg.adapt import PyFormat, Transformer

from lingqu.runtime.strands import wait_readable

Row: TypeAlias = dict[str, Any]
"""A row by the names of its columns."""
Params: TypeAlias = Sequence[Any] | Mapping[str, Any]
PREPARED_MOST = 300
"""Statements that are kept prepared on a connection; further ones are parsed each time."""
_PLACE = re.compile(r"%(?:\((\w+)\))?(.)", re.DOTALL)
_FAILED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE})

_STALE = frozenset({"26000", "0A000"})
"""A prepared statement is forgotten by the server, or what it gives has changed."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a statement gave: its rows, and how many rows it touched or gave."""

    rows: list[Row]
    touched: int


class Connection(psycopg.Connection[Row]):
    """A connection that knows what is prepared on it, and how its values are written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Know of nothing that is prepared."""
        super().__init__(*args, **kwargs)
        self.prepared: dict[_Key, bytes] = {}
        self.values = Transformer(self)


def exchange(connection: Connection, statements: Sequence[tuple[str, Params]]) -> list[Told]:
    """This will run statements in their order with one round trip and give what each told.

    Raises psycopg's error of the first that failed; those after it were not run.
    """
    sent = Exchange(connection)
    sent.more(statements, last=True)
    return sent.told()


class Exchange:
    """Statements that were sent; the server is at work on them until `told` is asked for.

    Nothing may be sent on the connection before that but `more` of them.
    """

    def __init__(self, connection: Connection) -> None:
        """Send nothing yet."""
        self._connection = connection
        self._begun = False
        self._sent: list[_Sent] = []

    def more(self, statements: Sequence[tuple[str, Params]], *, last: bool = False) -> None:
        """This will send statements that run in their order, after those before; maybe the last.

        What cannot be written raises psycopg's DataError, and none of them is sent.
        """
        connection, pgconn = self._connection, self._connection.pgconn
        written = [_write(connection.values, sql, params) for sql, params in statements]
        with self._intact():
            if not self._begun:
                pgconn.enter_pipeline_mode()
                self._begun = True
            self._sent += [_send(pgconn, connection.prepared, one) for one in written]
            if last:
                pgconn.pipeline_sync()
            _flush(pgconn)

    def told(self) -> list[Told]:
        """This will wait for what each statement told, once the last was sent.

        Raises psycopg's error of the first that failed; those after it were not run.
        """
        pgconn = self._connection.pgconn
        with self._intact():
            results = [[_result(pgconn) for _ in range(one.results)] for one in self._sent]
            _result(pgconn)
            pgconn.exit_pipeline_mode()
        for one, told in zip(self._sent, results, strict=True):
            for result in told:
                if result.status in _FAILED:
                    error = psycopg.errors.error_from_result(result, encoding="utf-8")
                    if error.sqlstate in _STALE:
                        self._connection.prepared.clear()
                    raise error
            if one.name is not None:
                self._connection.prepared.setdefault(one.key, one.name)
        return [_read(self._connection.values, told[-1]) for told in results]

    @contextmanager
    def _intact(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            # Nobody knows what else is under way on it.
            self._connection.close()
            raise


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement with its values as they travel."""

    query: bytes
    given: Sequence[Any]
    types: tuple[int, ...]
    formats: Sequence[pq.Format]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A statement that was sent; `name` where it was prepared with it, so it has two results."""

    key: _Key
    name: bytes | None
    results: int


_Key: TypeAlias = tuple[bytes, tuple[int, ...]]
"""A statement as PostgreSQL reads it, and the types of its parameters."""
_numbers = itertools.count()


def _write(transformer: psycopg.abc.Transformer, sql: str, params: Params) -> _Written:
    query, names = _converted(sql)
    values = [params[name] for name in names] if isinstance(params, Mapping) else params
    assert len(values) == len(names), "each place has a value"
    given = transformer.dump_sequence(values, [PyFormat.AUTO] * len(values))
    types = tuple(transformer.types or ())
    return _Written(query, given, types, transformer.formats or ())


def _send(pgconn: pq.abc.PGconn, prepared: Mapping[_Key, bytes], one: _Written) -> _Sent:
    key, formats = (one.query, one.types), one.formats
    name = prepared.get(key)
    if name is not None:
        pgconn.send_query_prepared(name, one.given, param_formats=formats)
        return _Sent(key, None, 1)
    if len(prepared) >= PREPARED_MOST:
        pgconn.send_query_params(one.query, one.given, param_types=one.types, param_formats=formats)
        return _Sent(key, None, 1)
    name = b"lingqu_%d" % next(_numbers)
    pgconn.send_prepare(name, one.query, param_types=one.types)
    pgconn.send_query_prepared(name, one.given, param_formats=formats)
    return _Sent(key, name, 2)


@functools.lru_cache(maxsize=5_000)
def _converted(sql: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement with numbered places, and the names of their values; unnamed ones in order."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        name, letter = found[1], found[2]
        if letter == "%" and name is None:
            return "%"
        assert letter == "s", "a place is %s or %(name)s"
        if name is None or name not in names:
            names.append(name or "")
            return f"${len(names)}"
        return f"${names.index(name) + 1}"

    return _PLACE.sub(number, sql).encode(), tuple(names)


def _flush(pgconn: pq.abc.PGconn) -> None:
    """Send what waits. Answers are taken in meanwhile: the server may wait for that."""
    while pgconn.flush():
        waiting = select.poll()
        waiting.register(pgconn.socket, select.POLLIN | select.POLLOUT)
        if any(event & ~select.POLLOUT for _, event in waiting.poll()):
            pgconn.consume_input()


def _result(pgconn: pq.abc.PGconn) -> pq.abc.PGresult:
    """The next result; a lost connection is an error."""
    while True:
        while pgconn.is_busy():
            wait_readable(pgconn.socket)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is not None:
            return result
        if pgconn.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError("the connection is lost")


def _read(transformer: psycopg.abc.Transformer, result: pq.abc.PGresult) -> Told:
    rows: list[Row] = []
    if result.status == pq.ExecStatus.TUPLES_OK and result.ntuples:
        names = [(result.fname(at) or b"").decode() for at in range(result.nfields)]
        transformer.set_pgresult(result, format=pq.Format.TEXT)
        rows = transformer.load_rows(
            0, result.ntuples, lambda values: dict(zip(names, values, strict=True))
        )
        transformer.set_pgresult(None)  # it would be kept until the next one
    return Told(rows, result.command_tuples or 0)
