# SPDX-License-Identifier: Apache-2.0
"""What the setting of a fee leaves behind: its row, its facts, and every way it can refuse."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from lingqu import trust
from lingqu.kernel import canon, errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_plain
from lingqu.market.fees import FeeSchedule, read_fees
from lingqu.trust import procedures


class PriceId(Id):
    """The id of one setting of a fee, from the application on."""

    prefix = "ppl"


class PriceBasis(enum.Enum):
    """What a fee rests on."""

    TRIAL = "trial"
    """试行收费标准, in the first year."""
    FORMAL = "formal"
    """Maximum permitted revenue, ceiling, fee."""


class PriceState(enum.Enum):
    """Where the setting of a fee stands."""

    APPLIED = "applied"
    PERMITTED = "permitted"
    """The maximum permitted revenue is fixed."""
    CAPPED = "capped"
    """The ceiling is set."""
    PUBLISHED = "published"
    REPLACED = "replaced"
    REFUSED = "refused"


class PriceNotFound(errors.NotFound):
    """There is no such fee, or the caller may not know of it."""

    code = "market.price.not_found"


class PriceMissing(errors.Conflict):
    """The product has no published fee."""

    code = "market.price.missing"
    article = "《中华人民共和国价格法》第十三条"


class PriceTaken(errors.Conflict):
    """A fee of this product is being set already, or the product is another seller's."""

    code = "market.price.taken"


class BadPrice(errors.Rejected):
    """A part of the application is empty, out of range, or differs from what was stated before."""

    code = "market.price.bad"


class TrialOver(errors.Conflict):
    """The product has operated for a full year: a trial fee no longer covers it."""

    code = "market.price.trial_over"


class YearNotFull(errors.Conflict):
    """The product has not operated for a full year: its fee is a trial fee."""

    code = "market.price.year_not_full"


class PriceOutdated(errors.Conflict):
    """The last evaluation of the fee is longer ago than the longest cycle."""

    code = "market.price.outdated"


class CeilingAbovePermitted(errors.Rejected):
    """At this ceiling the planned calls would bring more than the maximum permitted revenue."""

    code = "market.price.ceiling_above_permitted"


class AboveCeiling(errors.Rejected):
    """The fee is higher than its ceiling."""

    code = "market.price.above_ceiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class CostFile:
    """The operating cost of a year in fen by its elements (price.cost_elements), less subsidies."""

    platform: int
    processing: int
    people: int
    acquisition: int
    period: int
    subsidies: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingStep:
    """One step of the computation: the rule, its article, what went in and what came out."""

    rule: str
    article: str
    inputs: Mapping[str, int]
    result: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The fee of a product. `costs`, `fees` and `working` are canonical JSON; amounts in fen.

    `permitted` is the maximum permitted revenue of a year, `ceiling` the most one call may cost.
    """

    id: PriceId
    product: str
    seller: trust.PartyId
    authorizer: trust.PartyId
    authority: trust.PartyId | None
    basis: PriceBasis
    operating_since: date
    costs: str | None
    planned_calls: int | None
    permitted: int | None
    ceiling: int | None
    fees: str | None
    working: str
    state: PriceState
    procedure: procedures.ProcedureId
    published_at: Instant | None = None
    ended_at: Instant | None = None
    version: int = 1

    @property
    def schedule(self) -> FeeSchedule | None:
        """The fee, where one was stated."""
        return None if self.fees is None else read_fees(self.fees)

    @property
    def cost_file(self) -> CostFile | None:
        """The costs it was applied for with."""
        return (
            None if self.costs is None else from_plain(CostFile, canon.decode(self.costs.encode()))
        )

    @property
    def steps(self) -> tuple[WorkingStep, ...]:
        """How it was computed, in the order of the steps."""
        found = canon.decode(self.working.encode())
        return tuple(from_plain(WorkingStep, one) for one in found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceReview:
    """A year's income beside what was permitted; amounts in fen.

    `adjusts` says what is adjusted: `actual_fees` by the operator, or `ceilings` by the authorizing
    body. `excess` is taken off the next cycle's permitted revenue.
    """

    actual: int
    permitted: int
    deviation_bp: int
    adjusts: str
    excess: int
    articles: tuple[str, ...]


PRICES = trust.Table("market.price", Price, not_found=PriceNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceApplied(trust.Fact):
    """Somebody asked for a fee of a product."""

    kind = "market.price.applied"
    price: PriceId
    product: str
    seller: trust.PartyId
    basis: PriceBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceMoved(trust.Fact):
    """The setting of a fee took a step; amounts in fen, `highest` is the most a call costs."""

    kind = "market.price.moved"
    price: PriceId
    product: str
    state: PriceState
    permitted: int | None
    ceiling: int | None
    highest: int | None
