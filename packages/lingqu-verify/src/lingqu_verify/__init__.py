# SPDX-License-Identifier: Apache-2.0
"""Verify Lingqu's evidence without Lingqu: its log, its checkpoints, its bundles, its witnesses.

The story, from the ground up. Every act in Lingqu leaves *facts*; each fact is an `entries.Entry`,
a canonical text (`canon`). The texts are the leaves of a Merkle tree (`merkle`), published as
static files (`tiles`). The log signs how large it is and what its root is: a *checkpoint*, a
signed note (`notes`). A *witness* (`witness`, asked through `client`) cosigns it, and never signs
two histories. A stranger verifies the whole log from its files (`history`), or a few facts from
one file, a *bundle* (`bundles`); the key comes from elsewhere, and nothing here trusts the sender.

Everything that fails raises a `VerificationError` with a stable `code` and with `diagnostics`,
which say in Chinese or English what was found and what to do.
"""

from lingqu_verify import bundles, canon, client, entries, errors, history, merkle, notes, tiles
from lingqu_verify.bundles import (
    Consistency,
    Disclosure,
    Leaf,
    OfferedKey,
    Report,
    build_bundle,
    verify_bundle,
)
from lingqu_verify.client import Stale, submit_checkpoint
from lingqu_verify.entries import Entry, Row
from lingqu_verify.errors import Malformed, Refuted, Unreadable, VerificationError
from lingqu_verify.history import LogReport, open_source, verify_log
from lingqu_verify.notes import (
    Checkpoint,
    Note,
    RemoteSigner,
    Signer,
    SignerKey,
    VerifierKey,
    cosign,
    sign_checkpoint,
    verify_checkpoint,
)

__all__ = [
    "Checkpoint",
    "Consistency",
    "Disclosure",
    "Entry",
    "Leaf",
    "LogReport",
    "Malformed",
    "Note",
    "OfferedKey",
    "Refuted",
    "RemoteSigner",
    "Report",
    "Row",
    "Signer",
    "SignerKey",
    "Stale",
    "Unreadable",
    "VerificationError",
    "VerifierKey",
    "build_bundle",
    "bundles",
    "canon",
    "client",
    "cosign",
    "entries",
    "errors",
    "history",
    "merkle",
    "notes",
    "open_source",
    "sign_checkpoint",
    "submit_checkpoint",
    "tiles",
    "verify_bundle",
    "verify_checkpoint",
    "verify_log",
]
