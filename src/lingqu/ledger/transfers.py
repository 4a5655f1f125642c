# SPDX-License-Identifier: Apache-2.0
"""Transfers: what may be asked of the ledger, in which phases, and what it can answer.

A transfer moves an amount from the account `debit` to the account `credit`, at once (`POSTED`) or
in two steps: `PENDING` reserves it, then `POST` moves all or less of it (what is left over is free
again) or `VOID` frees it. A step names its reservation and repeats its accounts, so that whoever
reads it need not look elsewhere; a reservation is settled once, by one of the two.

Transfers next to each other with the same `group` are linked: all of them are accepted or none,
and limits must hold after the last of them, not in between. An id is decided once and for ever:
sending the same transfer again gives the verdict it got, also where it was refused.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.ledger.accounts import (
    AMOUNT_MAX,
    AccountNotOpen,
    AccountUnknown,
    LedgerAccountId,
)

BATCH_MAX = 8190
"""The most transfers of one submission and of one batch."""
TEXT_MAX = 100


class TransferId(Id):
    """The id a caller makes for one transfer: sending it again is safe."""

    prefix = "tfr"


class TransferBatchId(Id):
    """The id of what was posted together; a fact carries the Merkle root of each."""

    prefix = "tfb"


class Phase(enum.Enum):
    """Which step of a movement a transfer is."""

    POSTED = "posted"
    """Moves the amount at once."""
    PENDING = "pending"
    """Reserves the amount on both accounts."""
    POST = "post"
    """Moves a reserved amount, or less of it; the reservation ends."""
    VOID = "void"
    """Ends a reservation; nothing moves."""


class Outcome(enum.Enum):
    """What the ledger answered to a transfer."""

    ACCEPTED = "accepted"
    FLOOR_CROSSED = "floor_crossed"
    CEILING_CROSSED = "ceiling_crossed"
    ACCOUNT_UNKNOWN = "account_unknown"
    ACCOUNT_NOT_OPEN = "account_not_open"
    CURRENCY_DIFFERS = "currency_differs"
    PENDING_UNKNOWN = "pending_unknown"
    PENDING_SETTLED = "pending_settled"
    PENDING_DIFFERS = "pending_differs"
    DAY_CLOSED = "day_closed"
    DAY_AHEAD = "day_ahead"
    LINKED_REFUSED = "linked_refused"
    """Another transfer of its group was refused."""
    ID_REUSED = "id_reused"
    """The id stands for another transfer; this one is kept nowhere."""


class BadTransfer(errors.Rejected):
    """A transfer is not well formed: its amount, its accounts, its texts, or its pending id."""

    code = "ledger.transfer.bad"


class BadSubmission(errors.Rejected):
    """A submission has 1 to 8,190 transfers; those of a group stand together, each id once."""

    code = "ledger.transfer.bad_submission"


class TransferUnknown(errors.NotFound):
    """No transfer has this id, or the caller may not know of it."""

    code = "ledger.transfer.unknown"


class FloorCrossed(errors.Conflict):
    """The account does not hold enough that is not reserved."""

    code = "ledger.transfer.floor_crossed"


class CeilingCrossed(errors.Conflict):
    """The account may not hold so much."""

    code = "ledger.transfer.ceiling_crossed"


class CurrencyDiffers(errors.Rejected):
    """The two accounts hold different currencies."""

    code = "ledger.transfer.currency_differs"


class PendingUnknown(errors.Conflict):
    """There is no such reservation."""

    code = "ledger.transfer.pending_unknown"


class PendingSettled(errors.Conflict):
    """The reservation was posted or voided already."""

    code = "ledger.transfer.pending_settled"


class PendingDiffers(errors.Rejected):
    """The reservation has other accounts, a smaller amount, or a later day."""

    code = "ledger.transfer.pending_differs"


class DayClosed(errors.Conflict):
    """The day is closed; nothing more is booked into it."""

    code = "ledger.transfer.day_closed"


class DayAhead(errors.Rejected):
    """The day has not begun."""

    code = "ledger.transfer.day_ahead"


class LinkedRefused(errors.Conflict):
    """Another transfer of the same group was refused, so none of them was made."""

    code = "ledger.transfer.linked_refused"


class TransferIdReused(errors.Conflict):
    """The id stands for another transfer already."""

    code = "ledger.transfer.id_reused"


class HotAccount(errors.Conflict):
    """Treasury and fee accounts are posted in batches only."""

    code = "ledger.transfer.hot_account"


REFUSALS: Mapping[Outcome, type[errors.LingquError]] = MappingProxyType({
    Outcome.FLOOR_CROSSED: FloorCrossed,
    Outcome.CEILING_CROSSED: CeilingCrossed,
    Outcome.ACCOUNT_UNKNOWN: AccountUnknown,
    Outcome.ACCOUNT_NOT_OPEN: AccountNotOpen,
    Outcome.CURRENCY_DIFFERS: CurrencyDiffers,
    Outcome.PENDING_UNKNOWN: PendingUnknown,
    Outcome.PENDING_SETTLED: PendingSettled,
    Outcome.PENDING_DIFFERS: PendingDiffers,
    Outcome.DAY_CLOSED: DayClosed,
    Outcome.DAY_AHEAD: DayAhead,
    Outcome.LINKED_REFUSED: LinkedRefused,
    Outcome.ID_REUSED: TransferIdReused,
})  # fmt: skip
"""The refusal that says each outcome but acceptance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A movement of `amount` minor units from `debit` to `credit`. Raises BadTransfer.

    `kind` is a code word that says what for, `reference` a short text of the caller's (no personal
    data), `on` the day it is booked on (None: the day it is posted), `pending` the reservation
    that a POST or VOID settles.
    """

    id: TransferId
    debit: LedgerAccountId
    credit: LedgerAccountId
    amount: int
    kind: str
    phase: Phase = Phase.POSTED
    pending: TransferId | None = None
    group: str | None = None
    reference: str = ""
    on: date | None = None

    def __post_init__(self) -> None:
        """Refuse what no ledger could decide."""
        good = (
            type(self.amount) is int
            and 1 <= self.amount <= AMOUNT_MAX
            and self.debit != self.credit
            and (self.pending is not None) is (self.phase in {Phase.POST, Phase.VOID})
            and 1 <= len(self.kind) <= TEXT_MAX
            and (self.group is None or 1 <= len(self.group) <= TEXT_MAX)
            and len(self.reference) <= TEXT_MAX
            and f"{self.kind}{self.group or ''}{self.reference}".isprintable()
        )
        if not good:
            raise BadTransfer(id=self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the ledger answered to one transfer."""

    transfer: TransferId
    outcome: Outcome

    @property
    def accepted(self) -> bool:
        """Whether it was made."""
        return self.outcome is Outcome.ACCEPTED


def post_pending(pending: Transfer, *, by: TransferId, amount: int | None = None) -> Transfer:
    """This will make the transfer that posts a reservation: all of it, or `amount` of it."""
    return _settle(pending, Phase.POST, by, pending.amount if amount is None else amount)


def void_pending(pending: Transfer, *, by: TransferId) -> Transfer:
    """This will make the transfer that voids a reservation."""
    return _settle(pending, Phase.VOID, by, pending.amount)


def _settle(pending: Transfer, phase: Phase, by: TransferId, amount: int) -> Transfer:
    return Transfer(
        id=by,
        debit=pending.debit,
        credit=pending.credit,
        amount=amount,
        kind=pending.kind,
        phase=phase,
        pending=pending.id,
        reference=pending.reference,
    )


Plain = tuple[
    str, str, str, int, str, str, str | None, str | None, str, str | None
]  # the fields of a transfer in their order
"""A transfer as the rules take it and the queue keeps it."""


def plain_rows(transfers: Sequence[Transfer]) -> list[Plain]:
    """This will flatten the transfers of one submission. Raises BadSubmission."""
    if not 1 <= len(transfers) <= BATCH_MAX:
        raise BadSubmission(count=len(transfers), most=BATCH_MAX)
    seen: set[str] = set()
    last: str | None = None
    linked: set[str] = set()
    for one in transfers:
        if one.group != last:
            last = one.group
            scattered = last is not None and last in seen
            linked = set()
            if last is not None:
                seen.add(last)
        else:
            scattered = False
        if scattered or one.id in linked:
            raise BadSubmission(count=len(transfers), most=BATCH_MAX)
        if last is not None:
            linked.add(one.id)
    phase, written = Phase.POSTED, Phase.POSTED.value  # the value of an enum is slow to ask for
    rows: list[Plain] = []
    for one in transfers:
        if one.phase is not phase:
            phase, written = one.phase, one.phase.value
        on = None if one.on is None else one.on.isoformat()
        rows.append((
            one.id, one.debit, one.credit, one.amount, one.kind, written, one.pending, one.group,
            one.reference, on,
        ))  # fmt: skip
    return rows
