# SPDX-License-Identifier: Apache-2.0
"""What a stranger gets: receipts, proofs and evidence bundles that verify without this platform.

Proofs come from the tile files, each tile checked against the signed root before one of its
hashes is used, so that a damaged file yields a refusal and never a wrong proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lingqu.kernel import errors
from lingqu.runtime import Row, Tx
from lingqu.trust.log.checkpoints import (
    StoredCheckpoint,
    checkpoint_at,
    cosigned_checkpoint,
    latest_checkpoint,
)
from lingqu.trust.log.origins import OwnLog, own_log
from lingqu.trust.log.tiles import LogFolder, damage_named
from lingqu.trust.rows import declared_tables
from lingqu_verify import bundles, merkle, tiles
from lingqu_verify.entries import Entry
from lingqu_verify.errors import VerificationError
from lingqu_verify.notes import Note

MOST_FACTS = 10_000
"""Most facts in one bundle."""


class FactNotInLog(errors.NotFound):
    """There is no such fact."""

    code = "trust.log.fact_unknown"


class NotYetSequenced(errors.Unavailable):
    """The fact is recorded and will stand under the next checkpoint; there is no proof yet."""

    code = "trust.log.not_yet"


class SizeUnknown(errors.NotFound):
    """No checkpoint of this log was signed at this size."""

    code = "trust.log.size_unknown"


class SeveralLogs(errors.Rejected):
    """The facts stand in several logs; a bundle has one checkpoint."""

    code = "trust.log.several_logs"


class TooManyFacts(errors.Rejected):
    """More facts than a bundle may hold, or none."""

    code = "trust.log.too_many_facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where a fact stands, under which signed checkpoint, and the proof of it."""

    fact: str
    origin: str
    index: int
    size: int
    leaf_hash: bytes
    proof: tuple[bytes, ...]
    checkpoint: Note


_PLACES = """
    SELECT f.id, f.body, l.origin, l.index, l.hash
    FROM unnest(%s::text[]) AS wanted (id)
    LEFT JOIN trust.fact f ON f.id = wanted.id
    LEFT JOIN trust.log_leaf l ON l.fact = f.id
    ORDER BY l.index
"""
_VERSIONS = """
    SELECT fact, table_name, key, version, salt, content FROM trust.row_version
    WHERE fact = ANY(%s) AND table_name <> ALL(%s) AND salt IS NOT NULL AND content IS NOT NULL
"""


def _private_tables() -> list[str]:
    return [table.name for table in declared_tables() if table.private]


def receipt(tx: Tx, logs: Path, fact: str) -> Receipt:
    """This will give a fact's place and inclusion proof; `logs` is the folder of all logs.

    The checkpoint is the newest one that a witness cosigned, else the newest. Raises FactNotInLog,
    NotYetSequenced, TilesDamaged.
    """
    return receipts(tx, logs, (fact,))[0]


def receipts(tx: Tx, logs: Path, facts: Sequence[str]) -> tuple[Receipt, ...]:
    """This will give receipts of facts of one log under one checkpoint, ordered by index.

    Raises what `receipt` raises, SeveralLogs and TooManyFacts.
    """
    places = _places(tx, facts)
    log, stored = _covering(tx, places)
    return tuple(_prove(places, log, stored, logs))


def inclusion(tx: Tx, logs: Path, origin: str, *, index: int, size: int) -> tuple[bytes, ...]:
    """This will prove that a leaf stands in the tree of a stored checkpoint.

    Raises SizeUnknown where none of that size is stored or the leaf is beyond it, TilesDamaged.
    """
    log, stored = _at(tx, origin, size)
    if not 0 <= index < size:
        raise SizeUnknown(origin=origin, size=index)
    with damage_named():
        reader = _reader(log, stored, logs)
        return merkle.inclusion_proof(index, size, reader.nodes)


def consistency(tx: Tx, logs: Path, origin: str, *, old: int, new: int) -> tuple[bytes, ...]:
    """This will prove that the tree of `old` leaves begins that of a stored checkpoint `new`.

    Raises SizeUnknown, TilesDamaged.
    """
    log, stored = _at(tx, origin, new)
    if not 0 <= old <= new:
        raise SizeUnknown(origin=origin, size=old)
    with damage_named():
        return merkle.consistency_proof(old, new, _reader(log, stored, logs).nodes)


def bundle(
    tx: Tx,
    logs: Path,
    facts: Sequence[str],
    *,
    disclose: bool = True,
    older: int | None = None,
) -> str:
    """This will write an evidence bundle (`lingqu-verify` reads it): facts, proofs, checkpoint.

    With `disclose` it holds the content of every row version that was not erased. With `older`,
    the size of a checkpoint the reader kept, it proves consistency with that. Raises what
    `receipts` raises, SizeUnknown.
    """
    places = _places(tx, facts)
    log, stored = _covering(tx, places)
    proven = _prove(places, log, stored, logs)
    leaves = [
        bundles.Leaf(index=one.index, entry=place["body"].encode(), proof=one.proof)
        for one, place in zip(proven, places, strict=True)
    ]
    before = None
    if older is not None:
        known = checkpoint_at(tx, log.origin, older)
        if known is None or older > stored.size:
            raise SizeUnknown(origin=log.origin, size=older)
        proof = consistency(tx, logs, log.origin, old=older, new=stored.size)
        before = bundles.Consistency(size=older, root=known.root, proof=proof)
    data = bundles.build_bundle(
        checkpoint=stored.note,
        leaves=leaves,
        disclosures=_disclosures(tx, places) if disclose else (),
        keys=log.offered,
        consistency=before,
    )
    return data.decode()


def _places(tx: Tx, facts: Sequence[str]) -> list[Row]:
    wanted = list(dict.fromkeys(facts))
    if not 0 < len(wanted) <= MOST_FACTS:
        raise TooManyFacts(count=len(wanted), most=MOST_FACTS)
    places = tx.all(_PLACES, (wanted,))
    found = {place["id"] for place in places}
    for fact in wanted:
        if fact not in found:
            raise FactNotInLog(id=str(fact)[:60])
    for place in places:
        if place["index"] is None:
            raise NotYetSequenced(id=place["id"])
    if len({place["origin"] for place in places}) > 1:
        raise SeveralLogs
    return places


def _covering(tx: Tx, places: Sequence[Row]) -> tuple[OwnLog, StoredCheckpoint]:
    """The checkpoint to prove under: cosigned if there is one that covers all, else the newest."""
    origin, least = places[0]["origin"], places[-1]["index"] + 1
    stored = cosigned_checkpoint(tx, origin, least) or latest_checkpoint(tx, origin)
    if stored is None or stored.size < least:
        raise NotYetSequenced(id=places[-1]["id"])
    return own_log(tx, origin), stored


def _at(tx: Tx, origin: str, size: int) -> tuple[OwnLog, StoredCheckpoint]:
    log, stored = own_log(tx, origin), checkpoint_at(tx, origin, size)
    if stored is None:
        raise SizeUnknown(origin=origin, size=size)
    return log, stored


def _reader(log: OwnLog, stored: StoredCheckpoint, logs: Path) -> tiles.TileReader:
    return LogFolder(log.folder(logs)).reader(stored.size, stored.root)


def _prove(
    places: Sequence[Row], log: OwnLog, stored: StoredCheckpoint, logs: Path
) -> list[Receipt]:
    reader = _reader(log, stored, logs)
    with damage_named():
        return [
            Receipt(
                fact=place["id"],
                origin=log.origin,
                index=place["index"],
                size=stored.size,
                leaf_hash=bytes(place["hash"]),
                proof=merkle.inclusion_proof(place["index"], stored.size, reader.nodes),
                checkpoint=stored.note,
            )
            for place in places
        ]


def _disclosures(tx: Tx, places: Sequence[Row]) -> Iterable[bundles.Disclosure]:
    versions = {
        (row["fact"], row["table_name"], row["key"], row["version"]): row
        for row in tx.all(_VERSIONS, ([place["id"] for place in places], _private_tables()))
    }
    shown = []
    for place in places:
        for position, named in enumerate(_rows(place)):
            kept = versions.get((place["id"], *named))
            if kept is not None:
                shown.append(
                    bundles.Disclosure(
                        index=place["index"],
                        row=position,
                        salt=bytes(kept["salt"]),
                        content=kept["content"].encode(),
                    )
                )
    return shown


def _rows(place: Row) -> list[tuple[str, str, int]]:
    """The row versions that a fact names; none where the body is not an entry."""
    try:
        entry = Entry.parse(place["body"])
    except VerificationError:
        return []
    return [(row.table, row.key, row.version) for row in entry.rows]
