# SPDX-License-Identifier: Apache-2.0
"""What a party's page adds: the organisation, its mandates, its machines' certificates, a lock.

And the page of holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import new_id
from lingqu.trust import divisions, holds, identity
from lingqu.ui import tables
from lingqu.ui.forms import Form, chosen
from lingqu.ui.pages.parties import GIVEN_ROLES
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, RowAct, Show

_ACTS = (
    ("describe", trust.Action.CHANGE, trust.Kind.PARTY),
    ("give", trust.Action.ASSIGN, trust.Kind.MANDATE),
    ("end", trust.Action.END, trust.Kind.MANDATE),
    ("revoke", trust.Action.END, trust.Kind.CERTIFICATE),
    ("unlock", trust.Action.END, trust.Kind.ACCOUNT),
)


@get("/trust/parties/{party:str}/identity", sync_to_thread=True)
def identity_page(desk: FromDesk, party: FromPath[str]) -> Response[str]:
    """This will show what is known of a party as an organisation, and who acts for it by what."""
    desk.require()
    return _show(desk, trust.PartyId(party))


@post(
    "/trust/parties/{party:str}/organization",
    sync_to_thread=True,
    command="trust.organization.describe",
)
def describe(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will say what kind of organisation the party is."""
    known, command = trust.PartyId(party), form.id("command", trust.CommandId)
    kind = chosen(form, "kind", identity.OrganizationKind)
    level = None
    if form.maybe("level") is not None:
        level = chosen(form, "level", identity.OrganizationLevel)
    region, code = form.text("region"), form.maybe("code")
    return _act(
        desk,
        known,
        lambda: desk.execute(
            command,
            identity.describe_organization,
            party=known,
            kind=kind,
            region=region,
            code=code,
            level=level,
        ),
    )


@post("/trust/parties/{party:str}/mandates", sync_to_thread=True, command="trust.mandate.give")
def give_mandate(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will let an account act for the party in one role, from one day until another."""
    known, command = trust.PartyId(party), form.id("command", trust.CommandId)
    mandate, role = form.id("mandate", identity.MandateId), chosen(form, "role", trust.Role)

    def act() -> None:
        desk.execute(
            command,
            identity.give_mandate,
            mandate=mandate,
            account=form.id("account", trust.AccountId),
            party=known,
            roles=(role,),
            from_at=_day(desk, form, "from"),
            until_at=_day(desk, form, "until"),
            document=form.text("document").strip().lower(),
        )

    return _act(desk, known, act)


@post("/trust/parties/{party:str}/mandates/end", sync_to_thread=True, command="trust.mandate.end")
def end_mandate(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will end a mandate before its time."""
    command, mandate = form.id("command", trust.CommandId), form.id("mandate", identity.MandateId)
    return _act(
        desk,
        trust.PartyId(party),
        lambda: desk.execute(command, identity.end_mandate, mandate=mandate),
    )


@post(
    "/trust/parties/{party:str}/certificates/revoke",
    sync_to_thread=True,
    command="trust.certificate.revoke",
)
def revoke_certificate(
    desk: FromDesk, form: FromForm, party: FromPath[str]
) -> Response[str] | Redirect:
    """This will stop a certificate from working."""
    command = form.id("command", trust.CommandId)
    one = form.id("certificate", identity.CertificateId)
    return _act(
        desk,
        trust.PartyId(party),
        lambda: desk.execute(command, identity.revoke_certificate, certificate=one),
    )


@post(
    "/trust/parties/{party:str}/accounts/unlock",
    sync_to_thread=True,
    command="trust.account.unlock",
)
def unlock_account(
    desk: FromDesk, form: FromForm, party: FromPath[str]
) -> Response[str] | Redirect:
    """This will let an account try to sign in again at once."""
    command, account = form.id("command", trust.CommandId), form.id("account", trust.AccountId)
    return _act(
        desk,
        trust.PartyId(party),
        lambda: desk.execute(command, identity.unlock_account, account=account),
    )


@get("/trust/holds", sync_to_thread=True)
def hold_list(desk: FromDesk) -> Response[Any]:
    """This will list the holds, with a form for a new one."""
    desk.require()
    return _holds(desk)


@post("/trust/holds", sync_to_thread=True, command="trust.hold.place")
def place_hold(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will hold a thing by its id."""
    desk.require()
    try:
        desk.execute(
            form.id("command", trust.CommandId),
            holds.place_hold,
            hold=form.id("hold", holds.HoldId),
            subject=form.text("subject").strip(),
            reason=chosen(form, "reason", holds.HoldReason),
            article=form.text("article"),
            evidence=form.maybe("evidence"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _holds(desk, refusal=refusal)
    return desk.go("/trust/holds", done="held")


@post("/trust/holds/lift", sync_to_thread=True, command="trust.hold.lift")
def lift_hold(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will end a hold."""
    desk.require()
    command, hold = form.id("command", trust.CommandId), form.id("hold", holds.HoldId)
    try:
        desk.execute(command, holds.lift_hold, hold=hold)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _holds(desk, refusal=refusal)
    return desk.go("/trust/holds", done="freed")


def _act(desk: Desk, party: trust.PartyId, act: Any) -> Response[str] | Redirect:
    desk.require()
    try:
        act()
    except (errors.Rejected, errors.Conflict, errors.NotFound) as refusal:
        return _show(desk, party, refusal=refusal)
    return desk.go(f"/trust/parties/{party}/identity", done="identity_changed")


def _show(
    desk: Desk, party: trust.PartyId, *, refusal: errors.LingquError | None = None
) -> Response[str]:
    with desk.reading() as tx:
        known = trust.get_party(tx, party)
        may = {
            name: trust.is_allowed(tx, action, kind, owner=party) and known.erased_at is None
            for name, action, kind in _ACTS
        }

        def sees(kind: trust.Kind) -> bool:
            return trust.is_allowed(tx, trust.Action.READ, kind, owner=party)

        organization = identity.find_organization(tx, party)
        mandates = identity.find_mandates(tx, party=party) if sees(trust.Kind.MANDATE) else ()
        is_seen = sees(trust.Kind.CERTIFICATE)
        certificates = identity.find_certificates(tx, party=party) if is_seen else ()
        accounts = trust.find_accounts(tx, party=party) if sees(trust.Kind.ACCOUNT) else ()
        today = tx.now.astimezone(ZoneInfo(desk.platform.settings.time_zone)).date()
    place = ""
    if organization is not None:
        try:
            unit = divisions.get(organization.region, on=today)
            above = divisions.ancestors(organization.region, on=today)
            place = "".join(one.name for one in (*above, unit))
        except divisions.DivisionEnded:
            place = organization.region
    return desk.show(
        "trust/identity.html",
        status=200 if refusal is None else status_of(refusal),
        party=known,
        may=may,
        organization=organization,
        place=place,
        mandates=mandates,
        certificates=certificates,
        accounts=accounts,
        today=today.isoformat(),
        kinds=tuple(identity.OrganizationKind),
        levels=tuple(identity.OrganizationLevel),
        given_roles=GIVEN_ROLES,
        new_mandate=new_id(identity.MandateId),
        refusal=desk.explain(refusal),
    )


def _holds(desk: Desk, *, refusal: errors.LingquError | None = None) -> Response[Any]:
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: holds.find_holds(tx, page=page))
        may_place = trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.HOLD)
        may_lift = trust.is_allowed(tx, trust.Action.END, trust.Kind.HOLD)
    columns, filters = _hold_columns(desk, may_lift=may_lift), _hold_filters(desk)
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, found, columns=columns, filters=filters, name=desk.text("ui.holds.title")
        )
    return desk.show(
        "trust/holds.html",
        status=200 if refusal is None else status_of(refusal),
        view=tables.list_table(desk, found, columns=columns, filters=filters, is_cut=is_cut),
        may_place=may_place,
        reasons=tuple(holds.HoldReason),
        new_hold=new_id(holds.HoldId),
        refusal=desk.explain(refusal),
    )


def _hold_columns(desk: Desk, *, may_lift: bool) -> tuple[Column[holds.Hold], ...]:
    def lift(one: holds.Hold) -> tuple[RowAct, ...]:
        if one.lifted_at is not None or not may_lift:
            return ()
        words, values = desk.text("ui.holds.lift"), {"hold": str(one.id)}
        return (RowAct(path="/trust/holds/lift", words=words, values=values, css="btn-bad"),)

    return (
        Column[holds.Hold](
            name="subject",
            label="ui.field.subject",
            value=lambda one: one.subject,
            show=Show.ID,
            href=lambda one: f"/trust/facts?subject={one.id}",
        ),
        Column[holds.Hold](
            name="reason",
            label="ui.field.reason",
            value=lambda one: f"trust.hold.reason.{one.reason.value}",
            show=Show.LABEL,
            tone=lambda _: "",
        ),
        Column[holds.Hold](name="article", label="ui.field.article", value=lambda one: one.article),
        Column[holds.Hold](
            name="since",
            label="ui.holds.since",
            value=lambda one: one.placed_at,
            show=Show.INSTANT,
        ),
        Column[holds.Hold](
            name="until",
            label="ui.holds.until",
            value=lambda one: one.lifted_at,
            show=Show.INSTANT,
            acts=lift,
        ),
    )


def _hold_filters(desk: Desk) -> tuple[Filter[holds.Hold], ...]:
    return (
        Filter[holds.Hold](
            name="standing",
            label=desk.text("ui.procedure.standing"),
            options=(
                Option(value="held", words=desk.text("ui.holds.in_force")),
                Option(value="lifted", words=desk.text("ui.holds.lifted")),
            ),
            of=lambda one: "held" if one.lifted_at is None else "lifted",
        ),
        Filter[holds.Hold](
            name="reason",
            label=desk.text("ui.field.reason"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"trust.hold.reason.{one.value}"))
                for one in holds.HoldReason
            ),
            of=lambda one: one.reason.value,
        ),
    )


def _day(desk: Desk, form: Form, name: str) -> Instant:
    """The begin of a day as the platform's people count days."""
    zone = ZoneInfo(desk.platform.settings.time_zone)
    try:
        return datetime.fromisoformat(form.text(name)[:10]).replace(tzinfo=zone).astimezone(zone)
    except (ValueError, OverflowError):
        raise FormIncomplete(field=name) from None
