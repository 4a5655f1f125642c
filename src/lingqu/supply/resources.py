# SPDX-License-Identifier: Apache-2.0
"""公共数据资源目录: what a body holds, described so that others can find it and judge it.

A resource is described under a duty, by its fields and its attributes of sharing and opening, and
every description that ever stood is kept as a version. Its security level is confirmed by a person,
apart from the description: what is not graded does not move, and a new description of its fields
takes the level away until somebody has looked again.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import Tx
from lingqu.supply.duties import DutyId, get_duty, lock_open_duty
from lingqu.trust import rulebook

TITLE_MAX = 100
SUMMARY_MAX = 2_000
REASON_MAX = 500
FIELDS_MAX = 500
LEVELS = range(1, 6)
HIGHEST = "grading.grade"
"""The rule by which data are graded as high as the highest of what they hold."""


class ResourceId(Id):
    """The id of one catalogued resource."""

    prefix = "res"


class Frequency(enum.Enum):
    """How often a resource is renewed (NDI-TR-2025-06, table of update frequencies)."""

    REAL_TIME = "001"
    DAILY = "002"
    WEEKLY = "003"
    MONTHLY = "004"
    QUARTERLY = "005"
    HALF_YEARLY = "006"
    YEARLY = "007"
    IRREGULAR = "008"
    HISTORIC = "009"


class Access(enum.Enum):
    """Whether a resource is shared, or opened: without conditions, with some, or not at all."""

    UNCONDITIONAL = "unconditional"
    CONDITIONAL = "conditional"
    NONE = "none"


class Mode(enum.Enum):
    """How a resource reaches the platform."""

    PHYSICAL = "physical"
    """物理汇聚: it is delivered and kept here."""
    LOGICAL = "logical"
    """逻辑接入: it stays where it is and is read there."""


class FieldKind(enum.Enum):
    """What the cells of a field hold."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    INSTANT = "instant"
    BOOLEAN = "boolean"


class ResourceNotFound(errors.NotFound):
    """There is no such resource."""

    code = "supply.resource.not_found"


class ResourceWithdrawn(errors.Conflict):
    """The resource was withdrawn from the catalog."""

    code = "supply.resource.withdrawn"


class BadResource(errors.Rejected):
    """A part of the description is empty, too long, not printable, or stands twice."""

    code = "supply.resource.bad"


class ReasonMissing(errors.Rejected):
    """What is not shared or opened without conditions says why, and on which ground."""

    code = "supply.resource.reason_missing"


class BadLevel(errors.Rejected):
    """A security level is a number from 1 to 5."""

    code = "supply.resource.bad_level"


class BelowField(errors.Rejected):
    """A resource is graded at least as high as the highest of its fields."""

    code = "supply.resource.below_field"


class Ungraded(errors.Conflict):
    """Nobody has confirmed the security level of the resource as it is described now."""

    code = "supply.resource.ungraded"
    article = "《中华人民共和国数据安全法》第二十一条"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column: its name in deliveries, what it is called, what it holds and means.

    The fields with `is_key` together tell every row apart: none of them is empty, and no two rows
    have the same. `level` is the security level its body proposes, 1 to 5; a person confirms that
    of the whole resource.
    """

    name: str
    label: str
    kind: FieldKind
    meaning: str = ""
    is_personal: bool = False
    is_key: bool = False
    level: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a body says of a resource. `reason` is needed unless it is shared and opened freely."""

    title: str
    summary: str
    frequency: Frequency
    mode: Mode
    sharing: Access
    opening: Access
    fields: tuple[Field, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A catalogued resource; `fields` is canonical JSON of its fields, `level` 1 to 5 or None."""

    id: ResourceId
    duty: DutyId
    body: trust.PartyId
    title: str
    summary: str
    frequency: Frequency
    mode: Mode
    sharing: Access
    opening: Access
    reason: str
    fields: str
    level: int | None
    level_reason: str | None
    level_by: trust.AccountId | None
    described_at: Instant
    withdrawn_at: Instant | None = None
    version: int = 1


RESOURCES = trust.Table("supply.resource", Resource, not_found=ResourceNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDescribed(trust.Fact):
    """A resource stands in the catalog, or is described anew as its next version."""

    kind = "supply.resource.described"
    resource: ResourceId
    duty: DutyId
    body: trust.PartyId
    edition: int
    fields: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceGraded(trust.Fact):
    """A person confirmed the security level of a resource as it is described."""

    kind = "supply.resource.graded"
    resource: ResourceId
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceWasWithdrawn(trust.Fact):
    """A resource left the catalog; what was delivered stays."""

    kind = "supply.resource.withdrawn"
    resource: ResourceId


@trust.command("supply.resource.describe")
def describe_resource(
    tx: Tx, *, resource: ResourceId, duty: DutyId, description: Description
) -> Resource:
    """This will put a resource into the catalog, under a duty that has not ended.

    Raises DutyNotFound, DutyEnded, BadResource, ReasonMissing, IdTaken.
    """
    held = lock_open_duty(tx, duty)
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.RESOURCE, owner=held.body)
    made = Resource(
        id=resource,
        duty=duty,
        body=held.body,
        **_checked(description),
        level=None,
        level_reason=None,
        level_by=None,
        described_at=tx.now,
    )
    RESOURCES.insert(tx, made)
    _record_described(tx, made, description)
    return made


@trust.command("supply.resource.revise")
def revise_resource(tx: Tx, *, resource: ResourceId, description: Description) -> Resource:
    """This will describe a resource anew; other fields take its confirmed level away.

    Raises ResourceNotFound, ResourceWithdrawn, BadResource, ReasonMissing.
    """
    held = lock_resource(tx, resource)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.RESOURCE, owner=held.body)
    told = _checked(description)
    graded = _fields_of(told["fields"]) == read_fields(held)
    made = RESOURCES.update(
        tx,
        held,
        **told,
        level=held.level if graded else None,
        level_reason=held.level_reason if graded else None,
        level_by=held.level_by if graded else None,
        described_at=tx.now,
    )
    _record_described(tx, made, description)
    return made


@trust.command("supply.resource.grade")
def grade_resource(tx: Tx, *, resource: ResourceId, level: int, reason: str) -> Resource:
    """This will confirm the security level of a resource as it is described, by a person.

    Raises ResourceNotFound, ResourceWithdrawn, BadLevel, BelowField, BadResource.
    """
    held = lock_resource(tx, resource)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.SECURITY_LEVEL, owner=held.body)
    if level not in LEVELS:
        raise BadLevel(given=str(level)[:20])
    highest = max((one.level or 0 for one in read_fields(held)), default=0)
    if level < highest:
        article = rulebook.of(tx).rule(HIGHEST).citation
        raise BelowField(level=level, highest=highest).grounded_in(article)
    graded = RESOURCES.update(
        tx,
        held,
        level=level,
        level_reason=_text(reason, "reason", REASON_MAX),
        level_by=trust.AccountId(str(tx.caller.account)),
    )
    trust.record(tx, ResourceGraded(resource=resource, level=level))
    return graded


@trust.command("supply.resource.withdraw")
def withdraw_resource(tx: Tx, *, resource: ResourceId) -> Resource:
    """This will take a resource out of the catalog. Raises ResourceNotFound, ResourceWithdrawn."""
    held = lock_resource(tx, resource)
    trust.authorize(tx, trust.Action.END, trust.Kind.RESOURCE, owner=held.body)
    gone = RESOURCES.update(tx, held, withdrawn_at=tx.now)
    trust.record(tx, ResourceWasWithdrawn(resource=resource))
    return gone


def lock_resource(tx: Tx, resource: ResourceId) -> Resource:
    """This will lock a resource of the catalog. Raises ResourceNotFound, ResourceWithdrawn."""
    held = RESOURCES.lock(tx, resource)
    if held.withdrawn_at is not None:
        raise ResourceWithdrawn(resource=resource)
    return held


def require_level(resource: Resource) -> int:
    """This will give the confirmed security level; raises Ungraded: what is not graded stays."""
    if resource.level is None:
        raise Ungraded(resource=resource.id)
    return resource.level


def read_fields(resource: Resource) -> tuple[Field, ...]:
    """This will give the fields of a resource in their order."""
    return _fields_of(resource.fields)


def get_resource(tx: Tx, resource: ResourceId) -> Resource:
    """This will read one resource; the catalog is public. Raises ResourceNotFound."""
    return RESOURCES.get(tx, resource)


def find_resources(
    tx: Tx, *, page: PageRequest, body: trust.PartyId | None = None, duty: DutyId | None = None
) -> Page[Resource]:
    """This will list resources of the catalog, newest first; the catalog is public."""
    tail = (
        "WHERE withdrawn_at IS NULL AND (%s::text IS NULL OR body = %s)"
        " AND (%s::text IS NULL OR duty = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    if duty is not None:
        get_duty(tx, duty)
    found = RESOURCES.find(tx, tail, (body, body, duty, duty, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def _fields_of(text: str) -> tuple[Field, ...]:
    return tuple(from_plain(Field, one) for one in canon.decode(text))


def _record_described(tx: Tx, made: Resource, description: Description) -> None:
    trust.record(
        tx,
        ResourceDescribed(
            resource=made.id,
            duty=made.duty,
            body=made.body,
            edition=made.version,
            fields=len(description.fields),
        ),
    )


def _checked(description: Description) -> dict[str, Any]:
    free = Access.UNCONDITIONAL
    reason = description.reason.strip()
    if not reason and (description.sharing is not free or description.opening is not free):
        raise ReasonMissing
    if not 0 < len(description.fields) <= FIELDS_MAX:
        raise BadResource(part="fields")
    fields = [_checked_field(one) for one in description.fields]
    if len({one.name for one in fields}) != len(fields):
        raise BadResource(part="fields")
    return {
        "title": _text(description.title, "title", TITLE_MAX),
        "summary": _text(description.summary, "summary", SUMMARY_MAX),
        "frequency": description.frequency,
        "mode": description.mode,
        "sharing": description.sharing,
        "opening": description.opening,
        "reason": _text(reason, "reason", REASON_MAX) if reason else "",
        "fields": canon.encode(to_plain(tuple(fields))).decode(),
    }


def check_fields(fields: Sequence[Field]) -> tuple[tuple[int, errors.LingquError], ...]:
    """This will say which fields of a table could not be described so, and why.

    Gives the place of the field, from 0, and the refusal.
    """
    found: list[tuple[int, errors.LingquError]] = []
    seen: set[str] = set()
    for place, one in enumerate(fields):
        try:
            name = _checked_field(one).name
            if name in seen:
                raise BadResource(part="field_name")
            seen.add(name)
        except errors.LingquError as refusal:
            found.append((place, refusal))
    return tuple(found)


def _checked_field(field: Field) -> Field:
    if field.level is not None and field.level not in LEVELS:
        raise BadLevel(given=str(field.level)[:20])
    return Field(
        name=_text(field.name, "field_name", TITLE_MAX),
        label=_text(field.label, "field_label", TITLE_MAX),
        kind=field.kind,
        meaning=_text(field.meaning, "field_meaning", SUMMARY_MAX) if field.meaning.strip() else "",
        is_personal=field.is_personal,
        is_key=field.is_key,
        level=field.level,
    )


def _text(text: str, part: str, longest: int) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= longest or not plain.isprintable():
        raise BadResource(part=part)
    return plain
