# SPDX-License-Identifier: Apache-2.0
"""Reads client certificates: from a file, and as a proxy hands them on (RFC 9440, `Client-Cert`).

Only digest and period are taken. Whether a certificate may be trusted was decided by the proxy,
which checked its chain and that the client holds its key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime.settings import Settings, read_secret

HEADER = "client-cert"
SECRET_HEADER = "lingqu-proxy-secret"  # noqa: S105  # the name of a header
_BYTES = re.compile(r":([A-Za-z0-9+/]+={0,2}):\Z")
_DER_MAX = 16 * 1024


class CertificateUnreadable(errors.Rejected):
    """This is not one X.509 certificate in PEM, or in the form of RFC 9440."""

    code = "runtime.certificate.unreadable"


class CertificateUntrusted(errors.Forbidden):
    """A client certificate came along, but not through the proxy that is trusted to check it."""

    code = "runtime.certificate.untrusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """A certificate by its SHA-256 in hex, and the period it states."""

    fingerprint: str
    not_before: Instant
    not_after: Instant


def read_certificate_file(path: Path) -> ClientCertificate:
    """This will read the one certificate in a PEM file; raises CertificateUnreadable."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes()[: 4 * _DER_MAX])
    except (OSError, ValueError):
        raise CertificateUnreadable(file=str(path)) from None
    if len(found) != 1:
        raise CertificateUnreadable(file=str(path))
    return _described(found[0])


def read_certificate_header(text: str) -> ClientCertificate:
    """This will read a `Client-Cert` header, a byte sequence in colons; raises what a file does."""
    match = _BYTES.match(text.strip())
    try:
        if match is None or len(match[1]) > 2 * _DER_MAX:
            raise CertificateUnreadable(file=HEADER)
        der = base64.b64decode(match[1], validate=True)
        certificate = x509.load_der_x509_certificate(der)
    except (binascii.Error, ValueError):
        raise CertificateUnreadable(file=HEADER) from None
    if certificate.public_bytes(Encoding.DER) != der:
        raise CertificateUnreadable(file=HEADER)
    return _described(certificate)


def _described(certificate: x509.Certificate) -> ClientCertificate:
    return ClientCertificate(
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


class TrustedProxy:
    """Decides whether a client certificate in a header comes from the proxy that checked it."""

    def __init__(self, settings: Settings) -> None:
        """Trust nobody where addresses or secret are not set; raises UnreadableSecret."""
        self._networks = tuple(ipaddress.ip_network(one) for one in settings.proxy_addresses)
        file = settings.proxy_secret_file
        self._secret = None if file is None else read_secret(file)

    def certificate(
        self, *, source: str, secret: str, headers: list[str], now: Instant
    ) -> ClientCertificate | None:
        """This will give the client's certificate, or None where the client showed none.

        `headers` are all `Client-Cert` headers of the request: a proxy sends one, so two mean that
        a client slipped its own in. Raises CertificateUntrusted, CertificateUnreadable.
        """
        if not headers:
            return None
        if len(headers) != 1 or not self._is_trusted(source, secret):
            raise CertificateUntrusted
        found = read_certificate_header(headers[0])
        if not found.not_before <= now < found.not_after:
            raise CertificateUntrusted
        return found

    def _is_trusted(self, source: str, secret: str) -> bool:
        if self._secret is None or not self._networks:
            return False
        try:
            address = ipaddress.ip_address(source)
        except ValueError:
            return False
        known = any(address in network for network in self._networks)
        return hmac.compare_digest(secret.encode(), self._secret.encode()) and known
