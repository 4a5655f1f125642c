# SPDX-License-Identifier: Apache-2.0
"""Hides how a word of a standard is treated: as a code, as a duty, or refused for a reason."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu.rights.policies import DutyAction


@dataclass(frozen=True, slots=True)
class Treatment:
    """What becomes of a word: `code` where it permits, `duty` where it is owed, else `reason`.

    The code `*` stands for the standard's extension point, which carries our own words.
    """

    code: str | None = None
    duty: DutyAction | None = None
    reason: str | None = None


def mapped(code: str | None, duty: DutyAction | None = None) -> Treatment:
    """This will say that a word has an exact counterpart."""
    return Treatment(code=code, duty=duty)


def refused(reason: str) -> Treatment:
    """This will say that a word has none, and why."""
    return Treatment(reason=reason)
