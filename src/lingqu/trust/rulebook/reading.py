# SPDX-License-Identifier: Apache-2.0
"""Reads the packaged data of the rulebook, checks it strictly, and gives rules as values.

A rule that is incomplete, has a field nobody knows or a value that does not fit its kind is a
mistake in the data: reading asserts, and the tests read everything.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from lingqu.kernel.time import Period
from lingqu.runtime.calendar import start_of_day
from lingqu.trust.rulebook.rules import (
    NATIONAL,
    Document,
    Example,
    Item,
    Kind,
    Profile,
    Rule,
    Scalar,
    Source,
    Status,
    Unit,
    Variable,
)

_DATA = resources.files("lingqu.trust.rulebook") / "data"
_TEXTS = {
    "title_zh", "title_en", "article", "quote", "binding", "on_silence", "note_zh", "note_en",
    "name_zh", "name_en",
}  # fmt: skip
_FIELDS = _TEXTS | {
    "kind", "value", "unit", "document", "source", "status", "start", "end", "items", "inputs",
    "examples", "start_zh", "start_en", "backwards", "day_zh", "day_en", "days_off", "days_worked",
}  # fmt: skip
_CONSTANT_UNITS = {
    "article", "basis_point", "certificate", "character", "city", "clause", "county", "date", "day",
    "day_of_month", "department", "fen", "hour", "item", "level", "measure", "month_day",
    "multiple", "percent", "percentage_point", "person", "pilot", "ratio", "registrar", "row",
    "session", "space", "task", "time", "year", "yuan",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """Everything the package holds: rules by layer, documents, profiles, articles word for word."""

    name: str
    as_of: date
    rules: tuple[Rule, ...]
    documents: Mapping[str, Document]
    profiles: Mapping[str, Profile]
    articles: Mapping[str, Mapping[str, str]]
    digests: Mapping[str, str]
    by_code: Mapping[str, tuple[Rule, ...]]


@cache
def packaged() -> Edition:
    """This will read the edition that came with this program, once."""
    return read_edition(_DATA)


def read_edition(data: Traversable) -> Edition:
    """This will read an edition from a folder of the same layout; a mistake in it asserts."""
    # Every command waits for this, so each file is read once.
    said = {file.name: _toml(file) for file in (data / "documents.toml", *_tomls(data / "texts"))}
    documents = {key: _document(key, found) for key, found in said["documents.toml"].items()}
    profiles: dict[str, Profile] = {}
    rules: list[Rule] = []
    digests: dict[str, str] = {}
    national = {file.name: _toml(file) for file in _tomls(data / "national")}
    for found in national.values():
        rules += _rules(found, NATIONAL, documents)
    texts = {name: found for name, found in said.items() if name != "documents.toml"}
    digests[NATIONAL] = _digest(
        [
            ("documents.toml", said["documents.toml"]),
            *national.items(),
            *texts.items(),
        ]
    )
    regions = {file.name.removesuffix(".toml"): file for file in _tomls(data / "regions")}
    for name, file in regions.items():
        found = _toml(file)
        digests[name] = _digest([(file.name, found)])
        about = found.pop("profile")
        profiles[name] = _profile(name, about)
        rules += _rules(found, name, documents)
    edition = _toml(data / "edition.toml")
    by_code: dict[str, list[Rule]] = {}
    for rule in rules:
        by_code.setdefault(rule.code, []).append(rule)
    return Edition(
        name=edition["edition"],
        as_of=edition["as_of"],
        rules=tuple(rules),
        documents=documents,
        profiles=profiles,
        articles={name.removesuffix(".toml"): found for name, found in texts.items()},
        digests=digests,
        by_code={code: tuple(found) for code, found in sorted(by_code.items())},
    )


def _tomls(folder: Traversable) -> list[Traversable]:
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda f: f.name
    )


def _toml(file: Traversable) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _digest(files: list[tuple[str, dict[str, Any]]]) -> str:
    """The digest of what the files say: comments and the order of keys do not count."""
    said = [(name, _sorted(found)) for name, found in files]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _document(key: str, found: Mapping[str, Any]) -> Document:
    return Document(
        key=key,
        title_zh=found["title_zh"],
        title_en=found["title_en"],
        number=found["number"],
        issuer_zh=found["issuer_zh"],
        issuer_en=found["issuer_en"],
        region=found["region"],
        status=Status(found["status"]),
        issued_on=found["issued"],
        valid=_period(found["start"], found.get("end")),
        source=Source(found["source"]),
        is_estimated=found.get("estimated", False),
    )


def _profile(name: str, about: Mapping[str, Any]) -> Profile:
    above = (about["above"],) if "above" in about else ()
    return Profile(
        name=name,
        title_zh=about["title_zh"],
        title_en=about["title_en"],
        division=about["division"],
        chain=(NATIONAL, *above, name),
        levels=tuple(about["levels"]),
        has_own_venue=about["has_own_venue"],
    )


def _rules(
    found: Mapping[str, Any], layer: str, documents: Mapping[str, Document]
) -> Iterator[Rule]:
    for code, said in found.items():
        for one in said if isinstance(said, list) else [said]:
            yield _rule(code, layer, one, documents)


def _rule(
    code: str, layer: str, said: Mapping[str, Any], documents: Mapping[str, Document]
) -> Rule:
    unknown = set(said) - _FIELDS
    assert not unknown, f"{code} has fields nobody knows: {sorted(unknown)}"
    for name in _TEXTS & set(said):
        assert isinstance(said[name], str), f"{code}: {name} is no text"
        assert said[name].strip(), f"{code}: {name} is empty"
    document = documents[said["document"]]
    rule = Rule(
        code=code,
        kind=Kind(said["kind"]),
        layer=layer,
        title_zh=said["title_zh"],
        title_en=said["title_en"],
        document=document,
        article=said["article"],
        status=Status(said["status"]) if "status" in said else document.status,
        valid=_valid(said, document),
        source=Source(said["source"]) if "source" in said else document.source,
        value=_value(said),
        unit=said.get("unit"),
        items=tuple(Item(code=a, zh=b, en=c) for a, b, c in said.get("items", ())),
        inputs=tuple(_variable(*one) for one in said.get("inputs", ())),
        examples=tuple(
            Example(given=tuple(sorted(one["given"].items())), gives=one["gives"])
            for one in said.get("examples", ())
        ),
        quote=said.get("quote"),
        name_zh=said.get("name_zh", said.get("day_zh")),
        name_en=said.get("name_en", said.get("day_en")),
        starts_zh=said.get("start_zh"),
        starts_en=said.get("start_en"),
        on_silence=said.get("on_silence"),
        runs_backwards=said.get("backwards", False),
        binding=said.get("binding"),
        note_zh=said.get("note_zh"),
        note_en=said.get("note_en"),
        days_off=tuple(said.get("days_off", ())),
        days_worked=tuple(said.get("days_worked", ())),
    )
    _check(rule)
    return rule


def _variable(name: str, zh: str, en: str, rule: str | None = None) -> Variable:
    return Variable(name=name, zh=zh, en=en, rule=rule)


def _period(start: date, end: date | None) -> Period:
    return Period(start_of_day(start), None if end is None else start_of_day(end))


def _valid(said: Mapping[str, Any], document: Document) -> Period:
    if "start" not in said and "end" not in said:
        return document.valid
    start = start_of_day(said["start"]) if "start" in said else document.valid.start
    end = start_of_day(said["end"]) if "end" in said else document.valid.end
    return Period(start, end)


def _value(said: Mapping[str, Any]) -> Scalar | None:
    """Numbers with a point are written as texts, so that they stay exact."""
    value = said.get("value")
    if said["kind"] == Kind.CONSTANT.value and isinstance(value, str) and "." in value:
        return Decimal(value)
    assert value is None or isinstance(value, int | str | date), "a value is exact"
    return value


def _check(rule: Rule) -> None:
    """What each kind must have, and nothing that belongs to another kind."""
    code, kind = rule.code, rule.kind
    has_items = kind in {Kind.LIST, Kind.ENUMERATION}
    has_value = kind in {Kind.CLOCK, Kind.CONSTANT, Kind.FORMULA, Kind.CALENDAR_DAY}
    home = rule.document.region
    must = {
        "a code is two words": re.fullmatch(r"[a-z]\w+\.[a-z]\w+", code) is not None,
        "lists and enumerations have items": bool(rule.items) == has_items,
        "an item occurs once": len({item.code for item in rule.items}) == len(rule.items),
        "this kind has a value or has none": (rule.value is not None) == has_value,
        "what starts a clock is said in both languages": _both(rule.starts_zh, rule.starts_en),
        "a note is in both languages": _both(rule.note_zh, rule.note_en),
        "a name is in both languages": _both(rule.name_zh, rule.name_en),
        "a region has rules of its own": rule.layer == NATIONAL or home in {NATIONAL, rule.layer},
        "only working days run backwards": not rule.runs_backwards
        or rule.unit == Unit.WORKING_DAY.value,
    } | _must_of_kind(rule)
    for what, holds in must.items():
        assert holds, f"{rule.layer}: {code}: {what}"


def _must_of_kind(rule: Rule) -> dict[str, bool]:
    match rule.kind:
        case Kind.CLOCK:
            counts = type(rule.value) is int and rule.value > 0
            return {
                "a clock counts": counts,
                "a clock has its unit": rule.unit in {unit.value for unit in Unit},
            }
        case Kind.CONSTANT:
            return {"a constant has a known unit": rule.unit in _CONSTANT_UNITS}
        case Kind.FORMULA:
            written = isinstance(rule.value, str) and bool(rule.inputs) and bool(rule.examples)
            return {"a formula is written out, with inputs and examples": written}
        case Kind.BODY:
            return {"a body has a name": rule.name_zh is not None}
        case Kind.CALENDAR_DAY:
            days = (*rule.days_off, *rule.days_worked)
            return {"days lie in their year": {day.year for day in days} == {rule.value}}
    return {}


def _both(one: str | None, other: str | None) -> bool:
    return (one is None) == (other is None)
