# SPDX-License-Identifier: Apache-2.0
"""The platform over HTTP for machines, and the door that every request of the server goes through.

`Api` is one ASGI part: `/api/v1/...`, the public log under `/log`, health and metrics. `Door` puts
parts behind what holds for all of them: correlation, headers, limits, identity, CSRF. Start
reading in `door`, then `app`, `writes`, `v1`.
"""

from lingqu.api.app import Api
from lingqu.api.door import Door, Part, Route
from lingqu.api.limits import Limiter
from lingqu.api.v1 import holds, ledger, rights
from lingqu.api.v1.trust import COMMAND_ROUTES as TRUST_ROUTES
from lingqu.api.v1.trust import WITHOUT_ROUTE

COMMAND_ROUTES = {
    **TRUST_ROUTES,
    **holds.COMMAND_ROUTES,
    **ledger.COMMAND_ROUTES,
    **rights.COMMAND_ROUTES,
}
"""Every command that is not internal, with its route."""

__all__ = ("COMMAND_ROUTES", "WITHOUT_ROUTE", "Api", "Door", "Limiter", "Part", "Route")
