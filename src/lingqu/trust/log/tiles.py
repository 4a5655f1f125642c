# SPDX-License-Identifier: Apache-2.0
"""The log as static files (C2SP tlog-tiles): how they get onto the disk and stay right.

A file is written beside its place, synced and renamed; folders are synced before anything that
depends on them is signed. Tiles never change once written: a file that is there with another
content is a refusal, not something to overwrite. After a crash the next growth from the same size
writes what is missing and finds the rest in place.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from lingqu.kernel import errors
from lingqu.runtime import Tx
from lingqu.runtime.blobs import storage_errors, sync_directory, write_all
from lingqu.trust.log.leaves import Leaf, read_leaves
from lingqu_verify import merkle, tiles
from lingqu_verify.errors import VerificationError
from lingqu_verify.history import CHECKPOINT_PATH

_FILE_MODE = 0o644  # the files are published
_FOLDER_MODE = 0o755
_TEMPORARY = ".new"
_CACHED_TILES = 256


class TilesDamaged(errors.Unavailable):
    """A file of the log is missing, or is not what the log's root demands."""

    code = "trust.log.tiles_damaged"


class LeafAltered(errors.Unavailable):
    """A fact or leaf in the database was changed or removed after it was sequenced."""

    code = "trust.log.leaf_altered"


class LogFolder:
    """The folder with the files of one log, as a web server may publish it."""

    def __init__(self, path: Path) -> None:
        """Nothing is touched before the first write."""
        self.path = path

    def read(self, name: str) -> bytes:
        """This will read a file; raises FileNotFoundError where there is none (a tiles.Read)."""
        try:
            with (self.path / name).open("rb") as file:
                return file.read(tiles.MAX_FILE + 1)
        except NotADirectoryError:
            raise FileNotFoundError(name) from None
        except IsADirectoryError:
            return b""

    def published(self) -> bytes | None:
        """This will read the published checkpoint file, or give None where there is none."""
        with storage_errors(self.path):
            try:
                return self.read(CHECKPOINT_PATH)
            except FileNotFoundError:
                return None

    def reader(self, size: int, root: bytes | None = None) -> tiles.TileReader:
        """This will give a source of subtree roots for a tree of `size`, checked against `root`.

        Raises TilesDamaged.
        """
        with damage_named():
            return tiles.TileReader(self.read, size, root, capacity=_CACHED_TILES)

    @contextlib.contextmanager
    def writing(self, *, replace: bool = False) -> Iterator[Writer]:
        """This will let one process write at a time; all is durable when the block has ended.

        With `replace`, files that differ are overwritten. Raises StorageFull or
        StorageUnavailable.
        """
        with storage_errors(self.path):
            self.path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
                shutil.rmtree(self.path / _TEMPORARY, ignore_errors=True)
                writer = Writer(self.path, replace=replace)
                yield writer
                writer.sync()
            finally:
                os.close(held)


class Writer:
    """Writes the files of a log while it holds the folder; made by `LogFolder.writing`."""

    def __init__(self, path: Path, *, replace: bool) -> None:
        self._path = path
        self._replace = replace
        self._unsynced: dict[Path, None] = {}
        self._temporary = path / _TEMPORARY
        self._folder(self._temporary)

    def put(self, name: str, data: bytes, *, mutable: bool = False) -> None:
        """This will write a file unless it is there already; raises TilesDamaged if it differs."""
        place = self._path / name
        self._folder(place.parent)
        self._unsynced[place.parent] = None
        try:
            found = place.read_bytes()
        except FileNotFoundError:
            found = None
        if found == data:
            return
        if found is not None and not (mutable or self._replace):
            raise TilesDamaged(path=name, reason="differs")
        fresh = self._temporary / uuid.uuid4().hex
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(fresh, flags, _FILE_MODE), "wb", buffering=0) as stream:
                os.fchmod(stream.fileno(), _FILE_MODE)
                write_all(stream, data)
                os.fsync(stream.fileno())
            fresh.replace(place)
        finally:
            fresh.unlink(missing_ok=True)

    def sync(self) -> None:
        """This will make everything put so far durable."""
        for folder in self._unsynced:
            sync_directory(folder)
        self._unsynced.clear()

    def drop_partials(self, name: str) -> None:
        """This will remove the partial tiles of a tile that is full and durable."""
        shutil.rmtree(self._path / f"{name}.p", ignore_errors=True)

    def _folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._folder(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=_FOLDER_MODE)
        folder.chmod(_FOLDER_MODE)
        self._unsynced[folder.parent] = None


@contextlib.contextmanager
def damage_named() -> Iterator[None]:
    """This will turn what is wrong with tile files into TilesDamaged."""
    try:
        yield
    except VerificationError as error:
        path = error.parameters.get("path")
        raise TilesDamaged(path=path or "tile", reason=error.code) from None


def grow(tx: Tx, folder: LogFolder, origin: str, *, old: int, new: int) -> bytes:
    """This will write all files that a log of `new` leaves has beyond one of `old`; gives its root.

    The files of `old` must be there. Raises TilesDamaged when they are not or when a file that is
    there differs, LeafAltered when a fact does not give the hash of its leaf.
    """
    with folder.writing() as writer, damage_named():
        _write_tiles(tx, folder, writer, origin, old, new)
        writer.sync()
        for level, index, width in tiles.new_tiles(old, new):
            if width == tiles.WIDTH:
                writer.drop_partials(tiles.tile_path(level, index))
                if level == 0:
                    writer.drop_partials(tiles.entries_path(index))
        return merkle.root(new, folder.reader(new).nodes)


def rewrite(tx: Tx, folder: LogFolder, origin: str, size: int, edges: dict[int, list[int]]) -> None:
    """This will write every file of a log of `size` anew from the database, whatever is there.

    `edges` gives for each level the widths of the right-most partial tile that older checkpoints
    need. The caller has made sure that the leaves lead to what was signed. Raises LeafAltered.
    """
    with folder.writing(replace=True) as writer, damage_named():
        _write_tiles(tx, folder, writer, origin, 0, size)
        for level, widths in edges.items():
            index = size >> tiles.HEIGHT * (level + 1)
            whole = tiles.tile_width(level, index, size)
            for width in widths:
                data = folder.read(tiles.tile_path(level, index, whole))
                writer.put(tiles.tile_path(level, index, width), data[: width * merkle.HASH_SIZE])
                if level == 0:
                    entries = tiles.parse_entries(
                        folder.read(tiles.entries_path(index, whole)), whole
                    )
                    encoded = tiles.encode_entries(entries[:width])
                    writer.put(tiles.entries_path(index, width), encoded)


def _write_tiles(
    tx: Tx, folder: LogFolder, writer: Writer, origin: str, old: int, new: int
) -> None:
    first = old // tiles.WIDTH * tiles.WIDTH
    leaves = read_leaves(tx, origin, first, new)
    before = folder.reader(old)
    fresh: dict[tuple[int, int], bytes] = {}
    for level, index, width in tiles.new_tiles(old, new):
        start = index * tiles.WIDTH
        if level == 0:
            taken = _take(leaves, start, width)
            hashes = [leaf.hash for leaf in taken]
            bodies = [leaf.body.encode() for leaf in taken]
            writer.put(tiles.entries_path(index, width), tiles.encode_entries(bodies))
        else:
            hashes = [
                fresh.get((level, at)) or before.nodes(tiles.HEIGHT * level, at)
                for at in range(start, start + width)
            ]
        writer.put(tiles.tile_path(level, index, width), b"".join(hashes))
        if width == tiles.WIDTH:
            fresh[level + 1, index] = merkle.root_of(hashes)


def _take(leaves: Iterator[Leaf], start: int, width: int) -> list[Leaf]:
    """The next leaves, each compared with its fact: what is signed is what was recorded."""
    taken = []
    for index in range(start, start + width):
        leaf = next(leaves, None)
        if leaf is None or leaf.index != index:
            raise LeafAltered(index=index, reason="missing")
        if merkle.leaf_hash(leaf.body.encode()) != leaf.hash:
            raise LeafAltered(index=index, reason="differs")
        taken.append(leaf)
    return taken
