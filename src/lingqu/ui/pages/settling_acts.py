# SPDX-License-Identifier: Apache-2.0
"""What venue, clearing staff and treasury do: plans, closed days, settlement, receipts."""

from __future__ import annotations

from lingqu import ledger, market, trust
from lingqu.market import distribution
from lingqu.market.distribution import PayableId, PlanId, SettlementId, Share
from lingqu.market.listings import ListingId, ListingState
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input, Preview, narrowed
from lingqu.ui.pages.pricing import yuan
from lingqu.ui.rendering import Desk
from lingqu.ui.things import my_party, organizations, require_any

PATH = "/market/settlements"
PAYABLES_PATH = "/market/payables"
_STEPS = 4
_WHOLE_BP = 10_000


def _settling(desk: Desk) -> tuple[tuple[str, str], ...]:
    with desk.reading() as tx:
        return my_party(desk, tx, trust.Action.CREATE, trust.Kind.SETTLEMENT)


def _trail(desk: Desk) -> tuple[tuple[str, str], ...]:
    return ((PATH, desk.text("ui.settlements.title")),)


def _ask_plan(desk: Desk, _: str) -> Asked:
    venues = _settling(desk)
    with desk.reading() as tx:
        look = tables.look_for(desk)
        found = market.listings.look_through_listings(
            tx,
            look=look,
            parties=[trust.PartyId(one) for one, _ in venues],
            states=(ListingState.LISTED, ListingState.CERTIFIED),
        )
        parties = organizations(tx)
    shares = tuple((one.value, desk.text(f"ui.share.{one.value}")) for one in Share)
    fields = [
        Field(
            name="listing",
            show=Input.CHOICE,
            label="ui.listing.title",
            options=tuple((one.id, one.title) for one in found.items),
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
    return Asked(trail=_trail(desk), fields=tuple(fields), narrowed=narrowed(look, found))


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
