# SPDX-License-Identifier: Apache-2.0
"""Rights: the grants one holds, one grant in its tree, and the same grant as a policy's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import rights, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.rights import Grant, GrantId, Life, Standing, obligations, quantities
from lingqu.runtime import Tx
from lingqu.ui import tables
from lingqu.ui.forms import chosen
from lingqu.ui.pages import grant_acts, product_acts
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk, clip
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.terms import Reader, reader

exchange = rights.exchange
PATH = "/rights/grants"
FIRST_FORMAT = exchange.PolicyFormat.ODRL
TONES: Mapping[Standing, str] = {
    Standing.ALIVE: "good",
    Standing.NOT_BEGUN: "wait",
    Standing.HELD: "bad",
    Standing.REVOKED: "bad",
    Standing.EXPIRED: "",
    Standing.SUCCEEDED: "",
}


@get(PATH, sync_to_thread=True)
def grant_list(desk: FromDesk) -> Response[Any]:
    """This will list the grants the visitor's parties hold; a supervisor sees all."""
    mine = desk.require()
    with desk.reading() as tx:
        found, is_cut = _held(tx, mine)
        lives: dict[str, Life] = dict(
            zip((one.id for one in found), rights.find_lives(tx, grants=found), strict=True)
        )
        may_begin = trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.GROUND)
        names = desk.names(tx, {one.holder for one in found})
        forms = [rights.read_form(one.effective) for one in found]
        reading = reader(desk, tx, forms=forms, parties=names)
    columns, filters = _columns(lives, names, reading), _filters(desk, lives)
    return tables.gathered_list(
        desk,
        "ui.grants",
        found,
        columns=columns,
        filters=filters,
        is_cut=is_cut,
        rule="market.purpose_and_quantity",
        actions=((*grant_acts.RECORD_GROUND.link(desk), "btn-quiet"),) if may_begin else (),
    )


@get(f"{PATH}/{{grant:str}}", sync_to_thread=True)
def grant_page(desk: FromDesk, grant: FromPath[str]) -> Response[str]:
    """This will draw the tree around a grant, with the effective terms at each node."""
    desk.require()
    return _show(desk, GrantId(grant))


@post(f"{PATH}/{{grant:str}}/revoke", sync_to_thread=True, command="rights.grant.revoke")
def revoke(desk: FromDesk, form: FromForm, grant: FromPath[str]) -> Response[str] | Redirect:
    """This will end a grant and everything below it at once."""
    desk.require()
    wanted, command = GrantId(grant), form.id("command", trust.CommandId)
    try:
        desk.execute(
            command,
            rights.revoke_grant,
            grant=wanted,
            cause=chosen(form, "cause", rights.RevocationCause),
            article=form.maybe("article"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, wanted, refusal=refusal)
    return desk.go(f"{PATH}/{wanted}", done="revoked")


@get(f"{PATH}/{{grant:str}}/policy", sync_to_thread=True)
def policy_file(desk: FromDesk, grant: FromPath[str]) -> Response[Any]:
    """This will give a grant as a policy, as a file; where it cannot be said, the page says why."""
    desk.require()
    found = GrantId(grant)
    asked = desk.argument("format")
    wanted = next((one for one in exchange.PolicyFormat if one.value == asked), FIRST_FORMAT)
    try:
        with desk.reading() as tx:
            written = exchange.write_policy(exchange.policy_of(tx, found), wanted)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, found, refusal=refusal)
    return Response(
        exchange.canonical_bytes(written),
        media_type="application/json",
        headers={"content-disposition": f'attachment; filename="{found}.{wanted.value}.json"'},
    )


def _held(tx: Tx, mine: trust.Identity) -> tuple[tuple[Grant, ...], bool]:
    if trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT):
        return tables.gather(lambda page: rights.find_grants(tx, page=page))
    found: list[Grant] = []
    is_cut = False
    for one in mine.parties or (mine.party,):
        holder = trust.PartyId(one)
        if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=holder):
            continue

        def find(page: PageRequest, holder: trust.PartyId = holder) -> Any:
            return rights.find_grants(tx, page=page, holder=holder)

        grants, cut = tables.gather(find)
        found, is_cut = [*found, *grants], is_cut or cut
    return tuple(found), is_cut


def _show(
    desk: Desk, grant: GrantId, *, refusal: errors.LingquError | None = None
) -> Response[str]:
    language = desk.visit.language
    with desk.reading() as tx:
        family = rights.find_family(tx, grant)
        explained = rights.explain_grant(tx, grant)
        everyone = (*family.path, *family.below)
        names = desk.names(tx, {one.grant.holder for one in everyone})
        forms = [rights.read_form(one.grant.effective) for one in everyone]
        reading = reader(desk, tx, forms=forms, parties=names)
        quotas = quantities.get_quota(tx, grant)
        owed = obligations.find_obligations(tx, grant=grant)
        here = family.path[-1]
        above = family.path[-2].grant.holder if len(family.path) > 1 else here.grant.holder
        may_revoke = here.life.alive and trust.is_allowed(
            tx, trust.Action.END, trust.Kind.GRANT, owner=above
        )
        todo = _acts(desk, tx, here, above)
        visible = _visible(tx, family)
    terms = {one.grant.id: reading.parts(rights.read_form(one.grant.effective)) for one in everyone}
    return desk.show(
        "rights/grant.html",
        status=200 if refusal is None else status_of(refusal),
        family=family,
        here=here,
        visible=visible,
        terms=terms,
        names=names,
        tones={one.value: tone for one, tone in TONES.items()},
        explained=explained,
        lines=tuple(reading.line(one) for one in rights.explanation_lines(explained, language)),
        quotas=quotas,
        owed=owed,
        may_revoke=may_revoke,
        formats=tuple((one.value, _FORMATS[one]) for one in exchange.PolicyFormat),
        reason=None if refusal is None else exchange.explain_reason(refusal, language),
        acts=todo,
        causes=tuple(
            (one.value, desk.text(f"ui.revocation.{one.value}")) for one in rights.RevocationCause
        ),
        refusal=desk.explain(refusal),
    )


def _visible(tx: Tx, family: rights.Family) -> frozenset[str]:
    """The relatives whose own pages the visitor may open: from the first that is theirs down."""
    held = [
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=one.grant.holder)
        for one in family.path
    ]
    first = held.index(True) if True in held else len(held)
    return frozenset(one.grant.id for one in (*family.path[first:], *family.below))


_FORMATS: Mapping[exchange.PolicyFormat, str] = {
    exchange.PolicyFormat.ODRL: "ODRL 2.2",
    exchange.PolicyFormat.TC609: "TC609-6-2025-14",
}


def _acts(
    desk: Desk, tx: Tx, here: rights.Relative, above: trust.PartyId
) -> tuple[tuple[str, str], ...]:
    """What the visitor can do with a living grant: give on, narrow, make a product under it."""
    if not here.life.alive:
        return ()
    grant, found = here.grant, []
    if trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.GRANT, owner=grant.holder):
        found.append(grant_acts.ISSUE_GRANT.link(desk, grant.id))
    if grant.parent is not None and trust.is_allowed(
        tx, trust.Action.CHANGE, trust.Kind.GRANT, owner=above
    ):
        found.append(grant_acts.NARROW_GRANT.link(desk, grant.id))
    if grant.kind is rights.GrantKind.OPERATING and trust.is_allowed(
        tx, trust.Action.CREATE, trust.Kind.PRODUCT, owner=grant.holder
    ):
        found.append(product_acts.DEFINE.link(desk, grant.id))
    return tuple(found)


def _columns(
    lives: Mapping[str, Life], names: Mapping[str, str], reading: Reader
) -> tuple[Column[Grant], ...]:
    def short_terms(one: Grant) -> str:
        said = reading.parts(rights.read_form(one.effective))
        return clip(" · ".join(words for _, words in said), 120)

    return (
        Column[Grant](
            name="grant",
            label="ui.grant.id",
            value=lambda one: one.id,
            show=Show.ID,
            href=lambda one: f"{PATH}/{one.id}",
        ),
        Column[Grant](
            name="kind",
            label="ui.grant.kind",
            value=lambda one: f"rights.kind.{one.kind.value}",
            show=Show.LABEL,
            sub=short_terms,
        ),
        Column[Grant](
            name="holder",
            label="ui.grant.holder",
            value=lambda one: names.get(one.holder, one.holder),
        ),
        Column[Grant](
            name="standing",
            label="ui.party.state",
            value=lambda one: f"rights.standing.{lives[one.id].standing.value}",
            show=Show.LABEL,
            tone=lambda one: TONES[lives[one.id].standing],
        ),
        Column[Grant](
            name="issued",
            label="ui.grant.issued",
            value=lambda one: one.issued_at,
            show=Show.INSTANT,
        ),
    )


def _filters(desk: Desk, lives: Mapping[str, Life]) -> tuple[Filter[Grant], ...]:
    return (
        Filter[Grant](
            name="kind",
            label=desk.text("ui.grant.kind"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"rights.kind.{one.value}"))
                for one in rights.GrantKind
            ),
            of=lambda one: one.kind.value,
        ),
        Filter[Grant](
            name="standing",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"rights.standing.{one.value}"))
                for one in Standing
            ),
            of=lambda one: lives[one.id].standing.value,
        ),
    )
