# SPDX-License-Identifier: Apache-2.0
"""How signatures are made and private keys are kept: sealed, one file a key, unlocked from apart.

A ring is a folder of generations. `current` names the generation in force; a generation holds
`ring.json` (how its key-encryption key is derived from what unlocks it) and one file for each
signing key, sealed with AES-256-GCM over everything else in that file. Sealing again for another
key file or passphrase writes a whole new generation and then changes `current` by one rename.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant, format_instant, parse_instant
from lingqu.runtime.blobs import replace_file, storage_errors, sync_directory, write_all

KEY_FILE_BYTES = 32
DEFAULT_SUITE = "ed25519-sha256"

_PASSPHRASE_BYTES_MAX = 4096
_FORMAT = 1
_NONCE_BYTES = 12
_SCRYPT = MappingProxyType({"n": 1 << 16, "r": 8, "p": 1})  # 64 MiB; RFC 7914, 2
_PURPOSE = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
_GENERATION = re.compile(r"g[0-9]{6}\Z")
_NONE = "g000000"
_KEY_NAME = re.compile(r"(key_[0-9a-z]{26})\.json\Z")


class KeyId(Id):
    """The id of a signing key."""

    prefix = "key"


class KeyFileMissing(errors.Unavailable):
    """What unseals the keys is not where it should be."""

    code = "runtime.keys.key_file_missing"


class KeyFileExists(errors.Conflict):
    """A key file is never overwritten."""

    code = "runtime.keys.key_file_exists"


class KeyFileLoose(errors.Rejected):
    """Accounts other than the owner may read or write the key file."""

    code = "runtime.keys.key_file_loose"


class KeyFileBad(errors.Rejected):
    """The file is not a key file or passphrase file."""

    code = "runtime.keys.key_file_bad"


class KeyFileInside(errors.Rejected):
    """The file lies in the folder that it protects."""

    code = "runtime.keys.key_file_inside"


class WrongUnlock(errors.Rejected):
    """The key file or passphrase is not the one of this ring."""

    code = "runtime.keys.wrong_unlock"


class KeyringAltered(errors.Rejected):
    """A file of the ring is not as it was written."""

    code = "runtime.keys.altered"


class NoKey(errors.NotFound):
    """The ring has no key in force for this purpose."""

    code = "runtime.keys.no_key"


class KeyExists(errors.Conflict):
    """The purpose has a key in force, or the id is taken."""

    code = "runtime.keys.key_exists"


class BadPurpose(errors.Rejected):
    """A purpose is a short lower-case word."""

    code = "runtime.keys.bad_purpose"


class UnknownKey(errors.NotFound):
    """The signature names a key that is not in the ring."""

    code = "runtime.keys.unknown_key"


class SealBroken(errors.Unavailable):
    """A sealed secret was altered, or was sealed about something else."""

    code = "runtime.keys.seal_broken"


class UnknownSuite(errors.Unavailable):
    """A key or a request names a way to sign that this version does not have."""

    code = "runtime.keys.unknown_suite"


class BadSignature(errors.Rejected):
    """The signature is not this key's over this message."""

    code = "runtime.keys.bad_signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A way to sign, under the name that every signed object carries."""

    name: str
    generate: Callable[[], bytes]
    public: Callable[[bytes], bytes]
    sign: Callable[[bytes, bytes], bytes]
    verify: Callable[[bytes, bytes, bytes], bool]


def _ed25519_verify(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


SUITES: Mapping[str, Suite] = MappingProxyType({
    DEFAULT_SUITE: Suite(
        name=DEFAULT_SUITE,
        generate=lambda: Ed25519PrivateKey.generate().private_bytes_raw(),
        public=lambda private: (
            Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        ),
        sign=lambda private, message: Ed25519PrivateKey.from_private_bytes(private).sign(message),
        verify=_ed25519_verify,
    )
})  # fmt: skip
"""The suites this installation knows (Ed25519: RFC 8032)."""


def suite_named(name: str) -> Suite:
    """This will give a suite by its name. Raises UnknownSuite."""
    if name not in SUITES:
        raise UnknownSuite(suite=name[:40])
    return SUITES[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature with the suite and the key that made it."""

    suite: str
    key: KeyId
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """What everybody may know of a key; retired keys verify but do not sign."""

    id: KeyId
    purpose: str
    suite: str
    public: bytes
    created_at: Instant
    retired_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key in force. The private part is neither shown nor written anywhere unsealed."""

    info: PublicKey
    _private: bytes = field(repr=False, compare=False)

    def sign(self, message: bytes) -> Signature:
        """This will sign a message."""
        value = SUITES[self.info.suite].sign(self._private, message)
        return Signature(suite=self.info.suite, key=self.info.id, value=value)

    def __reduce__(self) -> str:
        """Refuse to be pickled: that would write the private part."""
        raise TypeError("a signing key cannot be pickled")


class Unlock:
    """What unseals a ring: the bytes of a key file, or a passphrase. Shows neither."""

    __slots__ = ("_secret", "kind", "path")

    def __init__(self, *, kind: str, secret: bytes, path: Path | None) -> None:
        """Use `from_key_file`, `from_passphrase_file` or `from_passphrase`."""
        self.kind = kind
        self.path = path
        self._secret = secret

    @classmethod
    def from_key_file(cls, path: Path) -> Self:
        """This will read a key file of 32 bytes that only its owner may read.

        Raises KeyFileMissing, KeyFileLoose or KeyFileBad.
        """
        secret = _read_private(path, KEY_FILE_BYTES + 1)
        if len(secret) != KEY_FILE_BYTES:
            raise KeyFileBad(path=str(path), bytes=KEY_FILE_BYTES)
        return cls(kind="key-file", secret=secret, path=path)

    @classmethod
    def from_passphrase_file(cls, path: Path) -> Self:
        """This will read a passphrase, without the line end, from a file only its owner may read.

        Raises KeyFileMissing, KeyFileLoose or KeyFileBad.
        """
        secret = _read_private(path, _PASSPHRASE_BYTES_MAX + 1)
        try:
            text = secret.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            text = ""
        if not text.strip() or len(secret) > _PASSPHRASE_BYTES_MAX:
            raise KeyFileBad(path=str(path), bytes=KEY_FILE_BYTES)
        return cls(kind="scrypt", secret=text.encode(), path=path)

    @classmethod
    def from_passphrase(cls, text: str) -> Self:
        """This will unlock with a passphrase, stretched by scrypt (RFC 7914)."""
        assert text, "the edge asks for a passphrase that is not empty"
        return cls(kind="scrypt", secret=text.encode(), path=None)

    def fresh_parameters(self) -> dict[str, Any]:
        """This will make the parameters under which a new generation derives its key."""
        scrypt = dict(_SCRYPT) if self.kind == "scrypt" else {}
        return {"kind": self.kind, "salt": secrets.token_hex(16), **scrypt}

    def derive(self, parameters: Mapping[str, Any]) -> bytes | None:
        """This will derive the key-encryption key, or None for parameters of another kind."""
        if parameters.get("kind") != self.kind:
            return None
        salt = bytes.fromhex(parameters["salt"])
        if self.kind == "scrypt":
            if any(parameters.get(name) != value for name, value in _SCRYPT.items()):
                return None
            return Scrypt(salt=salt, length=32, **_SCRYPT).derive(self._secret)
        hkdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=b"lingqu keyring")
        return hkdf.derive(self._secret)

    def __repr__(self) -> str:
        """The kind only."""
        return f"Unlock(kind={self.kind!r})"

    def __reduce__(self) -> str:
        """Refuse to be pickled: that would write the secret."""
        raise TypeError("what unlocks the keys cannot be pickled")


def create_key_file(path: Path) -> None:
    """This will make a key file of 32 random bytes, mode 0600. Raises KeyFileExists.

    Keep a copy in a place apart from every backup of the data folder: without it nothing can be
    signed any more, and no private key be recovered.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with storage_errors(path.parent):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError:
            raise KeyFileExists(path=str(path)) from None
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as stream:
                write_all(stream, secrets.token_bytes(KEY_FILE_BYTES))
                os.fsync(stream.fileno())
            sync_directory(path.parent)
        except OSError:
            path.unlink(missing_ok=True)
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One key of the opened ring."""

    info: PublicKey
    private: bytes = field(repr=False)


class Keyring:
    """The signing keys of one installation. Another process may rotate them: see `reload`."""

    def __init__(self, directory: Path, unlock: Unlock, apart_from: Path) -> None:
        """Use `open`."""
        self._directory = directory
        self._apart_from = apart_from
        self._unlock = unlock
        self._generation = ""
        self._kek = b""
        self._held: dict[KeyId, _Held] = {}

    @classmethod
    def open(cls, directory: Path, unlock: Unlock, *, data_dir: Path | None = None) -> Self:
        """This will open the ring in a folder, or make an empty one where there is none.

        What unlocks it must lie outside `data_dir`, or at least outside the folder. Raises
        WrongUnlock, KeyringAltered, KeyFileInside, UnknownSuite, StorageFull or
        StorageUnavailable.
        """
        ring = cls(directory, unlock, data_dir or directory)
        ring._refuse_inside(unlock)
        with storage_errors(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ring._locked():
            if not (directory / "current").exists():
                ring._begin(unlock)
            ring._load(unlock)
            ring._sweep()
        return ring

    def create(
        self, purpose: str, *, at: Instant, key_id: KeyId, suite: str = DEFAULT_SUITE
    ) -> PublicKey:
        """This will make the first key for a purpose. Raises KeyExists or BadPurpose."""
        if not _PURPOSE.match(purpose):
            raise BadPurpose(purpose=purpose[:40])
        with self._locked():
            self._load(self._unlock)
            existing = self._in_force(purpose)
            if existing is not None:
                raise KeyExists(purpose=purpose, key=existing.info.id)
            return self._add(purpose, at=at, key_id=key_id, suite=suite)

    def rotate(
        self, purpose: str, *, at: Instant, key_id: KeyId, suite: str = DEFAULT_SUITE
    ) -> PublicKey:
        """This will make a new key for a purpose and retire the others. Raises NoKey, KeyExists."""
        with self._locked():
            self._load(self._unlock)
            if self._in_force(purpose) is None:
                raise NoKey(purpose=purpose[:40])
            added = self._add(purpose, at=at, key_id=key_id, suite=suite)
            # The new key is durable before an old one retires, so that a crash in between leaves
            # a key in force; the newest one wins.
            for held in tuple(self._held.values()):
                old = held.info
                if old.purpose == purpose and old.id != added.id and old.retired_at is None:
                    self._write(replace(held, info=replace(old, retired_at=at)))
            return added

    def current(self, purpose: str) -> SigningKey:
        """This will give the key in force for a purpose. Raises NoKey."""
        held = self._in_force(purpose)
        if held is None:
            raise NoKey(purpose=purpose[:40])
        return SigningKey(info=held.info, _private=held.private)

    def signing(self, purpose: str) -> tuple[SigningKey, ...]:
        """This will give every key of a purpose, retired ones too, for signing; newest first.

        A retired key signs only what hands over to its successor.
        """
        held = [one for one in self._held.values() if one.info.purpose == purpose]
        newest_first = sorted(held, key=lambda one: _age(one.info), reverse=True)
        return tuple(SigningKey(info=one.info, _private=one.private) for one in newest_first)

    def all(self, purpose: str) -> tuple[PublicKey, ...]:
        """This will list the keys of a purpose, retired ones too, oldest first."""
        found = [held.info for held in self._held.values() if held.info.purpose == purpose]
        return tuple(sorted(found, key=_age))

    def verify(self, signature: Signature, message: bytes) -> None:
        """This will check a signature by any key of the ring, retired or not.

        Raises UnknownKey or BadSignature; returns where it is good.
        """
        held = self._held.get(signature.key)
        if held is None:
            raise UnknownKey(key=str(signature.key)[:40])
        suite = SUITES[held.info.suite]
        good = signature.suite == suite.name
        if not good or not suite.verify(held.info.public, signature.value, message):
            raise BadSignature(key=held.info.id)

    def derive(self, purpose: str, *, about: str) -> bytes:
        """This will give a secret that stays the same, whichever keys follow. Raises NoKey.

        It is derived from the first key of a purpose, retired or not.
        """
        held = [one for one in self._held.values() if one.info.purpose == purpose]
        if not held:
            raise NoKey(purpose=purpose[:40])
        first = min(held, key=lambda one: _age(one.info))
        info = b"lingqu derived 1 " + about.encode()
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(
            first.private
        )

    def seal(self, purpose: str, plain: bytes, *, about: str) -> bytes:
        """This will seal a small secret under the key in force for a purpose. Raises NoKey.

        `about` is bound to it: what was sealed about one thing does not open about another.
        """
        held = self._in_force(purpose)
        if held is None:
            raise NoKey(purpose=purpose[:40])
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(_sealing_key(held)).encrypt(nonce, plain, about.encode())
        return str(held.info.id).encode() + b":" + nonce + sealed

    def unseal(self, sealed: bytes, *, about: str) -> bytes:
        """This will open what `seal` gave, by the key it names, retired or not.

        Raises UnknownKey, SealBroken.
        """
        name, _, rest = sealed.partition(b":")
        held = self._held.get(KeyId(name.decode("ascii", "replace")))
        if held is None:
            raise UnknownKey(key=name.decode("ascii", "replace")[:40])
        nonce, inner = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        try:
            return AESGCM(_sealing_key(held)).decrypt(nonce, inner, about.encode())
        except (InvalidTag, ValueError):
            raise SealBroken(key=str(held.info.id)) from None

    def reload(self) -> None:
        """This will read the ring again, as another process may have rotated a key."""
        with self._locked():
            self._load(self._unlock)

    def reseal(self, unlock: Unlock) -> None:
        """This will seal every key for another key file or passphrase, all of them or none.

        Killed at any point, the ring opens with the old or with the new one. The earlier
        generation is removed; copies in old backups still open with the old one.
        """
        self._refuse_inside(unlock)
        with self._locked():
            self._load(self._unlock)
            self._begin(unlock, after=self._generation, keys=tuple(self._held.values()))
            self._load(unlock)
            self._sweep()

    def __repr__(self) -> str:
        """The number of keys only."""
        return f"Keyring({len(self._held)} keys)"

    def _in_force(self, purpose: str) -> _Held | None:
        living = [
            held
            for held in self._held.values()
            if held.info.purpose == purpose and held.info.retired_at is None
        ]
        return max(living, key=lambda held: _age(held.info), default=None)

    def _add(self, purpose: str, *, at: Instant, key_id: KeyId, suite: str) -> PublicKey:
        if key_id in self._held:
            raise KeyExists(purpose=purpose, key=key_id)
        private = suite_named(suite).generate()
        public = SUITES[suite].public(private)
        info = PublicKey(id=key_id, purpose=purpose, suite=suite, public=public, created_at=at)
        self._write(_Held(info=info, private=private))
        return info

    def _write(self, held: _Held) -> None:
        path = self._directory / self._generation / f"{held.info.id}.json"
        replace_file(path, _sealed_text(held, self._kek))
        # A new mapping, because other threads may be reading the one in place.
        self._held = {**self._held, held.info.id: held}

    def _refuse_inside(self, unlock: Unlock) -> None:
        if unlock.path is not None:
            inside = Path(os.path.realpath(unlock.path))
            if inside.is_relative_to(os.path.realpath(self._apart_from)):
                raise KeyFileInside(path=str(unlock.path), directory=str(self._apart_from))

    def _generations(self) -> Iterator[Path]:
        with storage_errors(self._directory):
            yield from [path for path in self._directory.iterdir() if _GENERATION.match(path.name)]

    def _sweep(self) -> None:
        """Remove generations that are not in force: a crash or an earlier seal left them."""
        for path in self._generations():
            if path.name != self._generation:
                shutil.rmtree(path, ignore_errors=True)

    def _begin(self, unlock: Unlock, *, after: str = _NONE, keys: tuple[_Held, ...] = ()) -> None:
        """Write a generation beside the one in force, then make it the one in force."""
        generations = tuple(self._generations())
        if after == _NONE and any(any(path.glob("key_*.json")) for path in generations):
            # Keys without a `current` were not left by a crash of ours: somebody removed it.
            raise KeyringAltered(file="current")
        number = max([int(after[1:]), *(int(path.name[1:]) for path in generations)])
        name = f"g{number + 1:06}"
        folder = self._directory / name
        with storage_errors(self._directory):
            folder.mkdir(mode=0o700)
        parameters = unlock.fresh_parameters()
        kek = unlock.derive(parameters)
        assert kek is not None, "the parameters were made for this unlock"
        replace_file(folder / "ring.json", _ring_text(parameters, kek))
        for held in keys:
            replace_file(folder / f"{held.info.id}.json", _sealed_text(held, kek))
        with storage_errors(self._directory):
            sync_directory(self._directory)
        replace_file(self._directory / "current", f"{name}\n".encode())

    def _load(self, unlock: Unlock) -> None:
        with storage_errors(self._directory):
            name = (self._directory / "current").read_bytes().decode("ascii", "replace")
            folder = self._directory / name.removesuffix("\n")
            if not _GENERATION.match(name[:-1]) or not name.endswith("\n") or not folder.is_dir():
                raise KeyringAltered(file="current")
            ring = (folder / "ring.json").read_bytes()
            files = {path.name: path.read_bytes() for path in sorted(folder.glob("key_*.json"))}
        kek = _open_ring(ring, unlock)
        if kek is None:
            raise WrongUnlock(directory=str(self._directory))
        held = [_unsealed(file, content, kek) for file, content in files.items()]
        self._held = {one.info.id: one for one in held}
        self._unlock, self._generation, self._kek = unlock, folder.name, kek

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with storage_errors(self._directory):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._directory / "lock", flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _sealing_key(held: _Held) -> bytes:
    """Derived, so that the key that signs is never used to encrypt."""
    info = b"lingqu seal 1"
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(held.private)


def _age(info: PublicKey) -> tuple[Instant, KeyId]:
    return info.created_at, info.id


def _read_private(path: Path, most: int) -> bytes:
    with storage_errors(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyFileMissing(path=str(path)) from None
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise KeyFileBad(path=str(path), bytes=KEY_FILE_BYTES)
            if mode & 0o077:
                raise KeyFileLoose(path=str(path), mode=f"{stat.S_IMODE(mode):04o}")
            return os.read(descriptor, most)
        finally:
            os.close(descriptor)


def _text(record: Mapping[str, Any]) -> bytes:
    """The one text of a record: what differs from it in a single byte was not written by us."""
    return json.dumps(record, sort_keys=True, indent=1, ensure_ascii=True).encode() + b"\n"


def _seal(kek: bytes, record: Mapping[str, Any], private: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    whole = {**record, "nonce": nonce.hex()}
    sealed = AESGCM(kek).encrypt(nonce, private, _text(whole))
    return _text({**whole, "sealed": sealed.hex()})


def _unseal(kek: bytes, record: Mapping[str, Any]) -> bytes | None:
    rest = {name: value for name, value in record.items() if name != "sealed"}
    try:
        sealed, nonce = bytes.fromhex(record["sealed"]), bytes.fromhex(record["nonce"])
        # Hex has two spellings; only the one we write is ours.
        if record["sealed"] != sealed.hex():
            return None
        return AESGCM(kek).decrypt(nonce, sealed, _text(rest))
    except (InvalidTag, KeyError, TypeError, ValueError):
        return None


def _parsed(file: str, content: bytes) -> dict[str, Any]:
    try:
        record = json.loads(content)
        same = isinstance(record, dict) and _text(record) == content
    except (ValueError, RecursionError):
        same = False
    if not same or record.get("format") != _FORMAT:
        raise KeyringAltered(file=file)
    assert isinstance(record, dict)
    return record


def _ring_text(parameters: Mapping[str, Any], kek: bytes) -> bytes:
    return _seal(kek, {"format": _FORMAT, "unlock": dict(parameters)}, b"")


def _open_ring(content: bytes, unlock: Unlock) -> bytes | None:
    record = _parsed("ring.json", content)
    try:
        kek = unlock.derive(record["unlock"])
    except (KeyError, AttributeError, TypeError, ValueError):
        raise KeyringAltered(file="ring.json") from None
    return kek if kek is not None and _unseal(kek, record) == b"" else None


def _sealed_text(held: _Held, kek: bytes) -> bytes:
    info = held.info
    record = {
        "format": _FORMAT,
        "id": info.id,
        "purpose": info.purpose,
        "suite": info.suite,
        "public": info.public.hex(),
        "created_at": format_instant(info.created_at),
        "retired_at": None if info.retired_at is None else format_instant(info.retired_at),
    }
    return _seal(kek, record, held.private)


def _unsealed(file: str, content: bytes, kek: bytes) -> _Held:
    record = _parsed(file, content)
    private = _unseal(kek, record)
    name = _KEY_NAME.match(file)
    if private is None or name is None or name[1] != record["id"]:
        raise KeyringAltered(file=file)
    # From here on the record is one that this ring sealed.
    suite = suite_named(record["suite"])
    public = bytes.fromhex(record["public"])
    assert hmac.compare_digest(suite.public(private), public), "sealed together"
    retired_at = record["retired_at"]
    info = PublicKey(
        id=KeyId(record["id"]),
        purpose=record["purpose"],
        suite=suite.name,
        public=public,
        created_at=parse_instant(record["created_at"]),
        retired_at=None if retired_at is None else parse_instant(retired_at),
    )
    return _Held(info=info, private=private)
