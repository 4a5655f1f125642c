# SPDX-License-Identifier: Apache-2.0
"""电子签章: what stands on a paper for whoever answers for its content, and how to check it later.

A `Seal` is a port. `PlaceForSeal` prints nothing but the place where the physical seal is put, and
its scan comes back as an attachment; `KeySeal` signs the content with a key of the installation
and says so as 数字签名, which no seal is. Another provider of seals has the same shape. What is
signed is the content of a paper, not one drawing of it: Word and PDF bear the same mark, and the
signed content can be given as a file that is checked without trusting the paper.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lingqu.kernel import canon, errors
from lingqu.kernel.values import to_plain
from lingqu.runtime.keys import KeyId, Keyring, PublicKey, Signature, SigningKey

PURPOSE = "paper"
_FORM = "lingqu-paper/1"


class BadPaper(errors.Rejected):
    """The file is no signed paper, or its content is not what its digest says."""

    code = "runtime.seals.bad_paper"


class Seal(Protocol):
    """Gives the words that are printed on a paper under its text; none where there are none."""

    def mark(self, template: str, data: Mapping[str, object]) -> str:
        """Give the words for a paper of this content."""


class PlaceForSeal:
    """Prints only the place of the physical seal, which every letter has."""

    def mark(self, template: str, data: Mapping[str, object]) -> str:
        """Give nothing: the place is part of each letter."""
        del template, data
        return ""


PLACE_FOR_SEAL = PlaceForSeal()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySeal:
    """Signs the content with a key of ours, and says that this is a digital signature."""

    key: SigningKey

    def mark(self, template: str, data: Mapping[str, object]) -> str:
        """Give digest, key and signature in words."""
        content = _content(template, data)
        signed = self.key.sign(content)
        return (
            f"数字签名：{_text(signed.value)}；算法 {signed.suite}；密钥 {signed.key}；"
            f"内容摘要 SHA-256 {hashlib.sha256(content).hexdigest()}。"
            "本数字签名由平台密钥作出，用于核验文书内容未被改动，不是单位印章。"
        )

    def sign(self, template: str, data: Mapping[str, object]) -> bytes:
        """Give the content with its signature as a file that anyone can check."""
        content = _content(template, data)
        signed = self.key.sign(content)
        return canon.encode({
            "form": _FORM,
            "content": canon.decode(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "suite": signed.suite,
            "key": str(signed.key),
            "public": _text(self.key.info.public),
            "signature": _text(signed.value),
        })  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPaper:
    """A signed paper whose signature holds: its template, its data, and by which key of ours."""

    template: str
    data: Mapping[str, Any]
    sha256: str
    key: KeyId


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
        template, data = str(found["content"]["template"]), dict(found["content"]["data"])
    except (ValueError, TypeError, KeyError, binascii.Error, errors.LingquError):
        raise BadPaper from None
    digest = hashlib.sha256(plain).hexdigest()
    if found.get("form") != _FORM or found.get("sha256") != digest:
        raise BadPaper
    if signature.key not in {one.id for one in keyring.all(PURPOSE)}:
        raise BadPaper
    keyring.verify(signature, plain)
    return CheckedPaper(template=template, data=data, sha256=digest, key=signature.key)


def public_keys(keyring: Keyring) -> tuple[PublicKey, ...]:
    """This will list the keys that papers of this installation are signed by, oldest first."""
    return keyring.all(PURPOSE)


def _content(template: str, data: Mapping[str, object]) -> bytes:
    return canon.encode({"template": template, "data": to_plain(dict(data))})


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
