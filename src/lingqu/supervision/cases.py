# SPDX-License-Identifier: Apache-2.0
"""Cases: what a supervisor looks into, what is held meanwhile, and how it ended.

A case is opened by a supervisor, or by the platform where sums do not agree. Holding is the only
thing it does to the matter itself, and a case does not end while its hold is in force.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust import holds

TEXT_MAX = 2_000


class CaseId(Id):
    """The id of one case."""

    prefix = "cas"


class CaseKind(enum.Enum):
    """What began a case."""

    RECONCILIATION = "reconciliation"
    """Meter, bill and ledger do not agree."""
    REFUSED_ATTEMPTS = "refused_attempts"
    """Somebody tried what was refused."""
    REPORT = "report"
    """Somebody else told of it."""
    INSPECTION = "inspection"
    """It was looked into in its turn."""


class CaseNotFound(errors.NotFound):
    """There is no such case, or the caller may not know of it."""

    code = "supervision.case.not_found"


class CaseClosed(errors.Conflict):
    """The case has ended."""

    code = "supervision.case.closed"


class CaseHolds(errors.Conflict):
    """The case holds its subject; the hold is lifted first."""

    code = "supervision.case.holds"


class CaseHoldsNothing(errors.Conflict):
    """The case holds nothing that could be lifted."""

    code = "supervision.case.holds_nothing"


class BadCase(errors.Rejected):
    """The subject is no id of a known kind, or a text is empty, too long or not printable."""

    code = "supervision.case.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A matter a supervisor looks into. `subject` is the id of what it is about.

    `summary` and `outcome` are text of people, in no fact; `evidence` is the id of the fact that
    began it, `hold` the hold in force.
    """

    id: CaseId
    kind: CaseKind
    subject: str
    summary: str
    evidence: trust.FactId | None
    opened_by: trust.AccountId
    opened_at: Instant
    hold: holds.HoldId | None = None
    outcome: str | None = None
    closed_at: Instant | None = None
    version: int = 1


CASES = trust.Table("supervision.case", Case, not_found=CaseNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOpened(trust.Fact):
    """A supervisor, or the platform, began to look into something."""

    kind = "supervision.case.opened"
    case: CaseId
    reason: CaseKind
    subject: str
    evidence: trust.FactId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseHeld(trust.Fact):
    """The subject of a case is held."""

    kind = "supervision.case.held"
    case: CaseId
    hold: holds.HoldId
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFreed(trust.Fact):
    """The hold of a case was lifted."""

    kind = "supervision.case.freed"
    case: CaseId
    hold: holds.HoldId
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseWasClosed(trust.Fact):
    """A case ended."""

    kind = "supervision.case.closed"
    case: CaseId
    subject: str


@trust.command("supervision.case.open")
def open_case(
    tx: Tx,
    *,
    case: CaseId,
    kind: CaseKind,
    subject: str,
    summary: str,
    evidence: trust.FactId | None = None,
) -> Case:
    """This will begin to look into something named by its typed id.

    Raises BadCase, FactNotFound, IdTaken.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.CASE)
    if evidence is not None:
        trust.get_fact(tx, evidence)
    return begin_case(tx, case=case, kind=kind, subject=subject, summary=summary, evidence=evidence)


def begin_case(
    tx: Tx,
    *,
    case: CaseId,
    kind: CaseKind,
    subject: str,
    summary: str,
    evidence: trust.FactId | None = None,
) -> Case:
    """This will open a case inside another command of supervision, which was authorised."""
    named = _checked_subject(subject)
    opened = Case(
        id=case,
        kind=kind,
        subject=named,
        summary=_checked_text(summary, "summary"),
        evidence=evidence,
        opened_by=trust.AccountId(tx.caller.account),
        opened_at=tx.now,
    )
    CASES.insert(tx, opened)
    trust.record(tx, CaseOpened(case=case, reason=kind, subject=named, evidence=evidence))
    return opened


@trust.command("supervision.case.hold")
def hold_from_case(
    tx: Tx, *, case: CaseId, hold: holds.HoldId, reason: holds.HoldReason, article: str
) -> Case:
    """This will stop the subject of a case until it is freed; whatever depends on it is refused.

    Raises CaseNotFound, CaseClosed, CaseHolds, BadGround.
    """
    held = _open_case(tx, case)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.CASE)
    if held.hold is not None:
        raise CaseHolds(case=case, hold=held.hold)
    holds.place_hold(tx, hold=hold, subject=held.subject, reason=reason, article=article)
    after = CASES.update(tx, held, hold=hold)
    trust.record(tx, CaseHeld(case=case, hold=hold, subject=held.subject))
    return after


@trust.command("supervision.case.lift")
def lift_from_case(tx: Tx, *, case: CaseId) -> Case:
    """This will free what a case holds. Raises CaseNotFound, CaseClosed, CaseHoldsNothing."""
    held = _open_case(tx, case)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.CASE)
    if held.hold is None:
        raise CaseHoldsNothing(case=case)
    if held.subject in holds.find_held(tx, subjects=(held.subject,)):
        holds.lift_hold(tx, hold=held.hold)
    after = CASES.update(tx, held, hold=None)
    trust.record(tx, CaseFreed(case=case, hold=held.hold, subject=held.subject))
    return after


@trust.command("supervision.case.close")
def close_case(tx: Tx, *, case: CaseId, outcome: str) -> Case:
    """This will end a case and say what came of it. Raises CaseNotFound, CaseClosed, CaseHolds."""
    held = _open_case(tx, case)
    trust.authorize(tx, trust.Action.END, trust.Kind.CASE)
    if held.hold is not None:
        raise CaseHolds(case=case, hold=held.hold)
    closed = CASES.update(tx, held, outcome=_checked_text(outcome, "outcome"), closed_at=tx.now)
    trust.record(tx, CaseWasClosed(case=case, subject=held.subject))
    return closed


def get_case(tx: Tx, case: CaseId) -> Case:
    """This will read a case; raises CaseNotFound also where the caller may not see it."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.CASE):
        raise CaseNotFound(id=case)
    return CASES.get(tx, case)


def find_cases(
    tx: Tx, *, page: PageRequest, subject: str | None = None, only_open: bool = False
) -> Page[Case]:
    """This will list cases, newest first. Raises AccessDenied."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.CASE):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.CASE.value)
    tail = (
        "WHERE (%s::text IS NULL OR subject = %s) AND (NOT %s OR closed_at IS NULL)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    values = (subject, subject, only_open, page.key, page.key, page.size + 1)
    found = CASES.find(tx, tail, values)
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def _open_case(tx: Tx, case: CaseId) -> Case:
    held = CASES.lock(tx, case)
    if held.closed_at is not None:
        raise CaseClosed(case=case)
    return held


def _checked_subject(text: str) -> str:
    kind = Id.kinds.get(text.partition("_")[0])
    if kind is None:
        raise BadCase(part="subject")
    return str(kind(text))


def _checked_text(text: str, part: str) -> str:
    plain = text.strip()
    if not 0 < len(plain) <= TEXT_MAX or not plain.isprintable():
        raise BadCase(part=part)
    return plain
