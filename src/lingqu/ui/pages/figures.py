# SPDX-License-Identifier: Apache-2.0
"""The few figures that stand on the public home and beside what a role must do."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import ledger, market, rights, supply, trust
from lingqu.kernel.paging import SIZE_MAX, PageRequest
from lingqu.rights import registry
from lingqu.runtime import Tx
from lingqu.supply import Access, Wanted
from lingqu.trust import Role, holds, jobs
from lingqu.ui.navigation import BOOKS, HOLDING, PROVIDING
from lingqu.ui.pages.ledger import amount
from lingqu.ui.rendering import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure in words, and the page it comes from."""

    words: str
    value: str
    href: str | None = None
    note: str = ""


def market_figures(desk: Desk, tx: Tx) -> tuple[Figure, ...]:
    """This will count what the market has, for everyone."""
    hits = supply.search_resources(tx, wanted=Wanted(), size=0)
    opened = dict(hits.counts.get("opening", ()))
    freely = opened.get(Access.UNCONDITIONAL.value, 0)
    offered = market.listings.search_listings(tx, size=0).total
    registered = len(registry.find_published(tx, page=PageRequest(size=SIZE_MAX)).items)
    return (
        Figure(
            words=desk.text("ui.figure.products"), value=f"{offered:,}", href="/market/listings"
        ),
        Figure(
            words=desk.text("ui.figure.registered"),
            value=f"{registered:,}",
            href="/rights/registry",
        ),
        Figure(
            words=desk.text("ui.figure.resources"),
            value=f"{hits.total:,}",
            href="/supply/resources",
        ),
        Figure(
            words=desk.text("ui.figure.bodies"),
            value=f"{len(hits.counts.get('body', ())):,}",
            href="/supply/duties",
        ),
        Figure(
            words=desk.text("ui.figure.open"),
            value=f"{freely:,}",
            href="/supply/resources?opening=unconditional",
        ),
    )


def own_figures(desk: Desk, tx: Tx, mine: trust.Identity) -> tuple[Figure, ...]:
    """This will give the figures that the visitor's roles live by."""
    held = frozenset(one.role for one in mine.roles)
    found: list[Figure] = []
    parties = mine.parties or (mine.party,)
    if held & PROVIDING:
        found += _supply_figures(desk, tx, parties)
    if held & HOLDING:
        found += _rights_figures(desk, tx, parties)
    if held & BOOKS or Role.CLEARING in held:
        found += _money_figures(desk, tx)
    if held & {Role.REGULATOR, Role.FINANCIAL_REGULATOR, Role.ADMINISTRATOR}:
        found += _watch_figures(desk, tx, is_administrator=Role.ADMINISTRATOR in held)
    return tuple(found)


def _supply_figures(desk: Desk, tx: Tx, parties: tuple[str, ...]) -> list[Figure]:
    total = ungraded = 0
    for one in parties:
        hits = supply.search_resources(tx, wanted=Wanted(body=trust.PartyId(one)), size=0)
        total += hits.total
        ungraded += dict(hits.counts.get("level", ())).get("0", 0)
    own = f"/supply/resources?body={parties[0]}"
    return [
        Figure(words=desk.text("ui.figure.own_resources"), value=f"{total:,}", href=own),
        Figure(words=desk.text("ui.figure.ungraded"), value=f"{ungraded:,}", href=f"{own}&level=0"),
    ]


def _rights_figures(desk: Desk, tx: Tx, parties: tuple[str, ...]) -> list[Figure]:
    grants: list[rights.Grant] = []
    for one in parties:
        holder = trust.PartyId(one)
        if trust.is_allowed(tx, trust.Action.READ, trust.Kind.GRANT, owner=holder):
            request = PageRequest(size=SIZE_MAX)
            grants += rights.find_grants(tx, page=request, holder=holder).items
    alive = sum(one.alive for one in rights.find_lives(tx, grants=grants))
    return [
        Figure(
            words=desk.text("ui.figure.grants"),
            value=f"{alive:,}",
            href="/rights/grants?standing=alive",
        )
    ]


def _money_figures(desk: Desk, tx: Tx) -> list[Figure]:
    accounts = ledger.find_accounts(tx, page=PageRequest(size=SIZE_MAX)).items
    yuan = [balance for one, balance in accounts if one.currency == ledger.CNY.id]
    if not yuan:
        return []
    scales = {ledger.CNY.id: ledger.CNY.scale}
    return [
        Figure(
            words=desk.text("ui.figure.balance"),
            value=amount(sum(one.posted for one in yuan), ledger.CNY.id, scales),
            href="/ledger/accounts?currency=CNY",
        )
    ]


def _watch_figures(desk: Desk, tx: Tx, *, is_administrator: bool) -> list[Figure]:
    counts = trust.count_facts(tx)
    held = holds.find_holds(tx, page=PageRequest(size=SIZE_MAX), in_force=True).items
    found = [
        Figure(words=desk.text("ui.desk.facts"), value=f"{counts.facts:,}", href="/trust/facts"),
        Figure(
            words=desk.text("ui.desk.refused"), value=f"{counts.refused:,}", href="/trust/refusals"
        ),
        Figure(
            words=desk.text("ui.figure.holds"),
            value=f"{len(held):,}",
            href="/trust/holds",
        ),
    ]
    if is_administrator:
        failed = jobs.find_failed_jobs(tx, page=PageRequest(size=SIZE_MAX)).items
        found.append(
            Figure(
                words=desk.text("ui.figure.failed_jobs"),
                value=f"{len(failed):,}",
                href="/trust/jobs",
            )
        )
    return found
