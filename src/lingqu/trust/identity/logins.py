# SPDX-License-Identifier: Apache-2.0
"""Logins at an identity provider: linked to an account by issuer and subject, never by e-mail.

What is sent to the provider and expected back is kept in a row that is used once and belongs to
the browser that began. The protocol itself is `lingqu.runtime.openid`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.kernel.values import Hidden
from lingqu.runtime import Database, Tx
from lingqu.trust.access import PLATFORM, VISITOR, AccountId, Action, Kind, PartyId, authorize
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.holds import refuse_held
from lingqu.trust.lockout import login_key
from lingqu.trust.parties import (
    ACCOUNTS,
    AccountClosed,
    AccountState,
    find_accounts,
    secret_hash,
)
from lingqu.trust.rows import AuditClass, Table, declare
from lingqu.trust.sessions import begin_session

ISSUER_MAX = 500
SUBJECT_MAX = 255
ATTEMPT_MINUTES = 10

declare(AuditClass.OPERATIONAL, "trust.openid_attempt")


class LoginLinkId(Id):
    """The id of one linked login."""

    prefix = "lnk"


class LoginLinkNotFound(errors.NotFound):
    """There is no such linked login, or the caller may not know of it."""

    code = "trust.login_link.not_found"


class LoginLinkTaken(errors.Conflict):
    """This login already opens an account here."""

    code = "trust.login_link.taken"


class LoginLinkEnded(errors.Conflict):
    """The link was removed before."""

    code = "trust.login_link.ended"


class BadLogin(errors.Rejected):
    """A login is named by its issuer's address and a subject of 1 to 255 characters."""

    code = "trust.login_link.bad"


class LoginNotLinked(errors.Forbidden):
    """The identity provider knows you, but that login opens no account here."""

    code = "trust.login_link.not_linked"


class AttemptUnknown(errors.Forbidden):
    """The answer belongs to no login that this browser began, or came too late or twice."""

    code = "trust.login_link.attempt_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLink:
    """A login that opens an account. `subject` is personal data, None once erased."""

    id: LoginLinkId
    account: AccountId
    issuer: str
    subject: str | None
    linked_at: Instant
    ended_at: Instant | None = None
    version: int = 1


LINKS = Table("trust.login_link", LoginLink, not_found=LoginLinkNotFound, private=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginLinked(Fact):
    """A login at an identity provider opens an account from now on."""

    kind = "trust.login_link.made"
    link: LoginLinkId
    account: AccountId
    issuer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginUnlinked(Fact):
    """A login no longer opens an account."""

    kind = "trust.login_link.ended"
    link: LoginLinkId
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A login under way: what must come back, where to go on, and for whom it is linked."""

    issuer: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    onward: str
    account: AccountId | None


@command("trust.login_link.make")
def link_login(
    tx: Tx, *, link: LoginLinkId, account: AccountId, issuer: str, subject: Hidden
) -> LoginLinkId:
    """This will let a login, named by issuer and subject, open an account.

    Raises AccountClosed, BadLogin, LoginLinkTaken.
    """
    held = ACCOUNTS.lock(tx, account)
    authorize(tx, Action.CHANGE, Kind.ACCOUNT, owner=held.party, account=account)
    if held.state is AccountState.CLOSED:
        raise AccountClosed(account=account)
    refuse_held(tx, subjects=(account,))
    name = str(subject)
    if not 1 <= len(name) <= SUBJECT_MAX or not name.isprintable():
        raise BadLogin(field="subject")
    if not 1 <= len(issuer) <= ISSUER_MAX or not issuer.startswith(("https://", "http://")):
        raise BadLogin(field="issuer")
    same = "WHERE id = %s OR (issuer = %s AND subject = %s AND ended_at IS NULL)"
    if LINKS.find(tx, same, (link, issuer, name)):
        raise LoginLinkTaken(issuer=issuer)
    LINKS.insert(
        tx, LoginLink(id=link, account=account, issuer=issuer, subject=name, linked_at=tx.now)
    )
    record(tx, LoginLinked(link=link, account=account, issuer=issuer))
    return link


@command("trust.login_link.end")
def unlink_login(tx: Tx, *, link: LoginLinkId) -> None:
    """This will stop a login from opening its account. Raises LoginLinkNotFound, LoginLinkEnded."""
    held = LINKS.lock(tx, link)
    owner = ACCOUNTS.get(tx, held.account)
    authorize(tx, Action.CHANGE, Kind.ACCOUNT, owner=owner.party, account=held.account)
    if held.ended_at is not None:
        raise LoginLinkEnded(link=link)
    LINKS.update(tx, held, ended_at=tx.now)
    record(tx, LoginUnlinked(link=link, account=held.account))


def find_login_links(tx: Tx, *, account: AccountId) -> tuple[LoginLink, ...]:
    """This will list the logins that open the caller's own account, ended ones too."""
    if account != tx.caller.account:
        owner = ACCOUNTS.get(tx, account).party
        find_accounts(tx, party=PartyId(owner))
    return LINKS.find(tx, "WHERE account = %s ORDER BY id", (account,))


_INSERT_ATTEMPT = """
    INSERT INTO trust.openid_attempt
        (state_hash, browser_hash, issuer, nonce, verifier, onward, account, expires_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""
_TAKE_ATTEMPT = """
    DELETE FROM trust.openid_attempt WHERE state_hash = %s
    RETURNING browser_hash, issuer, nonce, verifier, onward, account, expires_at
"""


def keep_attempt(database: Database, attempt: Attempt, *, state: str, browser: str) -> None:
    """This will remember a login under way, for ten minutes and for this browser only."""
    until = database.time.now() + timedelta(minutes=ATTEMPT_MINUTES)
    with database.transaction(PLATFORM) as tx:
        tx.execute(
            "DELETE FROM trust.openid_attempt WHERE expires_at <= %s", (database.time.now(),)
        )
        row = (
            secret_hash(state),
            secret_hash(browser),
            attempt.issuer,
            attempt.nonce,
            attempt.verifier,
            attempt.onward,
            attempt.account,
            until,
        )
        tx.execute(_INSERT_ATTEMPT, row)


def take_attempt(database: Database, *, state: str, browser: str) -> Attempt:
    """This will give a login under way, once; raises AttemptUnknown."""
    with database.transaction(PLATFORM) as tx:
        row = tx.maybe(_TAKE_ATTEMPT, (secret_hash(state),))
    if (
        row is None
        or bytes(row["browser_hash"]) != secret_hash(browser)
        or row["expires_at"] <= database.time.now()
    ):
        raise AttemptUnknown
    return Attempt(
        issuer=row["issuer"],
        nonce=row["nonce"],
        verifier=row["verifier"],
        onward=row["onward"],
        account=None if row["account"] is None else AccountId(row["account"]),
    )


def sign_in_by_link(
    database: Database, *, issuer: str, subject: str, hours: int, language: str
) -> tuple[str, AccountId]:
    """This will open a session for the account a proven login is linked to.

    Raises LoginNotLinked, CodeAwaited.
    """
    with database.reading(VISITOR) as tx:
        row = tx.maybe(_LINKED, (issuer, subject))
    if row is None:
        raise LoginNotLinked
    account = AccountId(row["account"])
    key = login_key(row["login"] or str(account))
    return begin_session(database, account=account, key=key, hours=hours, language=language)


_LINKED = """
    SELECT l.account, a.login FROM trust.login_link l JOIN trust.account a ON a.id = l.account
    WHERE l.issuer = %s AND l.subject = %s AND l.ended_at IS NULL AND a.state = 'active'
"""
