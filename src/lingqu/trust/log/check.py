# SPDX-License-Identifier: Apache-2.0
"""The audit of the log itself: facts, leaves, checkpoints and files against each other.

One pass over the leaves in their order, a page at a time, rebuilding the tree; every stored
checkpoint, every tile and every entry bundle is compared as the pass reaches it.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lingqu.runtime import Row, Tx
from lingqu.runtime.blobs import storage_errors
from lingqu.trust.log.leaves import unsequenced
from lingqu.trust.log.origins import OwnLog, own_logs
from lingqu.trust.log.tiles import LogFolder
from lingqu_verify import merkle, notes, tiles
from lingqu_verify.bundles import own_checkpoint
from lingqu_verify.errors import VerificationError
from lingqu_verify.history import CHECKPOINT_PATH, verify_log
from lingqu_verify.notes import Checkpoint, Note, VerifierKey

_PAGE = 4 * tiles.WIDTH

Naming = Callable[..., str]


class LogFault(enum.Enum):
    """What kind of thing is wrong with the log."""

    FACT_MISSING = "fact_missing"
    FACT_ALTERED = "fact_altered"
    FACT_UNSEQUENCED = "fact_unsequenced"
    LEAF_MISSING = "leaf_missing"
    ROOT_DIFFERS = "root_differs"
    CHECKPOINT_BAD = "checkpoint_bad"
    COSIGNATURE_BAD = "cosignature_bad"
    FILE_MISSING = "file_missing"
    FILE_DIFFERS = "file_differs"
    PUBLISHED_BAD = "published_bad"
    PUBLISHED_FORKED = "published_forked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFinding:
    """One thing that is wrong: where (index, size, fact or file), what was expected and found.

    `expected` and `found` are SHA-256 digests in hex, or sizes or codes where there is none.
    """

    fault: LogFault
    origin: str
    fact: str = ""
    index: int | None = None
    path: str = ""
    expected: str = ""
    found: str = ""


_LEAVES = """
    SELECT l.index, l.fact, l.hash, f.body
    FROM trust.log_leaf l LEFT JOIN trust.fact f ON f.id = l.fact
    WHERE l.origin = %s AND l.index >= %s ORDER BY l.index LIMIT %s
"""
_CHECKPOINTS = """
    SELECT size, root, note FROM trust.log_checkpoint
    WHERE origin = %s AND size > %s ORDER BY size LIMIT 1000
"""
_COSIGNATURES = """
    SELECT s.size, s.witness, s.line, c.note
    FROM trust.log_cosignature s JOIN trust.log_checkpoint c USING (origin, size)
    WHERE s.origin = %s AND (s.size, s.witness) > (%s, %s) ORDER BY s.size, s.witness LIMIT 1000
"""
_SUCCESSIONS = """
    SELECT body FROM trust.fact
    WHERE kind = 'trust.log.succeeded' AND pg_input_is_valid(body, 'jsonb')
"""
_LINES = "SELECT line FROM trust.log_cosignature WHERE origin = %s AND size = %s"
_NOTE = "SELECT note FROM trust.log_checkpoint WHERE origin = %s AND size = %s"


def take_published(logs: Path) -> Mapping[str, bytes]:
    """This will read the published checkpoint of each log, by the name of its folder.

    Take them before the transaction of `check_log` begins: what a sequencer publishes while the
    check goes on is not in the state the check sees, and would look like a checkpoint of nowhere.
    """
    with storage_errors(logs):
        folders = sorted(logs.iterdir()) if logs.is_dir() else []
    read = {folder.name: LogFolder(folder).published() for folder in folders}
    return {name: raw for name, raw in read.items() if raw is not None}


def check_log(
    tx: Tx,
    logs: Path,
    *,
    published: Mapping[str, bytes] | None = None,
    witnesses: Sequence[VerifierKey] = (),
) -> Iterator[LogFinding]:
    """This will compare facts, leaves, checkpoints and files of all own logs, and name each fault.

    Use a transaction that sees one state, and what was `published` before it; without it nothing
    may be published meanwhile. Facts that wait for the sequencer are no fault. Stored cosignatures
    of `witnesses` are verified.
    """
    newest = None
    ends = _ends(tx)
    for log in own_logs(tx):
        folder = LogFolder(log.folder(logs))
        raw = folder.published() if published is None else published.get(folder.path.name)
        yield from _Pass(tx, log, folder, raw, ends.get(log.origin)).run()
        yield from _check_cosignatures(tx, log, witnesses)
        newest = log
    if newest is not None:
        for fact in unsequenced(tx, newest):
            yield LogFinding(
                fault=LogFault.FACT_UNSEQUENCED, origin=newest.origin, fact=fact, expected="leaf"
            )


@dataclass(frozen=True, slots=True)
class _End:
    """How a log that was succeeded ended: it had published more than the database kept of it."""

    size: int
    root: str


def _ends(tx: Tx) -> dict[str, _End]:
    """The logs whose recorded end goes beyond what is kept, by origin."""
    ends = {}
    for row in tx.all(_SUCCESSIONS):
        told = json.loads(row["body"])["data"]
        if told["old_size"] > told["kept"]:
            ends[told["predecessor"]] = _End(told["old_size"], told["old_root"])
    return ends


class _Pass:
    """One pass over one log."""

    def __init__(
        self, tx: Tx, log: OwnLog, folder: LogFolder, raw: bytes | None, end: _End | None
    ) -> None:
        self._tx = tx
        self._raw = raw
        self._end = end
        self._log = log
        self._folder = folder
        self._frontier = merkle.Frontier()
        self._published: Checkpoint | None = None
        self._shown = 0
        self._above: list[list[bytes]] = []
        self._done: list[int] = []

    def run(self) -> Iterator[LogFinding]:
        # The files of a log that ended beyond what is kept are evidence of their own.
        yield from self._read_published() if self._end is None else self._read_ended(self._end)
        signed = self._signed()
        due = next(signed, None)
        hashes: list[bytes] = []
        entries: list[bytes] = []
        expected = 0
        for row in self._rows():
            while expected < row["index"]:
                # A hole: the tree behind it cannot come out right; its root will say so too.
                yield self._finding(LogFault.LEAF_MISSING, index=expected)
                expected = row["index"]
            yield from self._look_at(row)
            hashes.append(bytes(row["hash"]))
            entries.append((row["body"] or "").encode())
            self._frontier.append(hashes[-1])
            expected += 1
            while due is not None and due["size"] <= self._frontier.size:
                yield from self._compare_root(due)
                due = next(signed, None)
            yield from self._compare_published()
            if len(hashes) == tiles.WIDTH:
                yield from self._compare_level_0(hashes, entries)
                hashes.clear()
                entries.clear()
        if hashes:
            yield from self._compare_level_0(hashes, entries)
        for level, row_above in enumerate(self._above, start=1):
            if row_above:
                yield from self._compare_tile(level, self._done[level - 1], row_above)
        while due is not None:
            yield from self._compare_root(due)
            due = next(signed, None)
        if self._end is not None:
            yield from self._compare_ended(self._end)
        if self._published is not None and self._published.size > self._frontier.size:
            yield self._finding(
                LogFault.PUBLISHED_FORKED,
                path=CHECKPOINT_PATH,
                expected=str(self._published.size),
                found=str(self._frontier.size),
            )

    def _rows(self) -> Iterator[Row]:
        start = 0
        while rows := self._tx.all(_LEAVES, (self._log.origin, start, _PAGE)):
            yield from rows
            start = rows[-1]["index"] + 1

    def _signed(self) -> Iterator[Row]:
        last = -1
        while rows := self._tx.all(_CHECKPOINTS, (self._log.origin, last)):
            yield from rows
            last = rows[-1]["size"]

    def _look_at(self, row: Row) -> Iterator[LogFinding]:
        where = {"fact": row["fact"], "index": row["index"]}
        expected = bytes(row["hash"]).hex()
        if row["body"] is None:
            yield self._finding(LogFault.FACT_MISSING, expected=expected, **where)
            return
        found = merkle.leaf_hash(row["body"].encode()).hex()
        if found != expected:
            yield self._finding(LogFault.FACT_ALTERED, expected=expected, found=found, **where)

    def _compare_root(self, row: Row) -> Iterator[LogFinding]:
        """A stored checkpoint: signed by us, saying what its columns say, and true."""
        size, root = row["size"], bytes(row["root"])
        try:
            checkpoint = own_checkpoint(
                row["note"], self._log.origin, self._log.verifiers
            ).checkpoint
        except VerificationError as error:
            yield self._finding(LogFault.CHECKPOINT_BAD, index=size, found=error.code)
        else:
            if (checkpoint.size, checkpoint.root) != (size, root):
                yield self._finding(
                    LogFault.CHECKPOINT_BAD,
                    index=size,
                    expected=checkpoint.root.hex(),
                    found=root.hex(),
                )
        if size > self._frontier.size:
            found = str(self._frontier.size)
            yield self._finding(LogFault.LEAF_MISSING, index=size, expected=str(size), found=found)
        elif size == self._frontier.size and root != self._frontier.root():
            yield self._finding(
                LogFault.ROOT_DIFFERS,
                index=size,
                expected=root.hex(),
                found=self._frontier.root().hex(),
            )

    def _read_published(self) -> Iterator[LogFinding]:
        raw = self._raw
        stored = self._tx.one(
            "SELECT max(size) AS size FROM trust.log_checkpoint WHERE origin = %s",
            (self._log.origin,),
        )["size"]
        if raw is None:
            if stored is not None:
                yield self._finding(LogFault.FILE_MISSING, path=CHECKPOINT_PATH)
            return
        try:
            note = Note.parse(raw)
            self._published = own_checkpoint(note, self._log.origin, self._log.verifiers).checkpoint
        except VerificationError as error:
            yield self._finding(LogFault.PUBLISHED_BAD, path=CHECKPOINT_PATH, found=error.code)
            return
        self._shown = self._published.size
        key = (self._log.origin, self._published.size)
        kept = self._tx.maybe(_NOTE, key)
        lines = "".join(row["line"] for row in self._tx.all(_LINES, key))
        known = (kept["note"] if kept else "") + lines
        unknown = [one for one in note.signatures if str(one) not in known]
        if kept is None or unknown or note.text not in known:
            yield self._finding(
                LogFault.PUBLISHED_BAD,
                path=CHECKPOINT_PATH,
                expected=hashlib.sha256(known.encode()).hexdigest(),
                found=hashlib.sha256(raw).hexdigest(),
            )

    def _read_ended(self, end: _End) -> Iterator[LogFinding]:
        try:
            report = verify_log(self._folder.read, keys=[str(key) for key in self._log.verifiers])
        except VerificationError as error:
            yield self._finding(LogFault.PUBLISHED_BAD, path=CHECKPOINT_PATH, found=error.code)
            return
        if (report.size, report.root.hex()) != (end.size, end.root):
            yield self._finding(
                LogFault.PUBLISHED_FORKED,
                path=CHECKPOINT_PATH,
                index=end.size,
                expected=end.root,
                found=report.root.hex(),
            )

    def _compare_ended(self, end: _End) -> Iterator[LogFinding]:
        """What is kept of an ended log must be the beginning of what it published."""
        kept = self._frontier.size
        try:
            published = self._folder.reader(end.size, bytes.fromhex(end.root))
            expected = merkle.root(kept, published.nodes)
        except (VerificationError, OSError):
            return
        if expected != self._frontier.root():
            yield self._finding(
                LogFault.ROOT_DIFFERS,
                index=kept,
                expected=expected.hex(),
                found=self._frontier.root().hex(),
            )

    def _compare_published(self) -> Iterator[LogFinding]:
        shown = self._published
        if shown is None or shown.size != self._frontier.size:
            return
        if shown.root != self._frontier.root():
            yield self._finding(
                LogFault.PUBLISHED_FORKED,
                path=CHECKPOINT_PATH,
                index=shown.size,
                expected=shown.root.hex(),
                found=self._frontier.root().hex(),
            )

    def _compare_level_0(
        self, hashes: Sequence[bytes], entries: Sequence[bytes]
    ) -> Iterator[LogFinding]:
        index = (self._frontier.size - 1) // tiles.WIDTH
        for width, path in self._files(0, index, tiles.entries_path):
            encoded = tiles.encode_entries(entries[:width])
            yield from self._compare(path, encoded)
        yield from self._compare_tile(0, index, hashes)
        if len(hashes) == tiles.WIDTH:
            yield from self._carry(1, merkle.root_of(hashes))

    def _compare_tile(
        self, level: int, index: int, hashes: Sequence[bytes]
    ) -> Iterator[LogFinding]:
        def name(at: int, width: int = tiles.WIDTH) -> str:
            return tiles.tile_path(level, at, width)

        for width, path in self._files(level, index, name):
            yield from self._compare(path, b"".join(hashes[:width]))

    def _carry(self, level: int, computed: bytes) -> Iterator[LogFinding]:
        if len(self._above) < level:
            self._above.append([])
            self._done.append(0)
        hashes = self._above[level - 1]
        hashes.append(computed)
        if len(hashes) == tiles.WIDTH:
            yield from self._compare_tile(level, self._done[level - 1], hashes)
            self._done[level - 1] += 1
            yield from self._carry(level + 1, merkle.root_of(hashes))
            hashes.clear()

    def _files(self, level: int, index: int, name: Naming) -> Iterator[tuple[int, str]]:
        """The file that the published size demands, and the partial ones that are there as well."""
        demanded = tiles.tile_width(level, index, self._shown)
        if demanded:
            yield demanded, name(index, demanded)
        folder = self._folder.path / f"{name(index)}.p"
        if not folder.is_dir():
            return
        for one in sorted(folder.iterdir()):
            if one.name.isdecimal() and 0 < int(one.name) < demanded:
                yield int(one.name), name(index, int(one.name))

    def _compare(self, path: str, expected: bytes) -> Iterator[LogFinding]:
        try:
            found = self._folder.read(path)
        except FileNotFoundError:
            yield self._finding(
                LogFault.FILE_MISSING, path=path, expected=hashlib.sha256(expected).hexdigest()
            )
            return
        if found != expected:
            yield self._finding(
                LogFault.FILE_DIFFERS,
                path=path,
                expected=hashlib.sha256(expected).hexdigest(),
                found=hashlib.sha256(found).hexdigest(),
            )

    def _finding(
        self,
        fault: LogFault,
        *,
        fact: str = "",
        index: int | None = None,
        path: str = "",
        expected: str = "",
        found: str = "",
    ) -> LogFinding:
        return LogFinding(
            fault=fault,
            origin=self._log.origin,
            fact=fact,
            index=index,
            path=path,
            expected=expected,
            found=found,
        )


def _check_cosignatures(
    tx: Tx, log: OwnLog, witnesses: Sequence[VerifierKey]
) -> Iterator[LogFinding]:
    by_name = {key.name: key for key in witnesses}
    last: tuple[int, str] = (-1, "")
    while rows := tx.all(_COSIGNATURES, (log.origin, *last)):
        for row in rows:
            key = by_name.get(row["witness"])
            try:
                (line,) = notes.parse_signatures(row["line"])
                text = Note.parse(row["note"]).text
                if key is not None:
                    notes.open_note(Note(text=text, signatures=(line,)), (key,))
            except (VerificationError, ValueError) as error:
                code = error.code if isinstance(error, VerificationError) else "lines"
                yield LogFinding(
                    fault=LogFault.COSIGNATURE_BAD,
                    origin=log.origin,
                    index=row["size"],
                    path=row["witness"],
                    found=code,
                )
        last = (rows[-1]["size"], rows[-1]["witness"])
