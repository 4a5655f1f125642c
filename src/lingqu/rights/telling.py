# SPDX-License-Identifier: Apache-2.0
"""Whom the facts of rights concern: holders whose right was given, narrowed or taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from lingqu import trust
from lingqu.kernel.time import Instant, as_instant, format_instant
from lingqu.rights.family import find_lives
from lingqu.rights.grants import GRANTS, Grant, GrantId, read_form
from lingqu.runtime import Tx
from lingqu.trust.notices import Teller, Told

HOLDERS_MOST = 500
"""How many holders below a grant are told when it ends."""
_SUBTREE = "WHERE id = %s OR ancestors @> ARRAY[%s]::text[] ORDER BY cardinality(ancestors), id"
_ENDING = """
    WHERE holder = ANY(%s) AND effective::jsonb -> 'valid' ->> 'end' > %s
      AND effective::jsonb -> 'valid' ->> 'end' <= %s
    ORDER BY effective::jsonb -> 'valid' ->> 'end', id LIMIT %s
"""


def _given(tx: Tx, fact: trust.DeliveredFact) -> Iterator[Told]:
    held = GRANTS.get(tx, GrantId(fact.data["grant"]))
    if held.parent is not None and held.succeeds is None:
        yield Told(party=held.holder, kind="grant_issued", subject=held.id)


def _below(kind: str) -> Teller:
    def tell(tx: Tx, fact: trust.DeliveredFact) -> Iterator[Told]:
        ended = fact.data["grant"]
        for one in GRANTS.find(tx, f"{_SUBTREE} LIMIT %s", (ended, ended, HOLDERS_MOST)):
            yield Told(party=one.holder, kind=kind, subject=one.id)

    return tell


TELLERS: Mapping[str, Teller] = MappingProxyType({
    "rights.grant.issued": _given,
    "rights.grant.revoked": _below("grant_revoked"),
    "rights.grant.narrowed": _below("grant_changed"),
    "rights.grant.adopted": _below("grant_changed"),
})  # fmt: skip
"""Whom each of these facts concerns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingSoon:
    """A grant that ends soon, since when that is so, and when it ends."""

    grant: Grant
    since: Instant
    ends_at: Instant


def find_ending_soon(
    tx: Tx, *, holders: Sequence[trust.PartyId], within: timedelta, most: int
) -> tuple[EndingSoon, ...]:
    """This will list living grants of holders that end within a time, the first to end first.

    Only those of holders the caller acts for.
    """
    own = [
        one
        for one in holders
        if trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=one)
    ]
    span = format_instant(tx.now), format_instant(as_instant(tx.now + within))
    found = GRANTS.find(tx, _ENDING, (own, *span, most))
    lives = find_lives(tx, grants=found)
    soon = []
    for grant, life in zip(found, lives, strict=True):
        valid = read_form(grant.effective).valid
        assert valid is not None
        assert valid.end is not None, "the query asks for an end"
        if life.alive:
            since = as_instant(valid.end - within)
            soon.append(EndingSoon(grant=grant, since=since, ends_at=valid.end))
    return tuple(soon)
