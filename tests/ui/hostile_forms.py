# SPDX-License-Identifier: Apache-2.0
"""Hides how hostile texts are typed into the forms of pages, and what is wrong with the answers."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Mapping
from typing import ClassVar
from urllib.parse import urljoin, urlsplit

import httpx
from crawling import route_of
from every_field import Forms, PageForm
from trade_people import FilesGiven, Node, Plain, read

Dealt = Callable[[int], tuple[str, ...]]
SHOWN = {("parties", "name"), ("rename", "name"), ("duties", "item")}
"""Forms that are answered with a page on which the text stands."""
_NEWLINES = str.maketrans({"\r": None})


def post(
    browser: httpx.Client, form: PageForm, given: Mapping[str, str], action: str | None = None
) -> httpx.Response:
    """Send a form with some of its fields filled in."""
    fields = form.fields | {name: text for name, text in given.items() if name in form.fields}
    sent = {"files": {"none": ("", b"")}} if form.is_upload else {}
    return browser.post(action or form.action, data=fields, **sent, follow_redirects=True)


def judged(answer: httpx.Response, form: PageForm, given: Mapping[str, str]) -> str | None:
    """What is wrong with the answer to a form; None when every text is text, or refused."""
    if answer.status_code >= 500:
        return str(answer.status_code)
    for text in given.values():
        markup = text.strip()
        if "<" in markup and len(markup) > 8 and markup in answer.text:
            return f"shown as markup: {text}"
    if answer.status_code >= 400 and 'role="alert"' not in answer.text:
        return f"{answer.status_code} says nothing"
    if answer.history:
        place, words = form.action.rpartition("/")[2], html.unescape(answer.text)
        for name, text in given.items():
            if (place, name) in SHOWN and text.strip() not in words:
                return f"not shown: {name}"
        return None
    if answer.status_code < 400 and given.get("act") != "preview":
        return None
    kept = [
        {name: held[name].translate(_NEWLINES) for name in given if name in held}
        for held in _held(answer.text, urlsplit(str(answer.url)).path)
    ]
    wanted = {name: given[name].translate(_NEWLINES) for name in form.texts if name in given}
    # Several forms may lead to one address: the one that was sent holds what was typed.
    if kept and not any(wanted.items() <= held.items() for held in kept):
        return f"drawn again as {kept}: {wanted}"
    return None


def _held(page: str, path: str) -> list[dict[str, str]]:
    """What stands in the text fields of the forms that lead here, as a browser reads it."""
    return [
        dict(map(_value, form.find("input", "textarea")))
        for form in read(page).find("form")
        if urlsplit(form.has.get("action", "")).path == path
    ]


def _value(one: Node) -> tuple[str, str]:
    if one.tag == "textarea":
        said = "".join(part for part in one.inside if isinstance(part, str))
        # A browser drops the line break that a text area begins with.
        return one.has.get("name", ""), said.removeprefix("\r").removeprefix("\n")
    return one.has.get("name", ""), one.has.get("value", "")


def typed(
    browser: httpx.Client, page: str, form: PageForm, dealt: Dealt, many: int,
    plain: Mapping[str, str],
) -> list[tuple[str, str, str]]:  # fmt: skip
    """Send a form with so many strings in each of its text fields, and really do what it does.

    What is refused is sent again with fewer of them, since the others may be taken. A form whose
    work is done leaves the page; the rest is sent to where it led all the same.
    """

    def still_there() -> list[PageForm]:
        return [
            one for one in Forms(browser.get(page).text).found
            if (one.action, one.texts) == (form.action, form.texts)
        ]  # fmt: skip

    trouble, where, there = [], form, bool(still_there())
    order = {name: dealt(many) for name in form.texts}
    for turn in range(many):
        given = {name: texts[turn] for name, texts in order.items()}
        while given:
            answer = post(browser, where, plain | given)
            # What is no longer there is not drawn again either.
            drawn = where if there else dataclasses.replace(where, texts=[])
            if fault := judged(answer, drawn, given):
                trouble.append((page, where.action, fault))
            again = still_there()
            where, there = (again or [where])[0], bool(again)
            if not there or answer.status_code < 400:
                break
            del given[next(iter(given))]
    return trouble


class Hostile(Plain):
    """A person who fills a form with every string before they send it as it should be."""

    tried: ClassVar[set[tuple[object, ...]]] = set()

    def __init__(self, client: httpx.Client, dealt: Dealt, used: str, many: int) -> None:
        """Sit down; `used` is the id of a command that was done, so that no form is taken."""
        self.sent, self.trouble = 0, []
        self._dealt, self._used, self._many = dealt, used, many
        super().__init__(client)

    def press(
        self, words: str, fields: Mapping[str, str] | None = None, files: FilesGiven | None = None,
        *, refused: str | None = None,
    ) -> None:  # fmt: skip
        """Try every string in this form, then go on with what was to be sent."""
        form, button = self._form(words, {*(fields or {}), *(files or {})})
        action = button.has.get("formaction") or form.has.get("action") or str(self.page.url)
        for one in Forms(self.page.text).found:
            path = urlsplit(urljoin(str(self.page.url), one.action)).path
            place = (route_of("POST", path), *one.texts)
            if one.texts and path == urlsplit(action).path and place not in self.tried:
                self.tried.add(place)
                self._fill(one)
        super().press(words, fields, files, refused=refused)

    def _fill(self, form: PageForm) -> None:
        order = {name: self._dealt(self._many) for name in form.texts}
        form.fields["command"] = self._used
        for turn in range(self._many):
            given = {name: texts[turn] for name, texts in order.items()}
            if "act" in form.fields:
                form.fields["act"] = "" if turn % 4 else "preview"
            answer = post(self.client, form, given)
            self.sent += 1
            shown = given | {"act": form.fields.get("act", "")}
            if fault := judged(answer, form, shown):
                self.trouble.append((self.path, form.action, fault))
