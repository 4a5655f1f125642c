# SPDX-License-Identifier: Apache-2.0
"""授权运营协议: thirteen items both parties sign; once filed, the operator's grant exists.

Both sign the SHA-256 of the same canonical text. The command that files the agreement records it as
a ground and issues the operator's grant below that of the implementing body in one transaction, so
that there is never an agreement in effect without the right, nor the right without the agreement.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, fields

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant, Period
from lingqu.kernel.values import from_plain, to_plain
from lingqu.rights.endings import RevocationCause, end_grant, is_revoked
from lingqu.rights.grants import GrantId, GrantKind, find_successor, write_terms
from lingqu.rights.grounds import GroundId, GroundKind, keep_ground
from lingqu.rights.issuing import begin_grant
from lingqu.rights.obligations import Duty
from lingqu.rights.operation.schemes import (
    SCHEMES,
    SchemeId,
    SchemeRecord,
    check_resources,
    check_term,
    lock_filed_scheme,
    refuse_reading,
)
from lingqu.rights.operation.selections import SelectionId, get_selected
from lingqu.rights.quantities import Quantity
from lingqu.rights.standing import find_due, find_states, get_state
from lingqu.rights.statements import (
    Statement,
    check_statements,
    cite,
    demand_all,
    read_statements,
    write_statements,
)
from lingqu.rights.texts import check_line
from lingqu.rights.vocabulary import load_vocabulary
from lingqu.runtime import Tx, new_id
from lingqu.runtime.calendar import shift_days, start_of_day
from lingqu.trust import procedures

AGREEMENT_CHART = "operation.agreement"
AGREEMENT_ITEMS = "operation.agreement_items"
TITLE_MAX = 200


class AgreementId(Id):
    """The id of one agreement of authorised operation."""

    prefix = "agr"


class AgreementState(enum.Enum):
    """Where an agreement stands: the states of its chart."""

    DRAFTING = "drafting"
    SIGNING = "signing"
    COUNTERSIGNING = "countersigning"
    SIGNED = "signed"
    IN_EFFECT = "in_effect"
    EXPIRED = "expired"
    ENDED = "ended"
    WITHDRAWN = "withdrawn"


class AgreementNotFound(errors.NotFound):
    """There is no such agreement, or the caller may not know of it."""

    code = "rights.agreement.not_found"


class AgreementNotDraft(errors.Conflict):
    """The agreement is not being drafted any more."""

    code = "rights.agreement.not_draft"


class AgreementNotSignable(errors.Conflict):
    """The agreement does not wait for a signature."""

    code = "rights.agreement.not_signable"


class OtherText(errors.Conflict):
    """What was signed is not the text of the agreement as it stands."""

    code = "rights.agreement.other_text"


class BeyondScheme(errors.Rejected):
    """The agreement goes beyond the scheme: a resource, or the term."""

    code = "rights.agreement.beyond_scheme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a draft agreement says: its items, and what of it becomes the operator's grant.

    `terms` are scope, scenarios and territory (their period follows from `term_months`), `quotas`
    come out of the grant of the implementing body, `duties` become obligations of the operator.
    """

    title: str
    term_months: int
    resources: tuple[str, ...]
    terms: TermsForm
    items: tuple[Statement, ...]
    quotas: tuple[Quantity, ...] = ()
    duties: tuple[Duty, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A party signed the digest of the text: who, when."""

    party: trust.PartyId
    account: trust.AccountId
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Lists of an agreement, as they are stored."""

    quotas: tuple[Quantity, ...] = ()
    duties: tuple[Duty, ...] = ()
    signatures: tuple[Signature, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRecord:
    """An agreement as it is stored; texts that are canonical JSON are read by its methods."""

    id: AgreementId
    scheme: SchemeId
    selection: SelectionId
    body: trust.PartyId
    operator: trust.PartyId
    title: str
    term_months: int
    resources: tuple[str, ...]
    terms: str
    quotas: str
    duties: str
    items: str
    digest: bytes
    signatures: str
    ground: GroundId | None
    grant_id: GrantId | None
    effective_at: Instant | None
    ends_at: Instant | None
    procedure: procedures.ProcedureId
    drafted_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement(AgreementRecord):
    """An agreement with where its procedure stands; `grant` is the operator's once it is filed."""

    state: AgreementState

    @property
    def grant(self) -> GrantId | None:
        """The operator's grant, once the agreement took effect."""
        return self.grant_id

    def statements(self) -> tuple[Statement, ...]:
        """The items that are there, in the order of the rule."""
        return read_statements(self.items)

    def signed_by(self) -> tuple[Signature, ...]:
        """Who has signed the text as it stands, in order."""
        return _kept(self.signatures).signatures


AGREEMENTS = trust.Table("rights.agreement", AgreementRecord, not_found=AgreementNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementDrafted(trust.Fact):
    """An agreement was drafted or drafted anew; `digest` is the SHA-256 of its text."""

    kind = "rights.agreement.drafted"
    agreement: AgreementId
    scheme: SchemeId
    operator: trust.PartyId
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSigned(trust.Fact):
    """A party signed the text of an agreement."""

    kind = "rights.agreement.signed"
    agreement: AgreementId
    party: trust.PartyId
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTookEffect(trust.Fact):
    """An agreement was filed and took effect; the operator holds a grant from here on."""

    kind = "rights.agreement.took_effect"
    agreement: AgreementId
    ground: GroundId
    grant: GrantId
    operator: trust.PartyId
    ends_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementWasEnded(trust.Fact):
    """An agreement ended before its term; the operator's grant was revoked with it."""

    kind = "rights.agreement.ended"
    agreement: AgreementId
    grant: GrantId


@trust.command("rights.agreement.draft")
def draft_agreement(
    tx: Tx, *, agreement: AgreementId, selection: SelectionId, offer: Offer
) -> Agreement:
    """This will draft the agreement with the operator that was selected.

    Raises SelectionNotFound, NothingSelected, SchemeNotFiled, BeyondScheme, TermTooLong,
    StatementUnknown, BadText, UnknownCode, IdTaken.
    """
    chosen, operator = get_selected(tx, selection)
    scheme = lock_filed_scheme(tx, chosen.scheme)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.OPERATION, owner=scheme.body)
    told = _checked(tx, scheme, operator, offer)
    procedure = new_id(procedures.ProcedureId)
    procedures.begin_procedure(
        tx,
        procedure=procedure,
        chart=AGREEMENT_CHART,
        subject=agreement,
        title=str(told["title"]),
        owner=scheme.body,
        parts=(
            procedures.Part(role="body", party=scheme.body),
            procedures.Part(role="operator", party=operator),
            procedures.Part(role="department", party=scheme.department),
        ),
    )
    made = AgreementRecord(
        id=agreement,
        scheme=scheme.id,
        selection=selection,
        body=scheme.body,
        operator=operator,
        signatures=_keep(Kept()),
        ground=None,
        grant_id=None,
        effective_at=None,
        ends_at=None,
        procedure=procedure,
        drafted_at=tx.now,
        **told,  # type: ignore[arg-type]  # the fields of an offer by their names
    )
    AGREEMENTS.insert(tx, made)
    _record(tx, made)
    return _agreement(made, AgreementState.DRAFTING)


@trust.command("rights.agreement.revise")
def revise_agreement(tx: Tx, *, agreement: AgreementId, offer: Offer) -> Agreement:
    """This will draft an agreement anew while it is being drafted; signatures are void.

    Raises AgreementNotFound, AgreementNotDraft, and as `draft_agreement`.
    """
    held = AGREEMENTS.lock(tx, agreement)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPERATION, owner=held.body)
    state = AgreementState(get_state(tx, held.procedure))
    if state is not AgreementState.DRAFTING:
        raise AgreementNotDraft(agreement=agreement, state=state.value)
    scheme = lock_filed_scheme(tx, held.scheme)
    told = _checked(tx, scheme, held.operator, offer)
    made = AGREEMENTS.update(tx, held, drafted_at=tx.now, signatures=_keep(Kept()), **told)
    _record(tx, made)
    return _agreement(made, state)


@procedures.guard("rights.agreement.complete")
def demand_complete(tx: Tx, procedure: procedures.Procedure) -> None:
    """This will let an agreement be decided on that has all thirteen items (第十四条).

    Raises StatementMissing.
    """
    held = AGREEMENTS.get(tx, procedure.subject)
    demand_all(tx, AGREEMENT_ITEMS, read_statements(held.items))


_SIGNING = {
    AgreementState.SIGNING: "sign",
    AgreementState.COUNTERSIGNING: "countersign",
}


@trust.command("rights.agreement.sign")
def sign_agreement(tx: Tx, *, agreement: AgreementId, digest: bytes) -> Agreement:
    """This will sign the text whose SHA-256 is `digest`: the implementing body, then the operator.

    With its signature the implementing body grants, on condition that the agreement is filed.
    Raises AgreementNotFound, AgreementNotSignable, OtherText, AccessDenied.
    """
    held = AGREEMENTS.lock(tx, agreement)
    state = AgreementState(get_state(tx, held.procedure))
    party = held.operator if state is AgreementState.COUNTERSIGNING else held.body
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPERATION, owner=party)
    if state not in _SIGNING:
        raise AgreementNotSignable(agreement=agreement, state=state.value)
    if party == held.body:
        trust.authorize(tx, trust.Action.CREATE, trust.Kind.GRANT, owner=party)
    if digest != held.digest:
        raise OtherText(agreement=agreement)
    known = () if state is AgreementState.SIGNING else _kept(held.signatures).signatures
    mine = Signature(party=party, account=trust.AccountId(str(tx.caller.account)), at=tx.now)
    moved = procedures.advance_procedure(tx, procedure=held.procedure, move=_SIGNING[state])
    made = AGREEMENTS.update(tx, held, signatures=_keep(Kept(signatures=(*known, mine))))
    trust.record(tx, AgreementSigned(agreement=agreement, party=party, digest=digest))
    return _agreement(made, AgreementState(moved.state))


@trust.command("rights.agreement.file")
def file_agreement(
    tx: Tx, *, agreement: AgreementId, grant: GrantId, ground: GroundId, opinion: str | None = None
) -> Agreement:
    """This will file a signed agreement, which takes effect: the operator's `grant` is issued.

    The agreement becomes `ground`, which the grant rests on; both ids are made by the caller. The
    grant is a child of the scheme's root, narrowed to the agreement's terms and period. Raises
    AgreementNotFound, SchemeNotFiled, GrantTaken, GrantsNothing, the refusal of a root that is not
    alive, and what a move of a procedure raises.
    """
    held = AGREEMENTS.lock(tx, agreement)
    scheme = lock_filed_scheme(tx, held.scheme)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPERATION, owner=scheme.department)
    moved = procedures.advance_procedure(
        tx,
        procedure=held.procedure,
        move="file",
        given=procedures.Given(opinion=opinion, terms={"term": held.term_months}),
    )
    last = find_due(tx, held.procedure, "term")
    assert last is not None, "the clock of the term starts with its effect"
    ends_at = start_of_day(shift_days(last, 1))
    keep_ground(
        tx,
        ground=ground,
        kind=GroundKind.CONTRACT,
        title=held.title,
        party=held.body,
        evidence=held.digest,
        articles=(cite(tx, AGREEMENT_ITEMS),),
    )
    form = from_plain(TermsForm, canon.decode(held.terms.encode()))
    kept = _kept(held.quotas), _kept(held.duties)
    begin_grant(
        tx,
        grant=grant,
        parent=find_successor(tx, scheme.root),
        holder=held.operator,
        kind=GrantKind.OPERATING,
        terms=_within(form, Period(tx.now, ends_at)),
        quotas=kept[0].quotas,
        duties=kept[1].duties,
        basis=ground,
    )
    made = AGREEMENTS.update(
        tx, held, ground=ground, grant_id=grant, effective_at=tx.now, ends_at=ends_at
    )
    trust.record(
        tx,
        AgreementTookEffect(
            agreement=agreement,
            ground=ground,
            grant=grant,
            operator=held.operator,
            ends_at=ends_at,
        ),
    )
    return _agreement(made, AgreementState(moved.state))


@trust.command("rights.agreement.end")
def end_agreement(
    tx: Tx, *, agreement: AgreementId, cause: RevocationCause, opinion: str, reason: str
) -> Agreement:
    """This will end an agreement before its term and revoke the operator's grant with it.

    Raises AgreementNotFound, GrantRevoked and what a move of a procedure raises.
    """
    held = AGREEMENTS.lock(tx, agreement)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.OPERATION, owner=held.body)
    moved = procedures.advance_procedure(
        tx,
        procedure=held.procedure,
        move="end",
        given=procedures.Given(opinion=opinion, reason=reason),
    )
    assert held.grant_id is not None, "only what is in effect is ended"
    living = find_successor(tx, held.grant_id)
    if not is_revoked(tx, living):
        end_grant(tx, grant=living, cause=cause, article=cite(tx, AGREEMENT_ITEMS))
    trust.record(tx, AgreementWasEnded(agreement=agreement, grant=living))
    return _agreement(held, AgreementState(moved.state))


def _checked(
    tx: Tx, scheme: SchemeRecord, operator: trust.PartyId, offer: Offer
) -> dict[str, object]:
    """The columns an offer fills, or the refusal of what is wrong with it."""
    check_term(tx, offer.term_months)
    check_resources(offer.resources)
    if offer.term_months > scheme.term_months:
        raise BeyondScheme(where="term").grounded_in(cite(tx, "operation.scheme_change"))
    beyond = sorted({*offer.resources} - {*scheme.resources})
    if beyond:
        raise BeyondScheme(where=beyond[0][:60]).grounded_in(cite(tx, "operation.within_scope"))
    terms = load_vocabulary(tx).read(offer.terms).form()
    told: dict[str, object] = {
        "title": check_line(offer.title, where="title", most=TITLE_MAX),
        "term_months": offer.term_months,
        "resources": offer.resources,
        "terms": write_terms(terms),
        "quotas": _keep(Kept(quotas=offer.quotas)),
        "duties": _keep(Kept(duties=offer.duties)),
        "items": write_statements(check_statements(tx, AGREEMENT_ITEMS, offer.items)),
    }
    said = {name: to_plain(value) for name, value in told.items()}
    said |= {"body": str(scheme.body), "operator": str(operator), "scheme": scheme.digest.hex()}
    return told | {"digest": hashlib.sha256(canon.encode(said)).digest()}


def _within(form: TermsForm, term: Period) -> TermsForm:
    """The terms with the period of the agreement, or a part of it they name themselves."""
    valid = term if form.valid is None else form.valid.meet(term)
    if valid is None:
        return TermsForm(nothing=True)
    return TermsForm(
        **{one.name: getattr(form, one.name) for one in fields(form) if one.name != "valid"},
        valid=valid,
    )


def _record(tx: Tx, made: AgreementRecord) -> None:
    trust.record(
        tx,
        AgreementDrafted(
            agreement=made.id, scheme=made.scheme, operator=made.operator, digest=made.digest
        ),
    )


def _keep(kept: Kept) -> str:
    return canon.encode(to_plain(kept)).decode()


def _kept(text: str) -> Kept:
    return from_plain(Kept, canon.decode(text.encode()))


def _agreement(held: AgreementRecord, state: AgreementState) -> Agreement:
    return Agreement(**{one.name: getattr(held, one.name) for one in fields(held)}, state=state)


def get_agreement(tx: Tx, agreement: AgreementId) -> Agreement:
    """This will read an agreement; raises AgreementNotFound where the caller may not see it."""
    held = AGREEMENTS.get(tx, agreement)
    scheme = SCHEMES.get(tx, held.scheme)
    seen = (held.body, held.operator, scheme.authority, scheme.department)
    if not any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.OPERATION, owner=one) for one in seen
    ):
        raise AgreementNotFound(id=agreement)
    return _agreement(held, AgreementState(get_state(tx, held.procedure)))


_FIND = """
    WHERE (%s::text IS NULL OR %s IN (body, operator) OR scheme IN (
        SELECT s.id FROM rights.scheme s WHERE %s IN (s.authority, s.department)
    ))
    AND (%s::text IS NULL OR scheme = %s)
    AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s
"""


def find_agreements(
    tx: Tx,
    *,
    page: PageRequest,
    party: trust.PartyId | None = None,
    scheme: SchemeId | None = None,
) -> Page[Agreement]:
    """This will list the agreements a party signs or files, under a scheme, or all, newest first.

    Raises AccessDenied.
    """
    refuse_reading(tx, party)
    found = AGREEMENTS.find(
        tx, _FIND, (party, party, party, scheme, scheme, page.key, page.key, page.size + 1)
    )
    states = find_states(tx, [one.procedure for one in found])
    items = tuple(
        _agreement(one, AgreementState(states[one.procedure])) for one in found[: page.size]
    )
    return Page(items=items, next=cursor(items[-1].id) if len(found) > page.size else None)


def find_agreement_of_grant(tx: Tx, grant: GrantId) -> Agreement | None:
    """This will give the agreement a grant was issued by, where the caller may see it, or None."""
    found = AGREEMENTS.find(tx, "WHERE grant_id = %s", (grant,))
    return get_agreement(tx, found[0].id) if found else None
