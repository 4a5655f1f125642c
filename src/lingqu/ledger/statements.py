# SPDX-License-Identifier: Apache-2.0
"""What the books show: the statement of an account, and the trial balance of every currency.

Where an account's transfers stand is noted once a posting, by account: a block of numbers and the
places in it. Two indexes over the transfers would say the same and cost half of the time the
database needs to store them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count

from lingqu import trust
from lingqu.kernel.paging import BadPage, Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_row
from lingqu.ledger.accounts import LedgerAccountId, get_account
from lingqu.ledger.rules import Piece
from lingqu.ledger.transfers import Outcome, Phase, TransferId
from lingqu.runtime import Tx
from lingqu.runtime.looking import Look, Looked, Shelf


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


BLOCK = 8192
"""How many numbers a posting takes; the sequence of the schema goes up by as much."""
_ACCEPTED = Outcome.ACCEPTED.value

_WRITE_PLACES = "COPY ledger.statement (account, block, places) FROM STDIN"
_LINES = """
    WITH block AS MATERIALIZED (
        SELECT block, places FROM ledger.statement
        WHERE account = %(account)s AND block >= %(block)s ORDER BY block LIMIT %(limit)s + 1
    ), line AS MATERIALIZED (
        SELECT block * 8192 + place AS number
        FROM block, unnest(CASE WHEN block = %(block)s THEN places
                                ELSE places[1:%(limit)s] END) AS place
        WHERE block > %(block)s OR place > %(place)s ORDER BY number LIMIT %(limit)s
    )
    SELECT t.*, t.credit = %(account)s AS incoming
    FROM line JOIN ledger.transfer t USING (number) ORDER BY number
"""
_WRONG_PLACES = """
    WITH expected AS (
        SELECT account, number / 8192 AS block,
               array_agg(mod(number, 8192)::smallint ORDER BY number) AS places
        FROM (SELECT debit AS account, number FROM ledger.transfer WHERE verdict = 'accepted'
              UNION ALL
              SELECT credit, number FROM ledger.transfer WHERE verdict = 'accepted') AS side
        GROUP BY account, number / 8192
    )
    SELECT account, block, e.places::text AS expected, s.places::text AS found
    FROM expected e FULL JOIN ledger.statement s USING (account, block)
    WHERE e.places IS DISTINCT FROM s.places ORDER BY account, block
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
    block, place = divmod(int(after[:18]), BLOCK)
    wanted = {"account": account, "block": block, "place": place, "limit": page.size + 1}
    rows = tx.all(_LINES, wanted)
    lines = tuple(_line(row) for row in rows[: page.size])
    return Page(items=lines, next=cursor(str(lines[-1].number)) if len(rows) > page.size else None)


_STATEMENT = Shelf(
    select="t.*, t.credit = %(account)s AS incoming",
    source=(
        "(SELECT block * 8192 + place AS number FROM ledger.statement, unnest(places) AS place"
        " WHERE account = %(account)s) AS line JOIN ledger.transfer t USING (number) WHERE true"
    ),
    columns={
        "day": "t.day",
        "kind": "t.kind",
        "reference": "t.reference",
        "phase": "t.phase",
        "other": "CASE WHEN t.credit = %(account)s THEN t.debit ELSE t.credit END",
        "amount": "t.amount",
        "moved": (
            "CASE WHEN t.phase NOT IN ('posted', 'post') THEN 0"
            " WHEN t.credit = %(account)s THEN t.amount ELSE -t.amount END"
        ),
        "balance": "CASE WHEN t.credit = %(account)s THEN t.credit_after ELSE t.debit_after END",
    },
    newest=("number",),
)


def look_through_transfers(
    tx: Tx, *, account: LedgerAccountId, look: Look
) -> Looked[StatementLine]:
    """This will look through the statement of an account the caller may see, newest line first.

    Columns: day, kind, reference, phase, other, amount, moved, balance. Raises AccountUnknown.
    """
    get_account(tx, account)
    found = _STATEMENT.look(tx, look, account=account)
    return Looked(items=tuple(_line(row) for row in found.items), total=found.total)


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


def note_places(places: dict[str, list[int]], decided: Piece, first: int) -> None:
    """This will note for each account where its accepted transfers stand in the block."""
    for place, transfer, outcome in zip(
        count(first), decided.transfers, decided.outcomes, strict=False
    ):
        if outcome == _ACCEPTED:
            places[transfer[1]].append(place)
            places[transfer[2]].append(place)


def write_places(tx: Tx, number: int, places: Mapping[str, Sequence[int]]) -> None:
    """This will keep what was noted for the block of numbers that begins with `number`."""
    if places:
        block = number // BLOCK
        lines = [f"{one}\t{block}\t{{{','.join(map(str, at))}}}\n" for one, at in places.items()]
        tx.copy_text(_WRITE_PLACES, ("".join(lines),))


def audit_places(tx: Tx) -> Iterator[tuple[str, str, str, str]]:
    """This will find where a statement would not show what was transferred."""
    for row in tx.all(_WRONG_PLACES):
        key = f"{row['account']} {row['block']}"
        yield ("ledger.statement", key, row["expected"] or "", row["found"] or "")


trust.declare(trust.AuditClass.OPERATIONAL, "ledger.statement", auditor=audit_places)


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
