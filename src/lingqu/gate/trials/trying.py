# SPDX-License-Identifier: Apache-2.0
"""Cases and what becomes of them: statements under a query policy, calls under a verification."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, fields

from lingqu import rights, trust
from lingqu.gate import sql
from lingqu.gate.decisions import (
    Context,
    decide,
    has_consent,
    is_no_enumeration,
    is_well_formed,
    is_within_reach,
)
from lingqu.gate.governance import QueryPolicy
from lingqu.gate.policies import Form, Policy, check_policy
from lingqu.gate.predicates import Asked, BadPolicy, Subject, VerificationPolicy
from lingqu.gate.products import CALL, TERRITORY, Product, ProductId
from lingqu.gate.requests import CallId, CallRequest
from lingqu.gate.sql import BadCases
from lingqu.kernel import errors
from lingqu.kernel.time import Instant, parse_instant
from lingqu.kernel.values import from_plain

CASES_MOST = 10_000
_RULES = (is_well_formed, has_consent, is_no_enumeration, is_within_reach)
"""The rules a verification policy decides by alone; the others need a grant or data."""
_NO_DAY: Instant = parse_instant("2000-01-01T00:00:00.000000Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call to a verification and what must become of it: `answered`, or the code of a refusal.

    `consented` says that each person agreed, `asked_before` how many different questions the
    caller asked about each subject, `subjects_before` about how many subjects it asked.
    """

    subjects: tuple[Subject, ...]
    expected: str
    predicate: str = ""
    consented: bool = True
    asked_before: int = 0
    subjects_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A case in words, the mode where it has one, the decision it must get and the one it got."""

    case: str
    mode: str
    expected: str
    told: str

    @property
    def is_right(self) -> bool:
        """Whether it was decided as expected."""
        return self.told == self.expected


def find_form(plain: object) -> Form:
    """This will say which form of policy cases can be tried on is written. Raises BadPolicy."""
    if isinstance(plain, dict):
        for form, kind in ((Form.QUERY, QueryPolicy), (Form.VERIFICATION, VerificationPolicy)):
            if fields(kind)[0].name in plain:
                return form
    raise BadPolicy(part="form")


def try_policy(policy: Policy, cases: object) -> tuple[Trial, ...]:
    """This will decide cases somebody wrote as plain data by a policy alone.

    Raises BadPolicy, BadCases.
    """
    if isinstance(policy, QueryPolicy):
        check_policy(Form.QUERY, policy)
        return tuple(
            Trial(
                case=one.case.query,
                mode=one.case.mode.value,
                expected=one.case.expected,
                told=one.told,
            )
            for one in sql.try_policy(policy, sql.read_cases(cases))
        )
    if not isinstance(policy, VerificationPolicy):
        raise BadPolicy(part="form")
    check_policy(Form.VERIFICATION, policy)
    return tuple(_tried(policy, one) for one in _read_calls(cases))


def _read_calls(plain: object) -> tuple[Call, ...]:
    if not isinstance(plain, list) or not 0 < len(plain) <= CASES_MOST:
        raise BadCases(place=0)
    found = []
    for place, one in enumerate(plain, 1):
        try:
            found.append(from_plain(Call, one))
        except (errors.LingquError, TypeError, ValueError):
            raise BadCases(place=place) from None
    return tuple(found)


def _tried(policy: VerificationPolicy, call: Call) -> Trial:
    asked: list[Asked] = []
    bad_row = 0
    question = policy.question(call.predicate)
    if question is not None:
        asked, bad_row = question.read(policy.subject, call.subjects)
    refusal = decide(_context(policy, call, asked, bad_row), _RULES)
    return Trial(
        case=f"{call.predicate or policy.predicates[0].name}: "
        + ", ".join(one.key + (f"={one.value}" if one.value else "") for one in call.subjects),
        mode="",
        expected=call.expected,
        told=sql.ANSWERED if refusal is None else refusal.code,
    )


def _context(policy: VerificationPolicy, call: Call, asked: list[Asked], bad_row: int) -> Context:
    """What the policy's own rules look at; of grant and product, nothing is asked."""
    limit, excess, beyond = policy.enumeration, 0, 0
    if limit is not None:
        questions = Counter(key for key, _ in set(asked))
        excess = sum(call.asked_before + new > limit.values for new in questions.values())
        if limit.subjects is not None:
            beyond = max(0, call.subjects_before + len(questions) - limit.subjects)
    product, grant = _stand_in(), rights.GrantId.of(_NOBODY)
    return Context(
        request=CallRequest(
            call=CallId.of(_NOBODY),
            grant=grant,
            product=product.id,
            purpose="",
            subjects=call.subjects,
            predicate=call.predicate,
        ),
        product=product,
        policy=policy,
        published=True,
        may_call=True,
        of_product=True,
        known_purpose=True,
        verdict=rights.Verdict(permitted=True),
        bad_row=bad_row,
        excess=excess,
        beyond=beyond,
        without_consent=len(asked) if policy.personal and not call.consented else 0,
    )


_NOBODY = uuid.UUID(int=0)


def _stand_in() -> Product:
    """A product that is nobody's, for rules that read only its policy."""
    return Product(
        id=ProductId.of(_NOBODY),
        grant_id=rights.GrantId.of(_NOBODY),
        owner=trust.PartyId.of(_NOBODY),
        form=Form.VERIFICATION,
        title="",
        summary="",
        territory=TERRITORY,
        currency=CALL,
        level=1,
        policy="",
        edition=1,
        snapshot=None,
        defined_at=_NO_DAY,
    )
