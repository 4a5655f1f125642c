# SPDX-License-Identifier: Apache-2.0
"""What is known of an organisation: its kind, its unified social credit code, region and level.

The code is checked by GB 32100-2015. Codes whose registering region begins with 99 belong to no
region of the country and are kept for demonstrations; whatever bears one is marked 演示.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from stdnum.cn import uscc

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust.access import Action, Kind, PartyId, authorize, is_allowed
from lingqu.trust.commands import command
from lingqu.trust.divisions import get as get_division
from lingqu.trust.facts import Fact, record
from lingqu.trust.holds import refuse_held
from lingqu.trust.parties import (
    PARTIES,
    PartyErased,
    PartyKind,
    PartyNotFound,
    register_party,
)
from lingqu.trust.rows import Table

_CHINA_TIME = timedelta(hours=8)
_SHAPE = re.compile(r"[1-9ANY][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}\Z")
_DEMONSTRATION = "99"


class OrganizationKind(enum.Enum):
    """What kind of organisation it is."""

    GOVERNMENT = "government"
    """党政机关"""
    PUBLIC_INSTITUTION = "public_institution"
    """事业单位"""
    MASS_ORGANIZATION = "mass_organization"
    """群团组织"""
    ENTERPRISE = "enterprise"
    """企业"""
    SOLE_TRADER = "sole_trader"
    """个体工商户"""
    COOPERATIVE = "cooperative"
    """农民专业合作社"""
    SOCIAL_ORGANIZATION = "social_organization"
    """社会组织（社会团体、基金会、社会服务机构）"""
    COLLECTIVE = "collective"
    """农村集体经济组织"""
    OTHER = "other"
    """其他机构"""


class OrganizationLevel(enum.Enum):
    """At which level of administration a body works."""

    NATIONAL = "national"
    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    TOWN = "town"


class BadCode(errors.Rejected):
    """A unified social credit code has 18 characters, the last of which checks the others."""

    code = "trust.organization.bad_code"


class CodeTaken(errors.Conflict):
    """Another organisation is registered under this unified social credit code."""

    code = "trust.organization.code_taken"


class NotAnOrganization(errors.Rejected):
    """The party is a person or a system, not an organisation."""

    code = "trust.organization.not_one"


class LevelMissing(errors.Rejected):
    """A body of government states at which level it works."""

    code = "trust.organization.level_missing"


class OrganizationNotFound(errors.NotFound):
    """Nothing more than its name is known of this party."""

    code = "trust.organization.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """What is known of an organisation. `region` is a division code of 6 or 9 digits."""

    party: PartyId
    kind: OrganizationKind
    code: str | None
    region: str
    level: OrganizationLevel | None
    demonstration: bool
    described_at: Instant
    version: int = 1


ORGANIZATIONS = Table(
    "trust.organization", Organization, key="party", not_found=OrganizationNotFound
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationDescribed(Fact):
    """What kind of organisation a party is, and where, came to be known or changed."""

    kind = "trust.organization.described"
    party: PartyId
    organization_kind: OrganizationKind
    region: str
    level: OrganizationLevel | None
    demonstration: bool


def check_credit_code(text: str) -> str:
    """This will give a unified social credit code in its one form; raises BadCode."""
    given = uscc.compact(text)
    if not _SHAPE.match(given) or given[-1] != uscc.calc_check_digit(given[:17]):
        raise BadCode(length=len(given))
    return given


def is_demonstration_code(code: str) -> bool:
    """This will say whether a code lies in the range kept for demonstrations."""
    return code[2:4] == _DEMONSTRATION


def demonstration_code(number: int, *, prefix: str = "91") -> str:
    """This will make the code of a demonstration's organisation: valid, and nobody's.

    `prefix` is the registering authority and the kind of entity, 91 for an enterprise.
    """
    assert 0 <= number < 10**9, "nine digits"
    head = f"{prefix}{_DEMONSTRATION}0000{number:09d}"
    return head + uscc.calc_check_digit(head)


@command("trust.organization.register")
def register_organization(
    tx: Tx,
    *,
    party: PartyId,
    name: str,
    kind: OrganizationKind,
    region: str,
    code: str | None = None,
    level: OrganizationLevel | None = None,
) -> Organization:
    """This will register a party that is an organisation, with what is known of it.

    Raises what registering a party and describing an organisation raise.
    """
    register_party(tx, party=party, kind=PartyKind.ORGANIZATION, name=name)
    return describe_organization(tx, party=party, kind=kind, code=code, region=region, level=level)


@command("trust.organization.describe")
def describe_organization(
    tx: Tx,
    *,
    party: PartyId,
    kind: OrganizationKind,
    region: str,
    code: str | None = None,
    level: OrganizationLevel | None = None,
) -> Organization:
    """This will say, or say anew, what kind of organisation a party is.

    Raises PartyNotFound, PartyErased, NotAnOrganization, BadCode, CodeTaken, LevelMissing and, for
    a region that is none today, what `divisions.get` raises.
    """
    held = PARTIES.lock(tx, party)
    authorize(tx, Action.CHANGE, Kind.PARTY, owner=party)
    if held.erased_at is not None:
        raise PartyErased(party=party)
    if held.kind is not PartyKind.ORGANIZATION:
        raise NotAnOrganization(party=party)
    refuse_held(tx, subjects=(party,))
    checked = None if code is None or not code.strip() else check_credit_code(code)
    place = get_division(region.strip(), on=(tx.now + _CHINA_TIME).date())
    if kind is OrganizationKind.GOVERNMENT and level is None:
        raise LevelMissing(kind=kind.value)
    if checked is not None:
        taken = ORGANIZATIONS.find(tx, "WHERE code = %s AND party <> %s", (checked, party))
        if taken:
            raise CodeTaken
    made = Organization(
        party=party,
        kind=kind,
        code=checked,
        region=place.code,
        level=level,
        demonstration=checked is not None and is_demonstration_code(checked),
        described_at=tx.now,
    )
    kept = _keep(tx, made)
    record(
        tx,
        OrganizationDescribed(
            party=party,
            organization_kind=kind,
            region=kept.region,
            level=level,
            demonstration=kept.demonstration,
        ),
    )
    return kept


def find_organization(tx: Tx, party: PartyId) -> Organization | None:
    """This will read what is known of an organisation the caller may see, or give None.

    Raises PartyNotFound where the caller may not see the party.
    """
    if not is_allowed(tx, Action.READ, Kind.PARTY, owner=party):
        raise PartyNotFound(id=party)
    found = ORGANIZATIONS.find(tx, "WHERE party = %s", (party,))
    return found[0] if found else None


def get_organization(tx: Tx, party: PartyId) -> Organization:
    """This will read what is known of an organisation the caller may see.

    Raises PartyNotFound, OrganizationNotFound.
    """
    found = find_organization(tx, party)
    if found is None:
        raise OrganizationNotFound(id=party)
    return found


_CODES = """
    SELECT party, code FROM trust.organization WHERE party = ANY(%s) AND code IS NOT NULL
"""


def organization_codes(tx: Tx, *, parties: Iterable[PartyId]) -> Mapping[PartyId, str]:
    """This will give the credit codes of organisations by their ids; they are public."""
    rows = tx.all(_CODES, (sorted({*parties}),))
    return {PartyId(row["party"]): row["code"] for row in rows}


def _keep(tx: Tx, made: Organization) -> Organization:
    known = ORGANIZATIONS.find(tx, "WHERE party = %s FOR UPDATE", (made.party,))
    if not known:
        return ORGANIZATIONS.insert(tx, made)
    return ORGANIZATIONS.update(
        tx,
        known[0],
        kind=made.kind,
        code=made.code,
        region=made.region,
        level=made.level,
        demonstration=made.demonstration,
        described_at=made.described_at,
    )
