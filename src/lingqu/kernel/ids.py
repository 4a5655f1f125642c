# SPDX-License-Identifier: Apache-2.0
"""Typed ids: UUIDv7 in a text form whose prefix names the kind (`pty_01jc...`).

The text form is the TypeID encoding (specification 0.3): prefix, underscore, 26 characters of
Crockford base32 in lower case. Ids sort by the time at which they were made.
"""

from __future__ import annotations

import re
import uuid
from typing import ClassVar, Self

from lingqu.kernel import errors

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUE = {character: number for number, character in enumerate(_ALPHABET)}
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_PLACES = range(120, -1, -10)
"""Two characters are ten bits, the first two of which are beyond the 128."""
_SUFFIX = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}\Z")


class BadId(errors.Rejected):
    """The text is not an id of the kind that was expected."""

    code = "kernel.id.bad"


class Id(str):
    """An id in its text form; one subclass for each kind of thing.

    Being a `str`, it goes into SQL, JSON and logs as it is; being its own class, it cannot be
    passed where another kind is expected. Raises BadId for any other text.
    """

    __slots__ = ()
    prefix: ClassVar[str] = ""
    kinds: ClassVar[dict[str, type[Id]]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Register the kind under its prefix, which must be unique."""
        super().__init_subclass__(**kwargs)
        other = Id.kinds.setdefault(cls.prefix, cls)
        assert other.__qualname__ == cls.__qualname__, f"two kinds of id share {cls.prefix}"

    def __new__(cls, text: str) -> Self:
        """Check the prefix and the encoding of `text` and give it its kind."""
        head, _, tail = text.partition("_")
        if head != cls.prefix or not _SUFFIX.match(tail):
            raise BadId(expected=cls.prefix, text=text[:40])
        return super().__new__(cls, text)

    @classmethod
    def make(cls, *, unix_ms: int, entropy: bytes) -> Self:
        """This will build a UUIDv7 (RFC 9562, 5.7) from milliseconds and 10 random bytes."""
        assert 0 <= unix_ms < 1 << 48, "48 bits of milliseconds"
        assert len(entropy) == 10, "80 bits, of which 74 are used"
        random = int.from_bytes(entropy)
        number = unix_ms << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64
        number |= 0b10 << 62 | random & (1 << 62) - 1
        return cls._of(number)

    @classmethod
    def of(cls, value: uuid.UUID) -> Self:
        """This will give the text form of a UUID."""
        return cls._of(value.int)

    @classmethod
    def _of(cls, number: int) -> Self:
        pairs = [_PAIRS[number >> place & 1023] for place in _PLACES]
        return super().__new__(cls, f"{cls.prefix}_{''.join(pairs)}")

    @property
    def uuid(self) -> uuid.UUID:
        """The 128 bits behind the text."""
        number = 0
        for character in self.partition("_")[2]:
            number = number << 5 | _VALUE[character]
        return uuid.UUID(int=number)

    @property
    def unix_ms(self) -> int:
        """When the id was made, in milliseconds since 1970."""
        return self.uuid.int >> 80
