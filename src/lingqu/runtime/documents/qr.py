# SPDX-License-Identifier: Apache-2.0
"""QR codes as pictures: SVG for PDF and pages, PNG for Word."""

from __future__ import annotations

import io

import segno

from lingqu.kernel import errors

# Binary characters of the largest code at error correction M (ISO/IEC 18004, table 7).
LONGEST = 2331


class QRTooLong(errors.Rejected):
    """The text does not fit into one QR code."""

    code = "runtime.documents.qr_too_long"


def draw_svg(text: str) -> bytes:
    """This will draw the text as a QR code in SVG. Raises QRTooLong."""
    out = io.BytesIO()
    _code(text).save(out, kind="svg", scale=1, border=2, xmldecl=False, svgclass=None)
    return out.getvalue()


def draw_png(text: str, *, scale: int = 8) -> bytes:
    """This will draw the text as a QR code in PNG, `scale` pixels a module. Raises QRTooLong."""
    out = io.BytesIO()
    _code(text).save(out, kind="png", scale=scale, border=2)
    return out.getvalue()


def _code(text: str) -> segno.QRCode:
    if not text or len(text.encode()) > LONGEST:
        raise QRTooLong(longest=LONGEST)
    return segno.make_qr(text, error="m", encoding="utf-8")
