# SPDX-License-Identifier: Apache-2.0
"""The pages of rights, operation, market, settlement, gate and supervision, as one list of routes.

Each topic keeps its pages and its acts; the application mounts them together.
"""

from __future__ import annotations

from typing import Any

from lingqu.ui import acts
from lingqu.ui.pages import (
    admission,
    cases,
    contract_acts,
    editions,
    grant_acts,
    offers,
    operation,
    operation_acts,
    papers,
    pricing,
    product_acts,
    products,
    registry_acts,
    reports,
    settling,
    settling_acts,
    venue,
)

ACTS = (
    *operation_acts.ACTS, *grant_acts.ACTS, *registry_acts.ACTS, *product_acts.ACTS,
    *pricing.ACTS, *offers.ACTS, *venue.ACTS, *admission.ACTS, *contract_acts.ACTS,
    *settling_acts.ACTS, *cases.ACTS, *reports.ACTS, *papers.ACTS,
)  # fmt: skip
"""Every act that is a page of its own."""
HANDLERS: tuple[Any, ...] = (
    *operation.HANDLERS, registry_acts.own_list, *products.HANDLERS, *pricing.HANDLERS,
    *offers.HANDLERS, *venue.HANDLERS, *admission.HANDLERS, *editions.HANDLERS,
    *settling.HANDLERS, *cases.HANDLERS, *reports.HANDLERS,
    *papers.HANDLERS, *acts.handlers(*ACTS),
)  # fmt: skip
UPLOAD_PATHS = acts.upload_paths(*ACTS)
