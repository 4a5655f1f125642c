# SPDX-License-Identifier: Apache-2.0
"""`lingqu supply`: duties, the catalog, and whether two delivered tables agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from lingqu import supply as supplies
from lingqu import trust
from lingqu.cli.acting import (
    can_be_repeated,
    chosen,
    do,
    listed,
    made_by,
    page_of,
    paged,
    reading,
)
from lingqu.cli.collection import load, source
from lingqu.cli.findings import finding, write_conflicts
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.opening import catalog, open_
from lingqu.cli.text import labelled, table, terminal_width, wrapped
from lingqu.cli.values import PATH, IdType, JsonFile

SHOWN = 20
BODY = IdType(trust.PartyId)
DUTY = IdType(supplies.DutyId)
RESOURCE = IdType(supplies.ResourceId)


@group("supply")
def supply() -> None:
    """Duties, the catalog, delivered tables."""


for part in (source, load, finding, open_, catalog):
    supply.add_command(part)


@supply.group("duty")
def duty() -> None:
    """Which body answers for which data."""


@duty.command("register")
@argument("item")
@option("--body", type=BODY, required=True)
@option("--basis", required=True)
@option("--territory", required=True)
@can_be_repeated
@click.pass_obj
def register_duty(
    run: Invocation,
    item: str,
    body: trust.PartyId,
    basis: str,
    territory: str,
    command_id: trust.CommandId | None,
) -> None:
    """Register a duty."""
    command = chosen(run, command_id)
    made = do(
        run,
        supplies.register_duty,
        command,
        duty=made_by(command, supplies.DutyId),
        body=body,
        item=item,
        basis=basis,
        territory=territory,
    )
    run.answer(
        {"command": command, "duty": plain_data(made)},
        lambda: [run.word("supply.duty.registered"), *_duty_lines(run, made)],
    )


@duty.command("list")
@option("--body", type=BODY)
@option("--territory")
@paged
@click.pass_obj
def list_duties(
    run: Invocation,
    body: trust.PartyId | None,
    territory: str | None,
    limit: int,
    after: str | None,
) -> None:
    """List duties that are in force."""
    with reading(run) as (_, tx):
        page = supplies.find_duties(tx, page=page_of(limit, after), body=body, territory=territory)
    heads = run.heads("duty", "item", "territory", "body")
    rows = [(one.id, one.item, one.territory, one.body) for one in page.items]
    listed(run, page, heads, rows)


@duty.command("end")
@argument("duty_id", type=DUTY)
@can_be_repeated
@click.pass_obj
def end_duty(run: Invocation, duty_id: supplies.DutyId, command_id: trust.CommandId | None) -> None:
    """End a duty."""
    command = chosen(run, command_id)
    ended = do(run, supplies.end_duty, command, duty=duty_id)
    run.answer(
        {"command": command, "duty": plain_data(ended)},
        lambda: [run.word("supply.duty.ended"), *_duty_lines(run, ended)],
    )


@supply.group("resource")
def resource() -> None:
    """The catalog of resources."""


@resource.command("describe")
@argument("description", type=JsonFile(supplies.Description))
@option("--duty", "duty_id", type=DUTY, required=True)
@can_be_repeated
@click.pass_obj
def describe_resource(
    run: Invocation,
    description: supplies.Description,
    duty_id: supplies.DutyId,
    command_id: trust.CommandId | None,
) -> None:
    """Put a resource into the catalog."""
    command = chosen(run, command_id)
    made = do(
        run,
        supplies.describe_resource,
        command,
        resource=made_by(command, supplies.ResourceId),
        duty=duty_id,
        description=description,
    )
    run.answer(
        {"command": command, "resource": plain_data(made)},
        lambda: [run.word("supply.resource.described"), *_resource_lines(run, made)],
    )


@resource.command("revise")
@argument("resource_id", type=RESOURCE)
@argument("description", type=JsonFile(supplies.Description))
@can_be_repeated
@click.pass_obj
def revise_resource(
    run: Invocation,
    resource_id: supplies.ResourceId,
    description: supplies.Description,
    command_id: trust.CommandId | None,
) -> None:
    """Describe a resource anew."""
    command = chosen(run, command_id)
    made = do(
        run,
        supplies.revise_resource,
        command,
        resource=resource_id,
        description=description,
    )
    run.answer(
        {"command": command, "resource": plain_data(made)},
        lambda: [run.word("supply.resource.described"), *_resource_lines(run, made)],
    )


@resource.command("list")
@option("--body", type=BODY)
@option("--duty", "duty_id", type=DUTY)
@paged
@click.pass_obj
def list_resources(
    run: Invocation,
    body: trust.PartyId | None,
    duty_id: supplies.DutyId | None,
    limit: int,
    after: str | None,
) -> None:
    """List the catalog."""
    with reading(run) as (_, tx):
        page = supplies.find_resources(tx, page=page_of(limit, after), body=body, duty=duty_id)
    heads = run.heads("resource", "title", "level", "body")
    rows = [(one.id, one.title, one.level or "", one.body) for one in page.items]
    listed(run, page, heads, rows)


@resource.command("show")
@argument("resource_id", type=RESOURCE)
@click.pass_obj
def show_resource(run: Invocation, resource_id: supplies.ResourceId) -> None:
    """Show one resource with its fields."""
    with reading(run) as (_, tx):
        found = supplies.get_resource(tx, resource_id)
    fields = supplies.read_fields(found)
    run.answer(
        {"resource": plain_data(found), "fields": plain_data(fields)},
        lambda: [
            *_resource_lines(run, found),
            "",
            *table(
                run.heads("name", "label", "kind", "meaning"),
                [(one.name, one.label, one.kind.value, one.meaning) for one in fields],
            ),
        ],
    )


@resource.command("grade")
@argument("resource_id", type=RESOURCE)
@argument("level", type=int)
@option("--reason", required=True)
@can_be_repeated
@click.pass_obj
def grade_resource(
    run: Invocation,
    resource_id: supplies.ResourceId,
    level: int,
    reason: str,
    command_id: trust.CommandId | None,
) -> None:
    """Confirm a security level."""
    command = chosen(run, command_id)
    graded = do(
        run,
        supplies.grade_resource,
        command,
        resource=resource_id,
        level=level,
        reason=reason,
    )
    run.answer(
        {"command": command, "resource": plain_data(graded)},
        lambda: [run.word("supply.resource.graded"), *_resource_lines(run, graded)],
    )


@resource.command("withdraw")
@argument("resource_id", type=RESOURCE)
@can_be_repeated
@click.pass_obj
def withdraw_resource(
    run: Invocation, resource_id: supplies.ResourceId, command_id: trust.CommandId | None
) -> None:
    """Take a resource out of the catalog."""
    command = chosen(run, command_id)
    gone = do(run, supplies.withdraw_resource, command, resource=resource_id)
    run.answer(
        {"command": command, "resource": plain_data(gone)},
        lambda: [run.word("supply.resource.withdrawn"), *_resource_lines(run, gone)],
    )


def _duty_lines(run: Invocation, one: supplies.Duty) -> list[str]:
    return labelled([
        (run.word("head.duty"), one.id),
        (run.word("head.item"), one.item),
        (run.word("head.basis"), one.basis),
        (run.word("head.territory"), one.territory),
        (run.word("head.body"), one.body),
        (run.word("head.ended"), None if one.ended_at is None else run.moment(one.ended_at)),
    ])  # fmt: skip


def _resource_lines(run: Invocation, one: supplies.Resource) -> list[str]:
    gone = one.withdrawn_at
    return labelled([
        (run.word("head.resource"), one.id),
        (run.word("head.title"), one.title),
        (run.word("head.summary"), one.summary),
        (run.word("head.duty"), one.duty),
        (run.word("head.level"), run.word("supply.ungraded") if one.level is None else one.level),
        (run.word("head.withdrawn"), None if gone is None else run.moment(gone)),
    ])  # fmt: skip


@supply.command("compare")
@argument("left", type=PATH)
@argument("right", type=PATH)
@option("--key", required=True)
@option("--name", "name_column", required=True)
@option("--parent", required=True)
@option("--xlsx", type=PATH)
@click.pass_obj
def compare(
    run: Invocation,
    left: Path,
    right: Path,
    key: str,
    name_column: str,
    parent: str,
    xlsx: Path | None,
) -> None:
    """Compare two code books and say which key is safe."""
    with run.step("supply.compare.step"):
        books = [
            supplies.KeyBook(
                table=supplies.read_table(path),
                key=_column(key, side),
                name=_column(name_column, side),
                parent=_column(parent, side),
            )
            for side, path in enumerate((left, right))
        ]
        found = supplies.compare_tables(*books)
        if xlsx is not None:
            write_conflicts(found, xlsx)
    summary = {"safe_key": found.safe_key, "swapped": found.swapped}
    run.answer({**summary, "comparison": plain_data(found)}, lambda: list(_lines(run, found)))


def _column(text: str, side: int) -> str:
    """Give the column on one side: `code` on both, or `parent=county` where they differ."""
    left, equals, right = text.partition("=")
    return right if equals and side else left


def _lines(run: Invocation, found: supplies.Comparison) -> Iterator[str]:
    yield run.word("supply.compare.head", left=found.left, right=found.right)
    counts = (
        ("rows", f"{found.left_rows:,} / {found.right_rows:,}"),
        (
            "parents",
            f"{found.left_parents:,} / {found.right_parents:,}  ({found.shared_parents:,})",
        ),
        (
            "duplicates",
            f"{len(found.left_duplicate_keys):,} / {len(found.right_duplicate_keys):,}",
        ),
        ("empty", f"{found.left_empty_keys:,} / {found.right_empty_keys:,}"),
        ("shared", f"{found.shared_keys:,}"),
        ("conflicts", f"{len(found.conflicts):,}"),
        ("swapped", f"{found.swapped:,}"),
        ("derived", f"{found.derived_matches:,}"),
        ("only", f"{len(found.left_only):,} / {len(found.right_only):,}"),
    )
    yield from labelled((run.word(f"supply.compare.{name}"), value) for name, value in counts)
    if found.conflicts:
        yield ""
        yield run.word("supply.compare.conflict_list")
        yield from table(
            run.heads("key", "left_name", "right_name", "left_elsewhere", "right_elsewhere"),
            (
                (
                    one.key,
                    one.left_name,
                    one.right_name,
                    one.left_elsewhere or "",
                    one.right_elsewhere or "",
                )
                for one in found.conflicts[:SHOWN]
            ),
        )
        if len(found.conflicts) > SHOWN:
            yield run.word("supply.compare.more", count=len(found.conflicts) - SHOWN)
    yield ""
    yield from wrapped(run.word(f"supply.compare.safe_{found.safe_key.value}"), terminal_width())
