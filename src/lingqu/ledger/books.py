# SPDX-License-Identifier: Apache-2.0
"""The audit of the books: every figure that is kept, computed again from the transfers."""

from __future__ import annotations

from collections.abc import Iterator

from lingqu import trust
from lingqu.ledger.days import digest_balances, find_last_closes
from lingqu.runtime import Tx

_BALANCES = """
    WITH effect AS (
        SELECT t.debit, t.credit,
               CASE WHEN t.phase IN ('posted', 'post') THEN t.amount ELSE 0 END AS moved,
               CASE t.phase WHEN 'pending' THEN t.amount WHEN 'posted' THEN 0
                    ELSE -coalesce(p.amount, 0) END AS reserved
        FROM ledger.transfer t LEFT JOIN ledger.transfer p ON p.id = t.pending
        WHERE t.verdict = 'accepted'
    ), held AS (
        SELECT account, sum(posted) AS posted, sum(pending_out) AS pending_out,
               sum(pending_in) AS pending_in
        FROM (SELECT debit AS account, -moved AS posted, reserved AS pending_out, 0 AS pending_in
              FROM effect
              UNION ALL SELECT credit, moved, 0, reserved FROM effect) AS both_sides
        GROUP BY account
    ), expected AS (
        SELECT coalesce(a.id, h.account) AS account, a.currency,
               coalesce(a.floor, -9007199254740991) AS floor,
               coalesce(a.ceiling, 9007199254740991) AS ceiling, a.hot,
               a.closed_at IS NULL AS open, coalesce(h.posted, 0) AS posted,
               coalesce(h.pending_out, 0) AS pending_out, coalesce(h.pending_in, 0) AS pending_in
        FROM ledger.account a FULL JOIN held h ON h.account = a.id
    ), compared AS (
        SELECT coalesce(e.account, b.account) AS account,
               concat_ws(' ', e.currency, e.floor, e.ceiling, e.hot, e.open, e.posted,
                         e.pending_out, e.pending_in) AS expected,
               concat_ws(' ', b.currency, b.floor, b.ceiling, b.hot, b.open, b.posted,
                         b.pending_out, b.pending_in) AS found
        FROM expected e FULL JOIN ledger.balance b ON b.account = e.account
    )
    SELECT account, expected, found FROM compared WHERE expected <> found ORDER BY account
"""
_AFTERS = """
    WITH side AS (
        SELECT number, id, debit AS account, debit_after AS after,
               CASE WHEN phase IN ('posted', 'post') THEN -amount ELSE 0 END AS moved
        FROM ledger.transfer WHERE verdict = 'accepted'
        UNION ALL
        SELECT number, id, credit, credit_after,
               CASE WHEN phase IN ('posted', 'post') THEN amount ELSE 0 END
        FROM ledger.transfer WHERE verdict = 'accepted'
    )
    SELECT id, account, total::text AS expected, after::text AS found
    FROM (SELECT *, sum(moved) OVER (PARTITION BY account ORDER BY number) AS total FROM side) AS r
    WHERE total <> after ORDER BY number
"""
_SUMS = """
    SELECT currency, sum(posted)::text AS posted, sum(pending_in - pending_out)::text AS reserved
    FROM ledger.balance GROUP BY currency
    HAVING sum(posted) <> 0 OR sum(pending_in - pending_out) <> 0 ORDER BY currency
"""


def audit_books(tx: Tx) -> Iterator[tuple[str, str, str, str]]:
    """This will find balances, running balances, sums and closed days that are not as they were.

    Each as its place, its key, what it should be, and what it is.
    """
    for row in tx.all(_BALANCES):
        yield ("ledger.balance", row["account"], row["expected"], row["found"])
    for row in tx.all(_AFTERS):
        key = f"{row['id']} {row['account']}"
        yield ("ledger.transfer", key, row["expected"], row["found"])
    for row in tx.all(_SUMS):
        yield ("ledger.balance", row["currency"], "0 0", f"{row['posted']} {row['reserved']}")
    for one in find_last_closes(tx):
        accounts, digest = digest_balances(tx, day=one.day, currency=one.currency)
        expected, found = f"{accounts} {digest}", f"{one.accounts} {one.digest}"
        if expected != found:
            yield ("ledger.day_close", one.id, expected, found)


trust.declare(trust.AuditClass.OPERATIONAL, "ledger.balance", auditor=audit_books)
