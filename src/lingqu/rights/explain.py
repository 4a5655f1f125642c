# SPDX-License-Identifier: Apache-2.0
"""Explaining a grant: the path from its ground down to it, in words, with the articles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lingqu import trust
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.kernel.time import format_instant
from lingqu.rights.grants import GRANTS, Grant, GrantId, Life, find_life, get_grant, read_form
from lingqu.rights.grounds import GROUNDS, Ground, GroundId
from lingqu.rights.vocabulary import Label, find_codes
from lingqu.runtime import Tx
from lingqu.runtime.i18n import Language, translate

_LISTS = {"zh-CN": "、", "en": ", "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why a grant is what it is: its ground, the grants from the root down to it, its standing.

    The title of the ground is shown where the caller may read the ground; `bases` are the
    agreements and contracts single steps rest on.
    """

    grant: GrantId
    ground: Ground
    titled: bool
    path: tuple[Grant, ...]
    bases: Mapping[GroundId, Ground]
    life: Life
    labels: tuple[Label, ...]


def explain_grant(tx: Tx, grant: GrantId) -> Explained:
    """This will follow a grant up to its ground. Raises GrantNotFound."""
    found = get_grant(tx, grant)
    above = GRANTS.find(
        tx, "WHERE id = ANY(%s) ORDER BY cardinality(ancestors)", (list(found.ancestors),)
    )
    ground = GROUNDS.get(tx, found.ground)
    steps = [one.basis for one in (*above, found) if one.basis is not None]
    rested = GROUNDS.find(tx, "WHERE id = ANY(%s)", (steps,)) if steps else ()
    return Explained(
        grant=grant,
        ground=ground,
        titled=trust.is_allowed(tx, trust.Action.READ, trust.Kind.GROUND, owner=ground.party),
        path=(*above, found),
        bases=MappingProxyType({one.id: one for one in rested}),
        life=find_life(tx, found),
        labels=find_codes(tx),
    )


def explanation_lines(explained: Explained, language: Language) -> tuple[str, ...]:
    """This will put an explanation into words, the ground first, the standing last."""
    return tuple(_lines(explained, language))


def terms_in_words(
    form: TermsForm, labels: Sequence[Label], language: Language
) -> tuple[tuple[str, str], ...]:
    """This will put terms into words: the name of each part that limits, and what it says."""
    words = {
        (one.tree.value, one.code): one.zh if language == "zh-CN" else one.en for one in labels
    }
    return tuple(_terms(form, words, language))


def _lines(explained: Explained, language: Language) -> Iterator[str]:
    words = {
        (one.tree.value, one.code): one.zh if language == "zh-CN" else one.en
        for one in explained.labels
    }
    yield from _ground_lines(explained, language)
    for number, one in enumerate(explained.path, start=1):
        yield translate(
            "rights.explain.root" if one.parent is None else "rights.explain.step",
            language,
            number=number,
            holder=one.holder,
            kind=translate(f"rights.kind.{one.kind.value}", language),
            grant=one.id,
            when=format_instant(one.issued_at),
        )
        if one.succeeds is not None:
            yield "   " + translate("rights.explain.succeeds", language, grant=one.succeeds)
        if one.basis is not None:
            yield from _basis_lines(explained.bases[one.basis], language)
        own = [*_terms(read_form(one.terms), words, language)]
        for part, text in own:
            yield "   " + translate("rights.explain.own", language, part=part, terms=text)
        if not own:
            yield "   " + translate("rights.explain.unlimited", language)
    effective = [*_terms(read_form(explained.path[-1].effective), words, language)]
    for part, text in effective:
        yield translate("rights.explain.effective", language, part=part, terms=text)
    if not effective:
        yield translate("rights.explain.effective_unlimited", language)
    standing = translate(f"rights.standing.{explained.life.standing.value}", language)
    if explained.life.by in {None, explained.grant}:
        yield translate("rights.explain.standing", language, standing=standing)
    else:
        yield translate(
            "rights.explain.standing_by", language, standing=standing, by=explained.life.by
        )


def _basis_lines(basis: Ground, language: Language) -> Iterator[str]:
    yield "   " + translate(
        "rights.explain.basis",
        language,
        kind=translate(f"rights.ground_kind.{basis.kind.value}", language),
        when=format_instant(basis.recorded_at),
        evidence=basis.evidence.hex(),
    )
    for article in basis.articles:
        yield "   " + translate("rights.explain.article", language, article=article)


def _ground_lines(explained: Explained, language: Language) -> Iterator[str]:
    ground = explained.ground
    yield translate(
        "rights.explain.ground",
        language,
        kind=translate(f"rights.ground_kind.{ground.kind.value}", language),
        when=format_instant(ground.recorded_at),
        evidence=ground.evidence.hex(),
    )
    if explained.titled:
        yield translate("rights.explain.title", language, title=ground.title)
    for article in ground.articles:
        yield translate("rights.explain.article", language, article=article)
    if ground.assessment is not None:
        yield translate("rights.explain.assessed", language, digest=ground.assessment.hex())


def _terms(
    form: TermsForm, words: Mapping[tuple[str, str], str], language: Language
) -> Iterator[tuple[str, str]]:
    def part(name: str) -> str:
        return translate(f"rights.part.{name}", language)

    if form.nothing:
        yield part("purposes"), translate("rights.terms.nothing", language)
        return
    for name in ("purposes", "territories", "actions", "environments"):
        scope: ScopeForm | None = getattr(form, name)
        if scope is not None:
            yield part(name), _scope(name, scope, words, language)
    for name in ("fields", "recipients"):
        names: tuple[str, ...] | None = getattr(form, name)
        if names is not None:
            yield part(name), _LISTS[language].join(names)
    if form.level_max is not None:
        yield part("level_max"), translate("rights.terms.level", language, level=form.level_max)
    if form.valid is not None:
        start = format_instant(form.valid.start)
        if form.valid.end is None:
            yield part("valid"), translate("rights.terms.open_period", language, start=start)
        else:
            end = format_instant(form.valid.end)
            yield part("valid"), translate("rights.terms.period", language, start=start, end=end)
    if form.cross_border:
        yield part("cross_border"), translate("rights.terms.yes", language)


def _scope(
    tree: str, scope: ScopeForm, words: Mapping[tuple[str, str], str], language: Language
) -> str:
    def listed(codes: tuple[str, ...]) -> str:
        return _LISTS[language].join(words.get((tree, code), code) for code in codes)

    if not scope.prohibited:
        return listed(scope.allowed)
    return translate(
        "rights.terms.without",
        language,
        allowed=listed(scope.allowed),
        prohibited=listed(scope.prohibited),
    )
