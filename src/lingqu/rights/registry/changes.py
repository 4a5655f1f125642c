# SPDX-License-Identifier: Apache-2.0
"""变更登记、更正登记: what is registered is described anew, by the steps of a registration.

The registrant changes; whoever has an interest may ask for a correction, with the registrant's
written consent or proof as a file. Until the registrar records it, the registration stands as it
was; its code and its period never change.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.rights.registry.applying import DIGEST_BYTES, EvidenceMissing, check_description
from lingqu.rights.registry.registrars import REGISTRARS
from lingqu.rights.registry.registrations import (
    COURSES,
    REGISTRATIONS,
    Registration,
    RegistrationId,
    RegistrationKind,
    lock_registration,
    registry_of,
    with_state,
)
from lingqu.rights.standing import get_state
from lingqu.rights.statements import (
    Statement,
    cite,
    state_all,
)
from lingqu.runtime import Tx, new_id
from lingqu.trust import procedures

CHANGE_CHART = "registration.change"


class ChangeId(Id):
    """The id of one change or correction of a registration."""

    prefix = "rch"


class ChangeKind(enum.Enum):
    """Why a registration is described anew."""

    CHANGE = "change"
    """变更登记: something changed."""
    CORRECTION = "correction"
    """更正登记: something was wrong."""


class ChangeNotFound(errors.NotFound):
    """There is no such change of a registration."""

    code = "rights.registration_change.not_found"


class NotInForce(errors.Conflict):
    """The registration is not in force, so there is nothing to change."""

    code = "rights.registration.not_in_force"


class PropertyChanged(errors.Rejected):
    """Only registrations of public data are changed here; property is registered anew."""

    code = "rights.registration_change.property"


class ChangedByOther(errors.Rejected):
    """Only the registrant changes a registration; others ask for a correction."""

    code = "rights.registration_change.by_other"


class ProofMissing(errors.Rejected):
    """A correction needs the registrant's written consent, or proof, as a file."""

    code = "rights.registration_change.proof_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationChange:
    """What a change would make of a registration; `made_at` once it was recorded."""

    id: ChangeId
    registration: RegistrationId
    kind: ChangeKind
    party: trust.PartyId
    title: str
    summary: str
    materials: str
    evidence: bytes
    proof: bytes | None
    procedure: procedures.ProcedureId
    applied_at: Instant
    made_at: Instant | None = None
    version: int = 1


CHANGES = trust.Table("rights.registration_change", RegistrationChange, not_found=ChangeNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeApplied(trust.Fact):
    """Somebody applied for a change or correction of a registration."""

    kind = "rights.registration_change.applied"
    change: ChangeId
    registration: RegistrationId
    change_kind: ChangeKind
    party: trust.PartyId
    materials: str
    proof: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationWasChanged(trust.Fact):
    """A registration says something else from here on."""

    kind = "rights.registration_change.made"
    change: ChangeId
    registration: RegistrationId
    evidence: bytes


@trust.command("rights.registration_change.apply")
def apply_change(
    tx: Tx,
    *,
    change: ChangeId,
    registration: RegistrationId,
    kind: ChangeKind,
    party: trust.PartyId,
    title: str,
    summary: str,
    materials: tuple[Statement, ...],
    evidence: bytes,
    proof: bytes | None = None,
) -> RegistrationChange:
    """This will apply for a change or correction of a registration in force.

    `proof` is the SHA-256 of the registrant's written consent or of proof, which a correction by
    somebody else needs.
    Raises RegistrationNotFound, NotInForce, ChangedByOther, ProofMissing, StatementMissing,
    EvidenceMissing, BadText, IdTaken.
    """
    held = lock_registration(tx, registration)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.REGISTRATION, owner=party)
    _check_change(tx, held, kind, party, evidence, proof)
    stated = state_all(tx, COURSES[registry_of(held.kind)].materials, materials)
    named, told = check_description(tx, held.kind, title, summary)
    procedure = new_id(procedures.ProcedureId)
    keeper = REGISTRARS.get(tx, held.registrar)
    procedures.begin_procedure(
        tx,
        procedure=procedure,
        chart=CHANGE_CHART,
        subject=change,
        title=named,
        owner=party,
        parts=(
            procedures.Part(role="applicant", party=party),
            procedures.Part(role="registrar", party=keeper.party),
        ),
    )
    made = RegistrationChange(
        id=change,
        registration=registration,
        kind=kind,
        party=party,
        title=named,
        summary=told,
        materials=stated,
        evidence=evidence,
        proof=proof,
        procedure=procedure,
        applied_at=tx.now,
    )
    CHANGES.insert(tx, made)
    trust.record(
        tx,
        ChangeApplied(
            change=change,
            registration=registration,
            change_kind=kind,
            party=party,
            materials=hashlib.sha256(made.materials.encode()).hexdigest(),
            proof=proof,
        ),
    )
    return made


def _check_change(
    tx: Tx,
    held: Registration,
    kind: ChangeKind,
    party: trust.PartyId,
    evidence: bytes,
    proof: bytes | None,
) -> None:
    if held.kind is RegistrationKind.PROPERTY:
        raise PropertyChanged(registration=held.id)
    if not held.is_in_force(tx.now):
        raise NotInForce(registration=held.id)
    if kind is ChangeKind.CHANGE and party != held.applicant:
        raise ChangedByOther(registration=held.id)
    if kind is ChangeKind.CORRECTION and party != held.applicant and not proof:
        raise ProofMissing().grounded_in(cite(tx, "registration.correction_needs_consent"))
    if len(evidence) != DIGEST_BYTES:
        raise EvidenceMissing().grounded_in(cite(tx, "registration.evidence_first"))


@trust.command("rights.registration_change.record")
def record_change(tx: Tx, *, change: ChangeId, opinion: str | None = None) -> Registration:
    """This will record a change after its publicity: the registration says it from here on.

    Raises ChangeNotFound, NotInForce and what a move of a procedure raises.
    """
    wanted = CHANGES.lock(tx, change)
    held = lock_registration(tx, wanted.registration)
    keeper = REGISTRARS.get(tx, held.registrar)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.REGISTRATION, owner=keeper.party)
    if not held.is_in_force(tx.now):
        raise NotInForce(registration=held.id)
    procedures.advance_procedure(
        tx,
        procedure=wanted.procedure,
        move="record",
        given=procedures.Given(opinion=opinion),
    )
    CHANGES.update(tx, wanted, made_at=tx.now)
    made = REGISTRATIONS.update(
        tx,
        REGISTRATIONS.get(tx, held.id),
        title=wanted.title,
        summary=wanted.summary,
        materials=wanted.materials,
        evidence=wanted.evidence,
    )
    trust.record(
        tx,
        RegistrationWasChanged(change=change, registration=held.id, evidence=wanted.evidence),
    )
    return with_state(made, get_state(tx, made.procedure))


def find_changes(tx: Tx, *, registration: RegistrationId) -> tuple[RegistrationChange, ...]:
    """This will list what changed a registration, newest first; open to everyone."""
    return CHANGES.find(
        tx,
        "WHERE registration = %s AND made_at IS NOT NULL ORDER BY id DESC LIMIT 200",
        (registration,),
    )
