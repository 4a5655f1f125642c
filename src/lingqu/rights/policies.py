# SPDX-License-Identifier: Apache-2.0
"""Hides what a policy is between formats: terms, quantities and duties, and why one is refused.

A policy of a foreign format becomes one `Policy` or a refusal that names the place (JSON pointer)
and the reason. Each constraint is read as terms of its own and everything is met, so reading can
only narrow; what has no exact meaning here is refused, never dropped.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from lingqu.kernel import errors
from lingqu.kernel.lattice import ANYTHING, Scope, Terms, Tree, Vocabulary, meet
from lingqu.kernel.money import Money
from lingqu.kernel.time import BadPeriod, Instant, Period, parse_instant

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""The start of a period that a policy gives only an end."""
MOMENT = timedelta(microseconds=1)
"""The grain of time: `lteq t` is the same as `lt t + MOMENT`."""
DAYS_MAX = 36_500
TEXT_MAX = 500
LEVEL_MAX = 1_000_000
QUANTITY_MAX = 10**18 - 1
AMOUNT_MAX = 10**16 - 1
BYTES_MAX = 200_000
"""Largest document that is read."""

_TOO_FINE = re.compile(r"[.,][0-9]{7}")
_DEPTH_MAX = 24
_DIGITS_MAX = 16
_GIVEN_MAX = 60


class PolicyKind(enum.Enum):
    """What the document is: rules without parties, an offer, or what was agreed."""

    SET = "set"
    OFFER = "offer"
    AGREEMENT = "agreement"


class DutyAction(enum.Enum):
    """What can be owed. Duties before a use are done in this order."""

    ANONYMIZE = "anonymize"
    DESENSITIZE = "desensitize"
    WATERMARK = "watermark"
    PAY = "pay"
    PASS_POLICY = "pass_policy"  # noqa: S105  # no password: the policy is passed on
    REPORT = "report"
    ALERT = "alert"
    DELETE = "delete"


class PolicyUnreadable(errors.Rejected):
    """The text is no JSON document we read: a key twice, a fraction, too deep or too large."""

    code = "rights.policy.unreadable"


class BadPolicy(errors.Rejected):
    """The policy contradicts itself, or permits nothing."""

    code = "rights.policy.bad"


class MemberUnknown(errors.Rejected):
    """The document has a member that the profile does not know."""

    code = "rights.policy.member_unknown"


class MemberMissing(errors.Rejected):
    """A member is missing without which the policy has no exact meaning."""

    code = "rights.policy.member_missing"


class ValueRefused(errors.Rejected):
    """A value does not have the form its place needs."""

    code = "rights.policy.value_refused"


class TooLong(errors.Rejected):
    """A value is longer than the standard allows for its place."""

    code = "rights.policy.too_long"


class CodeUnknown(errors.Rejected):
    """A code is not in the tree of its dimension."""

    code = "rights.policy.code_unknown"


class ActionRefused(errors.Rejected):
    """An action has no exact counterpart where it stands."""

    code = "rights.policy.action_refused"


class ConstraintRefused(errors.Rejected):
    """A constraint has no exact counterpart in the terms."""

    code = "rights.policy.constraint_refused"


class OperatorRefused(errors.Rejected):
    """With this operator the constraint cannot be expressed exactly."""

    code = "rights.policy.operator_refused"


class RuleRefused(errors.Rejected):
    """The way the rules are combined cannot be expressed by one positive right."""

    code = "rights.policy.rule_refused"


class NotExpressible(errors.Rejected):
    """The format that was asked for has no exact words for a part of the policy."""

    code = "rights.policy.not_expressible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Something owed; `within_days` calendar days, `amount` for PAY only. Raises BadPolicy.

    `otherwise` is what is owed on top where it is not done in time; one level, duties after use
    only.
    """

    action: DutyAction
    within_days: int | None = None
    amount: Money | None = None
    otherwise: Duty | None = None

    def __post_init__(self) -> None:
        """Refuse a payment without an amount, an amount without a payment, a second level."""
        if (self.amount is not None) != (self.action is DutyAction.PAY):
            raise BadPolicy(reason="amount")
        if self.amount is not None and not 0 < self.amount.minor <= AMOUNT_MAX:
            raise BadPolicy(reason="amount")
        if self.within_days is not None and not 1 <= self.within_days <= DAYS_MAX:
            raise BadPolicy(reason="days")
        if self.otherwise is not None and self.otherwise.otherwise is not None:
            raise BadPolicy(reason="nested_breach")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one document permits and demands. Raises BadPolicy.

    `object` is what it is about; the nodes are the connectors that enforce it. `quantities` are
    shared by every permitted action. `before` must be done before a use, `after` once it happened,
    `remedies` when something prohibited was done; all three are sorted and without repetition.
    """

    id: str
    kind: PolicyKind
    object: str
    terms: Terms
    provider: str | None = None
    consumer: str | None = None
    provider_node: str | None = None
    consumer_node: str | None = None
    quantities: tuple[Money, ...] = ()
    before: tuple[Duty, ...] = ()
    after: tuple[Duty, ...] = ()
    remedies: tuple[Duty, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what has no meaning, and put the parts in their one order."""
        self._check_names()
        self._check_roles()
        self._check_parts()
        if self.terms.valid == Period(BEGINNING):
            object.__setattr__(self, "terms", dataclasses.replace(self.terms, valid=None))
        quantities = tuple(sorted(self.quantities, key=lambda one: one.currency))
        object.__setattr__(self, "quantities", quantities)
        for part in ("before", "after", "remedies"):
            object.__setattr__(self, part, _ordered(getattr(self, part)))

    def _check_names(self) -> None:
        names = (self.provider, self.consumer, self.provider_node, self.consumer_node)
        listed = (*(self.terms.fields or ()), *(self.terms.recipients or ()))
        for name in (self.id, self.object, *listed, *(one for one in names if one is not None)):
            if not 0 < len(name) <= TEXT_MAX or not name.isprintable() or name != name.strip():
                raise BadPolicy(reason="name")

    def _check_roles(self) -> None:
        if self.kind is not PolicyKind.SET and self.provider is None:
            raise BadPolicy(reason="provider")
        if self.kind is PolicyKind.AGREEMENT and self.consumer is None:
            raise BadPolicy(reason="consumer")

    def _check_parts(self) -> None:
        if self.terms.nothing:
            raise BadPolicy(reason="nothing")
        if self.terms.level_max is not None and self.terms.level_max > LEVEL_MAX:
            raise BadPolicy(reason="level")
        if not all(1 <= one.minor <= QUANTITY_MAX for one in self.quantities):
            raise BadPolicy(reason="quantity")
        if len({one.currency for one in self.quantities}) < len(self.quantities):
            raise BadPolicy(reason="quantity")
        if any(one.otherwise is not None for one in (*self.before, *self.remedies)):
            raise BadPolicy(reason="breach")
        if any(one.within_days is not None for one in self.before):
            raise BadPolicy(reason="days")
        if self.remedies and not prohibited_actions(self.terms):
            raise BadPolicy(reason="remedy")


def prohibited_actions(terms: Terms) -> tuple[str, ...]:
    """This will give the actions taken out of what is permitted, sorted."""
    return () if terms.actions is None else terms.actions.form().prohibited


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a JSON document and its place in it."""

    value: object
    place: str = ""

    def members(self) -> dict[str, Node]:
        """This will give the members of an object. Raises ValueRefused."""
        if not isinstance(self.value, dict):
            self.refuse("object")
        return {key: self.at(key, value) for key, value in self.value.items()}

    def at(self, key: str | int, value: object) -> Node:
        """This will give what lies below, with its JSON pointer (RFC 6901)."""
        step = str(key)[:_GIVEN_MAX].replace("~", "~0").replace("/", "~1")
        return Node(value, f"{self.place}/{step}")

    def each(self) -> tuple[Node, ...]:
        """This will give the items of a list; a single value is a list of one."""
        if isinstance(self.value, list):
            return tuple(self.at(place, item) for place, item in enumerate(self.value))
        return (self,)

    def text(self, most: int = TEXT_MAX) -> str:
        """This will give a text that is not empty. Raises ValueRefused, TooLong."""
        if not isinstance(self.value, str) or not self.value:
            self.refuse("text")
        if len(self.value) > most:
            raise TooLong(place=self.place, most=most)
        if not self.value.isprintable() or self.value != self.value.strip():
            self.refuse("text")
        return self.value

    def number(self) -> int:
        """This will give a whole number, also written as text. Raises ValueRefused."""
        value = self.value
        if isinstance(value, str) and re.fullmatch(r"0|[1-9][0-9]{0,17}", value, re.ASCII):
            return int(value)
        if type(value) is not int or value < 0 or value >= 10**18:
            self.refuse("number")
        return value

    def refuse(self, reason: str) -> NoReturn:
        """This will refuse the value itself."""
        raise ValueRefused(place=self.place or "/", reason=reason)


def read_document(data: bytes | str) -> dict[str, Any]:
    """This will read a JSON document strictly. Raises PolicyUnreadable."""
    if len(data) > BYTES_MAX:
        raise PolicyUnreadable(reason="too_large")
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        value = _DECODER.decode(text.removeprefix("\ufeff").strip(" \t\r\n"))
        text.encode()
    except RecursionError:
        raise PolicyUnreadable(reason="depth") from None
    except ValueError:
        raise PolicyUnreadable(reason="json") from None
    if not isinstance(value, dict):
        raise PolicyUnreadable(reason="json")
    _check_depth(value)
    return value


class Draft:
    """Terms as they are read: every constraint is met, exclusions come last."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Begin with everything but the border, which opens only where the document says so."""
        self._vocabulary = vocabulary
        self._terms = ANYTHING
        self._excluded: dict[str, list[tuple[Node, str]]] = {}
        self._quantities: dict[str, int] = {}
        self._border: list[bool] = []

    def allow(self, dimension: str, codes: Sequence[tuple[Node, str]]) -> None:
        """This will permit only codes of a tree and what lies below. Raises CodeUnknown."""
        tree = self._known(dimension, codes)
        self._narrow(**{dimension: Scope.of(tree, [code for _, code in codes])})

    def exclude(self, dimension: str, codes: Sequence[tuple[Node, str]]) -> None:
        """This will take codes out again, at the end. Raises CodeUnknown."""
        self._known(dimension, codes)
        self._excluded.setdefault(dimension, []).extend(codes)

    def only(self, dimension: str, names: Iterable[str]) -> None:
        """This will permit only these fields or recipients."""
        self._narrow(**{dimension: frozenset(names)})

    def at_level(self, most: int) -> None:
        """This will permit only data up to a level."""
        self._narrow(level_max=most)

    def from_moment(self, start: Instant, node: Node) -> None:
        """This will permit nothing before a moment."""
        self._within(start, None, node)

    def until(self, end: Instant, node: Node) -> None:
        """This will permit nothing from a moment on."""
        self._within(BEGINNING, end, node)

    def across_border(self, *, allowed: bool) -> None:
        """This will say whether use across the border is within the terms."""
        self._border.append(allowed)

    def limit(self, currency: str, most: int, node: Node) -> None:
        """This will limit a quantity; the smallest limit counts. Raises ValueRefused."""
        if most < 1:
            node.refuse("nothing")
        try:
            Money(most, currency)
        except errors.Rejected:
            node.refuse("unit")
        self._quantities[currency] = min(most, self._quantities.get(currency, most))

    def finish(self) -> tuple[Terms, tuple[Money, ...]]:
        """This will give the terms and quantities. Raises RuleRefused."""
        terms = self._terms
        for dimension, codes in self._excluded.items():
            scope: Scope | None = getattr(terms, dimension)
            if scope is None and not terms.nothing:
                # All but one code is no set of codes: it would change when the tree grows.
                raise RuleRefused(place=codes[0][0].place, reason="open_exclusion")
            if scope is not None:
                form = scope.form()
                without = (*form.prohibited, *(code for _, code in codes))
                left: dict[str, Any] = {dimension: Scope.of(scope.tree, form.allowed, without)}
                terms = meet(terms, Terms(cross_border=True, **left))
        allowed = bool(self._border) and all(self._border)
        terms = meet(terms, Terms(cross_border=allowed))
        if terms.nothing:
            raise RuleRefused(place="/", reason="nothing")
        return terms, tuple(Money(most, name) for name, most in self._quantities.items())

    def _known(self, dimension: str, codes: Sequence[tuple[Node, str]]) -> Tree:
        tree: Tree = getattr(self._vocabulary, dimension)
        for node, code in codes:
            if code not in tree:
                raise CodeUnknown(place=node.place, given=code[:_GIVEN_MAX], tree=dimension)
        return tree

    def _narrow(self, **parts: Any) -> None:
        self._terms = meet(self._terms, Terms(cross_border=True, **parts))

    def _within(self, start: Instant, end: Instant | None, node: Node) -> None:
        try:
            self._narrow(valid=Period(start, end))
        except BadPeriod:
            node.refuse("moment")


def read_moment(node: Node) -> Instant:
    """This will read RFC 3339 to the microsecond; more digits would be cut. Raises ValueRefused."""
    text = node.text()
    if _TOO_FINE.search(text):
        node.refuse("moment")
    try:
        return parse_instant(text)
    except errors.Rejected:
        node.refuse("moment")


def following(moment: Instant, node: Node) -> Instant:
    """This will give the moment right after. Raises ValueRefused at the end of time."""
    try:
        return moment + MOMENT
    except OverflowError:
        node.refuse("moment")


def duty_in(found: Node, **parts: Any) -> Duty:
    """This will make a duty that was read at a place. Raises RuleRefused."""
    try:
        return Duty(**parts)
    except BadPolicy as refusal:
        raise RuleRefused(place=found.place, reason=refusal.parameters["reason"]) from None


def policy_in(**parts: Any) -> Policy:
    """This will make a policy that was read. Raises RuleRefused."""
    try:
        return Policy(**parts)
    except BadPolicy as refusal:
        raise RuleRefused(place="/", reason=refusal.parameters["reason"]) from None


def given(text: str) -> str:
    """This will shorten what was given for a refusal."""
    return "".join(c if c.isprintable() else "?" for c in text[:_GIVEN_MAX])


def _ordered(duties: tuple[Duty, ...]) -> tuple[Duty, ...]:
    order = list(DutyAction)

    def rank(duty: Duty | None) -> tuple[Any, ...]:
        if duty is None:
            return ()
        owed = duty.amount or Money(0, "CNY")
        days = duty.within_days or 0
        return (order.index(duty.action), days, owed.currency, owed.minor, rank(duty.otherwise))

    return tuple(sorted(set(duties), key=rank))


def _check_depth(value: object) -> None:
    level: list[object] = [value]
    for _ in range(_DEPTH_MAX):
        below: list[object] = []
        for one in level:
            if isinstance(one, Mapping):
                below += one.values()
            elif isinstance(one, list):
                below += one
        if not below:
            return
        level = below
    raise PolicyUnreadable(reason="depth")


def _refuse_float(_: str) -> NoReturn:
    raise PolicyUnreadable(reason="fraction")


def _integer(text: str) -> int:
    if len(text) > _DIGITS_MAX:
        raise PolicyUnreadable(reason="number")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise PolicyUnreadable(reason="duplicate")
    return found


_DECODER = json.JSONDecoder(
    parse_float=_refuse_float,
    parse_int=_integer,
    parse_constant=_refuse_float,
    object_pairs_hook=_object,
)
