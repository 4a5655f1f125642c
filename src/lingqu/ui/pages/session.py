# SPDX-License-Identifier: Apache-2.0
"""Signing in and out."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.runtime import new_id
from lingqu.ui.forms import local_path
from lingqu.ui.provided import FromDesk, FromForm, FromSignIns
from lingqu.ui.refusals import TooManySignIns, status_of
from lingqu.ui.rendering import Desk

_SHOWN_MAX = 100


@get("/login", sync_to_thread=True)
def login_page(desk: FromDesk, next: FromQuery[str | None] = None) -> Response[str] | Redirect:  # noqa: A002  # the query's name
    """This will ask for name and password; whoever has signed in goes on at once."""
    if desk.visit.identity is not None:
        return desk.go(local_path(next))
    return _page(desk, login="", onward=local_path(next))


@post("/login", sync_to_thread=True)
def login(desk: FromDesk, form: FromForm, sign_ins: FromSignIns) -> Response[str] | Redirect:
    """This will open a session; a refusal never says which of the two was wrong."""
    name, onward = form.text("login"), local_path(form.maybe("next"))
    try:
        _check_rate(desk, name, sign_ins)
        token, _ = trust.sign_in(
            desk.platform.database,
            login=name,
            password=form.text("password"),
            hours=desk.platform.settings.session_hours,
            language=desk.visit.language,
        )
    except (trust.SignInRefused, TooManySignIns) as refusal:
        return _page(desk, login=name[:_SHOWN_MAX], onward=onward, refusal=refusal)
    answer = desk.go(onward)
    answer.set_cookie(_cookie(desk, token, desk.platform.settings.session_hours * 3600))
    return answer


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


def _page(
    desk: Desk, *, login: str, onward: str, refusal: errors.LingquError | None = None
) -> Response[str]:
    status = 200 if refusal is None else status_of(refusal)
    answer = desk.show(
        "login.html", status=status, login=login, onward=onward, refusal=desk.explain(refusal)
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
