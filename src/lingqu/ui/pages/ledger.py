# SPDX-License-Identifier: Apache-2.0
"""The ledger: accounts with what they hold, the statement of one, and the trial balance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import ledger, trust
from lingqu.ledger import Balance, LedgerAccount, LedgerAccountId, StatementLine, TrialLine
from lingqu.runtime.looking import Said
from lingqu.ui import tables
from lingqu.ui.pages.procedures import subject_href
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.tables import Column, Filter, Option, Show

PATH = "/ledger/accounts"
TRIAL_PATH = "/ledger/trial-balance"
Held = tuple[LedgerAccount, Balance]


def amount(minor: int, currency: str, scales: dict[str, int]) -> str:
    """This will write an amount of a currency with its decimals."""
    return f"{tables.minor_units(minor, scales.get(currency, 0)):,}".replace("-", "−")


def _scales(tx: Any) -> dict[str, int]:
    return {one.id: one.scale for one in ledger.find_currencies(tx)}


@get(PATH, sync_to_thread=True)
def account_list(desk: FromDesk) -> Response[Any]:
    """This will list the accounts of the visitor's parties; supervisors and clearing see all."""
    desk.require()
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: ledger.find_accounts(tx, page=page))
        scales = _scales(tx)
        names = desk.names(tx, {one.owner for one, _ in found})
        sees_all = trust.is_allowed(tx, trust.Action.READ, trust.Kind.LEDGER_ACCOUNT)

    columns = _account_columns(desk, names, scales)
    filters = (
        Filter[Held](
            name="currency",
            label=desk.text("ui.ledger.currency"),
            options=tuple(
                Option(value=one, words=one) for one in sorted({one.currency for one, _ in found})
            ),
            of=lambda one: one[0].currency,
        ),
    )
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, found, columns=columns, filters=filters, name=desk.text("ui.ledger.accounts")
        )
    link = ((TRIAL_PATH, desk.text("ui.nav.trial_balance"), "btn-quiet"),) if sees_all else ()
    return desk.show(
        "list.html",
        title=desk.text("ui.ledger.accounts"),
        lead=desk.text("ui.ledger.accounts_lead"),
        trail=(),
        rule=None,
        actions=link,
        view=tables.list_table(desk, found, columns=columns, filters=filters, is_cut=is_cut),
        none_title=desk.text("ui.ledger.none"),
        none_text=desk.text("ui.ledger.none_text"),
    )


def _account_columns(
    desk: Desk, names: Mapping[str, str], scales: Mapping[str, int]
) -> tuple[Column[Held], ...]:
    def money(of: str) -> Any:
        return lambda one: tables.minor_units(getattr(one[1], of), scales.get(one[0].currency, 0))

    return (
        Column[Held](
            name="account",
            label="ui.ledger.account",
            value=lambda one: one[0].id,
            show=Show.ID,
            href=lambda one: f"{PATH}/{one[0].id}",
        ),
        Column[Held](
            name="owner",
            label="ui.ledger.owner",
            value=lambda one: names.get(one[0].owner, shorten(one[0].owner)),
            sub=lambda one: kind_words(desk, one[0].kind),
        ),
        Column[Held](
            name="currency", label="ui.ledger.currency", value=lambda one: one[0].currency
        ),
        Column[Held](
            name="posted", label="ui.ledger.posted", value=money("posted"), show=Show.MONEY
        ),
        Column[Held](
            name="reserved",
            label="ui.ledger.pending_out",
            value=money("pending_out"),
            show=Show.MONEY,
        ),
        Column[Held](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.account_state.{'closed' if one[0].closed_at else 'active'}",
            show=Show.LABEL,
            tone=lambda one: "" if one[0].closed_at else "good",
        ),
    )


def kind_words(desk: Desk, kind: str) -> str:
    """This will name what an account or transfer is for, where its word is known."""
    code = f"ui.ledger_kind.{kind}"
    said = desk.text(code)
    return kind if said == code else said


@get(f"{PATH}/{{account:str}}", sync_to_thread=True)
def statement(desk: FromDesk, account: FromPath[str]) -> Response[Any]:
    """This will show what moved on an account, the newest first."""
    desk.require()
    wanted = LedgerAccountId(account)
    ask = tables.ask_of(desk, _statement_columns(desk, 0))
    with desk.reading() as tx:
        held = ledger.get_account(tx, wanted)
        balance = ledger.get_balance(tx, wanted)
        words: dict[str, Said] = {
            "kind": lambda there: {one: kind_words(desk, one) for one in there},
            "phase": {one.value: desk.text(f"ui.ledger_phase.{one.value}") for one in ledger.Phase},
        }
        look = tables.look_of(ask, said=words)
        lines = ledger.look_through_transfers(tx, account=wanted, look=look)
        scales = _scales(tx)
        names = desk.names(tx, {held.owner})

    def said(minor: int) -> str:
        return amount(minor, held.currency, scales)

    columns = _statement_columns(desk, scales.get(held.currency, 0))
    if tables.wants_file(desk):
        name = f"{desk.text('ui.ledger.statement')}-{held.id[-8:]}"
        return tables.sheet(desk, lines.items, columns=columns, name=name)
    return desk.show(
        "ledger/account.html",
        held=held,
        balance=balance,
        said=said,
        owner=names.get(held.owner, shorten(held.owner)),
        owner_href=subject_href(held.owner),
        kind=kind_words(desk, held.kind),
        view=tables.looked_table(desk, lines, columns=columns, ask=ask),
    )


def _statement_columns(desk: Desk, scale: int) -> tuple[Column[StatementLine], ...]:
    return (
        Column[StatementLine](
            name="day", label="ui.ledger.day", value=lambda one: one.day, show=Show.DAY
        ),
        Column[StatementLine](
            name="kind",
            label="ui.ledger.what",
            value=lambda one: kind_words(desk, one.kind),
            sub=lambda one: one.reference or desk.text(f"ui.ledger_phase.{one.phase.value}"),
        ),
        Column[StatementLine](
            name="other",
            label="ui.ledger.other",
            value=lambda one: one.other,
            show=Show.ID,
        ),
        Column[StatementLine](
            name="amount",
            label="ui.ledger.amount",
            value=lambda one: tables.minor_units(one.amount, scale),
            show=Show.MONEY,
        ),
        Column[StatementLine](
            name="moved",
            label="ui.ledger.moved",
            value=lambda one: tables.minor_units(one.moved, scale),
            show=Show.MONEY,
        ),
        Column[StatementLine](
            name="balance",
            label="ui.ledger.balance",
            value=lambda one: tables.minor_units(one.balance, scale),
            show=Show.MONEY,
        ),
    )


@get(TRIAL_PATH, sync_to_thread=True)
def trial_balance(desk: FromDesk) -> Response[Any]:
    """This will add up all accounts by unit and kind; the sums are zero."""
    desk.require()
    with desk.reading() as tx:
        found = ledger.trial_balance(tx)
        scales = _scales(tx)
        closed = ledger.latest_close(tx)

    def money(of: str) -> Any:
        return lambda one: tables.minor_units(getattr(one, of), scales.get(one.currency, 0))

    columns = (
        Column[TrialLine](
            name="currency", label="ui.ledger.currency", value=lambda one: one.currency
        ),
        Column[TrialLine](
            name="kind", label="ui.ledger.kind", value=lambda one: kind_words(desk, one.kind)
        ),
        Column[TrialLine](
            name="accounts",
            label="ui.ledger.count",
            value=lambda one: one.accounts,
            show=Show.NUMBER,
        ),
        Column[TrialLine](
            name="holding", label="ui.ledger.holding", value=money("holding"), show=Show.MONEY
        ),
        Column[TrialLine](
            name="owing", label="ui.ledger.owing", value=money("owing"), show=Show.MONEY
        ),
        Column[TrialLine](
            name="out", label="ui.ledger.pending_out", value=money("pending_out"), show=Show.MONEY
        ),
    )
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, found.lines, columns=columns, name=desk.text("ui.ledger.trial")
        )
    totals = tuple(
        (currency, amount(found.total(currency), currency, scales))
        for currency in sorted({one.currency for one in found.lines})
    )
    return desk.show(
        "ledger/trial.html",
        view=tables.list_table(desk, found.lines, columns=columns, is_searched=False),
        totals=totals,
        closed=closed,
    )
