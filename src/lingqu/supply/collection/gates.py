# SPDX-License-Identifier: Apache-2.0
"""The gates a delivery passes before anybody sees a row of it, and how it lands in its table.

Everything here happens outside a transaction: rows that break what their resource declares are set
aside with number and reason, the others are staged strictly and committed to the Delta table as one
load. A load that never gets its row in the database is in no list and is read by nobody.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.values import to_plain
from lingqu.runtime.engine import (
    Column,
    Engine,
    EntityByte,
    LoadOutcome,
    Staged,
    create_table,
    stage_rows,
    sweep_orphans,
)
from lingqu.supply.collection.deliveries import DECIMAL_PLACES, Delivery, Rejection, read_rows
from lingqu.supply.collection.loaded import LandedFile, LoadedTable, LoadMode
from lingqu.supply.resources import Field, FieldKind

_TOLD_EVERY = 1_000
ENTITY_COLUMN = "lingqu_entity"
ORPHAN_SECONDS = 24 * 3600
"""How old a file that no version names must be, so that no load at work loses its own."""
_TYPES = {
    FieldKind.TEXT: "VARCHAR",
    FieldKind.INTEGER: "BIGINT",
    FieldKind.DECIMAL: f"DECIMAL(38,{DECIMAL_PLACES})",
    FieldKind.DATE: "DATE",
    FieldKind.INSTANT: "TIMESTAMPTZ",
    FieldKind.BOOLEAN: "BOOLEAN",
}
_ALLOWED = frozenset("\t\n\r")


class NothingAccepted(errors.Rejected):
    """No row of the delivery passed; the first fault is named, and nothing was loaded."""

    code = "supply.load.nothing_accepted"


class OtherColumns(errors.Conflict):
    """Rows can be added only to a table that was loaded with the same fields."""

    code = "supply.load.other_columns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What a delivery became: its accepted rows in one file, the others set aside.

    `base` is the edition of the table the gates looked at; `place` the table's folder below that
    of all tables; `rejects` the digest of what was set aside, empty where nothing was.
    """

    delivery: str
    content: str
    size_bytes: int
    encoding: str
    mode: LoadMode
    base: int
    place: str
    table_version: int
    columns: tuple[Column, ...]
    file: LandedFile
    rejected: tuple[Rejection, ...] = field(repr=False)
    rejects: str


def columns_of(fields: Sequence[Field]) -> tuple[Column, ...]:
    """This will give the columns that fields are stored as."""
    return tuple(Column(name=one.name, type=_TYPES[one.kind]) for one in fields)


def land_delivery(
    delivery: Delivery,
    *,
    load: Id,
    resource: Id,
    fields: tuple[Field, ...],
    mode: LoadMode,
    current: LoadedTable | None,
    tables: Path,
    engine: Engine,
    entity_key: bytes,
    watch: Callable[[int, int], None] | None = None,
) -> Landed:
    """This will pass a delivery through the gates and commit it to the resource's table, once.

    `current` is what is loaded now; `watch` is told how many rows of how many have passed, and may
    raise to stop. The same load with the same delivery again changes nothing.
    Raises NothingAccepted, OtherColumns, LoadDiffers and what the engine refuses.
    """
    columns = columns_of(fields)
    shape = hashlib.sha256(canon.encode(to_plain(columns))).hexdigest()[:16]
    place = f"{resource}/{shape}"
    kept, rejected = _sorted_out(delivery, fields)
    if mode is LoadMode.APPEND and current is not None:
        if current.columns != columns:
            raise OtherColumns(resource=resource)
        kept, more = _without_known(kept, delivery, fields, current, tables, engine)
        rejected += more
    folder, entities = tables / place, _entities(fields, entity_key)
    create_table(folder, columns=(*columns, *(one.column for one in entities)))
    with stage_rows(
        folder,
        rows=_passed(delivery, kept, watch),
        columns=columns,
        entities=entities,
        summarize=lambda ask: _state(ask(_counting(columns))[0], columns),
    ) as staged:
        rejected += [
            _rejection(delivery, kept[one.line - 2], one.column or "", one.reason)
            for one in staged.rejects
        ]
        rejected.sort(key=lambda one: (one.row, one.field))
        _refuse_nothing(delivery, staged, rejected)
        adds = mode is LoadMode.APPEND
        outcome = staged.commit(load=load, mode="append" if adds else "overwrite")
    sweep_orphans(folder, older_than_seconds=ORPHAN_SECONDS)
    return Landed(
        delivery=delivery.name,
        content=delivery.content,
        size_bytes=delivery.size_bytes,
        encoding=delivery.encoding,
        mode=mode,
        base=0 if current is None else current.version,
        place=place,
        table_version=outcome.version,
        columns=columns,
        file=_landed_file(place, outcome, entities),
        rejected=tuple(rejected),
        rejects=digest_of_rejects(rejected),
    )


def _passed(
    delivery: Delivery, kept: Sequence[int], watch: Callable[[int, int], None] | None
) -> Iterator[tuple[str | None, ...]]:
    for count, at in enumerate(kept):
        if watch is not None and count % _TOLD_EVERY == 0:
            watch(count, len(kept))
        yield delivery.rows[at]


def digest_of_rejects(rejected: Sequence[Rejection]) -> str:
    """This will give what a load's fact says of the rows that were set aside; empty for none."""
    if not rejected:
        return ""
    plain = [[one.row, one.field, one.reason, list(one.cells)] for one in rejected]
    return hashlib.sha256(canon.encode(to_plain(plain))).hexdigest()


def _sorted_out(delivery: Delivery, fields: tuple[Field, ...]) -> tuple[list[int], list[Rejection]]:
    """The places of rows that may be staged, and what is wrong with the others.

    Of rows with the same key none is taken: which of them is right nobody here knows.
    """
    rejected = list(delivery.faults)
    keys = [place for place, one in enumerate(fields) if one.is_key]
    times = Counter(tuple(row[place] for place in keys) for row in delivery.rows) if keys else None
    kept = []
    for at, row in enumerate(delivery.rows):
        field_name, reason = "", ""
        bad = next((place for place, cell in enumerate(row) if cell and not _is_text(cell)), None)
        empty = next((place for place in keys if row[place] is None), None)
        if bad is not None:
            field_name, reason = fields[bad].name, "not_text"
        elif empty is not None:
            field_name, reason = fields[empty].name, "key_empty"
        elif times is not None and times[tuple(row[place] for place in keys)] > 1:
            field_name, reason = fields[keys[0]].name, "key_repeated"
        if reason:
            rejected.append(_rejection(delivery, at, field_name, reason))
        else:
            kept.append(at)
    return kept, rejected


def _without_known(
    kept: list[int],
    delivery: Delivery,
    fields: tuple[Field, ...],
    current: LoadedTable,
    tables: Path,
    engine: Engine,
) -> tuple[list[int], list[Rejection]]:
    """Leave out rows whose key the table has already."""
    keys = [place for place, one in enumerate(fields) if one.is_key]
    if not keys:
        return kept, []
    columns = tuple(current.columns[place] for place in keys)
    known = set(read_rows(engine, current.as_source(tables, name="known", columns=columns)))
    fresh, rejected = [], []
    for at in kept:
        if tuple(delivery.rows[at][place] for place in keys) in known:
            rejected.append(_rejection(delivery, at, fields[keys[0]].name, "key_known"))
        else:
            fresh.append(at)
    return fresh, rejected


def _is_text(cell: str) -> bool:
    """Whether a cell holds characters only: no control characters and no half ones."""
    return not any(
        (character < " " and character not in _ALLOWED) or "\ud800" <= character <= "\udfff"
        for character in cell
    )


def _rejection(delivery: Delivery, at: int, field_name: str, reason: str) -> Rejection:
    return Rejection(
        row=delivery.numbers[at],
        field=field_name,
        reason=reason,
        cells=tuple((cell or "").encode("utf-8", "replace").decode() for cell in delivery.rows[at]),
    )


def _refuse_nothing(delivery: Delivery, staged: Staged, rejected: Sequence[Rejection]) -> None:
    if staged.rows:
        return
    first = rejected[0] if rejected else Rejection(row=0, field="", reason="empty", cells=())
    raise NothingAccepted(
        table=delivery.name, row=first.row, field=first.field, reason=first.reason
    )


def _entities(fields: tuple[Field, ...], key: bytes) -> tuple[EntityByte, ...]:
    """Rows with one key are about one entity each; with more or none nobody can say."""
    keys = [one.name for one in fields if one.is_key]
    if len(keys) != 1:
        return ()
    return (EntityByte(name=ENTITY_COLUMN, source=keys[0], key=key),)


def _counting(columns: tuple[Column, ...]) -> str:
    names = ['"' + one.name.replace('"', '""') + '"' for one in columns]
    counts = ", ".join(f"count({name}), count(DISTINCT {name})" for name in names)
    return f"SELECT count(*), {counts} FROM loaded"  # noqa: S608  # quoted names


def _state(counted: tuple[int, ...], columns: tuple[Column, ...]) -> bytes:
    """The quality of a file: its rows, and how many cells of each column are filled, and differ."""
    pairs = zip(columns, counted[1::2], counted[2::2], strict=True)
    filled = {one.name: {"filled": some, "distinct": distinct} for one, some, distinct in pairs}
    return canon.encode({"rows": counted[0], "columns": to_plain(filled)})


def _landed_file(place: str, outcome: LoadOutcome, entities: tuple[EntityByte, ...]) -> LandedFile:
    assert outcome.file is not None, "a load without rows was refused"
    file = outcome.file
    return LandedFile(
        name=f"{place}/{file.path.name}",
        digest=file.digest,
        size_bytes=file.size_bytes,
        rows=file.rows,
        state=file.state.decode(),
        entity=entities[0].name if entities else "",
    )
