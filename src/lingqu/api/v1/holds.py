# SPDX-License-Identifier: Apache-2.0
"""The API of holds: stopping a thing of any domain by its id, and freeing it again."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu.api.routes import does, makes, reads, routes_of
from lingqu.api.v1.shapes import instant
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.paging import SIZE_MAX, PageRequest
from lingqu.kernel.time import format_instant
from lingqu.trust import holds

HoldReasonName = Literal["supervision", "court_order", "dispute", "security", "quality", "payment"]


class PlaceHold(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A hold under an id the caller made (`hld_...`) on anything that has a typed id."""

    hold: str
    subject: str
    reason: HoldReasonName
    article: str
    evidence: str | None = None


class HoldView(msgspec.Struct, kw_only=True):
    """A hold; it is in force until `lifted_at`."""

    id: str
    subject: str
    reason: HoldReasonName
    article: str
    evidence: str | None
    placed_by: str
    placed_at: str
    lifted_by: str | None
    lifted_at: str | None


class HoldPage(msgspec.Struct, kw_only=True):
    """Some holds, and the cursor of the page after them (null: this was the last)."""

    items: list[HoldView]
    next: str | None


@reads("/holds", "List holds")
def find_holds(
    platform: FromPlatform,
    visit: FromVisit,
    size: Annotated[int, QueryParameter(name="size", ge=1, le=SIZE_MAX)] = 50,
    after: Annotated[str | None, QueryParameter(name="after", max_length=400)] = None,
    subject: Annotated[str | None, QueryParameter(name="subject", max_length=100)] = None,
    in_force: Annotated[bool, QueryParameter(name="in_force")] = False,  # noqa: FBT002  # a query parameter
) -> HoldPage:
    """This will list holds, newest first; with `in_force` only those that were not lifted."""
    request = PageRequest(size=size, after=after)
    with platform.database.reading(visit.caller) as tx:
        page = holds.find_holds(tx, page=request, subject=subject, in_force=in_force)
    return HoldPage(items=[hold_view(one) for one in page.items], next=page.next)


@makes("/holds", "trust.hold.place", "Place a hold")
def place_hold(write: FromWrite, data: JSONBody[PlaceHold]) -> HoldView:
    """This will stop a thing until the hold is lifted."""
    placed = write.execute(
        holds.place_hold,
        hold=holds.HoldId(data.hold),
        subject=data.subject,
        reason=holds.HoldReason(data.reason),
        article=data.article,
        evidence=data.evidence,
    )
    return hold_view(placed)


@does("/holds/{hold:str}/lift", "trust.hold.lift", "Lift a hold")
def lift_hold(write: FromWrite, hold: FromPath[str]) -> HoldView:
    """This will end a hold."""
    return hold_view(write.execute(holds.lift_hold, hold=holds.HoldId(hold)))


def hold_view(value: holds.Hold) -> HoldView:
    """This will map a hold."""
    return HoldView(
        id=value.id,
        subject=value.subject,
        reason=value.reason.value,
        article=value.article,
        evidence=value.evidence,
        placed_by=value.placed_by,
        placed_at=format_instant(value.placed_at),
        lifted_by=value.lifted_by,
        lifted_at=instant(value.lifted_at),
    )


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    return routes_of("/api/v1/trust", "trust", [find_holds, place_hold, lift_hold])
