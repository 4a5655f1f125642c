# SPDX-License-Identifier: Apache-2.0
"""Parties, their accounts, roles and API keys, and how passwords are checked."""

from __future__ import annotations

import enum
import functools
import hashlib
import secrets
from dataclasses import dataclass, field

import argon2

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import Hidden
from lingqu.runtime import Tx
from lingqu.trust.access import (
    AccountId,
    Action,
    Kind,
    PartyId,
    Role,
    authorize,
    holdings,
    is_allowed,
)
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.holds import refuse_held
from lingqu.trust.rows import Table

NAME_MAX = 200
LOGIN_MAX = 100
PASSWORD_MIN = 12
PASSWORD_MAX = 1000


class PartyKind(enum.Enum):
    """What a party is."""

    ORGANIZATION = "organization"
    PERSON = "person"
    SYSTEM = "system"


class AccountKind(enum.Enum):
    """Who stands behind an account."""

    PERSON = "person"
    MACHINE = "machine"


class AccountState(enum.Enum):
    """Whether an account can act."""

    ACTIVE = "active"
    CLOSED = "closed"


class AssignmentId(Id):
    """The id of one role assignment."""

    prefix = "rol"


class ApiKeyId(Id):
    """The id of one API key."""

    prefix = "apk"


class PartyNotFound(errors.NotFound):
    """There is no such party, or the caller may not know of it."""

    code = "trust.party.not_found"


class AccountNotFound(errors.NotFound):
    """There is no such account, or the caller may not know of it."""

    code = "trust.account.not_found"


class AssignmentNotFound(errors.NotFound):
    """There is no such role assignment."""

    code = "trust.role.not_found"


class ApiKeyNotFound(errors.NotFound):
    """There is no such API key, or the caller may not know of it."""

    code = "trust.api_key.not_found"


class BadName(errors.Rejected):
    """A name or login must be 1 to 200 printable characters without control characters."""

    code = "trust.party.bad_name"


class LoginTaken(errors.Conflict):
    """Another account already signs in by this name."""

    code = "trust.account.login_taken"


class AccountClosed(errors.Conflict):
    """The account is closed and cannot be used or changed."""

    code = "trust.account.closed"


class PartyErased(errors.Conflict):
    """The party's data was erased; nothing more can be done for it."""

    code = "trust.party.erased"


class WeakPassword(errors.Rejected):
    """A password has 12 to 1000 characters and is not the login."""

    code = "trust.account.weak_password"


class RoleAlreadyHeld(errors.Conflict):
    """The account already holds this role for this party."""

    code = "trust.role.already_held"


class RoleEnded(errors.Conflict):
    """The role assignment or key has already ended."""

    code = "trust.role.ended"


class BuiltInRole(errors.Rejected):
    """The roles of the platform, of every account and of visitors are given to nobody."""

    code = "trust.role.built_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An organisation, a person or a system. `name` is personal data where it is a person."""

    id: PartyId
    kind: PartyKind
    name: str | None
    created_at: Instant
    erased_at: Instant | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Something that can act for a party. `login` and `password_hash` are never in a fact."""

    id: AccountId
    party: PartyId
    kind: AccountKind
    login: str | None
    password_hash: str | None = field(repr=False)
    state: AccountState
    created_at: Instant
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """A role an account holds for a party, from `given_at` until `ended_at`."""

    id: AssignmentId
    account: AccountId
    role: Role
    party: PartyId
    given_at: Instant
    ended_at: Instant | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A machine's key: SHA-256 of a 256-bit random secret that is shown once."""

    id: ApiKeyId
    account: AccountId
    label: str
    secret_hash: bytes = field(repr=False)
    created_at: Instant
    ended_at: Instant | None = None
    version: int = 1


PARTIES = Table("trust.party", Party, not_found=PartyNotFound)
ACCOUNTS = Table("trust.account", Account, not_found=AccountNotFound, private=True)
ASSIGNMENTS = Table("trust.role_assignment", RoleAssignment, not_found=AssignmentNotFound)
API_KEYS = Table("trust.api_key", ApiKey, not_found=ApiKeyNotFound, private=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyRegistered(Fact):
    """A party came to be known here."""

    kind = "trust.party.registered"
    party: PartyId
    party_kind: PartyKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyRenamed(Fact):
    """A party got another name."""

    kind = "trust.party.renamed"
    party: PartyId


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOpened(Fact):
    """A party got an account."""

    kind = "trust.account.opened"
    account: AccountId
    party: PartyId
    account_kind: AccountKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Fact):
    """An account got another password."""

    kind = "trust.account.password_changed"
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWasClosed(Fact):
    """An account can no longer act."""

    kind = "trust.account.closed"
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssigned(Fact):
    """An account was given a role for a party."""

    kind = "trust.role.assigned"
    assignment: AssignmentId
    account: AccountId
    role: Role
    party: PartyId


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleWithdrawn(Fact):
    """An account lost a role."""

    kind = "trust.role.withdrawn"
    assignment: AssignmentId
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyIssued(Fact):
    """A machine got a key."""

    kind = "trust.api_key.issued"
    api_key: ApiKeyId
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyRevoked(Fact):
    """A key stopped working."""

    kind = "trust.api_key.revoked"
    api_key: ApiKeyId
    account: AccountId


_HASHER = argon2.PasswordHasher()


def hash_password(password: str) -> Hidden:
    """This will hash with argon2id; raises WeakPassword for fewer than 12 characters.

    Takes tens of milliseconds on purpose: call it before opening a transaction.
    """
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise WeakPassword(least=PASSWORD_MIN, most=PASSWORD_MAX)
    return Hidden(_HASHER.hash(password.encode(errors="surrogatepass")))


def check_password(password_hash: str | None, password: str) -> bool:
    """This will check a password, taking as long for an account that has none."""
    known = password_hash or _no_password()
    try:
        _HASHER.verify(known, password[:PASSWORD_MAX].encode(errors="surrogatepass"))
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return password_hash is not None and len(password) <= PASSWORD_MAX


@functools.cache
def _no_password() -> str:
    return _HASHER.hash(secrets.token_urlsafe(24))


def new_secret() -> str:
    """This will make a 256-bit random secret in URL-safe text."""
    return secrets.token_urlsafe(32)


def secret_hash(secret: str) -> bytes:
    """This will give the SHA-256 by which a random secret is looked up."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


@command("trust.party.register")
def register_party(tx: Tx, *, party: PartyId, kind: PartyKind, name: str) -> Party:
    """This will register a party under the id the caller made. Raises BadName, IdTaken."""
    authorize(tx, Action.CREATE, Kind.PARTY)
    made = Party(id=party, kind=kind, name=_checked_name(name, "name", NAME_MAX), created_at=tx.now)
    PARTIES.insert(tx, made)
    record(tx, PartyRegistered(party=party, party_kind=kind))
    return made


@command("trust.party.rename")
def rename_party(tx: Tx, *, party: PartyId, name: str) -> Party:
    """This will give a party another name. Raises PartyNotFound, PartyErased, BadName."""
    held = PARTIES.lock(tx, party)
    authorize(tx, Action.CHANGE, Kind.PARTY, owner=party)
    if held.erased_at is not None:
        raise PartyErased(party=party)
    renamed = PARTIES.update(tx, held, name=_checked_name(name, "name", NAME_MAX))
    record(tx, PartyRenamed(party=party))
    return renamed


@command("trust.account.open")
def open_account(
    tx: Tx,
    *,
    account: AccountId,
    party: PartyId,
    kind: AccountKind,
    login: str | None = None,
    password: Hidden | None = None,
) -> AccountId:
    """This will open an account for a party; `password` comes from `hash_password`.

    Raises PartyNotFound, PartyErased, BadName, LoginTaken.
    """
    owner = PARTIES.lock(tx, party)
    authorize(tx, Action.CREATE, Kind.ACCOUNT, owner=party)
    if owner.erased_at is not None:
        raise PartyErased(party=party)
    refuse_held(tx, subjects=(party,))
    name = None if login is None else _checked_name(login.casefold(), "login", LOGIN_MAX)
    if name is not None and ACCOUNTS.find(tx, "WHERE login = %s", (name,)):
        raise LoginTaken
    ACCOUNTS.insert(
        tx,
        Account(
            id=account,
            party=party,
            kind=kind,
            login=name,
            password_hash=None if password is None else str(password),
            state=AccountState.ACTIVE,
            created_at=tx.now,
        ),
    )
    record(tx, AccountOpened(account=account, party=party, account_kind=kind))
    return account


@command("trust.account.change_password")
def change_password(tx: Tx, *, account: AccountId, password: Hidden) -> None:
    """This will replace an account's password and close its other sessions."""
    held = _lock_open_account(tx, account)
    authorize(tx, Action.CHANGE, Kind.ACCOUNT, owner=held.party, account=account)
    ACCOUNTS.update(tx, held, password_hash=str(password))
    tx.execute("DELETE FROM trust.session WHERE account = %s", (account,))
    record(tx, PasswordChanged(account=account))


@command("trust.account.close")
def close_account(tx: Tx, *, account: AccountId) -> None:
    """This will close an account for good, with its sessions. Raises AccountClosed."""
    held = _lock_open_account(tx, account)
    authorize(tx, Action.END, Kind.ACCOUNT, owner=held.party)
    ACCOUNTS.update(tx, held, state=AccountState.CLOSED, password_hash=None)
    tx.execute("DELETE FROM trust.session WHERE account = %s", (account,))
    record(tx, AccountWasClosed(account=account))


@command("trust.role.assign")
def assign_role(
    tx: Tx, *, assignment: AssignmentId, account: AccountId, role: Role, party: PartyId
) -> RoleAssignment:
    """This will give an account a role for a party. Raises RoleAlreadyHeld, BuiltInRole."""
    _lock_open_account(tx, account)
    PARTIES.lock(tx, party)
    authorize(tx, Action.ASSIGN, Kind.ROLE, owner=party)
    if role in {Role.PLATFORM, Role.SIGNED_IN, Role.VISITOR}:
        raise BuiltInRole(role=role.value)
    same = "WHERE account = %s AND role = %s AND party = %s AND ended_at IS NULL"
    refuse_held(tx, subjects=(party, account))
    if ASSIGNMENTS.find(tx, same, (account, role.value, party)):
        raise RoleAlreadyHeld(role=role.value)
    given = RoleAssignment(id=assignment, account=account, role=role, party=party, given_at=tx.now)
    ASSIGNMENTS.insert(tx, given)
    record(tx, RoleAssigned(assignment=assignment, account=account, role=role, party=party))
    return given


@command("trust.role.withdraw")
def withdraw_role(tx: Tx, *, assignment: AssignmentId) -> RoleAssignment:
    """This will end a role assignment. Raises AssignmentNotFound, RoleEnded."""
    held = ASSIGNMENTS.lock(tx, assignment)
    authorize(tx, Action.END, Kind.ROLE, owner=held.party)
    if held.ended_at is not None:
        raise RoleEnded(id=assignment)
    ended = ASSIGNMENTS.update(tx, held, ended_at=tx.now)
    record(tx, RoleWithdrawn(assignment=assignment, account=held.account))
    return ended


@command("trust.api_key.issue")
def issue_api_key(
    tx: Tx, *, api_key: ApiKeyId, account: AccountId, label: str, secret: Hidden
) -> ApiKeyId:
    """This will let a machine act as `account` by a secret from `new_secret`, kept hashed only."""
    held = _lock_open_account(tx, account)
    authorize(tx, Action.CREATE, Kind.API_KEY, owner=held.party)
    refuse_held(tx, subjects=(account, held.party))
    made = ApiKey(
        id=api_key,
        account=account,
        label=_checked_name(label, "label", NAME_MAX),
        secret_hash=secret_hash(secret),
        created_at=tx.now,
    )
    API_KEYS.insert(tx, made)
    record(tx, ApiKeyIssued(api_key=api_key, account=account))
    return api_key


@command("trust.api_key.revoke")
def revoke_api_key(tx: Tx, *, api_key: ApiKeyId) -> None:
    """This will stop a key from working. Raises ApiKeyNotFound, RoleEnded."""
    held = API_KEYS.lock(tx, api_key)
    owner = ACCOUNTS.get(tx, held.account)
    authorize(tx, Action.END, Kind.API_KEY, owner=owner.party)
    if held.ended_at is not None:
        raise RoleEnded(id=api_key)
    API_KEYS.update(tx, held, ended_at=tx.now)
    record(tx, ApiKeyRevoked(api_key=api_key, account=held.account))


def get_party(tx: Tx, party: PartyId) -> Party:
    """This will read a party the caller may see; raises PartyNotFound otherwise."""
    found = PARTIES.get(tx, party)
    if not is_allowed(tx, Action.READ, Kind.PARTY, owner=party):
        raise PartyNotFound(id=party)
    return found


def find_parties(tx: Tx, *, page: PageRequest) -> Page[Party]:
    """This will list the parties the caller may see, oldest first."""
    after, limit = page.key or "", page.size + 1
    if is_allowed(tx, Action.READ, Kind.PARTY):
        rows = PARTIES.find(tx, "WHERE id > %s ORDER BY id LIMIT %s", (after, limit))
    else:
        own = sorted({holding.party for holding in holdings(tx) if holding.party})
        where = "WHERE id = ANY(%s) AND id > %s ORDER BY id LIMIT %s"
        rows = PARTIES.find(tx, where, (own, after, limit))
    more = len(rows) > page.size
    return Page(items=rows[: page.size], next=cursor(rows[page.size - 1].id) if more else None)


def find_accounts(tx: Tx, *, party: PartyId) -> tuple[Account, ...]:
    """This will list the accounts of a party the caller may see."""
    if not is_allowed(tx, Action.READ, Kind.ACCOUNT, owner=party):
        raise PartyNotFound(id=party)
    return ACCOUNTS.find(tx, "WHERE party = %s ORDER BY id", (party,))


def _lock_open_account(tx: Tx, account: AccountId) -> Account:
    held = ACCOUNTS.lock(tx, account)
    if held.state is AccountState.CLOSED:
        raise AccountClosed(account=account)
    return held


def _checked_name(text: str, field: str, longest: int) -> str:
    name = text.strip()
    if not 1 <= len(name) <= longest or not name.isprintable():
        raise BadName(field=field, most=longest)
    return name
