# SPDX-License-Identifier: Apache-2.0
"""How a document is signed so that another installation can check it: one canonical text.

The envelope is canonical JSON: what kind of document it is, the suite, who signed and with which
key, the content, and the signature over all the rest. Changing one bit of it, or writing the same
content in another form, is found. The key is checked against one the reader knew before.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lingqu.kernel import canon, errors
from lingqu.kernel.values import to_plain
from lingqu.runtime import REAL_TIME, new_id
from lingqu.runtime.keys import KeyExists, KeyId, Keyring, NoKey, SigningKey, suite_named
from lingqu_verify import notes
from lingqu_verify.notes import VerifierKey

KEY_PURPOSE = "interop"
BYTES_MAX = 256 * 1024
_PARTS = ("content", "key", "purpose", "signature", "signer", "suite")


class Purpose(enum.Enum):
    """What a signed document says; it is signed with it, so that none passes for another."""

    LISTING = "lingqu.listing.v1"
    STATUS = "lingqu.listing-status.v1"


class BadDocument(errors.Rejected):
    """The text is not a signed document of this kind in its canonical form."""

    code = "interop.document.bad"


class SignerUnknown(errors.Forbidden):
    """The document was signed by an installation, or with a key, that is not known here."""

    code = "interop.document.signer_unknown"


class DocumentAltered(errors.Rejected):
    """The signature does not hold: the document is not as its signer wrote it."""

    code = "interop.document.altered"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDocument:
    """A document as it was read; nothing is proven before `check_signature`.

    `key` is the fingerprint of the key that signed, `digest` the SHA-256 of the whole text.
    """

    purpose: Purpose
    suite: str
    signer: str
    key: str
    content: Mapping[str, Any]
    signature: bytes
    digest: str


def own_key(ring: Keyring, origin: str) -> VerifierKey:
    """This will give the public key that others check our documents with, making it at first."""
    return VerifierKey(name=origin, algorithm=notes.ED25519, public=_signing_key(ring).info.public)


def sign_document(ring: Keyring, origin: str, purpose: Purpose, content: object) -> str:
    """This will write a signed document; the same content and key give the same text."""
    key = _signing_key(ring)
    bare = {
        "purpose": purpose.value,
        "suite": key.info.suite,
        "signer": origin,
        "key": own_key(ring, origin).fingerprint,
        "content": to_plain(content),
    }
    signature = key.sign(canon.encode(bare)).value
    return canon.encode(bare | {"signature": signature.hex()}).decode()


def read_document(text: str, purpose: Purpose) -> SignedDocument:
    """This will read a document without believing it. Raises BadDocument."""
    try:
        raw = text.encode()
        plain = canon.decode(raw) if len(raw) <= BYTES_MAX else None
    except (canon.NotCanonical, UnicodeEncodeError):
        raise BadDocument(purpose=purpose.value, part="form") from None
    if not isinstance(plain, dict) or tuple(sorted(plain)) != _PARTS:
        raise BadDocument(purpose=purpose.value, part="form")
    if plain["purpose"] != purpose.value:
        raise BadDocument(purpose=purpose.value, part="purpose")
    texts = [plain[name] for name in ("suite", "signer", "key", "signature")]
    if not all(isinstance(one, str) for one in texts) or not isinstance(plain["content"], dict):
        raise BadDocument(purpose=purpose.value, part="form")
    try:
        signature = bytes.fromhex(plain["signature"])
    except ValueError:
        raise BadDocument(purpose=purpose.value, part="signature") from None
    return SignedDocument(
        purpose=purpose,
        suite=plain["suite"],
        signer=plain["signer"],
        key=plain["key"],
        content=plain["content"],
        signature=signature,
        digest=hashlib.sha256(raw).hexdigest(),
    )


def check_signature(document: SignedDocument, key: VerifierKey) -> None:
    """This will check who signed, by a key known before. Raises SignerUnknown, DocumentAltered."""
    if document.signer != key.name or document.key != key.fingerprint:
        raise SignerUnknown(signer=document.signer[:80])
    bare = {
        "purpose": document.purpose.value,
        "suite": document.suite,
        "signer": document.signer,
        "key": document.key,
        "content": document.content,
    }
    suite = suite_named(document.suite)
    if not suite.verify(key.public, document.signature, canon.encode(bare)):
        raise DocumentAltered(signer=document.signer[:80])


def _signing_key(ring: Keyring) -> SigningKey:
    try:
        return ring.current(KEY_PURPOSE)
    except NoKey:
        # Another process may make it in the same moment; then its key is the one.
        with contextlib.suppress(KeyExists):
            ring.create(KEY_PURPOSE, at=REAL_TIME.now(), key_id=new_id(KeyId))
        ring.reload()
        return ring.current(KEY_PURPOSE)
