# SPDX-License-Identifier: Apache-2.0
"""What an implementing body, an operator and a filing department do about authorised operation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from lingqu import rights, supply, trust
from lingqu.kernel.paging import PageRequest
from lingqu.rights import operation
from lingqu.rights.operation import AgreementId, SchemeId, SelectionId
from lingqu.runtime import Tx
from lingqu.ui.acts import Act, Asked, Field, Given, Input, Preview
from lingqu.ui.asking import (
    Ceiling,
    files_field,
    find_resources,
    objection_fields,
    opinion_field,
    quota_field,
    quotas_of,
    reason_field,
    statement_fields,
    statements,
    terms_fields,
    terms_of,
)
from lingqu.ui.rendering import Desk
from lingqu.ui.terms import reader
from lingqu.ui.things import my_party, organizations

PATH = "/rights/operation"
_RESOURCES = PageRequest(size=500)
_GRANTS = PageRequest(size=200)


def _trail(desk: Desk) -> tuple[tuple[str, str], ...]:
    return ((PATH, desk.text("ui.operation.title")),)


# -- schemes --------------------------------------------------------------------------------------


def _plan_fields(
    desk: Desk, tx: Tx, bodies: Sequence[str], held: operation.Scheme | None
) -> tuple[Field, ...]:
    """What a scheme says; beside each resource of another body stands that it consented."""
    resources = supply.find_resources(tx, page=_RESOURCES).items
    names = desk.names(tx, {one.body for one in resources})
    roots = [
        one
        for body in bodies
        for one in rights.find_grants(tx, page=_GRANTS, holder=trust.PartyId(body)).items
    ]
    return (
        Field(
            name="title",
            value="" if held is None else held.title,
            refusals=("rights.text",),
        ),
        Field(
            name="mode",
            show=Input.CHOICE,
            options=tuple(
                (one.value, desk.text(f"ui.scheme_mode.{one.value}")) for one in operation.Mode
            ),
            value="by_scenario" if held is None else held.mode.value,
        ),
        Field(
            name="months",
            show=Input.NUMBER,
            most=3,
            value="36" if held is None else str(held.term_months),
            refusals=("rights.operation.term_too_long",),
        ),
        Field(
            name="root",
            show=Input.CHOICE,
            hint="ui.ask.root.hint",
            options=tuple(
                (one.id, f"{desk.text(f'rights.kind.{one.kind.value}')} {one.id[-6:]}")
                for one in roots
            ),
            value="" if held is None else held.root,
            refusals=("rights.scheme.root",),
        ),
        Field(
            name="resources",
            show=Input.SEVERAL,
            hint="ui.ask.resources.hint",
            options=tuple(
                (one.id, desk.aside(one.title, names.get(one.body, one.body))) for one in resources
            ),
            value="" if held is None else " ".join(held.resources),
            refusals=("rights.scheme.bad_resources",),
        ),
        *_consent_fields(names),
        Field(name="parts", show=Input.HEADING, label="ui.operation.items"),
        *statement_fields(
            desk, tx, "operation.scheme_items", () if held is None else held.statements()
        ),
    )


def _consent_fields(names: Mapping[str, str]) -> tuple[Field, ...]:
    """Which bodies consented, and the file that says so."""
    return (
        Field(
            name="consents",
            show=Input.SEVERAL,
            required=False,
            hint="ui.ask.consents.hint",
            options=tuple(sorted(names.items(), key=lambda one: one[1])),
        ),
        Field(
            name="consent_file",
            show=Input.FILES,
            required=False,
            hint="ui.ask.consent_file.hint",
        ),
    )


def _plan(given: Given) -> operation.Plan:
    consenting = given.several("consents")
    return operation.Plan(
        title=given.text("title"),
        mode=given.choice("mode", operation.Mode),
        term_months=given.number("months"),
        resources=given.several("resources"),
        root=rights.GrantId(given.text("root")),
        items=statements(given),
        consents=tuple(
            operation.Consent(
                body=trust.PartyId(one),
                evidence=hashlib.sha256(given.upload("consent_file").content).digest(),
            )
            for one in consenting
        ),
    )


def _ask_scheme(desk: Desk, _: str) -> Asked:
    with desk.reading() as tx:
        bodies = my_party(desk, tx, trust.Action.CREATE, trust.Kind.OPERATION)
        others = organizations(tx)
        fields = _plan_fields(desk, tx, [one for one, _ in bodies], None)
    return Asked(
        trail=_trail(desk),
        fields=(
            Field(name="body", show=Input.CHOICE, label="ui.operation.body", options=bodies),
            Field(
                name="authority",
                show=Input.CHOICE,
                options=others,
                hint="ui.ask.authority.hint",
                refusals=("trust.procedure.roles_not_apart",),
            ),
            Field(name="department", show=Input.CHOICE, options=others),
            *fields,
        ),
    )


def _draft_scheme(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    scheme = SchemeId.of(command.uuid)
    desk.execute(
        command,
        operation.draft_scheme,
        scheme=scheme,
        body=given.party("body"),
        authority=given.party("authority"),
        department=given.party("department"),
        plan=_plan(given),
    )
    return f"{PATH}/schemes/{scheme}"


def _ask_revision(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = operation.get_scheme(tx, SchemeId(about))
        fields = _plan_fields(desk, tx, [held.body], held)
    return Asked(about=held.title, trail=_trail(desk), fields=fields)


def _revise_scheme(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(command, operation.revise_scheme, scheme=SchemeId(about), plan=_plan(given))
    return f"{PATH}/schemes/{about}"


DRAFT_SCHEME = Act(
    name="draft_scheme",
    path=f"{PATH}/draft",
    command="rights.scheme.draft",
    rule="operation.scheme_items",
    ask=_ask_scheme,
    do=_draft_scheme,
    takes_files=True,
)
REVISE_SCHEME = Act(
    name="revise_scheme",
    path=f"{PATH}/schemes/{{about:str}}/revise",
    command="rights.scheme.revise",
    rule="operation.scheme_change",
    ask=_ask_revision,
    do=_revise_scheme,
    takes_files=True,
)


# -- selections -----------------------------------------------------------------------------------


def _ask_opening(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = operation.get_scheme(tx, SchemeId(about))
    ways = tuple((one.value, desk.text(f"ui.selection_way.{one.value}")) for one in operation.Way)
    return Asked(
        about=held.title,
        trail=_trail(desk),
        fields=(Field(name="way", show=Input.CHOICE, options=ways),),
    )


def _open_selection(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    selection = SelectionId.of(command.uuid)
    desk.execute(
        command,
        operation.open_selection,
        selection=selection,
        scheme=SchemeId(about),
        way=given.choice("way", operation.Way),
    )
    return f"{PATH}/schemes/{about}"


def _ask_choice(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = operation.get_selection(tx, SelectionId(about))
        scheme = operation.get_scheme(tx, held.scheme)
        fitting = organizations(tx, trust.Role.OPERATOR)
    return Asked(
        about=scheme.title,
        trail=_trail(desk),
        fields=(
            Field(
                name="operator",
                show=Input.CHOICE,
                label="ui.operation.operator",
                options=fitting,
                refusals=("rights.selection.operator_unfit",),
            ),
            opinion_field(),
            Field(
                name="publicity",
                show=Input.NUMBER,
                required=False,
                most=3,
                hint="ui.ask.publicity.hint",
                refusals=("trust.procedure.bad_term",),
            ),
            files_field(required=True),
        ),
    )


def _choose(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    wanted = SelectionId(about)
    desk.execute(
        command,
        operation.choose_operator,
        selection=wanted,
        operator=given.party("operator"),
        opinion=given.text("opinion"),
        files=given.files("files"),
        publicity_days=given.number_or_none("publicity"),
    )
    return f"{PATH}/selections/{about}"


def _ask_objection(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        operation.get_selection(tx, SelectionId(about))
        fields = objection_fields(desk, tx)
    return Asked(trail=_trail(desk), fields=fields)


def _object(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        operation.object_to_selection,
        selection=SelectionId(about),
        objector=given.party("party"),
        reason=given.text("reason"),
        files=given.files("files"),
    )
    return f"{PATH}/selections/{about}"


OPEN_SELECTION = Act(
    name="open_selection",
    path=f"{PATH}/schemes/{{about:str}}/select",
    command="rights.selection.open",
    rule="operation.selection_ways",
    ask=_ask_opening,
    do=_open_selection,
)
CHOOSE_OPERATOR = Act(
    name="choose_operator",
    path=f"{PATH}/selections/{{about:str}}/choose",
    command="rights.selection.choose",
    rule="operation.selection_ways",
    ask=_ask_choice,
    do=_choose,
    takes_files=True,
)
OBJECT_SELECTION = Act(
    name="object_selection",
    path=f"{PATH}/selections/{{about:str}}/object",
    command="rights.selection.object",
    ask=_ask_objection,
    do=_object,
    takes_files=True,
)


# -- agreements -----------------------------------------------------------------------------------


def _offer_fields(
    desk: Desk, tx: Tx, scheme: operation.Scheme, held: operation.Agreement | None
) -> tuple[Field, ...]:
    resources = find_resources(tx, scheme.resources)
    root = rights.read_form(rights.get_grant(tx, scheme.root).effective)
    said = None if held is None else rights.read_form(held.terms)
    return (
        Field(name="title", value=scheme.title if held is None else held.title),
        Field(
            name="months",
            show=Input.NUMBER,
            most=3,
            value=str(scheme.term_months if held is None else held.term_months),
            refusals=("rights.operation.term_too_long", "rights.agreement.beyond_scheme"),
        ),
        Field(
            name="resources",
            show=Input.SEVERAL,
            options=tuple((one.id, one.title) for one in resources),
            value=" ".join(scheme.resources if held is None else held.resources),
            refusals=("rights.scheme.bad_resources",),
        ),
        Field(name="right", show=Input.HEADING, label="ui.operation.terms",
              hint="ui.operation.terms_hint"),
        *(
            one
            for one in terms_fields(
                desk, tx, Ceiling(terms=root, resources=resources), said
            )
            if one.name != "until"
        ),
        quota_field(),
        Field(name="parts", show=Input.HEADING, label="ui.operation.items"),
        *statement_fields(
            desk, tx, "operation.agreement_items", () if held is None else held.statements()
        ),
    )  # fmt: skip


def _offer(desk: Desk, given: Given) -> operation.Offer:
    with desk.reading() as tx:
        now = tx.now
    return operation.Offer(
        title=given.text("title"),
        term_months=given.number("months"),
        resources=given.several("resources"),
        terms=terms_of(given, begins=now),
        items=statements(given),
        quotas=quotas_of(given),
    )


def _preview_offer(desk: Desk, given: Given, _: str) -> Preview:
    offer = _offer(desk, given)
    with desk.reading() as tx:
        reading = reader(desk, tx, forms=(offer.terms,), parties={})
    return Preview(rows=reading.parts(offer.terms))


def _ask_agreement(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        chosen = operation.get_selection(tx, SelectionId(about))
        scheme = operation.get_scheme(tx, chosen.scheme)
        names = desk.names(tx, {chosen.operator, scheme.body, scheme.department})
        fields = _offer_fields(desk, tx, scheme, None)
    return Asked(
        about=scheme.title,
        trail=_trail(desk),
        fields=fields,
        shown=(
            (desk.text("ui.operation.body"), names[scheme.body]),
            (desk.text("ui.operation.operator"), names.get(chosen.operator or "", "–")),
            (desk.text("ui.ask.department"), names[scheme.department]),
        ),
    )


def _draft_agreement(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    agreement = AgreementId.of(command.uuid)
    desk.execute(
        command,
        operation.draft_agreement,
        agreement=agreement,
        selection=SelectionId(about),
        offer=_offer(desk, given),
    )
    return f"{PATH}/agreements/{agreement}"


def _ask_redraft(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = operation.get_agreement(tx, AgreementId(about))
        fields = _offer_fields(desk, tx, operation.get_scheme(tx, held.scheme), held)
    return Asked(about=held.title, trail=_trail(desk), fields=fields)


def _revise_agreement(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        operation.revise_agreement,
        agreement=AgreementId(about),
        offer=_offer(desk, given),
    )
    return f"{PATH}/agreements/{about}"


def _read_agreement(desk: Desk, about: str) -> tuple[operation.Agreement, Asked]:
    """The text one signs or files, as rows."""
    with desk.reading() as tx:
        held = operation.get_agreement(tx, AgreementId(about))
        form = rights.read_form(held.terms)
        names = desk.names(tx, {held.body, held.operator})
        reading = reader(desk, tx, forms=(form,), parties=names)
    shown = (
        (desk.text("ui.operation.body"), names[held.body]),
        (desk.text("ui.operation.operator"), names[held.operator]),
        (desk.text("ui.ask.months"), str(held.term_months)),
        *reading.parts(form),
        (desk.text("ui.thing.digest"), held.digest.hex()),
    )
    trail = (*_trail(desk), (f"{PATH}/agreements/{about}", held.title))
    return held, Asked(about=held.title, trail=trail, shown=shown)


def _ask_signature(desk: Desk, about: str) -> Asked:
    held, read = _read_agreement(desk, about)
    agreed = Field(name="agreed", show=Input.CHECK, label="ui.ask.agreed_text")
    digest = Field(name="digest", value=held.digest.hex(), most=64, hint="ui.ask.digest.hint",
                   refusals=("rights.agreement.other_text",))  # fmt: skip
    return Asked(about=read.about, trail=read.trail, shown=read.shown, fields=(digest, agreed))


def _sign(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    given.agreed("agreed")
    try:
        digest = bytes.fromhex(given.text("digest"))
    except ValueError:
        raise given.refused("digest") from None
    desk.execute(command, operation.sign_agreement, agreement=AgreementId(about), digest=digest)
    return f"{PATH}/agreements/{about}"


def _ask_filing(desk: Desk, about: str) -> Asked:
    _, read = _read_agreement(desk, about)
    return Asked(
        about=read.about, trail=read.trail, shown=read.shown,
        fields=(opinion_field(required=False),),
    )  # fmt: skip


def _file(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        operation.file_agreement,
        agreement=AgreementId(about),
        grant=rights.GrantId.of(command.uuid),
        ground=rights.GroundId.of(command.uuid),
        opinion=given.maybe("opinion"),
    )
    return f"{PATH}/agreements/{about}"


def _ask_end(desk: Desk, about: str) -> Asked:
    _, read = _read_agreement(desk, about)
    causes = tuple(
        (one.value, desk.text(f"ui.revocation.{one.value}")) for one in rights.RevocationCause
    )
    return Asked(
        about=read.about,
        trail=read.trail,
        shown=read.shown,
        danger=True,
        fields=(
            Field(name="cause", show=Input.CHOICE, label="ui.grant.cause", options=causes),
            opinion_field(),
            reason_field(),
        ),
    )


def _end(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    desk.execute(
        command,
        operation.end_agreement,
        agreement=AgreementId(about),
        cause=given.choice("cause", rights.RevocationCause),
        opinion=given.text("opinion"),
        reason=given.text("reason"),
    )
    return f"{PATH}/agreements/{about}"


DRAFT_AGREEMENT = Act(
    name="draft_agreement",
    path=f"{PATH}/selections/{{about:str}}/agree",
    command="rights.agreement.draft",
    rule="operation.agreement_items",
    ask=_ask_agreement,
    do=_draft_agreement,
    preview=_preview_offer,
)
REVISE_AGREEMENT = Act(
    name="revise_agreement",
    path=f"{PATH}/agreements/{{about:str}}/revise",
    command="rights.agreement.revise",
    rule="operation.agreement_items",
    ask=_ask_redraft,
    do=_revise_agreement,
    preview=_preview_offer,
)
SIGN_AGREEMENT = Act(
    name="sign_agreement",
    path=f"{PATH}/agreements/{{about:str}}/sign",
    command="rights.agreement.sign",
    ask=_ask_signature,
    do=_sign,
)
FILE_AGREEMENT = Act(
    name="file_agreement",
    path=f"{PATH}/agreements/{{about:str}}/file",
    command="rights.agreement.file",
    ask=_ask_filing,
    do=_file,
)
END_AGREEMENT = Act(
    name="end_agreement",
    path=f"{PATH}/agreements/{{about:str}}/end",
    command="rights.agreement.end",
    ask=_ask_end,
    do=_end,
)
ACTS = (
    DRAFT_SCHEME, REVISE_SCHEME, OPEN_SELECTION, CHOOSE_OPERATOR, OBJECT_SELECTION,
    DRAFT_AGREEMENT, REVISE_AGREEMENT, SIGN_AGREEMENT, FILE_AGREEMENT, END_AGREEMENT,
)  # fmt: skip
