# SPDX-License-Identifier: Apache-2.0
"""One registration: what was applied for, and what its procedure says of it.

The state is that of the procedure and is kept nowhere else, so that whatever moves it, a clock too,
moves the registration. Which chart, roles and moves a registry has is a `Course`: one mechanism,
two configurations.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant, Period
from lingqu.rights.grants import GrantId
from lingqu.rights.registry.registrars import REGISTRARS, RegistrarId, Registry
from lingqu.rights.standing import find_states, get_state
from lingqu.rights.statements import Statement, read_statements
from lingqu.runtime import Tx
from lingqu.runtime.looking import Look, Looked
from lingqu.trust import procedures


class RegistrationId(Id):
    """The id of one registration."""

    prefix = "reg"


class RegistrationKind(enum.Enum):
    """What is registered."""

    RESOURCE = "resource"
    """公共数据资源."""
    PRODUCT = "product"
    """公共数据产品和服务."""
    PROPERTY = "property"
    """数据产权."""


class RegistrationState(enum.Enum):
    """Where a registration stands, in the words of both registries."""

    PREPARING = "preparing"
    SUBMITTED = "submitted"
    SUPPLEMENTING = "supplementing"
    REVIEWING = "reviewing"
    PUBLISHED = "published"
    OBJECTED = "objected"
    CODING = "coding"
    REGISTERED = "registered"
    RENEWING = "renewing"
    CANCELLING = "cancelling"
    DISPUTED = "disputed"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    REJECTED = "rejected"
    TERMINATED = "terminated"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REVOKED = "revoked"

    @staticmethod
    def read(said: str) -> RegistrationState:
        """This will give the state that a value of the column `state` of a list stands for."""
        kind, _, state = said.partition(" ")
        return state_in(RegistrationKind(kind), state)


_S = RegistrationState
IN_FORCE = frozenset({_S.REGISTERED, _S.RENEWING, _S.CANCELLING, _S.DISPUTED})
"""The states in which a registration counts, until its period is over."""
OVER = frozenset({
    _S.WITHDRAWN, _S.REFUSED, _S.REJECTED, _S.TERMINATED, _S.EXPIRED, _S.CANCELLED, _S.REVOKED,
})  # fmt: skip
"""The states after which the same thing may be applied for again."""

_SAME_WORDS = {one.value: one for one in _S}
_PUBLIC_WORDS = {"rechecking": _S.OBJECTED}
_PROPERTY_WORDS = {
    "correcting": _S.SUPPLEMENTING,
    "evidencing": _S.SUPPLEMENTING,
    "investigating": _S.OBJECTED,
    "recording": _S.CODING,
    "disputed": _S.DISPUTED,
    "notified": _S.DISPUTED,
    "examining": _S.DISPUTED,
    "litigated": _S.DISPUTED,
    "unfiled": _S.WITHDRAWN,
    "refused": _S.REJECTED,
    "ended": _S.TERMINATED,
    "lapsed": _S.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How one registry works: its chart, its roles and moves, the rules for its figures."""

    chart: str
    applicant: str
    submit: str | None
    supplement: str
    code: str
    objection: str
    materials: str
    validity: str
    words: Mapping[str, RegistrationState]
    decided_by: tuple[str, ...]
    overseen: bool


COURSES: Mapping[Registry, Course] = MappingProxyType({
    Registry.PUBLIC: Course(
        chart="registration.public",
        applicant="registrant",
        submit="submit",
        supplement="supplement",
        code="assign_code",
        objection="registration.real_name_objection",
        materials="registration.first_materials",
        validity="registration.validity",
        words=MappingProxyType(_SAME_WORDS | _PUBLIC_WORDS),
        decided_by=("registrar", "reviewer", "signer"),
        overseen=True,
    ),
    Registry.PROPERTY: Course(
        chart="registration.property",
        applicant="applicant",
        submit=None,
        supplement="correct",
        code="record",
        objection="property.objection",
        materials="property.first_fields",
        validity="property.validity_max",
        words=MappingProxyType(_SAME_WORDS | _PROPERTY_WORDS),
        decided_by=("registrar",),
        overseen=False,
    ),
})  # fmt: skip


def registry_of(kind: RegistrationKind) -> Registry:
    """This will say which registry keeps what kind."""
    return Registry.PROPERTY if kind is RegistrationKind.PROPERTY else Registry.PUBLIC


class RegistrationNotFound(errors.NotFound):
    """There is no such registration, or the caller may not know of it."""

    code = "rights.registration.not_found"


class CodeUnknown(errors.NotFound):
    """No registration has this code."""

    code = "rights.registration.code_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRecord:
    """A registration as it is stored; `materials` is canonical JSON of what was stated."""

    id: RegistrationId
    kind: RegistrationKind
    subject: str
    applicant: trust.PartyId
    registrar: RegistrarId
    grant_id: GrantId | None
    title: str
    summary: str
    materials: str
    evidence: bytes
    procedure: procedures.ProcedureId
    code: str | None
    coded_at: Instant | None
    valid_until: Instant | None
    applied_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration(RegistrationRecord):
    """A registration with where its procedure stands.

    `subject` is the id of the resource or product, `grant` what the applicant may do with it.
    """

    state: RegistrationState

    @property
    def grant(self) -> GrantId | None:
        """The grant it was applied for with; for a product that of the product."""
        return self.grant_id

    @property
    def valid(self) -> Period | None:
        """From coding until its period is over, once it is coded."""
        if self.coded_at is None or self.valid_until is None:
            return None
        return Period(self.coded_at, self.valid_until)

    def is_in_force(self, now: Instant) -> bool:
        """Whether it counts at a moment: coded, in its period, and not ended."""
        valid = self.valid
        return self.state in IN_FORCE and valid is not None and now in valid

    def statements(self) -> tuple[Statement, ...]:
        """What was stated, in the order of the rule."""
        return read_statements(self.materials)


REGISTRATIONS = trust.Table(
    "rights.registration", RegistrationRecord, not_found=RegistrationNotFound
)


def state_in(kind: RegistrationKind, state: str) -> RegistrationState:
    """This will give the state of a registration for that of its procedure."""
    words = COURSES[registry_of(kind)].words
    return _S.REVIEWING if state.startswith("decision.") else words[state]


def with_state(held: RegistrationRecord, state: str) -> Registration:
    """This will give a registration with the state of its procedure."""
    known = {one.name: getattr(held, one.name) for one in fields(RegistrationRecord)}
    return Registration(**known, state=state_in(held.kind, state))


def lock_registration(tx: Tx, registration: RegistrationId) -> Registration:
    """This will lock a registration and say where it stands. Raises RegistrationNotFound."""
    held = REGISTRATIONS.lock(tx, registration)
    return with_state(held, get_state(tx, held.procedure))


def get_registration(tx: Tx, registration: RegistrationId) -> Registration:
    """This will read a registration; raises RegistrationNotFound where it may not be seen.

    What is coded is public; before, the applicant and the registrar see it.
    """
    held = REGISTRATIONS.get(tx, registration)
    keeper = REGISTRARS.get(tx, held.registrar).party
    seen = held.code is not None or any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.REGISTRATION, owner=one)
        for one in (held.applicant, keeper)
    )
    if not seen:
        raise RegistrationNotFound(id=registration)
    return with_state(held, get_state(tx, held.procedure))


def find_by_code(tx: Tx, code: str) -> Registration:
    """This will find what a code was given for; open to everyone. Raises CodeUnknown."""
    found = REGISTRATIONS.find(tx, "WHERE code = %s", (code.strip().upper()[:80],))
    if not found:
        raise CodeUnknown(code=code.strip()[:40])
    return with_state(found[0], get_state(tx, found[0].procedure))


def find_by_subject(tx: Tx, subject: str) -> tuple[Registration, ...]:
    """This will list the coded registrations of a resource or product, newest first; public."""
    found = REGISTRATIONS.find(
        tx, "WHERE subject = %s AND code IS NOT NULL ORDER BY id DESC LIMIT 100", (subject,)
    )
    return _stated(tx, found)


_FIND = """
    WHERE (%s::text IS NULL OR applicant = %s OR registrar IN (
        SELECT id FROM rights.registrar WHERE party = %s))
    AND (%s::text IS NULL OR kind = %s) AND (%s::text IS NULL OR id < %s)
    ORDER BY id DESC LIMIT %s
"""
_PUBLIC = """
    WHERE (code IS NOT NULL OR procedure IN (
        SELECT id FROM trust.procedure WHERE state IN ('published', 'rechecking', 'investigating')))
    AND (%s::text IS NULL OR kind = %s) AND (%s::text IS NULL OR id < %s)
    ORDER BY id DESC LIMIT %s
"""


def find_registrations(
    tx: Tx,
    *,
    page: PageRequest,
    party: trust.PartyId | None = None,
    kind: RegistrationKind | None = None,
) -> Page[Registration]:
    """This will list what a party applied for or keeps, or all, newest first.

    Raises AccessDenied.
    """
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.REGISTRATION, owner=party):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.REGISTRATION.value)
    word = None if kind is None else kind.value
    found = REGISTRATIONS.find(
        tx, _FIND, (party, party, party, word, word, page.key, page.key, page.size + 1)
    )
    return _page(tx, found, page)


def find_published(
    tx: Tx, *, page: PageRequest, kind: RegistrationKind | None = None
) -> Page[Registration]:
    """This will list what is in publicity or was coded, newest first; open to everyone."""
    word = None if kind is None else kind.value
    found = REGISTRATIONS.find(tx, _PUBLIC, (word, word, page.key, page.key, page.size + 1))
    return _page(tx, found, page)


_LOOKED = {
    "title": "title",
    "code": "code",
    "kind": "kind",
    "applicant": "applicant",
    "state": "kind || ' ' || (SELECT p.state FROM trust.pub_procedure p WHERE p.id = procedure)",
    "until": "valid_until",
    "applied": "applied_at",
    "coded": "CASE WHEN code IS NULL THEN 'no' ELSE 'yes' END",
}
_OF_PARTIES = REGISTRATIONS.shelf(
    "WHERE (%(parties)s::text[] IS NULL OR applicant = ANY(%(parties)s) OR registrar IN ("
    "SELECT id FROM rights.registrar WHERE party = ANY(%(parties)s)))",
    _LOOKED,
)
_OF_PUBLIC = REGISTRATIONS.shelf(
    "WHERE (code IS NOT NULL OR procedure IN (SELECT id FROM trust.pub_procedure"
    " WHERE state IN ('published', 'rechecking', 'investigating')))",
    _LOOKED,
)


def look_through_registrations(
    tx: Tx, *, look: Look, parties: Sequence[trust.PartyId] | None
) -> Looked[Registration]:
    """This will look through what these parties applied for or keep, or all (None).

    Columns: title, code, kind, applicant, state (for `RegistrationState.read`), until, applied,
    coded (yes, no). Raises
    AccessDenied.
    """
    for one in (None,) if parties is None else parties:
        if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.REGISTRATION, owner=one):
            raise trust.AccessDenied(
                action=trust.Action.READ.value, kind=trust.Kind.REGISTRATION.value
            )
    own = None if parties is None else list(parties)
    found = REGISTRATIONS.look(tx, _OF_PARTIES, look, parties=own)
    return Looked(items=_stated(tx, found.items), total=found.total)


def look_through_published(tx: Tx, *, look: Look) -> Looked[Registration]:
    """This will look through what is in publicity or was coded; open to everyone.

    Columns as of `look_through_registrations`.
    """
    found = REGISTRATIONS.look(tx, _OF_PUBLIC, look)
    return Looked(items=_stated(tx, found.items), total=found.total)


def find_filed(tx: Tx, *, subjects: Sequence[str]) -> frozenset[str]:
    """This will say for which of these resources and products somebody applied."""
    rows = tx.all(
        "SELECT DISTINCT subject FROM rights.registration WHERE subject = ANY(%s)",
        (list(subjects),),
    )
    return frozenset(row["subject"] for row in rows)


def _page(tx: Tx, found: tuple[RegistrationRecord, ...], page: PageRequest) -> Page[Registration]:
    items = _stated(tx, found[: page.size])
    return Page(items=items, next=cursor(items[-1].id) if len(found) > page.size else None)


def _stated(tx: Tx, found: Iterable[RegistrationRecord]) -> tuple[Registration, ...]:
    rows = tuple(found)
    states = find_states(tx, [one.procedure for one in rows])
    return tuple(with_state(one, states[one.procedure]) for one in rows)
