# SPDX-License-Identifier: Apache-2.0
"""The Merkle tree of RFC 6962, shared with the verifier so that both compute the same root."""

from lingqu_verify.merkle import (
    EMPTY_ROOT,
    Frontier,
    leaf_hash,
    leaf_hashes,
    node_hash,
    root_of,
)

__all__ = ("EMPTY_ROOT", "Frontier", "leaf_hash", "leaf_hashes", "node_hash", "root_of")
