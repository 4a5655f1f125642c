# SPDX-License-Identifier: Apache-2.0
"""The texts of a contract beside each other: what changed from one edition to the next."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from itertools import pairwise

from litestar import Response, get
from litestar.params import FromPath

from lingqu import market
from lingqu.market import ContractId
from lingqu.ui.pages.contracts import PATH
from lingqu.ui.provided import FromDesk

_CONTEXT = 2


@get(f"{PATH}/{{contract:str}}/editions", sync_to_thread=True)
def edition_page(desk: FromDesk, contract: FromPath[str]) -> Response[str]:
    """This will show every edition of a contract's text, and line by line what each changed."""
    desk.require()
    wanted = ContractId(contract)
    with desk.reading() as tx:
        held = market.get_contract(tx, wanted)
        found = market.find_editions(tx, wanted)
    pairs = pairwise(found)
    return desk.show(
        "market/editions.html",
        name=held.title,
        base=f"{PATH}/{wanted}",
        editions=found,
        changes=tuple(
            (before, after, tuple(_changes(before.text, after.text))) for before, after in pairs
        ),
        first=_lines(found[0].text) if found else (),
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(json.dumps(json.loads(text), ensure_ascii=False, indent=2).splitlines())


def _changes(before: str, after: str) -> Iterator[tuple[str, str]]:
    """The lines that went, came, or stand around them."""
    told = difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=_CONTEXT)
    for line in list(told)[2:]:
        if not line.startswith("@@"):
            yield {"-": "minus", "+": "plus"}.get(line[:1], "same"), line[1:]


HANDLERS = (edition_page,)
