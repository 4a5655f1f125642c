# SPDX-License-Identifier: Apache-2.0
"""Failed jobs: the list for administrators, and what to do with one."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.params import FromQuery
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.trust import jobs
from lingqu.ui.forms import Form
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk

PAGE_SIZE = 25
PATH = "/trust/jobs"


@get(PATH, sync_to_thread=True)
def failed_jobs(desk: FromDesk, after: FromQuery[str | None] = None) -> Response[str]:
    """This will list the background jobs that failed for good."""
    desk.require(trust.Role.ADMINISTRATOR, kind=trust.Kind.INSTALLATION)
    return _list(desk, after)


@post(f"{PATH}/retry", sync_to_thread=True, command="trust.job.retry")
def retry(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will put a failed job back into the queue."""
    return _act(desk, form, jobs.retry_job, "job_retried")


@post(f"{PATH}/drop", sync_to_thread=True, command="trust.job.drop")
def drop(desk: FromDesk, form: FromForm) -> Response[str] | Redirect:
    """This will throw a failed job away."""
    return _act(desk, form, jobs.drop_job, "job_dropped")


def _act(
    desk: Desk, form: Form, what: trust.Command[..., jobs.FailedJob], done: str
) -> Response[str] | Redirect:
    desk.require(trust.Role.ADMINISTRATOR, kind=trust.Kind.INSTALLATION)
    command, number = form.id("command", trust.CommandId), form.text("job")
    known = number.isascii() and number.isdigit() and len(number) < 16
    try:
        desk.execute(command, what, job=int(number) if known else 0)
    except (errors.NotFound, errors.Conflict) as refusal:
        return _list(desk, None, refusal=refusal)
    return desk.go(PATH, done=done)


def _list(
    desk: Desk, after: str | None, *, refusal: errors.LingquError | None = None
) -> Response[str]:
    with desk.reading() as tx:
        page = jobs.find_failed_jobs(tx, page=PageRequest(size=PAGE_SIZE, after=after or None))
    return desk.show(
        "trust/jobs.html",
        status=200 if refusal is None else status_of(refusal),
        page=page,
        is_first=not after,
        refusal=None if refusal is None else desk.explain(refusal),
    )
