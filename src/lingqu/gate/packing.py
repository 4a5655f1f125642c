# SPDX-License-Identifier: Apache-2.0
"""The packed file of a snapshot: a memory-mapped hash table of keyed hashes and small records.

A file is a header, slots of 24 bytes (16 bytes of a keyed hash, then 8 that say what is known)
filled by open addressing at most two thirds, and the records. Nothing in it names a subject, and no
fact stands in it: hashes are keyed by the product, and what is measured is kept as its rank among
the declared bounds. There are two formats; the first is only read, until it is published anew.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import mmap
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from lingqu.kernel import errors

FIRST, SECOND = b"LQSNAP1\n", b"LQSNAP2\n"
KEY_BYTES, VALUE_BYTES, PLACE_BYTES = 16, 8, 8
SLOT_BYTES = KEY_BYTES + PLACE_BYTES
VALUES_MOST = 255
YES, ONCE, RANKED = 1, 2, 4
"""It is so; it was so; the record has a rank."""
_HEAD = struct.Struct(">8sQQI")
_FIRST_RECORD = struct.Struct(">BBBI")
_RECORD = struct.Struct(">BBI")
_FIRST_HALF = struct.Struct(">Q8x")
_EMPTY = bytes(PLACE_BYTES)
_SALT_PERSON = b"lingqu.predicate"


class SnapshotUnreadable(errors.Unavailable):
    """The file of a snapshot is missing or is not what was published."""

    code = "gate.snapshot.unreadable"


class TooManyValues(errors.Rejected):
    """One subject carries more values than a snapshot holds."""

    code = "gate.snapshot.too_many_values"


@dataclass(slots=True)
class Entry:
    """What is known of one subject under one predicate while a snapshot is made.

    `values` are its facts by their keyed hashes, each with its flags; `rank` is that of what is
    measured.
    """

    flags: int = 0
    rank: int | None = None
    values: dict[bytes, int] = field(default_factory=dict)
    evidence: list[Mapping[str, str]] = field(default_factory=list)

    def add(self, flag: int, hashed: bytes) -> None:
        """This will note that the subject has or had a value."""
        self.values[hashed] = self.values.get(hashed, 0) | flag

    def pack(self) -> bytes:
        """This will give the record; raises TooManyValues."""
        if len(self.values) > VALUES_MOST:
            raise TooManyValues(most=VALUES_MOST)
        told = b""
        if self.evidence:
            told = json.dumps(self.evidence, ensure_ascii=False, separators=(",", ":")).encode()
        flags = self.flags | (0 if self.rank is None else RANKED)
        return _RECORD.pack(flags, self.rank or 0, len(told)) + told


@dataclass(frozen=True, slots=True)
class Record:
    """What a snapshot says of one subject; `yes` and `once` are the values of a first format."""

    flags: int
    rank: int
    evidence: bytes
    yes: bytes = b""
    once: bytes = b""


def salt_of(key: bytes, predicate: str) -> bytes:
    """This will give the key of one predicate's hashes, from the key of its product."""
    named = hashlib.sha256(predicate.encode()).digest()
    return hashlib.blake2b(named, key=key, digest_size=32, person=_SALT_PERSON).digest()


def keyed_hash(salt: bytes, told: str) -> bytes:
    """This will give the hash of a subject, or of a subject, a NUL, and one of its values."""
    return hashlib.blake2b(
        told.encode("utf-8", "surrogatepass"), key=salt, digest_size=KEY_BYTES
    ).digest()


def keyed_hashes(salt: bytes, told: Sequence[str]) -> list[bytes]:
    """This will give the hashes of many at once."""
    keyed = hashlib.blake2b(key=salt, digest_size=KEY_BYTES)
    made = [keyed.copy() for _ in told]
    for one, text in zip(made, told, strict=True):
        one.update(text.encode("utf-8", "surrogatepass"))
    return [one.digest() for one in made]


def first_subject_hash(key: bytes, predicate: str, subject: str) -> bytes:
    """This will give the hash a subject is looked up by in a file of the first format."""
    return hmac.digest(key, f"{predicate}\0{subject}".encode("utf-8", "surrogatepass"), "sha256")[
        :KEY_BYTES
    ]


def first_value_hash(key: bytes, subject: str, value: str) -> bytes:
    """This will give the hash of a value of one subject in a file of the first format."""
    return hmac.digest(key, f"\0{subject}\0{value}".encode("utf-8", "surrogatepass"), "sha256")[
        :VALUE_BYTES
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A written file: the digest that names it, and its sizes."""

    digest: str
    bytes: int
    records: int


def write_packed(folder: Path, entries: Mapping[bytes, Entry], about: Mapping[str, Any]) -> Packed:
    """This will write a snapshot's file, named by its digest, durable before it has its name.

    Raises TooManyValues.
    """
    slots = max(8, sum(1 + len(one.values) for one in entries.values()) * 3 // 2 + 1)
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
        _put(table, slots, name, place)
        for hashed, flags in sorted(entries[name].values.items()):
            _put(table, slots, hashed, flags)
    content = b"".join((
        _HEAD.pack(SECOND, slots, len(entries), len(told)), told, bytes(table), bytes(records),
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


def _put(table: bytearray, slots: int, name: bytes, told: int) -> None:
    slot = int.from_bytes(name[:8]) % slots
    while table[slot * SLOT_BYTES + KEY_BYTES : (slot + 1) * SLOT_BYTES] != _EMPTY:
        slot = (slot + 1) % slots
    table[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES] = name + told.to_bytes(PLACE_BYTES)


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
        magic, self._slots, self.records, told = _HEAD.unpack_from(self._map)
        if magic not in {FIRST, SECOND}:
            raise SnapshotUnreadable(digest=digest[:16])
        self.is_first = magic == FIRST
        """Whether it is of the first format."""
        self._start = _HEAD.size + told
        about: dict[str, Any] = json.loads(self._map[_HEAD.size : self._start])
        self.about: Mapping[str, Any] = MappingProxyType(about)

    @classmethod
    def open(cls, folder: Path, digest: str) -> Self:
        """This will open a published file by its digest. Raises SnapshotUnreadable."""
        return cls(folder / f"{digest}.lqs", digest)

    def look_up(self, name: bytes) -> int:
        """This will give what stands beside a keyed hash: the place of a record, or flags.

        It is 0 where the hash is not there.
        """
        data, slots = self._map, self._slots
        slot = int.from_bytes(name[:8]) % slots
        while True:
            at = self._start + slot * SLOT_BYTES
            found = data[at : at + SLOT_BYTES]
            if found[:KEY_BYTES] == name:
                return int.from_bytes(found[KEY_BYTES:])
            if found[KEY_BYTES:] == _EMPTY:
                return 0
            slot = (slot + 1) % slots

    def are_known(self, names: Sequence[bytes]) -> list[bool]:
        """This will say of many keyed hashes which are there: what `look_up` says of each."""
        data, slots, start = self._map, self._slots, self._start
        firsts = _FIRST_HALF.iter_unpack(b"".join(names))
        places = [start + half % slots * SLOT_BYTES for (half,) in firsts]
        # Most are at their first slot.
        found = [data[at : at + KEY_BYTES] == one for at, one in zip(places, names, strict=True)]
        for place, is_found in enumerate(found):
            if not is_found:
                name, at = names[place], places[place] + SLOT_BYTES
                found[place] = data[at : at + KEY_BYTES] == name or bool(self.look_up(name))
        return found

    def find(self, name: bytes) -> Record | None:
        """This will give the record of a subject, None where there is none."""
        place = self.look_up(name)
        if not place:
            return None
        if self.is_first:
            return self._read_first(place)
        flags, rank, told = _RECORD.unpack_from(self._map, place)
        at = place + _RECORD.size
        return Record(flags, rank, self._map[at : at + told])

    def _read_first(self, place: int) -> Record:
        flags, yes, once, told = _FIRST_RECORD.unpack_from(self._map, place)
        at = place + _FIRST_RECORD.size
        middle, end = at + yes * VALUE_BYTES, at + (yes + once) * VALUE_BYTES
        evidence = self._map[end : end + told]
        return Record(flags, 0, evidence, self._map[at:middle], self._map[middle:end])


def holds_value(values: bytes, wanted: bytes) -> bool:
    """This will say whether one of the packed values of a first format is the wanted one."""
    return any(values[at : at + VALUE_BYTES] == wanted for at in range(0, len(values), VALUE_BYTES))
