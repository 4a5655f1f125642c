# SPDX-License-Identifier: Apache-2.0
"""The whole log, verified by a stranger from its static files: every entry, every tile, the root.

The files stream through; memory does not grow with the log.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lingqu_verify import merkle, notes, tiles
from lingqu_verify.bundles import (
    STORY_CLOCK,
    Witnessed,
    judge_witnesses,
    outside_keys,
    own_checkpoint,
)
from lingqu_verify.entries import BadEntry, Entry
from lingqu_verify.errors import Malformed, Refuted, Unreadable
from lingqu_verify.notes import Note, VerifierKey

CHECKPOINT_PATH = "checkpoint"
TIMEOUT_S = 30
MAX_KINDS = 1000  # kinds counted one by one; what a log holds beyond them is counted together
OTHER_KINDS = "other"

Progress = Callable[[int, int], None]  # leaves verified, leaves in all


class SourceUnreadable(Unreadable):
    """A file of the log could not be read, for another reason than that it is not there."""

    code = "verify.source.unreadable"


class LogShrank(Refuted):
    """The log is smaller than a checkpoint that it signed before: something was taken away."""

    code = "verify.log.shrank"


class LogForked(Refuted):
    """An older checkpoint signed by the log is not a prefix of it: history was rewritten."""

    code = "verify.log.forked"


class RootDiffers(Refuted):
    """The entries do not add up to the root that was signed."""

    code = "verify.log.root_differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReport:
    """What was verified of a whole log; `kinds` counts its facts, `older` names sizes compared."""

    origin: str
    size: int
    root: bytes
    signed_by: tuple[VerifierKey, ...]
    witnessed_by: tuple[Witnessed, ...]
    older: tuple[int, ...]
    kinds: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]


def open_source(location: str) -> tiles.Read:
    """This will make a reader of a log's files out of a folder or an http(s) URL.

    The reader raises FileNotFoundError for a file that is not there, SourceUnreadable for every
    other trouble, and for a file larger than any that a log may have.
    """
    if location.startswith(("http://", "https://")):
        return _url_reader(location.rstrip("/"))
    return _folder_reader(Path(location))


def verify_log(
    read: tiles.Read,
    *,
    keys: Sequence[VerifierKey | str],
    older: Sequence[Note | str | bytes] = (),
    witnesses: Sequence[VerifierKey] = (),
    quorum: int = 0,
    now: int | None = None,
    progress: Progress | None = None,
) -> LogReport:
    """This will recompute a log from its entries up to its signed root.

    `keys` are vkeys from outside; `older` are checkpoints that the reader kept, each of which must
    be a prefix. Raises VerificationError at the first thing that does not hold.
    """
    note = Note.parse(tiles.read_file(read, CHECKPOINT_PATH)[0])
    origin = notes.Checkpoint.parse(note.text).origin
    trusted = outside_keys(origin, keys)
    signed = own_checkpoint(note, origin, trusted, witnesses)
    kept = [own_checkpoint(one, origin, trusted).checkpoint for one in older]
    walk = _Walk(read=read, size=signed.checkpoint.size, kept=kept)
    walk.run(progress)
    if walk.frontier.root() != signed.checkpoint.root:
        raise RootDiffers(size=signed.checkpoint.size)
    witnessed, warnings = judge_witnesses(signed, quorum=quorum, now=now)
    return LogReport(
        origin=origin,
        size=signed.checkpoint.size,
        root=signed.checkpoint.root,
        signed_by=signed.signed_by,
        witnessed_by=witnessed,
        older=tuple(one.size for one in kept),
        kinds=tuple(sorted(walk.kinds.items())),
        warnings=(*warnings, STORY_CLOCK) if walk.story else warnings,
    )


class _Walk:
    """One pass over the entries, which rebuilds and compares each tile as it becomes complete."""

    def __init__(self, *, read: tiles.Read, size: int, kept: Sequence[notes.Checkpoint]) -> None:
        self.frontier = merkle.Frontier()
        self.kinds: Counter[str] = Counter()
        self.story = False
        self._read = read
        self._size = size
        self._above: list[list[bytes]] = []  # for each level from 1: hashes of its open tile
        self._done: list[int] = []  # for each level from 1: full tiles so far
        self._kept: dict[int, set[bytes]] = {}
        for one in kept:
            if one.size > size:
                raise LogShrank(older=one.size, size=size)
            self._kept.setdefault(one.size, set()).add(one.root)

    def run(self, progress: Progress | None) -> None:
        self._compare_kept()
        for index in range(-(-self._size // tiles.WIDTH)):
            width = tiles.tile_width(0, index, self._size)
            hashes = []
            for entry in self._entries(index, width):
                self._look_at(entry)
                hashes.append(merkle.leaf_hash(entry))
                self.frontier.append(hashes[-1])
                self._compare_kept()
            self._compare_tile(0, index, hashes)
            if width == tiles.WIDTH:
                self._carry(1, merkle.root_of(hashes))
            if progress is not None:
                progress(self.frontier.size, self._size)
        for level, hashes in enumerate(self._above, start=1):
            if hashes:
                self._compare_tile(level, self._done[level - 1], hashes)

    def _entries(self, index: int, width: int) -> tuple[bytes, ...]:
        path, path_full = tiles.entries_path(index, width), tiles.entries_path(index)
        partial = width < tiles.WIDTH
        data, full = tiles.read_file(self._read, path, path_full if partial else None)
        return tiles.parse_entries(data, tiles.WIDTH if full else width)[:width]

    def _look_at(self, data: bytes) -> None:
        try:
            entry = Entry.parse(data)
        except Malformed as error:
            raise BadEntry(field=f"#{self.frontier.size}: {error}") from error
        kind = entry.kind
        if kind not in self.kinds and len(self.kinds) >= MAX_KINDS:
            kind = OTHER_KINDS
        self.kinds[kind] += 1
        self.story = self.story or entry.clock == "story"

    def _compare_kept(self) -> None:
        roots = self._kept.get(self.frontier.size)
        if roots and roots != {self.frontier.root()}:
            raise LogForked(older=self.frontier.size, size=self._size)

    def _compare_tile(self, level: int, index: int, hashes: Sequence[bytes]) -> None:
        width = len(hashes)
        path, path_full = tiles.tile_path(level, index, width), tiles.tile_path(level, index)
        partial = width < tiles.WIDTH
        data, full = tiles.read_file(self._read, path, path_full if partial else None)
        found = tiles.parse_tile(data, tiles.WIDTH if full else width)
        if found[:width] != tuple(hashes):
            raise tiles.TileForged(path=path, size=self._size)

    def _carry(self, level: int, computed: bytes) -> None:
        if len(self._above) < level:
            self._above.append([])
            self._done.append(0)
        hashes = self._above[level - 1]
        hashes.append(computed)
        if len(hashes) == tiles.WIDTH:
            self._compare_tile(level, self._done[level - 1], hashes)
            self._done[level - 1] += 1
            self._carry(level + 1, merkle.root_of(hashes))
            hashes.clear()


def _folder_reader(folder: Path) -> tiles.Read:
    def read(path: str) -> bytes:
        try:
            with (folder / path).open("rb") as file:
                # Only so much is set aside for a file as it is long, and never more than it may be.
                length = min(os.fstat(file.fileno()).st_size, tiles.MAX_FILE)
                data = file.read(length + 1)
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(path) from None
        except OSError as error:
            raise SourceUnreadable(path=path, reason=error.strerror) from error
        return _bounded(path, data)

    return read


def _url_reader(prefix: str) -> tiles.Read:
    def read(path: str) -> bytes:
        try:
            # The prefix begins with http:// or https://: the caller looked.
            with urllib.request.urlopen(f"{prefix}/{path}", timeout=TIMEOUT_S) as answer:  # noqa: S310  # the scheme was checked
                data: bytes = answer.read(tiles.MAX_FILE + 1)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in {404, 410}:
                raise FileNotFoundError(path) from None
            raise SourceUnreadable(path=path, reason=f"HTTP {error.code}") from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise SourceUnreadable(path=path, reason=str(error)) from error
        return _bounded(path, data)

    return read


def _bounded(path: str, data: bytes) -> bytes:
    if len(data) > tiles.MAX_FILE:
        raise SourceUnreadable(path=path, reason="size")
    return data
