# SPDX-License-Identifier: Apache-2.0
"""Pure values and algebra: nothing here does I/O, reads a clock or knows a domain word.

- `ids`      typed UUIDv7 ids with a prefix
- `time`     instants in UTC, half-open periods
- `money`    integer minor units, splits that add up
- `errors`   refusals in five families with stable codes
- `values`   frozen values to plain JSON data and back
- `canon`    canonical JSON (RFC 8785)
- `merkle`   the tree of RFC 6962
- `paging`   cursors and pages
- `charts`   procedures as data: states, moves, clocks, and their check
- `lattice`  terms of use over code trees: `meet` and `<=`

Standard library only; `canon` and `merkle` come from the verifier's own distribution.
"""

__all__ = (
    "canon",
    "charts",
    "errors",
    "ids",
    "lattice",
    "merkle",
    "money",
    "paging",
    "time",
    "values",
)
