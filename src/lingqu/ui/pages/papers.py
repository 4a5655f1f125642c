# SPDX-License-Identifier: Apache-2.0
"""盖章件: giving the scan of a sealed paper back, and showing it to whoever holds the paper."""

from __future__ import annotations

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from lingqu import errands, trust
from lingqu.trust import copies
from lingqu.ui.acts import Act, Asked, Field, Given, Input
from lingqu.ui.pages.procedures import subject_href
from lingqu.ui.papers import PATH, scan_answer
from lingqu.ui.provided import FromDesk
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.things import my_party
from lingqu.ui.uploads import read_kept


@get(f"{PATH}/{{paper:str}}/copies/{{copy:str}}", sync_to_thread=True)
def sealed_copy(desk: FromDesk, paper: FromPath[str], copy: FromPath[str]) -> Response[bytes]:
    """This will give the scan of a sealed paper, to whoever knows the digest of what it says."""
    with desk.reading() as tx:
        held = copies.get_copy(tx, copies.CopyId(copy), paper=paper)
    content = read_kept(desk.platform, sha256=held.sha256, size=held.size_bytes)
    return scan_answer(desk, held, content)


def _ask(desk: Desk, about: str) -> Asked:
    with desk.reading() as tx:
        sides = my_party(desk, tx, trust.Action.CREATE, trust.Kind.PAPER)
    href = subject_href(about)
    return Asked(
        trail=((href, shorten(about)),) if href is not None else (),
        fields=(
            Field(name="party", show=Input.CHOICE, options=sides, refusals=("trust.copy.not_its",)),
            Field(
                name="paper",
                show=Input.FILES,
                label="ui.papers.paper",
                hint="ui.papers.paper_hint",
                refusals=("runtime.seals.", "runtime.documents.", "runtime.keys."),
            ),
            Field(
                name="scan",
                show=Input.FILES,
                label="ui.papers.scan",
                hint="ui.papers.scan_hint",
                refusals=("trust.copy.",),
            ),
        ),
    )


def _attach(desk: Desk, command: trust.CommandId, given: Given, about: str) -> str:
    made = errands.attach_copy(
        desk.platform,
        desk.visit.caller,
        command,
        paper=given.upload("paper").content,
        scan=given.upload("scan").content,
        party=given.party("party"),
    )
    desk.visit.commanded = True
    return subject_href(made.subject) or subject_href(about) or "/"


ATTACH = Act(
    name="attach_copy",
    path=f"{PATH}/{{about:str}}/copies/new",
    command="trust.copy.attach",
    ask=_ask,
    do=_attach,
    takes_files=True,
)
ACTS = (ATTACH,)
HANDLERS: tuple[Any, ...] = (sealed_copy,)
