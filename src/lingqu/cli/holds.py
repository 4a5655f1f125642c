# SPDX-License-Identifier: Apache-2.0
"""`lingqu hold`: stop a thing of any domain, free it again, and see what is held."""

from __future__ import annotations

import click

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
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled
from lingqu.cli.values import IdType, Member
from lingqu.runtime.i18n import translate
from lingqu.trust import holds

HOLD = IdType(holds.HoldId)


@group("hold")
def hold() -> None:
    """Holds on anything that has an id."""


@hold.command("place")
@argument("subject")
@option("--reason", type=Member(holds.HoldReason), required=True)
@option("--article", required=True)
@option("--evidence")
@can_be_repeated
@click.pass_obj
def place(
    run: Invocation,
    subject: str,
    reason: holds.HoldReason,
    article: str,
    evidence: str | None,
    command_id: trust.CommandId | None,
) -> None:
    """Hold a thing."""
    command = chosen(run, command_id)
    placed = do(
        run,
        holds.place_hold,
        command,
        hold=made_by(command, holds.HoldId),
        subject=subject,
        reason=reason,
        article=article,
        evidence=evidence,
    )
    run.answer(
        {"command": command, "hold": plain_data(placed)},
        lambda: [
            run.word("hold.placed"),
            *labelled([
                (run.word("head.hold"), placed.id),
                (run.word("head.subject"), placed.subject),
                (run.word("head.reason"), _reason(run, placed.reason)),
                (run.word("head.article"), placed.article),
            ]),
            "",
            run.word("command.done", command=command),
        ],
    )  # fmt: skip


@hold.command("lift")
@argument("hold_id", type=HOLD)
@can_be_repeated
@click.pass_obj
def lift(run: Invocation, hold_id: holds.HoldId, command_id: trust.CommandId | None) -> None:
    """Lift a hold."""
    command = chosen(run, command_id)
    lifted = do(run, holds.lift_hold, command, hold=hold_id)
    run.answer(
        {"command": command, "hold": plain_data(lifted)},
        [run.word("hold.lifted", hold=hold_id), run.word("command.done", command=command)],
    )


@hold.command("list")
@option("--subject")
@option("--all", "also_lifted", is_flag=True)
@paged
@click.pass_obj
def show_all(
    run: Invocation,
    subject: str | None,
    also_lifted: bool,  # noqa: FBT001  # a flag of the command line
    limit: int,
    after: str | None,
) -> None:
    """List holds."""
    with reading(run) as (_, tx):
        page = holds.find_holds(
            tx, page=page_of(limit, after), subject=subject, in_force=not also_lifted
        )
    rows = [
        (
            one.id,
            one.subject,
            _reason(run, one.reason),
            one.article,
            "" if one.lifted_at is None else run.moment(one.lifted_at),
        )
        for one in page.items
    ]
    heads = run.heads("hold", "subject", "reason", "article", "lifted")
    listed(run, page, heads, rows)


def _reason(run: Invocation, reason: holds.HoldReason) -> str:
    return translate(f"trust.hold.reason.{reason.value}", run.language)
