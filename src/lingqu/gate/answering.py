# SPDX-License-Identifier: Apache-2.0
"""Answers from a snapshot: what each question says of a subject, by keyed hashes alone.

A subject that is not known and an answer of no are alike unless the policy tells them apart, for
each question and for what is combined of several.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lingqu.gate.packing import (
    ONCE,
    RANKED,
    YES,
    PackedFile,
    first_subject_hash,
    first_value_hash,
    holds_value,
    keyed_hash,
    keyed_hashes,
    salt_of,
)
from lingqu.gate.predicates import (
    Answer,
    Asked,
    Asks,
    Combining,
    Matching,
    Measure,
    Predicate,
    Question,
    normalize,
)

PLACES_MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAnswer:
    """What one of several predicates says; `band` is named where the answer is a band."""

    predicate: str
    answer: Answer
    band: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectAnswer:
    """The answer about one subject, in the order of the request.

    `evidence` are rows of `once`, `band` names the band, `parts` are the answers of several.
    """

    answer: Answer
    evidence: tuple[dict[str, str], ...] = ()
    band: str = ""
    parts: tuple[PartAnswer, ...] = ()


PLAIN = {one: SubjectAnswer(answer=one) for one in (Answer.YES, Answer.NO, Answer.UNKNOWN)}
"""The answers that say nothing beside themselves, made once."""
_YES, _NO, _UNKNOWN = (PLAIN[one] for one in (Answer.YES, Answer.NO, Answer.UNKNOWN))
Teller = Callable[[str, str], SubjectAnswer]
"""Answers a key and a value."""


class Answerer:
    """Answers one question from one open snapshot."""

    def __init__(
        self, question: Question, file: PackedFile, key: bytes, *, tells_unknown: bool
    ) -> None:
        """Prepare the question; `key` is the product's."""
        self._question = question
        self._unknown = _UNKNOWN if tells_unknown else _NO
        self._tellers = tuple(_teller(one, file, key) for one in question.parts)
        self._file = file
        (first, *others) = question.parts
        # The commonest question is asked of many at once.
        is_simple = not others and not file.is_first and _is_simple(first)
        self._salt = salt_of(key, first.name) if is_simple else b""

    def answer(self, asked: Sequence[Asked]) -> tuple[SubjectAnswer, ...]:
        """This will answer about subjects that were read as the question reads them."""
        if self._question.how is not None:
            return tuple([self._combine(key, values) for key, values in asked])
        tell, unknown = self._tellers[0], self._unknown
        if self._salt and len(asked) > 1:
            return self._match(asked)
        told = [tell(key, value) for key, (value,) in asked]
        return tuple([unknown if one is _UNKNOWN else one for one in told])

    def _match(self, asked: Sequence[Asked]) -> tuple[SubjectAnswer, ...]:
        """Answer the commonest question about many at once."""
        salt, file = self._salt, self._file
        holds = file.are_known(keyed_hashes(salt, [f"{key}\0{value}" for key, (value,) in asked]))
        if all(holds):
            return (_YES,) * len(holds)
        others = [key for (key, _), is_so in zip(asked, holds, strict=True) if not is_so]
        known = iter(file.are_known(keyed_hashes(salt, others)))
        return tuple([_YES if one else _NO if next(known) else self._unknown for one in holds])

    def knows(self, asked: Asked) -> bool:
        """This will say whether the data knows a subject at all."""
        key, values = asked
        told = [tell(key, one) for tell, one in zip(self._tellers, values, strict=True)]
        return any(one is not _UNKNOWN for one in told)

    def _combine(self, key: str, values: tuple[str, ...]) -> SubjectAnswer:
        told = [tell(key, one) for tell, one in zip(self._tellers, values, strict=True)]
        how = self._question.how
        if how is Combining.EACH:
            parts = tuple(
                PartAnswer(
                    predicate=part.name,
                    answer=self._unknown.answer if one is _UNKNOWN else one.answer,
                    band=one.band,
                )
                for part, one in zip(self._question.parts, told, strict=True)
            )
            return SubjectAnswer(answer=Answer.SEVERAL, parts=parts)
        decisive = _NO if how is Combining.ALL else _YES
        if decisive in told:
            return decisive
        if _UNKNOWN in told:
            return self._unknown
        return _YES if how is Combining.ALL else _NO


def _is_simple(predicate: Predicate) -> bool:
    """Whether one hash and one look tell a yes."""
    is_exact = predicate.matching is Matching.EXACT and not predicate.once
    return is_exact and predicate.measure is None and predicate.yes[0].value is not None


def _teller(predicate: Predicate, file: PackedFile, key: bytes) -> Teller:
    if file.is_first:
        return _first(predicate, file, key)
    salt = salt_of(key, predicate.name)
    if predicate.measure is not None:
        return _measured(predicate.measure, file, salt)
    if predicate.yes[0].value is None:
        return functools.partial(_present, file, salt)
    if _is_simple(predicate):
        return _matching(file, salt)
    return _once(predicate, file, salt)


def _matching(file: PackedFile, salt: bytes) -> Teller:
    look_up = file.look_up

    def tell(key: str, value: str) -> SubjectAnswer:
        if look_up(keyed_hash(salt, f"{key}\0{value}")):
            return _YES
        return _NO if look_up(keyed_hash(salt, key)) else _UNKNOWN

    return tell


def _once(predicate: Predicate, file: PackedFile, salt: bytes) -> Teller:
    is_exact, separator = predicate.matching is Matching.EXACT, predicate.separator

    def tell(key: str, value: str) -> SubjectAnswer:
        # A given value that itself names several must be a member in each of its names.
        names = [value] if is_exact else [normalize(one) for one in value.split(separator)]
        flags = YES | ONCE if any(names) else 0
        for one in names:
            if one:
                flags &= file.look_up(keyed_hash(salt, f"{key}\0{one}"))
        if flags & YES:
            return _YES
        record = file.find(keyed_hash(salt, key))
        if record is None:
            return _UNKNOWN
        return _was_once(record.evidence) if flags & ONCE else _NO

    return tell


def _present(file: PackedFile, salt: bytes, key: str, _value: str) -> SubjectAnswer:
    record = file.find(keyed_hash(salt, key))
    if record is None:
        return _UNKNOWN
    if record.flags & YES:
        return _YES
    return _was_once(record.evidence) if record.flags & ONCE else _NO


def _measured(measure: Measure, file: PackedFile, salt: bytes) -> Teller:
    bands = [SubjectAnswer(answer=Answer.BAND, band=one) if one else _NO for one in measure.bands]
    place_of = functools.lru_cache(maxsize=PLACES_MOST)(measure.place_of)

    def tell(key: str, value: str) -> SubjectAnswer:
        record = file.find(keyed_hash(salt, key))
        if record is None or not record.flags & RANKED:
            return _UNKNOWN
        if measure.asks is Asks.BAND:
            return bands[record.rank]
        place = place_of(value)
        assert place is not None, "the request was decided"
        return _YES if measure.holds(record.rank, place) else _NO

    return tell


def _first(predicate: Predicate, file: PackedFile, product: bytes) -> Teller:
    """What is asked of a snapshot of the first format, which knows no measures."""
    is_exact, separator = predicate.matching is Matching.EXACT, predicate.separator

    def tell(key: str, value: str) -> SubjectAnswer:
        record = file.find(first_subject_hash(product, predicate.name, key))
        if record is None:
            return _UNKNOWN
        if predicate.takes_value:
            names = [value] if is_exact else [normalize(one) for one in value.split(separator)]
            wanted = [first_value_hash(product, key, one) for one in names if one] or [b""]
            holds = all(holds_value(record.yes, one) for one in wanted)
            was = not holds and all(holds_value(record.once, one) for one in wanted)
        else:
            holds, was = bool(record.flags & YES), bool(record.flags & ONCE)
        if holds:
            return _YES
        return _was_once(record.evidence) if was else _NO

    return tell


def _was_once(evidence: bytes) -> SubjectAnswer:
    return SubjectAnswer(
        answer=Answer.ONCE, evidence=tuple(json.loads(evidence)) if evidence else ()
    )
