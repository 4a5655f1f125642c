# SPDX-License-Identifier: Apache-2.0
"""裁决: may this call be answered? Pure rules over a request and its context, default deny.

Each rule looks at the request, the effective grant, the product's policy and the log of what was
asked before, never at the data, so that a refusal tells nothing about it. The first rule that
refuses decides; `explain` shows what every rule says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lingqu import rights
from lingqu.gate.governance import QueryPolicy
from lingqu.gate.policies import OpenFilePolicy, Policy
from lingqu.gate.predicates import VerificationPolicy
from lingqu.gate.products import ACTIONS, ENVIRONMENT, Product, ProductWithdrawn, fields_of
from lingqu.gate.requests import SUBJECTS_MOST, CallRequest
from lingqu.kernel import errors

USAGE_CONTROL = "《广西加快数据要素市场化改革实施方案》任务7"
"""探索建立数据用途和用量控制制度，实现数据使用“可控可计量”."""

CONSENT = "《中华人民共和国个人信息保护法》第二十三条"
"""个人信息处理者向其他个人信息处理者提供其处理的个人信息的，应当……取得个人的单独同意."""


class NotPublished(errors.Conflict):
    """The product has no published snapshot yet."""

    code = "gate.product.not_published"


class ProductHeld(errors.Conflict):
    """The product is held; it answers again when the hold is lifted."""

    code = "gate.product.held"


class NotHolder(errors.Forbidden):
    """Calls are made by those who act for the holder of the grant."""

    code = "gate.call.not_holder"
    article = USAGE_CONTROL


class OtherProduct(errors.Forbidden):
    """The grant is for another product."""

    code = "gate.call.other_product"
    article = USAGE_CONTROL


class PurposeUnknown(errors.Rejected):
    """A call declares its purpose by a code of the vocabulary."""

    code = "gate.call.purpose_unknown"
    article = USAGE_CONTROL


class WrongPurpose(errors.Forbidden):
    """The declared purpose is not one the grant was given for."""

    code = "gate.call.wrong_purpose"
    article = USAGE_CONTROL


class BadSubjects(errors.Rejected):
    """A call names 1 to 10,000 subjects, each with a key and a value of the declared shape."""

    code = "gate.call.bad_subjects"


class NotCalled(errors.Rejected):
    """An open file is fetched by anybody, not called."""

    code = "gate.call.open_file"


class QueryMissing(errors.Rejected):
    """A query product is asked by the text of a query, and no other product is."""

    code = "gate.call.query_missing"


class PredicateUnknown(errors.Rejected):
    """The product has no such predicate."""

    code = "gate.call.predicate_unknown"


class Enumerating(errors.Forbidden):
    """More different values were asked about one subject than the policy allows."""

    code = "gate.call.enumeration"
    article = USAGE_CONTROL


class TooManySubjects(errors.Forbidden):
    """The caller asked about as many different subjects as the policy allows in that time."""

    code = "gate.call.too_many_subjects"
    article = USAGE_CONTROL


class NoConsent(errors.Forbidden):
    """A person who is asked about did not agree to it, or withdrew."""

    code = "gate.call.no_consent"
    article = CONSENT


class OverQuota(errors.Conflict):
    """The grant has fewer calls left than the request names subjects; nothing was answered."""

    code = "gate.call.over_quota"
    article = USAGE_CONTROL


class CallIdUsed(errors.Conflict):
    """This call id was used under the grant before, for another request or too long ago."""

    code = "gate.call.id_used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a call is decided on. `verdict` is what the effective grant says of the use.

    `known_purpose` says whether the purpose is a code of the vocabulary, `of_product` whether the
    grant stands below the product's, `held` the hold on the product if any, `bad_row` the first
    subject that is not as declared, `excess` how many of the subjects would be asked more different
    questions than allowed, `beyond` how many more subjects than the caller may ask about,
    `without_consent` how many persons did not agree, `left` the units left, `asked` what refuses
    the query itself.
    """

    request: CallRequest
    product: Product
    policy: Policy
    published: bool
    may_call: bool
    of_product: bool
    known_purpose: bool
    verdict: rights.Verdict
    held: rights.Verdict | None = None
    bad_row: int = 0
    excess: int = 0
    beyond: int = 0
    without_consent: int = 0
    left: int | None = None
    is_used: bool = False
    asked: errors.LingquError | None = None
    about: tuple[Considered, ...] = ()


Rule = Callable[[Context], errors.LingquError | None]


def is_offered(context: Context) -> errors.LingquError | None:
    """The product is offered and has something to answer from."""
    if context.product.withdrawn_at is not None:
        return ProductWithdrawn(product=context.product.id)
    if not context.published:
        return NotPublished(product=context.product.id)
    return None


def is_caller(context: Context) -> errors.LingquError | None:
    """Whoever calls acts for the holder of the grant."""
    return None if context.may_call else NotHolder(grant=context.request.grant)


def is_for_product(context: Context) -> errors.LingquError | None:
    """The grant stands below the grant of the product."""
    if context.of_product:
        return None
    return OtherProduct(grant=context.request.grant, product=context.product.id)


def is_alive(context: Context) -> errors.LingquError | None:
    """The grant and everything above it is alive: not revoked, expired, held, or to come."""
    verdict = context.verdict
    if verdict.permitted or verdict.part is not None:
        return None
    refusal = rights.refusal_of(context.request.grant, verdict)
    return refusal if refusal.article is not None else refusal.grounded_in(USAGE_CONTROL)


def is_free(context: Context) -> errors.LingquError | None:
    """The product itself is not held."""
    if context.held is None:
        return None
    return ProductHeld(product=context.product.id).grounded_in(context.held.article)


def has_purpose(context: Context) -> errors.LingquError | None:
    """The declared purpose is a known one, and one the grant was given for."""
    request = context.request
    if not context.known_purpose:
        return PurposeUnknown(purpose=request.purpose[:40])
    if context.verdict.part == "purposes":
        refusal = WrongPurpose(grant=request.grant, purpose=request.purpose)
        return refusal.grounded_in(context.verdict.article)
    return None


def is_inside(context: Context) -> errors.LingquError | None:
    """Action, territory, environment, columns, recipient and level lie inside the terms."""
    verdict = context.verdict
    if verdict.part is None or verdict.part == "purposes":
        return None
    return rights.refusal_of(context.request.grant, verdict)


def is_well_formed(context: Context) -> errors.LingquError | None:
    """The request names subjects as the policy declares them."""
    request, policy = context.request, context.policy
    if isinstance(policy, OpenFilePolicy):
        return NotCalled(product=request.product)
    if isinstance(policy, QueryPolicy) is not bool(request.query):
        return QueryMissing(product=request.product)
    if not isinstance(policy, VerificationPolicy):
        return BadSubjects(row=1) if request.subjects else None
    if policy.question(request.predicate) is None:
        return PredicateUnknown(predicate=request.predicate[:40])
    if not 0 < len(request.subjects) <= SUBJECTS_MOST:
        return BadSubjects(row=0)
    return BadSubjects(row=context.bad_row) if context.bad_row else None


def is_new(context: Context) -> errors.LingquError | None:
    """The call id was not used before under this grant."""
    return CallIdUsed(call=context.request.call) if context.is_used else None


def is_answerable(context: Context) -> errors.LingquError | None:
    """The query can be answered in its mode, by its policy and what was told and spent before."""
    return context.asked


def is_no_enumeration(context: Context) -> errors.LingquError | None:
    """No subject is asked about more different values than the policy allows."""
    policy = context.policy
    if not context.excess or not isinstance(policy, VerificationPolicy):
        return None
    assert policy.enumeration is not None, "an excess needs a limit"
    return Enumerating(
        subjects=context.excess, values=policy.enumeration.values, days=policy.enumeration.days
    )


def is_within_reach(context: Context) -> errors.LingquError | None:
    """The caller asks about no more different subjects than the policy allows."""
    policy = context.policy
    if not context.beyond or not isinstance(policy, VerificationPolicy):
        return None
    assert policy.enumeration is not None, "what lies beyond needs a limit"
    return TooManySubjects(
        subjects=policy.enumeration.subjects or 0,
        days=policy.enumeration.days,
        beyond=context.beyond,
    )


def has_consent(context: Context) -> errors.LingquError | None:
    """Each person who is asked about agreed to it, for this caller and purpose."""
    return NoConsent(subjects=context.without_consent) if context.without_consent else None


def has_quota(context: Context) -> errors.LingquError | None:
    """The grant has a unit left for every subject: all of them or none."""
    wanted = units_of(context.request)
    if context.left is None or wanted <= context.left:
        return None
    return OverQuota(grant=context.request.grant, wanted=wanted, left=context.left)


STANDING: tuple[Rule, ...] = (
    is_offered, is_caller, is_for_product, is_alive, is_free, has_purpose, is_inside,
)  # fmt: skip
"""Rules that say the same of every call of a caller, until its right or the product changes."""
FIRST: tuple[Rule, ...] = (*STANDING, is_well_formed, is_new)
"""Rules that need nothing but the request and its right."""
LAST: tuple[Rule, ...] = (
    is_answerable, has_consent, is_no_enumeration, is_within_reach, has_quota,
)  # fmt: skip
"""Rules that need the query itself, the consents, the log of what was asked, and the quota."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """What one rule says of a call; `code` and `article` where it refuses."""

    rule: str
    passed: bool
    code: str | None = None
    article: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A decision with every rule that was considered, and the versions of rules it rests on."""

    allowed: bool
    code: str | None
    article: str | None
    units: int
    edition: int
    rules: str
    considered: tuple[Considered, ...]


def considered_as(rule: str, refusal: errors.LingquError | None) -> Considered:
    """This will write down what a rule says: a refusal, or none."""
    return Considered(
        rule=rule,
        passed=refusal is None,
        code=None if refusal is None else refusal.code,
        article=None if refusal is None else refusal.article,
    )


def decide(
    context: Context, rules: tuple[Rule, ...] = (*FIRST, *LAST)
) -> errors.LingquError | None:
    """This will give the first refusal, None where every rule lets the call pass."""
    for rule in rules:
        refusal = rule(context)
        if refusal is not None:
            return refusal
    return None


def explain(context: Context, *, rules: str) -> Explained:
    """This will show what each rule says of a call; `rules` names the rulebook's version."""
    considered: list[Considered] = []
    first = None
    for rule in (*FIRST, *LAST):
        refusal = rule(context)
        first = first or refusal
        if rule is is_answerable:
            considered += context.about
        considered.append(considered_as(rule.__name__, refusal))
    return Explained(
        allowed=first is None,
        code=None if first is None else first.code,
        article=None if first is None else first.article,
        units=units_of(context.request),
        edition=context.product.edition,
        rules=rules,
        considered=tuple(considered),
    )


def units_of(request: CallRequest) -> int:
    """This will give how many units a request uses: one a subject, one for a count."""
    return max(1, len(request.subjects))


def use_of(request: CallRequest, product: Product, policy: Policy, holder: str) -> rights.Use:
    """This will say what a request does, in the words of the terms of grants."""
    return rights.Use(
        purpose=request.purpose,
        action=ACTIONS[product.form],
        territory=request.territory or product.territory,
        environment=ENVIRONMENT,
        recipient=holder,
        fields=fields_of(policy),
        level=product.level,
    )
