# SPDX-License-Identifier: Apache-2.0
"""Policies in range, documents out of range, and a second opinion on what a document permits."""

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


HALF = timedelta(hours=12)
GRID = {
    **CODES,
    "fields": ("a", "b", "c"),
    "recipients": ("p", "q", "r"),
    "level_max": tuple(range(7)),
    "valid": tuple(
        datetime(2026, 1, 1, tzinfo=UTC) + at * HALF + more
        for at in range(-1, 10)
        for more in (timedelta(0), timedelta(microseconds=1))
    ),
}
"""For each dimension every value a use can have; the dimensions do not depend on each other."""


def permitted(found, dimension, value):
    """Whether terms permit a value in one dimension."""
    part = getattr(found, dimension)
    if part is None:
        return True
    if dimension == "valid":
        return value in part
    return value <= part if dimension == "level_max" else value in part


def wider_than_said(found, wanted, actions, forbidden):
    """The values that terms permit although a document does not, by dimension."""
    for dimension, values in GRID.items():
        for value in values:
            if permitted(found, dimension, value) and not said(
                dimension, value, wanted, actions, forbidden
            ):
                yield dimension, value


def said(dimension, value, wanted, actions, forbidden):
    """Whether a document permits a value in one dimension, by the words of the standards."""
    if dimension == "actions":
        above = VOCABULARY.actions.path(value)
        return any(one in above for one in actions) and not any(one in above for one in forbidden)
    return all(
        holds(name, operator, values, value)
        for name, operator, values in wanted
        if name == dimension
    )


def holds(dimension, operator, values, value):
    """Whether a constraint holds for a value, by the words of ODRL 2.2 alone."""
    if dimension in {"level_max", "valid"}:
        return COMPARISONS[operator](value, values[0]) if operator in COMPARISONS else False
    above = getattr(VOCABULARY, dimension).path(value) if dimension in CODES else (value,)
    inside = [one in above for one in values]
    # A list of fields is a set that the fields used are part of (annex D of the standard).
    part = any(inside) if dimension == "fields" else bool(inside) and all(inside)
    answers = {
        "eq": values == [value],
        "neq": values != [value],
        "isA": part,
        "isPartOf": part,
        "isAnyOf": any(inside),
        "isAllOf": bool(inside) and all(inside),
        "isNoneOf": not any(inside),
    }
    return answers.get(operator, False)


COMPARISONS = {
    "eq": lambda left, right: left == right,
    "neq": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "lteq": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gteq": lambda left, right: left >= right,
}
