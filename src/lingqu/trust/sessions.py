# SPDX-License-Identifier: Apache-2.0
"""Signing in and out, and recognising a browser's session, a machine's key or its certificate.

Sessions live by real time, whatever the business clock shows. Cookies and keys carry random
secrets; the database keeps their SHA-256. Whoever has a second factor signs in in two steps: the
first raises `CodeAwaited` with the secret of the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.kernel.values import Hidden
from lingqu.runtime import Caller, Database, Row, Tx, new_id
from lingqu.runtime.keys import Keyring
from lingqu.trust.access import (
    PLATFORM,
    VISITOR,
    AccountId,
    Action,
    Holding,
    Kind,
    PartyId,
    Role,
    authorize,
    choose_holdings,
    holdings,
)
from lingqu.trust.commands import command, execute, record_refusal
from lingqu.trust.facts import CommandId, Fact, record
from lingqu.trust.holds import refuse_held
from lingqu.trust.lockout import (
    DEFAULT_POLICY,
    LockPolicy,
    SignInLocked,
    begin_attempt,
    forget_attempt,
    forget_failures,
    login_key,
)
from lingqu.trust.parties import ACCOUNTS, AccountState, check_password, new_secret, secret_hash
from lingqu.trust.rows import AuditClass, declare
from lingqu.trust.second_factor import (
    CodeRefused,
    get_second_factor,
    recovery_hash,
    use_code,
    use_recovery_code,
)

STEP_MINUTES = 5
"""How long a one-time code is awaited."""

declare(AuditClass.OPERATIONAL, "trust.sign_in_step")


class SignInRefused(errors.Forbidden):
    """Name and password do not fit together; which of the two is wrong is not said."""

    code = "trust.session.sign_in_refused"


class SessionUnknown(errors.Forbidden):
    """The session has ended or never was; sign in again."""

    code = "trust.session.unknown"


class ApiKeyUnknown(errors.Forbidden):
    """The key was revoked or never was."""

    code = "trust.api_key.unknown"


class CertificateUnknown(errors.Forbidden):
    """The certificate is not registered, has expired or was revoked."""

    code = "trust.certificate.unknown"


class NotActingFor(errors.Forbidden):
    """The account does not act for this party."""

    code = "trust.session.not_acting_for"


class StepUnknown(errors.Forbidden):
    """The first step of signing in is too long ago; begin again."""

    code = "trust.session.step_unknown"


class CodeAwaited(errors.Forbidden):
    """The first proof was good; a one-time code is asked for. `step` is how to go on."""

    code = "trust.session.code_awaited"

    def __init__(self, step: str = "") -> None:
        """The secret is no parameter, because parameters are logged."""
        super().__init__()
        self.step = Hidden(step)


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
    """Who a request comes from: the account, its party and the roles it holds.

    `acting_for` is the one party it chose to act for; `roles` then holds those for it only, and
    `parties` still names every party the account may act for.
    """

    account: AccountId
    party: PartyId
    party_name: str | None
    login: str | None
    roles: tuple[Holding, ...]
    parties: tuple[str, ...] = ()
    acting_for: str | None = None
    second_factor: bool = False

    def has(self, *roles: Role) -> bool:
        """Whether the account holds one of the roles for some party."""
        return any(holding.role in roles for holding in self.roles)


_SELECT_LOGIN = "SELECT id, password_hash FROM trust.account WHERE login = %s AND state = 'active'"
_INSERT_SESSION = """
    INSERT INTO trust.session (token_hash, account, opened_at, expires_at, language)
    VALUES (%s, %s, %s, %s, %s)
"""
_INSERT_STEP = (
    "INSERT INTO trust.sign_in_step (token_hash, account, expires_at) VALUES (%s, %s, %s)"
)
_SELECT_STEP = """
    SELECT s.account, a.login FROM trust.sign_in_step s JOIN trust.account a ON a.id = s.account
    WHERE s.token_hash = %s AND s.expires_at > %s AND a.state = 'active'
"""
_IDENTITY = """
    SELECT a.id AS account, a.party, p.name AS party_name, a.login,
        r.role, r.role_party, r.from_at, r.until_at,
        EXISTS (
            SELECT 1 FROM trust.second_factor f WHERE f.account = a.id AND f.sealed IS NOT NULL
        ) AS second_factor
    FROM trust.account a
    JOIN trust.party p ON p.id = a.party
    LEFT JOIN (
        SELECT id, account, role, party AS role_party,
            NULL::timestamptz AS from_at, NULL::timestamptz AS until_at
        FROM trust.role_assignment WHERE ended_at IS NULL
        UNION ALL
        SELECT id, account, unnest(roles), party, from_at, until_at
        FROM trust.mandate WHERE ended_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM trust.hold h WHERE h.subject = mandate.id
                            AND h.lifted_at IS NULL)
    ) r ON r.account = a.id
"""
_NOT_HELD = """
    AND NOT EXISTS (SELECT 1 FROM trust.hold h WHERE h.subject = a.id AND h.lifted_at IS NULL)
"""
_BY_CERTIFICATE = f"""
    {_IDENTITY} JOIN trust.certificate c ON c.account = a.id
    WHERE c.fingerprint = %s AND c.ended_at IS NULL AND c.expires_at > %s AND a.state = 'active'
        {_NOT_HELD} ORDER BY r.id
"""
_SESSION_IDENTITY = _IDENTITY.replace("a.login,", "a.login, s.acting_for,")
_BY_SESSION = f"""
    {_SESSION_IDENTITY} JOIN trust.session s ON s.account = a.id
    WHERE s.token_hash = %s AND s.expires_at > %s AND a.state = 'active' {_NOT_HELD} ORDER BY r.id
"""
_BY_KEY = f"""
    {_IDENTITY} JOIN trust.api_key k ON k.account = a.id
    WHERE k.secret_hash = %s AND k.ended_at IS NULL AND a.state = 'active' {_NOT_HELD} ORDER BY r.id
"""


def sign_in(
    database: Database,
    *,
    login: str,
    password: str,
    hours: int,
    language: str,
    policy: LockPolicy = DEFAULT_POLICY,
) -> tuple[str, AccountId]:
    """This will check a password and open a session; gives the cookie's secret and the account.

    Raises CodeAwaited where the account has a second factor; SignInRefused, after as long a time,
    for an unknown name; SignInLocked after too many failures. A refusal is recorded for a known
    account, without saying which part was wrong.
    """
    key, account = prove_password(database, login=login, password=password, policy=policy)
    return begin_session(database, account=account, key=key, hours=hours, language=language)


def prove_password(
    database: Database, *, login: str, password: str, policy: LockPolicy = DEFAULT_POLICY
) -> tuple[bytes, AccountId]:
    """This will check a password; gives the key of the login's lock, and the account.

    Raises SignInRefused, SignInLocked.
    """
    name = login.strip().casefold()[:200]
    key = login_key(name)
    attempt = begin_attempt(database, key, policy=policy)
    with database.reading(VISITOR) as tx:
        row = tx.maybe(_SELECT_LOGIN, (name,)) if name.isprintable() else None
    if not check_password(None if row is None else row["password_hash"], password):
        refusal = SignInRefused()
        if row is not None:
            _record_failure(database, AccountId(row["id"]), refusal, attempt.number, policy)
        raise refusal
    assert row is not None, "a password was checked against a stored hash"
    with database.transaction(PLATFORM) as tx:
        forget_attempt(tx, attempt)
    return key, AccountId(row["id"])


def begin_session(
    database: Database, *, account: AccountId, key: bytes, hours: int, language: str
) -> tuple[str, AccountId]:
    """This will open a session after a first proof, or raise CodeAwaited for a second one."""
    with database.transaction(PLATFORM) as tx:
        if get_second_factor(tx, account) is None:
            forget_failures(tx, key)
            step = None
        else:
            step = new_secret()
            until = database.time.now() + timedelta(minutes=STEP_MINUTES)
            tx.execute(_INSERT_STEP, (secret_hash(step), account, until))
    if step is not None:
        raise CodeAwaited(step)
    return _open(database, account, hours=hours, language=language)


def finish_sign_in(
    database: Database,
    ring: Keyring,
    *,
    step: str,
    code: str,
    hours: int,
    language: str,
    policy: LockPolicy = DEFAULT_POLICY,
) -> tuple[str, AccountId]:
    """This will check a one-time or recovery code and open a session.

    A code works once. Wrong codes count like wrong passwords. Raises StepUnknown, CodeRefused,
    SignInLocked.
    """
    token_hash, now = secret_hash(step), database.time.now()
    with database.reading(VISITOR) as tx:
        row = tx.maybe(_SELECT_STEP, (token_hash, now))
    if row is None:
        raise StepUnknown
    account = AccountId(row["account"])
    key = login_key(row["login"] or str(account))
    attempt = begin_attempt(database, key, policy=policy)
    with database.transaction(PLATFORM) as tx:
        factor = get_second_factor(tx, account)
        good = factor is None or use_code(tx, ring, factor, code, now=now)
    try:
        if not good:
            digest = Hidden(recovery_hash(code))
            command_id = new_id(CommandId)
            execute(
                database, use_recovery_code, VISITOR, command_id, account=account, digest=digest
            )
    except CodeRefused as refusal:
        _record_failure(database, account, refusal, attempt.number, policy)
        raise
    with database.transaction(PLATFORM) as tx:
        forget_failures(tx, key)
        tx.execute("DELETE FROM trust.sign_in_step WHERE token_hash = %s", (token_hash,))
    return _open(database, account, hours=hours, language=language)


def _open(
    database: Database, account: AccountId, *, hours: int, language: str
) -> tuple[str, AccountId]:
    token, opened = new_secret(), database.time.now()
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


def _record_failure(
    database: Database,
    account: AccountId,
    refusal: errors.LingquError,
    count: int,
    policy: LockPolicy,
) -> None:
    """The attempt that locks is on record as the lock; those after it are only counted."""
    caller = Caller(account=account, channel="web")
    record_refusal(database, caller, open_session.name, refusal)
    if count == policy.failures:
        locked = SignInLocked(seconds=policy.minutes * 60)
        record_refusal(database, caller, open_session.name, locked)


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


def act_for(database: Database, caller: Caller, token: str, party: PartyId | None) -> None:
    """This will let a browser act for one party only, or again for all; raises NotActingFor."""
    everywhere = Caller(account=caller.account, channel=caller.channel)
    with database.transaction(everywhere) as tx:
        if party is not None and party not in {one.party for one in holdings(tx)}:
            raise NotActingFor(party=party)
        tx.execute(
            "UPDATE trust.session SET acting_for = %s WHERE token_hash = %s AND account = %s",
            (party, secret_hash(token), caller.account),
        )


def identify_session(database: Database, token: str) -> Identity:
    """This will recognise a browser by its cookie; raises SessionUnknown."""
    with database.reading(VISITOR) as tx:
        rows = tx.all(_BY_SESSION, (secret_hash(token), database.time.now()))
        if not rows:
            raise SessionUnknown
        return _identity(rows, now=tx.now, acting_for=rows[0]["acting_for"])


def identify_api_key(database: Database, secret: str, *, acting_for: str | None = None) -> Identity:
    """This will recognise a machine by its key; raises ApiKeyUnknown, NotActingFor."""
    with database.reading(VISITOR) as tx:
        rows = tx.all(_BY_KEY, (secret_hash(secret),))
        if not rows:
            raise ApiKeyUnknown
        return _choosing(_identity(rows, now=tx.now, acting_for=acting_for))


def identify_certificate(
    database: Database, fingerprint: str, *, acting_for: str | None = None
) -> Identity:
    """This will recognise a machine by its certificate's SHA-256; raises CertificateUnknown.

    The caller has seen to it that the certificate came through a proxy that checked it.
    """
    with database.reading(VISITOR) as tx:
        rows = tx.all(_BY_CERTIFICATE, (fingerprint, database.time.now()))
        if not rows:
            raise CertificateUnknown
        return _choosing(_identity(rows, now=tx.now, acting_for=acting_for))


def _choosing(identity: Identity) -> Identity:
    if identity.acting_for is not None and identity.acting_for not in identity.parties:
        raise NotActingFor(party=identity.acting_for[:40])
    return identity


def drop_expired_sessions(tx: Tx, *, now: Instant) -> int:
    """This will delete sessions and half-done sign-ins whose time is over; gives how many."""
    tx.execute("DELETE FROM trust.sign_in_step WHERE expires_at <= %s", (now,))
    return tx.execute("DELETE FROM trust.session WHERE expires_at <= %s", (now,))


def _identity(rows: list[Row], *, now: Instant, acting_for: str | None) -> Identity:
    first = rows[0]
    named = [
        {"role": row["role"], "party": row["role_party"], "from_at": row["from_at"],
         "until_at": row["until_at"]}
        for row in rows
    ]  # fmt: skip
    everywhere = choose_holdings(named, now=now, acting_for=None)
    return Identity(
        account=AccountId(first["account"]),
        party=PartyId(first["party"]),
        party_name=first["party_name"],
        login=first["login"],
        roles=choose_holdings(named, now=now, acting_for=acting_for),
        parties=tuple(dict.fromkeys(one.party for one in everywhere)),
        acting_for=acting_for,
        second_factor=first["second_factor"],
    )
