# SPDX-License-Identifier: Apache-2.0
"""Transactions: one caller, one moment, one rule version; retried where the database asks for it.

READ COMMITTED with explicit locks. Domain code gets a `Tx` and can neither commit nor roll back;
it commits when the block that opened it ends well. Round trips are what a short transaction costs:
BEGIN travels with the first statement, and what nobody waits for with the next one or the commit.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import psycopg
from psycopg import conninfo as pg_conninfo
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime.clock import REAL_TIME, RealTime
from lingqu.runtime.exchange import Connection, Exchange, Params, Row, Told, exchange

T = TypeVar("T")
ATTEMPTS = 6
"""How often a transaction is tried when PostgreSQL reports a deadlock or serialisation failure."""

_SESSION_OPTIONS = (
    "-c search_path=runtime -c timezone=UTC -c lock_timeout=10s"
    " -c statement_timeout=60s -c idle_in_transaction_session_timeout=120s"
)


class DatabaseUnavailable(errors.Unavailable):
    """PostgreSQL does not answer, or all connections are taken."""

    code = "runtime.database.unavailable"


class DatabaseFull(errors.Unavailable):
    """PostgreSQL has no room left on its disk; nothing was changed."""

    code = "runtime.database.full"


class DatabaseBusy(errors.Unavailable):
    """Something else holds what this needs for too long; nothing was changed."""

    code = "runtime.database.busy"


class BadData(errors.Rejected):
    """A value cannot be stored (a NUL character, a number out of range)."""

    code = "runtime.database.bad_data"


class DatabaseConflict(errors.Conflict):
    """Something else was stored at the same moment that excludes this."""

    code = "runtime.database.conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who acts: the account, the door it came through, and the correlation id of the request.

    `acting_for` names the one party it acts for now, where it chose one of several.
    """

    account: Id
    channel: Literal["web", "api", "cli", "job", "platform"]
    correlation: str = ""
    acting_for: str | None = None


class Deferrer(Protocol):
    """What `Tx.defer` needs of the job registry."""

    def defer(self, connection: psycopg.Connection[Any], name: str, args: Mapping[str, Any]) -> int:
        """Queue a job inside the connection's open transaction."""


class _Unsent:
    """Statements nobody waits for, and what refuses them means to the caller.

    `begins` is the statement the transaction begins with, `begun` those that were sent already.
    """

    def __init__(self, begins: str = "") -> None:
        self.begins = begins
        self.statements: list[tuple[str, Params]] = [(begins, ())] if begins else []
        self.taken: dict[tuple[str, str], errors.LingquError] = {}
        self.refusals: dict[str, errors.LingquError] = {}
        self.begun: Exchange | None = None

    def take(self) -> list[tuple[str, Params]]:
        """Give the statements that wait, once; what was begun is waited for before them."""
        if self.begun is not None:
            self.end(self.begun, ())
        waiting, self.statements = self.statements, []
        return waiting

    def end(self, begun: Exchange, statements: Sequence[tuple[str, Params]]) -> None:
        """Send the last statements after those that were begun, and wait for all of them."""
        begun.more(statements, last=True)
        self.begun = None
        begun.told()

    @contextmanager
    def ending(self, connection: Connection) -> Iterator[None]:
        """End the connection with the block where nobody waited for what was begun."""
        try:
            yield
        finally:
            if self.begun is not None:
                connection.close()

    def meaning(self, error: psycopg.Error) -> errors.LingquError | None:
        """Give the refusal that was expected for this violation, if one was."""
        if isinstance(error, psycopg.errors.RaiseException):
            return self.refusals.get(error.diag.message_primary or "")
        constraint, detail = error.diag.constraint_name, error.diag.message_detail or ""
        for (name, key), refusal in self.taken.items():
            if name == constraint and f"=({key})" in detail:
                return refusal
        return None


class Tx:
    """One open transaction. `now` is business time, the same for everything in it.

    `notes` lets a package keep what belongs to this transaction, under a type of its own.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        caller: Caller,
        now: Instant,
        rules: str,
        clock: str,
        jobs: Deferrer | None,
        unsent: _Unsent,
    ) -> None:
        """Only `Database` opens transactions."""
        self._connection = connection
        self._unsent = unsent
        self._jobs = jobs
        self._streams = 0
        self.caller = caller
        self.now = now
        self.rules = rules
        self.clock = clock
        self.notes: dict[type, Any] = {}

    def execute(self, sql: str, params: Params = ()) -> int:
        """This will run one statement and give the number of rows it touched."""
        return self._run(sql, params).touched

    def all(self, sql: str, params: Params = ()) -> list[Row]:
        """This will give every row."""
        return self._run(sql, params).rows

    def maybe(self, sql: str, params: Params = ()) -> Row | None:
        """This will give the first row, or None."""
        return next(iter(self._run(sql, params).rows), None)

    def one(self, sql: str, params: Params = ()) -> Row:
        """This will give the first row of a statement that always has one."""
        row = self.maybe(sql, params)
        assert row is not None, "the statement always has a row"
        return row

    def later(self, sql: str, params: Params = ()) -> None:
        """This will run a statement before the next one, or with the commit: it costs no wait.

        What it refuses is raised there, and the transaction is undone all the same.
        """
        self._unsent.statements.append((sql, params))

    def means(self, constraint: str, key: str, refusal: errors.LingquError) -> None:
        """This will raise `refusal` where the unique `constraint` already holds `key`."""
        self._unsent.taken[constraint, key] = refusal

    def many(self, sql: str, rows: Sequence[Params]) -> None:
        """This will run one statement for each set of values, in one round trip."""
        self._send()
        with self._connection.cursor() as cursor:
            cursor.executemany(sql, rows)

    def together(
        self, statements: Iterable[tuple[str, Params]], *, last: bool = False
    ) -> list[list[Row]]:
        """This will run several statements in one round trip and give the rows of each.

        A transaction that only reads can end with its `last` ones, so that nobody waits for its
        end. Should something be asked after all, that sees what is so by then.
        """
        waiting = self._unsent.take()
        told = [*waiting, *statements]
        if last:
            assert self._unsent.begins == _READ_ONLY, "what writes is committed by its block"
            self._unsent.statements.append((_READ_ONLY, ()))
        found = exchange(self._connection, [*told, (_COMMIT, ())] if last else told)
        return [one.rows for one in found[len(waiting) : len(told)]]

    def begin(
        self,
        statements: Iterable[tuple[str, Params]],
        refusals: Mapping[str, errors.LingquError],
    ) -> None:
        """This will have the database work on statements while the caller goes on.

        Nobody waits for them until something else is asked of it, or for the commit. A statement
        refuses by `runtime.refuse` and a word of `refusals`: that one is raised then.
        """
        waiting = self._unsent.take()
        self._unsent.refusals.update(refusals)
        sent = Exchange(self._connection)
        sent.more([*waiting, *statements])
        self._unsent.begun = sent

    def stream(self, sql: str, params: Params = (), *, size: int = 2000) -> Iterator[Row]:
        """This will give the rows one by one without holding them all, `size` a round trip."""
        self._streams += 1
        self._send()
        with self._connection.cursor(name=f"stream_{self._streams}") as cursor:
            cursor.itersize = size
            yield from cursor.execute(sql, params)

    def copy_in(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """This will load rows by `COPY ... FROM STDIN`."""
        self._send()
        with self._connection.cursor() as cursor, cursor.copy(sql) as copy:
            for row in rows:
                copy.write_row(row)

    def copy_text(self, sql: str, pieces: Iterable[str]) -> None:
        """This will load rows that are written out already, by `COPY ... FROM STDIN`.

        The server works on one piece while the next is made, so nothing else of this transaction
        may be asked of it meanwhile.
        """
        self._send()
        with self._connection.cursor() as cursor, cursor.copy(sql) as copy:
            for piece in pieces:
                copy.write(piece)

    def defer(self, job: str, /, **args: Any) -> int:
        """This will queue a job that exists only if this transaction commits."""
        assert self._jobs is not None, "this database was opened without jobs"
        self._send()
        return self._jobs.defer(self._connection, job, args)

    def _run(self, sql: str, params: Params) -> Told:
        return exchange(self._connection, [*self._unsent.take(), (sql, params)])[-1]

    def _send(self) -> None:
        waiting = self._unsent.take()
        if waiting:
            exchange(self._connection, waiting)


class Database:
    """A pool of connections of the application's role, and the transactions on them."""

    def __init__(
        self,
        conninfo: str,
        *,
        size: int = 8,
        rules: str = "0",
        time: RealTime = REAL_TIME,
        jobs: Deferrer | None = None,
    ) -> None:
        """Connect; `rules` names the rulebook version that decisions of this process use."""
        self.conninfo = session_conninfo(conninfo)
        self.rules = rules
        self.time = time
        self.clock = "real"
        self.committed = threading.Event()
        self._jobs = jobs
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            self.conninfo,
            connection_class=Connection,
            min_size=1,
            max_size=size,
            timeout=10,
            # What is prepared, and when a transaction begins and ends, is said by `exchange`.
            kwargs={"row_factory": dict_row, "autocommit": True, "prepare_threshold": None},
            check=_check_idle,
            open=False,
        )
        self._pool.open()

    def close(self) -> None:
        """This will give all connections back; open transactions are lost."""
        self._pool.close()

    def use_story_clock(self, *, story: bool) -> None:
        """This will take business time from the story clock in the database, or from real time."""
        self.clock = "story" if story else "real"

    @contextmanager
    def transaction(self, caller: Caller) -> Iterator[Tx]:
        """This will open a transaction that commits when the block ends without an exception."""
        with self._connected() as connection:
            unsent = _Unsent(_BEGIN)
            try:
                with unsent.ending(connection):
                    yield self._tx(connection, caller, unsent)
                    _commit(connection, unsent)
            except (psycopg.IntegrityError, psycopg.errors.RaiseException) as error:
                refusal = unsent.meaning(error)
                if refusal is None:
                    raise
                raise refusal from None
        self.committed.set()

    @contextmanager
    def reading(self, caller: Caller | None = None) -> Iterator[Tx]:
        """This will open a read-only transaction that sees one state throughout.

        But for what is asked after a `last` piece of it (`Tx.together`).
        """
        with self._connected() as connection:
            unsent = _Unsent(_READ_ONLY)
            with unsent.ending(connection):
                yield self._tx(connection, caller or _NOBODY, unsent)

    @contextmanager
    def auditing(self, caller: Caller) -> Iterator[Tx]:
        """This will open a transaction that sees one state and may make temporary tables.

        It has no statement timeout, and whatever it does is rolled back.
        """
        with self._connected() as connection, connection.transaction(force_rollback=True):
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SET LOCAL statement_timeout = 0")
            unsent = _Unsent()
            with unsent.ending(connection):
                yield self._tx(connection, caller, unsent)

    def run(self, caller: Caller, work: Callable[[Tx], T]) -> T:
        """This will do `work` in a transaction, again from its start after 40001 or 40P01."""
        for attempt in range(ATTEMPTS):
            try:
                with self.transaction(caller) as tx:
                    return work(tx)
            except _Retry:
                if attempt == ATTEMPTS - 1:
                    raise DatabaseBusy from None
        raise AssertionError("the loop returns or raises")

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """This will hold the advisory lock `name` on a connection of its own, if it is free.

        Gives False, holding nothing, where another process has it. The lock dies with the
        connection, so a holder whose work spans transactions takes it anew for each round.
        """
        with self._connected() as connection:
            row = connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS held", (name,)
            ).fetchone()
            held = bool(row and row["held"])
            try:
                yield held
            finally:
                if held and not connection.closed:
                    connection.execute("SELECT pg_advisory_unlock_all()")

    def locks(self) -> Locks:
        """This will make a holder of advisory locks for something this process keeps for long."""
        return Locks(self.conninfo)

    def listen(self, channel: str, *, timeout_s: float) -> Iterator[str]:
        """This will give the payloads notified on `channel` until none comes for `timeout_s`."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(f'LISTEN "{channel}"')
            for notice in connection.notifies(timeout=timeout_s):
                yield notice.payload

    def _tx(self, connection: Connection, caller: Caller, unsent: _Unsent) -> Tx:
        tx = Tx(
            connection,
            caller=caller,
            now=self.time.now(),
            rules=self.rules,
            clock=self.clock,
            jobs=self._jobs,
            unsent=unsent,
        )
        if self.clock == "story":
            tx.now = tx.one("SELECT moment FROM runtime.story_clock")["moment"]
        return tx

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except _AGAIN as error:
            raise _Retry from error
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
            raise DatabaseBusy from None
        except psycopg.errors.DiskFull:
            raise DatabaseFull from None
        except (PoolTimeout, PoolClosed, psycopg.OperationalError) as error:
            raise DatabaseUnavailable(detail=type(error).__name__) from error
        except psycopg.IntegrityError as error:
            raise DatabaseConflict(constraint=error.diag.constraint_name or "") from error
        except psycopg.DataError as error:
            raise BadData(detail=error.sqlstate or "text") from error


class Locks:
    """Advisory locks by name on a connection of their own, which is there while one is held.

    They end with the process, however it ends, so that others can see that it is gone.
    """

    def __init__(self, conninfo: str) -> None:
        """Hold nothing yet; only `Database` makes these."""
        self._conninfo = conninfo
        self._connection: psycopg.Connection[Any] | None = None
        self._names: set[str] = set()

    def hold(self, name: str) -> None:
        """This will hold a lock that nobody else wants. Raises DatabaseUnavailable.

        Where the connection was lost, what it held is held again.
        """
        self._names.add(name)
        try:
            wanted = [name]
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._conninfo, autocommit=True)
                wanted = sorted(self._names)
            for one in wanted:
                self._connection.execute(_HOLD, (one,))
        except psycopg.OperationalError as error:
            self.release(name)
            raise DatabaseUnavailable(detail=type(error).__name__) from error

    def release(self, name: str) -> None:
        """This will let a lock go, and with the last one the connection."""
        self._names.discard(name)
        if self._connection is None:
            return
        if not self._names or self._connection.broken:
            self._connection.close()
            self._connection = None
            return
        try:
            self._connection.execute(_RELEASE, (name,))
        except psycopg.OperationalError:
            self._connection.close()  # a lost connection holds nothing

    def release_all(self) -> None:
        """This will let every lock go."""
        for name in sorted(self._names):
            self.release(name)


_HOLD = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"
_RELEASE = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


_AGAIN = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.InvalidSqlStatementName,
)
"""What is not so when it is done again; the last, where somebody deallocated what was prepared."""
_BEGIN = "BEGIN"
"""psycopg would begin by itself, and wait for the answer before it sends anything else."""
_READ_ONLY = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_COMMIT = "COMMIT"


def _commit(connection: Connection, unsent: _Unsent) -> None:
    if unsent.begun is not None:
        unsent.end(unsent.begun, [*unsent.statements, (_COMMIT, ())])
        return
    waiting = unsent.take()
    if waiting == [(_BEGIN, ())]:
        return
    if not waiting:
        connection.commit()
        return
    exchange(connection, [*waiting, (_COMMIT, ())])


class Nobody(Id):
    """The id of the caller of a read that has no caller (health checks, public pages)."""

    prefix = "nobody"


_NOBODY = Caller(account=Nobody.make(unix_ms=0, entropy=bytes(10)), channel="platform")


class _Retry(DatabaseBusy):
    """PostgreSQL asks for the transaction to be done again."""

    code = "runtime.database.retry"


_IDLE_S = 0.5
"""A connection used within this time is taken to be alive; an older one is asked first."""
_used: weakref.WeakKeyDictionary[Connection, float] = weakref.WeakKeyDictionary()


def _check_idle(connection: Connection) -> None:
    now = time.monotonic()
    if now - _used.get(connection, 0.0) > _IDLE_S:
        ConnectionPool.check_connection(connection)
    _used[connection] = now


def session_conninfo(conninfo: str) -> str:
    """This will add our session settings to a connection string, keeping its own options."""
    given = pg_conninfo.conninfo_to_dict(conninfo)
    options = f"{_SESSION_OPTIONS} {given.get('options') or ''}".strip()
    return pg_conninfo.make_conninfo(conninfo, options=options, application_name="lingqu")
