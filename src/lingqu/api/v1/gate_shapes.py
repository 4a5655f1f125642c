# SPDX-License-Identifier: Apache-2.0
"""What travels over the API for the gate: shapes of JSON, and how values become them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from lingqu import gate, rights
from lingqu.gate import lists, underway
from lingqu.kernel import canon
from lingqu.kernel.time import format_instant

FormName = Literal["verification", "count", "open_file", "query"]
AnswerName = Literal["yes", "no", "once", "unknown", "band", "several"]


class DefineProduct(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new product under an id the caller made (`prd_...`); `policy` is of the form."""

    product: str
    grant: str
    form: FormName
    title: str
    summary: str
    policy: dict[str, Any]
    territory: str = "china"
    currency: str = gate.CALL


class ReviseProduct(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Another policy of the product's form."""

    policy: dict[str, Any]


class ProductView(msgspec.Struct, kw_only=True):
    """A product with its policy; `snapshot` is null until the first was published."""

    id: str
    grant: str
    owner: str
    form: FormName
    title: str
    summary: str
    territory: str
    currency: str
    level: int
    policy: dict[str, Any]
    edition: int
    snapshot: str | None
    defined_at: str
    withdrawn_at: str | None
    version: int


class ProductPage(msgspec.Struct, kw_only=True):
    """Some products, and the cursor of the page after them (null: this was the last)."""

    items: list[ProductView]
    next: str | None


class SourceView(msgspec.Struct, kw_only=True):
    """Which version of a resource's table a snapshot was built from."""

    resource: str
    version: int
    as_of: str


class SnapshotView(msgspec.Struct, kw_only=True):
    """A snapshot a product answers or answered from."""

    id: str
    product: str
    edition: int
    digest: str
    bytes: int
    records: int
    skipped: int
    sources: list[SourceView]
    as_of: str
    published_at: str


class BeginBuild(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The work a snapshot is built by, under an id the caller made (`wrk_...`)."""

    work: str


class SnapshotList(msgspec.Struct, kw_only=True):
    """The snapshots of a product, newest first."""

    items: list[SnapshotView]


class SubjectShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A subject by its key, with the value to compare where the predicate takes one.

    Where several predicates are combined, `values` gives the value of each that takes one.
    """

    key: Annotated[str, msgspec.Meta(max_length=200)]
    value: Annotated[str, msgspec.Meta(max_length=200)] = ""
    values: dict[str, Annotated[str, msgspec.Meta(max_length=200)]] = {}


class CallShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A call under an id the caller made (`cal_...`); a count names no subjects."""

    call: str
    grant: str
    product: str
    purpose: Annotated[str, msgspec.Meta(max_length=60)]
    subjects: Annotated[list[SubjectShape], msgspec.Meta(max_length=gate.SUBJECTS_MOST)] = []
    predicate: Annotated[str, msgspec.Meta(max_length=128)] = ""
    territory: Annotated[str, msgspec.Meta(max_length=60)] = ""


class QueryShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A governed query under an id the caller made; `rho` is the budget it may cost under noise."""

    call: str
    grant: str
    product: str
    purpose: Annotated[str, msgspec.Meta(max_length=60)]
    query: Annotated[str, msgspec.Meta(min_length=1, max_length=100_000)]
    mode: Literal["", "cube", "ad_hoc", "dp"] = ""
    rho: Annotated[int, msgspec.Meta(ge=0, le=10**12)] = 0
    territory: Annotated[str, msgspec.Meta(max_length=60)] = ""


class StoppedView(msgspec.Struct, kw_only=True):
    """Whether a query was running here and was stopped."""

    stopped: bool


class StandingView(msgspec.Struct, kw_only=True):
    """A query under way; `place` is its place among those that wait, from 1, 0 once it runs.

    `code` and `article` say why it was refused; the answer of one that was answered is fetched.
    """

    call: str
    stage: Literal["waiting", "running", "answered", "refused"]
    place: int
    percent: int
    elapsed_ms: int
    code: str | None
    article: str | None


class PartAnswerView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one of several predicates says; `band` names the band it lies in."""

    predicate: str
    answer: AnswerName
    band: str = ""


class SubjectAnswerView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The answer about one subject, in the order of the request.

    `band` names the band the fact lies in, `parts` are the answers of several predicates.
    """

    answer: AnswerName
    evidence: list[dict[str, str]]
    band: str = ""
    parts: list[PartAnswerView] = []


class ReceiptView(msgspec.Struct, kw_only=True):
    """What proves a call later: the batch it was metered in, and its digest there."""

    batch: str
    digest: str


class AnswerView(msgspec.Struct, kw_only=True):
    """An answer whose metering is durable; `released` holds the counts of a count."""

    call: str
    grant: str
    product: str
    snapshot: str
    as_of: str
    answers: list[SubjectAnswerView]
    released: dict[str, Any] | None
    units: int
    receipt: ReceiptView
    repeated: bool


class RuleView(msgspec.Struct, kw_only=True):
    """What one rule says of a call; `code` and `article` where it refuses."""

    rule: str
    passed: bool
    code: str | None
    article: str | None


class ExplanationView(msgspec.Struct, kw_only=True):
    """A decision with every rule considered, and the versions it rests on."""

    allowed: bool
    code: str | None
    article: str | None
    units: int
    edition: int
    rules: str
    considered: list[RuleView]


class MeteredCallView(msgspec.Struct, kw_only=True):
    """One metered call; `outcome` is an answer, `mixed`, `counted` or `refused`."""

    call: str
    batch: str
    grant: str
    product: str
    holder: str
    account: str
    purpose: str
    at: str
    subjects: int
    hits: int
    misses: int
    unknowns: int
    outcome: str
    refusal: str | None
    article: str | None
    units: int
    digest: str


class CallPage(msgspec.Struct, kw_only=True):
    """Some metered calls, and the cursor of the page after them (null: this was the last)."""

    items: list[MeteredCallView]
    next: str | None


_grant_of = functools.lru_cache(maxsize=10_000)(rights.GrantId)
_product_of = functools.lru_cache(maxsize=10_000)(gate.ProductId)
"""The same few are named again and again."""


def read_call(data: CallShape) -> gate.CallRequest:
    """This will read a call; raises BadId."""
    return gate.CallRequest(
        call=gate.CallId(data.call),
        grant=_grant_of(data.grant),
        product=_product_of(data.product),
        purpose=data.purpose,
        subjects=data.subjects,
        predicate=data.predicate,
        territory=data.territory,
    )


def read_query(data: QueryShape) -> gate.CallRequest:
    """This will read a query; raises BadId."""
    return gate.CallRequest(
        call=gate.CallId(data.call),
        grant=rights.GrantId(data.grant),
        product=gate.ProductId(data.product),
        purpose=data.purpose,
        territory=data.territory,
        query=data.query,
        mode=data.mode,
        rho=data.rho,
    )


def product_view(one: gate.Product) -> ProductView:
    """This will show a product."""
    gone = one.withdrawn_at
    return ProductView(
        id=one.id,
        grant=one.grant_id,
        owner=one.owner,
        form=one.form.value,
        title=one.title,
        summary=one.summary,
        territory=one.territory,
        currency=one.currency,
        level=one.level,
        policy=canon.decode(one.policy),
        edition=one.edition,
        snapshot=one.snapshot,
        defined_at=format_instant(one.defined_at),
        withdrawn_at=None if gone is None else format_instant(gone),
        version=one.version,
    )


def snapshot_view(one: gate.Snapshot) -> SnapshotView:
    """This will show a snapshot."""
    sources = [
        SourceView(
            resource=source.resource, version=source.version, as_of=format_instant(source.as_of)
        )
        for source in gate.read_sources(one)
    ]
    return SnapshotView(
        id=one.id,
        product=one.product,
        edition=one.edition,
        digest=one.digest,
        bytes=one.bytes,
        records=one.records,
        skipped=one.skipped,
        sources=sources,
        as_of=format_instant(one.as_of),
        published_at=format_instant(one.published_at),
    )


_written = functools.lru_cache(maxsize=1_000)(format_instant)
"""Many answers come from one snapshot."""


def answer_view(one: gate.CallAnswer) -> AnswerView:
    """This will show an answer with its receipt."""
    return AnswerView(
        call=one.call,
        grant=one.grant,
        product=one.product,
        snapshot=one.snapshot,
        as_of=_written(one.as_of),
        answers=[
            SubjectAnswerView(
                answer=answer.answer.value,
                evidence=list(answer.evidence),
                band=answer.band,
                parts=[
                    PartAnswerView(
                        predicate=part.predicate, answer=part.answer.value, band=part.band
                    )
                    for part in answer.parts
                ],
            )
            for answer in one.answers
        ],
        released=one.released,
        units=one.units,
        receipt=ReceiptView(batch=one.batch, digest=one.digest),
        repeated=one.repeated,
    )


def standing_view(one: underway.Standing) -> StandingView:
    """This will show how a query under way stands."""
    return StandingView(
        call=one.call,
        stage=one.stage.value,
        place=one.place,
        percent=one.percent,
        elapsed_ms=one.elapsed_ms,
        code=None if one.refusal is None else one.refusal.code,
        article=None if one.refusal is None else one.refusal.article,
    )


def answer_lines(one: gate.CallAnswer) -> Iterator[bytes]:
    """This will write an answer line by line: its head without rows, then each row as a list."""
    head = answer_view(one)
    released = head.released or {}
    head.released = {name: told for name, told in released.items() if name != "rows"}
    yield _encoder.encode(head) + b"\n"
    for row in released.get("rows", ()):
        yield _encoder.encode(row) + b"\n"


_encoder = msgspec.json.Encoder(enc_hook=str)
"""Ids are texts of their own classes."""
_PLAIN = {
    one: f'{{"answer":"{one.value}","evidence":[]}}'
    for one in (gate.Answer.YES, gate.Answer.NO, gate.Answer.UNKNOWN)
}


def write_answer(one: gate.CallAnswer) -> bytes:
    """This will write an answer with its receipt as JSON; one that says only yes or no, at once."""
    if one.released is not None or any(answer.answer not in _PLAIN for answer in one.answers):
        return _encoder.encode(answer_view(one))
    answers = ",".join([_PLAIN[answer.answer] for answer in one.answers])
    repeated = "true" if one.repeated else "false"
    return (
        f'{{"call":"{one.call}","grant":"{one.grant}","product":"{one.product}",'
        f'"snapshot":"{one.snapshot}","as_of":"{_written(one.as_of)}","answers":[{answers}],'
        f'"released":null,"units":{one.units},"receipt":{{"batch":"{one.batch}",'
        f'"digest":"{one.digest}"}},"repeated":{repeated}}}'
    ).encode()


def explanation_view(told: gate.Explained) -> ExplanationView:
    """This will show an explanation."""
    return ExplanationView(
        allowed=told.allowed,
        code=told.code,
        article=told.article,
        units=told.units,
        edition=told.edition,
        rules=told.rules,
        considered=[
            RuleView(rule=one.rule, passed=one.passed, code=one.code, article=one.article)
            for one in told.considered
        ],
    )


def metered_view(one: gate.MeteredCall) -> MeteredCallView:
    """This will show a metered call."""
    return MeteredCallView(
        call=one.call,
        batch=one.batch,
        grant=one.grant,
        product=one.product,
        holder=one.holder,
        account=one.account,
        purpose=one.purpose,
        at=format_instant(one.at),
        subjects=one.subjects,
        hits=one.hits,
        misses=one.misses,
        unknowns=one.unknowns,
        outcome=one.outcome,
        refusal=one.refusal,
        article=one.article,
        units=one.units,
        digest=one.digest,
    )


class SubmitFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A table of subjects under an id the caller made (`gfj_...`); `content` is Base64."""

    job: str
    grant: str
    product: str
    purpose: Annotated[str, msgspec.Meta(max_length=60)]
    key_column: Annotated[str, msgspec.Meta(max_length=128)]
    content: str
    value_column: Annotated[str, msgspec.Meta(max_length=128)] = ""
    predicate: Annotated[str, msgspec.Meta(max_length=128)] = ""


class FileJobView(msgspec.Struct, kw_only=True):
    """How far a file is; `refusal` is the code of one that was refused.

    `rows` counts what was answered; while it waits, `answered` of `listed` rows are.
    """

    id: str
    grant: str
    product: str
    holder: str
    purpose: str
    predicate: str
    format: Literal["csv", "xlsx"]
    state: Literal["waiting", "done", "refused", "cancelled"]
    rows: int
    listed: int
    answered: int
    refusal: str | None
    submitted_at: str
    ended_at: str | None


class FileJobPage(msgspec.Struct, kw_only=True):
    """Some file jobs, and the cursor of the page after them (null: this was the last)."""

    items: list[FileJobView]
    next: str | None


class SampleRowShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One row of a sample; `truth` is the answer the caller holds to be true."""

    key: Annotated[str, msgspec.Meta(max_length=200)]
    value: Annotated[str, msgspec.Meta(max_length=200)] = ""
    truth: AnswerName | None = None


class TrySample(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Rows of a party's own to try a product on, free of charge."""

    party: str
    purpose: Annotated[str, msgspec.Meta(max_length=60)]
    rows: Annotated[list[SampleRowShape], msgspec.Meta(max_length=gate.SUBJECTS_MOST)]
    predicate: Annotated[str, msgspec.Meta(max_length=128)] = ""


class SampleView(msgspec.Struct, kw_only=True):
    """How good a product is for the rows, in whole percents; `accuracy` null without truths."""

    id: str
    product: str
    party: str
    snapshot: str
    rows: int
    hit_rate: int
    accuracy: int | None
    as_of: str
    tried_at: str


class Reconcile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A list to compare with a body's own table; `content` is Base64 of CSV or a workbook."""

    resource: str
    key: Annotated[str, msgspec.Meta(max_length=128)]
    value: Annotated[str, msgspec.Meta(max_length=128)]
    content: str


class ChangedPairView(msgspec.Struct, kw_only=True):
    """So many common keys had `theirs` in the list and have `ours` in the table."""

    theirs: str
    ours: str
    count: int


class ReconciledView(msgspec.Struct, kw_only=True):
    """The provider's own reckoning, labelled so by `side`."""

    side: Literal["provider_side"]
    resource: str
    listed: int
    common: int
    changed: int
    pairs: list[ChangedPairView]
    as_of: str


def file_view(one: lists.FileJob, progress: lists.FileProgress | None = None) -> FileJobView:
    """This will show a file job and how far it is."""
    told = progress or lists.FileProgress()
    return FileJobView(
        id=one.id,
        grant=one.grant_id,
        product=one.product,
        holder=one.holder,
        purpose=one.purpose,
        predicate=one.predicate,
        format=one.format.value,
        state=one.state.value,
        rows=one.rows,
        listed=told.rows,
        answered=told.answered,
        refusal=one.refusal,
        submitted_at=format_instant(one.submitted_at),
        ended_at=None if one.ended_at is None else format_instant(one.ended_at),
    )


def read_sample_rows(rows: list[SampleRowShape]) -> tuple[lists.SampleRow, ...]:
    """This will read the rows of a sample."""
    return tuple(
        lists.SampleRow(
            subject=gate.Subject(key=one.key, value=one.value),
            truth=None if one.truth is None else gate.Answer(one.truth),
        )
        for one in rows
    )


def sample_view(one: lists.Sampled) -> SampleView:
    """This will show a sample."""
    return SampleView(
        id=one.id,
        product=one.product,
        party=one.party,
        snapshot=one.snapshot,
        rows=one.rows,
        hit_rate=one.hit_rate,
        accuracy=one.accuracy,
        as_of=format_instant(one.as_of),
        tried_at=format_instant(one.tried_at),
    )


def reconciled_view(found: lists.Reconciled) -> ReconciledView:
    """This will show a reconciliation."""
    return ReconciledView(
        side="provider_side",
        resource=found.resource,
        listed=found.listed,
        common=found.common,
        changed=found.changed,
        pairs=[
            ChangedPairView(theirs=one.theirs, ours=one.ours, count=one.count)
            for one in found.pairs
        ],
        as_of=format_instant(found.as_of),
    )
