# SPDX-License-Identifier: Apache-2.0
"""A library that is loaded when it is first used: a part of a second that most runs never need."""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    """A module that is imported when something of it is first asked for."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """Import nothing yet."""
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)
