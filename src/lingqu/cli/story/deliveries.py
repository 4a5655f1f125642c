# SPDX-License-Identifier: Apache-2.0
"""The real tables of each story: who delivers them, and what is done with them in which region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingqu.cli.story.actors import read_data
from lingqu.supply import Access, Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One table: who delivers it, under which duty, what it is, and its security level.

    With `has_key` the first column tells its rows apart.
    """

    table: str
    body: str
    item: str
    title: str
    summary: str
    fields: tuple[tuple[str, str], ...]
    level: int = 1
    has_key: bool = True
    mode: Mode = Mode.PHYSICAL
    opening: Access = Access.UNCONDITIONAL


def _deliveries(*tables: str) -> tuple[Delivery, ...]:
    known = read_data("tables")
    return tuple(_delivery(table, known[table]) for table in tables)


def _delivery(table: str, told: Mapping[str, Any]) -> Delivery:
    return Delivery(
        table=table,
        body=told["body"],
        item=told["item"],
        title=told["title"],
        summary=told["summary"],
        fields=tuple(told["fields"].items()),
        level=told.get("level", 1),
        has_key=told.get("has_key", True),
        mode=Mode(told.get("mode", Mode.PHYSICAL.value)),
        opening=Access(told.get("opening", Access.UNCONDITIONAL.value)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a story plays: the beginning of its codes, its tables, and which offices do what.

    `operated` are the tables whose resources are operated; `implementer` is the implementing body,
    `department` who files its scheme. Tables of the whole region are cut to `prefix`.
    """

    prefix: str
    deliveries: tuple[Delivery, ...]
    operated: tuple[str, ...]
    implementer: str
    department: str


GUANGXI = Region(
    prefix="45",
    deliveries=_deliveries(
        "nbs_towns",
        "nbs_counties",
        "mca_towns",
        "mca_divisions",
        "mca_changes",
        "area_codes",
        "segments",
        "schools",
        "stations",
        "holidays",
    ),
    operated=(
        "nbs_towns",
        "mca_towns",
        "mca_divisions",
        "mca_changes",
        "area_codes",
        "segments",
    ),
    implementer="center",
    department="bureau",
)
"""The region: six bodies and their tables."""
QINZHOU = Region(
    prefix="4507",
    deliveries=_deliveries("nbs_towns", "mca_towns", "nbs_villages"),
    operated=("nbs_towns", "mca_towns"),
    implementer="bureau",
    department="province",
)
"""The city: two bodies, and the towns and villages of its own codes."""
