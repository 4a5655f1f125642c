# SPDX-License-Identifier: Apache-2.0
"""One database folder and its server: made by initdb, started, watched and stopped.

Whether a server or any process of it is alive is told by a lock that the server inherits when it
starts, not by process numbers, which are reused and differ between containers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from lingqu.runtime.postgres.account import Account, environment, name_of
from lingqu.runtime.postgres.places import (
    ROLES,
    SOCKET,
    SUPERUSER,
    Place,
    lock_exclusively,
    make_cluster_folder,
    open_lock,
    socket_folder,
    try_lock,
)
from lingqu.runtime.postgres.refusals import (
    NEEDED_MIB,
    ClusterCorrupt,
    DiskFull,
    ForeignCluster,
    InitializationFailed,
    InUse,
    LocaleMissing,
    NotWritable,
    OtherMajorVersion,
    PasswordsMissing,
    SharedMemory,
    SocketInUse,
    StartFailed,
    StartTimedOut,
    Unreachable,
    storage_refusals,
)

START_SECONDS = 600
"""How long recovery after a crash may take before starting is given up."""

_STOP_SECONDS = 60
_ORPHAN_SECONDS = 5
_LOG_BYTES = 4 << 20
_LOG = "server.log"
_SETTINGS = """\
# Written by Lingqu at every start. Settings of your own: ALTER SYSTEM, which goes before.
max_connections = 60
superuser_reserved_connections = 3
shared_buffers = 128MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
random_page_cost = 1.1
jit = off
io_workers = 2
max_worker_processes = 4
max_parallel_workers = 2
max_parallel_workers_per_gather = 1
autovacuum_max_workers = 2
wal_level = replica
wal_buffers = 8MB
max_wal_senders = 3
max_wal_size = 1GB
min_wal_size = 80MB
checkpoint_timeout = 15min
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
# Failed statements hold people's data and belong in no log: only what concerns the server.
log_min_messages = log
log_min_error_statement = panic
log_checkpoints = off
log_line_prefix = '%m [%p] '
"""
# Given with the command, so that no file, damaged or edited, can open or weaken the server.
_HELD = (
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
)
_DAMAGE = (
    "incorrect checksum in control file",
    "checkpoint record",
    "database files are incompatible",
    "invalid data in file",
    "pg_control",
    "PANIC:",
    'could not open file "global/',
    'could not open file "pg_',
    'could not open directory "pg_',
    "is not a valid data directory",
)

_PASSING = ("starting up", "shutting down", "recovery", "not yet accepting", "not accepting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A database folder with all that is needed to run it."""

    data_dir: Path
    place: Place
    account: Account
    binaries: Path
    major: str
    sockets: Path
    passwords: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """PostgreSQL's own data directory."""
        return Path(self.place.cluster)

    @property
    def log(self) -> Path:
        """What the server says about itself; holds no statement and no data."""
        return self.folder / _LOG

    def conninfo(self, role: str, *, database: str = "lingqu") -> str:
        """The connection string of a role, with its password."""
        return make_conninfo(
            host=str(self.sockets),
            port=5432,
            dbname=database,
            user=role,
            password=self.passwords[role],
            connect_timeout=10,
        )


def initialize(cluster: Cluster) -> None:
    """This will make the database folder; whatever interrupts it leaves none.

    Raises DiskFull, LocaleMissing, NotWritable, SharedMemory, InitializationFailed.
    """
    making = cluster.folder.with_name("postgres.making")
    password_file = cluster.sockets / "password"
    # initdb inherits the lock, so one whose starter was killed is waited for.
    lock = open_lock(cluster.data_dir, "server")
    try:
        lock_exclusively(lock, cluster.data_dir)
        _make_room(cluster, making)
        with storage_refusals(password_file):
            password_file.unlink(missing_ok=True)
            password_file.touch(mode=0o600)
            password_file.write_text(cluster.passwords[SUPERUSER], encoding="ascii")
            cluster.account.own(password_file)
        _initdb(cluster, making, password_file, lock)
        with storage_refusals(making):
            with (making / "postgresql.conf").open("a", encoding="utf-8") as settings:
                settings.write("\ninclude = 'lingqu.conf'\n")
            making.rename(cluster.folder)
    finally:
        os.close(lock)
        password_file.unlink(missing_ok=True)
        shutil.rmtree(making, ignore_errors=True)


def _make_room(cluster: Cluster, making: Path) -> None:
    with storage_refusals(making.parent):
        shutil.rmtree(making, ignore_errors=True)
        make_cluster_folder(cluster.place, making, cluster.account)
        free = shutil.disk_usage(making).free >> 20
    if free < NEEDED_MIB:
        raise DiskFull(folder=str(making.parent), free_mib=free, needed_mib=NEEDED_MIB)


def _initdb(cluster: Cluster, folder: Path, password_file: Path, lock: int) -> None:
    answer = cluster.account.run(
        [
            str(cluster.binaries / "initdb"),
            f"--pgdata={folder}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth-local=scram-sha-256",
            "--auth-host=scram-sha-256",
            "--encoding=UTF8",
            # With plain C pg_trgm silently finds nothing in Chinese.
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C.UTF-8",
            "--data-checksums",
        ],
        inherited=(lock,),
    )
    if answer.returncode == 0:
        return
    lines = last_lines(f"{answer.stdout}\n{answer.stderr}")
    if "invalid locale" in lines:
        raise LocaleMissing(locale="C.UTF-8")
    _refuse_known(cluster, lines)
    raise InitializationFailed(folder=str(folder.parent), lines=lines)


def check_folder(cluster: Cluster) -> None:
    """This will look at an existing database folder before anything is started in it.

    Raises ClusterCorrupt, OtherMajorVersion, Unreachable, ForeignCluster.
    """
    folder = cluster.folder
    if not cluster.account.can_enter(folder):
        raise Unreachable(folder=str(folder), account=cluster.account.name)
    try:
        found = (folder / "PG_VERSION").read_text(encoding="ascii").strip()
        control = (folder / "global/pg_control").stat().st_size
    except PermissionError as error:
        raise ForeignCluster(folder=str(folder), owner=name_of(folder.stat().st_uid)) from error
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError) as error:
        missing = str(getattr(error, "filename", None) or "PG_VERSION")
        raise ClusterCorrupt(folder=str(folder), detail=Path(missing).name) from error
    if not found.isdigit() or control == 0:
        raise ClusterCorrupt(folder=str(folder), detail="PG_VERSION, global/pg_control")
    if found != cluster.major:
        raise OtherMajorVersion(folder=str(folder), found=found, expected=cluster.major)


def ensure_started(cluster: Cluster) -> None:
    """This will return with the server answering: found running, or started (again).

    The caller holds the lock for starting. Raises the refusals of this package.
    """
    deadline = time.monotonic() + START_SECONDS
    orphaned = stranger = time.monotonic() + _ORPHAN_SECONDS
    while not answers(cluster):
        if time.monotonic() > deadline:
            raise StartTimedOut(folder=str(cluster.folder), seconds=START_SECONDS)
        if postmaster(cluster.folder) is not None:
            orphaned = time.monotonic() + _ORPHAN_SECONDS
            if not is_alive(cluster.data_dir) and time.monotonic() > stranger:
                raise InUse(folder=str(cluster.folder))
        elif not is_alive(cluster.data_dir):
            check_folder(cluster)
            _start(cluster)
            deadline = time.monotonic() + START_SECONDS
            continue
        elif time.monotonic() > orphaned:
            _end_orphans(cluster.folder)
            orphaned = time.monotonic() + START_SECONDS
        time.sleep(0.01)


def answers(cluster: Cluster) -> bool:
    """Whether this very cluster's server lets us in. Raises SocketInUse, PasswordsMissing."""
    if not (cluster.sockets / SOCKET).exists():
        return False
    try:
        with psycopg.connect(
            cluster.conninfo(SUPERUSER, database="postgres"), autocommit=True
        ) as session:
            row = session.execute("SELECT current_setting('data_directory')").fetchone()
    except psycopg.OperationalError as error:
        return _understand(cluster, str(error))
    if row is None or Path(row[0]).resolve() != cluster.folder.resolve():
        raise SocketInUse(folder=str(cluster.sockets))
    return True


def _understand(cluster: Cluster, said: str) -> bool:
    """Whether a server that did not let us in is up all the same; False when it may yet be."""
    if "connection slots" in said or "too many clients" in said:
        return True
    if "FATAL:" not in said or any(mark in said for mark in _PASSING):
        return False
    if postmaster(cluster.folder) is None:
        raise SocketInUse(folder=str(cluster.sockets))
    if "authentication failed" in said:
        raise PasswordsMissing(file=str(cluster.data_dir / ROLES))
    raise StartFailed(folder=str(cluster.folder), lines=last_lines(said))


def is_alive(data_dir: Path) -> bool:
    """Whether any process of a server that we started is still there, orphans included."""
    lock = open_lock(data_dir, "server")
    try:
        return not try_lock(lock)
    finally:
        os.close(lock)


def postmaster(folder: Path) -> int | None:
    """The number of the process that serves this folder, if it lives; never another's."""
    try:
        number = int((folder / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    # A number that was reused belongs to a process that works elsewhere.
    return number if number in _processes_in(folder, (str(number),)) else None


def _processes_in(folder: Path, numbers: tuple[str, ...]) -> set[int]:
    found = set()
    for number in numbers:
        with suppress(OSError):
            if Path(f"/proc/{number}/cwd").readlink() == folder.resolve():
                found.add(int(number))
    return found


def _end_orphans(folder: Path) -> None:
    """End what a killed server left behind; a second server beside it would destroy data."""
    numbers = tuple(entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
    for number in _processes_in(folder, numbers):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _start(cluster: Cluster) -> None:
    lock = open_lock(cluster.data_dir, "server")
    try:
        if not try_lock(lock):
            return
        # It is removed at every stop, and the system clears such places now and then.
        socket_folder(cluster.place, cluster.account)
        with storage_refusals(cluster.folder):
            _clear_stale(cluster)
            _write_settings(cluster)
            before = _turn_log(cluster)
        _launch(cluster, lock)
    finally:
        os.close(lock)
    deadline = time.monotonic() + START_SECONDS
    while not answers(cluster):
        if not is_alive(cluster.data_dir):
            _explain_failed_start(cluster, before)
        if time.monotonic() > deadline:
            raise StartTimedOut(folder=str(cluster.folder), seconds=START_SECONDS)
        time.sleep(0.005)


def _clear_stale(cluster: Cluster) -> None:
    """Remove marks of a dead server. We hold its life's lock and no process serves the folder."""
    for name in (SOCKET, f"{SOCKET}.lock"):
        (cluster.sockets / name).unlink(missing_ok=True)
    (cluster.folder / "postmaster.pid").unlink(missing_ok=True)


def _write_settings(cluster: Cluster) -> None:
    # Not durable on purpose: it is written anew before every start.
    descriptor, name = tempfile.mkstemp(dir=cluster.folder, prefix=".lingqu")
    with os.fdopen(descriptor, "w", encoding="utf-8") as settings:
        settings.write(_SETTINGS)
    cluster.account.own(Path(name))
    Path(name).replace(cluster.folder / "lingqu.conf")


def _turn_log(cluster: Cluster) -> int:
    log = cluster.log
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_name(f"{_LOG}.1"))
    if not log.exists():
        log.touch(mode=0o600)
        cluster.account.own(log)
    return log.stat().st_size


def _launch(cluster: Cluster, lock: int) -> None:
    """Start the server as nobody's child, out of reach of a Ctrl-C meant for us."""
    script = 'log=$1; shift; "$0" "$@" </dev/null >>"$log" 2>&1 &'
    directory = str(cluster.sockets).replace('"', '""')
    command = ["/bin/sh", "-c", script, str(cluster.binaries / "postgres"), str(cluster.log)]
    command += ["-D", str(cluster.folder), "-k", f'"{directory}"']
    for setting in _HELD:
        command += ["-c", setting]
    with storage_refusals(Path("/bin/sh")):
        subprocess.run(
            command,
            check=False,
            cwd="/",
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            umask=0o077,
            pass_fds=(lock,),
            **cluster.account.identity(),
        )


def _explain_failed_start(cluster: Cluster, before: int) -> None:
    try:
        with cluster.log.open("rb") as log:
            log.seek(before)
            lines = last_lines(log.read().decode("utf-8", "replace"))
    except OSError:
        lines = ""
    if not lines and shutil.disk_usage(cluster.folder).free == 0:
        lines = "No space left on device"
    _refuse_known(cluster, lines)
    if any(mark in lines for mark in _DAMAGE):
        raise ClusterCorrupt(folder=str(cluster.folder), detail=lines)
    raise StartFailed(folder=str(cluster.folder), lines=lines)


def _refuse_known(cluster: Cluster, lines: str) -> None:
    folder = str(cluster.folder)
    if "No space left on device" in lines or "Disk quota exceeded" in lines:
        # Shared memory is a disk too, and a full one says the same words.
        if "shared memory" in lines:
            raise SharedMemory(detail=lines)
        free = shutil.disk_usage(cluster.folder.parent).free >> 20
        raise DiskFull(folder=folder, free_mib=free, needed_mib=NEEDED_MIB)
    if "shared memory segment" in lines or "map anonymous shared memory" in lines:
        raise SharedMemory(detail=lines)
    if "Is another postmaster" in lines:
        raise SocketInUse(folder=str(cluster.sockets))
    if "Permission denied" in lines or "Read-only file system" in lines:
        raise NotWritable(folder=folder, detail=lines)


def stop(data_dir: Path, folder: Path, *, patience_s: int = _STOP_SECONDS) -> None:
    """This will end the server that we started: open transactions are rolled back.

    One that does not end in order within `patience_s` is made to recover at its next start.
    Nothing happens when none runs. Raises StartTimedOut when it will not end.
    """
    for wanted, seconds in ((signal.SIGINT, patience_s), (signal.SIGQUIT, _ORPHAN_SECONDS)):
        deadline = time.monotonic() + seconds
        told = False
        while is_alive(data_dir):
            number = postmaster(folder)
            if number is not None and not told:
                with suppress(ProcessLookupError):
                    os.kill(number, wanted)
                told = True
            if time.monotonic() > deadline:
                break
            time.sleep(0.005)
        else:
            return
    raise StartTimedOut(folder=str(folder), seconds=patience_s + _ORPHAN_SECONDS)


def last_lines(text: str) -> str:
    """The end of a program's words, short enough for a message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-8:])[-1200:]
