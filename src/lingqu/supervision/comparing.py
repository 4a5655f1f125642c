# SPDX-License-Identifier: Apache-2.0
"""Comparing meter, bill and ledger: a pure decision over what each of the three has.

For one metered batch there are the calls the gate metered, the lines they were charged by, the sum
the charge states, and the posting of the ledger. What the calls cost is computed again from the fee
schedule; whatever differs is named as near to its origin as it can be: the one call, then the sum
of the batch, then the posting.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lingqu import gate, ledger, market
from lingqu.market import settlement


class Disagreement(enum.Enum):
    """What does not agree with what."""

    BATCH_UNCHARGED = "batch_uncharged"
    """The gate metered a batch under the contract, and it was not charged."""
    BATCH_UNMETERED = "batch_unmetered"
    """A batch was charged that the gate has not metered."""
    CALL_UNCHARGED = "call_uncharged"
    """A metered call has no line."""
    CALL_UNMETERED = "call_unmetered"
    """A line has no metered call."""
    CALL_AMOUNT = "call_amount"
    """A call was charged other than the fee schedule says."""
    BATCH_SUM = "batch_sum"
    """The charge of a batch is not the sum of its lines."""
    POSTING = "posting"
    """The ledger moved other than the charge says, or nothing."""
    POSTING_UNKNOWN = "posting_unknown"
    """The ledger moved money into the contract's charges that no charge accounts for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One disagreement: of which batch and call, what it should be and what it is, in fen."""

    what: Disagreement
    batch: str | None
    call: str | None
    expected: int
    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """What the three have of one metered batch. `calls` are of the meter, `lines` of the bill."""

    metered: str
    calls: tuple[gate.MeteredCall, ...]
    charge: settlement.ChargeBatch | None
    lines: tuple[settlement.ChargeLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the meter priced, the bill stated and the ledger moved, in fen."""

    calls: int = 0
    metered: int = 0
    billed: int = 0
    posted: int = 0
    short: int = 0


def chargeable(call: gate.MeteredCall) -> settlement.MeteredCall:
    """This will put a metered call as charging reads it: 是 with 仅一次, 否, 未知, or refused."""
    is_unknown = call.outcome == gate.Answer.UNKNOWN.value
    return settlement.MeteredCall(
        call=call.call,
        at=call.at,
        yes=call.hits,
        no=0 if is_unknown else call.misses,
        unknown=call.misses if is_unknown else 0,
        refusal=call.refusal,
    )


def compare_batch(
    fees: market.FeeSchedule, view: BatchView, entries: Mapping[str, ledger.Entry]
) -> tuple[Sums, tuple[Difference, ...]]:
    """This will compare the three about one batch; `entries` are the ledger's, by transfer."""
    charge = view.charge
    counted = 0 if charge is None else charge.counted
    priced = settlement.price_batch(
        fees, counted=counted, calls=[chargeable(one) for one in view.calls]
    )
    due = sum(one.amount for one in priced)
    if charge is None:
        what = Disagreement.BATCH_UNCHARGED
        missing = _differ(what, view.metered, None, due, 0) if priced else ()
        return Sums(calls=len(priced), metered=due), tuple(missing)
    if not view.calls:
        unmetered = _differ(Disagreement.BATCH_UNMETERED, view.metered, None, 0, charge.amount)
        return _sums(0, 0, charge, entries), tuple(unmetered)
    by_call = tuple(_compare_lines(view.metered, priced, view.lines))
    found = [
        *by_call,
        *_compare_sum(view.metered, charge, view.lines, by_call),
        *_compare_posting(view.metered, charge, entries),
    ]
    return _sums(len(priced), due, charge, entries), tuple(found)


def _compare_lines(
    batch: str, priced: Sequence[settlement.Charge], lines: Sequence[settlement.ChargeLine]
) -> Iterator[Difference]:
    written = {one.call: one.amount for one in lines}
    known = set()
    for one in priced:
        known.add(one.call)
        amount = written.get(one.call)
        if amount is None:
            yield from _differ(Disagreement.CALL_UNCHARGED, batch, one.call, one.amount, 0)
        elif amount != one.amount:
            yield from _differ(Disagreement.CALL_AMOUNT, batch, one.call, one.amount, amount)
    for line in lines:
        if line.call not in known:
            yield from _differ(Disagreement.CALL_UNMETERED, batch, line.call, 0, line.amount)


def _compare_sum(
    batch: str,
    charge: settlement.ChargeBatch,
    lines: Sequence[settlement.ChargeLine],
    by_call: Sequence[Difference],
) -> Iterator[Difference]:
    """A sum that is right but for calls already named has its origin there, and is not named."""
    total = sum(one.amount for one in lines)
    explained = sum(one.expected - one.found for one in by_call)
    if charge.amount not in {total, total + explained}:
        yield from _differ(Disagreement.BATCH_SUM, batch, None, total, charge.amount)


def _compare_posting(
    batch: str, charge: settlement.ChargeBatch, entries: Mapping[str, ledger.Entry]
) -> Iterator[Difference]:
    moved = _moved(charge, entries)
    if moved != charge.posted:
        yield from _differ(Disagreement.POSTING, batch, None, charge.posted, moved)


def _moved(charge: settlement.ChargeBatch, entries: Mapping[str, ledger.Entry]) -> int:
    entry = None if charge.transfer is None else entries.get(charge.transfer)
    accepted = entry is not None and entry.outcome is ledger.Outcome.ACCEPTED
    return entry.amount if entry is not None and accepted else 0


def _sums(
    calls: int, due: int, charge: settlement.ChargeBatch, entries: Mapping[str, ledger.Entry]
) -> Sums:
    return Sums(
        calls=calls,
        metered=due,
        billed=charge.amount,
        posted=_moved(charge, entries),
        short=charge.amount - charge.posted,
    )


def _differ(
    what: Disagreement, batch: str, call: str | None, expected: int, found: int
) -> tuple[Difference, ...]:
    return (Difference(what=what, batch=batch, call=call, expected=expected, found=found),)


def add_sums(sums: Sequence[Sums]) -> Sums:
    """This will add what was compared batch by batch."""
    return Sums(
        calls=sum(one.calls for one in sums),
        metered=sum(one.metered for one in sums),
        billed=sum(one.billed for one in sums),
        posted=sum(one.posted for one in sums),
        short=sum(one.short for one in sums),
    )
