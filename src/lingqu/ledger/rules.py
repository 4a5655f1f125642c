# SPDX-License-Identifier: Apache-2.0
"""The one rule set of both posting paths: what each transfer, in its order, may do to the books.

`decide` is pure. It is given the books as they stand under lock and folds the transfers over them
one group after another, so that the outcome of a batch *is* the outcome of posting one by one: a
refused group leaves its room to those behind it, a reservation made earlier in the batch can be
settled later in it, and an id that comes twice gets one verdict.

Two figures of an account are bound: `posted - pending_out` by the floor, `posted + pending_in` by
the ceiling. A debit or a reservation to leave lowers the first, a credit or a reservation to come
raises the second. Settling a reservation of `p` by posting `b <= p` raises the debtor's first
figure by `p - b` and lowers the creditor's second by as much, and voiding is the case `b = 0`; so
only POSTED and PENDING can press on a limit, and a limit that held before needs to be checked on
the debtor's floor and the creditor's ceiling alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, islice
from typing import Any, NamedTuple

from lingqu.ledger.transfers import Outcome, Phase, Plain

_ACCEPTED = Outcome.ACCEPTED.value
_FLOOR = Outcome.FLOOR_CROSSED.value
_CEILING = Outcome.CEILING_CROSSED.value
_LINKED = Outcome.LINKED_REFUSED.value
_REUSED = Outcome.ID_REUSED.value
_POSTED, _PENDING, _POST, _VOID = (phase.value for phase in Phase)
_MOVING = (_POSTED, _POST)


class Standing:
    """What an account holds while a batch is decided."""

    __slots__ = ("ceiling", "currency", "floor", "open", "pending_in", "pending_out", "posted")

    def __init__(
        self,
        currency: str,
        floor: int,
        ceiling: int,
        *,
        is_open: bool = True,
        posted: int = 0,
        pending_out: int = 0,
        pending_in: int = 0,
    ) -> None:
        """Take the figures as they are under lock."""
        self.currency = currency
        self.floor = floor
        self.ceiling = ceiling
        self.open = is_open
        self.posted = posted
        self.pending_out = pending_out
        self.pending_in = pending_in


@dataclass(slots=True)
class Reservation:
    """An accepted PENDING transfer, and whether it was settled."""

    debit: str
    credit: str
    amount: int
    day: str
    settled: bool = False


class Decision(NamedTuple):
    """What became of one transfer; `new` where it is to be written. `day` is when it is booked."""

    transfer: Plain
    day: str
    outcome: str
    debit_after: int | None
    credit_after: int | None
    new: bool


@dataclass(slots=True)
class Books:
    """What a decision needs to know; `decide` moves it on.

    A transfer that was accepted plainly in this batch is `known` by itself, any other by the
    decision on it.
    """

    today: str
    closed_through: str
    standings: dict[str, Standing]
    reservations: dict[str, Reservation] = field(default_factory=dict)
    known: dict[str, Decision | Plain] = field(default_factory=dict)


PIECE = 1000
"""How many decisions are given at once, give or take a group."""


@dataclass(slots=True)
class Piece:
    """Decisions in columns: nearly all are alike, and thousands of them need no object each."""

    transfers: list[Plain] = field(default_factory=list)
    days: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    debit_afters: list[int | None] = field(default_factory=list)
    credit_afters: list[int | None] = field(default_factory=list)
    new: list[bool] = field(default_factory=list)

    def columns(self) -> tuple[list[Any], ...]:
        """This will give the columns in the order of a decision's fields."""
        afters = self.debit_afters, self.credit_afters
        return self.transfers, self.days, self.outcomes, *afters, self.new

    def decisions(self) -> list[Decision]:
        """This will give each decision as a value of its own."""
        return [Decision(*one) for one in zip(*self.columns(), strict=True)]

    def add(self, decided: Iterable[Decision]) -> None:
        """This will add decisions that were made one by one."""
        for transfer, day, outcome, debit_after, credit_after, new in decided:
            self.transfers.append(transfer)
            self.days.append(day)
            self.outcomes.append(outcome)
            self.debit_afters.append(debit_after)
            self.credit_afters.append(credit_after)
            self.new.append(new)

    def only_new(self) -> Piece:
        """This will give the decisions that are to be written."""
        if all(self.new):
            return self
        return Piece(*([*compress(one, self.new)] for one in self.columns()))


def decide(books: Books, submission: Sequence[Plain]) -> list[Decision]:
    """This will decide the transfers of one submission in their order, group by group."""
    return [one for piece in decide_pieces(books, submission) for one in piece.decisions()]


def decide_pieces(books: Books, submission: Sequence[Plain]) -> Iterator[Piece]:
    """This will decide a submission and give the decisions in pieces, as they are made."""
    piece = Piece()
    start, count = 0, len(submission)
    while start < count:
        if len(piece.new) >= PIECE:
            yield piece
            piece = Piece()
        start = _accept_plain(books, submission, start, piece)
        if start == count or len(piece.new) >= PIECE:
            continue
        group, end = submission[start][7], start + 1
        if group is not None:
            while end < count and submission[end][7] == group:
                end += 1
        piece.add(_decide_group(books, submission[start:end]))
        start = end
    yield piece


def _accept_plain(books: Books, submission: Sequence[Plain], start: int, piece: Piece) -> int:
    """Accept what is new, moves at once, today, and hurts nothing: nearly every transfer is so.

    Gives the place of the first one that is not, about which nothing is said: the full rule
    decides. Up to a piece is accepted, and nothing is made for a transfer but two figures.
    """
    if books.today <= books.closed_through:
        return start
    standings, known = books.standings, books.known
    debit_afters: list[int | None] = []
    credit_afters: list[int | None] = []
    for member in islice(submission, start, start + PIECE - len(piece.new)):
        transfer, from_account, to_account, amount, _, phase, _, group, _, on = member
        if group is not None or on is not None or phase != _POSTED or transfer in known:
            break
        debit, credit = standings.get(from_account), standings.get(to_account)
        if debit is None or credit is None or debit.currency != credit.currency:
            break
        less, more = debit.posted - amount, credit.posted + amount
        if (
            less - debit.pending_out < debit.floor
            or more + credit.pending_in > credit.ceiling
            or not (debit.open and credit.open)
        ):
            break
        debit.posted, credit.posted = less, more
        known[transfer] = member
        debit_afters.append(less)
        credit_afters.append(more)
    accepted = len(debit_afters)
    end = start + accepted
    piece.transfers += submission[start:end]
    piece.days += [books.today] * accepted
    piece.outcomes += [_ACCEPTED] * accepted
    piece.debit_afters += debit_afters
    piece.credit_afters += credit_afters
    piece.new += [True] * accepted
    return end


def _decide_group(books: Books, members: Sequence[Plain]) -> list[Decision]:
    if any(member[0] in books.known for member in members):
        return _repeat(books, members)
    days = [member[9] or books.today for member in members]
    outcomes = _faults(books, members, days)
    afters: list[tuple[int | None, int | None]] = [(None, None)] * len(members)
    if outcomes is None:
        moved = [_move(books, member, 1) for member in members]
        outcomes = _crossings(books, members)
        if outcomes is None:
            outcomes, afters = [_ACCEPTED] * len(members), [*moved]
            _settle(books, members)
        else:
            for member in members:
                _move(books, member, -1)
            _forget(books, members)
    decided = []
    for member, day, outcome, (debit, credit) in zip(members, days, outcomes, afters, strict=True):
        made = Decision(member, day, outcome, debit, credit, new=True)
        books.known[member[0]] = made
        decided.append(made)
    return decided


def _repeat(books: Books, members: Sequence[Plain]) -> list[Decision]:
    """Give known transfers their verdict again; a group that changed is refused as a whole."""
    found = [_known(books, member[0]) for member in members]
    decided = []
    same = all(one is not None and _same(one, m) for one, m in zip(found, members, strict=True))
    for member, one in zip(members, found, strict=True):
        outcome = one.outcome if one is not None and same else _REUSED
        decided.append(Decision(member, "", outcome, None, None, new=False))
    return decided


def _known(books: Books, transfer: str) -> Decision | None:
    found = books.known.get(transfer)
    if found is None or isinstance(found, Decision):
        return found
    return Decision(found, books.today, _ACCEPTED, None, None, new=True)


def _same(known: Decision, again: Plain) -> bool:
    return known.transfer[:9] == again[:9] and again[9] in {None, known.day}


def _faults(books: Books, members: Sequence[Plain], days: Sequence[str]) -> list[str] | None:
    """What is wrong with the members whatever the balances are; None where nothing is.

    Reservations the group makes are entered, for those of its members that settle them.
    """
    settled: set[str] = set()
    found = []
    wrong = False
    for member, day in zip(members, days, strict=True):
        fault = _fault(books, member, day, settled)
        wrong = wrong or fault is not None
        found.append(_LINKED if fault is None else fault.value)
        if fault is None and member[5] == _PENDING:
            books.reservations[member[0]] = Reservation(member[1], member[2], member[3], day)
    if not wrong:
        return None
    _forget(books, members)
    return found


def _fault(books: Books, member: Plain, day: str, settled: set[str]) -> Outcome | None:
    if day > books.today:
        return Outcome.DAY_AHEAD
    if day <= books.closed_through:
        return Outcome.DAY_CLOSED
    debit, credit = books.standings.get(member[1]), books.standings.get(member[2])
    if debit is None or credit is None:
        return Outcome.ACCOUNT_UNKNOWN
    if not (debit.open and credit.open):
        return Outcome.ACCOUNT_NOT_OPEN
    if debit.currency != credit.currency:
        return Outcome.CURRENCY_DIFFERS
    pending = member[6]
    if pending is None:
        return None
    held = books.reservations.get(pending)
    if held is None:
        return Outcome.PENDING_UNKNOWN
    if held.settled or pending in settled:
        return Outcome.PENDING_SETTLED
    wrong_amount = member[3] > held.amount if member[5] == _POST else member[3] != held.amount
    if held.debit != member[1] or held.credit != member[2] or wrong_amount or day < held.day:
        return Outcome.PENDING_DIFFERS
    settled.add(pending)
    return None


def _move(books: Books, member: Plain, sign: int) -> tuple[int, int]:
    """Let a member move the balances, or take it back; gives what both have posted then."""
    debit, credit = books.standings[member[1]], books.standings[member[2]]
    phase, amount = member[5], member[3] * sign
    if phase in _MOVING:
        debit.posted -= amount
        credit.posted += amount
    if phase != _POSTED:
        pending = member[6]
        if pending is not None:
            amount = -books.reservations[pending].amount * sign
        debit.pending_out += amount
        credit.pending_in += amount
    return debit.posted, credit.posted


def _crossings(books: Books, members: Sequence[Plain]) -> list[str] | None:
    """Which members press on a limit that does not hold after all of them; None where all hold."""
    found = []
    wrong = False
    for member in members:
        debit, credit = books.standings[member[1]], books.standings[member[2]]
        outcome = _LINKED
        if member[6] is None:
            if debit.posted - debit.pending_out < debit.floor:
                outcome, wrong = _FLOOR, True
            elif credit.posted + credit.pending_in > credit.ceiling:
                outcome, wrong = _CEILING, True
        found.append(outcome)
    return found if wrong else None


def _settle(books: Books, members: Sequence[Plain]) -> None:
    for member in members:
        if member[6] is not None:
            books.reservations[member[6]].settled = True


def _forget(books: Books, members: Sequence[Plain]) -> None:
    for member in members:
        if member[5] == _PENDING:
            books.reservations.pop(member[0], None)
