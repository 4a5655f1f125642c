# SPDX-License-Identifier: Apache-2.0
"""年度公共数据开放重点清单: what a territory will open in a year, on which grounds, and by when.

A line is proposed for a resource on one or more of the criteria of priority, confirmed by the
department that coordinates public data, and published with all others of its year as one list.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.supply.resources import (
    Access,
    Resource,
    ResourceId,
    ResourceWithdrawn,
    get_resource,
    lock_resource,
)
from lingqu.trust import rulebook

CRITERIA = "opening.priority_criteria"
TABLE_MAX = 1_000
YEARS = range(2000, 3000)
TERRITORY_DIGITS = (2, 4, 6, 9, 12)


class OpenEntryId(Id):
    """The id of one line of a yearly list."""

    prefix = "ope"


class EntryState(enum.Enum):
    """How far a line has come."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    PUBLISHED = "published"


class EntryNotFound(errors.NotFound):
    """There is no such line."""

    code = "supply.opening.not_found"


class EntryTaken(errors.Conflict):
    """The resource stands on this year's list of the territory already."""

    code = "supply.opening.taken"


class EntryStands(errors.Conflict):
    """The line is not where this can be done to it."""

    code = "supply.opening.state"


class BadEntry(errors.Rejected):
    """A year, territory, criterion or day is not usable."""

    code = "supply.opening.bad"
    article = "广西数据要素市场化发展管理暂行办法（桂政办发〔2023〕77号）第十条"


class NotOpen(errors.Conflict):
    """The resource is described as not opened, or only under conditions."""

    code = "supply.opening.not_open"


class TooManyEntries(errors.Rejected):
    """A table of lines has at least one row and at most a thousand."""

    code = "supply.opening.too_many"


class NothingToPublish(errors.Conflict):
    """No line of this year and territory is confirmed and not yet published."""

    code = "supply.opening.nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntry:
    """One line of a yearly list; `criteria` are codes of the rule `opening.priority_criteria`."""

    id: OpenEntryId
    year: int
    territory: str
    resource: ResourceId
    body: trust.PartyId
    title: str
    criteria: tuple[str, ...]
    due_on: date
    state: EntryState
    proposed_at: Instant
    confirmed_at: Instant | None = None
    published_at: Instant | None = None
    version: int = 1


ENTRIES = trust.Table("supply.open_entry", OpenEntry, not_found=EntryNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningProposed(trust.Fact):
    """A resource was proposed for a yearly list of key open data."""

    kind = "supply.opening.proposed"
    entry: OpenEntryId
    year: int
    territory: str
    resource: ResourceId
    criteria: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningConfirmed(trust.Fact):
    """A line of a yearly list was confirmed."""

    kind = "supply.opening.confirmed"
    entry: OpenEntryId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenListPublished(trust.Fact):
    """The list of key open data of a year was published, or added to."""

    kind = "supply.opening.published"
    year: int
    territory: str
    entries: tuple[OpenEntryId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """A line that is to be proposed, as one row of a table says it."""

    id: OpenEntryId
    year: int
    territory: str
    resource: ResourceId
    criteria: tuple[str, ...]
    due_on: date


@trust.command("supply.opening.propose")
def propose_entry(
    tx: Tx,
    *,
    entry: OpenEntryId,
    year: int,
    territory: str,
    resource: ResourceId,
    criteria: tuple[str, ...],
    due_on: date,
) -> OpenEntry:
    """This will propose a resource for the key open-data list of a year.

    Raises ResourceNotFound, ResourceWithdrawn, BadEntry, NotOpen, EntryTaken, IdTaken.
    """
    given = NewEntry(
        id=entry,
        year=year,
        territory=territory,
        resource=resource,
        criteria=criteria,
        due_on=due_on,
    )
    return _propose(tx, given)


@trust.command("supply.opening.propose_all")
def propose_entries(tx: Tx, *, entries: tuple[NewEntry, ...]) -> tuple[OpenEntry, ...]:
    """This will propose the lines of a whole table, all of them or none.

    Raises TooManyEntries and, for the first row that cannot be, what `propose_entry` raises.
    """
    if not 0 < len(entries) <= TABLE_MAX:
        raise TooManyEntries(given=len(entries), most=TABLE_MAX)
    # Two tables with the same resources wait for each other instead of meeting halfway.
    made = {one.id: _propose(tx, one) for one in sorted(entries, key=lambda one: one.resource)}
    return tuple(made[one.id] for one in entries)


def check_entries(
    tx: Tx, *, entries: tuple[NewEntry, ...]
) -> tuple[tuple[int, errors.LingquError], ...]:
    """This will say which rows of a table could not be proposed now, and why; nothing is done.

    Gives the place of the row, from 0, and the refusal.
    """
    found: list[tuple[int, errors.LingquError]] = []
    seen: set[tuple[int, str, ResourceId]] = set()
    for place, one in enumerate(entries):
        try:
            _check(tx, one, get_resource(tx, one.resource))
            line = (one.year, one.territory, one.resource)
            if line in seen or ENTRIES.find(tx, _SAME, line):
                raise EntryTaken(resource=one.resource, year=one.year)
            seen.add(line)
        except errors.LingquError as refusal:
            found.append((place, refusal))
    return tuple(found)


def _propose(tx: Tx, given: NewEntry) -> OpenEntry:
    made = _check(tx, given, lock_resource(tx, given.resource))
    taken = EntryTaken(resource=made.resource, year=made.year)
    tx.means("open_entry_once", f"{made.year}, {made.territory}, {made.resource}", taken)
    ENTRIES.insert(tx, made)
    trust.record(
        tx,
        OpeningProposed(
            entry=made.id,
            year=made.year,
            territory=made.territory,
            resource=made.resource,
            criteria=made.criteria,
        ),
    )
    return made


def _check(tx: Tx, given: NewEntry, held: Resource) -> OpenEntry:
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OPENING, owner=held.body)
    if held.withdrawn_at is not None:
        raise ResourceWithdrawn(resource=held.id)
    known = {item.code for item in rulebook.of(tx).rule(CRITERIA).items}
    chosen = set(given.criteria)
    if not chosen or not chosen <= known or len(chosen) != len(given.criteria):
        raise BadEntry(part="criteria")
    if given.year not in YEARS or given.due_on.year != given.year:
        raise BadEntry(part="year")
    territory = given.territory
    if not territory.isascii() or not territory.isdigit() or len(territory) not in TERRITORY_DIGITS:
        raise BadEntry(part="territory")
    if held.opening is not Access.UNCONDITIONAL:
        raise NotOpen(resource=given.resource)
    return OpenEntry(
        id=given.id,
        year=given.year,
        territory=territory,
        resource=given.resource,
        body=held.body,
        title=held.title,
        criteria=tuple(sorted(given.criteria)),
        due_on=given.due_on,
        state=EntryState.PROPOSED,
        proposed_at=tx.now,
    )


@trust.command("supply.opening.confirm")
def confirm_entry(tx: Tx, *, entry: OpenEntryId) -> OpenEntry:
    """This will confirm a proposed line. Raises EntryNotFound, EntryStands."""
    held = ENTRIES.lock(tx, entry)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPENING, owner=held.body)
    if held.state is not EntryState.PROPOSED:
        raise EntryStands(entry=entry, state=held.state.value)
    confirmed = ENTRIES.update(tx, held, state=EntryState.CONFIRMED, confirmed_at=tx.now)
    trust.record(tx, OpeningConfirmed(entry=entry))
    return confirmed


@trust.command("supply.opening.publish")
def publish_list(tx: Tx, *, year: int, territory: str) -> tuple[OpenEntry, ...]:
    """This will publish what is confirmed of a year as its list. Raises NothingToPublish."""
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPENING)
    held = ENTRIES.find(tx, _CONFIRMED, (year, territory))
    if not held:
        raise NothingToPublish(year=year, territory=territory[:12])
    done = tuple(
        ENTRIES.update(tx, one, state=EntryState.PUBLISHED, published_at=tx.now) for one in held
    )
    entries = tuple(one.id for one in done)
    trust.record(tx, OpenListPublished(year=year, territory=territory, entries=entries))
    return done


def get_entry(tx: Tx, entry: OpenEntryId) -> OpenEntry:
    """This will read one line; lists are public. Raises EntryNotFound."""
    return ENTRIES.get(tx, entry)


def find_entries(
    tx: Tx, *, page: PageRequest, year: int | None = None, territory: str | None = None
) -> Page[OpenEntry]:
    """This will list lines of yearly lists, newest first; lists are public."""
    found = ENTRIES.find(
        tx, _LISTED, (year, year, territory, territory, page.key, page.key, page.size + 1)
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


_SAME = "WHERE year = %s AND territory = %s AND resource = %s"
_CONFIRMED = """
    WHERE year = %s AND territory = %s AND state = 'confirmed' ORDER BY id FOR UPDATE
"""
_LISTED = """
    WHERE (%s::int IS NULL OR year = %s) AND (%s::text IS NULL OR territory = %s)
      AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s
"""
