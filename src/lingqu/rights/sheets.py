# SPDX-License-Identifier: Apache-2.0
"""A document ready to be rendered: the name of its template, and the data for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What `runtime.documents.render` needs to write one document."""

    template: str
    data: Mapping[str, object]
