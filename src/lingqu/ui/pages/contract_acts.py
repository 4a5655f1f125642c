# SPDX-License-Identifier: Apache-2.0
"""What buyer, seller and venue do about one contract after it was proposed."""

from __future__ import annotations

from datetime import timedelta

from lingqu import market, trust
from lingqu.market import ContractId, ContractState, ContractTerms, bills, settlement
from lingqu.market.settlement import CorrectionId
from lingqu.runtime import Tx
from lingqu.trust import procedures
from lingqu.ui.acts import Act, Asked, Field, Given, Input, Preview
from lingqu.ui.asking import fee_fields, fees_of, purposes_of, reason_field
from lingqu.ui.pages.pricing import yuan
from lingqu.ui.rendering import Desk
from lingqu.ui.things import Link

PATH = "/market/contracts"
_MONTH_DAYS = 30
_SELLERS_TURN = frozenset({ContractState.REQUESTED, ContractState.ACCEPTED})
_OPEN = _SELLERS_TURN | {ContractState.OFFERED}


def contract_links(desk: Desk, tx: Tx, held: market.Contract) -> tuple[Link, ...]:
    """This will say what else the visitor can do about a contract now."""
    found: list[Link] = []
    turn = held.seller if held.state in _SELLERS_TURN else held.buyer
    if held.state in _OPEN and _may(tx, trust.Action.CHANGE, trust.Kind.CONTRACT, turn):
        found.append(COUNTER.link(desk, held.id))
    if held.state is ContractState.PERFORMING:
        if _may(tx, trust.Action.CHANGE, trust.Kind.CONTRACT, held.buyer):
            found += [FREEZE.link(desk, held.id), CONTEST.link(desk, held.id)]
        if any(
            _may(tx, trust.Action.END, trust.Kind.CONTRACT, one)
            for one in (held.buyer, held.seller)
        ):
            found.append(END.link(desk, held.id))
    if held.finalized_at and _may(tx, trust.Action.CHANGE, trust.Kind.CHARGE, held.venue):
        found.append(CORRECT.link(desk, held.id))
    return tuple(found)


def _may(tx: Tx, action: trust.Action, kind: trust.Kind, owner: trust.PartyId) -> bool:
    return trust.is_allowed(tx, action, kind, owner=owner)


def _about(desk: Desk, about: str, *fields: Field, danger: bool = False) -> Asked:
    """An act about one contract, beside its present terms."""
    with desk.reading() as tx:
        held = market.get_contract(tx, ContractId(about))
    return Asked(
        trail=((PATH, desk.text("ui.contracts.title")), (f"{PATH}/{about}", held.title)),
        fields=fields,
        shown=(
            (desk.text("ui.contract.quota"), f"{held.quota:,}"),
            (
                desk.text("ui.contract.period"),
                f"{desk.when(held.starts_at)} – {desk.when(held.ends_at)}",
            ),
            (desk.text("ui.contract.deposit"), yuan(held.deposit)),
            (desk.text("ui.contract.held"), yuan(held.held_minor)),
        ),
        danger=danger,
    )


def _sides(desk: Desk, about: str, action: trust.Action) -> tuple[Link, ...]:
    """The sides of a contract that the visitor may act for."""
    with desk.reading() as tx:
        held = market.get_contract(tx, ContractId(about))
        names = desk.names(tx, {held.buyer, held.seller})
        return tuple(
            (one, names[one])
            for one in (held.buyer, held.seller)
            if _may(tx, action, trust.Kind.CONTRACT, one)
        )


def _ask_counter(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = market.get_contract(tx, ContractId(about))
        listing = market.listings.get_listing(tx, held.listing)
        purposes = purposes_of(desk, tx, listing)
    months = max(1, round((held.ends_at - held.starts_at).days / _MONTH_DAYS))
    return _about(
        desk,
        about,
        Field(
            name="party", show=Input.CHOICE, options=_sides(desk, about, trust.Action.CHANGE),
            refusals=("market.contract.wrong_turn", "market.contract.not_open"),
        ),
        Field(
            name="purposes",
            show=Input.SEVERAL,
            label="ui.contract.purposes",
            options=purposes,
            value=" ".join(held.purposes),
            refusals=("market.contract.purpose",),
        ),
        Field(
            name="quota",
            show=Input.NUMBER,
            label="ui.contract.quota",
            most=12,
            value=str(held.quota),
        ),
        Field(
            name="months", show=Input.NUMBER, label="ui.propose.months", most=2, value=str(months),
            refusals=("market.contract.term",),
        ),
        *fee_fields(desk, held.schedule),
    )  # fmt: skip


def _counter(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    with desk.reading() as tx:
        held = market.get_contract(tx, ContractId(about))
    desk.execute(
        command,
        market.counter_contract,
        contract=ContractId(about),
        party=given.party("party"),
        terms=ContractTerms(
            purposes=given.several("purposes"),
            quota=given.number("quota"),
            starts_at=held.starts_at,
            ends_at=held.starts_at + timedelta(days=_MONTH_DAYS * given.number("months")),
            duties=held.owed,
            fees=fees_of(given),
            sample=held.sample,
        ),
    )
    return f"{PATH}/{about}"


def _preview_counter(desk: Desk, given: Given, about: str) -> Preview:
    with desk.reading() as tx:
        held = market.get_contract(tx, ContractId(about))
    fees, quota = fees_of(given), given.number("quota")
    before, after = market.total_of(held.schedule, held.quota), market.total_of(fees, quota)
    return Preview(
        rows=(
            (desk.text("ui.contract.total_before"), yuan(before)),
            (desk.text("ui.contract.total_after"), yuan(after)),
            (desk.text("ui.contract.quota"), f"{held.quota:,} → {quota:,}"),
        )
    )


def _ask_end(desk: Desk, about: str) -> Asked:
    side = Field(name="party", show=Input.CHOICE, options=_sides(desk, about, trust.Action.END))
    return _about(desk, about, side, reason_field(), danger=True)


def _end(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        market.end_contract,
        contract=ContractId(about),
        party=given.party("party"),
        reason=given.text("reason"),
    )
    return f"{PATH}/{about}"


def _ask_freeze(desk: Desk, about: str) -> Asked:
    amount = Field(
        name="amount", show=Input.MONEY, most=18,
        refusals=("market.amount", "market.funds", "market.tally"),
    )  # fmt: skip
    return _about(desk, about, amount)


def _freeze(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        settlement.freeze_more,
        contract=ContractId(about),
        amount=given.money("amount"),
    )
    return f"{PATH}/{about}"


def _call_field(desk: Desk) -> Field:
    return Field(
        name="call",
        label="ui.charge.call",
        most=60,
        value=desk.argument("call"),
        hint="ui.ask.call.hint",
        refusals=("market.charge.not_found",),
    )


def _ask_correction(desk: Desk, about: str) -> Asked:
    return _about(
        desk,
        about,
        _call_field(desk),
        Field(name="amount", show=Input.MONEY, most=18, refusals=("market.correction",)),
        reason_field(),
        Field(name="reference", most=100, hint="ui.ask.correction.hint"),
    )


def _correct(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        settlement.correct_charge,
        correction=CorrectionId.of(command.uuid),
        contract=ContractId(about),
        call=given.text("call"),
        amount=given.money("amount"),
        reason=given.text("reason"),
        reference=given.text("reference"),
    )
    return f"{PATH}/{about}"


def _ask_contest(desk: Desk, about: str) -> Asked:
    claimed = Field(name="claimed", show=Input.MONEY, most=18,
                    refusals=("market.charge.nothing",))  # fmt: skip
    return _about(desk, about, _call_field(desk), claimed)


def _contest(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    procedure = procedures.ProcedureId.of(command.uuid)
    desk.execute(
        command,
        bills.contest_charge,
        procedure=procedure,
        contract=ContractId(about),
        call=given.text("call"),
        claimed=given.money("claimed"),
    )
    return f"/trust/procedures/{procedure}"


COUNTER = Act(
    name="counter_contract",
    path=f"{PATH}/{{about:str}}/counter",
    command="market.contract.counter",
    rule="market.purpose_and_quantity",
    ask=_ask_counter,
    do=_counter,
    preview=_preview_counter,
)
END = Act(
    name="end_contract",
    path=f"{PATH}/{{about:str}}/end",
    command="market.contract.end",
    ask=_ask_end,
    do=_end,
)
FREEZE = Act(
    name="freeze_more",
    path=f"{PATH}/{{about:str}}/freeze",
    command="market.frozen.add",
    ask=_ask_freeze,
    do=_freeze,
)
CORRECT = Act(
    name="correct_charge",
    path=f"{PATH}/{{about:str}}/correct",
    command="market.charge.correct",
    ask=_ask_correction,
    do=_correct,
)
CONTEST = Act(
    name="contest_charge",
    path=f"{PATH}/{{about:str}}/contest",
    command="market.charge.contest",
    ask=_ask_contest,
    do=_contest,
)
ACTS = (COUNTER, END, FREEZE, CORRECT, CONTEST)
