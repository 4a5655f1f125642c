# SPDX-License-Identifier: Apache-2.0
"""The API of findings: what is wrong with loaded tables, and who has to mend it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody

from lingqu import supply, trust
from lingqu.api.routes import After, Size, asks, makes, reads, routes_of
from lingqu.api.v1.supply import Body
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.errands import Look, look_at
from lingqu.kernel import canon
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import format_instant

KindName = Literal["comparison", "one_value", "filled", "unique"]
Column = Annotated[str, msgspec.Meta(max_length=128)]


class LookShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What to look at: two code books by `name` and `parent`, or one `column` by a rule.

    Only codes that begin with `within` count.
    """

    kind: KindName
    resource: str
    other: str | None = None
    column: Column = ""
    name: Column = ""
    parent: Column = ""
    other_name: Column | None = None
    other_parent: Column | None = None
    within: Annotated[str, msgspec.Meta(max_length=60)] = ""


class OpenFinding(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A finding under an id the caller made (`fnd_...`); the platform looks by itself."""

    finding: str
    look: LookShape
    title: str
    inspector: str
    responsible: str
    superior: str | None = None


class ObservationView(msgspec.Struct, kw_only=True):
    """What was seen: how many faults, the figures, and codes as examples."""

    kind: KindName
    resource: str
    edition: int
    other: str | None
    other_edition: int | None
    column: str
    within: str
    faults: int
    figures: dict[str, int]
    examples: list[str]
    safe_key: Literal["key", "derived", "none"] | None


class FindingView(msgspec.Struct, kw_only=True):
    """One finding; how far its rectification is, its procedure says."""

    id: str
    kind: KindName
    resource: str
    edition: int
    other: str | None
    other_edition: int | None
    column: str
    within: str
    faults: int
    figures: dict[str, int]
    examples: list[str]
    title: str
    inspector: str
    responsible: str
    procedure: str
    opened_at: str


class FindingPage(msgspec.Struct, kw_only=True):
    """Some findings, and the cursor of the page after them (null: this was the last)."""

    items: list[FindingView]
    next: str | None


@asks("/findings/look", "Look at loaded tables")
def look(platform: FromPlatform, visit: FromVisit, data: JSONBody[LookShape]) -> ObservationView:
    """This will compare two loaded code books, or hold a column to a rule; nothing is stored."""
    seen = look_at(platform, visit.caller, look_of(data))
    told = seen.observation
    return ObservationView(
        kind=told.kind.value,
        resource=told.resource,
        edition=told.edition,
        other=told.other,
        other_edition=told.other_edition,
        column=told.column,
        within=told.within,
        faults=told.faults,
        figures={one.name: one.count for one in told.figures},
        examples=list(told.examples),
        safe_key=None if seen.comparison is None else seen.comparison.safe_key.value,
    )


@makes("/findings", "supply.finding.open", "Open a finding")
def open_finding(write: FromWrite, data: JSONBody[OpenFinding]) -> FindingView:
    """This will look, record what was found, and begin its rectification."""
    seen = look_at(write.platform, write.visit.caller, look_of(data.look))
    made = write.execute(
        supply.open_finding,
        finding=supply.FindingId(data.finding),
        observation=seen.observation,
        title=data.title,
        inspector=trust.PartyId(data.inspector),
        responsible=trust.PartyId(data.responsible),
        superior=None if data.superior is None else trust.PartyId(data.superior),
    )
    return finding_view(made)


@reads("/findings", "List findings")
def find_findings(
    platform: FromPlatform,
    visit: FromVisit,
    size: Size = 50,
    after: After = None,
    of_body: Body = None,
) -> FindingPage:
    """This will list findings, newest first: those that name a body, or all."""
    owner = None if of_body is None else trust.PartyId(of_body)
    with platform.database.reading(visit.caller) as tx:
        page = supply.find_findings(tx, page=PageRequest(size=size, after=after), body=owner)
    return FindingPage(items=[finding_view(one) for one in page.items], next=page.next)


@reads("/findings/{finding:str}", "Read a finding")
def get_finding(platform: FromPlatform, visit: FromVisit, finding: FromPath[str]) -> FindingView:
    """This will read one finding, for the bodies it names and whoever supervises."""
    with platform.database.reading(visit.caller) as tx:
        return finding_view(supply.get_finding(tx, supply.FindingId(finding)))


def look_of(shape: LookShape) -> Look:
    """This will read what is to be looked at."""
    return Look(
        kind=supply.FindingKind(shape.kind),
        resource=supply.ResourceId(shape.resource),
        other=None if shape.other is None else supply.ResourceId(shape.other),
        column=shape.column,
        name=shape.name,
        parent=shape.parent,
        other_name=shape.other_name,
        other_parent=shape.other_parent,
        within=shape.within,
    )


def finding_view(finding: supply.Finding) -> FindingView:
    """This will give the shape of a finding."""
    return FindingView(
        id=finding.id,
        kind=finding.kind.value,
        resource=finding.resource,
        edition=finding.edition,
        other=finding.other,
        other_edition=finding.other_edition,
        column=finding.column_name,
        within=finding.within,
        faults=finding.faults,
        figures=canon.decode(finding.figures),
        examples=canon.decode(finding.examples),
        title=finding.title,
        inspector=finding.inspector,
        responsible=finding.responsible,
        procedure=finding.procedure,
        opened_at=format_instant(finding.opened_at),
    )


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [look, open_finding, find_findings, get_finding]
    return routes_of("/api/v1/supply", "supply", handlers)
