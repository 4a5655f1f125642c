# SPDX-License-Identifier: Apache-2.0
"""Commands about logs: another key, a successor, and the checkpoints of other logs.

They run on the machine that holds the keys, so none of them has a route.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lingqu.runtime import Tx
from lingqu.trust import log as logs
from lingqu.trust.access import Action, Kind, authorize
from lingqu.trust.commands import command
from lingqu.trust.facts import Fact, record
from lingqu.trust.installation import LOGS, LogRecord
from lingqu_verify import notes
from lingqu_verify.notes import VerifierKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeyIntroduced(Fact):
    """A log is signed by another key from now on; the elder key vouches for it."""

    kind = "trust.log.key_introduced"
    origin: str
    number: int
    verifier_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSucceeded(Fact):
    """A successor began where a log refused to sign.

    `old_size` and `old_root` are those the log before it published last; `kept` leaves of it are
    in the database.
    """

    kind = "trust.log.succeeded"
    origin: str
    number: int
    predecessor: str
    old_size: int
    old_root: str
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignLogRegistered(Fact):
    """Another log became known by its key."""

    kind = "trust.log.foreign_registered"
    origin: str
    verifier_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignCheckpointRecorded(Fact):
    """Another log's checkpoint was checked against the one before it and recorded."""

    kind = "trust.log.foreign_recorded"
    origin: str
    size: int
    root: str


@command("trust.log.introduce_key", internal=True)
def introduce_log_key(tx: Tx, *, verifier_key: str, statement: str) -> int:
    """This will make a key the newest of our log; `statement` is the elder key's signed note.

    Gives the key's number. Raises BadLogKey.
    """
    authorize(tx, Action.OPERATE, Kind.LOG)
    log = logs.own_log(tx)
    made = logs.admit_key(tx, log, verifier_key, statement)
    record(
        tx,
        LogKeyIntroduced(origin=log.origin, number=made.number, verifier_key=str(made.verifier)),
    )
    return made.number


@command("trust.log.succeed", internal=True)
def succeed_log(tx: Tx, *, folder: str, forked: bool, public: bytes) -> LogSucceeded:
    """This will begin a successor of our log, which refuses to sign.

    `folder` holds all logs' files; `forked` is the sequencer's word where only a witness can tell;
    `public` is the Ed25519 key that signs the successor. Raises NothingToSucceed.
    """
    authorize(tx, Action.OPERATE, Kind.LOG)
    log = logs.own_log(tx)
    plan = logs.plan_succession(tx, logs.LogFolder(log.folder(Path(folder))), log, forked=forked)
    key = VerifierKey(name=plan.origin, algorithm=notes.ED25519, public=public)
    LOGS.insert(
        tx,
        LogRecord(
            origin=plan.origin,
            number=plan.number,
            kind="own",
            predecessor=plan.predecessor,
            verifier_key=str(key),
            started_at=tx.now,
        ),
    )
    fact = LogSucceeded(
        origin=plan.origin,
        number=plan.number,
        predecessor=plan.predecessor,
        old_size=plan.old_size,
        old_root=plan.old_root.hex(),
        kept=plan.kept,
    )
    record(tx, fact)
    return fact


@command("trust.log.register_foreign", internal=True)
def register_foreign_log(tx: Tx, *, origin: str, verifier_key: str) -> str:
    """This will make another log known by its C2SP vkey. Raises BadForeignLog."""
    authorize(tx, Action.OPERATE, Kind.LOG)
    key = logs.check_foreign_key(origin, verifier_key)
    LOGS.insert(
        tx,
        LogRecord(
            origin=origin,
            number=logs.next_number(tx),
            kind="foreign",
            predecessor=None,
            verifier_key=str(key),
            started_at=tx.now,
        ),
    )
    record(tx, ForeignLogRegistered(origin=origin, verifier_key=str(key)))
    return origin


@command("trust.log.record_foreign", internal=True)
def record_foreign_checkpoint(
    tx: Tx, *, origin: str, note: str, proof: tuple[bytes, ...] = ()
) -> int:
    """This will record another log's checkpoint; `proof` shows that it continues the last one.

    Gives its size. Raises LogUnknown, BadForeignCheckpoint, ForeignForked.
    """
    authorize(tx, Action.OPERATE, Kind.LOG)
    key = logs.foreign_key(tx, origin)
    if key is None:
        raise logs.LogUnknown(origin=origin[:80])
    one = logs.store_foreign(tx, note, key, proof).checkpoint
    record(tx, ForeignCheckpointRecorded(origin=origin, size=one.size, root=one.root.hex()))
    return one.size
