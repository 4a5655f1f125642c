# SPDX-License-Identifier: Apache-2.0
"""Long work as one waits for it: how far it is, what came of it, and stopping it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import trust
from lingqu.kernel import errors
from lingqu.runtime.i18n import Explanation, explain
from lingqu.trust import jobs
from lingqu.trust.jobs import Work, WorkId, WorkState
from lingqu.ui import tables
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Column, Filter, Option, Show

PATH = "/trust/works"
_RESULTS = {"lod": "/supply/loads/{result}", "snp": "/gate/products/{subject}"}
TONES = {
    WorkState.WAITING: "wait",
    WorkState.RUNNING: "wait",
    WorkState.DONE: "good",
    WorkState.REFUSED: "bad",
    WorkState.CANCELLED: "",
}


@get(PATH, sync_to_thread=True)
def work_list(desk: FromDesk) -> Response[Any]:
    """This will list the works of the visitor, or of everyone for who runs the platform."""
    desk.require()
    with desk.reading() as tx:
        found, is_cut = tables.gather(lambda page: jobs.find_works(tx, page=page))
    columns, filters = _columns(), _filters(desk)
    return tables.gathered_list(
        desk, "ui.works", found, columns=columns, filters=filters, is_cut=is_cut
    )


@get(f"{PATH}/{{work:str}}", sync_to_thread=True)
def work_page(desk: FromDesk, work: FromPath[str]) -> Response[str]:
    """This will show how far a work is; the page looks again by itself until it has ended."""
    desk.require()
    return _show(desk, WorkId(work))


@post(f"{PATH}/{{work:str}}/stop", sync_to_thread=True, command="trust.work.stop")
def stop(desk: FromDesk, form: FromForm, work: FromPath[str]) -> Response[str] | Redirect:
    """This will ask a work to stop."""
    desk.require()
    command, wanted = form.id("command", trust.CommandId), WorkId(work)
    try:
        desk.execute(command, jobs.stop_work, work=wanted)
    except errors.Conflict as refusal:
        return _show(desk, wanted, refusal=refusal)
    return desk.go(f"{PATH}/{wanted}", done="work_stopped")


def _result_href(held: Work) -> str | None:
    """The page of what a work made, where it has one."""
    found = _RESULTS.get(held.result.partition("_")[0])
    return None if found is None else found.format(result=held.result, subject=held.subject)


def _show(desk: Desk, work: WorkId, *, refusal: errors.LingquError | None = None) -> Response[str]:
    with desk.reading() as tx:
        held = jobs.get_work(tx, work)
    return desk.show(
        "trust/work.html",
        status=200 if refusal is None else status_of(refusal),
        held=held,
        tone=TONES[held.state],
        why=why_refused(desk, held.code, held.parameters),
        result=_result_href(held),
        refusal=desk.explain(refusal),
    )


def why_refused(desk: Desk, code: str, parameters: str) -> Explanation | None:
    """This will put a refusal that was recorded into the visitor's words; None for no code."""
    kind = next((one for one in errors.registered() if one.code == code), None)
    if kind is None:
        return None
    told: Mapping[str, Any] = json.loads(parameters)
    return explain(kind(**told), desk.visit.language)


def _columns() -> tuple[Column[Work], ...]:
    return (
        Column[Work](
            name="title",
            label="ui.work.title",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/{one.id}",
        ),
        Column[Work](
            name="kind",
            label="ui.work.kind",
            value=lambda one: f"ui.work.kind.{one.kind}",
            show=Show.LABEL,
        ),
        Column[Work](
            name="state",
            label="ui.party.state",
            value=lambda one: f"ui.work.state.{one.state.value}",
            show=Show.LABEL,
            tone=lambda one: TONES[one.state],
        ),
        Column[Work](
            name="percent",
            label="ui.work.percent",
            value=lambda one: one.percent,
            show=Show.NUMBER,
        ),
        Column[Work](
            name="asked", label="ui.work.asked", value=lambda one: one.asked_at, show=Show.INSTANT
        ),
        Column[Work](
            name="changed",
            label="ui.work.changed",
            value=lambda one: one.changed_at,
            show=Show.INSTANT,
        ),
    )


def _filters(desk: Desk) -> tuple[Filter[Work], ...]:
    return (
        Filter[Work](
            name="state",
            label=desk.text("ui.party.state"),
            options=tuple(
                Option(value=one.value, words=desk.text(f"ui.work.state.{one.value}"))
                for one in WorkState
            ),
            of=lambda one: one.state.value,
        ),
    )
