# SPDX-License-Identifier: Apache-2.0
"""What a buyer does: proposing a contract about a product, and asking under one in force."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import gate, market, trust
from lingqu.kernel import errors
from lingqu.market import CommitmentKind, ContractId, ContractTerms
from lingqu.runtime import new_id
from lingqu.ui.asking import purposes_of
from lingqu.ui.forms import Form
from lingqu.ui.pages import querying
from lingqu.ui.pages.contracts import PATH as CONTRACTS_PATH
from lingqu.ui.pages.market import PATH as LISTINGS_PATH
from lingqu.ui.pages.market import fee_lines, schedule_of
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk

_MONTHS_MOST = 36
_LINES_MOST = 50


@get(f"{LISTINGS_PATH}/{{listing:str}}/propose", sync_to_thread=True)
def propose_page(desk: FromDesk, listing: FromPath[str]) -> Response[str]:
    """This will ask a buyer for purpose, quota and period, and show the commitment."""
    desk.require()
    return _propose(desk, market.listings.ListingId(listing))


@post(
    f"{LISTINGS_PATH}/{{listing:str}}/propose",
    sync_to_thread=True,
    command="market.contract.propose",
)
def propose(desk: FromDesk, form: FromForm, listing: FromPath[str]) -> Response[str] | Redirect:
    """This will propose a contract; the seller answers it."""
    desk.require()
    wanted, command = market.listings.ListingId(listing), form.id("command", trust.CommandId)
    contract = form.id("contract", ContractId)
    typed = {name: form.fields.get(name, "") for name in ("buyer", "purpose", "quota", "months")}
    try:
        if form.maybe("agreed") is None:
            raise FormIncomplete(field=desk.text("ui.propose.commitment"))
        desk.execute(
            command,
            market.propose_contract,
            contract=contract,
            listing=wanted,
            buyer=form.id("buyer", trust.PartyId),
            terms=_terms(desk, form),
            commitment=market.get_commitment(CommitmentKind.USE).digest,
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _propose(desk, wanted, refusal=refusal, typed=typed)
    return desk.go(f"{CONTRACTS_PATH}/{contract}", done="contract_proposed")


def _terms(desk: Desk, form: Form) -> ContractTerms:
    """The terms asked for, from the start of the hour, so that sending them again is the same."""
    quota, months = _number(form, "quota"), _number(form, "months")
    if not 0 < months <= _MONTHS_MOST:
        raise FormIncomplete(field="months")
    with desk.reading() as tx:
        begins = tx.now.replace(minute=0, second=0, microsecond=0)
    return ContractTerms(
        purposes=(form.text("purpose"),),
        quota=quota,
        starts_at=begins,
        ends_at=begins + timedelta(days=30 * months),
    )


def _number(form: Form, name: str) -> int:
    given = form.text(name).replace(",", "").strip()
    if not (given.isascii() and given.isdigit() and len(given) < 12):
        raise FormIncomplete(field=name)
    return int(given)


def _propose(
    desk: Desk,
    listing: market.listings.ListingId,
    *,
    refusal: errors.LingquError | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    mine = desk.require()
    with desk.reading() as tx:
        held = market.listings.get_listing(tx, listing)
        schedule = schedule_of(tx, held.product)
        buyers = tuple(
            one
            for one in (trust.PartyId(party) for party in mine.parties or (mine.party,))
            if trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.CONTRACT, owner=one)
        )
        names = desk.names(tx, {*buyers, held.seller})
        purposes = purposes_of(desk, tx, held)
    if not buyers:
        raise trust.AccessDenied(action="create", kind="contract")
    commitment = market.get_commitment(CommitmentKind.USE)
    return desk.show(
        "market/propose.html",
        status=200 if refusal is None else status_of(refusal),
        held=held,
        seller=names[held.seller],
        fees=() if schedule is None else fee_lines(desk, schedule),
        buyers=tuple((one, names[one]) for one in buyers),
        purposes=purposes,
        commitment=commitment.en if desk.visit.language == "en" else commitment.zh,
        new_contract=new_id(ContractId),
        typed=typed or {},
        refusal=desk.explain(refusal),
    )


@get(f"{CONTRACTS_PATH}/{{contract:str}}/console", sync_to_thread=True)
def console_page(desk: FromDesk, contract: FromPath[str]) -> Response[str]:
    """This will ask for the subjects of a call under a contract."""
    desk.require()
    return _console(desk, ContractId(contract))


@post(f"{CONTRACTS_PATH}/{{contract:str}}/console", sync_to_thread=True)
def ask(
    desk: FromDesk, form: FromForm, contract: FromPath[str]
) -> Response[str] | Response[bytes] | Redirect:
    """This will explain how a call would be decided, or make it: metered first, then answered."""
    desk.require()
    wanted = ContractId(contract)
    with desk.reading() as tx:
        held = market.get_contract(tx, wanted)
        product = gate.get_product(tx, gate.ProductId(held.product))
    if product.form is gate.Form.QUERY:
        return querying.ask_query(desk, form, held, product)
    with desk.reading() as tx:
        request = _request(form, held)
        asker = gate.find_asker(tx, request.grant)
        told = desk.platform.desk.explain(tx, request, may_call=asker.may_call)
    shown: dict[str, Any] = {"told": told, "subjects": form.fields.get("subjects", "")}
    if form.maybe("act") == "explain":
        return _console(desk, wanted, **shown)
    try:
        shown["answer"] = desk.platform.desk.ask(request, asker)
    except errors.LingquError as refusal:
        return _console(desk, wanted, refusal=refusal, **shown)
    shown["asked"] = request.subjects
    return _console(desk, wanted, **shown)


@get(f"{CONTRACTS_PATH}/{{contract:str}}/console/{{call:str}}", sync_to_thread=True)
def asked_page(desk: FromDesk, contract: FromPath[str], call: FromPath[str]) -> Response[str]:
    """This will show a query that was asked: its place, how far it is, or its answer."""
    desk.require()
    with desk.reading() as tx:
        held = market.get_contract(tx, ContractId(contract))
        product = gate.get_product(tx, gate.ProductId(held.product))
    return querying.show_asked(desk, held, product, gate.CallId(call))


def _request(form: Form, held: market.Contract) -> gate.CallRequest:
    if held.grant_id is None:
        raise market.ContractNotPerforming(contract=held.id)
    lines = [one.strip() for one in form.fields.get("subjects", "").splitlines() if one.strip()]
    parts = [one.replace("，", ",").partition(",") for one in lines[:_LINES_MOST]]
    return gate.CallRequest(
        call=form.id("call", gate.CallId),
        grant=held.grant_id,
        product=gate.ProductId(held.product),
        purpose=held.purposes[0],
        subjects=tuple(
            gate.Subject(key=key.strip(), value=value.strip()) for key, _, value in parts
        ),
        predicate=form.maybe("predicate") or "",
    )


def _console(
    desk: Desk,
    contract: ContractId,
    *,
    refusal: errors.LingquError | None = None,
    **shown: Any,
) -> Response[str]:
    with desk.reading() as tx:
        held = market.get_contract(tx, contract)
        product = gate.get_product(tx, gate.ProductId(held.product))
    if product.form is gate.Form.QUERY:
        return querying.show_console(desk, held, product)
    values: dict[str, Any] = {"told": None, "answer": None, "asked": (), "subjects": ""}
    return desk.show(
        "market/console.html",
        status=200 if refusal is None else status_of(refusal),
        held=held,
        product=product,
        policy=gate.policy_of(product),
        new_call=new_id(gate.CallId),
        refusal=desk.explain(refusal),
        **values | shown,
    )
