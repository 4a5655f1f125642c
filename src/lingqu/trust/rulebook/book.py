# SPDX-License-Identifier: Apache-2.0
"""One region's rulebook on one day: which rule applies, what it may ground, and its version.

The layers of a profile are the nation, a region, perhaps a city in it; of two rules with one code
the more specific binds. A draft never binds: it is shown beside the rule that does. What is known
from memory only is off unless it was switched on by name.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import Any

from lingqu.runtime import Tx
from lingqu.runtime.calendar import (
    Calendar,
    DayTable,
    SpecialDay,
    local_day,
    national_table,
)
from lingqu.trust.rulebook.formulas import FORMULAS
from lingqu.trust.rulebook.reading import Edition, packaged
from lingqu.trust.rulebook.rules import (
    BadInput,
    Clock,
    DraftIsNoGround,
    Ground,
    Item,
    Kind,
    NotBindingHere,
    Profile,
    ProfileNotFound,
    Rule,
    RuleIsOff,
    RuleNotFound,
    Scalar,
    Source,
    Status,
    Unit,
    WrongKind,
)

DEFAULT_PROFILE = "guangxi"
"""The profile of an installation that chose none."""


class State(enum.Enum):
    """What a rule is worth in one rulebook on its day."""

    BINDING = "binding"
    """It applies and may ground a refusal."""
    OVERRIDDEN = "overridden"
    """A more specific rule of the same code applies instead."""
    DRAFT = "draft"
    """It stands in a draft for comment and is shown beside what binds."""
    REFERENCE = "reference"
    """It binds in another region and is known here for comparison."""
    OFF = "off"
    """It is known from memory only."""
    OUT_OF_PERIOD = "out_of_period"
    """It is not valid on the day, or was repealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A number, text or day that a rule fixes."""

    value: Scalar
    unit: str
    rule: Rule

    @property
    def amount(self) -> int:
        """The value of a constant that is a whole number."""
        assert type(self.value) is int, f"{self.rule.code} is no whole number"
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rulebook:
    """The rules of one profile on one local day. Make one with `open_rulebook`."""

    edition: Edition = field(repr=False)
    profile: Profile
    day: date
    unverified: frozenset[str] = frozenset()

    _known: tuple[Rule, ...] = field(default=(), repr=False)
    _calendar: Calendar | None = field(default=None, repr=False)
    _version: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Work out once what does not depend on the day; `on` carries it along."""
        if self._version:
            return
        chain = self.profile.chain
        known = tuple(
            rule for found in self.edition.by_code.values() for rule in found if rule.layer in chain
        )
        days = (r for r in known if r.kind is Kind.CALENDAR_DAY and self._is_checked(r))
        said = [(layer, self.edition.digests[layer]) for layer in chain]
        digest = hashlib.sha256(repr((said, sorted(self.unverified))).encode()).hexdigest()
        version = f"{self.profile.name}@{self.edition.name}+{digest[:8]}"
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "_calendar", _calendar(tuple(days)))
        object.__setattr__(self, "_version", version)

    @property
    def version(self) -> str:
        """A stable text that changes with the data and with nothing else."""
        return self._version

    def on(self, day: date) -> Rulebook:
        """This will give the same rulebook on another local day."""
        return replace(self, day=day)

    def known(self) -> tuple[Rule, ...]:
        """This will list every rule of the profile's layers, whatever it is worth."""
        return self._known

    def state(self, rule: Rule) -> State:
        """This will say what a rule of this profile is worth on the day."""
        if not rule.applies_on(self.day) or rule.status is Status.REPEALED:
            return State.OUT_OF_PERIOD
        if not self._is_checked(rule):
            return State.OFF
        if rule.document.region not in self.profile.chain:
            return State.REFERENCE
        if rule.is_draft:
            return State.DRAFT
        return State.BINDING if self._bound(rule.code) is rule else State.OVERRIDDEN

    def rule(self, code: str) -> Rule:
        """This will give the rule that applies: the binding one, else a draft, else a reference.

        Raises RuleNotFound, RuleIsOff.
        """
        bound = self._bound(code)
        if bound is not None:
            return bound
        found = {self.state(rule): rule for rule in self._layered(code)}
        for state in (State.DRAFT, State.REFERENCE):
            if state in found:
                return found[state]
        if State.OFF in found:
            raise RuleIsOff(rule=code)
        raise RuleNotFound(rule=code[:60], profile=self.profile.name, day=self.day.isoformat())

    def beside(self, code: str) -> tuple[Rule, ...]:
        """This will give the drafts that say something about what this rule decides."""
        return tuple(
            rule
            for rule in self.known()
            if code in {rule.code, rule.binding} and self.state(rule) is State.DRAFT
        )

    def ground(self, code: str) -> Ground:
        """This will give what a refusal may stand on, with the text of the article.

        Asked for a draft it gives the binding rule, the draft beside it. Raises DraftIsNoGround
        where none binds, NotBindingHere, RuleIsOff, RuleNotFound.
        """
        rule = self.rule(code)
        if self.state(rule) is State.REFERENCE:
            raise NotBindingHere(rule=code, region=rule.document.region, profile=self.profile.name)
        if rule.is_draft:
            binding = self._bound(rule.binding) if rule.binding else None
            if binding is None:
                raise DraftIsNoGround(rule=code, document=rule.number)
            beside = {one.code: one for one in (rule, *self.beside(binding.code))}
            return Ground(rule=binding, text=self.text(binding), beside=tuple(beside.values()))
        return Ground(rule=rule, text=self.text(rule), beside=self.beside(code))

    def text(self, rule: Rule) -> str | None:
        """This will give the article word for word, its quote where only that is known, or None."""
        return self.edition.articles.get(rule.document.key, {}).get(rule.article, rule.quote)

    def clock(self, code: str) -> Clock:
        """This will give a statutory period. Raises what `rule` raises, and WrongKind."""
        rule = self._of_kind(code, Kind.CLOCK)
        assert type(rule.value) is int, "a clock counts"
        return Clock(count=rule.value, unit=Unit(rule.unit), rule=rule)

    def constant(self, code: str) -> Constant:
        """This will give a number, text or day. Raises what `rule` raises, and WrongKind."""
        rule = self._of_kind(code, Kind.CONSTANT)
        assert rule.value is not None, "a constant has a value"
        assert rule.unit is not None, "a constant has a unit"
        return Constant(value=rule.value, unit=rule.unit, rule=rule)

    def items(self, code: str) -> tuple[Item, ...]:
        """This will give the entries of a list or an enumeration. Raises like `constant`."""
        return self._of_kind(code, Kind.LIST, Kind.ENUMERATION).items

    def body(self, code: str) -> Rule:
        """This will give a body under the name it has on the day. Raises like `constant`."""
        return self._of_kind(code, Kind.BODY)

    def evaluate(self, code: str, /, **inputs: object) -> Any:
        """This will compute a formula exactly; inputs that a rule fixes are filled by it.

        Raises what `rule` raises, WrongKind, and BadInput where an input is missing or not allowed.
        """
        rule = self._of_kind(code, Kind.FORMULA)
        filled = {
            one.name: self._input(one.rule)
            for one in rule.inputs
            if one.rule is not None and one.name not in inputs
        }
        names = {one.name for one in rule.inputs}
        odd = sorted(names ^ {*inputs, *filled})
        if odd:
            raise BadInput(name=odd[0], given="")
        return FORMULAS[code](**inputs, **filled)

    def calendar(self) -> Calendar:
        """This will give the working-day calendar of the region: the nation's days and its own."""
        assert self._calendar is not None, "made when the rulebook was"
        return self._calendar

    def _is_checked(self, rule: Rule) -> bool:
        return rule.source is not Source.MEMORY or rule.code in self.unverified

    def _input(self, code: str) -> object:
        rule = self.rule(code)
        if rule.kind in {Kind.LIST, Kind.ENUMERATION}:
            return {item.code: item.en for item in rule.items}
        return rule.value

    def _of_kind(self, code: str, *kinds: Kind) -> Rule:
        rule = self.rule(code)
        if rule.kind not in kinds:
            raise WrongKind(rule=code, kind=rule.kind.value, wanted=kinds[0].value)
        return rule

    def _layered(self, code: str) -> list[Rule]:
        """The rules of a code, the most specific layer first."""
        chain = self.profile.chain
        found = [rule for rule in self.edition.by_code.get(code, ()) if rule.layer in chain]
        return sorted(found, key=lambda rule: -chain.index(rule.layer))

    def _bound(self, code: str) -> Rule | None:
        """The one rule that binds, or None."""
        for rule in self._layered(code):
            here = rule.document.region in self.profile.chain
            standing = rule.status not in {Status.DRAFT, Status.REPEALED}
            if self._is_checked(rule) and here and standing and rule.applies_on(self.day):
                return rule
        return None


_opened: dict[str, Rulebook] = {}


def profiles() -> tuple[Profile, ...]:
    """This will list the profiles, by name."""
    return tuple(packaged().profiles[name] for name in sorted(packaged().profiles))


def open_rulebook(
    profile: str = DEFAULT_PROFILE, *, unverified: frozenset[str] = frozenset()
) -> Rulebook:
    """This will open a profile's rulebook on the day of its edition.

    `unverified` switches on rules that are known from memory only, by code. Raises ProfileNotFound,
    RuleNotFound where one of those is no such rule.
    """
    return _opening(profile, unverified)


@cache
def _opening(profile: str, unverified: frozenset[str]) -> Rulebook:
    """One rulebook for the same choice: what does not depend on the day is worked out once."""
    edition = packaged()
    if profile not in edition.profiles:
        raise ProfileNotFound(profile=profile[:60], known=" | ".join(sorted(edition.profiles)))
    book = Rulebook(
        edition=edition,
        profile=edition.profiles[profile],
        day=edition.as_of,
        unverified=unverified,
    )
    memory = {rule.code for rule in book.known() if rule.source is Source.MEMORY}
    for code in sorted(unverified - memory):
        raise RuleNotFound(rule=code[:60], profile=profile, day=book.day.isoformat())
    _opened[book.version] = book
    return book


def of(tx: Tx) -> Rulebook:
    """This will give the rulebook that decisions of a transaction use, on its local day.

    A process that was started without one uses the default profile.
    """
    book = _opened.get(tx.rules) or open_rulebook()
    return book.on(local_day(tx.now))


@cache
def _calendar(days: tuple[Rule, ...]) -> Calendar:
    if not days:
        return Calendar(tables=(national_table(),))
    table = DayTable(
        years=frozenset(rule.value for rule in days if type(rule.value) is int),
        days=tuple(
            SpecialDay(
                day=day,
                is_working=is_working,
                title_zh=rule.name_zh or rule.title_zh,
                title_en=rule.name_en or rule.title_en,
            )
            for rule in days
            for is_working, named in ((False, rule.days_off), (True, rule.days_worked))
            for day in named
        ),
    )
    return Calendar(tables=(national_table(), table))
