# SPDX-License-Identifier: Apache-2.0
"""Which log is written, and whose signatures under it count: origins, their keys, their succession.

An installation has one own log at a time: the one with the highest number. Its first key stands in
`trust.log`; each later key is vouched for by a statement that an older one signed, so that whoever
trusts the first key can follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Tx
from lingqu.runtime.keys import SigningKey
from lingqu.trust.rows import AuditClass, declare
from lingqu_verify import bundles, notes
from lingqu_verify.errors import VerificationError
from lingqu_verify.notes import Note, RemoteSigner, Signer, VerifierKey

OVERLAP = timedelta(days=7)
"""How long the key before the newest one goes on signing beside it."""

LOCK = "trust.log"
"""Name of the advisory lock under which leaves are placed and logs succeed each other."""

Signers = Callable[[str], Sequence[Signer]]
"""Gives the signing keys this process has for an origin, in any order."""

declare(AuditClass.LOG, "trust.log_key")


class NoOwnLog(errors.Unavailable):
    """This installation has no log of its own yet."""

    code = "trust.log.none"


class LogUnknown(errors.NotFound):
    """No log of this origin is known here."""

    code = "trust.log.unknown"


class NoSigningKey(errors.Unavailable):
    """The process has none of the keys that may sign for this log now."""

    code = "trust.log.no_key"


class KeyChainBroken(errors.Unavailable):
    """A recorded key of the log is not vouched for by an older one."""

    code = "trust.log.key_chain_broken"


class BadLogKey(errors.Rejected):
    """The key cannot be a key of this log, or is one already."""

    code = "trust.log.bad_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """A key of a log by number from 1; `statement` is the note that vouches for a later one."""

    number: int
    verifier: VerifierKey
    statement: Note | None
    at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLog:
    """A log of this installation, with its keys in the order of their numbers."""

    origin: str
    number: int
    predecessor: str | None
    keys: tuple[LogKey, ...]

    @property
    def verifiers(self) -> tuple[VerifierKey, ...]:
        """All keys whose signatures count as this log's."""
        return tuple(key.verifier for key in self.keys)

    @property
    def offered(self) -> tuple[bundles.OfferedKey, ...]:
        """The keys as a bundle carries them."""
        return tuple(
            bundles.OfferedKey(key=key.verifier, statement=key.statement) for key in self.keys
        )

    def folder(self, logs: Path) -> Path:
        """This will give the folder of this log's files inside the folder of all logs."""
        return logs / str(self.number)

    def signing(self, signers: Sequence[Signer], now: Instant) -> tuple[Signer, ...]:
        """This will choose who signs at a moment: the newest key, and its elder while they overlap.

        Raises NoSigningKey when the newest key is not among `signers`.
        """
        at_hand = {signer.verifier: signer for signer in signers}
        newest = self.keys[-1]
        if newest.verifier not in at_hand:
            raise NoSigningKey(origin=self.origin, key=newest.verifier.fingerprint)
        chosen = [at_hand[newest.verifier]]
        if len(self.keys) > 1 and now < newest.at + OVERLAP:
            elder = at_hand.get(self.keys[-2].verifier)
            chosen += [elder] if elder is not None else []
        return tuple(chosen)


# A moment no command can write is the audit's to name; it must not keep the audit from beginning.
_SELECT = """
    SELECT origin, number, predecessor, verifier_key,
           least(greatest(started_at, '0001-01-02'), '9000-01-01') AS started_at
    FROM trust.log
"""
_NEWEST = f"{_SELECT} WHERE kind = 'own' ORDER BY number DESC LIMIT 1"
_ALL_OWN = f"{_SELECT} WHERE kind = 'own' ORDER BY number"
_BY_ORIGIN = f"{_SELECT} WHERE kind = 'own' AND origin = %s"
_LATER_KEYS = """
    SELECT number, verifier_key, statement,
           least(greatest(at, '0001-01-02'), '9000-01-01') AS at
    FROM trust.log_key WHERE origin = %s ORDER BY number
"""
_INSERT_KEY = """
    INSERT INTO trust.log_key (origin, number, verifier_key, statement, at)
    VALUES (%s, %s, %s, %s, %s)
"""


def log_signer(origin: str, key: SigningKey) -> Signer:
    """This will make a key of the keyring the signer of an origin: notes bear the origin's name."""
    assert key.info.suite == notes.SUITE, "logs are signed with the suite that checkpoints name"
    verifier = VerifierKey(name=origin, algorithm=notes.ED25519, public=key.info.public)
    return RemoteSigner(verifier, lambda message: key.sign(message).value)


def own_log(tx: Tx, origin: str | None = None) -> OwnLog:
    """This will read the log that is written now, or an own one by origin.

    Raises NoOwnLog, LogUnknown, or KeyChainBroken where its keys do not follow from the first.
    """
    row = tx.maybe(_NEWEST) if origin is None else tx.maybe(_BY_ORIGIN, (origin,))
    if row is None and origin is None:
        raise NoOwnLog
    if row is None:
        raise LogUnknown(origin=str(origin)[:80])
    return _with_keys(tx, row)


def own_logs(tx: Tx) -> tuple[OwnLog, ...]:
    """This will read every log of this installation, the oldest first."""
    return tuple(_with_keys(tx, row) for row in tx.all(_ALL_OWN))


def introduce_key(tx: Tx, log: OwnLog, new: VerifierKey, elder: Signer) -> LogKey:
    """This will make `new` the newest key of a log, vouched for by its present newest key.

    Both sign for seven days. Raises BadLogKey for a key of another name or kind, for one the log
    has already, and when `elder` is not the log's newest key.
    """
    own = new.name == log.origin and new.algorithm == notes.ED25519
    if not own or new in log.verifiers:
        raise BadLogKey(origin=log.origin, key=new.fingerprint)
    if elder.verifier != log.keys[-1].verifier:
        raise BadLogKey(origin=log.origin, key=elder.verifier.fingerprint)
    statement = notes.sign_note(notes.key_statement(log.origin, new), (elder,))
    return admit_key(tx, log, str(new), str(statement))


def admit_key(tx: Tx, log: OwnLog, verifier_key: str, statement_note: str) -> LogKey:
    """This will make a key the newest of a log, by a statement its present newest key has signed.

    Raises BadLogKey for a key of another name or kind, for one the log has already, and for a
    statement that does not vouch for it.
    """
    try:
        new, statement = VerifierKey.parse(verifier_key), Note.parse(statement_note)
        offered = (bundles.OfferedKey(key=new, statement=statement),)
        trusted = bundles.extend_trust(log.origin, (log.keys[-1].verifier,), offered)
    except VerificationError as error:
        raise BadLogKey(origin=log.origin, key=error.code) from None
    own = new.name == log.origin and new.algorithm == notes.ED25519
    if not own or new in log.verifiers or new not in trusted:
        raise BadLogKey(origin=log.origin, key=new.fingerprint)
    number = log.keys[-1].number + 1
    tx.execute(_INSERT_KEY, (log.origin, number, str(new), str(statement), tx.now))
    return LogKey(number=number, verifier=new, statement=statement, at=tx.now)


def _with_keys(tx: Tx, row: dict[str, object]) -> OwnLog:
    origin, started = str(row["origin"]), row["started_at"]
    assert isinstance(started, Instant), "the column is a timestamp"
    try:
        first = VerifierKey.parse(str(row["verifier_key"]))
        keys = [LogKey(number=1, verifier=first, statement=None, at=started)]
        for later in tx.all(_LATER_KEYS, (origin,)):
            verifier = VerifierKey.parse(later["verifier_key"])
            statement = Note.parse(later["statement"])
            keys.append(
                LogKey(
                    number=later["number"], verifier=verifier, statement=statement, at=later["at"]
                )
            )
        offered = [bundles.OfferedKey(key=k.verifier, statement=k.statement) for k in keys[1:]]
        trusted = bundles.extend_trust(origin, (first,), offered)
    except VerificationError as error:
        raise KeyChainBroken(origin=origin, reason=error.code) from None
    unvouched = [key for key in keys if key.verifier not in trusted]
    if unvouched or first.name != origin:
        raise KeyChainBroken(origin=origin, reason="statement")
    predecessor = row["predecessor"]
    return OwnLog(
        origin=origin,
        number=int(str(row["number"])),
        predecessor=None if predecessor is None else str(predecessor),
        keys=tuple(keys),
    )
