# SPDX-License-Identifier: Apache-2.0
"""Products: what one's parties offer, one product with its policy in words, and its snapshots."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import gate, rights, supply, trust
from lingqu.gate import Product, ProductId, publishing, reveals
from lingqu.kernel.paging import PageRequest
from lingqu.rights import registry
from lingqu.runtime import Tx, new_id
from lingqu.runtime.looking import Said
from lingqu.trust import jobs
from lingqu.ui import tables
from lingqu.ui.pages import product_acts as acts
from lingqu.ui.pages import registry_acts
from lingqu.ui.pages.works import PATH as WORKS_PATH
from lingqu.ui.pages.works import TONES
from lingqu.ui.policies import policy_text, policy_words
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.rendering import Desk, clip, shorten
from lingqu.ui.tables import Column, Show
from lingqu.ui.things import Card, Cell, Link, Step, Thing, id_cell, show_thing

PATH = "/gate/products"
_GRANTS = PageRequest(size=200)
_ONE = PageRequest(size=1)
_SNAPSHOTS = 10
_BUILDS = PageRequest(size=10)
STAGES = ("tables", "build", "publish")


@get(PATH, sync_to_thread=True)
def product_list(desk: FromDesk) -> Response[Any]:
    """This will list the products the visitor's parties offer, and the rights to make one under."""
    mine = desk.require()
    own = [trust.PartyId(one) for one in mine.parties or (mine.party,)]
    ask = tables.ask_of(desk, _columns({}))
    with desk.reading() as tx:
        sees_all = trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT)
        look = tables.look_of(ask, said=_said(desk) | {"owner": functools.partial(desk.names, tx)})
        found = gate.look_through_products(tx, look=look, owners=None if sees_all else own)
        names = desk.names(tx, {one.owner for one in found.items})
        grounds = _grants_to_define(desk, tx, own)
    columns = _columns(names)
    title = desk.text("ui.products.title")
    if tables.wants_file(desk):
        return tables.sheet(desk, found.items, columns=columns, name=title)
    return show_thing(
        desk,
        Thing(
            title=title,
            lead=desk.text("ui.products.lead"),
            rule="market.paradigm",
            left=(
                Card(
                    name="products",
                    title=title,
                    view=tables.looked_table(desk, found, columns=columns, ask=ask),
                    none=desk.text("ui.products.none"),
                ),
                Card(
                    name="define",
                    title=desk.text("ui.products.define"),
                    lead=desk.text("ui.products.define_text"),
                    steps=grounds,
                    none=desk.text("ui.products.no_grant"),
                ),
            ),
        ),
    )


def _said(desk: Desk) -> dict[str, Said]:
    """How the columns of products read that hold codes."""
    return {
        "form": {one.value: desk.text(f"ui.product_form.{one.value}") for one in gate.Form},
        "level": {str(one): desk.text(f"ui.level.{one}") for one in range(1, 6)},
        "snapshot": {
            "answers": desk.text("ui.product.answers"),
            "none": desk.text("ui.product.no_snapshot"),
        },
    }


def _columns(names: Mapping[str, str]) -> tuple[Column[Product], ...]:
    return (
        Column[Product](
            name="title",
            label="ui.listing.title",
            value=lambda one: one.title,
            href=lambda one: f"{PATH}/{one.id}",
            sub=lambda one: clip(one.summary, 90),
        ),
        Column[Product](
            name="form",
            label="ui.listing.form",
            value=lambda one: f"ui.product_form.{one.form.value}",
            show=Show.LABEL,
        ),
        Column[Product](
            name="owner",
            label="ui.listing.seller",
            value=lambda one: names.get(one.owner, one.owner),
        ),
        Column[Product](
            name="level",
            label="ui.ask.level",
            value=lambda one: f"ui.level.{one.level}",
            show=Show.LABEL,
        ),
        Column[Product](
            name="edition", label="ui.contract.edition", value=lambda one: one.edition,
            show=Show.NUMBER,
        ),
        Column[Product](
            name="snapshot",
            label="ui.product.published",
            value=lambda one: "ui.product.answers" if one.snapshot else "ui.product.no_snapshot",
            show=Show.LABEL,
            tone=lambda one: "good" if one.snapshot else "wait",
        ),
    )  # fmt: skip


def _grants_to_define(desk: Desk, tx: Tx, own: list[trust.PartyId]) -> tuple[Step, ...]:
    """Living operating rights of the visitor's parties, those without a product first."""
    found = []
    for party in own:
        if not trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.PRODUCT, owner=party):
            continue
        grants = rights.find_grants(tx, page=_GRANTS, holder=party).items
        lives = rights.find_lives(tx, grants=grants)
        for grant, life in zip(grants, lives, strict=True):
            if grant.kind is rights.GrantKind.OPERATING and life.alive:
                columns = len(rights.read_form(grant.effective).fields or ())
                is_used = bool(gate.find_products(tx, page=_ONE, grant=grant.id).items)
                found.append(
                    Step(
                        words=desk.text("ui.products.under", grant=shorten(grant.id)),
                        when=desk.when(grant.issued_at),
                        said=desk.text("ui.products.columns", count=columns) if columns else "",
                        href=acts.DEFINE.href(grant.id),
                        badge=desk.text("ui.products.used") if is_used else None,
                    )
                )
    return tuple(found)


@get(f"{PATH}/{{about:str}}", sync_to_thread=True)
def product_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will show a product: what its policy reveals in words, and what it answers from."""
    desk.require()
    with desk.reading() as tx:
        held = gate.get_product(tx, ProductId(about))
        policy = gate.policy_of(held)
        names = desk.names(tx, {held.owner})
        words = policy_words(desk, policy, acts.column_words(tx, policy))
        snapshots = gate.find_snapshots(tx, held.id)[:_SNAPSHOTS]
        may_change = trust.is_allowed(tx, trust.Action.CHANGE, trust.Kind.PRODUCT, owner=held.owner)
        builds = jobs.find_works(tx, page=_BUILDS, subject=held.id).items if may_change else ()
        registered = _registered(tx, held.id) if may_change else True
    todo: list[Link] = []
    if may_change and held.withdrawn_at is None:
        todo.append((f"{PATH}/{held.id}/publish", desk.text("ui.product.publish")))
        if not registered:
            todo.append(registry_acts.APPLY.link(desk, held.id))
        todo.append(acts.REVISE.link(desk, held.id))
        todo.append(acts.WITHDRAW.link(desk, held.id))
    return show_thing(
        desk,
        Thing(
            title=held.title,
            lead=held.summary,
            trail=((PATH, desk.text("ui.products.title")),),
            rule="market.paradigm",
            badges=(
                Cell(words=desk.text(f"ui.product_form.{held.form.value}"), tone=""),
                Cell(
                    words=desk.text(
                        "ui.product.withdrawn"
                        if held.withdrawn_at
                        else "ui.product.answers"
                        if held.snapshot
                        else "ui.product.no_snapshot"
                    ),
                    tone="bad" if held.withdrawn_at else "good" if held.snapshot else "wait",
                ),
            ),
            left=(
                Card(
                    name="reveals",
                    title=desk.text("ui.product.reveals"),
                    lead=desk.text("ui.product.reveals_text"),
                    lines=words,
                    links=((f"{PATH}/{held.id}/reveals", desk.text("ui.reveals.link")),),
                ),
                Card(name="policy", title=desk.text("ui.product.policy"), code=policy_text(policy)),
            ),
            right=(*_beside(desk, held, names, snapshots), *_builds(desk, builds)),
            acts=tuple(todo),
        ),
    )


@get(f"{PATH}/{{about:str}}/reveals", sync_to_thread=True)
def reveals_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will say what can be learnt from a product, alone and by all buyers together."""
    desk.require()
    with desk.reading() as tx:
        held = gate.get_product(tx, ProductId(about))
        told = reveals.reveal_product(tx, product=held.id, folder=desk.platform.asking.folder)
        words = dict(acts.column_words(tx, gate.policy_of(held)))
        names = {
            one.resource: supply.get_resource(tx, supply.ResourceId(one.resource)).title
            for one in told.datasets
        }
    said = reveals.explain_reveal(told, desk.visit.language, words)
    return show_thing(
        desk,
        Thing(
            title=desk.text("ui.reveals.title", title=held.title),
            lead=desk.text("ui.reveals.lead"),
            trail=((PATH, desk.text("ui.products.title")), (f"{PATH}/{held.id}", held.title)),
            rule="market.paradigm",
            left=tuple(
                Card(
                    name=f"{part}-{number}",
                    title=desk.text(f"ui.reveals.{part}", resource=names[resource]),
                    lines=lines,
                )
                for number, (resource, *both) in enumerate(said)
                for part, lines in zip(("alone", "all"), both, strict=True)
            ),
            right=tuple(
                Card(
                    name=f"products-{number}",
                    title=desk.text("ui.reveals.products", resource=names[one.resource]),
                    steps=tuple(
                        Step(
                            words=product.title,
                            when=desk.text(f"ui.product_form.{product.form.value}"),
                            said=""
                            if product.holders is None
                            else desk.text("ui.reveals.holders", holders=product.holders),
                            href=f"{PATH}/{product.product}",
                        )
                        for product in one.products
                    ),
                )
                for number, one in enumerate(told.datasets)
            ),
        ),
    )


def _beside(
    desk: Desk,
    held: Product,
    names: Mapping[str, str],
    snapshots: tuple[gate.Snapshot, ...],
) -> tuple[Card, ...]:
    """What is known of a product, and the snapshots it answered from."""
    return (
        Card(
            name="about-it",
            title=desk.text("ui.thing.about"),
            rows=(
                (desk.text("ui.listing.seller"), names[held.owner]),
                (desk.text("ui.ask.level"), desk.text(f"ui.level.{held.level}")),
                (desk.text("ui.contract.edition"), str(held.edition)),
                (
                    desk.text("ui.listing.grant"),
                    id_cell(held.grant_id, f"/rights/grants/{held.grant_id}"),
                ),
                (desk.text("ui.thing.id"), id_cell(held.id)),
            ),
        ),
        Card(
            name="snapshots",
            title=desk.text("ui.listing.fresh"),
            steps=tuple(
                Step(
                    words=desk.when(one.published_at),
                    when=desk.text(
                        "ui.listing.snapshot",
                        records=f"{one.records:,}",
                        at=desk.when(one.as_of),
                    ),
                )
                for one in snapshots
            ),
            none=desk.text("ui.product.no_snapshot"),
        ),
    )


def _builds(desk: Desk, builds: Sequence[jobs.Work]) -> tuple[Card, ...]:
    """The visitor's own builds of a product, where there are any."""
    if not builds:
        return ()
    steps = tuple(
        Step(
            words=desk.when(one.asked_at),
            href=f"{WORKS_PATH}/{one.id}",
            badge=desk.text(f"ui.work.state.{one.state.value}"),
            tone=TONES[one.state],
        )
        for one in builds
    )
    return (Card(name="builds", title=desk.text("ui.product.builds"), steps=steps),)


def _registered(tx: Tx, product: str) -> bool:
    return bool(registry.find_by_subject(tx, product))


@get(f"{PATH}/{{about:str}}/publish", sync_to_thread=True)
def publish_page(desk: FromDesk, about: FromPath[str]) -> Response[str]:
    """This will ask whether to build a snapshot, and lead to the builds under way."""
    desk.require()
    with desk.reading() as tx:
        held = gate.get_product(tx, ProductId(about))
        gate.check_may_publish(tx, held)
        builds = jobs.find_works(tx, page=_BUILDS, subject=held.id).items
    return desk.show(
        "gate/publish.html",
        held=held,
        work=new_id(jobs.WorkId),
        under_way=tuple(
            (f"{WORKS_PATH}/{one.id}", desk.when(one.asked_at))
            for one in builds
            if not one.state.is_over
        ),
        stages=tuple(desk.text(f"ui.publish.{one}") for one in STAGES),
    )


@post(f"{PATH}/{{about:str}}/publish", sync_to_thread=True, command="gate.build.begin")
def publish(desk: FromDesk, form: FromForm, about: FromPath[str]) -> Redirect:
    """This will have a snapshot built and published, and lead to where its progress is seen."""
    desk.require()
    command, work = form.id("command", trust.CommandId), form.id("work", jobs.WorkId)
    desk.execute(command, publishing.begin_build, work=work, product=ProductId(about))
    return desk.go(f"{WORKS_PATH}/{work}")


HANDLERS = (product_list, product_page, reveals_page, publish_page, publish)
