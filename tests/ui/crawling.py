# SPDX-License-Identifier: Apache-2.0
"""Hides how every page and form is found that somebody can reach: links followed from the home."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import httpx
from every_field import Forms, PageForm

from lingqu.kernel.ids import Id
from lingqu.ui.app import _HANDLERS

ROUTES = tuple(
    sorted(
        (method, path)
        for one in _HANDLERS
        for path in one.paths
        for method in one.http_methods
        if method in {"GET", "POST"}
    )
)
"""Every address of the pages, with what is filled in, by its method."""
PART = re.compile(r"\{(\w+):\w+\}")
_ID = re.compile(r"\b([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}\b")
_LEFT_OUT = ("/static", "/api", "/live", "/favicon.ico")


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"\{\w+:\w+\}", path)
    return re.compile(r"([^/]+)".join(map(re.escape, pieces)) + r"\Z")


_PATTERNS = {route: _pattern(route[1]) for route in ROUTES}


def route_of(method: str, path: str) -> tuple[str, str] | None:
    """The route that answers an address; one that is written out goes before one with parts."""
    found = [one for one in ROUTES if one[0] == method and _PATTERNS[one].match(path)]
    return min(found, key=lambda one: one[1].count("{"), default=None)


def parts_of(route: tuple[str, str], path: str) -> dict[str, str]:
    """What stands in the parts of an address."""
    found = _PATTERNS[route].match(path)
    return dict(zip(PART.findall(route[1]), found.groups(), strict=True)) if found else {}


@dataclasses.dataclass(slots=True)
class Found:
    """What a walk came across."""

    pages: list[str] = dataclasses.field(default_factory=list)
    forms: dict[tuple[str, str], list[tuple[str, PageForm]]] = dataclasses.field(
        default_factory=dict
    )
    """By the route they post to: the page a form stands on, and the form."""
    parts: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    """What stands in addresses, by the name of the part."""
    asked: set[str] = dataclasses.field(default_factory=set)
    """The names of what addresses ask."""
    ids: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    """By prefix, every id that is shown somewhere."""
    broken: list[tuple[str, int]] = dataclasses.field(default_factory=list)

    def note_page(self, address: str, answer: httpx.Response) -> Iterator[str]:
        """Keep what a page holds; gives where it leads."""
        self.pages.append(address)
        for found in _ID.finditer(answer.text):
            self.ids.setdefault(found[1], set()).add(found[0])
        for form in Forms(answer.text).found:
            route = route_of("POST", urlsplit(urljoin(address, form.action)).path)
            if route is not None:
                self.forms.setdefault(route, []).append((address, form))
        links = _Links(answer.text)
        self.asked |= links.asked
        for link in links.found:
            onward = urlsplit(urljoin(address, link))
            if onward.scheme or onward.netloc or not onward.path.startswith("/"):
                continue
            self.asked |= {name for name, _ in parse_qsl(onward.query)}
            yield f"{onward.path}?{onward.query}" if onward.query else onward.path


class _Links(HTMLParser):
    """Reads where a page leads, and what its forms that only ask are called."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.asked: set[str] = set()
        self._asking = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._asking = given.get("method", "get") != "post"
        elif tag in {"input", "select", "button"} and self._asking and given.get("name"):
            self.asked.add(given["name"])
        elif tag == "a" and given.get("href"):
            self.found.append(given["href"])


def walk(browser: httpx.Client, found: Found, *, most: int = 3, begin: str = "/") -> Found:
    """Follow every link from the home, at most so many addresses of each route.

    A link that leads to a page of refusal is broken, unless it says what has to come first.
    """
    waiting, seen, met = [begin], set(), Counter()
    while waiting:
        address = waiting.pop(0)
        path = urlsplit(address).path
        route = route_of("GET", path)
        if address in seen or route is None or path.startswith(_LEFT_OUT) or met[route] >= most:
            continue
        seen.add(address)
        met[route] += 1
        for name, value in parts_of(route, path).items():
            found.parts.setdefault(name, set()).add(unquote(value))
        answer = browser.get(address, follow_redirects=True)
        if answer.status_code != 409 and f">{answer.status_code} · " in answer.text:
            found.broken.append((address, answer.status_code))
        if "html" in answer.headers.get("content-type", ""):
            waiting += found.note_page(address, answer)
    return found


def kinds() -> dict[str, str]:
    """The prefix of an id by the word for its kind."""
    said = {
        re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__.removesuffix("Id")).lower(): prefix
        for prefix, kind in Id.kinds.items()
    }
    bodies = ("body", "owner", "holder", "seller", "buyer", "venue", "authorizer", "operator",
              "authority", "department", "payee", "peer")  # fmt: skip
    return {**dict.fromkeys(bodies, "pty"), "parent": "grt", "file": "opf", **said}
