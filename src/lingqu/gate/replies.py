# SPDX-License-Identifier: Apache-2.0
"""How an answer is kept for a day, so that a repeated call gets the same one uncharged."""

from __future__ import annotations

import functools
import json

from lingqu.gate.policies import Answer
from lingqu.gate.products import SnapshotId
from lingqu.gate.requests import CallAnswer, CallId, CallRequest, MeterBatchId, SubjectAnswer
from lingqu.kernel.time import format_instant, parse_instant


def write_reply(answer: CallAnswer, digest: str) -> dict[str, str]:
    """This will give the row under which an answer is kept for whoever asks again."""
    evidence = {
        str(place): [*one.evidence] for place, one in enumerate(answer.answers) if one.evidence
    }
    told = {
        "snapshot": answer.snapshot,
        "as_of": _written(answer.as_of),
        "answers": "".join(_LETTERS[one.answer] for one in answer.answers),
        "evidence": evidence,
        "released": answer.released,
        "units": answer.units,
        "batch": answer.batch,
        "digest": answer.digest,
    }
    return {
        "grant_id": answer.grant,
        "call": answer.call,
        "request": digest,
        "answer": write_json(told),
    }


_written = functools.lru_cache(maxsize=1_000)(format_instant)
_LETTERS = {Answer.YES: "y", Answer.NO: "n", Answer.ONCE: "o", Answer.UNKNOWN: "u"}
_ANSWERS = {letter: answer for answer, letter in _LETTERS.items()}


def read_reply(text: str, request: CallRequest) -> CallAnswer:
    """Give the answer a call got before."""
    told = json.loads(text)
    return CallAnswer(
        call=CallId(request.call),
        grant=request.grant,
        product=request.product,
        snapshot=SnapshotId(told["snapshot"]),
        as_of=parse_instant(told["as_of"]),
        answers=tuple(
            SubjectAnswer(
                answer=_ANSWERS[letter], evidence=tuple(told["evidence"].get(str(place), ()))
            )
            for place, letter in enumerate(told["answers"])
        ),
        released=told["released"],
        units=told["units"],
        batch=MeterBatchId(told["batch"]),
        digest=told["digest"],
        repeated=True,
    )


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def write_json(value: object) -> str:
    """This will write plain data as JSON."""
    return _encode(value)
