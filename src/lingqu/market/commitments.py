# SPDX-License-Identifier: Apache-2.0
"""承诺: the texts people sign at a venue, and the check that they signed the one in force."""

from __future__ import annotations

import enum
import functools
import hashlib
import tomllib
from dataclasses import dataclass
from importlib import resources

from lingqu.kernel import errors


class CommitmentKind(enum.Enum):
    """What is committed to."""

    MEMBER = "member"
    """入场承诺, signed with the application for admission."""
    USE = "use"
    """用途承诺, signed by a buyer with its proposal."""


class CommitmentDiffers(errors.Conflict):
    """What was signed is not the text that is in force."""

    code = "market.commitment.differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A text in both languages, the rule behind it, and the SHA-256 of the Chinese text."""

    kind: CommitmentKind
    ground: str
    zh: str
    en: str
    digest: bytes


@functools.cache
def get_commitment(kind: CommitmentKind) -> Commitment:
    """This will give the text in force; texts are public."""
    text = resources.files(__package__).joinpath("commitments.toml").read_text(encoding="utf-8")
    given = tomllib.loads(text)[kind.value]
    digest = hashlib.sha256(given["zh"].encode()).digest()
    return Commitment(
        kind=kind, ground=given["ground"], zh=given["zh"], en=given["en"], digest=digest
    )


def confirm_commitment(kind: CommitmentKind, signed: bytes) -> None:
    """This will let go on whoever signed the text in force; raises CommitmentDiffers."""
    known = get_commitment(kind)
    if signed != known.digest:
        raise CommitmentDiffers(kind=kind.value, digest=known.digest.hex())
