# SPDX-License-Identifier: Apache-2.0
"""Reads shaped for pages and the API: who holds what, which sessions are open, how busy it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import REAL_TIME, Tx
from lingqu.trust.access import AccessDenied, AccountId, Action, Kind, PartyId, Role, is_allowed
from lingqu.trust.parties import API_KEYS, ASSIGNMENTS, ApiKey, PartyNotFound, RoleAssignment


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A browser that is signed in; `token_hash` names it and opens nothing."""

    token_hash: bytes
    opened_at: Instant
    expires_at: Instant
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerRefusal:
    """How often requests of one unknown source were refused at one address in one minute."""

    minute: Instant
    source: str
    route: str
    code: str
    count: int


_OF_PARTY = "(SELECT id FROM trust.account WHERE party = %s)"


def find_roles(tx: Tx, *, party: PartyId) -> tuple[RoleAssignment, ...]:
    """This will list roles held by accounts of a party or for it, ended ones too, oldest first.

    Raises PartyNotFound where the caller may not see them.
    """
    if not is_allowed(tx, Action.READ, Kind.ROLE, owner=party):
        raise PartyNotFound(id=party)
    return ASSIGNMENTS.find(
        tx, f"WHERE party = %s OR account IN {_OF_PARTY} ORDER BY id", (party, party)
    )


def find_api_keys(tx: Tx, *, party: PartyId) -> tuple[ApiKey, ...]:
    """This will list the keys of a party's accounts, revoked ones too, oldest first.

    Raises PartyNotFound where the caller may not see them.
    """
    if not is_allowed(tx, Action.READ, Kind.API_KEY, owner=party):
        raise PartyNotFound(id=party)
    return API_KEYS.find(tx, f"WHERE account IN {_OF_PARTY} ORDER BY id", (party,))


def find_sessions(tx: Tx, *, account: AccountId) -> tuple[SessionRecord, ...]:
    """This will list the open sessions of the caller's own account, newest first."""
    if account != tx.caller.account or not is_allowed(
        tx, Action.READ, Kind.ACCOUNT, account=account
    ):
        raise AccessDenied(action=Action.READ.value, kind=Kind.SESSION.value)
    rows = tx.all(
        "SELECT token_hash, opened_at, expires_at, language FROM trust.session"
        " WHERE account = %s AND expires_at > %s ORDER BY opened_at DESC LIMIT 200",
        (account, REAL_TIME.now()),
    )
    return tuple(
        SessionRecord(
            token_hash=bytes(row["token_hash"]),
            opened_at=row["opened_at"],
            expires_at=row["expires_at"],
            language=row["language"],
        )
        for row in rows
    )


_COUNTS = """
    SELECT date_trunc(%s, at, 'UTC') AS moment, count(*) AS facts FROM trust.fact
    WHERE at >= %s AND at <= %s GROUP BY 1 ORDER BY 1
"""


def count_facts_by(
    tx: Tx, *, since: Instant, until: Instant, step: Literal["hour", "day"]
) -> tuple[tuple[Instant, int], ...]:
    """This will count facts by UTC hour or day; figures for everyone, they tell of nobody."""
    return tuple((row["moment"], row["facts"]) for row in tx.all(_COUNTS, (step, since, until)))


_STRANGERS = """
    SELECT batch, position, minute, source, route, code, count FROM trust.refusal
    WHERE %(before)s::text IS NULL OR (batch || '/' || lpad(position::text, 9, '0')) < %(before)s
    ORDER BY batch DESC, position DESC LIMIT %(limit)s
"""


def find_stranger_refusals(tx: Tx, *, page: PageRequest) -> Page[StrangerRefusal]:
    """This will list the counts of strangers' refusals, newest first. Raises AccessDenied."""
    if not is_allowed(tx, Action.READ, Kind.REFUSAL):
        raise AccessDenied(action=Action.READ.value, kind=Kind.REFUSAL.value)
    rows = tx.all(_STRANGERS, {"before": page.key, "limit": page.size + 1})
    shown = rows[: page.size]
    items = tuple(
        StrangerRefusal(
            minute=row["minute"],
            source=row["source"],
            route=row["route"],
            code=row["code"],
            count=row["count"],
        )
        for row in shown
    )
    more = len(rows) > page.size
    last = f"{shown[-1]['batch']}/{shown[-1]['position']:09d}" if more else ""
    return Page(items=items, next=cursor(last) if more else None)


_CHOICES_MOST = 500
_ORGANIZATIONS = """
    SELECT id, name FROM trust.party p
    WHERE kind = 'organization' AND name IS NOT NULL
        AND (%(parties)s::text[] IS NULL OR id = ANY(%(parties)s) OR name = ANY(%(called)s))
        AND (%(role)s::text IS NULL OR EXISTS (
            SELECT FROM trust.role_assignment r
            WHERE r.party = p.id AND r.role = %(role)s AND r.ended_at IS NULL
        ))
    ORDER BY name, id LIMIT %(most)s
"""


def organization_names(
    tx: Tx,
    *,
    parties: Iterable[str] | None = None,
    called: Iterable[str] | None = None,
    role: Role | None = None,
) -> Mapping[str, str]:
    """This will name organisations by their ids, and find those that are `called` so in full.

    Persons and the erased are left out. Who answers for data, offers it or holds a right to it is
    public where it is an organisation. Without `parties` and `called` the first ones by name are
    given, to choose from; with `role` only those that have somebody in that office.
    """
    words = sorted({*(called or ())})
    wanted = None if parties is None and called is None else sorted({*(parties or ())})
    if wanted == [] and not words:
        return {}
    most = _CHOICES_MOST if wanted is None else len(wanted) + _CHOICES_MOST * bool(words)
    office = None if role is None else role.value
    asked = {"parties": wanted, "called": words, "role": office, "most": most}
    return {row["id"]: row["name"] for row in tx.all(_ORGANIZATIONS, asked)}
