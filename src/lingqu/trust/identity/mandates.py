# SPDX-License-Identifier: Apache-2.0
"""Mandates: an account acts for a party in some roles, for a period, by a document."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.trust.access import AccountId, Action, Kind, PartyId, Role, authorize, is_allowed
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.holds import refuse_held
from lingqu.trust.parties import (
    ACCOUNTS,
    PARTIES,
    AccountClosed,
    AccountState,
    BuiltInRole,
    PartyErased,
    PartyNotFound,
)
from lingqu.trust.rows import Table

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
NOT_GIVEN = frozenset({Role.PLATFORM, Role.SIGNED_IN, Role.VISITOR})


class MandateId(Id):
    """The id of one mandate."""

    prefix = "mdt"


class MandateNotFound(errors.NotFound):
    """There is no such mandate, or the caller may not know of it."""

    code = "trust.mandate.not_found"


class MandateEnded(errors.Conflict):
    """The mandate has ended before."""

    code = "trust.mandate.ended"


class BadMandate(errors.Rejected):
    """A mandate names roles, a period that is not over, and the SHA-256 of its document."""

    code = "trust.mandate.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """An account acts for a party in `roles` from `from_at` until before `until_at`."""

    id: MandateId
    account: AccountId
    party: PartyId
    roles: tuple[Role, ...]
    from_at: Instant
    until_at: Instant
    document: str
    given_at: Instant
    ended_at: Instant | None = None
    version: int = 1


MANDATES = Table("trust.mandate", Mandate, not_found=MandateNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateGiven(Fact):
    """An account may act for a party."""

    kind = "trust.mandate.given"
    mandate: MandateId
    account: AccountId
    party: PartyId
    roles: tuple[Role, ...]
    from_at: Instant
    until_at: Instant
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateWasEnded(Fact):
    """An account no longer acts for a party."""

    kind = "trust.mandate.ended"
    mandate: MandateId
    account: AccountId
    party: PartyId


@command("trust.mandate.give")
def give_mandate(
    tx: Tx,
    *,
    mandate: MandateId,
    account: AccountId,
    party: PartyId,
    roles: tuple[Role, ...],
    from_at: Instant,
    until_at: Instant,
    document: str,
) -> Mandate:
    """This will let an account act for a party in some roles for a period.

    `document` is the SHA-256 of the signed mandate. Raises AccountClosed, PartyErased,
    BuiltInRole, BadMandate.
    """
    acting = ACCOUNTS.lock(tx, account)
    principal = PARTIES.lock(tx, party)
    authorize(tx, Action.ASSIGN, Kind.MANDATE, owner=party)
    if acting.state is AccountState.CLOSED:
        raise AccountClosed(account=account)
    if principal.erased_at is not None:
        raise PartyErased(party=party)
    refuse_held(tx, subjects=(account, party))
    _check(tx, roles=roles, from_at=from_at, until_at=until_at, document=document)
    if MANDATES.find(tx, "WHERE id = %s", (mandate,)):
        raise BadMandate(field="mandate")
    given = Mandate(
        id=mandate,
        account=account,
        party=party,
        roles=tuple(dict.fromkeys(roles)),
        from_at=from_at,
        until_at=until_at,
        document=document,
        given_at=tx.now,
    )
    MANDATES.insert(tx, given)
    record(
        tx,
        MandateGiven(
            mandate=mandate,
            account=account,
            party=party,
            roles=given.roles,
            from_at=from_at,
            until_at=until_at,
            document=document,
        ),
    )
    return given


@command("trust.mandate.end")
def end_mandate(tx: Tx, *, mandate: MandateId) -> Mandate:
    """This will end a mandate before its time. Raises MandateNotFound, MandateEnded."""
    held = MANDATES.lock(tx, mandate)
    authorize(tx, Action.END, Kind.MANDATE, owner=held.party)
    if held.ended_at is not None or held.until_at <= tx.now:
        raise MandateEnded(mandate=mandate)
    ended = MANDATES.update(tx, held, ended_at=tx.now)
    record(tx, MandateWasEnded(mandate=mandate, account=held.account, party=held.party))
    return ended


def find_mandates(tx: Tx, *, party: PartyId) -> tuple[Mandate, ...]:
    """This will list mandates for a party or of its accounts, ended ones too, oldest first.

    Raises PartyNotFound where the caller may not see them.
    """
    if not is_allowed(tx, Action.READ, Kind.MANDATE, owner=party):
        raise PartyNotFound(id=party)
    tail = (
        "WHERE party = %s OR account IN (SELECT id FROM trust.account WHERE party = %s) ORDER BY id"
    )
    return MANDATES.find(tx, tail, (party, party))


def _check(
    tx: Tx, *, roles: tuple[Role, ...], from_at: Instant, until_at: Instant, document: str
) -> None:
    if not roles:
        raise BadMandate(field="roles")
    for role in roles:
        if role in NOT_GIVEN:
            raise BuiltInRole(role=role.value)
    if not from_at < until_at or until_at <= tx.now:
        raise BadMandate(field="until_at")
    if not _SHA256.match(document):
        raise BadMandate(field="document")
