# SPDX-License-Identifier: Apache-2.0
"""Parties: the list, and one party with its accounts, roles and keys."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.values import Hidden
from lingqu.runtime import Tx, new_id
from lingqu.ui import tables
from lingqu.ui.forms import chosen
from lingqu.ui.navigation import has_work
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show

PAGE_SIZE = 25
_GIVEN_TO_NOBODY = {trust.Role.PLATFORM, trust.Role.SIGNED_IN, trust.Role.VISITOR}
GIVEN_ROLES = tuple(role for role in trust.Role if role not in _GIVEN_TO_NOBODY and has_work(role))
"""Roles that have work here; the platform's own are given to nobody."""

_ACTS = (
    ("rename", trust.Action.CHANGE, trust.Kind.PARTY),
    ("erase", trust.Action.ERASE, trust.Kind.PARTY),
    ("open_account", trust.Action.CREATE, trust.Kind.ACCOUNT),
    ("close_account", trust.Action.END, trust.Kind.ACCOUNT),
    ("assign_role", trust.Action.ASSIGN, trust.Kind.ROLE),
    ("withdraw_role", trust.Action.END, trust.Kind.ROLE),
    ("issue_key", trust.Action.CREATE, trust.Kind.API_KEY),
    ("revoke_key", trust.Action.END, trust.Kind.API_KEY),
)


@get("/trust/parties", sync_to_thread=True)
def party_list(desk: FromDesk) -> Response[Any]:
    """This will list the parties the visitor may see, with a form for a new one."""
    desk.require()
    return _list(desk)


@post("/trust/parties", sync_to_thread=True, command="trust.party.register")
def register(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will register a party; the form holds the ids, so sending it twice is safe."""
    desk.require()
    party = form.id("party", trust.PartyId)
    try:
        desk.execute(
            form.id("command", trust.CommandId),
            trust.register_party,
            party=party,
            kind=chosen(form, "kind", trust.PartyKind),
            name=form.text("name"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _list(desk, refusal=refusal, name=form.text("name"))
    return desk.go(f"/trust/parties/{party}", done="registered")


@get("/trust/parties/{party:str}", sync_to_thread=True)
def party_page(desk: FromDesk, party: FromPath[str]) -> Response[str]:
    """This will show one party with everything the visitor may see of it."""
    desk.require()
    return _show(desk, trust.PartyId(party))


@post("/trust/parties/{party:str}/rename", sync_to_thread=True, command="trust.party.rename")
def rename(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will give the party another name."""
    known, command = trust.PartyId(party), form.id("command", trust.CommandId)
    name = form.text("name")
    return _act(
        desk,
        known,
        "renamed",
        lambda: desk.execute(command, trust.rename_party, party=known, name=name),
    )


@get("/trust/parties/{party:str}/erase", sync_to_thread=True)
def confirm_erasure(desk: FromDesk, party: FromPath[str]) -> Response[str]:
    """This will say what erasing means, and ask again."""
    desk.require()
    with desk.reading() as tx:
        known = trust.get_party(tx, trust.PartyId(party))
        if not trust.is_allowed(tx, trust.Action.ERASE, trust.Kind.PARTY, owner=known.id):
            raise trust.AccessDenied(action="erase", kind="party")
    return desk.show("trust/erase.html", party=known)


@post("/trust/parties/{party:str}/erase", sync_to_thread=True, command="trust.party.erase")
def erase(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will erase what is known of the party; the log keeps its digests."""
    known, command = trust.PartyId(party), form.id("command", trust.CommandId)
    return _act(
        desk, known, "erased", lambda: desk.execute(command, trust.erase_party, party=known)
    )


@post("/trust/parties/{party:str}/accounts", sync_to_thread=True, command="trust.account.open")
def open_account(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will open an account: a person's with name and password, or a machine's."""
    known, command = trust.PartyId(party), form.id("command", trust.CommandId)
    account = form.id("account", trust.AccountId)
    kind = chosen(form, "kind", trust.AccountKind)

    def act() -> None:
        is_person = kind is trust.AccountKind.PERSON
        password = trust.hash_password(form.text("password")) if is_person else None
        desk.execute(
            command,
            trust.open_account,
            account=account,
            party=known,
            kind=kind,
            login=form.text("login") if is_person else None,
            password=password,
        )

    return _act(desk, known, "account_opened", act)


@post(
    "/trust/parties/{party:str}/accounts/close", sync_to_thread=True, command="trust.account.close"
)
def close_account(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will close an account for good."""
    command, account = form.id("command", trust.CommandId), form.id("account", trust.AccountId)
    return _act(
        desk,
        trust.PartyId(party),
        "account_closed",
        lambda: desk.execute(command, trust.close_account, account=account),
    )


@post("/trust/parties/{party:str}/roles", sync_to_thread=True, command="trust.role.assign")
def assign_role(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will give an account of the party a role for the party."""
    known, command = trust.PartyId(party), form.id("command", trust.CommandId)
    assignment = form.id("assignment", trust.AssignmentId)
    account, role = form.id("account", trust.AccountId), chosen(form, "role", trust.Role)
    return _act(
        desk,
        known,
        "role_assigned",
        lambda: desk.execute(
            command,
            trust.assign_role,
            assignment=assignment,
            account=account,
            role=role,
            party=known,
        ),
    )


@post(
    "/trust/parties/{party:str}/roles/withdraw", sync_to_thread=True, command="trust.role.withdraw"
)
def withdraw_role(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will end a role."""
    command = form.id("command", trust.CommandId)
    assignment = form.id("assignment", trust.AssignmentId)
    return _act(
        desk,
        trust.PartyId(party),
        "role_withdrawn",
        lambda: desk.execute(command, trust.withdraw_role, assignment=assignment),
    )


@post("/trust/parties/{party:str}/keys", sync_to_thread=True, command="trust.api_key.issue")
def issue_key(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str]:
    """This will issue a key and show its secret, here and never again."""
    known, command = trust.PartyId(party), form.id("command", trust.CommandId)
    secret = trust.new_secret()
    try:
        made = desk.execute(
            command,
            trust.issue_api_key,
            api_key=form.id("api_key", trust.ApiKeyId),
            account=form.id("account", trust.AccountId),
            label=form.text("label"),
            secret=Hidden(secret),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, known, refusal=refusal)
    return desk.show("trust/key_issued.html", party=known, key=made, secret=_if_known(desk, secret))


@post("/trust/parties/{party:str}/keys/revoke", sync_to_thread=True, command="trust.api_key.revoke")
def revoke_key(desk: FromDesk, form: FromForm, party: FromPath[str]) -> Response[str] | Redirect:
    """This will stop a key from working."""
    command, key = form.id("command", trust.CommandId), form.id("api_key", trust.ApiKeyId)
    return _act(
        desk,
        trust.PartyId(party),
        "key_revoked",
        lambda: desk.execute(command, trust.revoke_api_key, api_key=key),
    )


def _act(desk: Desk, party: trust.PartyId, done: str, act: Any) -> Response[str] | Redirect:
    desk.require()
    try:
        act()
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, party, refusal=refusal)
    return desk.go(f"/trust/parties/{party}", done=done)


def _list(
    desk: Desk, *, refusal: errors.LingquError | None = None, name: str = ""
) -> Response[Any]:
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: trust.find_parties(tx, page=page))
        may_register = trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.PARTY)
    columns, filters = _columns(desk), _filters(desk)
    if tables.wants_file(desk):
        return tables.listed_sheet(
            desk, found, columns=columns, filters=filters, name=desk.text("ui.parties.title")
        )
    return desk.show(
        "trust/parties.html",
        status=200 if refusal is None else status_of(refusal),
        view=tables.list_table(desk, found, columns=columns, filters=filters, is_cut=is_cut),
        may_register=may_register,
        new_party=new_id(trust.PartyId),
        kinds=(trust.PartyKind.ORGANIZATION, trust.PartyKind.PERSON, trust.PartyKind.SYSTEM),
        refusal=desk.explain(refusal),
        name=name[:200],
    )


def _columns(desk: Desk) -> tuple[Column[trust.Party], ...]:
    return (
        Column[trust.Party](
            name="name",
            label="ui.parties.name",
            value=lambda one: one.name or desk.text("ui.parties.erased"),
            href=lambda one: f"/trust/parties/{one.id}",
        ),
        Column[trust.Party](
            name="kind",
            label="ui.parties.kind",
            value=lambda one: f"ui.party_kind.{one.kind.value}",
            show=Show.LABEL,
            tone=lambda _: "",
        ),
        Column[trust.Party](
            name="since",
            label="ui.parties.since",
            value=lambda one: one.created_at,
            show=Show.INSTANT,
        ),
        Column[trust.Party](
            name="id", label="ui.parties.id", value=lambda one: one.id, show=Show.ID
        ),
    )


def _filters(desk: Desk) -> tuple[Filter[trust.Party], ...]:
    return (
        Filter[trust.Party](
            name="kind",
            label=desk.text("ui.parties.kind"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.party_kind.{one.value}"))
                for one in trust.PartyKind
            ),
            of=lambda one: one.kind.value,
        ),
    )


def _show(
    desk: Desk, party: trust.PartyId, *, refusal: errors.LingquError | None = None
) -> Response[str]:
    with desk.reading() as tx:
        known = trust.get_party(tx, party)
        may = {
            name: trust.is_allowed(tx, action, kind, owner=party) and known.erased_at is None
            for name, action, kind in _ACTS
        }
        parts = _parts(tx, party)
    return desk.show(
        "trust/party.html",
        status=200 if refusal is None else status_of(refusal),
        party=known,
        may=may,
        refusal=desk.explain(refusal),
        given_roles=GIVEN_ROLES,
        account_kinds=tuple(trust.AccountKind),
        new_account=new_id(trust.AccountId),
        new_assignment=new_id(trust.AssignmentId),
        new_key=new_id(trust.ApiKeyId),
        **parts,
    )


def _parts(tx: Tx, party: trust.PartyId) -> dict[str, Any]:
    def sees(kind: trust.Kind) -> bool:
        return trust.is_allowed(tx, trust.Action.READ, kind, owner=party)

    accounts = trust.find_accounts(tx, party=party) if sees(trust.Kind.ACCOUNT) else ()
    return {
        "accounts": accounts,
        "logins": {account.id: account.login or account.id for account in accounts},
        "active": tuple(one for one in accounts if one.state is trust.AccountState.ACTIVE),
        "roles": trust.find_roles(tx, party=party) if sees(trust.Kind.ROLE) else (),
        "keys": trust.find_api_keys(tx, party=party) if sees(trust.Kind.API_KEY) else None,
    }


def _if_known(desk: Desk, secret: str) -> str | None:
    """A form sent twice made one key, so the second secret opens nothing and is not shown."""
    try:
        trust.identify_api_key(desk.platform.database, secret)
    except errors.Forbidden:
        return None
    return secret
