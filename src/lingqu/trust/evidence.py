# SPDX-License-Identifier: Apache-2.0
"""Reading facts: what happened, by whom, and where it stands in the log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingqu.kernel import errors
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Row, Tx
from lingqu.runtime.looking import Look, Looked, Shelf
from lingqu.trust.access import AccessDenied, Action, Kind, PartyId, holdings, is_allowed
from lingqu.trust.facts import FactId


class FactNotFound(errors.NotFound):
    """There is no such fact, or the caller may not know of it."""

    code = "trust.fact.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRecord:
    """A recorded fact as it stands in the log; `index` is None until it is sequenced.

    `body` is the canonical JSON that is (or will be) the log's leaf.
    """

    id: FactId
    kind: str
    at: Instant
    actor: str
    command: str
    command_name: str
    origin: str | None
    index: int | None
    body: str

    @property
    def entry(self) -> Mapping[str, Any]:
        """The body as data: `data` holds the fact's own fields, `rows` what it changed."""
        parsed: Mapping[str, Any] = json.loads(self.body)
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class FactCounts:
    """How many facts there are, and how many of them are refused attempts."""

    facts: int
    refused: int


_SELECT = """
    SELECT f.id, f.kind, f.at, c.actor, f.command, c.name AS command_name, l.origin, l.index, f.body
    FROM trust.fact f
    JOIN trust.command c ON c.id = f.command
    LEFT JOIN trust.log_leaf l ON l.fact = f.id
"""
_OF_PARTIES = """
    c.actor IN (SELECT id FROM trust.account WHERE party = ANY(%(parties)s))
    OR EXISTS (
        SELECT 1 FROM trust.row_version v WHERE v.fact = f.id AND (
            (v.table_name = 'trust.party' AND v.key = ANY(%(parties)s))
            OR (v.table_name = 'trust.account'
                AND v.key IN (SELECT id FROM trust.account WHERE party = ANY(%(parties)s)))
        )
    )
"""
_SHELF = Shelf(
    select=_SELECT.partition("SELECT")[2].partition("FROM")[0],
    source=f"""
        {_SELECT.partition("FROM")[2]}
        WHERE (%(subject)s::text IS NULL
               OR EXISTS (SELECT 1 FROM trust.row_version v
                          WHERE v.fact = f.id AND v.key = %(subject)s))
          AND (%(all)s OR {_OF_PARTIES})
    """,  # noqa: S608  # joined from constants
    columns={
        "what": "f.kind",
        "kind": "f.kind",
        "who": "c.actor",
        "when": "f.at",
        "place": "l.index",
    },
    newest=("f.id",),
)
_PAGE = f"""
    {_SELECT}
    WHERE (%(before)s::text IS NULL OR f.id < %(before)s)
      AND (%(kind)s::text IS NULL OR f.kind = %(kind)s)
      AND (%(subject)s::text IS NULL
           OR EXISTS (SELECT 1 FROM trust.row_version v
                      WHERE v.fact = f.id AND v.key = %(subject)s))
      AND (%(all)s OR {_OF_PARTIES})
    ORDER BY f.id DESC LIMIT %(limit)s
"""  # noqa: S608  # joined from constants


def find_facts(
    tx: Tx, *, page: PageRequest, kind: str | None = None, subject: str | None = None
) -> Page[FactRecord]:
    """This will list facts the caller may see, newest first; `subject` is the key of a row.

    Raises AccessDenied for a caller who may see none.
    """
    values = _reach(tx) | {
        "before": page.key,
        "kind": kind,
        "subject": subject,
        "limit": page.size + 1,
    }
    rows = tx.all(_PAGE, values)
    items = tuple(_record(row) for row in rows[: page.size])
    more = len(rows) > page.size
    return Page(items=items, next=cursor(items[-1].id) if more else None)


def look_through_facts(tx: Tx, *, look: Look, subject: str | None = None) -> Looked[FactRecord]:
    """This will look through the facts the caller may see; `subject` is the key of a row.

    Columns: what and kind (its kind), who (an account), when, place (in the log). Raises
    AccessDenied for a caller who may see none.
    """
    found = _SHELF.look(tx, look, subject=subject, **_reach(tx))
    return Looked(items=tuple(_record(row) for row in found.items), total=found.total)


def get_fact(tx: Tx, fact: FactId) -> FactRecord:
    """This will read one fact; raises FactNotFound also where the caller may not see it."""
    where = f"{_SELECT} WHERE f.id = %(fact)s AND (%(all)s OR {_OF_PARTIES})"  # constants
    row = tx.maybe(where, _reach(tx) | {"fact": fact})
    if row is None:
        raise FactNotFound(id=fact)
    return _record(row)


def count_facts(tx: Tx) -> FactCounts:
    """This will count all facts; figures for everyone, they tell of nobody."""
    row = tx.one(
        "SELECT count(*) AS facts,"
        " count(*) FILTER (WHERE kind = 'trust.command.refused') AS refused FROM trust.fact"
    )
    return FactCounts(facts=row["facts"], refused=row["refused"])


_LATEST = "SELECT max(at) AS latest FROM trust.command WHERE at < '9000-01-01'"


def latest_instant(tx: Tx) -> Instant | None:
    """This will give the latest business moment on record, or None before the first fact."""
    latest: Instant | None = tx.one(_LATEST)["latest"]
    return latest


def _reach(tx: Tx) -> dict[str, Any]:
    if is_allowed(tx, Action.READ, Kind.FACT):
        return {"all": True, "parties": []}
    own = [
        PartyId(holding.party)
        for holding in holdings(tx)
        if holding.party and is_allowed(tx, Action.READ, Kind.FACT, owner=PartyId(holding.party))
    ]
    if not own:
        raise AccessDenied(action=Action.READ.value, kind=Kind.FACT.value)
    return {"all": False, "parties": own}


def _record(row: Row) -> FactRecord:
    return FactRecord(
        id=FactId(row["id"]),
        kind=row["kind"],
        at=row["at"],
        actor=row["actor"],
        command=row["command"],
        command_name=row["command_name"],
        origin=row["origin"],
        index=row["index"],
        body=row["body"],
    )
