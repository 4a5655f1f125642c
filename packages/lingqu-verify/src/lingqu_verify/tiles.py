# SPDX-License-Identifier: Apache-2.0
"""Tiles (C2SP tlog-tiles): where a log's hashes and entries stand as static files.

A tile holds up to 256 hashes of one level in eight; an entry bundle holds the entries under a
tile of level 0. Tiles that are full never change.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

from lingqu_verify import merkle
from lingqu_verify.errors import Malformed, Refuted, Unreadable

WIDTH = 256
HEIGHT = 8  # 2**8 = 256 hashes
MAX_LEVEL = 63
MAX_ENTRY = 65_535
MAX_FILE = WIDTH * (MAX_ENTRY + 2)  # the largest entry bundle: no file of a log is larger

Read = Callable[[str], bytes]  # path -> content; raises FileNotFoundError where there is none


class BadTile(Malformed):
    """A tile or entry bundle does not have the length or the form it must have."""

    code = "verify.tile.malformed"


class TileMissing(Unreadable):
    """A file that the log's size requires is not there."""

    code = "verify.tile.missing"


class TileForged(Refuted):
    """The hashes in the tiles do not lead to the root that was signed."""

    code = "verify.tile.forged"


class EntryTooLarge(Malformed):
    """An entry is larger than 65,535 bytes."""

    code = "verify.entry.too_large"


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """This will name the file of a tile, such as `tile/0/x001/234.p/17` or `tile/1/000`.

    `level` counts tile levels (0 to 63), `width` is 1 to 256. Raises OutOfRange otherwise.
    """
    if not 0 <= level <= MAX_LEVEL:
        raise merkle.OutOfRange(position=level, size=MAX_LEVEL + 1)
    return f"tile/{level}/{_path(index, width)}"


def entries_path(index: int, width: int = WIDTH) -> str:
    """This will name the file of an entry bundle, such as `tile/entries/x001/234.p/17`."""
    return f"tile/entries/{_path(index, width)}"


def tile_width(level: int, index: int, size: int) -> int:
    """This will say how many hashes a tile has in a log of `size`: 0 (no such tile) to 256."""
    return max(0, min(WIDTH, (size >> HEIGHT * level) - index * WIDTH))


def new_tiles(old: int, new: int) -> Iterator[tuple[int, int, int]]:
    """This will list (level, index, width) of each tile to write as a log grows from old to new.

    From the lowest level up, from left to right; full tiles have width 256.
    """
    level = 0
    while new >> HEIGHT * level:
        before, after = old >> HEIGHT * level, new >> HEIGHT * level
        if after > before:
            for index in range(before // WIDTH, -(-after // WIDTH)):
                yield level, index, tile_width(level, index, new)
        level += 1


def tile_data(level: int, index: int, width: int, nodes: merkle.Nodes) -> bytes:
    """This will make the content of a tile from a source of perfect subtrees."""
    first = index * WIDTH
    return b"".join(nodes(HEIGHT * level, first + i) for i in range(width))


def parse_tile(data: bytes, width: int) -> tuple[bytes, ...]:
    """This will split a tile into its hashes. Raises BadTile unless there are exactly `width`."""
    if len(data) != width * merkle.HASH_SIZE:
        raise BadTile(expected=width * merkle.HASH_SIZE, length=len(data))
    return tuple(data[at : at + merkle.HASH_SIZE] for at in range(0, len(data), merkle.HASH_SIZE))


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """This will make an entry bundle: each entry behind its length as a big-endian uint16.

    At most 256 entries. Raises EntryTooLarge above 65,535 bytes.
    """
    if len(entries) > WIDTH:
        raise merkle.OutOfRange(position=len(entries), size=WIDTH)
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise EntryTooLarge(length=len(entry), limit=MAX_ENTRY)
        parts += (struct.pack(">H", len(entry)), entry)
    return b"".join(parts)


def parse_entries(data: bytes, width: int) -> tuple[bytes, ...]:
    """This will split an entry bundle. Raises BadTile unless it holds exactly `width` entries."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < width:
        if at + 2 > len(data):
            break
        end = at + 2 + int.from_bytes(data[at : at + 2])
        if end > len(data):
            break
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(entries) != width:
        raise BadTile(expected=width, length=len(entries))
    return tuple(entries)


def read_file(read: Read, path: str, path_full: str | None = None) -> tuple[bytes, bool]:
    """This will read a file of a log, or its full form where the partial one is gone.

    The second value says whether it was the full one. Raises TileMissing when there is neither.
    """
    try:
        return read(path), False
    except FileNotFoundError:
        if path_full is None:
            raise TileMissing(path=path) from None
    try:
        return read(path_full), True
    except FileNotFoundError:
        raise TileMissing(path=path) from None


class TileReader:
    """A source of perfect subtrees out of the tile files of a log of `size`.

    With a `root`, every tile is checked against it before one of its hashes is given: a full tile
    against its hash in the level above, the partial ones together at the beginning. Without one
    the hashes are as good as the files. Holds at most `capacity` full tiles in memory.
    """

    def __init__(
        self, read: Read, size: int, root: bytes | None = None, *, capacity: int = 64
    ) -> None:
        self.size = size
        self._read = read
        self._capacity = capacity
        self._full: OrderedDict[tuple[int, int], list[tuple[bytes, ...]]] = OrderedDict()
        self._partial: dict[tuple[int, int], list[tuple[bytes, ...]]] = {}
        self._checked = False
        if root is not None:
            if merkle.root(size, self.nodes) != root:
                raise TileForged(path="tile", size=size)
            self._checked = True

    def nodes(self, level: int, index: int) -> bytes:
        """This will give the root of a perfect subtree of the log.

        Raises OutOfRange where there is none, TileMissing, BadTile or TileForged by the files.
        """
        if level < 0 or not 0 <= index < self.size >> level:
            raise merkle.OutOfRange(position=index, size=self.size)
        tile_level, inside = divmod(level, HEIGHT)
        tile_index, offset = divmod(index, 1 << HEIGHT - inside)
        return self._tile(tile_level, tile_index)[inside][offset]

    def _tile(self, level: int, index: int) -> list[tuple[bytes, ...]]:
        key = level, index
        if key in self._partial:
            return self._partial[key]
        if key in self._full:
            self._full.move_to_end(key)
            return self._full[key]
        width = tile_width(level, index, self.size)
        levels = self._load(level, index, width)
        # Partial tiles are the right edge: at most one a level, checked once and kept.
        if width < WIDTH:
            self._partial[key] = levels
            return levels
        if self._checked and levels[HEIGHT][0] != self.nodes(HEIGHT * (level + 1), index):
            raise TileForged(path=tile_path(level, index), size=self.size)
        self._full[key] = levels
        while len(self._full) > self._capacity:
            self._full.popitem(last=False)
        return levels

    def _load(self, level: int, index: int, width: int) -> list[tuple[bytes, ...]]:
        path, path_full = tile_path(level, index, width), tile_path(level, index)
        data, full = read_file(self._read, path, path_full if width < WIDTH else None)
        hashes = parse_tile(data, WIDTH)[:width] if full else parse_tile(data, width)
        levels = [hashes]
        while len(levels) <= HEIGHT:
            row = levels[-1]
            pairs = zip(row[0::2], row[1::2], strict=False)
            levels.append(tuple(merkle.node_hash(left, right) for left, right in pairs))
        return levels


def _path(index: int, width: int) -> str:
    if index < 0 or not 1 <= width <= WIDTH:
        raise merkle.OutOfRange(position=index, size=width)
    parts = [f"{index % 1000:03}"]
    while index := index // 1000:
        parts.append(f"x{index % 1000:03}")
    path = "/".join(reversed(parts))
    return path if width == WIDTH else f"{path}.p/{width}"
