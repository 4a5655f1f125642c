# SPDX-License-Identifier: Apache-2.0
"""Reads the words back out of a DOCX and a PDF, to see what a person would see."""

import io
import re
import zlib

import docx
import pytest

from lingqu.runtime import documents

STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def has_chinese_fonts():
    try:
        return bool(documents.find_fonts())
    except documents.FontMissing:
        return False


needs_chinese_fonts = pytest.mark.skipif(
    not has_chinese_fonts(), reason="this machine has no Chinese font; `lingqu doctor` says which"
)


def docx_texts(content):
    """Every paragraph and cell of a Word file, in order of reading."""
    document = docx.Document(io.BytesIO(content))
    found = []
    for piece in document.iter_inner_content():
        if isinstance(piece, docx.text.paragraph.Paragraph):
            found.append(piece.text)
        else:
            found += [cell.text for row in piece.rows for cell in row.cells]
    return found


def pdf_texts(content):
    """The text of a PDF, once for each of its fonts: where another font is used, it has gaps."""
    streams = []
    for match in STREAM.finditer(content):
        try:
            # The byte before the end of the line may belong to the data.
            streams.append(zlib.decompressobj().decompress(match[1]))
        except zlib.error:
            streams.append(match[1])
    maps = [
        cmap(stream) for stream in streams if b"beginbfchar" in stream or b"beginbfrange" in stream
    ]
    pages = [stream for stream in streams if b" Tf" in stream]
    assert maps, "a PDF with text has maps from glyphs to characters"
    return ["".join(shown(page, found) for page in pages) for found in maps]


def cmap(stream):
    found = {}
    for section in re.findall(rb"beginbfchar(.*?)endbfchar", stream, re.DOTALL):
        for glyph, text in PAIR.findall(section):
            found[int(glyph, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    return found


def shown(page, found):
    glyphs = []
    for raw in strings(page):
        glyphs += [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
    return "".join(found.get(glyph, "\0") for glyph in glyphs)


def strings(page):
    """Every string of a content stream: (literal), with brackets that balance, or <hexadecimal>."""
    at = 0
    while at < len(page):
        if page[at : at + 2] in {b"<<", b">>"}:
            at += 2
        elif page[at : at + 1] == b"<":
            end = page.index(b">", at)
            yield bytes.fromhex(page[at + 1 : end].decode())
            at = end + 1
        elif page[at : at + 1] == b"(":
            text, at = literal(page, at + 1)
            yield text
        else:
            at += 1


def literal(page, at):
    text, depth = bytearray(), 1
    while True:
        byte = page[at : at + 1]
        if byte == b"\\":
            octal = re.match(rb"[0-7]{1,3}", page[at + 1 : at + 4])
            text += (
                bytes([int(octal[0], 8)]) if octal else LETTERS.get(*[page[at + 1 : at + 2]] * 2)
            )
            at += 1 + (len(octal[0]) if octal else 1)
            continue
        depth += (byte == b"(") - (byte == b")")
        at += 1
        if not depth:
            return bytes(text), at
        text += byte
