# SPDX-License-Identifier: Apache-2.0
"""What a product may answer: closed, declared policies that its holders and buyers can read.

Nothing here is text that an engine would run. A verification names the columns a subject is looked
up in and the answers there are; a count names dimensions, an entity and a threshold; an open file
names its columns. From these alone the gate prints what it asks of the engine.
"""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from lingqu.gate.governance import QueryPolicy, find_fault, find_query_columns
from lingqu.kernel import canon, errors
from lingqu.kernel.values import from_plain, to_plain

NAME_MAX = 128
PREDICATES_MAX = 20
RELATIONS_MAX = 8
VALUES_MAX = 255
DIMENSIONS_MAX = 2
THRESHOLD_LEAST = 2
SUBJECT_LONGEST = 200


class Form(enum.Enum):
    """What kind of product it is."""

    VERIFICATION = "verification"
    """核验: yes or no about one subject."""
    COUNT = "count"
    """统计: published counts of groups that are large enough."""
    OPEN_FILE = "open_file"
    """开放文件: a file anybody may have."""
    QUERY = "query"
    """统计查询: questions in a governed language over tables nobody sees."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """One question about a subject: true where `yes` says so, formerly where `once` does."""

    name: str
    yes: tuple[Relation, ...]
    once: tuple[Relation, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    matching: Matching = Matching.EXACT
    separator: str = "/"

    @property
    def takes_value(self) -> bool:
        """Whether the caller gives a value to compare with."""
        return self.yes[0].value is not None


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
        if self.characters is Characters.DIGITS:
            return key.isascii() and key.isdigit()
        return key.isprintable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enumeration:
    """At most so many different values may be asked about one subject, per caller, in so long."""

    values: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A free sample: at least and at most so many rows, and so many for a caller altogether."""

    least: int
    most: int
    altogether: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPolicy:
    """What may be asked about a subject. `no` and `unknown` are alike unless `tells_unknown`."""

    subject: SubjectShape
    predicates: tuple[Predicate, ...]
    tells_unknown: bool = False
    enumeration: Enumeration | None = None
    sample: Sample | None = None

    def predicate(self, name: str) -> Predicate | None:
        """This will give the predicate of that name; the only one where no name is given."""
        if not name and len(self.predicates) == 1:
            return self.predicates[0]
        return next((one for one in self.predicates if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountPolicy:
    """How many entities there are in each group of the dimensions, from `threshold` upwards.

    Small groups are merged along `merged` (keeping the other dimension) or withheld; counts are
    rounded down to multiples of `rounding`.
    """

    resource: str
    entity: str
    dimensions: tuple[str, ...]
    merged: str
    threshold: int
    rounding: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFilePolicy:
    """Which columns of a resource anybody may have."""

    resource: str
    columns: tuple[str, ...]


Policy: TypeAlias = VerificationPolicy | CountPolicy | OpenFilePolicy | QueryPolicy
"""What a product may answer, by its form."""

KINDS: dict[Form, type[VerificationPolicy | CountPolicy | OpenFilePolicy | QueryPolicy]] = {
    Form.VERIFICATION: VerificationPolicy,
    Form.COUNT: CountPolicy,
    Form.OPEN_FILE: OpenFilePolicy,
    Form.QUERY: QueryPolicy,
}


def write_policy(policy: Policy) -> str:
    """This will give the canonical JSON of a policy."""
    return canon.encode(to_plain(policy)).decode()


def read_policy(form: Form, text: str) -> Policy:
    """This will read the canonical JSON of a policy."""
    return from_plain(KINDS[form], canon.decode(text.encode()))


def parse_policy(form: Form, plain: object) -> Policy:
    """This will read a policy somebody wrote as plain data; raises BadPolicy."""
    try:
        return from_plain(KINDS[form], plain)
    except (errors.LingquError, TypeError, ValueError, KeyError, AttributeError):
        raise BadPolicy(part="policy") from None


def normalize(text: str) -> str:
    """This will give a key or a value as it is compared: NFKC, without blanks around it."""
    return unicodedata.normalize("NFKC", text).strip()


def find_columns(policy: Policy) -> tuple[tuple[str, str], ...]:
    """This will list every column a policy reads, as (resource, column), each once, sorted."""
    return tuple(sorted(set(_columns(policy))))


def _columns(policy: Policy) -> Iterator[tuple[str, str]]:
    if isinstance(policy, CountPolicy):
        for column in (policy.entity, *policy.dimensions):
            yield policy.resource, column
    elif isinstance(policy, OpenFilePolicy):
        for column in policy.columns:
            yield policy.resource, column
    elif isinstance(policy, QueryPolicy):
        yield from find_query_columns(policy)
    else:
        for predicate in policy.predicates:
            for relation in (*predicate.yes, *predicate.once):
                yield relation.resource, relation.key
                if relation.value is not None:
                    yield relation.resource, relation.value
            for shown in predicate.evidence:
                for column in (shown.key, *shown.columns):
                    yield shown.resource, column


def check_policy(form: Form, policy: Policy) -> None:
    """This will refuse a policy that is not of the form or not well formed. Raises BadPolicy."""
    if not isinstance(policy, KINDS[form]):
        raise BadPolicy(part="form")
    names = [name for pair in find_columns(policy) for name in pair]
    if not names or any(not _is_name(name) for name in names):
        raise BadPolicy(part="columns")
    if isinstance(policy, VerificationPolicy):
        _check_verification(policy)
    elif isinstance(policy, CountPolicy):
        _check_count(policy)
    elif isinstance(policy, QueryPolicy):
        if (part := find_fault(policy)) is not None:
            raise BadPolicy(part=part)
    elif len(set(policy.columns)) != len(policy.columns):
        raise BadPolicy(part="columns")


def _check_verification(policy: VerificationPolicy) -> None:
    shape, limit, sample = policy.subject, policy.enumeration, policy.sample
    if not 0 < shape.shortest <= shape.longest <= SUBJECT_LONGEST:
        raise BadPolicy(part="subject")
    names = [one.name for one in policy.predicates]
    if not 0 < len(names) <= PREDICATES_MAX or len(set(names)) != len(names):
        raise BadPolicy(part="predicates")
    for predicate in policy.predicates:
        _check_predicate(predicate)
    if limit is not None and not (0 < limit.values <= VALUES_MAX and 0 < limit.days <= 3650):
        raise BadPolicy(part="enumeration")
    if sample is not None and not 1 < sample.least <= sample.most <= sample.altogether <= 100_000:
        raise BadPolicy(part="sample")


def _check_predicate(predicate: Predicate) -> None:
    relations = (*predicate.yes, *predicate.once)
    if not _is_name(predicate.name) or not predicate.yes or len(relations) > RELATIONS_MAX:
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


def _check_count(policy: CountPolicy) -> None:
    dimensions = policy.dimensions
    if not 0 < len(dimensions) <= DIMENSIONS_MAX or len({*dimensions, policy.entity}) != 1 + len(
        dimensions
    ):
        raise BadPolicy(part="dimensions")
    if policy.merged not in dimensions:
        raise BadPolicy(part="merged")
    if not THRESHOLD_LEAST <= policy.threshold <= 10_000:
        raise BadPolicy(part="threshold")
    if not 1 <= policy.rounding <= policy.threshold:
        raise BadPolicy(part="rounding")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= NAME_MAX and text.isprintable() and text == text.strip()
