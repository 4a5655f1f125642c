# SPDX-License-Identifier: Apache-2.0
"""The API of 应用 gate: products, their snapshots, calls, explanations and what was metered."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Router
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from lingqu import errands, gate, rights, trust
from lingqu.api.lines import Lines, ask_desk
from lingqu.api.routes import After, Size, asks, awaits, does, makes, reads, routes_of
from lingqu.api.v1 import gate_shapes as shapes
from lingqu.api.v1.gate_reveals import RevealedView, revealed_view
from lingqu.api.v1.shapes import WorkView, work_view
from lingqu.api.visit import Visit
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.gate import publishing, reveals, underway
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import parse_instant
from lingqu.runtime.i18n import Language
from lingqu.trust import jobs
from lingqu.wiring import App

UnderGrant = Annotated[str, QueryParameter(name="grant", max_length=60)]


@reads("/products", "List products")
def find_products(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    owner: Annotated[str | None, QueryParameter(name="owner", max_length=60)] = None,
    grant: Annotated[str | None, QueryParameter(name="grant", max_length=60)] = None,
) -> shapes.ProductPage:
    """This will list products that are offered, newest first."""
    with platform.database.reading(visit.caller) as tx:
        page = gate.find_products(
            tx,
            page=PageRequest(size=size, after=after),
            owner=None if owner is None else trust.PartyId(owner),
            grant=None if grant is None else rights.GrantId(grant),
        )
    return shapes.ProductPage(
        items=[shapes.product_view(one) for one in page.items], next=page.next
    )


@makes("/products", "gate.product.define", "Define a product")
def define_product(write: FromWrite, data: JSONBody[shapes.DefineProduct]) -> shapes.ProductView:
    """This will define a product under its product grant."""
    form = gate.Form(data.form)
    made = write.execute(
        gate.define_product,
        product=gate.ProductId(data.product),
        grant=rights.GrantId(data.grant),
        form=form,
        title=data.title,
        summary=data.summary,
        policy=gate.parse_policy(form, data.policy),
        territory=data.territory,
        currency=data.currency,
    )
    return shapes.product_view(made)


@reads("/products/{product:str}", "Read a product and its policy")
def get_product(
    platform: FromPlatform, visit: FromVisit, product: FromPath[str]
) -> shapes.ProductView:
    """This will read one product with the policy everyone concerned may read."""
    with platform.database.reading(visit.caller) as tx:
        return shapes.product_view(gate.get_product(tx, gate.ProductId(product)))


@reads("/products/{product:str}/reveals", "See what can be learnt from a product")
def reveal_product(
    platform: FromPlatform,
    visit: FromVisit,
    product: FromPath[str],
    language: Annotated[Language, QueryParameter(name="language")] = "zh-CN",
) -> RevealedView:
    """This will say what can be learnt from a product, alone and by all buyers together.

    It is computed from all products over the same resources, in figures and in words.
    """
    with platform.database.reading(visit.caller) as tx:
        told = reveals.reveal_product(
            tx, product=gate.ProductId(product), folder=platform.asking.folder
        )
    return revealed_view(told, language)


@does("/products/{product:str}/revise", "gate.product.revise", "Give a product another policy")
def revise_product(
    platform: FromPlatform,
    write: FromWrite,
    product: FromPath[str],
    data: JSONBody[shapes.ReviseProduct],
) -> shapes.ProductView:
    """This will give a product its next edition, in force with its next published snapshot."""
    wanted = gate.ProductId(product)
    with platform.database.reading(write.visit.caller) as tx:
        form = gate.get_product(tx, wanted).form
    policy = gate.parse_policy(form, data.policy)
    return shapes.product_view(write.execute(gate.revise_product, product=wanted, policy=policy))


@does("/products/{product:str}/withdraw", "gate.product.withdraw", "Withdraw a product")
def withdraw_product(write: FromWrite, product: FromPath[str]) -> shapes.ProductView:
    """This will stop a product from answering."""
    return shapes.product_view(
        write.execute(gate.withdraw_product, product=gate.ProductId(product))
    )


@makes("/products/{product:str}/snapshots", "gate.snapshot.publish", "Publish a snapshot")
def publish_product(
    platform: FromPlatform, write: FromWrite, product: FromPath[str]
) -> shapes.SnapshotView:
    """This will build a snapshot from the tables as they are loaded now, and answer from it."""
    write.visit.commanded = True
    made = errands.publish_product(
        platform, write.visit.caller, write.command, product=gate.ProductId(product)
    )
    return shapes.snapshot_view(made)


@makes(
    "/products/{product:str}/builds",
    "gate.build.begin",
    "Build a snapshot in the background",
    status=202,
)
def begin_build(
    write: FromWrite, product: FromPath[str], data: JSONBody[shapes.BeginBuild]
) -> WorkView:
    """This will have a snapshot built and published by a job; its work says how far it is."""
    made = write.execute(
        publishing.begin_build, work=jobs.WorkId(data.work), product=gate.ProductId(product)
    )
    return work_view(made)


@reads("/products/{product:str}/snapshots", "List snapshots")
def find_snapshots(
    platform: FromPlatform, visit: FromVisit, product: FromPath[str]
) -> shapes.SnapshotList:
    """This will list the snapshots a product answered from, newest first."""
    wanted = gate.ProductId(product)
    with platform.database.reading(visit.caller) as tx:
        gate.get_product(tx, wanted)
        found = gate.find_snapshots(tx, wanted)
    return shapes.SnapshotList(items=[shapes.snapshot_view(one) for one in found])


@awaits("/calls", "Call a product")
async def call_product(
    platform: FromPlatform, visit: FromVisit, data: JSONBody[shapes.CallShape]
) -> shapes.AnswerView:
    """This will answer a call under a grant once it is metered; the same id again is free."""
    request = shapes.read_call(data)
    return shapes.answer_view(await ask_desk(platform, visit.caller, request))


@asks("/explain", "Explain a decision")
def explain_call(
    platform: FromPlatform, visit: FromVisit, data: JSONBody[shapes.CallShape]
) -> shapes.ExplanationView:
    """This will say how a call would be decided now, rule by rule, without doing it."""
    request = shapes.read_call(data)
    asker = _asker(platform, visit, request.grant)
    with platform.database.reading(visit.caller) as tx:
        told = platform.desk.explain(tx, request, may_call=asker.may_call)
    return shapes.explanation_view(told)


@awaits("/queries", "Ask a governed query")
async def ask_query(
    platform: FromPlatform,
    visit: FromVisit,
    lines: NamedDependency[Lines],
    data: JSONBody[shapes.QueryShape],
) -> shapes.AnswerView:
    """This will answer a query under a grant once it is metered; the same id again is free."""
    request = shapes.read_query(data)

    def ask() -> gate.CallAnswer:
        return platform.asking.ask(request, _asker(platform, visit, request.grant))

    return shapes.answer_view(await lines.run(request.grant, ask))


@asks("/queries/explain", "Explain a query")
def explain_query(
    platform: FromPlatform, visit: FromVisit, data: JSONBody[shapes.QueryShape]
) -> shapes.ExplanationView:
    """This will say how a query would be decided now, rule by rule, without running it."""
    request = shapes.read_query(data)
    asker = _asker(platform, visit, request.grant)
    with platform.database.reading(visit.caller) as tx:
        told = platform.asking.explain(tx, request, may_call=asker.may_call)
    return shapes.explanation_view(told)


@asks("/queries/begin", "Begin a governed query", status=202)
def begin_query(
    platform: FromPlatform, visit: FromVisit, data: JSONBody[shapes.QueryShape]
) -> shapes.StandingView:
    """This will have a query run in the background and say how it stands; the same id, once.

    Who may not ask under the grant is refused at once.
    """
    request = shapes.read_query(data)
    with platform.database.reading(visit.caller) as tx:
        asker = gate.find_asker(tx, request.grant)
    if not asker.may_call:
        platform.asking.ask(request, asker)
    return shapes.standing_view(platform.asking.underway.begin(request, asker))


@reads("/queries/{call:str}", "See how a query under way stands")
def get_query(
    platform: FromPlatform, visit: FromVisit, call: FromPath[str], grant: UnderGrant
) -> shapes.StandingView:
    """This will say how one's own query stands: waiting with its place, running, or over."""
    found = _own_query(platform, visit, grant, call)
    return shapes.standing_view(platform.asking.underway.find(*found))


@reads(
    "/queries/{call:str}/answer",
    "Stream the answer of a query that is over",
    media_type="application/x-ndjson",
)
def stream_answer(
    platform: FromPlatform, visit: FromVisit, call: FromPath[str], grant: UnderGrant
) -> Stream:
    """This will stream an answer as lines of JSON: all but its rows, then row by row.

    Refused as not over while it waits or runs; what refused the query is said as ever.
    """
    found = _own_query(platform, visit, grant, call)
    answer = platform.asking.underway.answer(*found)
    if answer is None:
        raise underway.QueryNotOver(call=call)
    return Stream(shapes.answer_lines(answer), media_type="application/x-ndjson")


def _own_query(
    platform: App, visit: Visit, grant: str, call: str
) -> tuple[rights.GrantId, gate.CallId]:
    """A query under a grant the visitor may call under; to others it is not here."""
    named = rights.GrantId(grant), gate.CallId(call)
    with platform.database.reading(visit.caller) as tx:
        if not gate.find_asker(tx, named[0]).may_call:
            raise underway.QueryNotHere(call=call)
    return named


@asks("/queries/stop", "Stop a running query")
def stop_query(
    platform: FromPlatform, visit: FromVisit, data: JSONBody[shapes.QueryShape]
) -> shapes.StoppedView:
    """This will stop one's own query while it runs here; it is metered as refused."""
    request = shapes.read_query(data)
    asker = _asker(platform, visit, request.grant)
    return shapes.StoppedView(stopped=asker.may_call and platform.asking.cancel(request))


def _asker(platform: FromPlatform, visit: FromVisit, grant: rights.GrantId) -> gate.Asker:
    """Who asks, and whether they may; no transaction is open while an answer is made."""
    with platform.database.reading(visit.caller) as tx:
        return gate.find_asker(tx, grant)


@reads("/calls", "List metered calls")
def find_calls(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    grant: Annotated[str | None, QueryParameter(name="grant", max_length=60)] = None,
    product: Annotated[str | None, QueryParameter(name="product", max_length=60)] = None,
    start: Annotated[str | None, QueryParameter(name="start", max_length=40)] = None,
    end: Annotated[str | None, QueryParameter(name="end", max_length=40)] = None,
    refused: Annotated[bool, QueryParameter(name="refused")] = False,  # noqa: FBT002  # a filter of a URL
) -> shapes.CallPage:
    """This will list what was asked, answered and refused, newest first."""
    with platform.database.reading(visit.caller) as tx:
        page = gate.find_calls(
            tx,
            page=PageRequest(size=size, after=after),
            grant=None if grant is None else rights.GrantId(grant),
            product=None if product is None else gate.ProductId(product),
            start=None if start is None else parse_instant(start),
            end=None if end is None else parse_instant(end),
            is_refused=refused,
        )
    return shapes.CallPage(items=[shapes.metered_view(one) for one in page.items], next=page.next)


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_products, define_product, get_product, reveal_product, revise_product,
        withdraw_product, publish_product, begin_build, find_snapshots, call_product,
        explain_call, find_calls,
        ask_query, explain_query, begin_query, get_query, stream_answer, stop_query,
    ]  # fmt: skip
    return routes_of("/api/v1/gate", "gate", handlers)
