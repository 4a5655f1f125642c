# SPDX-License-Identifier: Apache-2.0
"""What the gate holds ready to answer from: products with their open snapshots, and grants.

A product is read again as soon as its row has another version; its snapshot is then the newly
published one, while whoever still answers from the one before keeps it open until done.
"""

from __future__ import annotations

import csv
import io
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lingqu import rights, trust
from lingqu.gate.answering import Answerer
from lingqu.gate.decisions import NotPublished, ProductHeld, use_of
from lingqu.gate.packing import VALUE_BYTES, PackedFile, keyed_hash
from lingqu.gate.policies import Form, Policy
from lingqu.gate.predicates import Asked, Enumeration, Named, Question, VerificationPolicy
from lingqu.gate.products import (
    PRODUCTS,
    Product,
    ProductId,
    ProductNotFound,
    ProductWithdrawn,
    policy_of,
)
from lingqu.gate.requests import CallRequest
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
QUESTIONS_MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A product with what it answers from; `file` is None before the first snapshot."""

    product: Product
    policy: Policy
    snapshot: Snapshot | None
    file: PackedFile | None
    key: bytes
    uses: dict[tuple[str, str, str], rights.Use] = field(default_factory=dict)
    questions: dict[str, Question | None] = field(default_factory=dict)
    answerers: dict[str, Answerer] = field(default_factory=dict)

    def use(self, request: CallRequest, holder: str) -> rights.Use:
        """This will say what a request does, in the words of the terms of grants."""
        name = (request.purpose, request.territory, holder)
        known = self.uses.get(name)
        if known is None:
            if len(self.uses) >= USES_MOST:
                self.uses.clear()
            known = self.uses[name] = use_of(request, self.product, self.policy, holder)
        return known

    def question(self, name: str) -> Question | None:
        """This will give what a call under that name asks, None where nothing is called so."""
        if name in self.questions:
            return self.questions[name]
        found = self.policy.question(name) if isinstance(self.policy, VerificationPolicy) else None
        if len(self.questions) < QUESTIONS_MOST:
            self.questions[name] = found
        return found

    def read(self, question: Question, subjects: Sequence[Named]) -> tuple[list[Asked], int]:
        """This will read subjects as a question reads them, and give the first bad row, or 0."""
        assert isinstance(self.policy, VerificationPolicy), "only verifications name subjects"
        return question.read(self.policy.subject, subjects)

    def answerer(self, question: Question) -> Answerer:
        """This will give what answers a question from the snapshot."""
        known = self.answerers.get(question.name)
        if known is None:
            assert isinstance(self.policy, VerificationPolicy), "only verifications name subjects"
            assert self.file is not None, "the product is published"
            known = self.answerers[question.name] = Answerer(
                question, self.file, self.key, tells_unknown=self.policy.tells_unknown
            )
        return known

    @property
    def limit(self) -> Enumeration | None:
        """How much may be asked about a subject and by a caller, where that is limited."""
        is_limited = isinstance(self.policy, VerificationPolicy) and self.file is not None
        return self.policy.enumeration if is_limited else None  # type: ignore[union-attr]  # just seen

    @property
    def is_personal(self) -> bool:
        """Whether each subject is a person whose consent is needed."""
        policy = self.policy
        return isinstance(policy, VerificationPolicy) and policy.personal and self.file is not None

    def released(self) -> dict[str, Any]:
        """This will give the published counts."""
        assert self.file is not None, "the product is published"
        found: dict[str, Any] = self.file.about["released"]
        return found


def subject_name(key: bytes, subject: str) -> bytes:
    """This will give the hash under which a product keeps what was asked about a subject."""
    return keyed_hash(key, subject)


def question_name(key: bytes, question: Question, asked: Asked) -> bytes:
    """This will give the hash of what is asked about a subject: the value, or else the question."""
    subject, values = asked
    (part, *others) = question.parts
    if question.how is None and part.measure is None and not others and values[0]:
        return keyed_hash(key, f"{subject}\0{values[0]}")[:VALUE_BYTES]
    # A bound written in two ways is one question.
    places = (
        value if part.measure is None else str(part.measure.place_of(value))
        for part, value in zip(question.parts, values, strict=True)
    )
    told = "\0".join((subject, "", question.name, *places))
    return keyed_hash(key, told)[:VALUE_BYTES]


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

    def ready(self, tx: Tx, product: ProductId) -> Ready:
        """This will give a product that is published. Raises ProductNotFound, NotPublished."""
        found = self.products(tx, (product,)).get(product)
        if found is None:
            raise ProductNotFound(id=product)
        if found.file is None:
            raise NotPublished(product=product)
        return found

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
