# SPDX-License-Identifier: Apache-2.0
"""Counts that give nobody away: groups released, merged or withheld by one closed rule.

A group with fewer entities than the threshold is never shown. Small groups are merged along the
declared dimension; whatever cannot be merged is withheld, and larger groups are withheld with it
(complementary suppression) until no line of the table, and not the table as a whole, could be
completed from a total somebody knows from elsewhere: in each, what is withheld is nothing or at
least the threshold. The answer says that groups were withheld and by which rule; it gives a number
for them only where they hold at least the threshold together, rounded down to multiples of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lingqu.gate.policies import CountPolicy
from lingqu.gate.suppression import Cell, order, withhold
from lingqu.kernel import errors
from lingqu.runtime.engine import quoted

RULE = "gate.count.threshold"
"""What an answer names as the rule by which groups were merged or withheld."""


class EntityRepeated(errors.Conflict):
    """An entity stands in more than one group, so that counts would not add up."""

    code = "gate.snapshot.entity_repeated"


def print_named(columns: Sequence[str], sql: str) -> str:
    """This will print a question over columns that are called c0, c1 ... in it."""
    cells = ", ".join(f"{quoted(name)} AS c{place}" for place, name in enumerate(columns))
    return f"WITH s AS (SELECT {cells} FROM source) {sql}"  # noqa: S608  # quoted names of a policy


def print_distinct(width: int) -> str:
    """This will print the question for every different row."""
    return f"SELECT DISTINCT {_cells(0, width)} FROM s"  # noqa: S608  # numbered columns


def print_groups(dimensions: int) -> str:
    """This will print the question for entities and rows of each group; c0 is the entity."""
    cells = _cells(1, 1 + dimensions)
    return f"SELECT {cells}, count(DISTINCT c0), count(c0) FROM s GROUP BY {cells}"  # noqa: S608  # numbered columns


def print_total() -> str:
    """This will print the question for all entities of the table."""
    return "SELECT count(DISTINCT c0) FROM s"


def _cells(start: int, end: int) -> str:
    return ", ".join(f"c{place}" for place in range(start, end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One cell of the table as it is, before release."""

    values: tuple[str, ...]
    entities: int
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedGroup:
    """One line of the answer; `None` stands where several values were merged."""

    values: tuple[str | None, ...]
    entities: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What may be known: the groups, whether any were withheld, and how many entities at least.

    `withheld_entities` is rounded down to multiples of the threshold; None where nothing is said.
    """

    groups: tuple[ReleasedGroup, ...]
    has_withheld: bool
    withheld_entities: int | None
    threshold: int
    rounding: int

    def to_plain(self) -> dict[str, Any]:
        """This will give the answer as plain data, as it is kept and sent."""
        return {
            "groups": [{"values": [*one.values], "entities": one.entities} for one in self.groups],
            "has_withheld": self.has_withheld,
            "withheld_entities": self.withheld_entities,
            "threshold": self.threshold,
            "rounding": self.rounding,
            "rule": RULE,
        }


def merge_equal(groups: Iterable[Group]) -> tuple[Group, ...]:
    """This will add up groups whose values became equal by normalisation."""
    counts: dict[tuple[str, ...], tuple[int, int]] = {}
    for one in groups:
        entities, rows = counts.get(one.values, (0, 0))
        counts[one.values] = (entities + one.entities, rows + one.rows)
    return tuple(
        Group(values=values, entities=entities, rows=rows)
        for values, (entities, rows) in sorted(counts.items())
    )


def release(policy: CountPolicy, groups: Sequence[Group], *, entities: int) -> Released:
    """This will decide what of a table may be known. Raises EntityRepeated.

    `entities` is the number of all different entities of the table.
    """
    if sum(one.entities for one in groups) != entities:
        raise EntityRepeated(entity=policy.entity)
    kept: dict[Cell, int] = {one.values: one.entities for one in groups if one.entities}
    along = policy.dimensions.index(policy.merged)
    small = [values for values, count in kept.items() if count < policy.threshold]
    withheld, merged = withhold(
        kept,
        small,
        along=along,
        is_safe=lambda cells: sum(kept[one] for one in cells) >= policy.threshold,
    )
    shown = [
        ReleasedGroup(values=values, entities=count // policy.rounding * policy.rounding)
        for values, count in kept.items()
        if values not in withheld
    ]
    for line, cells in merged.items():
        told = [*line[:along], None, *line[along:]]
        count = sum(kept[one] for one in cells)
        shown.append(ReleasedGroup(values=tuple(told), entities=_floor(count, policy.threshold)))
    pool = withheld.difference(*merged.values())
    hidden = sum(kept[values] for values in pool)
    return Released(
        groups=tuple(sorted(shown, key=lambda one: order(one.values))),
        has_withheld=bool(pool),
        withheld_entities=_floor(hidden, policy.threshold) if hidden >= policy.threshold else None,
        threshold=policy.threshold,
        rounding=policy.rounding,
    )


def _floor(count: int, step: int) -> int:
    return count // step * step
