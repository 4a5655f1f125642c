# SPDX-License-Identifier: Apache-2.0
"""How an open file is made out of what is loaded: a whole table, or a crosswalk of two code books.

A crosswalk 对照表 says for every place which code each book gives it. Rows are joined by the
parent's code with the normalised name, because the codes themselves lie; a row that stands alone
says why. Content is CSV in UTF-8 with a byte order mark, sorted, so the same loads make the same
bytes.
"""

from __future__ import annotations

import csv
import enum
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lingqu.supply.collection import LoadedTable
from lingqu.supply.comparison import KeyBook, normalized_name
from lingqu.supply.resources import ResourceId
from lingqu.supply.tables import DeliveredTable

CROSSWALK_COLUMNS = ("parent", "name", "left_code", "right_code", "standing", "reason")


class Recipe(enum.Enum):
    """How an open file is made."""

    TABLE = "table"
    CROSSWALK = "crosswalk"


class Standing(enum.Enum):
    """How a place stands in two code books."""

    SAME = "same"
    """Both books give it the same code."""
    MOVED = "moved"
    """Both have it, under different codes."""
    LEFT_ONLY = "left_only"
    RIGHT_ONLY = "right_only"


class Reason(enum.Enum):
    """Why a place stands alone, as far as the books themselves can tell."""

    NONE = ""
    OTHER_NAME = "other_name"
    """The other book has its code under another name, which it has nowhere else."""
    PARENT_ABSENT = "parent_absent"
    """The other book does not have its parent at all."""
    NOT_LISTED = "not_listed"
    """The other book has neither the code nor the name below this parent."""
    NAME_REPEATED = "name_repeated"
    """The name stands several times below this parent, so that nothing can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestor:
    """One load an open file was made from: resource, edition, and the digests of its files."""

    resource: ResourceId
    edition: int
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An open file as it was made: its bytes, its rows, and what it was made from."""

    recipe: Recipe
    rows: int
    content: bytes = field(repr=False)
    lineage: tuple[Ancestor, ...]


def build_table(table: LoadedTable, content: DeliveredTable) -> Built:
    """This will make an open file of a whole loaded table."""
    rows = sorted(content.rows)
    return Built(
        recipe=Recipe.TABLE,
        rows=len(rows),
        content=_csv(content.columns, rows),
        lineage=(_ancestor(table),),
    )


def build_crosswalk(
    tables: tuple[LoadedTable, LoadedTable], books: tuple[KeyBook, KeyBook]
) -> Built:
    """This will make an open file that says which code each of two books gives a place.

    Raises UnknownColumn.
    """
    rows = crosswalk_rows(*books)
    return Built(
        recipe=Recipe.CROSSWALK,
        rows=len(rows),
        content=_csv(CROSSWALK_COLUMNS, rows),
        lineage=tuple(_ancestor(one) for one in tables),
    )


def crosswalk_rows(left: KeyBook, right: KeyBook) -> tuple[tuple[str, ...], ...]:
    """This will give the rows of a crosswalk, by parent and name. Raises UnknownColumn."""
    here, there = _Side(left), _Side(right)
    rows = []
    for place, entries in here.places.items():
        others = there.places.get(place, ())
        if len(entries) == len(others) == 1:
            (code, name), (other, _) = entries[0], others[0]
            standing = Standing.SAME if code == other else Standing.MOVED
            rows.append(_row(place, name, code, other, standing, Reason.NONE))
            continue
        for code, name in entries:
            reason = _reason(code, place, here, there)
            rows.append(_row(place, name, code, "", Standing.LEFT_ONLY, reason))
    for place, entries in there.places.items():
        if len(entries) == len(here.places.get(place, ())) == 1:
            continue
        for code, name in entries:
            reason = _reason(code, place, there, here)
            rows.append(_row(place, name, "", code, Standing.RIGHT_ONLY, reason))
    return tuple(sorted(rows))


class _Side:
    """One book: its places by parent and normalised name, its codes and its parents."""

    def __init__(self, book: KeyBook) -> None:
        key, name, parent = (
            book.table.place_of(column) for column in (book.key, book.name, book.parent)
        )
        self.places: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for row in book.table.rows:
            place = (row[parent], normalized_name(row[name]))
            self.places.setdefault(place, []).append((row[key], row[name]))
        self.codes = {row[key] for row in book.table.rows}
        self.parents = Counter(row[parent] for row in book.table.rows)


def _reason(code: str, place: tuple[str, str], own: _Side, other: _Side) -> Reason:
    if len(own.places[place]) > 1 or len(other.places.get(place, ())) > 1:
        return Reason.NAME_REPEATED
    if place[0] not in other.parents:
        return Reason.PARENT_ABSENT
    return Reason.OTHER_NAME if code in other.codes else Reason.NOT_LISTED


def _row(
    place: tuple[str, str], name: str, left: str, right: str, standing: Standing, reason: Reason
) -> tuple[str, ...]:
    return place[0], name, left, right, standing.value, reason.value


def _ancestor(table: LoadedTable) -> Ancestor:
    digests = tuple(file.digest for file in table.files)
    return Ancestor(resource=table.resource, edition=table.version, digests=digests)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")
