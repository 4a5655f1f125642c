# SPDX-License-Identifier: Apache-2.0
"""The names of organisations, where a rule makes them public."""

from __future__ import annotations

from lingqu import trust
from lingqu.runtime import Tx

_NAME = "SELECT name FROM trust.party WHERE id = %s AND kind = 'organization'"
_CODE = "SELECT code, region FROM trust.organization WHERE party = %s"


def name_of(tx: Tx, party: trust.PartyId) -> str:
    """This will give the name of an organisation; of anybody else, and once erased, the id."""
    row = tx.maybe(_NAME, (party,))
    return party if row is None or row["name"] is None else str(row["name"])


def identity_of(tx: Tx, party: trust.PartyId) -> tuple[str | None, str | None]:
    """This will give the unified social credit code and the division of a party, where known."""
    row = tx.maybe(_CODE, (party,))
    return (None, None) if row is None else (row["code"], row["region"])
