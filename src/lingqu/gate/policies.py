# SPDX-License-Identifier: Apache-2.0
"""What a product may answer: closed, declared policies that its holders and buyers can read.

Nothing here is text that an engine would run. A verification names the columns a subject is looked
up in and the answers there are; a count names dimensions, an entity and a threshold; an open file
names its columns. From these alone the gate prints what it asks of the engine.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from lingqu.gate.governance import QueryPolicy, find_fault, find_query_columns
from lingqu.gate.predicates import (
    BadPolicy,
    VerificationPolicy,
    check_predicates,
    find_relations,
    is_name,
)
from lingqu.kernel import canon, errors
from lingqu.kernel.values import BadValue, Plain, from_plain, to_plain

VALUES_MAX = 255
DAYS_MAX = 3_650
CALLER_SUBJECTS_MAX = 1_000_000_000
DIMENSIONS_MAX = 2
THRESHOLD_LEAST = 2
SUBJECT_LONGEST = 200
PART_LONGEST = 120
WRITTEN = frozenset({"edges", "bounds", "values"})
"""Parts of a policy that list texts which people write as numbers."""
_WHOLE = re.compile(r"(0|-?[1-9][0-9]{0,30})\Z")


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
    """This will read a policy somebody wrote as plain data; raises BadPolicy.

    Whole numbers among edges, bounds and listed values are read as the text they are written by.
    """
    try:
        return from_plain(KINDS[form], _with_texts(plain))
    except BadValue as error:
        part = str(error.parameters["where"]).partition(".")[2]
        raise BadPolicy(part=part[:PART_LONGEST] or "policy") from None
    except (errors.LingquError, TypeError, ValueError, KeyError, AttributeError):
        raise BadPolicy(part="policy") from None


def _with_texts(plain: object, name: str = "") -> object:
    if isinstance(plain, dict):
        return {key: _with_texts(one, str(key)) for key, one in plain.items()}
    if isinstance(plain, list):
        is_texts = name in WRITTEN
        return [str(one) if is_texts and type(one) is int else _with_texts(one) for one in plain]
    return plain


def tell_policy(policy: Policy) -> dict[str, Plain]:
    """This will give a policy as plain data for people: without what is as it is by default.

    `parse_policy` reads it back to the same.
    """
    told = _without_defaults(policy)
    assert isinstance(told, dict), "a policy has parts"
    return told


def _without_defaults(value: object, name: str = "") -> Plain:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found: dict[str, Plain] = {}
        for one in dataclasses.fields(value):
            part = getattr(value, one.name)
            if part != one.default:
                found[one.name] = _without_defaults(part, one.name)
        return found
    if isinstance(value, tuple):
        return [
            int(one)
            if name in WRITTEN and isinstance(one, str) and _WHOLE.match(one)
            else _without_defaults(one)
            for one in value
        ]
    return to_plain(value)


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
        yield from find_relations(policy)


def check_policy(form: Form, policy: Policy) -> None:
    """This will refuse a policy that is not of the form or not well formed. Raises BadPolicy."""
    if not isinstance(policy, KINDS[form]):
        raise BadPolicy(part="form")
    names = [name for pair in find_columns(policy) for name in pair]
    if not names or any(not is_name(name) for name in names):
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
    check_predicates(policy)
    if limit is not None and not (
        0 < limit.values <= VALUES_MAX
        and 0 < limit.days <= DAYS_MAX
        and (limit.subjects is None or 0 < limit.subjects <= CALLER_SUBJECTS_MAX)
    ):
        raise BadPolicy(part="enumeration")
    if sample is not None and not 1 < sample.least <= sample.most <= sample.altogether <= 100_000:
        raise BadPolicy(part="sample")


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
