# SPDX-License-Identifier: Apache-2.0
"""Days of the books: where they begin and end, and how one is closed for good.

A day is a day of the region, +08:00 all year. It is closed after it ended and after every day
before it; from then on no transfer is booked into it, and what every account held at its end is
fixed by a digest per currency, which the audit computes again from the transfers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta, timezone

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.ledger.currencies import find_currencies
from lingqu.runtime import Tx

REGION = timezone(timedelta(hours=8))
"""The local time of the region: Asia/Shanghai, which knows no summer time."""

_CLOSE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('lingqu.ledger.day', 0))"


class DayNotOver(errors.Conflict):
    """A day is closed after it ended."""

    code = "ledger.day.not_over"


class DayAlreadyClosed(errors.Conflict):
    """The day, or a later one, is closed already."""

    code = "ledger.day.already_closed"


class BadDay(errors.Rejected):
    """The text is not a day in the form 2026-03-02."""

    code = "ledger.day.bad"


class DayNotFound(errors.NotFound):
    """The day is not closed."""

    code = "ledger.day.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClose:
    """A closed day in one currency: what moved on it, and the digest of all balances at its end.

    `turnover` is the sum of what was posted, as a decimal integer in text: it may be larger than
    any one amount. `accounts` counts those that hold or reserve something.
    """

    id: str
    day: date
    currency: str
    accounts: int
    transfers: int
    turnover: str
    digest: str
    closed_at: Instant
    version: int = 1


CLOSES = trust.Table("ledger.day_close", DayClose, not_found=DayNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWasClosed(trust.Fact):
    """A day of the books was closed, with the digest of the balances of each currency."""

    kind = "ledger.day.closed"
    day: date
    currencies: tuple[str, ...]
    digests: tuple[str, ...]


def parse_day(text: str) -> date:
    """This will read a day (`2026-03-02`). Raises BadDay."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadDay(text=text[:40]) from None


def local_day(at: Instant) -> date:
    """This will give the day of the region that an instant lies in."""
    return at.astimezone(REGION).date()


_MOVED = """
    SELECT a.currency, count(*) AS transfers, sum(
        CASE WHEN t.phase IN ('posted', 'post') THEN t.amount ELSE 0 END)::text AS turnover
    FROM ledger.transfer t JOIN ledger.balance a ON a.account = t.debit
    WHERE t.verdict = 'accepted' AND t.day > %s AND t.day <= %s
    GROUP BY a.currency
"""
_AS_OF = """
    WITH later AS (
        SELECT t.debit, t.credit,
               CASE WHEN t.phase IN ('posted', 'post') THEN t.amount ELSE 0 END AS moved,
               CASE t.phase WHEN 'pending' THEN t.amount WHEN 'posted' THEN 0 ELSE -p.amount
               END AS reserved
        FROM ledger.transfer t LEFT JOIN ledger.transfer p ON p.id = t.pending
        WHERE t.verdict = 'accepted' AND t.day > %s
    ), undone AS (
        SELECT account, sum(posted) AS posted, sum(pending_out) AS pending_out,
               sum(pending_in) AS pending_in
        FROM (SELECT debit AS account, -moved AS posted, reserved AS pending_out, 0 AS pending_in
              FROM later
              UNION ALL SELECT credit, moved, 0, reserved FROM later) AS both_sides
        GROUP BY account
    )
    SELECT b.account, (b.posted - coalesce(u.posted, 0))::text AS posted,
           (b.pending_out - coalesce(u.pending_out, 0))::text AS pending_out,
           (b.pending_in - coalesce(u.pending_in, 0))::text AS pending_in
    FROM ledger.balance b LEFT JOIN undone u ON u.account = b.account
    WHERE b.currency = %s
      AND (b.posted <> coalesce(u.posted, 0) OR b.pending_out <> coalesce(u.pending_out, 0)
           OR b.pending_in <> coalesce(u.pending_in, 0))
    ORDER BY b.account COLLATE "C"
"""


@trust.command("ledger.day.close")
def close_day(tx: Tx, *, day: date) -> tuple[DayClose, ...]:
    """This will close a day, and with it every day before, and give a snapshot per currency.

    Waits for postings that are under way. Raises DayNotOver, DayAlreadyClosed.
    """
    trust.authorize(tx, trust.Action.END, trust.Kind.LEDGER_DAY)
    tx.execute(_CLOSE_LOCK)
    if day >= local_day(tx.now):
        raise DayNotOver(day=day.isoformat())
    last = latest_close(tx)
    if last is not None and day <= last:
        raise DayAlreadyClosed(day=day.isoformat(), last=last.isoformat())
    rows = tx.all(_MOVED, (last or date.min, day))
    moved = {row["currency"]: row for row in rows}
    closes = []
    for currency in sorted(one.id for one in find_currencies(tx)):
        accounts, digest = digest_balances(tx, day=day, currency=currency)
        figures = moved.get(currency, {"transfers": 0, "turnover": "0"})
        closes.append(
            DayClose(
                id=f"{day.isoformat()}/{currency}",
                day=day,
                currency=currency,
                accounts=accounts,
                transfers=figures["transfers"],
                turnover=figures["turnover"],
                digest=digest,
                closed_at=tx.now,
            )
        )
    CLOSES.insert_many(tx, closes)
    trust.record(
        tx,
        DayWasClosed(
            day=day,
            currencies=tuple(one.currency for one in closes),
            digests=tuple(one.digest for one in closes),
        ),
    )
    return tuple(closes)


def digest_balances(tx: Tx, *, day: date, currency: str) -> tuple[int, str]:
    """This will count and digest what every account of a currency held at the end of a day.

    SHA-256 over a line `account posted pending_out pending_in` for each account that held or
    reserved something, in the order of their ids.
    """
    digest, count = hashlib.sha256(), 0
    for line in _lines(tx, day, currency):
        digest.update(line.encode())
        count += 1
    return count, digest.hexdigest()


def latest_close(tx: Tx) -> date | None:
    """This will give the last day that is closed."""
    found: date | None = tx.one("SELECT max(day) AS day FROM ledger.day_close")["day"]
    return found


def find_last_closes(tx: Tx) -> tuple[DayClose, ...]:
    """This will give the figures of the last closed day, for the audit; none where none is."""
    return CLOSES.find(tx, "WHERE day = %s ORDER BY currency", (latest_close(tx),))


def find_closes(tx: Tx, *, day: date | None = None) -> tuple[DayClose, ...]:
    """This will give the closing figures of a day, or of the last closed one. Raises DayNotFound.

    Open to whoever may see all accounts.
    """
    wanted = day or latest_close(tx)
    found = CLOSES.find(tx, "WHERE day = %s ORDER BY currency", (wanted,))
    if not found or not trust.is_allowed(tx, trust.Action.READ, trust.Kind.LEDGER_DAY):
        raise DayNotFound(day="" if wanted is None else wanted.isoformat())
    return found


def _lines(tx: Tx, day: date, currency: str) -> Iterator[str]:
    for row in tx.stream(_AS_OF, (day, currency)):
        yield f"{row['account']} {row['posted']} {row['pending_out']} {row['pending_in']}\n"
