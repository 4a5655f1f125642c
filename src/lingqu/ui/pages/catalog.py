# SPDX-License-Identifier: Apache-2.0
"""The catalog of resources: found by words and choices, and one resource with all about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect

from lingqu import supply, trust
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import Tx
from lingqu.supply import Access, Frequency, Resource, ResourceId, Wanted, collection, opening
from lingqu.ui import tables
from lingqu.ui.provided import FromDesk, FromForm
from lingqu.ui.refusals import FormIncomplete, status_of
from lingqu.ui.rendering import Desk
from lingqu.ui.tables import Ask, Column, Filter, Option, Show

PATH = "/supply/resources"
_LEVELS = ("0", "1", "2", "3", "4", "5")
_VERSIONS = 20
_LOADS_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice of a facet with the address that makes or ends it."""

    words: str
    count: int
    href: str
    is_chosen: bool


@get(PATH, sync_to_thread=True)
def catalog(desk: FromDesk) -> Response[Any]:
    """This will show the catalog; open to everyone."""
    ask = tables.read_ask(desk.query, filters=_filters(desk, ()), sorts=("title",))
    with desk.reading() as tx:
        body = _body(desk)
        hits = supply.search_resources(
            tx,
            wanted=_wanted(ask, body),
            by_title=ask.sort == "title",
            size=supply.HITS_MAX if ask.as_file else tables.PAGE_SIZE,
            offset=0 if ask.as_file else (ask.page - 1) * tables.PAGE_SIZE,
        )
        counted = [one for one, _ in hits.counts.get("body", ())]
        names = desk.names(tx, {*counted, *(one.body for one in hits.items), body})
    if ask.as_file:
        return tables.sheet(
            desk, hits.items, columns=_columns(names), name=desk.text("ui.catalog.title")
        )
    pages = max(1, -(-hits.total // tables.PAGE_SIZE))
    with desk.reading() as tx:
        describes = desk.visit.identity is not None and bool(
            desk.reach(tx, trust.Kind.RESOURCE, trust.Action.CREATE)
        )
    return desk.show(
        "supply/catalog.html",
        describes=describes,
        saved=tuple(one for one in desk.views if one.path == PATH),
        ask=ask,
        body=body,
        hits=hits,
        names=names,
        pages=pages,
        facets=_facets(desk, ask, hits, names, body),
        page_href=lambda number: f"{PATH}?{ask.query(body=body, page=number)}",
        file_href=f"{PATH}?{ask.query(body=body, format='xlsx')}",
    )


@get(f"{PATH}/{{resource:str}}", sync_to_thread=True)
def resource_page(desk: FromDesk, resource: FromPath[str]) -> Response[str]:
    """This will show one resource with its fields, its level and how to get it; for everyone."""
    return _show(desk, ResourceId(resource))


@post(f"{PATH}/{{resource:str}}/grade", sync_to_thread=True, command="supply.resource.grade")
def grade(desk: FromDesk, form: FromForm, resource: FromPath[str]) -> Response[str] | Redirect:
    """This will confirm the security level of a resource."""
    desk.require()
    wanted, command = ResourceId(resource), form.id("command", trust.CommandId)
    level = form.text("level")
    if level not in _LEVELS:
        raise FormIncomplete(field="level")
    try:
        desk.execute(
            command,
            supply.grade_resource,
            resource=wanted,
            level=int(level),
            reason=form.text("reason"),
        )
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, wanted, refusal=refusal)
    return desk.go(f"{PATH}/{wanted}", done="graded")


@post(f"{PATH}/{{resource:str}}/withdraw", sync_to_thread=True, command="supply.resource.withdraw")
def withdraw(desk: FromDesk, form: FromForm, resource: FromPath[str]) -> Response[str] | Redirect:
    """This will take a resource out of the catalog."""
    desk.require()
    wanted, command = ResourceId(resource), form.id("command", trust.CommandId)
    try:
        desk.execute(command, supply.withdraw_resource, resource=wanted)
    except (errors.Rejected, errors.Conflict) as refusal:
        return _show(desk, wanted, refusal=refusal)
    return desk.go(f"{PATH}/{wanted}", done="withdrawn")


def _show(
    desk: Desk, resource: ResourceId, *, refusal: errors.LingquError | None = None
) -> Response[str]:
    signed_in = desk.visit.identity is not None
    with desk.reading() as tx:
        held = supply.get_resource(tx, resource)
        duty = supply.get_duty(tx, held.duty)
        names = desk.names(tx, {held.body})
        versions = (
            trust.find_facts(tx, page=PageRequest(size=_VERSIONS), subject=resource).items
            if signed_in
            else ()
        )
        history = _history(tx, held) if signed_in else None
        opened = _opened(tx, held)
        open_now = held.withdrawn_at is None and signed_in
        may = {
            name: open_now and trust.is_allowed(tx, action, kind, owner=held.body)
            for name, action, kind in _ACTS
        }
    return desk.show(
        "supply/resource.html",
        status=200 if refusal is None else status_of(refusal),
        held=held,
        duty=duty,
        names=names,
        fields=supply.read_fields(held),
        versions=versions,
        history=history,
        opened=opened,
        may=may,
        refusal=desk.explain(refusal),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """How well one field is filled in what is loaded now, in hundredths, and its values."""

    label: str
    percent: int
    distinct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was loaded of a resource, for whoever may see it: where from, when, how good it is."""

    sources: tuple[collection.Source, ...]
    loads: tuple[collection.Load, ...]
    rows: int
    edition: int
    quality: tuple[Filling, ...]
    findings: tuple[supply.Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A file that was opened from a resource: of which edition, and where else it is listed."""

    file: opening.OpenFile
    edition: int
    elsewhere: tuple[tuple[opening.OpenCatalog, opening.CatalogEntry], ...]


def _opened(tx: Tx, held: Resource) -> tuple[Opened, ...]:
    """What was opened of a resource, and in which catalogs it stands; for everyone."""
    files, _ = tables.gather(lambda page: opening.find_files(tx, page=page))
    made = {
        one.id: (one, ancestor.edition)
        for one in files
        for ancestor in opening.read_lineage(one)
        if ancestor.resource == held.id
    }
    if not made:
        return ()
    listed = [
        (catalog, entry)
        for catalog in opening.find_catalogs(tx)
        for entry in opening.find_catalog_entries(tx, catalog.id)
        if entry.file in made
    ]
    return tuple(
        Opened(
            file=file,
            edition=edition,
            elsewhere=tuple(one for one in listed if one[1].file == file.id),
        )
        for file, edition in made.values()
    )


def _history(tx: Tx, held: Resource) -> History | None:
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.LOAD, owner=held.body):
        return None
    few = PageRequest(size=_LOADS_SHOWN)
    loads = collection.find_loads(tx, page=few, body=held.body, resource=held.id).items
    sources = collection.find_sources(tx, page=few, body=held.body, resource=held.id).items
    findings: tuple[supply.Finding, ...] = ()
    if trust.is_allowed(tx, trust.Action.READ, trust.Kind.FINDING, owner=held.body):
        found = supply.find_findings(tx, page=PageRequest(size=_VERSIONS), body=held.body).items
        findings = tuple(one for one in found if one.resource == held.id)
    if not loads:
        return History(sources=sources, loads=(), rows=0, edition=0, quality=(), findings=findings)
    table = collection.find_table(tx, held.id)
    return History(
        sources=sources,
        loads=loads,
        rows=table.rows,
        edition=table.version,
        quality=_quality(held, table),
        findings=findings,
    )


def _quality(held: Resource, table: supply.LoadedTable) -> tuple[Filling, ...]:
    """The figures of quality that every file keeps, added up; values are those of the largest."""
    states = [json.loads(file.state)["columns"] for file in table.files]
    found = []
    for one in supply.read_fields(held):
        parts = [state[one.name] for state in states if one.name in state]
        filled = sum(part["filled"] for part in parts)
        found.append(
            Filling(
                label=one.label,
                percent=filled * 100 // table.rows if table.rows else 0,
                distinct=max((part["distinct"] for part in parts), default=0),
            )
        )
    return tuple(found)


_ACTS = (
    ("revise", trust.Action.CHANGE, trust.Kind.RESOURCE),
    ("deliver", trust.Action.CREATE, trust.Kind.LOAD),
    ("grade", trust.Action.CHANGE, trust.Kind.SECURITY_LEVEL),
    ("withdraw", trust.Action.END, trust.Kind.RESOURCE),
)


def _body(desk: Desk) -> trust.PartyId | None:
    given = desk.argument("body")
    return trust.PartyId(given) if given else None


def _wanted(ask: Ask, body: trust.PartyId | None) -> Wanted:
    chosen = ask.chosen
    return Wanted(
        words=ask.words,
        body=body,
        sharing=Access(chosen["sharing"]) if "sharing" in chosen else None,
        opening=Access(chosen["opening"]) if "opening" in chosen else None,
        frequency=Frequency(chosen["frequency"]) if "frequency" in chosen else None,
        level=int(chosen["level"]) if "level" in chosen else None,
    )


def _filters(
    desk: Desk, counts: Sequence[tuple[str, Mapping[str, int]]]
) -> tuple[Filter[Resource], ...]:
    """The choices of the catalog; `counts` says how many resources lie under each."""
    known = dict(counts)

    def choice(name: str, values: Sequence[str], label: str) -> Filter[Resource]:
        return Filter[Resource](
            name=name,
            label=desk.text(f"ui.catalog.by_{name}"),
            options=tuple(
                Option(
                    value=value,
                    words=desk.text(f"{label}.{value}"),
                    count=known.get(name, {}).get(value, 0),
                )
                for value in values
            ),
        )

    access = [one.value for one in Access]
    return (
        choice("opening", access, "ui.opening"),
        choice("sharing", access, "ui.sharing"),
        choice("level", _LEVELS, "ui.level"),
        choice("frequency", [one.value for one in Frequency], "ui.frequency"),
    )


def _facets(
    desk: Desk,
    ask: Ask,
    hits: supply.Hits,
    names: Mapping[str, str],
    body: trust.PartyId | None,
) -> tuple[tuple[str, tuple[Choice, ...]], ...]:
    counts = [(name, dict(found)) for name, found in hits.counts.items()]
    found = [(desk.text("ui.catalog.by_body"), _bodies(ask, hits, names, body))]
    for one in _filters(desk, counts):
        now = ask.chosen.get(one.name)
        choices = tuple(
            Choice(
                words=option.words,
                count=option.count or 0,
                href=f"{PATH}?"
                + ask.query(body=body, **{one.name: None if now == option.value else option.value}),
                is_chosen=now == option.value,
            )
            for option in one.options
            if option.count or now == option.value
        )
        found.append((one.label, choices))
    return tuple(one for one in found if one[1])


def _bodies(
    ask: Ask, hits: supply.Hits, names: Mapping[str, str], body: trust.PartyId | None
) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            words=names[one],
            count=count,
            href=f"{PATH}?{ask.query(body=None if one == body else one)}",
            is_chosen=one == body,
        )
        for one, count in hits.counts.get("body", ())[:12]
    )


def catalog_href(**asked: str) -> str:
    """This will give the address of the catalog with something asked of it."""
    return f"{PATH}?{urlencode(asked)}"


def _columns(names: Mapping[str, str]) -> tuple[Column[Resource], ...]:
    return (
        Column[Resource](name="id", label="ui.resource.id", value=lambda one: one.id),
        Column[Resource](name="title", label="ui.resource.name", value=lambda one: one.title),
        Column[Resource](
            name="summary", label="ui.resource.summary", value=lambda one: one.summary
        ),
        Column[Resource](
            name="body", label="ui.resource.body", value=lambda one: names.get(one.body, one.body)
        ),
        Column[Resource](
            name="sharing",
            label="ui.resource.sharing",
            value=lambda one: f"ui.sharing.{one.sharing.value}",
            show=Show.LABEL,
        ),
        Column[Resource](
            name="opening",
            label="ui.resource.opening",
            value=lambda one: f"ui.opening.{one.opening.value}",
            show=Show.LABEL,
        ),
        Column[Resource](
            name="frequency",
            label="ui.resource.frequency",
            value=lambda one: f"ui.frequency.{one.frequency.value}",
            show=Show.LABEL,
        ),
        Column[Resource](
            name="level",
            label="ui.resource.level",
            value=lambda one: f"ui.level.{one.level or 0}",
            show=Show.LABEL,
        ),
        Column[Resource](
            name="described",
            label="ui.resource.described",
            value=lambda one: one.described_at,
            show=Show.INSTANT,
        ),
    )
