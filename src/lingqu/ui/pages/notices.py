# SPDX-License-Identifier: Apache-2.0
"""消息: what moved in the visitor's matters since they last looked, kept by their own browser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from lingqu.kernel.charts import Chart
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Instant
from lingqu.rights import telling
from lingqu.runtime import Caller, Tx
from lingqu.runtime.calendar import local_day
from lingqu.runtime.looking import Look
from lingqu.trust import jobs, notices, procedures
from lingqu.trust.jobs import Work
from lingqu.trust.procedures import Procedure
from lingqu.ui import tables
from lingqu.ui.pages.procedures import subject_href
from lingqu.ui.pages.works import PATH as WORKS_PATH
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.tables import Column, Filter, Option, Show
from lingqu.ui.views import SEEN_COOKIE
from lingqu.wiring import App

PATH = "/account/notices"
COUNTED_MOST = 99
_WORKS_SHOWN = 50
_MOVED_SHOWN = 500
_TOLD_SHOWN = 500
_SOON = timedelta(days=30)
"""How long before its end a holder is told of a right."""
_YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that happened: to which matter, where it stands now, and when."""

    title: str
    state: str
    href: str
    about: str = ""
    """What it is about where that is no procedure: the id, shortened."""
    kind: str
    at: Instant


@get(PATH, sync_to_thread=True)
def notice_list(desk: FromDesk) -> Response[Any]:
    """This will list what moved in the visitor's matters, newest first."""
    desk.require()
    with desk.reading() as tx:
        latest = Look(size=_MOVED_SHOWN, order="moved", descending=True)
        moved = procedures.look_through_procedures(tx, look=latest)
        charts = {one.code: one for one in procedures.find_charts(tx)}
        works = jobs.find_works(tx, page=PageRequest(size=_WORKS_SHOWN)).items
        told = notices.find_notices(tx, most=_TOLD_SHOWN)
        ending = _ending(tx)
    is_cut = moved.total > len(moved.items)
    rows = _sorted(
        [
            *_notices(desk, moved.items, charts, works),
            *(_told(desk, one) for one in told),
            *(_ends(desk, one) for one in ending),
        ]
    )
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
        told = len(notices.find_notices(tx, most=COUNTED_MOST, after=seen))
        ending = sum(one.since > seen for one in _ending(tx))
        return min(COUNTED_MOST, len(_moved_after(tx, seen)) + told + ending)


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
    return tuple(found)


def _sorted(found: Iterable[Notice]) -> tuple[Notice, ...]:
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))


def _told(desk: Desk, one: notices.Notice) -> Notice:
    """What a fact means to a party the visitor acts for, and where the thing is to be seen."""
    return Notice(
        title=desk.text(f"ui.notices.told.{one.kind}"),
        state="–",
        about=shorten(one.subject),
        href=subject_href(one.subject) or f"/trust/facts/{one.fact}",
        kind=one.kind.partition("_")[0],
        at=one.at,
    )


def _ending(tx: Tx) -> tuple[telling.EndingSoon, ...]:
    return telling.find_ending_soon(
        tx, holders=notices.parties_told(tx), within=_SOON, most=COUNTED_MOST
    )


def _ends(desk: Desk, one: telling.EndingSoon) -> Notice:
    return Notice(
        title=desk.text("ui.notices.grant_ends", day=desk.day(local_day(one.ends_at))),
        state="–",
        about=shorten(one.grant.id),
        href=f"/rights/grants/{one.grant.id}",
        kind="grant",
        at=one.since,
    )


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
            sub=lambda one: " · ".join(
                filter(None, (desk.text(f"ui.notices.kind.{one.kind}"), one.about))
            ),
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
