# SPDX-License-Identifier: Apache-2.0
"""What people type, checked once for the whole package: visible, not empty, not too long."""

from __future__ import annotations

from lingqu.kernel import errors

TITLE_MAX = 100
SUMMARY_MAX = 2_000
REASON_MAX = 2_000


def checked_text(text: str, part: str, longest: int, *, refusal: type[errors.Rejected]) -> str:
    """This will give a text without spaces around it, or raise `refusal` naming the part."""
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise refusal(part=part)
    return plain
