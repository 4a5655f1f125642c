# SPDX-License-Identifier: Apache-2.0
"""Client certificates of machines: registered by SHA-256, until they expire or are revoked."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust.access import AccountId, Action, Kind, PartyId, authorize, is_allowed
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.holds import refuse_held
from lingqu.trust.parties import (
    ACCOUNTS,
    NAME_MAX,
    AccountClosed,
    AccountKind,
    AccountState,
    BadName,
    PartyNotFound,
)
from lingqu.trust.rows import Table

_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")


class CertificateId(Id):
    """The id of one registered certificate."""

    prefix = "crt"


class CertificateNotFound(errors.NotFound):
    """There is no such certificate, or the caller may not know of it."""

    code = "trust.certificate.not_found"


class CertificateTaken(errors.Conflict):
    """This certificate is registered already."""

    code = "trust.certificate.taken"


class CertificateEnded(errors.Conflict):
    """The certificate was revoked before."""

    code = "trust.certificate.ended"


class BadCertificate(errors.Rejected):
    """A certificate is named by its SHA-256, is not expired, and belongs to a machine."""

    code = "trust.certificate.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A machine's certificate: the SHA-256 of its DER form."""

    id: CertificateId
    account: AccountId
    fingerprint: str
    label: str
    expires_at: Instant
    registered_at: Instant
    ended_at: Instant | None = None
    version: int = 1


CERTIFICATES = Table("trust.certificate", Certificate, not_found=CertificateNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRegistered(Fact):
    """A machine may act by a certificate."""

    kind = "trust.certificate.registered"
    certificate: CertificateId
    account: AccountId
    fingerprint: str
    expires_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRevoked(Fact):
    """A certificate stopped working."""

    kind = "trust.certificate.revoked"
    certificate: CertificateId
    account: AccountId


@command("trust.certificate.register")
def register_certificate(
    tx: Tx,
    *,
    certificate: CertificateId,
    account: AccountId,
    fingerprint: str,
    expires_at: Instant,
    label: str,
) -> Certificate:
    """This will let a machine act as `account` by a certificate, named by its SHA-256 in hex.

    Raises AccountClosed, BadCertificate, CertificateTaken, BadName.
    """
    held = ACCOUNTS.lock(tx, account)
    authorize(tx, Action.CREATE, Kind.CERTIFICATE, owner=held.party)
    if held.state is AccountState.CLOSED:
        raise AccountClosed(account=account)
    refuse_held(tx, subjects=(account, held.party))
    if held.kind is not AccountKind.MACHINE:
        raise BadCertificate(field="account")
    if not _FINGERPRINT.match(fingerprint):
        raise BadCertificate(field="fingerprint")
    if expires_at <= tx.now:
        raise BadCertificate(field="expires_at")
    name = label.strip()
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise BadName(field="label", most=NAME_MAX)
    same = "WHERE id = %s OR (fingerprint = %s AND ended_at IS NULL)"
    if CERTIFICATES.find(tx, same, (certificate, fingerprint)):
        raise CertificateTaken(fingerprint=fingerprint)
    made = Certificate(
        id=certificate,
        account=account,
        fingerprint=fingerprint,
        label=name,
        expires_at=expires_at,
        registered_at=tx.now,
    )
    CERTIFICATES.insert(tx, made)
    record(
        tx,
        CertificateRegistered(
            certificate=certificate,
            account=account,
            fingerprint=fingerprint,
            expires_at=expires_at,
        ),
    )
    return made


@command("trust.certificate.revoke")
def revoke_certificate(tx: Tx, *, certificate: CertificateId) -> Certificate:
    """This will stop a certificate from working. Raises CertificateNotFound, CertificateEnded."""
    held = CERTIFICATES.lock(tx, certificate)
    owner = ACCOUNTS.get(tx, held.account)
    authorize(tx, Action.END, Kind.CERTIFICATE, owner=owner.party)
    if held.ended_at is not None:
        raise CertificateEnded(certificate=certificate)
    revoked = CERTIFICATES.update(tx, held, ended_at=tx.now)
    record(tx, CertificateRevoked(certificate=certificate, account=held.account))
    return revoked


def find_certificates(tx: Tx, *, party: PartyId) -> tuple[Certificate, ...]:
    """This will list the certificates of a party's accounts, revoked ones too, oldest first.

    Raises PartyNotFound where the caller may not see them.
    """
    if not is_allowed(tx, Action.READ, Kind.CERTIFICATE, owner=party):
        raise PartyNotFound(id=party)
    own = "(SELECT id FROM trust.account WHERE party = %s)"
    return CERTIFICATES.find(tx, f"WHERE account IN {own} ORDER BY id", (party,))
