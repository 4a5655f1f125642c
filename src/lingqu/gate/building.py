# SPDX-License-Identifier: Apache-2.0
"""Building a snapshot: printed SQL from a closed policy, a confined engine, keyed hashes.

What is asked of the engine is printed here from the policy's columns alone; what comes back is
hashed under the product's key before it is written. Counts are grouped by the engine, and released
by `counting` before anything is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingqu import supply
from lingqu.gate import counting
from lingqu.gate.datasets import BuiltCube, Dataset, LoadedSource, build_cube, new_key
from lingqu.gate.governance import QueryPolicy
from lingqu.gate.packing import (
    ONCE,
    YES,
    Entry,
    keyed_hash,
    salt_of,
    write_packed,
)
from lingqu.gate.policies import CountPolicy, OpenFilePolicy, find_columns
from lingqu.gate.predicates import (
    Evidence,
    Fact,
    Matching,
    Measure,
    Predicate,
    Relation,
    VerificationPolicy,
    Which,
    normalize,
    read_fact,
)
from lingqu.gate.products import Product, policy_of
from lingqu.gate.snapshots import BuiltSnapshot, SourceVersion, domain_key, open_key, seal_key
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.runtime.engine import Column, Engine, Job, Limits, SourceFile, SourceTable
from lingqu.runtime.keys import Keyring
from lingqu.supply import collection

ROWS_MOST = 100_000_000
TIME_MS = 30 * 60 * 1000
KEY_BYTES = 32


class TableMissing(errors.Conflict):
    """A resource the policy reads has no loaded table yet."""

    code = "gate.snapshot.table_missing"


class ColumnMissing(errors.Conflict):
    """The loaded table of a resource lacks a column the policy reads."""

    code = "gate.snapshot.column_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTable:
    """What a snapshot is built from: the files of a resource's loaded table, as of a moment."""

    resource: str
    version: int
    files: tuple[SourceFile, ...]
    columns: tuple[Column, ...]
    as_of: Instant


@dataclass(slots=True)
class _Made:
    entries: dict[bytes, Entry]
    about: dict[str, Any]
    skipped: int = 0


def build_snapshot(
    product: Product,
    *,
    tables: Mapping[str, BuildTable],
    engine: Engine,
    keyring: Keyring,
    sealed: str | None,
    folder: Path,
    datasets: Mapping[str, Dataset] | None = None,
) -> BuiltSnapshot:
    """This will build the packed file of a product's present edition, to be published.

    `tables` are the loaded tables by resource, `sealed` the product's key if it has one, `datasets`
    what is published of the resources of a query product. Raises TableMissing, ColumnMissing, what
    the engine refuses, and what the release of counts and the making of cubes refuse.
    """
    policy = policy_of(product)
    for resource, column in find_columns(policy):
        table = tables.get(resource)
        if table is None:
            raise TableMissing(resource=resource)
        if column not in {one.name for one in table.columns}:
            raise ColumnMissing(resource=resource, column=column)
    if sealed is None:
        key = secrets.token_bytes(KEY_BYTES)
        sealed = seal_key(keyring, product.id, key)
    else:
        key = open_key(keyring, product.id, sealed)
    reader, cubes = _Reader(engine, tables), tuple[BuiltCube, ...]()
    if isinstance(policy, QueryPolicy):
        cubes = _make_cubes(policy, tables, datasets or {}, engine, keyring, folder)
        names = {one.resource: one.digest for one in cubes}
        told = {one.name: names[one.resource] for one in policy.tables}
        made = _Made({}, {"form": "query", "cubes": told})
    else:
        made = _make(policy, reader, key)
    used = sorted({resource for resource, _ in find_columns(policy)})
    sources = tuple(
        SourceVersion(resource=name, version=tables[name].version, as_of=tables[name].as_of)
        for name in used
    )
    about = {"product": str(product.id), "edition": product.edition, **made.about}
    packed = write_packed(folder, made.entries, about)
    return BuiltSnapshot(
        edition=product.edition,
        digest=packed.digest,
        bytes=packed.bytes,
        records=packed.records,
        skipped=made.skipped,
        sources=sources,
        key=sealed,
        cubes=cubes,
    )


def _make_cubes(
    policy: QueryPolicy,
    tables: Mapping[str, BuildTable],
    datasets: Mapping[str, Dataset],
    engine: Engine,
    keyring: Keyring,
    folder: Path,
) -> tuple[BuiltCube, ...]:
    """Make the cube of every table of a query product; each dataset has its own sealed key."""
    made = []
    sources = {
        name: LoadedSource(version=one.version, files=one.files, columns=one.columns)
        for name, one in tables.items()
    }
    for table in policy.tables:
        head = datasets.get(table.resource)
        sealed = seal_key(keyring, table.resource, new_key()) if head is None else head.sealed
        made.append(
            build_cube(
                table,
                policy,
                sources=sources,
                head=head,
                key=domain_key(keyring),
                sealed=sealed,
                engine=engine,
                folder=folder,
            )
        )
    return tuple(made)


def find_tables(tx: Tx, product: Product, *, tables: Path) -> dict[str, BuildTable]:
    """This will give the loaded tables a product reads; `tables` is the folder of all tables.

    Raises NotLoaded, Ungraded.
    """
    found: dict[str, BuildTable] = {}
    for name in sorted({resource for resource, _ in find_columns(policy_of(product))}):
        resource = supply.ResourceId(name)
        supply.require_level(supply.get_resource(tx, resource))
        loaded = collection.find_table(tx, resource)
        found[name] = BuildTable(
            resource=name,
            version=loaded.version,
            files=loaded.sources(tables),
            columns=loaded.columns,
            as_of=loaded.as_of,
        )
    return found


class _Reader:
    """Asks the confined engine for columns of tables, and for nothing else."""

    def __init__(self, engine: Engine, tables: Mapping[str, BuildTable]) -> None:
        self._engine = engine
        self._tables = tables

    def distinct(self, resource: str, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Give every different row of some columns as texts; an empty cell is an empty text."""
        sql = counting.print_distinct(len(columns))
        for row in self.ask(resource, columns, sql):
            yield tuple("" if cell is None else str(cell) for cell in row)

    def ask(self, resource: str, columns: tuple[str, ...], sql: str) -> Iterator[tuple[Any, ...]]:
        """Answer SQL over the columns, which are called c0, c1 ... there only after projection."""
        table = self._tables[resource]
        types = {one.name: one.type for one in table.columns}
        wanted = tuple(Column(name=name, type=types[name]) for name in columns)
        source = SourceTable(name="source", columns=wanted, files=table.files)
        named = counting.print_named(columns, sql)
        limits = Limits(rows=ROWS_MOST, time_ms=TIME_MS, answer_bytes=1 << 34)
        for part in self._engine.stream(Job(sql=named, tables=(source,), limits=limits)):
            yield from part.rows


def _make(
    policy: VerificationPolicy | CountPolicy | OpenFilePolicy, reader: _Reader, key: bytes
) -> _Made:
    if isinstance(policy, VerificationPolicy):
        return _make_verification(policy, reader, key)
    if isinstance(policy, CountPolicy):
        return _make_count(policy, reader)
    return _make_file(policy, reader)


def _make_verification(policy: VerificationPolicy, reader: _Reader, key: bytes) -> _Made:
    made = _Made({}, {"form": "verification"})
    for predicate in policy.predicates:
        salt = salt_of(key, predicate.name)
        if predicate.measure is None:
            _match(made, policy, predicate, reader, salt)
        else:
            _measure(made, policy, predicate, predicate.measure, reader, salt)
    return made


def _match(
    made: _Made,
    policy: VerificationPolicy,
    predicate: Predicate,
    reader: _Reader,
    salt: bytes,
) -> None:
    for flag, relations in ((YES, predicate.yes), (ONCE, predicate.once)):
        for relation in relations:
            for subject, values in _related(predicate, relation, reader):
                if (found := _entry(made, policy, salt, subject)) is not None:
                    found.flags |= flag
                    for one in values:
                        found.add(flag, keyed_hash(salt, f"{subject}\0{one}"))
    for shown in predicate.evidence:
        for subject, told in _evidence(shown, reader):
            known = made.entries.get(keyed_hash(salt, subject))
            if known is not None and known.flags & ONCE:
                known.evidence.append(told)


def _measure(
    made: _Made,
    policy: VerificationPolicy,
    predicate: Predicate,
    measure: Measure,
    reader: _Reader,
    salt: bytes,
) -> None:
    """Keep where each subject's fact stands among the bounds; the fact itself is not kept."""
    facts = _facts(made, predicate.yes, measure, reader)
    others = None if measure.other is None else _facts(made, (measure.other,), measure, reader)
    for subject, fact in facts.items():
        if (found := _entry(made, policy, salt, subject)) is None:
            continue
        if others is None:
            found.rank = measure.rank(fact)
        elif (other := others.get(subject)) is not None:
            found.rank = measure.rank(fact, other)


def _facts(
    made: _Made, relations: Sequence[Relation], measure: Measure, reader: _Reader
) -> dict[str, Fact]:
    best: Callable[..., Fact] = max if measure.which is Which.HIGHEST else min
    found: dict[str, Fact] = {}
    for relation in relations:
        assert relation.value is not None, "what is measured has a column"
        for key, cell in reader.distinct(relation.resource, (relation.key, relation.value)):
            subject, fact = normalize(key), read_fact(measure.reads, cell)
            if not subject or not subject.startswith(relation.prefix):
                continue
            if fact is None:
                made.skipped += 1
                continue
            found[subject] = best(found.get(subject, fact), fact)
    return found


def _entry(made: _Made, policy: VerificationPolicy, salt: bytes, subject: str) -> Entry | None:
    if not policy.subject.admits(subject):
        made.skipped += 1
        return None
    return made.entries.setdefault(keyed_hash(salt, subject), Entry())


def _related(
    predicate: Predicate, relation: Relation, reader: _Reader
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give each subject of a relation with the values it carries; without a value, none."""
    columns = (relation.key,) if relation.value is None else (relation.key, relation.value)
    for row in reader.distinct(relation.resource, columns):
        subject = normalize(row[0])
        if not subject or not subject.startswith(relation.prefix):
            continue
        if relation.value is None:
            yield subject, ()
        elif predicate.matching is Matching.MEMBERSHIP:
            values = (normalize(one) for one in row[1].split(predicate.separator))
            yield subject, tuple(one for one in values if one)
        elif value := normalize(row[1]):
            yield subject, (value,)


def _evidence(shown: Evidence, reader: _Reader) -> Iterator[tuple[str, dict[str, str]]]:
    rows = reader.distinct(shown.resource, (shown.key, *shown.columns))
    for row in sorted(rows):
        subject = normalize(row[0])
        if subject.startswith(shown.prefix):
            yield subject, dict(zip(shown.columns, row[1:], strict=True))


def _make_count(policy: CountPolicy, reader: _Reader) -> _Made:
    columns = (policy.entity, *policy.dimensions)
    groups = [
        counting.Group(
            values=tuple("" if cell is None else normalize(str(cell)) for cell in row[:-2]),
            entities=int(row[-2]),
            rows=int(row[-1]),
        )
        for row in reader.ask(
            policy.resource, columns, counting.print_groups(len(policy.dimensions))
        )
    ]
    total = next(iter(reader.ask(policy.resource, columns, counting.print_total())))
    released = counting.release(policy, counting.merge_equal(groups), entities=int(total[0]))
    return _Made({}, {"form": "count", "released": released.to_plain()})


def _make_file(policy: OpenFilePolicy, reader: _Reader) -> _Made:
    rows = sorted(reader.distinct(policy.resource, policy.columns))
    return _Made({}, {"form": "open_file", "columns": list(policy.columns), "rows": rows})
