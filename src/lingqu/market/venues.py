# SPDX-License-Identifier: Apache-2.0
"""数据交易场所: which party runs the region's venue, and under whose rules.

Whether a region has a venue of its own is said by its profile: where it has none (a city uses the
region's), none is opened and nothing is listed.
"""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import ledger, trust
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx, new_id
from lingqu.trust import holds, rulebook

BANK = "market.bank"
"""The account that mirrors a venue's bank account: what was paid in is negative there."""


class VenueNotFound(errors.NotFound):
    """The party runs no venue here."""

    code = "market.venue.not_found"


class VenueTaken(errors.Conflict):
    """The party runs a venue already."""

    code = "market.venue.taken"


class NoVenueHere(errors.Conflict):
    """The profile of this region has no venue of its own: the region's venue is used."""

    code = "market.venue.none_here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A party that runs the venue, by its name then, and the account that mirrors its bank's."""

    party: trust.PartyId
    name: str
    bank: ledger.LedgerAccountId
    opened_at: Instant
    version: int = 1


VENUES = trust.Table("market.venue", Venue, key="party", not_found=VenueNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOpened(trust.Fact):
    """A party runs a venue from now on."""

    kind = "market.venue.opened"
    venue: trust.PartyId
    bank: ledger.LedgerAccountId


@trust.command("market.venue.open")
def open_venue(tx: Tx, *, venue: trust.PartyId) -> Venue:
    """This will make a party the region's venue, with the account that mirrors its bank.

    Raises PartyNotFound, VenueTaken, NoVenueHere, Held.
    """
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 4))", (venue,))
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.VENUE)
    book = rulebook.of(tx)
    if not book.profile.has_own_venue:
        ground = book.ground("trade.on_exchange")
        raise NoVenueHere(region=book.profile.name).grounded_in(ground.rule.citation)
    if VENUES.find(tx, "WHERE party = %s", (venue,)):
        raise VenueTaken(venue=venue)
    name = trust.get_party(tx, venue).name
    if name is None:
        raise VenueNotFound(id=venue)
    holds.refuse_held(tx, subjects=(venue,))
    bank = new_id(ledger.LedgerAccountId)
    opened = ledger.NewAccount(id=bank, owner=venue, kind=BANK, floor=None, ceiling=0)
    ledger.open_accounts(tx, accounts=(opened,))
    made = Venue(party=venue, name=name, bank=bank, opened_at=tx.now)
    VENUES.insert(tx, made)
    trust.record(tx, VenueOpened(venue=venue, bank=bank))
    return made


def get_venue(tx: Tx, venue: trust.PartyId) -> Venue:
    """This will read a venue; venues are public. Raises VenueNotFound."""
    return VENUES.get(tx, venue)


def find_venues(tx: Tx) -> tuple[Venue, ...]:
    """This will list the venues, oldest first; they are public."""
    return VENUES.find(tx, "ORDER BY opened_at, party")
