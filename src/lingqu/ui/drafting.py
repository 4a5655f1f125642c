# SPDX-License-Identifier: Apache-2.0
"""A first query policy from the columns of a right: the strictest, for a person to open up.

Only keys are known; every other column is sensitive until somebody who knows the data says what it
is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from lingqu import supply
from lingqu.gate.governance import (
    GovernedColumn,
    GovernedTable,
    Mode,
    QueryPolicy,
    Role,
    find_fault,
)
from lingqu.runtime import Tx
from lingqu.supply import collection

_THRESHOLD = 20
_TABLES_MOST = 16
_COLUMNS_MOST = 200


def draft_policy(
    tx: Tx, resources: Iterable[supply.Resource], allowed: Collection[str] | None
) -> QueryPolicy | None:
    """This will draft a policy over what is loaded of resources; None where nothing is.

    `allowed` names columns as the terms of a right do. Columns whose names a query cannot write
    are left out.
    """
    tables: list[GovernedTable] = []
    for one in resources:
        try:
            loaded = collection.find_table(tx, one.id)
        except collection.NotLoaded:
            continue
        columns = tuple(_columns(loaded, allowed))[:_COLUMNS_MOST]
        keys = [column.name for column in columns if column.role is Role.KEY]
        if columns and len(tables) < _TABLES_MOST:
            tables.append(
                GovernedTable(
                    name=f"t{len(tables) + 1}",
                    resource=one.id,
                    columns=columns,
                    entity=keys[0] if keys else None,
                    threshold=_THRESHOLD,
                )
            )
    return _policy(*tables) if tables else None


def _columns(
    loaded: collection.LoadedTable, allowed: Collection[str] | None
) -> Iterator[GovernedColumn]:
    for column in loaded.columns:
        if allowed is not None and f"{loaded.resource}.{column.name}" not in allowed:
            continue
        role = Role.KEY if column.name in loaded.key else Role.SENSITIVE
        made = GovernedColumn(name=column.name, role=role, type=column.type)
        alone = GovernedTable(name="t", resource=loaded.resource, columns=(made,))
        if find_fault(_policy(alone)) is None:
            yield made


def _policy(*tables: GovernedTable) -> QueryPolicy:
    return QueryPolicy(tables=tables, modes=(Mode.AD_HOC,))
