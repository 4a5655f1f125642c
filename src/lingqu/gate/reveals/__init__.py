# SPDX-License-Identifier: Apache-2.0
"""可知范围 what can be learnt: of each dataset, from all products over it, alone and together.

It is computed from the policies of every product that is offered over the same resource, the living
grants below them, what was told so far, and the budgets: whatever several buyers could put
together. It looks at no row.
"""

from lingqu.gate.reveals.finding import (
    ColumnTold,
    DatasetTold,
    Live,
    ProductTold,
    Revealed,
    Way,
    reveal_product,
)
from lingqu.gate.reveals.telling import explain_reveal

__all__ = (
    "ColumnTold",
    "DatasetTold",
    "Live",
    "ProductTold",
    "Revealed",
    "Way",
    "explain_reveal",
    "reveal_product",
)
