# SPDX-License-Identifier: Apache-2.0
"""The API of division codes: what a code names on a day, and what became of it. Open to all."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, QueryParameter

from lingqu import trust
from lingqu.api.refusals import RequestMalformed
from lingqu.api.routes import reads, routes_of
from lingqu.api.writes import FromPlatform
from lingqu.trust import divisions
from lingqu.wiring import App

LevelName = Literal["province", "city", "county", "town"]
BookName = Literal["civil_affairs", "statistics"]
_CHINA_TIME = timedelta(hours=8)

On = Annotated[
    str | None, QueryParameter(name="on", max_length=10, description="A day; today if missing")
]
InBook = Annotated[BookName, QueryParameter(name="book")]


class DivisionView(msgspec.Struct, kw_only=True):
    """A unit; years are null where the books do not tell; in a year of change it is not certain."""

    code: str
    name: str
    level: LevelName
    book: BookName
    since: int | None
    until: int | None
    current: bool
    certain: bool


class ChangeView(msgspec.Struct, kw_only=True):
    """A change event; `kind` is the official word."""

    year: int
    kind: str
    old_code: str
    old_name: str
    new_code: str
    new_name: str
    document: str


class DivisionStory(msgspec.Struct, kw_only=True):
    """A unit with those it lies in, those directly inside it, and what happened to its code."""

    division: DivisionView
    ancestors: list[DivisionView]
    children: list[DivisionView]
    changes: list[ChangeView]


class DivisionList(msgspec.Struct, kw_only=True):
    """Units that were found, 200 at most."""

    items: list[DivisionView]


@reads("/divisions", "Find administrative divisions", is_open=True)
def find_divisions(
    platform: FromPlatform,
    text: Annotated[str, QueryParameter(name="text", max_length=40)] = "",
    within: Annotated[str | None, QueryParameter(name="within", max_length=12)] = None,
    level: Annotated[LevelName | None, QueryParameter(name="level")] = None,
    on: On = None,
    book: InBook = "civil_affairs",
) -> DivisionList:
    """This will find units in force on a day by name or by the begin of their code."""
    found = divisions.find(
        text,
        on=_day(platform, on),
        within=within,
        level=None if level is None else divisions.DivisionLevel(level),
        book=divisions.Book(book),
    )
    return DivisionList(items=[division_view(one) for one in found])


@reads("/divisions/{code:str}", "Read an administrative division", is_open=True)
def get_division(
    platform: FromPlatform, code: FromPath[str], on: On = None, book: InBook = "civil_affairs"
) -> DivisionStory:
    """This will give the unit a code named on a day; a code that had ended is refused."""
    day, which = _day(platform, on), divisions.Book(book)
    unit = divisions.get(code, on=day, book=which)
    return DivisionStory(
        division=division_view(unit),
        ancestors=[division_view(one) for one in divisions.ancestors(code, on=day, book=which)],
        children=[division_view(one) for one in divisions.children(code, on=day, book=which)],
        changes=[
            ChangeView(
                year=one.year,
                kind=one.kind.value,
                old_code=one.old_code,
                old_name=one.old_name,
                new_code=one.new_code,
                new_name=one.new_name,
                document=one.document,
            )
            for one in divisions.changes(code)
        ],
    )


def division_view(value: divisions.Division) -> DivisionView:
    """This will map a unit."""
    return DivisionView(
        code=value.code,
        name=value.name,
        level=value.level.value,
        book=value.book.value,
        since=value.since,
        until=value.until,
        current=value.current,
        certain=value.certain,
    )


def _day(platform: App, on: str | None) -> date:
    if on is None:
        with platform.database.reading(trust.VISITOR) as tx:
            return (tx.now + _CHINA_TIME).date()
    try:
        return date.fromisoformat(on)
    except ValueError:
        raise RequestMalformed(fields="on", reason="YYYY-MM-DD") from None


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    return routes_of("/api/v1/trust", "trust", [find_divisions, get_division])
