# SPDX-License-Identifier: Apache-2.0
"""Charging: each metered call of a batch becomes one line, each batch one posting of the ledger.

A batch is priced after all that were charged before it, under the lock of its contract, and its
lines, its posting and what is left of the funds are written in one transaction: a process killed in
between has charged the batch or has not. A charge belongs to the day of its calls, which the gate
decided at one moment, also where it is charged and posted after midnight. A batch is charged once;
sent again under the same command it gives the same answer, under another one it is refused. Lines
are never changed: what was wrong is corrected by a counter-posting (`corrections`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from lingqu import ledger, rights, trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant, format_instant
from lingqu.kernel.values import from_row
from lingqu.market.contracts import (
    ContractId,
    ContractNotFound,
    draw_held,
    find_contract_by_grant,
    get_contract,
    lock_contract,
)
from lingqu.market.settlement.pricing import (
    ID_MAX,
    BadCall,
    Charge,
    MeteredCall,
    Rule,
    price_batch,
)
from lingqu.market.settlement.tallies import (
    begin_tally,
    find_payable,
    save_tally,
    stop_if_used_up,
)
from lingqu.runtime import Tx, new_id
from lingqu.runtime.looking import Look, Looked, Shelf

CALLS_MAX = 100_000
"""The most calls of one metering batch."""


class ChargeBatchId(Id):
    """The id of what one metering batch was charged."""

    prefix = "chb"


class BatchCharged(errors.Conflict):
    """The metering batch was charged before."""

    code = "market.charge.done"


class ChargeNotFound(errors.NotFound):
    """There is no such charge, or the caller may not know of it."""

    code = "market.charge.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeBatch:
    """What one metering batch was charged, in minor units.

    Its calls answered about `answered` subjects, of which `units` count, after the `counted` ones
    of the contract before. `transfer` is its posting of `posted`; the rest of `amount` was short.
    `day` is the local day its calls were made on; its posting may have a later one.
    """

    id: ChargeBatchId
    metered: str
    contract: ContractId
    day: date
    calls: int
    answered: int
    counted: int
    units: int
    amount: int
    posted: int
    transfer: ledger.TransferId | None
    charged_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLine:
    """What one call was charged: `units` counted, `free` of them, by which rule, how much."""

    batch: ChargeBatchId
    position: int
    call: str
    metered: str
    contract: ContractId
    at: Instant
    day: date
    units: int
    free: int
    rule: Rule
    amount: int


BATCHES = trust.Table("market.charge_batch", ChargeBatch, not_found=ChargeNotFound)
LINES = trust.BatchTable(
    "market.charge",
    ("call", "metered", "contract", "at", "day", "units", "free", "rule", "amount"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsCharged(trust.Fact):
    """A metering batch was charged: `batch` has the root of its lines."""

    kind = "market.charge.posted"
    batch: trust.BatchTable.Root
    metered: str
    contract: ContractId
    day: date
    units: int
    amount: int
    posted: int
    transfer: ledger.TransferId | None
    short: int


_COLUMNS = "batch, position, call, metered, contract, at, day, units, free, rule, amount"
_LINES = f"""
    SELECT {_COLUMNS} FROM market.charge
    WHERE contract = %s AND day >= %s AND day < %s ORDER BY batch, position
"""  # noqa: S608  # constant columns
_PAGE = f"""
    SELECT {_COLUMNS} FROM market.charge
    WHERE contract = %s AND (batch, position) > (%s, %s) ORDER BY batch, position LIMIT %s
"""  # noqa: S608  # constant columns
_BATCH = f"SELECT {_COLUMNS} FROM market.charge WHERE batch = %s ORDER BY position"  # noqa: S608  # constant columns
_LINE = f"SELECT {_COLUMNS} FROM market.charge WHERE contract = %s AND call = %s"  # noqa: S608  # constant columns


_OF_CONTRACT = Shelf(
    select=_COLUMNS,
    source="market.charge WHERE contract = %(contract)s",
    columns={"at": "at", "call": "call", "rule": "rule", "units": "units", "amount": "amount"},
    newest=("day", "batch", "position"),
)


@trust.command("market.charge.post", internal=True)
def charge_calls(
    tx: Tx, *, batch: str, grant: rights.GrantId, calls: tuple[MeteredCall, ...]
) -> ChargeBatch:
    """This will charge the calls of a metering batch to the contract their grant came from.

    Refused calls are not charged. Raises ContractNotFound, BatchCharged, BadCall.
    """
    found = find_contract_by_grant(tx, grant)
    if found is None:
        raise ContractNotFound(id=grant)
    deal = lock_contract(tx, found.id)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.CHARGE)
    if len(calls) > CALLS_MAX or not 1 <= len(batch) <= ID_MAX:
        raise BadCall(call=batch[:40])
    if BATCHES.find(tx, "WHERE metered = %s", (batch,)):
        raise BatchCharged(batch=batch)
    known = begin_tally(tx, deal)
    charges = price_batch(deal.schedule, counted=known.units, calls=calls)
    amount, units = sum(one.amount for one in charges), sum(one.units for one in charges)
    if known.charged + amount > ledger.AMOUNT_MAX:
        raise BadCall(call=batch[:40])
    day = ledger.local_day(calls[0].at if calls else tx.now)
    made, posted = new_id(ChargeBatchId), find_payable(tx, deal, amount)
    transfer = new_id(ledger.TransferId) if posted else None
    deal = draw_held(tx, contract=deal, amount=posted, reference=made, transfer=transfer)
    after = replace(
        known,
        units=known.units + units,
        charged=known.charged + amount,
        posted=known.posted + posted,
        short=known.short + amount - posted,
    )
    saved = save_tally(tx, known, replace(after, hold=stop_if_used_up(tx, deal, after)))
    charged = ChargeBatch(
        id=made,
        metered=batch,
        contract=deal.id,
        day=day,
        calls=len(charges),
        answered=sum(one.yes + one.no + one.unknown for one in calls if one.refusal is None),
        counted=known.units,
        units=units,
        amount=amount,
        posted=posted,
        transfer=transfer,
        charged_at=tx.now,
    )
    BATCHES.insert(tx, charged)
    root = LINES.append(tx, made, [_row(charged, one) for one in charges])
    trust.record(
        tx,
        CallsCharged(
            batch=root,
            metered=batch,
            contract=deal.id,
            day=charged.day,
            units=units,
            amount=amount,
            posted=posted,
            transfer=transfer,
            short=saved.short,
        ),
    )
    return charged


def find_charge_batch(tx: Tx, metered: str) -> ChargeBatch | None:
    """This will give what a metering batch was charged, for a package that may know; or None."""
    found = BATCHES.find(tx, "WHERE metered = %s", (metered,))
    return found[0] if found else None


def find_batches(
    tx: Tx, *, contract: ContractId, begins: date, ends: date
) -> tuple[ChargeBatch, ...]:
    """This will list what a contract was charged batch by batch, from a day to before another.

    For a package that answers for the right to know.
    """
    tail = "WHERE contract = %s AND day >= %s AND day < %s ORDER BY id"
    return BATCHES.find(tx, tail, (contract, begins, ends))


def find_lines(tx: Tx, *, contract: ContractId, begins: date, ends: date) -> Iterator[ChargeLine]:
    """This will stream the lines of a contract, from a day to before another, in their order.

    For a package that answers for the right to know.
    """
    return (_line(row) for row in tx.stream(_LINES, (contract, begins, ends)))


def find_batch_lines(tx: Tx, batch: ChargeBatchId) -> tuple[ChargeLine, ...]:
    """This will give the lines of one charged batch, for a package that may know them."""
    return tuple(_line(row) for row in tx.all(_BATCH, (batch,)))


def find_charges(tx: Tx, *, contract: ContractId, page: PageRequest) -> Page[ChargeLine]:
    """This will give the lines of a contract the caller may see, oldest first.

    Raises ContractNotFound.
    """
    get_contract(tx, contract)
    batch, _, position = (page.key or "").partition("/")
    after = int(position) if position.isdigit() else -1
    rows = tx.all(_PAGE, (contract, batch, after, page.size + 1))
    lines = tuple(_line(row) for row in rows[: page.size])
    more = len(rows) > page.size
    return Page(
        items=lines, next=cursor(f"{lines[-1].batch}/{lines[-1].position}") if more else None
    )


def look_through_charges(tx: Tx, *, contract: ContractId, look: Look) -> Looked[ChargeLine]:
    """This will look through the lines of a contract the caller may see, the newest day first.

    Columns: at, call, rule, units, amount. Raises ContractNotFound.
    """
    get_contract(tx, contract)
    found = _OF_CONTRACT.look(tx, look, contract=contract)
    return Looked(items=tuple(_line(row) for row in found.items), total=found.total)


def get_charge(tx: Tx, *, contract: ContractId, call: str) -> ChargeLine:
    """This will give the line of one call of a contract the caller may see.

    Raises ContractNotFound, ChargeNotFound.
    """
    get_contract(tx, contract)
    row = tx.maybe(_LINE, (contract, call))
    if row is None:
        raise ChargeNotFound(id=call[:60])
    return _line(row)


def _row(made: ChargeBatch, one: Charge) -> tuple[object, ...]:
    named = (one.call, made.metered, made.contract, format_instant(one.at), made.day.isoformat())
    return (*named, one.units, one.free, one.rule.value, one.amount)


def _line(row: dict[str, object]) -> ChargeLine:
    return from_row(ChargeLine, row)
