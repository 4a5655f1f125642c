# SPDX-License-Identifier: Apache-2.0
"""What a holder does with a right: gives a part of it on, narrows what was given, begins a tree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lingqu import rights, supply, trust
from lingqu.kernel.lattice import TermsForm, meet
from lingqu.kernel.paging import PageRequest
from lingqu.rights import GrantId, GrantKind, GroundId, GroundKind
from lingqu.runtime import Tx
from lingqu.ui.acts import Act, Asked, Field, Given, Input, Preview
from lingqu.ui.asking import (
    Ceiling,
    find_resources,
    quota_field,
    quotas_of,
    resources_of,
    terms_fields,
    terms_of,
)
from lingqu.ui.rendering import Desk
from lingqu.ui.terms import reader
from lingqu.ui.things import organizations, require_any

PATH = "/rights/grants"
_RESOURCES = PageRequest(size=200)


def _kinds(desk: Desk, kinds: Iterable[GrantKind]) -> tuple[tuple[str, str], ...]:
    return tuple((one.value, desk.text(f"rights.kind.{one.value}")) for one in kinds)


def _above(desk: Desk, tx: Tx, grant: rights.Grant) -> tuple[tuple[str, str], ...]:
    """What stands above: holder and effective terms in words."""
    form = rights.read_form(grant.effective)
    names = desk.names(tx, {grant.holder})
    reading = reader(desk, tx, forms=(form,), parties=names)
    return ((desk.text("ui.grant.holder"), names[grant.holder]), *reading.parts(form))


def _effective(desk: Desk, above: str, wanted: TermsForm) -> Preview:
    """The effective terms: what the grant above allows, met with what is asked."""
    with desk.reading() as tx:
        words = rights.load_vocabulary(tx)
        over = rights.read_form(above)
        form = meet(words.read(over), words.read(wanted)).form()
        reading = reader(desk, tx, forms=(form, over), parties={})
        rows = reading.parts(form)
    if form.nothing:
        return Preview(lines=(desk.text("ui.grant.would_be_nothing"),))
    return Preview(rows=rows or ((desk.text("ui.grant.terms"), desk.text("ui.grant.unlimited")),))


def _wanted(desk: Desk, given: Given) -> TermsForm:
    with desk.reading() as tx:
        now = tx.now
    return terms_of(given, begins=now)


def _ask_issue(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        above = rights.get_grant(tx, GrantId(about))
        form = rights.read_form(above.effective)
        fields = terms_fields(desk, tx, Ceiling(terms=form, resources=resources_of(tx, form)))
        shown = _above(desk, tx, above)
        holders = organizations(tx)
    return Asked(
        trail=((PATH, desk.text("ui.grants.title")), (f"{PATH}/{about}", shown[0][1])),
        shown=shown,
        fields=(
            Field(
                name="holder",
                show=Input.CHOICE,
                label="ui.grant.holder",
                options=holders,
                refusals=("rights.party",),
            ),
            Field(
                name="kind",
                show=Input.CHOICE,
                label="ui.grant.kind",
                options=_kinds(desk, sorted(rights.BEGETS[above.kind], key=lambda one: one.value)),
                refusals=("rights.grant.kind",),
            ),
            *fields,
            quota_field(),
        ),
    )


def _issue(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    grant = GrantId.of(command.uuid)
    desk.execute(
        command,
        rights.issue_grant,
        grant=grant,
        parent=GrantId(about),
        holder=given.party("holder"),
        kind=given.choice("kind", GrantKind),
        terms=_wanted(desk, given),
        quotas=quotas_of(given),
    )
    return f"{PATH}/{grant}"


def _preview_issue(desk: Desk, given: Given, about: str) -> Preview:
    with desk.reading() as tx:
        above = rights.get_grant(tx, GrantId(about)).effective
    return _effective(desk, above, _wanted(desk, given))


def _ask_narrowing(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        held = rights.get_grant(tx, GrantId(about))
        form = rights.read_form(held.effective)
        fields = terms_fields(desk, tx, Ceiling(terms=form, resources=resources_of(tx, form)), form)
        shown = _above(desk, tx, held)
    return Asked(
        trail=((PATH, desk.text("ui.grants.title")), (f"{PATH}/{about}", shown[0][1])),
        shown=shown,
        fields=fields,
        danger=True,
    )


def _narrow(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    made = desk.execute(
        command, rights.narrow_grant, grant=GrantId(about), terms=_wanted(desk, given)
    )
    return f"{PATH}/{made.new[0]}"


def _ask_ground(desk: Desk, _: str) -> Asked:
    require_any(desk, trust.Action.CREATE, trust.Kind.GROUND)
    with desk.reading() as tx:
        parties = organizations(tx)
    kinds = tuple((one.value, desk.text(f"rights.ground_kind.{one.value}")) for one in GroundKind)
    return Asked(
        trail=((PATH, desk.text("ui.grants.title")),),
        fields=(
            Field(name="title", refusals=("rights.ground", "rights.text")),
            Field(
                name="ground_kind", show=Input.CHOICE, label="ui.grant.ground", options=kinds
            ),
            Field(
                name="party",
                show=Input.CHOICE,
                label="ui.ask.ground_party",
                options=parties,
            ),
            Field(name="articles", show=Input.AREA, required=False, most=1000,
                  hint="ui.ask.articles.hint"),
            Field(name="file", show=Input.FILES, label="ui.ask.document",
                  hint="ui.ask.document.hint"),
        ),
    )  # fmt: skip


def _record_ground(desk: Desk, command: trust.CommandId, given: Given, _: str) -> str:
    ground = GroundId.of(command.uuid)
    desk.execute(
        command,
        rights.record_ground,
        ground=ground,
        kind=given.choice("ground_kind", GroundKind),
        title=given.text("title"),
        party=given.party("party"),
        evidence=hashlib.sha256(given.upload("file").content).digest(),
        articles=tuple(
            one.strip() for one in (given.maybe("articles") or "").splitlines() if one.strip()
        ),
    )
    return BEGIN_TREE.href(ground)


def _ask_root(desk: Desk, about: str) -> Asked:
    require_any(desk, trust.Action.CREATE, trust.Kind.GRANT)
    with desk.reading() as tx:
        ground = rights.get_ground(tx, GroundId(about))
        names = desk.names(tx, {ground.party})
        catalog = supply.find_resources(tx, page=_RESOURCES).items
        holders = organizations(tx)
        shown = (
            (desk.text("ui.grant.ground"), ground.title),
            (desk.text("ui.ask.ground_party"), names[ground.party]),
        )
    return Asked(
        about=ground.title,
        trail=((PATH, desk.text("ui.grants.title")),),
        shown=shown,
        fields=(
            Field(name="holder", show=Input.CHOICE, label="ui.grant.holder", options=holders),
            Field(
                name="kind",
                show=Input.CHOICE,
                label="ui.grant.kind",
                options=_kinds(desk, GrantKind),
            ),
            Field(
                name="resources",
                show=Input.SEVERAL,
                required=False,
                hint="ui.ask.root_resources.hint",
                options=tuple((one.id, one.title) for one in catalog),
            ),
            quota_field(),
        ),
    )


def _begin_tree(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    grant = GrantId.of(command.uuid)
    with desk.reading() as tx:
        chosen = find_resources(tx, given.several("resources"))
        columns = tuple(
            sorted(f"{one.id}.{field.name}" for one in chosen for field in supply.read_fields(one))
        )
    desk.execute(
        command,
        rights.issue_root,
        grant=grant,
        ground=GroundId(about),
        holder=given.party("holder"),
        kind=given.choice("kind", GrantKind),
        terms=TermsForm(fields=columns or None),
        quotas=quotas_of(given),
    )
    return f"{PATH}/{grant}"


ISSUE_GRANT = Act(
    name="issue_grant",
    path=f"{PATH}/{{about:str}}/issue",
    command="rights.grant.issue",
    rule="market.purpose_and_quantity",
    ask=_ask_issue,
    do=_issue,
    preview=_preview_issue,
)
NARROW_GRANT = Act(
    name="narrow_grant",
    path=f"{PATH}/{{about:str}}/narrow",
    command="rights.grant.narrow",
    rule="market.purpose_and_quantity",
    ask=_ask_narrowing,
    do=_narrow,
    preview=_preview_issue,
)
RECORD_GROUND = Act(
    name="record_ground",
    path="/rights/grounds/record",
    command="rights.ground.record",
    ask=_ask_ground,
    do=_record_ground,
    takes_files=True,
)
BEGIN_TREE = Act(
    name="begin_tree",
    path="/rights/grounds/{about:str}/begin",
    command="rights.root.issue",
    ask=_ask_root,
    do=_begin_tree,
)
ACTS = (ISSUE_GRANT, NARROW_GRANT, RECORD_GROUND, BEGIN_TREE)
