# SPDX-License-Identifier: Apache-2.0
"""The public home with the log at a glance, and the home of whoever has signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.runtime.i18n import choose_language
from lingqu.trust import log, procedures
from lingqu.ui.charts import Bar
from lingqu.ui.forms import local_path
from lingqu.ui.pages.figures import market_figures, own_figures
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.rendering import Desk

LANGUAGE_COOKIE = "lingqu_language"
_YEAR_S = 365 * 24 * 3600
_HOURS, _DAYS = 24, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGlance:
    """How the public log stands, for everyone to see."""

    status: log.LogStatus
    keys: tuple[str, ...]
    fingerprints: tuple[str, ...]


def log_glance(desk: Desk) -> LogGlance:
    """This will read how the public log stands."""
    status = desk.platform.sequencer.status()
    with desk.platform.database.reading(trust.VISITOR) as tx:
        verifiers = log.own_log(tx, status.origin).verifiers
    return LogGlance(
        status=status,
        keys=tuple(str(key) for key in verifiers),
        fingerprints=tuple(key.fingerprint for key in verifiers),
    )


@get("/", sync_to_thread=True)
def home(desk: FromDesk) -> Response[str]:
    """This will show the public home, or what awaits whoever has signed in."""
    return _public(desk) if desk.visit.identity is None else _own(desk)


@get("/public", sync_to_thread=True)
def public(desk: FromDesk) -> Response[str]:
    """This will show the public home, also to whoever has signed in."""
    return _public(desk)


@get("/parts/log", sync_to_thread=True)
def log_part(desk: FromDesk) -> Response[str]:
    """This will give the part of the public home that is refreshed while it is looked at."""
    return desk.show("parts/log_glance.html", glance=log_glance(desk))


@post("/language", sync_to_thread=False)
def choose(desk: FromDesk, form: FromForm) -> Redirect:
    """This will keep the chosen language in a cookie for a year."""
    language = choose_language(None, form.text("language"))
    answer = desk.go(local_path(form.maybe("back")))
    answer.set_cookie(
        Cookie(
            LANGUAGE_COOKIE,
            value=language,
            max_age=_YEAR_S,
            path="/",
            secure=desk.visit.secure,
            httponly=True,
            samesite="lax",
        )
    )
    return answer


def _public(desk: Desk) -> Response[str]:
    story = desk.platform.installation.clock == "story"
    step: Literal["day", "hour"] = "day" if story else "hour"
    with desk.platform.database.reading(trust.VISITOR) as tx:
        counts = trust.count_facts(tx)
        figures = market_figures(desk, tx)
        many = timedelta(days=_DAYS) if story else timedelta(hours=_HOURS)
        counted = dict(trust.count_facts_by(tx, since=tx.now - many, until=tx.now, step=step))
        now = tx.now
    return desk.show(
        "home.html",
        glance=log_glance(desk),
        counts=counts,
        figures=figures,
        chart=_chart(desk, counted, now, step),
        step=step,
        installation=desk.platform.installation,
    )


def _chart(
    desk: Desk, counted: dict[Instant, int], now: Instant, step: Literal["day", "hour"]
) -> tuple[Bar, ...]:
    zone = ZoneInfo(desk.platform.settings.time_zone)
    if step == "hour":
        last = now.replace(minute=0, second=0, microsecond=0)
        moments = [last - timedelta(hours=ago) for ago in reversed(range(_HOURS))]
    else:
        last = now.replace(hour=0, minute=0, second=0, microsecond=0)
        moments = [last - timedelta(days=ago) for ago in reversed(range(_DAYS))]
    made = []
    for moment in moments:
        count = counted.get(moment, 0)
        local = moment.astimezone(zone)
        label = f"{local:%H:%M}" if step == "hour" else f"{moment:%m-%d}"
        title = desk.text("ui.home.chart_bar", at=label, count=count)
        made.append(Bar(label=label, title=title, count=count))
    return tuple(made)


def _own(desk: Desk) -> Response[str]:
    identity = desk.require()
    with desk.reading() as tx:
        todos = procedures.find_todos(tx)
        names = desk.names(tx, {one.procedure.owner for one in todos})
        figures = own_figures(desk, tx, identity)
        recent = _recent(tx, identity)
    return desk.show(
        "desk.html",
        roles=tuple(dict.fromkeys(one.role.value for one in identity.roles)),
        todos=todos,
        late=sum(one.urgency is procedures.Urgency.RED for one in todos),
        names=names,
        figures=figures,
        recent=recent,
    )


@get("/parts/recent", sync_to_thread=True)
def recent_part(desk: FromDesk) -> Response[str]:
    """This will give the part of the own home that is refreshed when facts have come."""
    identity = desk.require()
    with desk.reading() as tx:
        recent = _recent(tx, identity)
    return desk.show("parts/recent.html", recent=recent)


def _recent(tx: Tx, identity: trust.Identity) -> tuple[trust.FactRecord, ...]:
    known = any(
        trust.is_allowed(tx, trust.Action.READ, trust.Kind.FACT, owner=trust.PartyId(holding.party))
        for holding in identity.roles
        if holding.party
    )
    return trust.find_facts(tx, page=PageRequest(size=6)).items if known else ()
