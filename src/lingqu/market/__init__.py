# SPDX-License-Identifier: Apache-2.0
"""流通: listings, contracts, orders, charging, distribution.

Nothing here yet: the name and its place in the line are kept.
"""

__all__: tuple[str, ...] = ()
