# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: what must hold before one is signed, and the order in which it becomes public.

Indices are committed, tiles written and synced, the last published checkpoint shown to be a
prefix; then the note is signed, stored and published. A database or a folder that went back in
time fails the prefix check, and then nothing is signed until somebody mends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.runtime import Database, Tx
from lingqu.trust.access import PLATFORM
from lingqu.trust.log.leaves import leaf_count, lock_log, read_hashes
from lingqu.trust.log.origins import OwnLog, Signers
from lingqu.trust.log.tiles import LogFolder, damage_named, grow, rewrite
from lingqu_verify import merkle, notes, tiles
from lingqu_verify.bundles import own_checkpoint
from lingqu_verify.errors import VerificationError
from lingqu_verify.history import CHECKPOINT_PATH
from lingqu_verify.notes import Checkpoint, Note, Signer


class LogForked(errors.Conflict):
    """What would be signed does not continue what was signed before; nothing is signed.

    `place` is where the earlier checkpoint is known: published, stored or a witness; `known` its
    size, `size` the number of leaves here.
    """

    code = "trust.log.forked"


class CheckpointUnreadable(errors.Unavailable):
    """A checkpoint of this log is not a note signed with one of its keys; nothing is signed."""

    code = "trust.log.checkpoint_unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheckpoint:
    """A signed checkpoint as the database has it; `note` holds the cosignatures received so far."""

    origin: str
    size: int
    root: bytes
    note: Note
    signed_at: Instant


_SELECT = """
    SELECT c.origin, c.size, c.root, c.note, c.signed_at,
           ARRAY(SELECT s.line FROM trust.log_cosignature s
                 WHERE s.origin = c.origin AND s.size = c.size ORDER BY s.witness) AS lines
    FROM trust.log_checkpoint c
"""
_LATEST = f"{_SELECT} WHERE c.origin = %s ORDER BY c.size DESC LIMIT 1"
_AT_SIZE = f"{_SELECT} WHERE c.origin = %s AND c.size = %s"
_COSIGNED_FROM = f"""
    {_SELECT} WHERE c.origin = %s AND c.size >= %s
    AND EXISTS (SELECT 1 FROM trust.log_cosignature s WHERE s.origin = c.origin AND s.size = c.size)
    ORDER BY c.size DESC LIMIT 1
"""  # noqa: S608  # joined from constants
_INSERT = """
    INSERT INTO trust.log_checkpoint (origin, size, root, note, signed_at)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_EDGE_SIZES = """
    SELECT DISTINCT (size >> %(bits)s::int) %% 256 AS width FROM trust.log_checkpoint
    WHERE origin = %(origin)s AND size BETWEEN %(first)s AND %(size)s
"""


def latest_checkpoint(tx: Tx, origin: str) -> StoredCheckpoint | None:
    """This will read the largest checkpoint stored of a log, own or foreign."""
    return _stored(tx.maybe(_LATEST, (origin,)))


def checkpoint_at(tx: Tx, origin: str, size: int) -> StoredCheckpoint | None:
    """This will read the checkpoint stored at exactly this size."""
    return _stored(tx.maybe(_AT_SIZE, (origin, size)))


def cosigned_checkpoint(tx: Tx, origin: str, size: int) -> StoredCheckpoint | None:
    """This will read the newest checkpoint of at least this size that a witness cosigned."""
    return _stored(tx.maybe(_COSIGNED_FROM, (origin, size)))


def check_prefix(tx: Tx, folder: LogFolder, log: OwnLog) -> Checkpoint | None:
    """This will show that the database continues the published checkpoint, and give that.

    Raises LogForked when it does not, CheckpointUnreadable when the file is not ours.
    """
    size = leaf_count(tx, log.origin)
    stored = latest_checkpoint(tx, log.origin)
    if stored is not None and stored.size > size:
        raise LogForked(place="stored", known=stored.size, size=size)
    raw = folder.published()
    if raw is None:
        return None
    published = read_own_checkpoint(raw, log)
    if published.size > size:
        raise LogForked(place="published", known=published.size, size=size)
    same = checkpoint_at(tx, log.origin, published.size)
    # A checkpoint is stored before it is published: where the row is missing, the database is
    # older than the file, and only the leaves themselves can show that it lost nothing.
    if same is not None:
        root = same.root
    else:
        root = merkle.root_of(read_hashes(tx, log.origin, 0, published.size))
    if root != published.root:
        raise LogForked(place="published", known=published.size, size=size)
    return published


def write_and_sign(
    database: Database,
    folder: LogFolder,
    log: OwnLog,
    signers: Signers,
    before_signing: Callable[[], None] = lambda: None,
) -> bool:
    """This will bring files, checkpoint and publication up to the committed leaves.

    `before_signing` is called when something is about to be signed, and may raise to prevent it.
    Says whether a new checkpoint was signed. Raises LogForked, TilesDamaged, LeafAltered,
    NoSigningKey, or what the disk or database raises; done again, it goes on where it stopped.
    """
    with database.reading() as tx:
        published = check_prefix(tx, folder, log)
        stored = latest_checkpoint(tx, log.origin)
        size = leaf_count(tx, log.origin)
        done = published.size if published else 0
        behind = stored is not None and stored.size > done
        if stored is not None and behind:
            # Signed and stored before a crash: it is published before anything else is signed.
            root = grow(tx, folder, log.origin, old=done, new=stored.size)
            _show_prefix(folder, published, stored.size, root)
            if root != stored.root:
                raise LogForked(place="stored", known=stored.size, size=size)
            done = stored.size
    if stored is not None and behind:
        publish(folder, log, stored.note)
    if size == done:
        return False
    with database.reading() as tx:
        published = check_prefix(tx, folder, log)
        root = grow(tx, folder, log.origin, old=done, new=size)
        _show_prefix(folder, published, size, root)
    before_signing()
    signing = log.signing(signers(log.origin), database.time.now())
    made = _sign_and_store(database, log, size, root, signing)
    write_statements(folder, log)
    publish(folder, log, made.note)
    return True


def publish(folder: LogFolder, log: OwnLog, note: Note) -> None:
    """This will put a stored checkpoint in place unless a larger one is there already.

    Raises LogForked when the one in place has the same size and another root.
    """
    fresh = Checkpoint.parse(note.text)
    with folder.writing() as writer:
        raw = folder.published()
        if raw is not None:
            standing = read_own_checkpoint(raw, log)
            if standing.size > fresh.size:
                return
            if standing.size == fresh.size and standing.root != fresh.root:
                raise LogForked(place="published", known=standing.size, size=fresh.size)
        writer.put(CHECKPOINT_PATH, str(note).encode(), mutable=True)


def write_statements(folder: LogFolder, log: OwnLog) -> None:
    """This will publish each later key's statement as `keys/<number>`."""
    with folder.writing() as writer:
        for key in log.keys:
            if key.statement is not None:
                writer.put(f"keys/{key.number}", str(key.statement).encode())


def rebuild(database: Database, folder: LogFolder, log: OwnLog) -> int:
    """This will write all files of a log anew from the database, and give the size.

    Only where the leaves lead to the newest stored checkpoint and continue the published one.
    Raises LogForked where they do not, LeafAltered.
    """
    with database.reading() as tx:
        stored = latest_checkpoint(tx, log.origin)
        try:
            check_prefix(tx, folder, log)
        except CheckpointUnreadable:
            if stored is None:
                raise
        if stored is None:
            return 0
        if merkle.root_of(read_hashes(tx, log.origin, 0, stored.size)) != stored.root:
            raise LogForked(place="stored", known=stored.size, size=leaf_count(tx, log.origin))
        rewrite(tx, folder, log.origin, stored.size, _edges(tx, log.origin, stored.size))
        write_statements(folder, log)
        with folder.writing(replace=True) as writer:
            writer.put(CHECKPOINT_PATH, str(stored.note).encode())
    return stored.size


def read_own_checkpoint(raw: bytes | str | Note, log: OwnLog) -> Checkpoint:
    """This will check that a note is a checkpoint of this log. Raises CheckpointUnreadable."""
    try:
        return own_checkpoint(raw, log.origin, log.verifiers).checkpoint
    except VerificationError as error:
        raise CheckpointUnreadable(origin=log.origin, reason=error.code) from None


def _show_prefix(folder: LogFolder, published: Checkpoint | None, size: int, root: bytes) -> None:
    """Proves from the files about to be signed that they continue what is published."""
    if published is None or published.size == 0:
        return
    with damage_named():
        proof = merkle.consistency_proof(published.size, size, folder.reader(size).nodes)
    try:
        merkle.verify_consistency(published.size, size, proof, published.root, root)
    except VerificationError:
        raise LogForked(place="published", known=published.size, size=size) from None


def _sign_and_store(
    database: Database, log: OwnLog, size: int, root: bytes, signers: tuple[Signer, ...]
) -> StoredCheckpoint:
    checkpoint = Checkpoint(origin=log.origin, size=size, root=root, extensions=(notes.SUITE_LINE,))
    moment = database.time.now()

    def store(tx: Tx) -> StoredCheckpoint:
        lock_log(tx)
        before = checkpoint_at(tx, log.origin, size)
        if before is None:
            note = notes.sign_checkpoint(checkpoint, signers)
            tx.execute(_INSERT, (log.origin, size, root, str(note), moment))
            before = checkpoint_at(tx, log.origin, size)
        assert before is not None, "it was there or was stored"
        if before.root != root:
            raise LogForked(place="stored", known=size, size=size)
        return before

    return database.run(PLATFORM, store)


def _edges(tx: Tx, origin: str, size: int) -> dict[int, list[int]]:
    edges: dict[int, list[int]] = {}
    level = 0
    while size >> tiles.HEIGHT * level:
        bits, above = tiles.HEIGHT * level, tiles.HEIGHT * (level + 1)
        values = {"bits": bits, "first": size >> above << above, "origin": origin, "size": size}
        widths = [row["width"] for row in tx.all(_EDGE_SIZES, values)]
        whole = tiles.tile_width(level, size >> above, size)
        edges[level] = sorted(width for width in widths if 0 < width < whole)
        level += 1
    return edges


def _stored(row: dict[str, object] | None) -> StoredCheckpoint | None:
    if row is None:
        return None
    signed_at, root, size, lines = row["signed_at"], row["root"], row["size"], row["lines"]
    assert isinstance(signed_at, Instant)
    assert isinstance(root, bytes | memoryview)
    assert isinstance(size, int)
    assert isinstance(lines, list)
    try:
        note = Note.parse(str(row["note"]))
        if lines:
            note = note.adding(*notes.parse_signatures("".join(lines)))
    except VerificationError as error:
        raise CheckpointUnreadable(origin=str(row["origin"]), reason=error.code) from None
    return StoredCheckpoint(
        origin=str(row["origin"]), size=size, root=bytes(root), note=note, signed_at=signed_at
    )
