# SPDX-License-Identifier: Apache-2.0
"""Governed copies: the columns a policy names of one version of a table, ready to be counted.

Beside the columns stand each measure in clamped units, each dimension's published bucket, and the
entity byte, once more as the bit at its place. No key is there: in its place stand 60 bits of its
hash under the one key of the entity domain, so that equal keys stay equal. A copy never changes; a
worker is given nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lingqu.gate.datasets.grid import STEPS, grid_columns, print_bucket
from lingqu.gate.datasets.joined import print_origin
from lingqu.gate.datasets.rows import BIGINT_DIGITS, BUCKET, MASK, UNITS
from lingqu.gate.datasets.wide import about_whom
from lingqu.gate.governance import GovernedColumn, GovernedTable, Role
from lingqu.gate.queries import Step, write_node
from lingqu.runtime.engine import (
    Column,
    EntityByte,
    SourceFile,
    SourceTable,
    create_table,
    find_files,
    quoted,
    stage_query,
)

_TEXT, _HASH = "lingqu_text", "lingqu_hash"
_HASHED = "h"
"""What the folders begin with of copies in which keys are hashes; older ones held them plainly."""
_WIDE = "DECIMAL(38,0)"


def copy_columns(table: GovernedTable, *, hashed: bool = True) -> tuple[Column, ...]:
    """This will give the columns of a table's copies."""
    keys = _keys(table) if hashed else []
    found = [
        Column(name=one.name, type="BIGINT" if one.name in keys else one.type)
        for one in table.columns
    ]
    found += [Column(name=BUCKET + one.name, type=one.type) for one in _bucketed(table)]
    found += [Column(name=UNITS + one.name, type=_unit_type(one)) for one in _measures(table)]
    for one in about_whom(table):
        found.append(Column(name=one.byte, type="TINYINT"))
        if hashed:
            found.append(Column(name=one.byte + MASK, type="BIGINT"))
    return tuple(found)


def make_copy(
    folder: Path,
    table: GovernedTable,
    *,
    source: Sequence[SourceFile],
    columns: Sequence[Column],
    key: bytes,
    version: int,
    beside: Sequence[SourceTable] = (),
) -> tuple[tuple[str, str], ...]:
    """This will copy one version of a table; gives names below the folder, with their digests.

    `beside` are the branches of a wide table, in their order. Making the same copy again changes
    nothing. Raises what the engine refuses.
    """
    place = folder / f"{_shape(table, key)}-{version}{_versions(beside)}"
    own = copy_columns(table)
    create_table(place, columns=own)
    sql, pads = _print_copy(table, key)
    wanted = {one.name for one in table.columns}
    given = tuple(one for one in columns if one.name in wanted)
    with stage_query(
        place,
        sql=sql,
        values=pads,
        tables=(SourceTable(name="source", columns=given, files=tuple(source)), *beside),
        columns=own,
    ) as staged:
        staged.commit(load=f"copy-{version}")
    return tuple((str(file.path.relative_to(folder)), file.digest) for file in find_files(place))


def is_hashed(files: Sequence[Sequence[str]]) -> bool:
    """This will say of the files of a copy whether keys are hashes in them."""
    return all(Path(place).parts[1].startswith(_HASHED) for place, _ in files)


def as_source(
    folder: Path, table: GovernedTable, files: Sequence[Sequence[str]], *, name: str = ""
) -> SourceTable:
    """This will declare a copy for a job, under the table's name or another."""
    return SourceTable(
        name=name or table.name,
        columns=copy_columns(table, hashed=is_hashed(files)),
        files=tuple(SourceFile(path=folder / place, digest=digest) for place, digest in files),
    )


def _print_copy(table: GovernedTable, key: bytes) -> tuple[str, tuple[Any, ...]]:
    cells = [
        f"CAST({quoted(one.name)} AS {one.type}) AS {quoted(one.name)}" for one in table.columns
    ]
    inner = ["*"]
    for one in _bucketed(table):
        assert one.grid is not None, "it has buckets"
        bucket = print_bucket(one, STEPS[one.grid.kind], quoted(one.name))
        inner.append(f"{bucket} AS {quoted(BUCKET + one.name)}")
    for one in _measures(table):
        assert one.measure is not None, "it has units"
        units = f"CAST({quoted(one.name)} * {10**one.measure.scale} AS {_unit_type(one)})"
        low, high = one.measure.lower, one.measure.upper
        clamped = f"CASE WHEN u < {low} THEN {low} WHEN u > {high} THEN {high} ELSE u END"
        inner.append(f"(SELECT {clamped} FROM (SELECT {units} AS u)) AS {quoted(UNITS + one.name)}")  # noqa: S608  # quoted names and numbers
    keys = _keys(table)
    hashed = [
        EntityByte(name=f"{_HASH}{at}", source=f"{_TEXT}{at}", key=key) for at in range(len(keys))
    ]
    origin = f"(SELECT {', '.join(cells)} FROM {print_origin(table)})"  # noqa: S608  # quoted names
    if keys:
        texts = [f"CAST({quoted(name)} AS VARCHAR) AS {_TEXT}{at}" for at, name in enumerate(keys)]
        hashes = [f"{one.digest()} AS {_HASH}{at}" for at, one in enumerate(hashed)]
        origin = f"(SELECT *, {', '.join(texts)} FROM {origin})"  # noqa: S608  # quoted names
        origin = f"(SELECT *, {', '.join(hashes)} FROM {origin})"  # noqa: S608  # names of ours
        numbers = [  # 60 other bits than those of the byte
            f"CAST('0x' || {_HASH}{at}[16:30] AS BIGINT) AS {quoted(name)}"
            for at, name in enumerate(keys)
        ]
        inner[0] = f"* REPLACE ({', '.join(numbers)})"
    for who in about_whom(table):
        at = keys.index(who.column)
        byte = hashed[at].sql(f"{_HASH}{at}")
        inner.append(f"{byte} AS {who.byte}")
        inner.append(f"CAST(1 AS BIGINT) << {byte} AS {who.byte}{MASK}")
    pads = tuple(pad for one in hashed for pad in one.pads())
    return f"SELECT {', '.join(inner)} FROM {origin}", pads  # noqa: S608  # quoted names


def _keys(table: GovernedTable) -> list[str]:
    """The columns that name somebody or a row: joined by and counted, so their hashes do."""
    return [one.name for one in table.columns if one.role is Role.KEY or one.name == table.entity]


def _bucketed(table: GovernedTable) -> list[GovernedColumn]:
    return [
        one
        for one in grid_columns(table)
        if one.grid is not None and STEPS[one.grid.kind] is not Step.EXACT
    ]


def _measures(table: GovernedTable) -> list[GovernedColumn]:
    return [one for one in table.columns if one.measure is not None]


def _unit_type(column: GovernedColumn) -> str:
    assert column.measure is not None, "it has units"
    return "BIGINT" if column.measure.digits <= BIGINT_DIGITS else _WIDE


def _versions(beside: Sequence[SourceTable]) -> str:
    """What tells copies apart that are of the same version of one table, but not of others."""
    told = [file.digest for one in beside for file in one.files]
    return f"-{hashlib.sha256(''.join(told).encode()).hexdigest()[:16]}" if told else ""


def _shape(table: GovernedTable, key: bytes) -> str:
    told = write_node(table).encode() + hashlib.sha256(key).digest()
    return f"{table.resource}/{_HASHED}{hashlib.sha256(told).hexdigest()[:16]}"
