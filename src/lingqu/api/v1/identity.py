# SPDX-License-Identifier: Apache-2.0
"""The API of identities: organisations, mandates, certificates, linked logins, second factors."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody

from lingqu import trust
from lingqu.api.routes import does, makes, reads, routes_of
from lingqu.api.v1 import shapes
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.kernel.time import format_instant, parse_instant
from lingqu.kernel.values import Hidden
from lingqu.runtime import REAL_TIME
from lingqu.trust import identity

OrganizationKindName = Literal[
    "government", "public_institution", "mass_organization", "enterprise", "sole_trader",
    "cooperative", "social_organization", "collective", "other",
]  # fmt: skip
OrganizationLevelName = Literal["national", "province", "city", "county", "town"]


class DescribeOrganization(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What kind of organisation it is; `region` is a division code in force today."""

    kind: OrganizationKindName
    region: str
    code: str | None = None
    level: OrganizationLevelName | None = None


class RegisterOrganization(DescribeOrganization, kw_only=True, forbid_unknown_fields=True):
    """A new organisation under an id the caller made (`pty_...`)."""

    party: str
    name: str


class OrganizationView(msgspec.Struct, kw_only=True):
    """What is known of an organisation; `demonstration` says that its code is nobody's."""

    party: str
    kind: OrganizationKindName
    code: str | None
    region: str
    level: OrganizationLevelName | None
    demonstration: bool
    described_at: str


class GiveMandate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A mandate under an id the caller made (`mdt_...`); `document` is its SHA-256."""

    mandate: str
    account: str
    party: str
    roles: list[shapes.RoleName]
    from_at: str
    until_at: str
    document: str


class MandateView(msgspec.Struct, kw_only=True):
    """A mandate, in force from `from_at` until before `until_at` unless it ended."""

    id: str
    account: str
    party: str
    roles: list[str]
    from_at: str
    until_at: str
    document: str
    given_at: str
    ended_at: str | None


class MandateList(msgspec.Struct, kw_only=True):
    """Mandates for a party or of its accounts, oldest first."""

    items: list[MandateView]


class RegisterCertificate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A certificate under an id the caller made (`crt_...`), named by the SHA-256 of its DER."""

    certificate: str
    account: str
    fingerprint: str
    expires_at: str
    label: str


class CertificateView(msgspec.Struct, kw_only=True):
    """A machine's certificate."""

    id: str
    account: str
    fingerprint: str
    label: str
    expires_at: str
    registered_at: str
    ended_at: str | None


class CertificateList(msgspec.Struct, kw_only=True):
    """Certificates of a party's accounts, oldest first."""

    items: list[CertificateView]


class LinkLogin(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A login at an identity provider under an id the caller made (`lnk_...`)."""

    link: str
    account: str
    issuer: str
    subject: str


class LinkRef(msgspec.Struct, kw_only=True):
    """The linked login a command was about."""

    link: str


class EnableSecondFactor(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A secret of 160 bits or more in base32, and the first code made with it."""

    secret: str
    code: str


class SecondFactorView(msgspec.Struct, kw_only=True):
    """Recovery codes are shown in the first answer and never again."""

    account: str
    recovery_codes: list[str] | None


@reads("/organizations/{party:str}", "Read an organization")
def get_organization(
    platform: FromPlatform, visit: FromVisit, party: FromPath[str]
) -> OrganizationView:
    """This will read what is known of an organisation."""
    wanted = trust.PartyId(party)
    with platform.database.reading(visit.caller) as tx:
        trust.get_party(tx, wanted)
        return organization_view(identity.get_organization(tx, wanted))


@makes("/organizations", "trust.organization.register", "Register an organization")
def register_organization(
    write: FromWrite, data: JSONBody[RegisterOrganization]
) -> OrganizationView:
    """This will register a party that is an organisation, with what is known of it."""
    made = write.execute(
        identity.register_organization,
        party=trust.PartyId(data.party),
        name=data.name,
        **_described(data),
    )
    return organization_view(made)


@does(
    "/organizations/{party:str}/describe", "trust.organization.describe", "Describe an organization"
)
def describe_organization(
    write: FromWrite, party: FromPath[str], data: JSONBody[DescribeOrganization]
) -> OrganizationView:
    """This will say, or say anew, what kind of organisation a party is."""
    wanted = trust.PartyId(party)
    made = write.execute(identity.describe_organization, party=wanted, **_described(data))
    return organization_view(made)


@reads("/parties/{party:str}/mandates", "List a party's mandates")
def find_mandates(platform: FromPlatform, visit: FromVisit, party: FromPath[str]) -> MandateList:
    """This will list mandates for a party or of its accounts."""
    wanted = trust.PartyId(party)
    with platform.database.reading(visit.caller) as tx:
        found = identity.find_mandates(tx, party=wanted)
    return MandateList(items=[mandate_view(one) for one in found])


@makes("/mandates", "trust.mandate.give", "Give a mandate")
def give_mandate(write: FromWrite, data: JSONBody[GiveMandate]) -> MandateView:
    """This will let an account act for a party in some roles for a period."""
    given = write.execute(
        identity.give_mandate,
        mandate=identity.MandateId(data.mandate),
        account=trust.AccountId(data.account),
        party=trust.PartyId(data.party),
        roles=tuple(trust.Role(role) for role in data.roles),
        from_at=parse_instant(data.from_at),
        until_at=parse_instant(data.until_at),
        document=data.document,
    )
    return mandate_view(given)


@does("/mandates/{mandate:str}/end", "trust.mandate.end", "End a mandate")
def end_mandate(write: FromWrite, mandate: FromPath[str]) -> MandateView:
    """This will end a mandate before its time."""
    wanted = identity.MandateId(mandate)
    return mandate_view(write.execute(identity.end_mandate, mandate=wanted))


@does("/accounts/{account:str}/unlock", "trust.account.unlock", "Unlock an account")
def unlock_account(write: FromWrite, account: FromPath[str]) -> shapes.AccountRef:
    """This will let an account try to sign in again at once."""
    write.execute(identity.unlock_account, account=trust.AccountId(account))
    return shapes.AccountRef(account=account)


@does(
    "/accounts/{account:str}/second-factor/enable",
    "trust.second_factor.enable",
    "Switch a second factor on",
)
def enable_second_factor(
    write: FromWrite, account: FromPath[str], data: JSONBody[EnableSecondFactor]
) -> SecondFactorView:
    """This will ask for one-time codes at signing in from now on."""
    wanted = trust.AccountId(account)
    ready = identity.prepare_second_factor(
        write.platform.keyring, wanted, secret=data.secret, code=data.code, now=REAL_TIME.now()
    )
    write.execute(
        identity.enable_second_factor,
        account=wanted,
        sealed=ready.sealed,
        recovery=ready.recovery,
        step=ready.step,
    )
    with write.platform.database.reading(write.visit.caller) as tx:
        fresh = identity.is_prepared(tx, wanted, ready)
    return SecondFactorView(account=account, recovery_codes=list(ready.codes) if fresh else None)


@does(
    "/accounts/{account:str}/second-factor/disable",
    "trust.second_factor.disable",
    "Switch a second factor off",
)
def disable_second_factor(write: FromWrite, account: FromPath[str]) -> shapes.AccountRef:
    """This will stop asking for one-time codes and forget the secret."""
    write.execute(identity.disable_second_factor, account=trust.AccountId(account))
    return shapes.AccountRef(account=account)


@makes("/login-links", "trust.login_link.make", "Link a login")
def link_login(write: FromWrite, data: JSONBody[LinkLogin]) -> LinkRef:
    """This will let a login at an identity provider open an account."""
    made = write.execute(
        identity.link_login,
        link=identity.LoginLinkId(data.link),
        account=trust.AccountId(data.account),
        issuer=data.issuer,
        subject=Hidden(data.subject),
    )
    return LinkRef(link=made)


@does("/login-links/{link:str}/end", "trust.login_link.end", "Unlink a login")
def unlink_login(write: FromWrite, link: FromPath[str]) -> LinkRef:
    """This will stop a login from opening its account."""
    write.execute(identity.unlink_login, link=identity.LoginLinkId(link))
    return LinkRef(link=link)


@reads("/parties/{party:str}/certificates", "List certificates")
def find_certificates(
    platform: FromPlatform, visit: FromVisit, party: FromPath[str]
) -> CertificateList:
    """This will list the certificates of a party's accounts."""
    wanted = trust.PartyId(party)
    with platform.database.reading(visit.caller) as tx:
        found = identity.find_certificates(tx, party=wanted)
    return CertificateList(items=[certificate_view(one) for one in found])


@makes("/certificates", "trust.certificate.register", "Register a certificate")
def register_certificate(write: FromWrite, data: JSONBody[RegisterCertificate]) -> CertificateView:
    """This will let a machine act as an account by a client certificate."""
    made = write.execute(
        identity.register_certificate,
        certificate=identity.CertificateId(data.certificate),
        account=trust.AccountId(data.account),
        fingerprint=data.fingerprint,
        expires_at=parse_instant(data.expires_at),
        label=data.label,
    )
    return certificate_view(made)


@does("/certificates/{certificate:str}/revoke", "trust.certificate.revoke", "Revoke a certificate")
def revoke_certificate(write: FromWrite, certificate: FromPath[str]) -> CertificateView:
    """This will stop a certificate from working."""
    wanted = identity.CertificateId(certificate)
    return certificate_view(write.execute(identity.revoke_certificate, certificate=wanted))


def _described(data: DescribeOrganization) -> dict[str, Any]:
    return {
        "kind": identity.OrganizationKind(data.kind),
        "code": data.code,
        "region": data.region,
        "level": None if data.level is None else identity.OrganizationLevel(data.level),
    }


def organization_view(value: identity.Organization) -> OrganizationView:
    """This will map an organisation."""
    return OrganizationView(
        party=value.party,
        kind=value.kind.value,
        code=value.code,
        region=value.region,
        level=None if value.level is None else value.level.value,
        demonstration=value.demonstration,
        described_at=format_instant(value.described_at),
    )


def mandate_view(value: identity.Mandate) -> MandateView:
    """This will map a mandate."""
    return MandateView(
        id=value.id,
        account=value.account,
        party=value.party,
        roles=[role.value for role in value.roles],
        from_at=format_instant(value.from_at),
        until_at=format_instant(value.until_at),
        document=value.document,
        given_at=format_instant(value.given_at),
        ended_at=shapes.instant(value.ended_at),
    )


def certificate_view(value: identity.Certificate) -> CertificateView:
    """This will map a certificate."""
    return CertificateView(
        id=value.id,
        account=value.account,
        fingerprint=value.fingerprint,
        label=value.label,
        expires_at=format_instant(value.expires_at),
        registered_at=format_instant(value.registered_at),
        ended_at=shapes.instant(value.ended_at),
    )


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [
        get_organization, register_organization, describe_organization, find_mandates, give_mandate,
        end_mandate, unlock_account, enable_second_factor, disable_second_factor, link_login,
        unlink_login, find_certificates, register_certificate, revoke_certificate,
    ]  # fmt: skip
    return routes_of("/api/v1/trust", "trust", handlers)
