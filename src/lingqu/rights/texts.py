# SPDX-License-Identifier: Apache-2.0
"""What free text of schemes and registrations may hold: what can be read and printed."""

from __future__ import annotations

from lingqu.kernel import errors


class BadText(errors.Rejected):
    """A text is empty, too long, or holds characters that cannot be seen or printed."""

    code = "rights.text.bad"


def check_line(text: str, *, where: str, most: int) -> str:
    """This will give one line of text without blanks around it. Raises BadText."""
    found = text.strip()
    if not 0 < len(found) <= most or not found.isprintable():
        raise BadText(where=where, most=most)
    return found


def check_prose(text: str, *, where: str, most: int) -> str:
    """This will give text of several lines without blanks around it. Raises BadText."""
    found = text.replace("\r\n", "\n").strip()
    lines = found.split("\n")
    if not 0 < len(found) <= most or not all(one.isprintable() for one in lines):
        raise BadText(where=where, most=most)
    return found
