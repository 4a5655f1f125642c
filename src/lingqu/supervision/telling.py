# SPDX-License-Identifier: Apache-2.0
"""Whom supervision concerns: parties whose thing is looked into, held or set free, or must mend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from lingqu import gate, market, rights, supply, trust
from lingqu.kernel import errors
from lingqu.market import listings
from lingqu.runtime import Tx
from lingqu.trust.notices import Teller, Told

_Parties = tuple[trust.PartyId, ...]


def _of_contract(tx: Tx, subject: str) -> _Parties:
    held = market.get_contract(tx, market.ContractId(subject))
    return held.seller, held.buyer


_CONCERNED: Mapping[str, Callable[[Tx, str], _Parties]] = MappingProxyType({
    "pty": lambda _, subject: (trust.PartyId(subject),),
    "grt": lambda tx, subject: (rights.get_grant(tx, rights.GrantId(subject)).holder,),
    "ctr": _of_contract,
    "lst": lambda tx, subject: (listings.get_listing(tx, listings.ListingId(subject)).seller,),
    "prd": lambda tx, subject: (gate.get_product(tx, gate.ProductId(subject)).owner,),
    "res": lambda tx, subject: (supply.get_resource(tx, supply.ResourceId(subject)).body,),
})  # fmt: skip
"""Whose a thing is, by the prefix of its id."""


def _about_subject(kind: str) -> Teller:
    def tell(tx: Tx, fact: trust.DeliveredFact) -> Iterator[Told]:
        subject = str(fact.data["subject"])
        find = _CONCERNED.get(subject.partition("_")[0])
        if find is None:
            return
        try:
            parties = find(tx, subject)
        except (errors.NotFound, errors.Rejected):
            # Held may be what only has the form of an id.
            return
        for party in parties:
            yield Told(party=party, kind=kind, subject=subject)

    return tell


def _to_mend(_: Tx, fact: trust.DeliveredFact) -> Iterator[Told]:
    yield Told(
        party=trust.PartyId(fact.data["responsible"]),
        kind="rectification",
        subject=fact.data["finding"],
    )


TELLERS: Mapping[str, Teller] = MappingProxyType({
    "supervision.case.opened": _about_subject("case_opened"),
    "supervision.case.closed": _about_subject("case_closed"),
    "trust.hold.placed": _about_subject("held"),
    "trust.hold.lifted": _about_subject("freed"),
    "supply.finding.opened": _to_mend,
})  # fmt: skip
"""Whom each of these facts concerns."""
