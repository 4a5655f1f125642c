# SPDX-License-Identifier: Apache-2.0
"""What each rule says of a text under a policy, and whether a policy decides cases as expected."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu.gate.governance import Mode, QueryPolicy
from lingqu.gate.sql.reading import read
from lingqu.gate.sql.uses import USES, Asked
from lingqu.kernel import errors
from lingqu.kernel.values import from_plain

ANSWERED = "answered"
"""What a case expects of a question that is answered; else the code of its refusal."""
CASES_MOST = 10_000


class BadCases(errors.Rejected):
    """The cases are not a list of questions, each with its mode and the decision expected."""

    code = "gate.query.bad_cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A question and the decision it must get: `answered`, or the code of a refusal."""

    query: str
    expected: str
    mode: Mode = Mode.AD_HOC


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of a case."""

    case: Case
    told: str

    @property
    def is_right(self) -> bool:
        """Whether it was decided as expected."""
        return self.told == self.case.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one rule says of a query: nothing, or its refusal."""

    rule: str
    refusal: errors.LingquError | None = None


def consider_query(text: str, policy: QueryPolicy, mode: Mode) -> tuple[Said, ...]:
    """This will say what every rule says of a text; one that cannot be read meets no other rule."""
    try:
        query = read(text, policy)
    except errors.LingquError as refusal:
        return (Said(rule="is_understood", refusal=refusal),)
    asked = Asked(query=query, policy=policy, mode=mode)
    return (
        Said(rule="is_understood"),
        *(Said(rule=use.__name__, refusal=use(asked)) for use in USES),
    )


def read_cases(plain: object) -> tuple[Case, ...]:
    """This will read cases somebody wrote as plain data. Raises BadCases."""
    if not isinstance(plain, list) or not 0 < len(plain) <= CASES_MOST:
        raise BadCases(place=0)
    found = []
    for place, one in enumerate(plain):
        try:
            found.append(from_plain(Case, {"mode": Mode.AD_HOC.value, **one}))
        except (errors.LingquError, TypeError, ValueError):
            raise BadCases(place=place + 1) from None
    return tuple(found)


def try_policy(policy: QueryPolicy, cases: tuple[Case, ...]) -> tuple[Tried, ...]:
    """This will decide each case by a policy alone, without data, grant or quota."""
    return tuple(Tried(case=case, told=_told(policy, case)) for case in cases)


def _told(policy: QueryPolicy, case: Case) -> str:
    for said in consider_query(case.query, policy, case.mode):
        if said.refusal is not None:
            return said.refusal.code
    return ANSWERED
