# SPDX-License-Identifier: Apache-2.0
"""Which functions of the engine a query may name: a reviewed list for one version of the engine.

An engine of another version may do other things under the same names, so a name that its catalog
has and the list has not is refused until somebody reviewed it; `find_unreviewed` says which.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from lingqu.kernel import errors
from lingqu.runtime import engine


class FunctionRefused(errors.Rejected):
    """The query names a function that governed queries do not have; `reason` says why not."""

    code = "gate.query.function"


class FunctionUnreviewed(errors.Rejected):
    """The query names a function that nobody has reviewed for this engine."""

    code = "gate.query.function_unreviewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The reviewed list: the engine's version, and each name with what it becomes or why not."""

    version: str
    allowed: dict[str, str]
    rejected: dict[str, str]


@cache
def get_review() -> Review:
    """This will give the reviewed list of functions."""
    text = resources.files("lingqu.gate.syntax").joinpath("functions.toml").read_text("utf-8")
    found = tomllib.loads(text)
    return Review(
        version=found["version"],
        allowed=_by_name(found["allowed"]),
        rejected=_by_name(found["rejected"]),
    )


def _by_name(reasons: dict[str, list[str]]) -> dict[str, str]:
    return {name.lower(): reason for reason, names in reasons.items() for name in names}


def check_functions(names: Iterable[str]) -> None:
    """This will refuse functions that are not allowed. Raises FunctionRefused, -Unreviewed."""
    review = get_review()
    for written in names:
        name = written.lower()
        if name in review.rejected:
            raise FunctionRefused(function=name[:40], reason=review.rejected[name])
        if name not in review.allowed:
            raise FunctionUnreviewed(function=name[:40])


def find_unreviewed() -> tuple[str, ...]:
    """This will name what the engine's catalog has and the list has not, or has twice."""
    review = get_review()
    names = {one.name.lower() for one in engine.functions()}
    known = {*review.allowed, *review.rejected}
    twice = review.allowed.keys() & review.rejected.keys()
    return tuple(sorted((names - known) | twice))
