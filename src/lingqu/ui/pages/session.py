# SPDX-License-Identifier: Apache-2.0
"""Signing in and out: by name and password, or a provider, and a one-time code where one is due."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.values import Hidden
from lingqu.runtime import REAL_TIME, new_id
from lingqu.runtime.openid import Provider
from lingqu.trust import identity
from lingqu.ui.forms import local_path
from lingqu.ui.provided import FromDesk, FromForm, FromSignIns
from lingqu.ui.refusals import PageNotFound, TooManySignIns, status_of
from lingqu.ui.rendering import Desk

_SHOWN_MAX = 100
_ANSWER_BYTES_MAX = 4096
RETURN_PATH = "/login/openid/return"


@get("/login", sync_to_thread=True)
def login_page(desk: FromDesk, next: FromQuery[str | None] = None) -> Response[str] | Redirect:  # noqa: A002  # the query's name
    """This will ask for name and password; whoever has signed in goes on at once."""
    if desk.visit.identity is not None:
        return desk.go(local_path(next))
    return _page(desk, login="", onward=local_path(next))


@post("/login", sync_to_thread=True)
def login(desk: FromDesk, form: FromForm, sign_ins: FromSignIns) -> Response[str] | Redirect:
    """This will open a session or ask for a code; a refusal never says what was wrong."""
    name, onward = form.text("login"), local_path(form.maybe("next"))
    try:
        _check_rate(desk, name, sign_ins)
        token, _ = trust.sign_in(
            desk.platform.database,
            login=name,
            password=form.text("password"),
            hours=desk.platform.settings.session_hours,
            language=desk.visit.language,
            policy=desk.platform.lock_policy,
        )
    except identity.CodeAwaited as awaited:
        return _code_page(desk, step=str(awaited.step), onward=onward)
    except (errors.Forbidden, errors.Conflict, TooManySignIns) as refusal:
        return _page(desk, login=name[:_SHOWN_MAX], onward=onward, refusal=refusal)
    return _signed_in(desk, token, onward)


@post("/login/code", sync_to_thread=True)
def login_code(desk: FromDesk, form: FromForm, sign_ins: FromSignIns) -> Response[str] | Redirect:
    """This will check a one-time or recovery code and open the session."""
    step, onward = form.text("step"), local_path(form.maybe("next"))
    try:
        _check_rate(desk, step, sign_ins)
        token, _ = identity.finish_sign_in(
            desk.platform.database,
            desk.platform.keyring,
            step=step,
            code=form.text("code"),
            hours=desk.platform.settings.session_hours,
            language=desk.visit.language,
            policy=desk.platform.lock_policy,
        )
    except (errors.Forbidden, errors.Conflict, TooManySignIns) as refusal:
        return _code_page(desk, step=step[:_SHOWN_MAX], onward=onward, refusal=refusal)
    return _signed_in(desk, token, onward)


@post("/login/openid", sync_to_thread=True)
def begin_openid(desk: FromDesk, form: FromForm, sign_ins: FromSignIns) -> Response[str]:
    """This will send the browser to the identity provider; signed in already, to link the login."""
    provider, onward = _provider(desk), local_path(form.maybe("next"))
    me = desk.visit.identity
    try:
        _check_rate(desk, "openid", sign_ins)
        begun = provider.begin(redirect_uri=_return_address(desk))
    except (errors.Forbidden, errors.Unavailable) as refusal:
        return _page(desk, login="", onward=onward, refusal=refusal)
    attempt = identity.Attempt(
        issuer=provider.issuer,
        nonce=begun.nonce,
        verifier=begun.verifier,
        onward=onward,
        account=None if me is None else me.account,
    )
    identity.keep_attempt(
        desk.platform.database, attempt, state=begun.state, browser=desk.visit.form_token
    )
    # A form that is redirected to another site is stopped by the content security policy; a page
    # that goes there by itself, or by its link, is not.
    page = desk.show("login_leaving.html", url=begun.url)
    page.headers["refresh"] = f"0; url={begun.url}"
    return page


@get(RETURN_PATH, sync_to_thread=True)
def return_openid(desk: FromDesk, request: Request[Any, Any, Any]) -> Response[str] | Redirect:
    """This will take the provider's answer: open a session, or link the login to the account."""
    provider = _provider(desk)
    answer = {name: value[:_ANSWER_BYTES_MAX] for name, value in request.query_params.items()}
    try:
        attempt = identity.take_attempt(
            desk.platform.database, state=answer.get("state", ""), browser=desk.visit.form_token
        )
        proven = provider.finish(
            answer,
            nonce=attempt.nonce,
            verifier=attempt.verifier,
            redirect_uri=_return_address(desk),
            now=REAL_TIME.now(),
        )
        if attempt.account is not None:
            return _link(desk, attempt, proven.issuer, proven.subject)
        token, _ = identity.sign_in_by_link(
            desk.platform.database,
            issuer=proven.issuer,
            subject=proven.subject,
            hours=desk.platform.settings.session_hours,
            language=desk.visit.language,
        )
    except identity.CodeAwaited as awaited:
        return _code_page(desk, step=str(awaited.step), onward=attempt.onward)
    except (errors.Forbidden, errors.Conflict, errors.Unavailable) as refusal:
        return _page(desk, login="", onward="/", refusal=refusal)
    return _signed_in(desk, token, attempt.onward)


@post("/logout", sync_to_thread=True)
def logout(desk: FromDesk) -> Redirect:
    """This will close the session, and forget its cookie in any case."""
    if desk.visit.identity is not None and desk.visit.session is not None:
        desk.execute(
            new_id(trust.CommandId),
            trust.close_session,
            token_hash=trust.secret_hash(desk.visit.session),
        )
    answer = desk.go("/", done="signed_out")
    answer.set_cookie(_cookie(desk, "", 0))
    return answer


def _link(desk: Desk, attempt: identity.Attempt, issuer: str, subject: str) -> Redirect:
    """Only the account that began may be linked, and it must still be signed in."""
    me = desk.require()
    if attempt.account != me.account:
        raise trust.AccessDenied(action="change", kind="account")
    desk.execute(
        new_id(trust.CommandId),
        identity.link_login,
        link=new_id(identity.LoginLinkId),
        account=me.account,
        issuer=issuer,
        subject=Hidden(subject),
    )
    return desk.go("/account", done="login_linked")


def _provider(desk: Desk) -> Provider:
    if desk.platform.openid is None:
        raise PageNotFound
    return desk.platform.openid


def _return_address(desk: Desk) -> str:
    base = desk.platform.settings.base_url or desk.address
    return f"{base.rstrip('/')}{RETURN_PATH}"


def _signed_in(desk: Desk, token: str, onward: str) -> Redirect:
    answer = desk.go(onward)
    answer.set_cookie(_cookie(desk, token, desk.platform.settings.session_hours * 3600))
    return answer


def _code_page(
    desk: Desk, *, step: str, onward: str, refusal: errors.LingquError | None = None
) -> Response[str]:
    status = 200 if refusal is None else status_of(refusal)
    return desk.show(
        "login_code.html", status=status, step=step, onward=onward, refusal=desk.explain(refusal)
    )


def _page(
    desk: Desk, *, login: str, onward: str, refusal: errors.LingquError | None = None
) -> Response[str]:
    status = 200 if refusal is None else status_of(refusal)
    answer = desk.show(
        "login.html",
        status=status,
        login=login,
        onward=onward,
        refusal=desk.explain(refusal),
        has_openid=desk.platform.openid is not None,
    )
    if isinstance(refusal, TooManySignIns):
        answer.headers["retry-after"] = str(refusal.parameters["seconds"])
    return answer


def _check_rate(desk: Desk, name: str, sign_ins: FromSignIns) -> None:
    keys = (f"source {desk.visit.source}", f"login {name.strip().casefold()[:_SHOWN_MAX]}")
    wait = max(sign_ins.take(key) for key in keys)
    if wait:
        raise TooManySignIns(seconds=wait)


def _cookie(desk: Desk, token: str, seconds: int) -> Cookie:
    return Cookie(
        desk.visit.session_cookie,
        value=token,
        max_age=seconds,
        path="/",
        secure=desk.visit.secure,
        httponly=True,
        samesite="lax",
    )
