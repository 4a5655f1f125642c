# SPDX-License-Identifier: Apache-2.0
"""What both sides sign: a contract as canonical JSON in the elements of TC609-6-2025-14.

The elements of table C.1 are there under the standard's names, but for those that change after
signing (state, signing time, signatures): `public_text` adds them. The policies are written by
`rights.exchange`; fees, quota and what else the standard has no word for stand in `expansionItem`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from lingqu import rights
from lingqu.kernel import canon
from lingqu.kernel.lattice import ScopeForm, TermsForm, Vocabulary, meet
from lingqu.kernel.money import Money
from lingqu.kernel.time import Instant, Period, format_instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.market.fees import FeeSchedule
from lingqu.market.listings import FORM_ACTIONS, Listing
from lingqu.market.members import Member

exchange = rights.exchange

NAME_MAX = 128
ABSTRACT_MAX = 1024
WITH_PLATFORM = "02"
PROVIDER, USER = "01", "02"
DUTY_ACTIONS: Mapping[rights.ObligationKind, rights.exchange.DutyAction] = MappingProxyType({
    rights.ObligationKind.DELETE: rights.exchange.DutyAction.DELETE,
    rights.ObligationKind.REPORT: rights.exchange.DutyAction.REPORT,
})  # fmt: skip
"""The duties a contract may hold, as the standard's actions; paying is what the fees are for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerms:
    """What is agreed: purposes, calls, period, duties; `fees` only to say those of the listing.

    Instants are whole seconds. `sample` names the report of the gate on the sample that was tested.
    """

    purposes: tuple[str, ...]
    quota: int
    starts_at: Instant
    ends_at: Instant
    duties: tuple[rights.Duty, ...] = ()
    fees: FeeSchedule | None = None
    sample: str | None = None


def buyer_terms(listing: Listing, buyer: str, terms: ContractTerms) -> TermsForm:
    """This will give what the buyer's grant narrows the product's to."""
    return TermsForm(
        purposes=ScopeForm(allowed=terms.purposes),
        actions=ScopeForm(allowed=(FORM_ACTIONS[listing.form],)),
        recipients=(buyer,),
        valid=Period(terms.starts_at, terms.ends_at),
    )


def write_text(
    *,
    contract: str,
    listing: Listing,
    seller: Member,
    buyer: Member,
    terms: ContractTerms,
    fees: FeeSchedule,
    deposit: int,
    proposed_at: Instant,
    rules: str,
    commitment: bytes,
    vocabulary: Vocabulary,
) -> str:
    """This will write the canonical text of a contract; the same agreement, the same bytes."""
    own = vocabulary.read(buyer_terms(listing, buyer.party, terms))
    policy = rights.exchange.Policy(
        id=contract,
        kind=rights.exchange.PolicyKind.OFFER,
        object=listing.product,
        terms=meet(vocabulary.read(listing.permitted), own),
        provider=seller.code,
        consumer=buyer.code,
        provider_node=seller.party,
        consumer_node=buyer.party,
        quantities=(Money(terms.quota, "calls"),),
        after=tuple(
            rights.exchange.Duty(action=DUTY_ACTIONS[one.kind], within_days=one.days)
            for one in terms.duties
        ),
    )
    written = rights.exchange.to_tc609(policy)
    document: dict[str, Any] = {
        "contractId": contract,
        "contractName": listing.title[:NAME_MAX],
        "contractAbstract": listing.summary[:ABSTRACT_MAX],
        "createTime": format_instant(proposed_at),
        "signMode": WITH_PLATFORM,
        "signatories": [
            {
                "signatoryEntityId": member.code,
                "signatoryEntityName": member.name,
                "signatorytype": kind,
            }
            for member, kind in ((seller, PROVIDER), (buyer, USER))
        ],
        "indate": format_instant(terms.ends_at),
        "contractPolicies": written["contractPolicies"],
        "expansionItem": {
            "listing": listing.id,
            "product": listing.product,
            "registration": listing.code,
            "certificate": listing.certificate,
            "venue": listing.venue,
            "seller": seller.party,
            "buyer": buyer.party,
            "startTime": format_instant(terms.starts_at),
            "purposes": list(terms.purposes),
            "quota": terms.quota,
            "fees": to_plain(fees),
            "deposit": deposit,
            "duties": to_plain(terms.duties),
            "sample": terms.sample,
            "commitment": commitment.hex(),
            "rules": rules,
        },
    }
    return canon.encode(document).decode()


def digest_of(text: str) -> str:
    """This will give the SHA-256 of a text: what both sides sign."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_text(text: str) -> Mapping[str, Any]:
    """This will read a contract's canonical text."""
    found: Mapping[str, Any] = canon.decode(text.encode())
    return found


def read_duties(text: str) -> tuple[rights.Duty, ...]:
    """This will read the duties kept with a contract."""
    return tuple(from_plain(rights.Duty, one) for one in canon.decode(text.encode()))


def public_text(
    text: str, *, status: str, signed: Sequence[tuple[str, str, str]]
) -> dict[str, Any]:
    """This will give the whole document of the standard: the signed text, its state, who signed.

    `signed` gives for each signature the party, the digest and the time.
    """
    return {
        **read_text(text),
        "contractStatus": status,
        "contractHash": digest_of(text),
        "signature": [
            {"signatory": party, "digest": digest, "signTime": at} for party, digest, at in signed
        ],
    }
