# SPDX-License-Identifier: Apache-2.0
"""One-time codes as a second proof at signing in: RFC 6238, six digits, thirty seconds.

The secret is kept sealed by the keyring, recovery codes as SHA-256. A code works once: the last
time step used is remembered, and earlier ones are refused.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

import pyotp

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.kernel.values import Hidden
from lingqu.runtime import REAL_TIME, Tx, new_id
from lingqu.runtime.keys import KeyExists, KeyId, Keyring
from lingqu.trust.access import PLATFORM, AccountId, Action, Kind, authorize
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.parties import ACCOUNTS, AccountClosed, AccountState
from lingqu.trust.rows import AuditClass, Table, declare

PURPOSE = "secret"
STEP_SECONDS = 30
RECOVERY_CODES = 10
_ISSUER = "Lingqu 灵渠"
_SECRET = re.compile(r"[A-Z2-7]{32,64}\Z")
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"

declare(AuditClass.OPERATIONAL, "trust.second_factor_use")
_USE_STEP = """
    INSERT INTO trust.second_factor_use (account, step) VALUES (%s, %s)
    ON CONFLICT (account) DO UPDATE SET step = EXCLUDED.step
    WHERE second_factor_use.step < EXCLUDED.step
"""


class CodeRefused(errors.Forbidden):
    """The one-time code is wrong, too old, or was used before."""

    code = "trust.session.code_refused"


class SecondFactorNotFound(errors.NotFound):
    """The account has no second factor."""

    code = "trust.second_factor.not_found"


class SecondFactorExists(errors.Conflict):
    """The account has a second factor already; switch it off before setting up another."""

    code = "trust.second_factor.exists"


class BadSecret(errors.Rejected):
    """The secret of one-time codes has at least 160 bits in base32."""

    code = "trust.second_factor.bad_secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactor:
    """An account's second factor; `sealed` is None while it is switched off."""

    account: AccountId
    sealed: bytes | None = field(repr=False)
    recovery: tuple[str, ...] = field(repr=False)
    enabled_at: Instant | None
    version: int = 1


FACTORS = Table(
    "trust.second_factor",
    SecondFactor,
    key="account",
    not_found=SecondFactorNotFound,
    private=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactorEnabled(Fact):
    """An account asks for one-time codes at signing in."""

    kind = "trust.second_factor.enabled"
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactorDisabled(Fact):
    """An account no longer asks for one-time codes."""

    kind = "trust.second_factor.disabled"
    account: AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodeUsed(Fact):
    """An account signed in with one of its recovery codes."""

    kind = "trust.second_factor.recovered"
    account: AccountId
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """A new secret as a person puts it into an app: as text, and as an address of the app."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


def propose_secret(login: str, secret: str | None = None) -> Enrollment:
    """This will make a secret for one-time codes, or show one that was made before.

    Nothing is stored until a code proved it. Raises BadSecret.
    """
    secret = pyotp.random_base32(32) if secret is None else secret
    if not _SECRET.match(secret):
        raise BadSecret
    uri = pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=_ISSUER)
    return Enrollment(secret=secret, uri=uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What `enable_second_factor` takes, and the recovery codes to show once."""

    sealed: Hidden
    recovery: tuple[Hidden, ...]
    step: int
    """The time step of the code that proved it, which is used up by that."""
    codes: tuple[str, ...] = field(repr=False)


def prepare_second_factor(
    ring: Keyring, account: AccountId, *, secret: str, code: str, now: Instant
) -> Prepared:
    """This will check the first code of a new secret, seal it and make recovery codes.

    Raises BadSecret, CodeRefused.
    """
    step = check_new_code(secret, code, now=now)
    codes = new_recovery_codes()
    return Prepared(
        step=step,
        sealed=seal_secret(ring, account, secret),
        recovery=tuple(Hidden(recovery_hash(one)) for one in codes),
        codes=codes,
    )


def check_new_code(secret: str, code: str, *, now: Instant) -> int:
    """This will give the time step of a new secret's first code; raises BadSecret, CodeRefused."""
    if not _SECRET.match(secret):
        raise BadSecret
    step = _matching_step(secret, code, now)
    if step is None:
        raise CodeRefused
    return step


def new_recovery_codes() -> tuple[str, ...]:
    """This will make ten recovery codes of 59 random bits, to be shown once."""
    parts = [["".join(secrets.choice(_LETTERS) for _ in range(6)) for _ in range(2)]
             for _ in range(RECOVERY_CODES)]  # fmt: skip
    return tuple("-".join(part) for part in parts)


def recovery_hash(code: str) -> str:
    """This will give the SHA-256 by which a recovery code is known, however it is typed."""
    plain = "".join(code.casefold().split()).replace("-", "")
    return hashlib.sha256(plain.encode(errors="surrogatepass")).hexdigest()


def seal_secret(ring: Keyring, account: AccountId, secret: str) -> Hidden:
    """This will seal a secret for an account, in hex; makes the ring's key for it if needed."""
    if not ring.all(PURPOSE):
        try:
            ring.create(PURPOSE, at=REAL_TIME.now(), key_id=new_id(KeyId))
        except KeyExists:
            ring.reload()
    return Hidden(ring.seal(PURPOSE, secret.encode(), about=str(account)).hex())


@command("trust.second_factor.enable")
def enable_second_factor(
    tx: Tx, *, account: AccountId, sealed: Hidden, recovery: tuple[Hidden, ...], step: int
) -> None:
    """This will ask for one-time codes from now on; the code of `step` was the first.

    `sealed` comes from `seal_secret`, `recovery` are digests. Raises SecondFactorExists.
    """
    held = ACCOUNTS.lock(tx, account)
    if held.state is AccountState.CLOSED:
        raise AccountClosed(account=account)
    authorize(tx, Action.CHANGE, Kind.ACCOUNT, owner=held.party, account=account)
    known = FACTORS.find(tx, "WHERE account = %s FOR UPDATE", (account,))
    made = SecondFactor(
        account=account,
        sealed=bytes.fromhex(sealed),
        recovery=tuple(str(one) for one in recovery),
        enabled_at=tx.now,
    )
    if not known:
        FACTORS.insert(tx, made)
    elif known[0].sealed is None:
        FACTORS.update(tx, known[0], sealed=made.sealed, recovery=made.recovery, enabled_at=tx.now)
    else:
        raise SecondFactorExists(account=account)
    tx.execute(_USE_STEP, (account, step))
    record(tx, SecondFactorEnabled(account=account))


@command("trust.second_factor.disable")
def disable_second_factor(tx: Tx, *, account: AccountId) -> None:
    """This will stop asking for one-time codes and forget the secret.

    Raises SecondFactorNotFound.
    """
    held = ACCOUNTS.lock(tx, account)
    authorize(tx, Action.CHANGE, Kind.ACCOUNT, owner=held.party, account=account)
    factor = FACTORS.lock(tx, account)
    if factor.sealed is None:
        raise SecondFactorNotFound(id=account)
    FACTORS.update(tx, factor, sealed=None, recovery=(), enabled_at=None)
    record(tx, SecondFactorDisabled(account=account))


@command("trust.second_factor.recover", internal=True)
def use_recovery_code(tx: Tx, *, account: AccountId, digest: Hidden) -> None:
    """This will use up one recovery code. Raises CodeRefused."""
    factor = FACTORS.lock(tx, account)
    authorize(tx, Action.SIGN_IN, Kind.SESSION)
    if str(digest) not in factor.recovery:
        raise CodeRefused
    left = tuple(one for one in factor.recovery if one != str(digest))
    FACTORS.update(tx, factor, recovery=left)
    record(tx, RecoveryCodeUsed(account=account, left=len(left)))


def get_second_factor(tx: Tx, account: AccountId) -> SecondFactor | None:
    """This will give an account's second factor where it is switched on."""
    found = FACTORS.find(tx, "WHERE account = %s AND sealed IS NOT NULL", (account,))
    return found[0] if found else None


def is_prepared(tx: Tx, account: AccountId, prepared: Prepared) -> bool:
    """This will say whether a prepared second factor is the one in force.

    A command sent again switches nothing on, so the codes made for it open nothing.
    """
    factor = get_second_factor(tx, account)
    return factor is not None and set(factor.recovery) == {str(one) for one in prepared.recovery}


def use_code(tx: Tx, ring: Keyring, factor: SecondFactor, code: str, *, now: Instant) -> bool:
    """This will say whether a code is good now, and see to it that it is good only once."""
    assert tx.caller.account == PLATFORM.account, "signing in is the platform's work"
    assert factor.sealed is not None, "the factor is switched on"
    secret = ring.unseal(factor.sealed, about=str(factor.account)).decode()
    step = _matching_step(secret, code, now)
    return step is not None and tx.execute(_USE_STEP, (factor.account, step)) == 1


def _matching_step(secret: str, code: str, now: Instant) -> int | None:
    """The time step of a code: the present one or its neighbours, compared in constant time."""
    typed = "".join(code.split()).encode(errors="surrogatepass")
    present, found = int(now.timestamp()) // STEP_SECONDS, None
    generator = pyotp.TOTP(secret)
    for step in (present - 1, present, present + 1):
        if hmac.compare_digest(generator.generate_otp(step).encode(), typed):
            found = step
    return found
