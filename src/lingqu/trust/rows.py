# SPDX-License-Identifier: Apache-2.0
"""Audited rows: the one path by which a domain writes tables whose every version is evidence.

A `Table` is declared beside the value it stores. Writing through it keeps the version's canonical
content with a salt and hands its digest to the next recorded fact. Tables that are not audited
row by row are declared too, as batch-audited or operational; an undeclared table fails the tidy
tests and the audit.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from lingqu.kernel import canon, errors, merkle
from lingqu.kernel.values import from_row, to_plain
from lingqu.runtime import Row, Tx
from lingqu.runtime.looking import Look, Looked, Shelf
from lingqu.trust.facts import Draft, RowVersion, draft_of, new_salt, row_content

V = TypeVar("V")
_VERSIONS = """
    SELECT content FROM trust.row_version WHERE table_name = %s AND key = %s ORDER BY version
"""


class AuditClass(enum.Enum):
    """How the audit treats a table."""

    AUDITED = "audited"
    """Each row version is named by exactly one fact."""
    BATCH = "batch"
    """Append-only; the Merkle root of each batch of rows is in a fact."""
    LOG = "log"
    """The evidence itself: recomputed as a whole."""
    OPERATIONAL = "operational"
    """Not evidence: sessions, jobs, positions."""


class StaleRow(errors.Conflict):
    """The row was changed by someone else since it was read."""

    code = "trust.row.stale"


class IdTaken(errors.Conflict):
    """Something with this id exists already; ids are made anew for each thing."""

    code = "trust.id.taken"


class RowNotFound(errors.NotFound):
    """There is no such row, or the caller may not know of it."""

    code = "trust.row.not_found"


Auditor = Callable[[Tx], Iterator[tuple[str, str, str, str]]]
"""Gives the figures that are wrong in one state of things: place, key, expected, found."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A table's class, and for audited ones how to read any shape of its rows."""

    name: str
    audit_class: AuditClass
    key: str = ""
    shapes: tuple[tuple[str, ...], ...] = ()
    value: type | None = None
    defaults: Mapping[str, object] = dataclasses.field(default_factory=dict)
    private: bool = False
    auditor: Auditor | None = None


_declared: dict[str, Declaration] = {}


def declared_tables() -> tuple[Declaration, ...]:
    """This will list every declared table by name."""
    return tuple(_declared[name] for name in sorted(_declared))


def declare(audit_class: AuditClass, *names: str, auditor: Auditor | None = None) -> None:
    """This will declare tables that are not audited row by row.

    A cache can be computed again: `auditor` does it in every audit, and says what is wrong.
    """
    for name in names:
        _add(Declaration(name, audit_class, auditor=auditor))


def _add(declaration: Declaration) -> None:
    known = _declared.setdefault(declaration.name, declaration)
    assert known.audit_class is declaration.audit_class, f"{declaration.name} is declared twice"


class Table(Generic[V]):
    """An audited table, storing frozen dataclasses of type `value` with an integer `version`.

    `shapes` lists the columns of each shape the table ever had, the newest last; a migration that
    adds a column adds a shape, and `defaults` gives what rows of older shapes hold in it. Rows are
    insert-or-replace by version: an update states the version it read, or raises StaleRow.
    """

    def __init__(
        self,
        name: str,
        value: type[V],
        *,
        key: str = "id",
        shapes: Sequence[Sequence[str]] = (),
        defaults: Mapping[str, object] | None = None,
        not_found: type[errors.NotFound] = RowNotFound,
        private: bool = False,
    ) -> None:
        """Declare the table; without `shapes` the value's fields are its only shape.

        Contents of `private` tables (hashes of secrets) are never disclosed in a bundle.
        """
        assert dataclasses.is_dataclass(value)
        fields = tuple(item.name for item in dataclasses.fields(value))
        known = tuple(tuple(shape) for shape in shapes) or (fields,)
        assert set(known[-1]) == set(fields), f"{name}: the newest shape is the value's fields"
        assert "version" in fields, f"{name}: audited rows have a version"
        self.name = name
        self._value = value
        self._key = key
        self._unique = f"{name.partition('.')[2]}_pkey"
        self._shape = len(known)
        self._columns = fields
        self._not_found = not_found
        _add(
            Declaration(name, AuditClass.AUDITED, key, known, value, dict(defaults or {}), private)
        )
        marks = ", ".join(["%s"] * len(fields))
        names = ", ".join(fields)
        self._insert = f"INSERT INTO {name} ({names}) VALUES ({marks})"  # noqa: S608  # declared names only
        sets = ", ".join(f"{column} = %s" for column in fields)
        self._update = f"UPDATE {name} SET {sets} WHERE {key} = %s AND version = %s"  # noqa: S608  # declared names only
        news = ", ".join(f"new.{column}" for column in fields)
        self._update_many = (
            f"UPDATE {name} AS old SET ({names}) = ROW ({news})"  # noqa: S608  # declared names only
            f" FROM jsonb_populate_recordset(NULL::{name}, %s::jsonb) AS new"
            f" WHERE old.{key} = new.{key} AND old.version = new.version - 1"
        )
        self._select = f"SELECT {names} FROM {name} WHERE {key} = %s"  # noqa: S608  # declared names only

    def insert(self, tx: Tx, value: V) -> V:
        """This will insert the first version of a row; `value.version` must be 1.

        It travels with the next statement or the commit, and there raises IdTaken.
        """
        assert self._version(value) == 1, "the first version is 1"
        key = str(getattr(value, self._key))
        tx.means(self._unique, key, IdTaken(id=key))
        tx.later(self._insert, self._parameters(value))
        self._keep(draft_of(tx), value)
        return value

    def insert_many(self, tx: Tx, values: Sequence[V]) -> None:
        """This will insert the first versions of many rows in one round trip."""
        assert all(self._version(value) == 1 for value in values), "the first version is 1"
        tx.many(self._insert, [self._parameters(value) for value in values])
        for value in values:
            self._keep(draft_of(tx), value)

    def update(self, tx: Tx, old: V, **changes: Any) -> V:
        """This will replace a row by its next version and give the new value; raises StaleRow."""
        version = self._version(old)
        new: V = dataclasses.replace(old, version=version + 1, **changes)  # type: ignore[type-var]  # checked in __init__
        parameters = [*self._parameters(new), str(getattr(old, self._key)), version]
        if tx.execute(self._update, parameters) != 1:
            raise StaleRow(table=self.name, key=str(getattr(old, self._key)))
        self._keep(draft_of(tx), new)
        return new

    def update_many(self, tx: Tx, values: Sequence[V]) -> None:
        """This will replace many rows by these next versions of them, by one statement.

        No column may be bytes. Raises StaleRow.
        """
        rows = [{name: to_plain(getattr(one, name)) for name in self._columns} for one in values]
        if values and tx.execute(self._update_many, (json.dumps(rows),)) != len(values):
            raise StaleRow(table=self.name, key="")
        for value in values:
            self._keep(draft_of(tx), value)

    def update_through(self, tx: Tx, function: str, old: V, **changes: Any) -> V:
        """This will replace a row that only the owner may change, by a function of the owner.

        `function` is a constant `SELECT schema.function(%s, %s) AS done` of key and version, which
        makes exactly these `changes`. Raises StaleRow.
        """
        version = self._version(old)
        new: V = dataclasses.replace(old, version=version + 1, **changes)  # type: ignore[type-var]  # checked in __init__
        key = str(getattr(old, self._key))
        if tx.one(function, (key, version))["done"] != 1:
            raise StaleRow(table=self.name, key=key)
        self._keep(draft_of(tx), new)
        return new

    def get(self, tx: Tx, key: str) -> V:
        """This will read one row; raises the table's NotFound."""
        return self._read(tx, self._select, key)

    def lock(self, tx: Tx, key: str) -> V:
        """This will read one row and lock it until the transaction ends."""
        return self._read(tx, f"{self._select} FOR UPDATE", key)

    def find(
        self, tx: Tx, tail: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> tuple[V, ...]:
        """This will read the rows that a constant SQL `tail` (WHERE, ORDER BY, LIMIT) selects."""
        names = ", ".join(self._columns)
        rows = tx.all(f"SELECT {names} FROM {self.name} {tail}", parameters)  # noqa: S608  # declared names, constant tail
        return tuple(self.value(row) for row in rows)

    def shelf(self, where: str, columns: Mapping[str, str]) -> Shelf:
        """This will make a list to look through of the rows that a constant SQL `where` selects."""
        return Shelf(
            select=", ".join(self._columns),
            source=f"{self.name} {where}",
            columns=columns,
            newest=(self._key,),
        )

    def look(self, tx: Tx, shelf: Shelf, look: Look, **parameters: object) -> Looked[V]:
        """This will find the piece of a shelf of this table that is asked for, and count."""
        found = shelf.look(tx, look, **parameters)
        return Looked(items=tuple(self.value(row) for row in found.items), total=found.total)

    def versions(self, tx: Tx, key: str) -> tuple[Mapping[str, Any], ...]:
        """This will read every version of a row as it was kept, oldest first, in plain values."""
        kept = tx.all(_VERSIONS, (self.name, str(key)))
        found = [canon.decode(row["content"].encode()) for row in kept]
        return tuple(one["row"] for one in found if one["row"] is not None)

    def value(self, row: Row) -> V:
        """This will turn a database row into the stored value."""
        return from_row(self._value, row)

    def _read(self, tx: Tx, sql: str, key: str) -> V:
        row = tx.maybe(sql, (key,))
        if row is None:
            raise self._not_found(id=str(key)[:60])
        return self.value(row)

    def _parameters(self, value: V) -> list[object]:
        return [_parameter(getattr(value, column)) for column in self._columns]

    def _version(self, value: V) -> int:
        version: int = getattr(value, "version")  # noqa: B009  # V is any dataclass with a version
        return version

    def _keep(self, draft: Draft, value: V) -> None:
        key, version = str(getattr(value, self._key)), self._version(value)
        row = {column: to_plain(getattr(value, column)) for column in self._columns}
        content = row_content(table=self.name, key=key, version=version, shape=self._shape, row=row)
        draft.loose_rows.append(
            RowVersion(
                table=self.name,
                key=key,
                version=version,
                shape=self._shape,
                salt=new_salt(),
                content=content,
            )
        )


def _parameter(value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    return [_parameter(item) for item in value] if isinstance(value, tuple) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRoot:
    """What a fact says of one batch of rows, in a field named `batch`: how many, and their root."""

    table: str
    id: str
    count: int
    root: str


class BatchTable:
    """A batch-audited table: append-only rows whose Merkle root a fact carries.

    The table has the columns `batch` (the id of the batch) and `position` (dense from 0) before
    its own. The root is RFC 6962 over the canonical JSON of each row's own columns.
    """

    Root: TypeAlias = BatchRoot
    """What `append` gives and the fact carries."""

    def __init__(self, name: str, columns: Sequence[str]) -> None:
        """Declare the table and its own columns."""
        self.name = name
        self._columns = tuple(columns)
        _add(Declaration(name, AuditClass.BATCH, "batch", (self._columns,)))

    def line(self, row: Sequence[object]) -> tuple[str, bytes]:
        """This will give one row of plain JSON values as a line to `store`, and its leaf hash."""
        return ",".join(map(_quoted, row)), batch_leaf(row)

    def root(self, batch: str, leaves: Sequence[bytes]) -> BatchRoot:
        """This will give what the fact of a batch carries, from the leaf hashes of its rows."""
        found = merkle.root_of(leaves).hex()
        return BatchRoot(table=self.name, id=batch, count=len(leaves), root=found)

    def alike(
        self, batch: str, start: int, shared: Mapping[str, object], apart: Mapping[str, str]
    ) -> tuple[str, Mapping[str, object]]:
        """This will give the statement that adds rows of a batch from the position `start`.

        They share their values but for the columns `apart`, whose texts `words` wrote. The fact of
        the batch carries the root.
        """
        assert not shared.keys() & apart.keys(), "a column is shared or apart"
        return _alike_sql(self.name, self._columns, tuple(apart)), {
            "batch": batch, "start": start, **shared, **apart,
        }  # fmt: skip

    @staticmethod
    def words(told: Sequence[str]) -> str:
        """This will write the values of one column for `alike`: ids, codes, digests."""
        text = ",".join(told)
        assert text.count(",") == len(told) - 1, "words hold no comma"
        assert not any(one in text for one in '{}"\\ '), "words need no quotes"
        return f"{{{text}}}"

    def few(
        self, batches: Iterable[tuple[str, int, Sequence[str]]]
    ) -> tuple[str, Mapping[str, object]]:
        """This will give the statement that adds what `store` would: no stream is opened for it."""
        columns = ("batch", "position", *self._columns)
        told = [
            dict(zip(columns, (batch, at, *_values(line)), strict=True))
            for batch, start, lines in batches
            for at, line in enumerate(lines, start)
        ]
        return _few_sql(self.name, columns), {"rows": _write_rows(told)}

    def store(self, tx: Tx, batches: Iterable[tuple[str, int, Sequence[str]]]) -> None:
        """This will add lines of several batches, each from a position; facts carry the roots.

        A line is CSV: a row's canonical JSON without its brackets, where that escapes nothing.
        """
        names = ", ".join(("batch", "position", *self._columns))
        text = "".join([
            f"{batch},{at},{line}\n"
            for batch, start, lines in batches
            for at, line in enumerate(lines, start)
        ])  # fmt: skip
        tx.copy_text(f"COPY {self.name} ({names}) FROM STDIN (FORMAT csv, NULL 'null')", (text,))

    def append(self, tx: Tx, batch: str, rows: Sequence[Sequence[object]]) -> BatchRoot:
        """This will add the rows of one batch; its fact must carry the root this gives."""
        columns = [*zip(*rows, strict=True)]
        if all(set(map(type, column)) <= _SIMPLE for column in columns):
            return self.append_pieces(tx, batch, (columns,))
        names = ", ".join(("batch", "position", *self._columns))
        tx.copy_in(
            f"COPY {self.name} ({names}) FROM STDIN",
            ((batch, position, *row) for position, row in enumerate(rows)),
        )
        root = merkle.root_of(batch_leaf(row) for row in rows).hex()
        return BatchRoot(table=self.name, id=batch, count=len(rows), root=root)

    def append_pieces(
        self, tx: Tx, batch: str, pieces: Iterable[Sequence[Sequence[object]]]
    ) -> BatchRoot:
        """This will add the rows of one batch piece by piece, the database beside us at work.

        For large batches of plain JSON values. A piece is its columns, all equally long; making it
        must not ask the database anything.
        """
        names = ", ".join(("batch", "position", *self._columns))
        frontier = merkle.Frontier()
        tx.copy_text(
            f"COPY {self.name} ({names}) FROM STDIN (DELIMITER ',')",
            _lines(batch, pieces, frontier),
        )
        return BatchRoot(table=self.name, id=batch, count=frontier.size, root=frontier.root().hex())


@functools.cache
def _alike_sql(table: str, columns: tuple[str, ...], apart: tuple[str, ...]) -> str:
    names = ", ".join(("batch", "position", *columns))
    values = ", ".join(f"u.{one}" if one in apart else f"%({one})s" for one in columns)
    given = ", ".join(f"%({one})s::text[]" for one in apart)
    return f"""
        INSERT INTO {table} ({names}) SELECT %(batch)s, %(start)s + u.place - 1, {values}
        FROM unnest({given}) WITH ORDINALITY AS u ({", ".join(apart)}, place)
    """  # noqa: S608  # declared names


@functools.cache
def _few_sql(table: str, columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"""
        INSERT INTO {table} ({names})
        SELECT {names} FROM json_populate_recordset(NULL::{table}, %(rows)s::json)
    """  # noqa: S608  # declared names


_write_rows = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
).encode
_SIMPLE = frozenset({str, int, bool, type(None)})


def _lines(
    batch: str, pieces: Iterable[Sequence[Sequence[object]]], frontier: merkle.Frontier
) -> Iterator[str]:
    """Each piece as lines of COPY; the hash of each row goes into the frontier."""
    for columns in pieces:
        written, start = _written(columns), frontier.size
        lines = [f"{batch},{at},{one}\n" for at, one in enumerate(written, start)]
        text = _copied("".join(lines), len(lines) * (len(columns) + 1))
        if not text:
            rows = enumerate(zip(*columns, strict=True), start)
            text = "".join([f"{','.join(map(_cell, (batch, at, *row)))}\n" for at, row in rows])
        yield text
        frontier.extend(merkle.leaf_hashes([f"[{one}]".encode() for one in written]))


def _copied(lines: str, commas: int) -> str:
    """The JSON of many rows as COPY takes it; empty where a text needs more than its quotes off."""
    if "\\" in lines or lines.count(",") != commas:
        return ""
    return lines.replace(",null", ",\\N").replace('"', "")


def _written(columns: Sequence[Sequence[object]]) -> list[str]:
    """The canonical JSON of each row without its brackets. Raises NotCanonical."""
    texts = map(canon.encode_scalars, columns)
    return [*map(",".join, zip(*texts, strict=True))]


def _cell(value: object) -> str:
    """A plain JSON value in a line of COPY."""
    if isinstance(value, str):
        return "".join([_ESCAPED.get(one, one) for one in value])
    assert type(value) in _SIMPLE, "large batches are of plain JSON values"
    return "\\N" if value is None else _write_rows(value)


_ESCAPED = {"\\": "\\\\", ",": "\\,", "\n": "\\n", "\r": "\\r"}


def _quoted(value: object) -> str:
    """A plain JSON value in a line of CSV, where nothing missing is `null`."""
    if isinstance(value, str):
        told = value.replace('"', '""')
        return f'"{told}"'
    assert type(value) in _SIMPLE, "batches are of plain JSON values"
    return _write_rows(value)


def _values(line: str) -> list[Any]:
    """The values of a line as `_quoted` wrote them."""
    return [
        json.loads(found[2]) if found[1] is None else found[1].replace('""', '"')
        for found in _FIELD.finditer(line)
    ]


_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",]+))(?:,|\Z)')


def batch_leaf(row: Sequence[object]) -> bytes:
    """This will give the leaf hash of one row of a batch."""
    return merkle.leaf_hash(canon.encode(to_plain(tuple(row))))
