# SPDX-License-Identifier: Apache-2.0
"""What is kept of a decided call: its line in the meter, its digest, and its answer for a repeat.

The digest is keyed by the product, so that nobody finds a subject by trying, and stands for the
request and the answer at once: a repeated question about one subject is known by it, and needs no
answer stored beside the meter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lingqu.gate.answering import PLAIN, PartAnswer, SubjectAnswer
from lingqu.gate.lanes import Reply, Waiting
from lingqu.gate.metering import CALLS, CallsMetered, NewBatch, RefusedCount, UsedCall
from lingqu.gate.predicates import Answer
from lingqu.gate.requests import CallAnswer, CallRequest, MeterBatchId
from lingqu.gate.shelf import Ready, Stand
from lingqu.kernel import errors
from lingqu.kernel.time import Instant, format_instant
from lingqu.rights import quantities
from lingqu.runtime import new_id
from lingqu_verify import merkle


@dataclass(slots=True)
class Decided:
    """A call that was decided: its refusal, or its answers and what they cost."""

    waiting: Waiting
    stand: Stand
    ready: Ready
    refusal: errors.LingquError | None = None
    answers: tuple[SubjectAnswer, ...] = ()
    released: dict[str, Any] | None = None
    lease: quantities.LeaseId | None = None
    units: int = 0
    digest: str = ""


_LETTERS = {
    Answer.YES: "y", Answer.NO: "n", Answer.ONCE: "o", Answer.UNKNOWN: "u", Answer.BAND: "b",
    Answer.SEVERAL: "s",
}  # fmt: skip
_ANSWERS = {letter: answer for answer, letter in _LETTERS.items()}
_HITS = frozenset({Answer.YES, Answer.ONCE, Answer.BAND})
_YES, _NO = PLAIN[Answer.YES], PLAIN[Answer.NO]
_PLAIN_OUTCOMES = {one.value: (told,) for one, told in PLAIN.items()}


def is_hit(one: SubjectAnswer) -> bool:
    """This will say whether an answer counts as a hit: yes, once, a band, or a part that does."""
    return one.answer in _HITS or any(part.answer in _HITS for part in one.parts)


def is_plain(answers: Sequence[SubjectAnswer]) -> bool:
    """This will say whether the outcome of a call says all of its answer."""
    return len(answers) == 1 and answers[0].answer.value in _PLAIN_OUTCOMES


def digest_of(request: CallRequest, key: bytes, code: str, answers: Sequence[SubjectAnswer]) -> str:
    """This will give the digest of a call: of what was asked, under which id, and the answer."""
    letters = "".join([_LETTERS[one.answer] for one in answers])
    more = "".join([_told_beside(one) for one in answers if one.band or one.parts])
    told = f"{request.call}|{code}|{letters}|{more}|{request.told()}"
    return hashlib.blake2b(told.encode(), key=key[:64], digest_size=32).hexdigest()


def _told_beside(one: SubjectAnswer) -> str:
    parts = [f"{part.predicate}={_LETTERS[part.answer]}{part.band}" for part in one.parts]
    return f"{one.band};{','.join(parts)};"


def make_batch(
    group: Sequence[Decided], now: Instant
) -> tuple[NewBatch, tuple[str, ...], MeterBatchId]:
    """This will give the batch of one grant's calls to a product in a window, and its lines."""
    first, batch = group[0], new_id(MeterBatchId)
    at = format_instant(now)
    lines: list[str] = []
    leaves: list[bytes] = []
    refused: dict[str, int] = {}
    counts = dict.fromkeys(Answer, 0)
    for one in group:
        if one.refusal is None:
            line = _answered_line(one, at, counts)
            leaf = merkle.leaf_hash(f"[{line}]".encode())
        else:
            line, leaf = _refused_line(one, at)
            refused[one.refusal.code] = refused.get(one.refusal.code, 0) + 1
        lines.append(line)
        leaves.append(leaf)
    metered = CallsMetered(
        batch=CALLS.root(batch, leaves),
        grant=first.waiting.request.grant,
        product=first.ready.product.id,
        holder=first.stand.holder,
        answered=len(group) - sum(refused.values()),
        units=sum([one.units for one in group]),
        yes=counts[Answer.YES],
        no=counts[Answer.NO],
        once=counts[Answer.ONCE],
        unknown=counts[Answer.UNKNOWN],
        refused=tuple(RefusedCount(code=code, count=refused[code]) for code in sorted(refused)),
    )
    snapshot = first.ready.snapshot
    lease = next((one.lease for one in group if one.lease is not None), None)
    made = NewBatch(
        metered=metered, lease=lease, snapshot=None if snapshot is None else snapshot.id
    )
    return made, tuple(lines), batch


def _answered_line(one: Decided, at: str, counts: dict[Answer, int]) -> str:
    request, stand, ready = one.waiting.request, one.stand, one.ready
    answers = one.answers
    one.digest = digest_of(request, ready.key or request.call.encode(), "", answers)
    if len(answers) == 1:
        told = answers[0].answer
        outcome = told.value
    else:
        told, outcome = None, "counted" if one.released is not None else "mixed"
    hits = unknowns = 0
    for answer in answers:
        kind = answer.answer
        if kind in _HITS or (answer.parts and is_hit(answer)):
            hits += 1
            counts[Answer.ONCE if kind is Answer.ONCE else Answer.YES] += 1
        elif kind is Answer.UNKNOWN:
            unknowns += 1
            counts[kind] += 1
        else:
            counts[Answer.NO] += 1
    assert ready.snapshot is not None, "only published products answer"
    # Ids, known codes and figures: their JSON escapes nothing, so it is a line of CSV too.
    return (
        f'"{request.call}","{request.grant}","{request.product}","{stand.holder}",'
        f'"{one.waiting.asker.account}","{request.purpose}","{at}",{len(request.subjects)},{hits},'
        f'{len(answers) - hits},{unknowns},"{outcome}",null,null,"{one.lease}",{one.units},'
        f'"{ready.snapshot.id}","{one.digest}"'
    )


def _refused_line(one: Decided, at: str) -> tuple[str, bytes]:
    request, refusal = one.waiting.request, one.refusal
    assert refusal is not None, "answered calls have a line of their own"
    key = one.ready.key or request.call.encode()
    one.digest = digest_of(request, key, refusal.code, ())
    is_known = refusal.code != "gate.call.purpose_unknown"
    return CALLS.line((
        str(request.call), str(request.grant), str(request.product), str(one.stand.holder),
        str(one.waiting.asker.account), request.purpose if is_known else "", at,
        len(request.subjects), 0, 0, 0, "refused", refusal.code, refusal.article, None, 0,
        None if one.ready.snapshot is None else str(one.ready.snapshot.id), one.digest,
    ))  # fmt: skip


def answer_of(one: Decided, batch: MeterBatchId) -> CallAnswer:
    """This will give the answer of a call that was not refused."""
    request, snapshot = one.waiting.request, one.ready.snapshot
    assert snapshot is not None, "only published products answer"
    return CallAnswer(
        call=request.call,
        grant=request.grant,
        product=request.product,
        snapshot=snapshot.id,
        as_of=snapshot.as_of,
        answers=one.answers,
        released=one.released,
        units=one.units,
        batch=batch,
        digest=one.digest,
    )


def kept_reply(answer: CallAnswer) -> dict[str, str] | None:
    """This will give what is stored of an answer, None where the meter says all of it."""
    if is_plain(answer.answers) and answer.released is None:
        return None
    told: dict[str, object] = {
        "answers": "".join([_LETTERS[one.answer] for one in answer.answers]),
        "released": answer.released,
    }
    beside = {
        str(place): {
            "evidence": [*one.evidence],
            "band": one.band,
            "parts": [[part.predicate, _LETTERS[part.answer], part.band] for part in one.parts],
        }
        for place, one in enumerate(answer.answers)
        if one.evidence or one.band or one.parts
    }
    if beside:
        told["beside"] = beside
    return {
        "grant_id": answer.grant,
        "call": answer.call,
        "request": answer.digest,
        "answer": write_json(told),
    }


def stored_answer(used: UsedCall, request: CallRequest, ready: Ready) -> Reply | None:
    """This will give the answer a call got before, None where it was another request or is gone."""
    answers: tuple[SubjectAnswer, ...] | None
    released = None
    if used.answer is not None:
        told = json.loads(used.answer)
        released = told["released"]
        beside = told.get("beside", {})
        answers = tuple(
            _restored(_ANSWERS[letter], beside.get(str(place)))
            for place, letter in enumerate(told["answers"])
        )
    else:
        answers = _PLAIN_OUTCOMES.get(used.outcome) if used.subjects == 1 else None
    key = ready.key or request.call.encode()
    if answers is None or digest_of(request, key, "", answers) != used.digest:
        return None
    return CallAnswer(
        call=request.call,
        grant=request.grant,
        product=request.product,
        snapshot=used.snapshot,
        as_of=used.as_of,
        answers=answers,
        released=released,
        units=used.units,
        batch=used.batch,
        digest=used.digest,
        repeated=True,
    )


def _restored(answer: Answer, beside: dict[str, Any] | None) -> SubjectAnswer:
    if beside is None:
        return PLAIN[answer] if answer in PLAIN else SubjectAnswer(answer=answer)
    return SubjectAnswer(
        answer=answer,
        evidence=tuple(beside["evidence"]),
        band=beside["band"],
        parts=tuple(
            PartAnswer(predicate=name, answer=_ANSWERS[letter], band=band)
            for name, letter, band in beside["parts"]
        ),
    )


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def write_json(value: object) -> str:
    """This will write plain data for the database."""
    return _encode(value)
