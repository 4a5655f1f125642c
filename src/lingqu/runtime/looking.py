# SPDX-License-Identifier: Apache-2.0
"""How a long list is looked through: words, order and any piece of it, decided by the database.

A package says once where its list comes from and what its columns are (`Shelf`); a page says what
somebody asks for (`Look`). Columns that people read by other words than are stored, such as states
and parties, are searched and ordered by these words. Nothing is fetched but the piece that is
shown, and how many rows there are in all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lingqu.runtime.db import Tx
from lingqu.runtime.exchange import Row

Item = TypeVar("Item")
Said = Mapping[str, str] | Callable[[Sequence[str]], Mapping[str, str]]
"""What the values of a column are called: known beforehand, or asked for with those there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is asked of a list: rows in which every word stands, of the `chosen` values by column.

    `order` is a column, or empty for the newest first; `said` is how columns read. Behind its end
    a list gives its last piece.
    """

    size: int
    offset: int = 0
    words: tuple[str, ...] = ()
    order: str = ""
    descending: bool = False
    chosen: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Said] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked(Generic[Item]):
    """A piece of a list, and how many items it has in all."""

    items: tuple[Item, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A list to look through; all of it is constant SQL with `%(name)s` for parameters.

    `source` is what stands after FROM, with a WHERE at its end; `columns` gives for each column of
    the page the expression it is searched, chosen and ordered by; `newest` are the expressions that
    order it where nothing is asked for, and decide between equals.
    """

    select: str
    source: str
    columns: Mapping[str, str]
    newest: tuple[str, ...]

    def look(self, tx: Tx, look: Look, **parameters: object) -> Looked[Row]:
        """This will find the piece that is asked for, and count."""
        said = {name: self._said(tx, look, name, parameters) for name in self._used(look)}
        values = dict(parameters)
        where = self._where(look, said, values)
        order = self._order(look, said, values)
        source = f"{self.source}{where}"
        counted = f"SELECT count(*) AS total FROM {source}"  # noqa: S608  # constants of a shelf
        pieced = (
            f"SELECT {self.select} FROM {source}"  # noqa: S608  # constants of a shelf
            f" ORDER BY {order} LIMIT %(look_size)s OFFSET %(look_offset)s"
        )
        total: int = tx.one(counted, values)["total"]
        last = max(0, total - 1) // look.size * look.size
        values |= {"look_size": look.size, "look_offset": min(look.offset, last)}
        rows = tx.all(pieced, values) if total else []
        return Looked(items=tuple(rows), total=total)

    def values(self, tx: Tx, column: str, **parameters: object) -> tuple[str, ...]:
        """This will list the values that a column has anywhere in the list."""
        expression = self.columns[column]
        rows = tx.all(
            f"SELECT DISTINCT {expression} AS value FROM {self.source}",  # noqa: S608  # constants of a shelf
            parameters,
        )
        return tuple(sorted(row["value"] for row in rows if row["value"] is not None))

    def _used(self, look: Look) -> tuple[str, ...]:
        """The columns whose words are needed: all to find words in, else the one to order by."""
        return tuple(name for name in look.said if look.words or name == look.order)

    def _said(
        self, tx: Tx, look: Look, name: str, parameters: Mapping[str, object]
    ) -> Mapping[str, str]:
        known = look.said[name]
        if not callable(known):
            return known
        return known(self.values(tx, name, **parameters))

    def _where(
        self, look: Look, said: Mapping[str, Mapping[str, str]], values: dict[str, object]
    ) -> str:
        parts = []
        for at, (name, value) in enumerate(sorted(look.chosen.items())):
            parts.append(f" AND {self.columns[name]} = %(look_chosen_{at})s")
            values[f"look_chosen_{at}"] = value
        plain = [one for name, one in self.columns.items() if name not in look.said]
        text = f"lower(concat_ws(' ', {', '.join(plain)}))" if plain else "''"
        for at, word in enumerate(look.words):
            folded = word.casefold()
            ways = [f"strpos({text}, %(look_word_{at})s) > 0"]
            values[f"look_word_{at}"] = folded
            for name, words in said.items():
                ways.append(f"{self.columns[name]} = ANY(%(look_{name}_{at})s)")
                values[f"look_{name}_{at}"] = [
                    code for code, one in words.items() if folded in one.casefold()
                ]
            parts.append(f" AND ({' OR '.join(ways)})")
        return "".join(parts)

    def _order(
        self, look: Look, said: Mapping[str, Mapping[str, str]], values: dict[str, object]
    ) -> str:
        way = "DESC" if look.descending or not look.order else "ASC"
        newest = ", ".join(f"{one} {way}" for one in self.newest)
        if not look.order:
            return newest
        column = self.columns[look.order]
        if look.order in said:
            words = said[look.order]
            ranked = sorted(words, key=lambda code: words[code])
            values["look_ranks"] = json.dumps({code: rank for rank, code in enumerate(ranked)})
            column = f"(%(look_ranks)s::jsonb -> ({column}))"
        return f"{column} {way}, {newest}"
