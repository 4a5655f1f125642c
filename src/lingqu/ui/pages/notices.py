# SPDX-License-Identifier: Apache-2.0
"""消息: what moved in the visitor's matters since they last looked, kept by their own browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from lingqu.kernel.charts import Chart
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Instant
from lingqu.runtime import Caller, Tx
from lingqu.trust import jobs, procedures
from lingqu.trust.jobs import Work
from lingqu.trust.procedures import Procedure
from lingqu.ui import tables
from lingqu.ui.pages.works import PATH as WORKS_PATH
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.views import SEEN_COOKIE
from lingqu.wiring import App

PATH = "/account/notices"
COUNTED_MOST = 99
_WORKS_SHOWN = 50
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened: to which matter, where it stands now, and when."""

    title: str
    state: str
    href: str
    kind: str
    at: Instant


@get(PATH, sync_to_thread=True)
def notice_list(desk: FromDesk) -> Response[Any]:
    """This will list what moved in the visitor's matters, newest first."""
    desk.require()
    with desk.reading() as tx:
        moved, is_cut = tables.gather(lambda page: procedures.find_procedures(tx, page=page))
        charts = {one.code: one for one in procedures.find_charts(tx)}
        works = jobs.find_works(tx, page=PageRequest(size=_WORKS_SHOWN)).items
    rows = _notices(desk, moved, charts, works)
    columns, filters = _columns(desk), _filters(desk)
    if tables.wants_file(desk):
        name = desk.text("ui.notices.title")
        return tables.listed_sheet(desk, rows, columns=columns, filters=filters, name=name)
    return desk.show(
        "notices.html",
        view=tables.list_table(desk, rows, columns=columns, filters=filters, is_cut=is_cut),
        unread=sum(_is_new(desk, one) for one in rows),
    )


@post(f"{PATH}/read", sync_to_thread=True)
def read_all(desk: FromDesk, form: FromForm) -> Redirect:
    """This will take note that everything until now was seen."""
    del form
    desk.require()
    with desk.reading() as tx:
        now = tx.now
    answer = desk.go(PATH)
    answer.set_cookie(
        Cookie(
            SEEN_COOKIE,
            value=str(int(now.timestamp())),
            max_age=_YEAR_S,
            path="/",
            secure=desk.visit.secure,
            httponly=True,
            samesite="lax",
        )
    )
    return answer


def count_notices(app: App, caller: Caller, seen: Instant | None) -> int:
    """This will count what moved since somebody looked, as far as a badge shows it."""
    if seen is None:
        return 0
    with app.database.reading(caller) as tx:
        return len(_moved_after(tx, seen))


def _moved_after(tx: Tx, seen: Instant) -> tuple[Procedure, ...]:
    request = PageRequest(size=COUNTED_MOST)
    return procedures.find_procedures(tx, page=request, moved_after=seen).items


def _notices(
    desk: Desk, moved: Sequence[Procedure], charts: Mapping[str, Chart], works: Sequence[Work]
) -> tuple[Notice, ...]:
    found = [
        Notice(
            title=one.title,
            state=_state(desk, charts, one),
            href=f"/trust/procedures/{one.id}",
            kind="procedure",
            at=one.moved_at,
        )
        for one in moved
    ]
    found += [
        Notice(
            title=one.title,
            state=desk.text(f"ui.work.state.{one.state.value}"),
            href=f"{WORKS_PATH}/{one.id}",
            kind="work",
            at=one.changed_at,
        )
        for one in works
    ]
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))


def _state(desk: Desk, charts: Mapping[str, Chart], one: Procedure) -> str:
    known = charts[one.code].states
    return next((desk.label(each.label) for each in known if each.name == one.state), one.state)


def _is_new(desk: Desk, one: Notice) -> bool:
    return desk.seen is None or one.at > desk.seen


def _columns(desk: Desk) -> tuple[Column[Notice], ...]:
    return (
        Column[Notice](
            name="title",
            label="ui.notices.matter",
            value=lambda one: one.title,
            href=lambda one: one.href,
            sub=lambda one: desk.text(f"ui.notices.kind.{one.kind}"),
        ),
        Column[Notice](name="state", label="ui.notices.now", value=lambda one: one.state),
        Column[Notice](
            name="new",
            label="ui.notices.new",
            value=lambda one: "ui.notices.unread" if _is_new(desk, one) else "ui.notices.read",
            show=Show.LABEL,
            tone=lambda one: "wait" if _is_new(desk, one) else "",
        ),
        Column[Notice](
            name="at", label="ui.facts.when", value=lambda one: one.at, show=Show.INSTANT
        ),
    )


def _filters(desk: Desk) -> tuple[Filter[Notice], ...]:
    return (
        Filter[Notice](
            name="new",
            label=desk.text("ui.notices.new"),
            options=(
                Option(value="unread", words=desk.text("ui.notices.unread")),
                Option(value="read", words=desk.text("ui.notices.read")),
            ),
            of=lambda one: "unread" if _is_new(desk, one) else "read",
        ),
    )
