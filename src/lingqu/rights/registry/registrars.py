# SPDX-License-Identifier: Apache-2.0
"""登记机构: who keeps which registry, and the number its certificates carry."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.rights.grounds import confirm_party
from lingqu.runtime import Tx

_AREA = re.compile(r"[0-9]{2}\Z")
_NUMBERS = range(10)


class RegistrarId(Id):
    """The id of one party's being registrar."""

    prefix = "rgr"


class Registry(enum.Enum):
    """The two registries."""

    PUBLIC = "public"
    """公共数据资源登记."""
    PROPERTY = "property"
    """数据产权登记."""


class RegistrarNotFound(errors.NotFound):
    """The party is not a registrar of this registry."""

    code = "rights.registrar.not_found"


class RegistrarTaken(errors.Conflict):
    """The party keeps this registry already, or the number of the area is taken."""

    code = "rights.registrar.taken"


class BadRegistrar(errors.Rejected):
    """An area has two digits (of GB/T 2260), a registrar a number from 0 to 9 in it."""

    code = "rights.registrar.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """A party that keeps a registry, from `named_at` until `ended_at`."""

    id: RegistrarId
    party: trust.PartyId
    registry: Registry
    area: str
    number: int
    named_at: Instant
    ended_at: Instant | None = None
    version: int = 1


REGISTRARS = trust.Table("rights.registrar", Registrar, not_found=RegistrarNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrarNamed(trust.Fact):
    """A party was named registrar."""

    kind = "rights.registrar.named"
    registrar: RegistrarId
    party: trust.PartyId
    registry: Registry
    area: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrarWasEnded(trust.Fact):
    """A party is registrar no longer; what it registered stays."""

    kind = "rights.registrar.ended"
    registrar: RegistrarId


@trust.command("rights.registrar.name")
def name_registrar(
    tx: Tx,
    *,
    registrar: RegistrarId,
    party: trust.PartyId,
    registry: Registry,
    area: str,
    number: int,
) -> Registrar:
    """This will name a party registrar, by a number of its own in its area.

    Raises PartyUnknown, BadRegistrar, RegistrarTaken, IdTaken.
    """
    tx.one("SELECT pg_advisory_xact_lock(hashtextextended('rights.registrar', 4))")
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.REGISTRAR)
    confirm_party(tx, party)
    if not _AREA.match(area) or number not in _NUMBERS:
        raise BadRegistrar(area=area[:10], number=number)
    taken = REGISTRARS.find(
        tx,
        "WHERE registry = %s AND ended_at IS NULL AND (party = %s OR (area = %s AND number = %s))",
        (registry.value, party, area, number),
    )
    if taken:
        raise RegistrarTaken(registrar=taken[0].id)
    made = Registrar(
        id=registrar, party=party, registry=registry, area=area, number=number, named_at=tx.now
    )
    REGISTRARS.insert(tx, made)
    trust.record(
        tx,
        RegistrarNamed(
            registrar=registrar, party=party, registry=registry, area=area, number=number
        ),
    )
    return made


@trust.command("rights.registrar.end")
def end_registrar(tx: Tx, *, registrar: RegistrarId) -> Registrar:
    """This will end that a party is registrar. Raises RegistrarNotFound."""
    held = REGISTRARS.lock(tx, registrar)
    trust.authorize(tx, trust.Action.END, trust.Kind.REGISTRAR)
    if held.ended_at is not None:
        raise RegistrarNotFound(id=registrar)
    ended = REGISTRARS.update(tx, held, ended_at=tx.now)
    trust.record(tx, RegistrarWasEnded(registrar=registrar))
    return ended


def find_registrars(tx: Tx) -> tuple[Registrar, ...]:
    """This will list who keeps the registries now; open to everyone."""
    return REGISTRARS.find(tx, "WHERE ended_at IS NULL ORDER BY registry, area, number")


def registrar_of(tx: Tx, party: trust.PartyId, registry: Registry) -> Registrar:
    """This will give a party's being registrar. Raises RegistrarNotFound."""
    found = REGISTRARS.find(
        tx,
        "WHERE party = %s AND registry = %s AND ended_at IS NULL",
        (party, registry.value),
    )
    if not found:
        raise RegistrarNotFound(id=party)
    return found[0]
