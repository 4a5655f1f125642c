# SPDX-License-Identifier: Apache-2.0
"""授权运营: schemes with their selections, agreements, and what each side does next with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import rights, trust
from lingqu.rights import operation
from lingqu.rights.operation import (
    Agreement,
    AgreementId,
    AgreementState,
    Scheme,
    SchemeId,
    SchemeState,
    Selection,
    SelectionId,
    SelectionState,
)
from lingqu.runtime import Tx
from lingqu.ui import tables
from lingqu.ui.asking import find_resources, statement_rows
from lingqu.ui.pages import operation_acts as acts
from lingqu.ui.pages.procedures import PROCEDURES_PATH
from lingqu.ui.papers import paper_answer, papers_card
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Show
from lingqu.ui.terms import reader
from lingqu.ui.things import (
    Card,
    Cell,
    Link,
    Step,
    Thing,
    gather_own,
    id_cell,
    parties_to_see,
    show_thing,
    todo_of,
)

PATH = "/rights/operation"
_DONE = {SchemeState.FILED: "good", SchemeState.REJECTED: "bad"}
_IN_EFFECT = {AgreementState.IN_EFFECT: "good", AgreementState.ENDED: "bad"}


@get(PATH, sync_to_thread=True)
def scheme_list(desk: FromDesk) -> Response[Any]:
    """This will list the schemes the visitor's parties take part in."""
    mine = desk.require()
    with desk.reading() as tx:
        parties = parties_to_see(tx, mine, trust.Kind.OPERATION)
        found, is_cut = gather_own(
            parties,
            lambda page, party: operation.find_schemes(tx, page=page, party=party),
            key=lambda one: one.id,
        )
        names = desk.names(tx, {one.body for one in found})
        may_draft = any(
            trust.is_allowed(
                tx, trust.Action.CREATE, trust.Kind.OPERATION, owner=trust.PartyId(one)
            )
            for one in mine.parties or (mine.party,)
        )
    columns = _scheme_columns(desk, names)
    draft = acts.DRAFT_SCHEME.link(desk)
    return tables.gathered_list(
        desk,
        "ui.operation",
        found,
        columns=columns,
        is_cut=is_cut,
        rule="operation.scheme_items",
        actions=(
            *(((*draft, "btn-primary"),) if may_draft else ()),
            (f"{PATH}/agreements", desk.text("ui.agreements.title"), "btn-quiet"),
        ),
    )


def _scheme_columns(desk: Desk, names: Mapping[str, str]) -> tuple[Column[Scheme], ...]:
    return (
        Column[Scheme](
            name="title",
            label="ui.operation.scheme",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/schemes/{one.id}",
            sub=lambda one: desk.text("ui.operation.edition", number=one.edition),
        ),
        Column[Scheme](
            name="body", label="ui.operation.body", value=lambda one: names.get(one.body, one.body)
        ),
        Column[Scheme](
            name="months",
            label="ui.ask.months",
            value=lambda one: one.term_months,
            show=Show.NUMBER,
        ),
        Column[Scheme](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.scheme_state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: _DONE.get(one.state, "wait"),
        ),
        Column[Scheme](
            name="drafted",
            label="ui.operation.drafted",
            value=lambda one: one.drafted_at,
            show=Show.INSTANT,
        ),
    )


@get(f"{PATH}/agreements", sync_to_thread=True)
def agreement_list(desk: FromDesk) -> Response[Any]:
    """This will list the agreements the visitor's parties sign or file."""
    mine = desk.require()
    with desk.reading() as tx:
        found, is_cut = gather_own(
            parties_to_see(tx, mine, trust.Kind.OPERATION),
            lambda page, party: operation.find_agreements(tx, page=page, party=party),
            key=lambda one: one.id,
        )
        names = desk.names(tx, {p for one in found for p in (one.body, one.operator)})
    columns = (
        Column[Agreement](
            name="title",
            label="ui.operation.agreement",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/agreements/{one.id}",
        ),
        Column[Agreement](
            name="body", label="ui.operation.body", value=lambda one: names.get(one.body, one.body)
        ),
        Column[Agreement](
            name="operator",
            label="ui.operation.operator",
            value=lambda one: names.get(one.operator, one.operator),
        ),
        Column[Agreement](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.agreement_state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: _IN_EFFECT.get(one.state, "wait"),
        ),
        Column[Agreement](
            name="ends", label="ui.operation.ends", value=lambda one: one.ends_at, show=Show.INSTANT
        ),
    )
    return tables.gathered_list(
        desk,
        "ui.agreements",
        found,
        columns=columns,
        is_cut=is_cut,
        trail=((PATH, desk.text("ui.operation.title")),),
        rule="operation.agreement_items",
    )


@get(f"{PATH}/schemes/{{about:str}}", sync_to_thread=True)
def scheme_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show a scheme: its twelve items, the selections and agreements under it."""
    desk.require()
    wanted = SchemeId(about)
    with desk.reading() as tx:
        held = operation.get_scheme(tx, wanted)
        selections = operation.find_selections(tx, scheme=wanted)
        chosen = {one.operator for one in selections}
        names = desk.names(tx, {held.body, held.authority, held.department, *chosen})
        items = statement_rows(desk, tx, "operation.scheme_items", held.statements())
        resources = find_resources(tx, held.resources)
        todo = _scheme_acts(desk, tx, held, selections)
        papers = papers_card(
            desk, tx, wanted,
            (f"{PATH}/schemes/{wanted}/document/", desk.text("ui.operation.scheme")),
        )  # fmt: skip
    return show_thing(
        desk,
        Thing(
            title=held.title,
            lead=desk.text("ui.operation.scheme_lead"),
            trail=((PATH, desk.text("ui.operation.title")),),
            rule="operation.scheme_items",
            badges=(
                Cell(
                    words=desk.text(f"ui.scheme_state.{held.state.value}"),
                    tone=_DONE.get(held.state, "wait"),
                ),
            ),
            left=(
                Card(name="items", title=desk.text("ui.operation.items"), quotes=items),
                Card(
                    name="selections",
                    title=desk.text("ui.operation.selections"),
                    steps=tuple(_selection_step(desk, one, names) for one in selections),
                ),
            ),
            right=(
                Card(
                    name="about-it",
                    title=desk.text("ui.thing.about"),
                    rows=(
                        (desk.text("ui.operation.body"), names[held.body]),
                        (desk.text("ui.ask.authority"), names[held.authority]),
                        (desk.text("ui.ask.department"), names[held.department]),
                        (desk.text("ui.ask.mode"), desk.text(f"ui.scheme_mode.{held.mode.value}")),
                        (desk.text("ui.ask.months"), str(held.term_months)),
                        (desk.text("ui.thing.digest"), id_cell(held.digest.hex())),
                        (
                            desk.text("ui.ask.root"),
                            id_cell(held.root, f"/rights/grants/{held.root}"),
                        ),
                    ),
                ),
                papers,
                Card(
                    name="resources",
                    title=desk.text("ui.ask.resources"),
                    steps=tuple(
                        Step(words=one.title, href=f"/supply/resources/{one.id}")
                        for one in resources
                    ),
                ),
            ),
            acts=todo,
        ),
    )


def _scheme_acts(
    desk: Desk, tx: Tx, held: Scheme, selections: tuple[Selection, ...]
) -> tuple[Link, ...]:
    moves, _ = todo_of(desk, tx, held.procedure, held.id, {})
    if not _may_change(tx, held.body):
        return moves
    found: list[Link] = []
    if held.state is SchemeState.DRAFTING:
        found.append(acts.REVISE_SCHEME.link(desk, held.id))
    if held.state is SchemeState.FILED:
        for one in selections:
            if one.state is SelectionState.ANNOUNCED:
                found.append(acts.CHOOSE_OPERATOR.link(desk, one.id))
            elif one.state is SelectionState.SELECTED:
                found.append(acts.DRAFT_AGREEMENT.link(desk, one.id))
        found.append(acts.OPEN_SELECTION.link(desk, held.id))
    return (*moves, *found) if held.state is SchemeState.DRAFTING else (*found, *moves)


def _selection_step(desk: Desk, one: Selection, names: Any) -> Step:
    chosen = desk.text("ui.operation.nobody") if one.operator is None else names[one.operator]
    return Step(
        words=f"{desk.text(f'ui.selection_way.{one.way.value}')} · {chosen}",
        when=desk.when(one.opened_at),
        href=f"{PROCEDURES_PATH}/{one.procedure}",
        badge=desk.text(f"ui.selection_state.{one.state.value}"),
        tone="good" if one.state is SelectionState.SELECTED else "wait",
    )


@get(f"{PATH}/selections/{{about:str}}", sync_to_thread=True)
def selection_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show how an operator is looked for, and what can be done about it."""
    mine = desk.require()
    wanted = SelectionId(about)
    with desk.reading() as tx:
        held = operation.get_selection(tx, wanted)
        names = desk.names(tx, {held.operator})
        todo, waits = todo_of(desk, tx, held.procedure, held.id, {"choose": acts.CHOOSE_OPERATOR})
        if held.state is SelectionState.PUBLISHED and any(
            trust.is_allowed(
                tx, trust.Action.CREATE, trust.Kind.OBJECTION, owner=trust.PartyId(one)
            )
            for one in mine.parties or (mine.party,)
        ):
            todo = (*todo, acts.OBJECT_SELECTION.link(desk, held.id))
    return show_thing(
        desk,
        Thing(
            title=desk.text("ui.operation.selection"),
            lead=desk.text("ui.operation.selection_lead"),
            trail=(
                (PATH, desk.text("ui.operation.title")),
                (f"{PATH}/schemes/{held.scheme}", desk.text("ui.operation.scheme")),
            ),
            rule="operation.selection_ways",
            left=(
                Card(
                    name="selection",
                    title=desk.text("ui.operation.selections"),
                    steps=(_selection_step(desk, held, names),),
                ),
            ),
            acts=todo,
            waits_for=waits,
        ),
    )


@get(f"{PATH}/agreements/{{about:str}}", sync_to_thread=True)
def agreement_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show an agreement: its thirteen items, its terms in words, who signed it."""
    desk.require()
    with desk.reading() as tx:
        held = operation.get_agreement(tx, AgreementId(about))
        form = rights.read_form(held.terms)
        names = desk.names(tx, {held.body, held.operator})
        reading = reader(desk, tx, forms=(form,), parties=names)
        items = statement_rows(desk, tx, "operation.agreement_items", held.statements())
        todo, waits = _agreement_acts(desk, tx, held)
        papers = papers_card(
            desk, tx, held.id,
            (f"{PATH}/agreements/{held.id}/document/", desk.text("ui.operation.agreement")),
        )  # fmt: skip
    signed = tuple(
        Step(words=names.get(one.party, one.party), when=desk.when(one.at), tone="good",
             badge=desk.text("ui.thing.signed"))
        for one in held.signed_by()
    )  # fmt: skip
    rows: list[tuple[str, Cell | str]] = [
        (desk.text("ui.operation.body"), names[held.body]),
        (desk.text("ui.operation.operator"), names[held.operator]),
        (desk.text("ui.ask.months"), str(held.term_months)),
        (desk.text("ui.operation.effective"), desk.when(held.effective_at)),
        (desk.text("ui.operation.ends"), desk.when(held.ends_at)),
        (desk.text("ui.thing.digest"), id_cell(held.digest.hex())),
    ]
    if held.grant_id is not None:
        rows.append(
            (
                desk.text("ui.operation.grant"),
                id_cell(held.grant_id, f"/rights/grants/{held.grant_id}"),
            )
        )
    return show_thing(
        desk,
        Thing(
            title=held.title,
            lead=desk.text("ui.operation.agreement_lead"),
            trail=(
                (PATH, desk.text("ui.operation.title")),
                (f"{PATH}/agreements", desk.text("ui.agreements.title")),
            ),
            rule="operation.agreement_items",
            badges=(
                Cell(
                    words=desk.text(f"ui.agreement_state.{held.state.value}"),
                    tone=_IN_EFFECT.get(held.state, "wait"),
                ),
            ),
            left=(Card(name="items", title=desk.text("ui.operation.items"), quotes=items),),
            right=(
                Card(
                    name="about-it",
                    title=desk.text("ui.thing.about"),
                    rows=tuple(rows),
                ),
                papers,
                Card(name="terms", title=desk.text("ui.operation.terms"), rows=reading.parts(form)),
                Card(
                    name="signatures",
                    title=desk.text("ui.contract.signatures"),
                    steps=signed,
                    none=desk.text("ui.thing.nobody_signed"),
                ),
            ),
            acts=todo,
            waits_for=waits,
        ),
    )


def _agreement_acts(desk: Desk, tx: Tx, held: Agreement) -> tuple[tuple[Link, ...], str]:
    moves, waits = todo_of(
        desk,
        tx,
        held.procedure,
        held.id,
        {
            "sign": acts.SIGN_AGREEMENT,
            "countersign": acts.SIGN_AGREEMENT,
            "file": acts.FILE_AGREEMENT,
            "end": acts.END_AGREEMENT,
        },
    )
    if held.state is AgreementState.DRAFTING and _may_change(tx, held.body):
        moves = (*moves, acts.REVISE_AGREEMENT.link(desk, held.id))
    return moves, waits


def _may_change(tx: Tx, party: trust.PartyId) -> bool:
    return trust.is_allowed(tx, trust.Action.CHANGE, trust.Kind.OPERATION, owner=party)


@get(f"{PATH}/schemes/{{about:str}}/document/{{ending:str}}", sync_to_thread=True)
def scheme_document(desk: FromDesk, about: FromPath[str], ending: FromPath[str]) -> Response[bytes]:
    """This will print a scheme as Word or PDF."""
    desk.require()
    with desk.reading() as tx:
        paper = operation.scheme_paper(tx, SchemeId(about))
    return paper_answer(desk, paper, ending, name=f"实施方案-{about[-8:]}")


@get(f"{PATH}/agreements/{{about:str}}/document/{{ending:str}}", sync_to_thread=True)
def agreement_document(
    desk: FromDesk, about: FromPath[str], ending: FromPath[str]
) -> Response[bytes]:
    """This will print an agreement as Word or PDF."""
    desk.require()
    with desk.reading() as tx:
        paper = operation.agreement_paper(tx, AgreementId(about))
    return paper_answer(desk, paper, ending, name=f"运营协议-{about[-8:]}")


HANDLERS = (
    scheme_list, agreement_list, scheme_page, selection_page, agreement_page, scheme_document,
    agreement_document,
)  # fmt: skip
