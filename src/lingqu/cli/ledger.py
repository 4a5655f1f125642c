# SPDX-License-Identifier: Apache-2.0
"""`lingqu ledger`: units, accounts, statements, the trial balance, the queue and closing days."""

from __future__ import annotations

from datetime import date

import click

from lingqu import ledger, trust
from lingqu.cli.acting import (
    can_be_repeated,
    chosen,
    do,
    listed,
    made_by,
    more,
    page_of,
    paged,
    reading,
)
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, table
from lingqu.cli.values import IdType
from lingqu.kernel.ids import Id

ACCOUNT = IdType(ledger.LedgerAccountId)
TRANSFER = IdType(ledger.TransferId)


class DayType(click.ParamType[date]):
    """A day; raises BadDay."""

    name = "2026-03-02"

    def convert(
        self, value: str | date, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        """This will read the text."""
        return value if isinstance(value, date) else ledger.parse_day(value)


class OwnerType(click.ParamType[Id]):
    """The id of anything; raises BadAccount."""

    name = "pty_…"

    def convert(
        self, value: str | Id, param: click.Parameter | None, ctx: click.Context | None
    ) -> Id:
        """This will check the text."""
        return ledger.known_id(value)


DAY = DayType()
OWNER = OwnerType()


@group("ledger")
def books() -> None:
    """Money and every other conserved quantity."""


@books.command("currencies")
@click.pass_obj
def currencies(run: Invocation) -> None:
    """List the units."""
    with reading(run) as (_, tx):
        found = ledger.find_currencies(tx)
    rows = [(one.id, one.name_zh, one.name_en, one.scale) for one in found]
    run.answer(
        {"items": plain_data(found)},
        table(run.heads("currency", "name_zh", "name_en", "scale"), rows),
    )


@books.command("register-currency")
@argument("code")
@argument("name_zh")
@argument("name_en")
@option("--scale", type=int, default=0, show_default=True)
@can_be_repeated
@click.pass_obj
def register_currency(
    run: Invocation,
    code: str,
    name_zh: str,
    name_en: str,
    scale: int,
    command_id: trust.CommandId | None,
) -> None:
    """Register a unit."""
    command = chosen(run, command_id)
    made = do(
        run,
        ledger.register_currency,
        command,
        currency=code,
        scale=scale,
        name_zh=name_zh,
        name_en=name_en,
    )
    run.answer(
        {"command": command, "currency": plain_data(made)},
        lambda: [run.word("ledger.registered"), *_done(run, command)],
    )


@books.command("open")
@argument("owner", type=OWNER)
@argument("kind")
@option("--currency", default=ledger.CNY.id, show_default=True)
@option("--floor", type=int, default=0, show_default=True)
@option("--ceiling", type=int)
@option("--no-floor", is_flag=True)
@option("--hot", is_flag=True)
@can_be_repeated
@click.pass_obj
def open_account(
    run: Invocation,
    owner: Id,
    kind: str,
    currency: str,
    floor: int,
    ceiling: int | None,
    no_floor: bool,  # noqa: FBT001  # a flag of the command line
    hot: bool,  # noqa: FBT001  # a flag of the command line
    command_id: trust.CommandId | None,
) -> None:
    """Open an account."""
    command = chosen(run, command_id)
    wanted = ledger.NewAccount(
        id=made_by(command, ledger.LedgerAccountId),
        owner=owner,
        currency=currency,
        kind=kind,
        floor=None if no_floor else floor,
        ceiling=ceiling,
        hot=hot,
    )
    made = do(run, ledger.open_account, command, account=wanted)
    run.answer(
        {"command": command, "account": plain_data(made)},
        lambda: [
            run.word("ledger.opened"),
            *labelled([(run.word("head.ledger_account"), made.id)]),
            *_done(run, command),
        ],
    )


@books.command("close")
@argument("ledger_account_id", type=ACCOUNT)
@can_be_repeated
@click.pass_obj
def close_account(
    run: Invocation,
    ledger_account_id: ledger.LedgerAccountId,
    command_id: trust.CommandId | None,
) -> None:
    """Close an empty account."""
    command = chosen(run, command_id)
    closed = do(run, ledger.close_account, command, account=ledger_account_id)
    run.answer(
        {"command": command, "account": plain_data(closed)},
        lambda: [run.word("ledger.closed"), *_done(run, command)],
    )


@books.command("accounts")
@option("--owner", type=OWNER)
@paged
@click.pass_obj
def accounts(run: Invocation, owner: Id | None, limit: int, after: str | None) -> None:
    """List accounts."""
    with reading(run) as (_, tx):
        page = ledger.find_accounts(tx, page=page_of(limit, after), owner=owner)
    none = run.word("ledger.unlimited")
    rows = [
        (
            one.id,
            one.kind,
            one.currency,
            held.posted,
            none if one.floor is None else held.available,
            none if one.ceiling is None else one.ceiling,
        )
        for one, held in page.items
    ]
    heads = run.heads("ledger_account", "kind", "currency", "balance", "available", "ceiling")
    items = [{"account": plain_data(one), "balance": plain_data(held)} for one, held in page.items]
    run.answer(
        {"items": items, "next": page.next},
        [*(table(heads, rows) if rows else [run.word("list.empty")]), *more(run, page.next)],
    )


@books.command("statement")
@argument("ledger_account_id", type=ACCOUNT)
@paged
@click.pass_obj
def statement(
    run: Invocation, ledger_account_id: ledger.LedgerAccountId, limit: int, after: str | None
) -> None:
    """Show a statement."""
    with reading(run) as (_, tx):
        page = ledger.find_transfers(tx, account=ledger_account_id, page=page_of(limit, after))
    rows = [
        (
            one.day.isoformat(),
            run.word(f"phase.{one.phase.value}"),
            one.amount,
            one.moved,
            one.balance,
            one.transfer,
            one.reference,
        )
        for one in page.items
    ]
    heads = run.heads("day", "phase", "amount", "moved", "balance", "transfer", "reference")
    listed(run, page, heads, rows)


@books.command("transfer")
@argument("transfer_id", type=TRANSFER)
@click.pass_obj
def transfer(run: Invocation, transfer_id: ledger.TransferId) -> None:
    """Show the verdict on a transfer."""
    with reading(run) as (_, tx):
        found = ledger.get_verdict(tx, transfer_id)
    run.answer(
        {"verdict": plain_data(found)},
        labelled([
            (run.word("head.transfer"), found.transfer),
            (run.word("head.outcome"), run.word(f"outcome.{found.outcome.value}")),
        ]),
    )  # fmt: skip


@books.command("trial-balance")
@click.pass_obj
def trial_balance(run: Invocation) -> None:
    """Show the trial balance."""
    with reading(run) as (_, tx):
        found = ledger.trial_balance(tx)
    rows = [
        (
            one.currency,
            one.kind,
            one.accounts,
            one.holding,
            one.owing,
            one.pending_out,
            one.pending_in,
        )
        for one in found.lines
    ]
    heads = run.heads(
        "currency", "kind", "accounts", "holding", "owing", "pending_out", "pending_in"
    )
    run.answer(
        {"lines": plain_data(found.lines)},
        table(heads, rows) if rows else [run.word("list.empty")],
    )


@books.command("post-batch")
@can_be_repeated
@click.pass_obj
def post_batch(run: Invocation, command_id: trust.CommandId | None) -> None:
    """Post what waits in the queue."""
    command = chosen(run, command_id)
    done = do(run, ledger.post_batch, command)
    figures = {
        "accepted": done.accepted,
        "refused": done.refused,
        "repeated": done.repeated,
        "reused": done.reused,
    }
    run.answer(
        {"command": command, "batch": plain_data(done)},
        lambda: [run.word("ledger.posted", **figures), *_done(run, command)],
    )


@books.command("close-day")
@argument("day", type=DAY)
@can_be_repeated
@click.pass_obj
def close_day(run: Invocation, day: date, command_id: trust.CommandId | None) -> None:
    """Close a day."""
    command = chosen(run, command_id)
    closes = do(run, ledger.close_day, command, day=day)
    run.answer(
        {"command": command, "closes": plain_data(closes)},
        lambda: [run.word("ledger.day_closed"), *_closes(run, closes), *_done(run, command)],
    )


@books.command("days")
@click.pass_obj
def days(run: Invocation) -> None:
    """Show the last closed day."""
    with reading(run) as (_, tx):
        closes = ledger.find_closes(tx) if ledger.latest_close(tx) is not None else ()
    run.answer(
        {"closes": plain_data(closes)},
        lambda: _closes(run, closes) if closes else [run.word("ledger.none_yet")],
    )


def _closes(run: Invocation, closes: tuple[ledger.DayClose, ...]) -> list[str]:
    rows = [
        (one.day.isoformat(), one.currency, one.transfers, one.turnover, one.digest[:16])
        for one in closes
    ]
    return table(run.heads("day", "currency", "transfers", "turnover", "digest"), rows)


def _done(run: Invocation, command: trust.CommandId) -> list[str]:
    return ["", run.word("command.done", command=command)]
