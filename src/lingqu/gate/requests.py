# SPDX-License-Identifier: Apache-2.0
"""What is asked of the gate and what it answers, as values: requests, answers, metered calls."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from lingqu import rights, trust
from lingqu.gate.policies import Answer
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One subject to ask about, with the value to compare where the predicate takes one."""

    key: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    subjects: tuple[Subject, ...] = ()
    predicate: str = ""
    territory: str = ""
    query: str = ""
    mode: str = ""
    rho: int = 0

    def digest(self) -> str:
        """This will give what tells this request from another under the same call id."""
        told = (
            self.grant, self.product, self.purpose, self.predicate, self.territory,
            [(one.key, one.value) for one in self.subjects],
            *((self.query, self.mode, self.rho) if self.query else ()),
        )  # fmt: skip
        return hashlib.sha256(_encode(told).encode()).hexdigest()


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectAnswer:
    """The answer about one subject, in the order of the request; `evidence` rows of `once`."""

    answer: Answer
    evidence: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
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

    `hits` are yes and once, `misses` no and unknown, of which `unknowns` were told apart. `outcome`
    is the answer about a single subject, `mixed` of several, `counted`, or `refused` with the code
    of the `refusal` and its article; a refused call used no unit.
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
