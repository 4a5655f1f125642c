# SPDX-License-Identifier: Apache-2.0
"""Pages of a list that is walked by a cursor, never by an offset."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

from lingqu.kernel import errors

Item = TypeVar("Item")

SIZE_DEFAULT = 50
SIZE_MAX = 500


class BadPage(errors.Rejected):
    """The cursor is not one we gave out, or the size is outside 1 to 500."""

    code = "kernel.page.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which page: `size` items (1 to 500) after `after`, the opaque end of the page before."""

    size: int = SIZE_DEFAULT
    after: str | None = None

    def __post_init__(self) -> None:
        """Refuse sizes that are none."""
        if not 1 <= self.size <= SIZE_MAX:
            raise BadPage(size=self.size, most=SIZE_MAX)

    @property
    def key(self) -> str | None:
        """The sort key after which the page begins; None for the first page. Raises BadPage."""
        if self.after is None:
            return None
        try:
            padded = self.after + "=" * (-len(self.after) % 4)
            key = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError):
            raise BadPage(size=self.size, most=SIZE_MAX) from None
        if "\x00" in key:
            raise BadPage(size=self.size, most=SIZE_MAX)
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Some items in order, and the cursor of the page after them (None: this was the last)."""

    items: tuple[Item, ...]
    next: str | None = None


def cursor(key: str) -> str:
    """This will make the opaque cursor for a sort key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
