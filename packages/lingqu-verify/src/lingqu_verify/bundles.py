# SPDX-License-Identifier: Apache-2.0
"""The evidence bundle: facts, their proofs and a signed checkpoint in one file for a stranger.

What a bundle says of its own keys counts for nothing: at least one key or fingerprint comes from
outside. A later key is trusted when an already trusted one has signed a statement that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lingqu_verify import canon, merkle, notes
from lingqu_verify.entries import (
    MAX_SALT,
    Check,
    Entry,
    checked,
    disclose,
    is_count,
    is_digest,
    is_hex,
    is_list_of,
)
from lingqu_verify.errors import Malformed, Refuted
from lingqu_verify.notes import Note, SignedCheckpoint, VerifierKey

FORMAT = "lingqu-bundle/1"
MAX_BUNDLE = 32_000_000  # bytes
MAX_LEAVES = 100_000
MAX_KEYS = 32
MAX_PROOF = 63
MAX_STATEMENTS = 100
FUTURE_SECONDS = 3600  # how far a witness's clock may be ahead of the reader's

NO_WITNESS = "no_witness"
STORY_CLOCK = "story_clock"
FUTURE_COSIGNATURE = "future_cosignature"
KEY_BY_STATEMENT = "key_by_statement"


class BadBundle(Malformed):
    """The file is not an evidence bundle."""

    code = "verify.bundle.malformed"


class NoTrustedKey(Refuted):
    """No key of this log was given from outside, so nothing says whose signature it is."""

    code = "verify.key.none_trusted"


class OriginDiffers(Refuted):
    """The checkpoint is of another log than the one that is claimed."""

    code = "verify.checkpoint.origin_differs"


class OlderUnproven(Refuted):
    """Nothing shows that the older checkpoint is a prefix of the newer one."""

    code = "verify.older.unproven"


class OlderIsNewer(Refuted):
    """The checkpoint to compare with is newer than the evidence."""

    code = "verify.older.newer"


class TooFewWitnesses(Refuted):
    """Fewer of the named witnesses have cosigned than were demanded."""

    code = "verify.witness.too_few"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """An entry's text, where it stands in the log, and its inclusion proof."""

    index: int
    entry: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What a row's digest stands for: leaf index, position of the row in the entry, its content."""

    index: int
    row: int
    salt: bytes
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedKey:
    """A key that a bundle brings, with the note by which an older key vouches for it."""

    key: VerifierKey
    statement: Note | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """A proof that the tree of `size` leaves with `root` is a prefix of the checkpoint's."""

    size: int
    root: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A known witness that cosigned, and the POSIX time that it stated."""

    name: str
    timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenFact:
    """An entry that is proven to stand at `index`."""

    index: int
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """A row version that is proven to be what the fact at `index` explained."""

    index: int
    content: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was verified. `warnings` are codes of what a careful reader should know."""

    origin: str
    size: int
    root: bytes
    signed_by: tuple[VerifierKey, ...]
    witnessed_by: tuple[Witnessed, ...]
    facts: tuple[ProvenFact, ...]
    disclosures: tuple[Disclosed, ...]
    statements: tuple[str, ...]
    older_size: int | None
    warnings: tuple[str, ...]


def build_bundle(
    *,
    checkpoint: Note,
    leaves: Iterable[Leaf],
    disclosures: Iterable[Disclosure] = (),
    keys: Iterable[OfferedKey] = (),
    consistency: Consistency | None = None,
    statements: Iterable[Note] = (),
) -> bytes:
    """This will write a bundle. Leaves are put in the order of their index.

    Nothing is verified here; raises BadCheckpoint when the note is not a checkpoint, BadBundle
    when a disclosure names a leaf that is not there.
    """
    ordered = sorted(leaves, key=lambda leaf: leaf.index)
    position = {leaf.index: at for at, leaf in enumerate(ordered)}
    shown = []
    for one in disclosures:
        if one.index not in position:
            raise BadBundle(field="disclosures")
        salt, content = one.salt.hex(), one.content.decode()
        shown.append(
            {"leaf": position[one.index], "row": one.row, "salt": salt, "content": content}
        )
    plain: dict[str, object] = {
        "format": FORMAT,
        "suite": notes.SUITE,
        "origin": notes.Checkpoint.parse(checkpoint.text).origin,
        "checkpoint": str(checkpoint),
        "leaves": [
            {"index": leaf.index, "entry": leaf.entry.decode(), "proof": _hexes(leaf.proof)}
            for leaf in ordered
        ],
        "disclosures": shown,
        "keys": [
            {"vkey": str(one.key), "statement": one.statement and str(one.statement)}
            for one in keys
        ],
        "consistency": consistency
        and {
            "size": consistency.size,
            "root": consistency.root.hex(),
            "proof": _hexes(consistency.proof),
        },
    }
    said = [str(statement) for statement in statements]
    return canon.encode(plain | {"statements": said} if said else plain)


def verify_bundle(
    data: bytes | str,
    *,
    keys: Sequence[VerifierKey | str],
    older: Note | str | bytes | None = None,
    witnesses: Sequence[VerifierKey] = (),
    quorum: int = 0,
    now: int | None = None,
) -> Report:
    """This will verify everything in a bundle, and say what it proves.

    `keys` come from outside the bundle: vkeys or SHA-256 fingerprints. `older` is a checkpoint that
    the reader kept: it must be a prefix. At least `quorum` of `witnesses` must have cosigned. With
    `now` (POSIX seconds) a cosignature from the future does not count. A final newline is allowed.
    Raises VerificationError for anything that is malformed or does not hold.
    """
    plain = _read(data)
    origin: str = plain["origin"]
    offered = tuple(_offered(one) for one in plain["keys"])
    outside = outside_keys(origin, keys, (one.key for one in offered))
    trusted = extend_trust(origin, outside, offered)
    signed = own_checkpoint(plain["checkpoint"], origin, trusted, witnesses)
    facts = _verify_leaves(plain["leaves"], signed.checkpoint)
    shown = tuple(_verify_disclosure(one, facts) for one in plain["disclosures"])
    consistency = _verify_consistency(plain["consistency"], signed.checkpoint)
    older_size = None
    if older is not None:
        kept = own_checkpoint(older, origin, trusted).checkpoint
        _verify_older(kept, signed.checkpoint, consistency)
        older_size = kept.size
    witnessed, warnings = judge_witnesses(signed, quorum=quorum, now=now)
    if not set(signed.signed_by) & set(outside):
        warnings += (KEY_BY_STATEMENT,)
    if any(fact.entry.clock == "story" for fact in facts):
        warnings += (STORY_CLOCK,)
    return Report(
        origin=origin,
        size=signed.checkpoint.size,
        root=signed.checkpoint.root,
        signed_by=signed.signed_by,
        witnessed_by=witnessed,
        facts=facts,
        disclosures=shown,
        statements=_verify_statements(plain.get("statements", []), trusted),
        older_size=older_size,
        warnings=warnings,
    )


def outside_keys(
    origin: str, keys: Sequence[VerifierKey | str], offered: Iterable[VerifierKey] = ()
) -> tuple[VerifierKey, ...]:
    """This will turn what a reader gave into keys of this log; fingerprints pick among `offered`.

    Raises NoTrustedKey when none is left, BadKey or BadFingerprint when a text is neither.
    """
    offered = tuple(offered)
    found: dict[VerifierKey, None] = {}
    for given in keys:
        if isinstance(given, VerifierKey):
            found[given] = None
        elif "+" in given:
            found[VerifierKey.parse(given)] = None
        else:
            fingerprint = notes.normal_fingerprint(given)
            found |= dict.fromkeys(key for key in offered if key.fingerprint == fingerprint)
    own = tuple(key for key in found if _is_own(key, origin))
    if not own:
        raise NoTrustedKey(origin=origin)
    return own


def extend_trust(
    origin: str, trusted: Iterable[VerifierKey], offered: Sequence[OfferedKey]
) -> tuple[VerifierKey, ...]:
    """This will add the keys for which a trusted key has signed a statement, over any chain.

    Raises BadSignature when a statement bears a wrong signature of a trusted key, BadBundle when
    a statement that is needed says something else.
    """
    known = list(trusted)
    waiting = [one for one in offered if one.statement and one.key not in known]
    added = True
    while added:
        added = False
        for one in tuple(waiting):
            if _vouched(one, origin, known):
                known.append(one.key)
                waiting.remove(one)
                added = True
    return tuple(known)


def own_checkpoint(
    note: Note | str | bytes,
    origin: str,
    trusted: Sequence[VerifierKey],
    witnesses: Sequence[VerifierKey] = (),
) -> SignedCheckpoint:
    """This will check a checkpoint as `notes.verify_checkpoint` does, and that it is of `origin`.

    Raises OriginDiffers for another log's, before anything is said of its signatures.
    """
    parsed = note if isinstance(note, Note) else Note.parse(note)
    found = notes.Checkpoint.parse(parsed.text).origin
    if found != origin:
        raise OriginDiffers(expected=origin, found=found)
    return notes.verify_checkpoint(parsed, trusted, witnesses)


def judge_witnesses(
    signed: SignedCheckpoint, *, quorum: int, now: int | None
) -> tuple[tuple[Witnessed, ...], tuple[str, ...]]:
    """This will say which witnesses count, with warnings. Raises TooFewWitnesses under `quorum`."""
    found = [
        Witnessed(name=one.key.name, timestamp=one.timestamp)
        for one in signed.witnessed_by
        if one.timestamp is not None
    ]
    counted = tuple(w for w in found if now is None or w.timestamp <= now + FUTURE_SECONDS)
    warnings: tuple[str, ...] = (FUTURE_COSIGNATURE,) if len(counted) < len(found) else ()
    if len(counted) < quorum:
        raise TooFewWitnesses(found=len(counted), required=quorum)
    return counted, warnings if counted else (*warnings, NO_WITNESS)


def _read(data: bytes | str) -> dict[str, Any]:
    if len(data) > MAX_BUNDLE:
        raise BadBundle(field="size")
    newline = "\n" if isinstance(data, str) else b"\n"
    plain = canon.decode(data.removesuffix(newline))  # type: ignore[arg-type]  # both texts and bytes have it
    if isinstance(plain, dict):
        plain.setdefault("statements", [])
    return checked(plain, _BUNDLE, BadBundle)  # type: ignore[no-any-return]  # checked against the shape


def _offered(plain: Any) -> OfferedKey:
    checked(plain, _OFFERED, BadBundle)
    statement = plain["statement"]
    parsed = None if statement is None else Note.parse(statement)
    return OfferedKey(key=VerifierKey.parse(plain["vkey"]), statement=parsed)


def _vouched(offer: OfferedKey, origin: str, known: Sequence[VerifierKey]) -> bool:
    assert offer.statement is not None, "only keys with a statement wait"
    try:
        notes.open_note(offer.statement, known)
    except notes.NotSigned:
        return False
    says = offer.statement.text == notes.key_statement(origin, offer.key)
    if not says or not _is_own(offer.key, origin):
        raise BadBundle(field="statement")
    return True


def _is_own(key: VerifierKey, origin: str) -> bool:
    return key.name == origin and key.algorithm == notes.ED25519


def _verify_leaves(leaves: Sequence[Any], checkpoint: notes.Checkpoint) -> tuple[ProvenFact, ...]:
    facts, last = [], -1
    for plain in leaves:
        checked(plain, _LEAF, BadBundle)
        index = plain["index"]
        if index <= last:
            raise BadBundle(field="index")
        entry, last = Entry.parse(plain["entry"]), index
        leaf = merkle.leaf_hash(plain["entry"].encode())
        proof = _bytes(plain["proof"])
        merkle.verify_inclusion(leaf, index, checkpoint.size, proof, checkpoint.root)
        facts.append(ProvenFact(index=index, entry=entry))
    return tuple(facts)


def _verify_disclosure(plain: Any, facts: Sequence[ProvenFact]) -> Disclosed:
    checked(plain, _DISCLOSURE, BadBundle)
    if plain["leaf"] >= len(facts):
        raise BadBundle(field="leaf")
    fact = facts[plain["leaf"]]
    if plain["row"] >= len(fact.entry.rows):
        raise BadBundle(field="row")
    row, salt = fact.entry.rows[plain["row"]], bytes.fromhex(plain["salt"])
    return Disclosed(index=fact.index, content=disclose(row, salt, plain["content"]))


def _verify_consistency(plain: Any, checkpoint: notes.Checkpoint) -> Consistency | None:
    if plain is None:
        return None
    checked(plain, _CONSISTENCY, BadBundle)
    root, proof = bytes.fromhex(plain["root"]), _bytes(plain["proof"])
    size: int = plain["size"]
    merkle.verify_consistency(size, checkpoint.size, proof, root, checkpoint.root)
    return Consistency(size=size, root=root, proof=proof)


def _verify_older(
    kept: notes.Checkpoint, checkpoint: notes.Checkpoint, consistency: Consistency | None
) -> None:
    """Raises unless the checkpoint that the reader kept is a prefix of the bundle's."""
    if kept.size > checkpoint.size:
        raise OlderIsNewer(older=kept.size, size=checkpoint.size)
    if kept.size in {0, checkpoint.size}:
        merkle.verify_consistency(kept.size, checkpoint.size, (), kept.root, checkpoint.root)
        return
    if consistency is None or consistency.size != kept.size:
        raise OlderUnproven(older=kept.size, size=checkpoint.size)
    if consistency.root != kept.root:
        raise merkle.NotConsistent(old=kept.size, new=checkpoint.size)


def _verify_statements(
    statements: Sequence[str], trusted: Sequence[VerifierKey]
) -> tuple[str, ...]:
    parsed = [Note.parse(text) for text in statements]
    for note in parsed:
        notes.open_note(note, trusted)
    return tuple(note.text for note in parsed)


def _hexes(hashes: Iterable[bytes]) -> list[str]:
    return [one.hex() for one in hashes]


def _bytes(hexes: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, hexes))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_salt(value: Any) -> bool:
    return is_hex(value) and len(value) <= 2 * MAX_SALT


_BUNDLE: dict[str, Check] = {
    "format": lambda value: value == FORMAT,
    "suite": lambda value: value == notes.SUITE,
    "origin": _is_text,
    "checkpoint": _is_text,
    "leaves": is_list_of(_is_object, MAX_LEAVES),
    "disclosures": is_list_of(_is_object, MAX_LEAVES),
    "keys": is_list_of(_is_object, MAX_KEYS),
    "consistency": lambda value: value is None or isinstance(value, dict),
    "statements": is_list_of(_is_text, MAX_STATEMENTS),
}
_LEAF: dict[str, Check] = {
    "index": is_count,
    "entry": _is_text,
    "proof": is_list_of(is_digest, MAX_PROOF),
}
_DISCLOSURE: dict[str, Check] = {
    "leaf": is_count,
    "row": is_count,
    "salt": _is_salt,
    "content": _is_text,
}
_OFFERED: dict[str, Check] = {"vkey": _is_text, "statement": _is_text_or_null}
_CONSISTENCY: dict[str, Check] = {
    "size": is_count,
    "root": is_digest,
    "proof": is_list_of(is_digest, MAX_PROOF),
}
