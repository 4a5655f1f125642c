# SPDX-License-Identifier: Apache-2.0
"""Finds rules by words, compares two rulebooks, and resolves a citation to its article."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from lingqu.trust.rulebook.book import Rulebook, State
from lingqu.trust.rulebook.reading import packaged
from lingqu.trust.rulebook.rules import Difference, Document, Rule

_CLAUSE = re.compile(r"第[一二三四五六七八九十百]+[款项]$")
_SAME_ANYWAY = {"layer"}


def search(book: Rulebook, words: str) -> tuple[Rule, ...]:
    """This will find rules in which every word occurs, in Chinese or English, the best first."""
    wanted = [word.casefold() for word in words.split()]
    ranked = []
    for rule in book.known():
        places = [[text.casefold() for text in texts] for texts in _texts(book, rule)]
        ranks = [_rank(word, places) for word in wanted]
        if wanted and None not in ranks:
            ranked.append((sum(rank or 0 for rank in ranks), rule.code, rule))
    ranked.sort(key=lambda one: one[:2])
    return tuple(rule for _, _, rule in ranked)


def _rank(word: str, places: list[list[str]]) -> int | None:
    return next((at for at, texts in enumerate(places) if any(word in t for t in texts)), None)


def _texts(book: Rulebook, rule: Rule) -> Iterator[list[str]]:
    """What is searched, in the order of its weight."""
    document = rule.document
    yield [rule.code]
    yield [rule.title_zh, rule.title_en, rule.name_zh or "", rule.name_en or ""]
    yield [document.number, document.title_zh, document.title_en, rule.article]
    yield [text for item in rule.items for text in (item.code, item.zh, item.en)]
    yield [str(rule.value or ""), rule.quote or "", rule.note_zh or "", rule.note_en or ""]
    yield [book.text(rule) or ""]


def diff(before: Rulebook, after: Rulebook) -> tuple[Difference, ...]:
    """This will say what applies differently in two rulebooks, by code."""
    one, other = _applying(before), _applying(after)
    drafts, other_drafts = _beside(before, one), _beside(after, other)
    found = []
    for code in sorted({*one, *other}):
        names = _different(one.get(code), other.get(code))
        if "rule" not in names and drafts[code] != other_drafts[code]:
            names.append("beside")
        if names:
            found.append(
                Difference(
                    code=code, before=one.get(code), after=other.get(code), fields=tuple(names)
                )
            )
    return tuple(found)


def _applying(book: Rulebook) -> dict[str, Rule]:
    states = {State.BINDING, State.DRAFT, State.REFERENCE}
    codes = {rule.code for rule in book.known() if book.state(rule) in states}
    return {code: book.rule(code) for code in codes}


def _beside(book: Rulebook, codes: Iterable[str]) -> defaultdict[str, list[Rule]]:
    """The drafts beside what binds, for each code."""
    found: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in book.known():
        if book.state(rule) is State.DRAFT:
            for code in {rule.code, rule.binding} & set(codes):
                if code is not None:
                    found[code].append(rule)
    return found


def _different(before: Rule | None, after: Rule | None) -> list[str]:
    if before is None or after is None:
        return [] if before is after else ["rule"]
    names = (item.name for item in dataclasses.fields(Rule) if item.name not in _SAME_ANYWAY)
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def resolve_citation(text: str) -> tuple[Document, str] | None:
    """This will find the document and article a text cites, or None where no such article is known.

    A citation is a rule's code, or a document's number or title followed by the article.
    """
    edition = packaged()
    if text in edition.by_code:
        rule = edition.by_code[text][0]
        return rule.document, rule.article
    for document in _longest_first(edition.documents.values()):
        for name in (f"《{document.title_zh}》", document.number, document.title_zh):
            if name in text:
                rest = text.rpartition(name)[2].lstrip(" ，,）)").rstrip()
                article = _known_article(document, _CLAUSE.sub("", rest))
                if article is not None:
                    return document, article
    return None


def _longest_first(documents: Iterable[Document]) -> list[Document]:
    return sorted(documents, key=lambda one: -len(one.title_zh))


def _known_article(document: Document, article: str) -> str | None:
    edition = packaged()
    known = {rule.article for rule in edition.rules if rule.document.key == document.key}
    known |= set(edition.articles.get(document.key, {}))
    article = article.removeprefix(f"（{document.number}）").strip()
    return article if article in known else None
