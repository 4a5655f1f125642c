# SPDX-License-Identifier: Apache-2.0
"""Pages about one thing, told as cards: rows, steps, texts and a table, in two columns or one.

Most things are read the same way: what it says, who is part of it, what was done, what can be done
now. A page that needs a drawing of its own has a template of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from litestar import Response

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.paging import Page, PageRequest
from lingqu.runtime import Tx
from lingqu.trust import procedures
from lingqu.ui import tables
from lingqu.ui.acts import Act
from lingqu.ui.rendering import Desk, shorten
from lingqu.ui.tables import TableView

Row = TypeVar("Row")
Link = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Some words, with where they lead, how they are toned, and what stands small below.

    `links` are files to download, shown instead of the words.
    """

    words: str
    href: str | None = None
    tone: str | None = None
    sub: str | None = None
    code: bool = False
    title: str | None = None
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of what was done: its words, when, and what was said."""

    words: str
    when: str = ""
    said: str = ""
    href: str | None = None
    tone: str | None = None
    badge: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One part of a page under its heading."""

    name: str
    title: str
    lead: str = ""
    rows: tuple[tuple[str, Cell | str], ...] = ()
    steps: tuple[Step, ...] = ()
    lines: tuple[str, ...] = ()
    quotes: tuple[tuple[str, str], ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    view: TableView | None = None
    links: tuple[Link, ...] = ()
    code: str = ""
    none: str = ""
    foot: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it."""
        return not (
            self.rows or self.steps or self.lines or self.quotes or self.figures or self.links
            or self.code
        ) and self.view is None  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A page about one thing: its head, and its cards above, left, right and below."""

    title: str
    lead: str
    trail: tuple[Link, ...] = ()
    rule: str | None = None
    badges: tuple[Cell, ...] = ()
    above: tuple[Card, ...] = ()
    left: tuple[Card, ...] = ()
    right: tuple[Card, ...] = ()
    below: tuple[Card, ...] = ()
    acts: tuple[Link, ...] = ()
    """What the visitor can do now, each a page of its own."""
    waits_for: str = ""
    """Whose turn it is, where the visitor can do nothing."""
    refreshes: int | None = None


def show_thing(
    desk: Desk, thing: Thing, *, refusal: errors.LingquError | None = None, status: int = 200
) -> Response[str]:
    """This will draw the page of a thing."""
    return desk.show("thing.html", status=status, thing=thing, refusal=desk.explain(refusal))


def id_cell(value: str, href: str | None = None) -> Cell:
    """This will show an id or a digest, shortened for the eye and whole in the title."""
    return Cell(words=shorten(value), code=True, title=value, href=href)


def parties_to_see(
    tx: Tx, mine: trust.Identity, kind: trust.Kind
) -> tuple[trust.PartyId | None, ...]:
    """This will say whose things of a kind to list: everybody's (None), or the visitor's own."""
    if trust.is_allowed(tx, trust.Action.READ, kind):
        return (None,)
    found = (trust.PartyId(one) for one in mine.parties or (mine.party,))
    return tuple(one for one in found if trust.is_allowed(tx, trust.Action.READ, kind, owner=one))


def reach_of(tx: Tx, mine: trust.Identity, kind: trust.Kind) -> tuple[trust.PartyId, ...] | None:
    """This will say whose things of a kind to look through: everybody's (None), or these'."""
    found = parties_to_see(tx, mine, kind)
    return None if None in found else tuple(one for one in found if one is not None)


def gather_own(
    parties: Iterable[trust.PartyId | None],
    find: Callable[[PageRequest, trust.PartyId | None], Page[Row]],
    *,
    key: Callable[[Row], str],
) -> tuple[tuple[Row, ...], bool]:
    """This will walk the lists of several parties to their ends, each thing once, newest first."""
    found: dict[str, Row] = {}
    is_cut = False
    for party in parties:
        rows, cut = tables.gather(_of_party(find, party))
        found |= {key(one): one for one in rows}
        is_cut = is_cut or cut
    return tuple(found[one] for one in sorted(found, reverse=True)), is_cut


def _of_party(
    find: Callable[[PageRequest, trust.PartyId | None], Page[Row]], party: trust.PartyId | None
) -> Callable[[PageRequest], Page[Row]]:
    return lambda page: find(page, party)


def todo_of(
    desk: Desk,
    tx: Tx,
    procedure: str,
    about: str,
    known: Mapping[str, Act],
) -> tuple[tuple[Link, ...], str]:
    """This will say what the visitor can do now in a procedure, or else whose turn it is.

    A move that is made by a command of its own (`known`, by the move's name) leads to its page, the
    others to the page of the procedure.
    """
    try:
        view = procedures.get_procedure(tx, procedures.ProcedureId(procedure))
    except errors.NotFound:
        return (), ""
    here = f"/trust/procedures/{procedure}"
    found: dict[str, str] = {}
    for one in view.choices:
        act = known.get(one.name)
        if act is not None:
            href, words = act.link(desk, about)
            found.setdefault(href, words)
        elif one.through is None:
            found.setdefault(f"{here}?move={one.name}", desk.button(one.label))
    if not found:
        roles = {one.name: desk.label(one.label) for one in view.chart.roles}
        turn = roles.get(view.procedure.turn or "", "")
        waits = desk.text("ui.procedure.not_my_turn", role=turn) if turn else ""
        return ((here, desk.text("ui.thing.procedure")),), waits
    return (*found.items(), (here, desk.text("ui.thing.procedure"))), ""


def my_party(desk: Desk, tx: Tx, action: trust.Action, kind: trust.Kind) -> tuple[Link, ...]:
    """This will give those of the visitor's parties that may do an act, with their names.

    Raises AccessDenied where none may.
    """
    mine = desk.require()
    found = [
        one
        for one in (trust.PartyId(party) for party in mine.parties or (mine.party,))
        if trust.is_allowed(tx, action, kind, owner=one)
    ]
    if not found:
        raise trust.AccessDenied(action=action.value, kind=kind.value)
    names = desk.names(tx, found)
    return tuple((one, names[one]) for one in found)


def require_any(desk: Desk, action: trust.Action, kind: trust.Kind) -> None:
    """This will refuse whoever may not do an act to things of all parties. Raises AccessDenied."""
    desk.require()
    with desk.reading() as tx:
        if not trust.is_allowed(tx, action, kind):
            raise trust.AccessDenied(action=action.value, kind=kind.value)


def organizations(tx: Tx, role: trust.Role | None = None) -> tuple[Link, ...]:
    """This will list organisations to choose from, with `role` those that have that office."""
    return tuple(trust.organization_names(tx, role=role).items())
