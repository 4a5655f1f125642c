# SPDX-License-Identifier: Apache-2.0
"""Applying for a registration: the materials, who may, supplements, and objections in publicity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lingqu import supply, trust
from lingqu.kernel import errors
from lingqu.rights.grants import (
    GRANTS,
    Grant,
    GrantId,
    GrantKind,
    find_life,
    read_form,
    refuse_dead,
)
from lingqu.rights.grounds import confirm_party
from lingqu.rights.registry.registrars import RegistrarId, registrar_of
from lingqu.rights.registry.registrations import (
    COURSES,
    OVER,
    REGISTRATIONS,
    Registration,
    RegistrationId,
    RegistrationKind,
    RegistrationNotFound,
    RegistrationRecord,
    RegistrationState,
    find_by_subject,
    lock_registration,
    registry_of,
    state_in,
    with_state,
)
from lingqu.rights.standing import find_states
from lingqu.rights.statements import (
    Statement,
    cite,
    state_all,
)
from lingqu.rights.texts import check_line, check_prose
from lingqu.runtime import Tx, new_id
from lingqu.trust import procedures, rulebook

TITLE_MAX = 200
SUMMARY_MAX = 2_000
SUBJECT_MAX = 100
DIGEST_BYTES = 32


class RegistrationOpen(errors.Conflict):
    """The same thing is registered already, or has been applied for."""

    code = "rights.registration.open"


class GrantUnfit(errors.Rejected):
    """The applicant's grant does not cover what is to be registered."""

    code = "rights.registration.grant_unfit"


class NotTheirs(errors.Rejected):
    """The applicant neither holds the resource nor has a grant for it."""

    code = "rights.registration.not_theirs"


class EvidenceMissing(errors.Rejected):
    """The evidence preserved before applying is named by a SHA-256."""

    code = "rights.registration.evidence_missing"


class FilesNotTaken(errors.Rejected):
    """This registry takes files with a supplement or as evidence, not with the application."""

    code = "rights.registration.files_not_taken"


class PublicFirst(errors.Conflict):
    """A product of public data comes into the property registry after the public one."""

    code = "rights.registration.public_first"


class GovernmentData(errors.Rejected):
    """Government data is not registered as property."""

    code = "rights.registration.government_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationApplied(trust.Fact):
    """Somebody applied for a registration; `materials` is the SHA-256 of what was stated."""

    kind = "rights.registration.applied"
    registration: RegistrationId
    registration_kind: RegistrationKind
    subject: str
    applicant: trust.PartyId
    registrar: RegistrarId
    grant: GrantId | None
    evidence: bytes
    materials: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationSupplemented(trust.Fact):
    """An applicant gave what was missing; `materials` is the SHA-256 of all that is stated now."""

    kind = "rights.registration.supplemented"
    registration: RegistrationId
    materials: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationObjected(trust.Fact):
    """Somebody objected to a registration under its name."""

    kind = "rights.registration.objected"
    registration: RegistrationId
    objector: trust.PartyId


@trust.command("rights.registration.apply")
def apply_registration(
    tx: Tx,
    *,
    registration: RegistrationId,
    kind: RegistrationKind,
    subject: str,
    applicant: trust.PartyId,
    registrar: trust.PartyId,
    title: str,
    summary: str,
    materials: tuple[Statement, ...],
    evidence: bytes,
    files: tuple[procedures.GivenFile, ...],
    grant: GrantId | None = None,
    department: trust.PartyId | None = None,
) -> Registration:
    """This will apply for a registration: file it with a registrar, whose clock of acceptance runs.

    `subject` is the id of the resource or product, `grant` the applicant's right to it (needed for
    a product), `evidence` the SHA-256 of what was preserved before applying, `department` who
    oversees the registrar. Raises RegistrarNotFound, RegistrationOpen, NotTheirs, GrantUnfit, the
    refusal of a grant that is not alive, StatementMissing, StatementUnknown, EvidenceMissing,
    PublicFirst, GovernmentData, BadText, AttachmentMissing, FilesNotTaken, IdTaken.
    """
    tx.one(_LOCK, (subject,))
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.REGISTRATION, owner=applicant)
    course = COURSES[registry_of(kind)]
    keeper = registrar_of(tx, registrar, registry_of(kind))
    confirm_party(tx, applicant)
    if len(evidence) != DIGEST_BYTES:
        raise EvidenceMissing().grounded_in(cite(tx, "registration.evidence_first"))
    if course.submit is None and files:
        raise FilesNotTaken(registry=keeper.registry.value)
    _refuse_open(tx, kind, subject)
    _check_right(tx, kind, subject, applicant, grant)
    named, told = check_description(tx, kind, title, summary)
    made = RegistrationRecord(
        id=registration,
        kind=kind,
        subject=subject,
        applicant=applicant,
        registrar=keeper.id,
        grant_id=grant,
        title=named,
        summary=told,
        materials=state_all(tx, course.materials, materials),
        evidence=evidence,
        procedure=new_id(procedures.ProcedureId),
        code=None,
        coded_at=None,
        valid_until=None,
        applied_at=tx.now,
    )
    opened = _open(tx, made, registrar, department, files)
    REGISTRATIONS.insert(tx, made)
    trust.record(
        tx,
        RegistrationApplied(
            registration=registration,
            registration_kind=kind,
            subject=subject,
            applicant=applicant,
            registrar=keeper.id,
            grant=grant,
            evidence=evidence,
            materials=_digest(made.materials),
        ),
    )
    return with_state(made, opened.state)


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('rights.registration/' || %s, 4))"


def _open(
    tx: Tx,
    made: RegistrationRecord,
    registrar: trust.PartyId,
    department: trust.PartyId | None,
    files: tuple[procedures.GivenFile, ...],
) -> procedures.Procedure:
    """Begin the procedure of an application and submit it, where its registry has that step."""
    course = COURSES[registry_of(made.kind)]
    parts = [procedures.Part(role=course.applicant, party=made.applicant)]
    parts += [procedures.Part(role=role, party=registrar) for role in course.decided_by]
    if department is not None and course.overseen:
        parts.append(procedures.Part(role="department", party=department))
    opened = procedures.begin_procedure(
        tx,
        procedure=made.procedure,
        chart=course.chart,
        subject=made.id,
        title=made.title,
        owner=made.applicant,
        parts=tuple(parts),
    )
    if course.submit is None:
        return opened
    return procedures.advance_procedure(
        tx,
        procedure=made.procedure,
        move=course.submit,
        given=procedures.Given(files=files),
    )


@trust.command("rights.registration.supplement")
def supplement_registration(
    tx: Tx,
    *,
    registration: RegistrationId,
    materials: tuple[Statement, ...],
    files: tuple[procedures.GivenFile, ...],
) -> Registration:
    """This will submit all materials again after the one notice of what is missing.

    Raises RegistrationNotFound, StatementMissing, and what a move of a procedure raises.
    """
    held = lock_registration(tx, registration)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.REGISTRATION, owner=held.applicant)
    course = COURSES[registry_of(held.kind)]
    stated = state_all(tx, course.materials, materials)
    moved = procedures.advance_procedure(
        tx,
        procedure=held.procedure,
        move=course.supplement,
        given=procedures.Given(files=files),
    )
    stored = REGISTRATIONS.get(tx, registration)
    made = REGISTRATIONS.update(tx, stored, materials=stated)
    trust.record(
        tx,
        RegistrationSupplemented(registration=registration, materials=_digest(made.materials)),
    )
    return with_state(made, moved.state)


@trust.command("rights.registration.object")
def object_to_registration(
    tx: Tx,
    *,
    registration: RegistrationId,
    objector: trust.PartyId,
    reason: str,
    files: tuple[procedures.GivenFile, ...],
) -> Registration:
    """This will object to what is in publicity, under the objector's name and with evidence.

    Raises RegistrationNotFound where nothing is published, RolesNotApart and what a move of a
    procedure raises.
    """
    held = lock_registration(tx, registration)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OBJECTION, owner=objector)
    if held.state not in {RegistrationState.PUBLISHED, RegistrationState.OBJECTED}:
        raise RegistrationNotFound(id=registration)
    procedures.add_participant(
        tx,
        participant=new_id(procedures.ParticipantId),
        procedure=held.procedure,
        part=procedures.Part(role="objector", party=objector),
    )
    moved = procedures.advance_procedure(
        tx,
        procedure=held.procedure,
        move="object",
        given=procedures.Given(reason=reason, files=files),
    )
    trust.record(tx, RegistrationObjected(registration=registration, objector=objector))
    return with_state(REGISTRATIONS.get(tx, registration), moved.state)


def check_description(tx: Tx, kind: RegistrationKind, title: str, summary: str) -> tuple[str, str]:
    """This will give name and summary of the data; the property registry bounds both by a rule.

    Raises BadText.
    """
    most = TITLE_MAX, SUMMARY_MAX
    if kind is RegistrationKind.PROPERTY:
        book = rulebook.of(tx)
        most = (
            book.constant("property.name_length_max").amount,
            book.constant("property.summary_length_max").amount,
        )
    return (
        check_line(title, where="title", most=most[0]),
        check_prose(summary, where="summary", most=most[1]),
    )


def _refuse_open(tx: Tx, kind: RegistrationKind, subject: str) -> None:
    check_line(subject, where="subject", most=SUBJECT_MAX)
    known = REGISTRATIONS.find(
        tx, "WHERE subject = %s AND kind = %s ORDER BY id", (subject, kind.value)
    )
    states = find_states(tx, [one.procedure for one in known])
    for one in known:
        if state_in(kind, states[one.procedure]) not in OVER:
            raise RegistrationOpen(registration=one.id)


def _check_right(
    tx: Tx,
    kind: RegistrationKind,
    subject: str,
    applicant: trust.PartyId,
    grant: GrantId | None,
) -> None:
    """Why the applicant may register it: it holds the resource, or has a grant that is alive."""
    held = None if grant is None else GRANTS.get(tx, grant)
    if held is not None:
        if held.holder != applicant:
            raise GrantUnfit(grant=held.id)
        refuse_dead(held, find_life(tx, held))
    if kind is RegistrationKind.RESOURCE:
        body = supply.get_resource(tx, supply.ResourceId(subject)).body
        if body != applicant and (held is None or not _covers(held, subject)):
            raise NotTheirs(subject=subject).grounded_in(cite(tx, "registration.duty"))
    elif kind is RegistrationKind.PRODUCT:
        if held is None or held.kind is not GrantKind.OPERATING:
            raise GrantUnfit(grant=grant).grounded_in(cite(tx, "operation.both_register"))
    else:
        _check_property(tx, subject, held)


def _covers(held: Grant, resource: str) -> bool:
    """Whether a grant reaches some column of a resource."""
    fields = read_form(held.effective).fields
    return fields is None or any(one.startswith(f"{resource}.") for one in fields)


def _check_property(tx: Tx, subject: str, held: Grant | None) -> None:
    """第十五条: government data is no property; a product of public data was registered first."""
    if subject.startswith(supply.ResourceId.prefix + "_"):
        raise GovernmentData(subject=subject).grounded_in(
            cite(tx, "property.government_data_excluded")
        )
    registered = any(one.is_in_force(tx.now) for one in find_by_subject(tx, subject))
    if held is not None and not registered:
        raise PublicFirst(subject=subject).grounded_in(
            cite(tx, "property.product_after_public_registry")
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
