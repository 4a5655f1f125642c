# SPDX-License-Identifier: Apache-2.0
"""What travels over the API for rights: shapes of JSON, and how values become them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lingqu import rights
from lingqu.kernel.errors import Rejected
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import Instant, Period, format_instant, parse_instant
from lingqu.kernel.values import from_plain, to_plain
from lingqu.rights import obligations, quantities

KindName = Literal["holding", "using", "operating"]
GroundKindName = Literal["duty", "registration", "contract", "consent"]
TreeNameText = Literal["purposes", "territories", "actions", "environments"]
CauseName = Literal["misconduct", "withdrawn", "ground_ended", "error"]
ObligationKindName = Literal["delete", "report", "pay"]
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


class QuantityShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """So many units of a currency of the ledger."""

    currency: str
    amount: int


class QuotaView(msgspec.Struct, kw_only=True):
    """What a grant has of a currency; `unswept` fell to it from dead grants below."""

    currency: str
    available: int
    reserved: int
    unswept: int


class QuotaList(msgspec.Struct, kw_only=True):
    """What a grant has, by currency."""

    items: list[QuotaView]


class TakeLease(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A lease under an id the caller made (`lse_...`), until an instant of real time."""

    lease: str
    grant: str
    currency: str
    amount: int
    expires_at: str


class SettleLease(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How much of a lease was used."""

    used: int


class LeaseView(msgspec.Struct, kw_only=True):
    """A part of a grant's quantity reserved for local use; settled at `closed_at`."""

    id: str
    grant: str
    currency: str
    amount: int
    taker: str
    taken_at: str
    expires_at: str
    used: int | None
    closed_at: str | None


class DutyShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a grant obliges to within `days` calendar days of its issue or its end."""

    kind: ObligationKindName
    days: int
    starts: Literal["issued", "ended"]
    article: str | None = None


class FulfillObligation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The SHA-256 of what shows that it was done, in hexadecimal."""

    evidence: str


class ObligationView(msgspec.Struct, kw_only=True):
    """What a holder owes; `due_at` is null while its clock has not started, or it is over."""

    id: str
    grant: str
    kind: ObligationKindName
    days: int
    starts: Literal["issued", "ended"]
    article: str | None
    state: Literal["open", "overdue", "fulfilled", "succeeded"]
    evidence: str | None
    due_at: str | None


class ObligationList(msgspec.Struct, kw_only=True):
    """What the holder of a grant owes."""

    items: list[ObligationView]


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
    quotas: list[QuantityShape] = []
    duties: list[DutyShape] = []


class IssueGrant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A grant below another, under an id the caller made (`grt_...`)."""

    grant: str
    parent: str
    holder: str
    kind: KindName
    terms: TermsShape
    quotas: list[QuantityShape] = []
    duties: list[DutyShape] = []


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
    basis: str | None


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
        basis=grant.basis,
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


def read_quantities(shapes: list[QuantityShape]) -> tuple[rights.Quantity, ...]:
    """This will read quantities."""
    return tuple(rights.Quantity(currency=one.currency, amount=one.amount) for one in shapes)


def read_duties(shapes: list[DutyShape]) -> tuple[rights.Duty, ...]:
    """This will read duties."""
    return tuple(
        rights.Duty(
            kind=rights.ObligationKind(one.kind),
            days=one.days,
            starts=rights.ClockStart(one.starts),
            article=one.article,
        )
        for one in shapes
    )


def obligation_view(one: obligations.Obligation, due_at: Instant | None) -> ObligationView:
    """This will show an obligation."""
    return ObligationView(
        id=one.id,
        grant=one.grant_id,
        kind=one.kind.value,
        days=one.days,
        starts=one.starts.value,
        article=one.article,
        state=one.state.value,
        evidence=None if one.evidence is None else one.evidence.hex(),
        due_at=None if due_at is None else format_instant(due_at),
    )


def quota_view(state: quantities.QuotaState) -> QuotaView:
    """This will show what a grant has."""
    return QuotaView(
        currency=state.currency,
        available=state.available,
        reserved=state.reserved,
        unswept=state.unswept,
    )


def lease_view(lease: quantities.Lease) -> LeaseView:
    """This will show a lease."""
    return LeaseView(
        id=lease.id,
        grant=lease.grant_id,
        currency=lease.currency,
        amount=lease.amount,
        taker=lease.taker,
        taken_at=format_instant(lease.taken_at),
        expires_at=format_instant(lease.expires_at),
        used=lease.used,
        closed_at=None if lease.closed_at is None else format_instant(lease.closed_at),
    )


def _freshness(fresh: rights.Freshness) -> FreshnessView:
    return FreshnessView(epoch=fresh.epoch, log_size=fresh.log_size)


def _terms(text: str) -> dict[str, Any]:
    plain = to_plain(rights.read_form(text))
    assert isinstance(plain, dict), "terms are an object"
    return dict(plain)
