# SPDX-License-Identifier: Apache-2.0
"""What a metered call costs: a pure decision over the fee schedule and what was counted before.

The unit is one answered subject: a single call has one, a batch call as many as it asked about.
Units whose answer the schedule bills are numbered along the life of the contract, so that what a
contract owes depends on how much was used, and never on how the use was cut into calls and batches.
A refused call answered nothing and is not charged; a call all of whose answers are free or unbilled
has a line of nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.market.fees import Answer, FeeSchedule, is_billed, total_of

SUBJECTS_MAX = 10**6
"""The most subjects of one call."""
ID_MAX = 100


class BadCall(errors.Rejected):
    """A metered call has an id and counts from 0 to a million; a batch is not too large."""

    code = "market.call.bad"


class Rule(enum.Enum):
    """Which part of the schedule made the amount of a call."""

    FREE = "free"
    """All its counted units lay within the free ones, or the use is free."""
    MISS = "miss"
    """Nothing of it counts: the schedule does not bill such answers."""
    PRICE = "price"
    """One price for all its units."""
    TIERS = "tiers"
    """Its units lay on both sides of a tier, or of the end of the free ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredCall:
    """One call as it was metered: how many subjects were answered 是, 否 and 未知.

    `refusal` is the code of a call that was refused and answered nothing. Raises BadCall.
    """

    call: str
    at: Instant
    yes: int = 0
    no: int = 0
    unknown: int = 0
    refusal: str | None = None

    def __post_init__(self) -> None:
        """Refuse counts no meter could have."""
        counts = (self.yes, self.no, self.unknown)
        if not 1 <= len(self.call) <= ID_MAX or not all(0 <= one <= SUBJECTS_MAX for one in counts):
            raise BadCall(call=self.call[:40])


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one call costs: `units` were counted, `free` of them cost nothing."""

    call: str
    at: Instant
    units: int
    free: int
    rule: Rule
    amount: int


def price_batch(
    fees: FeeSchedule, *, counted: int, calls: Iterable[MeteredCall]
) -> tuple[Charge, ...]:
    """This will price calls in their order after `counted` units; refused calls are left out."""
    kinds = (Answer.YES, Answer.NO, Answer.UNKNOWN)
    yes, no, unknown = (is_billed(fees, kind) for kind in kinds)
    made, so_far = [], total_of(fees, counted)
    for one in calls:
        if one.refusal is not None:
            continue
        units = yes * one.yes + no * one.no + unknown * one.unknown
        after = total_of(fees, counted + units) if units else so_far
        free = max(0, min(units, fees.free_calls - counted))
        made.append(
            Charge(
                call=one.call,
                at=one.at,
                units=units,
                free=free,
                rule=_rule(fees, counted, units, free),
                amount=after - so_far,
            )
        )
        counted, so_far = counted + units, after
    return tuple(made)


def next_price(fees: FeeSchedule, *, counted: int) -> int:
    """This will give what the next counted unit costs."""
    return total_of(fees, counted + 1) - total_of(fees, counted)


def _rule(fees: FeeSchedule, counted: int, units: int, free: int) -> Rule:
    if not units:
        return Rule.MISS
    if free == units:
        return Rule.FREE
    if free or any(counted < tier.above < counted + units for tier in fees.tiers):
        return Rule.TIERS
    return Rule.PRICE
