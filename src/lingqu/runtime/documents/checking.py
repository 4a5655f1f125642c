# SPDX-License-Identifier: Apache-2.0
"""Whether a file is a paper of ours to the last byte: its content is signed, its drawing is ours.

A Word or PDF file encloses the signed content it was drawn from. The signature is checked first;
then the file is drawn again from that content alone, and must come out the same.
"""

from __future__ import annotations

import base64
import io
import re
import zipfile
import zlib
from pathlib import Path

from lingqu.kernel import errors
from lingqu.runtime.documents.drawing import Format, draw
from lingqu.runtime.documents.word import ENCLOSED, ENCLOSED_FORM
from lingqu.runtime.keys import Keyring
from lingqu.runtime.seals import BadPaper, CheckedPaper, GivenSeal, check_paper, is_paper

ENCLOSED_MOST = 16 << 20
_PDF, _ZIP = b"%PDF-", b"PK\x03\x04"
# The one attachment of a PDF, as it is written by what we draw with; no other PDF is read.
_ATTACHED = re.compile(
    rb"<</Length (\d{1,9})/Type/EmbeddedFile(/Filter/FlateDecode)?/Subtype[^\n]*\nstream\n"
)


class DrawingDiffers(errors.Rejected):
    """The file encloses content that we signed, but is not what we draw of it.

    It was altered, or drawn by another version or with other fonts.
    """

    code = "runtime.documents.drawing_differs"


def check_file(content: bytes, keyring: Keyring, *, fonts: Path | None = None) -> CheckedPaper:
    """This will check a paper as Word, PDF or signed content, to the last byte.

    Raises BadPaper, UnknownKey, BadSignature, and DrawingDiffers where only the file was altered.
    """
    if is_paper(content):
        return check_paper(content, keyring)
    if content.startswith(_PDF):
        form, enclosed = Format.PDF, _from_pdf(content)
    elif content.startswith(_ZIP):
        form, enclosed = Format.DOCX, _from_word(content)
    else:
        raise BadPaper
    checked = check_paper(enclosed, keyring)
    try:
        again = draw(checked.paper, to=form, fonts=fonts, seal=GivenSeal(signed=checked.signed))
    except errors.LingquError:
        # A template that asks for other fields by now: the words hold, the drawing is not known.
        raise DrawingDiffers(sha256=checked.sha256) from None
    if again.content != content:
        raise DrawingDiffers(sha256=checked.sha256)
    return checked


def _from_pdf(content: bytes) -> bytes:
    found = _ATTACHED.search(content)
    if found is None:
        raise BadPaper
    packed = content[found.end() : found.end() + int(found[1])]
    if found[2] is None:
        return packed
    try:
        return zlib.decompressobj().decompress(packed, ENCLOSED_MOST)
    except zlib.error:
        raise BadPaper from None


def _from_word(content: bytes) -> bytes:
    before, after = ENCLOSED_FORM.encode().split(b"{}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package, package.open(ENCLOSED) as stream:
            held = stream.read(ENCLOSED_MOST)
        return base64.b64decode(held.removeprefix(before).removesuffix(after), validate=True)
    except (zipfile.BadZipFile, KeyError, ValueError, zlib.error, NotImplementedError, OSError):
        raise BadPaper from None
    except RuntimeError:
        # A part that is encrypted.
        raise BadPaper from None
