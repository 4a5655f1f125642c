# SPDX-License-Identifier: Apache-2.0
"""The entry of a log: one fact, and a salted digest of each row version that it explains.

An entry is canonical JSON and holds no personal data: rows appear as digests. Whoever has a row
and its salt can show what a digest stands for; once the salt is destroyed nobody can.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from lingqu_verify import canon
from lingqu_verify.errors import Malformed, Refuted

VERSION = 1
CLOCKS = ("real", "story")
MIN_SALT, MAX_SALT = 16, 64  # bytes
MAX_WORD = 200  # characters of an id, a name or a table
MAX_ROWS = 10_000

_KIND = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+\Z")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z\Z")
_HEX = re.compile(r"(?:[0-9a-f]{2})*\Z")

Check = Callable[[Any], bool]


class BadEntry(Malformed):
    """The text is not an entry of a Lingqu log."""

    code = "verify.entry.malformed"


class BadContent(Malformed):
    """The text is not the content of a row version."""

    code = "verify.content.malformed"


class NotDisclosed(Refuted):
    """The content is not what the entry's digest stands for."""

    code = "verify.content.not_disclosed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row version that a fact explains: where it is, and SHA-256(salt || content) in hex."""

    table: str
    key: str
    version: int
    shape: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One fact as it stands in the log.

    `at` is RFC 3339 in UTC with microseconds; `ordinal` counts the facts of one command from 0;
    `request` is the salted SHA-256 of the command's content and `result` that of what it answered
    (None in entries made before results were named); `clock` is "real" or "story".
    """

    fact: str
    kind: str
    ordinal: int
    at: str
    command: str
    command_name: str
    request: str
    actor: str | None
    rules: str | None
    clock: str
    data: Mapping[str, Any]
    rows: tuple[Row, ...]
    result: str | None = None

    def encode(self) -> bytes:
        """This will give the canonical text, whose leaf hash stands in the log.

        Raises BadEntry when a field has a form that no reader would accept.
        """
        rows = [{name: getattr(row, name) for name in _ROW} for row in self.rows]
        plain = {
            "v": VERSION,
            "fact": self.fact,
            "kind": self.kind,
            "ordinal": self.ordinal,
            "at": self.at,
            "command": {
                "id": self.command,
                "name": self.command_name,
                "request": self.request,
                **({} if self.result is None else {"result": self.result}),
            },
            "actor": self.actor,
            "rules": self.rules,
            "clock": self.clock,
            "data": dict(self.data),
            "rows": rows,
        }
        _check_entry(plain)
        return canon.encode(plain)

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """This will read an entry. Raises BadEntry, or NotCanonical for any other text."""
        plain = canon.decode(data)
        _check_entry(plain)
        command = plain["command"]
        return cls(
            fact=plain["fact"],
            kind=plain["kind"],
            ordinal=plain["ordinal"],
            at=plain["at"],
            command=command["id"],
            command_name=command["name"],
            request=command["request"],
            actor=plain["actor"],
            rules=plain["rules"],
            clock=plain["clock"],
            data=plain["data"],
            rows=tuple(Row(**row) for row in plain["rows"]),
            result=command.get("result"),
        )


def encode_content(
    *, table: str, key: str, version: int, shape: int, row: Mapping[str, Any]
) -> bytes:
    """This will give the canonical text of a row version, which is digested with a salt."""
    content = {"table": table, "key": key, "version": version, "shape": shape, "row": dict(row)}
    checked(content, _CONTENT, BadContent)
    return canon.encode(content)


def digest(salt: bytes, content: bytes) -> str:
    """This will digest a row's content: SHA-256(salt || content) in hex; salts have 16-64 bytes."""
    assert MIN_SALT <= len(salt) <= MAX_SALT, "a salt of 16 to 64 bytes"
    return hashlib.sha256(salt + content).hexdigest()


def disclose(row: Row, salt: bytes, content: bytes | str) -> dict[str, Any]:
    """This will check that a content is what a row's digest stands for, and give the content.

    Raises NotDisclosed when it is not, BadContent or NotCanonical when it is malformed.
    """
    raw = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    if not MIN_SALT <= len(salt) <= MAX_SALT:
        raise BadContent(field="salt")
    if digest(salt, raw) != row.digest:
        raise NotDisclosed(table=row.table, key=row.key)
    plain: dict[str, Any] = checked(canon.decode(raw), _CONTENT, BadContent)
    if any(plain[name] != getattr(row, name) for name in _CONTENT if name != "row"):
        raise NotDisclosed(table=row.table, key=row.key)
    return plain


def checked(plain: Any, checks: Mapping[str, Check], error: type[Malformed]) -> Any:
    """This will check that an object has exactly the named fields, each of the right form."""
    if type(plain) is not dict or plain.keys() != checks.keys():
        raise error(field="*")
    for name, check in checks.items():
        if not check(plain[name]):
            raise error(field=name)
    return plain


def is_count(value: Any) -> bool:
    """This will say whether a JSON value is a whole number from 0."""
    return type(value) is int and value >= 0


def is_hex(value: Any, size: int | None = None) -> bool:
    """This will say whether a JSON value is lower-case hex, of `size` bytes if that is given."""
    if type(value) is not str or (size is not None and len(value) != 2 * size):
        return False
    return _HEX.match(value) is not None


def is_digest(value: Any) -> bool:
    """This will say whether a JSON value is a SHA-256 hash in lower-case hex."""
    return is_hex(value, hashlib.sha256().digest_size)


def is_word(value: Any) -> bool:
    """This will say whether a JSON value is text of 1 to 200 characters."""
    return isinstance(value, str) and 0 < len(value) <= MAX_WORD


def is_list_of(check: Check, limit: int) -> Check:
    """This will make a check for lists of at most `limit` items that all pass `check`."""
    return lambda value: type(value) is list and len(value) <= limit and all(map(check, value))


def _check_entry(plain: Any) -> None:
    checked(plain, _ENTRY, BadEntry)
    known = _COMMAND if "result" in plain["command"] else _COMMAND_BEFORE_RESULTS
    checked(plain["command"], known, BadEntry)
    for row in plain["rows"]:
        checked(row, _ROW, BadEntry)


def _is_instant(value: Any) -> bool:
    if not isinstance(value, str) or not _AT.match(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_word_or_null(value: Any) -> bool:
    return value is None or is_word(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


_COMMAND_BEFORE_RESULTS: dict[str, Check] = {"id": is_word, "name": is_word, "request": is_digest}
_COMMAND: dict[str, Check] = {**_COMMAND_BEFORE_RESULTS, "result": is_digest}
_CONTENT: dict[str, Check] = {
    "table": is_word,
    "key": is_word,
    "version": is_count,
    "shape": is_count,
    "row": _is_object,
}
_ROW: dict[str, Check] = {
    "table": is_word,
    "key": is_word,
    "version": is_count,
    "shape": is_count,
    "digest": is_digest,
}
_ENTRY: dict[str, Check] = {
    "v": lambda value: type(value) is int and value == VERSION,
    "fact": is_word,
    "kind": lambda value: is_word(value) and _KIND.match(value) is not None,
    "ordinal": is_count,
    "at": _is_instant,
    "command": _is_object,
    "actor": _is_word_or_null,
    "rules": _is_word_or_null,
    "clock": lambda value: value in CLOCKS,
    "data": _is_object,
    "rows": is_list_of(_is_object, MAX_ROWS),
}
