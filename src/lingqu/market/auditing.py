# SPDX-License-Identifier: Apache-2.0
"""What every audit computes again here: the words of the catalog, and what each contract freezes.

For a contract in force the ledger's open reservation is what the contract says it holds, and that
together with everything drawn so far is never less than its deposit: a buyer may freeze more. And
no contract came into force that not both sides had signed by the same digest.
"""

from __future__ import annotations

from collections.abc import Iterator

from lingqu import trust
from lingqu.market.listings import words_of
from lingqu.runtime import Tx

_FROZEN = """
    WITH drawn AS (
        SELECT t.credit AS account, sum(t.amount)::bigint AS amount
        FROM ledger.transfer t JOIN market.contract c ON c.charged = t.credit
        WHERE t.phase IN ('post', 'posted') AND t.verdict = 'accepted' GROUP BY t.credit
    )
    SELECT c.id, c.deposit, c.held_minor, coalesce(d.amount, 0) AS drawn,
           coalesce(h.amount, 0) AS reserved
    FROM market.contract c
    LEFT JOIN drawn d ON d.account = c.charged
    LEFT JOIN ledger.transfer h ON h.id = c.held AND h.phase = 'pending' AND h.verdict = 'accepted'
        AND NOT EXISTS (SELECT FROM ledger.transfer s
                        WHERE s.pending = h.id AND s.verdict = 'accepted')
    WHERE c.state = 'performing' ORDER BY c.id
"""
_WORDS = """
    SELECT l.id, l.title, l.summary, w.words FROM market.listing l
    LEFT JOIN market.listing_words w ON w.listing = l.id
    WHERE l.state IN ('listed', 'suspended') ORDER BY l.id
"""
_UNSIGNED = """
    SELECT c.id, c.digest, count(s.id)::int AS signed FROM market.contract c
    LEFT JOIN market.signature s ON s.contract = c.id AND s.digest = c.digest
        AND s.party IN (c.seller, c.buyer)
    WHERE c.finalized_at IS NOT NULL GROUP BY c.id, c.digest HAVING count(s.id) <> 2 ORDER BY c.id
"""


def audit_market(tx: Tx) -> Iterator[tuple[str, str, str, str]]:
    """This will give each figure that is not what it should be: place, key, expected, found."""
    for row in tx.all(_FROZEN):
        if row["reserved"] != row["held_minor"]:
            yield "market.contract", row["id"], str(row["held_minor"]), str(row["reserved"])
        if row["held_minor"] + row["drawn"] < row["deposit"]:
            found = str(row["held_minor"] + row["drawn"])
            yield "market.contract", row["id"], str(row["deposit"]), found
    for row in tx.all(_UNSIGNED):
        yield "market.signature", row["id"], "2", str(row["signed"])
    for row in tx.all(_WORDS):
        expected = words_of(f"{row['title']} {row['summary']}")
        if row["words"] is None or tuple(row["words"]) != expected:
            yield "market.listing_words", row["id"], str(len(expected)), str(row["words"])[:200]


trust.declare(trust.AuditClass.OPERATIONAL, "market.listing_words", auditor=audit_market)
