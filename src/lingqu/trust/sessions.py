# SPDX-License-Identifier: Apache-2.0
"""Signing in and out, and recognising a browser's session or a machine's key.

Sessions live by real time, whatever the business clock shows. Cookies and keys carry random
secrets; the database keeps their SHA-256.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Caller, Database, Tx, new_id
from lingqu.trust.access import VISITOR, AccountId, Action, Holding, Kind, PartyId, Role, authorize
from lingqu.trust.commands import command, execute, record_refusal
from lingqu.trust.facts import CommandId, Fact, record
from lingqu.trust.holds import refuse_held
from lingqu.trust.parties import ACCOUNTS, AccountState, check_password, new_secret, secret_hash


class SignInRefused(errors.Forbidden):
    """Name and password do not fit together; which of the two is wrong is not said."""

    code = "trust.session.sign_in_refused"


class SessionUnknown(errors.Forbidden):
    """The session has ended or never was; sign in again."""

    code = "trust.session.unknown"


class ApiKeyUnknown(errors.Forbidden):
    """The key was revoked or never was."""

    code = "trust.api_key.unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Fact):
    """An account opened a session."""

    kind = "trust.session.opened"
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut(Fact):
    """An account closed its session."""

    kind = "trust.session.closed"
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a request comes from: the account, its party and the roles it holds."""

    account: AccountId
    party: PartyId
    party_name: str | None
    login: str | None
    roles: tuple[Holding, ...]

    def has(self, *roles: Role) -> bool:
        """Whether the account holds one of the roles for some party."""
        return any(holding.role in roles for holding in self.roles)


_SELECT_LOGIN = "SELECT id, password_hash FROM trust.account WHERE login = %s AND state = 'active'"
_INSERT_SESSION = """
    INSERT INTO trust.session (token_hash, account, opened_at, expires_at, language)
    VALUES (%s, %s, %s, %s, %s)
"""
_IDENTITY = """
    SELECT a.id AS account, a.party, p.name AS party_name, a.login, r.role, r.party AS role_party
    FROM trust.account a
    JOIN trust.party p ON p.id = a.party
    LEFT JOIN trust.role_assignment r ON r.account = a.id AND r.ended_at IS NULL
"""
_NOT_HELD = """
    AND NOT EXISTS (SELECT 1 FROM trust.hold h WHERE h.subject = a.id AND h.lifted_at IS NULL)
"""
_BY_SESSION = f"""
    {_IDENTITY} JOIN trust.session s ON s.account = a.id
    WHERE s.token_hash = %s AND s.expires_at > %s AND a.state = 'active' {_NOT_HELD} ORDER BY r.id
"""
_BY_KEY = f"""
    {_IDENTITY} JOIN trust.api_key k ON k.account = a.id
    WHERE k.secret_hash = %s AND k.ended_at IS NULL AND a.state = 'active' {_NOT_HELD} ORDER BY r.id
"""


def sign_in(
    database: Database, *, login: str, password: str, hours: int, language: str
) -> tuple[str, AccountId]:
    """This will check a password and open a session; gives the cookie's secret and the account.

    Raises SignInRefused, after as long a time, for an unknown name. The refusal is recorded for a
    known account, without saying which part was wrong.
    """
    name = login.strip().casefold()[:200]
    with database.reading(VISITOR) as tx:
        row = tx.maybe(_SELECT_LOGIN, (name,)) if name.isprintable() else None
    if not check_password(None if row is None else row["password_hash"], password):
        refusal = SignInRefused()
        if row is not None:
            record_refusal(database, _as_caller(AccountId(row["id"])), open_session.name, refusal)
        raise refusal
    assert row is not None, "a password was checked against a stored hash"
    account, token = AccountId(row["id"]), new_secret()
    opened = database.time.now()
    execute(
        database,
        open_session,
        VISITOR,
        new_id(CommandId),
        account=account,
        token_hash=secret_hash(token),
        opened_at=opened,
        expires_at=opened + timedelta(hours=hours),
        language=language,
    )
    return token, account


@command("trust.session.open", internal=True)
def open_session(
    tx: Tx,
    *,
    account: AccountId,
    token_hash: bytes,
    opened_at: Instant,
    expires_at: Instant,
    language: str,
) -> None:
    """This will open a session for an account whose password was checked."""
    held = ACCOUNTS.lock(tx, account)
    authorize(tx, Action.SIGN_IN, Kind.SESSION)
    if held.state is not AccountState.ACTIVE:
        raise SignInRefused
    refuse_held(tx, subjects=(account,))
    tx.execute(_INSERT_SESSION, (token_hash, account, opened_at, expires_at, language))
    record(tx, SignedIn(account=account))


@command("trust.session.close", internal=True)
def close_session(tx: Tx, *, token_hash: bytes) -> None:
    """This will close the caller's own session; raises SessionUnknown."""
    row = tx.maybe("SELECT account FROM trust.session WHERE token_hash = %s", (token_hash,))
    if row is None or row["account"] != tx.caller.account:
        raise SessionUnknown
    account = ACCOUNTS.get(tx, row["account"])
    authorize(tx, Action.END, Kind.SESSION, owner=account.party, account=account.id)
    tx.execute("DELETE FROM trust.session WHERE token_hash = %s", (token_hash,))
    record(tx, SignedOut(account=account.id))


def identify_session(database: Database, token: str) -> Identity:
    """This will recognise a browser by its cookie; raises SessionUnknown."""
    with database.reading(VISITOR) as tx:
        rows = tx.all(_BY_SESSION, (secret_hash(token), database.time.now()))
    if not rows:
        raise SessionUnknown
    return _identity(rows)


def identify_api_key(database: Database, secret: str) -> Identity:
    """This will recognise a machine by its key; raises ApiKeyUnknown."""
    with database.reading(VISITOR) as tx:
        rows = tx.all(_BY_KEY, (secret_hash(secret),))
    if not rows:
        raise ApiKeyUnknown
    return _identity(rows)


def drop_expired_sessions(tx: Tx, *, now: Instant) -> int:
    """This will delete sessions whose time is over; gives how many."""
    return tx.execute("DELETE FROM trust.session WHERE expires_at <= %s", (now,))


def _identity(rows: list[dict[str, str]]) -> Identity:
    first = rows[0]
    return Identity(
        account=AccountId(first["account"]),
        party=PartyId(first["party"]),
        party_name=first["party_name"],
        login=first["login"],
        roles=tuple(
            Holding(role=Role(row["role"]), party=row["role_party"]) for row in rows if row["role"]
        ),
    )


def _as_caller(account: AccountId) -> Caller:
    return Caller(account=account, channel="web")
