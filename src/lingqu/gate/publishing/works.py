# SPDX-License-Identifier: Apache-2.0
"""A snapshot that was asked for is built by a job that can be watched, stopped and run again.

Building takes minutes and needs the engine, so no command does it: the command records that it was
asked for and begins a work. The job builds as the one who asked, tells each stage before it begins,
and ends in `publish_snapshot`. The snapshot's id is the work's in another form, so that a job that
died begins again and nothing is published twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lingqu import trust
from lingqu.gate.building import build_snapshot, find_tables
from lingqu.gate.datasets import find_datasets
from lingqu.gate.products import ProductId, SnapshotId, get_product, lock_product
from lingqu.gate.snapshots import (
    Snapshot,
    check_may_publish,
    find_sealed_key,
    find_snapshot,
    publish_snapshot,
)
from lingqu.runtime import Caller, Database, Tx
from lingqu.runtime.engine import Engine
from lingqu.runtime.keys import Keyring
from lingqu.trust import jobs

Reach = Callable[[int, int], None]
"""Told how many stages of how many are done; it may raise to stop the build."""
BUILD_JOB = "gate.build.run"
"""The job that builds what was asked for."""
BUILD_KIND = "gate.build"
"""The kind of its works; their subject is the product."""
_STAGES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What building needs beside the database: engine, keys and folders.

    `engine` gives the engine when it is needed; `tables` holds what is loaded, `folder` is the
    gate's own.
    """

    engine: Callable[[], Engine]
    keyring: Keyring
    tables: Path
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildBegun(trust.Fact):
    """A snapshot was asked for, to be built; that it answers is another fact."""

    kind = "gate.build.begun"
    work: jobs.WorkId
    product: ProductId
    edition: int


@trust.command("gate.build.begin")
def begin_build(tx: Tx, *, work: jobs.WorkId, product: ProductId) -> jobs.Work:
    """This will have a product's snapshot built from what is loaded, and published, by a job.

    Raises ProductNotFound, AccessDenied, ProductWithdrawn, IdTaken.
    """
    held = lock_product(tx, product)
    check_may_publish(tx, held)
    made = jobs.begin_work(
        tx,
        work=work,
        kind=BUILD_KIND,
        subject=held.id,
        owner=held.owner,
        title=held.title,
        job=BUILD_JOB,
    )
    trust.record(tx, BuildBegun(work=work, product=held.id, edition=held.edition))
    return made


def run_build(database: Database, work: jobs.WorkId, bench: Bench) -> None:
    """This will build what was asked for by a work, as the one who did; run again it goes on.

    What is refused or stopped ends the work and publishes nothing; what is merely unavailable is
    raised, to be tried again.
    """

    def build(caller: Caller, asked: jobs.Work, progress: jobs.Progress) -> str:
        command, product = trust.CommandId.of(work.uuid), ProductId(asked.subject)
        made = publish_product(
            database, caller, command, bench, product=product, reach=progress.reach
        )
        return made.id

    jobs.do_work(database, work, build)


def publish_product(
    database: Database,
    caller: Caller,
    command: trust.CommandId,
    bench: Bench,
    *,
    product: ProductId,
    reach: Reach = lambda _done, _total: None,
) -> Snapshot:
    """This will build a product's snapshot from what is loaded now and let it answer from that.

    The snapshot's id is the command's in another form, so sending it again is safe. What `reach`
    raises ends it before anything is true. Raises what the building and `publish_snapshot` refuse;
    then the product goes on as it was.
    """
    snapshot = SnapshotId.of(command.uuid)
    with database.reading(caller) as tx:
        done = find_snapshot(tx, snapshot)
        if done is not None and done.product == product:
            return done
    reach(0, _STAGES)
    with database.reading(caller) as tx:
        found = get_product(tx, product)
        check_may_publish(tx, found)
        tables = find_tables(tx, found, tables=bench.tables)
        sealed = find_sealed_key(tx, product)
        datasets = find_datasets(tx, tables)
    reach(1, _STAGES)
    built = build_snapshot(
        found,
        tables=tables,
        engine=bench.engine(),
        keyring=bench.keyring,
        sealed=sealed,
        folder=bench.folder,
        datasets=datasets,
    )
    reach(2, _STAGES)
    return trust.execute(
        database,
        publish_snapshot,
        caller,
        command,
        snapshot=snapshot,
        product=product,
        built=built,
    )
