# SPDX-License-Identifier: Apache-2.0
"""收费标准 prices: trial fee, maximum permitted revenue, ceiling and fee of a product.

Each step is taken by who answers for it and keeps its working; what is published is public. Start
in `records`, then `setting`.
"""

from lingqu.market.prices.records import (
    AboveCeiling,
    BadPrice,
    CeilingAbovePermitted,
    CostFile,
    Price,
    PriceBasis,
    PriceId,
    PriceMissing,
    PriceNotFound,
    PriceOutdated,
    PriceReview,
    PriceState,
    PriceTaken,
    TrialOver,
    WorkingStep,
    YearNotFull,
)
from lingqu.market.prices.setting import (
    agree_trial_price,
    apply_formal_price,
    apply_trial_price,
    find_price,
    find_prices,
    get_price,
    look_through_prices,
    permit_revenue,
    publish_price,
    refuse_price,
    require_price,
    review_income,
    set_ceiling,
)

__all__ = (
    "AboveCeiling",
    "BadPrice",
    "CeilingAbovePermitted",
    "CostFile",
    "Price",
    "PriceBasis",
    "PriceId",
    "PriceMissing",
    "PriceNotFound",
    "PriceOutdated",
    "PriceReview",
    "PriceState",
    "PriceTaken",
    "TrialOver",
    "WorkingStep",
    "YearNotFull",
    "agree_trial_price",
    "apply_formal_price",
    "apply_trial_price",
    "find_price",
    "find_prices",
    "get_price",
    "look_through_prices",
    "permit_revenue",
    "publish_price",
    "refuse_price",
    "require_price",
    "review_income",
    "set_ceiling",
)
