# SPDX-License-Identifier: Apache-2.0
"""What `lingqu doctor` asks of a machine for PostgreSQL's sake; nothing is started or changed."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg

from lingqu.kernel.errors import LingquError
from lingqu.runtime.postgres import external, places
from lingqu.runtime.postgres.account import (
    NAME,
    account_of,
    can_make_account,
    new_account,
)
from lingqu.runtime.postgres.cluster import is_alive
from lingqu.runtime.postgres.programs import cached, find_wheel, is_whole
from lingqu.runtime.postgres.refusals import (
    NEEDED_MIB,
    ClusterCorrupt,
    DiskFull,
    ExtensionMissing,
    Finding,
    LocaleMissing,
    NotWritable,
    OtherMajorVersion,
    SharedMemory,
    storage_refusals,
)
from lingqu.runtime.postgres.server import EXTENSIONS

PYTHON = (3, 11)
"""The oldest Python that Lingqu runs on."""

_SHARED_MIB = 16
_ALL_CATEGORIES = 0x1FBF  # LC_ALL_MASK of the GNU C library
_Check = Callable[[], Finding]


def diagnose(
    *,
    data_dir: Path,
    url: str | None = None,
    owner_url: str | None = None,
    cache_dir: Path | None = None,
) -> tuple[Finding, ...]:
    """This will look at everything PostgreSQL needs here, or at the server behind `url`.

    A finding that is not ok has the code and the parameters of the refusal it would lead to.
    Never raises a refusal; starts, makes and changes nothing.
    """
    checks: list[_Check] = [_python]
    if url is None:
        checks += [
            partial(_programs, cache_dir),
            partial(_account, data_dir),
            partial(_writable, data_dir),
            partial(_disk, data_dir),
            partial(_socket, data_dir),
            _locale,
            _shared_memory,
            partial(_cluster, data_dir),
        ]
    else:
        checks.append(partial(_server, url))
        if owner_url is not None:
            checks.append(partial(_server, owner_url))
    return tuple(_found(check, data_dir) for check in checks)


def _found(check: _Check, data_dir: Path) -> Finding:
    try:
        with storage_refusals(data_dir):
            return check()
    except LingquError as error:
        return Finding(code=error.code, ok=False, parameters=error.parameters)


def _fine(topic: str, **parameters: str | int | None) -> Finding:
    return Finding(code=f"runtime.postgres.check.{topic}", ok=True, parameters=parameters)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    needed = ".".join(map(str, PYTHON))
    parameters = {"version": version, "needed": needed}
    if sys.version_info >= PYTHON:
        return _fine("python", **parameters)
    return Finding(code="runtime.postgres.python_too_old", ok=False, parameters=parameters)


def _programs(cache_dir: Path | None) -> Finding:
    wheel = find_wheel()
    folder = cached(wheel, cache_dir)
    if is_whole(wheel, folder):
        return _fine("programs", version=wheel.version, folder=str(folder))
    parent = _existing(folder)
    if not os.access(parent, os.W_OK | os.X_OK):
        raise NotWritable(folder=str(parent), detail="not writable")
    return _fine("programs_uncopied", version=wheel.version, folder=str(folder))


def _account(data_dir: Path) -> Finding:
    place = places.read_place(data_dir)
    if place is not None and Path(place.cluster).exists():
        return _fine("account", account=account_of(Path(place.cluster)).name)
    account = new_account(create=False)
    if account.switch and account.name != NAME and not can_make_account():
        parameters = {"account": account.name}
        return Finding(code="runtime.postgres.account_shared", ok=False, parameters=parameters)
    # As root the system account is made at the first start.
    return _fine("account", account=NAME if account.switch else account.name)


def _writable(data_dir: Path) -> Finding:
    parent = _existing(data_dir)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise NotWritable(folder=str(parent), detail="not writable")
    places.refuse_foreign(data_dir)
    return _fine("data_folder", folder=str(data_dir))


def _disk(data_dir: Path) -> Finding:
    place = places.read_place(data_dir)
    folder = _existing(Path(place.cluster) if place else data_dir)
    free = shutil.disk_usage(folder).free >> 20
    if free < NEEDED_MIB:
        raise DiskFull(folder=str(folder), free_mib=free, needed_mib=NEEDED_MIB)
    return _fine("disk", folder=str(folder), free_mib=free)


def _socket(data_dir: Path) -> Finding:
    account = new_account(create=False)
    place = places.read_place(data_dir) or places.new_place(data_dir, account)
    folder = places.socket_folder(place, account, make=False)
    return _fine("socket", folder=str(folder.parent))


def _locale() -> Finding:
    # setlocale would change the whole process; newlocale only looks and makes.
    system = ctypes.CDLL(None)
    system.newlocale.restype = ctypes.c_void_p
    system.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    made = system.newlocale(_ALL_CATEGORIES, b"C.UTF-8", None)
    if not made:
        raise LocaleMissing(locale="C.UTF-8")
    system.freelocale.argtypes = (ctypes.c_void_p,)
    system.freelocale(made)
    return _fine("locale", locale="C.UTF-8")


def _shared_memory() -> Finding:
    folder = Path("/dev/shm")  # noqa: S108 -- the kernel's own place for shared memory
    free = shutil.disk_usage(folder).free >> 20 if folder.is_dir() else 0
    if free < _SHARED_MIB:
        raise SharedMemory(detail=f"{folder}: {free} MiB")
    return _fine("shared_memory", free_mib=free)


def _cluster(data_dir: Path) -> Finding:
    place = places.read_place(data_dir)
    if place is None and not (data_dir / "postgres").exists():
        return _fine("cluster_absent", folder=str(data_dir))
    if place is not None:
        place, _ = places.settled(data_dir.resolve(), place)
    cluster = Path(place.cluster) if place else data_dir / "postgres"
    if not cluster.exists():
        return _fine("cluster_absent", folder=str(data_dir))
    account_of(cluster)
    expected = find_wheel().major
    try:
        found = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterCorrupt(folder=str(cluster), detail="PG_VERSION") from error
    if found != expected:
        raise OtherMajorVersion(folder=str(cluster), found=found, expected=expected)
    places.read_passwords(data_dir)
    running = (data_dir / places.LOCKS / "server").exists() and is_alive(data_dir)
    topic = "cluster_running" if running else "cluster"
    return _fine(topic, folder=str(cluster), version=found)


def _server(url: str) -> Finding:
    conninfo = external.parsed(url)
    with external.connect(conninfo) as session:
        version = external.check_server(session)
        query = "SELECT name FROM pg_available_extensions WHERE name = ANY(%s)"
        available = {row[0] for row in session.execute(query, (list(EXTENSIONS),))}
        for extension in EXTENSIONS:
            if extension not in available:
                detail = "not available on this server"
                raise ExtensionMissing(extension=extension, detail=detail)
        host = psycopg.conninfo.conninfo_to_dict(conninfo).get("host")
        return _fine("server", version=version, host=str(host), account=session.info.user)


def _existing(path: Path) -> Path:
    """The path itself or the nearest folder above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
