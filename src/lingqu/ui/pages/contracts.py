# SPDX-License-Identifier: Apache-2.0
"""The contract room: terms, signatures, use, charges and bills of one contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import gate, market, rights, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.market import Contract, ContractId, ContractState, bills, settlement
from lingqu.market.settlement import ChargeLine
from lingqu.rights import quantities
from lingqu.runtime import Tx
from lingqu.runtime.calendar import local_day, parse_day
from lingqu.ui import tables
from lingqu.ui.forms import Form
from lingqu.ui.pages.contract_acts import contract_links
from lingqu.ui.pages.market import fee_lines, own_parties
from lingqu.ui.papers import check_ending, paper_answer, papers_card
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show

PATH = "/market/contracts"
TONES = {
    ContractState.REQUESTED: "wait",
    ContractState.OFFERED: "wait",
    ContractState.ACCEPTED: "wait",
    ContractState.PERFORMING: "good",
    ContractState.FAILED: "",
    ContractState.ENDED: "",
}
_CALLS = 20


@get(PATH, sync_to_thread=True)
def contract_list(desk: FromDesk) -> Response[Any]:
    """This will list the contracts of the visitor's parties; a supervisor sees all."""
    mine = desk.require()
    with desk.reading() as tx:
        found, is_cut = _contracts(tx, mine)
        names = desk.names(tx, {p for one in found for p in (one.seller, one.buyer)})
    columns, filters = _columns(names), _filters(desk)
    return tables.gathered_list(
        desk,
        "ui.contracts",
        found,
        columns=columns,
        filters=filters,
        is_cut=is_cut,
        rule="market.purpose_and_quantity",
        actions=(("/market/listings", desk.text("ui.nav.listings"), "btn-quiet"),),
    )


def _columns(names: Mapping[str, str]) -> tuple[Column[Contract], ...]:
    return (
        Column[Contract](
            name="product",
            label="ui.listing.product",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/{one.id}",
        ),
        Column[Contract](name="id", label="ui.contract.id", value=lambda one: one.id, show=Show.ID),
        Column[Contract](
            name="seller",
            label="ui.contract.seller",
            value=lambda one: names.get(one.seller, one.seller),
        ),
        Column[Contract](
            name="buyer",
            label="ui.contract.buyer",
            value=lambda one: names.get(one.buyer, one.buyer),
        ),
        Column[Contract](
            name="quota", label="ui.contract.quota", value=lambda one: one.quota, show=Show.NUMBER
        ),
        Column[Contract](
            name="deposit",
            label="ui.contract.deposit",
            value=lambda one: tables.minor_units(one.deposit, 2),
            show=Show.MONEY,
        ),
        Column[Contract](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.contract_state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: TONES[one.state],
        ),
        Column[Contract](
            name="proposed",
            label="ui.contract.proposed",
            value=lambda one: one.proposed_at,
            show=Show.INSTANT,
        ),
    )


def _filters(desk: Desk) -> tuple[Filter[Contract], ...]:
    return (
        Filter[Contract](
            name="state",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.contract_state.{one.value}"))
                for one in ContractState
            ),
            of=lambda one: one.state.value,
        ),
    )


@get(f"{PATH}/{{contract:str}}", sync_to_thread=True)
def contract_page(desk: FromDesk, contract: FromPath[str]) -> Response[str]:
    """This will show one contract: its text, who signed, what was used, charged and is left."""
    desk.require()
    return _show(desk, ContractId(contract))


@post(f"{PATH}/{{contract:str}}/sign", sync_to_thread=True, command="market.contract.sign")
def sign(desk: FromDesk, form: FromForm, contract: FromPath[str]) -> Response[str] | Redirect:
    """This will sign the text that was shown, by its digest."""
    desk.require()
    wanted, command = ContractId(contract), form.id("command", trust.CommandId)
    try:
        desk.execute(
            command,
            market.sign_contract,
            contract=wanted,
            party=form.id("party", trust.PartyId),
            digest=form.text("digest"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, wanted, refusal=refusal)
    return desk.go(f"{PATH}/{wanted}", done="contract_signed")


@post(f"{PATH}/{{contract:str}}/close", sync_to_thread=True, command="market.contract.close")
def close(desk: FromDesk, form: FromForm, contract: FromPath[str]) -> Response[str] | Redirect:
    """This will end a negotiation with a reason."""
    desk.require()
    wanted, command = ContractId(contract), form.id("command", trust.CommandId)
    try:
        desk.execute(
            command,
            market.close_contract,
            contract=wanted,
            party=form.id("party", trust.PartyId),
            reason=form.text("reason"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, wanted, refusal=refusal)
    return desk.go(f"{PATH}/{wanted}", done="contract_closed")


@get(f"{PATH}/{{contract:str}}/document/{{ending:str}}", sync_to_thread=True)
def document(desk: FromDesk, contract: FromPath[str], ending: FromPath[str]) -> Response[bytes]:
    """This will print the contract, or give its signed content."""
    desk.require()
    wanted = ContractId(contract)
    check_ending(ending)
    with desk.reading() as tx:
        paper = market.contract_paper(tx, wanted)
    return paper_answer(desk, paper, ending, name=f"合约-{wanted[-8:]}")


@get(f"{PATH}/{{contract:str}}/bill/{{ending:str}}", sync_to_thread=True)
def bill(desk: FromDesk, contract: FromPath[str], ending: FromPath[str]) -> Response[bytes]:
    """This will print the statement of a period, or give its calls as an Excel file."""
    desk.require()
    wanted = ContractId(contract)
    with desk.reading() as tx:
        begins, ends = _period(desk, local_day(tx.now))
        name = f"对账单-{wanted[-8:]}-{begins:%Y%m%d}"
        if ending == "xlsx":
            content = bills.write_calls(tx, contract=wanted, begins=begins, ends=ends)
            return tables.file_answer(content, name=f"{name}.xlsx", media_type=tables.XLSX)
        check_ending(ending)
        paper = bills.bill_paper(tx, contract=wanted, begins=begins, ends=ends)
    return paper_answer(desk, paper, ending, name=name)


@post(f"{PATH}/{{contract:str}}/reconcile", sync_to_thread=True)
def reconcile(desk: FromDesk, form: FromForm, contract: FromPath[str]) -> Response[Any]:
    """This will lay the buyer's own log of calls beside what was charged."""
    desk.require()
    wanted = ContractId(contract)
    file = form.file("log")
    content = b"" if file is None else file.content
    try:
        with desk.reading() as tx:
            begins, ends = _given_period(form, local_day(tx.now))
            found = bills.reconcile_log(
                tx, contract=wanted, begins=begins, ends=ends, content=content
            )
    except errors.Rejected as refusal:
        return _show(desk, wanted, refusal=refusal)
    if form.maybe("format") == "xlsx":
        name = f"对账差异-{wanted[-8:]}.xlsx"
        return tables.file_answer(bills.write_differences(found), name=name, media_type=tables.XLSX)
    return _show(desk, wanted, reconciled=found)


def _period(desk: Desk, today: date) -> tuple[date, date]:
    """The month that is asked for by its first day, else the present one."""
    asked = desk.argument("begins")
    begins = parse_day(asked) if asked else today.replace(day=1)
    return begins, _next_month(begins)


def _given_period(form: Form, today: date) -> tuple[date, date]:
    asked = form.maybe("begins")
    begins = parse_day(asked) if asked else today.replace(day=1)
    return begins, _next_month(begins)


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _contracts(tx: Tx, mine: trust.Identity) -> tuple[tuple[Contract, ...], bool]:
    if trust.is_allowed(tx, trust.Action.READ, trust.Kind.CONTRACT):
        return tables.gather(lambda page: market.find_contracts(tx, page=page))
    found: dict[str, Contract] = {}
    is_cut = False
    for party in own_parties(tx, mine, trust.Kind.CONTRACT):

        def find(page: PageRequest, party: trust.PartyId = party) -> Any:
            return market.find_contracts(tx, page=page, party=party)

        contracts, cut = tables.gather(find)
        found |= {one.id: one for one in contracts}
        is_cut = is_cut or cut
    return tuple(found[key] for key in sorted(found, reverse=True)), is_cut


def _show(
    desk: Desk,
    contract: ContractId,
    *,
    refusal: errors.LingquError | None = None,
    reconciled: bills.Reconciliation | None = None,
) -> Response[str]:
    mine = desk.require()
    ask = dataclasses.replace(tables.ask_of(desk, _charge_columns()), words="", as_file=False)
    with desk.reading() as tx:
        held = market.get_contract(tx, contract)
        signatures = market.find_signatures(tx, contract)
        names = desk.names(tx, {held.seller, held.buyer, held.venue})
        labels = {
            one.code: one.en if desk.visit.language == "en" else one.zh
            for one in rights.find_codes(tx)
            if one.tree is rights.TreeName.PURPOSES
        }
        tally = settlement.get_tally(tx, contract)
        rules = {one.value: desk.text(f"ui.charge_rule.{one.value}") for one in settlement.Rule}
        charges = settlement.look_through_charges(
            tx, contract=contract, look=tables.look_of(ask, said={"rule": rules})
        )
        quotas = _quotas(tx, held)
        calls = _calls(tx, held)
        today = local_day(tx.now)
        may_call = held.state is ContractState.PERFORMING and trust.is_allowed(
            tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=held.buyer
        )
        todo = contract_links(desk, tx, held)
        paper = (f"{PATH}/{contract}/document/", desk.text("ui.contract.paper"))
        papers = papers_card(desk, tx, contract, paper)
        sides = _sides(held, own_parties(tx, mine, trust.Kind.CONTRACT))
        bill = bills.get_bill(
            tx, contract=contract, begins=today.replace(day=1), ends=_next_month(today)
        )
    return desk.show(
        "market/contract.html",
        status=200 if refusal is None else status_of(refusal),
        held=held,
        names=names,
        tone=TONES[held.state],
        signatures=signatures,
        purposes=[labels.get(one, one) for one in held.purposes],
        fees=fee_lines(desk, held.schedule),
        tally=tally,
        quotas=quotas,
        calls=calls,
        bill=bill,
        yuan=lambda minor: f"{tables.minor_units(minor, 2):,}",
        view=tables.looked_table(
            desk, charges, columns=_charge_columns(), ask=ask, is_searched=False, has_file=False
        ),
        sides=sides,
        papers=papers,
        acts=todo,
        may_call=may_call,
        reconciled=reconciled,
        refusal=desk.explain(refusal),
    )


def _sides(held: Contract, mine: tuple[trust.PartyId, ...]) -> dict[str, bool]:
    """Whose turn it is among the visitor's parties: who may sign now, and who may still close."""
    turn = {
        ContractState.REQUESTED: held.seller,
        ContractState.OFFERED: held.buyer,
        ContractState.ACCEPTED: held.seller,
    }.get(held.state)
    if turn is None:
        return {}
    signer = held.buyer if held.state is not ContractState.ACCEPTED else held.seller
    return {str(one): one == signer for one in mine if one in {held.seller, held.buyer}}


def _quotas(tx: Tx, held: Contract) -> tuple[quantities.QuotaState, ...]:
    if held.grant_id is None:
        return ()
    try:
        return quantities.get_quota(tx, held.grant_id)
    except errors.NotFound:
        return ()


def _calls(tx: Tx, held: Contract) -> tuple[gate.MeteredCall, ...]:
    if held.grant_id is None:
        return ()
    try:
        return gate.find_calls(tx, page=PageRequest(size=_CALLS), grant=held.grant_id).items
    except (errors.NotFound, errors.Forbidden):
        return ()


def _charge_columns() -> tuple[Column[ChargeLine], ...]:
    return (
        Column[ChargeLine](
            name="at", label="ui.charge.at", value=lambda one: one.at, show=Show.INSTANT
        ),
        Column[ChargeLine](
            name="call", label="ui.charge.call", value=lambda one: one.call, show=Show.ID
        ),
        Column[ChargeLine](
            name="rule",
            label="ui.charge.rule",
            value=lambda one: f"ui.charge_rule.{one.rule.value}",
            show=Show.LABEL,
        ),
        Column[ChargeLine](
            name="units", label="ui.charge.units", value=lambda one: one.units, show=Show.NUMBER
        ),
        Column[ChargeLine](
            name="amount",
            label="ui.charge.amount",
            value=lambda one: tables.minor_units(one.amount, 2),
            show=Show.MONEY,
        ),
    )
