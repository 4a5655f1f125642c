# SPDX-License-Identifier: Apache-2.0
"""Which pages stand in whose navigation: a page shows for the roles that have work on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lingqu.trust import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One page in the navigation, for some roles, or for everybody who has signed in."""

    path: str
    label: str
    roles: frozenset[Role] | None = None
    is_live: bool = False
    """Whether the number of things to do stands beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Pages that belong together."""

    label: str
    entries: tuple[Entry, ...]


WATCHING = frozenset({Role.REGULATOR, Role.FINANCIAL_REGULATOR})
RUNNING = frozenset({Role.ADMINISTRATOR})
PROVIDING = frozenset({
    Role.PROVIDER, Role.IMPLEMENTER, Role.OPERATOR, Role.CHIEF_DATA_OFFICER, Role.MEMBER,
})  # fmt: skip
DELIVERING = frozenset({Role.PROVIDER, Role.IMPLEMENTER, Role.MEMBER})
TRADING = frozenset({Role.OPERATOR, Role.MERCHANT, Role.BUYER, Role.VENUE, Role.MEMBER})
HOLDING = frozenset({Role.PROVIDER, Role.IMPLEMENTER, *TRADING}) - {Role.VENUE}
BOOKS = frozenset({Role.CLEARING, Role.TREASURY, *TRADING})
DECIDING = frozenset({Role.CLERK, Role.REVIEWER, Role.PRICE_AUTHORITY, Role.SERVICE_BODY})
OPERATING = frozenset({Role.IMPLEMENTER, Role.OPERATOR, Role.MEMBER}) | WATCHING | RUNNING
REGISTERING = frozenset({
    Role.PROVIDER, Role.IMPLEMENTER, Role.OPERATOR, Role.MERCHANT, Role.MEMBER, Role.CLERK,
    Role.REVIEWER,
}) | RUNNING  # fmt: skip
MAKING = frozenset({Role.OPERATOR, Role.MERCHANT, Role.MEMBER}) | WATCHING | RUNNING
OFFERING = frozenset({Role.OPERATOR, Role.MERCHANT, Role.MEMBER, Role.VENUE}) | WATCHING
PRICING = (
    frozenset({
        Role.OPERATOR, Role.MERCHANT, Role.MEMBER, Role.IMPLEMENTER, Role.PRICE_AUTHORITY,
    })
    | WATCHING
)  # fmt: skip
SETTLING = frozenset({Role.VENUE, Role.CLEARING}) | WATCHING | RUNNING
OFFICES = frozenset({*PROVIDING, *TRADING, *DECIDING, *BOOKS})

SECTIONS = (
    Section(
        label="ui.nav.section.work",
        entries=(
            Entry(path="/", label="ui.nav.desk", is_live=True),
            Entry(path="/trust/procedures", label="ui.nav.procedures"),
            Entry(
                path="/trust/works", label="ui.nav.works", roles=DELIVERING | (MAKING - WATCHING)
            ),
        ),
    ),
    Section(
        label="ui.nav.section.supply",
        entries=(
            Entry(path="/supply/resources", label="ui.nav.resources"),
            Entry(path="/supply/duties", label="ui.nav.duties"),
            Entry(
                path="/supply/sources",
                label="ui.nav.sources",
                roles=DELIVERING | WATCHING | RUNNING,
            ),
            Entry(
                path="/supply/loads", label="ui.nav.loads", roles=DELIVERING | WATCHING | RUNNING
            ),
            Entry(
                path="/supply/findings",
                label="ui.nav.findings",
                roles=DELIVERING | WATCHING | RUNNING,
            ),
            Entry(path="/supply/opening", label="ui.nav.opening"),
            Entry(path="/supply/open", label="ui.nav.open_files"),
            Entry(
                path="/supply/catalogs",
                label="ui.nav.catalogs",
                roles=frozenset({Role.IMPLEMENTER}) | RUNNING,
            ),
            Entry(path="/supply/compare", label="ui.nav.compare", roles=PROVIDING | RUNNING),
        ),
    ),
    Section(
        label="ui.nav.section.rights",
        entries=(
            Entry(path="/rights/grants", label="ui.nav.grants", roles=HOLDING | WATCHING | RUNNING),
            Entry(path="/rights/operation", label="ui.nav.operation", roles=OPERATING),
            Entry(path="/rights/registrations", label="ui.nav.registrations", roles=REGISTERING),
            Entry(path="/rights/registry", label="ui.nav.registry"),
        ),
    ),
    Section(
        label="ui.nav.section.gate",
        entries=(Entry(path="/gate/products", label="ui.nav.products", roles=MAKING),),
    ),
    Section(
        label="ui.nav.section.market",
        entries=(
            Entry(path="/market/listings", label="ui.nav.listings"),
            Entry(path="/market/offers", label="ui.nav.offers", roles=OFFERING),
            Entry(path="/market/prices", label="ui.nav.prices", roles=PRICING),
            Entry(
                path="/market/members", label="ui.nav.members", roles=TRADING | WATCHING | RUNNING
            ),
            Entry(
                path="/market/contracts",
                label="ui.nav.contracts",
                roles=TRADING | WATCHING | RUNNING,
            ),
        ),
    ),
    Section(
        label="ui.nav.section.supervision",
        entries=(
            Entry(path="/supervision/flows", label="ui.nav.flows", roles=WATCHING),
            Entry(path="/supervision/attempts", label="ui.nav.attempts", roles=WATCHING),
            Entry(path="/supervision/cases", label="ui.nav.cases", roles=WATCHING),
            Entry(path="/supervision/reconciliations", label="ui.nav.compared", roles=WATCHING),
            Entry(path="/supervision/reports", label="ui.nav.reports", roles=WATCHING),
        ),
    ),
    Section(
        label="ui.nav.section.ledger",
        entries=(
            Entry(
                path="/market/funds",
                label="ui.nav.funds",
                roles=TRADING | WATCHING | frozenset({Role.CLEARING}),
            ),
            Entry(path="/market/settlements", label="ui.nav.settlements", roles=SETTLING),
            Entry(
                path="/market/payables",
                label="ui.nav.payables",
                roles=SETTLING | frozenset({Role.TREASURY}),
            ),
            Entry(path="/market/contributions", label="ui.nav.contributions", roles=SETTLING),
            Entry(
                path="/ledger/accounts",
                label="ui.nav.ledger_accounts",
                roles=BOOKS | WATCHING | RUNNING,
            ),
            Entry(
                path="/ledger/trial-balance",
                label="ui.nav.trial_balance",
                roles=frozenset({Role.CLEARING}) | WATCHING | RUNNING,
            ),
        ),
    ),
    Section(
        label="ui.nav.section.evidence",
        entries=(
            Entry(path="/trust/facts", label="ui.nav.facts"),
            Entry(path="/trust/refusals", label="ui.nav.refusals", roles=WATCHING | RUNNING),
            Entry(path="/trust/holds", label="ui.nav.holds", roles=WATCHING | RUNNING),
            Entry(path="/trust/verify", label="ui.nav.verify"),
            Entry(path="/trust/rules", label="ui.nav.rules"),
        ),
    ),
    Section(
        label="ui.nav.section.system",
        entries=(
            Entry(path="/trust/parties", label="ui.nav.parties"),
            Entry(path="/trust/jobs", label="ui.nav.jobs", roles=RUNNING),
            Entry(path="/system", label="ui.nav.system", roles=RUNNING),
        ),
    ),
)
"""The navigation of whoever has signed in, in the order of the work."""

PUBLIC = (
    Entry(path="/market/listings", label="ui.nav.listings"),
    Entry(path="/supply/resources", label="ui.nav.resources"),
    Entry(path="/supply/open", label="ui.nav.open_files"),
    Entry(path="/rights/registry", label="ui.nav.registry"),
    Entry(path="/trust/rules", label="ui.nav.rules"),
    Entry(path="/trust/verify", label="ui.nav.verify"),
)
"""What the public comes for."""


def sections_for(roles: Collection[Role]) -> tuple[Section, ...]:
    """This will give the navigation of somebody who holds these roles."""
    held = frozenset(roles)
    found = []
    for section in SECTIONS:
        entries = tuple(one for one in section.entries if one.roles is None or one.roles & held)
        if entries:
            found.append(Section(label=section.label, entries=entries))
    return tuple(found)


def has_work(role: Role) -> bool:
    """This will say whether a role has a page of its own yet, and so may be given to people."""
    return role in OFFICES | WATCHING | RUNNING
