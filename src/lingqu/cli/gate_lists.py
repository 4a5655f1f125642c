# SPDX-License-Identifier: Apache-2.0
"""`lingqu gate file | sample | reconcile`: whole lists at the gate."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from lingqu import gate as gates
from lingqu import rights, supply, trust
from lingqu.cli import serve as server
from lingqu.cli.acting import act, caller, can_be_repeated, chosen, made_by, opened, reading
from lingqu.cli.gate import GRANT, PATH, PRODUCT, gate
from lingqu.cli.grammar import argument, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.parties import PARTY
from lingqu.cli.text import labelled
from lingqu.cli.values import IdType
from lingqu.gate import lists
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.runtime.observability import configure_logging

FILE_JOB = IdType(lists.FileJobId)
RESOURCE = IdType(supply.ResourceId)


@gate.group("file")
def file() -> None:
    """Files of subjects."""


@file.command("submit")
@argument("path", type=PATH)
@argument("grant", type=GRANT)
@argument("product_id", type=PRODUCT)
@option("--purpose", required=True)
@option("--predicate", default="")
@option("--key", "key_column", required=True)
@option("--value", "value_column", default="")
@option("--now", is_flag=True)
@can_be_repeated
@click.pass_obj
def submit_file(
    run: Invocation,
    path: Path,
    grant: rights.GrantId,
    product_id: gates.ProductId,
    purpose: str,
    predicate: str,
    key_column: str,
    value_column: str,
    now: bool,  # noqa: FBT001  # a flag of the command line
    command_id: trust.CommandId | None,
) -> None:
    """Hand a table of subjects in."""
    command = chosen(run, command_id)
    job = made_by(command, lists.FileJobId)
    with storage_errors(path):
        content = path.read_bytes()
    with opened(run) as app:
        made = act(
            run,
            app,
            lists.submit_file,
            command,
            job=job,
            grant=grant,
            product=product_id,
            purpose=purpose,
            predicate=predicate,
            format=lists.format_of(content),
            key_column=key_column,
            value_column=value_column,
            digest=app.file_room.put(job, content),
        )
        if now:
            with run.step("gate.file.step"):
                made = lists.run_file(app.database, app.desk, app.file_room, job)
    _answer(run, made)


@file.command("show")
@argument("job_id", type=FILE_JOB)
@click.pass_obj
def show_file(run: Invocation, job_id: lists.FileJobId) -> None:
    """Show how far a file is."""
    with reading(run) as (_, tx):
        found = lists.get_file(tx, job_id)
        progress = lists.find_progress(tx, job_id)
    _answer(run, found, progress)


@file.command("cancel")
@argument("job_id", type=FILE_JOB)
@can_be_repeated
@click.pass_obj
def cancel_file(
    run: Invocation, job_id: lists.FileJobId, command_id: trust.CommandId | None
) -> None:
    """Stop a file before its next part."""
    command = chosen(run, command_id)
    with opened(run) as app:
        ended = act(run, app, lists.cancel_file, command, job=job_id)
        app.file_room.forget(ended)
    _answer(run, ended)


@file.command("fetch")
@argument("job_id", type=FILE_JOB)
@argument("to", type=PATH)
@option("--so-far", is_flag=True)
@click.pass_obj
def fetch_file(
    run: Invocation,
    job_id: lists.FileJobId,
    to: Path,
    so_far: bool,  # noqa: FBT001  # a flag of the command line
) -> None:
    """Fetch the table with its answers."""
    with reading(run) as (app, tx):
        found = lists.get_file(tx, job_id)
        room = app.file_room
        content = room.fetch_so_far(found) if so_far else room.fetch(found)
    with storage_errors(to):
        replace_file(to, content)
    run.answer(
        {"file": str(to), "bytes": len(content)}, [run.word("gate.file.saved", file=str(to))]
    )


@gate.command("sample")
@argument("path", type=PATH)
@argument("product_id", type=PRODUCT)
@argument("party", type=PARTY)
@option("--purpose", required=True)
@option("--predicate", default="")
@option("--key", "key_column", required=True)
@option("--value", "value_column", default="")
@option("--truth", "truth_column", default="")
@can_be_repeated
@click.pass_obj
def try_sample(
    run: Invocation,
    path: Path,
    product_id: gates.ProductId,
    party: trust.PartyId,
    purpose: str,
    predicate: str,
    key_column: str,
    value_column: str,
    truth_column: str,
    command_id: trust.CommandId | None,
) -> None:
    """Try a product on some rows of one's own, free of charge."""
    command = chosen(run, command_id)
    with storage_errors(path):
        content = path.read_bytes()
    rows = lists.read_sample(content, key=key_column, value=value_column, truth=truth_column)
    with opened(run) as app:
        told = lists.try_sample(
            app.database,
            app.desk.shelf(),
            caller(run),
            command,
            product=product_id,
            party=party,
            purpose=purpose,
            predicate=predicate,
            rows=rows,
        )
    run.answer(
        {"command": command, "sample": plain_data(told)},
        lambda: labelled([
            (run.word("head.rows"), told.rows),
            (run.word("head.hit_rate"), f"{told.hit_rate}%"),
            (run.word("head.accuracy"), None if told.accuracy is None else f"{told.accuracy}%"),
            (run.word("head.as_of"), run.moment(told.as_of)),
        ]),
    )  # fmt: skip


@gate.command("reconcile")
@argument("path", type=PATH)
@argument("resource_id", type=RESOURCE)
@option("--key", "key_column", required=True)
@option("--value", "value_column", required=True)
@click.pass_obj
def reconcile(
    run: Invocation, path: Path, resource_id: supply.ResourceId, key_column: str, value_column: str
) -> None:
    """Compare a list with one's own table."""
    with storage_errors(path):
        content = path.read_bytes()
    listed = lists.read_listed(content, key=key_column, value=value_column)
    with opened(run) as app:
        found = lists.reconcile_list(
            app.database,
            caller(run),
            resource=resource_id,
            key=key_column,
            value=value_column,
            listed=listed,
            tables=app.tables,
            engine=app.engine,
        )
    run.answer(
        {"reconciled": plain_data(found)},
        lambda: [
            run.word("gate.reconcile.label"),
            *labelled([
                (run.word("head.rows"), f"{found.listed:,}"),
                (run.word("head.common"), f"{found.common:,}"),
                (run.word("head.changed"), f"{found.changed:,}"),
                *((f"{one.theirs} → {one.ours}", one.count) for one in found.pairs[:10]),
            ]),
        ],
    )  # fmt: skip


@gate.command("serve", prints_data=False)
@option("--bind", metavar="ADDRESS")
@option("--port", metavar="PORT")
@click.pass_obj
def serve_gate(run: Invocation, bind: str | None, port: str | None) -> None:
    """Serve calls in a process of their own, until Ctrl-C."""
    settings = run.settings(bind=bind, port=port)
    configure_logging(settings.log_format, settings.log_level)
    with opened(run, settings) as app:
        server.serve_gate(
            app,
            threading.Event(),
            started=lambda address: run.say(run.word("gate.serving", address=address)),
        )
    run.say(run.word("gate.stopped"))


def _answer(
    run: Invocation, one: lists.FileJob, progress: lists.FileProgress | None = None
) -> None:
    told = progress or lists.FileProgress()
    waits = one.state is lists.FileState.WAITING
    rows = f"{told.answered:,} / {told.rows:,}" if waits and told.rows else f"{one.rows:,}"
    run.answer(
        {"job": plain_data(one), "progress": plain_data(told)},
        lambda: labelled([
            (run.word("head.job"), one.id),
            (run.word("head.state"), run.word(f"gate.file.state.{one.state.value}")),
            (run.word("head.rows"), rows),
            (run.word("head.code"), one.refusal),
        ]),
    )  # fmt: skip
