# SPDX-License-Identifier: Apache-2.0
"""Version 1 of the API: one file for each word of the domain, all of them listed here."""

from __future__ import annotations

from litestar import Router

from lingqu.api.routes import commands_of, questions_of
from lingqu.api.v1 import (
    collection,
    divisions,
    findings,
    gate,
    gate_consents,
    gate_lists,
    holds,
    identity,
    interop,
    ledger,
    market,
    opening,
    operation,
    papers,
    policies,
    procedures,
    registry,
    rights,
    settlement,
    supervision,
    supply,
    trust,
)

_WORDS = (
    trust,
    identity,
    holds,
    procedures,
    ledger,
    supply,
    collection,
    findings,
    opening,
    rights,
    operation,
    registry,
    papers,
    market,
    settlement,
    gate,
    gate_consents,
    gate_lists,
    supervision,
    interop,
    divisions,
    policies,
)

WITHOUT_ROUTE = trust.WITHOUT_ROUTE
"""Commands that no route can do, and why."""
UPLOAD_PATHS = (
    *collection.UPLOAD_PATHS,
    settlement.UPLOAD_PATH,
    papers.UPLOAD_PATH,
    *gate_lists.UPLOAD_PATHS,
)
"""Where longer bodies are taken than elsewhere."""


def routers() -> tuple[Router, ...]:
    """This will give all routes."""
    return tuple(router for word in _WORDS for router in word.routers())


COMMAND_ROUTES = commands_of(routers())
"""Every command that is not internal, with its route."""
READING_ROUTES = questions_of(routers())
"""Every POST that is a read: its question is a document, so it is no command."""
