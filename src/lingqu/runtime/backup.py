# SPDX-License-Identifier: Apache-2.0
"""The backup archive: one file that is whole or not there, and that proves itself when opened.

A gzipped tar. Its first member `header.json` says what it is; the last, `manifest.json`, names
every other member with its size and SHA-256, so that a cut or altered archive is refused. What the
members mean is the caller's business; here they are bytes under names. The database is dumped by
PostgreSQL's own program from one snapshot.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import psycopg
from psycopg import conninfo as pg_conninfo

from lingqu.kernel import errors
from lingqu.runtime.blobs import CHUNK_BYTES, StorageFull, storage_errors, sync_directory, write_all
from lingqu.runtime.db import Database, Tx
from lingqu.runtime.postgres import PostgresServer

T = TypeVar("T")
Progress = Callable[[int, int], None]

FORMAT = 1
HEADER, MANIFEST, DATABASE = "header.json", "manifest.json", "database.dump"
SPARE_BYTES = 64 << 20
"""Left free on the disk when a backup is made or brought back."""

_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")
_NAME_LONGEST = 300
_SMALL_BYTES = 256 << 20
_HEADER_BYTES = 1 << 20
_GZIP_LEVEL = 4
_OWN_SCHEMAS = """
    SELECT count(*) FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')
"""
_BROKEN = (tarfile.TarError, EOFError, zlib.error, OSError)
_TAIL = 400


class ArchiveExists(errors.Conflict):
    """A backup never overwrites a file."""

    code = "runtime.backup.exists"


class ArchiveUnreadable(errors.Rejected):
    """The file is not there, not readable or not one of our backups."""

    code = "runtime.backup.unreadable"


class ArchiveDamaged(errors.Rejected):
    """The archive was cut short or a member is not what its manifest says."""

    code = "runtime.backup.damaged"


class ArchiveNewer(errors.Rejected):
    """The archive was made in a format that this version does not know."""

    code = "runtime.backup.newer"


class NoRoom(errors.Unavailable):
    """The disk has less room than this needs; nothing was written."""

    code = "runtime.backup.no_room"


class ProgramMissing(errors.Unavailable):
    """The PostgreSQL program that dumps or loads a database is not on this machine."""

    code = "runtime.backup.program_missing"


class DumpFailed(errors.Unavailable):
    """PostgreSQL's program could not write out the database."""

    code = "runtime.backup.dump_failed"


class LoadFailed(errors.Unavailable):
    """PostgreSQL's program could not bring the database back; nothing of it was kept."""

    code = "runtime.backup.load_failed"


class DatabaseNotEmpty(errors.Conflict):
    """A backup is brought back into an empty database only."""

    code = "runtime.backup.database_not_empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an archive says of itself before anything else is read.

    `about` is the caller's own; `bytes` is about how much the members take when unpacked.
    """

    format: int
    version: str
    created_at: str
    bytes: int
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of an archive."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """An archive that was read to its end and found whole."""

    header: Header
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """The bytes of all members together."""
        return sum(member.size for member in self.members)


class ArchiveWriter:
    """Writes an archive beside its place; it appears there, synced, when `finish` has returned.

    Use it as a context manager: left in any other way it removes what it wrote. Raises
    ArchiveExists, NoRoom, StorageFull or StorageUnavailable.
    """

    def __init__(self, path: Path, header: Header) -> None:
        """Nothing is written before the block is entered."""
        self._path = path
        self._partial = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.part"
        self._header = header
        self._members: list[Member] = []
        self._names: set[str] = set()
        self._raw: BinaryIO | None = None
        self._tar: tarfile.TarFile | None = None

    def __enter__(self) -> Self:
        refuse_existing(self._path)
        need_room(self._path.parent, self._header.bytes)
        with storage_errors(self._path.parent):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._raw = os.fdopen(os.open(self._partial, flags, 0o600), "wb")
            self._tar = tarfile.open(
                fileobj=self._raw,
                mode="w:gz",
                format=tarfile.PAX_FORMAT,
                compresslevel=_GZIP_LEVEL,
            )
        self.add_bytes(HEADER, _encoded(_header_data(self._header)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What could not be written raises again on close; the reason is already on its way.
        with contextlib.suppress(OSError):
            if self._raw is not None:
                self._raw.close()
        self._partial.unlink(missing_ok=True)

    def add_bytes(self, name: str, data: bytes) -> None:
        """This will add a small member from memory."""
        self._add(name, len(data), io.BytesIO(data))

    def add_file(self, name: str, path: Path) -> None:
        """This will add a file as it is now. Raises StorageUnavailable where it cannot be read."""
        with storage_errors(path):
            stream = path.open("rb", buffering=0)
        with stream:
            self._add(name, os.fstat(stream.fileno()).st_size, stream)

    def finish(self) -> Contents:
        """This will write the manifest, make everything durable and put the archive in place."""
        assert self._tar is not None, "inside the block"
        assert self._raw is not None, "inside the block"
        members = tuple(self._members)
        listed = [{"name": m.name, "size": m.size, "sha256": m.sha256} for m in members]
        self.add_bytes(MANIFEST, _encoded({"format": FORMAT, "members": listed}))
        with storage_errors(self._path.parent):
            self._tar.close()
            self._raw.flush()
            os.fsync(self._raw.fileno())
            self._raw.close()
            refuse_existing(self._path)
            self._partial.rename(self._path)
            sync_directory(self._path.parent)
        return Contents(header=self._header, members=members)

    def _add(self, name: str, size: int, source: BinaryIO | io.BytesIO) -> None:
        assert _NAME.match(name), f"{name} can be a member"
        assert name not in self._names, f"{name} is a member already"
        assert self._tar is not None, "inside the block"
        self._names.add(name)
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        hashing = _Hashing(source)
        with storage_errors(self._path.parent):
            self._tar.addfile(info, hashing)
        if name != MANIFEST:
            self._members.append(Member(name=name, size=size, sha256=hashing.hexdigest))


class _Hashing:
    """A stream that hashes what is read from it."""

    def __init__(self, source: BinaryIO | io.BytesIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = bytearray()
        while size < 0 or len(data) < size:
            part = self._source.read(size - len(data) if size >= 0 else CHUNK_BYTES)
            if not part:
                break
            data += part
        self._digest.update(data)
        return bytes(data)

    @property
    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def read_header(path: Path) -> Header:
    """This will read what an archive says of itself, and nothing more.

    Raises ArchiveUnreadable or ArchiveNewer.
    """
    try:
        with tarfile.open(path, "r|gz") as tar:
            first = tar.next()
            if first is None or first.name != HEADER or not 0 < first.size <= _HEADER_BYTES:
                raise ArchiveUnreadable(file=str(path), detail=HEADER)
            stream = tar.extractfile(first)
            data = stream.read() if stream is not None else b""
    except OSError as error:
        raise ArchiveUnreadable(file=str(path), detail=error.strerror or "gzip") from None
    except _BROKEN:
        raise ArchiveUnreadable(file=str(path), detail="tar") from None
    return _header_of(path, data)


def unpack(path: Path, folder: Path, *, progress: Progress | None = None) -> Contents:
    """This will write every member below `folder`, which is empty, and check all of them.

    Raises ArchiveUnreadable, ArchiveNewer, ArchiveDamaged, NoRoom, StorageFull or
    StorageUnavailable; the folder may then hold a part.
    """
    header = read_header(path)
    need_room(folder, header.bytes)
    found: dict[str, Member] = {}
    manifest = b""
    whole = path.stat().st_size
    with path.open("rb") as raw:
        for info, stream in _members(path, raw):
            if manifest or info.name in found:
                raise ArchiveDamaged(file=str(path), member=info.name)
            if info.name == MANIFEST:
                manifest = _whole(path, info, stream)
                continue
            found[info.name] = _written(path, info, stream, folder)
            if progress is not None:
                progress(min(raw.tell(), whole), whole)
    if progress is not None:
        progress(whole, whole)
    members = _manifest_of(path, manifest)
    for member in members:
        if found.get(member.name) != member:
            raise ArchiveDamaged(file=str(path), member=member.name)
    if len(found) != len(members):
        extra = min(set(found) - {member.name for member in members})
        raise ArchiveDamaged(file=str(path), member=extra)
    return Contents(header=header, members=members)


def dump_database(
    server: PostgresServer, database: Database, target: Path, read: Callable[[Tx], T]
) -> T:
    """This will dump the database to a file from one snapshot, and give what `read` sees in it.

    Raises DumpFailed, ProgramMissing, StorageFull or a refusal of the database. Whoever copies
    files that the database refers to does it afterwards: then nothing that is referred to lacks.
    """
    with database.reading() as tx:
        # The snapshot lives as long as this transaction, and a dump may take long.
        tx.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        snapshot = tx.one("SELECT pg_export_snapshot() AS name")["name"]
        seen = read(tx)
        outcome = _run(
            server,
            "pg_dump",
            "--format=custom",
            "--compress=gzip:3",
            f"--snapshot={snapshot}",
            "--no-owner",
            "--exclude-schema=public",
            "--exclude-extension=*",
            "--lock-wait-timeout=60s",
            "--no-password",
            f"--file={target}",
        )
    if outcome is not None:
        if "No space left" in outcome:
            raise StorageFull(place=str(target.parent))
        raise DumpFailed(detail=outcome)
    return seen


def load_database(server: PostgresServer, dump: Path) -> None:
    """This will bring a dump back into an empty database, all of it or nothing.

    Raises DatabaseNotEmpty, LoadFailed or ProgramMissing.
    """
    if _schemas(server.owner_conninfo):
        raise DatabaseNotEmpty
    outcome = _run(
        server,
        "pg_restore",
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-password",
        f"--dbname={quiet_conninfo(server.owner_conninfo)[0]}",
        str(dump),
        connected=False,
    )
    if outcome is not None:
        raise LoadFailed(detail=outcome)


def database_bytes(database: Database) -> int:
    """This will say how large the database is on its disk."""
    with database.reading() as tx:
        return int(tx.one("SELECT pg_database_size(current_database()) AS size")["size"])


def quiet_conninfo(conninfo: str) -> tuple[str, dict[str, str]]:
    """This will split a connection string into one without password, and the environment with it.

    Other accounts of the machine can read the arguments of a program, but not its environment.
    """
    parts = pg_conninfo.conninfo_to_dict(conninfo)
    password = parts.pop("password", None)
    environment = {} if password is None else {"PGPASSWORD": str(password)}
    return pg_conninfo.make_conninfo("", **parts), environment


def need_room(folder: Path, needed: int) -> None:
    """This will refuse with NoRoom where a disk has less than `needed` bytes and some to spare."""
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), folder)
    with storage_errors(folder):
        free = shutil.disk_usage(there).free
    if free < needed + SPARE_BYTES:
        megabytes = (needed + SPARE_BYTES) >> 20
        raise NoRoom(place=str(folder), needed_mb=megabytes, free_mb=free >> 20)


def refuse_existing(path: Path) -> None:
    """This will refuse with ArchiveExists where something stands at the path."""
    with storage_errors(path.parent):
        there = path.exists() or path.is_symlink()
    if there:
        raise ArchiveExists(file=str(path))


def _members(path: Path, raw: BinaryIO) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
    """Every member in its order; what is not a plain file under a plain name is refused."""
    try:
        with tarfile.open(fileobj=raw, mode="r|gz") as tar:
            for info in tar:
                _refuse_odd(path, info)
                stream = tar.extractfile(info)
                assert stream is not None, "a plain file has content"
                yield info, stream  # type: ignore[misc]  # a readable stream of bytes
    except ArchiveDamaged:
        raise
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ArchiveDamaged(file=str(path), member="gzip") from None


def _refuse_odd(path: Path, info: tarfile.TarInfo) -> None:
    plain = info.isreg() and _NAME.match(info.name) and len(info.name) < _NAME_LONGEST
    if not plain or {".", ".."} & set(PurePosixPath(info.name).parts):
        raise ArchiveDamaged(file=str(path), member=info.name[:80])


def _written(path: Path, info: tarfile.TarInfo, stream: BinaryIO, folder: Path) -> Member:
    target = folder / info.name
    digest, size = hashlib.sha256(), 0
    with storage_errors(folder):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as out:
            while chunk := _read(path, info, stream):
                digest.update(chunk)
                size += len(chunk)
                write_all(out, chunk)
            os.fsync(out.fileno())
    return Member(name=info.name, size=size, sha256=digest.hexdigest())


def _whole(path: Path, info: tarfile.TarInfo, stream: BinaryIO) -> bytes:
    if info.size > _SMALL_BYTES:
        raise ArchiveDamaged(file=str(path), member=info.name)
    parts = []
    while chunk := _read(path, info, stream):
        parts.append(chunk)
    return b"".join(parts)


def _read(path: Path, info: tarfile.TarInfo, stream: BinaryIO) -> bytes:
    """A part of a member. Errors of the archive must not look like errors of the target's disk."""
    try:
        return stream.read(CHUNK_BYTES)
    except _BROKEN:
        raise ArchiveDamaged(file=str(path), member=info.name) from None


def _header_data(header: Header) -> dict[str, Any]:
    return {
        "format": header.format,
        "version": header.version,
        "created_at": header.created_at,
        "bytes": header.bytes,
        "about": dict(header.about),
    }


def _header_of(path: Path, data: bytes) -> Header:
    try:
        plain = json.loads(data)
        known = plain["format"]
        if isinstance(known, int) and known > FORMAT:
            raise ArchiveNewer(file=str(path), format=known, known=FORMAT)
        kinds = {"format": int, "version": str, "created_at": str, "bytes": int, "about": dict}
        if not all(isinstance(plain[name], kind) for name, kind in kinds.items()):
            raise ArchiveUnreadable(file=str(path), detail=HEADER)
        return Header(**plain)
    except (ValueError, TypeError, KeyError):
        raise ArchiveUnreadable(file=str(path), detail=HEADER) from None


def _manifest_of(path: Path, data: bytes) -> tuple[Member, ...]:
    try:
        return tuple(Member(**item) for item in json.loads(data)["members"])
    except (ValueError, TypeError, KeyError):
        raise ArchiveDamaged(file=str(path), member=MANIFEST) from None


def _encoded(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _schemas(conninfo: str) -> int:
    """How many schemas a database has beside its own."""
    try:
        with psycopg.connect(conninfo, connect_timeout=10) as connection:
            row = connection.execute(_OWN_SCHEMAS).fetchone()
    except psycopg.OperationalError as error:
        raise LoadFailed(detail=type(error).__name__) from None
    assert row is not None, "a count has a row"
    return int(row[0])


def _run(
    server: PostgresServer, program: str, *arguments: str, connected: bool = True
) -> str | None:
    """Run one of PostgreSQL's programs to its end; gives its last words where it failed."""
    dsn, secret = quiet_conninfo(server.owner_conninfo)
    if connected:
        arguments = (*arguments, f"--dbname={dsn}")
    environment = {**os.environ, **secret, "LC_ALL": "C"}
    try:
        # A group of its own: Ctrl-C reaches us alone, and we end it in order.
        process = subprocess.Popen(
            [server.program(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            process_group=0,
        )
    except FileNotFoundError:
        raise ProgramMissing(program=program) from None
    except OSError as error:
        raise ProgramMissing(program=f"{program}: {error.strerror}") from None
    with process:
        try:
            _, said = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            process.wait()
            raise
    if process.returncode == 0:
        return None
    return said.decode(errors="replace").strip()[-_TAIL:] or f"exit {process.returncode}"
