# SPDX-License-Identifier: Apache-2.0
"""`lingqu jobs`: background jobs that failed for good, and what to do with one."""

from __future__ import annotations

import click

from lingqu import trust
from lingqu.cli.acting import can_be_repeated, chosen, do, listed, page_of, paged, reading
from lingqu.cli.grammar import argument, group
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.trust import jobs as failed

NUMBER = click.IntRange(1, (1 << 53) - 1)


@group("jobs")
def jobs() -> None:
    """Background jobs that failed."""


@jobs.command("list")
@paged
@click.pass_obj
def show_all(run: Invocation, limit: int, after: str | None) -> None:
    """List the failed jobs."""
    with reading(run) as (_, tx):
        page = failed.find_failed_jobs(tx, page=page_of(limit, after))
    rows = [
        (
            str(one.id),
            one.name,
            str(one.attempts),
            "" if one.failed_at is None else run.moment(one.failed_at),
        )
        for one in page.items
    ]
    heads = run.heads("job", "kind", "attempts", "failed")
    listed(run, page, heads, rows, empty="jobs.none")


@jobs.command("retry")
@argument("job", type=NUMBER)
@can_be_repeated
@click.pass_obj
def retry(run: Invocation, job: int, command_id: trust.CommandId | None) -> None:
    """Put a failed job back into the queue."""
    _do(run, failed.retry_job, job, command_id, "jobs.retried")


@jobs.command("drop")
@argument("job", type=NUMBER)
@can_be_repeated
@click.pass_obj
def drop(run: Invocation, job: int, command_id: trust.CommandId | None) -> None:
    """Throw a failed job away."""
    _do(run, failed.drop_job, job, command_id, "jobs.dropped")


def _do(
    run: Invocation,
    what: trust.Command[..., failed.FailedJob],
    job: int,
    command_id: trust.CommandId | None,
    said: str,
) -> None:
    command = chosen(run, command_id)
    done = do(run, what, command, job=job)
    run.answer(
        {"command": command, "job": plain_data(done)},
        [run.word(said, job=job, name=done.name), "", run.word("command.done", command=command)],
    )
