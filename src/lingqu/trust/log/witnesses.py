# SPDX-License-Identifier: Apache-2.0
"""Witnesses: others who cosign our checkpoints, and whose memory tells us if we have forgotten.

Each is asked by a thread of its own, so that a slow one delays nobody. A witness that does not
answer is an alert; one that knows more of our log than we do is a fork.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Database, Tx
from lingqu.runtime.observability import get_logger
from lingqu.trust.access import PLATFORM
from lingqu.trust.log.checkpoints import (
    LogForked,
    StoredCheckpoint,
    checkpoint_at,
    latest_checkpoint,
    publish,
)
from lingqu.trust.log.origins import OwnLog, own_log
from lingqu.trust.log.tiles import LogFolder, damage_named
from lingqu_verify import client, merkle, notes
from lingqu_verify.errors import VerificationError
from lingqu_verify.notes import Note, Signature, VerifierKey

TIMEOUT_S = 3.0
"""How long a witness may take for an answer."""

_LOOK_S = 5.0
_LONGEST_BACK_OFF_S = 60.0
_INCONSISTENT = {409, 422}
_log = get_logger(__name__)


class BadWitness(errors.Rejected):
    """The text is not a witness: its verifier key for cosignatures, a space, its URL."""

    code = "trust.log.witness_bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A configured witness: the key it cosigns with, and where it listens."""

    key: VerifierKey
    url: str

    @classmethod
    def parse(cls, text: str) -> Witness:
        """This will read "verifier-key URL". Raises BadWitness."""
        vkey, _, url = text.strip().partition(" ")
        try:
            key = VerifierKey.parse(vkey)
        except VerificationError as error:
            raise BadWitness(text=text[:80], reason=error.code) from None
        if key.algorithm != notes.COSIGNATURE or not url.startswith(("http://", "https://")):
            raise BadWitness(text=text[:80], reason="kind")
        return cls(key=key, url=url.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessStatus:
    """How a witness stands: the last size it cosigned and when, and what is wrong with it now."""

    name: str
    url: str
    size: int | None = None
    at: Instant | None = None
    error: str | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A witness's latest cosignature of a log."""

    witness: str
    size: int
    at: Instant


_LATEST_EACH = """
    SELECT DISTINCT ON (witness) witness, size, received_at FROM trust.log_cosignature
    WHERE origin = %s ORDER BY witness, size DESC
"""
_LAST_OF = """
    SELECT coalesce(max(size), 0) AS size FROM trust.log_cosignature
    WHERE origin = %s AND witness = %s
"""
_INSERT = """
    INSERT INTO trust.log_cosignature (origin, size, witness, line, received_at)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


def witnessed(tx: Tx, origin: str) -> tuple[Cosigned, ...]:
    """This will give each witness's latest cosignature; empty means: no independent witness."""
    return tuple(
        Cosigned(witness=row["witness"], size=row["size"], at=row["received_at"])
        for row in tx.all(_LATEST_EACH, (origin,))
    )


class Witnesses:
    """All configured witnesses of the log that is written, and what each last said.

    `on_fork` is called from a witness's thread when it knows a history that is not ours.
    """

    def __init__(
        self,
        database: Database,
        logs: Path,
        configured: Sequence[Witness],
        on_fork: Callable[[OwnLog, LogForked], None],
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Nothing is asked before `start` or `ask_all`."""
        self._database = database
        self._logs = logs
        self._on_fork = on_fork
        self._timeout_s = timeout_s
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._configured = tuple(configured)
        self._wake = {one.key: threading.Event() for one in self._configured}
        self._status = {
            one.key: WitnessStatus(name=one.key.name, url=one.url) for one in self._configured
        }
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """This will begin to ask, each witness in a thread of its own."""
        self._stopping.clear()
        for one in self._configured:
            name = f"witness {one.key.name}"
            thread = threading.Thread(target=self._follow, args=(one,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """This will end the threads; one in the middle of a request ends with it."""
        self._stopping.set()
        self.notify()
        for thread in self._threads:
            thread.join(self._timeout_s + 1)
        self._threads.clear()

    def notify(self) -> None:
        """This will say that there is a new checkpoint."""
        for event in self._wake.values():
            event.set()

    def status(self) -> tuple[WitnessStatus, ...]:
        """This will say how each stands."""
        with self._lock:
            return tuple(self._status.values())

    def ask_all(self, log: OwnLog) -> None:
        """This will show each witness our newest stored checkpoint, even if it knows it.

        One that does not answer is noted and passed over. Raises LogForked when one of them knows
        a history that ours does not continue.
        """
        if not self._configured:
            return
        with ThreadPoolExecutor(max_workers=min(8, len(self._configured))) as pool:
            asked = [pool.submit(self._ask, one, log, again=True) for one in self._configured]
        for one in asked:
            one.result()

    def _follow(self, witness: Witness) -> None:
        wake = self._wake[witness.key]
        while not self._stopping.is_set():
            wake.clear()
            failures = self._attempt(witness)
            if failures:
                self._stopping.wait(min(2.0**failures / 2, _LONGEST_BACK_OFF_S))
            else:
                wake.wait(_LOOK_S)

    def _attempt(self, witness: Witness) -> int:
        """Ask once; how often it failed in a row."""
        try:
            with self._database.reading() as tx:
                log = own_log(tx)
            try:
                self._ask(witness, log, again=False)
            except LogForked as fork:
                self._on_fork(log, fork)
        except errors.LingquError as refusal:
            self._note_failure(witness, refusal.code)
        except Exception:  # noqa: BLE001  # an edge
            # The edge of a thread: it must go on, whatever one answer led to.
            _log.exception("log.witness_failed", witness=witness.key.name)
            self._note_failure(witness, "trust.log.witness_failed")
        with self._lock:
            return self._status[witness.key].failures

    def _ask(self, witness: Witness, log: OwnLog, *, again: bool) -> None:
        with self._database.reading() as tx:
            stored = latest_checkpoint(tx, log.origin)
            last: int = tx.one(_LAST_OF, (log.origin, witness.key.name))["size"]
        if stored is None or (stored.size == last and not again):
            return
        try:
            signature = self._submit(witness, log, stored, last)
        except client.WitnessRefused as error:
            if error.parameters.get("status") in _INCONSISTENT:
                fork = LogForked(place=witness.key.name, known=last, size=stored.size)
                self._note_failure(witness, fork.code)
                raise fork from None
            self._note_failure(witness, error.code)
        except VerificationError as error:
            self._note_failure(witness, error.code)
        except LogForked as fork:
            self._note_failure(witness, fork.code)
            raise
        else:
            if signature is not None:
                self._keep(witness, log, *signature)

    def _submit(
        self, witness: Witness, log: OwnLog, stored: StoredCheckpoint, old: int
    ) -> tuple[StoredCheckpoint, Signature] | None:
        """The cosignature; None when it keeps moving away, as it does when others ask as well."""
        for _ in range(3):
            reader = LogFolder(log.folder(self._logs)).reader(stored.size, stored.root)
            with damage_named():
                proof = merkle.consistency_proof(old, stored.size, reader.nodes)
            answer = client.submit_checkpoint(
                witness.url,
                _bare(stored.note, log),
                old_size=old,
                proof=proof,
                witness=witness.key,
                timeout_s=self._timeout_s,
            )
            if isinstance(answer, Signature):
                return stored, answer
            with self._database.reading() as tx:
                newest = latest_checkpoint(tx, log.origin)
            assert newest is not None, "stored checkpoints stay"
            if answer.size > newest.size:
                raise LogForked(place=witness.key.name, known=answer.size, size=newest.size)
            stored, old = newest, answer.size
        return None

    def _keep(
        self, witness: Witness, log: OwnLog, stored: StoredCheckpoint, signature: Signature
    ) -> None:
        moment = self._database.time.now()
        values = (log.origin, stored.size, witness.key.name, str(signature), moment)

        def store(tx: Tx) -> StoredCheckpoint | None:
            tx.execute(_INSERT, values)
            return checkpoint_at(tx, log.origin, stored.size)

        kept = self._database.run(PLATFORM, store)
        if kept is not None:
            publish(LogFolder(log.folder(self._logs)), log, kept.note)
        with self._lock:
            self._status[witness.key] = replace(
                self._status[witness.key], size=stored.size, at=moment, error=None, failures=0
            )

    def _note_failure(self, witness: Witness, code: str) -> None:
        with self._lock:
            before = self._status[witness.key]
            after = replace(before, error=code, failures=min(before.failures + 1, 16))
            self._status[witness.key] = after
        if before.error != code:
            _log.warning("log.not_cosigned", witness=witness.key.name, code=code)


def _bare(note: Note, log: OwnLog) -> Note:
    """The note with our own signatures only."""
    return Note(
        text=note.text, signatures=tuple(s for s in note.signatures if s.name == log.origin)
    )
