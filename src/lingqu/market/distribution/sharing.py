# SPDX-License-Identifier: Apache-2.0
"""How money is shared: a waterfall of steps, each taking its rate of what reaches it, to the cent.

The last step takes what is left. What somebody has had after any number of days depends on the
total alone, never on how the days cut it: each step is a split of the total to date by largest
remainder, and a day pays the difference to what was paid before. A split in two never takes a cent
back when the total grows, so a day's part is never negative.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.money import apportion

WHOLE = 10_000
"""Rates are in basis points."""
STEPS_MAX = 10


class BadPlan(errors.Rejected):
    """A plan has 1 to 10 steps with rates from 0 to 10,000, the last of which takes the rest."""

    code = "market.plan.bad"


class Share(enum.Enum):
    """What somebody receives money for."""

    VENUE_FEE = "venue_fee"
    """交易服务费: the venue's fee."""
    SERVICE_FEE = "service_fee"
    """运营服务费: what the operator is paid for its service."""
    GOVERNMENT = "government"
    """政府收益: non-tax revenue, owed to the treasury."""
    PARTNER = "partner"
    """合作方: another party of the agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One payee: `rate` basis points of what reaches the step (the last one: 10,000)."""

    share: Share
    party: trust.PartyId
    rate: int


def check_steps(steps: Sequence[Step]) -> None:
    """This will refuse steps that do not share all of a total. Raises BadPlan."""
    good = (
        1 <= len(steps) <= STEPS_MAX
        and all(type(one.rate) is int and 0 <= one.rate <= WHOLE for one in steps)
        and steps[-1].rate == WHOLE
        and len({(one.share, one.party) for one in steps}) == len(steps)
    )
    if not good:
        raise BadPlan(steps=len(steps))


def share_total(rates: Sequence[int], total: int) -> tuple[int, ...]:
    """This will share a total of minor units by the rates of the steps; the parts add up."""
    parts, left = [], total
    for rate in rates:
        part, left = apportion(left, (rate, WHOLE - rate))
        parts.append(part)
    assert left == 0, "the last step takes the rest"
    return tuple(parts)


def share_more(rates: Sequence[int], *, before: int, amount: int) -> tuple[int, ...]:
    """This will share one more `amount` after `before`, so that the shares are those of the sum."""
    was, now = share_total(rates, before), share_total(rates, before + amount)
    return tuple(new - old for new, old in zip(now, was, strict=True))
