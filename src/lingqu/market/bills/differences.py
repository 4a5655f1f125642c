# SPDX-License-Identifier: Apache-2.0
"""计量、账单、账簿一致: meter, charges and postings of a contract compared, call by call.

The meter is handed in by whoever may read it. Every batch that was metered or booked in the period
is priced again from its metered counts and compared with its lines; the lines are added up and
compared with what their batch says, and that with what the ledger posted. What differs is named as
closely as it can be: a call, a batch, or a transfer. A posting pays the calls of its batch in their
order, so one that differs is traced to a call too: to the one whose line is off by as much, or else
to the first of which it pays another part than the batch says.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lingqu import ledger
from lingqu.market.contracts import Contract, ContractId, get_contract
from lingqu.market.settlement import (
    ChargeBatch,
    ChargeLine,
    MeteredCall,
    find_batch_lines,
    find_batches,
    find_charge_batch,
    price_batch,
)
from lingqu.runtime import Tx


class DifferenceKind(enum.Enum):
    """What does not agree with what."""

    NOT_CHARGED = "not_charged"
    """A metered batch or call has no charge."""
    NOT_METERED = "not_metered"
    """A charged batch or call was not metered."""
    AMOUNT = "amount"
    """A line has another amount, or other units, than its metered counts give."""
    BATCH = "batch"
    """A batch says another amount than its lines add up to."""
    POSTING = "posting"
    """The ledger posted another amount than the batch says, nothing, or what no batch says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredBatch:
    """A batch as it was metered: its id, and its calls in their order."""

    batch: str
    calls: tuple[MeteredCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that does not agree, in fen; `call` where it lies in one call."""

    kind: DifferenceKind
    batch: str
    call: str | None
    transfer: str | None
    expected: int
    found: int


def find_differences(
    tx: Tx,
    *,
    contract: ContractId,
    begins: date,
    ends: date,
    metered: Sequence[MeteredBatch],
) -> tuple[Difference, ...]:
    """This will name every difference between meter, charges and postings of a contract.

    The one comparison of the three: `supervision.reconcile_contract` makes evidence and a case of
    what this finds. The meter is handed in because the market does not know the gate.

    Compares the batches that are handed in, and those booked from a day to before another: hand in
    the meter of these (`find_batches` names them) and of whatever else was metered in the period.
    Empty is agreement. Raises ContractNotFound where the caller may not see the contract.
    """
    deal = get_contract(tx, contract)
    booked = {
        one.metered: one for one in find_batches(tx, contract=contract, begins=begins, ends=ends)
    }
    meter = {one.batch: one.calls for one in metered}
    for batch in meter:
        other = None if batch in booked else find_charge_batch(tx, batch)
        if other is not None and other.contract == contract:
            booked[batch] = other
    found = [
        Difference(
            kind=DifferenceKind.NOT_CHARGED,
            batch=batch,
            call=None,
            transfer=None,
            expected=sum(one.refusal is None for one in calls),
            found=0,
        )
        for batch, calls in meter.items()
        if batch not in booked
    ]
    in_order = sorted(booked.values(), key=lambda one: one.id)
    posted = _posted(tx, in_order)
    for one in in_order:
        found += _compare(tx, deal, one, meter.get(one.metered), posted)
    found += _unknown_postings(tx, deal, begins, ends)
    return tuple(found)


def _compare(
    tx: Tx,
    deal: Contract,
    batch: ChargeBatch,
    calls: Sequence[MeteredCall] | None,
    posted: Mapping[str, int],
) -> Iterator[Difference]:
    lines = {one.call: one for one in find_batch_lines(tx, batch.id)}
    differing: list[Difference] = []
    if calls is None:
        yield _differs(DifferenceKind.NOT_METERED, batch, found=batch.amount)
    else:
        differing += _compare_calls(deal, batch, calls, lines)
        yield from differing
    total = sum(one.amount for one in lines.values())
    if batch.amount != total:
        yield _differs(DifferenceKind.BATCH, batch, expected=total, found=batch.amount)
    at_ledger = 0 if batch.transfer is None else posted.get(batch.transfer, 0)
    if at_ledger != batch.posted:
        gap = batch.posted - at_ledger
        off = [one.call for one in differing if one.found - one.expected == gap]
        call = off[0] if len(off) == 1 else _parting(lines, batch.posted, at_ledger)
        yield _differs(
            DifferenceKind.POSTING, batch, call=call, expected=batch.posted, found=at_ledger
        )


def _parting(lines: Mapping[str, ChargeLine], expected: int, found: int) -> str | None:
    """The first call, in their order, of which two amounts would pay another part."""
    so_far, last = 0, None
    for call, line in lines.items():
        so_far += line.amount
        if min(so_far, expected) != min(so_far, found):
            return call
        last = call if line.amount else last
    return last


def _compare_calls(
    deal: Contract,
    batch: ChargeBatch,
    calls: Sequence[MeteredCall],
    lines: Mapping[str, ChargeLine],
) -> Iterator[Difference]:
    expected = price_batch(deal.schedule, counted=batch.counted, calls=calls)
    for one in expected:
        line = lines.get(one.call)
        if line is None:
            kind = DifferenceKind.NOT_CHARGED
            yield _differs(kind, batch, call=one.call, expected=one.amount)
        elif (line.amount, line.units) != (one.amount, one.units):
            kind = DifferenceKind.AMOUNT
            yield _differs(kind, batch, call=one.call, expected=one.amount, found=line.amount)
    for call in lines.keys() - {one.call for one in expected}:
        yield _differs(DifferenceKind.NOT_METERED, batch, call=call, found=lines[call].amount)


def _posted(tx: Tx, batches: Sequence[ChargeBatch]) -> Mapping[str, int]:
    ids = [one.transfer for one in batches if one.transfer is not None]
    moving = {ledger.Phase.POST, ledger.Phase.POSTED}
    return {
        one.transfer: one.amount
        for one in ledger.find_entries(tx, transfers=ids)
        if one.outcome is ledger.Outcome.ACCEPTED and one.phase in moving
    }


def _differs(
    kind: DifferenceKind,
    batch: ChargeBatch,
    *,
    call: str | None = None,
    expected: int = 0,
    found: int = 0,
) -> Difference:
    return Difference(
        kind=kind,
        batch=batch.metered,
        call=call,
        transfer=batch.transfer,
        expected=expected,
        found=found,
    )


_CREDITED = """
    SELECT p.id, p.amount FROM ledger.pub_posting p
    WHERE p.credit = %(account)s AND p.day >= %(begins)s AND p.day < %(ends)s
      AND NOT EXISTS (SELECT 1 FROM market.charge_batch c
                      WHERE c.contract = %(contract)s AND c.transfer = p.id)
      AND NOT EXISTS (SELECT 1 FROM market.late_payment l WHERE l.id = p.id)
    ORDER BY p.id
"""


def _unknown_postings(tx: Tx, deal: Contract, begins: date, ends: date) -> Iterator[Difference]:
    """Money that came to the contract's charges in the period and that no charge accounts for."""
    values = {"contract": deal.id, "account": deal.charged, "begins": begins, "ends": ends}
    for row in tx.all(_CREDITED, values):
        yield Difference(
            kind=DifferenceKind.POSTING,
            batch="",
            call=None,
            transfer=row["id"],
            expected=0,
            found=row["amount"],
        )
