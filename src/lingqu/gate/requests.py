# SPDX-License-Identifier: Apache-2.0
"""What is asked of the gate and what it answers, as values: requests, answers, metered calls."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lingqu import rights, trust
from lingqu.gate.answering import SubjectAnswer
from lingqu.gate.predicates import Named
from lingqu.gate.products import ProductId, SnapshotId
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant

SUBJECTS_MOST = 10_000
"""Subjects of one request."""


class CallId(Id):
    """The id a caller makes for one call, unique under its grant: asking again is safe."""

    prefix = "cal"


class MeterBatchId(Id):
    """The id of the calls of one grant that were metered together."""

    prefix = "mtb"


@dataclass(slots=True, kw_only=True)  # a frozen one takes three times as long to make
class CallRequest:
    """One call under a buyer's grant. `subjects` is empty for a count and a query.

    `predicate` may be empty where the product has one; `territory` where it is the product's.
    `query` is the text of a governed query, `mode` how it is to be answered, `rho` the budget in
    millionths it may cost under noise.
    """

    call: CallId
    grant: rights.GrantId
    product: ProductId
    purpose: str
    subjects: Sequence[Named] = ()
    predicate: str = ""
    territory: str = ""
    query: str = ""
    mode: str = ""
    rho: int = 0

    def told(self) -> str:
        """This will write out what tells this request from another under the same call id."""
        subjects = self.subjects
        if any(map(_VALUES, subjects)):
            told = [self.told_head(), *map(told_subject, subjects)]
        else:
            both = zip(map(_KEY, subjects), map(_VALUE, subjects), strict=True)
            told = [f"{len(key)}:{key}{len(value)}:{value}" for key, value in both]
            told.insert(0, self.told_head())
        if self.query:
            told.append(_counted((self.query, self.mode, str(self.rho))))
        return "".join(told)

    def told_head(self) -> str:
        """This will write out the part of that which names no subject."""
        return _counted((
            self.grant, self.product, self.purpose, self.predicate, self.territory,
        ))  # fmt: skip


def told_subject(one: Named) -> str:
    """This will write out what a request says of one subject, as `CallRequest.told` does."""
    key, value = one.key, one.value
    told = f"{len(key)}:{key}{len(value)}:{value}"
    if not one.values:
        return told
    return told + _counted([
        cell for name in sorted(one.values) for cell in (f"={name}", one.values[name])
    ])  # fmt: skip


_KEY, _VALUE, _VALUES = map(operator.attrgetter, ("key", "value", "values"))


def _counted(cells: Sequence[str]) -> str:
    return "".join([f"{len(cell)}:{cell}" for cell in cells])


@dataclass(slots=True, kw_only=True)  # a frozen one takes three times as long to make
class CallAnswer:
    """An answer whose metering is durable. `batch` and `digest` are its receipt.

    `released` is the answer of a count or a query; `repeated` says that it was stored by an earlier
    call and not charged again.
    """

    call: CallId
    grant: rights.GrantId
    product: ProductId
    snapshot: SnapshotId
    as_of: Instant
    answers: tuple[SubjectAnswer, ...]
    released: dict[str, Any] | None
    units: int
    batch: MeterBatchId
    digest: str
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredCall:
    """One metered call, answered or refused.

    `hits` are yes, once and bands, and several answers with one of these; `misses` no and unknown,
    of which `unknowns` were told apart. `outcome` is the answer about a single subject, `mixed` of
    many, `counted`, or `refused` with the code of the `refusal` and its article; a refused call
    used no unit.
    """

    call: CallId
    batch: MeterBatchId
    grant: rights.GrantId
    product: ProductId
    holder: trust.PartyId
    account: trust.AccountId
    purpose: str
    at: Instant
    subjects: int
    hits: int
    misses: int
    unknowns: int
    outcome: str
    refusal: str | None
    article: str | None
    units: int
    digest: str
