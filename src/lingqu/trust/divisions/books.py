# SPDX-License-Identifier: Apache-2.0
"""Reads the packaged code books and works out from the changes when each code was in force."""

from __future__ import annotations

import enum
import functools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from types import MappingProxyType

from lingqu.kernel import errors

_CODE = re.compile(r"([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})\Z")
_FOUND_MAX = 200
_EDITION_YEAR = 2026
"""Of the book of the Ministry of Civil Affairs: what is not in it is not in force since then."""


class Book(enum.Enum):
    """Whose code book."""

    CIVIL_AFFAIRS = "civil_affairs"
    """行政区划代码, Ministry of Civil Affairs: the one that counts."""
    STATISTICS = "statistics"
    """统计用区划代码, Bureau of Statistics, edition of 2023."""


class DivisionLevel(enum.Enum):
    """How high a unit stands in the tree."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    TOWN = "town"


class ChangeKind(enum.Enum):
    """What happened to a unit; the values are the words of the source."""

    RECODED = "同名改码"
    ESTABLISHED = "新设"
    REASSIGNED = "码位改派"
    ABOLISHED = "撤销"
    COUNTY_TO_CITY = "撤县设市"
    RENAMED = "更名"
    COUNTY_TO_DISTRICT = "撤县设区"
    PREFECTURE_TO_CITY = "撤地设市"
    CITY_TO_DISTRICT = "撤市设区"
    REARRANGED = "区划调整"
    TRANSFERRED = "划转"
    SEAT_MOVED = "驻地迁移"
    DISTRICT_TO_DISTRICT = "撤区设区"
    BANNER_TO_DISTRICT = "撤旗设区"


class DivisionUnknown(errors.NotFound):
    """No code book has this division code."""

    code = "trust.division.unknown"


class DivisionEnded(errors.Rejected):
    """The division code was not in force on that day; what came after it is named."""

    code = "trust.division.ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """A unit under one code and name.

    In force from the year `since` to the year `until`, as far as they are known: None is "longer
    than the books tell". `current` says that it stands in the newest edition. `certain` tells of
    the day that was asked about; it is false in the year of a change.
    """

    code: str
    name: str
    level: DivisionLevel
    book: Book
    since: int | None = None
    until: int | None = None
    current: bool = True
    certain: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change event; a code is empty where there was nothing before or is nothing after."""

    year: int
    kind: ChangeKind
    old_code: str
    old_name: str
    new_code: str
    new_name: str
    document: str


def get(code: str, *, on: date, book: Book = Book.CIVIL_AFFAIRS) -> Division:
    """This will give the unit a code named on a day; raises DivisionUnknown, DivisionEnded.

    Codes of 2, 4, 6, 9 or 12 digits are the same unit with and without the zeros at their end.
    """
    named = check_code(code)
    known = _book(book).get(named, ())
    if not known:
        raise DivisionUnknown(code=code[:20])
    for one in known:
        verdict = _in_force(one, on)
        if verdict is not None:
            return _sure(one, certain=verdict)
    after = "、".join(f"{one.new_code} {one.new_name}" for one in successors(named)[:3])
    raise DivisionEnded(code=named, name=known[0].name, on=on.isoformat(), after=after or "–")


def check_code(code: str) -> str:
    """This will give a code in its shortest usual form, 6 or 9 digits; raises DivisionUnknown."""
    if not _CODE.match(code):
        raise DivisionUnknown(code=code[:20])
    whole = code.ljust(12, "0")
    if whole[9:] != "000":
        raise DivisionUnknown(code=code[:20])
    return whole[:6] if whole[6:] == "000000" else whole[:9]


def find(
    text: str,
    *,
    on: date,
    within: str | None = None,
    level: DivisionLevel | None = None,
    book: Book = Book.CIVIL_AFFAIRS,
) -> tuple[Division, ...]:
    """This will find units in force on a day by a part of their name or the begin of their code.

    `within` is the code of a unit they lie in. Gives 200 at most, in the order of the codes.
    """
    inside = "" if within is None else _significant(check_code(within))
    wanted = text.strip()
    found: list[Division] = []
    for code in sorted(_book(book)):
        if not code.startswith(inside) or (level is not None and _level(code) is not level):
            continue
        for one in _book(book)[code]:
            verdict = _in_force(one, on)
            if verdict is not None and (wanted in one.name or code.startswith(wanted)):
                found.append(_sure(one, certain=verdict))
                break
        if len(found) == _FOUND_MAX:
            break
    return tuple(found)


def ancestors(code: str, *, on: date, book: Book = Book.CIVIL_AFFAIRS) -> tuple[Division, ...]:
    """This will give the units that a unit lies in, the highest first, as of a day."""
    named = check_code(code)
    get(named, on=on, book=book)
    found = []
    for length in (2, 4, 6):
        above = named[:length].ljust(6, "0")
        if above != named and length < len(_significant(named)):
            try:
                found.append(get(above, on=on, book=book))
            except (DivisionUnknown, DivisionEnded):
                continue  # a municipality has no city, and a county may lie directly in a province
    return tuple(found)


def children(code: str, *, on: date, book: Book = Book.CIVIL_AFFAIRS) -> tuple[Division, ...]:
    """This will give the units directly inside one, as of a day, in the order of their codes."""
    named = check_code(code)
    get(named, on=on, book=book)
    below = [
        _sure(one, certain=verdict)
        for other in sorted(_book(book))
        if other != named and other.startswith(_significant(named))
        for one in _book(book)[other]
        if (verdict := _in_force(one, on)) is not None
    ]
    codes = {one.code for one in below}
    return tuple(one for one in below if _parent(one.code, codes) is None)


def successors(code: str, *, after: int | None = None) -> tuple[Change, ...]:
    """This will give the changes by which a code gave way to others, oldest first.

    `after` leaves out changes before that year.
    """
    named = check_code(code)
    return tuple(
        one
        for one in _changes().get(named, ())
        if one.old_code == named
        and (one.new_code, one.new_name) != (named, one.old_name)
        and one.new_code
        and (after is None or one.year >= after)
    )


def changes(code: str) -> tuple[Change, ...]:
    """This will give every change event that touches a code, oldest first."""
    return _changes().get(check_code(code), ())


def _significant(code: str) -> str:
    """The digits that every code inside the unit begins with."""
    if len(code) == 9:
        return code
    return code[:2] if code[2:] == "0000" else code[:4] if code[4:] == "00" else code


def _level(code: str) -> DivisionLevel:
    return {
        2: DivisionLevel.PROVINCE,
        4: DivisionLevel.CITY,
        6: DivisionLevel.COUNTY,
        9: DivisionLevel.TOWN,
    }[len(_significant(code))]


def _parent(code: str, among: set[str]) -> str | None:
    for length in (6, 4):
        above = code[:length].ljust(6, "0")
        if above != code and above in among and length < len(_significant(code)):
            return above
    return None


def _sure(one: Division, *, certain: bool) -> Division:
    return Division(
        code=one.code,
        name=one.name,
        level=one.level,
        book=one.book,
        since=one.since,
        until=one.until,
        current=one.current,
        certain=certain,
    )


def _in_force(one: Division, on: date) -> bool | None:
    """None where it was not in force; else whether that is certain."""
    if one.since is not None and on.year < one.since:
        return None
    if on.year > (one.until or _EDITION_YEAR - 1) and not one.current:
        return None
    begun = one.since is not None and on.year > one.since
    going = one.current or (one.until is not None and on.year < one.until)
    return (begun or (one.since is None and one.current)) and going


def _rows(name: str) -> Iterator[list[str]]:
    text = resources.files("lingqu.trust.divisions").joinpath(name).read_text(encoding="utf-8")
    for line in text.splitlines()[1:]:
        yield line.split("\t")


@functools.cache
def _names() -> Mapping[str, Mapping[str, str]]:
    books: dict[str, dict[str, str]] = {"mca": {}, "nbs": {}, "old": {}}
    for book, code, name in _rows("codes.tsv"):
        books[book][code] = name
    return MappingProxyType(books)


@functools.cache
def _changes() -> Mapping[str, tuple[Change, ...]]:
    found: dict[str, list[Change]] = defaultdict(list)
    for year, what, old_code, old_name, new_code, new_name, document in _rows("changes.tsv"):
        one = Change(
            year=int(year),
            kind=ChangeKind(what),
            old_code=old_code,
            old_name=old_name,
            new_code=new_code,
            new_name=new_name,
            document=document,
        )
        for code in {old_code, new_code} - {""}:
            found[code].append(one)
    return MappingProxyType({code: tuple(events) for code, events in found.items()})


@functools.cache
def _book(book: Book) -> Mapping[str, tuple[Division, ...]]:
    """Every code with the units it named, the newest first."""
    if book is Book.STATISTICS:
        rows = _names()["nbs"].items()
        return MappingProxyType({
            code: (Division(code=code, name=name, level=_level(code), book=book),)
            for code, name in rows
        })  # fmt: skip
    found: dict[str, tuple[Division, ...]] = {}
    for code in {*_names()["mca"], *_changes(), *_names()["old"]}:
        spans = sorted(_spans(code), key=lambda one: (one.current, one.since or 0), reverse=True)
        found[code] = tuple(spans)
    return MappingProxyType(found)


def _spans(code: str) -> Iterator[Division]:
    """When a code named what, from the events; a code without any is in force throughout."""
    marks: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for one in _changes().get(code, ()):
        if (one.old_code, one.old_name) == (one.new_code, one.new_name):
            continue  # its seat moved, or its borders did
        if one.old_code == code:
            marks[one.old_name].append((one.year, False))
        if one.new_code == code:
            marks[one.new_name].append((one.year, True))
    now = _names()["mca"].get(code)
    if now is not None and now not in marks:
        yield _span(code, now, None, None, current=True)
    for name, events in marks.items():
        since: int | None = None
        begun = False
        for year, begins in sorted(events):
            if begins:
                since, begun = (since if begun else year), True
            else:
                yield _span(code, name, since, year, current=False)
                since, begun = None, False
        if begun or name == now:
            yield _span(code, name, since, None, current=name == now)
    if not marks and now is None:
        yield _span(code, _names()["old"][code], None, None, current=False)


def _span(code: str, name: str, since: int | None, until: int | None, *, current: bool) -> Division:
    return Division(
        code=code,
        name=name,
        level=_level(code),
        book=Book.CIVIL_AFFAIRS,
        since=since,
        until=until,
        current=current,
    )
