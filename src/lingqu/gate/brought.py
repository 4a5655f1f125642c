# SPDX-License-Identifier: Apache-2.0
"""Between the desk and those who work on queries: how a call stands, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lingqu.gate.products import SnapshotId
from lingqu.gate.shelf import Ready, Stand
from lingqu.kernel import errors


class Overtaken(errors.Conflict):
    """The product was published anew while the query ran; asking again is safe."""

    code = "gate.query.overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What came of a query before it is metered: an answer of a snapshot, or what refused it.

    `recalled` is the version of the product where that was known from memory alone.
    """

    snapshot: SnapshotId | None
    recalled: int | None = None
    released: dict[str, Any] | None = None
    refusal: errors.LingquError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """How a call stands before anything is done for it.

    `settled` says that it needs nothing: it is a repeat, or refused, or no query.
    """

    ready: Ready | None
    stand: Stand | None
    settled: bool
