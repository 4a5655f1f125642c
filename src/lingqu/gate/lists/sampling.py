# SPDX-License-Identifier: Apache-2.0
"""试用 free samples: how good a product is for somebody's own rows, before any contract.

Whoever is signed in for a party hands in rows of its own, with what it holds to be true; it learns
how many of them the data knows, how many answers agree, and how recent the data is, in whole
percents, and no single answer. How much a party may try of a product is declared and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lingqu import rights, trust
from lingqu.gate.decisions import USAGE_CONTROL, BadSubjects, NotPublished, PredicateUnknown
from lingqu.gate.lists.filing import read_listed
from lingqu.gate.predicates import (
    Answer,
    Asked,
    Question,
    Subject,
    VerificationPolicy,
    normalize,
)
from lingqu.gate.products import (
    ACTIONS,
    ENVIRONMENT,
    ProductId,
    ProductNotFound,
    SnapshotId,
    fields_of,
    lock_product,
)
from lingqu.gate.shelf import Ready, Shelf
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime import Caller, Database, Tx
from lingqu.trust import holds

PERCENT = 100


class SampleId(Id):
    """The id of one free sample."""

    prefix = "smp"


class NoSample(errors.Conflict):
    """The product offers no free sample."""

    code = "gate.sample.none"


class BadSample(errors.Rejected):
    """A sample has as many different subjects as the policy declares."""

    code = "gate.sample.bad"


class BadTruth(errors.Rejected):
    """The column of truths holds something that is no answer."""

    code = "gate.sample.bad_truth"


class SampleSpent(errors.Conflict):
    """The party has tried as much of the product as is free."""

    code = "gate.sample.spent"
    article = USAGE_CONTROL


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One row of a sample: a subject, with the answer the caller holds to be true, if it does."""

    subject: Subject
    truth: Answer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A free sample that was tried: percents of rows the data knows, and of answers that agree.

    `accuracy` is None where no truth was given.
    """

    id: SampleId
    product: ProductId
    party: trust.PartyId
    account: trust.AccountId
    snapshot: SnapshotId
    rows: int
    hit_rate: int
    accuracy: int | None
    as_of: Instant
    tried_at: Instant
    version: int = 1


SAMPLES = trust.Table("gate.sample", Sampled)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTried(trust.Fact):
    """A party tried a product on rows of its own, free of charge."""

    kind = "gate.sample.tried"
    sample: SampleId
    product: ProductId
    party: trust.PartyId
    rows: int


@trust.command("gate.sample.record", internal=True)
def record_sample(
    tx: Tx,
    *,
    sample: SampleId,
    product: ProductId,
    party: trust.PartyId,
    snapshot: SnapshotId,
    rows: int,
    hit_rate: int,
    accuracy: int | None,
    as_of: Instant,
    altogether: int,
    use: rights.Use,
) -> Sampled:
    """This will count a sample against what is free for the party.

    Raises ProductNotFound, ProductWithdrawn, SampleSpent, IdTaken, and what refuses the use under
    the product's own grant.
    """
    held = lock_product(tx, product)
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=party)
    holds.refuse_held(tx, subjects=(product, party))
    verdict = rights.judge_use(tx, grant=held.grant_id, use=use)
    if not verdict.permitted:
        raise rights.refusal_of(held.grant_id, verdict)
    before: int = tx.one(_TRIED, (product, party))["rows"]
    if before + rows > altogether:
        raise SampleSpent(product=product, left=max(0, altogether - before))
    made = Sampled(
        id=sample,
        product=product,
        party=party,
        account=trust.AccountId(str(tx.caller.account)),
        snapshot=snapshot,
        rows=rows,
        hit_rate=hit_rate,
        accuracy=accuracy,
        as_of=as_of,
        tried_at=tx.now,
    )
    SAMPLES.insert(tx, made)
    trust.record(tx, SampleTried(sample=sample, product=product, party=party, rows=rows))
    return made


def find_samples(tx: Tx, *, product: ProductId, party: trust.PartyId) -> tuple[Sampled, ...]:
    """This will list what a party learnt of a product by free samples, newest first.

    Raises AccessDenied.
    """
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=party):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.GRANT.value)
    return SAMPLES.find(
        tx, "WHERE product = %s AND party = %s ORDER BY id DESC LIMIT 50", (product, party)
    )


_TRIED = """
    SELECT coalesce(sum(rows), 0)::bigint AS rows FROM gate.sample
    WHERE product = %s AND party = %s
"""


def try_sample(
    database: Database,
    shelf: Shelf,
    caller: Caller,
    command: trust.CommandId,
    *,
    product: ProductId,
    party: trust.PartyId,
    purpose: str,
    predicate: str,
    rows: Sequence[SampleRow],
) -> Sampled:
    """This will try a product on rows of a party's own and say how good it is for them.

    The sample's id is the command's in another form. Raises ProductNotFound, NotPublished,
    NoSample, PredicateUnknown, BadSubjects and what `record_sample` refuses.
    """
    with database.reading(caller) as tx:
        ready = shelf.products(tx, (product,)).get(product)
    if ready is None:
        raise ProductNotFound(id=product)
    found, policy = _check(ready, predicate, rows)
    assert ready.snapshot is not None, "it is published"
    assert policy.sample is not None, "it has a sample"
    answerer, asked = ready.answerer(found), _read(ready, found, rows)
    known = sum(map(answerer.knows, asked))
    answers = [one.answer for one in answerer.answer(asked)]
    told = [said for said, one in zip(answers, rows, strict=True) if one.truth is not None]
    truths = [one.truth for one in rows if one.truth is not None]
    agreed = sum(_agree(said, truth) for said, truth in zip(told, truths, strict=True))
    return trust.execute(
        database,
        record_sample,
        caller,
        command,
        sample=SampleId.of(command.uuid),
        product=product,
        party=party,
        snapshot=ready.snapshot.id,
        rows=len(rows),
        hit_rate=_percent(known, len(rows)),
        accuracy=_percent(agreed, len(truths)) if len(truths) >= policy.sample.least else None,
        as_of=ready.snapshot.as_of,
        altogether=policy.sample.altogether,
        use=use_of_sample(ready, purpose, party),
    )


def read_sample(
    content: bytes, *, key: str, value: str = "", truth: str = ""
) -> tuple[SampleRow, ...]:
    """This will read a sample from a CSV table; the truths are answers or 是, 否, 曾经是, 未知.

    Raises BadTruth and what tables refuse.
    """
    subjects = read_listed(content, key=key, value=value)
    if not truth:
        return tuple(SampleRow(subject=one) for one in subjects)
    told = read_listed(content, key=truth)
    rows = []
    for place, (subject, said) in enumerate(zip(subjects, told, strict=True)):
        if said.key and said.key not in _TRUTHS:
            raise BadTruth(row=place + 1)
        rows.append(SampleRow(subject=subject, truth=_TRUTHS.get(said.key)))
    return tuple(rows)


_TRUTHS = {
    **{one.value: one for one in Answer},
    "是": Answer.YES, "否": Answer.NO, "曾经是": Answer.ONCE, "未知": Answer.UNKNOWN,
}  # fmt: skip


def use_of_sample(ready: Ready, purpose: str, party: trust.PartyId) -> rights.Use:
    """This will say what a sample does, in the words of the terms of grants."""
    product = ready.product
    return rights.Use(
        purpose=purpose,
        action=ACTIONS[product.form],
        territory=product.territory,
        environment=ENVIRONMENT,
        recipient=party,
        fields=fields_of(ready.policy),
        level=product.level,
    )


def _check(
    ready: Ready, name: str, rows: Sequence[SampleRow]
) -> tuple[Question, VerificationPolicy]:
    policy = ready.policy
    if ready.file is None:
        raise NotPublished(product=ready.product.id)
    if not isinstance(policy, VerificationPolicy) or policy.sample is None:
        raise NoSample(product=ready.product.id)
    question = ready.question(name)
    if question is None:
        raise PredicateUnknown(predicate=name[:40])
    different = {normalize(one.subject.key) for one in rows}
    if not policy.sample.least <= len(different) == len(rows) <= policy.sample.most:
        raise BadSample(least=policy.sample.least, most=policy.sample.most)
    return question, policy


def _read(ready: Ready, question: Question, rows: Sequence[SampleRow]) -> list[Asked]:
    asked, bad_row = ready.read(question, [one.subject for one in rows])
    if bad_row:
        raise BadSubjects(row=bad_row)
    return asked


def _agree(said: Answer, truth: Answer) -> bool:
    """No and unknown are alike to somebody who says that it is not so."""
    misses = {Answer.NO, Answer.UNKNOWN}
    return said is truth or {said, truth} <= misses


def _percent(part: int, whole: int) -> int:
    return part * PERCENT // whole
