# SPDX-License-Identifier: Apache-2.0
"""What the books show: the statement of an account, and the trial balance of every currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lingqu import trust
from lingqu.kernel.paging import BadPage, Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_row
from lingqu.ledger.accounts import LedgerAccountId, get_account
from lingqu.ledger.transfers import Outcome, Phase, TransferId
from lingqu.runtime import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One accepted transfer as one of its accounts sees it.

    `moved` is what it added to what the account had posted (negative: what left; 0 for a
    reservation and its voiding), `balance` what was posted right after it.
    """

    number: int
    transfer: TransferId
    other: LedgerAccountId
    phase: Phase
    amount: int
    moved: int
    balance: int
    kind: str
    pending: TransferId | None
    group: str | None
    reference: str
    day: date
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A transfer as the ledger decided it."""

    transfer: TransferId
    debit: LedgerAccountId
    credit: LedgerAccountId
    amount: int
    kind: str
    phase: Phase
    pending: TransferId | None
    reference: str
    day: date
    at: Instant
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialLine:
    """The accounts of one kind and currency together; `holding` is above zero, `owing` below."""

    currency: str
    kind: str
    accounts: int
    holding: int
    owing: int
    pending_out: int
    pending_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """Every account by currency and kind. In each currency holding and owing add up to zero."""

    lines: tuple[TrialLine, ...]

    def total(self, currency: str) -> int:
        """The sum of all balances of a currency: zero, always."""
        return sum(one.holding + one.owing for one in self.lines if one.currency == currency)


_LINES = """
    SELECT * FROM (
        (SELECT *, false AS incoming FROM ledger.transfer
         WHERE debit = %(account)s AND verdict = 'accepted' AND number > %(after)s
         ORDER BY number LIMIT %(limit)s)
        UNION ALL
        (SELECT *, true FROM ledger.transfer
         WHERE credit = %(account)s AND verdict = 'accepted' AND number > %(after)s
         ORDER BY number LIMIT %(limit)s)
    ) AS both_sides ORDER BY number LIMIT %(limit)s
"""
_ENTRIES = """
    SELECT id AS transfer, debit, credit, amount, kind, phase, pending, reference, day, at,
           verdict AS outcome
    FROM ledger.transfer WHERE id = ANY(%s) ORDER BY number
"""
_TRIAL = """
    SELECT a.currency, a.kind, count(*) AS accounts,
           coalesce(sum(b.posted) FILTER (WHERE b.posted > 0), 0)::text AS holding,
           coalesce(sum(b.posted) FILTER (WHERE b.posted < 0), 0)::text AS owing,
           sum(b.pending_out)::text AS pending_out, sum(b.pending_in)::text AS pending_in
    FROM ledger.account a JOIN ledger.balance b ON b.account = a.id
    GROUP BY a.currency, a.kind ORDER BY a.currency, a.kind
"""


def find_transfers(tx: Tx, *, account: LedgerAccountId, page: PageRequest) -> Page[StatementLine]:
    """This will give the statement of an account the caller may see, oldest line first.

    Raises AccountUnknown, BadPage.
    """
    get_account(tx, account)
    after = page.key or "-1"
    if not after.removeprefix("-").isascii() or not after.removeprefix("-").isdigit():
        raise BadPage(size=page.size)
    rows = tx.all(_LINES, {"account": account, "after": int(after[:18]), "limit": page.size + 1})
    lines = tuple(_line(row) for row in rows[: page.size])
    return Page(items=lines, next=cursor(str(lines[-1].number)) if len(rows) > page.size else None)


def find_entries(tx: Tx, *, transfers: Sequence[TransferId]) -> tuple[Entry, ...]:
    """This will read decided transfers for a package that answers for the right to know them.

    In the order in which they were decided; one that was not decided is left out.
    """
    return tuple(from_row(Entry, row) for row in tx.all(_ENTRIES, (list(transfers),)))


def trial_balance(tx: Tx) -> TrialBalance:
    """This will add up all accounts by currency and kind, for whoever may see all of them.

    Raises AccessDenied.
    """
    trust.authorize(tx, trust.Action.READ, trust.Kind.LEDGER_ACCOUNT)
    lines = tuple(
        TrialLine(
            currency=row["currency"],
            kind=row["kind"],
            accounts=row["accounts"],
            holding=int(row["holding"]),
            owing=int(row["owing"]),
            pending_out=int(row["pending_out"]),
            pending_in=int(row["pending_in"]),
        )
        for row in tx.all(_TRIAL)
    )
    made = TrialBalance(lines=lines)
    for currency in {one.currency for one in lines}:
        assert made.total(currency) == 0, f"the balances of {currency} add up to zero"
    return made


def _line(row: dict[str, object]) -> StatementLine:
    incoming, amount, phase = bool(row["incoming"]), row["amount"], Phase(row["phase"])
    assert isinstance(amount, int)
    moved = amount if phase in {Phase.POSTED, Phase.POST} else 0
    found: dict[str, object] = {
        "number": row["number"],
        "transfer": TransferId(str(row["id"])),
        "other": LedgerAccountId(str(row["debit" if incoming else "credit"])),
        "phase": phase,
        "amount": amount,
        "moved": moved if incoming else -moved,
        "balance": row["credit_after" if incoming else "debit_after"],
        "kind": row["kind"],
        "pending": None if row["pending"] is None else TransferId(str(row["pending"])),
        "group": row["linked"],
        "reference": row["reference"],
        "day": row["day"],
        "at": row["at"],
    }
    return StatementLine(**found)  # type: ignore[arg-type]  # the columns are of these types
