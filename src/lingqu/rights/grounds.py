# SPDX-License-Identifier: Apache-2.0
"""Grounds: why somebody may have a right at all, with the digest of the evidence for it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx

TITLE_MAX = 300
ARTICLES_MAX = 20
DIGEST_BYTES = 32


class GroundId(Id):
    """The id of one ground."""

    prefix = "gnd"


class GroundKind(enum.Enum):
    """What kind of reason it is."""

    DUTY = "duty"
    """A statutory duty of a public body (职能)."""
    REGISTRATION = "registration"
    """A registered resource or property right (登记)."""
    CONTRACT = "contract"
    """A contract between parties (合同)."""
    CONSENT = "consent"
    """The consent of the person the data is about (同意)."""


class GroundNotFound(errors.NotFound):
    """There is no such ground, or the caller may not know of it."""

    code = "rights.ground.not_found"


class GroundTaken(errors.Conflict):
    """A ground with this id exists already."""

    code = "rights.ground.taken"


class BadGround(errors.Rejected):
    """A ground needs a title, the SHA-256 of its evidence, and at most 20 articles."""

    code = "rights.ground.bad"


class PartyUnknown(errors.NotFound):
    """There is no such party, or its data was erased: it can neither hold nor found a right."""

    code = "rights.party.unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Why `party` may have a right. `evidence` and `assessment` are SHA-256 of documents.

    `articles` name the rules that are the ground, document and article. Without an assessment of
    the transfer no grant on this ground reaches across the border.
    """

    id: GroundId
    kind: GroundKind
    title: str
    party: trust.PartyId
    evidence: bytes
    articles: tuple[str, ...]
    assessment: bytes | None
    recorded_at: Instant
    version: int = 1


GROUNDS = trust.Table("rights.ground", Ground, not_found=GroundNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundRecorded(trust.Fact):
    """A ground for rights came to be known here."""

    kind = "rights.ground.recorded"
    ground: GroundId
    ground_kind: GroundKind
    party: trust.PartyId
    evidence: bytes
    articles: tuple[str, ...]
    assessment: bytes | None


@trust.command("rights.ground.record")
def record_ground(
    tx: Tx,
    *,
    ground: GroundId,
    kind: GroundKind,
    title: str,
    party: trust.PartyId,
    evidence: bytes,
    articles: tuple[str, ...] = (),
    assessment: bytes | None = None,
) -> Ground:
    """This will record a ground under the id the caller made.

    `title` may be personal data (a consent); it is never in a fact. Raises GroundTaken, BadGround.
    """
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.GROUND)
    return keep_ground(
        tx,
        ground=ground,
        kind=kind,
        title=title,
        party=party,
        evidence=evidence,
        articles=articles,
        assessment=assessment,
    )


def keep_ground(
    tx: Tx,
    *,
    ground: GroundId,
    kind: GroundKind,
    title: str,
    party: trust.PartyId,
    evidence: bytes,
    articles: tuple[str, ...] = (),
    assessment: bytes | None = None,
) -> Ground:
    """This will record a ground inside another command, which authorised it.

    Raises PartyUnknown, GroundTaken, BadGround.
    """
    confirm_party(tx, party)
    if tx.maybe("SELECT 1 FROM rights.ground WHERE id = %s", (ground,)):
        raise GroundTaken(ground=ground)
    if not 0 < len(title.strip()) <= TITLE_MAX or not title.isprintable():
        raise BadGround(where="title")
    if len(evidence) != DIGEST_BYTES:
        raise BadGround(where="evidence")
    if assessment is not None and len(assessment) != DIGEST_BYTES:
        raise BadGround(where="assessment")
    plain = all(0 < len(one.strip()) <= TITLE_MAX and one.isprintable() for one in articles)
    if len(articles) > ARTICLES_MAX or not plain:
        raise BadGround(where="articles")
    made = Ground(
        id=ground,
        kind=kind,
        title=title.strip(),
        party=party,
        evidence=evidence,
        articles=articles,
        assessment=assessment,
        recorded_at=tx.now,
    )
    GROUNDS.insert(tx, made)
    trust.record(
        tx,
        GroundRecorded(
            ground=ground,
            ground_kind=kind,
            party=party,
            evidence=evidence,
            articles=articles,
            assessment=assessment,
        ),
    )
    return made


def confirm_party(tx: Tx, party: trust.PartyId) -> None:
    """This will let a command name any party that exists. Raises PartyUnknown."""
    if not tx.maybe("SELECT 1 FROM trust.party WHERE id = %s AND erased_at IS NULL", (party,)):
        raise PartyUnknown(party=party)


def get_ground(tx: Tx, ground: GroundId) -> Ground:
    """This will read one ground; raises GroundNotFound where the caller may not see it."""
    found = GROUNDS.get(tx, ground)
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.GROUND, owner=found.party):
        raise GroundNotFound(id=ground)
    return found
