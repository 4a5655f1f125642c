# SPDX-License-Identifier: Apache-2.0
"""The sequencer: the loop that turns committed facts into leaves, files and signed checkpoints.

Any number of processes may run one; whoever holds the lock works, the others stand by. Everything
it needs is read anew each round, so a restart of the database, a rotated key or a successor log
needs no word to it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import METRICS, Database, Tx
from lingqu.runtime.observability import get_logger
from lingqu.trust.log.checkpoints import (
    LogForked,
    check_prefix,
    latest_checkpoint,
    write_and_sign,
)
from lingqu.trust.log.leaves import BATCH, leaf_count, pending_count, sequence
from lingqu.trust.log.origins import NoOwnLog, OwnLog, Signers, own_log
from lingqu.trust.log.tiles import LogFolder
from lingqu.trust.log.witnesses import (
    TIMEOUT_S,
    Cosigned,
    Witness,
    Witnesses,
    WitnessStatus,
    witnessed,
)

_LOCK = "trust.log.sequencer"
_GATHER_S = 0.01  # facts that commit within it are placed together
_IDLE_S = 0.5  # commits of other processes are seen no later than this
_STANDBY_S = 0.1
_FORKED_S = 5.0
_LONGEST_BACK_OFF_S = 5.0
_ROUNDS = 10
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one step did: facts placed, whether a checkpoint was signed, or only stood by."""

    placed: int = 0
    signed: bool = False
    standby: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """How the log stands.

    `size` is that of the newest signed checkpoint, `sequenced` the number of leaves, `pending` the
    facts without one. `forked` is the refusal with its sizes, `trouble` the code of whatever
    prevents progress now. `cosigned` is empty while there is no independent witness.
    """

    origin: str
    number: int
    size: int
    root: bytes | None
    sequenced: int
    pending: int
    checkpoint_at: Instant | None
    cosigned: tuple[Cosigned, ...]
    witnesses: tuple[WitnessStatus, ...] = ()
    forked: LogForked | None = None
    trouble: str | None = None


def log_status(tx: Tx) -> LogStatus:
    """This will say how the log stands as the database knows it. Raises NoOwnLog."""
    log = own_log(tx)
    stored = latest_checkpoint(tx, log.origin)
    return LogStatus(
        origin=log.origin,
        number=log.number,
        size=stored.size if stored else 0,
        root=stored.root if stored else None,
        sequenced=leaf_count(tx, log.origin),
        pending=pending_count(tx, log),
        checkpoint_at=stored.signed_at if stored else None,
        cosigned=witnessed(tx, log.origin),
    )


class Sequencer:
    """Keeps the log of one installation going; `logs` is the folder with a folder for each log.

    `signers` gives the keys of this process for an origin. `interval_ms` is the shortest time
    between two checkpoints while it runs.
    """

    def __init__(
        self,
        database: Database,
        logs: Path,
        signers: Signers,
        *,
        witnesses: Sequence[Witness] = (),
        interval_ms: int = 500,
        witness_timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Nothing happens before `step` or `run`."""
        self._database = database
        self._logs = logs
        self._signers = signers
        self._interval = timedelta(milliseconds=interval_ms)
        self._witnesses = Witnesses(
            database, logs, witnesses, self._take_fork, timeout_s=witness_timeout_s
        )
        self._asked: set[str] = set()
        self._published_at: Instant | None = None
        self._unpublished = False
        self._witness_forks: dict[str, LogForked] = {}
        self._forked: LogForked | None = None
        self._trouble: str | None = None
        self._failures = 0

    def step(self, *, publish: bool = True) -> Progress:
        """This will place what is pending and, with `publish`, sign and publish a checkpoint.

        Stands by where another process is at work. Raises LogForked while nothing may be signed,
        and whatever else prevents it; done again, it goes on where it stopped.
        """
        with self._database.alone(_LOCK) as held:
            if not held:
                return Progress(standby=True)
            with self._database.reading() as tx:
                log = own_log(tx)
                folder = LogFolder(log.folder(self._logs))
                check_prefix(tx, folder, log)
            if log.origin in self._witness_forks:
                raise self._witness_forks[log.origin]
            placed = self._place(log)
            signed = publish and write_and_sign(
                self._database, folder, log, self._signers, lambda: self._ask_first(log)
            )
        if signed:
            self._witnesses.notify()
        return Progress(placed=placed, signed=signed)

    def run(self, stop: threading.Event) -> None:
        """This will keep the log going until `stop` is set; what goes wrong is logged and shown."""
        self._witnesses.start()
        try:
            while not stop.is_set():
                self._database.committed.clear()
                pause = self._round()
                if pause is None:
                    stop.wait(_GATHER_S)
                    self._database.committed.wait(self._until_due())
                else:
                    stop.wait(pause)
        finally:
            self._witnesses.stop()

    def status(self) -> LogStatus:
        """This will say how the log stands, with what this process knows of its troubles."""
        with self._database.reading() as tx:
            known = log_status(tx)
        return LogStatus(
            origin=known.origin,
            number=known.number,
            size=known.size,
            root=known.root,
            sequenced=known.sequenced,
            pending=known.pending,
            checkpoint_at=known.checkpoint_at,
            cosigned=known.cosigned,
            witnesses=self._witnesses.status(),
            forked=self._forked or self._witness_forks.get(known.origin),
            trouble=self._trouble,
        )

    def _place(self, log: OwnLog) -> int:
        total = 0
        for _ in range(_ROUNDS):
            placed = sequence(self._database, log)
            total += placed
            if placed < BATCH:
                break
        return total

    def _ask_first(self, log: OwnLog) -> None:
        """Before the first signature of this process: does a witness remember more than we do?"""
        if log.origin not in self._asked:
            self._witnesses.ask_all(log)
            self._asked.add(log.origin)

    def _take_fork(self, log: OwnLog, fork: LogForked) -> None:
        if log.origin not in self._witness_forks:
            _log.error("log.forked", **fork.parameters)
        self._witness_forks[log.origin] = fork

    def _round(self) -> float | None:
        """One step at the edge of the loop; how long to pause, None to wait for the next commit."""
        try:
            due = self._is_due()
            progress = self.step(publish=due)
            if progress.standby:
                return _STANDBY_S
            if progress.signed:
                self._published_at = self._database.time.now()
            self._unpublished = not due and (self._unpublished or progress.placed > 0)
            self._settle(signed=progress.signed)
        except NoOwnLog:
            return _IDLE_S
        except LogForked as fork:
            if str(fork) != str(self._forked):
                _log.error("log.forked", **fork.parameters)
            self._forked, self._trouble = fork, fork.code
            self._measure()
            return _FORKED_S
        except errors.LingquError as refusal:
            if refusal.code != self._trouble:
                _log.warning("log.trouble", code=refusal.code)
            return self._back_off(refusal.code)
        except Exception:  # noqa: BLE001  # an edge
            # The edge of the loop: the log must go on when the cause has gone.
            _log.exception("log.failed")
            return self._back_off("trust.log.failed")
        return None

    def _settle(self, *, signed: bool) -> None:
        if self._trouble is not None:
            _log.info("log.recovered", trouble=self._trouble)
        self._forked, self._trouble, self._failures = None, None, 0
        if signed:
            self._measure()
        elif self._published_at is not None:
            age = self._database.time.now() - self._published_at
            METRICS.log_checkpoint_age_seconds.set(age.total_seconds())

    def _measure(self) -> None:
        with contextlib.suppress(errors.LingquError):
            status = self.status()
            METRICS.log_size.set(status.size)
            METRICS.log_pending.set(status.pending)
            METRICS.log_witnessed.set(sum(one.size == status.size for one in status.cosigned))
            if status.checkpoint_at is not None:
                age = self._database.time.now() - status.checkpoint_at
                METRICS.log_checkpoint_age_seconds.set(max(0.0, age.total_seconds()))

    def _back_off(self, code: str) -> float:
        self._trouble = code
        self._failures = min(self._failures + 1, 10)
        self._measure()
        return min(0.05 * 2.0**self._failures, _LONGEST_BACK_OFF_S)

    def _is_due(self) -> bool:
        if self._published_at is None:
            return True
        return self._database.time.now() - self._published_at >= self._interval

    def _until_due(self) -> float:
        if self._published_at is None or not self._unpublished:
            return _IDLE_S
        left = self._published_at + self._interval - self._database.time.now()
        return min(max(left.total_seconds(), 0.0), _IDLE_S)
