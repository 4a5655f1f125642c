# SPDX-License-Identifier: Apache-2.0
"""Money in integer minor units, and splits whose parts add up to the last unit.

The same arithmetic serves every conserved quantity (calls, rows, micro-rho): a currency is a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lingqu.kernel import errors

_CURRENCY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}\Z")
_LARGEST = (1 << 63) - 1


class BadMoney(errors.Rejected):
    """The amount does not fit 64 bits, or the currency is not a name."""

    code = "kernel.money.bad"


class CurrencyMismatch(errors.Rejected):
    """Two amounts of different currencies cannot be added or compared."""

    code = "kernel.money.currency_mismatch"


class BadWeights(errors.Rejected):
    """Weights must be non-negative integers with a positive sum."""

    code = "kernel.money.bad_weights"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (fen for CNY) of one currency; may be negative.

    `minor` fits a signed 64-bit integer. Raises BadMoney.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse what PostgreSQL's BIGINT or a statement could not hold."""
        if type(self.minor) is not int or not -_LARGEST <= self.minor <= _LARGEST:
            raise BadMoney(minor=str(self.minor)[:40], currency=str(self.currency)[:40])
        if not _CURRENCY.match(self.currency):
            raise BadMoney(minor=self.minor, currency=str(self.currency)[:40])

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(left=self.currency, right=other.currency)
        return other.minor

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def split(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """This will share the amount by weights; the parts add up exactly (see `apportion`)."""
        return tuple(Money(part, self.currency) for part in apportion(self.minor, weights))


def apportion(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """This will share an integer by largest remainder (Hamilton); parts sum to `total`.

    Each part is the exact share rounded down or up. Remainders that tie go to the earlier weight,
    so the answer depends on nothing but the arguments. A negative total is the mirror of the
    positive one. Raises BadWeights.
    """
    if any(type(weight) is not int or weight < 0 for weight in weights):
        raise BadWeights(count=len(weights))
    whole = sum(weights)
    if whole == 0:
        raise BadWeights(count=len(weights))
    sign, amount = (-1, -total) if total < 0 else (1, total)
    parts = [amount * weight // whole for weight in weights]
    remainders = [amount * weight % whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: (-remainders[place], place))
    for place in order[: amount - sum(parts)]:
        parts[place] += 1
    return tuple(sign * part for part in parts)


def apportion_next(already: Sequence[int], amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """This will share one more `amount` so that the shares to date are those of the whole to date.

    Cumulative largest remainder: what each has after this call is `apportion(total to date)`,
    whatever the batches and their order, so nobody is ever a unit or more from the exact
    cumulative share. A part may be -1 where an earlier rounding turns around (largest remainder
    is not monotone in the total). Raises BadWeights.
    """
    if len(already) != len(weights):
        raise BadWeights(count=len(weights))
    target = apportion(sum(already) + amount, weights)
    return tuple(new - old for new, old in zip(target, already, strict=True))
