# SPDX-License-Identifier: Apache-2.0
"""供方对账: what a providing body finds when it compares a list with its own table, by itself.

It is no product and no call: nobody else sees it, nothing is metered, and its result is labelled
as the provider's own, so that it is never taken for what a buyer was answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lingqu import supply, trust
from lingqu.gate.predicates import Subject, normalize
from lingqu.kernel.time import Instant
from lingqu.runtime import Caller, Database
from lingqu.runtime.engine import Engine
from lingqu.supply import collection

LABEL = "provider_side"
"""Which side reckoned: the figures are the providing body's own."""
PAIRS_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPair:
    """So many common keys had `theirs` in the list and have `ours` in the table."""

    theirs: str
    ours: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """Keys in the list, keys in both, and how many of those carry another value in the table."""

    side: str
    resource: supply.ResourceId
    listed: int
    common: int
    changed: int
    pairs: tuple[ChangedPair, ...]
    as_of: Instant


def reconcile_list(
    database: Database,
    caller: Caller,
    *,
    resource: supply.ResourceId,
    key: str,
    value: str,
    listed: Sequence[Subject],
    tables: Path,
    engine: Engine,
) -> Reconciled:
    """This will compare a list with the table of a resource, for the body that provides it.

    Raises ResourceNotFound, AccessDenied, NotLoaded, UnknownColumn.
    """
    with database.reading(caller) as tx:
        held = supply.get_resource(tx, resource)
        trust.authorize(tx, trust.Action.CHANGE, trust.Kind.RESOURCE, owner=held.body)
        table = collection.find_table(tx, resource)
    read = collection.read_loaded(table, tables=tables, engine=engine, columns=(key, value))
    ours = {normalize(row[0]): normalize(row[1]) for row in read.rows}
    theirs = {normalize(one.key): normalize(one.value) for one in listed}
    common = theirs.keys() & ours.keys()
    pairs: dict[tuple[str, str], int] = {}
    for name in common:
        if theirs[name] != ours[name]:
            pair = (theirs[name], ours[name])
            pairs[pair] = pairs.get(pair, 0) + 1
    ordered = sorted(pairs.items(), key=lambda one: (-one[1], one[0]))
    return Reconciled(
        side=LABEL,
        resource=resource,
        listed=len(theirs),
        common=len(common),
        changed=sum(pairs.values()),
        pairs=tuple(
            ChangedPair(theirs=before, ours=now, count=count)
            for (before, now), count in ordered[:PAIRS_MOST]
        ),
        as_of=table.as_of,
    )
