# SPDX-License-Identifier: Apache-2.0
"""结算: plans of sharing, settled days, payables of the treasury, contributions of the bodies."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import ledger, market, trust
from lingqu.market import distribution
from lingqu.market.distribution import (
    Payable,
    PayableId,
    Payout,
    PlanId,
    Settlement,
    SettlementId,
    Share,
)
from lingqu.market.listings import ListingId, ListingState
from lingqu.runtime import Tx, documents
from lingqu.runtime.calendar import local_day, parse_day
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input, Preview
from lingqu.ui.navigation import SETTLING
from lingqu.ui.pages.pricing import yuan
from lingqu.ui.provided import FromDesk
from lingqu.ui.refusals import PageNotFound
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.things import (
    Card,
    Cell,
    Link,
    Thing,
    files_of,
    gather_own,
    id_cell,
    my_party,
    organizations,
    parties_to_see,
    require_any,
    show_thing,
)

PATH = "/market/settlements"
PAYABLES_PATH = "/market/payables"
CONTRIBUTIONS_PATH = "/market/contributions"
_STEPS = 4
_WHOLE_BP = 10_000


def _venues(tx: Tx, kind: trust.Kind) -> list[trust.PartyId]:
    """The venues whose settlement the visitor may see."""
    return [
        one.party
        for one in market.find_venues(tx)
        if trust.is_allowed(tx, trust.Action.READ, kind, owner=one.party)
    ]


@get(PATH, sync_to_thread=True)
def settlement_list(desk: FromDesk) -> Response[Any]:
    """This will list the days a venue has settled."""
    desk.require(*SETTLING, kind=trust.Kind.SETTLEMENT)
    with desk.reading() as tx:
        venues = _venues(tx, trust.Kind.SETTLEMENT)
        found, is_cut = gather_own(
            list(venues),
            lambda page, venue: distribution.find_settlements(
                tx, venue=venue or trust.PartyId(""), page=page
            ),
            key=lambda one: one.id,
        )
        names = desk.names(tx, {one.venue for one in found})
        may_settle = any(
            trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.SETTLEMENT, owner=one)
            for one in venues
        )
        may_close = trust.is_allowed(tx, trust.Action.END, trust.Kind.LEDGER_DAY)
    columns = (
        Column[Settlement](
            name="day",
            label="ui.ask.day",
            value=lambda one: one.day,
            show=Show.DAY,
            href=lambda one: f"{PATH}/{one.id}",
        ),
        Column[Settlement](
            name="venue",
            label="ui.listing.venue",
            value=lambda one: names.get(one.venue, one.venue),
        ),
        Column[Settlement](
            name="contracts",
            label="ui.contracts.title",
            value=lambda one: one.contracts,
            show=Show.NUMBER,
        ),
        Column[Settlement](
            name="shared",
            label="ui.settlement.shared",
            value=lambda one: tables.minor_units(one.shared, 2),
            show=Show.MONEY,
        ),
        Column[Settlement](
            name="settled",
            label="ui.settlement.at",
            value=lambda one: one.settled_at,
            show=Show.INSTANT,
        ),
    )
    title = desk.text("ui.settlements.title")
    if tables.wants_file(desk):
        return tables.listed_sheet(desk, found, columns=columns, name=title)
    actions: list[tuple[str, str, str]] = []
    if may_close:
        actions.append((*CLOSE_DAY.link(desk), "btn-quiet"))
    if may_settle:
        actions.append((*SETTLE_DAY.link(desk), "btn-primary"))
        actions.append((*REGISTER_PLAN.link(desk), "btn-quiet"))
    return desk.show(
        "list.html",
        title=title,
        lead=desk.text("ui.settlements.lead"),
        trail=(),
        rule=None,
        actions=tuple(actions),
        view=tables.list_table(desk, found, columns=columns, is_cut=is_cut),
        none_title=desk.text("ui.settlements.none"),
        none_text=desk.text("ui.settlements.none_text"),
    )


@get(f"{PATH}/{{about:str}}", sync_to_thread=True)
def settlement_page(desk: FromDesk, about: FromPath[str]) -> Response[Any]:
    """This will show who received which part of a day, to the fen."""
    desk.require()
    with desk.reading() as tx:
        held = distribution.get_settlement(tx, SettlementId(about))
        parts = distribution.find_payouts(tx, held.id)
        unposted = distribution.find_unposted(tx, held.id)
        names = desk.names(tx, {one.party for one in parts} | {held.venue})
    columns = _payout_columns(names)
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, parts, columns=columns, name=desk.text("ui.settlement.parts")
        )
    sums = {
        share: sum(one.amount for one in parts if one.share is share)
        for share in Share
        if any(one.share is share for one in parts)
    }
    return show_thing(
        desk,
        Thing(
            title=desk.text("ui.settlement.of", day=desk.day(held.day)),
            lead=desk.text("ui.settlement.lead"),
            trail=((PATH, desk.text("ui.settlements.title")),),
            badges=(
                Cell(
                    words=desk.text(
                        "ui.settlement.unposted" if unposted else "ui.settlement.whole"
                    ),
                    tone="bad" if unposted else "good",
                ),
            ),
            above=(
                Card(
                    name="sums",
                    title=desk.text("ui.settlement.sums"),
                    figures=(
                        (desk.text("ui.settlement.shared"), yuan(held.shared)),
                        *(
                            (desk.text(f"ui.share.{share.value}"), yuan(amount))
                            for share, amount in sums.items()
                        ),
                    ),
                ),
            ),
            left=(
                Card(
                    name="parts",
                    title=desk.text("ui.settlement.parts"),
                    view=tables.list_table(desk, parts, columns=columns),
                    none=desk.text("ui.settlement.none"),
                ),
            ),
        ),
    )


def _payout_columns(names: Any) -> tuple[Column[Payout], ...]:
    return (
        Column[Payout](
            name="share",
            label="ui.settlement.share",
            value=lambda one: f"ui.share.{one.share.value}",
            show=Show.LABEL,
        ),
        Column[Payout](
            name="party",
            label="ui.settlement.payee",
            value=lambda one: names.get(one.party, one.party),
        ),
        Column[Payout](
            name="contract",
            label="ui.contract.title",
            value=lambda one: one.contract,
            show=Show.ID,
            href=lambda one: f"/market/contracts/{one.contract}",
        ),
        Column[Payout](
            name="rate",
            label="ui.settlement.rate",
            value=lambda one: tables.minor_units(one.rate, 2),
            show=Show.MONEY,
        ),
        Column[Payout](
            name="amount",
            label="ui.charge.amount",
            value=lambda one: tables.minor_units(one.amount, 2),
            show=Show.MONEY,
        ),
    )


@get(PAYABLES_PATH, sync_to_thread=True)
def payable_list(desk: FromDesk) -> Response[Any]:
    """This will list what venues owe treasuries."""
    mine = desk.require()
    with desk.reading() as tx:
        found, is_cut = gather_own(
            parties_to_see(tx, mine, trust.Kind.PAYABLE),
            lambda page, party: distribution.find_payables(tx, party=party, page=page),
            key=lambda one: one.id,
        )
        names = desk.names(tx, {p for one in found for p in (one.venue, one.treasury)})
    columns = (
        Column[Payable](
            name="number",
            label="ui.payable.number",
            value=lambda one: one.number,
            href=lambda one: f"{PAYABLES_PATH}/{one.id}",
        ),
        Column[Payable](
            name="venue",
            label="ui.payable.payer",
            value=lambda one: names.get(one.venue, one.venue),
        ),
        Column[Payable](
            name="treasury",
            label="ui.settlement.payee",
            value=lambda one: names.get(one.treasury, one.treasury),
        ),
        Column[Payable](
            name="amount",
            label="ui.charge.amount",
            value=lambda one: tables.minor_units(one.amount, 2),
            show=Show.MONEY,
        ),
        Column[Payable](
            name="due", label="ui.payable.due", value=lambda one: one.due_on, show=Show.DAY
        ),
        Column[Payable](
            name="state",
            label="ui.party.state",
            value=lambda one: "ui.payable.paid" if one.receipt else "ui.payable.open",
            show=Show.LABEL,
            tone=lambda one: "good" if one.receipt else "wait",
        ),
    )
    filters = (
        Filter[Payable](
            name="state",
            label=desk.text("ui.party.state"),
            options=(
                Option(value="open", words=desk.text("ui.payable.open")),
                Option(value="paid", words=desk.text("ui.payable.paid")),
            ),
            of=lambda one: "paid" if one.receipt else "open",
        ),
    )
    title = desk.text("ui.payables.title")
    if tables.wants_file(desk):
        return tables.listed_sheet(desk, found, columns=columns, filters=filters, name=title)
    return desk.show(
        "list.html",
        title=title,
        lead=desk.text("ui.payables.lead"),
        trail=(),
        rule=None,
        actions=(),
        view=tables.list_table(desk, found, columns=columns, filters=filters, is_cut=is_cut),
        none_title=desk.text("ui.payables.none"),
        none_text=desk.text("ui.payables.none_text"),
    )


@get(f"{PAYABLES_PATH}/{{about:str}}", sync_to_thread=True)
def payable_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show one amount due to a treasury, its notice, and the receipt that closed it."""
    desk.require()
    with desk.reading() as tx:
        held = distribution.get_payable(tx, PayableId(about))
        names = desk.names(tx, {held.venue, held.treasury})
        may_close = held.receipt is None and trust.is_allowed(
            tx, trust.Action.END, trust.Kind.PAYABLE, owner=held.treasury
        )
    todo: tuple[Link, ...] = (CLOSE_PAYABLE.link(desk, about),) if may_close else ()
    return show_thing(
        desk,
        Thing(
            title=held.number,
            lead=desk.text("ui.payable.lead"),
            trail=((PAYABLES_PATH, desk.text("ui.payables.title")),),
            badges=(
                Cell(
                    words=desk.text("ui.payable.paid" if held.receipt else "ui.payable.open"),
                    tone="good" if held.receipt else "wait",
                ),
            ),
            above=(
                Card(
                    name="amount",
                    title=desk.text("ui.charge.amount"),
                    figures=(
                        (desk.text("ui.charge.amount"), yuan(held.amount)),
                        (desk.text("ui.payable.due"), desk.day(held.due_on)),
                        (desk.text("ui.ask.receipt"), held.receipt or "–"),
                    ),
                ),
            ),
            left=(
                Card(
                    name="about-it",
                    title=desk.text("ui.thing.about"),
                    rows=(
                        (desk.text("ui.payable.payer"), names[held.venue]),
                        (desk.text("ui.settlement.payee"), names[held.treasury]),
                        (desk.text("ui.ask.day"), desk.day(held.day)),
                        (
                            desk.text("ui.settlement.title"),
                            id_cell(held.settlement, f"{PATH}/{held.settlement}"),
                        ),
                        (desk.text("ui.payable.paid_on"), desk.day(held.paid_on)),
                    ),
                ),
            ),
            right=(
                Card(
                    name="notice",
                    title=desk.text("ui.payable.notice"),
                    links=files_of(f"{PAYABLES_PATH}/{about}/notice", "pdf", "docx"),
                ),
            ),
            acts=todo,
        ),
    )


@get(f"{PAYABLES_PATH}/{{about:str}}/notice/{{ending:str}}", sync_to_thread=True)
def notice(desk: FromDesk, about: FromPath[str], ending: FromPath[str]) -> Response[bytes]:
    """This will print the 缴款通知书 of a payable."""
    desk.require()
    to = _format(ending)
    with desk.reading() as tx:
        made = distribution.draw_notice(tx, PayableId(about), to=to)
    return tables.file_answer(
        made.content, name=f"缴款通知书-{about[-8:]}.{ending}", media_type=made.media_type
    )


def _format(ending: str) -> documents.Format:
    if ending not in {one.value for one in documents.Format}:
        raise PageNotFound
    return documents.Format(ending)


@get(CONTRIBUTIONS_PATH, sync_to_thread=True)
def contribution_page(desk: FromDesk) -> Response[Any]:
    """This will measure what the tables of each body were part of, in a month; never money."""
    desk.require(*SETTLING, kind=trust.Kind.SETTLEMENT)
    with desk.reading() as tx:
        venues = _venues(tx, trust.Kind.SETTLEMENT)
        begins, ends = _month(desk, local_day(tx.now))
        found = [
            distribution.get_contribution(tx, venue=one, begins=begins, ends=ends) for one in venues
        ]
        lines = [line for one in found for line in one.lines]
        names = desk.names(tx, {one.body for one in lines})
        if venues and desk.argument("format") in {"docx", "pdf"}:
            made = distribution.draw_contribution(
                tx, venue=venues[0], begins=begins, ends=ends, to=_format(desk.argument("format"))
            )
            name = f"贡献度报告-{begins:%Y%m}.{desk.argument('format')}"
            return tables.file_answer(made.content, name=name, media_type=made.media_type)
        if venues and tables.wants_file(desk):
            content = distribution.write_contribution(tx, venue=venues[0], begins=begins, ends=ends)
            name = f"贡献度报告-{begins:%Y%m}.xlsx"
            return tables.file_answer(content, name=name, media_type=tables.XLSX)
    columns = _contribution_columns(names)
    query = f"{CONTRIBUTIONS_PATH}?begins={begins.isoformat()}&format="
    return show_thing(
        desk,
        Thing(
            title=desk.text("ui.contributions.title"),
            lead=desk.text("ui.contributions.lead"),
            above=(
                Card(
                    name="month",
                    title=f"{desk.day(begins)} – {desk.day(ends - timedelta(days=1))}",
                    figures=(
                        (desk.text("ui.contributions.calls"), f"{sum(o.calls for o in found):,}"),
                        (
                            desk.text("ui.contributions.answers"),
                            f"{sum(o.answers for o in found):,}",
                        ),
                    ),
                    links=(
                        (f"{CONTRIBUTIONS_PATH}?begins={_before(begins).isoformat()}",
                         desk.text("ui.contributions.before")),
                        (f"{query}xlsx", "XLSX"), (f"{query}docx", "DOCX"), (f"{query}pdf", "PDF"),
                    ),
                ),
            ),
            left=(
                Card(
                    name="bodies",
                    title=desk.text("ui.contributions.bodies"),
                    view=tables.list_table(
                        desk, lines, columns=columns, is_searched=False, has_file=False
                    ),
                    none=desk.text("ui.contributions.none"),
                ),
            ),
        ),
    )  # fmt: skip


def _contribution_columns(names: Any) -> tuple[Column[Any], ...]:
    return (
        Column[Any](
            name="body", label="ui.contributions.body", value=lambda one: names.get(one.body, "–")
        ),
        Column[Any](
            name="title",
            label="ui.contributions.resource",
            value=lambda one: one.title,
            href=lambda one: f"/supply/resources/{one.resource}",
        ),
        Column[Any](
            name="columns",
            label="ui.contributions.columns",
            value=lambda one: one.columns,
            show=Show.NUMBER,
        ),
        Column[Any](
            name="answers",
            label="ui.contributions.answers",
            value=lambda one: one.answers,
            show=Show.NUMBER,
        ),
        Column[Any](
            name="share",
            label="ui.contributions.share",
            value=lambda one: tables.minor_units(one.share, 2),
            show=Show.MONEY,
        ),
    )


def _before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def _month(desk: Desk, today: date) -> tuple[date, date]:
    asked = desk.argument("begins")
    begins = (parse_day(asked) if asked else today).replace(day=1)
    return begins, (begins + timedelta(days=32)).replace(day=1)


# -- acts -----------------------------------------------------------------------------------------


def _settling(desk: Desk) -> tuple[tuple[str, str], ...]:
    with desk.reading() as tx:
        return my_party(desk, tx, trust.Action.CREATE, trust.Kind.SETTLEMENT)


def _trail(desk: Desk) -> tuple[tuple[str, str], ...]:
    return ((PATH, desk.text("ui.settlements.title")),)


def _ask_plan(desk: Desk, _: str) -> Asked:
    venues = _settling(desk)
    with desk.reading() as tx:
        found, _cut = gather_own(
            [trust.PartyId(one) for one, _ in venues],
            lambda page, party: market.listings.find_own_listings(tx, page=page, party=party),
            key=lambda one: one.id,
        )
        parties = organizations(tx)
    shares = tuple((one.value, desk.text(f"ui.share.{one.value}")) for one in Share)
    fields = [
        Field(
            name="listing",
            show=Input.CHOICE,
            label="ui.listing.title",
            options=tuple(
                (one.id, one.title)
                for one in found
                if one.state in {ListingState.LISTED, ListingState.CERTIFIED}
            ),
        ),
        Field(name="steps", show=Input.HEADING, hint="ui.ask.steps.hint"),
    ]
    for number in range(_STEPS):
        fields += [
            Field(
                name=f"share_{number}",
                show=Input.CHOICE,
                label="ui.settlement.share",
                options=shares,
                required=number == 0,
                refusals=("market.plan.bad",) if number == 0 else (),
            ),
            Field(
                name=f"payee_{number}",
                show=Input.CHOICE,
                label="ui.settlement.payee",
                options=parties,
                required=number == 0,
            ),
            Field(
                name=f"rate_{number}",
                show=Input.MONEY,
                label="ui.settlement.rate",
                required=number == 0,
                most=6,
            ),
        ]
    fields += [
        Field(name="source", most=300, hint="ui.ask.source.hint"),
        Field(name="remittance", show=Input.HEADING, hint="ui.ask.remittance.hint"),
        Field(name="payee", most=100, required=False),
        Field(name="bank", most=100, required=False),
        Field(name="account", most=60, required=False),
        Field(name="working_days", show=Input.NUMBER, most=3, required=False, value="10"),
    ]
    return Asked(trail=_trail(desk), fields=tuple(fields))


def _steps(given: Given) -> tuple[distribution.Step, ...]:
    return tuple(
        distribution.Step(
            share=given.choice(f"share_{number}", Share),
            party=given.party(f"payee_{number}"),
            rate=given.decimal(f"rate_{number}", places=2),
        )
        for number in range(_STEPS)
        if given.maybe(f"rate_{number}") is not None
    )


def _preview_plan(desk: Desk, given: Given, _: str) -> Preview:
    steps = _steps(given)
    left, rows = _WHOLE_BP * 100, []
    for one in steps:
        part = left * one.rate // _WHOLE_BP
        rows.append((desk.text(f"ui.share.{one.share.value}"), yuan(part)))
        left -= part
    rows.append((desk.text("ui.settlement.rest"), yuan(left)))
    return Preview(lines=(desk.text("ui.settlement.of_hundred"),), rows=tuple(rows))


def _register_plan(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    where = None
    if given.maybe("payee") is not None:
        where = distribution.Remittance(
            payee=given.text("payee"),
            bank=given.text("bank"),
            account=given.text("account"),
            working_days=given.number("working_days"),
        )
    desk.execute(
        command,
        distribution.register_plan,
        plan=PlanId.of(command.uuid),
        listing=ListingId(given.text("listing")),
        steps=_steps(given),
        source=given.text("source"),
        remittance=where,
    )
    return PATH


def _ask_day(desk: Desk, _: str) -> Asked:
    return Asked(
        trail=_trail(desk),
        fields=(
            Field(name="venue", show=Input.CHOICE, label="ui.listing.venue",
                  options=_settling(desk)),
            Field(name="day", show=Input.DAY,
                  refusals=("market.settlement", "ledger.day")),
        ),
    )  # fmt: skip


def _settle(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    settlement = SettlementId.of(command.uuid)
    desk.execute(
        command,
        distribution.settle_day,
        settlement=settlement,
        venue=given.party("venue"),
        day=given.day("day"),
    )
    return f"{PATH}/{settlement}"


def _ask_closing(desk: Desk, _: str) -> Asked:
    require_any(desk, trust.Action.END, trust.Kind.LEDGER_DAY)
    return Asked(
        trail=_trail(desk),
        fields=(Field(name="day", show=Input.DAY, refusals=("ledger.day",)),),
    )


def _close_day(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    desk.execute(command, ledger.close_day, day=given.day("day"))
    return PATH


def _ask_receipt(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = distribution.get_payable(tx, PayableId(about))
        names = desk.names(tx, {held.venue})
    return Asked(
        about=held.number,
        trail=(
            (PAYABLES_PATH, desk.text("ui.payables.title")),
            (f"{PAYABLES_PATH}/{about}", held.number),
        ),
        shown=(
            (desk.text("ui.payable.payer"), names[held.venue]),
            (desk.text("ui.charge.amount"), yuan(held.amount)),
            (desk.text("ui.payable.due"), desk.day(held.due_on)),
        ),
        fields=(
            Field(name="receipt", most=60, hint="ui.ask.receipt.hint",
                  refusals=("market.payable.receipt", "market.payable.bad_receipt")),
            Field(name="paid_on", show=Input.DAY),
        ),
    )  # fmt: skip


def _close_payable(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        distribution.close_payable,
        payable=PayableId(about),
        receipt=given.text("receipt"),
        paid_on=given.day("paid_on"),
    )
    return f"{PAYABLES_PATH}/{about}"


REGISTER_PLAN = Act(
    name="register_plan",
    path="/market/plans/register",
    command="market.plan.register",
    ask=_ask_plan,
    do=_register_plan,
    preview=_preview_plan,
)
SETTLE_DAY = Act(
    name="settle_day",
    path=f"{PATH}/settle",
    command="market.settlement.settle",
    ask=_ask_day,
    do=_settle,
)
CLOSE_DAY = Act(
    name="close_day",
    path="/ledger/close-day",
    command="ledger.day.close",
    ask=_ask_closing,
    do=_close_day,
)
CLOSE_PAYABLE = Act(
    name="close_payable",
    path=f"{PAYABLES_PATH}/{{about:str}}/close",
    command="market.payable.close",
    ask=_ask_receipt,
    do=_close_payable,
)
ACTS = (REGISTER_PLAN, SETTLE_DAY, CLOSE_DAY, CLOSE_PAYABLE)
HANDLERS = (
    settlement_list, settlement_page, payable_list, payable_page, notice, contribution_page,
)  # fmt: skip
