# SPDX-License-Identifier: Apache-2.0
"""Hides how a refused form keeps what was typed: it is written into the page that is drawn again.

So no page has to hand each of its fields back, and none can forget one. Passwords, files and what
nobody typed (hidden and read-only fields) stay as the page draws them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

_TYPED = frozenset({"text", "search", "number", "date", "email", "url", "tel"})
_TICKED = frozenset({"checkbox", "radio"})
_VALUE = re.compile(r'\svalue="[^"]*"')
_STATE = re.compile(r"\s(?:checked|selected)(?=[\s/>])")
_END = re.compile(r"\s*/?>\Z")
Edit = tuple[int, int, str]


@dataclass(slots=True)
class _Form:
    """One form that leads where the refused one was sent; how well it agrees, and its edits."""

    agreeing: int = 0
    edits: list[Edit] = field(default_factory=list)


def refill(page: str, path: str, typed: Mapping[str, str]) -> str:
    """This will give the page with what was typed in the form that posts to `path`.

    Where several do, it is the one whose hidden fields agree best with what was sent.
    """
    reader = _Reader(page, path, typed)
    if not reader.found:
        return page
    best = max(reader.found, key=lambda one: one.agreeing)
    for start, end, text in sorted(best.edits, reverse=True):
        page = page[:start] + text + page[end:]
    return page


class _Reader(HTMLParser):
    """Notes what is to be written where, form by form."""

    def __init__(self, page: str, path: str, typed: Mapping[str, str]) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[_Form] = []
        self._path, self._typed = path, typed
        self._open: _Form | None = None
        self._select = ""
        self._area: tuple[int, str] | None = None
        self._lines = [0]
        for line in page.split("\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        self.feed(page)

    def _at(self) -> int:
        line, place = self.getpos()
        return self._lines[line - 1] + place

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            leads = urlsplit(given.get("action", "")).path == self._path
            self._open = _Form() if leads and given.get("method") == "post" else None
            if self._open is not None:
                self.found.append(self._open)
        if self._open is None:
            return
        name, start, raw = given.get("name", ""), self._at(), self.get_starttag_text() or ""
        if tag == "input":
            self._input(given, start, raw)
        elif tag == "textarea" and name in self._typed:
            self._area = (start + len(raw), self._typed[name])
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select in self._typed:
            wanted = given.get("value") == self._typed[self._select]
            self._turn(start, raw, "selected", wanted=wanted)

    def _input(self, given: Mapping[str, str], start: int, raw: str) -> None:
        assert self._open is not None, "asked inside a form only"
        name, kind = given.get("name", ""), given.get("type", "text")
        if kind == "hidden":
            self._open.agreeing += self._typed.get(name) == given.get("value")
        elif kind in _TICKED:
            wanted = self._typed.get(name) == given.get("value", "on")
            self._turn(start, raw, "checked", wanted=wanted)
        elif kind in _TYPED and name in self._typed and "readonly" not in given:
            said = f' value="{html.escape(self._typed[name])}"'
            self._write(start, raw, _END.sub(lambda end: said + end[0], _VALUE.sub("", raw)))

    def _turn(self, start: int, raw: str, word: str, *, wanted: bool) -> None:
        bare = _STATE.sub("", raw)
        self._write(start, raw, _END.sub(f" {word}>", bare) if wanted else bare)

    def _write(self, start: int, raw: str, text: str) -> None:
        assert self._open is not None, "asked inside a form only"
        self._open.edits.append((start, start + len(raw), text))

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None and self._open is not None:
            start, text = self._area
            # A browser drops the line break that a text area begins with.
            self._open.edits.append((start, self._at(), "\n" + html.escape(text)))
            self._area = None
        elif tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""
