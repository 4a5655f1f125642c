# SPDX-License-Identifier: Apache-2.0
"""`lingqu supply source|load`: where resources come from, and loading what was delivered."""

from __future__ import annotations

from pathlib import Path

import click

from lingqu import supply as supplies
from lingqu import trust
from lingqu.cli.acting import (
    act,
    caller,
    can_be_repeated,
    chosen,
    do,
    listed,
    made_by,
    opened,
    page_of,
    paged,
    reading,
)
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, plain, table
from lingqu.cli.values import PATH, IdType, Member
from lingqu.errands import deliver_file, deliver_source
from lingqu.runtime.blobs import storage_errors
from lingqu.runtime.settings import source_location
from lingqu.supply import collection

REJECTIONS_SHOWN = 20
BODY = IdType(trust.PartyId)
RESOURCE = IdType(supplies.ResourceId)
SOURCE = IdType(collection.SourceId)
LOAD = IdType(collection.LoadId)


@group("source")
def source() -> None:
    """Where resources come from."""


@source.command("register")
@argument("resource_id", type=RESOURCE)
@option("--title", required=True)
@option("--postgres", "place", metavar="SCHEMA.TABLE")
@can_be_repeated
@click.pass_obj
def register_source(
    run: Invocation,
    resource_id: supplies.ResourceId,
    title: str,
    place: str | None,
    command_id: trust.CommandId | None,
) -> None:
    """Register a source."""
    command = chosen(run, command_id)
    schema, _, name = (place or "").partition(".")
    kind = collection.SourceKind.FILE if place is None else collection.SourceKind.POSTGRES
    with opened(run) as app:
        made = act(
            run,
            app,
            collection.register_source,
            command,
            source=made_by(command, collection.SourceId),
            resource=resource_id,
            title=title,
            kind=kind,
            schema_name=schema,
            table_name=name,
        )
        file = source_location(app.settings) / made.id
    lines = [run.word("supply.source.registered"), *_source_lines(run, made)]
    if made.kind is collection.SourceKind.POSTGRES:
        lines += ["", run.word("supply.source.connect", file=str(file))]
    run.answer({"command": command, "source": plain_data(made)}, lines)


@source.command("list")
@option("--body", type=BODY)
@option("--resource", "resource_id", type=RESOURCE)
@paged
@click.pass_obj
def list_sources(
    run: Invocation,
    body: trust.PartyId | None,
    resource_id: supplies.ResourceId | None,
    limit: int,
    after: str | None,
) -> None:
    """List sources that are in force."""
    with reading(run) as (_, tx):
        page = collection.find_sources(
            tx, page=page_of(limit, after), body=body, resource=resource_id
        )
    heads = run.heads("data_source", "title", "kind", "resource")
    rows = [(one.id, one.title, _kind(run, one), one.resource) for one in page.items]
    listed(run, page, heads, rows)


@source.command("end")
@argument("source_id", type=SOURCE)
@can_be_repeated
@click.pass_obj
def end_source(
    run: Invocation, source_id: collection.SourceId, command_id: trust.CommandId | None
) -> None:
    """End a source."""
    command = chosen(run, command_id)
    ended = do(run, collection.end_source, command, source=source_id)
    run.answer(
        {"command": command, "source": plain_data(ended)},
        lambda: [run.word("supply.source.ended"), *_source_lines(run, ended)],
    )


@group("load")
def load() -> None:
    """Loading what was delivered."""


@load.command("file")
@argument("resource_id", type=RESOURCE)
@argument("file", type=PATH)
@option("--mode", type=Member(collection.LoadMode), default="replace", show_default=True)
@option("--source", "source_id", type=SOURCE)
@can_be_repeated
@click.pass_obj
def load_file(
    run: Invocation,
    resource_id: supplies.ResourceId,
    file: Path,
    mode: collection.LoadMode,
    source_id: collection.SourceId | None,
    command_id: trust.CommandId | None,
) -> None:
    """Load a delivered file."""
    command = chosen(run, command_id)
    most = supplies.TableLimits().bytes
    with storage_errors(file), file.open("rb") as stream:
        content = stream.read(most + 1)
    with opened(run) as app, run.step("supply.load.step"):
        made = deliver_file(
            app,
            caller(run),
            command,
            resource=resource_id,
            name=file.name,
            content=content,
            mode=mode,
            source=source_id,
        )
    _answer(run, command, made)


@load.command("source")
@argument("source_id", type=SOURCE)
@can_be_repeated
@click.pass_obj
def load_source(
    run: Invocation, source_id: collection.SourceId, command_id: trust.CommandId | None
) -> None:
    """Load what a source holds now."""
    command = chosen(run, command_id)
    with opened(run) as app, run.step("supply.load.step"):
        made = deliver_source(app, caller(run), command, source=source_id)
    _answer(run, command, made)


@load.command("list")
@option("--body", type=BODY)
@option("--resource", "resource_id", type=RESOURCE)
@paged
@click.pass_obj
def list_loads(
    run: Invocation,
    body: trust.PartyId | None,
    resource_id: supplies.ResourceId | None,
    limit: int,
    after: str | None,
) -> None:
    """List loads."""
    with reading(run) as (_, tx):
        page = collection.find_loads(
            tx, page=page_of(limit, after), body=body, resource=resource_id
        )
    heads = run.heads("load", "delivery", "load_number", "accepted", "set_aside", "loaded")
    rows = [
        (one.id, plain(one.delivery), one.edition, f"{one.rows:,}", f"{one.rejected:,}",
         run.moment(one.loaded_at))
        for one in page.items
    ]  # fmt: skip
    listed(run, page, heads, rows)


@load.command("show")
@argument("load_id", type=LOAD)
@click.pass_obj
def show_load(run: Invocation, load_id: collection.LoadId) -> None:
    """Show one load, with the rows that were set aside."""
    with reading(run) as (_, tx):
        found = collection.get_load(tx, load_id)
        aside = collection.find_rejections(tx, load_id)
    rejections = [
        {"row": one.row, "field": one.field, "reason": one.reason, "cells": list(one.cells)}
        for one in aside
    ]
    run.answer(
        {"load": plain_data(found), "rejections": rejections},
        lambda: [*_load_lines(run, found), *_rejection_lines(run, found, aside)],
    )


def _answer(run: Invocation, command: trust.CommandId, made: collection.Load) -> None:
    lines = [run.word("supply.load.recorded"), *_load_lines(run, made)]
    if made.rejected:
        lines += ["", run.word("supply.load.look", count=made.rejected, load=made.id)]
    run.answer({"command": command, "load": plain_data(made)}, lines)


def _source_lines(run: Invocation, one: collection.Source) -> list[str]:
    place = f"{one.schema_name}.{one.table_name}" if one.schema_name else None
    return labelled([
        (run.word("head.data_source"), one.id),
        (run.word("head.title"), one.title),
        (run.word("head.resource"), one.resource),
        (run.word("head.kind"), _kind(run, one)),
        (run.word("head.table_place"), place),
        (run.word("head.ended"), None if one.ended_at is None else run.moment(one.ended_at)),
    ])  # fmt: skip


def _kind(run: Invocation, one: collection.Source) -> str:
    return run.word(f"supply.source.{one.kind.value}_{one.mode.value}")


def _load_lines(run: Invocation, one: collection.Load) -> list[str]:
    return labelled([
        (run.word("head.load"), one.id),
        (run.word("head.resource"), one.resource),
        (run.word("head.delivery"), plain(one.delivery)),
        (run.word("head.sha256"), one.content),
        (run.word("head.encoding"), one.encoding),
        (run.word("head.load_number"), one.edition),
        (run.word("head.accepted"), f"{one.rows:,}"),
        (run.word("head.set_aside"), f"{one.rejected:,}"),
        (run.word("head.loaded"), run.moment(one.loaded_at)),
    ])  # fmt: skip


def _rejection_lines(
    run: Invocation, held: collection.Load, aside: tuple[collection.Rejection, ...]
) -> list[str]:
    if not aside:
        return []
    rows = [
        (one.row, one.field, run.word(f"supply.reason.{one.reason}"), plain(",".join(one.cells)))
        for one in aside[:REJECTIONS_SHOWN]
    ]
    lines = ["", *table(run.heads("row", "column", "reason", "cells"), rows)]
    if held.rejected > len(rows):
        lines.append(run.word("supply.compare.more", count=held.rejected - len(rows)))
    return lines
