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
from lingqu.gate.metering import (
    CALLS,
    CallsMetered,
    NewBatch,
    NewRows,
    RefusedCount,
    Run,
    UsedCall,
)
from lingqu.gate.predicates import Answer
from lingqu.gate.requests import CallAnswer, CallRequest, MeterBatchId, told_subject
from lingqu.gate.shelf import Ready, Stand
from lingqu.gate.snapshots import Snapshot
from lingqu.kernel import errors
from lingqu.kernel.time import Instant, format_instant
from lingqu.rights import quantities
from lingqu.runtime import new_id
from lingqu_verify import merkle


@dataclass(slots=True)
class Decided:
    """A call that was decided: its refusal, or its answers and what they cost.

    Of a refused one the purpose is kept where it is a known code: anything else may stand there.
    """

    waiting: Waiting
    stand: Stand
    ready: Ready
    refusal: errors.LingquError | None = None
    answers: tuple[SubjectAnswer, ...] = ()
    released: dict[str, Any] | None = None
    lease: quantities.LeaseId | None = None
    units: int = 0
    letters: str = ""
    digest: str = ""
    knows_purpose: bool = True


@dataclass(slots=True)
class Alike:
    """Calls about one subject each, decided and answered alike and paid from one lease.

    They differ in nothing but their ids and subjects; the `answer` says no more than itself.
    """

    calls: Sequence[Waiting]
    stand: Stand
    ready: Ready
    lease: quantities.LeaseId
    answer: SubjectAnswer
    digests: Sequence[str] = ()

    @property
    def waiting(self) -> Waiting:
        """One of the calls, for what they share."""
        return self.calls[0]


_LETTERS = {
    Answer.YES: "y", Answer.NO: "n", Answer.ONCE: "o", Answer.UNKNOWN: "u", Answer.BAND: "b",
    Answer.SEVERAL: "s",
}  # fmt: skip
_ANSWERS = {letter: answer for answer, letter in _LETTERS.items()}
_HITS = frozenset({Answer.YES, Answer.ONCE, Answer.BAND})
_PLAIN_OUTCOMES = {one.value: (told,) for one, told in PLAIN.items()}
_PLAIN_IDS = {id(told) for told in PLAIN.values()}


LARGE = 50
"""A call about so many subjects is a run of its own; a window has few of them."""


def is_hit(one: SubjectAnswer) -> bool:
    """This will say whether an answer counts as a hit: yes, once, a band, or a part that does."""
    return one.answer in _HITS or any(part.answer in _HITS for part in one.parts)


def is_plain(answers: Sequence[SubjectAnswer]) -> bool:
    """This will say whether the outcome of a call says all of its answer."""
    return len(answers) == 1 and answers[0].answer.value in _PLAIN_OUTCOMES


def is_alike(answers: Sequence[SubjectAnswer]) -> bool:
    """This will say whether each of these answers is all that is to be told of its subject."""
    return {*map(id, answers)} <= _PLAIN_IDS


def digest_of(request: CallRequest, key: bytes, code: str, answers: Sequence[SubjectAnswer]) -> str:
    """This will give the digest of a call: of what was asked, under which id, and the answer."""
    return _digest(request, key, code, answers, letters_of(answers))


def letters_of(answers: Sequence[SubjectAnswer]) -> str:
    """This will write many answers as a letter each."""
    return "".join([_LETTERS[one.answer] for one in answers])


def _digest(
    request: CallRequest, key: bytes, code: str, answers: Sequence[SubjectAnswer], letters: str
) -> str:
    more = ""
    if not _BARE.issuperset(letters):
        more = "".join([_told_beside(one) for one in answers if one.band or one.parts])
    told = f"{request.call}|{code}|{letters}|{more}|{request.told()}"
    data = told.encode("utf-8", "surrogatepass")  # a workbook can hold half a character
    return hashlib.blake2b(data, key=key[:64], digest_size=32).hexdigest()


_BARE = frozenset("ynou")
"""Answers beside which neither a band nor parts stand."""


def _digests(one: Alike) -> list[str]:
    """The digest of each of many calls, as `digest_of` gives it."""
    fresh = hashlib.blake2b(key=one.ready.key[:64], digest_size=32).copy
    head = f"||{_LETTERS[one.answer.answer]}||{one.waiting.request.told_head()}"
    found = []
    for waiting in one.calls:
        request = waiting.request
        made = fresh()
        told = f"{request.call}{head}{told_subject(request.subjects[0])}"
        made.update(told.encode("utf-8", "surrogatepass"))
        found.append(made.hexdigest())
    return found


def _told_beside(one: SubjectAnswer) -> str:
    parts = [f"{part.predicate}={_LETTERS[part.answer]}{part.band}" for part in one.parts]
    return f"{one.band};{','.join(parts)};"


class _Rows:
    """The rows of a batch that is being made, and what they add up to."""

    def __init__(self, now: Instant) -> None:
        self.now, self.at = now, format_instant(now)
        self.runs: list[Run] = []
        self.lines: list[str] = []
        self.leaves: list[bytes] = []
        self.units = 0
        self.counts = dict.fromkeys("ynou", 0)
        self.refused: dict[str, int] = {}

    def add(self, one: Decided) -> None:
        """This will add the line of a call."""
        if one.refusal is None:
            self._add_answered(one)
            return
        line, leaf = _refused_line(one, self.at)
        self.refused[one.refusal.code] = self.refused.get(one.refusal.code, 0) + 1
        self.lines.append(line)
        self.leaves.append(leaf)

    def _add_answered(self, one: Decided) -> None:
        request, answers = one.waiting.request, one.answers
        letters = one.letters = letters_of(answers)
        one.digest = _digest(request, one.ready.key or request.call.encode(), "", answers, letters)
        if len(answers) == 1:
            outcome = answers[0].answer.value
        else:
            outcome = "counted" if one.released is not None else "mixed"
        once, unknowns = letters.count("o"), letters.count("u")
        hits = once + letters.count("y") + letters.count("b")
        if "s" in letters:
            hits += sum([bool(answer.parts) and is_hit(answer) for answer in answers])
        self._count(hits, once, unknowns, len(answers))
        self.units += one.units
        told = _Told(len(request.subjects), hits, len(answers) - hits, unknowns, outcome, one.units)
        if is_large(one):
            self._add_run(one, told, [request.call], [one.digest])
            return
        line = f'"{request.call}{self._middle(one, told)}{one.digest}"'
        self.lines.append(line)
        self.leaves.append(merkle.leaf_hash(f"[{line}]".encode()))

    def add_alike(self, one: Alike) -> None:
        """This will add the rows of many calls that share all but their ids and subjects."""
        digests = one.digests = _digests(one)
        calls = [waiting.request.call for waiting in one.calls]
        kind, size = one.answer.answer, len(calls)
        hits, unknowns = int(kind is Answer.YES), int(kind is Answer.UNKNOWN)
        self._count(hits * size, 0, unknowns * size, size)
        self.units += size
        self._add_run(one, _Told(1, hits, 1 - hits, unknowns, kind.value, 1), calls, digests)

    def _add_run(
        self, one: Decided | Alike, told: _Told, calls: Sequence[str], digests: Sequence[str]
    ) -> None:
        assert not self.lines, "runs come before all lines"
        middle = self._middle(one, told)
        self.leaves += merkle.leaf_hashes(
            [
                f'["{call}{middle}{digest}"]'.encode()
                for call, digest in zip(calls, digests, strict=True)
            ]
        )
        request = one.waiting.request
        shared = {
            "grant_id": request.grant, "product": request.product, "holder": one.stand.holder,
            "account": one.waiting.asker.account, "purpose": request.purpose, "at": self.now,
            "subjects": told.subjects, "hits": told.hits, "misses": told.misses,
            "unknowns": told.unknowns, "outcome": told.outcome, "refusal": None, "article": None,
            "lease": one.lease, "units": told.units, "snapshot": _snapshot(one.ready).id,
        }  # fmt: skip
        apart = {"call": CALLS.words(calls), "digest": CALLS.words(digests)}
        self.runs.append(Run(len(calls), shared, apart))

    def _middle(self, one: Decided | Alike, told: _Told) -> str:
        """What stands in a line of an answered call between its id and its digest."""
        request, account = one.waiting.request, one.waiting.asker.account
        # Ids, known codes and figures: their JSON escapes nothing, so it is a line of CSV too.
        return (
            f'","{request.grant}","{request.product}","{one.stand.holder}","{account}",'
            f'"{request.purpose}","{self.at}",{told.subjects},{told.hits},{told.misses},'
            f'{told.unknowns},"{told.outcome}",null,null,"{one.lease}",{told.units},'
            f'"{_snapshot(one.ready).id}","'
        )

    def _count(self, hits: int, once: int, unknowns: int, answers: int) -> None:
        counts = self.counts
        counts["o"] += once
        counts["y"] += hits - once
        counts["u"] += unknowns
        counts["n"] += answers - hits - unknowns


@dataclass(frozen=True, slots=True)
class _Told:
    """The figures of the row of an answered call."""

    subjects: int
    hits: int
    misses: int
    unknowns: int
    outcome: str
    units: int


def is_large(one: Decided) -> bool:
    """This will say whether a call was answered about so many that its row is worth a statement."""
    return one.refusal is None and len(one.answers) >= LARGE


def _snapshot(ready: Ready) -> Snapshot:
    assert ready.snapshot is not None, "only published products answer"
    return ready.snapshot


def _by_line(one: Decided | Alike) -> bool:
    """Whether a call is written as a line: those come after the runs."""
    return not (isinstance(one, Alike) or is_large(one))


def make_batch(
    group: Sequence[Decided | Alike], now: Instant
) -> tuple[NewBatch, NewRows, MeterBatchId]:
    """This will give the batch of one grant's calls to a product in a window, and its rows."""
    first, batch = group[0], new_id(MeterBatchId)
    made = _Rows(now)
    for one in sorted(group, key=_by_line):
        if isinstance(one, Alike):
            made.add_alike(one)
        else:
            made.add(one)
    refused = made.refused
    metered = CallsMetered(
        batch=CALLS.root(batch, made.leaves),
        grant=first.waiting.request.grant,
        product=first.ready.product.id,
        holder=first.stand.holder,
        answered=len(made.leaves) - sum(refused.values()),
        units=made.units,
        yes=made.counts["y"],
        no=made.counts["n"],
        once=made.counts["o"],
        unknown=made.counts["u"],
        refused=tuple(RefusedCount(code=code, count=refused[code]) for code in sorted(refused)),
    )
    snapshot = first.ready.snapshot
    lease = next((one.lease for one in group if one.lease is not None), None)
    new = NewBatch(metered=metered, lease=lease, snapshot=None if snapshot is None else snapshot.id)
    return new, NewRows(tuple(made.runs), tuple(made.lines)), batch


def _refused_line(one: Decided, at: str) -> tuple[str, bytes]:
    request, refusal = one.waiting.request, one.refusal
    assert refusal is not None, "answered calls have a line of their own"
    key = one.ready.key or request.call.encode()
    one.digest = digest_of(request, key, refusal.code, ())
    return CALLS.line((
        str(request.call), str(request.grant), str(request.product), str(one.stand.holder),
        str(one.waiting.asker.account), request.purpose if one.knows_purpose else "", at,
        len(request.subjects), 0, 0, 0, "refused", refusal.code, refusal.article, None, 0,
        None if one.ready.snapshot is None else str(one.ready.snapshot.id), one.digest,
    ))  # fmt: skip


def answer_of(one: Decided, batch: MeterBatchId) -> CallAnswer:
    """This will give the answer of a call that was not refused."""
    request, snapshot = one.waiting.request, _snapshot(one.ready)
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


def answers_of(one: Alike, batch: MeterBatchId) -> list[CallAnswer]:
    """This will give the answers of many calls."""
    snapshot = _snapshot(one.ready)
    first, answers = one.waiting.request, (one.answer,)
    return [
        CallAnswer(
            call=waiting.request.call,
            grant=first.grant,
            product=first.product,
            snapshot=snapshot.id,
            as_of=snapshot.as_of,
            answers=answers,
            released=None,
            units=1,
            batch=batch,
            digest=digest,
        )
        for waiting, digest in zip(one.calls, one.digests, strict=True)
    ]


def kept_reply(one: Decided) -> dict[str, str] | None:
    """This will give what is stored of an answer, None where the meter says all of it."""
    answers, request = one.answers, one.waiting.request
    if is_plain(answers) and one.released is None:
        return None
    told: dict[str, object] = {"answers": one.letters, "released": one.released}
    if not is_alike(answers):
        told["beside"] = {
            str(place): {
                "evidence": [*answer.evidence],
                "band": answer.band,
                "parts": [
                    [part.predicate, _LETTERS[part.answer], part.band] for part in answer.parts
                ],
            }
            for place, answer in enumerate(answers)
            if answer.evidence or answer.band or answer.parts
        }
    return {
        "grant_id": request.grant,
        "call": request.call,
        "request": one.digest,
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
