# SPDX-License-Identifier: Apache-2.0
"""终止: a contract ends early or when it is due; the right ends and the money is free, together.

Ending early revokes the buyer's grant with everything below it. When a contract is due its grant
has ended by its own period. In both cases what is still frozen is the buyer's again in the same
transaction. What was metered in the last moments and is charged afterwards is drawn from the
buyer's funds directly.
"""

from __future__ import annotations

from lingqu import rights, trust
from lingqu.market.contract_facts import (
    BadContract,
    ContractNotPerforming,
    ContractOver,
    ContractsExpired,
)
from lingqu.market.contracts import (
    CONTRACTS,
    Contract,
    ContractId,
    ContractNotFound,
    ContractState,
    Ending,
    free_held,
)
from lingqu.market.texts import REASON_MAX, checked_text
from lingqu.runtime import Tx

SCAN_MAX = 200


@trust.command("market.contract.end")
def end_contract(tx: Tx, *, contract: ContractId, party: trust.PartyId, reason: str) -> Contract:
    """This will end a contract before it is due, as its seller or its buyer.

    Raises ContractNotFound, ContractNotPerforming, BadContract.
    """
    held = CONTRACTS.lock(tx, contract)
    if party not in {held.seller, held.buyer}:
        raise ContractNotFound(id=contract)
    trust.authorize(tx, trust.Action.END, trust.Kind.CONTRACT, owner=party)
    if held.state is not ContractState.PERFORMING:
        raise ContractNotPerforming(contract=contract, state=held.state.value)
    checked_text(reason, "reason", REASON_MAX, refusal=BadContract)
    assert held.grant_id is not None, "what is in force has its grant"
    if rights.find_life(tx, rights.get_grant(tx, held.grant_id)).standing in _STANDING:
        rights.end_grant(tx, grant=held.grant_id, cause=rights.RevocationCause.GROUND_ENDED)
    return _over(tx, held, Ending.EARLY)


@trust.command("market.contract.expire", internal=True)
def expire_contracts(tx: Tx) -> tuple[ContractId, ...]:
    """This will end the contracts whose period is over, some at a time; gives which."""
    trust.authorize(tx, trust.Action.END, trust.Kind.CONTRACT)
    due = CONTRACTS.find(
        tx,
        "WHERE state = 'performing' AND ends_at <= %s ORDER BY id LIMIT %s FOR UPDATE",
        (tx.now, SCAN_MAX),
    )
    for one in due:
        _over(tx, one, Ending.DUE)
    ended = tuple(one.id for one in due)
    trust.record(tx, ContractsExpired(contracts=ended))
    return ended


def has_due(tx: Tx) -> bool:
    """This will say whether the period of a contract in force is over."""
    row = tx.one(
        "SELECT EXISTS (SELECT FROM market.contract"
        " WHERE state = 'performing' AND ends_at <= %s) AS due",
        (tx.now,),
    )
    return bool(row["due"])


_STANDING = (rights.Standing.ALIVE, rights.Standing.HELD, rights.Standing.NOT_BEGUN)


def _over(tx: Tx, held: Contract, ending: Ending) -> Contract:
    free_held(tx, contract=held)
    assert held.grant_id is not None, "what is in force has its grant"
    over = CONTRACTS.update(
        tx,
        held,
        state=ContractState.ENDED,
        ending=ending,
        ended_at=tx.now,
        held=None,
        held_minor=0,
    )
    fact = ContractOver(contract=held.id, ending=ending, grant=held.grant_id, freed=held.held_minor)
    trust.record(tx, fact)
    return over
