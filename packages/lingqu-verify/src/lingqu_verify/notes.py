# SPDX-License-Identifier: Apache-2.0
"""Signed notes, checkpoints and cosignatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature).

A note is a text with signature lines beneath it; a checkpoint is a note that states how large a
log is and what its root is; a cosignature is a witness's dated signature under a checkpoint.
A log's key bears the log's origin as its name: a key vouches for one log and no other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lingqu_verify import merkle
from lingqu_verify.errors import Malformed, Refuted

ED25519 = 0x01  # a plain note signature
COSIGNATURE = 0x04  # cosignature/v1: Ed25519 over a timestamp and the checkpoint
SUITE = "ed25519-sha256"
SUITE_LINE = f"suite {SUITE}"
MAX_NOTE = 1_000_000
MAX_SIGNATURES = 100
MAX_NAME = 255
KEY_STATEMENT = "lingqu-key-statement/1"

Sign = Callable[[bytes], bytes]

_KEY_SIZE = 32
_SIGNATURE_SIZE = 64
_STAMP_SIZE = 8
_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_KEY_ID = re.compile(r"[0-9a-f]{8}\Z")
_SIGNATURE_LINE = re.compile(r"— ([^ \n]+) ([A-Za-z0-9+/=]+)\n")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")


class BadKey(Malformed):
    """The text is not a key of the form name+id+key, or its kind is not supported."""

    code = "verify.key.malformed"


class BadFingerprint(Malformed):
    """The text is not a SHA-256 fingerprint: 64 hexadecimal digits."""

    code = "verify.key.bad_fingerprint"


class BadNote(Malformed):
    """The text is not a signed note, or is larger than any honest one."""

    code = "verify.note.malformed"


class BadCheckpoint(Malformed):
    """The note's text is not a checkpoint."""

    code = "verify.checkpoint.malformed"


class UnknownSuite(Refuted):
    """The checkpoint names no cryptographic suite, or one that this program does not know."""

    code = "verify.checkpoint.unknown_suite"


class BadSignature(Refuted):
    """A signature that claims to be by a known key is not."""

    code = "verify.note.bad_signature"


class NotSigned(Refuted):
    """None of the keys that were given has signed this."""

    code = "verify.note.not_signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public Ed25519 key with the name that it signs under.

    `algorithm` is ED25519 or COSIGNATURE, `public` 32 bytes. Raises BadKey for anything else.
    """

    name: str
    algorithm: int
    public: bytes

    def __post_init__(self) -> None:
        _check_key(self.name, self.algorithm, self.public)

    @classmethod
    def parse(cls, text: str) -> Self:
        """This will read a vkey: `name+key id in hex+base64(algorithm || key)`.

        Raises BadKey when the form or the key id is wrong, or the algorithm is another one.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        material = from_base64(encoded)
        if material is None or len(material) != 1 + _KEY_SIZE or not _KEY_ID.match(key_id):
            raise BadKey(reason="form", key=text)
        key = cls(name=name, algorithm=material[0], public=material[1:])
        if key.key_id.hex() != key_id:
            raise BadKey(reason="id", key=text)
        return key

    def __str__(self) -> str:
        """The vkey text."""
        material = bytes([self.algorithm]) + self.public
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(material).decode()}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over name, newline, algorithm and key, in hex: what one compares by eye."""
        material = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(material).hexdigest()

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the fingerprint, which stand in each signature."""
        return bytes.fromhex(self.fingerprint[:8])

    def verify(self, text: str, signature: bytes) -> int | None:
        """This will check a signature over a note's text, without the key id in front of it.

        Gives the POSIX time of a cosignature, None for a plain signature. Raises BadSignature.
        """
        timestamp, message = None, text.encode()
        if self.algorithm == COSIGNATURE:
            timestamp = int.from_bytes(signature[:_STAMP_SIZE])
            if timestamp > merkle.MAX_SIZE:
                raise BadSignature(name=self.name)
            message = cosigned_message(text, timestamp)
            signature = signature[_STAMP_SIZE:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise BadSignature(name=self.name) from None
        return timestamp


class Signer(Protocol):
    """Whoever can sign: a key in memory (SignerKey) or one kept elsewhere (RemoteSigner)."""

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""

    def sign(self, message: bytes, /) -> bytes:
        """This will give the 64 bytes of an Ed25519 signature over the message."""


@dataclass(frozen=True, slots=True)
class RemoteSigner:
    """A key that somebody else keeps: its public half, and a call that signs with it."""

    verifier: VerifierKey
    sign: Sign


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerKey:
    """An Ed25519 key in memory, made from its 32-byte seed, with the name that it signs under."""

    name: str
    seed: bytes = field(repr=False)
    algorithm: int = ED25519

    def __post_init__(self) -> None:
        _check_key(self.name, self.algorithm, self.seed)

    @classmethod
    def parse(cls, text: str) -> Self:
        """This will read `PRIVATE+KEY+name+id+base64(algorithm || seed)`. Raises BadKey."""
        prefix, key, name, key_id, encoded = (text.strip().split("+", 4) + [""] * 5)[:5]
        material = from_base64(encoded)
        if (prefix, key) != ("PRIVATE", "KEY") or material is None or not material:
            raise BadKey(reason="form", key=name)
        made = cls(name=name, seed=material[1:], algorithm=material[0])
        if made.verifier.key_id.hex() != key_id:
            raise BadKey(reason="id", key=name)
        return made

    def private_text(self) -> str:
        """This will give the secret text form, which `parse` reads."""
        material = base64.b64encode(bytes([self.algorithm]) + self.seed).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{material}"

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VerifierKey(name=self.name, algorithm=self.algorithm, public=public)

    def sign(self, message: bytes, /) -> bytes:
        """This will sign a message (RFC 8032)."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: the signer's name, its key id, and the signature."""

    name: str
    key_id: bytes
    value: bytes

    def __str__(self) -> str:
        """The line, with its newline."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text with its signature lines; what it says counts only after `open_note`."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: str | bytes) -> Self:
        """This will read a note of at most 1 MB and 100 signatures. Raises BadNote."""
        if len(data) > MAX_NOTE:
            raise BadNote(reason="size")
        try:
            whole = data.decode() if isinstance(data, bytes) else data
            whole.encode()
        except UnicodeError:
            raise BadNote(reason="utf-8") from None
        if any(c < " " and c != "\n" for c in whole):
            raise BadNote(reason="control")
        head, blank, lines = whole.rpartition("\n\n")
        if not blank:
            raise BadNote(reason="form")
        return cls(text=head + "\n", signatures=parse_signatures(lines))

    def __str__(self) -> str:
        """The note as it is sent and stored."""
        return f"{self.text}\n{''.join(map(str, self.signatures))}"

    def adding(self, *signatures: Signature) -> Note:
        """This will give the same note with further signature lines."""
        return replace(self, signatures=(*self.signatures, *signatures))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A signature that was checked: by which key, and for a cosignature at which POSIX time."""

    key: VerifierKey
    timestamp: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log says of itself: its origin, how many leaves it has, and their root.

    Raises BadCheckpoint when it could not be written as a checkpoint.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = (SUITE_LINE,)

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if not all(lines) or any(c < " " for line in lines for c in line):
            raise BadCheckpoint(reason="lines")
        if not 0 <= self.size <= merkle.MAX_SIZE:
            raise BadCheckpoint(reason="size")
        if len(self.root) != merkle.HASH_SIZE:
            raise BadCheckpoint(reason="root")

    @classmethod
    def parse(cls, text: str) -> Self:
        """This will read the text of a checkpoint note, with its final newline."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop():
            raise BadCheckpoint(reason="lines")
        root = from_base64(lines[2])
        if not _SIZE.match(lines[1]):
            raise BadCheckpoint(reason="size")
        if root is None:
            raise BadCheckpoint(reason="root")
        return cls(origin=lines[0], size=int(lines[1]), root=root, extensions=tuple(lines[3:]))

    def __str__(self) -> str:
        """The text to be signed."""
        encoded = base64.b64encode(self.root).decode()
        return "\n".join((self.origin, str(self.size), encoded, *self.extensions, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A checkpoint whose signatures were checked: the log's own, and those of known witnesses."""

    checkpoint: Checkpoint
    note: Note
    signed_by: tuple[VerifierKey, ...]
    witnessed_by: tuple[Verified, ...] = ()


def is_key_name(name: str) -> bool:
    """This will say whether a text may name a key: no space, no plus, no control character."""
    if not 0 < len(name) <= MAX_NAME:
        return False
    return not any(c < " " or c == "+" or c.isspace() for c in name)


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """This will read one to 100 signature lines, each with its newline. Raises BadNote."""
    found, at = [], 0
    while at < len(lines):
        match = _SIGNATURE_LINE.match(lines, at)
        value = from_base64(match[2]) if match else None
        if match is None or value is None or len(value) < 5 or not is_key_name(match[1]):
            raise BadNote(reason="signature")
        found.append(Signature(name=match[1], key_id=value[:4], value=value[4:]))
        if len(found) > MAX_SIGNATURES:
            raise BadNote(reason="signatures")
        at = match.end()
    if not found:
        raise BadNote(reason="unsigned")
    return tuple(found)


def sign_note(text: str, signers: Iterable[Signer]) -> Note:
    """This will sign a text that ends in a newline with plain Ed25519 keys.

    Raises BadNote for a text that no note may hold, BadKey for a key that is for cosignatures.
    """
    if not text.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise BadNote(reason="form")
    signatures = []
    for signer in signers:
        key = signer.verifier
        if key.algorithm != ED25519:
            raise BadKey(reason="kind", key=key.name)
        value = signer.sign(text.encode())
        signatures.append(Signature(name=key.name, key_id=key.key_id, value=value))
    return Note(text=text, signatures=tuple(signatures))


def open_note(note: Note, verifiers: Iterable[VerifierKey]) -> tuple[Verified, ...]:
    """This will check the signatures of known keys, and pass over those of unknown ones.

    A key is known by its name and key id together. Raises BadSignature when a signature of a known
    key is wrong, NotSigned when there is none of a known key.
    """
    known: dict[tuple[str, bytes], list[VerifierKey]] = {}
    for key in verifiers:
        same = known.setdefault((key.name, key.key_id), [])
        if key not in same:
            same.append(key)
    found: dict[VerifierKey, Verified] = {}
    for signature in dict.fromkeys(note.signatures):
        keys = known.get((signature.name, signature.key_id), [])
        if len(keys) > 1:
            raise BadSignature(name=signature.name)
        for key in keys:
            timestamp = key.verify(note.text, signature.value)
            found.setdefault(key, Verified(key=key, timestamp=timestamp))
    if not found:
        raise NotSigned
    return tuple(found.values())


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[Signer]) -> Note:
    """This will sign a checkpoint with the log's keys, each of which bears the origin as its name.

    Raises BadKey for a key of another name or kind.
    """
    signers = tuple(signers)
    for signer in signers:
        if signer.verifier.name != checkpoint.origin:
            raise BadKey(reason="origin", key=signer.verifier.name)
    return sign_note(str(checkpoint), signers)


def verify_checkpoint(
    note: Note | str | bytes,
    keys: Sequence[VerifierKey],
    witnesses: Sequence[VerifierKey] = (),
) -> SignedCheckpoint:
    """This will check that a log's own key signed the checkpoint, and who of `witnesses` cosigned.

    Only plain keys that bear the checkpoint's origin count as the log's own. Raises NotSigned,
    BadSignature, UnknownSuite, BadNote or BadCheckpoint.
    """
    parsed = note if isinstance(note, Note) else Note.parse(note)
    checkpoint = Checkpoint.parse(parsed.text)
    own = [key for key in keys if key.name == checkpoint.origin and key.algorithm == ED25519]
    signed = open_note(parsed, own)
    require_suite(checkpoint)
    return SignedCheckpoint(
        checkpoint=checkpoint,
        note=parsed,
        signed_by=tuple(one.key for one in signed),
        witnessed_by=verify_cosignatures(parsed, witnesses),
    )


def require_suite(checkpoint: Checkpoint) -> None:
    """This will raise UnknownSuite unless the checkpoint names our suite, and that alone."""
    if checkpoint.extensions != (SUITE_LINE,):
        raise UnknownSuite(found=" ".join(checkpoint.extensions))


def cosigned_message(text: str, timestamp: int) -> bytes:
    """This will give the bytes that a cosignature signs (tlog-cosignature, Ed25519)."""
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def cosign(note: Note, signer: Signer, timestamp: int) -> Signature:
    """This will make a witness's signature over a checkpoint, at a POSIX time in seconds.

    The caller answers for consistency: a witness signs only what extends what it signed before.
    Raises BadKey for a key that is not for cosignatures, BadCheckpoint for any other note.
    """
    key = signer.verifier
    if key.algorithm != COSIGNATURE:
        raise BadKey(reason="kind", key=key.name)
    Checkpoint.parse(note.text)
    stamp = timestamp.to_bytes(_STAMP_SIZE)
    value = stamp + signer.sign(cosigned_message(note.text, timestamp))
    return Signature(name=key.name, key_id=key.key_id, value=value)


def verify_cosignatures(note: Note, witnesses: Sequence[VerifierKey]) -> tuple[Verified, ...]:
    """This will say which of the witnesses cosigned; none is an empty result.

    Raises BadSignature when a cosignature of a known witness is wrong.
    """
    try:
        return open_note(note, [key for key in witnesses if key.algorithm == COSIGNATURE])
    except NotSigned:
        return ()


def key_statement(origin: str, key: VerifierKey) -> str:
    """This will give the text by which an older key of a log says that `key` may sign for it."""
    return f"{KEY_STATEMENT}\n{origin}\n{key}\n"


def normal_fingerprint(text: str) -> str:
    """This will read a fingerprint as people write it: colons, spaces, capitals.

    Raises BadFingerprint unless 64 hexadecimal digits remain.
    """
    bare = "".join(text.split()).replace(":", "").lower()
    if not _FINGERPRINT.match(bare):
        raise BadFingerprint(text=text)
    return bare


def from_base64(text: str) -> bytes | None:
    """This will decode base64, or give None unless the text is the one encoding of its bytes."""
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeError, binascii.Error):
        return None
    return value if base64.b64encode(value).decode() == text else None


def _check_key(name: str, algorithm: int, material: bytes) -> None:
    if not is_key_name(name):
        raise BadKey(reason="name", key=name)
    if algorithm not in {ED25519, COSIGNATURE} or len(material) != _KEY_SIZE:
        raise BadKey(reason="kind", key=name)
