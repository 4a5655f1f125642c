# SPDX-License-Identifier: Apache-2.0
"""谓词 predicates: the closed questions a verification may ask about one subject.

A question matches a value or looks for a row (equality, membership, existence), or it measures one
fact against declared bounds (band, threshold, date order). Several may be combined in one call. No
fact is told: what is measured is kept as its rank among the bounds, and only that.
"""

from __future__ import annotations

import bisect
import enum
import operator
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Protocol, TypeAlias

from lingqu.kernel import errors

NAME_MAX = 128
PREDICATES_MAX = 20
RELATIONS_MAX = 8
BOUNDS_MAX = 100
COMBINED_MAX = 8
VALUE_LONGEST = 200
NUMBER_LONGEST = 40


class Matching(enum.Enum):
    """When a given value equals what the table says."""

    EXACT = "exact"
    """The whole cell is the name."""
    MEMBERSHIP = "membership"
    """The cell may carry several names; each of them counts."""


class Answer(enum.Enum):
    """What a verification says of one subject."""

    YES = "yes"
    NO = "no"
    ONCE = "once"
    """It was so before, and is not any more."""
    UNKNOWN = "unknown"
    """The subject is not in the data; told apart from `no` only where the policy declares it."""
    BAND = "band"
    """The fact lies in the band that is named beside it."""
    SEVERAL = "several"
    """Several questions were asked at once; their answers stand beside it."""

    __hash__ = object.__hash__
    """A member is itself only; the hash of its name would cost each answer of a batch."""


class Characters(enum.Enum):
    """What the key of a subject is made of."""

    DIGITS = "digits"
    TEXT = "text"


class BadPolicy(errors.Rejected):
    """A part of the policy is empty, too long, contradictory, or not allowed."""

    code = "gate.policy.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Where a subject is looked up: a resource, its key column, the column of the value if any.

    Only keys that begin with `prefix` count.
    """

    resource: str
    key: str
    value: str | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is shown beside the answer `once`: declared columns of the rows that tell the change."""

    resource: str
    key: str
    columns: tuple[str, ...]
    prefix: str = ""


class Asks(enum.Enum):
    """What a measured fact is asked."""

    BAND = "band"
    """区间: in which of the named bands it lies."""
    AT_LEAST = "at_least"
    """不低于: whether it reaches a bound."""
    AT_MOST = "at_most"
    """不高于: whether it does not exceed a bound."""
    BEFORE = "before"
    """早于: whether it lies before a bound, or before another fact."""
    AFTER = "after"
    """晚于: whether it lies after a bound, or after another fact."""


class Reads(enum.Enum):
    """What the cells of a measured fact are; others count as not known."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"


class Which(enum.Enum):
    """Which fact counts of a subject that has several."""

    HIGHEST = "highest"
    LOWEST = "lowest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How one fact is measured: what its cells are, and against which declared `bounds`, rising.

    `bands` names the spaces between the bounds, one more than there are bounds; a space with an
    empty name is answered like `no`. `other` is a second fact to compare with in place of bounds.
    """

    asks: Asks
    reads: Reads
    bounds: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    other: Relation | None = None
    which: Which = Which.HIGHEST

    def rank(self, fact: Fact, other: Fact | None = None) -> int:
        """This will give what a snapshot keeps of a fact: its place among the bounds."""
        bounds = [read_fact(self.reads, one) for one in self.bounds] if other is None else [other]
        if self.asks in _FROM_BELOW:
            return bisect.bisect_left(bounds, fact)  # type: ignore[type-var]  # all of one type
        return bisect.bisect_right(bounds, fact)  # type: ignore[type-var]  # all of one type

    def place_of(self, given: str) -> int | None:
        """This will give the place of the bound a caller named, None where none was declared so.

        Nothing needs to be named where there is one bound, or another fact.
        """
        if not given:
            return 0 if self.other is not None or len(self.bounds) == 1 else None
        fact = read_fact(self.reads, given)
        if fact is None or self.other is not None or self.asks is Asks.BAND:
            return None
        known = [read_fact(self.reads, one) for one in self.bounds]
        return known.index(fact) if fact in known else None

    def holds(self, rank: int, place: int) -> bool:
        """This will say whether what was asked is so of a fact of that rank."""
        return rank > place if self.asks in {Asks.AT_LEAST, Asks.AFTER} else rank <= place


_FROM_BELOW = frozenset({Asks.AT_MOST, Asks.AFTER})
"""A fact equal to a bound does not exceed it, and is not after it."""

Fact: TypeAlias = Decimal | date
"""What a measured cell says: a number, or a day."""


def read_fact(reads: Reads, cell: str) -> Fact | None:
    """This will read a cell as a number or a day, None where it is neither."""
    text = normalize(cell)
    if not 0 < len(text) <= NUMBER_LONGEST:
        return None
    try:
        if reads is Reads.DATE:
            return date.fromisoformat(text[:10]) if text[10:11] in {"", " ", "T"} else None
        number = Decimal(text)
    except (ValueError, InvalidOperation):
        return None
    if not number.is_finite() or (reads is Reads.INTEGER and number != number.to_integral_value()):
        return None
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """One question about a subject: true where `yes` says so, formerly where `once` does.

    With a `measure`, `yes` says where its fact stands.
    """

    name: str
    yes: tuple[Relation, ...]
    once: tuple[Relation, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    matching: Matching = Matching.EXACT
    separator: str = "/"
    measure: Measure | None = None

    @property
    def takes_value(self) -> bool:
        """Whether the caller gives a value to compare with."""
        if self.measure is not None:
            return self.measure.asks is not Asks.BAND and len(self.measure.bounds) > 1
        return self.yes[0].value is not None

    def accepts(self, value: str) -> bool:
        """Whether a normalised value may be asked, before anything is looked up."""
        if len(value) > VALUE_LONGEST:
            return False
        if self.measure is None or self.measure.asks is Asks.BAND:
            return bool(value) is self.takes_value
        return self.measure.place_of(value) is not None


class Combining(enum.Enum):
    """How several questions are answered at once."""

    ALL = "all"
    """皆是: yes where each is so."""
    ANY = "any"
    """有一: yes where at least one is so."""
    EACH = "each"
    """逐项: the answer of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Several predicates asked in one call under a name of their own."""

    name: str
    of: tuple[str, ...]
    how: Combining


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectShape:
    """What the key of a subject looks like; anything else is refused before it is looked up."""

    characters: Characters
    shortest: int
    longest: int

    def admits(self, key: str) -> bool:
        """Whether a normalised key has this shape."""
        if not self.shortest <= len(key) <= self.longest:
            return False
        return self._consists(key)

    def admits_all(self, keys: Sequence[str]) -> bool:
        """Whether each of several normalised keys, at least one, has this shape."""
        lengths = {*map(len, keys)}
        if min(lengths) < self.shortest or max(lengths) > self.longest:
            return False
        return self._consists("".join(keys))

    def _consists(self, text: str) -> bool:
        if self.characters is Characters.DIGITS:
            return text.isascii() and text.isdigit()
        return text.isprintable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """At most so many different questions about one subject, per caller, in so many days.

    `subjects` limits how many different subjects a caller asks about in that time.
    """

    values: int
    days: int
    subjects: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A free sample: at least and at most so many rows, and so many for a caller altogether."""

    least: int
    most: int
    altogether: int


class Named(Protocol):
    """Whom a request asks about; `values` by predicate, where several are combined."""

    @property
    def key(self) -> str:
        """The key of the subject as the caller wrote it."""

    @property
    def value(self) -> str:
        """The value to compare with, empty where the question takes none."""

    @property
    def values(self) -> Mapping[str, str]:
        """The value for each combined predicate that takes one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One subject to ask about, with the value to compare where the predicate takes one."""

    key: str
    value: str = ""
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Asked: TypeAlias = tuple[str, tuple[str, ...]]
"""A subject as it is looked up: its key, and the value of each predicate that is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one call asks about each of its subjects: a predicate, or several combined."""

    name: str
    parts: tuple[Predicate, ...]
    how: Combining | None = None

    def read(self, shape: SubjectShape, subjects: Sequence[Named]) -> tuple[list[Asked], int]:
        """This will read the subjects of a call, and give the first row that is not well formed.

        The row is 0 where all are.
        """
        if self.how is not None:
            return self._read_combined(shape, subjects)
        (part,) = self.parts
        is_matched = part.measure is None and part.takes_value
        if is_matched and len(subjects) > 1 and (asked := _read_clean(shape, subjects)):
            return asked, 0
        accepts = _matched if is_matched else part.accepts
        told: list[Asked] = []
        for row, one in enumerate(subjects, 1):
            key, value = normalize(one.key), normalize(one.value)
            if one.values or not shape.admits(key) or not accepts(value):
                return [], row
            told.append((key, (value,)))
        return told, 0

    def _read_combined(
        self, shape: SubjectShape, subjects: Sequence[Named]
    ) -> tuple[list[Asked], int]:
        names = {part.name for part in self.parts}
        told: list[Asked] = []
        for row, one in enumerate(subjects, 1):
            key = normalize(one.key)
            values = tuple(normalize(one.values.get(part.name, "")) for part in self.parts)
            good = all(part.accepts(value) for part, value in zip(self.parts, values, strict=True))
            if one.value or not good or not shape.admits(key) or not one.values.keys() <= names:
                return [], row
            told.append((key, values))
        return told, 0


_KEY, _VALUE, _VALUES = map(operator.attrgetter, ("key", "value", "values"))


def _read_clean(shape: SubjectShape, subjects: Sequence[Named]) -> list[Asked]:
    """Read subjects that all are as they are compared, many at once; nothing where one is not."""
    keys, values = [*map(_KEY, subjects)], [*map(_VALUE, subjects)]
    lengths = {*map(len, values)}
    if min(lengths) == 0 or max(lengths) > VALUE_LONGEST or any(map(_VALUES, subjects)):
        return []
    # Nothing composes across a NUL, and a text with a blank in it has other words than itself.
    told = "\0".join((*keys, *values))
    if not unicodedata.is_normalized("NFKC", told) or told.split() != [told]:
        return []
    return [*zip(keys, zip(values, strict=True), strict=True)] if shape.admits_all(keys) else []


def _matched(value: str) -> bool:
    return 0 < len(value) <= VALUE_LONGEST


def normalize(text: str) -> str:
    """This will give a key or a value as it is compared: NFKC, without blanks around it."""
    return unicodedata.normalize("NFKC", text).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPolicy:
    """What may be asked about a subject. `no` and `unknown` are alike unless `tells_unknown`.

    Where the subject is a person (`personal`), each call needs that person's consent.
    """

    subject: SubjectShape
    predicates: tuple[Predicate, ...]
    tells_unknown: bool = False
    enumeration: Enumeration | None = None
    sample: Sample | None = None
    combined: tuple[Combined, ...] = ()
    personal: bool = False

    def predicate(self, name: str) -> Predicate | None:
        """This will give the predicate of that name; the only one where no name is given."""
        if not name and len(self.predicates) == 1:
            return self.predicates[0]
        return next((one for one in self.predicates if one.name == name), None)

    def question(self, name: str) -> Question | None:
        """This will give what a call under that name asks, None where nothing is called so."""
        single = self.predicate(name)
        if single is not None:
            return Question(name=single.name, parts=(single,))
        found = next((one for one in self.combined if one.name == name), None)
        if found is None:
            return None
        parts = tuple(one for name in found.of if (one := self.predicate(name)) is not None)
        return Question(name=found.name, parts=parts, how=found.how)


def find_relations(policy: VerificationPolicy) -> Iterator[tuple[str, str]]:
    """This will give every column a verification reads, as (resource, column)."""
    for predicate in policy.predicates:
        other = None if predicate.measure is None else predicate.measure.other
        for relation in (*predicate.yes, *predicate.once, *((other,) if other else ())):
            yield relation.resource, relation.key
            if relation.value is not None:
                yield relation.resource, relation.value
        for shown in predicate.evidence:
            for column in (shown.key, *shown.columns):
                yield shown.resource, column


def check_predicates(policy: VerificationPolicy) -> None:
    """This will refuse predicates and combinations that are not well formed. Raises BadPolicy."""
    names = [one.name for one in policy.predicates] + [one.name for one in policy.combined]
    if not 0 < len(names) <= PREDICATES_MAX or len(set(names)) != len(names):
        raise BadPolicy(part="predicates")
    if not policy.predicates or not all(map(is_name, names)):
        raise BadPolicy(part="predicates")
    for predicate in policy.predicates:
        with _named("predicates", predicate.name):
            _check_predicate(predicate)
    for combined in policy.combined:
        with _named("combined", combined.name):
            _check_combined(policy, combined)


@contextmanager
def _named(part: str, name: str) -> Iterator[None]:
    """Say of which predicate or combination a part is not well formed."""
    try:
        yield
    except BadPolicy as error:
        raise BadPolicy(part=f"{part}.{name[:40]}.{error.parameters['part']}") from None


def _check_predicate(predicate: Predicate) -> None:
    relations = (*predicate.yes, *predicate.once)
    if not predicate.yes or len(relations) > RELATIONS_MAX:
        raise BadPolicy(part="predicates")
    if len({one.value is None for one in relations}) != 1:
        raise BadPolicy(part="value")
    if len(predicate.separator) != 1 or len(predicate.evidence) > RELATIONS_MAX:
        raise BadPolicy(part="predicates")
    if predicate.evidence and not predicate.once:
        raise BadPolicy(part="evidence")
    for shown in predicate.evidence:
        if not shown.columns or len(set(shown.columns)) != len(shown.columns):
            raise BadPolicy(part="evidence")
    if predicate.measure is not None:
        _check_measure(predicate, predicate.measure)


def _check_measure(predicate: Predicate, measure: Measure) -> None:
    if predicate.once or predicate.yes[0].value is None:
        raise BadPolicy(part="measure")
    facts = [read_fact(measure.reads, one) for one in measure.bounds]
    rising = [one for one in facts if one is not None]
    if len(rising) != len(facts) or len(facts) > BOUNDS_MAX:
        raise BadPolicy(part="bounds")
    if sorted(set(rising)) != rising:
        raise BadPolicy(part="bounds")
    if measure.other is not None:
        if rising or measure.asks not in _ORDERS or measure.other.value is None:
            raise BadPolicy(part="other")
    elif not rising:
        raise BadPolicy(part="bounds")
    if measure.asks in _ORDERS and measure.reads is not Reads.DATE:
        raise BadPolicy(part="reads")
    if measure.asks is Asks.BAND:
        told = [one for one in measure.bands if one]
        fits = len(measure.bands) == len(rising) + 1 and len(set(told)) == len(told)
        if not fits or not told or not all(map(is_name, told)):
            raise BadPolicy(part="bands")
    elif measure.bands:
        raise BadPolicy(part="bands")


_ORDERS = frozenset({Asks.BEFORE, Asks.AFTER})


def _check_combined(policy: VerificationPolicy, combined: Combined) -> None:
    parts = [policy.predicate(name) if name else None for name in combined.of]
    known = [one for one in parts if one is not None]
    if len(known) != len(parts) or not 1 < len(parts) <= COMBINED_MAX:
        raise BadPolicy(part="combined")
    if len(set(combined.of)) != len(parts):
        raise BadPolicy(part="combined")
    bands = any(one.measure is not None and one.measure.asks is Asks.BAND for one in known)
    if bands and combined.how is not Combining.EACH:
        raise BadPolicy(part="combined")
    if any(one.once for one in known):
        raise BadPolicy(part="combined")


def is_name(text: str) -> bool:
    """This will say whether a text may name a column or a predicate."""
    return 0 < len(text) <= NAME_MAX and text.isprintable() and text == text.strip()
