# SPDX-License-Identifier: Apache-2.0
"""The platform over HTTP for machines, and the door that every request of the server goes through.

`Api` is one ASGI part: `/api/v1/...`, the public log under `/log`, health and metrics. `Door` puts
parts behind what holds for all of them: correlation, headers, limits, identity, CSRF. Start
reading in `door`, then `app`, `writes`, `v1`.
"""

from lingqu.api.app import Api, describe
from lingqu.api.door import Door, Part, Route
from lingqu.api.hot import Hot
from lingqu.api.limits import Limiter
from lingqu.api.v1 import COMMAND_ROUTES, READING_ROUTES, UPLOAD_PATHS, WITHOUT_ROUTE

__all__ = (
    "COMMAND_ROUTES",
    "READING_ROUTES",
    "UPLOAD_PATHS",
    "WITHOUT_ROUTE",
    "Api",
    "Door",
    "Hot",
    "Limiter",
    "Part",
    "Route",
    "describe",
)
