# SPDX-License-Identifier: Apache-2.0
"""What a call costs: the fee schedule of a product as a value, and the sums that follow from it.

A schedule is public and the same for every buyer. It bills by answered calls (数据调用量): those
whose answer it lists are billable, the first `free_calls` of a contract are free, and from a tier
on a call has another price. Use for the public good is free. Amounts are integers in fen.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from lingqu import ledger
from lingqu.kernel import canon, errors
from lingqu.kernel.values import from_plain, to_plain

PRICE_MAX = 10**12
CALLS_MAX = 10**12
TIERS_MAX = 20
FREE_PURPOSES = ("governance", "welfare")
"""公共治理、公益事业 (price.public_good_free): these purposes and all below them are free."""


class Answer(enum.Enum):
    """What a call was answered with."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class BadFees(errors.Rejected):
    """A part of the schedule is out of range, stands twice, or is not in order."""

    code = "market.fees.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """From the billable call after `above` on, a call costs `unit_price_minor`."""

    above: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeSchedule:
    """The fee of a product. `billed` are the answers that cost something. Raises BadFees."""

    unit_price_minor: int
    billed: tuple[Answer, ...] = (Answer.YES, Answer.NO)
    free_calls: int = 0
    tiers: tuple[Tier, ...] = ()
    currency: str = ledger.CNY.id

    def __post_init__(self) -> None:
        """Refuse what could not be billed."""
        if not 0 <= self.unit_price_minor <= PRICE_MAX:
            raise BadFees(part="unit_price")
        if not self.billed or len(set(self.billed)) != len(self.billed):
            raise BadFees(part="billed")
        if not 0 <= self.free_calls <= CALLS_MAX:
            raise BadFees(part="free_calls")
        starts = [tier.above for tier in self.tiers]
        ordered = all(one < other for one, other in itertools.pairwise((0, *starts)))
        priced = all(0 <= tier.unit_price_minor <= PRICE_MAX for tier in self.tiers)
        if (
            len(starts) > TIERS_MAX
            or not ordered
            or not priced
            or max(starts, default=0) > CALLS_MAX
        ):
            raise BadFees(part="tiers")
        if self.currency != ledger.CNY.id:
            raise BadFees(part="currency")

    @property
    def highest_minor(self) -> int:
        """The most that one call can cost."""
        return max(self.unit_price_minor, *(tier.unit_price_minor for tier in self.tiers), 0)


FREE = FeeSchedule(unit_price_minor=0)
"""Nothing is charged."""


def is_billed(fees: FeeSchedule, answer: Answer) -> bool:
    """This will say whether a call with this answer counts towards the bill."""
    return answer in fees.billed


def price_of(fees: FeeSchedule, number: int) -> int:
    """This will give what the `number`th billable call of a contract costs; the first is 1."""
    if number <= fees.free_calls:
        return 0
    price = fees.unit_price_minor
    for tier in fees.tiers:
        if number > tier.above:
            price = tier.unit_price_minor
    return price


def price_calls(fees: FeeSchedule, answers: Iterable[Answer], *, before: int) -> tuple[int, ...]:
    """This will price calls in their order, after `before` billable ones of the same contract.

    What is not billed costs nothing and does not count.
    """
    found, number = [], before
    for answer in answers:
        if is_billed(fees, answer):
            number += 1
            found.append(price_of(fees, number))
        else:
            found.append(0)
    return tuple(found)


def total_of(fees: FeeSchedule, calls: int) -> int:
    """This will give what `calls` billable calls cost together: the sum of `price_of` over them."""
    steps = [0, *(tier.above for tier in fees.tiers), max(calls, 0)]
    prices = [fees.unit_price_minor, *(tier.unit_price_minor for tier in fees.tiers)]
    total = 0
    for at, price in enumerate(prices):
        first = max(steps[at], fees.free_calls)
        last = min(steps[at + 1] if at + 1 < len(prices) else calls, calls)
        total += max(0, last - first) * price
    return total


def write_fees(fees: FeeSchedule) -> str:
    """This will give the canonical JSON of a schedule."""
    return canon.encode(to_plain(fees)).decode()


def read_fees(text: str) -> FeeSchedule:
    """This will read the canonical JSON of a schedule."""
    return from_plain(FeeSchedule, canon.decode(text.encode()))
