# SPDX-License-Identifier: Apache-2.0
"""实施方案: the scheme of an implementing body, with its twelve items, from the draft to filing.

A draft may leave items open; what is presented for the collective decision has all twelve, and the
consent of every body whose shared data it takes in. A large change of an approved scheme begins the
whole procedure again with another edition.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from lingqu import supply, trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.rights.grants import GRANTS, GrantId
from lingqu.rights.grounds import confirm_party
from lingqu.rights.standing import find_states, get_state
from lingqu.rights.statements import (
    Statement,
    check_statements,
    cite,
    demand_all,
    read_statements,
    write_statements,
)
from lingqu.rights.texts import check_line
from lingqu.runtime import Tx, new_id
from lingqu.trust import procedures, rulebook

SCHEME_CHART = "operation.scheme"
SCHEME_ITEMS = "operation.scheme_items"
TITLE_MAX = 200
RESOURCES_MAX = 500
MONTHS = 12


class SchemeId(Id):
    """The id of one implementation scheme."""

    prefix = "sch"


class Mode(enum.Enum):
    """How operation is authorised (授权运营模式)."""

    WHOLE = "whole"
    BY_FIELD = "by_field"
    BY_SCENARIO = "by_scenario"


class SchemeState(enum.Enum):
    """Where a scheme stands: the states of its chart."""

    DRAFTING = "drafting"
    DECIDING = "deciding"
    APPROVED = "approved"
    FILED = "filed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class SchemeNotFound(errors.NotFound):
    """There is no such scheme, or the caller may not know of it."""

    code = "rights.scheme.not_found"


class SchemeNotDraft(errors.Conflict):
    """The scheme is not being drafted; a large change of it begins the procedure again."""

    code = "rights.scheme.not_draft"


class SchemeNotFiled(errors.Conflict):
    """The scheme is not approved and filed, so nothing can be done under it."""

    code = "rights.scheme.not_filed"


class BadResources(errors.Rejected):
    """A scheme or agreement names 1 to 500 catalogued resources, each once."""

    code = "rights.scheme.bad_resources"


class RootNotTheirs(errors.Rejected):
    """The grant named is not held by the implementing body, or cannot be operated under."""

    code = "rights.scheme.root_not_theirs"


class ConsentMissing(errors.Conflict):
    """The scheme takes in shared data of a body that has not consented."""

    code = "rights.scheme.consent_missing"


class TermTooLong(errors.Rejected):
    """The term is longer than permitted, or none."""

    code = "rights.operation.term_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A body let its shared data be operated; `evidence` is the SHA-256 of its written consent."""

    body: trust.PartyId
    evidence: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Consents:
    """All consents, as they are stored."""

    items: tuple[Consent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a draft says. `root` is the grant of the implementing body that is to be operated."""

    title: str
    mode: Mode
    term_months: int
    resources: tuple[str, ...]
    root: GrantId
    items: tuple[Statement, ...]
    consents: tuple[Consent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeRecord:
    """A scheme as it is stored; `items` and `consents` are canonical JSON."""

    id: SchemeId
    body: trust.PartyId
    authority: trust.PartyId
    department: trust.PartyId
    root: GrantId
    title: str
    mode: Mode
    term_months: int
    resources: tuple[str, ...]
    items: str
    consents: str
    digest: bytes
    edition: int
    procedure: procedures.ProcedureId
    drafted_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme(SchemeRecord):
    """A scheme with where its procedure stands."""

    state: SchemeState

    def statements(self) -> tuple[Statement, ...]:
        """The items that are there, in the order of the rule."""
        return read_statements(self.items)


SCHEMES = trust.Table("rights.scheme", SchemeRecord, not_found=SchemeNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeDrafted(trust.Fact):
    """A scheme was drafted or drafted anew; `digest` is the SHA-256 of what it says."""

    kind = "rights.scheme.drafted"
    scheme: SchemeId
    body: trust.PartyId
    root: GrantId
    edition: int
    digest: bytes


@trust.command("rights.scheme.draft")
def draft_scheme(
    tx: Tx,
    *,
    scheme: SchemeId,
    body: trust.PartyId,
    authority: trust.PartyId,
    department: trust.PartyId,
    plan: Plan,
) -> Scheme:
    """This will draft a scheme: `body` implements, `authority` decides, `department` files it.

    Raises PartyUnknown, RolesNotApart, RootNotTheirs, BadResources, ResourceNotFound, TermTooLong,
    StatementUnknown, BadText, IdTaken.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OPERATION, owner=body)
    for one in (body, authority, department):
        confirm_party(tx, one)
    told = _checked(tx, body, plan)
    procedure = new_id(procedures.ProcedureId)
    procedures.begin_procedure(
        tx,
        procedure=procedure,
        chart=SCHEME_CHART,
        subject=scheme,
        title=str(told["title"]),
        owner=body,
        parts=(
            procedures.Part(role="body", party=body),
            procedures.Part(role="authority", party=authority),
            procedures.Part(role="department", party=department),
        ),
    )
    made = SchemeRecord(
        id=scheme,
        body=body,
        authority=authority,
        department=department,
        edition=1,
        procedure=procedure,
        drafted_at=tx.now,
        **told,  # type: ignore[arg-type]  # the fields of a plan by their names
    )
    SCHEMES.insert(tx, made)
    _record(tx, made)
    return _scheme(made, SchemeState.DRAFTING)


@trust.command("rights.scheme.revise")
def revise_scheme(tx: Tx, *, scheme: SchemeId, plan: Plan) -> Scheme:
    """This will draft a scheme anew while it is being drafted, as its next edition.

    Raises SchemeNotFound, SchemeNotDraft, and as `draft_scheme`.
    """
    held = SCHEMES.lock(tx, scheme)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPERATION, owner=held.body)
    state = SchemeState(get_state(tx, held.procedure))
    if state is not SchemeState.DRAFTING:
        raise SchemeNotDraft(scheme=scheme, state=state.value).grounded_in(
            cite(tx, "operation.scheme_change")
        )
    told = _checked(tx, held.body, plan)
    made = SCHEMES.update(tx, held, edition=held.edition + 1, drafted_at=tx.now, **told)
    _record(tx, made)
    return _scheme(made, state)


@procedures.guard("rights.scheme.complete")
def demand_complete(tx: Tx, procedure: procedures.Procedure) -> None:
    """This will let a scheme be presented that says all. Raises StatementMissing, ConsentMissing.

    第九条: the twelve items; 第五条: the consent of bodies whose shared data it takes in.
    """
    held = SCHEMES.get(tx, procedure.subject)
    demand_all(tx, SCHEME_ITEMS, read_statements(held.items))
    consented = {one.body for one in read_consents(held.consents)}
    for name in held.resources:
        owner = supply.get_resource(tx, supply.ResourceId(name)).body
        if owner != held.body and owner not in consented:
            raise ConsentMissing(resource=name, body=owner).grounded_in(
                cite(tx, "operation.provider_consent")
            )


def _checked(tx: Tx, body: trust.PartyId, plan: Plan) -> dict[str, object]:
    """The columns a plan fills, or the refusal of what is wrong with it."""
    check_term(tx, plan.term_months)
    check_resources(plan.resources)
    for name in plan.resources:
        supply.get_resource(tx, supply.ResourceId(name))
    root = GRANTS.get(tx, plan.root)
    if root.holder != body:
        raise RootNotTheirs(grant=plan.root, body=body)
    for one in plan.consents:
        confirm_party(tx, one.body)
    items = write_statements(check_statements(tx, SCHEME_ITEMS, plan.items))
    consents = canon.encode(to_plain(Consents(items=plan.consents))).decode()
    told: dict[str, object] = {
        "title": check_line(plan.title, where="title", most=TITLE_MAX),
        "mode": plan.mode,
        "term_months": plan.term_months,
        "resources": plan.resources,
        "root": plan.root,
        "items": items,
        "consents": consents,
    }
    said = {name: to_plain(value) for name, value in told.items()} | {"body": str(body)}
    return told | {"digest": hashlib.sha256(canon.encode(said)).digest()}


def check_term(tx: Tx, months: int) -> None:
    """This will refuse a term that is longer than permitted. Raises TermTooLong."""
    most = rulebook.of(tx).clock("operation.agreement_term_max")
    if not 1 <= months <= most.count * MONTHS:
        raise TermTooLong(given=months, most=most.count * MONTHS).grounded_in(most.rule.citation)


def check_resources(resources: Sequence[str]) -> None:
    """This will refuse none, too many, and one named twice. Raises BadResources."""
    if not 1 <= len(resources) <= RESOURCES_MAX or len({*resources}) < len(resources):
        raise BadResources(most=RESOURCES_MAX)


def read_consents(text: str) -> tuple[Consent, ...]:
    """This will read the canonical JSON of consents."""
    return from_plain(Consents, canon.decode(text.encode())).items


def _record(tx: Tx, made: SchemeRecord) -> None:
    trust.record(
        tx,
        SchemeDrafted(
            scheme=made.id,
            body=made.body,
            root=made.root,
            edition=made.edition,
            digest=made.digest,
        ),
    )


def _scheme(held: SchemeRecord, state: SchemeState) -> Scheme:
    return Scheme(**{one.name: getattr(held, one.name) for one in fields(held)}, state=state)


def lock_filed_scheme(tx: Tx, scheme: SchemeId) -> Scheme:
    """This will lock a scheme that is approved and filed. Raises SchemeNotFound, SchemeNotFiled."""
    held = SCHEMES.lock(tx, scheme)
    state = SchemeState(get_state(tx, held.procedure))
    if state is not SchemeState.FILED:
        raise SchemeNotFiled(scheme=scheme, state=state.value).grounded_in(
            cite(tx, "operation.scheme_approval")
        )
    return _scheme(held, state)


def get_scheme(tx: Tx, scheme: SchemeId) -> Scheme:
    """This will read a scheme; raises SchemeNotFound where the caller may not see it."""
    held = SCHEMES.get(tx, scheme)
    seen = (held.body, held.authority, held.department)
    if not any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.OPERATION, owner=one) for one in seen
    ):
        raise SchemeNotFound(id=scheme)
    return _scheme(held, SchemeState(get_state(tx, held.procedure)))


_FIND = """
    WHERE (%s::text IS NULL OR %s IN (body, authority, department))
    AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s
"""


def find_schemes(tx: Tx, *, page: PageRequest, party: trust.PartyId | None = None) -> Page[Scheme]:
    """This will list the schemes a party takes part in, or all, newest first.

    Raises AccessDenied.
    """
    refuse_reading(tx, party)
    found = SCHEMES.find(tx, _FIND, (party, party, page.key, page.key, page.size + 1))
    states = find_states(tx, [one.procedure for one in found])
    items = tuple(_scheme(one, SchemeState(states[one.procedure])) for one in found[: page.size])
    return Page(items=items, next=cursor(items[-1].id) if len(found) > page.size else None)


def refuse_reading(tx: Tx, party: trust.PartyId | None) -> None:
    """This will let those read who may see what a party operates. Raises AccessDenied."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.OPERATION, owner=party):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.OPERATION.value)
