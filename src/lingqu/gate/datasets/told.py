# SPDX-License-Identifier: Apache-2.0
"""What may be known of a question: lines in their one order, in whatever mode it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from lingqu.gate.suppression import Cell

Number: TypeAlias = int | None
"""A base aggregate in units; None where nothing was added up (of MIN and MAX only)."""


class ToldLine(NamedTuple):
    """One group as it may be known; `merged` names the groups it holds where it is several."""

    key: Cell
    numbers: tuple[Number, ...]
    merged: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What may be known: lines in their one order, and that others were withheld.

    `withheld_entities` is rounded down to multiples of the threshold; None where nothing is said.
    """

    lines: tuple[ToldLine, ...]
    has_withheld: bool
    withheld_entities: int | None
