# SPDX-License-Identifier: Apache-2.0
"""A letter as PDF/A, set by typst from one layout that reads nothing but its input.

PDF/A-2u; where the letter encloses its signed content as an attachment, PDF/A-3u, which is the
same but for being allowed to.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from pathlib import Path
from typing import Literal

import typst

from lingqu.kernel import errors
from lingqu.kernel.values import to_plain
from lingqu.runtime.documents.fonts import find_fonts, folder_of
from lingqu.runtime.documents.letters import Letter
from lingqu.runtime.documents.qr import draw_svg

_LAYOUT = Path(__file__).parent / "letter" / "letter.typ"
_UNSHOWN = re.compile(r'the text `?"(.)', re.DOTALL)
# typst keeps what it set in memory per compiler; one job at a time bounds it.
_ONE_AT_A_TIME = threading.Lock()


class GlyphMissing(errors.Rejected):
    """No font on this machine can show one of the characters."""

    code = "runtime.documents.glyph_missing"


def write_pdf(letter: Letter, *, fonts: Path | None = None) -> bytes:
    """This will set the letter as PDF/A; the same letter and fonts give the same bytes.

    Raises FontMissing or GlyphMissing.
    """
    return _compile(letter, fonts, "pdf")[0]


def write_pages(letter: Letter, *, fonts: Path | None = None, dots: int = 96) -> tuple[bytes, ...]:
    """This will draw each page as PNG with `dots` per inch. Raises as `write_pdf`."""
    return _compile(letter, fonts, "png", dots=dots)


def head_size(issuer: str) -> int:
    """The size of the red head in points: one line of 156 mm, and at most 小初 (36 pt)."""
    return max(16, min(36, int(440 / max(1, len(issuer)) / 1.1)))


def _compile(
    letter: Letter, fonts: Path | None, form: Literal["pdf", "png"], *, dots: int | None = None
) -> tuple[bytes, ...]:
    chosen = find_fonts(fonts)
    data = {
        **_object(to_plain(letter)),
        "fonts": {"body": chosen.body, "heads": chosen.heads},
        "code": draw_svg(letter.link).decode() if letter.link else "",
        "author": letter.issuer,
        "head-size": head_size(letter.issuer),
    }
    try:
        with _ONE_AT_A_TIME:
            made = _compiler(fonts).compile(
                format=form,
                ppi=dots,
                sys_inputs={"letter": json.dumps(data, ensure_ascii=False)},
                pdf_standards=_standard(letter) if form == "pdf" else [],
                timestamp=0,
            )
    except typst.TypstError as error:
        found = _UNSHOWN.search(str(error))
        if found is None:
            raise
        raise GlyphMissing(character=f"U+{ord(found[1]):04X}") from None
    pages = made if isinstance(made, list) else [made]
    return tuple(page for page in pages if page is not None)


def _standard(letter: Letter) -> Literal["a-2u", "a-3u"]:
    return "a-3u" if letter.enclosed else "a-2u"


def _object(plain: object) -> dict[str, object]:
    assert isinstance(plain, dict), "a dataclass becomes an object"
    return plain


@functools.lru_cache(maxsize=4)
def _compiler(fonts: Path | None) -> typst.Compiler:
    nowhere = str(_LAYOUT.parent / "no-packages")
    return typst.Compiler(
        str(_LAYOUT),
        root=str(_LAYOUT.parent),
        font_paths=folder_of(fonts),
        package_path=nowhere,
        package_cache_path=nowhere,
    )
