# SPDX-License-Identifier: Apache-2.0
"""Governed copies: the columns a policy names of one version of a table, ready to be counted.

Beside the columns stand each measure in clamped units, each dimension's published bucket, and the
entity byte under the dataset's key. A copy never changes; a worker is given nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lingqu.gate.answers.grid import STEPS, grid_columns, print_bucket
from lingqu.gate.answers.rows import BIGINT_DIGITS, BUCKET, ENTITY_BYTE, UNITS
from lingqu.gate.governance import GovernedColumn, GovernedTable
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

_TEXT = "lingqu_text"
_WIDE = "DECIMAL(38,0)"


def copy_columns(table: GovernedTable) -> tuple[Column, ...]:
    """This will give the columns of a table's copies."""
    found = [Column(name=one.name, type=one.type) for one in table.columns]
    found += [Column(name=BUCKET + one.name, type=one.type) for one in _bucketed(table)]
    found += [Column(name=UNITS + one.name, type=_unit_type(one)) for one in _measures(table)]
    if table.entity is not None:
        found.append(Column(name=ENTITY_BYTE, type="TINYINT"))
    return tuple(found)


def make_copy(
    folder: Path,
    table: GovernedTable,
    *,
    source: Sequence[SourceFile],
    columns: Sequence[Column],
    key: bytes,
    version: int,
) -> tuple[tuple[str, str], ...]:
    """This will copy one version of a table; gives names below the folder, with their digests.

    Making the same copy again changes nothing. Raises what the engine refuses.
    """
    place = folder / f"{_shape(table, key)}-{version}"
    own = copy_columns(table)
    create_table(place, columns=own)
    sql, pads = _print_copy(table, key)
    wanted = {one.name for one in table.columns}
    given = tuple(one for one in columns if one.name in wanted)
    with stage_query(
        place,
        sql=sql,
        values=pads,
        tables=(SourceTable(name="source", columns=given, files=tuple(source)),),
        columns=own,
    ) as staged:
        staged.commit(load=f"copy-{version}")
    return tuple((str(file.path.relative_to(folder)), file.digest) for file in find_files(place))


def as_source(
    folder: Path, table: GovernedTable, files: Sequence[Sequence[str]], *, name: str = ""
) -> SourceTable:
    """This will declare a copy for a job, under the table's name or another."""
    return SourceTable(
        name=name or table.name,
        columns=copy_columns(table),
        files=tuple(SourceFile(path=folder / place, digest=digest) for place, digest in files),
    )


def _print_copy(table: GovernedTable, key: bytes) -> tuple[str, tuple[Any, ...]]:
    cells = [
        f"CAST({quoted(one.name)} AS {one.type}) AS {quoted(one.name)}" for one in table.columns
    ]
    inner, pads = ["*"], tuple[Any, ...]()
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
    if table.entity is not None:
        byte = EntityByte(name=ENTITY_BYTE, source=_TEXT, key=key)
        cells.append(f"CAST({quoted(table.entity)} AS VARCHAR) AS {_TEXT}")
        inner.append(f"{byte.sql()} AS {ENTITY_BYTE}")
        pads = byte.pads()
    return f"SELECT {', '.join(inner)} FROM (SELECT {', '.join(cells)} FROM source)", pads  # noqa: S608  # quoted names


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


def _shape(table: GovernedTable, key: bytes) -> str:
    told = write_node(table).encode() + hashlib.sha256(key).digest()
    return f"{table.resource}/{hashlib.sha256(told).hexdigest()[:16]}"
