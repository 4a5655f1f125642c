# SPDX-License-Identifier: Apache-2.0
"""What travels over the API for rights: shapes of JSON, and how values become them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lingqu import rights
from lingqu.kernel.errors import Rejected
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import Period, format_instant, parse_instant
from lingqu.kernel.values import from_plain, to_plain

KindName = Literal["holding", "using", "operating"]
GroundKindName = Literal["duty", "registration", "contract", "consent"]
TreeNameText = Literal["purposes", "territories", "actions", "environments"]
CauseName = Literal["misconduct", "withdrawn", "ground_ended", "error"]
StandingName = Literal["alive", "revoked", "succeeded", "expired", "held", "not_begun"]


class DigestBad(Rejected):
    """A digest is a SHA-256 in 64 hexadecimal digits."""

    code = "api.digest.bad"


class ScopeShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A part of a code tree: below these codes, and not below those."""

    allowed: list[str]
    prohibited: list[str] = []


class PeriodShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """From `start` (in it) until `end` (not in it; null: open), RFC 3339."""

    start: str
    end: str | None = None


class TermsShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Terms of use in codes; a part that is null is unlimited, except use across the border."""

    purposes: ScopeShape | None = None
    territories: ScopeShape | None = None
    actions: ScopeShape | None = None
    environments: ScopeShape | None = None
    fields: list[str] | None = None
    recipients: list[str] | None = None
    level_max: int | None = None
    valid: PeriodShape | None = None
    cross_border: bool = False


class CodeView(msgspec.Struct, kw_only=True):
    """A code of a tree with its labels."""

    tree: TreeNameText
    code: str
    parent: str | None
    zh: str
    en: str
    source: str | None


class CodeList(msgspec.Struct, kw_only=True):
    """Every code, parents before children."""

    items: list[CodeView]


class RegisterCode(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A new code of a tree."""

    tree: TreeNameText
    code: str
    parent: str | None = None
    zh: str
    en: str
    source: str | None = None


class RecordGround(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A ground under an id the caller made (`gnd_...`); digests are SHA-256 in hexadecimal."""

    ground: str
    kind: GroundKindName
    title: str
    party: str
    evidence: str
    articles: list[str] = []
    assessment: str | None = None


class GroundView(msgspec.Struct, kw_only=True):
    """Why somebody may have a right."""

    id: str
    kind: GroundKindName
    title: str
    party: str
    evidence: str
    articles: list[str]
    assessment: str | None
    recorded_at: str


class IssueRoot(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A root grant under an id the caller made (`grt_...`)."""

    grant: str
    ground: str
    holder: str
    kind: KindName
    terms: TermsShape


class IssueGrant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A grant below another, under an id the caller made (`grt_...`)."""

    grant: str
    parent: str
    holder: str
    kind: KindName
    terms: TermsShape


class RevokeGrant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Why a grant is revoked, and the article it rests on."""

    cause: CauseName
    article: str | None = None


class NarrowGrant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Terms to be met with those in force."""

    terms: TermsShape


class GrantView(msgspec.Struct, kw_only=True):
    """A grant; `effective` is what it permits in the end, in canonical codes."""

    id: str
    ground: str
    parent: str | None
    root: str
    ancestors: list[str]
    succeeds: str | None
    holder: str
    kind: KindName
    terms: dict[str, Any]
    effective: dict[str, Any]
    issued_at: str


class GrantPage(msgspec.Struct, kw_only=True):
    """Some grants, and the cursor of the page after them (null: this was the last)."""

    items: list[GrantView]
    next: str | None


class FreshnessView(msgspec.Struct, kw_only=True):
    """How much an answer knows: changes of the tree, leaves of the log."""

    epoch: int
    log_size: int


class GrantState(msgspec.Struct, kw_only=True):
    """A grant and its standing; `by` is what decided it, `successor` what took its place."""

    grant: GrantView
    standing: StandingName
    by: str | None
    successor: str | None
    freshness: FreshnessView


class ExplanationView(msgspec.Struct, kw_only=True):
    """The path from the root to the grant, its articles, and the whole in words."""

    grant: str
    path: list[str]
    articles: list[str]
    zh: list[str]
    en: list[str]


class VerdictView(msgspec.Struct, kw_only=True):
    """Whether a use is permitted; else the code of the refusal, the part, and the article."""

    permitted: bool
    code: str | None
    part: str | None
    article: str | None
    freshness: FreshnessView


class EndingView(msgspec.Struct, kw_only=True):
    """The end of a grant and everything below it."""

    grant: str
    kind: Literal["revoked", "narrowed", "adopted"]
    cause: str | None
    article: str | None
    ended_at: str


class SuccessionView(msgspec.Struct, kw_only=True):
    """Which grant took the place of which, parents first."""

    ended: str
    old: list[str]
    new: list[str]


def digest(text: str) -> bytes:
    """This will read a SHA-256 in hexadecimal; raises DigestBad."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise DigestBad(given=text[:70]) from None
    if len(value) != 32 or len(text) != 64:
        raise DigestBad(given=text[:70])
    return value


def terms_form(shape: TermsShape) -> TermsForm:
    """This will read terms of use. Raises BadInstant, BadPeriod."""
    plain = msgspec.to_builtins(shape)
    plain["valid"] = None
    form = from_plain(TermsForm, plain)
    if shape.valid is None:
        return form
    end = shape.valid.end
    period = Period(parse_instant(shape.valid.start), None if end is None else parse_instant(end))
    return from_plain(TermsForm, plain | {"valid": to_plain(period)})


def code_view(code: rights.Code | rights.Label) -> CodeView:
    """This will show a code."""
    return CodeView(
        tree=code.tree.value,
        code=code.code,
        parent=code.parent,
        zh=code.zh,
        en=code.en,
        source=code.source,
    )


def ground_view(ground: rights.Ground) -> GroundView:
    """This will show a ground."""
    return GroundView(
        id=ground.id,
        kind=ground.kind.value,
        title=ground.title,
        party=ground.party,
        evidence=ground.evidence.hex(),
        articles=list(ground.articles),
        assessment=None if ground.assessment is None else ground.assessment.hex(),
        recorded_at=format_instant(ground.recorded_at),
    )


def grant_view(grant: rights.Grant) -> GrantView:
    """This will show a grant."""
    return GrantView(
        id=grant.id,
        ground=grant.ground,
        parent=grant.parent,
        root=grant.root,
        ancestors=list(grant.ancestors),
        succeeds=grant.succeeds,
        holder=grant.holder,
        kind=grant.kind.value,
        terms=_terms(grant.terms),
        effective=_terms(grant.effective),
        issued_at=format_instant(grant.issued_at),
    )


def grant_state(grant: rights.Grant, life: rights.Life, fresh: rights.Freshness) -> GrantState:
    """This will show a grant with its standing."""
    return GrantState(
        grant=grant_view(grant),
        standing=life.standing.value,
        by=life.by,
        successor=life.successor,
        freshness=_freshness(fresh),
    )


def verdict_view(verdict: rights.Verdict, fresh: rights.Freshness) -> VerdictView:
    """This will show a verdict."""
    return VerdictView(
        permitted=verdict.permitted,
        code=verdict.code,
        part=verdict.part,
        article=verdict.article,
        freshness=_freshness(fresh),
    )


def ending_view(ending: rights.Ending) -> EndingView:
    """This will show the end of a grant."""
    return EndingView(
        grant=ending.grant_id,
        kind=ending.kind.value,
        cause=ending.cause,
        article=ending.article,
        ended_at=format_instant(ending.ended_at),
    )


def succession_view(done: rights.Succession) -> SuccessionView:
    """This will show which grants took the place of which."""
    return SuccessionView(ended=done.ended, old=list(done.old), new=list(done.new))


def _freshness(fresh: rights.Freshness) -> FreshnessView:
    return FreshnessView(epoch=fresh.epoch, log_size=fresh.log_size)


def _terms(text: str) -> dict[str, Any]:
    plain = to_plain(rights.read_form(text))
    assert isinstance(plain, dict), "terms are an object"
    return dict(plain)
