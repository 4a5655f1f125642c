# SPDX-License-Identifier: Apache-2.0
"""Currencies: the units that are conserved. CNY is built in, every other one is registered."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx

NAME_MAX = 60
SCALE_MAX = 12
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}\Z")


class BadCurrency(errors.Rejected):
    """A currency needs a code, a scale of 0 to 12 and a name in both languages."""

    code = "ledger.currency.bad"


class CurrencyUnknown(errors.NotFound):
    """No currency has this code."""

    code = "ledger.currency.unknown"


class CurrencyTaken(errors.Conflict):
    """A currency with this code is registered already."""

    code = "ledger.currency.taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """A unit that is conserved: amounts are integers of `10 ** -scale` of it."""

    id: str
    scale: int
    name_zh: str
    name_en: str
    registered_at: Instant | None = None
    version: int = 1


CNY = Currency(id="CNY", scale=2, name_zh="人民币", name_en="yuan")
"""The yuan, in fen; it needs no registration."""

CURRENCIES = trust.Table("ledger.currency", Currency, not_found=CurrencyUnknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrencyRegistered(trust.Fact):
    """A unit came to be accounted for here."""

    kind = "ledger.currency.registered"
    currency: str
    scale: int


@trust.command("ledger.currency.register")
def register_currency(tx: Tx, *, currency: str, scale: int, name_zh: str, name_en: str) -> Currency:
    """This will register a unit. Raises BadCurrency, CurrencyTaken."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LEDGER_CURRENCY)
    names = name_zh.strip(), name_en.strip()
    fits = {
        "currency": bool(_CODE.match(currency)),
        "scale": 0 <= scale <= SCALE_MAX,
        "name_zh": 0 < len(names[0]) <= NAME_MAX and names[0].isprintable(),
        "name_en": 0 < len(names[1]) <= NAME_MAX and names[1].isprintable(),
    }
    if bad := [field for field, does_fit in fits.items() if not does_fit]:
        raise BadCurrency(field=", ".join(bad), currency=currency[:40], most=SCALE_MAX)
    if currency == CNY.id or CURRENCIES.find(tx, "WHERE id = %s", (currency,)):
        raise CurrencyTaken(currency=currency)
    made = Currency(
        id=currency, scale=scale, name_zh=names[0], name_en=names[1], registered_at=tx.now
    )
    CURRENCIES.insert(tx, made)
    trust.record(tx, CurrencyRegistered(currency=currency, scale=scale))
    return made


def get_currency(tx: Tx, currency: str) -> Currency:
    """This will give a currency by its code. Raises CurrencyUnknown."""
    return CNY if currency == CNY.id else CURRENCIES.get(tx, currency)


def find_currencies(tx: Tx) -> tuple[Currency, ...]:
    """This will list CNY and every registered currency."""
    return (CNY, *CURRENCIES.find(tx, "ORDER BY id"))
