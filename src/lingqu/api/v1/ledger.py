# SPDX-License-Identifier: Apache-2.0
"""The API of the ledger: units, accounts, transfers and their verdicts, statements, closed days."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import ledger
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import format_instant

PhaseName = Literal["posted", "pending", "post", "void"]


class CurrencyView(msgspec.Struct, kw_only=True):
    """A unit that is conserved; amounts are integers of `10 ** -scale` of it."""

    id: str
    scale: int
    name_zh: str
    name_en: str


class CurrencyList(msgspec.Struct, kw_only=True):
    """Every unit."""

    items: list[CurrencyView]


class RegisterCurrency(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new unit."""

    currency: str
    scale: int
    name_zh: str
    name_en: str


class BalanceView(msgspec.Struct, kw_only=True):
    """What an account holds, in minor units."""

    posted: int
    pending_out: int
    pending_in: int


class AccountView(msgspec.Struct, kw_only=True):
    """An account; a floor or ceiling of null is no limit. `balance` is null right after a write."""

    id: str
    owner: str
    currency: str
    kind: str
    hot: bool
    floor: int | None
    ceiling: int | None
    opened_at: str
    closed_at: str | None
    version: int
    balance: BalanceView | None


class AccountList(msgspec.Struct, kw_only=True):
    """Some accounts, and the cursor of the page after them (null: this was the last)."""

    items: list[AccountView]
    next: str | None


class OpenLedgerAccount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new account under an id the caller made (`lac_...`), for a party or another thing."""

    account: str
    owner: str
    kind: str
    currency: str = "CNY"
    floor: int | None = 0
    ceiling: int | None = None
    hot: bool = False


class ChangeLimits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Other limits; null is no limit."""

    floor: int | None
    ceiling: int | None


class TransferBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A transfer under an id the caller made (`tfr_...`); a step of a reservation repeats it."""

    id: str
    debit: str
    credit: str
    amount: int
    kind: str
    phase: PhaseName = "posted"
    pending: str | None = None
    group: str | None = None
    reference: str = ""
    on: date | None = None


class Submission(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Transfers in their order, 1 to 8,190."""

    transfers: list[TransferBody]


class VerdictView(msgspec.Struct, kw_only=True):
    """What the ledger answered to a transfer."""

    transfer: str
    outcome: str


class VerdictList(msgspec.Struct, kw_only=True):
    """A verdict for each transfer, in the order they were given."""

    items: list[VerdictView]


class Queued(msgspec.Struct, kw_only=True):
    """How many transfers were handed in."""

    count: int


class BatchView(msgspec.Struct, kw_only=True):
    """What one batch did."""

    batch: str
    accepted: int
    refused: int
    repeated: int
    reused: int


class StatementLineView(msgspec.Struct, kw_only=True):
    """One accepted transfer as the account sees it, with what was posted right after it."""

    number: int
    transfer: str
    other: str
    phase: PhaseName
    amount: int
    moved: int
    balance: int
    kind: str
    pending: str | None
    group: str | None
    reference: str
    day: str
    at: str


class StatementPage(msgspec.Struct, kw_only=True):
    """Some lines of a statement, and the cursor of the page after them."""

    items: list[StatementLineView]
    next: str | None


class TrialLineView(msgspec.Struct, kw_only=True):
    """The accounts of one kind and unit together; sums are decimal integers in text."""

    currency: str
    kind: str
    accounts: int
    holding: str
    owing: str
    pending_out: str
    pending_in: str


class TrialBalanceView(msgspec.Struct, kw_only=True):
    """Every account; in each unit holding and owing add up to zero."""

    items: list[TrialLineView]


class CloseDay(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A day that is over (UTC+8)."""

    day: date


class DayCloseView(msgspec.Struct, kw_only=True):
    """A closed day in one unit: what moved on it, and the digest of all balances at its end."""

    day: str
    currency: str
    accounts: int
    transfers: int
    turnover: str
    digest: str
    closed_at: str


class DayCloses(msgspec.Struct, kw_only=True):
    """A closed day in every unit."""

    items: list[DayCloseView]


@reads("/currencies", "List units")
def find_currencies(platform: FromPlatform, visit: FromVisit) -> CurrencyList:
    """This will list CNY and every registered unit."""
    with platform.database.reading(visit.caller) as tx:
        found = ledger.find_currencies(tx)
    return CurrencyList(items=[_currency(one) for one in found])


@makes("/currencies", "ledger.currency.register", "Add a unit")
def register_currency(write: FromWrite, data: JSONBody[RegisterCurrency]) -> CurrencyView:
    """This will register a unit."""
    made = write.execute(
        ledger.register_currency,
        currency=data.currency,
        scale=data.scale,
        name_zh=data.name_zh,
        name_en=data.name_en,
    )
    return _currency(made)


@reads("/accounts", "List ledger accounts")
def find_accounts(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    owner: Annotated[
        str | None, QueryParameter(name="owner", max_length=100, description="The owner's id")
    ] = None,
) -> AccountList:
    """This will list the accounts the caller may see with their balances, oldest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = ledger.find_accounts(tx, page=request, owner=owner)
    return AccountList(items=[_account(one, held) for one, held in page.items], next=page.next)


@reads("/accounts/{account:str}", "Read a ledger account")
def get_account(platform: FromPlatform, visit: FromVisit, account: FromPath[str]) -> AccountView:
    """This will read one account with its balance."""
    wanted = ledger.LedgerAccountId(account)
    with platform.database.reading(visit.caller) as tx:
        return _account(ledger.get_account(tx, wanted), ledger.get_balance(tx, wanted))


@makes("/accounts", "ledger.account.open", "Open a ledger account")
def open_account(write: FromWrite, data: JSONBody[OpenLedgerAccount]) -> AccountView:
    """This will open an account."""
    wanted = ledger.NewAccount(
        id=ledger.LedgerAccountId(data.account),
        owner=ledger.known_id(data.owner),
        currency=data.currency,
        kind=data.kind,
        floor=data.floor,
        ceiling=data.ceiling,
        hot=data.hot,
    )
    return _account(write.execute(ledger.open_account, account=wanted))


@does(
    "/accounts/{account:str}/limits", "ledger.account.change_limits", "Change an account's limits"
)
def change_limits(
    write: FromWrite, account: FromPath[str], data: JSONBody[ChangeLimits]
) -> AccountView:
    """This will give an account other limits, which must hold already."""
    changed = write.execute(
        ledger.change_limits,
        account=ledger.LedgerAccountId(account),
        floor=data.floor,
        ceiling=data.ceiling,
    )
    return _account(changed)


@does("/accounts/{account:str}/close", "ledger.account.close", "Close a ledger account")
def close_account(write: FromWrite, account: FromPath[str]) -> AccountView:
    """This will close an account that holds nothing."""
    wanted = ledger.LedgerAccountId(account)
    return _account(write.execute(ledger.close_account, account=wanted))


@reads("/accounts/{account:str}/statement", "Read a statement")
def find_transfers(
    platform: FromPlatform,
    visit: FromVisit,
    account: FromPath[str],
    size: Size = 50,
    after: After = None,
) -> StatementPage:
    """This will give what moved on an account, oldest first, with the balance after each line."""
    request, wanted = PageRequest(size=size, after=after), ledger.LedgerAccountId(account)
    with platform.database.reading(visit.caller) as tx:
        page = ledger.find_transfers(tx, account=wanted, page=request)
    return StatementPage(items=[_line(one) for one in page.items], next=page.next)


@makes("/transfers", "ledger.transfer.submit", "Post transfers")
def submit_transfers(write: FromWrite, data: JSONBody[Submission]) -> VerdictList:
    """This will post transfers at once; a refusal is a verdict and kept like any other."""
    found = write.execute(ledger.submit_transfers, transfers=_transfers(data))
    return VerdictList(items=[_verdict(one) for one in found])


@reads("/transfers/{transfer:str}", "Read a verdict")
def get_verdict(platform: FromPlatform, visit: FromVisit, transfer: FromPath[str]) -> VerdictView:
    """This will give the verdict on a transfer of an account the caller may see."""
    wanted = ledger.TransferId(transfer)
    with platform.database.reading(visit.caller) as tx:
        return _verdict(ledger.get_verdict(tx, wanted))


@makes("/queue", "ledger.transfer.queue", "Queue transfers")
def hand_in_transfers(write: FromWrite, data: JSONBody[Submission]) -> Queued:
    """This will hand transfers in for the next batch."""
    return Queued(count=write.execute(ledger.hand_in_transfers, transfers=_transfers(data)))


@makes("/batches", "ledger.batch.post", "Post a batch")
def post_batch(write: FromWrite) -> BatchView:
    """This will decide the transfers that wait longest, up to 8,190."""
    done = write.execute(ledger.post_batch)
    return BatchView(
        batch=done.batch,
        accepted=done.accepted,
        refused=done.refused,
        repeated=done.repeated,
        reused=done.reused,
    )


@reads("/trial-balance", "Read the trial balance")
def trial_balance(platform: FromPlatform, visit: FromVisit) -> TrialBalanceView:
    """This will add up all accounts by unit and kind."""
    with platform.database.reading(visit.caller) as tx:
        found = ledger.trial_balance(tx)
    return TrialBalanceView(
        items=[
            TrialLineView(
                currency=one.currency,
                kind=one.kind,
                accounts=one.accounts,
                holding=str(one.holding),
                owing=str(one.owing),
                pending_out=str(one.pending_out),
                pending_in=str(one.pending_in),
            )
            for one in found.lines
        ]
    )


@makes("/days", "ledger.day.close", "Close a day")
def close_day(write: FromWrite, data: JSONBody[CloseDay]) -> DayCloses:
    """This will close a day, and with it every day before."""
    closes = write.execute(ledger.close_day, day=data.day)
    return DayCloses(items=[_close(one) for one in closes])


@reads("/days/{day:str}", "Read a closed day")
def find_closes(platform: FromPlatform, visit: FromVisit, day: FromPath[str]) -> DayCloses:
    """This will give the closing figures of a day (`2026-03-02`)."""
    wanted = ledger.parse_day(day)
    with platform.database.reading(visit.caller) as tx:
        return DayCloses(items=[_close(one) for one in ledger.find_closes(tx, day=wanted)])


def _transfers(data: Submission) -> tuple[ledger.Transfer, ...]:
    return tuple(
        ledger.Transfer(
            id=ledger.TransferId(one.id),
            debit=ledger.LedgerAccountId(one.debit),
            credit=ledger.LedgerAccountId(one.credit),
            amount=one.amount,
            kind=one.kind,
            phase=ledger.Phase(one.phase),
            pending=None if one.pending is None else ledger.TransferId(one.pending),
            group=one.group,
            reference=one.reference,
            on=one.on,
        )
        for one in data.transfers
    )


def _currency(one: ledger.Currency) -> CurrencyView:
    return CurrencyView(id=one.id, scale=one.scale, name_zh=one.name_zh, name_en=one.name_en)


def _account(one: ledger.LedgerAccount, held: ledger.Balance | None = None) -> AccountView:
    balance = None
    if held is not None:
        balance = BalanceView(
            posted=held.posted, pending_out=held.pending_out, pending_in=held.pending_in
        )
    return AccountView(
        id=one.id,
        owner=one.owner,
        currency=one.currency,
        kind=one.kind,
        hot=one.hot,
        floor=one.floor,
        ceiling=one.ceiling,
        opened_at=format_instant(one.opened_at),
        closed_at=None if one.closed_at is None else format_instant(one.closed_at),
        version=one.version,
        balance=balance,
    )


def _verdict(one: ledger.Verdict) -> VerdictView:
    return VerdictView(transfer=one.transfer, outcome=one.outcome.value)


def _line(one: ledger.StatementLine) -> StatementLineView:
    return StatementLineView(
        number=one.number,
        transfer=one.transfer,
        other=one.other,
        phase=one.phase.value,
        amount=one.amount,
        moved=one.moved,
        balance=one.balance,
        kind=one.kind,
        pending=one.pending,
        group=one.group,
        reference=one.reference,
        day=one.day.isoformat(),
        at=format_instant(one.at),
    )


def _close(one: ledger.DayClose) -> DayCloseView:
    return DayCloseView(
        day=one.day.isoformat(),
        currency=one.currency,
        accounts=one.accounts,
        transfers=one.transfers,
        turnover=one.turnover,
        digest=one.digest,
        closed_at=format_instant(one.closed_at),
    )


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_currencies, register_currency, find_accounts, get_account, open_account,
        change_limits, close_account, find_transfers, submit_transfers, get_verdict,
        hand_in_transfers, post_batch, trial_balance, close_day, find_closes,
    ]  # fmt: skip
    return routes_of("/api/v1/ledger", "ledger", handlers)
