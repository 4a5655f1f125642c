# SPDX-License-Identifier: Apache-2.0
"""What belongs to whoever has signed in: password, second factor, logins, sessions, the party."""

from __future__ import annotations

import base64

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import REAL_TIME, documents, new_id
from lingqu.trust import identity
from lingqu.ui.forms import local_path
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk

_PARTIES_SHOWN = 100


class PasswordsDiffer(errors.Rejected):
    """The new password was not typed the same way twice."""

    code = "ui.account.passwords_differ"


class PasswordWrong(errors.Rejected):
    """The present password was typed wrongly."""

    code = "ui.account.password_wrong"


@get("/account", sync_to_thread=True)
def account_page(desk: FromDesk) -> Response[str]:
    """This will show the visitor's own account."""
    return _page(desk)


@post("/account/password", sync_to_thread=True, command="trust.account.change_password")
def change_password(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will change the visitor's own password; all sessions end, this one too."""
    who = desk.require()
    command = form.id("command", trust.CommandId)
    try:
        new = form.text("password")
        if new != form.text("again"):
            raise PasswordsDiffer
        _check_present(desk, who, form.text("present"))
        password = trust.hash_password(new)
        desk.execute(command, trust.change_password, account=who.account, password=password)
    except (errors.Rejected, errors.Conflict, errors.Forbidden) as refusal:
        return _page(desk, refusal=refusal)
    return desk.go("/login")


def _check_present(desk: Desk, who: trust.Identity, present: str) -> None:
    """Whoever sits down at an open session must not be able to take the account over."""
    if who.login is None:
        raise FormIncomplete(field="login")
    try:
        identity.prove_password(
            desk.platform.database,
            login=who.login,
            password=present,
            policy=desk.platform.lock_policy,
        )
    except trust.SignInRefused:
        raise PasswordWrong from None


@post("/account/acting", sync_to_thread=True)
def act_for(desk: FromDesk, form: FromForm) -> Redirect:
    """This will let this browser act for one of the visitor's parties, or again for all."""
    desk.require()
    chosen = form.maybe("party")
    party = None if chosen is None else trust.PartyId(chosen)
    assert desk.visit.session is not None, "who is signed in on a page has a session"
    identity.act_for(desk.platform.database, desk.visit.caller, desk.visit.session, party)
    return desk.go(local_path(form.maybe("back") or "/account"), done="acting")


@post("/account/second-factor", sync_to_thread=True)
def propose_second_factor(desk: FromDesk) -> Response[str]:
    """This will show a new secret for one-time codes; nothing is kept until a code proves it."""
    who = desk.require()
    made = identity.propose_secret(who.login or who.account)
    return desk.show(
        "second_factor.html",
        secret=made.secret,
        uri=made.uri,
        picture=_picture(made.uri),
        refusal=None,
        codes=(),
    )


@post(
    "/account/second-factor/enable",
    sync_to_thread=True,
    command="trust.second_factor.enable",
)
def enable_second_factor(desk: FromDesk, form: FromForm) -> Response[str]:
    """This will switch the second factor on by its first code, and show the recovery codes once."""
    who, command = desk.require(), form.id("command", trust.CommandId)
    secret = form.text("secret")
    try:
        _check_present(desk, who, form.text("present"))
        ready = identity.prepare_second_factor(
            desk.platform.keyring,
            who.account,
            secret=secret,
            code=form.text("code"),
            now=REAL_TIME.now(),
        )
        desk.execute(
            command,
            identity.enable_second_factor,
            account=who.account,
            sealed=ready.sealed,
            recovery=ready.recovery,
            step=ready.step,
        )
    except (errors.Forbidden, PasswordWrong) as refusal:
        uri = identity.propose_secret(who.login or who.account, secret).uri
        shown = {"secret": secret, "uri": uri, "picture": _picture(uri), "codes": ()}
        explained = desk.explain(refusal)
        return desk.show(
            "second_factor.html", status=status_of(refusal), refusal=explained, **shown
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _page(desk, refusal=refusal)
    return desk.show("second_factor.html", codes=ready.codes, refusal=None)


def _picture(uri: str) -> str:
    """Give the QR code as a data address: the secret in it must never be a request of its own."""
    return "data:image/png;base64," + base64.b64encode(documents.draw_png(uri, scale=5)).decode()


@post(
    "/account/second-factor/disable",
    sync_to_thread=True,
    command="trust.second_factor.disable",
)
def disable_second_factor(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will switch the second factor off; the present password is asked for."""
    who, command = desk.require(), form.id("command", trust.CommandId)
    try:
        _check_present(desk, who, form.text("present"))
        desk.execute(command, identity.disable_second_factor, account=who.account)
    except (errors.Rejected, errors.Conflict, errors.Forbidden, errors.NotFound) as refusal:
        return _page(desk, refusal=refusal)
    return desk.go("/account", done="second_factor_disabled")


@post("/account/logins/unlink", sync_to_thread=True, command="trust.login_link.end")
def unlink_login(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will stop a login at the provider from opening the visitor's account."""
    desk.require()
    command, link = form.id("command", trust.CommandId), form.id("link", identity.LoginLinkId)
    try:
        desk.execute(command, identity.unlink_login, link=link)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _page(desk, refusal=refusal)
    return desk.go("/account", done="login_unlinked")


@post("/account/sessions/close", sync_to_thread=True)
def close_session(desk: FromDesk, form: FromForm) -> Redirect:
    """This will close one of the visitor's own sessions."""
    desk.require()
    try:
        token_hash = bytes.fromhex(form.text("session"))
    except ValueError:
        raise FormIncomplete(field="session") from None
    close(desk, token_hash)
    own = desk.visit.session is not None and token_hash == trust.secret_hash(desk.visit.session)
    if not own:
        return desk.go("/account", done="session_closed")
    answer = desk.go("/", done="signed_out")
    answer.set_cookie(Cookie(desk.visit.session_cookie, value="", max_age=0, path="/"))
    return answer


def close(desk: Desk, token_hash: bytes) -> None:
    """This will close a session of the visitor by the hash of its secret."""
    desk.execute(new_id(trust.CommandId), trust.close_session, token_hash=token_hash)


def _page(desk: Desk, *, refusal: errors.LingquError | None = None) -> Response[str]:
    who = desk.require()
    with desk.reading() as tx:
        sessions = trust.find_sessions(tx, account=who.account)
        parties = trust.find_parties(tx, page=PageRequest(size=_PARTIES_SHOWN))
        links = identity.find_login_links(tx, account=who.account)
    own = trust.secret_hash(desk.visit.session) if desk.visit.session else b""
    return desk.show(
        "account.html",
        status=200 if refusal is None else status_of(refusal),
        identity=who,
        sessions=sessions,
        own=own,
        names={party.id: party.name or party.id for party in parties.items},
        links=tuple(link for link in links if link.ended_at is None),
        has_openid=desk.platform.openid is not None,
        refusal=desk.explain(refusal),
    )
