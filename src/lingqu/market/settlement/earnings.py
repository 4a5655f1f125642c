# SPDX-License-Identifier: Apache-2.0
"""What contracts earned and nobody has received yet, as whoever shares it out must know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from lingqu import ledger, trust
from lingqu.kernel.values import from_row
from lingqu.market.contracts import ContractId
from lingqu.market.listings import ListingId
from lingqu.market.settlement.tallies import TALLIES
from lingqu.runtime import Tx

_EARNED = """
    SELECT t.contract, c.listing, c.charged AS account, t.refunds, t.refunded, t.made_up,
           t.posted - t.made_up - t.distributed - coalesce(b.later, 0) - coalesce(l.later, 0)
               AS waiting
    FROM market.tally t JOIN market.contract c ON c.id = t.contract
    LEFT JOIN LATERAL (SELECT sum(posted)::bigint AS later FROM market.charge_batch
                       WHERE contract = t.contract AND day > %(day)s) b ON true
    LEFT JOIN LATERAL (SELECT sum(amount)::bigint AS later FROM market.late_payment
                       WHERE contract = t.contract AND day > %(day)s) l ON true
    WHERE c.venue = %(venue)s AND t.posted > t.made_up + t.distributed
    ORDER BY t.contract FOR UPDATE OF t
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What a contract earned with the uses up to a day and waits in `account`, in fen.

    So much of `refunds`, the account its buyer was given back from, must be made up first.
    """

    contract: ContractId
    listing: ListingId
    account: ledger.LedgerAccountId
    refunds: ledger.LedgerAccountId | None
    waiting: int
    to_make_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What became of it: `made_up` went to its refunds, `amount` to whom it belongs."""

    contract: ContractId
    made_up: int
    amount: int


def lock_earned(tx: Tx, *, venue: trust.PartyId, day: date) -> tuple[Earned, ...]:
    """This will lock what contracts of a venue earned up to a day, for the command that shares it.

    What was given back until now is made up, also where that was after the day.
    """
    found = []
    for row in tx.all(_EARNED, {"venue": venue, "day": day}):
        refunded, made_up = row.pop("refunded"), row.pop("made_up")
        row["waiting"] = max(0, row["waiting"])
        found.append(
            from_row(Earned, row | {"to_make_up": min(row["waiting"], refunded - made_up)})
        )
    return tuple(found)


def note_shared(tx: Tx, *, shared: Sequence[Shared]) -> None:
    """This will note in the tallies, locked before, what was made up and shared out."""
    by_contract = {one.contract: one for one in shared}
    held = TALLIES.find(tx, "WHERE contract = ANY(%s)", (list(by_contract),))
    changed = [
        replace(
            one,
            made_up=one.made_up + by_contract[one.contract].made_up,
            distributed=one.distributed + by_contract[one.contract].amount,
            version=one.version + 1,
        )
        for one in held
    ]
    TALLIES.update_many(tx, changed)
