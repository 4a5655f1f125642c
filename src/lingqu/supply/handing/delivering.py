# SPDX-License-Identifier: Apache-2.0
"""What is handed over is kept by its digest first, and loaded by a job that can be stopped.

Whoever hands a large file over need not wait: the command records that it came, with its digest,
and begins a work. The job passes it through the gates as the one who handed it over, tells how far
it is, and ends in `record_load`. The load's id is the work's in another form, so that a job that
died goes on where it was, and nothing is loaded twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lingqu import trust
from lingqu.kernel import errors
from lingqu.runtime import Caller, Database, Row, Tx
from lingqu.runtime.blobs import BlobRef, BlobStore
from lingqu.runtime.engine import Engine
from lingqu.supply.collection import (
    Delivery,
    Load,
    LoadId,
    LoadMode,
    LoadPlan,
    LoadTaken,
    SourceId,
    connect_source,
    get_source,
    land_delivery,
    plan_load,
    read_delivery,
    read_source,
    record_load,
)
from lingqu.supply.resources import ResourceId
from lingqu.trust import jobs

Watch = Callable[[int, int], None]
"""Told how many rows of how many have passed; it may raise to stop the load."""
DELIVERY_JOB = "supply.delivery.load"
"""The job that loads what was handed over."""
KIND = "supply.delivery"


class DeliveryNotFound(errors.NotFound):
    """Nothing was handed over: neither a file nor a source to be read."""

    code = "supply.delivery.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What loading needs beside the database: engine, folders and keys.

    `engine` gives the engine when it is needed; `secrets` is where sources are signed in to.
    """

    engine: Callable[[], Engine]
    tables: Path
    blobs: BlobStore
    secrets: Path
    entity_key: Callable[[], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What was handed over for a work; without a file the source is read where it lies."""

    resource: ResourceId
    mode: LoadMode
    source: SourceId | None = None
    name: str = ""
    sha256: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryHandedOver(trust.Fact):
    """A body handed rows of a resource over, to be loaded; what was accepted is another fact."""

    kind = "supply.delivery.handed_over"
    work: jobs.WorkId
    resource: ResourceId
    body: trust.PartyId
    source: SourceId | None
    mode: LoadMode
    content: str
    size_bytes: int


@trust.command("supply.delivery.hand_over")
def hand_over(tx: Tx, *, work: jobs.WorkId, handed: Handed) -> jobs.Work:
    """This will take a delivery, or a source to be read, and have it loaded by a job.

    Raises ResourceNotFound, AccessDenied, ReadAtSource, SourceNotFound, SourceWasEnded,
    OtherSource, DeliveryNotFound, IdTaken.
    """
    if not handed.sha256 and handed.source is None:
        raise DeliveryNotFound(id=work)
    plan = plan_load(tx, load=LoadId.of(work.uuid), resource=handed.resource, source=handed.source)
    held = plan.resource
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LOAD, owner=held.body)
    made = jobs.begin_work(
        tx,
        work=work,
        kind=KIND,
        subject=held.id,
        owner=held.body,
        title=held.title,
        job=DELIVERY_JOB,
    )
    tx.execute(
        _KEEP,
        (work, held.id, handed.source, handed.mode.value, handed.name, handed.sha256,
         handed.size_bytes),
    )  # fmt: skip
    trust.record(
        tx,
        DeliveryHandedOver(
            work=work,
            resource=held.id,
            body=held.body,
            source=handed.source,
            mode=handed.mode,
            content=handed.sha256,
            size_bytes=handed.size_bytes,
        ),
    )
    return made


def run_delivery(database: Database, work: jobs.WorkId, workshop: Workshop) -> None:
    """This will load what was handed over for a work, as the one who did; run again it goes on.

    What is refused or stopped ends the work and loads nothing; what is merely unavailable is
    raised, to be tried again.
    """

    def load(caller: Caller, _: jobs.Work, progress: jobs.Progress) -> str:
        with database.reading(trust.PLATFORM) as tx:
            row = tx.maybe(_HANDED, (work,))
        progress.reach(0, 0)
        command = trust.CommandId.of(work.uuid)
        return _carry_out(database, caller, command, workshop, row, progress).id

    jobs.do_work(database, work, load)


def _carry_out(
    database: Database,
    caller: Caller,
    command: trust.CommandId,
    workshop: Workshop,
    row: Row | None,
    watch: Watch,
) -> Load:
    if row is None:
        raise DeliveryNotFound(id=command)
    source = None if row["source"] is None else SourceId(row["source"])
    if source is not None and not row["sha256"]:
        return load_source(database, caller, command, workshop, source=source, watch=watch)
    with workshop.blobs.open(BlobRef(sha256=row["sha256"], size=row["size_bytes"])) as stream:
        content = stream.read()
    return load_file(
        database,
        caller,
        command,
        workshop,
        resource=ResourceId(row["resource"]),
        name=row["name"],
        content=content,
        mode=LoadMode(row["mode"]),
        source=source,
        watch=watch,
    )


def load_file(
    database: Database,
    caller: Caller,
    command: trust.CommandId,
    workshop: Workshop,
    *,
    resource: ResourceId,
    name: str,
    content: bytes,
    mode: LoadMode,
    source: SourceId | None,
    watch: Watch | None = None,
) -> Load:
    """This will load a file as the newest load of a resource; safe to send again.

    The load's id is the command's in another form. Raises what the gates and `record_load` refuse;
    then nothing is loaded.
    """
    load = LoadId.of(command.uuid)
    with database.reading(caller) as tx:
        plan = plan_load(tx, load=load, resource=resource, source=source)
    delivery = read_delivery(name, content, fields=plan.fields)
    return _load(database, caller, command, workshop, plan, delivery, mode, source, watch)


def load_source(
    database: Database,
    caller: Caller,
    command: trust.CommandId,
    workshop: Workshop,
    *,
    source: SourceId,
    watch: Watch | None = None,
) -> Load:
    """This will read a source where it lies and load what it holds now; safe to send again.

    Raises UnreadableSecret, what the source's database refuses, and what `load_file` raises.
    """
    load = LoadId.of(command.uuid)
    with database.reading(caller) as tx:
        held = get_source(tx, source)
        plan = plan_load(tx, load=load, resource=held.resource, source=source)
    if plan.done is not None:
        return plan.done
    connection = connect_source(workshop.secrets, held)
    delivery = read_source(workshop.engine(), held, connection, fields=plan.fields)
    mode = LoadMode.REPLACE
    return _load(database, caller, command, workshop, plan, delivery, mode, source, watch)


def _load(
    database: Database,
    caller: Caller,
    command: trust.CommandId,
    workshop: Workshop,
    plan: LoadPlan,
    delivery: Delivery,
    mode: LoadMode,
    source: SourceId | None,
    watch: Watch | None,
) -> Load:
    load = LoadId.of(command.uuid)
    if plan.done is not None:
        if plan.done.content != delivery.content:
            raise LoadTaken(load=load)
        return plan.done
    landed = land_delivery(
        delivery,
        load=load,
        resource=plan.resource.id,
        fields=plan.fields,
        mode=mode,
        current=plan.current,
        tables=workshop.tables,
        engine=workshop.engine(),
        entity_key=workshop.entity_key(),
        watch=watch,
    )
    return trust.execute(
        database,
        record_load,
        caller,
        command,
        load=load,
        resource=plan.resource.id,
        source=source,
        landed=landed,
    )


_KEEP = """
    INSERT INTO supply.delivery (work, resource, source, mode, name, sha256, size_bytes)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_HANDED = """
    SELECT resource, source, mode, name, sha256, size_bytes FROM supply.delivery WHERE work = %s
"""

trust.declare(trust.AuditClass.OPERATIONAL, "supply.delivery")
