# SPDX-License-Identifier: Apache-2.0
"""Tables of things: columns once, for the page (sort, filter, pages) and for the Excel file alike.

A page says what its columns are and gives the rows; `Ask` is what the address asks for. Small lists
are sorted and filtered here; large ones by the package that has them, which is told the same `Ask`.
"""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlencode
from zoneinfo import ZoneInfo

from litestar import Response

from lingqu.kernel.paging import Page, PageRequest
from lingqu.kernel.time import Instant
from lingqu.runtime import documents
from lingqu.runtime.i18n import translate
from lingqu.runtime.looking import Look, Looked, Said
from lingqu.ui.rendering import Desk, SavedView, shorten

Row = TypeVar("Row")
Cell = str | int | Decimal | date | Instant | None

PAGE_SIZE = 25
FILE_MAX = 10_000
"""How many rows of a list that the database looks through a file of it holds at most."""
CHOICES_MAX = 100
"""How many things are offered to choose from in a form; words find the others."""
GATHERED_MAX = 2_000
"""How many rows of a list are looked at here; a longer one says so."""
_WORDS_MAX = 100
_PAGES_MAX = 100_000
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Show(enum.Enum):
    """How a cell is shown."""

    TEXT = "text"
    LABEL = "label"
    """The value is the code of a label in the catalog."""
    NUMBER = "number"
    MONEY = "money"
    """An amount as a decimal number, with as many decimals as its currency has."""
    DAY = "day"
    INSTANT = "instant"
    ID = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAct:
    """A form of one button in a row: where it posts, its words, and what it sends."""

    path: str
    words: str
    values: Mapping[str, str]
    css: str = "btn-quiet"


@dataclass(frozen=True, kw_only=True)
class Column(Generic[Row]):
    """One column: `label` is the code of its official name; the rest says how a cell is drawn."""

    name: str
    label: str
    value: Callable[[Row], Cell]
    show: Show = Show.TEXT
    href: Callable[[Row], str | None] | None = None
    sub: Callable[[Row], str | None] | None = None
    tone: Callable[[Row], str] | None = None
    sortable: bool = True
    acts: Callable[[Row], tuple[RowAct, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a filter, and how many rows it has where that is known."""

    value: str
    words: str
    count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Filter(Generic[Row]):
    """A choice that narrows a list; `of` tells which option a row belongs to."""

    name: str
    label: str
    options: tuple[Option, ...]
    of: Callable[[Row], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the address asks of a list: words, order, page, and choices by the filter's name."""

    words: str = ""
    sort: str = ""
    descending: bool = False
    page: int = 1
    chosen: Mapping[str, str] = field(default_factory=dict)
    as_file: bool = False

    @property
    def is_narrowed(self) -> bool:
        """Whether fewer than all rows are asked for."""
        return bool(self.words or self.chosen)

    def query(self, **changes: str | int | None) -> str:
        """This will give the address part that asks for the same with changes."""
        order = ("-" if self.descending else "") + self.sort
        parts: dict[str, str | int | None] = {"q": self.words, **self.chosen, "sort": order}
        parts |= {"page": None, **changes}
        return urlencode({name: value for name, value in parts.items() if value})


def read_ask(query: str, *, filters: Sequence[Filter[Any]], sorts: Sequence[str] = ()) -> Ask:
    """This will read what an address asks for; what it cannot mean is left out."""
    try:
        given = dict(parse_qsl(query, max_num_fields=60))
    except ValueError:
        given = {}
    words = "".join(one for one in given.get("q", "") if one.isprintable())[:_WORDS_MAX].strip()
    order = given.get("sort", "")
    sort = order.removeprefix("-")
    page = given.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1
    chosen = {
        one.name: given[one.name]
        for one in filters
        if given.get(one.name) in {option.value for option in one.options}
    }
    return Ask(
        words=words,
        sort=sort if sort in sorts else "",
        descending=order.startswith("-") and sort in sorts,
        page=min(max(number, 1), _PAGES_MAX),
        chosen=chosen,
        as_file=given.get("format") == "xlsx",
    )


def without_words(ask: Ask) -> Ask:
    """This will ask for the same where somebody else has looked for the words already."""
    return replace(ask, words="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One cell as it is shown."""

    words: str
    css: str
    href: str | None
    sub: str | None
    tone: str | None
    title: str | None
    label: str
    acts: tuple[RowAct, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a column, with the address that sorts by it."""

    words: str
    css: str
    href: str | None
    order: str | None
    """ascending, descending, or None where the list is in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """A table ready to be drawn by the macro `table`."""

    path: str
    ask: Ask
    heads: tuple[Head, ...]
    rows: tuple[tuple[Drawn, ...], ...]
    filters: tuple[Filter[Any], ...]
    total: int
    pages: int
    is_cut: bool
    is_searched: bool
    has_file: bool
    saved: tuple[SavedView, ...]
    zone: str
    """The time zone of its instants, where it has any."""

    @property
    def is_worth_saving(self) -> bool:
        """Whether the address asks for something that could be kept under a name."""
        return bool(self.ask.query())

    def page_href(self, number: int) -> str:
        """The address of a page of the same list."""
        return f"{self.path}?{self.ask.query(page=number)}"

    @property
    def file_href(self) -> str:
        """The address of the same list as an Excel file."""
        return f"{self.path}?{self.ask.query(format='xlsx')}"


def gather(find: Callable[[PageRequest], Page[Row]]) -> tuple[tuple[Row, ...], bool]:
    """This will walk a list to its end or its bound, and say whether something was left out."""
    found: list[Row] = []
    after: str | None = None
    while len(found) < GATHERED_MAX:
        page = find(PageRequest(size=500, after=after))
        found.extend(page.items)
        after = page.next
        if after is None:
            return tuple(found), False
    return tuple(found[:GATHERED_MAX]), True


def pick(
    rows: Sequence[Row],
    *,
    ask: Ask,
    columns: Sequence[Column[Row]],
    filters: Sequence[Filter[Row]],
    language: str,
) -> list[Row]:
    """This will narrow and order a list that is whole in memory."""
    wanted = ask.words.casefold().split()
    kept = [
        row
        for row in rows
        if all(
            one.of is None or one.name not in ask.chosen or one.of(row) == ask.chosen[one.name]
            for one in filters
        )
        and (not wanted or _has(row, wanted, columns, language))
    ]
    column = next((one for one in columns if one.name == ask.sort), None)
    if column is not None:
        kept.sort(key=lambda row: _order(column, row, language), reverse=ask.descending)
    return kept


def _has(row: Row, wanted: Sequence[str], columns: Sequence[Column[Row]], language: str) -> bool:
    said = " ".join(
        f"{_plain(one, row, language)} {(one.sub(row) or '') if one.sub else ''}" for one in columns
    ).casefold()
    return all(word in said for word in wanted)


def _plain(column: Column[Row], row: Row, language: str) -> str:
    value = column.value(row)
    if value is None:
        return ""
    return translate(str(value), _language(language)) if column.show is Show.LABEL else str(value)


def _order(column: Column[Row], row: Row, language: str) -> tuple[bool, Any]:
    value = column.value(row)
    if isinstance(value, str):
        value = _plain(column, row, language)
    return value is None, value if value is not None else 0


def _language(language: str) -> Any:
    return language


def draw(
    desk: Desk,
    rows: Sequence[Row],
    *,
    columns: Sequence[Column[Row]],
    ask: Ask,
    filters: Sequence[Filter[Row]] = (),
    total: int | None = None,
    is_cut: bool = False,
    is_searched: bool = True,
    has_file: bool = True,
) -> TableView:
    """This will lay out a page of a list; with `total` the rows are that page already."""
    known = len(rows) if total is None else total
    pages = max(1, -(-known // PAGE_SIZE))
    first = (min(ask.page, pages) - 1) * PAGE_SIZE
    shown = rows[first : first + PAGE_SIZE] if total is None else rows
    return TableView(
        path=desk.path,
        ask=ask,
        heads=tuple(_head(desk, one, ask) for one in columns),
        rows=tuple(tuple(_drawn(desk, one, row) for one in columns) for row in shown),
        filters=tuple(filters),
        total=known,
        pages=pages,
        is_cut=is_cut,
        is_searched=is_searched,
        has_file=has_file,
        saved=tuple(one for one in desk.views if one.path == desk.path),
        zone=desk.time_zone if any(one.show is Show.INSTANT for one in columns) else "",
    )


def list_table(
    desk: Desk,
    rows: Sequence[Row],
    *,
    columns: Sequence[Column[Row]],
    filters: Sequence[Filter[Row]] = (),
    is_cut: bool = False,
    is_searched: bool = True,
    has_file: bool = True,
) -> TableView:
    """This will narrow, order and lay out a list that is whole in memory, as the address asks."""
    ask = ask_of(desk, columns, filters)
    language = desk.visit.language
    kept = pick(rows, ask=ask, columns=columns, filters=filters, language=language)
    return draw(
        desk,
        kept,
        columns=columns,
        ask=ask,
        filters=filters,
        is_cut=is_cut,
        is_searched=is_searched,
        has_file=has_file,
    )


def ask_of(desk: Desk, columns: Sequence[Column[Any]], filters: Sequence[Filter[Any]] = ()) -> Ask:
    """This will read what the address of the page asks for."""
    sorts = [one.name for one in columns if one.sortable]
    return read_ask(desk.query, filters=filters, sorts=sorts)


def look_of(ask: Ask, *, said: Mapping[str, Said] | None = None, most: int = FILE_MAX) -> Look:
    """This will say what an address asks of a list that the database looks through.

    As a file that is all of it, up to `most` rows; as a page one page. `said` is how the columns
    read that hold codes.
    """
    return Look(
        size=most if ask.as_file else PAGE_SIZE,
        offset=0 if ask.as_file else (ask.page - 1) * PAGE_SIZE,
        words=tuple(ask.words.split()),
        order=ask.sort,
        descending=ask.descending,
        chosen=ask.chosen,
        said=said or {},
    )


def look_for(desk: Desk, **chosen: str) -> Look:
    """This will say what to offer in a form: the newest, or what `q` of the address names."""
    words = read_ask(desk.query, filters=()).words
    return Look(size=CHOICES_MAX, words=tuple(words.split()), chosen=chosen)


def looked_table(
    desk: Desk,
    found: Looked[Row],
    *,
    columns: Sequence[Column[Row]],
    ask: Ask,
    filters: Sequence[Filter[Row]] = (),
    is_searched: bool = True,
    has_file: bool = True,
) -> TableView:
    """This will lay out the piece of a list that the database looked through."""
    return draw(
        desk,
        found.items,
        columns=columns,
        ask=ask,
        filters=filters,
        total=found.total,
        is_searched=is_searched,
        has_file=has_file,
    )


def list_page(
    desk: Desk,
    words: str,
    view: TableView,
    *,
    trail: Sequence[tuple[str, str]] = (),
    rule: str | None = None,
    actions: Sequence[tuple[str, str, str]] = (),
    live: bool = False,
) -> Response[str]:
    """This will show a list as a page whose texts begin with `words`; `live`: it follows facts."""
    return desk.show(
        "list.html",
        title=desk.text(f"{words}.title"),
        lead=desk.text(f"{words}.lead"),
        trail=trail,
        rule=rule,
        actions=actions,
        view=view,
        none_title=desk.text(f"{words}.none"),
        none_text=desk.text(f"{words}.none_text"),
        live=live,
    )


def gathered_list(
    desk: Desk,
    words: str,
    rows: Sequence[Row],
    *,
    columns: Sequence[Column[Row]],
    is_cut: bool,
    filters: Sequence[Filter[Row]] = (),
    rule: str | None = None,
    trail: Sequence[tuple[str, str]] = (),
    actions: Sequence[tuple[str, str, str]] = (),
) -> Response[Any]:
    """This will show rows as `list_page` does, or give them as a file where one is asked for."""
    if wants_file(desk):
        name = desk.text(f"{words}.title")
        return listed_sheet(desk, rows, columns=columns, filters=filters, name=name)
    view = list_table(desk, rows, columns=columns, filters=filters, is_cut=is_cut)
    return list_page(desk, words, view, trail=trail, rule=rule, actions=actions)


def said_of(filters: Sequence[Filter[Any]]) -> dict[str, Said]:
    """This will give how the values of columns read that have a filter of the same name."""
    return {one.name: {option.value: option.words for option in one.options} for one in filters}


def sheet(
    desk: Desk, rows: Sequence[Row], *, columns: Sequence[Column[Row]], name: str
) -> Response[bytes]:
    """This will give rows as an Excel file under the official, Chinese names of the columns."""
    zone = ZoneInfo(desk.platform.settings.time_zone)
    target = io.BytesIO()
    documents.write_sheet(
        target,
        title=name[:31],
        columns=[
            documents.SheetColumn(
                name=one.name,
                zh=translate(one.label, "zh-CN"),
                kind=_KINDS.get(one.show, documents.CellKind.TEXT),
                scale=_scale(one, rows) if one.show is Show.MONEY else 2,
                optional=True,
            )
            for one in columns
        ],
        rows=({one.name: _stored(one, row, zone) for one in columns} for row in rows),
    )
    return file_answer(target.getvalue(), name=f"{name}.xlsx", media_type=XLSX)


def listed_sheet(
    desk: Desk,
    rows: Sequence[Row],
    *,
    columns: Sequence[Column[Row]],
    filters: Sequence[Filter[Row]] = (),
    name: str,
) -> Response[bytes]:
    """This will give a list that is whole in memory as an Excel file, narrowed as asked."""
    ask = ask_of(desk, columns, filters)
    language = desk.visit.language
    kept = pick(rows, ask=ask, columns=columns, filters=filters, language=language)
    return sheet(desk, kept, columns=columns, name=name)


def wants_file(desk: Desk) -> bool:
    """This will say whether the address asks for the list as a file."""
    return read_ask(desk.query, filters=()).as_file


def file_answer(content: bytes, *, name: str, media_type: str) -> Response[bytes]:
    """This will give bytes as a file to be saved, under a name that may be Chinese."""
    return Response(
        content,
        media_type=media_type,
        headers={"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"},
    )


_KINDS = {
    Show.NUMBER: documents.CellKind.INTEGER,
    Show.MONEY: documents.CellKind.DECIMAL,
    Show.DAY: documents.CellKind.DAY,
}


def _stored(
    column: Column[Row], row: Row, zone: ZoneInfo
) -> str | int | Decimal | date | bool | None:
    value = column.value(row)
    match column.show, value:
        case _, None:
            return None
        case Show.LABEL, str():
            return translate(value, "zh-CN")
        case _, datetime():
            return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
    return value


def _scale(column: Column[Row], rows: Sequence[Row]) -> int:
    """The most decimals that an amount of the column has."""
    found = 0
    for row in rows:
        value = column.value(row)
        if isinstance(value, Decimal):
            exponent = value.as_tuple().exponent
            found = max(found, -exponent) if isinstance(exponent, int) else found
    return found


def minor_units(minor: int, scale: int) -> Decimal:
    """This will give an amount in minor units as the decimal number that people read."""
    return Decimal(minor).scaleb(-scale)


def _head(desk: Desk, column: Column[Any], ask: Ask) -> Head:
    is_sorted = ask.sort == column.name
    down = is_sorted and not ask.descending
    href = f"{desk.path}?{ask.query(sort=('-' if down else '') + column.name)}"
    return Head(
        words=desk.text(column.label),
        css="lq-num" if column.show in {Show.NUMBER, Show.MONEY} else "",
        href=href if column.sortable else None,
        order=("descending" if ask.descending else "ascending") if is_sorted else None,
    )


def _drawn(desk: Desk, column: Column[Row], row: Row) -> Drawn:
    value = column.value(row)
    numeric = column.show in {Show.NUMBER, Show.MONEY}
    return Drawn(
        words=_words(desk, column.show, value),
        css="lq-num" if numeric else "lq-nowrap" if column.show in _NARROW else "lq-words",
        href=column.href(row) if column.href is not None else None,
        sub=column.sub(row) if column.sub is not None else None,
        tone=column.tone(row) if column.tone is not None else None,
        title=str(value) if column.show is Show.ID else None,
        label=desk.text(column.label),
        acts=column.acts(row) if column.acts is not None else (),
    )


_NARROW = {Show.DAY, Show.INSTANT, Show.ID}


def _words(desk: Desk, show: Show, value: Cell) -> str:
    if value is None or value == "":
        return "–"
    match show, value:
        case Show.LABEL, str():
            return desk.text(value)
        case Show.NUMBER, int() | Decimal():
            return f"{value:,}"
        case Show.MONEY, int() | Decimal():
            return f"{value:,}".replace("-", "−")
        case Show.ID, str():
            return shorten(value)
        case _, datetime():
            return desk.minute(value)
        case _, date():
            return desk.day(value)
    return str(value)
