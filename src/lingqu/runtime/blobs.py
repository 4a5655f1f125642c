# SPDX-License-Identifier: Apache-2.0
"""How files are kept: under the SHA-256 of their content, written whole or not at all.

A blob is written to a temporary file, synced, renamed to its name and its folder synced. Nothing
but 64 hexadecimal digits ever becomes part of a path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import re
import stat
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from lingqu.kernel import errors

CHUNK_BYTES = 1 << 20

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_SHARD = re.compile(r"[0-9a-f]{2}\Z")
_FULL = {errno.ENOSPC, errno.EDQUOT}


class BadBlobRef(errors.Rejected):
    """A blob is named by 64 lower-case hexadecimal digits and a size that is not negative."""

    code = "runtime.blobs.bad_ref"


class BlobTooLarge(errors.Rejected):
    """The content is longer than allowed here; nothing of it was kept."""

    code = "runtime.blobs.too_large"


class BlobMissing(errors.NotFound):
    """There is no blob of this name."""

    code = "runtime.blobs.missing"


class BlobAltered(errors.Unavailable):
    """The bytes on disk are not those that were put."""

    code = "runtime.blobs.altered"


class StorageFull(errors.Unavailable):
    """The disk or the quota has no room; nothing was kept."""

    code = "runtime.storage.full"


class StorageUnavailable(errors.Unavailable):
    """The folder cannot be read or written."""

    code = "runtime.storage.unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobRef:
    """The name of a blob: the SHA-256 of its bytes in hexadecimal, and how many they are."""

    sha256: str
    size: int

    def __post_init__(self) -> None:
        """Refuse anything that is not a digest. Raises BadBlobRef."""
        if not _DIGEST.match(self.sha256) or self.size < 0:
            raise BadBlobRef(sha256=self.sha256[:64])


class BlobStore:
    """A folder of blobs. Several processes may use the same one."""

    def __init__(self, directory: Path) -> None:
        """Make the folder if it is not there. Raises StorageFull or StorageUnavailable."""
        self._directory = directory
        self._temporary = directory / "tmp"
        with storage_errors(directory):
            self._temporary.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, content: BinaryIO | bytes, *, limit_bytes: int) -> BlobRef:
        """This will keep the content durably and give its name; known content is kept once.

        Raises BlobTooLarge beyond `limit_bytes`, StorageFull or StorageUnavailable, and then
        leaves nothing behind.
        """
        source = io.BytesIO(content) if isinstance(content, bytes) else content
        temporary = self._temporary / uuid.uuid4().hex
        try:
            with storage_errors(self._directory), _fresh(temporary) as target:
                ref = _copy(source, target, limit_bytes=limit_bytes)
                final = self._path(ref)
                if not final.parent.is_dir():
                    final.parent.mkdir(mode=0o700, exist_ok=True)
                    sync_directory(self._directory)
                # An existing blob is replaced by the same bytes, which mends a damaged one.
                temporary.replace(final)
                sync_directory(final.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return ref

    def open(self, ref: BlobRef) -> BinaryIO:
        """This will open a blob for reading. Raises BlobMissing; does not check the bytes."""
        with storage_errors(self._directory):
            try:
                descriptor = os.open(self._path(ref), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}:
                    raise BlobMissing(sha256=ref.sha256) from None
                raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise BlobMissing(sha256=ref.sha256)
        return os.fdopen(descriptor, "rb")

    def verify(self, ref: BlobRef) -> None:
        """This will read the whole blob; raises BlobAltered or BlobMissing if it is not intact."""
        with self.open(ref) as stream, storage_errors(self._directory):
            digest, size = hashlib.sha256(), 0
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
        if digest.hexdigest() != ref.sha256 or size != ref.size:
            raise BlobAltered(sha256=ref.sha256)

    def iterate(self) -> Iterator[BlobRef]:
        """This will name every blob in the folder, in order, with its size on disk."""
        for shard in sorted(self._directory.iterdir()):
            if not _SHARD.match(shard.name):
                continue
            for path in sorted(shard.iterdir()):
                name = shard.name + path.name
                if _DIGEST.match(name) and path.is_file() and not path.is_symlink():
                    yield BlobRef(sha256=name, size=path.stat().st_size)

    def sweep_temporary(self) -> int:
        """This will remove what killed writers left, and give the number of files removed.

        A living writer holds a lock on its temporary file, so it is never disturbed.
        """
        removed = 0
        for path in self._temporary.iterdir():
            with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
        return removed

    def _path(self, ref: BlobRef) -> Path:
        assert _DIGEST.match(ref.sha256), "checked when the reference was made"
        return self._directory / ref.sha256[:2] / ref.sha256[2:]


@contextlib.contextmanager
def _fresh(path: Path) -> Iterator[BinaryIO]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        # Unbuffered: a buffer that cannot be flushed to a full disk would raise again on close.
        with os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if os.fstat(stream.fileno()).st_nlink == 0:
                continue  # a sweep came between opening and locking
            yield stream
            return


def _copy(source: BinaryIO, target: BinaryIO, *, limit_bytes: int) -> BlobRef:
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK_BYTES):
        size += len(chunk)
        if size > limit_bytes:
            raise BlobTooLarge(limit_bytes=limit_bytes)
        digest.update(chunk)
        write_all(target, chunk)
    os.fsync(target.fileno())
    return BlobRef(sha256=digest.hexdigest(), size=size)


def write_all(target: BinaryIO, data: bytes) -> None:
    """This will write every byte to an unbuffered stream, whose `write` may take only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[target.write(rest) :]


def replace_file(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """This will put a small file in place durably: readers see the old content or the new.

    Raises StorageFull or StorageUnavailable, and then the old content stands.
    """
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        with storage_errors(path.parent):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, mode), "wb", buffering=0) as stream:
                write_all(stream, data)
                os.fsync(stream.fileno())
            temporary.replace(path)
            sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """This will make the names in a folder durable (fsync of the folder)."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """This will turn the system's errors on files into StorageFull or StorageUnavailable."""
    try:
        yield
    except OSError as error:
        _refuse(error, place)


def _refuse(error: OSError, place: Path) -> NoReturn:
    if error.errno in _FULL:
        raise StorageFull(place=str(place)) from None
    raise StorageUnavailable(place=str(place), detail=error.strerror or "") from None
