# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of other logs (gates) kept here, and the beginning of a successor to our own log.

These are the parts of which commands are made: what to check, and what to write. A foreign log's
row in `trust.log` and the facts about it are the command's own business.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.runtime import Tx
from lingqu.trust.log.checkpoints import (
    LogForked,
    check_prefix,
    latest_checkpoint,
    read_own_checkpoint,
)
from lingqu.trust.log.leaves import leaf_count, lock_log
from lingqu.trust.log.origins import OwnLog
from lingqu.trust.log.tiles import LogFolder
from lingqu_verify import merkle, notes
from lingqu_verify.bundles import own_checkpoint
from lingqu_verify.errors import VerificationError
from lingqu_verify.notes import Checkpoint, Note, VerifierKey


class BadForeignLog(errors.Rejected):
    """The key is not a log's key, or does not bear the origin as its name."""

    code = "trust.log.foreign_key_bad"


class BadForeignCheckpoint(errors.Rejected):
    """What was sent as a checkpoint of the other log is not one signed by its key."""

    code = "trust.log.foreign_bad"


class ForeignForked(errors.Conflict):
    """The other log's checkpoint does not continue the one recorded last."""

    code = "trust.log.foreign_forked"


class NothingToSucceed(errors.Conflict):
    """The log is not refusing to sign, so it needs no successor."""

    code = "trust.log.nothing_to_succeed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedCheckpoint:
    """A foreign checkpoint whose signature and history hold; `known` means recorded already."""

    checkpoint: Checkpoint
    note: Note
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """What a successor's first fact says of the log before it.

    `old_size` and `old_root` are of its last published checkpoint; `kept` leaves of it are in the
    database.
    """

    origin: str
    number: int
    predecessor: str
    old_size: int
    old_root: bytes
    kept: int


_NEXT_NUMBER = "SELECT coalesce(max(number), 0) + 1 AS number FROM trust.log"
_FOREIGN_KEY = "SELECT verifier_key FROM trust.log WHERE origin = %s AND kind = 'foreign'"
_INSERT = """
    INSERT INTO trust.log_checkpoint (origin, size, root, note, signed_at)
    VALUES (%s, %s, %s, %s, %s)
"""


def check_foreign_key(origin: str, text: str) -> VerifierKey:
    """This will read another log's key, which must bear its origin. Raises BadForeignLog."""
    try:
        key = VerifierKey.parse(text)
    except VerificationError as error:
        raise BadForeignLog(origin=origin[:80], reason=error.code) from None
    if key.name != origin or key.algorithm != notes.ED25519:
        raise BadForeignLog(origin=origin[:80], reason="name")
    return key


def next_number(tx: Tx) -> int:
    """This will give the number for another log, holding it until the transaction ends."""
    lock_log(tx)
    number: int = tx.one(_NEXT_NUMBER)["number"]
    return number


def foreign_key(tx: Tx, origin: str) -> VerifierKey | None:
    """This will read the key of a foreign log recorded here, or None where there is none."""
    row = tx.maybe(_FOREIGN_KEY, (origin,))
    return None if row is None else VerifierKey.parse(row["verifier_key"])


def check_foreign(
    note: str, key: VerifierKey, previous: Checkpoint | None, proof: Sequence[bytes]
) -> CheckedCheckpoint:
    """This will check another log's checkpoint: its signature, and that it continues `previous`.

    Raises BadForeignCheckpoint, ForeignForked.
    """
    try:
        parsed = Note.parse(note)
        checkpoint = own_checkpoint(parsed, key.name, (key,)).checkpoint
    except VerificationError as error:
        raise BadForeignCheckpoint(origin=key.name, reason=error.code) from None
    if previous is None:
        return CheckedCheckpoint(checkpoint=checkpoint, note=parsed, known=False)
    sizes = {"known": previous.size, "size": checkpoint.size}
    if checkpoint.size < previous.size:
        raise ForeignForked(origin=key.name, **sizes)
    try:
        merkle.verify_consistency(
            previous.size, checkpoint.size, proof, previous.root, checkpoint.root
        )
    except VerificationError:
        raise ForeignForked(origin=key.name, **sizes) from None
    known = checkpoint.size == previous.size
    return CheckedCheckpoint(checkpoint=checkpoint, note=parsed, known=known)


def store_foreign(tx: Tx, note: str, key: VerifierKey, proof: Sequence[bytes]) -> CheckedCheckpoint:
    """This will check a foreign checkpoint against the last one recorded, and record it.

    The foreign log must be in `trust.log`. Raises BadForeignCheckpoint, ForeignForked.
    """
    tx.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 2))", (key.name,))
    last = latest_checkpoint(tx, key.name)
    previous = Checkpoint.parse(last.note.text) if last else None
    checked = check_foreign(note, key, previous, proof)
    if not checked.known:
        one = checked.checkpoint
        tx.execute(_INSERT, (one.origin, one.size, one.root, str(checked.note), tx.now))
    return checked


def plan_succession(tx: Tx, folder: LogFolder, log: OwnLog, *, forked: bool = False) -> Succession:
    """This will say how a successor of a log that refuses to sign begins, holding the numbers.

    The command writes the row of `trust.log` (predecessor and all) and records a fact with these
    values, which stands in the successor's first batch. `forked` is the sequencer's word, for forks
    that only a witness can see. Raises NothingToSucceed when the log is well, CheckpointUnreadable.
    """
    number = next_number(tx)
    if not forked:
        with contextlib.suppress(LogForked):
            check_prefix(tx, folder, log)
            raise NothingToSucceed(origin=log.origin)
    raw = folder.published()
    stored = latest_checkpoint(tx, log.origin)
    if raw is not None:
        last = read_own_checkpoint(raw, log)
        size, root = last.size, last.root
    else:
        size, root = (stored.size, stored.root) if stored else (0, merkle.EMPTY_ROOT)
    base, _, ordinal = log.origin.rpartition("/")
    succeeded = log.predecessor is not None and ordinal.isdecimal()
    return Succession(
        origin=f"{base}/{int(ordinal) + 1}" if succeeded else f"{log.origin}/2",
        number=number,
        predecessor=log.origin,
        old_size=size,
        old_root=root,
        kept=leaf_count(tx, log.origin),
    )
