# SPDX-License-Identifier: Apache-2.0
"""Finding resources in the catalog by words and by what they are, with the count of each choice.

A word is found where it stands, and a Chinese word of several characters also where each pair of
its characters stands: who asks for 行政区划代码 finds 行政区划与代码.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lingqu import trust
from lingqu.runtime import Tx
from lingqu.supply.resources import RESOURCES, Access, Frequency, Resource

HITS_MAX = 10_000
"""The most hits a search counts."""
_WORDS_MAX = 8
_PAIR = 2
_FIRST_IDEOGRAPH = "\u2e80"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; None does not narrow. `level` 0 means not graded."""

    words: str = ""
    body: trust.PartyId | None = None
    sharing: Access | None = None
    opening: Access | None = None
    frequency: Frequency | None = None
    level: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """A page of what was found, how much there is in all, and how much under each choice.

    `counts` is by the name of the choice, then by its value as text, the most frequent first.
    """

    items: tuple[Resource, ...]
    total: int
    counts: dict[str, tuple[tuple[str, int], ...]]


_PAGE = """
    WHERE withdrawn_at IS NULL
        AND (%(body)s::text IS NULL OR body = %(body)s)
        AND (%(sharing)s::text IS NULL OR sharing = %(sharing)s)
        AND (%(opening)s::text IS NULL OR opening = %(opening)s)
        AND (%(frequency)s::text IS NULL OR frequency = %(frequency)s)
        AND (%(level)s::int IS NULL OR coalesce(level, 0) = %(level)s)
        AND (cardinality(%(patterns)s::text[]) = 0 OR lower(title || ' ' || summary || ' ' || (
            SELECT string_agg((field->>'label') || ' ' || (field->>'name'), ' ')
            FROM jsonb_array_elements(fields::jsonb) AS field
        )) LIKE ALL (%(patterns)s::text[]))
    ORDER BY
        CASE WHEN %(whole)s <> '' AND lower(title) LIKE %(whole)s THEN 0 ELSE 1 END,
        CASE WHEN %(by_title)s THEN title END,
        id DESC
    LIMIT %(size)s OFFSET %(offset)s
"""
_COUNTS = """
    SELECT body, sharing, opening, frequency, coalesce(level, 0) AS level, count(*) AS count,
        GROUPING(body, sharing, opening, frequency, coalesce(level, 0)) AS grouped
    FROM supply.resource
    WHERE withdrawn_at IS NULL
        AND (%(body)s::text IS NULL OR body = %(body)s)
        AND (%(sharing)s::text IS NULL OR sharing = %(sharing)s)
        AND (%(opening)s::text IS NULL OR opening = %(opening)s)
        AND (%(frequency)s::text IS NULL OR frequency = %(frequency)s)
        AND (%(level)s::int IS NULL OR coalesce(level, 0) = %(level)s)
        AND (cardinality(%(patterns)s::text[]) = 0 OR lower(title || ' ' || summary || ' ' || (
            SELECT string_agg((field->>'label') || ' ' || (field->>'name'), ' ')
            FROM jsonb_array_elements(fields::jsonb) AS field
        )) LIKE ALL (%(patterns)s::text[]))
    GROUP BY GROUPING SETS (
        (body), (sharing), (opening), (frequency), (coalesce(level, 0)), ()
    )
    ORDER BY count(*) DESC, 1, 2, 3, 4, 5
"""
_GROUPED = {0b01111: "body", 0b10111: "sharing", 0b11011: "opening", 0b11101: "frequency"}
_BY_LEVEL, _ALL = 0b11110, 0b11111


def search_resources(
    tx: Tx, *, wanted: Wanted, by_title: bool = False, size: int = 25, offset: int = 0
) -> Hits:
    """This will find resources of the catalog, the best first, else newest or by title.

    The catalog is public. `size` is bounded by 10,000.
    """
    asked = _parameters(wanted) | {
        "by_title": by_title,
        "size": min(max(size, 0), HITS_MAX),
        "offset": max(offset, 0),
    }
    counts: dict[str, list[tuple[str, int]]] = {}
    total = 0
    for row in tx.all(_COUNTS, asked):
        if row["grouped"] == _ALL:
            total = row["count"]
            continue
        name = "level" if row["grouped"] == _BY_LEVEL else _GROUPED[row["grouped"]]
        counts.setdefault(name, []).append((str(row[name]), row["count"]))
    return Hits(
        items=RESOURCES.find(tx, _PAGE, asked),
        total=total,
        counts={name: tuple(found) for name, found in counts.items()},
    )


def _parameters(wanted: Wanted) -> dict[str, Any]:
    words = wanted.words.casefold().replace("\x00", "").split()[:_WORDS_MAX]
    return {
        "body": wanted.body,
        "sharing": None if wanted.sharing is None else wanted.sharing.value,
        "opening": None if wanted.opening is None else wanted.opening.value,
        "frequency": None if wanted.frequency is None else wanted.frequency.value,
        "level": wanted.level,
        "patterns": [_within(part) for word in words for part in _parts(word)],
        "whole": _within(" ".join(words)) if words else "",
    }


def _parts(word: str) -> list[str]:
    if len(word) > _PAIR and all(one >= _FIRST_IDEOGRAPH for one in word):
        return [word[at : at + _PAIR] for at in range(len(word) - 1)]
    return [word]


def _within(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{plain}%"
