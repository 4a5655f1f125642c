# SPDX-License-Identifier: Apache-2.0
"""The API of consents at the gate: persons who let a party ask about them, and who withdrew."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import errands, gate, trust
from lingqu.api.refusals import RequestMalformed
from lingqu.api.routes import After, Size, does, makes, reads, routes_of
from lingqu.api.writes import FromPlatform, FromVisit, FromWrite
from lingqu.gate import consents
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Period, format_instant, parse_instant


class RecordConsent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A person's consent under an id the caller made (`cns_...`).

    `key` names the person as calls do and is kept as a keyed hash only; `evidence` is the SHA-256
    of the document in hex.
    """

    consent: str
    product: str
    holder: str
    key: Annotated[str, msgspec.Meta(max_length=200)]
    purpose: Annotated[str, msgspec.Meta(max_length=60)]
    from_at: str
    until_at: str
    evidence: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class ConsentView(msgspec.Struct, kw_only=True):
    """A consent on record; it names nobody."""

    id: str
    product: str
    holder: str
    purpose: str
    from_at: str
    until_at: str
    evidence: str
    given_at: str
    withdrawn_at: str | None


class ConsentPage(msgspec.Struct, kw_only=True):
    """Some consents, and the cursor of the page after them (null: this was the last)."""

    items: list[ConsentView]
    next: str | None


@makes("/consents", "gate.consent.record", "Record a person's consent")
def record_consent(write: FromWrite, data: JSONBody[RecordConsent]) -> ConsentView:
    """This will put on record that a person lets a party ask a product about them."""
    write.visit.commanded = True
    start, end = parse_instant(data.from_at), parse_instant(data.until_at)
    made = errands.record_consent(
        write.platform,
        write.visit.caller,
        write.command,
        consent=consents.ConsentId(data.consent),
        product=gate.ProductId(data.product),
        holder=trust.PartyId(data.holder),
        key=data.key,
        purpose=data.purpose,
        valid=Period(start, end),
        evidence=_digest(data.evidence),
    )
    return _view(made)


@does("/consents/{consent:str}/withdraw", "gate.consent.withdraw", "Withdraw a consent")
def withdraw_consent(write: FromWrite, consent: FromPath[str]) -> ConsentView:
    """This will end a consent at once."""
    return _view(write.execute(consents.withdraw_consent, consent=consents.ConsentId(consent)))


@reads("/consents", "List consents")
def find_consents(
    platform: FromPlatform,
    visit: FromVisit,
    holder: Annotated[str, QueryParameter(name="holder", max_length=60)],
    size: Size = 50,
    after: After = None,
    product: Annotated[str | None, QueryParameter(name="product", max_length=60)] = None,
) -> ConsentPage:
    """This will list the consents a party holds, newest first."""
    with platform.database.reading(visit.caller) as tx:
        page = consents.find_consents(
            tx,
            page=PageRequest(size=size, after=after),
            holder=trust.PartyId(holder),
            product=None if product is None else gate.ProductId(product),
        )
    return ConsentPage(items=[_view(one) for one in page.items], next=page.next)


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise RequestMalformed(fields="evidence", reason="hex") from None


def _view(one: consents.Consent) -> ConsentView:
    gone = one.withdrawn_at
    return ConsentView(
        id=one.id,
        product=one.product,
        holder=one.holder,
        purpose=one.purpose,
        from_at=format_instant(one.from_at),
        until_at=format_instant(one.until_at),
        evidence=one.evidence,
        given_at=format_instant(one.given_at),
        withdrawn_at=None if gone is None else format_instant(gone),
    )


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    handlers: list[Any] = [record_consent, withdraw_consent, find_consents]
    return routes_of("/api/v1/gate", "gate", handlers)
