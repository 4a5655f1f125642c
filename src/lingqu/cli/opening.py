# SPDX-License-Identifier: Apache-2.0
"""`lingqu supply open|catalog`: the yearly list, files for everyone, and catalogs elsewhere."""

from __future__ import annotations

import shutil
from datetime import date
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
    more,
    opened,
    page_of,
    paged,
    reading,
)
from lingqu.cli.facts import FileExists
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, table
from lingqu.cli.values import DAY, PATH, IdType, JsonFile
from lingqu.errands import Opening, open_file, public_address
from lingqu.runtime.blobs import replace_file, storage_errors
from lingqu.supply import opening

RESOURCE = IdType(supplies.ResourceId)
ENTRY = IdType(opening.OpenEntryId)
FILE = IdType(opening.OpenFileId)
CATALOG = IdType(opening.CatalogId)


@group("open")
def open_() -> None:
    """The yearly list, and files for everyone."""


@open_.command("propose")
@argument("resource_id", type=RESOURCE)
@option("--year", type=int, required=True)
@option("--territory", required=True)
@option("--criterion", "criteria", multiple=True, required=True)
@option("--due", type=DAY, required=True)
@can_be_repeated
@click.pass_obj
def propose(
    run: Invocation,
    resource_id: supplies.ResourceId,
    year: int,
    territory: str,
    criteria: tuple[str, ...],
    due: date,
    command_id: trust.CommandId | None,
) -> None:
    """Propose a resource for the list of a year."""
    command = chosen(run, command_id)
    made = do(
        run,
        opening.propose_entry,
        command,
        entry=made_by(command, opening.OpenEntryId),
        year=year,
        territory=territory,
        resource=resource_id,
        criteria=criteria,
        due_on=due,
    )
    _answer_entry(run, command, made)


@open_.command("confirm")
@argument("entry_id", type=ENTRY)
@can_be_repeated
@click.pass_obj
def confirm(
    run: Invocation, entry_id: opening.OpenEntryId, command_id: trust.CommandId | None
) -> None:
    """Confirm a proposed line."""
    command = chosen(run, command_id)
    made = do(run, opening.confirm_entry, command, entry=entry_id)
    _answer_entry(run, command, made)


@open_.command("publish-list")
@option("--year", type=int, required=True)
@option("--territory", required=True)
@can_be_repeated
@click.pass_obj
def publish_list(
    run: Invocation, year: int, territory: str, command_id: trust.CommandId | None
) -> None:
    """Publish the confirmed lines of a year as its list."""
    command = chosen(run, command_id)
    done = do(run, opening.publish_list, command, year=year, territory=territory)
    run.answer(
        {"command": command, "items": plain_data(done)},
        lambda: [run.word("supply.open.published", count=len(done)), *_entries(run, done)],
    )


@open_.command("lines")
@option("--year", type=int)
@option("--territory")
@paged
@click.pass_obj
def list_entries(
    run: Invocation, year: int | None, territory: str | None, limit: int, after: str | None
) -> None:
    """List lines of yearly lists."""
    with reading(run) as (_, tx):
        page = opening.find_entries(tx, page=page_of(limit, after), year=year, territory=territory)
    run.answer(
        {"items": plain_data(page.items), "next": page.next},
        [*_entries(run, page.items), *more(run, page.next)],
    )


@open_.command("file")
@argument("entry_id", type=ENTRY)
@argument("resource_id", type=RESOURCE)
@option("--title", required=True)
@option("--summary", required=True)
@option("--terms", required=True)
@option("--crosswalk", "other_id", type=RESOURCE)
@option("--name", "name_column", default="")
@option("--parent", default="")
@can_be_repeated
@click.pass_obj
def publish_file(
    run: Invocation,
    entry_id: opening.OpenEntryId,
    resource_id: supplies.ResourceId,
    title: str,
    summary: str,
    terms: str,
    other_id: supplies.ResourceId | None,
    name_column: str,
    parent: str,
    command_id: trust.CommandId | None,
) -> None:
    """Open a whole table, or a crosswalk of two code books, to everyone."""
    command = chosen(run, command_id)
    name, _, other_name = name_column.partition("=")
    above, _, other_above = parent.partition("=")
    wanted = Opening(
        entry=entry_id,
        title=title,
        summary=summary,
        terms=terms,
        recipe=opening.Recipe.TABLE if other_id is None else opening.Recipe.CROSSWALK,
        resource=resource_id,
        other=other_id,
        name=name,
        parent=above,
        other_name=other_name or None,
        other_parent=other_above or None,
    )
    with opened(run) as app, run.step("supply.open.step"):
        made = open_file(app, caller(run), command, wanted)
    run.answer(
        {"command": command, "file": plain_data(made)},
        lambda: [run.word("supply.open.opened"), *_file_lines(run, made)],
    )


@open_.command("list")
@paged
@click.pass_obj
def list_files(run: Invocation, limit: int, after: str | None) -> None:
    """List what anyone may download."""
    with reading(run) as (_, tx):
        page = opening.find_files(tx, page=page_of(limit, after))
    heads = run.heads("open_file", "title", "row_count", "sha256")
    rows = [(one.id, one.title, f"{one.rows:,}", one.sha256[:16] + "…") for one in page.items]
    listed(run, page, heads, rows)


@open_.command("download")
@argument("file_id", type=FILE)
@option("--output", type=PATH)
@click.pass_obj
def download(run: Invocation, file_id: opening.OpenFileId, output: Path | None) -> None:
    """Write an open file."""
    with reading(run) as (app, tx):
        held = opening.get_file(tx, file_id)
        target = (output or Path(held.name)).absolute()
        with storage_errors(target.parent):
            if target.exists():
                raise FileExists(file=str(target))
            with app.blobs.open(held.as_blob()) as stream, target.open("xb") as written:
                shutil.copyfileobj(stream, written)
    run.answer(
        {"file": target, "sha256": held.sha256},
        lambda: [run.word("supply.open.written", file=str(target)), *_file_lines(run, held)],
    )


@open_.command("withdraw")
@argument("file_id", type=FILE)
@can_be_repeated
@click.pass_obj
def withdraw(
    run: Invocation, file_id: opening.OpenFileId, command_id: trust.CommandId | None
) -> None:
    """Take a file back from the public."""
    command = chosen(run, command_id)
    gone = do(run, opening.withdraw_file, command, file=file_id)
    run.answer(
        {"command": command, "file": plain_data(gone)},
        lambda: [run.word("supply.open.withdrawn"), *_file_lines(run, gone)],
    )


@group("catalog")
def catalog() -> None:
    """Catalogs elsewhere in which open files are listed."""


@catalog.command("register")
@argument("title")
@option("--operator", required=True)
@can_be_repeated
@click.pass_obj
def register_catalog(
    run: Invocation, title: str, operator: str, command_id: trust.CommandId | None
) -> None:
    """Register a catalog."""
    command = chosen(run, command_id)
    made = do(
        run,
        opening.register_catalog,
        command,
        catalog=made_by(command, opening.CatalogId),
        title=title,
        operator=operator,
    )
    run.answer(
        {"command": command, "catalog": plain_data(made)},
        [run.word("supply.catalog.registered"),
         *labelled([(run.word("head.catalog"), made.id), (run.word("head.title"), made.title)])],
    )  # fmt: skip


@catalog.command("list")
@click.pass_obj
def list_catalogs(run: Invocation) -> None:
    """List the catalogs."""
    with reading(run) as (_, tx):
        found = opening.find_catalogs(tx)
    rows = [(one.id, one.title, one.operator) for one in found]
    heads = run.heads("catalog", "title", "run_by")
    run.answer(
        {"items": plain_data(found)}, table(heads, rows) if rows else [run.word("list.empty")]
    )


@catalog.command("write")
@argument("catalog_id", type=CATALOG)
@argument("file", type=PATH)
@can_be_repeated
@click.pass_obj
def write_catalog(
    run: Invocation,
    catalog_id: opening.CatalogId,
    file: Path,
    command_id: trust.CommandId | None,
) -> None:
    """Write what is open as one DCAT document for a catalog."""
    command = chosen(run, command_id)
    target = file.absolute()
    with storage_errors(target.parent):
        if target.exists():
            raise FileExists(file=str(target))
    with opened(run) as app:
        made = act(
            run,
            app,
            opening.write_catalog,
            command,
            catalog=catalog_id,
            base_url=public_address(app),
        )
    replace_file(target, made.document.encode(), mode=0o644)
    run.answer(
        {"command": command, "file": target, "sha256": made.sha256, "files": made.files},
        [run.word("supply.catalog.written", file=str(target), count=made.files),
         *labelled([(run.word("head.sha256"), made.sha256)])],
    )  # fmt: skip


@catalog.command("reconcile")
@argument("catalog_id", type=CATALOG)
@argument("report", type=JsonFile(tuple[opening.Reported, ...]))
@can_be_repeated
@click.pass_obj
def reconcile(
    run: Invocation,
    catalog_id: opening.CatalogId,
    report: tuple[opening.Reported, ...],
    command_id: trust.CommandId | None,
) -> None:
    """Compare what a catalog reports with what was written for it."""
    command = chosen(run, command_id)
    done = do(run, opening.reconcile_catalog, command, catalog=catalog_id, reported=report)
    run.answer(
        {"command": command, "reconciled": plain_data(done)},
        [
            run.word("supply.catalog.reconciled"),
            *labelled([
                (_status(run, opening.CatalogStatus.ACKNOWLEDGED), done.acknowledged),
                (_status(run, opening.CatalogStatus.REJECTED), done.rejected),
                (_status(run, opening.CatalogStatus.MISSING), done.missing),
                (run.word("supply.catalog.unknown"), len(done.unknown)),
            ]),
            *done.unknown,
        ],
    )  # fmt: skip


@catalog.command("show")
@argument("catalog_id", type=CATALOG)
@click.pass_obj
def show_catalog(run: Invocation, catalog_id: opening.CatalogId) -> None:
    """Show how each open file stands in a catalog."""
    with reading(run) as (_, tx):
        found = opening.find_catalog_entries(tx, catalog_id)
    rows = [
        (one.file, _status(run, one.status), one.reason, run.moment(one.written_at))
        for one in found
    ]
    heads = run.heads("open_file", "state", "reason", "written")
    run.answer(
        {"items": plain_data(found)}, table(heads, rows) if rows else [run.word("list.empty")]
    )


def _status(run: Invocation, status: opening.CatalogStatus) -> str:
    return run.word(f"supply.catalog.status_{status.value}")


def _answer_entry(run: Invocation, command: trust.CommandId, made: opening.OpenEntry) -> None:
    run.answer(
        {"command": command, "entry": plain_data(made)},
        lambda: [run.word(f"supply.open.{made.state.value}"), *_entries(run, (made,))],
    )


def _entries(run: Invocation, entries: tuple[opening.OpenEntry, ...]) -> list[str]:
    if not entries:
        return [run.word("list.empty")]
    states = {state: run.word(f"supply.open.state_{state.value}") for state in opening.EntryState}
    rows = [(one.id, one.year, one.territory, one.title, states[one.state]) for one in entries]
    return list(table(run.heads("entry", "year", "territory", "title", "state"), rows))


def _file_lines(run: Invocation, one: opening.OpenFile) -> list[str]:
    made_of = [f"{one.resource} · {one.edition}" for one in opening.read_lineage(one)]
    return labelled([
        (run.word("head.open_file"), one.id),
        (run.word("head.title"), one.title),
        (run.word("head.row_count"), f"{one.rows:,}"),
        (run.word("head.sha256"), one.sha256),
        (run.word("head.terms"), one.terms),
        *((run.word("head.made_of"), line) for line in made_of),
    ])  # fmt: skip
