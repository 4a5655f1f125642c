# SPDX-License-Identifier: Apache-2.0
"""Hides how every field that takes text is found: in the API's description, in a page's forms."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from lingqu.kernel.ids import Id
from lingqu.runtime import new_id

PLAIN = "正常文字"
Path = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the API says about itself."""

    document: dict[str, Any]

    def writes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every route that takes a body, with the body's schema."""
        for path, methods in self.document["paths"].items():
            body = methods.get("post", {}).get("requestBody")
            if body:
                yield path, next(iter(body["content"].values()))["schema"]

    def whole(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema without references and without the choice of leaving it out."""
        while True:
            if "$ref" in schema:
                name = schema["$ref"].rpartition("/")[2]
                schema = self.document["components"]["schemas"][name]
            elif choices := schema.get("oneOf") or schema.get("anyOf"):
                schema = next(one for one in choices if one.get("type") != "null")
            else:
                return schema

    def texts(self, schema: dict[str, Any], above: Path = ()) -> Iterator[Path]:
        """The way to every field of a body that takes any text."""
        schema = self.whole(schema)
        if "string" in _types(schema) and "enum" not in schema and "format" not in schema:
            yield above
        for name, inner in schema.get("properties", {}).items():
            yield from self.texts(inner, (*above, name))
        if "items" in schema and len(above) < 8:
            yield from self.texts(schema["items"], (*above, 0))

    def body(self, schema: dict[str, Any], known: dict[str, Any], name: str = "") -> Any:
        """A body by its schema, with what is known in the fields of that name."""
        schema = self.whole(schema)
        if name in known:
            return copy.deepcopy(known[name])
        if "enum" in schema:
            return next(one for one in schema["enum"] if one is not None)
        match next(iter(_types(schema)), None):
            case "object":
                return {
                    field: self.body(inner, known, field)
                    for field, inner in schema.get("properties", {}).items()
                    if field in schema.get("required", ()) or field in known
                }
            case "array":
                return [self.body(schema["items"], known, "")]
            case "integer" | "number":
                return 1
            case "boolean":
                return False
        return PLAIN


def _types(schema: dict[str, Any]) -> tuple[str, ...]:
    given = schema.get("type", ())
    return tuple(one for one in ([given] if isinstance(given, str) else given) if one != "null")


def put(body: Any, way: Path, text: str) -> Any:
    """A body with one field changed; what is missing on the way there is made."""
    if not way:
        return text
    first, *rest = way
    if isinstance(first, int):
        items = list(body) if isinstance(body, list) and body else [None]
        return [put(items[0], tuple(rest), text), *items[1:]]
    held = dict(body) if isinstance(body, dict) else {}
    return held | {first: put(held.get(first), tuple(rest), text)}


def values(found: Any, name: str) -> Iterator[Any]:
    """Every value that stands under a name anywhere in an answer."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key == name:
                yield from value if isinstance(value, list) else [value]
            yield from values(value, name)
    elif isinstance(found, list):
        for one in found:
            yield from values(one, name)


def fresh(prefix: str) -> str:
    """A new id of a kind."""
    return str(new_id(Id.kinds[prefix]))


@dataclasses.dataclass(slots=True)
class PageForm:
    """One form of a page: where it goes, what it holds, and which of it takes text."""

    action: str
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    texts: list[str] = dataclasses.field(default_factory=list)
    files: list[str] = dataclasses.field(default_factory=list)
    is_upload: bool = False


class Forms(HTMLParser):
    """Reads the forms that write out of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[PageForm] = []
        self._open: PageForm | None = None
        self._select: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = (
                PageForm(given.get("action", "")) if given.get("method") == "post" else None
            )
            if self._open is not None:
                self._open.is_upload = given.get("enctype") == "multipart/form-data"
                self.found.append(self._open)
        if self._open is None:
            return
        name = given.get("name", "")
        if tag == "input" and name:
            self._input(name, given)
        elif tag == "textarea" and name:
            self._open.texts.append(name)
            self._open.fields[name] = PLAIN
        elif tag == "button" and name:
            self._open.fields.setdefault(name, given.get("value", ""))
        elif tag == "select":
            self._select = name
        elif (
            tag == "option"
            and self._select
            and ("selected" in given or not self._open.fields.get(self._select))
        ):
            self._open.fields[self._select] = given.get("value", "")

    def _input(self, name: str, given: dict[str, str]) -> None:
        assert self._open is not None, "asked inside a form only"
        kind = given.get("type", "text")
        if kind in {"text", "search"} and "readonly" not in given:
            self._open.texts.append(name)
            self._open.fields[name] = given.get("value") or PLAIN
        elif kind in {"checkbox", "radio"}:
            if "checked" in given or name not in self._open.fields:
                self._open.fields[name] = given.get("value", "on")
        elif kind == "number":
            self._open.fields[name] = given.get("value") or "1"
        elif kind == "date":
            self._open.fields[name] = given.get("value") or "2026-11-20"
        elif kind == "file":
            self._open.files.append(name)
        else:
            self._open.fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = None
