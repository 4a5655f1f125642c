# SPDX-License-Identifier: Apache-2.0
"""Forms as they arrive: read once, checked for the session's token before anything sees them."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Any, TypeVar

import multipart
from litestar import Request
from litestar.exceptions import InternalServerException

from lingqu.kernel.ids import Id
from lingqu.ui.refusals import FormExpired, FormIncomplete, FormUnreadable
from lingqu.ui.visitors import visit_of

SomeId = TypeVar("SomeId", bound=Id)
_IN_PARTS = "multipart/form-data"
_PARTS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as somebody sent it: what they call it, and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one form; of a field sent twice the first counts, of files all."""

    fields: dict[str, str]
    files: dict[str, tuple[Upload, ...]]

    def file(self, name: str) -> Upload | None:
        """This will give the first file of a field, or None where none was chosen."""
        return next(iter(self.files.get(name, ())), None)

    def text(self, name: str) -> str:
        """This will give a field that must be there; raises FormIncomplete."""
        found = self.fields.get(name)
        if found is None:
            raise FormIncomplete(field=name)
        return found

    def maybe(self, name: str) -> str | None:
        """This will give a field, or None where it is missing or blank."""
        return (self.fields.get(name) or "").strip() or None

    def id(self, name: str, kind: type[SomeId]) -> SomeId:
        """This will give a field that holds an id; raises FormIncomplete, BadId."""
        return kind(self.text(name))


async def read_form(request: Request[Any, Any, Any]) -> None:
    """This will read the form of a write and refuse it without the token; a hook before handlers.

    Being a hook of the whole application, it cannot be forgotten by a page. Raises FormExpired,
    FormUnreadable.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    kind, options = multipart.parse_options_header(request.headers.get("content-type", ""))
    try:
        if kind == _IN_PARTS:
            form = await _read_parts(request.stream(), options.get("boundary", ""))
        else:
            form = Form({}, {})
            for name, value in (await request.form()).multi_items():
                form.fields.setdefault(name, str(value))
    except multipart.MultipartError as error:
        raise FormUnreadable(reason=str(error)[:200]) from None
    except UnicodeError:
        raise FormUnreadable(reason="UTF-8") from None
    except InternalServerException:
        # The browser went on before it had sent everything; nobody reads the answer.
        raise FormUnreadable(reason="") from None
    given, expected = form.fields.get("csrf", ""), visit_of(request).csrf
    if not secrets.compare_digest(given.encode(errors="replace"), expected.encode()):
        raise FormExpired
    request.scope["state"]["form"] = form


async def _read_parts(stream: AsyncIterable[bytes], boundary: str) -> Form:
    """Read a form in parts, in UTF-8 whatever a part says of itself (RFC 7578 section 5.1.2).

    Nothing is kept outside of memory: how long a body may be is the door's to hold. Raises
    MultipartError and UnicodeError.
    """
    form = Form({}, {})
    with multipart.PushMultipartParser(boundary, max_segment_count=_PARTS_MAX) as parser:
        content = bytearray()
        async for chunk in stream:
            for event in parser.parse(chunk):
                if isinstance(event, multipart.MultipartSegment):
                    part, content = event, bytearray()
                elif event is not None:
                    content += event
                elif part.filename is None:
                    form.fields.setdefault(part.name or "", content.decode())
                elif part.filename or content:
                    sent = Upload(name=part.filename, content=bytes(content))
                    name = part.name or ""
                    form.files[name] = (*form.files.get(name, ()), sent)
            if parser.closed:
                break
    return form


def chosen(form: Form, name: str, allowed: type[Any]) -> Any:
    """This will give a field as a member of an enumeration; raises FormIncomplete."""
    try:
        return allowed(form.text(name))
    except ValueError:
        raise FormIncomplete(field=name) from None


def local_path(text: str | None) -> str:
    """This will give a path of this server to go on to; anything else becomes the home page."""
    ours = text is not None and text.startswith("/") and text[1:2] not in {"/", "\\"}
    plain = ours and text is not None and text.isprintable() and text.isascii()
    return text[:500] if plain and text is not None else "/"
