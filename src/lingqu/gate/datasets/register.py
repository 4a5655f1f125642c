# SPDX-License-Identifier: Apache-2.0
"""Datasets: what is published of one resource, once for all products that ask about it.

A dataset has one grid, one set of rules and one chain of cubes, whichever product published the
newest one: two grids over the same rows would let their differences be told. Its key, kept sealed,
is what rounding is seeded by; keys of rows are hashed under the one key of the entity domain.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingqu import supply, trust
from lingqu.gate.datasets.copies import as_source, is_hashed, make_copy
from lingqu.gate.datasets.cube import Ask, Cube, find_told, grid_text, read_cube
from lingqu.gate.datasets.joined import NotUnique, branch_columns, branch_name, print_doubles
from lingqu.gate.datasets.joined_cube import cube_maker
from lingqu.gate.datasets.wide import Branch, WideTable, widen
from lingqu.gate.governance import GovernedTable, Mode, QueryPolicy
from lingqu.gate.packing import PackedFile, write_packed
from lingqu.kernel import errors
from lingqu.runtime import Tx
from lingqu.runtime.engine import Column, Engine, Job, Limits, SourceFile, SourceTable

KEY_BYTES = 32
ROWS_MOST = 20_000_000
TIME_MS = 30 * 60 * 1000
COPIES = "copies"
"""The folder of governed copies, below that of snapshots."""


class DatasetNotFound(errors.NotFound):
    """Nothing was published of this resource."""

    code = "gate.dataset.not_found"


class OtherGrid(errors.Conflict):
    """Another product publishes this resource on another grid, or under other rules."""

    code = "gate.dataset.other_grid"


class DatasetMoved(errors.Conflict):
    """Another product published a newer cube while this one was made."""

    code = "gate.dataset.moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What is published of a resource: its grid, its newest cube, and the sealed key, in hex."""

    resource: supply.ResourceId
    grid: str
    cube: str
    table_version: int
    sealed: str
    version: int = 1


DATASETS = trust.Table(
    "gate.dataset", Dataset, key="resource", not_found=DatasetNotFound, private=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltCube:
    """A cube in its file, ready to be published after `base`, the digest of the one before."""

    resource: str
    grid: str
    base: str | None
    digest: str
    table_version: int
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSource:
    """One version of a resource's table, as it is loaded."""

    version: int
    files: tuple[SourceFile, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeFile:
    """A cube as it is kept: the cube, and the files of the copies it was made from by version."""

    cube: Cube
    copies: Mapping[int, tuple[tuple[str, str], ...]]


def find_datasets(tx: Tx, resources: Iterable[str]) -> dict[str, Dataset]:
    """This will give what is published of resources, by resource; others are left out."""
    found = DATASETS.find(tx, "WHERE resource = ANY(%s)", (sorted(set(resources)),))
    return {one.resource: one for one in found}


def lock_dataset(tx: Tx, resource: supply.ResourceId) -> None:
    """This will lock a dataset for the rest of the transaction. Raises DatasetNotFound."""
    DATASETS.lock(tx, resource)


def publish_cubes(tx: Tx, cubes: Sequence[BuiltCube]) -> None:
    """This will make cubes the newest of their datasets, inside the command that publishes.

    Raises OtherGrid, DatasetMoved.
    """
    for built in sorted(cubes, key=lambda one: one.resource):
        resource = supply.ResourceId(built.resource)
        known = DATASETS.find(tx, "WHERE resource = %s FOR UPDATE", (resource,))
        if not known:
            if built.base is not None:
                raise DatasetMoved(resource=resource)
            DATASETS.insert(
                tx,
                Dataset(
                    resource=resource,
                    grid=built.grid,
                    cube=built.digest,
                    table_version=built.table_version,
                    sealed=built.sealed,
                ),
            )
            continue
        (head,) = known
        if head.grid != built.grid:
            raise OtherGrid(resource=resource)
        if head.cube != built.base or head.sealed != built.sealed:
            raise DatasetMoved(resource=resource)
        if head.cube != built.digest:
            DATASETS.update(tx, head, cube=built.digest, table_version=built.table_version)


def new_key() -> bytes:
    """This will make the key of a dataset."""
    return secrets.token_bytes(KEY_BYTES)


def build_cube(
    plain: GovernedTable,
    policy: QueryPolicy,
    *,
    sources: Mapping[str, LoadedSource],
    head: Dataset | None,
    key: bytes,
    sealed: str,
    engine: Engine,
    folder: Path,
) -> BuiltCube:
    """This will make a copy of a table's present version and its cube, following the one before.

    `sources` are the loaded tables of the policy by resource; a wide table is of a new version
    whenever any table it is made of is. `key` is that of the entity domain, `sealed` the dataset's
    own. Raises OtherGrid, GridTooFine, NotUnique, TooManyBranches and what the engine refuses.
    """
    table = widen(policy, plain)
    source, beside = sources[table.resource], _branch_sources(table, sources)
    version = _version_of(table, sources)
    tells = Mode.CUBE in policy.modes
    # Noise cuts no block, so that a dataset may be told by its blocks after it.
    is_told = tells or Mode.AD_HOC not in policy.modes
    grid = grid_text(table, policy.dominance, is_told=is_told) if head is None else head.grid
    if find_told(grid, table, policy.dominance, tells=tells) is None:
        raise OtherGrid(resource=table.resource)
    before = None if head is None else open_cube(folder, head.cube)
    if head is not None and head.table_version == version:
        digest = head.cube
    else:
        _check_unique(table, beside, engine)
        copies = {} if before is None else hashed_copies(before.copies, table, folder / COPIES, key)
        copies[version] = make_copy(
            folder / COPIES,
            table,
            source=source.files,
            columns=source.columns,
            key=key,
            version=version,
            beside=beside,
        )
        maker = cube_maker(
            table, percent=policy.dominance, ask=_asking(engine, folder, table, copies)
        )
        cube = maker.make(version, None if before is None else before.cube)
        kept = {*cube.versions, version, cube.whole}
        about = {
            "form": "cube",
            "cube": cube.to_plain(),
            "copies": {str(one): files for one, files in copies.items() if one in kept},
        }
        digest = write_packed(folder, {}, about).digest
    return BuiltCube(
        resource=table.resource,
        grid=grid,
        base=None if head is None else head.cube,
        digest=digest,
        table_version=version,
        sealed=sealed,
    )


def _branches(table: GovernedTable) -> tuple[Branch, ...]:
    return table.branches if isinstance(table, WideTable) else ()


def _version_of(table: GovernedTable, sources: Mapping[str, LoadedSource]) -> int:
    """Versions only grow, so that their sum tells apart any two states of all the tables."""
    resources = {table.resource, *(one.table.resource for one in _branches(table))}
    return sum(sources[one].version for one in resources)


def _branch_sources(
    table: GovernedTable, sources: Mapping[str, LoadedSource]
) -> tuple[SourceTable, ...]:
    return tuple(
        SourceTable(
            name=branch_name(at),
            columns=branch_columns(one, sources[one.table.resource].columns),
            files=sources[one.table.resource].files,
        )
        for at, one in enumerate(_branches(table))
    )


def _check_unique(table: GovernedTable, beside: Sequence[SourceTable], engine: Engine) -> None:
    """A join that gives a row several rows is none of those a wide table is made by."""
    for branch, source in zip(_branches(table), beside, strict=True):
        first = SourceTable(name=branch_name(0), columns=source.columns, files=source.files)
        limits = Limits(time_ms=TIME_MS)
        job = Job(sql=print_doubles(branch), tables=(first,), limits=limits)
        if engine.query(job).rows[0][0]:
            raise NotUnique(table=table.name, joined=branch.table.name)


def hashed_copies(
    copies: Mapping[int, tuple[tuple[str, str], ...]], table: GovernedTable, place: Path, key: bytes
) -> dict[int, tuple[tuple[str, str], ...]]:
    """This will make copies that still hold keys anew without them, to be compared with others."""
    columns = tuple(Column(name=one.name, type=one.type) for one in table.columns)
    return {
        version: files
        if is_hashed(files)
        else make_copy(
            place,
            table,
            source=as_source(place, table, files).files,
            columns=columns,
            key=key,
            version=version,
        )
        for version, files in copies.items()
    }


def open_cube(folder: Path, digest: str) -> CubeFile:
    """This will read a published cube. Raises SnapshotUnreadable."""
    about: Mapping[str, Any] = PackedFile.open(folder, digest).about
    return CubeFile(
        cube=read_cube(about["cube"]),
        copies={
            int(version): tuple((place, told) for place, told in files)
            for version, files in about["copies"].items()
        },
    )


def _asking(
    engine: Engine,
    folder: Path,
    table: GovernedTable,
    copies: Mapping[int, Sequence[Sequence[str]]],
) -> Ask:
    limits = Limits(rows=ROWS_MOST, time_ms=TIME_MS, answer_bytes=1 << 34)

    def ask(
        sql: str, versions: Mapping[str, int], values: Sequence[Any] = ()
    ) -> Iterator[tuple[Any, ...]]:
        sources = tuple(
            as_source(folder / COPIES, table, copies[version], name=name)
            for name, version in versions.items()
        )
        job = Job(sql=sql, values=tuple(values), tables=sources, limits=limits)
        for part in engine.stream(job):
            yield from part.rows

    return ask
