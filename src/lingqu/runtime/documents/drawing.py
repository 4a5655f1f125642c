# SPDX-License-Identifier: Apache-2.0
"""From a template and data to a file: checked, put into place, marked by a seal, drawn."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lingqu.runtime.documents.letters import fill, get_template, sealed
from lingqu.runtime.documents.pdf import write_pages, write_pdf
from lingqu.runtime.documents.word import write_docx
from lingqu.runtime.seals import PLACE_FOR_SEAL, Paper, Seal


class Format(enum.Enum):
    """The file a document becomes."""

    DOCX = "docx"
    PDF = "pdf"


_MEDIA_TYPES = {
    Format.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    Format.PDF: "application/pdf",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that was made: its bytes, their SHA-256 in hexadecimal, and what it is."""

    template: str
    title: str
    format: Format
    media_type: str
    sha256: str
    content: bytes


def render(
    template: str, data: Mapping[str, object], *, to: Format, fonts: Path | None = None
) -> Document:
    """This will make a document that nobody signs; the same input, the same bytes.

    `fonts` is a folder of further fonts for PDF. Raises TemplateMissing, FieldMissing,
    FieldUnknown, BadField, BadCharacter; for PDF also FontMissing and GlyphMissing.
    """
    return draw(Paper(template=template, data=data), to=to, fonts=fonts, seal=PLACE_FOR_SEAL)


def draw(paper: Paper, *, to: Format, seal: Seal, fonts: Path | None = None) -> Document:
    """This will draw a paper with the mark of a seal beside the place for the physical one.

    Raises as `render`.
    """
    letter = sealed(fill(get_template(paper.template), paper.data), seal.mark(paper))
    content = write_pdf(letter, fonts=fonts) if to is Format.PDF else write_docx(letter)
    return Document(
        template=paper.template,
        title=letter.title,
        format=to,
        media_type=_MEDIA_TYPES[to],
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )


def preview(
    template: str, data: Mapping[str, object], *, fonts: Path | None = None, dots: int = 96
) -> tuple[bytes, ...]:
    """This will draw each page of a document as PNG, to be shown before it is issued.

    Raises as `render` for PDF.
    """
    return write_pages(fill(get_template(template), data), fonts=fonts, dots=dots)
