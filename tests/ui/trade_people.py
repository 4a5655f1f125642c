# SPDX-License-Identifier: Apache-2.0
"""People at the portal: one at a plain client that knows links and forms only, one at a browser.

Both do the same: open a place of the navigation, follow a link by its words, fill a form by the
names of its fields, press a button by its words. The plain one runs no script at all.
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx

FilesGiven = Mapping[str, tuple[str, bytes]]
_VOID = {"input", "br", "img", "meta", "link", "hr", "source", "wbr"}
_SPACES = re.compile(r"[\s　]+")


def squeeze(text: str) -> str:
    """Words as an eye reads them."""
    return _SPACES.sub(" ", text).strip()


@dataclasses.dataclass(slots=True)
class Node:
    """One element."""

    tag: str
    has: dict[str, str]
    inside: list[Node | str]
    above: Node | None

    def text(self) -> str:
        """All words inside."""
        return squeeze("".join(one if isinstance(one, str) else one.text() for one in self.inside))

    def find(self, *tags: str) -> list[Node]:
        """Every element of these kinds inside, in order."""
        found = []
        for one in self.inside:
            if isinstance(one, Node):
                if one.tag in tags:
                    found.append(one)
                found += one.find(*tags)
        return found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.here = Node("", {}, [], None)

    def handle_starttag(self, tag, attrs):
        made = Node(tag, {name: value or "" for name, value in attrs}, [], self.here)
        self.here.inside.append(made)
        if tag not in _VOID:
            self.here = made

    def handle_endtag(self, tag):
        at = self.here
        while at.above is not None and at.tag != tag:
            at = at.above
        if at.above is not None:
            self.here = at.above

    def handle_data(self, data):
        self.here.inside.append(data)


def read(text: str) -> Node:
    """Read a page."""
    reader = _Reader()
    reader.feed(text)
    return reader.root


class Plain:
    """A person without script: whatever the page does not say, they cannot do."""

    def __init__(self, client: httpx.Client) -> None:
        """Sit down at a client that has signed in."""
        self.client = client
        self.page = client.get("/", follow_redirects=True)

    @property
    def path(self) -> str:
        """Where the person is."""
        return self.page.url.path

    @property
    def address(self) -> str:
        """Where the person is, with what was asked."""
        return str(self.page.url)

    @property
    def text(self) -> str:
        """The page as it was sent."""
        return self.page.text

    @property
    def words(self) -> str:
        """What the main part of the page says."""
        return next(one.text() for one in read(self.page.text).find("main"))

    def open(self, place: str) -> None:
        """Choose a place of the navigation."""
        nav = [
            link.has["href"] for part in read(self.page.text).find("nav") for link in part.find("a")
        ]
        assert place in nav, (place, nav)
        self.go(place)

    def go(self, address: str) -> None:
        """Go to an address."""
        self.page = self.client.get(urljoin(str(self.page.url), address), follow_redirects=True)
        self._sound()

    def follow(self, words: str) -> None:
        """Follow the first link of the page whose words begin so."""
        main = read(self.page.text).find("main")[0]
        links = [one for one in main.find("a") if one.text().startswith(squeeze(words))]
        assert links, (words, self.path, [one.text() for one in main.find("a")])
        self.go(links[0].has["href"])

    def take(self, words: str) -> bytes:
        """Download what a link leads to."""
        main = read(self.page.text).find("main")[0]
        links = [one for one in main.find("a") if squeeze(words) in one.text()]
        assert links, (words, [one.text() for one in main.find("a")])
        answer = self.client.get(urljoin(str(self.page.url), links[0].has["href"]))
        assert answer.status_code == 200, answer.text
        return answer.content

    def press(
        self, words: str, fields: Mapping[str, str] | None = None, files: FilesGiven | None = None,
        *, refused: str | None = None,
    ) -> None:  # fmt: skip
        """Fill the form that has a button of these words, and press it."""
        form, button = self._form(words, {*(fields or {}), *(files or {})})
        data = dict(_defaults(form))
        for name, value in (fields or {}).items():
            _set(form, data, name, value)
        if "name" in button.has:
            data[button.has["name"]] = button.has.get("value", "")
        sent = {name: (file, content, "application/octet-stream")
                for name, (file, content) in (files or {}).items()}  # fmt: skip
        known = {one.has.get("name") for one in form.find("input")}
        assert {*sent} <= known, (sent.keys(), known)
        action = button.has.get("formaction") or form.has.get("action") or str(self.page.url)
        address = urljoin(str(self.page.url), html.unescape(action))
        self.page = self.client.post(address, data=data, files=sent or None, follow_redirects=True)
        if refused is None:
            self._sound()
        else:
            assert self.page.status_code >= 400, self.words
            assert squeeze(refused) in self.words, self.words

    def _sound(self) -> None:
        assert self.page.status_code == 200, (self.path, self.page.status_code, self.words)

    def _form(self, words: str, wanted: set[str]) -> tuple[Node, Node]:
        main = read(self.page.text).find("main")[0]
        for form in main.find("form"):
            for button in form.find("button"):
                names = {one.has.get("name") for one in form.find("input", "select", "textarea")}
                if button.text() == squeeze(words) and wanted <= names:
                    return form, button
        raise AssertionError(
            (words, self.path, [one.text() for one in main.find("button")], wanted)
        )


def _defaults(form: Node) -> dict[str, str]:
    data = {}
    for one in form.find("input", "select", "textarea"):
        name, kind = one.has.get("name"), one.has.get("type", "text")
        if name is None or kind == "file" or (kind == "checkbox" and "checked" not in one.has):
            continue
        if one.tag == "textarea":
            data[name] = "".join(part for part in one.inside if isinstance(part, str))
        elif one.tag == "select":
            options = one.find("option")
            chosen = [o for o in options if "selected" in o.has] or options[:1]
            data[name] = chosen[0].has.get("value", "") if chosen else ""
        else:
            data[name] = one.has.get("value", "yes")
    return data


def _set(form: Node, data: dict[str, str], name: str, value: str) -> None:
    """Fill a field as a person does: options by their words, boxes ticked or not."""
    found = [one for one in form.find("input", "select", "textarea") if one.has.get("name") == name]
    one = found[0]
    if one.tag == "select":
        options = {squeeze(o.text()): o.has.get("value", "") for o in one.find("option")}
        wanted = [key for key in options if key.startswith(squeeze(value))]
        assert wanted, (name, value, options)
        data[name] = options[wanted[0]]
    elif one.has.get("type") == "checkbox":
        data.pop(name, None)
        if value:
            data[name] = one.has.get("value", "yes")
    else:
        data[name] = value


class Clicking:
    """The same person at a real browser."""

    def __init__(self, page) -> None:
        """Sit down at a page that has signed in."""
        self.screen = page
        self.trouble: list[str] = []
        page.on("pageerror", lambda error: self.trouble.append(str(error)))

    @property
    def path(self) -> str:
        """Where the person is."""
        return "/" + self.screen.url.partition("?")[0].split("/", 3)[3]

    @property
    def address(self) -> str:
        """Where the person is, with what was asked."""
        return self.screen.url

    @property
    def text(self) -> str:
        """The page as it stands."""
        return self.screen.content()

    @property
    def words(self) -> str:
        """What the main part of the page says."""
        return squeeze(self.screen.locator("main").inner_text())

    def open(self, place: str) -> None:
        """Choose a place of the navigation."""
        switch = self.screen.locator(".lq-menu-button")
        entry = self.screen.locator(f'nav a[href="{place}"]').first
        if not entry.is_visible() and switch.is_visible():
            switch.click()
        entry.click()
        self._sound()

    def go(self, address: str) -> None:
        """Go to an address."""
        self.screen.goto(address)
        self._sound()

    def follow(self, words: str) -> None:
        """Follow the first link of the page whose words begin so."""
        begins = re.compile(r"^\s*" + re.escape(words))
        self.screen.locator("main a", has_text=begins).first.click()
        self._sound()

    def take(self, words: str) -> bytes:
        """Download what a link leads to."""
        with self.screen.expect_download() as download:
            self.screen.locator("main a", has_text=words).first.click()
        return Path(download.value.path()).read_bytes()

    def press(
        self, words: str, fields: Mapping[str, str] | None = None, files: FilesGiven | None = None,
        *, refused: str | None = None,
    ) -> None:  # fmt: skip
        """Fill the form that has a button of these words, and press it."""
        exact = re.compile(r"^\s*" + re.escape(words) + r"\s*$")
        forms = self.screen.locator("main form", has=self.screen.locator("button", has_text=exact))
        for name in [*(fields or {}), *(files or {})]:
            forms = forms.filter(has=self.screen.locator(f'[name="{name}"]'))
        form = forms.first
        button = form.locator("button", has_text=exact).first
        if not button.is_visible():
            form.locator("xpath=ancestor::details[1]").locator("summary").first.click()
        for name, value in (fields or {}).items():
            self._set(form.locator(f'[name="{name}"]').first, value)
        for name, (file, content) in (files or {}).items():
            held = {"name": file, "mimeType": "application/octet-stream", "buffer": content}
            form.locator(f'[name="{name}"]').set_input_files([held])
        with self.screen.expect_navigation():
            button.click()
        if refused is None:
            self._sound()
        else:
            assert squeeze(refused) in self.words, self.words

    def _set(self, one, value: str) -> None:
        tag = one.evaluate("e => e.tagName.toLowerCase()")
        if tag == "select":
            found = one.locator("option").all_inner_texts()
            label = next(text for text in found if squeeze(text).startswith(squeeze(value)))
            one.select_option(label=label)
        elif one.get_attribute("type") == "checkbox":
            one.set_checked(bool(value))
        else:
            one.fill(value)

    def _sound(self) -> None:
        assert not self.screen.locator(".lq-note-bad").count(), (self.path, self.words)
