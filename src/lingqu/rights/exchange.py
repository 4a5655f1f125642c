# SPDX-License-Identifier: Apache-2.0
"""Puts into words what a policy permits and demands; the face of all exchange of policies.

Used as `rights.exchange`: `read_policy` and `write_policy` for a document in either format,
`policy_of` and `issue_by_policy` between a document and a grant with what it owes,
`explain_policy` for its words, and the two mappings themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping

from lingqu.kernel import errors
from lingqu.kernel.lattice import ScopeForm, Tree, Vocabulary
from lingqu.kernel.money import Money
from lingqu.kernel.time import format_instant
from lingqu.rights.formats import PolicyFormat, canonical_bytes, read_policy, write_policy
from lingqu.rights.granted import PartyDiffers, issue_by_policy, policy_of
from lingqu.rights.odrl import from_odrl, to_odrl
from lingqu.rights.owing import obligations_of, policy_duties
from lingqu.rights.policies import (
    BEGINNING,
    BYTES_MAX,
    Duty,
    DutyAction,
    Policy,
    PolicyKind,
)
from lingqu.rights.tc609 import from_tc609, to_tc609
from lingqu.rights.vocabulary import Label, TreeName, built_in_labels
from lingqu.runtime.i18n import Language, catalog, translate

__all__ = (
    "POLICY_BYTES_MAX",
    "Duty",
    "DutyAction",
    "PartyDiffers",
    "Policy",
    "PolicyFormat",
    "PolicyKind",
    "built_in_vocabulary",
    "canonical_bytes",
    "explain_policy",
    "explain_reason",
    "from_odrl",
    "from_tc609",
    "issue_by_policy",
    "obligations_of",
    "policy_duties",
    "policy_of",
    "read_policy",
    "to_odrl",
    "to_tc609",
    "write_policy",
)

POLICY_BYTES_MAX = BYTES_MAX
"""Largest policy document that is read, in bytes."""

_LISTS = {"zh-CN": "、", "en": ", "}
_OWED = {"zh-CN": "；", "en": "; "}


@functools.cache
def built_in_vocabulary() -> Vocabulary:
    """This will give the trees every installation begins with."""
    trees = {
        name.value: Tree(
            name.value, [(one.code, one.parent) for one in built_in_labels() if one.tree is name]
        )
        for name in TreeName
    }
    return Vocabulary(**trees)


def explain_reason(refusal: errors.LingquError, language: Language) -> str | None:
    """This will put the reason of a refused policy into words, where it names one."""
    code = f"rights.policy.reason.{refusal.parameters.get('reason')}"
    return translate(code, language) if code in catalog() else None


def explain_policy(
    policy: Policy, language: Language, labels: Iterable[Label] = ()
) -> tuple[str, ...]:
    """This will say in words what a policy permits and demands; `labels` name registered codes."""
    known = (*built_in_labels(), *labels)
    words = {(one.tree.value, one.code): one.zh if language == "zh-CN" else one.en for one in known}
    return tuple(_lines(policy, words, language))


def _lines(
    policy: Policy, words: Mapping[tuple[str, str], str], language: Language
) -> Iterator[str]:
    def say(code: str, **parameters: errors.Parameter) -> str:
        return translate(f"rights.policy.{code}", language, **parameters)

    nobody = say("nobody")
    yield say(
        f"kind.{policy.kind.value}",
        object=policy.object,
        provider=policy.provider or nobody,
        consumer=policy.consumer or nobody,
    )
    parts = dict(_parts(policy, words, language))
    for name, text in parts.items():
        yield say("part", part=translate(f"rights.part.{name}", language), text=text)
    free = [name for name in _UNLIMITED if name not in parts]
    if free:
        listed = _LISTS[language].join(translate(f"rights.part.{name}", language) for name in free)
        yield say("unlimited", parts=listed)
    yield say("abroad" if policy.terms.cross_border else "inland")
    if policy.quantities:
        listed = _LISTS[language].join(_amount(one) for one in policy.quantities)
        yield say("quantities", quantities=listed)
    for when in ("before", "after", "remedies"):
        duties: tuple[Duty, ...] = getattr(policy, when)
        if duties:
            yield say(when, duties=_OWED[language].join(_duty(one, language) for one in duties))
    if policy.provider_node or policy.consumer_node:
        yield say(
            "nodes",
            provider=policy.provider_node or nobody,
            consumer=policy.consumer_node or nobody,
        )


_UNLIMITED = (
    "actions", "purposes", "territories", "environments", "fields", "recipients", "level_max",
    "valid",
)  # fmt: skip


def _parts(
    policy: Policy, words: Mapping[tuple[str, str], str], language: Language
) -> Iterator[tuple[str, str]]:
    form = policy.terms.form()
    joined = _LISTS[language].join
    for name in _UNLIMITED[:4]:
        scope: ScopeForm | None = getattr(form, name)
        if scope is None:
            continue
        allowed = joined(words.get((name, code), code) for code in scope.allowed)
        if not scope.prohibited:
            yield name, allowed
            continue
        without = joined(words.get((name, code), code) for code in scope.prohibited)
        yield (
            name,
            translate("rights.terms.without", language, allowed=allowed, prohibited=without),
        )
    for name in ("fields", "recipients"):
        names: tuple[str, ...] | None = getattr(form, name)
        if names is not None:
            yield name, joined(names)
    if form.level_max is not None:
        yield "level_max", translate("rights.terms.level", language, level=form.level_max)
    if form.valid is not None:
        yield "valid", _period(policy, language)


def _period(policy: Policy, language: Language) -> str:
    valid = policy.terms.valid
    assert valid is not None, "asked only where there is one"
    start = format_instant(valid.start)
    if valid.end is None:
        return translate("rights.terms.open_period", language, start=start)
    end = format_instant(valid.end)
    if valid.start == BEGINNING:
        return translate("rights.policy.until", language, end=end)
    return translate("rights.terms.period", language, start=start, end=end)


def _duty(duty: Duty, language: Language) -> str:
    text = translate(f"rights.duty.{duty.action.value}", language)
    if duty.amount is not None:
        text = f"{text} {_amount(duty.amount)}"
    if duty.within_days is not None:
        text = translate("rights.duty.within", language, duty=text, days=duty.within_days)
    if duty.otherwise is not None:
        other = _duty(duty.otherwise, language)
        text = translate("rights.duty.otherwise", language, duty=text, other=other)
    return text


def _amount(amount: Money) -> str:
    if amount.currency == "CNY":
        return f"{amount.minor // 100}.{amount.minor % 100:02d} CNY"
    return f"{amount.minor} {amount.currency}"
