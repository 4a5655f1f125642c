# SPDX-License-Identifier: Apache-2.0
"""Failed jobs: the list for administrators, and what to do with one."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.trust import jobs
from lingqu.ui import tables
from lingqu.ui.forms import Form
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, RowAct, Show

PATH = "/trust/jobs"


@get(PATH, sync_to_thread=True)
def failed_jobs(desk: FromDesk) -> Response[Any]:
    """This will list the background jobs that failed for good, and those that wait or run."""
    desk.require(trust.Role.ADMINISTRATOR, kind=trust.Kind.INSTALLATION)
    return _list(desk)


@post(f"{PATH}/retry", sync_to_thread=True, command="trust.job.retry")
def retry(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will put a failed job back into the queue."""
    return _act(desk, form, jobs.retry_job, "job_retried")


@post(f"{PATH}/drop", sync_to_thread=True, command="trust.job.drop")
def drop(desk: FromDesk, form: FromForm) -> Response[Any] | Redirect:
    """This will throw a failed job away."""
    return _act(desk, form, jobs.drop_job, "job_dropped")


def _act(
    desk: Desk, form: Form, what: trust.Command[..., jobs.FailedJob], done: str
) -> Response[Any] | Redirect:
    desk.require(trust.Role.ADMINISTRATOR, kind=trust.Kind.INSTALLATION)
    command, number = form.id("command", trust.CommandId), form.text("job")
    known = number.isascii() and number.isdigit() and len(number) < 16
    try:
        desk.execute(command, what, job=int(number) if known else 0)
    except (errors.NotFound, errors.Conflict) as refusal:
        return _list(desk, refusal=refusal)
    return desk.go(PATH, done=done)


def _list(desk: Desk, *, refusal: errors.LingquError | None = None) -> Response[Any]:
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: jobs.find_failed_jobs(tx, page=page))
        queued = jobs.find_queued_jobs(tx)
    columns = _columns(desk)
    if tables.wants_file(desk):
        name = desk.text("ui.jobs.title")
        return tables.listed_sheet(desk, found, columns=columns, name=name)
    return desk.show(
        "trust/jobs.html",
        status=200 if refusal is None else status_of(refusal),
        view=tables.list_table(desk, found, columns=columns, is_cut=is_cut),
        queued=queued,
        refusal=desk.explain(refusal),
    )


def _columns(desk: Desk) -> tuple[Column[jobs.FailedJob], ...]:
    def acts(one: jobs.FailedJob) -> tuple[RowAct, ...]:
        values = {"job": str(one.id)}
        return (
            RowAct(path=f"{PATH}/retry", words=desk.text("ui.jobs.retry"), values=values),
            RowAct(
                path=f"{PATH}/drop", words=desk.text("ui.jobs.drop"), values=values, css="btn-bad"
            ),
        )

    return (
        Column[jobs.FailedJob](
            name="name",
            label="ui.jobs.name",
            value=lambda one: one.name,
            sub=lambda one: f"{one.queue} · #{one.id}",
        ),
        Column[jobs.FailedJob](
            name="attempts",
            label="ui.jobs.attempts",
            value=lambda one: one.attempts,
            show=Show.NUMBER,
        ),
        Column[jobs.FailedJob](
            name="failed",
            label="ui.jobs.failed_at",
            value=lambda one: one.failed_at,
            show=Show.INSTANT,
            acts=acts,
        ),
    )
