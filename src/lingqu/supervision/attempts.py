# SPDX-License-Identifier: Apache-2.0
"""Refused attempts as a supervisor reads them: who, what, when, and by which code and article."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu import rights, trust
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.runtime import Row, Tx
from lingqu.runtime.looking import Look, Looked, Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody known was refused. `act` is the command, or `gate.call` for a use.

    `fact` is where it stands in the log, `rules` the version of the rulebook that was in force;
    of a use, `subject` is the product, `grant` what it was tried under, and `position` its place in
    the metered batch. `party` is None for built-in accounts.
    """

    fact: trust.FactId
    position: int
    at: Instant
    account: trust.AccountId
    party: trust.PartyId | None
    act: str
    subject: str | None
    grant: rights.GrantId | None
    channel: str
    code: str
    article: str | None
    rules: str


_ATTEMPTS = Shelf(
    select=(
        "fact, position, at, account, party, act, subject, grant_id AS grant, channel, code,"
        " article, rules"
    ),
    source="supervision.refusal WHERE true",
    columns={
        "at": "at",
        "act": "act",
        "subject": "subject",
        "reason": "code",
        "code": "code",
        "article": "article",
        "party": "party",
    },
    newest=("fact", "position"),
)
_PAGE = """
    SELECT fact, position, at, account, party, act, subject, grant_id AS grant, channel, code,
           article, rules
    FROM supervision.refusal
    WHERE (%(party)s::text IS NULL OR party = %(party)s)
      AND (%(code)s::text IS NULL OR code = %(code)s)
      AND (%(act)s::text IS NULL OR act = %(act)s)
      AND (%(subject)s::text IS NULL OR subject = %(subject)s OR grant_id = %(subject)s)
      AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
      AND (%(fact)s::text IS NULL OR (fact, position) < (%(fact)s, %(position)s))
    ORDER BY fact DESC, position DESC LIMIT %(limit)s
"""


def find_refused(
    tx: Tx,
    *,
    page: PageRequest,
    party: trust.PartyId | None = None,
    code: str | None = None,
    act: str | None = None,
    subject: str | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> Page[Attempt]:
    """This will list refused attempts, newest first, `subject` being a product or a grant.

    Raises AccessDenied.
    """
    require_sight(tx)
    fact, _, position = (page.key or "").partition("/")
    values = {
        "party": party,
        "code": code,
        "act": act,
        "subject": subject,
        "since": since,
        "until": until,
        "fact": fact or None,
        "position": int(position) if position.isascii() and position.isdigit() else 0,
        "limit": page.size + 1,
    }
    rows = tx.all(_PAGE, values)
    items = tuple(_attempt(row) for row in rows[: page.size])
    more = len(rows) > page.size
    last = f"{items[-1].fact}/{items[-1].position}" if more else ""
    return Page(items=items, next=cursor(last) if more else None)


def look_through_attempts(tx: Tx, *, look: Look) -> Looked[Attempt]:
    """This will look through all refused attempts; raises AccessDenied.

    Columns: at, act, subject, reason (its code), article, party.
    """
    require_sight(tx)
    found = _ATTEMPTS.look(tx, look)
    return Looked(items=tuple(_attempt(row) for row in found.items), total=found.total)


def _attempt(row: Row) -> Attempt:
    return Attempt(**{
        **row,
        "fact": trust.FactId(row["fact"]),
        "account": trust.AccountId(row["account"]),
        "grant": None if row["grant"] is None else rights.GrantId(row["grant"]),
        "party": None if row["party"] is None else trust.PartyId(row["party"]),
    })  # fmt: skip


def require_sight(tx: Tx) -> None:
    """This will refuse who may not see flows; raises AccessDenied."""
    if not trust.is_allowed(tx, trust.Action.READ, trust.Kind.FLOW):
        raise trust.AccessDenied(action=trust.Action.READ.value, kind=trust.Kind.FLOW.value)
