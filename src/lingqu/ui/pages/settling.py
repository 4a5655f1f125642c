# SPDX-License-Identifier: Apache-2.0
"""结算: plans of sharing, settled days, payables of the treasury, contributions of the bodies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import market, trust
from lingqu.market import distribution
from lingqu.market.distribution import (
    Payable,
    PayableId,
    Payout,
    Settlement,
    SettlementId,
    Share,
)
from lingqu.runtime import Tx
from lingqu.runtime.calendar import local_day, parse_day
from lingqu.ui import tables
from lingqu.ui.navigation import SETTLING
from lingqu.ui.pages import settling_acts
from lingqu.ui.pages.pricing import yuan
from lingqu.ui.pages.settling_acts import PATH, PAYABLES_PATH
from lingqu.ui.papers import ENDINGS, check_ending, paper_answer, paper_links, papers_card
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.things import (
    Card,
    Cell,
    Link,
    Thing,
    gather_own,
    id_cell,
    parties_to_see,
    show_thing,
)

CONTRIBUTIONS_PATH = "/market/contributions"


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
    columns = _settlement_columns(names)
    actions: list[tuple[str, str, str]] = []
    if may_close:
        actions.append((*settling_acts.CLOSE_DAY.link(desk), "btn-quiet"))
    if may_settle:
        actions.append((*settling_acts.SETTLE_DAY.link(desk), "btn-primary"))
        actions.append((*settling_acts.REGISTER_PLAN.link(desk), "btn-quiet"))
    return tables.gathered_list(
        desk, "ui.settlements", found, columns=columns, is_cut=is_cut, actions=tuple(actions)
    )


def _settlement_columns(names: Mapping[str, str]) -> tuple[Column[Settlement], ...]:
    return (
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
    columns = _payable_columns(names)
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
    return tables.gathered_list(
        desk, "ui.payables", found, columns=columns, filters=filters, is_cut=is_cut
    )


def _payable_columns(names: Mapping[str, str]) -> tuple[Column[Payable], ...]:
    return (
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


@get(f"{PAYABLES_PATH}/{{about:str}}", sync_to_thread=True)
def payable_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show one amount due to a treasury, its notice, and the receipt that closed it."""
    desk.require()
    with desk.reading() as tx:
        held = distribution.get_payable(tx, PayableId(about))
        names = desk.names(tx, {held.venue, held.treasury})
        papers = papers_card(
            desk,
            tx,
            about,
            (f"{PAYABLES_PATH}/{about}/notice/", desk.text("ui.payable.notice")),
        )
        may_close = held.receipt is None and trust.is_allowed(
            tx, trust.Action.END, trust.Kind.PAYABLE, owner=held.treasury
        )
    todo: tuple[Link, ...] = (settling_acts.CLOSE_PAYABLE.link(desk, about),) if may_close else ()
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
            right=(papers,),
            acts=todo,
        ),
    )


@get(f"{PAYABLES_PATH}/{{about:str}}/notice/{{ending:str}}", sync_to_thread=True)
def notice(desk: FromDesk, about: FromPath[str], ending: FromPath[str]) -> Response[bytes]:
    """This will print the 缴款通知书 of a payable."""
    desk.require()
    check_ending(ending)
    with desk.reading() as tx:
        paper = distribution.notice_paper(tx, PayableId(about))
    return paper_answer(desk, paper, ending, name=f"缴款通知书-{about[-8:]}")


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
        if venues and desk.argument("format") in ENDINGS:
            paper = distribution.contribution_paper(tx, venue=venues[0], begins=begins, ends=ends)
            name = f"贡献度报告-{begins:%Y%m}"
            return paper_answer(desk, paper, desk.argument("format"), name=name)
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
                        (f"{query}xlsx", "XLSX"), *paper_links(desk, query),
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


HANDLERS = (
    settlement_list, settlement_page, payable_list, payable_page, notice, contribution_page,
)  # fmt: skip
