# SPDX-License-Identifier: Apache-2.0
"""盖章件 sealed copies: scans of papers that somebody put a physical seal on.

What the platform prints bears its digital signature and the place of the seal. Whoever's seal
belongs there prints it, seals it by hand, and gives the scan back: it is kept under the digest of
what the paper says, with its own digest and who gave it. Whoever holds the paper, and so knows its
digest, may see the scans of it.
"""

from lingqu.trust.copies.keeping import (
    COPY_BYTES_MOST,
    BadScan,
    CopyAttached,
    CopyId,
    CopyNotFound,
    SealedCopy,
    attach_copy,
    find_copies,
    find_copies_about,
    get_copy,
    read_scan_type,
)

__all__ = (
    "COPY_BYTES_MOST",
    "BadScan",
    "CopyAttached",
    "CopyId",
    "CopyNotFound",
    "SealedCopy",
    "attach_copy",
    "find_copies",
    "find_copies_about",
    "get_copy",
    "read_scan_type",
)
