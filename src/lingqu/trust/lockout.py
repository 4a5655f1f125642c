# SPDX-License-Identifier: Apache-2.0
"""Counts failed attempts to sign in and locks a login for a while, whether or not it exists.

An attempt counts as failed from its begin until it succeeds, so that many at once are counted too.
A login is kept as a digest and only as long as it counts. Unknown logins lock like known ones:
nobody learns from a lock which logins there are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Database, Tx
from lingqu.trust.access import PLATFORM, AccountId, Action, Kind, authorize
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.parties import ACCOUNTS
from lingqu.trust.rows import AuditClass, declare

declare(AuditClass.OPERATIONAL, "trust.sign_in_failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPolicy:
    """After `failures` within `minutes` a login is locked until the oldest of them is that old."""

    failures: int = 10
    minutes: int = 15


DEFAULT_POLICY = LockPolicy()


class SignInLocked(errors.Forbidden):
    """Too many attempts to sign in by this name failed; it is locked for a while."""

    code = "trust.session.locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnlocked(Fact):
    """An administrator lifted the lock that failed attempts had put on an account."""

    kind = "trust.account.unlocked"
    account: AccountId


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 3))"
_RECENT = """
    SELECT count(*) AS failures, min(failed_at) AS oldest FROM (
        SELECT failed_at FROM trust.sign_in_failure
        WHERE login = %s AND failed_at > %s ORDER BY failed_at DESC LIMIT %s
    ) AS recent
"""


def login_key(text: str) -> bytes:
    """This will give the digest under which attempts of a login are counted."""
    return hashlib.sha256(b"lingqu sign-in\0" + text.encode(errors="surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Counted:
    """An attempt that counts as failed: the digest of its login, when it began, the how many-th."""

    key: bytes
    at: Instant
    number: int


def begin_attempt(database: Database, key: bytes, *, policy: LockPolicy) -> Counted:
    """This will count an attempt as failed until it, or all of its login's, are forgotten.

    Raises SignInLocked where the login is locked.
    """
    now = database.time.now()
    with database.transaction(PLATFORM) as tx:
        tx.one(_LOCK, (key.hex(),))
        since = now - timedelta(minutes=policy.minutes)
        row = tx.one(_RECENT, (key, since, policy.failures))
        if row["failures"] >= policy.failures:
            left = row["oldest"] + timedelta(minutes=policy.minutes) - now
            raise SignInLocked(seconds=max(1, int(left.total_seconds())))
        tx.execute(
            "INSERT INTO trust.sign_in_failure (login, failed_at) VALUES (%s, %s)", (key, now)
        )
        return Counted(key, now, int(row["failures"]) + 1)


def forget_attempt(tx: Tx, attempt: Counted) -> None:
    """This will no longer count an attempt as failed; those before it still count."""
    tx.execute(
        "DELETE FROM trust.sign_in_failure WHERE login = %s AND failed_at = %s",
        (attempt.key, attempt.at),
    )


def forget_failures(tx: Tx, key: bytes) -> int:
    """This will forget the failed attempts of a login; gives how many there were."""
    return tx.execute("DELETE FROM trust.sign_in_failure WHERE login = %s", (key,))


def drop_old_failures(tx: Tx, *, now: Instant, policy: LockPolicy) -> int:
    """This will forget attempts that no longer count; gives how many."""
    before = now - timedelta(minutes=policy.minutes)
    return tx.execute("DELETE FROM trust.sign_in_failure WHERE failed_at <= %s", (before,))


@command("trust.account.unlock")
def unlock_account(tx: Tx, *, account: AccountId) -> None:
    """This will let an account try to sign in again at once. Raises AccountNotFound."""
    held = ACCOUNTS.lock(tx, account)
    authorize(tx, Action.END, Kind.ACCOUNT, owner=held.party)
    forget_failures(tx, login_key(held.login or str(account)))
    record(tx, AccountUnlocked(account=account))
