# SPDX-License-Identifier: Apache-2.0
"""Whom the market's facts concern: who must sign, whose contract began or ended, who is listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from lingqu import trust
from lingqu.market.contracts import CONTRACTS, Contract, ContractId, ContractState
from lingqu.market.listings import ListingId, get_listing
from lingqu.runtime import Tx
from lingqu.trust.notices import Teller, Told

PUBLICITY = "publicity"
_SIGNS = {
    ContractState.REQUESTED: "seller",
    ContractState.OFFERED: "buyer",
    ContractState.ACCEPTED: "seller",
}
"""Whose turn it is while a negotiation stands so."""


def _contract(tx: Tx, fact: trust.DeliveredFact) -> Contract:
    return CONTRACTS.get(tx, ContractId(fact.data["contract"]))


def _to_sign(tx: Tx, fact: trust.DeliveredFact) -> Iterator[Told]:
    """Whose turn it is now; nobody's where the negotiation went on meanwhile or is over."""
    held = _contract(tx, fact)
    side = _SIGNS.get(held.state)
    if side is not None:
        yield Told(party=getattr(held, side), kind="contract_waits", subject=held.id)


def _sides(kind: str) -> Teller:
    def tell(tx: Tx, fact: trust.DeliveredFact) -> Iterator[Told]:
        held = _contract(tx, fact)
        for party in (held.seller, held.buyer):
            yield Told(party=party, kind=kind, subject=held.id)

    return tell


def _after_publicity(tx: Tx, fact: trust.DeliveredFact) -> Iterator[Told]:
    """A listing's publicity is over: the venue certifies, and the seller knows."""
    if fact.data.get("timer") != PUBLICITY or not str(fact.data["subject"]).startswith("lst_"):
        return
    held = get_listing(tx, ListingId(fact.data["subject"]))
    for party in (held.venue, held.seller):
        yield Told(party=party, kind="publicity_over", subject=held.id)


TELLERS: Mapping[str, Teller] = MappingProxyType({
    "market.contract.proposed": _to_sign,
    "market.contract.countered": _to_sign,
    "market.contract.signed": _to_sign,
    "market.contract.finalized": _sides("contract_concluded"),
    "market.contract.closed": _sides("contract_closed"),
    "market.contract.over": _sides("contract_over"),
    "trust.procedure.moved": _after_publicity,
})  # fmt: skip
"""Whom each of these facts concerns."""
