# SPDX-License-Identifier: Apache-2.0
"""应用: use without seeing: decisions, verification, governed queries.

Nothing here yet: the name and its place in the line are kept.
"""

__all__: tuple[str, ...] = ()
