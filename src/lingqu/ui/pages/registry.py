# SPDX-License-Identifier: Apache-2.0
"""Registries: what a code stands for, what is published, and one registration with its paper."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import trust
from lingqu.kernel import errors
from lingqu.rights import registry
from lingqu.rights.registry import Registration, RegistrationId, RegistrationState
from lingqu.runtime import Tx
from lingqu.ui import tables
from lingqu.ui.asking import statement_rows
from lingqu.ui.pages import registry_acts
from lingqu.ui.pages.procedures import PROCEDURES_PATH, subject_href
from lingqu.ui.pages.registry_acts import registration_columns, registration_words
from lingqu.ui.papers import check_ending, paper_answer, papers_card
from lingqu.ui.provided import FromDesk
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.things import todo_of

PATH = "/rights/registry"


@get(PATH, sync_to_thread=True)
def registry_page(desk: FromDesk) -> Response[Any]:
    """This will answer what a code stands for, and list what is public; open to everyone."""
    code = desk.argument("code")
    entry: registry.PublicEntry | None = None
    refusal: errors.LingquError | None = None
    until = Column[Registration](
        name="until",
        label="ui.registry.until",
        value=lambda one: one.valid_until,
        show=Show.INSTANT,
    )
    filters = _filters(desk)
    ask = tables.ask_of(desk, registration_columns({}, until), filters)
    with desk.reading() as tx:
        if code:
            try:
                entry = registry.public_entry(tx, registry.find_by_code(tx, code))
            except errors.NotFound as unknown:
                refusal = unknown
        look = tables.look_of(ask, said=registration_words(desk, tx))
        found = registry.look_through_published(tx, look=look)
        names = desk.names(tx, {one.applicant for one in found.items})
    columns = registration_columns(names, until)
    if tables.wants_file(desk):
        name = desk.text("ui.registry.title")
        return tables.sheet(desk, found.items, columns=columns, name=name)
    return desk.show(
        "rights/registry.html",
        status=200 if refusal is None else status_of(refusal),
        code=code,
        entry=entry,
        refusal=desk.explain(refusal),
        view=tables.looked_table(desk, found, columns=columns, ask=ask, filters=filters),
    )


def _filters(desk: Desk) -> tuple[Filter[Registration], ...]:
    return (
        Filter[Registration](
            name="kind",
            label=desk.text("ui.registry.kind"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.registration_kind.{one.value}"))
                for one in registry.RegistrationKind
            ),
        ),
    )


@get(f"{PATH}/{{registration:str}}", sync_to_thread=True)
def registration_page(desk: FromDesk, registration: FromPath[str]) -> Response[str]:
    """This will show one registration: what was stated, its standing, its certificate."""
    wanted = RegistrationId(registration)
    with desk.reading() as tx:
        held = registry.get_registration(tx, wanted)
        entry = registry.public_entry(tx, held)
        todo, waits = _acts(desk, tx, held)
        changes = registry.find_changes(tx, registration=wanted)
        paper = (f"{PATH}/{wanted}/certificate/", desk.text("ui.registry.certificate"))
        papers = None if held.code is None else papers_card(desk, tx, wanted, paper)
        stated = statement_rows(
            desk, tx, registry_acts.materials_rule(held.kind), held.statements()
        )
    return desk.show(
        "rights/registration.html",
        acts=todo,
        waits_for=waits,
        changes=changes,
        papers=papers,
        held=held,
        entry=entry,
        stated=stated,
        subject_href=subject_href(held.subject),
        procedure=f"{PROCEDURES_PATH}/{held.procedure}" if desk.visit.identity else None,
    )


def _acts(desk: Desk, tx: Tx, held: Registration) -> tuple[tuple[tuple[str, str], ...], str]:
    """What the visitor can do now about a registration, or whose turn it is."""
    mine = desk.visit.identity
    if mine is None:
        return (), ""
    todo, waits = todo_of(
        desk,
        tx,
        held.procedure,
        held.id,
        {
            "assign_code": registry_acts.CODE,
            "record": registry_acts.CODE,
            "supplement": registry_acts.SUPPLEMENT,
            "correct": registry_acts.SUPPLEMENT,
            "renew": registry_acts.RENEW,
        },
    )
    parties = [trust.PartyId(one) for one in mine.parties or (mine.party,)]
    if held.state is RegistrationState.PUBLISHED and any(
        trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.OBJECTION, owner=one)
        for one in parties
        if one != held.applicant
    ):
        todo = (*todo, registry_acts.OBJECT.link(desk, held.id))
    if held.state is RegistrationState.REGISTERED and held.applicant in parties:
        todo = (*todo, registry_acts.CHANGE.link(desk, held.id))
    return todo, waits


@get(f"{PATH}/{{registration:str}}/certificate/{{ending:str}}", sync_to_thread=True)
def certificate(
    desk: FromDesk, registration: FromPath[str], ending: FromPath[str]
) -> Response[bytes]:
    """This will print the certificate with its code as QR."""
    check_ending(ending)
    wanted = RegistrationId(registration)
    with desk.reading() as tx:
        held = registry.get_registration(tx, wanted)
        link = f"{desk.base}{PATH}?code={held.code or ''}"
        paper = registry.certificate_paper(tx, wanted, link=link)
    return paper_answer(desk, paper, ending, name=f"登记凭证-{wanted[-8:]}")
