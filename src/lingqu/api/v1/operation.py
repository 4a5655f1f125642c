# SPDX-License-Identifier: Apache-2.0
"""The API of 公共数据授权运营: schemes, selections and agreements, and their documents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import rights, trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.v1 import rights_shapes as shapes
from lingqu.api.v1.papers import ToFormat, paper_file
from lingqu.api.v1.procedures import FileGiven, keep_file
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.canon import decode
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.values import to_plain
from lingqu.rights import operation

BASE = "/api/v1/rights/operation"

OfParty = Annotated[
    str | None, QueryParameter(name="party", max_length=60, description="Who takes part in it")
]
Files = Annotated[list[FileGiven], msgspec.Meta(max_length=50)]
ModeName = Literal["whole", "by_field", "by_scenario"]
WayName = Literal["open_tender", "invited_tender", "negotiation"]


class StatementShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is said about one item of the rule's list, by its code."""

    item: str
    text: str


class ConsentShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A body consented that its shared data is operated; the SHA-256 of the consent."""

    body: str
    evidence: str


class PlanShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a scheme says; `root` is the grant of the implementing body."""

    title: str
    mode: ModeName
    term_months: int
    resources: list[str]
    root: str
    items: list[StatementShape]
    consents: list[ConsentShape] = []


class DraftScheme(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new scheme under an id the caller made (`sch_...`)."""

    scheme: str
    body: str
    authority: str
    department: str
    plan: PlanShape


class SchemeView(msgspec.Struct, kw_only=True):
    """A scheme, what it says and where its procedure stands."""

    id: str
    body: str
    authority: str
    department: str
    root: str
    title: str
    mode: ModeName
    term_months: int
    resources: list[str]
    items: list[StatementShape]
    digest: str
    edition: int
    procedure: str
    drafted_at: str
    state: str


class SchemePage(msgspec.Struct, kw_only=True):
    """Some schemes, and the cursor of the page after them (null: this was the last)."""

    items: list[SchemeView]
    next: str | None


class OpenSelection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new selection under an id the caller made (`sel_...`)."""

    selection: str
    scheme: str
    way: WayName


class ChooseOperator(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who was chosen, why, with the minutes; publicity may be longer than the least."""

    operator: str
    opinion: str
    files: Files
    publicity_days: int | None = None


class ObjectTo(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An objection under one's name, with evidence."""

    objector: str
    reason: str
    files: Files


class SelectionView(msgspec.Struct, kw_only=True):
    """How an operator was looked for, and whether one was found."""

    id: str
    scheme: str
    way: WayName
    operator: str | None
    procedure: str
    opened_at: str
    state: str


class SelectionList(msgspec.Struct, kw_only=True):
    """The selections under a scheme."""

    items: list[SelectionView]


class OfferShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What an agreement says, and what of it becomes the operator's grant."""

    title: str
    term_months: int
    resources: list[str]
    terms: shapes.TermsShape
    items: list[StatementShape]
    quotas: list[shapes.QuantityShape] = []
    duties: list[shapes.DutyShape] = []


class DraftAgreement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new agreement under an id the caller made (`agr_...`)."""

    agreement: str
    selection: str
    offer: OfferShape


class SignAgreement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The SHA-256 of the text one has read and signs, in hexadecimal."""

    digest: str


class FileAgreement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Ids the caller made for the ground (`gnd_...`) and the operator's grant (`grt_...`)."""

    grant: str
    ground: str
    opinion: str | None = None


class EndAgreement(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Why an agreement ends before its term."""

    cause: shapes.CauseName
    opinion: str
    reason: str


class AgreementView(msgspec.Struct, kw_only=True):
    """An agreement, what it says, who signed it, and the grant it made."""

    id: str
    scheme: str
    selection: str
    body: str
    operator: str
    title: str
    term_months: int
    resources: list[str]
    terms: dict[str, Any]
    items: list[StatementShape]
    digest: str
    signed_by: list[str]
    ground: str | None
    grant: str | None
    effective_at: str | None
    ends_at: str | None
    procedure: str
    drafted_at: str
    state: str


class AgreementPage(msgspec.Struct, kw_only=True):
    """Some agreements, and the cursor of the page after them (null: this was the last)."""

    items: list[AgreementView]
    next: str | None


@makes("/schemes", "rights.scheme.draft", "Draft a scheme")
def draft_scheme(write: FromWrite, data: JSONBody[DraftScheme]) -> SchemeView:
    """This will draft an implementation scheme."""
    made = write.execute(
        operation.draft_scheme,
        scheme=operation.SchemeId(data.scheme),
        body=trust.PartyId(data.body),
        authority=trust.PartyId(data.authority),
        department=trust.PartyId(data.department),
        plan=_plan(data.plan),
    )
    return scheme_view(made)


@does("/schemes/{scheme:str}/revise", "rights.scheme.revise", "Draft a scheme anew")
def revise_scheme(write: FromWrite, scheme: FromPath[str], data: JSONBody[PlanShape]) -> SchemeView:
    """This will draft a scheme anew while it is being drafted."""
    made = write.execute(
        operation.revise_scheme, scheme=operation.SchemeId(scheme), plan=_plan(data)
    )
    return scheme_view(made)


@reads("/schemes", "List schemes")
def find_schemes(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: OfParty = None,
) -> SchemePage:
    """This will list the schemes a party takes part in, newest first."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = operation.find_schemes(tx, page=request, party=_party(party))
    return SchemePage(items=[scheme_view(one) for one in page.items], next=page.next)


@reads("/schemes/{scheme:str}", "Read a scheme")
def get_scheme(platform: FromPlatform, visit: FromVisit, scheme: FromPath[str]) -> SchemeView:
    """This will read one scheme."""
    wanted = operation.SchemeId(scheme)
    with platform.database.reading(visit.caller) as tx:
        return scheme_view(operation.get_scheme(tx, wanted))


@reads("/schemes/{scheme:str}/document", "Write a scheme as a file")
def get_scheme_document(
    platform: FromPlatform, visit: FromVisit, scheme: FromPath[str], to: ToFormat = "docx"
) -> Response[bytes]:
    """This will give the scheme as Word or PDF."""
    wanted = operation.SchemeId(scheme)
    with platform.database.reading(visit.caller) as tx:
        paper = operation.scheme_paper(tx, wanted)
    return paper_file(platform, paper, to, name=wanted)


@reads("/schemes/{scheme:str}/selections", "List selections of operators")
def find_selections(
    platform: FromPlatform, visit: FromVisit, scheme: FromPath[str]
) -> SelectionList:
    """This will list the selections under a scheme, newest first."""
    wanted = operation.SchemeId(scheme)
    with platform.database.reading(visit.caller) as tx:
        found = operation.find_selections(tx, scheme=wanted)
    return SelectionList(items=[selection_view(one) for one in found])


@makes("/selections", "rights.selection.open", "Begin to select an operator")
def open_selection(write: FromWrite, data: JSONBody[OpenSelection]) -> SelectionView:
    """This will begin to select the operator of a filed scheme."""
    made = write.execute(
        operation.open_selection,
        selection=operation.SelectionId(data.selection),
        scheme=operation.SchemeId(data.scheme),
        way=operation.Way(data.way),
    )
    return selection_view(made)


@does("/selections/{selection:str}/choose", "rights.selection.choose", "Choose an operator")
def choose_operator(
    write: FromWrite, selection: FromPath[str], data: JSONBody[ChooseOperator]
) -> SelectionView:
    """This will choose the operator and publish the choice."""
    made = write.execute(
        operation.choose_operator,
        selection=operation.SelectionId(selection),
        operator=trust.PartyId(data.operator),
        opinion=data.opinion,
        files=tuple(keep_file(write.platform, one) for one in data.files),
        publicity_days=data.publicity_days,
    )
    return selection_view(made)


@does(
    "/selections/{selection:str}/object",
    "rights.selection.object",
    "Object to the choice of an operator",
)
def object_to_selection(
    write: FromWrite, selection: FromPath[str], data: JSONBody[ObjectTo]
) -> SelectionView:
    """This will object to a published choice, with evidence."""
    made = write.execute(
        operation.object_to_selection,
        selection=operation.SelectionId(selection),
        objector=trust.PartyId(data.objector),
        reason=data.reason,
        files=tuple(keep_file(write.platform, one) for one in data.files),
    )
    return selection_view(made)


@makes("/agreements", "rights.agreement.draft", "Draft an agreement")
def draft_agreement(write: FromWrite, data: JSONBody[DraftAgreement]) -> AgreementView:
    """This will draft the agreement with the operator that was selected."""
    made = write.execute(
        operation.draft_agreement,
        agreement=operation.AgreementId(data.agreement),
        selection=operation.SelectionId(data.selection),
        offer=_offer(data.offer),
    )
    return agreement_view(made)


@does("/agreements/{agreement:str}/revise", "rights.agreement.revise", "Draft an agreement anew")
def revise_agreement(
    write: FromWrite, agreement: FromPath[str], data: JSONBody[OfferShape]
) -> AgreementView:
    """This will draft an agreement anew while it is being drafted."""
    made = write.execute(
        operation.revise_agreement,
        agreement=operation.AgreementId(agreement),
        offer=_offer(data),
    )
    return agreement_view(made)


@does("/agreements/{agreement:str}/sign", "rights.agreement.sign", "Sign an agreement")
def sign_agreement(
    write: FromWrite, agreement: FromPath[str], data: JSONBody[SignAgreement]
) -> AgreementView:
    """This will sign the text whose digest is given: the implementing body, then the operator."""
    made = write.execute(
        operation.sign_agreement,
        agreement=operation.AgreementId(agreement),
        digest=shapes.digest(data.digest),
    )
    return agreement_view(made)


@does("/agreements/{agreement:str}/file", "rights.agreement.file", "File an agreement")
def file_agreement(
    write: FromWrite, agreement: FromPath[str], data: JSONBody[FileAgreement]
) -> AgreementView:
    """This will file a signed agreement; it takes effect and the operator's grant is issued."""
    made = write.execute(
        operation.file_agreement,
        agreement=operation.AgreementId(agreement),
        grant=rights.GrantId(data.grant),
        ground=rights.GroundId(data.ground),
        opinion=data.opinion,
    )
    return agreement_view(made)


@does("/agreements/{agreement:str}/end", "rights.agreement.end", "End an agreement early")
def end_agreement(
    write: FromWrite, agreement: FromPath[str], data: JSONBody[EndAgreement]
) -> AgreementView:
    """This will end an agreement before its term and revoke the operator's grant with it."""
    made = write.execute(
        operation.end_agreement,
        agreement=operation.AgreementId(agreement),
        cause=rights.RevocationCause(data.cause),
        opinion=data.opinion,
        reason=data.reason,
    )
    return agreement_view(made)


@reads("/agreements", "List agreements")
def find_agreements(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    party: OfParty = None,
    scheme: Annotated[str | None, QueryParameter(name="scheme", max_length=60)] = None,
) -> AgreementPage:
    """This will list the agreements of a party or under a scheme, newest first."""
    request = PageRequest(size=size, after=after)
    under = None if scheme is None else operation.SchemeId(scheme)
    with platform.database.reading(visit.caller) as tx:
        page = operation.find_agreements(tx, page=request, party=_party(party), scheme=under)
    return AgreementPage(items=[agreement_view(one) for one in page.items], next=page.next)


@reads("/agreements/{agreement:str}", "Read an agreement")
def get_agreement(
    platform: FromPlatform, visit: FromVisit, agreement: FromPath[str]
) -> AgreementView:
    """This will read one agreement."""
    wanted = operation.AgreementId(agreement)
    with platform.database.reading(visit.caller) as tx:
        return agreement_view(operation.get_agreement(tx, wanted))


@reads("/agreements/{agreement:str}/document", "Write an agreement as a file")
def get_agreement_document(
    platform: FromPlatform, visit: FromVisit, agreement: FromPath[str], to: ToFormat = "docx"
) -> Response[bytes]:
    """This will give the agreement as Word or PDF."""
    wanted = operation.AgreementId(agreement)
    with platform.database.reading(visit.caller) as tx:
        paper = operation.agreement_paper(tx, wanted)
    return paper_file(platform, paper, to, name=wanted)


def statements(given: list[StatementShape]) -> tuple[rights.Statement, ...]:
    """This will read what is said about the items."""
    return tuple(rights.Statement(item=one.item, text=one.text) for one in given)


def statement_shapes(given: tuple[rights.Statement, ...]) -> list[StatementShape]:
    """This will show what is said about the items."""
    return [StatementShape(item=one.item, text=one.text) for one in given]


def scheme_view(scheme: operation.Scheme) -> SchemeView:
    """This will show a scheme."""
    plain = shown(scheme) | {"items": statement_shapes(scheme.statements())}
    return msgspec.convert(plain, SchemeView, from_attributes=True)


def selection_view(selection: operation.Selection) -> SelectionView:
    """This will show a selection."""
    return msgspec.convert(shown(selection), SelectionView)


def agreement_view(agreement: operation.Agreement) -> AgreementView:
    """This will show an agreement."""
    plain = shown(agreement) | {
        "items": statement_shapes(agreement.statements()),
        "terms": decode(agreement.terms.encode()),
        "signed_by": [str(one.party) for one in agreement.signed_by()],
        "grant": agreement.grant,
    }
    return msgspec.convert(plain, AgreementView, from_attributes=True)


def shown(value: object) -> dict[str, Any]:
    """This will give a value of several fields as plain data."""
    plain = to_plain(value)
    assert isinstance(plain, dict), "a value of several fields"
    return plain


def _plan(shape: PlanShape) -> operation.Plan:
    return operation.Plan(
        title=shape.title,
        mode=operation.Mode(shape.mode),
        term_months=shape.term_months,
        resources=tuple(shape.resources),
        root=rights.GrantId(shape.root),
        items=statements(shape.items),
        consents=tuple(
            operation.Consent(body=trust.PartyId(one.body), evidence=shapes.digest(one.evidence))
            for one in shape.consents
        ),
    )


def _offer(shape: OfferShape) -> operation.Offer:
    return operation.Offer(
        title=shape.title,
        term_months=shape.term_months,
        resources=tuple(shape.resources),
        terms=shapes.terms_form(shape.terms),
        items=statements(shape.items),
        quotas=shapes.read_quantities(shape.quotas),
        duties=shapes.read_duties(shape.duties),
    )


def _party(text: str | None) -> trust.PartyId | None:
    return None if text is None else trust.PartyId(text)


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        draft_scheme, revise_scheme, find_schemes, get_scheme, get_scheme_document,
        find_selections, open_selection, choose_operator, object_to_selection,
        draft_agreement, revise_agreement, sign_agreement, file_agreement, end_agreement,
        find_agreements, get_agreement, get_agreement_document,
    ]  # fmt: skip
    return routes_of(BASE, "rights", handlers)
