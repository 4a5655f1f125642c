# SPDX-License-Identifier: Apache-2.0
"""How a scan is kept under the digest of the paper it is a scan of, and found again by it."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.runtime.seals import CheckedPaper
from lingqu.trust.access import Action, Kind, PartyId, authorize
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.rows import Table

COPY_BYTES_MOST = 32 << 20
"""How large a scan may be."""
_KINDS = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}


class CopyId(Id):
    """The id of one sealed copy."""

    prefix = "scp"


class CopyNotFound(errors.NotFound):
    """There is no such sealed copy of this paper."""

    code = "trust.copy.not_found"


class BadScan(errors.Rejected):
    """A scan is a PDF, a PNG or a JPEG of at most 32 MiB."""

    code = "trust.copy.bad_scan"


class NotItsSeal(errors.Forbidden):
    """The seal of this organisation does not belong on the paper."""

    code = "trust.copy.not_its_seal"


class CopyTaken(errors.Conflict):
    """This scan was attached to the paper before."""

    code = "trust.copy.taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCopy:
    """A scan of a sealed paper. `paper` is the SHA-256 of what the paper says, `sha256` the scan's.

    `subject` is the id of what the paper is about.
    """

    id: CopyId
    paper: str
    template: str
    subject: str
    party: PartyId
    sha256: str
    size_bytes: int
    media_type: str
    attached_at: Instant
    version: int = 1


COPIES = Table("trust.sealed_copy", SealedCopy, not_found=CopyNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyAttached(Fact):
    """The scan of a sealed paper was attached to it."""

    kind = "trust.copy.attached"
    copy: CopyId
    paper: str
    template: str
    subject: str
    party: PartyId
    sha256: str


@command("trust.copy.attach")
def attach_copy(
    tx: Tx,
    *,
    copy: CopyId,
    paper: CheckedPaper,
    party: PartyId,
    sha256: str,
    size_bytes: int,
    media_type: str,
) -> SealedCopy:
    """This will attach the scan of a sealed paper, for a party whose seal belongs on it.

    `paper` was checked to be one of ours; the scan is kept already by its digest. Raises
    NotItsSeal, BadScan, CopyTaken, IdTaken.
    """
    authorize(tx, Action.CREATE, Kind.PAPER, owner=party)
    if party not in paper.paper.sealers:
        raise NotItsSeal(party=party)
    if media_type not in _KINDS or not 0 < size_bytes <= COPY_BYTES_MOST:
        raise BadScan(bytes=size_bytes)
    made = SealedCopy(
        id=copy,
        paper=paper.sha256,
        template=paper.paper.template,
        subject=paper.paper.subject,
        party=party,
        sha256=sha256,
        size_bytes=size_bytes,
        media_type=media_type,
        attached_at=tx.now,
    )
    tx.means("sealed_copy_once", f"{paper.sha256}, {sha256}", CopyTaken(sha256=sha256))
    COPIES.insert(tx, made)
    record(
        tx,
        CopyAttached(
            copy=copy,
            paper=made.paper,
            template=made.template,
            subject=made.subject,
            party=party,
            sha256=sha256,
        ),
    )
    return made


def find_copies(tx: Tx, *, paper: str) -> tuple[SealedCopy, ...]:
    """This will list the scans of a paper, oldest first, for whoever knows its digest."""
    return COPIES.find(tx, "WHERE paper = %s ORDER BY id", (paper,))


def find_copies_about(tx: Tx, *, subject: str) -> tuple[SealedCopy, ...]:
    """This will list the scans of all papers about a thing, oldest first.

    For pages of that thing only: who may see it may see them.
    """
    return COPIES.find(tx, "WHERE subject = %s ORDER BY id", (subject,))


def get_copy(tx: Tx, copy: CopyId, *, paper: str) -> SealedCopy:
    """This will read a scan's row, for whoever knows its paper's digest. Raises CopyNotFound."""
    held = COPIES.get(tx, copy)
    if held.paper != paper:
        raise CopyNotFound(id=copy)
    return held


def read_scan_type(content: bytes) -> str:
    """This will say what kind of file a scan is, by its beginning. Raises BadScan."""
    for kind, begins in _KINDS.items():
        if content.startswith(begins):
            return kind
    raise BadScan(bytes=len(content))
