# SPDX-License-Identifier: Apache-2.0
"""What applicants and registrars do: apply, supplement, object, 赋码, renew, change, correct."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

from litestar import Response, get

from lingqu import gate, rights, supply, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.rights import registry
from lingqu.rights.registry import (
    ChangeId,
    Registration,
    RegistrationId,
    RegistrationKind,
    RegistrationState,
)
from lingqu.runtime import Tx
from lingqu.runtime.looking import Said
from lingqu.ui import tables
from lingqu.ui.acts import Act, Asked, Field, Given, Input
from lingqu.ui.asking import (
    files_field,
    named_resources,
    objection_fields,
    opinion_field,
    statement_fields,
    statement_rows,
    statements,
)
from lingqu.ui.provided import FromDesk
from lingqu.ui.refusals import PageNotFound
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Show
from lingqu.ui.things import (
    Card,
    Step,
    Thing,
    my_party,
    organizations,
    reach_of,
    require_any,
    show_thing,
)

PATH = "/rights/registry"
OWN_PATH = "/rights/registrations"
_FIRST = PageRequest(size=200)


def materials_rule(kind: RegistrationKind) -> str:
    """This will name the list of what a registration of a kind states."""
    is_property = kind is RegistrationKind.PROPERTY
    return "property.first_fields" if is_property else "registration.first_materials"


@get(OWN_PATH, sync_to_thread=True)
def own_list(desk: FromDesk) -> Response[Any]:
    """This will list what the visitor's parties applied for or keep, and what could be applied."""
    mine = desk.require()
    applied = Column[Registration](
        name="applied",
        label="ui.registry.applied",
        value=lambda one: one.applied_at,
        show=Show.INSTANT,
    )
    ask = tables.ask_of(desk, registration_columns({}, applied))
    with desk.reading() as tx:
        found = registry.look_through_registrations(
            tx,
            look=tables.look_of(ask, said=registration_words(desk, tx)),
            parties=reach_of(tx, mine, trust.Kind.REGISTRATION),
        )
        names = desk.names(tx, {one.applicant for one in found.items})
        subjects = _subjects(desk, tx, mine)
    columns = registration_columns(names, applied)
    title = desk.text("ui.registrations.title")
    if tables.wants_file(desk):
        return tables.sheet(desk, found.items, columns=columns, name=title)
    apply = Card(
        name="apply",
        title=desk.text("ui.registrations.apply"),
        lead=desk.text("ui.registrations.apply_text"),
        steps=subjects,
        none=desk.text("ui.registrations.nothing"),
    )
    return show_thing(
        desk,
        Thing(
            title=title,
            lead=desk.text("ui.registrations.lead"),
            trail=((PATH, desk.text("ui.registry.title")),),
            rule="registration.duty",
            left=(
                Card(
                    name="own",
                    title=title,
                    view=tables.looked_table(desk, found, columns=columns, ask=ask),
                    none=desk.text("ui.registry.none"),
                ),
                apply,
            ),
        ),
    )


def registration_words(desk: Desk, tx: Tx) -> dict[str, Said]:
    """This gives how the columns of registrations read that hold codes."""
    return {
        "kind": {
            one.value: desk.text(f"ui.registration_kind.{one.value}") for one in RegistrationKind
        },
        "applicant": functools.partial(desk.names, tx),
        "state": lambda there: {
            one: desk.text(f"ui.registration_state.{RegistrationState.read(one).value}")
            for one in there
        },
    }


def registration_columns(
    names: Mapping[str, str], last: Column[Registration]
) -> tuple[Column[Registration], ...]:
    """This gives the columns of a list of registrations, with the moment that counts last."""
    return (
        Column[Registration](
            name="title",
            label="ui.registry.subject",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/{one.id}",
            sub=lambda one: one.code,
        ),
        Column[Registration](
            name="kind",
            label="ui.registry.kind",
            value=lambda one: f"ui.registration_kind.{one.kind.value}",
            show=Show.LABEL,
        ),
        Column[Registration](
            name="applicant",
            label="ui.registry.applicant",
            value=lambda one: names.get(one.applicant, one.applicant),
        ),
        Column[Registration](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.registration_state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: "good" if one.state is RegistrationState.REGISTERED else "wait",
        ),
        last,
    )


def _subjects(desk: Desk, tx: Tx, mine: trust.Identity) -> tuple[Step, ...]:
    """Resources and products of the visitor's parties that nobody has applied for."""
    found: dict[str, Step] = {}
    for one in mine.parties or (mine.party,):
        party = trust.PartyId(one)
        if not trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.REGISTRATION, owner=party):
            continue
        for product in gate.find_products(tx, page=_FIRST, owner=party).items:
            found[product.id] = _subject(desk, product.id, product.title, "product")
        held = rights.find_grants(tx, page=_FIRST, holder=party).items
        resources = {*(r.id for r in supply.find_resources(tx, page=_FIRST, body=party).items)}
        for grant in held:
            if grant.kind is rights.GrantKind.HOLDING:
                resources |= {*named_resources(rights.read_form(grant.effective))}
        for resource in sorted(resources):
            try:
                title = supply.get_resource(tx, resource).title
            except errors.NotFound:
                continue
            found[resource] = _subject(desk, resource, title, "resource")
    filed = registry.find_filed(tx, subjects=list(found))
    return tuple(step for key, step in found.items() if key not in filed)


def _subject(desk: Desk, subject: str, title: str, kind: str) -> Step:
    return Step(
        words=title,
        href=APPLY.href(subject),
        badge=desk.text(f"ui.registration_kind.{kind}"),
        tone="",
    )


def _trail(desk: Desk) -> tuple[tuple[str, str], ...]:
    return ((OWN_PATH, desk.text("ui.registrations.title")),)


def _kind_of(desk: Desk, subject: str) -> RegistrationKind:
    if desk.argument("kind") == RegistrationKind.PROPERTY.value:
        return RegistrationKind.PROPERTY
    match subject.partition("_")[0]:
        case "res":
            return RegistrationKind.RESOURCE
        case "prd":
            return RegistrationKind.PRODUCT
    raise PageNotFound


def _ask_apply(desk: Desk, about: str) -> Asked:
    kind = _kind_of(desk, about)
    with desk.reading() as tx:
        sides = my_party(desk, tx, trust.Action.CREATE, trust.Kind.REGISTRATION)
        if about.startswith("prd_"):
            product = gate.get_product(tx, gate.ProductId(about))
            title, summary, chosen = product.title, product.summary, product.grant_id
        else:
            resource = supply.get_resource(tx, supply.ResourceId(about))
            title, summary, chosen = resource.title, resource.summary, None
        grants = [
            one
            for party, _ in sides
            for one in rights.find_grants(tx, page=_FIRST, holder=trust.PartyId(party)).items
        ]
        is_property = kind is RegistrationKind.PROPERTY
        wanted = registry.Registry.PROPERTY if is_property else registry.Registry.PUBLIC
        keepers = [
            one.party
            for one in registry.find_registrars(tx)
            if one.registry is wanted and one.ended_at is None
        ]
        names = desk.names(tx, keepers)
        others = organizations(tx)
        materials = statement_fields(desk, tx, materials_rule(kind))
    return Asked(
        about=title,
        trail=_trail(desk),
        shown=(
            (desk.text("ui.registry.kind"), desk.text(f"ui.registration_kind.{kind.value}")),
            (desk.text("ui.registry.subject"), title),
        ),
        fields=(
            Field(name="applicant", show=Input.CHOICE, label="ui.registry.applicant",
                  options=sides, refusals=("rights.registration.not_theirs",)),
            Field(
                name="registrar",
                show=Input.CHOICE,
                label="ui.registry.registrar",
                options=tuple((one, names[one]) for one in keepers),
            ),
            Field(name="title", value=title),
            Field(name="summary", show=Input.AREA, value=summary, most=1000),
            Field(
                name="grant",
                show=Input.CHOICE,
                required=False,
                hint="ui.ask.grant.hint",
                options=tuple(
                    (one.id, f"{desk.text(f'rights.kind.{one.kind.value}')} {one.id[-6:]}")
                    for one in grants
                ),
                value=chosen or "",
                refusals=("rights.registration.grant", "rights.grant."),
            ),
            Field(name="department", show=Input.CHOICE, required=False, options=others),
            Field(
                name="evidence_file",
                show=Input.FILES,
                hint="ui.ask.evidence_file.hint",
                refusals=("rights.registration.evidence",),
            ),
            files_field(required=kind is not RegistrationKind.PROPERTY),
            Field(name="parts", show=Input.HEADING, label="ui.registry.stated"),
            *materials,
        ),
    )  # fmt: skip


def _apply(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    registration = RegistrationId.of(command.uuid)
    grant, department = given.maybe("grant"), given.maybe("department")
    desk.execute(
        command,
        registry.apply_registration,
        registration=registration,
        kind=_kind_of(desk, about),
        subject=about,
        applicant=given.party("applicant"),
        registrar=given.party("registrar"),
        title=given.text("title"),
        summary=given.text("summary"),
        materials=statements(given),
        evidence=hashlib.sha256(given.upload("evidence_file").content).digest(),
        files=given.files("files"),
        grant=None if grant is None else rights.GrantId(grant),
        department=None if department is None else trust.PartyId(department),
    )
    return f"{PATH}/{registration}"


def _read(
    desk: Desk, about: str
) -> tuple[Registration, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """A registration with what it states, and the way back to it."""
    with desk.reading() as tx:
        held = registry.get_registration(tx, RegistrationId(about))
        stated = statement_rows(desk, tx, materials_rule(held.kind), held.statements())
    shown = ((desk.text("ui.registry.kind"), desk.text(f"ui.registration_kind.{held.kind.value}")),)
    trail = (*_trail(desk), (f"{PATH}/{about}", held.title))
    return held, (*shown, *stated), trail


def _ask_supplement(desk: Desk, about: str) -> Asked:
    held, _, trail = _read(desk, about)
    with desk.reading() as tx:
        fields = statement_fields(desk, tx, materials_rule(held.kind), held.statements())
    return Asked(about=held.title, trail=trail, fields=(files_field(), *fields))


def _supplement(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        registry.supplement_registration,
        registration=RegistrationId(about),
        materials=statements(given),
        files=given.files("files"),
    )
    return f"{PATH}/{about}"


def _ask_objection(desk: Desk, about: str) -> Asked:
    held, shown, trail = _read(desk, about)
    with desk.reading() as tx:
        fields = objection_fields(desk, tx)
    return Asked(about=held.title, trail=trail, shown=shown, fields=fields)


def _object(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        registry.object_to_registration,
        registration=RegistrationId(about),
        objector=given.party("party"),
        reason=given.text("reason"),
        files=given.files("files"),
    )
    return f"{PATH}/{about}"


def _ask_code(desk: Desk, about: str) -> Asked:
    held, shown, trail = _read(desk, about)
    return Asked(
        about=held.title,
        trail=trail,
        shown=shown,
        fields=(
            Field(
                name="months",
                show=Input.NUMBER,
                required=False,
                most=3,
                hint="ui.ask.validity.hint",
                refusals=("trust.procedure.bad_term",),
            ),
            opinion_field(required=False),
        ),
    )


def _code(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        registry.code_registration,
        registration=RegistrationId(about),
        months=given.number_or_none("months"),
        opinion=given.maybe("opinion"),
    )
    return f"{PATH}/{about}"


def _ask_renewal(desk: Desk, about: str) -> Asked:
    held, shown, trail = _read(desk, about)
    months = Field(name="months", show=Input.NUMBER, required=False, most=3,
                   hint="ui.ask.validity.hint", refusals=("trust.procedure.bad_term",))  # fmt: skip
    return Asked(about=held.title, trail=trail, shown=shown, fields=(opinion_field(), months))


def _renew(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        registry.renew_registration,
        registration=RegistrationId(about),
        opinion=given.text("opinion"),
        months=given.number_or_none("months"),
    )
    return f"{PATH}/{about}"


def _ask_change(desk: Desk, about: str) -> Asked:
    held, _, trail = _read(desk, about)
    kinds = tuple(
        (one.value, desk.text(f"ui.change_kind.{one.value}")) for one in registry.ChangeKind
    )
    with desk.reading() as tx:
        sides = my_party(desk, tx, trust.Action.CREATE, trust.Kind.REGISTRATION)
        fields = statement_fields(desk, tx, materials_rule(held.kind), held.statements())
    return Asked(
        about=held.title,
        trail=trail,
        fields=(
            Field(name="change_kind", show=Input.CHOICE, options=kinds,
                  refusals=("rights.registration_change.",)),
            Field(name="party", show=Input.CHOICE, options=sides),
            Field(name="title", value=held.title),
            Field(name="summary", show=Input.AREA, value=held.summary, most=1000),
            Field(name="evidence_file", show=Input.FILES, hint="ui.ask.evidence_file.hint"),
            Field(name="proof_file", show=Input.FILES, required=False,
                  hint="ui.ask.proof_file.hint"),
            *fields,
        ),
    )  # fmt: skip


def _apply_change(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    proof = given.form.file("proof_file")
    desk.execute(
        command,
        registry.apply_change,
        change=ChangeId.of(command.uuid),
        registration=RegistrationId(about),
        kind=given.choice("change_kind", registry.ChangeKind),
        party=given.party("party"),
        title=given.text("title"),
        summary=given.text("summary"),
        materials=statements(given),
        evidence=hashlib.sha256(given.upload("evidence_file").content).digest(),
        proof=None if proof is None else hashlib.sha256(proof.content).digest(),
    )
    return f"{PATH}/{about}"


def _ask_recording(desk: Desk, about: str) -> Asked:
    """The changes of a registration that wait for being recorded, to choose one."""
    held, shown, trail = _read(desk, about)
    with desk.reading() as tx:
        waiting = [
            one
            for one in registry.find_changes(tx, registration=RegistrationId(about))
            if one.made_at is None
        ]
    options = tuple((one.id, f"{one.title} · {desk.when(one.applied_at)}") for one in waiting)
    change = Field(name="change", show=Input.CHOICE, options=options)
    return Asked(
        about=held.title, trail=trail, shown=shown, fields=(change, opinion_field(required=False))
    )


def _record_change(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        registry.record_change,
        change=ChangeId(given.text("change")),
        opinion=given.maybe("opinion"),
    )
    return f"{PATH}/{about}"


def _ask_registrar(desk: Desk, _: str) -> Asked:
    require_any(desk, trust.Action.CREATE, trust.Kind.REGISTRAR)
    with desk.reading() as tx:
        found = organizations(tx)
    kinds = tuple(
        (one.value, desk.text(f"ui.registry_name.{one.value}")) for one in registry.Registry
    )
    return Asked(
        trail=((PATH, desk.text("ui.registry.title")),),
        fields=(
            Field(name="party", show=Input.CHOICE, options=found),
            Field(name="registry", show=Input.CHOICE, options=kinds),
            Field(name="area", most=6, hint="ui.ask.area.hint", refusals=("rights.registrar",)),
            Field(name="number", show=Input.NUMBER, most=4),
        ),
    )


def _name_registrar(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    desk.execute(
        command,
        registry.name_registrar,
        registrar=registry.RegistrarId.of(command.uuid),
        party=given.party("party"),
        registry=given.choice("registry", registry.Registry),
        area=given.text("area"),
        number=given.number("number"),
    )
    return PATH


APPLY = Act(
    name="apply_registration",
    path=f"{OWN_PATH}/apply/{{about:str}}",
    command="rights.registration.apply",
    rule="registration.first_materials",
    ask=_ask_apply,
    do=_apply,
    takes_files=True,
)
SUPPLEMENT = Act(
    name="supplement_registration",
    path=f"{PATH}/{{about:str}}/supplement",
    command="rights.registration.supplement",
    rule="registration.acceptance",
    ask=_ask_supplement,
    do=_supplement,
    takes_files=True,
)
OBJECT = Act(
    name="object_registration",
    path=f"{PATH}/{{about:str}}/object",
    command="rights.registration.object",
    rule="registration.real_name_objection",
    ask=_ask_objection,
    do=_object,
    takes_files=True,
)
CODE = Act(
    name="code_registration",
    path=f"{PATH}/{{about:str}}/code",
    command="rights.registration.code",
    rule="registration.query_code",
    ask=_ask_code,
    do=_code,
)
RENEW = Act(
    name="renew_registration",
    path=f"{PATH}/{{about:str}}/renew",
    command="rights.registration.renew",
    rule="registration.validity",
    ask=_ask_renewal,
    do=_renew,
)
CHANGE = Act(
    name="change_registration",
    path=f"{PATH}/{{about:str}}/change",
    command="rights.registration_change.apply",
    ask=_ask_change,
    do=_apply_change,
    takes_files=True,
)
RECORD_CHANGE = Act(
    name="record_change",
    path=f"{PATH}/{{about:str}}/record",
    command="rights.registration_change.record",
    ask=_ask_recording,
    do=_record_change,
)
NAME_REGISTRAR = Act(
    name="name_registrar",
    path="/rights/registrars/name",
    command="rights.registrar.name",
    ask=_ask_registrar,
    do=_name_registrar,
)
ACTS = (APPLY, SUPPLEMENT, OBJECT, CODE, RENEW, CHANGE, RECORD_CHANGE, NAME_REGISTRAR)
