# SPDX-License-Identifier: Apache-2.0
"""Policies in range, documents out of range, and a second opinion on what a document permits."""

import dataclasses
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from lingqu.kernel import errors
from lingqu.kernel.lattice import Scope, Terms
from lingqu.kernel.money import Money
from lingqu.kernel.time import Period
from lingqu.rights.exchange import Duty, DutyAction, Policy, PolicyKind, built_in_vocabulary
from lingqu.rights.policies import BEGINNING

VOCABULARY = built_in_vocabulary()
CODES = {
    name: tuple(code for code, _ in getattr(VOCABULARY, name).entries())
    for name in ("purposes", "territories", "actions", "environments")
}
SHORT_REGIONS = tuple(code for code in CODES["territories"] if len(code) <= 10)
MOMENTS = st.datetimes(
    datetime(1000, 1, 1),  # noqa: DTZ001  # the zone is given below
    datetime(9000, 1, 1),  # noqa: DTZ001  # the zone is given below
    timezones=st.just(UTC),
)
SECONDS = MOMENTS.map(lambda at: at.replace(microsecond=0))
ALMOST = st.sampled_from((timedelta(0), timedelta(microseconds=1)))
NAMES = st.text(
    st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=12
) | st.sampled_from(
    ["urn:lingqu:id:x", "urn:lingqu:id:%41", "http://example.com/a?b#c", "a:b", "%"]
)


@st.composite
def scopes(draw, name, codes=None):
    tree = getattr(VOCABULARY, name)
    known = codes or CODES[name]
    some = st.lists(st.sampled_from(known), max_size=3)
    allowed = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
    found = Scope.of(tree, allowed, draw(some))
    return found or Scope.of(tree, allowed)


@st.composite
def periods(draw, moments):
    first, second = sorted((draw(moments), draw(moments)))
    end = draw(st.sampled_from([None, second + timedelta(seconds=1)]))
    return Period(draw(st.sampled_from([BEGINNING, first])), end)


def maybe(strategy):
    return st.none() | strategy


@st.composite
def terms(draw, *, narrow):
    """Terms; `narrow` keeps to what the Chinese standard has words for."""
    moments = st.builds(lambda at, more: at + more, SECONDS, ALMOST) if narrow else MOMENTS
    regions = SHORT_REGIONS if narrow else None
    actions = scopes("actions")
    return Terms(
        purposes=draw(maybe(scopes("purposes"))),
        territories=draw(maybe(scopes("territories", regions))),
        actions=draw(actions if narrow else maybe(actions)),
        environments=draw(maybe(scopes("environments"))),
        fields=draw(maybe(st.frozensets(NAMES, min_size=1, max_size=3))),
        recipients=draw(maybe(st.frozensets(NAMES, min_size=1, max_size=3))),
        level_max=draw(maybe(st.integers(0, 9))),
        valid=draw(maybe(periods(moments))),
        cross_border=draw(st.booleans()),
    )


@st.composite
def duties(draw, *, narrow, late, nested=False):
    actions = [one for one in DutyAction if not (narrow and one is DutyAction.WATERMARK)]
    action = draw(st.sampled_from(actions))
    amount = None
    if action is DutyAction.PAY:
        amount = draw(st.builds(Money, st.integers(1, 10**16 - 1), CURRENCIES))
    other = None
    if nested:
        other = draw(maybe(duties(narrow=narrow, late=True)))
    days = draw(maybe(st.integers(1, 36_500))) if late else None
    return Duty(action=action, amount=amount, within_days=days, otherwise=other)


CURRENCIES = st.sampled_from(["CNY", "calls", "rows", "bytes", "micro-rho"])


@st.composite
def policies(draw, *, narrow=False):
    """Any policy that the format has words for."""
    kind = draw(st.sampled_from([PolicyKind.OFFER, PolicyKind.AGREEMENT] if narrow else PolicyKind))
    found = draw(terms(narrow=narrow))
    prohibited = found.actions is not None and found.actions.form().prohibited
    most = 10**16 - 1 if narrow else 10**18 - 1
    amounts = draw(st.dictionaries(CURRENCIES, st.integers(1, most), max_size=3))
    party = NAMES if not narrow else NAMES.filter(lambda name: len(name) <= 18)
    node = party if narrow else maybe(NAMES)
    needed = kind is PolicyKind.AGREEMENT

    def some(**named):
        return tuple(draw(st.lists(duties(narrow=narrow, **named), max_size=3)))

    return Policy(
        id=draw(NAMES),
        kind=kind,
        object=draw(NAMES),
        terms=found,
        provider=draw(party if kind is not PolicyKind.SET else maybe(party)),
        consumer=draw(party if needed else maybe(party)),
        provider_node=draw(node),
        consumer_node=draw(node),
        quantities=tuple(Money(amount, name) for name, amount in amounts.items()),
        before=some(late=False),
        after=some(late=True, nested=True),
        remedies=some(late=True) if prohibited else (),
    )


def outcome(read, document):
    """The policy, or None where it was refused; a refusal always says where."""
    try:
        return read(document)
    except errors.Rejected as refused:
        if not str(refused.parameters.get("place", "")).startswith("/"):
            raise
        return None


def is_narrower(read, original):
    """Whether a policy permits no more and demands no less than another."""
    limits = {one.currency: one.minor for one in read.quantities}
    return (
        read.terms <= original.terms
        and all(limits.get(one.currency, 10**30) <= one.minor for one in original.quantities)
        and set(original.before) <= set(read.before)
        and set(original.after) <= set(read.after)
        and set(original.remedies) <= set(read.remedies)
        and (read.id, read.object) == (original.id, original.object)
        and (read.provider, read.consumer) == (original.provider, original.consumer)
    )


# A second opinion --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Use:
    """One use of data, by whole codes."""

    actions: str
    purposes: str
    territories: str
    environments: str
    fields: str
    recipients: str
    level_max: int
    valid: datetime


USES = st.builds(
    Use,
    **{name: st.sampled_from(codes) for name, codes in CODES.items()},
    fields=st.sampled_from(["a", "b", "c"]),
    recipients=st.sampled_from(["p", "q"]),
    level_max=st.integers(0, 4),
    valid=st.integers(0, 8).map(lambda day: datetime(2026, 1, 1, tzinfo=UTC) + day * HALF),
)
HALF = timedelta(hours=12)


def permits(found, use):
    """Whether terms permit a use inside the border."""
    for name in CODES:
        scope = getattr(found, name)
        if scope is not None and getattr(use, name) not in scope:
            return False
    for name in ("fields", "recipients"):
        names = getattr(found, name)
        if names is not None and getattr(use, name) not in names:
            return False
    level = found.level_max is None or use.level_max <= found.level_max
    return level and found.holds_at(use.valid)


def holds(dimension, operator, values, use):
    """Whether a constraint holds for a use, by the words of ODRL 2.2 alone."""
    value = getattr(use, dimension)
    if dimension in {"level_max", "valid"}:
        return COMPARISONS[operator](value, values[0]) if operator in COMPARISONS else False
    above = getattr(VOCABULARY, dimension).path(value) if dimension in CODES else (value,)
    inside = [one in above for one in values]
    answers = {
        "eq": values == [value],
        "neq": values != [value],
        "isA": all(inside),
        "isPartOf": any(inside) if dimension == "fields" else all(inside),
        "isAnyOf": any(inside),
        "isAllOf": all(inside),
        "isNoneOf": not any(inside),
    }
    if operator == "isA" and dimension == "fields":
        # The standard's own example of a list of fields (annex D).
        return any(inside)
    return answers.get(operator, False)


COMPARISONS = {
    "eq": lambda left, right: left == right,
    "neq": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "lteq": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gteq": lambda left, right: left >= right,
}
