# SPDX-License-Identifier: Apache-2.0
"""What the gate holds ready to answer from: products with their open snapshots, and grants.

A product is read again as soon as its row has another version; its snapshot is then the newly
published one, while whoever still answers from the one before keeps it open until done.
"""

from __future__ import annotations

import csv
import io
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lingqu import rights, trust
from lingqu.gate.decisions import NotPublished, ProductHeld, use_of
from lingqu.gate.packing import (
    ONCE,
    YES,
    PackedFile,
    holds_value,
    subject_hash,
    value_hash,
)
from lingqu.gate.policies import (
    Answer,
    Form,
    Matching,
    Policy,
    Predicate,
    VerificationPolicy,
    normalize,
)
from lingqu.gate.products import (
    PRODUCTS,
    Product,
    ProductId,
    ProductNotFound,
    ProductWithdrawn,
    policy_of,
)
from lingqu.gate.requests import CallRequest, Subject, SubjectAnswer
from lingqu.gate.snapshots import (
    Snapshot,
    find_sealed_key,
    get_snapshot,
    open_key,
    snapshot_policy,
)
from lingqu.runtime import Row, Tx
from lingqu.runtime.keys import Keyring
from lingqu.trust import holds

GRANTS_MOST = 50_000
USES_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A product with what it answers from; `file` is None before the first snapshot."""

    product: Product
    policy: Policy
    snapshot: Snapshot | None
    file: PackedFile | None
    key: bytes
    uses: dict[tuple[str, str, str], rights.Use] = field(default_factory=dict)

    def use(self, request: CallRequest, holder: str) -> rights.Use:
        """This will say what a request does, in the words of the terms of grants."""
        name = (request.purpose, request.territory, holder)
        known = self.uses.get(name)
        if known is None:
            if len(self.uses) >= USES_MOST:
                self.uses.clear()
            known = self.uses[name] = use_of(request, self.product, self.policy, holder)
        return known

    def subject(self, subject: Subject) -> bytes:
        """This will give the hash under which what was asked about a subject is kept."""
        return subject_hash(self.key, "", normalize(subject.key))

    def value(self, subject: Subject) -> bytes:
        """This will give the hash of a value asked about a subject."""
        return value_hash(self.key, normalize(subject.key), normalize(subject.value))

    def answer(self, request: CallRequest) -> tuple[SubjectAnswer, ...]:
        """This will answer a verification that was allowed."""
        assert isinstance(self.policy, VerificationPolicy), "only verifications name subjects"
        predicate = self.policy.predicate(request.predicate)
        assert predicate is not None, "the request was decided"
        unknown = _unknown(self.policy)
        return tuple(self._answer(predicate, one, unknown) for one in request.subjects)

    def tell(self, predicate: Predicate, subject: Subject, policy: VerificationPolicy) -> Answer:
        """This will give the answer about one subject of a sample."""
        return self._answer(predicate, subject, _unknown(policy)).answer

    def knows(self, predicate: Predicate, subject: Subject) -> bool:
        """This will say whether the data knows a subject at all."""
        assert self.file is not None, "the product is published"
        name = subject_hash(self.key, predicate.name, normalize(subject.key))
        return self.file.find(name) is not None

    def released(self) -> dict[str, Any]:
        """This will give the published counts."""
        assert self.file is not None, "the product is published"
        found: dict[str, Any] = self.file.about["released"]
        return found

    def _answer(self, predicate: Predicate, subject: Subject, unknown: Answer) -> SubjectAnswer:
        assert self.file is not None, "the product is published"
        key = normalize(subject.key)
        record = self.file.find(subject_hash(self.key, predicate.name, key))
        if record is None:
            return SubjectAnswer(answer=unknown)
        if predicate.takes_value:
            value = normalize(subject.value)
            wanted = self._values(predicate, key, value)
            holds = all(holds_value(record.yes, one) for one in wanted)
            held_once = not holds and all(holds_value(record.once, one) for one in wanted)
        else:
            holds, held_once = bool(record.flags & YES), bool(record.flags & ONCE)
        if holds:
            return SubjectAnswer(answer=Answer.YES)
        if not held_once:
            return SubjectAnswer(answer=Answer.NO)
        evidence = tuple(json.loads(record.evidence)) if record.evidence else ()
        return SubjectAnswer(answer=Answer.ONCE, evidence=evidence)

    def _values(self, predicate: Predicate, key: str, value: str) -> list[bytes]:
        """A given value that itself names several must be a member in each of its names."""
        if predicate.matching is Matching.EXACT:
            return [value_hash(self.key, key, value)]
        names = [normalize(one) for one in value.split(predicate.separator)]
        return [value_hash(self.key, key, one) for one in names if one] or [b""]


def _unknown(policy: VerificationPolicy) -> Answer:
    return Answer.UNKNOWN if policy.tells_unknown else Answer.NO


def read_open_file(tx: Tx, shelf: Shelf, product: ProductId) -> bytes:
    """This will give an open file as CSV, to anybody.

    Raises ProductNotFound, ProductWithdrawn, NotPublished, ProductHeld.
    """
    ready = shelf.products(tx, (product,)).get(product)
    if ready is None or ready.product.form is not Form.OPEN_FILE:
        raise ProductNotFound(id=product)
    if ready.product.withdrawn_at is not None:
        raise ProductWithdrawn(product=product)
    if ready.file is None:
        raise NotPublished(product=product)
    if holds.is_held(tx, subject=product):
        raise ProductHeld(product=product)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(ready.file.about["columns"])
    writer.writerows(ready.file.about["rows"])
    return ("\ufeff" + text.getvalue()).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """What never changes about a grant: its holder, and the grants it stands below."""

    holder: trust.PartyId
    above: frozenset[str]


class Shelf:
    """Products and grants read before, by id. One thread uses it."""

    def __init__(self, keyring: Keyring, folder: Path) -> None:
        """Hold nothing yet."""
        self.keyring = keyring
        self.folder = folder
        self._ready: dict[str, Ready] = {}
        self._stands: OrderedDict[str, Stand] = OrderedDict()

    def products(self, tx: Tx, wanted: Iterable[ProductId]) -> dict[str, Ready]:
        """This will give the wanted products as they stand now; unknown ones are left out."""
        return self.read(tx, tx.all(*ask_versions(wanted)))

    def read(self, tx: Tx, versions: Iterable[Row]) -> dict[str, Ready]:
        """This will give the products as they stand in these rows of `ask_versions`."""
        found: dict[str, Ready] = {}
        for row in versions:
            known = self._ready.get(row["id"])
            if known is None or known.product.version != row["version"]:
                known = self._ready[row["id"]] = self._read(tx, ProductId(row["id"]))
            found[row["id"]] = known
        return found

    def recall(self, product: ProductId) -> Ready | None:
        """This will give a product as it was last read, None where it was not."""
        return self._ready.get(product)

    def recall_stand(self, grant: rights.GrantId) -> Stand | None:
        """This will give what a grant stands on, None where it was not read before."""
        return self._stands.get(grant)

    def stand(self, tx: Tx, grant: rights.GrantId) -> Stand | None:
        """This will give what a grant stands on, None where there is no such grant."""
        known = self._stands.get(grant)
        if known is None:
            try:
                found = rights.get_grant(tx, grant)
            except rights.GrantNotFound:
                return None
            known = Stand(holder=found.holder, above=frozenset((*found.chain, *found.watched)))
            self._stands[grant] = known
            if len(self._stands) > GRANTS_MOST:
                self._stands.popitem(last=False)
        return known

    def _read(self, tx: Tx, product: ProductId) -> Ready:
        held = PRODUCTS.get(tx, product)
        if held.snapshot is None:
            return Ready(product=held, policy=policy_of(held), snapshot=None, file=None, key=b"")
        snapshot = get_snapshot(tx, held.snapshot)
        sealed = find_sealed_key(tx, product)
        assert sealed is not None, "a published product has its key"
        before = self._ready.get(product)
        if before is not None and before.snapshot == snapshot:
            file = before.file
        else:
            file = PackedFile.open(self.folder, snapshot.digest)
        return Ready(
            product=held,
            policy=snapshot_policy(held, snapshot),
            snapshot=snapshot,
            file=file,
            key=open_key(self.keyring, product, sealed),
        )


def ask_versions(wanted: Iterable[ProductId]) -> tuple[str, tuple[list[ProductId]]]:
    """This will give the question which versions the wanted products stand at."""
    return _VERSIONS, (sorted(set(wanted)),)


_VERSIONS = "SELECT id, version FROM gate.product WHERE id = ANY(%s)"
