# SPDX-License-Identifier: Apache-2.0
"""The two ways transfers get into the books, with one rule set (`rules`) behind both.

`post_transfers` posts inside another command and raises where something is refused: for
reservations, quotas and whatever must stand or fall with that command. It never touches accounts
that are marked `hot` (treasury, fees), because it would hold them until the command ends.
`queue_transfers` only queues, and `post_batch` takes up to 8,190 queued transfers in their order
and decides them in one transaction, each with a verdict: for charges and metering.

Both lock the accounts they touch in the order of their ids before they read anything, decide in
memory, and write the transfers with one COPY and the balances with one UPDATE. Every set that is
written is a Merkle batch whose root is in the fact. A refusal that is *raised* undoes everything,
so that nothing is kept of it; a refusal that is *given* (`submit_transfers`, `post_batch`) is kept
with the transfer, and a repetition gets the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.time import format_instant
from lingqu.ledger.accounts import may_read
from lingqu.ledger.days import local_day
from lingqu.ledger.rules import Books, Decision, Piece, Reservation, Standing, decide_pieces
from lingqu.ledger.statements import note_places, write_places
from lingqu.ledger.transfers import (
    BATCH_MAX,
    REFUSALS,
    HotAccount,
    Outcome,
    Plain,
    Transfer,
    TransferBatchId,
    TransferId,
    TransferUnknown,
    Verdict,
    plain_rows,
)
from lingqu.runtime import Row, Tx, new_id

TRANSFERS = trust.BatchTable(
    "ledger.transfer",
    (
        "number", "id", "debit", "credit", "amount", "kind", "phase", "pending", "linked",
        "reference", "day", "at", "verdict", "debit_after", "credit_after",
    ),
)  # fmt: skip
trust.declare(trust.AuditClass.OPERATIONAL, "ledger.queue")

DAY_LOCK = "SELECT pg_advisory_xact_lock_shared(hashtextextended('lingqu.ledger.day', 0))"
"""Held by every posting, so that a day is not closed under it."""
_QUEUE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('lingqu.ledger.queue', 0))"
_LOCK_ACCOUNTS = """
    SELECT account, currency, floor, ceiling, hot, open, posted, pending_out, pending_in
    FROM ledger.balance WHERE account = ANY(%s) ORDER BY account FOR UPDATE
"""
_PLAIN = "id, debit, credit, amount, kind, phase, pending, linked, reference, day::text AS day"
_SELECT_KNOWN = f"SELECT {_PLAIN}, verdict FROM ledger.transfer WHERE id = ANY(%s)"  # noqa: S608  # constant columns
_FEW, _NEAR = 100, 1000
_SELECT_NEAR = "SELECT id FROM ledger.transfer WHERE id BETWEEN %s AND %s LIMIT 1000"
"""Ids grow with time: a large batch is newer than nearly all before it, and one look says so."""
_SELECT_RESERVED = """
    SELECT t.id, t.debit, t.credit, t.amount, t.day::text AS day,
           EXISTS (SELECT FROM ledger.transfer s
                   WHERE s.pending = t.id AND s.verdict = 'accepted') AS settled
    FROM ledger.transfer t
    WHERE t.id = ANY(%s) AND t.phase = 'pending' AND t.verdict = 'accepted'
"""
_SELECT_STATE = """
    SELECT coalesce(max(day)::text, '') AS closed, nextval('ledger.transfer_number') AS number
    FROM ledger.day_close
"""
_UPDATE_BALANCES = """
    UPDATE ledger.balance b
    SET posted = n.posted, pending_out = n.pending_out, pending_in = n.pending_in
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
         AS n (account, posted, pending_out, pending_in)
    WHERE b.account = n.account
"""
_QUEUE = "INSERT INTO ledger.queue (count, body, queued_at) VALUES (%s, %s, %s)"
_TAKE = """
    SELECT place, count, body FROM (
        SELECT place, count, body, sum(count) OVER (ORDER BY place) AS total
        FROM (SELECT place, body, count FROM ledger.queue ORDER BY place LIMIT %s) AS first
    ) AS counted WHERE total <= %s ORDER BY place
"""
_DROP = "DELETE FROM ledger.queue WHERE place = ANY(%s)"
_ACCEPTED, _REUSED = Outcome.ACCEPTED.value, Outcome.ID_REUSED.value


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfersPosted(trust.Fact):
    """Transfers were decided together; each row of the batch says how."""

    kind = "ledger.transfer.posted"
    batch: trust.BatchTable.Root
    accepted: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfersQueued(trust.Fact):
    """Transfers were handed in for a later batch."""

    kind = "ledger.transfer.queued"
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What one batch did. `repeated` were decided before, `reused` carry another's id."""

    batch: TransferBatchId
    accepted: int
    refused: int
    repeated: int
    reused: int


def post_transfers(tx: Tx, *, transfers: Sequence[Transfer]) -> tuple[Verdict, ...]:
    """This will post transfers inside another command, or raise and so undo that command.

    The command answers for the right to do so, and every transfer must be accepted. Two round
    trips and one fact, however many there are. Raises BadSubmission, HotAccount, and for the first
    that is refused what REFUSALS says, also where it was refused before.
    """
    decided = _decide_now(tx, transfers)
    for one in decided:
        if one.outcome not in {_ACCEPTED, Outcome.LINKED_REFUSED.value}:
            raise _refusal(one)
    for one in decided:
        if one.outcome != _ACCEPTED:
            raise _refusal(one)
    return _verdicts(decided)


@trust.command("ledger.transfer.submit")
def submit_transfers(tx: Tx, *, transfers: tuple[Transfer, ...]) -> tuple[Verdict, ...]:
    """This will post transfers at once and give a verdict for each, which is kept for ever.

    Raises BadSubmission, HotAccount.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LEDGER_TRANSFER)
    decided = _decide_now(tx, transfers, always=True)
    return _verdicts(decided)


def queue_transfers(tx: Tx, *, transfers: Sequence[Transfer]) -> None:
    """This will queue transfers inside another command, behind all that are queued.

    The command answers for the right to do so. They are decided by a later batch: one submission
    is never parted, its order is kept. Raises BadSubmission.
    """
    rows = plain_rows(transfers)
    tx.later(_QUEUE, (len(rows), _write_body(rows), tx.now))


@trust.command("ledger.transfer.queue")
def hand_in_transfers(tx: Tx, *, transfers: tuple[Transfer, ...]) -> int:
    """This will queue transfers for the next batch and give how many. Raises BadSubmission."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LEDGER_TRANSFER)
    queue_transfers(tx, transfers=transfers)
    trust.record(tx, TransfersQueued(count=len(transfers)))
    return len(transfers)


@trust.command("ledger.batch.post")
def post_batch(tx: Tx) -> BatchResult:
    """This will decide the transfers that wait longest, up to 8,190, in the order of the queue.

    Submissions stay whole. An empty queue gives an empty batch.
    """
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.LEDGER_TRANSFER)
    tx.execute(_QUEUE_LOCK)
    taken = tx.all(_TAKE, (BATCH_MAX, BATCH_MAX))
    submissions = [_read_body(row["body"], row["count"]) for row in taken]
    decided, batch = _post(tx, submissions, in_command=False)
    if taken:
        tx.later(_DROP, ([row["place"] for row in taken],))
    accepted = sum(one.only_new().outcomes.count(_ACCEPTED) for one in decided)
    reused = sum(one.outcomes.count(_REUSED) for one in decided)
    refused = batch.count - accepted
    trust.record(tx, TransfersPosted(batch=batch, accepted=accepted, refused=refused))
    return BatchResult(
        batch=TransferBatchId(batch.id),
        accepted=accepted,
        refused=refused,
        repeated=sum(len(one.new) for one in decided) - batch.count - reused,
        reused=reused,
    )


def count_queued(tx: Tx) -> int:
    """This will count the transfers that wait for a batch."""
    found: int = tx.one("SELECT coalesce(sum(count), 0)::bigint AS n FROM ledger.queue")["n"]
    return found


def find_verdicts(tx: Tx, *, transfers: Sequence[Transfer]) -> tuple[Verdict | None, ...]:
    """This will give the verdict of each transfer, None where it was not decided yet.

    A transfer whose id stands for another one gets ID_REUSED. For a package that handed them in.
    """
    rows = tx.all(_SELECT_KNOWN, ([one.id for one in transfers],))
    known = {row["id"]: _known(row) for row in rows}
    found: list[Verdict | None] = []
    for one in transfers:
        decided = known.get(one.id)
        outcome = None if decided is None else Outcome(decided.outcome)
        if decided is not None and not _is_same(decided, one):
            outcome = Outcome.ID_REUSED
        found.append(None if outcome is None else Verdict(transfer=one.id, outcome=outcome))
    return tuple(found)


def get_verdict(tx: Tx, transfer: TransferId) -> Verdict:
    """This will give the verdict on a transfer of an account the caller may see.

    Raises TransferUnknown.
    """
    sql = "SELECT t.verdict, a.owner FROM ledger.transfer t LEFT JOIN ledger.account a"
    rows = tx.all(f"{sql} ON a.id IN (t.debit, t.credit) WHERE t.id = %s", (transfer,))
    if not any(may_read(tx, row["owner"] or "") for row in rows):
        raise TransferUnknown(id=transfer)
    return Verdict(transfer=transfer, outcome=Outcome(rows[0]["verdict"]))


def _decide_now(tx: Tx, transfers: Sequence[Transfer], *, always: bool = False) -> list[Decision]:
    rows = plain_rows(transfers)
    pieces, batch = _post(tx, [rows], in_command=True)
    decided = [one for piece in pieces for one in piece.decisions()]
    accepted = sum(one.new and one.outcome == _ACCEPTED for one in decided)
    if batch.count or always:
        refused = batch.count - accepted
        trust.record(tx, TransfersPosted(batch=batch, accepted=accepted, refused=refused))
    return decided


def _write_body(rows: Sequence[Plain]) -> str:
    """A submission as the queue keeps it: in columns, one value where a column has only one."""
    columns = []
    for column in zip(*rows, strict=True):
        texts = canon.encode_scalars(column)
        alike = texts[0] == texts[-1] and texts.count(texts[0]) == len(texts)
        columns.append(texts[0] if alike else f"[{','.join(texts)}]")
    return f"[{','.join(columns)}]"


def _read_body(body: str, count: int) -> list[Plain]:
    columns = json.loads(body)
    full = [one if isinstance(one, list) else repeat(one, count) for one in columns]
    return [*zip(*full, strict=True)]


def _post(
    tx: Tx, submissions: Sequence[Sequence[Plain]], *, in_command: bool
) -> tuple[list[Piece], trust.BatchTable.Root]:
    """Lock, decide and write; gives every decision and the root of those that are new."""
    books, number = _read_books(tx, submissions, in_command=in_command)
    before = {
        account: (one.posted, one.pending_out, one.pending_in)
        for account, one in books.standings.items()
    }
    decided: list[Piece] = []
    places: dict[str, list[int]] = defaultdict(list)

    def pieces() -> Iterator[list[Sequence[object]]]:
        """Decide while the database stores what was decided before."""
        at, place = format_instant(tx.now), 0
        for submission in submissions:
            for piece in decide_pieces(books, submission):
                decided.append(piece)
                new = piece.only_new()
                count = len(new.new)
                yield [
                    [*range(number + place, number + place + count)],
                    *[*zip(*new.transfers, strict=True)][:9],
                    new.days,
                    [at] * count,
                    new.outcomes,
                    new.debit_afters,
                    new.credit_afters,
                ]
                note_places(places, new, place)
                place += count

    batch = TRANSFERS.append_pieces(tx, new_id(TransferBatchId), pieces())
    write_places(tx, number, places)
    moved = [
        (account, one.posted, one.pending_out, one.pending_in)
        for account, one in books.standings.items()
        if before[account] != (one.posted, one.pending_out, one.pending_in)
    ]
    assert not _imbalance(books, before), "what moves adds up to zero in every currency"
    if moved:
        columns = zip(*moved, strict=True)
        tx.later(_UPDATE_BALANCES, [f"{{{','.join(map(str, one))}}}" for one in columns])
    return decided, batch


def _read_books(
    tx: Tx, submissions: Sequence[Sequence[Plain]], *, in_command: bool
) -> tuple[Books, int]:
    """Lock every account in the order of ids, then read all that a decision depends on."""
    rows = [row for submission in submissions for row in submission]
    accounts = sorted({row[1] for row in rows} | {row[2] for row in rows})
    pendings = sorted({row[6] for row in rows if row[6] is not None})
    ids = [row[0] for row in rows]
    few = len(ids) <= _FEW
    _, held, known, reserved, (state,) = tx.together((
        (DAY_LOCK, ()),
        (_LOCK_ACCOUNTS, (accounts,)),
        (_SELECT_KNOWN, (ids,)) if few else (_SELECT_NEAR, (min(ids), max(ids))),
        (_SELECT_RESERVED, (pendings,)),
        (_SELECT_STATE, ()),
    ))  # fmt: skip
    if not few and (len(known) >= _NEAR or not {row["id"] for row in known}.isdisjoint(ids)):
        known = tx.all(_SELECT_KNOWN, (ids,))
    hot = next((row["account"] for row in held if row["hot"]), None)
    if in_command and hot is not None:
        raise HotAccount(account=hot)
    standings = {
        row["account"]: Standing(
            row["currency"],
            row["floor"],
            row["ceiling"],
            is_open=row["open"],
            posted=row["posted"],
            pending_out=row["pending_out"],
            pending_in=row["pending_in"],
        )
        for row in held
    }
    books = Books(
        today=local_day(tx.now).isoformat(),
        closed_through=state["closed"],
        standings=standings,
        reservations={
            row["id"]: Reservation(
                row["debit"], row["credit"], row["amount"], row["day"], row["settled"]
            )
            for row in reserved
        },
        known={row["id"]: _known(row) for row in known if "verdict" in row},
    )
    return books, state["number"]


def _known(row: Row) -> Decision:
    *plain, day, verdict = row.values()
    return Decision((*plain, day), day, verdict, None, None, new=False)


def _is_same(known: Decision, again: Transfer) -> bool:
    (plain,) = plain_rows((again,))
    return known.transfer[:9] == plain[:9] and plain[9] in {None, known.day}


def _imbalance(books: Books, before: dict[str, tuple[int, int, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for account, one in books.standings.items():
        posted, pending_out, pending_in = before[account]
        reserved = f"{one.currency} reserved"
        sums[one.currency] = sums.get(one.currency, 0) + one.posted - posted
        gained = one.pending_in - pending_in - (one.pending_out - pending_out)
        sums[reserved] = sums.get(reserved, 0) + gained
    return {name: value for name, value in sums.items() if value}


def _refusal(decided: Decision) -> errors.LingquError:
    transfer, debit, credit = decided.transfer[:3]
    outcome = Outcome(decided.outcome)
    account = credit if outcome is Outcome.CEILING_CROSSED else debit
    if outcome in {Outcome.ACCOUNT_UNKNOWN, Outcome.ACCOUNT_NOT_OPEN}:
        account = f"{debit} / {credit}"  # whichever of the two it is
    return REFUSALS[outcome](transfer=transfer, account=account, id=account)


def _verdicts(decided: Sequence[Decision]) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(transfer=TransferId(one.transfer[0]), outcome=Outcome(one.outcome))
        for one in decided
    )
