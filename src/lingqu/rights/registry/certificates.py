# SPDX-License-Identifier: Apache-2.0
"""登记证书、登记凭证: what a certificate says, and what everybody may look up by its code."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from lingqu.kernel import errors
from lingqu.rights.names import identity_of, name_of
from lingqu.rights.registry.registrars import REGISTRARS
from lingqu.rights.registry.registrations import (
    Registration,
    RegistrationId,
    RegistrationKind,
    get_registration,
)
from lingqu.rights.statements import cite
from lingqu.runtime import Tx, documents
from lingqu.runtime.calendar import local_day, shift_days

_SCOPE_MAX = 300
_WORDS = {
    RegistrationKind.RESOURCE: "公共数据资源首次登记",
    RegistrationKind.PRODUCT: "公共数据产品和服务首次登记",
    RegistrationKind.PROPERTY: "数据产权初次登记",
}
_RULES = {
    RegistrationKind.RESOURCE: "registration.query_code",
    RegistrationKind.PRODUCT: "registration.query_code",
    RegistrationKind.PROPERTY: "property.complete_at_evidence",
}


class NotCoded(errors.Conflict):
    """The registration has no code, so there is no certificate."""

    code = "rights.registration.not_coded"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicEntry:
    """What the public sees of a registration: 第十二条 and the code's standing now."""

    registration: Registration
    registrant: str
    registrar: str
    in_force: bool


def public_entry(tx: Tx, registration: Registration) -> PublicEntry:
    """This will put the names to a registration that the caller may see already."""
    keeper = REGISTRARS.get(tx, registration.registrar)
    return PublicEntry(
        registration=registration,
        registrant=name_of(tx, registration.applicant),
        registrar=name_of(tx, keeper.party),
        in_force=registration.is_in_force(tx.now),
    )


def certificate_paper(tx: Tx, registration: RegistrationId, *, link: str) -> documents.Paper:
    """This will give what a certificate is written from; `link` goes into its QR code.

    Raises RegistrationNotFound, NotCoded.
    """
    held = get_registration(tx, registration)
    valid = held.valid
    if held.code is None or valid is None or valid.end is None:
        raise NotCoded(registration=registration)
    identity, _ = identity_of(tx, held.applicant)
    keeper = REGISTRARS.get(tx, held.registrar).party
    summary = " ".join(held.summary.split())
    data: dict[str, object] = {
        "issuer": name_of(tx, keeper),
        "number": held.code,
        "dated_on": local_day(valid.start).isoformat(),
        "link": link,
        "holder": name_of(tx, held.applicant),
        "title": held.title,
        "kind": _WORDS[held.kind],
        "scope": summary if len(summary) <= _SCOPE_MAX else f"{summary[:_SCOPE_MAX]}……",
        "ground": cite(tx, _RULES[held.kind]),
        "starts_on": local_day(valid.start).isoformat(),
        "ends_on": shift_days(local_day(valid.end), -1).isoformat(),
        "digest": held.evidence.hex(),
    }
    if identity is not None:
        data["identity"] = identity
    return documents.Paper(
        template="certificate",
        data=MappingProxyType(data),
        subject=registration,
        sealers=(keeper,),
    )
