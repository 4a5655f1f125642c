# SPDX-License-Identifier: Apache-2.0
"""Hides how requests to the pages are made up: real addresses and forms with odd things in them."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import random
import re
import zipfile
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode

import httpx
from crawling import PART, Found, kinds
from every_field import PageForm, fresh
from web_server import token

from lingqu.kernel.ids import Id

STRINGS = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "blns.json").read_text(encoding="utf-8")
)
EDGES = (
    "", " ", "0", "-1", "1", "00", "1.5", "1e9", "9" * 15, "9" * 16, "9" * 40, "٣", "½", "²",
    "0000-00-00", "0001-01-01", "9999-12-31", "10000-01-01", "2026-02-29", "2026-11-20",
    "2026-11", "2026-11-20T25:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "yes", "true", "null", "zh-CN", "en", "xlsx", "pdf", "docx", "preview", "\x00", "\x7f",
    "\u2028", "\ufeff", "\U0010ffff", "a" * 201, "字" * 2001, "a" * 70_000, "%", "%00", "../..",
    "/", "\\", "'", "{", "{{7*7}}", "[]", "[" * 3000, '{"a":' * 1500, "450721", "450000", "45",
    "CNY", "CALL",
)  # fmt: skip
_TABLE = "name,label\n甲,乙\n"
_BOOK = io.BytesIO()
with zipfile.ZipFile(_BOOK, "w") as _archive:
    _archive.writestr("xl/workbook.xml", "<x/>")
FILES = (
    b"", b"\x00", b"\xff\xfe\xfd", b"{}", b"null", b"[" * 50_000, _TABLE.encode(),
    _TABLE.encode("gb18030"), b"PK\x03\x04broken", _BOOK.getvalue(), b"%PDF-1.7\n", b"a," * 5000,
    ("字" * 9999).encode(), b'"unclosed\n1,2,3\n',
)  # fmt: skip
_NAMES = (
    "a.csv", "a.xlsx", "a.pdf", "a.json", "a.txt", "", ".", "a" * 300, "文.docx", "../a.csv",
    "a\nb",
)  # fmt: skip
_KINDS = kinds()
COOKIES = ("lingqu_views", "lingqu_seen", "lingqu_language")
FIELDS = ("command", "act", "kind", "name", "opinion", "reason", "version", "next", "subject")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request, so that a fault can be told and sent again."""

    number: int
    login: str | None
    method: str
    address: str
    fields: dict[str, str]
    files: list[tuple[str, bytes]]
    status: int

    def __str__(self) -> str:
        """The request in a line, without its longest texts."""
        said = {name: text[:60] for name, text in self.fields.items()}
        files = [(name, content[:20]) for name, content in self.files]
        where = f"{self.status} {self.method} {self.address[:300]}"
        return f"{self.number} {self.login} {where} {said} {files}"


class Seats(Protocol):
    """Where people sit."""

    def __call__(self, login: str | None) -> httpx.Client:
        """The browser of a login, signed in."""

    def leave(self, login: str | None) -> None:
        """The session of a login has ended."""


@dataclasses.dataclass(slots=True)
class Fuzzer:
    """Makes requests up and sends them, in an order that its number decides."""

    number: int
    found: Found
    seats: Seats
    logins: tuple[str | None, ...]
    sent: int = 0
    faults: list[Sent] = dataclasses.field(default_factory=list)
    _random: random.Random = dataclasses.field(init=False)
    _tokens: dict[str | None, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with the number."""
        self._random = random.Random(self.number)

    def send(self, route: tuple[str, str]) -> None:
        """Send one request to a route."""
        method, path = route
        login = self._random.choice(self.logins)
        address = self._address(path)
        fields, files, is_upload = self._form(route) if method == "POST" else ({}, [], False)
        headers = {"accept-language": self._random.choice(["zh-CN", "en", "x;q=y", "*"])}
        if self._random.random() < 0.1:
            headers["hx-request"] = "true"
        browser = self.seats(login)
        if self._random.random() < 0.02:
            said = self._value("name")
            packed = base64.urlsafe_b64encode(said.encode()[:3000]).decode()
            browser.cookies.set(
                self._random.choice(COOKIES), self._random.choice([packed, "9" * 11])
            )
        given = {}
        if method == "POST":
            given["data"] = fields | {"csrf": self._token(login, browser)}
            if is_upload:
                given["files"] = [
                    (name, (self._random.choice(_NAMES), content)) for name, content in files
                ] or {"none": ("", b"")}
        answer = browser.request(method, address, headers=headers, **given)
        self.sent += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            self.faults.append(
                Sent(
                    number=self.sent,
                    login=login,
                    method=method,
                    address=address,
                    fields=fields,
                    files=files,
                    status=answer.status_code,
                )
            )
        if answer.headers.get("location", "").startswith("/login") or path == "/logout":
            self._tokens.pop(login, None)
            self.seats.leave(login)

    def _token(self, login: str | None, browser: httpx.Client) -> str:
        if login not in self._tokens:
            self._tokens[login] = token(browser.get("/trust/verify"))
        return self._tokens[login]

    def _address(self, path: str) -> str:
        def filled(part: re.Match[str]) -> str:
            known = sorted(self.found.parts.get(part[1], ()))
            usual = known and self._random.random() < 0.7
            value = self._random.choice(known) if usual else self._value(part[1])
            return quote(value[:2000], safe="") or "-"

        address = PART.sub(filled, path)
        if self._random.random() < 0.5:
            names = sorted(self.found.asked) or ["q"]
            asked = self._random.sample(names, min(len(names), self._random.randint(1, 4)))
            address += "?" + urlencode({one: self._value(one)[:3000] for one in asked})
        return address

    def _form(self, route: tuple[str, str]) -> tuple[dict[str, str], list, bool]:
        known = self.found.forms.get(route, ())
        form = self._random.choice(known)[1] if known else PageForm(route[1])
        fields = dict(form.fields)
        for name in ("csrf", "command"):
            fields.pop(name, None)
        for name in self._random.sample(
            sorted(fields), min(len(fields), self._random.randint(0, 3))
        ):
            if self._random.random() < 0.15:
                del fields[name]
            else:
                fields[name] = self._value(name)
        if not known:
            fields |= {name: self._value(name) for name in self._random.sample(FIELDS, 4)}
        odd = self._random.random() < 0.05
        fields["command"] = self._value("command") if odd else fresh("cmd")
        names = form.files or (["file"] if form.is_upload else [])
        files = [
            (name, self._random.choice(FILES)) for name in names if self._random.random() < 0.9
        ]
        return fields, files, form.is_upload

    def _value(self, name: str) -> str:
        """Something for a field: what belongs there, or elsewhere, or nothing sensible."""
        kind = self._random.random()
        prefix = _KINDS.get(name.partition("-")[0].rstrip("0123456789_"))
        if kind < 0.3 and prefix in self.found.ids:
            return self._random.choice(sorted(self.found.ids[prefix]))
        if kind < 0.4:
            return fresh(prefix or self._random.choice(sorted(Id.kinds)))
        if kind < 0.5 and self.found.ids:
            ids = self.found.ids[self._random.choice(sorted(self.found.ids))]
            return self._random.choice(sorted(ids))
        if kind < 0.75:
            return self._random.choice(EDGES)
        if kind < 0.9:
            return self._random.choice(STRINGS)
        length = int(self._random.expovariate(0.1))
        return "".join(_character(self._random) for _ in range(length))


def _character(source: random.Random) -> str:
    while True:
        place = source.choice((0x80, 0x3000, 0xA000, 0x110000))
        found = chr(source.randrange(place))
        if not "\ud800" <= found <= "\udfff":
            return found


def group_of(route: tuple[str, str]) -> str:
    """The word of the domain a page belongs to; what belongs to none is the desk's."""
    word = route[1].strip("/").partition("/")[0]
    words = {"gate", "ledger", "market", "rights", "supervision", "supply", "trust"}
    return word if word in words else "desk"
