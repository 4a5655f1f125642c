# SPDX-License-Identifier: Apache-2.0
"""The packed file of a snapshot: a memory-mapped hash table of keyed hashes and small records.

A file is a header, slots of 24 bytes (the first 16 bytes of a keyed hash, the place of a record)
filled by open addressing at most two thirds, and the records. Nothing in it names a subject: keys
and values are HMACs under the key of the product, which is not in the file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import mmap
import os
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from lingqu.kernel import errors

MAGIC = b"LQSNAP1\n"
KEY_BYTES, VALUE_BYTES, PLACE_BYTES = 16, 8, 8
SLOT_BYTES = KEY_BYTES + PLACE_BYTES
VALUES_MOST = 255
YES, ONCE = 1, 2
"""Flags of a record: it is so without a value; it was so without a value."""
_HEAD = struct.Struct(">8sQQI")
_RECORD = struct.Struct(">BBBI")


class SnapshotUnreadable(errors.Unavailable):
    """The file of a snapshot is missing or is not what was published."""

    code = "gate.snapshot.unreadable"


class TooManyValues(errors.Rejected):
    """One subject carries more values than a snapshot holds."""

    code = "gate.snapshot.too_many_values"


@dataclass(slots=True)
class Entry:
    """What is known of one subject under one predicate while a snapshot is made."""

    flags: int = 0
    yes: set[bytes] = field(default_factory=set)
    once: set[bytes] = field(default_factory=set)
    evidence: list[Mapping[str, str]] = field(default_factory=list)

    def pack(self) -> bytes:
        """This will give the record; raises TooManyValues."""
        if max(len(self.yes), len(self.once)) > VALUES_MOST:
            raise TooManyValues(most=VALUES_MOST)
        told = b""
        if self.evidence:
            told = json.dumps(self.evidence, ensure_ascii=False, separators=(",", ":")).encode()
        head = _RECORD.pack(self.flags, len(self.yes), len(self.once), len(told))
        return b"".join((head, *sorted(self.yes), *sorted(self.once), told))


@dataclass(frozen=True, slots=True)
class Record:
    """What a snapshot says of one subject."""

    flags: int
    yes: bytes
    once: bytes
    evidence: bytes


def subject_hash(key: bytes, predicate: str, subject: str) -> bytes:
    """This will give the keyed hash a subject is looked up by."""
    return hmac.digest(key, f"{predicate}\0{subject}".encode(), "sha256")[:KEY_BYTES]


def value_hash(key: bytes, subject: str, value: str) -> bytes:
    """This will give the keyed hash of a value of one subject."""
    return hmac.digest(key, f"\0{subject}\0{value}".encode(), "sha256")[:VALUE_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A written file: the digest that names it, and its sizes."""

    digest: str
    bytes: int
    records: int


def write_packed(folder: Path, entries: Mapping[bytes, Entry], about: Mapping[str, Any]) -> Packed:
    """This will write a snapshot's file, named by its digest, durable before it has its name."""
    slots = max(8, len(entries) * 3 // 2 + 1)
    table = bytearray(slots * SLOT_BYTES)
    told = json.dumps(about, ensure_ascii=False, sort_keys=True).encode()
    start = _HEAD.size + len(told) + len(table)
    records, places = bytearray(), dict[bytes, int]()
    for name in sorted(entries):
        record = entries[name].pack()
        place = places.get(record)
        if place is None:
            place = places[record] = start + len(records)
            records += record
        slot = int.from_bytes(name[:8]) % slots
        while table[slot * SLOT_BYTES + KEY_BYTES : (slot + 1) * SLOT_BYTES] != bytes(PLACE_BYTES):
            slot = (slot + 1) % slots
        table[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES] = name + place.to_bytes(PLACE_BYTES)
    content = b"".join((
        _HEAD.pack(MAGIC, slots, len(entries), len(told)), told, bytes(table), bytes(records),
    ))  # fmt: skip
    digest = hashlib.sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=folder, prefix=".making-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(folder / f"{digest}.lqs")
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return Packed(digest=digest, bytes=len(content), records=len(entries))


class PackedFile:
    """An open snapshot. Lookups read the map and nothing else; threads may share it."""

    def __init__(self, path: Path, digest: str) -> None:
        """Map the file and check that it is the one that was published.

        Raises SnapshotUnreadable.
        """
        try:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    raise SnapshotUnreadable(digest=digest[:16])
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            raise SnapshotUnreadable(digest=digest[:16]) from None
        _, self._slots, self.records, told = _HEAD.unpack_from(self._map)
        self._start = _HEAD.size + told
        about: dict[str, Any] = json.loads(self._map[_HEAD.size : self._start])
        self.about: Mapping[str, Any] = MappingProxyType(about)

    @classmethod
    def open(cls, folder: Path, digest: str) -> Self:
        """This will open a published file by its digest. Raises SnapshotUnreadable."""
        return cls(folder / f"{digest}.lqs", digest)

    def find(self, name: bytes) -> Record | None:
        """This will give the record under a keyed hash, None where there is none."""
        data, slots = self._map, self._slots
        slot = int.from_bytes(name[:8]) % slots
        while True:
            at = self._start + slot * SLOT_BYTES
            found = data[at : at + SLOT_BYTES]
            place = int.from_bytes(found[KEY_BYTES:])
            if not place:
                return None
            if found[:KEY_BYTES] == name:
                return self._read(place)
            slot = (slot + 1) % slots

    def _read(self, place: int) -> Record:
        flags, yes, once, told = _RECORD.unpack_from(self._map, place)
        at = place + _RECORD.size
        middle, end = at + yes * VALUE_BYTES, at + (yes + once) * VALUE_BYTES
        return Record(
            flags, self._map[at:middle], self._map[middle:end], self._map[end : end + told]
        )


def holds_value(values: bytes, wanted: bytes) -> bool:
    """This will say whether one of the packed values is the wanted one."""
    return any(values[at : at + VALUE_BYTES] == wanted for at in range(0, len(values), VALUE_BYTES))
