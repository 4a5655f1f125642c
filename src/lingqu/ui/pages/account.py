# SPDX-License-Identifier: Apache-2.0
"""What belongs to whoever has signed in: password, sessions, language."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
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
    identity = desk.require()
    command = form.id("command", trust.CommandId)
    try:
        new = form.text("password")
        if new != form.text("again"):
            raise PasswordsDiffer
        _check_present(desk, identity, form.text("present"))
        password = trust.hash_password(new)
        desk.execute(command, trust.change_password, account=identity.account, password=password)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _page(desk, refusal=refusal)
    return desk.go("/login")


def _check_present(desk: Desk, identity: trust.Identity, present: str) -> None:
    """Whoever sits down at an open session must not be able to take the account over."""
    if identity.login is None:
        raise FormIncomplete(field="login", reason="")
    try:
        token, _ = trust.sign_in(
            desk.platform.database,
            login=identity.login,
            password=present,
            hours=1,
            language=desk.visit.language,
        )
    except trust.SignInRefused:
        raise PasswordWrong from None
    close(desk, trust.secret_hash(token))


@post("/account/sessions/close", sync_to_thread=True)
def close_session(desk: FromDesk, form: FromForm) -> Redirect:
    """This will close one of the visitor's own sessions."""
    desk.require()
    try:
        token_hash = bytes.fromhex(form.text("session"))
    except ValueError:
        raise FormIncomplete(field="session", reason="") from None
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
    identity = desk.require()
    with desk.reading() as tx:
        sessions = trust.find_sessions(tx, account=identity.account)
        parties = trust.find_parties(tx, page=PageRequest(size=_PARTIES_SHOWN))
    own = trust.secret_hash(desk.visit.session) if desk.visit.session else b""
    return desk.show(
        "account.html",
        status=200 if refusal is None else status_of(refusal),
        identity=identity,
        sessions=sessions,
        own=own,
        names={party.id: party.name or party.id for party in parties.items},
        refusal=desk.explain(refusal),
    )
