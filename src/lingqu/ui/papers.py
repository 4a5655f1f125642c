# SPDX-License-Identifier: Apache-2.0
"""Papers on pages: the card that gives them and shows their sealed copies, and the one answer."""

from __future__ import annotations

from litestar import Response

from lingqu import trust
from lingqu.errands import issue_paper, sign_paper
from lingqu.runtime import Tx, documents
from lingqu.trust import copies
from lingqu.ui import tables
from lingqu.ui.refusals import PageNotFound
from lingqu.ui.rendering import Desk
from lingqu.ui.things import Card, Cell, Link

PATH = "/trust/papers"
SIGNED = "json"
"""The ending of a paper's content with its signature."""
ENDINGS = (*(one.value for one in documents.Format), SIGNED)
_SCAN_ENDINGS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}


def check_ending(ending: str) -> None:
    """This will refuse an ending that no paper has. Raises PageNotFound."""
    if ending not in ENDINGS:
        raise PageNotFound


def paper_answer(desk: Desk, paper: documents.Paper, ending: str, *, name: str) -> Response[bytes]:
    """This will give a paper as Word, PDF or its signed content, marked as every paper is.

    Raises PageNotFound for another ending, and what drawing raises.
    """
    check_ending(ending)
    if ending == SIGNED:
        content, media = sign_paper(desk.platform, paper), "application/json"
    else:
        made = issue_paper(desk.platform, paper, to=documents.Format(ending))
        content, media = made.content, made.media_type
    return tables.file_answer(content, name=f"{name}.{ending}", media_type=media)


def paper_links(desk: Desk, path: str) -> tuple[Link, ...]:
    """This will link a paper as files of every kind, and the file of its signature."""
    return (
        *((f"{path}{one.value}", one.value.upper()) for one in documents.Format),
        (f"{path}{SIGNED}", desk.text("ui.procedure.signature")),
    )


def papers_card(desk: Desk, tx: Tx, about: str, *papers: Link) -> Card:
    """This will show the papers of a thing, each by where its files are and what it is called.

    With them the scans of sealed copies, for whoever may see the thing: the page has checked it.
    """
    rows: list[tuple[str, Cell | str]] = [
        (words, Cell(words=words, links=paper_links(desk, path))) for path, words in papers
    ]
    scans = copies.find_copies_about(tx, subject=about)
    names = desk.names(tx, {one.party for one in scans})
    rows += [(desk.text("ui.papers.copy"), scan_cell(desk, one, names[one.party])) for one in scans]
    links: list[Link] = []
    mine = desk.visit.identity
    held = () if mine is None else mine.parties or (mine.party,)
    if any(
        trust.is_allowed(tx, trust.Action.CREATE, trust.Kind.PAPER, owner=trust.PartyId(one))
        for one in held
    ):
        links.append((f"{PATH}/{about}/copies/new", desk.text("ui.act.attach_copy")))
    links.append(("/trust/verify", desk.text("ui.nav.verify")))
    return Card(
        name="papers",
        title=desk.text("ui.procedure.papers"),
        rows=tuple(rows),
        links=tuple(links),
        foot=desk.text("ui.papers.hint"),
    )


def scan_cell(desk: Desk, one: copies.SealedCopy, party: str) -> Cell:
    """This will show the scan of a sealed copy: whose, from when, and the file itself."""
    return Cell(
        words=f"{party} · {desk.when(one.attached_at)}",
        href=f"{PATH}/{one.paper}/copies/{one.id}",
        sub=f"SHA-256 {one.sha256[:16]}…",
        title=one.sha256,
    )


def scan_answer(desk: Desk, held: copies.SealedCopy, content: bytes) -> Response[bytes]:
    """This will give the scan of a sealed copy as a file."""
    name = f"{desk.text('ui.papers.copy')}-{held.id[-8:]}.{_SCAN_ENDINGS[held.media_type]}"
    return tables.file_answer(content, name=name, media_type=held.media_type)
