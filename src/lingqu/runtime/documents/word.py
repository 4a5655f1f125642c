# SPDX-License-Identifier: Apache-2.0
"""A letter as DOCX, drawn by docxtpl from the Word template that lies open in `letter`.

The template is kept as its parts, so that a change of it can be read. Word needs no font of this
machine; the styles name those that an office has.
"""

from __future__ import annotations

import base64
import functools
import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

from lingqu.kernel.values import to_plain
from lingqu.runtime.documents.letters import Letter
from lingqu.runtime.documents.pdf import head_size
from lingqu.runtime.documents.qr import draw_png

_FOLDER = Path(__file__).parent / "letter"
_PARTS = (
    "[Content_Types].xml",
    "_rels/.rels",
    "word/_rels/document.xml.rels",
    "word/document.xml",
    "word/fontTable.xml",
    "word/footer-even.xml",
    "word/footer-odd.xml",
    "word/settings.xml",
    "word/styles.xml",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)
# docxtpl rewrites a few pairs of characters with braces wherever they come from. Braces of the data
# travel as code points that no text may hold (see `fields`) and return when all is drawn.
_AWAY = str.maketrans({"{": "\ufdd0", "}": "\ufdd1"})
_BACK = (("\ufdd0".encode(), b"{"), ("\ufdd1".encode(), b"}"))
_CORE = "docProps/core.xml"
ENCLOSED = "customXml/item1.xml"
"""The part that holds the signed content, and what stands around it."""
ENCLOSED_FORM = '<paper xmlns="urn:lingqu:paper:1">{}</paper>'
_RELATIONS = "word/_rels/document.xml.rels"
_RELATION = (
    '<Relationship Id="rIdPaper" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/customXml" Target="../customXml/item1.xml"/></Relationships>'
)


def write_docx(letter: Letter) -> bytes:
    """This will draw the letter as DOCX; the same letter gives the same bytes."""
    # A third of a second to load: not at the start of every command, only where one is drawn.
    from docx.shared import Mm
    from docxtpl import DocxTemplate, InlineImage

    template = DocxTemplate(io.BytesIO(_skeleton()))
    context = _without_braces(to_plain(letter))
    assert isinstance(context, dict), "a dataclass becomes an object"
    if letter.link:
        picture = io.BytesIO(draw_png(letter.link))
        context["picture"] = InlineImage(template, picture, width=Mm(30))
    context["head_size"] = head_size(letter.issuer) * 2
    template.render(context, autoescape=True)
    drawn = io.BytesIO()
    template.save(drawn)
    return _settled(drawn.getvalue(), letter)


@functools.cache
def _skeleton() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name in _PARTS:
            package.writestr(zipfile.ZipInfo(name, _EPOCH), (_FOLDER / name).read_bytes())
    return out.getvalue()


def _without_braces(plain: object) -> object:
    if isinstance(plain, str):
        return plain.translate(_AWAY)
    if isinstance(plain, list):
        return [_without_braces(item) for item in plain]
    if isinstance(plain, dict):
        return {name: _without_braces(item) for name, item in plain.items()}
    return plain


def _settled(drawn: bytes, letter: Letter) -> bytes:
    """The package without the times of its making.

    Nothing in it is compressed, because another version of the compressor gives other bytes.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(drawn)) as before, zipfile.ZipFile(out, "w") as package:
        for name in before.namelist():
            content = before.read(name)
            if name == _CORE:
                content = _core(letter)
            elif name.endswith(".xml"):
                for away, back in _BACK:
                    content = content.replace(away, back)
            elif name == _RELATIONS and letter.enclosed:
                content = content.replace(b"</Relationships>", _RELATION.encode())
            package.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        if letter.enclosed:
            held = ENCLOSED_FORM.format(base64.b64encode(letter.enclosed.encode()).decode())
            package.writestr(zipfile.ZipInfo(ENCLOSED, _EPOCH), held)
    return out.getvalue()


def _core(letter: Letter) -> bytes:
    title = f"{letter.title} {letter.number}".strip()
    text = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
        'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{escape(title)}</dc:title><dc:creator>{escape(letter.issuer)}</dc:creator>"
        "<dc:language>zh-CN</dc:language></cp:coreProperties>"
    )
    return text.encode()
