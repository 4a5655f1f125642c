# SPDX-License-Identifier: Apache-2.0
"""Files for people: letters and certificates as Word and PDF, tables as Excel, QR codes.

A template declares its fields. `render` checks plain data against them, puts the words into place
once, and has the same letter drawn as DOCX or PDF; the same data give the same bytes, so that a
fact can hold their digest. What somebody typed is text everywhere and never part of a template.
A `Paper` is what the platform says under its signature: `draw` puts the mark of a seal on it, and
`check_file` tells whether a file is one, to the last byte.
`write_sheet` and `read_sheet` keep tables with official column names, out and in again.
"""

from __future__ import annotations

from lingqu.runtime.documents.amounts import format_amount, spell_amount
from lingqu.runtime.documents.checking import DrawingDiffers, check_file
from lingqu.runtime.documents.drawing import Document, Format, draw, preview, render
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
    TemplateMissing,
    find_templates,
    get_template,
)
from lingqu.runtime.documents.pdf import GlyphMissing
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
from lingqu.runtime.seals import Paper

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
    "DrawingDiffers",
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
    "Paper",
    "QRTooLong",
    "SheetColumn",
    "SheetLimits",
    "SheetReading",
    "SheetTooLarge",
    "TemplateMissing",
    "check_file",
    "draw",
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
