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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

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
    """What a decision needs to know; `decide` moves it on."""

    today: str
    closed_through: str
    standings: dict[str, Standing]
    reservations: dict[str, Reservation] = field(default_factory=dict)
    known: dict[str, Decision] = field(default_factory=dict)


PIECE = 1000
"""How many decisions are given at once, give or take a group."""


def decide(books: Books, submission: Sequence[Plain]) -> list[Decision]:
    """This will decide the transfers of one submission in their order, group by group."""
    return [one for piece in decide_pieces(books, submission) for one in piece]


def decide_pieces(books: Books, submission: Sequence[Plain]) -> Iterator[list[Decision]]:
    """This will decide a submission and give the decisions in pieces, as they are made."""
    decided: list[Decision] = []
    start, count = 0, len(submission)
    while start < count:
        if len(decided) >= PIECE:
            yield decided
            decided = []
        member = submission[start]
        group, end = member[7], start + 1
        if group is None:
            plainly = _decide_plainly(books, member)
            if plainly is not None:
                decided.append(plainly)
                start = end
                continue
        else:
            while end < count and submission[end][7] == group:
                end += 1
        decided += _decide_group(books, submission[start:end])
        start = end
    yield decided


def _decide_plainly(books: Books, member: Plain) -> Decision | None:
    """Accept what is new, moves at once, today, and hurts nothing: nearly every transfer is so.

    None says nothing: the full rule decides.
    """
    if member[5] != _POSTED or member[9] is not None or member[0] in books.known:
        return None
    debit, credit = books.standings.get(member[1]), books.standings.get(member[2])
    if debit is None or credit is None or debit.currency != credit.currency:
        return None
    less, more = debit.posted - member[3], credit.posted + member[3]
    day = books.today
    if (
        less - debit.pending_out < debit.floor
        or more + credit.pending_in > credit.ceiling
        or not (debit.open and credit.open)
        or day <= books.closed_through
    ):
        return None
    debit.posted, credit.posted = less, more
    made = books.known[member[0]] = Decision(member, day, _ACCEPTED, less, more, True)
    return made


def _decide_group(books: Books, members: Sequence[Plain]) -> list[Decision]:
    if any(member[0] in books.known for member in members):
        return _repeat(books.known, members)
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


def _repeat(known: dict[str, Decision], members: Sequence[Plain]) -> list[Decision]:
    """Give known transfers their verdict again; a group that changed is refused as a whole."""
    found = [known.get(member[0]) for member in members]
    decided = []
    same = all(one is not None and _same(one, m) for one, m in zip(found, members, strict=True))
    for member, one in zip(members, found, strict=True):
        outcome = one.outcome if one is not None and same else _REUSED
        decided.append(Decision(member, "", outcome, None, None, new=False))
    return decided


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
