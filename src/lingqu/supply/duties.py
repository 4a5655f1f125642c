# SPDX-License-Identifier: Apache-2.0
"""职能数据清单: which body answers for which data, so that nobody is asked for it twice.

A duty names one item of data that a body's functions bring forth, for one territory. An item has
exactly one open duty there (一数一源): a second claim is refused and names the first. What was
delivered under a duty stays when the duty ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx

TABLE_MAX = 1_000
ITEM_MAX = 100
BASIS_MAX = 500
TERRITORY_DIGITS = (2, 4, 6, 9, 12)


class DutyId(Id):
    """The id of one duty."""

    prefix = "dty"


class DutyNotFound(errors.NotFound):
    """There is no such duty."""

    code = "supply.duty.not_found"


class DutyEnded(errors.Conflict):
    """The duty has ended; nothing more is described or delivered under it."""

    code = "supply.duty.ended"


class DutyTaken(errors.Conflict):
    """Another duty already answers for this item in this territory: one item, one source."""

    code = "supply.duty.taken"
    article = "广西数据要素市场化发展管理暂行办法（桂政办发〔2023〕77号）第六条"


class TooManyDuties(errors.Rejected):
    """A table of duties has at least one row and at most a thousand."""

    code = "supply.duty.too_many"


class BadDuty(errors.Rejected):
    """An item, basis or territory is empty, too long, or not printable."""

    code = "supply.duty.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One item of data a body answers for. `territory` is a division code of 2 to 12 digits."""

    id: DutyId
    body: trust.PartyId
    item: str
    basis: str
    territory: str
    registered_at: Instant
    ended_at: Instant | None = None
    version: int = 1


DUTIES = trust.Table("supply.duty", Duty, not_found=DutyNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRegistered(trust.Fact):
    """A body answers for an item of data from now on."""

    kind = "supply.duty.registered"
    duty: DutyId
    body: trust.PartyId
    territory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyWasEnded(trust.Fact):
    """A duty ended; what was delivered under it stays."""

    kind = "supply.duty.ended"
    duty: DutyId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDuty:
    """An item of data that is to be put on a body's list, as one row of a table says it."""

    id: DutyId
    body: trust.PartyId
    item: str
    basis: str
    territory: str


@trust.command("supply.duty.register_all")
def register_duties(tx: Tx, *, duties: tuple[NewDuty, ...]) -> tuple[Duty, ...]:
    """This will put the items of a whole table on bodies' lists, all of them or none.

    Raises TooManyDuties and, for the first row that cannot be, what `register_duty` raises.
    """
    if not 0 < len(duties) <= TABLE_MAX:
        raise TooManyDuties(given=len(duties), most=TABLE_MAX)
    # Two tables with the same items wait for each other instead of meeting halfway.
    ordered = sorted(duties, key=lambda one: (one.territory, one.item))
    made = {one.id: _register(tx, one) for one in ordered}
    return tuple(made[one.id] for one in duties)


def check_duties(
    tx: Tx, *, duties: tuple[NewDuty, ...]
) -> tuple[tuple[int, errors.LingquError], ...]:
    """This will say which rows of a table could not be registered now, and why; nothing is done.

    Gives the place of the row, from 0, and the refusal.
    """
    found: list[tuple[int, errors.LingquError]] = []
    seen: dict[tuple[str, str], DutyId] = {}
    for place, one in enumerate(duties):
        try:
            made = _check(tx, one)
            first = seen.setdefault((made.item, made.territory), one.id)
            if first != one.id:
                raise DutyTaken(item=made.item, territory=made.territory, duty=first)
        except errors.LingquError as refusal:
            found.append((place, refusal))
    return tuple(found)


@trust.command("supply.duty.register")
def register_duty(
    tx: Tx, *, duty: DutyId, body: trust.PartyId, item: str, basis: str, territory: str
) -> Duty:
    """This will put an item of data on a body's list. Raises BadDuty, DutyTaken, IdTaken.

    `basis` names the law or the plan of functions the duty follows from.
    """
    given = NewDuty(id=duty, body=body, item=item, basis=basis, territory=territory)
    return _register(tx, given)


def _register(tx: Tx, given: NewDuty) -> Duty:
    made = _check(tx, given)
    # Two claims at the same moment meet at the index; the second learns which item it was.
    taken = DutyTaken(item=made.item, territory=made.territory, duty="")
    tx.means("duty_one_source", f"{made.item}, {made.territory}", taken)
    DUTIES.insert(tx, made)
    trust.record(tx, DutyRegistered(duty=made.id, body=made.body, territory=made.territory))
    return made


def _check(tx: Tx, given: NewDuty) -> Duty:
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.DUTY, owner=given.body)
    trust.get_party(tx, given.body)
    territory = given.territory
    if not territory.isascii() or not territory.isdigit() or len(territory) not in TERRITORY_DIGITS:
        raise BadDuty(part="territory")
    made = Duty(
        id=given.id,
        body=given.body,
        item=_checked(given.item, "item", ITEM_MAX),
        basis=_checked(given.basis, "basis", BASIS_MAX),
        territory=territory,
        registered_at=tx.now,
    )
    first = DUTIES.find(
        tx, "WHERE item = %s AND territory = %s AND ended_at IS NULL", (made.item, territory)
    )
    if first:
        raise DutyTaken(item=made.item, territory=territory, duty=first[0].id)
    return made


@trust.command("supply.duty.end")
def end_duty(tx: Tx, *, duty: DutyId) -> Duty:
    """This will end a duty. Raises DutyNotFound, DutyEnded."""
    held = lock_open_duty(tx, duty)
    trust.authorize(tx, trust.Action.END, trust.Kind.DUTY, owner=held.body)
    ended = DUTIES.update(tx, held, ended_at=tx.now)
    trust.record(tx, DutyWasEnded(duty=duty))
    return ended


def lock_open_duty(tx: Tx, duty: DutyId) -> Duty:
    """This will lock a duty that has not ended. Raises DutyNotFound, DutyEnded."""
    held = DUTIES.lock(tx, duty)
    if held.ended_at is not None:
        raise DutyEnded(duty=duty)
    return held


def get_duty(tx: Tx, duty: DutyId) -> Duty:
    """This will read one duty; the list is public. Raises DutyNotFound."""
    return DUTIES.get(tx, duty)


def find_duties(
    tx: Tx, *, page: PageRequest, body: trust.PartyId | None = None, territory: str | None = None
) -> Page[Duty]:
    """This will list duties that have not ended, newest first; the list is public."""
    tail = (
        "WHERE ended_at IS NULL AND (%s::text IS NULL OR body = %s)"
        " AND (%s::text IS NULL OR territory = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    found = DUTIES.find(
        tx, tail, (body, body, territory, territory, page.key, page.key, page.size + 1)
    )
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def _checked(text: str, part: str, longest: int) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise BadDuty(part=part)
    return plain
