# SPDX-License-Identifier: Apache-2.0
"""Accounts, transfers, statements: money and every other conserved quantity.

Nothing here yet: the name and its place in the line are kept.
"""

__all__: tuple[str, ...] = ()
