# SPDX-License-Identifier: Apache-2.0
"""The copies of table files that hold permitted columns only, kept for the next job that may.

A view is no wall: over a whole file a locked engine still reads a hidden column. So a job gets a
file in which the column is not there. Copies are named by what they hold, never change, and are
open to other accounts only through a descriptor, because their folder is ours alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import uuid
from pathlib import Path

from lingqu.runtime.engine.jobs import MIB, SourceFile
from lingqu.runtime.engine.libraries import duckdb
from lingqu.runtime.engine.refusals import BadDeclaration, EngineUnavailable, FileChanged
from lingqu.runtime.engine.types import Column, literal, quoted

_READ_ONLY = 0o444


class Projections:
    """A folder of projected copies, bounded in bytes; several processes may share it."""

    def __init__(self, folder: Path, *, bytes_most: int) -> None:
        """Make the folder, ours alone."""
        self.folder = folder
        self._bytes_most = bytes_most
        self._lock = threading.Lock()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise EngineUnavailable(detail=error.strerror or "") from error

    def open(self, file: SourceFile, columns: tuple[Column, ...]) -> int:
        """This will give an open descriptor of a copy with these columns only.

        Raises FileChanged when the file is not the one declared, BadDeclaration when it lacks a
        column.
        """
        place = self.folder / _name(file, columns)
        with contextlib.suppress(FileNotFoundError):
            return self._opened(place)
        with self._lock:
            # One copy at a time: the second of two who want the same finds it done.
            if not place.exists():
                self._copy(file, columns, place)
            descriptor = self._opened(place)
            self._trim()
            return descriptor

    def _opened(self, place: Path) -> int:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with contextlib.suppress(OSError):
            os.utime(descriptor)
        return descriptor

    def _copy(self, file: SourceFile, columns: tuple[Column, ...], place: Path) -> None:
        if digest_of(file.path) != file.digest:
            raise FileChanged(file=file.path.name)
        making = place.with_name(f".{uuid.uuid4().hex}")
        names = ", ".join(quoted(column.name) for column in columns)
        sql = (
            f"COPY (SELECT {names} FROM read_parquet({literal(str(file.path))})) "  # noqa: S608  # quoted names and our own paths
            f"TO {literal(str(making))} (FORMAT parquet, COMPRESSION lz4_raw)"
        )
        try:
            with duckdb.connect(":memory:") as engine:
                engine.execute("SET preserve_insertion_order=true")
                engine.execute("SET autoload_known_extensions=false")
                engine.execute(sql)
            making.chmod(_READ_ONLY)
            making.rename(place)
        except duckdb.BinderException as error:
            raise BadDeclaration(what="columns", given=str(len(columns))) from error
        except duckdb.IOException as error:
            raise EngineUnavailable(detail="projection") from error
        except duckdb.Error as error:
            raise FileChanged(file=file.path.name) from error
        finally:
            making.unlink(missing_ok=True)

    def _trim(self) -> None:
        """Remove what was used longest ago; who has it open keeps it."""
        found = []
        for entry in os.scandir(self.folder):
            with contextlib.suppress(FileNotFoundError):
                looked = entry.stat(follow_symlinks=False)
                found.append((looked.st_mtime_ns, looked.st_size, entry.path))
        kept = sum(size for _, size, _ in found)
        for _, size, path in sorted(found)[:-1]:
            if kept <= self._bytes_most:
                break
            Path(path).unlink(missing_ok=True)
            kept -= size


def _name(file: SourceFile, columns: tuple[Column, ...]) -> str:
    """What a copy holds, as its name: the source's bytes and the names of columns, in order."""
    content = "\0".join([file.digest, *(column.name for column in columns)])
    return hashlib.sha256(content.encode("utf-8")).hexdigest()


def digest_of(path: Path) -> str:
    """This will give the SHA-256 of a file. Raises FileChanged when it cannot be read."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(4 * MIB):
                found.update(block)
    except OSError as error:
        raise FileChanged(file=path.name) from error
    return found.hexdigest()
