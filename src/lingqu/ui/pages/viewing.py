# SPDX-License-Identifier: Apache-2.0
"""Saving what a list is asked for under a name, and forgetting it again."""

from __future__ import annotations

from litestar import post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from lingqu.ui.forms import local_path
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.rendering import Desk, SavedView
from lingqu.ui.views import COOKIE, make_view, pack_views

_YEAR_S = 365 * 24 * 3600


@post("/views/save", sync_to_thread=False)
def save_view(desk: FromDesk, form: FromForm) -> Redirect:
    """This will keep what a list is asked for under a name; the same name is replaced."""
    made = make_view(
        local_path(form.maybe("path")), form.text("name"), form.fields.get("query", "")
    )
    if made is None:
        return desk.go(local_path(form.maybe("path")))
    others = [one for one in desk.views if (one.path, one.name) != (made.path, made.name)]
    return _answer(desk, (made, *others), f"{made.path}?{made.query}")


@post("/views/drop", sync_to_thread=False)
def drop_view(desk: FromDesk, form: FromForm) -> Redirect:
    """This will forget a view."""
    path, name = local_path(form.maybe("path")), form.text("name")
    left = tuple(one for one in desk.views if (one.path, one.name) != (path, name))
    return _answer(desk, left, path)


def _answer(desk: Desk, views: tuple[SavedView, ...], onward: str) -> Redirect:
    answer = desk.go(onward)
    answer.set_cookie(
        Cookie(
            COOKIE,
            value=pack_views(views),
            max_age=_YEAR_S,
            path="/",
            secure=desk.visit.secure,
            httponly=True,
            samesite="lax",
        )
    )
    return answer
