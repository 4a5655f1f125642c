# SPDX-License-Identifier: Apache-2.0
"""The API of 登记: registrars, applications, codes, changes; look-ups are open to everyone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import rights, trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1 import rights_shapes as shapes
from lingqu.api.v1.operation import (
    Files,
    ObjectTo,
    StatementShape,
    shown,
    statement_shapes,
    statements,
)
from lingqu.api.v1.papers import ToFormat, paper_file
from lingqu.api.v1.procedures import keep_file
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.paging import PageRequest
from lingqu.rights import registry

BASE = "/api/v1/rights/registry"

KindName = Literal["resource", "product", "property"]
OfKind = Annotated[KindName | None, QueryParameter(name="kind")]


class NameRegistrar(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A registrar under an id the caller made (`rgr_...`), numbered 0 to 9 in its area."""

    registrar: str
    party: str
    registry: Literal["public", "property"]
    area: str
    number: int


class RegistrarView(msgspec.Struct, kw_only=True):
    """Who keeps a registry."""

    id: str
    party: str
    registry: str
    area: str
    number: int
    named_at: str
    ended_at: str | None


class RegistrarList(msgspec.Struct, kw_only=True):
    """Who keeps the registries now."""

    items: list[RegistrarView]


class ApplyRegistration(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An application under an id the caller made (`reg_...`), with every material of the rule."""

    registration: str
    kind: KindName
    subject: str
    applicant: str
    registrar: str
    title: str
    summary: str
    materials: list[StatementShape]
    evidence: str
    files: Files = []
    grant: str | None = None
    department: str | None = None


class Supplement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """All materials again, with files."""

    materials: list[StatementShape]
    files: Files


class CodeRegistration(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many months it counts, where that is less than the longest."""

    months: int | None = None
    opinion: str | None = None


class RenewRegistration(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Why it is renewed, and for how many months where that is less than the longest."""

    opinion: str
    months: int | None = None


class ApplyChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A change or correction under an id the caller made (`rch_...`)."""

    change: str
    registration: str
    kind: Literal["change", "correction"]
    party: str
    title: str
    summary: str
    materials: list[StatementShape]
    evidence: str
    proof: str | None = None


class RecordChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the registrar says when it records a change."""

    opinion: str | None = None


class RegistrationView(msgspec.Struct, kw_only=True):
    """A registration with where it stands."""

    id: str
    kind: KindName
    subject: str
    applicant: str
    registrar: str
    grant: str | None
    title: str
    summary: str
    materials: list[StatementShape]
    evidence: str
    procedure: str
    code: str | None
    coded_at: str | None
    valid_until: str | None
    applied_at: str
    state: str


class RegistrationPage(msgspec.Struct, kw_only=True):
    """Some registrations, and the cursor of the page after them (null: this was the last)."""

    items: list[RegistrationView]
    next: str | None


class PublicEntryView(msgspec.Struct, kw_only=True):
    """What everybody may know of a registration."""

    registration: str
    kind: KindName
    subject: str
    title: str
    summary: str
    registrant: str
    registrar: str
    code: str | None
    coded_at: str | None
    valid_until: str | None
    state: str
    in_force: bool


class PublicPage(msgspec.Struct, kw_only=True):
    """Some entries, and the cursor of the page after them (null: this was the last)."""

    items: list[PublicEntryView]
    next: str | None


class ChangeView(msgspec.Struct, kw_only=True):
    """What a change makes of a registration; `made_at` once it was recorded."""

    id: str
    registration: str
    kind: Literal["change", "correction"]
    title: str
    summary: str
    evidence: str
    procedure: str
    applied_at: str
    made_at: str | None


class ChangeList(msgspec.Struct, kw_only=True):
    """What changed a registration."""

    items: list[ChangeView]


@reads("/registrars", "List registrars", is_open=True)
def find_registrars(platform: FromPlatform) -> RegistrarList:
    """This will list who keeps the registries; open to everyone."""
    with platform.database.reading(trust.VISITOR) as tx:
        found = registry.find_registrars(tx)
    return RegistrarList(items=[registrar_view(one) for one in found])


@makes("/registrars", "rights.registrar.name", "Name a registrar")
def name_registrar(write: FromWrite, data: JSONBody[NameRegistrar]) -> RegistrarView:
    """This will name a party registrar, by a number of its own in its area."""
    made = write.execute(
        registry.name_registrar,
        registrar=registry.RegistrarId(data.registrar),
        party=trust.PartyId(data.party),
        registry=registry.Registry(data.registry),
        area=data.area,
        number=data.number,
    )
    return registrar_view(made)


@does("/registrars/{registrar:str}/end", "rights.registrar.end", "End a registrar")
def end_registrar(write: FromWrite, registrar: FromPath[str]) -> RegistrarView:
    """This will end that a party is registrar; what it registered stays."""
    ended = write.execute(registry.end_registrar, registrar=registry.RegistrarId(registrar))
    return registrar_view(ended)


@makes("/registrations", "rights.registration.apply", "Apply for a registration")
def apply_registration(write: FromWrite, data: JSONBody[ApplyRegistration]) -> RegistrationView:
    """This will file an application with a registrar, whose clock of acceptance runs."""
    made = write.execute(
        registry.apply_registration,
        registration=registry.RegistrationId(data.registration),
        kind=registry.RegistrationKind(data.kind),
        subject=data.subject,
        applicant=trust.PartyId(data.applicant),
        registrar=trust.PartyId(data.registrar),
        title=data.title,
        summary=data.summary,
        materials=statements(data.materials),
        evidence=shapes.digest(data.evidence),
        files=tuple(keep_file(write.platform, one) for one in data.files),
        grant=None if data.grant is None else rights.GrantId(data.grant),
        department=None if data.department is None else trust.PartyId(data.department),
    )
    return registration_view(made)


@does(
    "/registrations/{registration:str}/supplement",
    "rights.registration.supplement",
    "Supplement an application",
)
def supplement_registration(
    write: FromWrite, registration: FromPath[str], data: JSONBody[Supplement]
) -> RegistrationView:
    """This will submit all materials again after the one notice of what is missing."""
    made = write.execute(
        registry.supplement_registration,
        registration=registry.RegistrationId(registration),
        materials=statements(data.materials),
        files=tuple(keep_file(write.platform, one) for one in data.files),
    )
    return registration_view(made)


@does(
    "/registrations/{registration:str}/object",
    "rights.registration.object",
    "Object to a registration",
)
def object_to_registration(
    write: FromWrite, registration: FromPath[str], data: JSONBody[ObjectTo]
) -> RegistrationView:
    """This will object to what is in publicity, with evidence."""
    made = write.execute(
        registry.object_to_registration,
        registration=registry.RegistrationId(registration),
        objector=trust.PartyId(data.objector),
        reason=data.reason,
        files=tuple(keep_file(write.platform, one) for one in data.files),
    )
    return registration_view(made)


@does(
    "/registrations/{registration:str}/code",
    "rights.registration.code",
    "Give a registration its code",
)
def code_registration(
    write: FromWrite, registration: FromPath[str], data: JSONBody[CodeRegistration]
) -> RegistrationView:
    """This will give a registration its code after publicity; its period begins."""
    made = write.execute(
        registry.code_registration,
        registration=registry.RegistrationId(registration),
        months=data.months,
        opinion=data.opinion,
    )
    return registration_view(made)


@does(
    "/registrations/{registration:str}/renew", "rights.registration.renew", "Renew a registration"
)
def renew_registration(
    write: FromWrite, registration: FromPath[str], data: JSONBody[RenewRegistration]
) -> RegistrationView:
    """This will renew a registration that was applied for in time."""
    made = write.execute(
        registry.renew_registration,
        registration=registry.RegistrationId(registration),
        opinion=data.opinion,
        months=data.months,
    )
    return registration_view(made)


@reads("/registrations", "List registrations")
def find_registrations(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: Annotated[str | None, QueryParameter(name="party", max_length=60)] = None,
    kind: OfKind = None,
) -> RegistrationPage:
    """This will list what a party applied for or keeps, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = registry.find_registrations(
            tx,
            page=request,
            party=None if party is None else trust.PartyId(party),
            kind=None if kind is None else registry.RegistrationKind(kind),
        )
    return RegistrationPage(items=[registration_view(one) for one in page.items], next=page.next)


@reads("/registrations/{registration:str}", "Read a registration")
def get_registration(
    platform: FromPlatform, visit: FromVisit, registration: FromPath[str]
) -> RegistrationView:
    """This will read one registration."""
    wanted = registry.RegistrationId(registration)
    with platform.database.reading(visit.caller) as tx:
        return registration_view(registry.get_registration(tx, wanted))


@reads("/registrations/{registration:str}/changes", "List changes", is_open=True)
def find_changes(platform: FromPlatform, registration: FromPath[str]) -> ChangeList:
    """This will list what changed a registration, newest first; open to everyone."""
    wanted = registry.RegistrationId(registration)
    with platform.database.reading(trust.VISITOR) as tx:
        found = registry.find_changes(tx, registration=wanted)
    return ChangeList(items=[change_view(one) for one in found])


@makes("/changes", "rights.registration_change.apply", "Apply for a change of a registration")
def apply_change(write: FromWrite, data: JSONBody[ApplyChange]) -> ChangeView:
    """This will apply for a change or correction of a registration in force."""
    made = write.execute(
        registry.apply_change,
        change=registry.ChangeId(data.change),
        registration=registry.RegistrationId(data.registration),
        kind=registry.ChangeKind(data.kind),
        party=trust.PartyId(data.party),
        title=data.title,
        summary=data.summary,
        materials=statements(data.materials),
        evidence=shapes.digest(data.evidence),
        proof=None if data.proof is None else shapes.digest(data.proof),
    )
    return change_view(made)


@does(
    "/changes/{change:str}/record",
    "rights.registration_change.record",
    "Record a change of a registration",
)
def record_change(
    write: FromWrite, change: FromPath[str], data: JSONBody[RecordChange]
) -> RegistrationView:
    """This will record a change after its publicity."""
    made = write.execute(
        registry.record_change, change=registry.ChangeId(change), opinion=data.opinion
    )
    return registration_view(made)


@reads("/published", "List what is in publicity or registered", is_open=True)
def find_published(
    platform: FromPlatform, size: Size = 50, after: After = None, kind: OfKind = None
) -> PublicPage:
    """This will list what everybody may see of the registries, newest first."""
    request = PageRequest(size=size, after=after)
    wanted = None if kind is None else registry.RegistrationKind(kind)
    with platform.database.reading(trust.VISITOR) as tx:
        page = registry.find_published(tx, page=request, kind=wanted)
        items = [entry_view(registry.public_entry(tx, one)) for one in page.items]
    return PublicPage(items=items, next=page.next)


@reads("/codes/{code:str}", "Look a code up", is_open=True)
def find_by_code(platform: FromPlatform, code: FromPath[str]) -> PublicEntryView:
    """This will say what a code was given for and whether it counts now; open to everyone."""
    with platform.database.reading(trust.VISITOR) as tx:
        return entry_view(registry.public_entry(tx, registry.find_by_code(tx, code)))


@reads("/codes/{code:str}/certificate", "Write a certificate", is_open=True)
def get_certificate(
    platform: FromPlatform,
    request: Request[Any, Any, Any],
    code: FromPath[str],
    to: ToFormat = "pdf",
) -> Response[bytes]:
    """This will give the certificate of a code; its QR code leads to the look-up."""
    base = (platform.settings.base_url or str(request.base_url)).rstrip("/")
    with platform.database.reading(trust.VISITOR) as tx:
        found = registry.find_by_code(tx, code)
        link = f"{base}{BASE}/codes/{found.code}"
        paper = registry.certificate_paper(tx, found.id, link=link)
    return paper_file(platform, paper, to, name=str(found.code))


def registrar_view(registrar: registry.Registrar) -> RegistrarView:
    """This will show a registrar."""
    return msgspec.convert(shown(registrar), RegistrarView)


def registration_view(registration: registry.Registration) -> RegistrationView:
    """This will show a registration."""
    plain = shown(registration) | {
        "materials": statement_shapes(registration.statements()),
        "grant": registration.grant,
    }
    return msgspec.convert(plain, RegistrationView, from_attributes=True)


def change_view(change: registry.RegistrationChange) -> ChangeView:
    """This will show a change of a registration."""
    return msgspec.convert(shown(change), ChangeView)


def entry_view(entry: registry.PublicEntry) -> PublicEntryView:
    """This will show what is public of a registration."""
    plain = shown(entry.registration) | {
        "registration": str(entry.registration.id),
        "registrant": str(entry.registrant),
        "registrar": str(entry.registrar),
        "in_force": entry.in_force,
    }
    return msgspec.convert(plain, PublicEntryView)


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_registrars, name_registrar, end_registrar, apply_registration,
        supplement_registration, object_to_registration, code_registration, renew_registration,
        find_registrations, get_registration, find_changes, apply_change, record_change,
        find_published, find_by_code, get_certificate,
    ]  # fmt: skip
    return routes_of(BASE, "rights", handlers)
