# SPDX-License-Identifier: Apache-2.0
"""电子签章: what stands on a paper for whoever answers for its content, and how to check it later.

A `Seal` is a port. `PlaceForSeal` prints nothing but the place where the physical seal is put, and
its scan comes back as a sealed copy; `KeySeal` signs the content with a key of the installation
and says so as 数字签名, which no seal is. Another provider of seals has the same shape. What is
signed is the content of a paper, not one drawing of it: Word and PDF bear the same mark, and both
enclose the signed content, which can also be given as a file of its own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lingqu.kernel import canon, errors
from lingqu.kernel.values import to_plain
from lingqu.runtime.keys import KeyId, Keyring, PublicKey, Signature, SigningKey

PURPOSE = "paper"
STORY_REMARK = "演示时钟所制，不具效力。"
"""What papers of an installation on a demonstration's clock say of themselves."""
_FORM = "lingqu-paper/1"


class BadPaper(errors.Rejected):
    """The file is no signed paper, or its content is not what its digest says."""

    code = "runtime.seals.bad_paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper before it is drawn: its template and the data for it.

    `subject` is the id of what it is about, `sealers` those whose physical seals belong on it.
    """

    template: str
    data: Mapping[str, Any]
    subject: str = ""
    sealers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a seal puts on a paper: words under its text, and the signed content it encloses."""

    words: str = ""
    enclosed: bytes = b""


class Seal(Protocol):
    """Gives what is put on a paper besides the place of the physical seal."""

    def mark(self, paper: Paper) -> Mark:
        """Give the mark of this paper."""


class PlaceForSeal:
    """Prints only the place of the physical seal, which every letter has."""

    def mark(self, paper: Paper) -> Mark:
        """Give nothing: the place is part of each letter."""
        del paper
        return Mark()


PLACE_FOR_SEAL = PlaceForSeal()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySeal:
    """Signs the content with a key of ours, and says that this is a digital signature.

    On a story clock every paper says so, and that is signed with it.
    """

    key: SigningKey
    clock: str = "real"

    def mark(self, paper: Paper) -> Mark:
        """Give digest, key and signature in words, and the signed content."""
        return _mark(self.sign(paper))

    def sign(self, paper: Paper) -> bytes:
        """Give the content with its signature as a file that anyone can check."""
        content = _content(paper, STORY_REMARK if self.clock == "story" else "")
        signed = self.key.sign(content)
        return _written(content, signed, self.key.info.public)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSeal:
    """Puts the mark on a paper that was signed before: the very same."""

    signed: bytes

    def mark(self, paper: Paper) -> Mark:
        """Give the mark that this signed content had on paper."""
        del paper
        return _mark(self.signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPaper:
    """A paper whose signature holds: what it says, by which key of ours, and its signed form."""

    paper: Paper
    sha256: str
    key: KeyId
    signed: bytes


def is_paper(content: bytes) -> bool:
    """This will say whether a file claims to be a signed paper."""
    try:
        found = canon.decode(content)
    except canon.NotCanonical:
        return False
    return isinstance(found, dict) and found.get("form") == _FORM


def check_paper(content: bytes, keyring: Keyring) -> CheckedPaper:
    """This will check a signed paper against the keys of this installation, retired ones too.

    Raises BadPaper, UnknownKey, BadSignature.
    """
    try:
        found = canon.decode(content)
        plain = canon.encode(found["content"])
        signature = Signature(
            suite=str(found["suite"]),
            key=KeyId(str(found["key"])),
            value=base64.b64decode(str(found["signature"]), validate=True),
        )
        said = found["content"]
        paper = Paper(
            template=str(said["template"]),
            data=dict(said["data"]),
            subject=str(said.get("subject", "")),
            sealers=tuple(str(one) for one in said.get("sealers", ())),
        )
    except (canon.NotCanonical, ValueError, TypeError, KeyError, errors.LingquError):
        raise BadPaper from None
    known = {one.id: one for one in keyring.all(PURPOSE)}.get(signature.key)
    # Nothing may be added to what was signed and nothing left out, not even beside the content.
    if known is None or _written(plain, signature, known.public) != content:
        raise BadPaper
    keyring.verify(signature, plain)
    digest = hashlib.sha256(plain).hexdigest()
    return CheckedPaper(paper=paper, sha256=digest, key=signature.key, signed=content)


def digest_of(signed: bytes) -> str:
    """This will give the digest of the content of a paper that was signed here."""
    return str(canon.decode(signed)["sha256"])


def public_keys(keyring: Keyring) -> tuple[PublicKey, ...]:
    """This will list the keys that papers of this installation are signed by, oldest first."""
    return keyring.all(PURPOSE)


def _mark(signed: bytes) -> Mark:
    found = canon.decode(signed)
    remark = str(found["content"].get("remark", ""))
    words = (
        f"{remark}数字签名：{found['signature']}；算法 {found['suite']}；密钥 {found['key']}；"
        f"内容摘要 SHA-256 {found['sha256']}。"
        "本数字签名由平台密钥作出，用于核验文书内容未被改动，不是单位印章。"
    )
    return Mark(words=words, enclosed=signed)


def _written(content: bytes, signed: Signature, public: bytes) -> bytes:
    return canon.encode({
        "form": _FORM,
        "content": canon.decode(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "suite": signed.suite,
        "key": str(signed.key),
        "public": _text(public),
        "signature": _text(signed.value),
    })  # fmt: skip


def _content(paper: Paper, remark: str) -> bytes:
    said = {
        "template": paper.template,
        "data": to_plain(dict(paper.data)),
        "subject": paper.subject,
        "sealers": [*paper.sealers],
        "remark": remark,
    }
    return canon.encode({name: value for name, value in said.items() if value})


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
