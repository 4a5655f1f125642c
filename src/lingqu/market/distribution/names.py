# SPDX-License-Identifier: Apache-2.0
"""The names that stand on papers: whoever may see a contract may read who its parties are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lingqu import trust
from lingqu.market.distribution.sharing import BadPlan
from lingqu.runtime import Tx

_NAMES = "SELECT id, name FROM trust.party WHERE id = ANY(%s) AND erased_at IS NULL"


def party_names(tx: Tx, parties: Iterable[str]) -> Mapping[str, str]:
    """This will give the name of each party, its id where it has none."""
    wanted = sorted(set(parties))
    found = {row["id"]: row["name"] for row in tx.all(_NAMES, (wanted,))}
    return {one: found.get(one) or one for one in wanted}


def require_parties(tx: Tx, parties: Iterable[trust.PartyId]) -> None:
    """This will refuse a payee that is nobody here. Raises BadPlan."""
    wanted = sorted(set(parties))
    if len(tx.all(_NAMES, (wanted,))) != len(wanted):
        raise BadPlan(steps=len(wanted))
