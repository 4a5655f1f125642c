# SPDX-License-Identifier: Apache-2.0
"""Facts: what a command did, as evidence, audit entry and message at once.

A fact is recorded into the transaction's draft and written when its command ends. It names every
row version written since the fact before it, by salted digest, so that no row changes unrecorded.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import ClassVar

from lingqu.kernel import canon
from lingqu.kernel.ids import Id
from lingqu.kernel.time import format_instant
from lingqu.kernel.values import to_plain
from lingqu.runtime import Tx, new_id

SALT_BYTES = 16


class FactId(Id):
    """The id of one fact."""

    prefix = "fct"


class CommandId(Id):
    """The id a caller makes for one command: sending it again is safe."""

    prefix = "cmd"


class Fact:
    """A thing that happened, in the past tense: a frozen dataclass with a stable `kind`.

    Its fields hold ids, digests, codes and figures, never personal data in clear.
    """

    __slots__ = ()
    kind: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Register the kind for the reference and for subscribers."""
        super().__init_subclass__(**kwargs)
        known = _kinds.setdefault(cls.kind, cls)
        assert known.__qualname__ == cls.__qualname__, f"two facts share the kind {cls.kind}"
        _kinds[cls.kind] = cls


_kinds: dict[str, type[Fact]] = {}


def fact_kinds() -> tuple[type[Fact], ...]:
    """This will list every kind of fact, in the order of their names."""
    return tuple(_kinds[kind] for kind in sorted(_kinds))


@dataclass(frozen=True, slots=True, kw_only=True)
class RowVersion:
    """One version of one audited row: its canonical content, and the salt that hides it."""

    table: str
    key: str
    version: int
    shape: int
    salt: bytes
    content: str

    @property
    def digest(self) -> str:
        """SHA-256 of salt and content, in hex: what the fact carries."""
        return row_digest(self.salt, self.content)


def row_digest(salt: bytes, content: str) -> str:
    """This will give the hex SHA-256 over the salt and the canonical content of a row."""
    return hashlib.sha256(salt + content.encode()).hexdigest()


def row_content(*, table: str, key: str, version: int, shape: int, row: object) -> str:
    """This will write the canonical content whose digest a fact carries; `row` None is removed."""
    parts = {"table": table, "key": key, "version": version, "shape": shape, "row": row}
    return canon.encode(parts).decode()


def new_salt() -> bytes:
    """This will make 16 random bytes."""
    return secrets.token_bytes(SALT_BYTES)


@dataclass(slots=True, kw_only=True)
class _Pending:
    id: FactId
    fact: Fact
    rows: list[RowVersion]


@dataclass(slots=True, kw_only=True)
class Draft:
    """What the running command has written so far; lives in the transaction's notes."""

    command: CommandId
    name: str
    request: bytes
    salt: bytes
    facts: list[_Pending] = field(default_factory=list)
    loose_rows: list[RowVersion] = field(default_factory=list)
    authorized: int = 0

    def check_complete(self) -> None:
        """Fail the transaction of a command that wrote rows no fact names."""
        assert self.facts, f"{self.name} recorded no fact"
        assert not self.loose_rows, f"{self.name} wrote rows after its last fact"


def draft_of(tx: Tx) -> Draft:
    """This will give the draft of the running command; outside of one it is a mistake."""
    draft: Draft | None = tx.notes.get(Draft)
    assert draft is not None, "rows and facts are written by commands only"
    return draft


def record(tx: Tx, fact: Fact) -> FactId:
    """This will record a fact, naming every row version written since the one before it."""
    draft = draft_of(tx)
    pending = _Pending(id=new_id(FactId), fact=fact, rows=draft.loose_rows)
    draft.loose_rows = []
    draft.facts.append(pending)
    return pending.id


_INSERT_COMMAND = """
    INSERT INTO trust.command (id, name, actor, salt, request, result, at)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_INSERT_FACTS = """
    INSERT INTO trust.fact (id, ordinal, command, kind, at, body)
    SELECT u.id, u.ordinal, %s, u.kind, %s, u.body
    FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[]) AS u (id, ordinal, kind, body)
"""
_INSERT_FACT = """
    INSERT INTO trust.fact (id, ordinal, command, kind, at, body) VALUES (%s, %s, %s, %s, %s, %s)
"""
_INSERT_COMMAND_AND_FACT = f"""
    WITH c AS ({_INSERT_COMMAND}) {_INSERT_FACT}
"""  # most commands record one fact
_INSERT_ROW = """
    INSERT INTO trust.row_version (table_name, key, version, shape, salt, content, fact)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_FEW = 8
"""Up to so many facts or rows go as single statements of one round trip; arrays pay above that."""
_INSERT_ROWS = """
    INSERT INTO trust.row_version (table_name, key, version, shape, salt, content, fact)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::int[], %s::bytea[], %s::text[],
                         %s::text[])
"""


def write_draft(tx: Tx, draft: Draft, result: str | None) -> None:
    """This will write the command, its facts and the row versions they name with the commit."""
    draft.check_complete()
    actor = tx.caller.account
    answer = result_digest(draft.salt, result)
    bodies = [_body(tx, draft, answer, place, pending) for place, pending in enumerate(draft.facts)]
    rows = [(row, pending.id) for pending in draft.facts for row in pending.rows]
    command = (draft.command, draft.name, actor, draft.salt, draft.request, result, tx.now)
    facts = [
        (pending.id, place, draft.command, pending.fact.kind, tx.now, body)
        for place, (pending, body) in enumerate(zip(draft.facts, bodies, strict=True))
    ]
    versions = [
        (row.table, row.key, row.version, row.shape, row.salt, row.content, fact)
        for row, fact in rows
    ]
    if len(facts) == 1:
        tx.later(_INSERT_COMMAND_AND_FACT, (*command, *facts[0]))
    elif len(facts) <= _FEW:
        tx.later(_INSERT_COMMAND, command)
        for fact in facts:
            tx.later(_INSERT_FACT, fact)
    else:
        tx.later(_INSERT_COMMAND, command)
        ids, places, _, kinds, _, texts = (list(column) for column in zip(*facts, strict=True))
        tx.later(_INSERT_FACTS, (draft.command, tx.now, ids, places, kinds, texts))
    if len(versions) <= _FEW:
        for version in versions:
            tx.later(_INSERT_ROW, version)
    else:
        tx.later(_INSERT_ROWS, tuple(list(column) for column in zip(*versions, strict=True)))


def result_digest(salt: bytes, result: str | None) -> str:
    """This will give the hex HMAC-SHA-256 of a command's stored result, for its facts to name."""
    return hmac.digest(salt, b"result:" + (result or "").encode(), "sha256").hex()


def _body(tx: Tx, draft: Draft, result: str, ordinal: int, pending: _Pending) -> str:
    data = {
        item.name: to_plain(getattr(pending.fact, item.name))
        for item in dataclasses.fields(pending.fact)  # type: ignore[arg-type]  # every fact is a dataclass
    }
    entry = {
        "v": 1,
        "fact": pending.id,
        "kind": pending.fact.kind,
        "ordinal": ordinal,
        "at": format_instant(tx.now),
        "command": {
            "id": draft.command,
            "name": draft.name,
            "request": draft.request.hex(),
            "result": result,
        },
        "actor": str(tx.caller.account),
        "rules": tx.rules,
        "clock": tx.clock,
        "data": data,
        "rows": [
            {
                "table": row.table,
                "key": row.key,
                "version": row.version,
                "shape": row.shape,
                "digest": row.digest,
            }
            for row in pending.rows
        ],
    }
    return canon.encode(entry).decode()
