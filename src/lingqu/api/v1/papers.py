# SPDX-License-Identifier: Apache-2.0
"""Papers over the API: as files, checked to the last byte, and with the scans of sealed ones."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, Router
from litestar.params import FromPath, JSONBody, QueryParameter

from lingqu import trust
from lingqu.api.routes import asks, makes, reads, routes_of
from lingqu.api.writes import FromPlatform, FromWrite
from lingqu.errands import attach_copy, check_paper, issue_paper, sign_paper
from lingqu.kernel.time import format_instant
from lingqu.runtime import documents
from lingqu.runtime.blobs import BlobRef
from lingqu.runtime.seals import BadPaper
from lingqu.trust import copies
from lingqu.wiring import App

UPLOAD_PATH = "/api/v1/trust/papers"
"""Where papers and scans may be longer than other bodies."""

SIGNED = "json"
FormatName = Literal["docx", "pdf", "json"]
To = Annotated[
    FormatName, QueryParameter(name="to", description="Word, PDF, or the signed content")
]
ToFormat = Annotated[
    FormatName, QueryParameter(name="format", description="Word, PDF, or the signed content")
]


def paper_file(
    platform: App, paper: documents.Paper, to: FormatName, *, name: str
) -> Response[bytes]:
    """This will give a paper as a file, marked as every paper is. Raises what drawing raises."""
    if to == SIGNED:
        content, media = sign_paper(platform, paper), "application/json"
    else:
        made = issue_paper(platform, paper, to=documents.Format(to))
        content, media = made.content, made.media_type
    return Response(
        content,
        media_type=media,
        headers={"content-disposition": f'attachment; filename="{name}.{to}"'},
    )


class CheckPaper(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A paper as Word, PDF or signed content, in base64."""

    content: str


class AttachCopy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The paper as it was downloaded and the scan of it with its seal, both in base64."""

    party: str
    paper: str
    scan: str


class SealedCopyView(msgspec.Struct, kw_only=True):
    """The scan of a sealed paper; `paper` is the SHA-256 of what the paper says."""

    id: str
    paper: str
    template: str
    subject: str
    party: str
    sha256: str
    size_bytes: int
    media_type: str
    attached_at: str


class SealedCopyList(msgspec.Struct, kw_only=True):
    """The scans of one paper, oldest first."""

    items: list[SealedCopyView]


class CheckedPaperView(msgspec.Struct, kw_only=True):
    """A paper of this platform, unaltered: what it says, by which key, and its scans."""

    template: str
    subject: str
    sealers: list[str]
    sha256: str
    key: str
    data: dict[str, Any]
    copies: list[SealedCopyView]


@asks("/check", "Check a paper", is_open=True)
def check(platform: FromPlatform, data: JSONBody[CheckPaper]) -> CheckedPaperView:
    """This will say whether a paper is one of this platform, to the last byte; open to everyone."""
    found = check_paper(platform, _bytes(data.content))
    with platform.database.reading(trust.VISITOR) as tx:
        scans = copies.find_copies(tx, paper=found.sha256)
    return CheckedPaperView(
        template=found.paper.template,
        subject=found.paper.subject,
        sealers=[*found.paper.sealers],
        sha256=found.sha256,
        key=found.key,
        data=dict(found.paper.data),
        copies=[_view(one) for one in scans],
    )


@makes("/copies", "trust.copy.attach", "Attach the scan of a sealed paper")
def attach(write: FromWrite, data: JSONBody[AttachCopy]) -> SealedCopyView:
    """This will attach a scan, for a party whose seal belongs on the paper."""
    write.visit.commanded = True
    made = attach_copy(
        write.platform,
        write.visit.caller,
        write.command,
        paper=_bytes(data.paper),
        scan=_bytes(data.scan),
        party=trust.PartyId(data.party),
    )
    return _view(made)


@reads("/{paper:str}/copies", "List the scans of a paper", is_open=True)
def find_copies(platform: FromPlatform, paper: FromPath[str]) -> SealedCopyList:
    """This will list the scans of a paper, for whoever knows the SHA-256 of what it says."""
    with platform.database.reading(trust.VISITOR) as tx:
        found = copies.find_copies(tx, paper=paper)
    return SealedCopyList(items=[_view(one) for one in found])


@reads("/{paper:str}/copies/{copy:str}", "Read the scan of a paper", is_open=True)
def get_copy(platform: FromPlatform, paper: FromPath[str], copy: FromPath[str]) -> Response[bytes]:
    """This will give a scan as it was sent, for whoever knows the SHA-256 of what it says."""
    wanted = copies.CopyId(copy)
    with platform.database.reading(trust.VISITOR) as tx:
        held = copies.get_copy(tx, wanted, paper=paper)
    with platform.blobs.open(BlobRef(sha256=held.sha256, size=held.size_bytes)) as stream:
        content = stream.read()
    said = {"content-disposition": f'attachment; filename="{held.id}"'}
    return Response(content, media_type=held.media_type, headers=said)


def _view(one: copies.SealedCopy) -> SealedCopyView:
    return SealedCopyView(
        id=one.id,
        paper=one.paper,
        template=one.template,
        subject=one.subject,
        party=one.party,
        sha256=one.sha256,
        size_bytes=one.size_bytes,
        media_type=one.media_type,
        attached_at=format_instant(one.attached_at),
    )


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadPaper from None


def routers() -> tuple[Router, ...]:
    """This will give the routes."""
    return routes_of(UPLOAD_PATH, "trust", (check, attach, find_copies, get_copy))
