# SPDX-License-Identifier: Apache-2.0
"""What a rule is: its value, its article, when it applies, and how sure its source is."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lingqu.kernel import errors
from lingqu.kernel.time import Period
from lingqu.runtime.calendar import Calendar, Deadline, start_of_day

Scalar = int | Decimal | bool | str | date
NATIONAL = "national"
"""The base on which every profile stands."""


class Kind(enum.Enum):
    """What sort of thing a rule fixes."""

    CLOCK = "clock"
    CONSTANT = "constant"
    FORMULA = "formula"
    LIST = "list"
    ENUMERATION = "enumeration"
    NORM = "norm"
    BODY = "body"
    CALENDAR_DAY = "calendar_day"


class Status(enum.Enum):
    """How far a document has come: 现行, 试行, 征求意见稿, 废止."""

    IN_FORCE = "in_force"
    TRIAL = "trial"
    DRAFT = "draft"
    REPEALED = "repealed"


class Source(enum.Enum):
    """How sure the wording is. What stands in memory only is off until somebody checks it."""

    FULL = "full"
    PART = "part"
    SECOND = "second"
    MEMORY = "memory"


class Unit(enum.Enum):
    """In which unit a clock runs."""

    SECOND = "second"
    HOUR = "hour"
    WORKING_DAY = "working_day"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class RuleNotFound(errors.NotFound):
    """The profile has no rule of this code on this day."""

    code = "trust.rulebook.rule_not_found"


class ProfileNotFound(errors.NotFound):
    """There is no profile of this name."""

    code = "trust.rulebook.profile_not_found"


class RuleIsOff(errors.Conflict):
    """The rule is known from memory only and was not switched on."""

    code = "trust.rulebook.rule_is_off"


class DraftIsNoGround(errors.Conflict):
    """The rule stands in a draft for comment only, which grounds no refusal."""

    code = "trust.rulebook.draft_is_no_ground"


class NotBindingHere(errors.Conflict):
    """The rule belongs to another region and is known here for reference only."""

    code = "trust.rulebook.not_binding_here"


class WrongKind(errors.Rejected):
    """The rule is of another kind than what was asked for."""

    code = "trust.rulebook.wrong_kind"


class BadInput(errors.Rejected):
    """A formula was given a value outside what its rule allows."""

    code = "trust.rulebook.bad_input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document: its number, who issued it, the region it binds, and when it applies.

    `is_estimated` says that the day on which it takes effect was not in the source.
    """

    key: str
    title_zh: str
    title_en: str
    number: str
    issuer_zh: str
    issuer_en: str
    region: str
    status: Status
    issued_on: date
    valid: Period
    source: Source
    is_estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One entry of a list or an enumeration."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One input of a formula; `rule` names the constant or list that fills it by itself."""

    name: str
    zh: str
    en: str
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A worked example of a formula: what it is given, and what it gives."""

    given: tuple[tuple[str, object], ...]
    gives: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of one layer (the nation's or a region's), with its article and its period.

    `value` is the number, text or day of a constant or clock, the expression of a formula, the
    year of calendar days. `starts_zh` says what starts a clock. `binding` names the rule that binds
    where this one stands in a draft.
    """

    code: str
    kind: Kind
    layer: str
    title_zh: str
    title_en: str
    document: Document
    article: str
    status: Status
    valid: Period
    source: Source
    value: Scalar | None = None
    unit: str | None = None
    items: tuple[Item, ...] = ()
    inputs: tuple[Variable, ...] = ()
    examples: tuple[Example, ...] = ()
    quote: str | None = None
    name_zh: str | None = None
    name_en: str | None = None
    starts_zh: str | None = None
    starts_en: str | None = None
    on_silence: str | None = None
    runs_backwards: bool = False
    binding: str | None = None
    note_zh: str | None = None
    note_en: str | None = None
    days_off: tuple[date, ...] = ()
    days_worked: tuple[date, ...] = ()

    @property
    def number(self) -> str:
        """The number of the document (文号)."""
        return self.document.number

    @property
    def citation(self) -> str:
        """Document, number and article as an official would write them."""
        document = self.document
        draft = "" if document.number in document.title_zh else f"（{document.number}）"
        return f"《{document.title_zh}》{draft}{self.article}"

    @property
    def is_draft(self) -> bool:
        """Whether it stands in a draft for comment (征求意见稿) only."""
        return self.status is Status.DRAFT

    def applies_on(self, day: date) -> bool:
        """This will say whether the rule is valid on a local day."""
        return start_of_day(day) in self.valid


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A statutory period: a count of units, from the rule that sets it."""

    count: int
    unit: Unit
    rule: Rule

    @property
    def days(self) -> int:
        """The count of a clock that runs in days or working days."""
        assert self.unit in {Unit.DAY, Unit.WORKING_DAY}, f"{self.rule.code} does not run in days"
        return self.count

    def deadline(self, calendar: Calendar, day: date) -> Deadline:
        """This will give the last day of the period that an event on `day` starts.

        A clock that runs backwards gives the last day on which the act is in time. Hours and
        seconds run from a moment and have no last day: asking for one is a mistake.
        """
        sign = -1 if self.rule.runs_backwards else 1
        if self.unit is Unit.WORKING_DAY:
            return calendar.add_working_days(day, sign * self.count)
        assert sign == 1, f"{self.rule.code} runs backwards and not in working days"
        if self.unit is Unit.DAY:
            return calendar.add_days(day, self.count)
        assert self.unit in {Unit.MONTH, Unit.YEAR}, f"{self.rule.code} runs from a moment"
        months = self.count if self.unit is Unit.MONTH else 12 * self.count
        return calendar.add_months(day, months)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a refusal may stand on: the binding rule, the text of its article, drafts beside it."""

    rule: Rule
    text: str | None
    beside: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A region as an installation serves it: its name, its division, its levels, whose venue."""

    name: str
    title_zh: str
    title_en: str
    division: str
    chain: tuple[str, ...]
    levels: tuple[str, ...]
    has_own_venue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What two rulebooks, or two days of one, say differently about one code."""

    code: str
    before: Rule | None
    after: Rule | None
    fields: tuple[str, ...]
