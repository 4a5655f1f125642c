# SPDX-License-Identifier: Apache-2.0
"""How a hold is placed on a thing of any domain, found by its commands, and lifted again."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust.access import AccessDenied, AccountId, Action, Kind, authorize, is_allowed
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.rows import Table

ARTICLE_MAX = 200
CHANNEL = "lingqu_holds"
"""Notified at each commit: `+`, the subject and on a line of its own the article of a new hold; `-`
and the subject where one was lifted: only the database says whether it is free."""
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


class HoldId(Id):
    """The id of one hold."""

    prefix = "hld"


class HoldReason(enum.Enum):
    """Why a thing is held."""

    SUPERVISION = "supervision"
    """An order of the authority that supervises data."""
    COURT_ORDER = "court_order"
    """A court or another authority asks for it by law."""
    DISPUTE = "dispute"
    """Somebody objects to the right or the deal, and it is being looked into."""
    SECURITY = "security"
    """An incident or a risk that must not grow."""
    QUALITY = "quality"
    """What is delivered does not agree with what was promised."""
    PAYMENT = "payment"
    """Something due was not paid."""


class HoldNotFound(errors.NotFound):
    """There is no such hold, or the caller may not know of it."""

    code = "trust.hold.not_found"


class HoldLifted(errors.Conflict):
    """The hold was lifted before."""

    code = "trust.hold.lifted"


class HoldTaken(errors.Conflict):
    """A hold with this id exists already."""

    code = "trust.hold.taken"


class BadSubject(errors.Rejected):
    """Only things that have an id of a known kind can be held."""

    code = "trust.hold.bad_subject"


class BadGround(errors.Rejected):
    """A hold names the article it rests on, and its order by a SHA-256 in lower-case hex."""

    code = "trust.hold.bad_ground"


class Held(errors.Conflict):
    """The thing is held; nothing can be done with it until the hold is lifted."""

    code = "trust.hold.held"

    def __init__(self, **parameters: errors.Parameter) -> None:
        """The ground of the hold is the ground of the refusal."""
        super().__init__(**parameters)
        ground = parameters.get("article")
        self.article = None if ground is None else str(ground)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A stop on one thing. `evidence` is the SHA-256 of the order or document behind it."""

    id: HoldId
    subject: str
    reason: HoldReason
    article: str
    evidence: str | None
    placed_by: AccountId
    placed_at: Instant
    lifted_by: AccountId | None = None
    lifted_at: Instant | None = None
    version: int = 1


HOLDS = Table("trust.hold", Hold, not_found=HoldNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldWasPlaced(Fact):
    """A thing was stopped."""

    kind = "trust.hold.placed"
    hold: HoldId
    subject: str
    reason: HoldReason
    article: str
    evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldWasLifted(Fact):
    """A hold ended; the thing may still be under another."""

    kind = "trust.hold.lifted"
    hold: HoldId
    subject: str


@command("trust.hold.place")
def place_hold(
    tx: Tx,
    *,
    hold: HoldId,
    subject: str,
    reason: HoldReason,
    article: str,
    evidence: str | None = None,
) -> Hold:
    """This will stop a thing named by its typed id, on the ground of an article.

    Waits for commands in flight that rely on the thing being free; whatever starts afterwards is
    refused. Raises BadSubject, BadGround, HoldTaken.
    """
    named = _checked_subject(subject)
    tx.execute(_LOCK, (named,))
    authorize(tx, Action.CREATE, Kind.HOLD)
    if tx.maybe("SELECT 1 FROM trust.hold WHERE id = %s", (hold,)):
        raise HoldTaken(id=hold)
    placed = Hold(
        id=hold,
        subject=named,
        reason=reason,
        article=_checked_article(article),
        evidence=_checked_evidence(evidence),
        placed_by=AccountId(tx.caller.account),
        placed_at=tx.now,
    )
    HOLDS.insert(tx, placed)
    record(
        tx,
        HoldWasPlaced(
            hold=hold,
            subject=named,
            reason=reason,
            article=placed.article,
            evidence=placed.evidence,
        ),
    )
    _tell(tx, f"+{named}\n{placed.article}")
    return placed


@command("trust.hold.lift")
def lift_hold(tx: Tx, *, hold: HoldId) -> Hold:
    """This will end a hold. Raises HoldNotFound, HoldLifted."""
    held = HOLDS.lock(tx, hold)
    authorize(tx, Action.END, Kind.HOLD)
    if held.lifted_at is not None:
        raise HoldLifted(hold=hold)
    lifted = HOLDS.update(tx, held, lifted_by=AccountId(tx.caller.account), lifted_at=tx.now)
    record(tx, HoldWasLifted(hold=hold, subject=held.subject))
    _tell(tx, f"-{held.subject}")
    return lifted


def _tell(tx: Tx, notice: str) -> None:
    """Checkers in memory hear of a hold in the instant it commits."""
    tx.execute("SELECT pg_notify(%s, %s)", (CHANNEL, notice))


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))"
_SHARE = (
    "SELECT pg_advisory_xact_lock_shared(hashtextextended(u.subject, 2))"
    " FROM (SELECT subject FROM unnest(%s::text[]) AS s (subject) ORDER BY subject) AS u"
)
_HELD = """
    SELECT id, subject, reason, article FROM trust.hold
    WHERE subject = ANY(%s) AND lifted_at IS NULL ORDER BY id LIMIT 1
"""


def is_held(tx: Tx, *, subject: str) -> bool:
    """This will say whether a hold is on the thing now; a hold may be placed a moment later."""
    return bool(find_held(tx, subjects=(subject,)))


def find_held(tx: Tx, *, subjects: Sequence[str]) -> tuple[str, ...]:
    """This will give those of the subjects that are held, sorted; looking needs no right."""
    rows = tx.all(
        "SELECT DISTINCT subject FROM trust.hold WHERE subject = ANY(%s) AND lifted_at IS NULL"
        " ORDER BY subject",
        ([str(one) for one in subjects],),
    )
    return tuple(row["subject"] for row in rows)


def refuse_held(tx: Tx, *, subjects: Sequence[str]) -> None:
    """This will let a command go on only while none of the subjects is held; raises Held.

    Takes a shared lock on each until the transaction ends, in the order of the ids, so that no
    hold can be placed between the decision and the commit.
    """
    named = sorted({str(one) for one in subjects})
    tx.execute(_SHARE, (named,))
    row = tx.maybe(_HELD, (named,))
    if row is not None:
        raise Held(
            subject=row["subject"], hold=row["id"], reason=row["reason"], article=row["article"]
        )


def find_holds(
    tx: Tx, *, page: PageRequest, subject: str | None = None, in_force: bool = False
) -> Page[Hold]:
    """This will list holds, newest first; lifted ones too, unless `in_force`.

    Raises AccessDenied.
    """
    if not is_allowed(tx, Action.READ, Kind.HOLD):
        raise AccessDenied(action=Action.READ.value, kind=Kind.HOLD.value)
    tail = (
        "WHERE (%s::text IS NULL OR subject = %s) AND (NOT %s OR lifted_at IS NULL)"
        " AND (%s::text IS NULL OR id < %s) ORDER BY id DESC LIMIT %s"
    )
    found = HOLDS.find(tx, tail, (subject, subject, in_force, page.key, page.key, page.size + 1))
    more = len(found) > page.size
    return Page(items=found[: page.size], next=cursor(found[page.size - 1].id) if more else None)


def _checked_subject(text: str) -> str:
    kind = Id.kinds.get(text.partition("_")[0])
    if kind is None:
        raise BadSubject(text=text[:40])
    return str(kind(text))


def _checked_article(text: str) -> str:
    article = text.strip()
    if not 1 <= len(article) <= ARTICLE_MAX or not article.isprintable():
        raise BadGround(field="article")
    return article


def _checked_evidence(text: str | None) -> str | None:
    if text is not None and not _SHA256.match(text):
        raise BadGround(field="evidence")
    return text
