# SPDX-License-Identifier: Apache-2.0
"""指标 indicators of a month: what each is, in which unit, and out of which records it is added up.

A figure is one statement over the records of a period of whole days, so that the same days give the
same figure whenever it is asked for. Flows add up within a period; stocks stand at its end.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from lingqu.runtime import Row, Tx
from lingqu.runtime.calendar import shift_months, start_of_day


class Unit(enum.Enum):
    """What a figure counts."""

    CONTRACT = "contract"
    PRODUCT = "product"
    PARTY = "party"
    CALL = "call"
    ANSWER = "answer"
    TIME = "time"
    FEN = "fen"


class Origin(enum.Enum):
    """The records a figure comes from, each of which facts of the log explain."""

    CONTRACTS = "contracts"
    LISTINGS = "listings"
    METERING = "metering"
    REFUSALS = "refusals"
    CHARGES = "charges"
    LEDGER = "ledger"
    PAYOUTS = "payouts"
    PAYABLES = "payables"
    RECONCILIATIONS = "reconciliations"
    CASES = "cases"
    HOLDS = "holds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One figure: its code, unit and origin; a `stock` stands at the end of a period.

    `sql` gives it for one period, out of the records or out of what `_PARTS` added up of them.
    """

    code: str
    unit: Unit
    origin: Origin
    sql: str
    stock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What an indicator comes to: in the month, the one before, the same a year ago, this year."""

    code: str
    unit: Unit
    origin: Origin
    month: int
    before: int
    year_ago: int
    year: int


MONTHS = 12
_FORMS = ("verification", "count", "query", "open_file")
_SHARES = ("venue_fee", "service_fee", "government", "partner")


def _counted(table: str, moment: str, also: str = "") -> str:
    return (
        f"SELECT count(*) AS figure FROM {table}"  # noqa: S608  # constants of this file
        f" WHERE {moment} >= %(start)s AND {moment} < %(end)s{also}"
    )


def _standing(table: str, begins: str, ends: str) -> str:
    return (
        f"SELECT count(*) AS figure FROM {table}"  # noqa: S608  # constants of this file
        f" WHERE {begins} < %(end)s AND ({ends} IS NULL OR {ends} >= %(end)s)"
    )


def _added(what: str, table: str, day: str, also: str = "") -> str:
    return (
        f"SELECT coalesce(sum({what}), 0)::bigint AS figure FROM {table}"  # noqa: S608  # constants
        f" WHERE {day} >= %(begins)s AND {day} < %(ends)s{also}"
    )


def _used(what: str, form: str | None = None) -> str:
    of_form = "" if form is None else f" WHERE form = '{form}'"
    return f"SELECT coalesce(sum({what}), 0)::bigint AS figure FROM used{of_form}"  # noqa: S608  # constants


_PARTS = """
    WITH used AS MATERIALIZED (
        SELECT p.form, sum(f.answered) AS answered, sum(f.units) AS units, sum(f.refused) AS refused
        FROM supervision.flow f LEFT JOIN gate.pub_product p ON p.id = f.product
        WHERE f.at >= %(start)s AND f.at < %(end)s GROUP BY p.form
    ), earned AS MATERIALIZED (
        SELECT p.form, sum(c.amount) AS amount FROM market.pub_charge_batch c
        JOIN supervision.flow f ON f.batch = c.metered
        JOIN gate.pub_product p ON p.id = f.product
        WHERE c.day >= %(begins)s AND c.day < %(ends)s GROUP BY p.form
    )
"""
"""What several indicators are parts of, added up once: uses and earnings by form of product."""


def _earned(form: str) -> str:
    return (
        "SELECT coalesce(sum(amount), 0)::bigint AS figure FROM earned"  # noqa: S608  # constants
        f" WHERE form = '{form}'"
    )


def _indicators() -> Iterator[Indicator]:
    deal, listing = "market.pub_contract", "market.pub_listing"
    yield _one("contracts_made", "contract", "contracts", _counted(deal, "finalized_at"))
    yield _one("contracts_ended", "contract", "contracts", _counted(deal, "ended_at",
               " AND finalized_at IS NOT NULL"))  # fmt: skip
    yield _one("contracts_in_force", "contract", "contracts",
               _standing(deal, "finalized_at", "ended_at"), stock=True)  # fmt: skip
    yield _one("products_listed", "product", "listings", _counted(listing, "listed_at"))
    yield _one("products_on_list", "product", "listings",
               _standing(listing, "listed_at", "ended_at"), stock=True)  # fmt: skip
    yield _one("users", "party", "metering",
               "SELECT count(DISTINCT holder) AS figure FROM supervision.flow"
               " WHERE at >= %(start)s AND at < %(end)s AND answered > 0")  # fmt: skip
    yield _one("calls_answered", "call", "metering", _used("answered"))
    for form in _FORMS:
        yield _one(f"calls_answered.{form}", "call", "metering",
                   _used("answered", form))  # fmt: skip
    yield _one("answers", "answer", "metering", _used("units"))
    yield _one("calls_refused", "call", "metering", _used("refused"))
    yield _one("attempts_refused", "time", "refusals",
               _counted("supervision.refusal", "at", " AND act <> 'gate.call'"))  # fmt: skip
    yield _one("charged", "fen", "charges", _added("amount", "market.pub_charge_batch", "day"))
    for form in _FORMS:
        yield _one(f"charged.{form}", "fen", "charges", _earned(form))
    yield _one("posted", "fen", "ledger", _added("amount", "ledger.pub_posting", "day",
               " AND kind = 'market.contract'"))  # fmt: skip
    for share in _SHARES:
        paid = _added("amount", "market.pub_payout", "day", f" AND share = '{share}'")
        yield _one(f"shared.{share}", "fen", "payouts", paid)
    yield _one("payable_owed", "fen", "payables", _added("amount", "market.pub_payable", "day"))
    yield _one("payable_paid", "fen", "payables",
               "SELECT coalesce(sum(amount), 0)::bigint AS figure FROM market.pub_payable"
               " WHERE closed_at >= %(start)s AND closed_at < %(end)s")  # fmt: skip
    yield from _supervised()


def _supervised() -> Iterator[Indicator]:
    done, case = "supervision.reconciliation", "supervision.case"
    yield _one("reconciled", "time", "reconciliations", _counted(done, "made_at"))
    yield _one("differing", "time", "reconciliations", _counted(done, "made_at", " AND found > 0"))
    yield _one("cases_opened", "time", "cases", _counted(case, "opened_at"))
    yield _one("cases_closed", "time", "cases", _counted(case, "closed_at"))
    yield _one("holds_placed", "time", "holds", _counted("trust.pub_hold", "placed_at"))
    yield _one("holds_lifted", "time", "holds", _counted("trust.pub_hold", "lifted_at"))


def _one(code: str, unit: str, origin: str, sql: str, *, stock: bool = False) -> Indicator:
    return Indicator(code=code, unit=Unit(unit), origin=Origin(origin), sql=sql, stock=stock)


INDICATORS = tuple(_indicators())
"""Every indicator of the monthly report, in its order."""


def compute_figures(tx: Tx, *, month: date, ends: date) -> tuple[Figure, ...]:
    """This will add up every indicator for the days of a month before `ends`."""
    before, year_ago = shift_months(month, -1), shift_months(month, -MONTHS)
    periods = (
        (month, ends),
        (before, month),
        (year_ago, shift_months(year_ago, 1)),
        (month.replace(month=1), ends),
    )
    named = dict(
        zip(
            ("month", "before", "year_ago", "year"),
            (_read_period(tx, *period) for period in periods),
            strict=True,
        )
    )
    return tuple(
        Figure(
            code=one.code,
            unit=one.unit,
            origin=one.origin,
            **{name: int(found[f"figure_{at}"]) for name, found in named.items()},
        )
        for at, one in enumerate(INDICATORS)
    )


_ALL = f"{_PARTS} SELECT " + ", ".join(
    f"({one.sql}) AS figure_{at}" for at, one in enumerate(INDICATORS)
)
"""Every indicator by one statement, so that a period is one moment of the records."""


def _read_period(tx: Tx, begins: date, ends: date) -> Row:
    period = {
        "begins": begins,
        "ends": ends,
        "start": start_of_day(begins),
        "end": start_of_day(ends),
    }
    return tx.one(_ALL, period)
