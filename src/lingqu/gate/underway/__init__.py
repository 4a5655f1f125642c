# SPDX-License-Identifier: Apache-2.0
"""办理中 queries under way: begun and left to run, watched, stopped, and fetched when over."""

from lingqu.gate.underway.begun import (
    Progress,
    QueryNotHere,
    QueryNotOver,
    Stage,
    Standing,
    Underway,
)

__all__ = ("Progress", "QueryNotHere", "QueryNotOver", "Stage", "Standing", "Underway")
