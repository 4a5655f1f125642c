# SPDX-License-Identifier: Apache-2.0
"""The API of 供给 supply: duties of bodies, and the catalog of their resources."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import supply, trust
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.writes import FromPlatform, FromWrite
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import format_instant

Body = Annotated[str | None, QueryParameter(name="body", max_length=60, description="A party's id")]
AccessName = Literal["unconditional", "conditional", "none"]
ModeName = Literal["physical", "logical"]
FrequencyCode = Literal["001", "002", "003", "004", "005", "006", "007", "008", "009"]
FieldKindName = Literal["text", "integer", "decimal", "date", "instant", "boolean"]


class DutyView(msgspec.Struct, kw_only=True):
    """One item of data a body answers for."""

    id: str
    body: str
    item: str
    basis: str
    territory: str
    registered_at: str
    ended_at: str | None
    version: int


class DutyPage(msgspec.Struct, kw_only=True):
    """Some duties, and the cursor of the page after them (null: this was the last)."""

    items: list[DutyView]
    next: str | None


class RegisterDuty(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new duty under an id the caller made (`dty_...`)."""

    duty: str
    body: str
    item: str
    basis: str
    territory: str


class RegisterDuties(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The rows of a table of duties, 1 to 1,000; all are registered or none."""

    duties: list[RegisterDuty]


class FieldShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One column of a resource."""

    name: str
    label: str
    kind: FieldKindName
    meaning: str = ""
    is_personal: bool = False
    is_key: bool = False
    level: int | None = None


class DescriptionShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a body says of a resource; `reason` unless it is shared and opened freely."""

    title: str
    summary: str
    frequency: FrequencyCode
    mode: ModeName
    sharing: AccessName
    opening: AccessName
    fields: list[FieldShape]
    reason: str = ""


class DescribeResource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new resource under an id the caller made (`res_...`)."""

    resource: str
    duty: str
    description: DescriptionShape


class GradeResource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The security level a person confirms, 1 to 5, and why."""

    level: int
    reason: str


class ResourceView(msgspec.Struct, kw_only=True):
    """One resource of the catalog."""

    id: str
    duty: str
    body: str
    description: DescriptionShape
    level: int | None
    described_at: str
    withdrawn_at: str | None
    version: int


class ResourcePage(msgspec.Struct, kw_only=True):
    """Some resources, and the cursor of the page after them (null: this was the last)."""

    items: list[ResourceView]
    next: str | None


@reads("/duties", "List duties", is_open=True)
def find_duties(
    platform: FromPlatform,
    size: Size = 50,
    after: After = None,
    of_body: Body = None,
    territory: Annotated[str | None, QueryParameter(name="territory", max_length=12)] = None,
) -> DutyPage:
    """This will list what bodies answer for, newest first; open to everyone."""
    request = PageRequest(size=size, after=after)
    owner = None if of_body is None else trust.PartyId(of_body)
    with platform.database.reading(trust.VISITOR) as tx:
        page = supply.find_duties(tx, page=request, body=owner, territory=territory)
    return DutyPage(items=[duty_view(one) for one in page.items], next=page.next)


@reads("/duties/{duty:str}", "Read a duty", is_open=True)
def get_duty(platform: FromPlatform, duty: FromPath[str]) -> DutyView:
    """This will read one duty; open to everyone."""
    wanted = supply.DutyId(duty)
    with platform.database.reading(trust.VISITOR) as tx:
        return duty_view(supply.get_duty(tx, wanted))


@makes("/duties", "supply.duty.register", "Register a duty")
def register_duty(write: FromWrite, data: JSONBody[RegisterDuty]) -> DutyView:
    """This will put an item of data on a body's list."""
    made = write.execute(
        supply.register_duty,
        duty=supply.DutyId(data.duty),
        body=trust.PartyId(data.body),
        item=data.item,
        basis=data.basis,
        territory=data.territory,
    )
    return duty_view(made)


@makes("/duties/table", "supply.duty.register_all", "Register a table of duties")
def register_duties(write: FromWrite, data: JSONBody[RegisterDuties]) -> DutyPage:
    """This will put the items of a whole table on bodies' lists, all of them or none."""
    given = tuple(
        supply.NewDuty(
            id=supply.DutyId(one.duty),
            body=trust.PartyId(one.body),
            item=one.item,
            basis=one.basis,
            territory=one.territory,
        )
        for one in data.duties
    )
    made = write.execute(supply.register_duties, duties=given)
    return DutyPage(items=[duty_view(one) for one in made], next=None)


@does("/duties/{duty:str}/end", "supply.duty.end", "End a duty")
def end_duty(write: FromWrite, duty: FromPath[str]) -> DutyView:
    """This will end a duty; what was delivered under it stays."""
    return duty_view(write.execute(supply.end_duty, duty=supply.DutyId(duty)))


@reads("/resources", "List resources", is_open=True)
def find_resources(
    platform: FromPlatform,
    size: Size = 50,
    after: After = None,
    of_body: Body = None,
    duty: Annotated[str | None, QueryParameter(name="duty", max_length=60)] = None,
) -> ResourcePage:
    """This will list the catalog, newest first; open to everyone."""
    request = PageRequest(size=size, after=after)
    owner = None if of_body is None else trust.PartyId(of_body)
    under = None if duty is None else supply.DutyId(duty)
    with platform.database.reading(trust.VISITOR) as tx:
        page = supply.find_resources(tx, page=request, body=owner, duty=under)
    return ResourcePage(items=[resource_view(one) for one in page.items], next=page.next)


@reads("/resources/{resource:str}", "Read a resource", is_open=True)
def get_resource(platform: FromPlatform, resource: FromPath[str]) -> ResourceView:
    """This will read one resource of the catalog; open to everyone."""
    wanted = supply.ResourceId(resource)
    with platform.database.reading(trust.VISITOR) as tx:
        return resource_view(supply.get_resource(tx, wanted))


@makes("/resources", "supply.resource.describe", "Describe a resource")
def describe_resource(write: FromWrite, data: JSONBody[DescribeResource]) -> ResourceView:
    """This will put a resource into the catalog."""
    made = write.execute(
        supply.describe_resource,
        resource=supply.ResourceId(data.resource),
        duty=supply.DutyId(data.duty),
        description=description_of(data.description),
    )
    return resource_view(made)


@does("/resources/{resource:str}/revise", "supply.resource.revise", "Describe a resource anew")
def revise_resource(
    write: FromWrite, resource: FromPath[str], data: JSONBody[DescriptionShape]
) -> ResourceView:
    """This will describe a resource anew; other fields take its confirmed level away."""
    made = write.execute(
        supply.revise_resource,
        resource=supply.ResourceId(resource),
        description=description_of(data),
    )
    return resource_view(made)


@does("/resources/{resource:str}/grade", "supply.resource.grade", "Confirm a security level")
def grade_resource(
    write: FromWrite, resource: FromPath[str], data: JSONBody[GradeResource]
) -> ResourceView:
    """This will confirm the security level of a resource as it is described."""
    graded = write.execute(
        supply.grade_resource,
        resource=supply.ResourceId(resource),
        level=data.level,
        reason=data.reason,
    )
    return resource_view(graded)


@does("/resources/{resource:str}/withdraw", "supply.resource.withdraw", "Withdraw a resource")
def withdraw_resource(write: FromWrite, resource: FromPath[str]) -> ResourceView:
    """This will take a resource out of the catalog; what was delivered stays."""
    gone = write.execute(supply.withdraw_resource, resource=supply.ResourceId(resource))
    return resource_view(gone)


def duty_view(duty: supply.Duty) -> DutyView:
    """This will give the shape of a duty."""
    return DutyView(
        id=duty.id,
        body=duty.body,
        item=duty.item,
        basis=duty.basis,
        territory=duty.territory,
        registered_at=format_instant(duty.registered_at),
        ended_at=None if duty.ended_at is None else format_instant(duty.ended_at),
        version=duty.version,
    )


def resource_view(resource: supply.Resource) -> ResourceView:
    """This will give the shape of a resource."""
    gone = resource.withdrawn_at
    return ResourceView(
        id=resource.id,
        duty=resource.duty,
        body=resource.body,
        description=DescriptionShape(
            title=resource.title,
            summary=resource.summary,
            frequency=resource.frequency.value,
            mode=resource.mode.value,
            sharing=resource.sharing.value,
            opening=resource.opening.value,
            fields=[
                FieldShape(
                    name=field.name,
                    label=field.label,
                    kind=field.kind.value,
                    meaning=field.meaning,
                    is_personal=field.is_personal,
                    is_key=field.is_key,
                    level=field.level,
                )
                for field in supply.read_fields(resource)
            ],
            reason=resource.reason,
        ),
        level=resource.level,
        described_at=format_instant(resource.described_at),
        withdrawn_at=None if gone is None else format_instant(gone),
        version=resource.version,
    )


def description_of(shape: DescriptionShape) -> supply.Description:
    """This will read a description."""
    return supply.Description(
        title=shape.title,
        summary=shape.summary,
        frequency=supply.Frequency(shape.frequency),
        mode=supply.Mode(shape.mode),
        sharing=supply.Access(shape.sharing),
        opening=supply.Access(shape.opening),
        fields=tuple(
            supply.Field(
                name=field.name,
                label=field.label,
                kind=supply.FieldKind(field.kind),
                meaning=field.meaning,
                is_personal=field.is_personal,
                is_key=field.is_key,
                level=field.level,
            )
            for field in shape.fields
        ),
        reason=shape.reason,
    )


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        find_duties, get_duty, register_duty, register_duties, end_duty, find_resources,
        get_resource, describe_resource, revise_resource, grade_resource, withdraw_resource,
    ]  # fmt: skip
    return routes_of("/api/v1/supply", "supply", handlers)
