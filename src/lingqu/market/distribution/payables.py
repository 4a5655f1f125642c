# SPDX-License-Identifier: Apache-2.0
"""应缴 payables: the government's share as non-tax revenue owed to a treasury, until its receipt.

Each settled day makes a payable for each treasury, with a number of its own and a last day to pay
that the agreement sets in working days. The printed 缴款通知书 asks the venue, where the money
lies, to pay it. It is closed on the number of the treasury's receipt, and only then does the money
leave the books, into the venue's bank account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.market.distribution.names import party_names
from lingqu.market.distribution.plans import HOT, Plan, PlanId, get_plan, read_remittance
from lingqu.market.distribution.sharing import Share
from lingqu.market.funds import find_fund
from lingqu.market.venues import get_venue
from lingqu.runtime import Tx, documents, new_id
from lingqu.trust import rulebook

RECEIPT_MAX = 60
REMITTED = "market.remitted"
"""The kind of the transfers by which a payable leaves the books."""


class PayableId(Id):
    """The id of one payable to a treasury."""

    prefix = "pyb"


class PayableNotFound(errors.NotFound):
    """There is no such payable, or the caller may not know of it."""

    code = "market.payable.not_found"


class PayableClosed(errors.Conflict):
    """The payable was closed on a receipt before."""

    code = "market.payable.closed"


class ReceiptTaken(errors.Conflict):
    """The receipt number closed another payable of this treasury."""

    code = "market.payable.receipt_taken"


class BadReceipt(errors.Rejected):
    """A receipt has a number, and a day that is not ahead."""

    code = "market.payable.bad_receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payable:
    """What a venue owes a treasury for one settled day; `number` stands on the notice."""

    id: PayableId
    number: str
    venue: trust.PartyId
    treasury: trust.PartyId
    plan: PlanId
    settlement: str
    day: date
    amount: int
    account: ledger.LedgerAccountId
    due_on: date
    owed_at: Instant
    receipt: str | None = None
    paid_on: date | None = None
    transfer: ledger.TransferId | None = None
    closed_at: Instant | None = None
    version: int = 1


PAYABLES = trust.Table("market.payable", Payable, not_found=PayableNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayableOwed(trust.Fact):
    """A venue owes a treasury its share of a settled day."""

    kind = "market.payable.owed"
    payable: PayableId
    number: str
    venue: trust.PartyId
    treasury: trust.PartyId
    settlement: str
    day: date
    amount: int
    due_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class PayableWasClosed(trust.Fact):
    """A treasury confirmed what it was owed, by the number of its receipt."""

    kind = "market.payable.closed"
    payable: PayableId
    receipt: str
    paid_on: date
    amount: int
    transfer: ledger.TransferId


def owe(
    tx: Tx, *, plan: Plan, settlement: str, day: date, amount: Mapping[trust.PartyId, int]
) -> tuple[Payable, ...]:
    """This will note what each treasury is owed by a plan for a settled day, in its command."""
    made = []
    for treasury, due in sorted(amount.items()):
        remittance = read_remittance(plan)
        assert remittance is not None, "a plan with a share for the government says where it goes"
        account = find_fund(tx, venue=plan.venue, owner=treasury, purpose=HOT[Share.GOVERNMENT])
        assert account is not None, "registering the plan opened it"
        today = ledger.local_day(tx.now)
        last = rulebook.of(tx).calendar().add_working_days(today, remittance.working_days)
        row = PAYABLES.insert(
            tx,
            Payable(
                id=new_id(PayableId),
                number=_number(tx, plan.venue, today),
                venue=plan.venue,
                treasury=treasury,
                plan=plan.id,
                settlement=settlement,
                day=day,
                amount=due,
                account=account,
                due_on=last.last_day,
                owed_at=tx.now,
            ),
        )
        trust.record(
            tx,
            PayableOwed(
                payable=row.id,
                number=row.number,
                venue=row.venue,
                treasury=treasury,
                settlement=settlement,
                day=day,
                amount=due,
                due_on=row.due_on,
            ),
        )
        made.append(row)
    return tuple(made)


@trust.command("market.payable.close")
def close_payable(tx: Tx, *, payable: PayableId, receipt: str, paid_on: date) -> Payable:
    """This will close a payable on the number of the treasury's receipt.

    Raises PayableNotFound, PayableClosed, BadReceipt, ReceiptTaken.
    """
    held = PAYABLES.lock(tx, payable)
    trust.authorize(tx, trust.Action.END, trust.Kind.PAYABLE, owner=held.treasury)
    if held.closed_at is not None:
        raise PayableClosed(number=held.number, receipt=held.receipt or "")
    number = receipt.strip()
    good = 0 < len(number) <= RECEIPT_MAX and number.isprintable()
    if not good or paid_on > ledger.local_day(tx.now):
        raise BadReceipt(receipt=number[:40], paid_on=paid_on.isoformat())
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 9))", (held.treasury,))
    if PAYABLES.find(tx, "WHERE treasury = %s AND receipt = %s", (held.treasury, number)):
        raise ReceiptTaken(receipt=number)
    moved = ledger.Transfer(
        id=new_id(ledger.TransferId),
        debit=held.account,
        credit=get_venue(tx, held.venue).bank,
        amount=held.amount,
        kind=REMITTED,
        reference=held.id,
    )
    ledger.queue_transfers(tx, transfers=[moved])
    closed = PAYABLES.update(
        tx, held, receipt=number, paid_on=paid_on, transfer=moved.id, closed_at=tx.now
    )
    trust.record(
        tx,
        PayableWasClosed(
            payable=payable,
            receipt=number,
            paid_on=paid_on,
            amount=held.amount,
            transfer=moved.id,
        ),
    )
    return closed


def get_payable(tx: Tx, payable: PayableId) -> Payable:
    """This will read a payable of a party the caller acts for. Raises PayableNotFound."""
    found = PAYABLES.get(tx, payable)
    action, kind = trust.Action.READ, trust.Kind.PAYABLE
    if not any(trust.is_allowed(tx, action, kind, owner=one) for one in _parties(found)):
        raise PayableNotFound(id=payable)
    return found


def find_payables(
    tx: Tx, *, party: trust.PartyId | None, page: PageRequest, only_open: bool = False
) -> Page[Payable]:
    """This will list payables of a treasury or venue (None: of all), newest first.

    Raises AccessDenied.
    """
    action, kind = trust.Action.READ, trust.Kind.PAYABLE
    if not trust.is_allowed(tx, action, kind, owner=party):
        raise trust.AccessDenied(action=action.value, kind=kind.value)
    tail = (
        "WHERE (%s::text IS NULL OR %s IN (treasury, venue)) AND (NOT %s OR closed_at IS NULL)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    values = (party, party, only_open, page.key, page.key, page.size + 1)
    found = PAYABLES.find(tx, tail, values)
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def notice_paper(tx: Tx, payable: PayableId) -> documents.Paper:
    """This will give the 缴款通知书 of a payable the caller may see. Raises PayableNotFound."""
    owed = get_payable(tx, payable)
    plan = get_plan(tx, owed.plan)
    where = read_remittance(plan)
    assert where is not None, "the plan that made it says where it goes"
    names = party_names(tx, _parties(owed))
    yuan = {"currency": ledger.CNY.id, "minor": owed.amount}
    row = {
        "title": f"{owed.day.isoformat()} 公共数据运营收益（政府部分）",
        "quantity": 1,
        "unit": "日",
        "price": yuan,
        "amount": yuan,
    }
    data = {
        "issuer": names[owed.treasury],
        "number": owed.number,
        "addressee": names[owed.venue],
        "dated_on": ledger.local_day(owed.owed_at).isoformat(),
        "matter": "公共数据授权运营政府非税收入",
        "ground": plan.source,
        "amount": yuan,
        "due_on": owed.due_on.isoformat(),
        "payee": where.payee,
        "bank": where.bank,
        "account": where.account,
        "reference": owed.id,
        "rows": [row],
    }
    return documents.Paper(template="payment", data=data, subject=payable, sealers=(owed.treasury,))


def _parties(one: Payable) -> tuple[trust.PartyId, trust.PartyId]:
    return one.treasury, one.venue


def _number(tx: Tx, venue: trust.PartyId, today: date) -> str:
    """The next number of the venue's year, under the lock of its settlement."""
    begins, ends = date(today.year, 1, 1), date(today.year + 1, 1, 1)
    sql = (
        "SELECT count(*) AS n FROM market.payable WHERE venue = %s"
        " AND (owed_at AT TIME ZONE 'Asia/Shanghai')::date >= %s"
        " AND (owed_at AT TIME ZONE 'Asia/Shanghai')::date < %s"
    )
    count = tx.one(sql, (venue, begins, ends))["n"]
    return f"缴〔{today.year}〕{count + 1}号"
