# SPDX-License-Identifier: Apache-2.0
"""Files for people: letters and certificates as Word and PDF, tables as Excel, QR codes.

A template declares its fields. `render` checks plain data against them, puts the words into place
once, and has the same letter drawn as DOCX or PDF; the same data give the same bytes, so that a
fact can hold their digest. What somebody typed is text everywhere and never part of a template.
`write_sheet` and `read_sheet` keep tables with official column names, out and in again.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lingqu.runtime.documents.amounts import format_amount, spell_amount
from lingqu.runtime.documents.fields import (
    BadCharacter,
    BadField,
    Field,
    FieldKind,
    FieldMissing,
    FieldUnknown,
)
from lingqu.runtime.documents.fonts import FontMissing, Fonts, find_fonts
from lingqu.runtime.documents.letters import (
    Form,
    Template,
    TemplateMissing,
    fill,
    find_templates,
    get_template,
    sealed,
)
from lingqu.runtime.documents.pdf import GlyphMissing, write_pages, write_pdf
from lingqu.runtime.documents.qr import QRTooLong, draw_png, draw_svg
from lingqu.runtime.documents.sheets import (
    BadCell,
    CellFormula,
    CellKind,
    CellMissing,
    ColumnMissing,
    ColumnUnknown,
    NotASheet,
    SheetColumn,
    SheetLimits,
    SheetReading,
    SheetTooLarge,
    read_sheet,
    write_sheet,
)
from lingqu.runtime.documents.word import write_docx
from lingqu.runtime.seals import PLACE_FOR_SEAL, Seal

__all__ = (
    "BadCell",
    "BadCharacter",
    "BadField",
    "CellFormula",
    "CellKind",
    "CellMissing",
    "ColumnMissing",
    "ColumnUnknown",
    "Document",
    "Field",
    "FieldKind",
    "FieldMissing",
    "FieldUnknown",
    "FontMissing",
    "Fonts",
    "Form",
    "Format",
    "GlyphMissing",
    "NotASheet",
    "QRTooLong",
    "SheetColumn",
    "SheetLimits",
    "SheetReading",
    "SheetTooLarge",
    "Template",
    "TemplateMissing",
    "draw_png",
    "draw_svg",
    "find_fonts",
    "find_templates",
    "format_amount",
    "get_template",
    "preview",
    "read_sheet",
    "render",
    "spell_amount",
    "write_sheet",
)


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
    template: str,
    data: Mapping[str, object],
    *,
    to: Format,
    fonts: Path | None = None,
    seal: Seal = PLACE_FOR_SEAL,
) -> Document:
    """This will make a document from a template and plain data; the same input, the same bytes.

    `seal` says what is printed under the text besides the place for the physical one, `fonts` is a
    folder of further fonts for PDF. Raises TemplateMissing, FieldMissing, FieldUnknown, BadField,
    BadCharacter; for PDF also FontMissing and GlyphMissing.
    """
    letter = sealed(fill(get_template(template), data), seal.mark(template, data))
    content = write_pdf(letter, fonts=fonts) if to is Format.PDF else write_docx(letter)
    return Document(
        template=template,
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
