# SPDX-License-Identifier: Apache-2.0
"""Which key two code books can safely be joined on.

Two books may share a code and mean different things by it; a join on that code is then silently
wrong. This lays both beside each other: which keys both have, which of these bear other names,
which of those names sit on another key of the same parent, and whether parent and normalised name
together tell every row apart. Everything is counted exactly; nothing is sampled.
"""

from __future__ import annotations

import enum
import unicodedata
from collections import Counter
from dataclasses import dataclass

from lingqu.supply.tables import DeliveredTable

SUFFIXES = (("街道办事处", "街道"),)
"""Endings that official books write in two ways, and the one form they are compared in."""


class SafeKey(enum.Enum):
    """Which key joins two books without joining different things."""

    KEY = "key"
    """The key itself: no shared key bears another name."""
    DERIVED = "derived"
    """The parent's key with the normalised name: it is unique in both books."""
    NONE = "none"
    """Neither: a person has to decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBook:
    """The columns of one table that are compared: its key, its name, and its parent's key."""

    table: DeliveredTable
    key: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A key that both books have under different names.

    `left_elsewhere` is the key on which the right book has the left name, below the same parent;
    None where it has it nowhere there. `right_elsewhere` is the reverse.
    """

    key: str
    left_name: str
    right_name: str
    left_elsewhere: str | None
    right_elsewhere: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """A row that the other book has not under the derived key."""

    key: str
    name: str
    parent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two books beside each other. Counts are rows unless the name says otherwise."""

    left: str
    right: str
    left_rows: int
    right_rows: int
    left_duplicate_keys: tuple[str, ...]
    right_duplicate_keys: tuple[str, ...]
    left_empty_keys: int
    right_empty_keys: int
    shared_keys: int
    conflicts: tuple[Conflict, ...]
    left_parents: int
    right_parents: int
    shared_parents: int
    left_derived_duplicates: int
    right_derived_duplicates: int
    derived_matches: int
    left_only: tuple[Unmatched, ...]
    right_only: tuple[Unmatched, ...]

    @property
    def swapped(self) -> int:
        """How many conflicts have their left name on another key of the same parent."""
        return sum(conflict.left_elsewhere is not None for conflict in self.conflicts)

    @property
    def safe_key(self) -> SafeKey:
        """Which key can be joined on; DERIVED only where it is unique in both and finds more."""
        duplicates = self.left_duplicate_keys or self.right_duplicate_keys
        if self.shared_keys and not self.conflicts and not duplicates:
            return SafeKey.KEY
        unique = not self.left_derived_duplicates and not self.right_derived_duplicates
        return SafeKey.DERIVED if unique and self.derived_matches else SafeKey.NONE


def normalized_name(name: str) -> str:
    """This will give the form in which names are compared: NFKC, without spaces, one ending."""
    plain = "".join(unicodedata.normalize("NFKC", name).split())
    for ending, form in SUFFIXES:
        if plain.endswith(ending):
            return plain[: -len(ending)] + form
    return plain


@dataclass(slots=True)
class _Read:
    rows: int
    empty: int
    duplicates: tuple[str, ...]
    by_key: dict[str, tuple[str, str, str]]
    """Name as written, normalised name, parent, by key; the first row of a duplicate counts."""
    derived: dict[tuple[str, str], str]
    derived_duplicates: int
    parents: set[str]


def compare_tables(left: KeyBook, right: KeyBook) -> Comparison:
    """This will compare two books on the columns they name. Raises UnknownColumn."""
    here, there = _read(left), _read(right)
    shared = [key for key in here.by_key if key in there.by_key]
    matches = here.derived.keys() & there.derived.keys()
    return Comparison(
        left=left.table.name,
        right=right.table.name,
        left_rows=here.rows,
        right_rows=there.rows,
        left_duplicate_keys=here.duplicates,
        right_duplicate_keys=there.duplicates,
        left_empty_keys=here.empty,
        right_empty_keys=there.empty,
        shared_keys=len(shared),
        conflicts=tuple(
            _conflict(key, here, there)
            for key in sorted(shared)
            if here.by_key[key][1] != there.by_key[key][1]
        ),
        left_parents=len(here.parents),
        right_parents=len(there.parents),
        shared_parents=len(here.parents & there.parents),
        left_derived_duplicates=here.derived_duplicates,
        right_derived_duplicates=there.derived_duplicates,
        derived_matches=len(matches),
        left_only=_only(here, there),
        right_only=_only(there, here),
    )


def _read(book: KeyBook) -> _Read:
    key, name, parent = (
        book.table.place_of(column) for column in (book.key, book.name, book.parent)
    )
    by_key: dict[str, tuple[str, str, str]] = {}
    derived: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], str] = {}
    keys: Counter[str] = Counter()
    parents: set[str] = set()
    empty = 0
    for row in book.table.rows:
        if not row[key]:
            empty += 1
            continue
        keys[row[key]] += 1
        plain = normalized_name(row[name])
        by_key.setdefault(row[key], (row[name], plain, row[parent]))
        parents.add(row[parent])
        if plain:
            derived[row[parent], plain] += 1
            first.setdefault((row[parent], plain), row[key])
    return _Read(
        rows=len(book.table.rows),
        empty=empty,
        duplicates=tuple(sorted(one for one, count in keys.items() if count > 1)),
        by_key=by_key,
        derived=first,
        derived_duplicates=sum(count > 1 for count in derived.values()),
        parents=parents,
    )


def _conflict(key: str, here: _Read, there: _Read) -> Conflict:
    left_name, left_plain, left_parent = here.by_key[key]
    right_name, right_plain, right_parent = there.by_key[key]
    return Conflict(
        key=key,
        left_name=left_name,
        right_name=right_name,
        left_elsewhere=there.derived.get((left_parent, left_plain)),
        right_elsewhere=here.derived.get((right_parent, right_plain)),
    )


def _only(here: _Read, there: _Read) -> tuple[Unmatched, ...]:
    found = [
        Unmatched(key=key, name=here.by_key[key][0], parent=parent)
        for (parent, plain), key in here.derived.items()
        if (parent, plain) not in there.derived
    ]
    return tuple(sorted(found, key=lambda one: one.key))
