# SPDX-License-Identifier: Apache-2.0
"""同意 consents: that a person lets a party ask a product about them, for a purpose, until a day.

A consent names the person by a hash under the product's key and nothing else, and holds the digest
of the document it was given by. It is looked for when a call is decided, so that one withdrawn
counts from the next window on (《个人信息保护法》第十五条).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lingqu import trust
from lingqu.gate.predicates import VerificationPolicy
from lingqu.gate.products import ProductId, lock_product, policy_of
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant, Period
from lingqu.runtime import Tx

PURPOSE_LONGEST = 60
_SUBJECT = re.compile(r"[0-9a-f]{32}\Z")
DIGEST_BYTES = 32


class ConsentId(Id):
    """The id of one consent."""

    prefix = "cns"


class ConsentNotFound(errors.NotFound):
    """There is no such consent, or the caller may not know of it."""

    code = "gate.consent.not_found"


class ConsentWithdrawn(errors.Conflict):
    """The consent was withdrawn before."""

    code = "gate.consent.withdrawn"


class BadConsent(errors.Rejected):
    """A part of the consent is missing or wrong, or the product asks about no persons."""

    code = "gate.consent.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A person's consent; `subject` is the keyed hash, `evidence` the digest of the document."""

    id: ConsentId
    product: ProductId
    holder: trust.PartyId
    subject: str
    purpose: str
    from_at: Instant
    until_at: Instant
    evidence: str
    given_at: Instant
    withdrawn_at: Instant | None = None
    version: int = 1


CONSENTS = trust.Table("gate.consent", Consent, not_found=ConsentNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecorded(trust.Fact):
    """A person's consent was put on record; it names nobody."""

    kind = "gate.consent.recorded"
    consent: ConsentId
    product: ProductId
    holder: trust.PartyId
    purpose: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentWasWithdrawn(trust.Fact):
    """A person's consent does not count any more."""

    kind = "gate.consent.withdrawn"
    consent: ConsentId
    product: ProductId
    holder: trust.PartyId


@trust.command("gate.consent.record")
def record_consent(
    tx: Tx,
    *,
    consent: ConsentId,
    product: ProductId,
    holder: trust.PartyId,
    subject: str,
    purpose: str,
    valid: Period,
    evidence: bytes,
) -> Consent:
    """This will put on record that a person lets a party ask a product about them.

    `subject` is what `Desk.name_subject` gives. Raises ProductNotFound, ProductWithdrawn,
    BadConsent, IdTaken.
    """
    found = lock_product(tx, product)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=holder)
    policy = policy_of(found)
    if not isinstance(policy, VerificationPolicy) or not policy.personal:
        raise BadConsent(part="product")
    if not _SUBJECT.match(subject):
        raise BadConsent(part="subject")
    if not 0 < len(purpose) <= PURPOSE_LONGEST or not purpose.isprintable():
        raise BadConsent(part="purpose")
    if len(evidence) != DIGEST_BYTES:
        raise BadConsent(part="evidence")
    if valid.end is None:
        raise BadConsent(part="until")
    made = Consent(
        id=consent,
        product=product,
        holder=holder,
        subject=subject,
        purpose=purpose,
        from_at=valid.start,
        until_at=valid.end,
        evidence=evidence.hex(),
        given_at=tx.now,
    )
    CONSENTS.insert(tx, made)
    trust.record(
        tx,
        ConsentRecorded(
            consent=consent,
            product=product,
            holder=holder,
            purpose=purpose,
            evidence=made.evidence,
        ),
    )
    return made


@trust.command("gate.consent.withdraw")
def withdraw_consent(tx: Tx, *, consent: ConsentId) -> Consent:
    """This will end a consent at once. Raises ConsentNotFound, ConsentWithdrawn."""
    held = CONSENTS.lock(tx, consent)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=held.holder)
    if held.withdrawn_at is not None:
        raise ConsentWithdrawn(consent=consent)
    gone = CONSENTS.update(tx, held, withdrawn_at=tx.now)
    trust.record(tx, ConsentWasWithdrawn(consent=consent, product=held.product, holder=held.holder))
    return gone


def find_consents(
    tx: Tx, *, page: PageRequest, holder: trust.PartyId, product: ProductId | None = None
) -> Page[Consent]:
    """This will list the consents a party holds, newest first. Raises AccessDenied."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=holder):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.GRANT.value)
    tail = (
        "WHERE holder = %s AND (%s::text IS NULL OR product = %s)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    found = CONSENTS.find(tx, tail, (holder, product, product, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


_AGREED = """
    SELECT DISTINCT subject, purpose FROM gate.consent
    WHERE product = %s AND holder = %s AND subject = ANY(%s)
      AND withdrawn_at IS NULL AND from_at <= %s AND %s < until_at
"""


def find_agreed(
    tx: Tx, *, product: ProductId, holder: str, subjects: Sequence[bytes]
) -> frozenset[tuple[str, str]]:
    """This will give which subjects agreed to which purposes of a party, as (hash, purpose)."""
    named = [one.hex() for one in subjects]
    rows = tx.all(_AGREED, (product, holder, named, tx.now, tx.now))
    return frozenset((row["subject"], row["purpose"]) for row in rows)
