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


@trust.command("supply.duty.register")
def register_duty(
    tx: Tx, *, duty: DutyId, body: trust.PartyId, item: str, basis: str, territory: str
) -> Duty:
    """This will put an item of data on a body's list. Raises BadDuty, DutyTaken, IdTaken.

    `basis` names the law or the plan of functions the duty follows from.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.DUTY, owner=body)
    trust.get_party(tx, body)
    if not territory.isascii() or not territory.isdigit() or len(territory) not in TERRITORY_DIGITS:
        raise BadDuty(part="territory")
    made = Duty(
        id=duty,
        body=body,
        item=_checked(item, "item", ITEM_MAX),
        basis=_checked(basis, "basis", BASIS_MAX),
        territory=territory,
        registered_at=tx.now,
    )
    first = DUTIES.find(
        tx, "WHERE item = %s AND territory = %s AND ended_at IS NULL", (made.item, territory)
    )
    if first:
        raise DutyTaken(item=made.item, territory=territory, duty=first[0].id)
    # Two claims at the same moment meet at the index; the second learns which item it was.
    taken = DutyTaken(item=made.item, territory=territory, duty="")
    tx.means("duty_one_source", f"{made.item}, {territory}", taken)
    DUTIES.insert(tx, made)
    trust.record(tx, DutyRegistered(duty=duty, body=body, territory=territory))
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
