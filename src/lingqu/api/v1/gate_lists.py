# SPDX-License-Identifier: Apache-2.0
"""The API of whole lists at the gate: file jobs, free samples, a provider's reconciliation."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import gate, rights, supply, trust
from lingqu.api.routes import After, Size, asks, does, makes, reads, routes_of
from lingqu.api.v1 import gate_shapes as shapes
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.gate import lists
from lingqu.kernel.paging import PageRequest

UPLOAD_PATHS = ("/api/v1/gate/files", "/api/v1/gate/reconciliations", "/api/v1/gate/calls")
"""Where longer bodies are taken than elsewhere."""


@makes("/files", "gate.file.submit", "Hand a table in")
def submit_file(write: FromWrite, data: JSONBody[shapes.SubmitFile]) -> shapes.FileJobView:
    """This will queue a table of subjects; fetch it with its answers later."""
    job = lists.FileJobId(data.job)
    content = _decoded(data.content)
    made = write.execute(
        lists.submit_file,
        job=job,
        grant=rights.GrantId(data.grant),
        product=gate.ProductId(data.product),
        purpose=data.purpose,
        predicate=data.predicate,
        format=lists.format_of(content),
        key_column=data.key_column,
        value_column=data.value_column,
        digest=write.platform.file_room.put(job, content),
    )
    return shapes.file_view(made)


@reads("/files", "List file jobs")
def find_files(
    platform: FromPlatform,
    visit: FromVisit,
    grant: Annotated[str, QueryParameter(name="grant", max_length=60)],
    size: Size = 50,
    after: After = None,
) -> shapes.FileJobPage:
    """This will list the file jobs under a grant, newest first."""
    with platform.database.reading(visit.caller) as tx:
        page = lists.find_files(
            tx, page=PageRequest(size=size, after=after), grant=rights.GrantId(grant)
        )
        items = [shapes.file_view(one, lists.find_progress(tx, one.id)) for one in page.items]
    return shapes.FileJobPage(items=items, next=page.next)


@reads("/files/{job:str}", "Read a file job")
def get_file(platform: FromPlatform, visit: FromVisit, job: FromPath[str]) -> shapes.FileJobView:
    """This will say how far a file is."""
    with platform.database.reading(visit.caller) as tx:
        found = lists.get_file(tx, lists.FileJobId(job))
        return shapes.file_view(found, lists.find_progress(tx, found.id))


@does("/files/{job:str}/cancel", "gate.file.cancel", "Cancel a file job")
def cancel_file(write: FromWrite, job: FromPath[str]) -> shapes.FileJobView:
    """This will stop a file before its next part; what was answered by then stays metered."""
    ended = write.execute(lists.cancel_file, job=lists.FileJobId(job))
    write.platform.file_room.forget(ended)
    return shapes.file_view(ended)


@reads("/files/{job:str}/answers", "Fetch a table with its answers")
def fetch_file(
    platform: FromPlatform,
    visit: FromVisit,
    job: FromPath[str],
    so_far: Annotated[bool, QueryParameter(name="so_far")] = False,  # noqa: FBT002  # of a URL
) -> Response[bytes]:
    """This will give the table with its answers, in the form it came in.

    With `so_far`, what is answered already of a file that still waits, as CSV.
    """
    with platform.database.reading(visit.caller) as tx:
        found = lists.get_file(tx, lists.FileJobId(job))
    room, form = platform.file_room, lists.FileFormat.CSV if so_far else found.format
    return Response(
        room.fetch_so_far(found) if so_far else room.fetch(found),
        media_type=_MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="{job}.{form.value}"'},
    )


_MEDIA_TYPES = {
    lists.FileFormat.CSV: "text/csv; charset=utf-8",
    lists.FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@makes("/products/{product:str}/samples", "gate.sample.record", "Try a free sample")
def try_sample(
    platform: FromPlatform,
    write: FromWrite,
    product: FromPath[str],
    data: JSONBody[shapes.TrySample],
) -> shapes.SampleView:
    """This will say how good a product is for some rows of a party's own, and no single answer."""
    write.visit.commanded = True
    told = lists.try_sample(
        platform.database,
        platform.desk.shelf(),
        write.visit.caller,
        write.command,
        product=gate.ProductId(product),
        party=trust.PartyId(data.party),
        purpose=data.purpose,
        predicate=data.predicate,
        rows=shapes.read_sample_rows(data.rows),
    )
    return shapes.sample_view(told)


@reads("/products/{product:str}/file", "Fetch an open file")
def fetch_open_file(
    platform: FromPlatform, visit: FromVisit, product: FromPath[str]
) -> Response[bytes]:
    """This will give an open file as CSV."""
    with platform.database.reading(visit.caller) as tx:
        content = gate.read_open_file(tx, platform.desk.shelf(), gate.ProductId(product))
    return Response(
        content,
        media_type=_MEDIA_TYPES[lists.FileFormat.CSV],
        headers={"Content-Disposition": f'attachment; filename="{product}.csv"'},
    )


@asks("/reconciliations", "Compare a list with one's own table")
def reconcile(
    platform: FromPlatform, visit: FromVisit, data: JSONBody[shapes.Reconcile]
) -> shapes.ReconciledView:
    """This will compare a list with the table of a resource, for the body that provides it."""
    found = lists.reconcile_list(
        platform.database,
        visit.caller,
        resource=supply.ResourceId(data.resource),
        key=data.key,
        value=data.value,
        listed=lists.read_listed(_decoded(data.content), key=data.key, value=data.value),
        tables=platform.tables,
        engine=platform.engine,
    )
    return shapes.reconciled_view(found)


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise lists.BadFile(part="content") from None


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        submit_file, find_files, get_file, cancel_file, fetch_file, try_sample, fetch_open_file,
        reconcile,
    ]  # fmt: skip
    return routes_of("/api/v1/gate", "gate", handlers)
